//! A program's steps, recorded with the DSL.

use ebpf_asm::dsl::prelude::*;

use crate::model::signed_width;
use crate::steps::{
    Arith, COUNTERS, Compare, CountHow, Join, ReadField, Rhs, Step, Test, VARS, Width,
};

header! {
    /// A header with fields of every type.
    pub(crate) struct probe {
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

/// What a program or an inlined function returns: made of a number, and of a constant.
pub(crate) trait Leaves<'p>: Sized {
    fn return_if(f: &Scope<'p, Self>, cond: Cond<'p>, value: u32);
    fn header(f: &mut Scope<'p, Self>, ctx: &XdpContext<'p>, offset: u16, then: Then<'_, 'p, Self>);
}

pub(crate) type Then<'a, 'p, R> = &'a mut dyn FnMut(&mut Scope<'p, R>, probe<'_, 'p>);

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

pub(crate) struct Recording<'a, 'p> {
    ctx: &'a XdpContext<'p>,
    vars: Vec<ebpf_asm::dsl::Var<'p, u64>>,
    counters: Map<u32, u64>,
}

pub(crate) fn unit(steps: &[Step]) -> Unit {
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
pub(crate) enum Operand64<'p> {
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
