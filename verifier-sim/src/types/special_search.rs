//! Which fields of a type are special: as the kernel looks through the type.
//!
//! What it does not recognise is plain bytes to it: a structure behind a typedef, of another size,
//! or at an odd place. A type that breaks one of its rules, such as one with two timers, has no
//! special fields at all.
//!
//! Observed on Linux 6.18.
//!
//! Read before: `special_table.rs`. Read next: `special_objects.rs`.

use crate::types::kernel_types::TargetKernel;
use crate::types::special::{Kptr, KptrOwner, Root, Special, SpecialKind};
use crate::types::special_table::{
    CONTAINS, Holder, Makes, Structure, kept_by, owner_by_tag, structures,
};
use crate::value::btf_ptr::{BtfPtr, Marks, Types};
use ebpf_asm::btf::{Bitfields, Btf, Kind as Type, Tag, TypeId};
use ebpf_asm::isa::KernelVersion;
use ebpf_asm::object::Map;

/// How deep types are nested in each other at most.
const MAX_DEPTH: u32 = 32;

/// How many special fields a value has at most.
const MAX_FIELDS: usize = 11;

/// Since when maps keep objects that programs allocate; from the kernel's history. Until then a
/// value with a pointer to one is plain, as observed on Linux 6.1.
const OWN_OBJECTS: KernelVersion = (6, 4);

/// Why the special fields of a value are not known.
pub(super) enum Unclear {
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
    kernel: TargetKernel<'_>,
) -> Option<Vec<Special>> {
    let (Some(btf), Some(value)) = (btf, map.value_type) else {
        return Some(Vec::new());
    };
    let found = |pointers| {
        let mut search = Search::of(btf, kernel, Holder::Value, pointers);
        search.value(value)?;
        search.in_order()
    };
    let found = match found(Pointers::Tagged) {
        Err(Unclear::Plain) if !kernel.config.since(ONE_TABLE) => found(Pointers::Plain),
        found => found,
    };
    match found {
        Ok(found) => Some(found),
        Err(Unclear::Plain) => Some(Vec::new()),
        Err(Unclear::Unknown) => None,
    }
}

/// The special fields of the objects of a structure, by ascending offset.
pub(super) fn special_fields_of_object(
    btf: &Btf,
    object: TypeId,
    kernel: TargetKernel<'_>,
) -> Result<Vec<Special>, Unclear> {
    let mut search = Search::of(btf, kernel, Holder::Object, Pointers::Tagged);
    search.members(object, 0, 0)?;
    search.in_order()
}

/// Since when pointers that the kernel does not understand make all of a value plain, and not the
/// pointers alone: from the kernel's history, and as observed on Linux 6.1.
const ONE_TABLE: KernelVersion = (6, 2);

/// From which release on the last of two locks in nested structures is the lock: observed on
/// Linux 6.12 and 6.18; of older ones it is not known.
const LAST_OF_TWO: KernelVersion = (6, 12);

/// What tags say of pointers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pointers {
    /// Whether they are special.
    Tagged,
    /// Nothing.
    Plain,
}

/// What is found on the way through a type.
struct Search<'a> {
    btf: &'a Btf,
    kernel: TargetKernel<'a>,
    holder: Holder,
    pointers: Pointers,
    found: Vec<Special>,
}

/// A member, variable or element: its type, where it is, and as how many bytes it is declared.
struct Part {
    ty: TypeId,
    offset: u32,
    bytes: Option<u32>,
    /// What declarations about it are of: a structure and the index of the member, or a
    /// variable.
    declared: (TypeId, i32),
}

impl<'a> Search<'a> {
    fn of(
        btf: &'a Btf,
        kernel: TargetKernel<'a>,
        holder: Holder,
        pointers: Pointers,
    ) -> Search<'a> {
        Search {
            btf,
            kernel,
            holder,
            pointers,
            found: Vec::new(),
        }
    }

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
                declared: (var.var, -1),
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
        for (index, member) in (0i32..).zip(members) {
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
                declared: (id, index),
            };
            self.part(&part, depth, &mut seen)?;
        }
        Ok(())
    }

    /// A member, variable or element. What has another name, by a typedef, is not recognised.
    fn part(&mut self, part: &Part, depth: u32, seen: &mut Vec<Makes>) -> Result<(), Unclear> {
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
        let mut known = structures(self.kernel.config);
        let known = known.find(|known| known.name == name && known.holders.contains(&self.holder));
        let Some(known) = known else {
            return match declared(*size) {
                true => self.nested(ty, part.offset, count, depth + 1),
                false => Ok(()),
            };
        };
        if known.single {
            if seen.contains(&known.makes) {
                return Err(Unclear::Plain);
            }
            seen.push(known.makes);
        }
        let fits = declared(known.size) && *size == known.size;
        if !fits || !part.offset.is_multiple_of(known.align) {
            return Ok(());
        }
        let kind = match known.makes {
            Makes::Field(kind) => kind,
            Makes::List => SpecialKind::ListHead(self.root(part, SpecialKind::ListNode)?),
            Makes::Tree => SpecialKind::RbRoot(self.root(part, SpecialKind::RbNode)?),
        };
        self.add(kind, part.offset, known.size, count)
    }

    /// Of which objects a list or tree is, as its declaration says, and where in them the member
    /// is that links them: one of kind `node`.
    fn root(&self, part: &Part, node: SpecialKind) -> Result<Root, Unclear> {
        let said = self.btf.types().filter_map(|(_, ty)| match ty.kind {
            Type::DeclTag {
                ty: of, component, ..
            } if (of, component) == part.declared => self.btf.str(ty.name).strip_prefix(CONTAINS),
            _ => None,
        });
        let said: Vec<&str> = said.collect();
        let [said] = said.as_slice() else {
            return Err(Unclear::Plain);
        };
        let (object, member) = said.split_once(':').ok_or(Unclear::Plain)?;
        let mut types = self.btf.types();
        let named = types.find(|(_, ty)| {
            matches!(ty.kind, Type::Struct { .. }) && self.btf.str(ty.name) == object
        });
        let Some((object, Type::Struct { members, .. })) = named.map(|(id, ty)| (id, &ty.kind))
        else {
            return Err(Unclear::Plain);
        };
        let linking: Vec<_> = members
            .iter()
            .filter(|found| self.btf.str(found.name) == member)
            .collect();
        let [linking] = linking.as_slice() else {
            return Err(Unclear::Plain);
        };
        let is_struct = matches!(
            self.btf.get(linking.ty).map(|ty| &ty.kind),
            Some(Type::Struct { .. })
        );
        let placed = linking.offset.is_multiple_of(64);
        if !is_struct || !placed || self.btf.name(linking.ty) != node.name() {
            return Err(Unclear::Plain);
        }
        Ok(Root {
            object,
            node: linking.offset / 8,
        })
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
                let many = matches!(
                    special.kind,
                    SpecialKind::Kptr(_) | SpecialKind::ListHead(_) | SpecialKind::RbRoot(_)
                );
                if !many {
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
        if tag != Tag::Btf || self.pointers == Pointers::Plain {
            return Ok(());
        }
        let target = self.btf.resolve(behind);
        let twice = matches!(
            self.btf.get(behind).map(|ty| &ty.kind),
            Some(Type::TypeTag { .. })
        );
        let known = owner_by_tag(self.btf.name(to), self.kernel.config);
        if known == Some(KptrOwner::User) && self.holder == Holder::Object && !twice {
            return Ok(());
        }
        let is_struct = matches!(
            self.btf.get(target).map(|ty| &ty.kind),
            Some(Type::Struct { .. })
        );
        let Some(owner) = known.filter(|_| !twice && is_struct) else {
            return Err(Unclear::Plain);
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
        if self.kernel.types.btf().is_none() {
            return Err(Unclear::Unknown);
        }
        let own = BtfPtr {
            types: Types::Program,
            marks: Marks::NONE,
            id: target,
        };
        match self.kernel.types.record(name) {
            None if !self.kernel.config.since(OWN_OBJECTS) => Err(Unclear::Plain),
            None => Ok(own),
            Some(_) if owner == KptrOwner::User => Err(Unclear::Unknown),
            Some(_) if owner == KptrOwner::Map && kept_by(name).is_none() => Err(Unclear::Plain),
            Some(id) => Ok(BtfPtr::kernel(id, Marks::NONE)),
        }
    }

    /// What was found, by ascending offset, if no field begins before the one that was found before
    /// it ends, and fields have those that they need: else it is a type that the kernel does not
    /// understand.
    fn in_order(mut self) -> Result<Vec<Special>, Unclear> {
        let mut end = 0;
        for special in &self.found {
            if special.offset < end {
                return Err(Unclear::Plain);
            }
            let after = special.offset.checked_add(special.size);
            end = after.ok_or(Unclear::Unknown)?;
        }
        self.check_together()?;
        self.found.sort_by_key(|special| special.offset);
        Ok(self.found)
    }

    /// That the fields go together. Of two locks in one value the kernel knows both, and takes the
    /// last for the lock.
    fn check_together(&self) -> Result<(), Unclear> {
        let has = |made: Makes| self.found.iter().any(|special| made.is(special.kind));
        let field = |kind| has(Makes::Field(kind));
        let locked_twice = field(SpecialKind::SpinLock) && field(SpecialKind::ResSpinLock);
        let rooted = has(Makes::List) || has(Makes::Tree);
        let locked = field(SpecialKind::SpinLock) || field(SpecialKind::ResSpinLock);
        let linked_twice = field(SpecialKind::ListNode) && field(SpecialKind::RbNode);
        if locked_twice || (rooted && !locked) || (linked_twice && !field(SpecialKind::Refcount)) {
            return Err(Unclear::Plain);
        }
        let twice = |known: &Structure| {
            let same = |special: &&Special| known.makes.is(special.kind);
            known.single && self.found.iter().filter(same).count() > 1
        };
        let config = self.kernel.config;
        if !config.since(LAST_OF_TWO) && structures(config).any(twice) {
            return Err(Unclear::Unknown);
        }
        Ok(())
    }
}

/// Bytes of a pointer.
const POINTER: u32 = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::types::kernel_types::KernelTypes;
    use ebpf_asm::btf::{IntEncoding, Linkage, Member, SecVar};
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

    fn fields(map: &Map, btf: &Btf) -> Option<Vec<Special>> {
        let kernel = TargetKernel {
            types: &KernelTypes::unknown(),
            config: &Config::default(),
        };
        special_fields(map, Some(btf), kernel)
    }

    /// Where the locks are in the values of a type.
    fn locks(btf: &Btf, value: TypeId) -> Vec<u32> {
        let mut map = Map::new("map", MapType::Array);
        map.value_type = Some(value);
        let found = fields(&map, btf);
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

    #[test]
    fn a_lock_at_the_end_of_all_offsets_is_not_judged() {
        let mut btf = Btf::new();
        let ty = lock(&mut btf);
        let linkage = Linkage::Global;
        let var = btf.add("lock", Type::Var { ty, linkage });
        let (offset, size) = (0xffff_fffc, 4);
        let vars = vec![SecVar { var, offset, size }];
        let section = btf.add(".data", Type::DataSec { size: 0, vars });
        let mut map = Map::new("map", MapType::Array);
        map.value_type = Some(section);
        let found = fields(&map, &btf);
        assert_eq!(found, None);
    }

    #[test]
    fn locks_are_told_apart_by_what_they_are() {
        let mut btf = Btf::new();
        let spin = lock(&mut btf);
        let number = number(&mut btf);
        let resilient = record(&mut btf, "bpf_res_spin_lock", 4, &[(number, 0)]);
        let mixed = record(&mut btf, "mixed", 8, &[(spin, 0), (resilient, 4)]);
        assert_eq!(locks(&btf, mixed), []);
        let inner = record(&mut btf, "inner", 4, &[(spin, 0)]);
        let twice = record(&mut btf, "twice", 8, &[(spin, 0), (inner, 4)]);
        let mut map = Map::new("map", MapType::Array);
        map.value_type = Some(twice);
        let found = fields(&map, &btf).unwrap();
        let offsets: Vec<u32> = found.iter().map(|special| special.offset).collect();
        assert_eq!(offsets, [0, 4]);
        map.value_type = Some(mixed);
        let found = fields(&map, &btf);
        assert_eq!(found, Some(Vec::new()));
    }
}
