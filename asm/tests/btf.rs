//! BTF: what is written is read, what is read is written, and what cannot be is refused where
//! it stands.

use std::sync::Arc;

use ebpf_asm::btf::c;
use ebpf_asm::btf::core::{Access, CoreKind, CoreRelocation, Resolver};
use ebpf_asm::btf::ext::Ext;
use ebpf_asm::btf::{
    Bitfields, Btf, Forward, IntEncoding, Kind, Linkage, Member, SecVar, Signedness, StrId, Tag,
    TypeId,
};
use proptest::prelude::*;

/// Names to choose from; the first is none.
const NAMES: [&str; 6] = ["", "a", "b", "task_struct", "__u32", "\u{e9}t\u{e9}"];
/// Generated types refer to the first so many.
const TYPES: u32 = 12;

fn name() -> impl Strategy<Value = StrId> {
    (0..NAMES.len()).prop_map(|index| interned().intern(NAMES[index]))
}

fn ty() -> impl Strategy<Value = TypeId> {
    (0..=TYPES).prop_map(TypeId)
}

fn linkage() -> impl Strategy<Value = Linkage> {
    prop_oneof![
        Just(Linkage::Static),
        Just(Linkage::Global),
        Just(Linkage::Extern)
    ]
}

fn signed() -> impl Strategy<Value = Signedness> {
    prop_oneof![Just(Signedness::Signed), Just(Signedness::Unsigned)]
}

fn tag() -> impl Strategy<Value = Tag> {
    prop_oneof![Just(Tag::Btf), Just(Tag::Attribute)]
}

fn members() -> impl Strategy<Value = (u32, Vec<Member>, Bitfields)> {
    let member =
        (name(), ty(), any::<u32>()).prop_map(|(name, ty, offset)| Member { name, ty, offset });
    let bitfields = prop_oneof![Just(Bitfields::No), Just(Bitfields::Yes)];
    (any::<u32>(), prop::collection::vec(member, 0..4), bitfields)
}

/// A type of any kind.
fn kind() -> impl Strategy<Value = Kind> {
    let numbers = || (any::<u32>(), signed());
    let vars = (ty(), any::<u32>(), any::<u32>()).prop_map(|(var, offset, size)| SecVar {
        var,
        offset,
        size,
    });
    prop_oneof![
        (any::<u32>(), 0..16u8, any::<u8>(), any::<u8>()).prop_map(
            |(size, encoding, offset, bits)| Kind::Int {
                size,
                encoding: IntEncoding(encoding),
                offset,
                bits
            }
        ),
        ty().prop_map(Kind::Ptr),
        (ty(), ty(), any::<u32>()).prop_map(|(element, index, len)| Kind::Array {
            element,
            index,
            len
        }),
        members().prop_map(|(size, members, bitfields)| Kind::Struct {
            size,
            members,
            bitfields
        }),
        members().prop_map(|(size, members, bitfields)| Kind::Union {
            size,
            members,
            bitfields
        }),
        (
            numbers(),
            prop::collection::vec((name(), any::<i32>()), 0..4)
        )
            .prop_map(|((size, signed), values)| Kind::Enum {
                size,
                signed,
                values
            }),
        (
            numbers(),
            prop::collection::vec((name(), any::<i64>()), 0..4)
        )
            .prop_map(|((size, signed), values)| Kind::Enum64 {
                size,
                signed,
                values
            }),
        prop_oneof![Just(Forward::Struct), Just(Forward::Union)].prop_map(Kind::Fwd),
        ty().prop_map(Kind::Typedef),
        ty().prop_map(Kind::Volatile),
        ty().prop_map(Kind::Const),
        ty().prop_map(Kind::Restrict),
        (ty(), linkage()).prop_map(|(proto, linkage)| Kind::Func { proto, linkage }),
        (ty(), prop::collection::vec((name(), ty()), 0..4))
            .prop_map(|(ret, params)| Kind::FuncProto { ret, params }),
        (ty(), linkage()).prop_map(|(ty, linkage)| Kind::Var { ty, linkage }),
        (any::<u32>(), prop::collection::vec(vars, 0..4))
            .prop_map(|(size, vars)| Kind::DataSec { size, vars }),
        any::<u32>().prop_map(|size| Kind::Float { size }),
        (ty(), -1..5i32, tag()).prop_map(|(ty, component, tag)| Kind::DeclTag {
            ty,
            component,
            tag
        }),
        (ty(), tag()).prop_map(|(ty, tag)| Kind::TypeTag { ty, tag }),
    ]
}

/// A collection with all names and no types.
fn interned() -> Btf {
    let mut btf = Btf::new();
    for name in NAMES {
        btf.intern(name);
    }
    btf
}

/// A collection of types of all kinds.
fn generated() -> impl Strategy<Value = Btf> {
    let types = prop::collection::vec((0..NAMES.len(), kind()), TYPES as usize..40);
    types.prop_map(|types| {
        let mut btf = interned();
        for (name, kind) in types {
            btf.add(NAMES[name], kind);
        }
        btf
    })
}

/// The bytes of a section with these words as types, and these names.
fn section(words: &[u32], names: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x9f, 0xeb, 1, 0];
    let len = words.len() as u32 * 4;
    for word in [24, 0, len, len, names.len() as u32] {
        bytes.extend(u32::to_le_bytes(word));
    }
    bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    bytes.extend(names);
    bytes
}

proptest! {
    #[test]
    fn what_is_written_is_read(btf in generated()) {
        let bytes = btf.to_bytes();
        let read = Btf::from_bytes(&bytes);
        prop_assert_eq!(read.as_ref(), Ok(&btf));
        prop_assert_eq!(read.map(|btf| btf.to_bytes()), Ok(bytes));
    }

    /// The same for what goes on from another.
    #[test]
    fn what_is_split_is_read(base in generated(), types in prop::collection::vec(kind(), 0..9)) {
        let base = Arc::new(base);
        let mut btf = Btf::split(base.clone());
        for kind in types {
            let added = btf.add("of_its_own", kind.clone());
            prop_assert_eq!(btf.get(added).map(|ty| &ty.kind), Some(&kind));
            prop_assert_eq!(btf.name(added), "of_its_own");
        }
        let bytes = btf.to_bytes();
        let read = Btf::from_split_bytes(&bytes, base);
        prop_assert_eq!(read.as_ref(), Ok(&btf));
        prop_assert_eq!(read.map(|btf| btf.to_bytes()), Ok(bytes));
    }

    /// Words behind a right header are types that are written as they were, or an error.
    #[test]
    fn any_words_are_types_or_an_error(
        words in prop::collection::vec(
            prop_oneof![0..20u32, (0..20u32).prop_map(|kind| kind << 24), any::<u32>()],
            0..40,
        ),
    ) {
        let bytes = section(&words, b"\0name\0");
        if let Ok(btf) = Btf::from_bytes(&bytes) {
            prop_assert_eq!(btf.to_bytes(), bytes);
        }
    }

    /// A right section with a few bytes changed.
    #[test]
    fn changed_bytes_are_types_or_an_error(
        btf in generated(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = btf.to_bytes();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(btf) = Btf::from_bytes(&bytes) {
            prop_assert_eq!(Btf::from_bytes(&btf.to_bytes()), Ok(btf));
        }
    }

    /// Types that no compiler makes are printed as C, or refused.
    #[test]
    fn any_types_are_c_or_an_error(btf in generated()) {
        let _ = c::header(&btf);
        for id in 0..=TYPES {
            let _ = c::definitions(&btf, &[TypeId(id)]);
        }
    }

    /// Any relocation has an answer or an error in any types.
    #[test]
    fn any_relocation_is_answered_or_refused(
        local in generated(),
        target in generated(),
        type_id in ty(),
        steps in prop::collection::vec(prop_oneof![0..4u32, any::<u32>()], 1..5),
    ) {
        let access = Access::new(steps).expect("not too long");
        let mut resolver = Resolver::new(&local, &target);
        for kind in CoreKind::all() {
            let access = access.clone();
            let _ = resolver.resolve(&CoreRelocation { kind, type_id, access });
        }
    }

    #[test]
    fn any_bytes_are_records_or_an_error(
        words in prop::collection::vec(prop_oneof![0..40u32, any::<u32>()], 0..40),
    ) {
        let mut bytes = vec![0x9f, 0xeb, 1, 0];
        bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        if let Ok(ext) = Ext::from_bytes(&bytes) {
            prop_assert_eq!(Ext::from_bytes(&ext.to_bytes()), Ok(ext));
        }
    }
}

#[test]
fn a_type_that_is_there_is_found_and_not_added() {
    let mut btf = Btf::new();
    let int = Kind::Int {
        size: 4,
        encoding: IntEncoding::SIGNED,
        offset: 0,
        bits: 32,
    };
    let first = btf.find_or_add("int", int.clone());
    assert_eq!(btf.find_or_add("int", int.clone()), first);
    assert_ne!(btf.find_or_add("other", int.clone()), first);
    assert_eq!(btf.len(), 2);
    let mut split = Btf::split(Arc::new(btf));
    assert_eq!(split.find_or_add("int", int), first);
    assert_eq!(split.find_or_add("", Kind::Ptr(first)), TypeId(3));
    assert_eq!((split.len(), split.types().count()), (3, 1));
}

#[test]
fn sizes_go_through_typedefs_and_arrays() {
    let mut btf = Btf::new();
    let short = btf.add("s", Kind::Float { size: 2 });
    let typedef = btf.add("t", Kind::Typedef(short));
    let array = |element, len| Kind::Array {
        element,
        index: short,
        len,
    };
    let inner = btf.add("", array(typedef, 3));
    let outer = btf.add("", array(inner, 5));
    let itself = btf.add("loop", Kind::Typedef(TypeId(5)));
    assert_eq!(btf.size_of(outer), Some(30));
    assert_eq!(btf.size_of(itself), None);
    assert_eq!(btf.size_of(TypeId::VOID), None);
}

/// Each error names where it is, in what, and what would be right.
#[test]
fn errors_say_what_is_wrong_and_where() {
    let whole = |bytes: &[u8]| Btf::from_bytes(bytes).unwrap_err().to_string();
    assert_eq!(
        whole(b"\xeb\x9f\x01\0"),
        "begins with 0x9feb instead of 0xeb9f: it is big-endian"
    );
    assert_eq!(
        whole(b"\x9f\xeb\x02\0"),
        "has version 2, and only 1 is known"
    );
    assert_eq!(
        whole(b"\x9f\xeb\x01\x01"),
        "has flags 1 in its header, and 0 is wanted"
    );
    assert_eq!(whole(b"\x9f"), "ends at byte 1, where the header wants 8");
    assert_eq!(
        whole(&section(&[], b"a\0")),
        "has 0x61 at byte 24, where the string section begins with a NUL"
    );
    assert_eq!(
        whole(&section(&[], b"\0ab")),
        "has 0x62 at byte 26, where the string section ends with a NUL"
    );
    let cases: [(&[u32], &str); 11] = [
        (
            &[0, 0],
            "type 1 (unknown) at byte 24 has 12 bytes, and the type section 8 more",
        ),
        (
            &[0, 20 << 24, 0],
            "type 1 at byte 24 has kind 20, and kinds are 1 to 19",
        ),
        (
            &[0, 0, 0],
            "type 1 at byte 24 has kind 0, and kinds are 1 to 19",
        ),
        (
            &[0, 2 << 24, 0, 0, 4 << 24 | 2, 8, 0, 0, 0],
            "type 2 (STRUCT) at byte 36 has 36 bytes, and the type section 24 more",
        ),
        (
            &[0, 2 << 24, 2],
            "type 1 (PTR) at byte 24: its type is 0x2, and a type up to 0x1 is wanted",
        ),
        (
            &[1, 2 << 24, 0],
            "type 1 (PTR) at byte 24: its name is 0x1, and an offset below 0x1 is wanted",
        ),
        (
            &[0, 4 << 24 | 1, 4, 0, 7, 0],
            "type 1 (STRUCT) at byte 24: a member's type is 0x7, and a type up to 0x1 is wanted",
        ),
        (
            &[0, 12 << 24 | 3, 0],
            "type 1 (FUNC) at byte 24: its linkage is 0x3, and 0 to 2 is wanted",
        ),
        (
            &[0, 2 << 24 | 1, 0],
            "type 1 (PTR) at byte 24: its vlen is 0x1, and 0 is wanted",
        ),
        (
            &[0, 1 << 31 | 2 << 24, 0],
            "type 1 (PTR) at byte 24: its kind_flag is 0x1, and 0 is wanted",
        ),
        (
            &[0, 1 << 24, 4, 0x0100_2000],
            "type 1 (INT) at byte 24: the unused part of its bits is 0x20, and 0 is wanted",
        ),
    ];
    for (words, message) in cases {
        assert_eq!(whole(&section(words, b"\0")), message);
    }
}
