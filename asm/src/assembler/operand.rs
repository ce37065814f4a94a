//! Second operands: a register or a number.

use crate::insn::{Fields, Reg};
use crate::isa::Operand;

/// A second operand: a register or a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A register.
    Reg(Reg),
    /// A number, sign-extended to the operation's width.
    Imm(i32),
}

impl From<Reg> for Source {
    fn from(reg: Reg) -> Source {
        Source::Reg(reg)
    }
}

impl From<i32> for Source {
    fn from(imm: i32) -> Source {
        Source::Imm(imm)
    }
}

impl Source {
    pub(super) fn operand(self) -> Operand {
        match self {
            Source::Reg(_) => Operand::Reg,
            Source::Imm(_) => Operand::Imm,
        }
    }

    pub(super) fn fields(self, dst: Reg, offset: i16) -> Fields {
        let fields = Fields {
            dst,
            offset,
            ..Fields::default()
        };
        match self {
            Source::Reg(src) => Fields { src, ..fields },
            Source::Imm(imm) => Fields { imm, ..fields },
        }
    }
}
