//! Arithmetic and conversions.

use super::conditions::Condition;
use super::{Builder, Lowered};
use crate::isa::{AluOp, Swap, Width};
use crate::lower::LowerError;
use crate::lower::cfg::{InstKind, Src};
use crate::lower::types::{alu_op, alu_width, size_of};
use ebpf_dsl::recording::{BinaryOp, LocId, Operand, Type, ValueId};

impl Builder<'_> {
    pub(super) fn binary(
        &mut self,
        dst: ValueId,
        op: BinaryOp,
        lhs: Operand,
        rhs: Operand,
        loc: LocId,
    ) -> Result<(), LowerError> {
        let ty = self.type_of(dst);
        if let (Type::Bool, Operand::Value(a), Operand::Value(b)) = (ty, lhs, rhs) {
            let condition = match op {
                BinaryOp::And => Condition::Both(a, b),
                _ => Condition::Either(a, b),
            };
            return self.compound(dst, condition, loc);
        }
        let width = alu_width(ty);
        let bits = i64::from(ty.size() * 8);
        let lhs = self.operand(lhs, ty, loc)?;
        let mut rhs = self.src(rhs, ty, loc)?;
        if matches!(op, BinaryOp::Lsh | BinaryOp::Rsh | BinaryOp::Arsh) {
            // The machine masks counts to 32 or 64 bits; narrower types mask to their own.
            rhs = match rhs {
                Src::Imm(count) => Src::Imm(count & (bits - 1)),
                Src::Reg(count) if bits < 32 => {
                    Src::Reg(self.alu(AluOp::And, width, count, Src::Imm(bits - 1), loc))
                }
                reg => reg,
            };
        }
        let mut result = self.alu(alu_op(op), width, lhs, rhs, loc);
        let grows = matches!(
            op,
            BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Lsh
        );
        if grows && bits < 32 {
            let mask = Src::Imm((1 << bits) - 1);
            result = self.alu(AluOp::And, width, result, mask, loc);
        }
        self.set(dst, Lowered::Number(result));
        Ok(())
    }

    /// Little-endian targets swap between host and network order.
    pub(super) fn swap(
        &mut self,
        dst: ValueId,
        value: ValueId,
        loc: LocId,
    ) -> Result<(), LowerError> {
        let src = self.reg(value, loc)?;
        let result = self.cfg.reg();
        let swap = InstKind::ByteSwap {
            swap: Swap::Be,
            size: size_of(self.type_of(dst)),
            dst: result,
            src,
        };
        self.push(swap, loc);
        self.set(dst, Lowered::Number(result));
        Ok(())
    }

    pub(super) fn cast(
        &mut self,
        dst: ValueId,
        value: ValueId,
        loc: LocId,
    ) -> Result<(), LowerError> {
        let (from, to) = (self.type_of(value), self.type_of(dst));
        if from == Type::Bool {
            let number = self.number_of_condition(value, loc)?;
            self.set(dst, Lowered::Number(number));
            return Ok(());
        }
        if to == Type::Ptr || to.size() >= from.size() {
            // Registers hold numbers extended with zeros.
            let same = *self.values.get(&value).ok_or(LowerError::Malformed)?;
            self.set(dst, same);
            return Ok(());
        }
        let src = self.reg(value, loc)?;
        let result = match to {
            Type::U32 => {
                let result = self.cfg.reg();
                self.mov(Width::W32, result, Src::Reg(src), loc);
                result
            }
            _ => {
                let mask = Src::Imm((1 << (to.size() * 8)) - 1);
                self.alu(AluOp::And, Width::W32, src, mask, loc)
            }
        };
        self.set(dst, Lowered::Number(result));
        Ok(())
    }
}
