//! CO-RE relocations of programs in words: what an instruction asks of the kernel's types.

use ebpf_asm::btf::core::{CoreRelocation, CoreSubject};
use ebpf_asm::btf::{Btf, Kind, TypeId};
use ebpf_asm::object::Object;
use ebpf_asm::program::Program;

/// What the instruction at `slot` asks: `FIELD_BYTE_OFFSET of struct task_struct.pid`.
pub(crate) fn at(object: &Object, program: &Program, slot: usize) -> Option<String> {
    let all = &program.core_relocations;
    let index = all.binary_search_by_key(&slot, |(slot, _)| *slot).ok()?;
    let (_, relocation) = all.get(index)?;
    let place = match &object.btf {
        Some(btf) => place(btf, relocation),
        None => format!("type {}", relocation.type_id.0),
    };
    let text = format!("{} of {place}", relocation.kind);
    // Whatever a name holds, a line is a line.
    Some(text.replace(|c: char| c.is_control(), " "))
}

/// The type, and the field or enumerator of it. What cannot be followed is left as numbers.
fn place(btf: &Btf, relocation: &CoreRelocation) -> String {
    let type_name = type_name(btf, relocation.type_id);
    match (relocation.path(btf), relocation.kind.subject()) {
        (Some(path), CoreSubject::Enumerator) => format!("{type_name}::{path}"),
        (Some(path), _) => type_name + &path,
        (None, _) => format!("{type_name} ({})", relocation.access),
    }
}

fn type_name(btf: &Btf, id: TypeId) -> String {
    let word = match btf.get(id).map(|ty| &ty.kind) {
        Some(Kind::Struct { .. }) => "struct ",
        Some(Kind::Union { .. }) => "union ",
        Some(Kind::Enum { .. } | Kind::Enum64 { .. }) => "enum ",
        _ => "",
    };
    match btf.name(id) {
        "" => format!("{word}without name (type {})", id.0),
        name => format!("{word}{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ebpf_asm::btf::core::{Access, CoreKind};
    use ebpf_asm::btf::{Bitfields, IntEncoding, Member, Signedness};

    #[test]
    fn paths_are_followed_through_members_arrays_and_typedefs() {
        let mut btf = Btf::new();
        let int = Kind::Int {
            size: 4,
            encoding: IntEncoding::SIGNED,
            offset: 0,
            bits: 32,
        };
        let int = btf.add("int", int);
        let array = Kind::Array {
            element: int,
            index: int,
            len: 4,
        };
        let array = btf.add("", array);
        let structure = |btf: &mut Btf, name: &str, members: &[(&str, TypeId)]| {
            let member = |(name, ty): &(&str, TypeId)| Member {
                name: btf.intern(name),
                ty: *ty,
                offset: 0,
            };
            let members = members.iter().map(member).collect();
            let kind = Kind::Struct {
                size: 16,
                members,
                bitfields: Bitfields::No,
            };
            btf.add(name, kind)
        };
        let inner = structure(&mut btf, "", &[("numbers", array)]);
        let alias = btf.add("alias_t", Kind::Typedef(inner));
        let outer = structure(
            &mut btf,
            "outer",
            &[("first", int), ("", inner), ("b", alias)],
        );
        let one = btf.intern("ONE");
        let kind = Kind::Enum {
            size: 4,
            signed: Signedness::Unsigned,
            values: vec![(one, 1)],
        };
        let numbers = btf.add("numbers", kind);
        let shown = |kind, type_id, access: &str| {
            let access = Access::parse(access).unwrap();
            place(
                &btf,
                &CoreRelocation {
                    kind,
                    type_id,
                    access,
                },
            )
        };
        let field = CoreKind::FieldByteOffset;
        assert_eq!(shown(field, outer, "0:0"), "struct outer.first");
        assert_eq!(shown(field, outer, "0:1:0:2"), "struct outer.numbers[2]");
        assert_eq!(shown(field, outer, "1:2:0"), "struct outer[1].b.numbers");
        assert_eq!(shown(field, outer, "0:9"), "struct outer (0:9)");
        assert_eq!(
            shown(field, inner, "0"),
            format!("struct without name (type {})", inner.0)
        );
        assert_eq!(shown(CoreKind::TypeSize, outer, "0"), "struct outer");
        assert_eq!(
            shown(CoreKind::EnumvalValue, numbers, "0"),
            "enum numbers::ONE"
        );
        assert_eq!(
            shown(CoreKind::EnumvalValue, numbers, "7"),
            "enum numbers (7)"
        );
    }
}
