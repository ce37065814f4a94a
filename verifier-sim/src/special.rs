//! Special fields: parts of a map's value that belong to the kernel, as the value's type says.
//!
//! A lock, a timer or a pointer to an object of the kernel among the members is not accessed
//! like the other bytes: only helpers and kernel functions that know it may touch it.
//!
//! Described in the kernel's `Documentation/bpf/kptr.rst` and `graph_ds_impl.rst`, and in
//! bpf-helpers(7); messages as observed on Linux 6.18.
//!
//! Read before: `kernel_types.rs`. Read next: `env.rs`, `kptr.rs`, `lock.rs`.

use crate::btf_ptr::{BtfPtr, Marks, Types};
use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::kernel_types::KernelTypes;
use crate::machine::{Machine, not_modelled};
use crate::reg::RegState;
use crate::region::Extent;
use ebpf_asm::btf::{Bitfields, Btf, Kind as Type, Tag, TypeId};
use ebpf_asm::object::Map;

/// A special field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Special {
    /// What it is.
    pub(crate) kind: SpecialKind,
    /// Where it begins in the value, in bytes.
    pub(crate) offset: u32,
    /// Bytes.
    pub(crate) size: u32,
}

/// What a special field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SpecialKind {
    /// `struct bpf_spin_lock`.
    SpinLock,
    /// `struct bpf_res_spin_lock`.
    ResSpinLock,
    /// `struct bpf_timer`.
    Timer,
    /// `struct bpf_wq`.
    Workqueue,
    /// `struct bpf_task_work`.
    TaskWork,
    /// `struct bpf_list_head`.
    ListHead,
    /// `struct bpf_rb_root`.
    RbRoot,
    /// `struct bpf_refcount`.
    Refcount,
    /// A pointer to an object of the kernel or of the program.
    Kptr(Kptr),
}

/// A pointer in a map's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kptr {
    /// Whose what it points to is.
    pub(crate) owner: KptrOwner,
    /// The structure that it points to.
    pub(crate) target: BtfPtr,
}

/// Whose the object is that a pointer in a map's value points to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KptrOwner {
    /// Nobody knows: the pointer may be stale (`__kptr_untrusted`).
    Nobody,
    /// The map (`__kptr`).
    Map,
    /// The map, and each CPU has one (`__percpu_kptr`).
    MapPerCpu,
    /// A task of user space (`__uptr`).
    User,
}

/// A structure that makes a member special.
struct Structure {
    name: &'static str,
    /// Bytes; one of another size is no special field.
    size: u32,
    /// What its offset is a multiple of, or it is no special field.
    align: u32,
    kind: SpecialKind,
    /// Whether a structure has one of them at most.
    single: bool,
}

const fn structure(name: &'static str, size: u32, kind: SpecialKind) -> Structure {
    Structure {
        name,
        size,
        align: if size < 8 { size } else { 8 },
        kind,
        single: !matches!(
            kind,
            SpecialKind::ListHead | SpecialKind::RbRoot | SpecialKind::Refcount
        ),
    }
}

const STRUCTURES: [Structure; 8] = [
    structure("bpf_spin_lock", 4, SpecialKind::SpinLock),
    structure("bpf_res_spin_lock", 4, SpecialKind::ResSpinLock),
    structure("bpf_timer", 16, SpecialKind::Timer),
    structure("bpf_wq", 16, SpecialKind::Workqueue),
    structure("bpf_task_work", 8, SpecialKind::TaskWork),
    structure("bpf_list_head", 16, SpecialKind::ListHead),
    structure("bpf_rb_root", 16, SpecialKind::RbRoot),
    structure("bpf_refcount", 4, SpecialKind::Refcount),
];

/// The tags of pointers that make a member special.
const TAGS: [(&str, KptrOwner); 4] = [
    ("kptr_untrusted", KptrOwner::Nobody),
    ("kptr", KptrOwner::Map),
    ("percpu_kptr", KptrOwner::MapPerCpu),
    ("uptr", KptrOwner::User),
];

/// The structures of the kernel that a map can own, which the kernel knows how to give back.
/// Observed on Linux 6.18.
const OWNED: [&str; 6] = [
    "bpf_cpumask",
    "bpf_crypto_ctx",
    "cgroup",
    "prog_test_member",
    "prog_test_ref_kfunc",
    "task_struct",
];

/// How deep types are nested in each other at most.
const MAX_DEPTH: u32 = 32;

/// How many special fields a value has at most.
const MAX_FIELDS: usize = 11;

impl SpecialKind {
    /// The name of the structure, as messages have it.
    pub(crate) fn name(self) -> &'static str {
        if let SpecialKind::Kptr(kptr) = self {
            return match kptr.owner {
                KptrOwner::Nobody | KptrOwner::Map => "kptr",
                KptrOwner::MapPerCpu => "percpu_kptr",
                KptrOwner::User => "uptr",
            };
        }
        let known = STRUCTURES.iter().find(|known| known.kind == self);
        known.map_or("", |known| known.name)
    }
}

/// Why the special fields of a value are not known.
enum Unclear {
    /// The kernel does not understand the type, and takes the value for plain bytes.
    Plain,
    /// It is not known here what the kernel makes of the type.
    Unknown,
}

/// The special fields of the values of a map, by ascending offset. `None` if it is not known
/// what the kernel makes of the type.
pub(crate) fn special_fields(
    map: &Map,
    btf: Option<&Btf>,
    kernel: &KernelTypes,
) -> Option<Vec<Special>> {
    let (Some(btf), Some(value)) = (btf, map.value_type) else {
        return Some(Vec::new());
    };
    let mut search = Search {
        btf,
        kernel,
        found: Vec::new(),
    };
    match search.value(value).and_then(|()| search.in_order()) {
        Ok(()) => {
            search.found.sort_by_key(|special| special.offset);
            Some(search.found)
        }
        Err(Unclear::Plain) => Some(Vec::new()),
        Err(Unclear::Unknown) => None,
    }
}

/// What is found on the way through a type.
struct Search<'a> {
    btf: &'a Btf,
    kernel: &'a KernelTypes,
    found: Vec<Special>,
}

/// A member, variable or element: its type, where it is, and as how many bytes it is declared.
struct Part {
    ty: TypeId,
    offset: u32,
    bytes: Option<u32>,
}

impl Search<'_> {
    /// A whole value: a structure, or the variables of a section.
    fn value(&mut self, value: TypeId) -> Result<(), Unclear> {
        let value = self.btf.resolve(value);
        let Some(Type::DataSec { vars, .. }) = self.btf.get(value).map(|ty| &ty.kind) else {
            return self.members(value, 0, 0);
        };
        let mut seen = Vec::new();
        for var in vars {
            let Some(Type::Var { ty, .. }) = self.btf.get(var.var).map(|ty| &ty.kind) else {
                return Err(Unclear::Unknown);
            };
            let part = Part {
                ty: *ty,
                offset: var.offset,
                bytes: Some(var.size),
            };
            self.part(&part, 0, &mut seen)?;
        }
        Ok(())
    }

    /// The members of a structure that begins at `offset`. Only a structure has some.
    fn members(&mut self, id: TypeId, offset: u32, depth: u32) -> Result<(), Unclear> {
        let Some(Type::Struct {
            members, bitfields, ..
        }) = self.btf.get(id).map(|ty| &ty.kind)
        else {
            return Ok(());
        };
        let mut seen = Vec::new();
        for member in members {
            let bits = match bitfields {
                Bitfields::No => member.offset,
                Bitfields::Yes => member.offset & 0x00ff_ffff,
            };
            if !bits.is_multiple_of(8) {
                return Err(Unclear::Plain);
            }
            let part = Part {
                ty: member.ty,
                offset: offset.checked_add(bits / 8).ok_or(Unclear::Unknown)?,
                bytes: None,
            };
            self.part(&part, depth, &mut seen)?;
        }
        Ok(())
    }

    /// A member, variable or element. What has another name, by a typedef, is not recognised.
    fn part(
        &mut self,
        part: &Part,
        depth: u32,
        seen: &mut Vec<SpecialKind>,
    ) -> Result<(), Unclear> {
        let (ty, count) = self.element(part.ty)?;
        if count == 0 {
            return Ok(());
        }
        let declared = |size: u32| match part.bytes {
            None => true,
            Some(bytes) => size.checked_mul(count) == Some(bytes),
        };
        let Some(Type::Struct { size, .. }) = self.btf.get(ty).map(|ty| &ty.kind) else {
            return match declared(POINTER) && part.offset.is_multiple_of(POINTER) {
                true => self.pointer(ty, part.offset, count),
                false => Ok(()),
            };
        };
        let name = self.btf.name(ty);
        let known = STRUCTURES.iter().find(|known| known.name == name);
        let Some(known) = known else {
            return match declared(*size) {
                true => self.nested(ty, part.offset, count, depth + 1),
                false => Ok(()),
            };
        };
        if known.single {
            if seen.contains(&known.kind) {
                return Err(Unclear::Plain);
            }
            seen.push(known.kind);
        }
        let fits = declared(known.size) && *size == known.size;
        if !fits || !part.offset.is_multiple_of(known.align) {
            return Ok(());
        }
        if matches!(known.kind, SpecialKind::ListHead | SpecialKind::RbRoot) {
            return Err(Unclear::Unknown);
        }
        self.add(known.kind, part.offset, known.size, count)
    }

    /// What the elements of an array are, and how many there are: of arrays in arrays as well.
    fn element(&self, mut ty: TypeId) -> Result<(TypeId, u32), Unclear> {
        let mut count = 1u32;
        for _ in 0..MAX_DEPTH {
            let Some(&Type::Array { element, len, .. }) = self.btf.get(ty).map(|ty| &ty.kind)
            else {
                return Ok((ty, count));
            };
            count = count.checked_mul(len).ok_or(Unclear::Unknown)?;
            ty = element;
        }
        Err(Unclear::Plain)
    }

    /// A structure in a structure, or an array of them.
    fn nested(&mut self, ty: TypeId, offset: u32, count: u32, depth: u32) -> Result<(), Unclear> {
        if depth >= MAX_DEPTH {
            return Err(Unclear::Plain);
        }
        let before = self.found.len();
        self.members(ty, offset, depth)?;
        let first = self.found.get(before..).unwrap_or_default().to_vec();
        let size = self.btf.size_of(ty).ok_or(Unclear::Unknown)?;
        self.repeat(&first, size, count)
    }

    fn add(
        &mut self,
        kind: SpecialKind,
        offset: u32,
        size: u32,
        count: u32,
    ) -> Result<(), Unclear> {
        let special = Special { kind, offset, size };
        self.push(special)?;
        self.repeat(&[special], size, count)
    }

    /// What is in the first of so many elements is in all.
    fn repeat(&mut self, first: &[Special], size: u32, count: u32) -> Result<(), Unclear> {
        if first.is_empty() {
            return Ok(());
        }
        for index in 1..count {
            let away = size.checked_mul(index).ok_or(Unclear::Unknown)?;
            for special in first {
                if !matches!(special.kind, SpecialKind::Kptr(_)) {
                    return Err(Unclear::Plain);
                }
                let offset = special.offset.checked_add(away).ok_or(Unclear::Unknown)?;
                self.push(Special { offset, ..*special })?;
            }
        }
        Ok(())
    }

    fn push(&mut self, special: Special) -> Result<(), Unclear> {
        if self.found.len() >= MAX_FIELDS {
            return Err(Unclear::Plain);
        }
        self.found.push(special);
        Ok(())
    }

    /// Pointers, if a tag says that they are the kernel's.
    fn pointer(&mut self, mut ty: TypeId, offset: u32, count: u32) -> Result<(), Unclear> {
        if let Some(Type::Volatile(to)) = self.btf.get(ty).map(|ty| &ty.kind) {
            ty = *to;
        }
        let Some(&Type::Ptr(to)) = self.btf.get(ty).map(|ty| &ty.kind) else {
            return Ok(());
        };
        let Some(&Type::TypeTag { ty: behind, tag }) = self.btf.get(to).map(|ty| &ty.kind) else {
            return Ok(());
        };
        if tag != Tag::Btf {
            return Ok(());
        }
        let target = self.btf.resolve(behind);
        let twice = matches!(
            self.btf.get(behind).map(|ty| &ty.kind),
            Some(Type::TypeTag { .. })
        );
        let known = TAGS.iter().find(|(tag, _)| *tag == self.btf.name(to));
        let is_struct = matches!(
            self.btf.get(target).map(|ty| &ty.kind),
            Some(Type::Struct { .. })
        );
        let Some(&(_, owner)) = known.filter(|_| !twice && is_struct) else {
            // A type with such a member is not one that the kernel takes.
            return Err(Unclear::Unknown);
        };
        let kptr = Kptr {
            owner,
            target: self.target(owner, target)?,
        };
        self.add(SpecialKind::Kptr(kptr), offset, POINTER, count)
    }

    /// What a pointer points to: the structure of the kernel of that name, or else the
    /// program's own.
    fn target(&self, owner: KptrOwner, target: TypeId) -> Result<BtfPtr, Unclear> {
        let name = self.btf.name(target);
        if self.kernel.btf().is_none() {
            return Err(Unclear::Unknown);
        }
        let own = BtfPtr {
            types: Types::Program,
            marks: Marks::NONE,
            id: target,
        };
        match self
            .kernel
            .record(name)
            .filter(|_| owner != KptrOwner::User)
        {
            None => Ok(own),
            Some(_) if owner == KptrOwner::Map && !OWNED.contains(&name) => Err(Unclear::Unknown),
            Some(id) => Ok(BtfPtr::kernel(id, Marks::NONE)),
        }
    }

    /// That no field begins before the one that was found before it ends: that is a type that
    /// the kernel does not understand. Two locks in one value confuse it.
    fn in_order(&self) -> Result<(), Unclear> {
        let mut end = 0;
        for special in &self.found {
            if special.offset < end {
                return Err(Unclear::Plain);
            }
            end = special.offset + special.size;
        }
        let twice = |known: &Structure| {
            let same = |special: &&Special| special.kind == known.kind;
            known.single && self.found.iter().filter(same).count() > 1
        };
        match STRUCTURES.iter().any(twice) {
            true => Err(Unclear::Unknown),
            false => Ok(()),
        }
    }
}

/// Bytes of a pointer.
const POINTER: u32 = 8;

/// Who accesses a map's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AccessBy {
    /// A load or store.
    Insn,
    /// A helper or kernel function.
    Call,
}

impl Machine<'_, '_> {
    /// The special fields of a map's values.
    pub(crate) fn specials(&self, map: u32) -> Checked<&[Special]> {
        let known = self.env.specials(map);
        known.ok_or_else(|| not_modelled("what the type of these map values has in it"))
    }

    /// The special field of a kind in a map's values, if it has one.
    pub(crate) fn special_of(&self, map: u32, kind: SpecialKind) -> Checked<Option<Special>> {
        let found = self
            .specials(map)?
            .iter()
            .find(|special| special.kind == kind);
        Ok(found.copied())
    }

    /// That an access to a map's value leaves its special fields alone.
    pub(crate) fn check_specials(
        &self,
        map: u32,
        base: &RegState,
        extent: Extent,
        by: AccessBy,
    ) -> Checked {
        let first = extent.off.saturating_add(base.scalar.bounds.s64.min);
        let most = i64::try_from(base.scalar.bounds.u64.max).unwrap_or(i64::MAX);
        let end = extent.off.saturating_add(most).saturating_add(extent.size);
        for special in self.specials(map)? {
            let begin = i64::from(special.offset);
            if first < begin + i64::from(special.size) && begin < end {
                self.check_special_field(special, base, extent, by)?;
            }
        }
        Ok(())
    }

    /// That an access to a special field is one that it allows: none but to whole pointers.
    fn check_special_field(
        &self,
        special: &Special,
        base: &RegState,
        extent: Extent,
        by: AccessBy,
    ) -> Checked {
        let (offset, number) = (special.offset, extent.reg.number());
        let refuse = |message: String, label: &str| {
            Err(Rejection::new(Code::SpecialField, message)
                .label(format!("R{number} {label}"))
                .because(base.origin.made, format!("R{number} is made here")))
        };
        let name = special.kind.name();
        if !matches!(special.kind, SpecialKind::Kptr(_)) {
            let message = format!("{name} cannot be accessed directly by load/store");
            let label = format!("reaches the bytes of the {name} at {offset}");
            return refuse(message, &label);
        }
        if by == AccessBy::Call {
            let message = format!("{name} cannot be accessed indirectly by helper");
            return refuse(message, "reaches a pointer that is the kernel's");
        }
        let Some(var_off) = base.constant_var_off() else {
            let message = format!("{name} access cannot have variable offset");
            return refuse(message, "may point to a pointer that is the kernel's");
        };
        let off = extent.off.saturating_add(var_off);
        if off != i64::from(offset) {
            let message = format!("{name} access misaligned expected={offset} off={off}");
            return refuse(message, "points into a pointer that is the kernel's");
        }
        if extent.size != 8 {
            let message = format!("{name} access size must be BPF_DW");
            return refuse(message, "points to a pointer, which is accessed whole");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ebpf_asm::btf::{IntEncoding, Member};
    use ebpf_asm::map_type::MapType;

    fn number(btf: &mut Btf) -> TypeId {
        let encoding = IntEncoding::default();
        let (size, offset, bits) = (4, 0, 32);
        btf.add(
            "__u32",
            Type::Int {
                size,
                encoding,
                offset,
                bits,
            },
        )
    }

    fn record(btf: &mut Btf, name: &str, size: u32, members: &[(TypeId, u32)]) -> TypeId {
        let member = |&(ty, offset): &(TypeId, u32)| Member {
            name: btf.intern("member"),
            ty,
            offset: offset * 8,
        };
        let members = members.iter().map(member).collect();
        let bitfields = Bitfields::No;
        btf.add(
            name,
            Type::Struct {
                size,
                members,
                bitfields,
            },
        )
    }

    fn lock(btf: &mut Btf) -> TypeId {
        let number = number(btf);
        record(btf, "bpf_spin_lock", 4, &[(number, 0)])
    }

    fn array(btf: &mut Btf, element: TypeId, len: u32) -> TypeId {
        let index = number(btf);
        btf.add(
            "",
            Type::Array {
                element,
                index,
                len,
            },
        )
    }

    /// Where the locks are in the values of a type.
    fn locks(btf: &Btf, value: TypeId) -> Vec<u32> {
        let mut map = Map::new("map", MapType::Array);
        map.value_type = Some(value);
        let found = special_fields(&map, Some(btf), &KernelTypes::unknown());
        let found = found.unwrap_or_default();
        found.iter().map(|special| special.offset).collect()
    }

    #[test]
    fn locks_are_found_in_structures_of_structures_and_arrays_of_one() {
        let mut btf = Btf::new();
        let lock = lock(&mut btf);
        let inner = record(&mut btf, "inner", 8, &[(lock, 4)]);
        let outer = record(&mut btf, "outer", 16, &[(inner, 8)]);
        assert_eq!(locks(&btf, outer), [12]);
        let one = array(&mut btf, lock, 1);
        let holding = record(&mut btf, "holding", 8, &[(one, 4)]);
        assert_eq!(locks(&btf, holding), [4]);
    }

    #[test]
    fn what_the_kernel_does_not_recognise_is_plain_bytes() {
        let mut btf = Btf::new();
        let lock = lock(&mut btf);
        let named = btf.add("lock_t", Type::Typedef(lock));
        let renamed = record(&mut btf, "renamed", 4, &[(named, 0)]);
        assert_eq!(locks(&btf, renamed), []);
        let crooked = record(&mut btf, "crooked", 8, &[(lock, 2)]);
        assert_eq!(locks(&btf, crooked), []);
        let many = array(&mut btf, lock, 2);
        let many = record(&mut btf, "many", 8, &[(many, 0)]);
        assert_eq!(locks(&btf, many), []);
        let two = record(&mut btf, "two", 8, &[(lock, 0), (lock, 4)]);
        assert_eq!(locks(&btf, two), []);
        assert_eq!(locks(&btf, lock), []);
    }
}
