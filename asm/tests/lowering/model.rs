//! The model: what a program's steps do, in Rust's own numbers.

use crate::steps::{Arith, COUNTERS, Compare, Join, ReadField, Rhs, Step, Test, VARS, Width};

/// Size of [`probe`] in bytes.
const PROBE: usize = 21;

/// What a program leaves.
#[derive(Debug, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) ret: u32,
    pub(crate) packet: Vec<u8>,
    pub(crate) counters: Vec<u64>,
}

pub(crate) struct Model {
    packet: Vec<u8>,
    vars: [u64; VARS],
    counters: Vec<u64>,
}

/// Why steps ended early: with this result.
pub(crate) type Left = Result<(), u64>;

pub(crate) fn cut(width: Width, value: u64) -> u64 {
    match width {
        Width::W8 => u64::from(value as u8),
        Width::W16 => u64::from(value as u16),
        Width::W32 => u64::from(value as u32),
        Width::W64 => value,
    }
}

pub(crate) fn bits(width: Width) -> u32 {
    match width {
        Width::W8 => 8,
        Width::W16 => 16,
        Width::W32 => 32,
        Width::W64 => 64,
    }
}

pub(crate) fn arith(width: Width, op: Arith, a: u64, b: u64) -> u64 {
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
pub(crate) fn signed_width(width: Width) -> Width {
    match width {
        Width::W64 => Width::W64,
        _ => Width::W32,
    }
}

pub(crate) fn compare(width: Width, compare: Compare, a: u64, b: u64) -> bool {
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
    pub(crate) fn run(steps: &[Step], packet: &[u8]) -> Outcome {
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
