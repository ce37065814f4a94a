//! Faults: what a program did that no verified program does, where, and why it is wrong.
//!
//! Read before: `address.rs`.

use super::address::Region;
use ebpf_asm::insn::{Insn, Reg};
use ebpf_asm::prog_type::ProgType;
use ebpf_asm::span::Span;
use std::fmt;

/// A run that had to end.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// The program.
    pub program: String,
    /// The slot of the instruction that could not be executed.
    pub slot: usize,
    /// The instruction; `None` if there is none at the slot.
    pub insn: Option<Insn>,
    /// The source place of the instruction, where the program knows it.
    pub span: Option<Span>,
    /// What is wrong.
    pub kind: FaultKind,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.program, self.kind)?;
        write!(f, "\n  at slot {}", self.slot)?;
        if let Some(insn) = &self.insn {
            write!(f, ": {insn}")?;
        }
        if let Some(span) = &self.span {
            write!(f, "\n  --> {}:{}:{}", span.file, span.line, span.column)?;
            if !span.text.is_empty() {
                write!(f, "\n  {}", span.text.trim_end())?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Fault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.kind)
    }
}

/// What an access does to memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reads.
    Read,
    /// Writes.
    Write,
    /// Reads and writes at once, or with ordering.
    Atomic,
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Access::Read => "read of",
            Access::Write => "write to",
            Access::Atomic => "atomic access to",
        })
    }
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FaultKind {
    /// A register is read that nothing was written to, or that a call has destroyed.
    #[error("{0} is read and holds nothing")]
    UninitialisedRegister(Reg),
    /// A byte of the stack is read that nothing was written to.
    #[error("the stack is read at fp{offset}, where nothing was written")]
    UninitialisedStack {
        /// The first such byte, from the frame pointer.
        offset: i64,
    },
    /// R10 is written to.
    #[error("r10, the frame pointer, is read-only")]
    FramePointerWrite,
    /// An access outside of the memory that its address points at.
    #[error(
        "{access} {size} bytes at offset {offset} of {region}, which {}",
        extent(.valid)
    )]
    OutOfBounds {
        /// What is done.
        access: Access,
        /// What the address points at or beside.
        region: Region,
        /// Where the access begins: from the frame pointer for the stack, from `data` for
        /// the packet, from the beginning for all else.
        offset: i64,
        /// How many bytes.
        size: u64,
        /// The offsets that exist: the first, and the first behind.
        valid: (i64, i64),
    },
    /// An access by a pointer that was made before the packet moved.
    #[error("{access} {size} bytes by a pointer to the packet from before it was moved")]
    StalePacketPointer {
        /// What is done.
        access: Access,
        /// How many bytes.
        size: u64,
    },
    /// An access where no memory is.
    #[error("{access} {size} bytes at {address:#x}, which is {region}")]
    NoMemory {
        /// What is done.
        access: Access,
        /// What the address names.
        region: Region,
        /// The address.
        address: u64,
        /// How many bytes.
        size: u64,
    },
    /// An access at an address that its size does not divide.
    #[error("{access} {size} bytes of {region} at offset {offset}, which {size} does not divide")]
    Misaligned {
        /// What is done.
        access: Access,
        /// What the address points at.
        region: Region,
        /// Where.
        offset: i64,
        /// How many bytes.
        size: u64,
    },
    /// An access that the memory does not allow anybody, or not this program type.
    #[error("{access} {size} bytes at offset {offset} of {region}: {why}")]
    Forbidden {
        /// What is done.
        access: Access,
        /// What the address points at.
        region: Region,
        /// Where.
        offset: i64,
        /// How many bytes.
        size: u64,
        /// The rule.
        why: &'static str,
    },
    /// A jump or call leads to no instruction.
    #[error("jumps to slot {target}, where no instruction begins")]
    JumpOutOfRange {
        /// The slot.
        target: i64,
    },
    /// Control runs over the end of the program.
    #[error("runs over the end of the program")]
    FellOff,
    /// Too many functions called each other.
    #[error("more than {} functions deep", super::MAX_FRAMES)]
    CallDepth,
    /// The program executed as many instructions as it may.
    #[error("has executed {0} instructions, its budget, and did not end")]
    BudgetUsedUp(u64),
    /// No helper has this id.
    #[error("helper {0} does not exist")]
    UnknownHelper(i32),
    /// Programs of the type may not call the helper.
    #[error("programs of type {prog_type} may not call {helper}")]
    HelperNotAllowed {
        /// The helper.
        helper: &'static str,
        /// The program's type.
        prog_type: ProgType,
    },
    /// An instruction, helper or map that this interpreter does not know to execute.
    #[error("{0} is not modelled")]
    NotModelled(String),
    /// A helper's argument is not what it must be.
    #[error("{helper}: {reg} must be {expected}, and is {value:#x}")]
    Argument {
        /// The helper.
        helper: &'static str,
        /// The argument's register.
        reg: Reg,
        /// What it must be.
        expected: &'static str,
        /// What it is.
        value: u64,
    },
    /// An instruction refers to a map that the object does not have, or to none.
    #[error("refers to no map of the object")]
    NoMap,
    /// The program ends and keeps ring buffer records.
    #[error("ends with {0} ring buffer records neither submitted nor discarded")]
    UnreleasedRecords(usize),
    /// The program ends and holds a spin lock.
    #[error("ends with a spin lock held")]
    HeldLock,
    /// LD_ABS and LD_IND outside of programs on socket buffers, or without a context in R6.
    #[error("packet loads need a socket buffer's context in r6")]
    PacketLoad,
}

/// "has bytes a..b" or "has none".
fn extent((start, end): &(i64, i64)) -> String {
    match start < end {
        true => format!("has the offsets {start}..{end}"),
        false => "has no bytes".to_owned(),
    }
}
