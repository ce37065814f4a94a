//! Types of the kernel that programs declare, in the object's BTF.
//!
//! They are laid out as a compiler would lay out a struct of these members alone. No offset or
//! size of them is ever the kernel's: each is asked for by a relocation, which names the
//! member.

use super::{bytes, scalar};
use crate::btf::{Bitfields, Btf, Forward, IntEncoding, Kind, Member, Signedness, TypeId, build};
use ebpf_dsl::recording::{
    KernelKind, KernelType, MemberType, NumberType, Pointee, Program, Recording, Sign, Type,
};

/// Size of a pointer, in bytes.
const POINTER: u32 = 8;
/// Size of an enum, in bytes.
const ENUM: u32 = 4;

/// The declared types with their numbers in the object's BTF.
pub(super) struct KernelTypes<'r> {
    known: Vec<(&'r KernelType, TypeId)>,
}

impl<'r> KernelTypes<'r> {
    /// Adds what the programs of a unit declare.
    pub(super) fn add(btf: &mut Btf, recording: &'r Recording) -> Self {
        let mut types = KernelTypes { known: Vec::new() };
        let declared = recording.programs.iter();
        for ty in declared.flat_map(|program| &program.kernel_types) {
            types.name(btf, ty);
        }
        // Now that all have numbers, they can point to each other.
        for (ty, id) in types.known.clone() {
            let kind = types.kind(btf, ty);
            if let Some(known) = btf.get_mut(id) {
                known.kind = kind;
            }
        }
        types
    }

    /// The numbers of the types that a program declares, in their order.
    pub(super) fn of(&self, program: &Program) -> Vec<TypeId> {
        let types = program.kernel_types.iter();
        types.filter_map(|ty| self.id(ty)).collect()
    }

    fn id(&self, ty: &KernelType) -> Option<TypeId> {
        let known = self.known.iter().find(|(known, _)| *known == ty);
        known.map(|(_, id)| *id)
    }

    /// Gives a number to a type and to those in it.
    fn name(&mut self, btf: &mut Btf, ty: &'r KernelType) {
        if self.id(ty).is_some() {
            return;
        }
        for member in ty.members() {
            if let MemberType::Kernel(inner) = &member.ty {
                self.name(btf, inner);
            }
        }
        let id = btf.add(&ty.name, Kind::Fwd(Forward::Struct));
        self.known.push((ty, id));
    }

    fn kind(&self, btf: &mut Btf, ty: &KernelType) -> Kind {
        let Layout { size, places, .. } = layout(ty);
        let (members, bitfields) = (self.members(btf, ty, &places), Bitfields::No);
        match &ty.kind {
            KernelKind::Struct(_) => Kind::Struct {
                size,
                members,
                bitfields,
            },
            KernelKind::Union(_) => Kind::Union {
                size,
                members,
                bitfields,
            },
            KernelKind::Enum(enumerators) => {
                let values = (0..).zip(enumerators);
                Kind::Enum {
                    size,
                    signed: Signedness::Unsigned,
                    values: values
                        .map(|(value, name)| (btf.intern(name), value))
                        .collect(),
                }
            }
        }
    }

    fn members(&self, btf: &mut Btf, ty: &KernelType, places: &[u32]) -> Vec<Member> {
        let members = ty.members().iter().zip(places);
        let members = members.map(|(member, place)| Member {
            name: btf.intern(&member.name),
            ty: self.member(btf, &member.ty),
            offset: place.saturating_mul(8),
        });
        members.collect()
    }

    fn member(&self, btf: &mut Btf, ty: &MemberType) -> TypeId {
        match ty {
            MemberType::Number(ty) => number(btf, *ty),
            MemberType::Bytes(len) => bytes(btf, *len),
            MemberType::Pointer(to) => {
                let to = self.pointee(btf, to);
                btf.find_or_add("", Kind::Ptr(to))
            }
            // All have a number by now.
            MemberType::Kernel(ty) => self.id(ty).unwrap_or(TypeId::VOID),
        }
    }

    /// What a pointer points to: a declared type of the name if there is one.
    fn pointee(&self, btf: &mut Btf, to: &Pointee) -> TypeId {
        let (name, forward) = match to {
            Pointee::Number(ty) => return number(btf, *ty),
            Pointee::Struct(name) => (name, Forward::Struct),
            Pointee::Union(name) => (name, Forward::Union),
        };
        let declared = self.known.iter().find(|(ty, _)| ty.name == *name);
        match declared {
            Some((_, id)) => *id,
            None => btf.find_or_add(name, Kind::Fwd(forward)),
        }
    }
}

/// A number by the name of the kernel's type for it.
fn number(btf: &mut Btf, number: NumberType) -> TypeId {
    let name = match (number.sign, number.ty) {
        (Sign::Unsigned, ty) => return scalar(btf, ty),
        (Sign::Signed, Type::Bool | Type::U8) => "__s8",
        (Sign::Signed, Type::U16 | Type::Be16) => "__s16",
        (Sign::Signed, Type::U32 | Type::Be32) => "__s32",
        (Sign::Signed, Type::U64 | Type::Ptr) => "__s64",
    };
    build::scalar(btf, name, number.ty.size(), IntEncoding::SIGNED)
}

/// How a type is laid out, in bytes.
struct Layout {
    size: u32,
    alignment: u32,
    /// Where the members are.
    places: Vec<u32>,
}

fn layout(ty: &KernelType) -> Layout {
    let mut layout = Layout {
        size: 0,
        alignment: 1,
        places: Vec::with_capacity(ty.members().len()),
    };
    if let KernelKind::Enum(_) = ty.kind {
        (layout.size, layout.alignment) = (ENUM, ENUM);
    }
    for member in ty.members() {
        let (size, alignment) = member_layout(&member.ty);
        let place = match ty.kind {
            KernelKind::Union(_) => 0,
            _ => aligned(layout.size, alignment),
        };
        layout.places.push(place);
        layout.size = layout.size.max(place.saturating_add(size));
        layout.alignment = layout.alignment.max(alignment);
    }
    layout.size = aligned(layout.size, layout.alignment);
    layout
}

/// Size and alignment of a member.
fn member_layout(ty: &MemberType) -> (u32, u32) {
    match ty {
        MemberType::Number(number) => (number.ty.size(), number.ty.size()),
        MemberType::Bytes(len) => (*len, 1),
        MemberType::Pointer(_) => (POINTER, POINTER),
        MemberType::Kernel(ty) => {
            let layout = layout(ty);
            (layout.size, layout.alignment)
        }
    }
}

fn aligned(bytes: u32, alignment: u32) -> u32 {
    bytes
        .checked_next_multiple_of(alignment)
        .unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use crate::{btf, compile};
    use ebpf_dsl::prelude::*;

    kernel_enum! {
        enum pid_type { PIDTYPE_PID, PIDTYPE_TGID }
    }

    kernel_struct! {
        union inner {
            wide: u64,
            kind: pid_type,
        }
    }

    kernel_struct! {
        struct task_struct {
            flags: u8,
            pid: i32,
            comm: [u8; 5],
            within: inner,
            r#type: Be16,
            parent: *const task_struct,
            mm: *const mm_struct,
            name: *const u8,
        }
    }

    kernel_struct! {
        struct mm_struct { flags: u64 }
    }

    /// C shows no padding where members lie as C would lay them out.
    #[test]
    fn members_are_laid_out_as_in_c_and_point_to_what_is_declared() {
        let unit = Unit::new("t").license("GPL");
        let unit = unit.raw_tracepoint("p", "t", |f, ctx| {
            let task = ctx.arg::<*const task_struct>(0);
            f.return_if(task.flags().eq(1), ());
        });
        let object = compile(&unit).unwrap();
        let c = btf::c::header(&object.btf.unwrap()).unwrap();
        for expected in [
            "enum pid_type {\n\tPIDTYPE_PID = 0,\n\tPIDTYPE_TGID = 1,\n};\n",
            "union inner {\n\tunsigned long wide;\n\tenum pid_type kind;\n};\n",
            "struct mm_struct;\n",
            "struct task_struct {\n\tunsigned char flags;\n\tint pid;\n\tunsigned char comm[5];\n\t\
             union inner within;\n\tunsigned short type;\n\tstruct task_struct *parent;\n\t\
             struct mm_struct *mm;\n\tunsigned char *name;\n};\n",
        ] {
            assert!(c.contains(expected), "no\n{expected}in\n{c}");
        }
    }
}
