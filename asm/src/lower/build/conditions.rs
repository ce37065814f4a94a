//! Conditions: tested where the branch is, without a register of their own.

use super::{Builder, Lowered};
use crate::isa::Width;
use crate::lower::LowerError;
use crate::lower::cfg::{BlockId, End, Src, Test, VReg};
use crate::lower::types::{jump_cond, test_width};
use ebpf_dsl::recording::{CompareOp, LocId, Operand, Type, ValueId};

/// A condition that is not tested yet.
#[derive(Clone, Copy, Debug)]
pub(super) enum Condition {
    Test(Test, LocId),
    /// The comparison of two constants.
    Known(Known),
    InPacket(VReg, i32, LocId),
    Not(ValueId),
    Both(ValueId, ValueId),
    Either(ValueId, ValueId),
}

/// What a condition is known to be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Known {
    Holds,
    Fails,
}

impl Builder<'_> {
    pub(super) fn compare(
        &mut self,
        dst: ValueId,
        op: CompareOp,
        ty: Type,
        (lhs, rhs): (Operand, Operand),
        loc: LocId,
    ) -> Result<(), LowerError> {
        let cond = jump_cond(op);
        let rhs = self.src(rhs, ty, loc)?;
        let width = test_width(op, ty, rhs);
        let condition = match (self.src(lhs, ty, loc)?, rhs) {
            (Src::Imm(a), Src::Imm(b)) if cond.holds(width, a as u64, b as u64) => {
                Condition::Known(Known::Holds)
            }
            (Src::Imm(_), Src::Imm(_)) => Condition::Known(Known::Fails),
            (Src::Reg(lhs), rhs) => Condition::Test(
                Test {
                    cond,
                    width,
                    lhs,
                    rhs,
                },
                loc,
            ),
            (Src::Imm(imm), Src::Reg(reg)) => Condition::Test(
                Test {
                    cond: cond.swapped(),
                    width: test_width(op, ty, Src::Imm(imm)),
                    lhs: reg,
                    rhs: Src::Imm(imm),
                },
                loc,
            ),
        };
        self.set(dst, Lowered::Cond(condition));
        Ok(())
    }

    /// 1 if a condition holds, 0 if not.
    pub(super) fn number_of_condition(
        &mut self,
        cond: ValueId,
        loc: LocId,
    ) -> Result<VReg, LowerError> {
        let result = self.cfg.reg();
        let (holds, fails) = (self.new_block(loc), self.new_block(loc));
        let join = self.new_block(loc);
        self.branch(cond, holds, fails, loc)?;
        for (block, number) in [(holds, 1), (fails, 0)] {
            self.at = block;
            self.mov(Width::W64, result, Src::Imm(number), loc);
            self.end(End::Jump(join), loc);
        }
        self.at = join;
        Ok(result)
    }

    /// Ends the block with a branch on a condition.
    pub(super) fn branch(
        &mut self,
        cond: ValueId,
        then: BlockId,
        otherwise: BlockId,
        loc: LocId,
    ) -> Result<(), LowerError> {
        let Some(Lowered::Cond(condition)) = self.values.get(&cond).copied() else {
            return Err(LowerError::Malformed);
        };
        match condition {
            Condition::Test(test, loc) => {
                let branch = End::Branch {
                    test,
                    then,
                    otherwise,
                };
                self.end(branch, loc);
            }
            Condition::Known(Known::Holds) => self.end(End::Jump(then), loc),
            Condition::Known(Known::Fails) => self.end(End::Jump(otherwise), loc),
            Condition::InPacket(ptr, end, loc) => {
                let data_end = self.data_end(loc);
                let bounds = End::Bounds {
                    ptr,
                    end,
                    data_end,
                    inside: then,
                    outside: otherwise,
                };
                self.end(bounds, loc);
            }
            Condition::Not(inner) => self.branch(inner, otherwise, then, loc)?,
            Condition::Both(a, b) => {
                let second = self.new_block(loc);
                self.branch(a, second, otherwise, loc)?;
                self.at = second;
                self.branch(b, then, otherwise, loc)?;
            }
            Condition::Either(a, b) => {
                let second = self.new_block(loc);
                self.branch(a, then, second, loc)?;
                self.at = second;
                self.branch(b, then, otherwise, loc)?;
            }
        }
        Ok(())
    }
}
