//! The kernel's own types: its structures, and the functions that programs may call or attach
//! to, as `/sys/kernel/btf/vmlinux` describes them; and which addresses it knows.
//!
//! The verifier reads no files: who asks hands the types in, or says how to get them when the
//! first program needs them. What depends on them is not judged without.
//!
//! Described in the kernel's `Documentation/bpf/btf.rst` and `Documentation/bpf/kfuncs.rst`.
//!
//! Read before: `config.rs`. Read next: `kernel_call.rs`.

use crate::config::Config;
use crate::diag::{Checked, Rejection};
use crate::step::machine::not_modelled;
use ebpf_asm::btf::{Btf, Kind as Type, Tag, TypeId};
use ebpf_asm::isa::KernelVersion;
use ebpf_asm::near::near;
use ebpf_asm::prog_type::ProgType;
use std::collections::HashSet;
use std::fmt;
use std::hash::{DefaultHasher, Hasher};
use std::sync::OnceLock;

/// The tag that the kernel's build leaves on functions that programs may call.
const KFUNC_TAG: &str = "bpf_kfunc";

/// A function of kernels with programs for infrared receivers (`CONFIG_BPF_LIRC_MODE2`).
const LIRC_MODE2: &str = "lirc_prog_attach";

/// The types of the kernel that a program is for.
pub struct KernelTypes {
    read: Box<dyn Fn() -> Option<Btf> + Send + Sync>,
    btf: OnceLock<Option<Btf>>,
    functions: OnceLock<Names>,
    records: OnceLock<Names>,
    variables: OnceLock<Names>,
    typedefs: OnceLock<Names>,
    kfuncs: OnceLock<HashSet<TypeId>>,
    read_symbols: Box<dyn Fn() -> Option<Symbols> + Send + Sync>,
    symbols: OnceLock<Option<Symbols>>,
    release: Option<KernelVersion>,
}

/// The kernel that programs are for: its types, and the rest of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TargetKernel<'a> {
    pub(crate) types: &'a KernelTypes,
    pub(crate) config: &'a Config,
}

/// The names of what the kernel knows the address of.
pub type Symbols = HashSet<Box<str>>;

/// The names that the text of `/proc/kallsyms` lists, whose lines are `ADDRESS TYPE NAME [MODULE]`;
/// addresses may be hidden.
pub fn symbols_of(kallsyms: &str) -> Symbols {
    let names = kallsyms
        .lines()
        .filter_map(|line| line.split_whitespace().nth(2));
    names.map(Box::from).collect()
}

/// Where the types of one kind are, by the hashes of their names, ascending: of several of one name
/// the first comes first. There are a hundred thousand, of which a program names a few.
struct Names(Vec<(u64, TypeId)>);

impl Names {
    /// Those types that have names.
    fn gather(btf: &Btf, is_one: impl Fn(&Type) -> bool) -> Names {
        let named = btf.types().filter_map(|(id, ty)| {
            let name = is_one(&ty.kind).then(|| btf.str(ty.name))?;
            (!name.is_empty()).then(|| (hash(name), id))
        });
        let mut names: Vec<_> = named.collect();
        names.sort_unstable();
        Names(names)
    }

    /// The type of this name.
    fn find(&self, btf: &Btf, name: &str) -> Option<TypeId> {
        let wanted = hash(name);
        let first = self.0.partition_point(|&(hash, _)| hash < wanted);
        let alike = self.0.get(first..)?.iter();
        let mut alike = alike.take_while(|(hash, _)| *hash == wanted);
        let is_it = |id| btf.get(id).is_some_and(|ty| btf.str(ty.name) == name);
        alike.find_map(|&(_, id)| is_it(id).then_some(id))
    }
}

fn hash(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(name.as_bytes());
    hasher.finish()
}

impl KernelTypes {
    /// Nothing is known of the kernel's types.
    pub fn unknown() -> KernelTypes {
        KernelTypes::on_demand(|| None)
    }

    /// These types.
    pub fn new(btf: Btf) -> KernelTypes {
        let types = KernelTypes::unknown();
        // A cell that was just made is empty.
        let _ = types.btf.set(Some(btf));
        types
    }

    /// What `read` gives when the first program needs it; `None` if there is nothing.
    pub fn on_demand(read: impl Fn() -> Option<Btf> + Send + Sync + 'static) -> KernelTypes {
        KernelTypes {
            read: Box::new(read),
            btf: OnceLock::new(),
            functions: OnceLock::new(),
            records: OnceLock::new(),
            variables: OnceLock::new(),
            typedefs: OnceLock::new(),
            kfuncs: OnceLock::new(),
            read_symbols: Box::new(|| None),
            symbols: OnceLock::new(),
            release: None,
        }
    }

    /// They are those of this release; otherwise they are taken for those of the kernel that
    /// programs are for.
    #[must_use]
    pub fn of_release(self, release: KernelVersion) -> KernelTypes {
        KernelTypes {
            release: Some(release),
            ..self
        }
    }

    /// The release whose types they are, if that is another than `kernel`.
    pub(crate) fn of_other_release(&self, kernel: KernelVersion) -> Option<KernelVersion> {
        self.release.filter(|release| *release != kernel)
    }

    /// With the kernel's symbols (`/proc/kallsyms`), which `read` gives when the first program
    /// takes the address of one; `None` if nobody knows them.
    pub fn with_symbols(
        self,
        read: impl Fn() -> Option<Symbols> + Send + Sync + 'static,
    ) -> KernelTypes {
        KernelTypes {
            read_symbols: Box::new(read),
            ..self
        }
    }

    /// The types, if there are any: read now if they were not yet.
    pub fn btf(&self) -> Option<&Btf> {
        self.btf.get_or_init(|| (self.read)()).as_ref()
    }

    /// How many parts of what is known of the kernel were read or gathered by now, which happens once
    /// for all programs: who measures how long a verdict takes can see whether that is in it.
    pub fn parts_read(&self) -> usize {
        let names = [
            &self.functions,
            &self.records,
            &self.variables,
            &self.typedefs,
        ];
        let gathered = names.iter().filter(|names| names.get().is_some());
        gathered.count()
            + usize::from(self.btf.get().is_some())
            + usize::from(self.kfuncs.get().is_some())
            + usize::from(self.symbols.get().is_some())
    }

    /// The types, for something that cannot be judged without.
    pub(crate) fn needed_for(&self, what: &str) -> Checked<&Btf> {
        self.btf().ok_or_else(|| no_types(what))
    }

    /// The function of this name.
    pub(crate) fn function(&self, name: &str) -> Option<TypeId> {
        let is_one = |kind: &Type| matches!(kind, Type::Func { .. });
        self.named(&self.functions, name, is_one)
    }

    /// The struct or union of this name.
    pub(crate) fn record(&self, name: &str) -> Option<TypeId> {
        let is_one = |kind: &Type| matches!(kind, Type::Struct { .. } | Type::Union { .. });
        self.named(&self.records, name, is_one)
    }

    /// The typedef of this name.
    pub(crate) fn typedef(&self, name: &str) -> Option<TypeId> {
        let is_one = |kind: &Type| matches!(kind, Type::Typedef(_));
        self.named(&self.typedefs, name, is_one)
    }

    /// The variable of this name.
    pub(crate) fn variable(&self, name: &str) -> Option<TypeId> {
        let is_one = |kind: &Type| matches!(kind, Type::Var { .. });
        self.named(&self.variables, name, is_one)
    }

    /// The type of a kind with this name, whose names are gathered when one is asked for first.
    fn named(
        &self,
        names: &OnceLock<Names>,
        name: &str,
        is_one: impl Fn(&Type) -> bool,
    ) -> Option<TypeId> {
        let btf = self.btf()?;
        names
            .get_or_init(|| Names::gather(btf, is_one))
            .find(btf, name)
    }

    /// What is behind `prefix` in the name of a type for which somebody probably meant `name` there:
    /// of those that `is_one` picks by what they are, and by their whole names.
    #[cold]
    pub(crate) fn near_name(
        &self,
        prefix: &str,
        name: &str,
        is_one: impl Fn(&Type, &str) -> bool,
    ) -> Option<&str> {
        let btf = self.btf()?;
        let all = btf.types().map(|(_, ty)| (&ty.kind, btf.str(ty.name)));
        let picked = all.filter(|(kind, whole)| is_one(kind, whole));
        near(
            name,
            picked.filter_map(|(_, whole)| whole.strip_prefix(prefix)),
        )
    }

    /// Whether the kernel knows the address of what has this name, as far as its symbols are
    /// known.
    pub(crate) fn knows_address(&self, name: &str) -> Option<bool> {
        let symbols = self.symbols.get_or_init(|| (self.read_symbols)());
        symbols.as_ref().map(|symbols| symbols.contains(name))
    }

    /// Whether the kernel was built with programs of a type, as far as its symbols show it.
    pub fn has_programs(&self, prog_type: ProgType) -> Option<bool> {
        match prog_type {
            ProgType::LircMode2 => self.knows_address(LIRC_MODE2),
            _ => None,
        }
    }

    /// Whether a function is one that programs may call.
    pub(crate) fn is_kfunc(&self, function: TypeId) -> bool {
        let kfuncs = self
            .kfuncs
            .get_or_init(|| self.btf().map_or_else(HashSet::new, kfuncs));
        kfuncs.contains(&function)
    }
}

impl Default for KernelTypes {
    fn default() -> KernelTypes {
        KernelTypes::unknown()
    }
}

impl fmt::Debug for KernelTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.btf.get().and_then(Option::as_ref).map(Btf::len);
        f.debug_struct("KernelTypes")
            .field("types", &count)
            .finish_non_exhaustive()
    }
}

/// The functions that programs may call.
fn kfuncs(btf: &Btf) -> HashSet<TypeId> {
    let tagged = btf.types().filter_map(|(_, ty)| match ty.kind {
        Type::DeclTag {
            ty: of,
            component: -1,
            tag: Tag::Btf,
        } if btf.str(ty.name) == KFUNC_TAG => Some(of),
        _ => None,
    });
    tagged.collect()
}

fn no_types(what: &str) -> Box<Rejection> {
    not_modelled(&format!("{what} without the kernel's types"))
        .help("hand in the types of the kernel that the program is for: /sys/kernel/btf/vmlinux")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ebpf_asm::btf::Bitfields;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn types_are_read_once_and_only_when_they_are_needed() {
        let reads = Arc::new(AtomicU32::new(0));
        let counted = reads.clone();
        let types = KernelTypes::on_demand(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            let mut btf = Btf::new();
            let (size, members, bitfields) = (0, Vec::new(), Bitfields::No);
            btf.add(
                "empty",
                Type::Struct {
                    size,
                    members,
                    bitfields,
                },
            );
            Some(btf)
        });
        assert_eq!((reads.load(Ordering::Relaxed), types.parts_read()), (0, 0));
        assert_eq!(types.record("empty"), Some(TypeId(1)));
        assert_eq!(types.record("full"), None);
        assert_eq!((reads.load(Ordering::Relaxed), types.parts_read()), (1, 2));
        assert_eq!(types.function("empty"), None);
        assert_eq!((reads.load(Ordering::Relaxed), types.parts_read()), (1, 3));
    }

    #[test]
    fn of_several_types_of_one_name_the_first_counts() {
        let mut btf = Btf::new();
        for name in ["one", "two", "", "one"] {
            let (size, members, bitfields) = (0, Vec::new(), Bitfields::No);
            btf.add(
                name,
                Type::Struct {
                    size,
                    members,
                    bitfields,
                },
            );
        }
        let types = KernelTypes::new(btf);
        assert_eq!(types.record("one"), Some(TypeId(1)));
        assert_eq!(types.record("two"), Some(TypeId(2)));
        assert_eq!(types.record(""), None);
    }

    #[test]
    fn addresses_are_known_only_where_the_symbols_are() {
        assert_eq!(KernelTypes::unknown().knows_address("jiffies"), None);
        let one = || Some(Symbols::from(["do_exit".into()]));
        let types = KernelTypes::unknown().with_symbols(one);
        assert_eq!(types.knows_address("do_exit"), Some(true));
        assert_eq!(types.knows_address("jiffies"), Some(false));
    }

    #[test]
    fn what_needs_types_says_which_to_hand_in() {
        let unknown = KernelTypes::unknown();
        let refused = unknown.needed_for("calls of kernel functions").unwrap_err();
        assert!(refused.message.contains("the kernel's types"));
        assert!(refused.help.unwrap().contains("/sys/kernel/btf/vmlinux"));
    }
}
