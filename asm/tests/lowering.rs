//! Lowering keeps the meaning: generated programs do what a model of them does.
//!
//! A generated program is run twice: by a model that follows its steps with Rust's own
//! numbers, and compiled, by the interpreter. Result, packet and counters must be the same,
//! for packets of every length from none to all that it looks at.

use ebpf_asm::compile;
use ebpf_asm::dsl::prelude::*;
use ebpf_verifier_sim::interp::{Machine, Packet};
use proptest::prelude::*;

header! {
    /// A header with fields of every type.
    pub struct probe {
        /// 8 bits.
        byte: u8,
        /// 16 bits in network order.
        net_half: Be16,
        /// 32 bits.
        word: u32,
        /// 64 bits.
        double: u64,
        /// 32 bits in network order.
        net_word: Be32,
        /// 16 bits.
        half: u16,
    }
}

/// Size of [`probe`] in bytes.
const PROBE: usize = 21;
/// How many variables and counters programs have.
const VARS: usize = 3;
const COUNTERS: u32 = 4;

/// One step of a generated program. Values are 64 bits wide and named by the order in which
/// they were made, counted modulo how many there are.
#[derive(Clone, Debug)]
enum Step {
    Constant(u64),
    Arith(Width, Arith, usize, Rhs),
    Cast(Width, usize),
    Read(u16, ReadField),
    Write(u16, ReadField, usize),
    Length,
    SetVar(usize, usize),
    GetVar(usize),
    If(Test, Vec<Step>, Vec<Step>),
    Inlined(Test, usize, Vec<Step>),
    ReturnIf(Test, u32),
    Count(u32, usize, CountHow),
}

#[derive(Clone, Copy, Debug)]
enum Width {
    W8,
    W16,
    W32,
    W64,
}

#[derive(Clone, Copy, Debug)]
enum Arith {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    And,
    Or,
    Xor,
    Shl,
    Shr,
}

#[derive(Clone, Copy, Debug)]
enum Rhs {
    Value(usize),
    Constant(u64),
}

#[derive(Clone, Copy, Debug)]
enum ReadField {
    Byte,
    NetHalf,
    Word,
    Double,
    NetWord,
    Half,
}

#[derive(Clone, Copy, Debug)]
enum Compare {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    HasAny,
    Slt,
    Sge,
}

/// A comparison, perhaps joined with another.
#[derive(Clone, Debug)]
struct Test {
    width: Width,
    compare: Compare,
    lhs: usize,
    rhs: Rhs,
    more: Option<(Join, Box<Test>)>,
}

#[derive(Clone, Copy, Debug)]
enum Join {
    And,
    Or,
    AndNot,
}

#[derive(Clone, Copy, Debug)]
enum CountHow {
    Plain,
    Atomic,
}

/// What a program leaves.
#[derive(Debug, PartialEq)]
struct Outcome {
    ret: u32,
    packet: Vec<u8>,
    counters: Vec<u64>,
}

// ---- the model ----

struct Model {
    packet: Vec<u8>,
    vars: [u64; VARS],
    counters: Vec<u64>,
}

/// Why steps ended early: with this result.
type Left = Result<(), u64>;

fn cut(width: Width, value: u64) -> u64 {
    match width {
        Width::W8 => u64::from(value as u8),
        Width::W16 => u64::from(value as u16),
        Width::W32 => u64::from(value as u32),
        Width::W64 => value,
    }
}

fn bits(width: Width) -> u32 {
    match width {
        Width::W8 => 8,
        Width::W16 => 16,
        Width::W32 => 32,
        Width::W64 => 64,
    }
}

fn arith(width: Width, op: Arith, a: u64, b: u64) -> u64 {
    let (a, b) = (cut(width, a), cut(width, b));
    let count = b as u32 & (bits(width) - 1);
    let result = match op {
        Arith::Add => a.wrapping_add(b),
        Arith::Sub => a.wrapping_sub(b),
        Arith::Mul => a.wrapping_mul(b),
        Arith::Div => a.checked_div(b).unwrap_or(0),
        Arith::Rem => a.checked_rem(b).unwrap_or(a),
        Arith::And => a & b,
        Arith::Or => a | b,
        Arith::Xor => a ^ b,
        Arith::Shl => a << count,
        Arith::Shr => a >> count,
    };
    cut(width, result)
}

/// Signed comparisons exist for 32 and 64 bits.
fn signed_width(width: Width) -> Width {
    match width {
        Width::W64 => Width::W64,
        _ => Width::W32,
    }
}

fn compare(width: Width, compare: Compare, a: u64, b: u64) -> bool {
    let width = match compare {
        Compare::Slt | Compare::Sge => signed_width(width),
        _ => width,
    };
    let (a, b) = (cut(width, a), cut(width, b));
    let signed = |value: u64| match width {
        Width::W64 => value as i64,
        _ => i64::from(value as i32),
    };
    match compare {
        Compare::Eq => a == b,
        Compare::Ne => a != b,
        Compare::Lt => a < b,
        Compare::Le => a <= b,
        Compare::Gt => a > b,
        Compare::Ge => a >= b,
        Compare::HasAny => a & b != 0,
        Compare::Slt => signed(a) < signed(b),
        Compare::Sge => signed(a) >= signed(b),
    }
}

impl Model {
    fn run(steps: &[Step], packet: &[u8]) -> Outcome {
        let mut model = Model {
            packet: packet.to_vec(),
            vars: [0; VARS],
            counters: vec![0; COUNTERS as usize],
        };
        let mut values = vec![7];
        let ret = match model.steps(steps, &mut values) {
            Ok(()) => *values.last().unwrap(),
            Err(ret) => ret,
        };
        Outcome {
            ret: ret as u32,
            packet: model.packet,
            counters: model.counters,
        }
    }

    fn steps(&mut self, steps: &[Step], values: &mut Vec<u64>) -> Left {
        steps.iter().try_for_each(|step| self.step(step, values))
    }

    fn rhs(rhs: Rhs, values: &[u64]) -> u64 {
        match rhs {
            Rhs::Value(index) => values[index % values.len()],
            Rhs::Constant(value) => value,
        }
    }

    fn test(test: &Test, values: &[u64]) -> bool {
        let lhs = values[test.lhs % values.len()];
        let holds = compare(test.width, test.compare, lhs, Self::rhs(test.rhs, values));
        match &test.more {
            None => holds,
            Some((Join::And, more)) => holds && Self::test(more, values),
            Some((Join::Or, more)) => holds || Self::test(more, values),
            Some((Join::AndNot, more)) => holds && !Self::test(more, values),
        }
    }

    /// Where a field of the header at `offset` is; the packet may be too short.
    fn field(&self, offset: u16, field: ReadField) -> Result<std::ops::Range<usize>, u64> {
        let offset = usize::from(offset);
        if self.packet.len() < offset + PROBE {
            return Err(2);
        }
        let (start, len) = match field {
            ReadField::Byte => (0, 1),
            ReadField::NetHalf => (1, 2),
            ReadField::Word => (3, 4),
            ReadField::Double => (7, 8),
            ReadField::NetWord => (15, 4),
            ReadField::Half => (19, 2),
        };
        Ok(offset + start..offset + start + len)
    }

    fn step(&mut self, step: &Step, values: &mut Vec<u64>) -> Left {
        let get = |values: &Vec<u64>, index: usize| values[index % values.len()];
        match step {
            Step::Constant(value) => values.push(*value),
            Step::Arith(width, op, lhs, rhs) => {
                let rhs = Self::rhs(*rhs, values);
                values.push(arith(*width, *op, get(values, *lhs), rhs));
            }
            Step::Cast(width, value) => values.push(cut(*width, get(values, *value))),
            Step::Read(offset, field) => {
                let range = self.field(*offset, *field)?;
                let bytes = self.packet[range].iter();
                values.push(match field {
                    ReadField::NetHalf | ReadField::NetWord => {
                        bytes.fold(0, |n, byte| n << 8 | u64::from(*byte))
                    }
                    _ => bytes.rev().fold(0, |n, byte| n << 8 | u64::from(*byte)),
                });
            }
            Step::Write(offset, field, value) => {
                let range = self.field(*offset, *field)?;
                let value = get(values, *value).to_le_bytes();
                let len = range.len();
                let target = &mut self.packet[range];
                target.copy_from_slice(&value[..len]);
                if matches!(field, ReadField::NetHalf | ReadField::NetWord) {
                    target.reverse();
                }
            }
            Step::Length => values.push(self.packet.len() as u64),
            Step::SetVar(var, value) => self.vars[var % VARS] = get(values, *value),
            Step::GetVar(var) => values.push(self.vars[var % VARS]),
            Step::If(test, then, otherwise) => {
                let mut inner = values.clone();
                let block = match Self::test(test, values) {
                    true => then,
                    false => otherwise,
                };
                self.steps(block, &mut inner)?;
            }
            Step::Inlined(test, value, body) => {
                let mut inner = values.clone();
                let result = match Self::test(test, values) {
                    true => Err(get(values, *value)),
                    false => self.steps(body, &mut inner),
                };
                values.push(match result {
                    Ok(()) => *inner.last().unwrap(),
                    Err(result) => result,
                });
            }
            Step::ReturnIf(test, action) => {
                if Self::test(test, values) {
                    return Err(u64::from(*action));
                }
            }
            Step::Count(key, value, _) => {
                let amount = get(values, *value);
                if let Some(counter) = self.counters.get_mut(*key as usize) {
                    *counter = counter.wrapping_add(amount);
                }
            }
        }
        Ok(())
    }
}

// ---- the recording ----

/// What a program or an inlined function returns: made of a number, and of a constant.
trait Leaves<'p>: Sized {
    fn return_if(f: &Scope<'p, Self>, cond: Cond<'p>, value: u32);
    fn header(f: &mut Scope<'p, Self>, ctx: &XdpContext<'p>, offset: u16, then: Then<'_, 'p, Self>);
}

type Then<'a, 'p, R> = &'a mut dyn FnMut(&mut Scope<'p, R>, probe<'_, 'p>);

impl<'p> Leaves<'p> for Xdp {
    fn return_if(f: &Scope<'p, Self>, cond: Cond<'p>, value: u32) {
        let value = f.var::<u32>(value);
        f.return_if(cond, value.get().to_action());
    }

    fn header(
        f: &mut Scope<'p, Self>,
        ctx: &XdpContext<'p>,
        offset: u16,
        then: Then<'_, 'p, Self>,
    ) {
        let at = ctx.packet().advance(offset);
        let header = f.header::<probe>(at).or_return(XDP_PASS);
        then(f, header);
    }
}

impl<'p> Leaves<'p> for u64 {
    fn return_if(f: &Scope<'p, Self>, cond: Cond<'p>, value: u32) {
        f.return_if(cond, u64::from(value));
    }

    fn header(
        f: &mut Scope<'p, Self>,
        ctx: &XdpContext<'p>,
        offset: u16,
        then: Then<'_, 'p, Self>,
    ) {
        let at = ctx.packet().advance(offset);
        let header = f.header::<probe>(at).or_return(2);
        then(f, header);
    }
}

struct Recording<'a, 'p> {
    ctx: &'a XdpContext<'p>,
    vars: Vec<ebpf_asm::dsl::Var<'p, u64>>,
    counters: Map<u32, u64>,
}

fn unit(steps: &[Step]) -> Unit {
    let mut unit = Unit::new("generated").license("GPL");
    let counters = unit.array::<u64>("counters", COUNTERS);
    unit.xdp("generated", |f, ctx| {
        let recording = Recording {
            ctx,
            vars: (0..VARS).map(|_| f.var::<u64>(0)).collect(),
            counters,
        };
        let mut values = vec![f.var::<u64>(7).get()];
        recording.steps(f, steps, &mut values);
        values.last().unwrap().to_u32().to_action()
    })
}

/// Does the same in each width: cuts both sides, combines, widens.
macro_rules! in_width {
    ($width:expr, $lhs:expr, $rhs:expr, |$a:ident, $b:ident| $body:expr, $widen:ident) => {
        match $width {
            Width::W8 => in_width!(@ $lhs.to_u8(), $rhs, to_u8, u8, |$a, $b| $body, $widen),
            Width::W16 => in_width!(@ $lhs.to_u16(), $rhs, to_u16, u16, |$a, $b| $body, $widen),
            Width::W32 => in_width!(@ $lhs.to_u32(), $rhs, to_u32, u32, |$a, $b| $body, $widen),
            Width::W64 => match $rhs {
                Operand64::Value($b) => { let $a = $lhs; $body }
                Operand64::Constant($b) => { let $a = $lhs; $body }
            },
        }
    };
    (@ $lhs:expr, $rhs:expr, $cut:ident, $ty:ty, |$a:ident, $b:ident| $body:expr, widen) => {
        match $rhs {
            Operand64::Value(b) => { let ($a, $b) = ($lhs, b.$cut()); let result = $body; result.to_u64() }
            Operand64::Constant(b) => { let ($a, $b) = ($lhs, b as $ty);
                let result = $body;
                result.to_u64() }
        }
    };
    (@ $lhs:expr, $rhs:expr, $cut:ident, $ty:ty, |$a:ident, $b:ident| $body:expr, same) => {
        match $rhs {
            Operand64::Value(b) => { let ($a, $b) = ($lhs, b.$cut()); $body }
            Operand64::Constant(b) => { let ($a, $b) = ($lhs, b as $ty); $body }
        }
    };
}

#[derive(Clone, Copy)]
enum Operand64<'p> {
    Value(U64<'p>),
    Constant(u64),
}

impl<'p> Recording<'_, 'p> {
    fn rhs(rhs: Rhs, values: &[U64<'p>]) -> Operand64<'p> {
        match rhs {
            Rhs::Value(index) => Operand64::Value(values[index % values.len()]),
            Rhs::Constant(value) => Operand64::Constant(value),
        }
    }

    fn test(test: &Test, values: &[U64<'p>]) -> Cond<'p> {
        let lhs = values[test.lhs % values.len()];
        let rhs = Self::rhs(test.rhs, values);
        let holds = match test.compare {
            Compare::Eq => in_width!(test.width, lhs, rhs, |a, b| a.eq(b), same),
            Compare::Ne => in_width!(test.width, lhs, rhs, |a, b| a.ne(b), same),
            Compare::Lt => in_width!(test.width, lhs, rhs, |a, b| a.lt(b), same),
            Compare::Le => in_width!(test.width, lhs, rhs, |a, b| a.le(b), same),
            Compare::Gt => in_width!(test.width, lhs, rhs, |a, b| a.gt(b), same),
            Compare::Ge => in_width!(test.width, lhs, rhs, |a, b| a.ge(b), same),
            Compare::HasAny => in_width!(test.width, lhs, rhs, |a, b| a.has_any(b), same),
            Compare::Slt | Compare::Sge => Self::signed(test, lhs, rhs),
        };
        match &test.more {
            None => holds,
            Some((Join::And, more)) => holds & Self::test(more, values),
            Some((Join::Or, more)) => holds | Self::test(more, values),
            Some((Join::AndNot, more)) => holds & !Self::test(more, values),
        }
    }

    fn signed(test: &Test, lhs: U64<'p>, rhs: Operand64<'p>) -> Cond<'p> {
        match (test.compare, signed_width(test.width), rhs) {
            (Compare::Slt, Width::W64, Operand64::Value(rhs)) => lhs.slt(rhs),
            (Compare::Slt, Width::W64, Operand64::Constant(rhs)) => lhs.slt(rhs),
            (Compare::Slt, _, Operand64::Value(rhs)) => lhs.to_u32().slt(rhs.to_u32()),
            (Compare::Slt, _, Operand64::Constant(rhs)) => lhs.to_u32().slt(rhs as u32),
            (_, Width::W64, Operand64::Value(rhs)) => lhs.sge(rhs),
            (_, Width::W64, Operand64::Constant(rhs)) => lhs.sge(rhs),
            (_, _, Operand64::Value(rhs)) => lhs.to_u32().sge(rhs.to_u32()),
            (_, _, Operand64::Constant(rhs)) => lhs.to_u32().sge(rhs as u32),
        }
    }

    fn steps<R: Leaves<'p>>(
        &self,
        f: &mut Scope<'p, R>,
        steps: &[Step],
        values: &mut Vec<U64<'p>>,
    ) {
        for step in steps {
            self.step(f, step, values);
        }
    }

    fn step<R: Leaves<'p>>(&self, f: &mut Scope<'p, R>, step: &Step, values: &mut Vec<U64<'p>>) {
        let get = |values: &Vec<U64<'p>>, index: usize| values[index % values.len()];
        match step {
            Step::Constant(value) => values.push(f.var::<u64>(*value).get()),
            Step::Arith(width, op, lhs, rhs) => {
                let (lhs, rhs) = (get(values, *lhs), Self::rhs(*rhs, values));
                values.push(match op {
                    Arith::Add => in_width!(width, lhs, rhs, |a, b| a + b, widen),
                    Arith::Sub => in_width!(width, lhs, rhs, |a, b| a - b, widen),
                    Arith::Mul => in_width!(width, lhs, rhs, |a, b| a * b, widen),
                    Arith::Div => in_width!(width, lhs, rhs, |a, b| a / b, widen),
                    Arith::Rem => in_width!(width, lhs, rhs, |a, b| a % b, widen),
                    Arith::And => in_width!(width, lhs, rhs, |a, b| a & b, widen),
                    Arith::Or => in_width!(width, lhs, rhs, |a, b| a | b, widen),
                    Arith::Xor => in_width!(width, lhs, rhs, |a, b| a ^ b, widen),
                    Arith::Shl => in_width!(width, lhs, rhs, |a, b| a << b, widen),
                    Arith::Shr => in_width!(width, lhs, rhs, |a, b| a >> b, widen),
                });
            }
            Step::Cast(width, value) => {
                let value = get(values, *value);
                values.push(match width {
                    Width::W8 => value.to_u8().to_u64(),
                    Width::W16 => value.to_u16().to_u64(),
                    Width::W32 => value.to_u32().to_u64(),
                    Width::W64 => value,
                });
            }
            Step::Read(offset, field) => R::header(f, self.ctx, *offset, &mut |_, header| {
                values.push(match field {
                    ReadField::Byte => header.byte().to_u64(),
                    ReadField::NetHalf => header.net_half().to_host().to_u64(),
                    ReadField::Word => header.word().to_u64(),
                    ReadField::Double => header.double(),
                    ReadField::NetWord => header.net_word().to_host().to_u64(),
                    ReadField::Half => header.half().to_u64(),
                });
            }),
            Step::Write(offset, field, value) => {
                let value = get(values, *value);
                R::header(f, self.ctx, *offset, &mut |_, header| match field {
                    ReadField::Byte => header.set().byte(value.to_u8()),
                    ReadField::NetHalf => header.set().net_half(value.to_u16().to_be()),
                    ReadField::Word => header.set().word(value.to_u32()),
                    ReadField::Double => header.set().double(value),
                    ReadField::NetWord => header.set().net_word(value.to_u32().to_be()),
                    ReadField::Half => header.set().half(value.to_u16()),
                });
            }
            Step::Length => values.push(self.ctx.len().to_u64()),
            Step::SetVar(var, value) => self.vars[var % VARS].set(get(values, *value)),
            Step::GetVar(var) => values.push(self.vars[var % VARS].get()),
            Step::If(test, then, otherwise) => {
                let cond = Self::test(test, values);
                f.if_(cond)
                    .then(|f| self.steps(f, then, &mut values.clone()))
                    .else_(|f| self.steps(f, otherwise, &mut values.clone()));
            }
            Step::Inlined(test, value, body) => {
                let (cond, result) = (Self::test(test, values), get(values, *value));
                let value = f.inlined(|f: &mut Scope<'p, u64>| {
                    f.return_if(cond, result);
                    let mut inner = values.clone();
                    self.steps(f, body, &mut inner);
                    *inner.last().unwrap()
                });
                values.push(value);
            }
            Step::ReturnIf(test, action) => {
                R::return_if(f, Self::test(test, values), *action);
            }
            Step::Count(key, value, how) => {
                let amount = get(values, *value);
                f.lookup(self.counters, *key).then(|_, counter| match how {
                    CountHow::Plain => counter.add(amount),
                    CountHow::Atomic => counter.atomic_add(amount),
                });
            }
        }
    }
}

// ---- generated programs ----

fn width() -> impl Strategy<Value = Width> {
    prop_oneof![
        Just(Width::W8),
        Just(Width::W16),
        Just(Width::W32),
        Just(Width::W64)
    ]
}

/// Numbers that lie at the edges of types, and any.
fn number() -> impl Strategy<Value = u64> {
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

fn rhs() -> impl Strategy<Value = Rhs> {
    prop_oneof![
        any::<usize>().prop_map(Rhs::Value),
        number().prop_map(Rhs::Constant)
    ]
}

fn test() -> impl Strategy<Value = Test> {
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

fn field() -> impl Strategy<Value = ReadField> {
    use ReadField::{Byte, Double, Half, NetHalf, NetWord, Word};
    proptest::sample::select(vec![Byte, NetHalf, Word, Double, NetWord, Half])
}

fn step() -> impl Strategy<Value = Step> {
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
fn packets(seed: u8) -> impl Iterator<Item = Vec<u8>> {
    let byte = move |at: u8| match (at ^ seed) % 4 {
        0 => 0xff,
        1 => 0,
        _ => at.wrapping_mul(37).wrapping_add(seed) & 0x8f,
    };
    let lengths = [0, 20, 21, 24, 34, 35, 41, 60].into_iter();
    let mixed = lengths.map(move |len| (0..len).map(byte).collect());
    mixed.chain([vec![0xff; 60]])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn compiled_programs_do_what_they_say(
        steps in proptest::collection::vec(step(), 0..24),
        seed: u8,
    ) {
        let unit = unit(&steps);
        prop_assert_eq!(unit.check(), Ok(()));
        let object = compile(&unit).unwrap();
        for packet in packets(seed) {
            let expected = Model::run(&steps, &packet);
            let mut machine = Machine::new(&object).unwrap();
            let run = machine.run("generated", Packet::new(&packet)).unwrap();
            let counters = machine.map("counters").unwrap();
            let counters = (0..COUNTERS).map(|key| {
                let value = counters.lookup(&key.to_ne_bytes()).unwrap();
                u64::from_ne_bytes(value.try_into().unwrap())
            });
            let done = Outcome { ret: run.ret, packet: run.packet, counters: counters.collect() };
            prop_assert_eq!(&done, &expected, "{} bytes\n{}", packet.len(), unit);
        }
    }
}
