//! What makes a member of a type special: structures by name, tags of pointers, and what
//! declarations say.
//!
//! Observed on Linux 6.18; since when, from the kernel's history, and on 6.1 and 6.12. To kernels
//! that do not know one, it is like any other structure or pointer.
//!
//! Read before: `special.rs`. Read next: `special_search.rs`.

use crate::config::Config;
use crate::types::special::{KptrOwner, LIST_HEAD, RB_ROOT, SpecialKind};
use ebpf_asm::isa::KernelVersion;

/// A structure that makes a member special.
pub(crate) struct Structure {
    /// Its name, as the type has it.
    pub(crate) name: &'static str,
    /// Bytes; one of another size is no special field.
    pub(crate) size: u32,
    /// What its offset is a multiple of, or it is no special field.
    pub(crate) align: u32,
    /// What a member of it is.
    pub(crate) makes: Makes,
    /// Whether a structure has one of them at most.
    pub(crate) single: bool,
    /// In what it is special.
    pub(crate) holders: &'static [Holder],
    /// Since when.
    pub(crate) since: KernelVersion,
}

/// What a structure makes of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Makes {
    /// A field of this kind.
    Field(SpecialKind),
    /// A list, of whose objects a declaration says.
    List,
    /// A tree, likewise.
    Tree,
}

impl Makes {
    /// The name of the structure.
    const fn name(self) -> &'static str {
        match self {
            Makes::Field(kind) => kind.name(),
            Makes::List => LIST_HEAD,
            Makes::Tree => RB_ROOT,
        }
    }

    /// Whether a field of this kind is one.
    pub(crate) fn is(self, kind: SpecialKind) -> bool {
        match (self, kind) {
            (Makes::Field(made), kind) => made == kind,
            (Makes::List, SpecialKind::ListHead(_)) | (Makes::Tree, SpecialKind::RbRoot(_)) => true,
            (Makes::List | Makes::Tree, _) => false,
        }
    }
}

/// What has special fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holder {
    /// A value of a map.
    Value,
    /// An object that the program allocates.
    Object,
}

const EITHER: &[Holder] = &[Holder::Value, Holder::Object];
const VALUE: &[Holder] = &[Holder::Value];
const OBJECT: &[Holder] = &[Holder::Object];

const fn structure(
    size: u32,
    makes: Makes,
    holders: &'static [Holder],
    since: KernelVersion,
) -> Structure {
    Structure {
        name: makes.name(),
        size,
        align: if size < 8 { size } else { 8 },
        makes,
        single: matches!(
            makes,
            Makes::Field(
                SpecialKind::SpinLock
                    | SpecialKind::ResSpinLock
                    | SpecialKind::Timer
                    | SpecialKind::Workqueue
                    | SpecialKind::TaskWork
            )
        ),
        holders,
        since,
    }
}

/// All structures that do.
const STRUCTURES: [Structure; 10] = [
    structure(4, Makes::Field(SpecialKind::SpinLock), EITHER, (5, 1)),
    structure(4, Makes::Field(SpecialKind::ResSpinLock), EITHER, (6, 15)),
    structure(16, Makes::Field(SpecialKind::Timer), VALUE, (5, 15)),
    structure(16, Makes::Field(SpecialKind::Workqueue), VALUE, (6, 10)),
    structure(8, Makes::Field(SpecialKind::TaskWork), VALUE, (6, 18)),
    structure(16, Makes::List, EITHER, (6, 2)),
    structure(24, Makes::Field(SpecialKind::ListNode), OBJECT, (6, 2)),
    structure(16, Makes::Tree, EITHER, (6, 3)),
    structure(32, Makes::Field(SpecialKind::RbNode), OBJECT, (6, 3)),
    structure(4, Makes::Field(SpecialKind::Refcount), EITHER, (6, 4)),
];

/// How a declaration begins that says of which objects a list or tree is, and where in them it
/// links them: `contains:STRUCT:MEMBER`.
pub(crate) const CONTAINS: &str = "contains:";

/// A tag of pointers that makes a member special.
struct PointerTag {
    name: &'static str,
    owner: KptrOwner,
    since: KernelVersion,
    /// From which release on it means something else.
    until: Option<KernelVersion>,
}

const fn pointer_tag(
    name: &'static str,
    owner: KptrOwner,
    since: KernelVersion,
    until: Option<KernelVersion>,
) -> PointerTag {
    PointerTag {
        name,
        owner,
        since,
        until,
    }
}

/// When `kptr` got the meaning that it has now. A value with a tag that they do not know is plain
/// to older kernels, and refused by others.
pub(crate) const RENAMED: KernelVersion = (6, 4);

/// All tags that do.
const TAGS: [PointerTag; 6] = [
    pointer_tag("kptr", KptrOwner::Nobody, (5, 19), Some(RENAMED)),
    pointer_tag("kptr_ref", KptrOwner::Map, (5, 19), Some(RENAMED)),
    pointer_tag("kptr_untrusted", KptrOwner::Nobody, RENAMED, None),
    pointer_tag("kptr", KptrOwner::Map, RENAMED, None),
    pointer_tag("percpu_kptr", KptrOwner::MapPerCpu, (6, 7), None),
    pointer_tag("uptr", KptrOwner::User, (6, 13), None),
];

/// Whose the pointers with this tag are.
pub(crate) fn owner_by_tag(name: &str, config: &Config) -> Option<KptrOwner> {
    let known = |tag: &&PointerTag| {
        tag.name == name
            && config.since(tag.since)
            && tag.until.is_none_or(|until| !config.since(until))
    };
    TAGS.iter().find(known).map(|tag| tag.owner)
}

/// The structures that a kernel knows.
pub(crate) fn structures(config: &Config) -> impl Iterator<Item = &'static Structure> {
    STRUCTURES.iter().filter(|known| config.since(known.since))
}

/// What keeps an object of the kernel that a map owns, while a program looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeptBy {
    /// RCU does.
    Rcu,
    /// Nothing: it may be gone.
    Nothing,
}

/// The structures of the kernel that a map can own, which the kernel knows how to give back.
const OWNED: [(&str, KeptBy); 6] = [
    ("bpf_cpumask", KeptBy::Rcu),
    ("bpf_crypto_ctx", KeptBy::Rcu),
    ("cgroup", KeptBy::Rcu),
    ("prog_test_member", KeptBy::Nothing),
    ("prog_test_ref_kfunc", KeptBy::Rcu),
    ("task_struct", KeptBy::Rcu),
];

/// What keeps the kernel's objects of a structure; `None` if no map can own them.
pub(crate) fn kept_by(structure: &str) -> Option<KeptBy> {
    let known = OWNED.iter().find(|(name, _)| *name == structure);
    known.map(|&(_, by)| by)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_own_what_rcu_keeps_and_what_it_does_not() {
        assert_eq!(kept_by("cgroup"), Some(KeptBy::Rcu));
        assert_eq!(kept_by("prog_test_member"), Some(KeptBy::Nothing));
        assert_eq!(kept_by("sk_buff"), None);
    }
}
