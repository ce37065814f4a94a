//! Large conditions become numbers: where they are tested in several places, or nest deep.
//!
//! A condition is tested where a branch asks for it, again for each branch, and for each
//! condition that it is part of. Chains such as `c = (c & !x) | (!c & x)` would double with
//! every step. So a condition of more than [`MOST_TESTS`] that is asked for more than once
//! becomes a number, and the number is tested. One that nests deeper than [`DEEPEST`] does too,
//! since `branch` follows conditions recursively.

use std::collections::HashMap;

use super::conditions::Condition;
use super::{Builder, Lowered};
use crate::isa::{Cond, Width};
use crate::lower::LowerError;
use crate::lower::cfg::{Src, Test};
use ebpf_dsl::recording::{Block, LocId, OpKind, Operand, ValueId};

/// How many tests are repeated, at most.
const MOST_TESTS: u32 = 8;

/// How many conditions are nested, at most.
const DEEPEST: u32 = 128;

/// What is known about conditions.
pub(super) struct Conditions {
    /// How often each is asked for.
    uses: HashMap<ValueId, u32>,
    /// Of those made of others, how large they are.
    sizes: HashMap<ValueId, Extent>,
}

/// How large a condition is.
#[derive(Clone, Copy)]
struct Extent {
    tests: u32,
    depth: u32,
}

impl Conditions {
    pub(super) fn of(body: &Block) -> Self {
        let mut conditions = Conditions {
            uses: HashMap::new(),
            sizes: HashMap::new(),
        };
        conditions.count(body);
        conditions
    }

    /// Counts what a block asks for. Values that are no conditions are counted with them.
    fn count(&mut self, block: &Block) {
        for op in block {
            match &op.kind {
                OpKind::Binary { lhs, rhs, .. } => {
                    self.used(*lhs);
                    self.used(*rhs);
                }
                OpKind::Not { value, .. } | OpKind::Cast { value, .. } => {
                    self.used(Operand::Value(*value));
                }
                OpKind::If {
                    cond,
                    then,
                    otherwise,
                } => {
                    self.used(Operand::Value(*cond));
                    self.count(then);
                    self.count(otherwise);
                }
                OpKind::Inlined { body, .. } => self.count(body),
                _ => {}
            }
        }
    }

    fn used(&mut self, operand: Operand) {
        if let Operand::Value(id) = operand {
            *self.uses.entry(id).or_default() += 1;
        }
    }

    fn extent(&self, id: ValueId) -> Extent {
        let one = Extent { tests: 1, depth: 0 };
        self.sizes.get(&id).copied().unwrap_or(one)
    }

    fn extent_of(&self, condition: Condition) -> Extent {
        let (a, b) = match condition {
            Condition::Both(a, b) | Condition::Either(a, b) => {
                (self.extent(a), Some(self.extent(b)))
            }
            Condition::Not(inner) => (self.extent(inner), None),
            _ => return Extent { tests: 1, depth: 0 },
        };
        let b = b.unwrap_or(Extent { tests: 0, depth: 0 });
        Extent {
            tests: a.tests.saturating_add(b.tests),
            depth: a.depth.max(b.depth) + 1,
        }
    }

    /// Whether a condition becomes a number.
    fn is_number(&self, id: ValueId, extent: Extent) -> bool {
        let uses = self.uses.get(&id).copied().unwrap_or(0);
        extent.depth > DEEPEST || (extent.tests > MOST_TESTS && uses > 1)
    }
}

impl Builder<'_> {
    /// Defines a condition made of others.
    pub(super) fn compound(
        &mut self,
        dst: ValueId,
        condition: Condition,
        loc: LocId,
    ) -> Result<(), LowerError> {
        self.set(dst, Lowered::Cond(condition));
        let extent = self.conditions.extent_of(condition);
        if !self.conditions.is_number(dst, extent) {
            self.conditions.sizes.insert(dst, extent);
            return Ok(());
        }
        let test = Test {
            cond: Cond::Jne,
            width: Width::W64,
            lhs: self.number_of_condition(dst, loc)?,
            rhs: Src::Imm(0),
        };
        self.set(dst, Lowered::Cond(Condition::Test(test, loc)));
        Ok(())
    }
}
