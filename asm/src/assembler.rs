//! The assembler: instructions one after the other, with explicit registers and labels.
//!
//! Every method that emits records where it was called, so that the program knows its own
//! source lines. Labels are bound to slots by [`Assembler::finish`]: a jump that does not
//! reach with 16 bits becomes an error there, never a truncated distance.
//!
//! ```
//! use ebpf_asm::assembler::Assembler;
//! use ebpf_asm::insn::Reg::*;
//! use ebpf_asm::isa::Size::*;
//! use ebpf_asm::prog_type::ProgType;
//!
//! let mut a = Assembler::new("first_byte");
//! let out = a.label();
//! a.mov(R0, 0);
//! a.ldx(W, R2, R1, 76).jeq(R2, 0, out);
//! a.mov(R0, 1);
//! a.bind(out);
//! a.exit();
//! let program = a.finish("socket", ProgType::SocketFilter)?;
//! assert_eq!(program.insns[2].to_string(), "if r2 == 0 goto +1");
//! # Ok::<(), ebpf_asm::assembler::AssembleError>(())
//! ```
//!
//! Read before: `insn.rs`. Read next: `program.rs`.

use crate::insn::{Fields, Insn, Reg};
use crate::isa::{
    AluOp, AtomicOp, Callee, Cond, Imm64, Operand, PacketMode, Sem, Size, Swap, Width,
};
use crate::prog_type::{ProgType, section};
use crate::program::{Function, Program, Reference};
use crate::span::Span;
use std::panic::Location;
use std::sync::Arc;

/// A place in the program that jumps and calls can name before it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Label(usize);

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
    fn operand(self) -> Operand {
        match self {
            Source::Reg(_) => Operand::Reg,
            Source::Imm(_) => Operand::Imm,
        }
    }

    fn fields(self, dst: Reg, offset: i16) -> Fields {
        let fields = Fields { dst, offset, ..Fields::default() };
        match self {
            Source::Reg(src) => Fields { src, ..fields },
            Source::Imm(imm) => Fields { imm, ..fields },
        }
    }
}

/// What a line stands for beside its instruction.
#[derive(Debug, Clone)]
enum Names {
    Nothing,
    Target(Label),
    Reference(Reference),
}

#[derive(Debug, Clone)]
struct Line {
    insn: Insn,
    names: Names,
    span: Option<Span>,
}

/// Builds one program.
#[derive(Debug, Clone)]
pub struct Assembler {
    name: String,
    lines: Vec<Line>,
    /// For each label the line it is bound before.
    labels: Vec<Option<usize>>,
    functions: Vec<(Label, String)>,
    sources: Vec<(Arc<str>, Arc<str>)>,
    /// Set while the caller says where lines come from, instead of `Location`.
    place: Option<Span>,
    /// The first instruction that the table does not have.
    missing: Option<(usize, Sem)>,
}

/// Why lines make no program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AssembleError {
    /// A label that something jumps to was never bound.
    #[error("instruction {line} ({insn}) goes to a label that is nowhere bound")]
    Unbound {
        /// The index of the instruction.
        line: usize,
        /// The instruction, its distance not yet known.
        insn: String,
    },
    /// A distance that its field cannot hold.
    #[error("instruction {line} ({insn}) is {distance} slots from its target, which its field cannot hold")]
    TooFar {
        /// The index of the instruction.
        line: usize,
        /// The instruction, its distance not yet known.
        insn: String,
        /// The distance in slots.
        distance: i64,
    },
    /// A combination of operation, width and size that no instruction has.
    #[error("instruction {line}: no instruction means {sem:?}")]
    Missing {
        /// The index of the instruction.
        line: usize,
        /// What was asked for.
        sem: Sem,
    },
}
