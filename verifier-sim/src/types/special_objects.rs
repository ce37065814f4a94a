//! Which structures of a program's types have special fields as objects that the program allocates,
//! and for which of them the kernel refuses all types.
//!
//! It looks through every structure with a member of a kind that is special in objects. One that
//! breaks a rule is no plain structure then, as the value of a map would be: the kernel takes no BTF
//! with it.
//!
//! Observed on Linux 6.18; since when, from the kernel's history.
//!
//! Read before: `special_search.rs`. Read next: `context_param.rs`.

use crate::config::Config;
use crate::types::kernel_types::TargetKernel;
use crate::types::special::{KptrOwner, Special, SpecialKind};
use crate::types::special_search::{Unclear, special_fields_of_object};
use crate::types::special_table::{Holder, Makes, owner_by_tag, structures};
use ebpf_asm::btf::{Btf, Kind as Type, Tag, TypeId};
use ebpf_asm::isa::KernelVersion;
use std::collections::BTreeMap;
use std::fmt;

/// Since when the kernel looks through all structures of a program's BTF, and refuses it for one
/// that breaks a rule: from the kernel's history.
const LOOKED_THROUGH: KernelVersion = (6, 2);

/// The structures among the program's types that have special fields as objects, with these by
/// ascending offset. `None` if it is not known what the kernel makes of one.
pub(crate) type Objects = BTreeMap<TypeId, Option<Vec<Special>>>;

/// Why the kernel takes no BTF with such a structure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    name: String,
    what: &'static str,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "struct '{}': {}", self.name, self.what)
    }
}

/// Finds the structures whose objects have special fields, and these; or one structure for which
/// the kernel refuses all types.
pub(crate) fn special_objects(btf: &Btf, kernel: TargetKernel<'_>) -> Result<Objects, Broken> {
    let mut objects = Objects::new();
    let marks = special_members(btf, kernel.config);
    if marks.is_empty() || !kernel.config.since(LOOKED_THROUGH) {
        return Ok(objects);
    }
    let broken = |id, what| Broken {
        name: btf.name(id).to_owned(),
        what,
    };
    for (id, ty) in btf.types() {
        let Type::Struct { members, .. } = &ty.kind else {
            continue;
        };
        if !members.iter().any(|member| marks.contains(&member.ty)) {
            continue;
        }
        let found = match special_fields_of_object(btf, id, kernel) {
            Ok(found) if found.is_empty() => {
                return Err(broken(id, "no special field in it is where it can be"));
            }
            Ok(found) => Some(found),
            Err(Unclear::Plain) => {
                return Err(broken(id, "its special fields break the rules of such"));
            }
            Err(Unclear::Unknown) => None,
        };
        objects.insert(id, found);
    }
    match objects.keys().find(|id| owns_owners(&objects, **id)) {
        Some(id) => Err(broken(
            *id,
            "is put into lists or trees, and so are objects that have some which it has",
        )),
        None => Ok(objects),
    }
}

/// Whether objects of a type are put into lists or trees, and have some of objects that have some
/// themselves: then there could be a circle.
fn owns_owners(objects: &Objects, id: TypeId) -> bool {
    let found = |id| {
        objects
            .get(&id)
            .and_then(Option::as_deref)
            .unwrap_or_default()
    };
    let root_of = |special: &Special| match special.kind {
        SpecialKind::ListHead(root) | SpecialKind::RbRoot(root) => Some(root),
        _ => None,
    };
    let is_node =
        |special: &Special| matches!(special.kind, SpecialKind::ListNode | SpecialKind::RbNode);
    let has_roots = |id| found(id).iter().any(|special| root_of(special).is_some());
    let own = found(id);
    let mut roots = own.iter().filter_map(root_of);
    own.iter().any(is_node) && roots.any(|root| has_roots(root.object))
}

/// The types whose members make the structure special that the program allocates: the first
/// structure of each name, and pointers with tags to structures.
fn special_members(btf: &Btf, config: &Config) -> Vec<TypeId> {
    let mut marks = Vec::new();
    let mut named = Vec::new();
    for (id, ty) in btf.types() {
        match &ty.kind {
            Type::Struct { .. } => {
                let name = btf.str(ty.name);
                let known = structures(config).find(|known| {
                    known.name == name
                        && known.holders.contains(&Holder::Object)
                        && known.makes != Makes::Field(SpecialKind::ResSpinLock)
                });
                if let Some(known) = known.filter(|known| !named.contains(&known.name)) {
                    named.push(known.name);
                    marks.push(id);
                }
            }
            Type::Ptr(_) if is_kptr(btf, config, id) => marks.push(id),
            Type::Volatile(to) if is_kptr(btf, config, *to) => marks.push(id),
            _ => {}
        }
    }
    marks
}

/// Whether a type is a pointer with one tag, to a structure that the program or the kernel owns.
fn is_kptr(btf: &Btf, config: &Config, id: TypeId) -> bool {
    let kind = |id| btf.get(id).map(|ty| &ty.kind);
    let Some(Type::Ptr(to)) = kind(id) else {
        return false;
    };
    let Some(Type::TypeTag { ty, tag: Tag::Btf }) = kind(*to) else {
        return false;
    };
    let owner = owner_by_tag(btf.name(*to), config);
    owner.is_some_and(|owner| owner != KptrOwner::User)
        && !matches!(kind(*ty), Some(Type::TypeTag { .. }))
        && matches!(kind(btf.resolve(*ty)), Some(Type::Struct { .. }))
}
