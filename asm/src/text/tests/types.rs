//! Types of every kind, and all that has their numbers, go through text and back.

use super::{any_object, without_lines};
use crate::btf::core::{Access, CoreKind, CoreRelocation};
use crate::btf::{
    Bitfields, Btf, Forward, IntEncoding, Kind, Linkage, Member, SecVar, Signedness, StrId, Tag,
    TypeId,
};
use crate::object::Object;
use crate::span::Span;
use crate::text::{Options, parse, print_object};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// What a kind is made of.
#[derive(Debug, Clone)]
struct Seed {
    kind: usize,
    name: Vec<u8>,
    numbers: [u32; 3],
    /// A name, and what a part says.
    parts: Vec<(Vec<u8>, u32, u64)>,
    flag: bool,
    small: usize,
}

fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let plain = [
        "", "int", "(anon)", "a b", "it's", "\\", "x;y", "ä", "=", "[",
    ];
    prop_oneof![
        select(plain.map(|name| name.as_bytes().to_vec()).to_vec()),
        vec(1..=255_u8, 0..6),
    ]
}

fn any_seed() -> impl Strategy<Value = Seed> {
    let part = (any_bytes(), any::<u32>(), any::<u64>());
    let numbers = any::<[u32; 3]>();
    let rest = (any::<bool>(), 0..3_usize);
    (1..20_usize, any_bytes(), numbers, vec(part, 0..4), rest).prop_map(
        |(kind, name, numbers, parts, (flag, small))| Seed {
            kind,
            name,
            numbers,
            parts,
            flag,
            small,
        },
    )
}

/// Types of any kinds, which refer to each other in any way.
fn any_btf() -> impl Strategy<Value = Btf> {
    vec(any_seed(), 0..12).prop_map(|seeds| {
        let mut btf = Btf::new();
        for seed in &seeds {
            let kind = kind(&mut btf, seed, seeds.len() as u32);
            let name = btf.intern_bytes(&seed.name);
            btf.push(name, kind);
        }
        btf
    })
}

/// The kind that a seed makes among so many types.
fn kind(btf: &mut Btf, seed: &Seed, count: u32) -> Kind {
    let id = |number: u32| TypeId(number % (count + 1));
    let [a, b, c] = seed.numbers;
    let signed = [Signedness::Signed, Signedness::Unsigned][usize::from(seed.flag)];
    let tag = [Tag::Btf, Tag::Attribute][usize::from(seed.flag)];
    let linkage = [Linkage::Static, Linkage::Global, Linkage::Extern][seed.small];
    let parts: Vec<(StrId, u32, u64)> = seed
        .parts
        .iter()
        .map(|(name, number, value)| (btf.intern_bytes(name), *number, *value))
        .collect();
    let parts = parts.into_iter();
    let members = || {
        let member = |(name, ty, offset): (StrId, u32, u64)| Member {
            name,
            ty: id(ty),
            offset: offset as u32,
        };
        parts.clone().map(member).collect()
    };
    let bitfields = [Bitfields::No, Bitfields::Yes][usize::from(seed.flag)];
    match seed.kind {
        1 => Kind::Int {
            size: a,
            encoding: IntEncoding(b as u8 & 15),
            offset: c as u8,
            bits: (c >> 8) as u8,
        },
        2 => Kind::Ptr(id(a)),
        3 => Kind::Array {
            element: id(a),
            index: id(b),
            len: c,
        },
        4 => Kind::Struct {
            size: a,
            members: members(),
            bitfields,
        },
        5 => Kind::Union {
            size: a,
            members: members(),
            bitfields,
        },
        6 => Kind::Enum {
            size: a,
            signed,
            values: parts.map(|(name, value, _)| (name, value as i32)).collect(),
        },
        7 => Kind::Fwd([Forward::Struct, Forward::Union][usize::from(seed.flag)]),
        8 => Kind::Typedef(id(a)),
        9 => Kind::Volatile(id(a)),
        10 => Kind::Const(id(a)),
        11 => Kind::Restrict(id(a)),
        12 => Kind::Func {
            proto: id(a),
            linkage,
        },
        13 => Kind::FuncProto {
            ret: id(a),
            params: parts.map(|(name, ty, _)| (name, id(ty))).collect(),
        },
        14 => Kind::Var { ty: id(a), linkage },
        15 => Kind::DataSec {
            size: a,
            vars: parts
                .map(|(_, var, place)| SecVar {
                    var: id(var),
                    offset: place as u32,
                    size: (place >> 32) as u32,
                })
                .collect(),
        },
        16 => Kind::Float { size: a },
        17 => Kind::DeclTag {
            ty: id(a),
            component: b as i32,
            tag,
        },
        18 => Kind::TypeTag { ty: id(a), tag },
        _ => Kind::Enum64 {
            size: a,
            signed,
            values: parts.map(|(name, _, value)| (name, value as i64)).collect(),
        },
    }
}

/// The object with types for all that can have one, each as `next` says, and with relocations
/// and lines at some instructions.
fn typed(mut object: Object, btf: Btf, mut next: impl FnMut() -> u32) -> Object {
    let count = btf.len() as u32;
    let mut number = || next() % (count + 1);
    let mut id = || Some(TypeId(number())).filter(|id| id.0 % 3 != 2);
    for map in &mut object.maps {
        (map.key_type, map.value_type) = (id(), id());
        if let Some(inner) = &mut map.inner {
            (inner.key_type, inner.value_type) = (id(), id());
        }
        let variables = map.data.iter_mut().flat_map(|data| &mut data.variables);
        variables.for_each(|variable| variable.type_id = id());
    }
    object
        .externs
        .iter_mut()
        .for_each(|known| known.type_id = id());
    for program in &mut object.programs {
        program.attach_btf_id = id();
        program.functions.iter_mut().for_each(|f| f.type_id = id());
        let slots: Vec<usize> = program.slots().map(|(slot, _)| slot).collect();
        for slot in slots {
            if let Some(type_id) = id().filter(|id| id.0 % 2 == 0) {
                let kinds: Vec<CoreKind> = CoreKind::all().collect();
                let steps = vec![type_id.0, slot as u32];
                let relocation = CoreRelocation {
                    kind: kinds[slot % kinds.len()],
                    type_id,
                    access: Access::new(steps).expect("two steps"),
                };
                program.core_relocations.push((slot, relocation));
            }
            if let Some(line) = id().filter(|id| id.0 % 2 == 0) {
                let place = Span {
                    file: "a.c",
                    line: line.0,
                    column: 1,
                    text: "int a;",
                };
                program.lines.push(slot, place);
            }
        }
    }
    object.btf = Some(btf);
    object
}

fn printed(object: &Object) -> String {
    let mut text = String::new();
    print_object(&mut text, object, Options::WHOLE).expect("a string takes any text");
    text
}

fn again(text: &str) -> Result<Object, TestCaseError> {
    parse("t", text).map_err(|error| TestCaseError::fail(format!("{error:?}\n{text}")))
}

proptest! {
    #[test]
    fn types_of_every_kind_are_read_as_they_were_printed(btf in any_btf()) {
        let object = Object {
            btf: Some(btf),
            ..Object::default()
        };
        let text = printed(&object);
        let again = again(&text)?;
        prop_assert_eq!(&again, &object, "{}", text);
        // The bytes that they make are types again, and the same.
        let bytes = again.btf.as_ref().map(Btf::to_bytes).unwrap_or_default();
        prop_assert_eq!(Btf::from_bytes(&bytes).ok(), object.btf, "{}", text);
    }

    #[test]
    fn all_that_has_types_is_read_as_it_was_printed(
        object in any_object(),
        btf in any_btf(),
        numbers in vec(any::<u32>(), 97),
    ) {
        let mut numbers = numbers.into_iter().cycle();
        let object = typed(object, btf, || numbers.next().unwrap_or_default());
        let text = printed(&object);
        prop_assert_eq!(again(&text)?, object, "{}", text);
    }

    /// What people read has no types in it.
    #[test]
    fn without_types_the_rest_is_the_same(object in any_object(), btf in any_btf()) {
        let mut code = String::new();
        let mut with_types = object.clone();
        with_types.btf = Some(btf);
        print_object(&mut code, &with_types, Options::CODE).expect("a string takes any text");
        prop_assert_eq!(without_lines(again(&code)?), object, "{}", code);
    }
}
