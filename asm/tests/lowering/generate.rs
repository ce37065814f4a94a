//! Programs and packets, generated.

use proptest::prelude::*;

use crate::steps::{Arith, COUNTERS, Compare, CountHow, Join, ReadField, Rhs, Step, Test, Width};

pub(crate) fn width() -> impl Strategy<Value = Width> {
    prop_oneof![
        Just(Width::W8),
        Just(Width::W16),
        Just(Width::W32),
        Just(Width::W64)
    ]
}

/// Numbers that lie at the edges of types, and any.
pub(crate) fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..4u64,
        Just(0x7f),
        Just(0xff),
        Just(0xffff),
        Just(0x7fff_ffff),
        Just(0x8000_0000),
        Just(0xffff_ffff),
        Just(1 << 32),
        Just(u64::MAX),
        Just(1 << 63),
        any::<u64>(),
    ]
}

pub(crate) fn rhs() -> impl Strategy<Value = Rhs> {
    prop_oneof![
        any::<usize>().prop_map(Rhs::Value),
        number().prop_map(Rhs::Constant)
    ]
}

pub(crate) fn test() -> impl Strategy<Value = Test> {
    use Compare::{Eq, Ge, Gt, HasAny, Le, Lt, Ne, Sge, Slt};
    let compare = proptest::sample::select(vec![Eq, Ne, Lt, Le, Gt, Ge, HasAny, Slt, Sge]);
    let one =
        (width(), compare, any::<usize>(), rhs()).prop_map(|(width, compare, lhs, rhs)| Test {
            width,
            compare,
            lhs,
            rhs,
            more: None,
        });
    one.prop_recursive(2, 3, 1, |inner| {
        let join = proptest::sample::select(vec![Join::And, Join::Or, Join::AndNot]);
        (inner.clone(), join, inner).prop_map(|(first, join, more)| Test {
            more: Some((join, Box::new(more))),
            ..first
        })
    })
}

pub(crate) fn field() -> impl Strategy<Value = ReadField> {
    use ReadField::{Byte, Double, Half, NetHalf, NetWord, Word};
    proptest::sample::select(vec![Byte, NetHalf, Word, Double, NetWord, Half])
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    use Arith::{Add, And, Div, Mul, Or, Rem, Shl, Shr, Sub, Xor};
    let op = proptest::sample::select(vec![Add, Sub, Mul, Div, Rem, And, Or, Xor, Shl, Shr]);
    let any = any::<usize>;
    // Reads and writes go through the range: offsets repeat, so that checks can be merged.
    let offset = || proptest::sample::select(vec![0u16, 0, 3, 14, 14, 20]);
    let how = proptest::sample::select(vec![CountHow::Plain, CountHow::Atomic]);
    let leaf = prop_oneof![
        2 => number().prop_map(Step::Constant),
        5 => (width(), op, any(), rhs()).prop_map(|(w, op, a, b)| Step::Arith(w, op, a, b)),
        2 => (width(), any()).prop_map(|(w, value)| Step::Cast(w, value)),
        6 => (offset(), field()).prop_map(|(at, field)| Step::Read(at, field)),
        2 => (offset(), field(), any()).prop_map(|(at, field, v)| Step::Write(at, field, v)),
        1 => Just(Step::Length),
        2 => (any(), any()).prop_map(|(var, value)| Step::SetVar(var, value)),
        2 => any().prop_map(Step::GetVar),
        4 => (test(), 0..4u32).prop_map(|(test, action)| Step::ReturnIf(test, action)),
        2 => (0..=COUNTERS, any(), how).prop_map(|(k, v, how)| Step::Count(k, v, how)),
    ];
    leaf.prop_recursive(3, 24, 5, move |inner| {
        let steps = proptest::collection::vec(inner, 0..6);
        prop_oneof![
            (test(), steps.clone(), steps.clone()).prop_map(|(t, a, b)| Step::If(t, a, b)),
            (test(), any(), steps).prop_map(|(t, value, body)| Step::Inlined(t, value, body)),
        ]
    })
}

/// Packets of lengths around those that programs look at, with bytes that repeat and bytes at
/// the edges of their type.
pub(crate) fn packets(seed: u8) -> impl Iterator<Item = Vec<u8>> {
    let byte = move |at: u8| match (at ^ seed) % 4 {
        0 => 0xff,
        1 => 0,
        _ => at.wrapping_mul(37).wrapping_add(seed) & 0x8f,
    };
    let lengths = [0, 20, 21, 24, 34, 35, 41, 60].into_iter();
    let mixed = lengths.map(move |len| (0..len).map(byte).collect());
    mixed.chain([vec![0xff; 60]])
}
