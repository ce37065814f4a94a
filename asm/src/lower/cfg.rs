//! The form that the passes work on: basic blocks over registers without number limit.
//!
//! Registers 0 to 9 are the machine's own, where a calling convention asks for one; all
//! others are *virtual*. What the recording assigned once is assigned once here; only
//! variables, and what a pass says so of, are assigned more often.
//!
//! `print.rs` prints the form as text, which the tests of the passes compare.
//!
//! Read before: `ebpf_dsl::recording`. Read next: `build/mod.rs`.

use crate::btf::core::CoreRelocation;
use crate::isa::{AluOp, Cond, Size, Swap, Width};
use crate::target::Target;
use ebpf_dsl::recording::LocId;

/// How many registers of the machine can be allocated: R0 to R9.
pub(crate) const MACHINE_REGS: u32 = 10;

/// A register: the machine's own below [`MACHINE_REGS`], virtual from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct VReg(pub(crate) u32);

impl VReg {
    /// Where results are, of helpers and of the program.
    pub(crate) const R0: VReg = VReg(0);
    /// Where the context is when the program begins.
    pub(crate) const R1: VReg = VReg(1);

    pub(crate) fn is_machine(self) -> bool {
        self.0 < MACHINE_REGS
    }

    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// A register or a number. The number is the operand in 64 bits; 32-bit operations read its
/// low half.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Src {
    Reg(VReg),
    Imm(i64),
}

/// What an address counts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Base {
    Reg(VReg),
    /// The end of the stack frame, R10; offsets are negative.
    Frame,
}

/// An argument of a helper, before registers are assigned to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum CallArg {
    Src(Src),
    Map(usize),
    FrameAddr(i16),
}

/// What an instruction does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum InstKind {
    Mov {
        width: Width,
        dst: VReg,
        src: Src,
    },
    /// `dst = lhs op rhs`; the machine needs `dst` and `lhs` to be one, see `expand.rs`.
    Alu {
        op: AluOp,
        width: Width,
        dst: VReg,
        lhs: VReg,
        rhs: Src,
    },
    ByteSwap {
        swap: Swap,
        size: Size,
        dst: VReg,
        src: VReg,
    },
    Load {
        size: Size,
        dst: VReg,
        base: Base,
        offset: i16,
    },
    Store {
        size: Size,
        base: Base,
        offset: i16,
        src: Src,
    },
    AtomicAdd {
        size: Size,
        base: Base,
        offset: i16,
        src: VReg,
    },
    FrameAddr {
        dst: VReg,
        offset: i16,
    },
    MapAddr {
        dst: VReg,
        map: usize,
    },
    /// `dst =` what the running kernel answers.
    Core {
        dst: VReg,
        question: Box<Question>,
    },
    /// A call with its arguments and result anywhere; `expand.rs` makes a `CallHelper` of it.
    Call {
        helper: i32,
        dst: VReg,
        args: Vec<CallArg>,
    },
    /// A call by the machine's convention: so many arguments from R1 on, the result in R0.
    CallHelper {
        helper: i32,
        args: u32,
    },
}

/// What a program asks of the kernel's types.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Question {
    pub(crate) relocation: CoreRelocation,
    /// The answer of the object's own types, which the instruction has until it is loaded.
    pub(crate) local: u64,
}

/// An instruction and where it comes from.
#[derive(Clone, Debug)]
pub(crate) struct Inst {
    pub(crate) kind: InstKind,
    pub(crate) loc: LocId,
}

/// The number of a block; block 0 is the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct BlockId(pub(crate) usize);

/// How a block ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum End {
    Jump(BlockId),
    Branch {
        test: Test,
        then: BlockId,
        otherwise: BlockId,
    },
    /// Whether bytes `0..end` behind `ptr` are inside the packet; `expand.rs` makes a
    /// branch of it.
    Bounds {
        ptr: VReg,
        end: i32,
        data_end: VReg,
        inside: BlockId,
        outside: BlockId,
    },
    Return(Src),
    /// Leaves the program with what R0 holds.
    Exit,
}

/// A condition of a branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Test {
    pub(crate) cond: Cond,
    pub(crate) width: Width,
    pub(crate) lhs: VReg,
    pub(crate) rhs: Src,
}

/// A basic block.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) insts: Vec<Inst>,
    pub(crate) end: End,
    /// Where the end comes from.
    pub(crate) loc: LocId,
}

/// A program as blocks.
#[derive(Clone, Debug)]
pub(crate) struct Cfg {
    pub(crate) blocks: Vec<Block>,
    /// The number of the next new register.
    pub(crate) next_reg: u32,
    /// The register that holds the program's context.
    pub(crate) context: VReg,
    /// Bytes of the stack frame in use.
    pub(crate) frame: u32,
    /// Whose instructions may be used.
    pub(crate) target: Target,
}

impl Cfg {
    /// A new virtual register.
    pub(crate) fn reg(&mut self) -> VReg {
        self.next_reg += 1;
        VReg(self.next_reg - 1)
    }

    /// Room for `size` bytes on the stack: the offset from the frame's end. Slots are of 8
    /// bytes, so that every access is aligned. A frame too large is found at the end.
    pub(crate) fn frame_slot(&mut self, size: u32) -> i16 {
        self.frame += size.div_ceil(8) * 8;
        i16::try_from(self.frame).map_or(i16::MIN, |bytes| -bytes)
    }

    pub(crate) fn block(&self, id: BlockId) -> Option<&Block> {
        self.blocks.get(id.0)
    }

    /// The blocks that can be reached, each before those it leads to (reverse postorder).
    pub(crate) fn order(&self) -> Vec<BlockId> {
        let mut seen = vec![false; self.blocks.len()];
        let mut postorder = Vec::new();
        // Blocks to enter, and blocks to leave behind their successors.
        let mut stack = vec![(BlockId(0), false)];
        while let Some((id, leaving)) = stack.pop() {
            if leaving {
                postorder.push(id);
                continue;
            }
            let Some(new) = seen.get_mut(id.0).filter(|seen| !**seen) else {
                continue;
            };
            *new = true;
            stack.push((id, true));
            let next = self.blocks.get(id.0).map(|block| block.end.targets());
            stack.extend(next.into_iter().flatten().map(|next| (next, false)));
        }
        postorder.reverse();
        postorder
    }

    /// For each block the blocks that can be reached and lead to it, once for each way.
    pub(crate) fn predecessors(&self) -> Vec<Vec<BlockId>> {
        let mut predecessors = vec![Vec::new(); self.blocks.len()];
        for id in self.order() {
            let targets = self.blocks.get(id.0).map(|block| block.end.targets());
            for target in targets.into_iter().flatten() {
                if let Some(list) = predecessors.get_mut(target.0) {
                    list.push(id);
                }
            }
        }
        predecessors
    }

    /// For each register how often it is assigned.
    pub(crate) fn assignments(&self) -> Vec<u32> {
        let mut counts = vec![0; self.next_reg as usize];
        for id in self.order() {
            for inst in self.blocks.get(id.0).iter().flat_map(|b| &b.insts) {
                if let Some(count) = inst.kind.dst().and_then(|dst| counts.get_mut(dst.index())) {
                    *count += 1;
                }
            }
        }
        counts
    }
}

impl End {
    /// Where control can go.
    pub(crate) fn targets(&self) -> impl Iterator<Item = BlockId> + use<> {
        let (first, second) = match *self {
            End::Jump(to) => (Some(to), None),
            End::Branch {
                then, otherwise, ..
            } => (Some(then), Some(otherwise)),
            End::Bounds {
                inside, outside, ..
            } => (Some(inside), Some(outside)),
            End::Return(_) | End::Exit => (None, None),
        };
        first.into_iter().chain(second)
    }

    /// Replaces every target.
    pub(crate) fn retarget(&mut self, to: impl Fn(BlockId) -> BlockId) {
        match self {
            End::Jump(target) => *target = to(*target),
            End::Branch {
                then, otherwise, ..
            } => {
                *then = to(*then);
                *otherwise = to(*otherwise);
            }
            End::Bounds {
                inside, outside, ..
            } => {
                *inside = to(*inside);
                *outside = to(*outside);
            }
            End::Return(_) | End::Exit => {}
        }
    }

    /// Shows every register that is read.
    pub(crate) fn reads(&self, mut each: impl FnMut(VReg)) {
        let mut copy = *self;
        copy.uses(|reg| each(*reg));
    }

    /// Shows every register that is read, to replace it.
    pub(crate) fn uses(&mut self, mut each: impl FnMut(&mut VReg)) {
        let mut src = |src: &mut Src| {
            if let Src::Reg(reg) = src {
                each(reg);
            }
        };
        match self {
            End::Branch { test, .. } => {
                src(&mut test.rhs);
                each(&mut test.lhs);
            }
            End::Bounds { ptr, data_end, .. } => {
                each(ptr);
                each(data_end);
            }
            End::Return(value) => src(value),
            End::Exit => each(&mut VReg(VReg::R0.0)),
            End::Jump(_) => {}
        }
    }
}

impl InstKind {
    /// The register assigned. A `CallHelper` also leaves R0 to R5 unknown, see `live.rs`.
    pub(crate) fn dst(&self) -> Option<VReg> {
        match self {
            InstKind::Mov { dst, .. }
            | InstKind::Alu { dst, .. }
            | InstKind::ByteSwap { dst, .. }
            | InstKind::Load { dst, .. }
            | InstKind::FrameAddr { dst, .. }
            | InstKind::MapAddr { dst, .. }
            | InstKind::Core { dst, .. }
            | InstKind::Call { dst, .. } => Some(*dst),
            InstKind::CallHelper { .. } => Some(VReg::R0),
            InstKind::Store { .. } | InstKind::AtomicAdd { .. } => None,
        }
    }

    /// The register assigned, to replace it.
    pub(crate) fn dst_mut(&mut self) -> Option<&mut VReg> {
        match self {
            InstKind::Mov { dst, .. }
            | InstKind::Alu { dst, .. }
            | InstKind::ByteSwap { dst, .. }
            | InstKind::Load { dst, .. }
            | InstKind::FrameAddr { dst, .. }
            | InstKind::MapAddr { dst, .. }
            | InstKind::Core { dst, .. }
            | InstKind::Call { dst, .. } => Some(dst),
            _ => None,
        }
    }

    /// Shows every register that is read, to replace it.
    pub(crate) fn uses(&mut self, mut each: impl FnMut(&mut VReg)) {
        fn src(src: &mut Src, mut each: impl FnMut(&mut VReg)) {
            if let Src::Reg(reg) = src {
                each(reg);
            }
        }
        match self {
            InstKind::Mov { src: from, .. } => src(from, each),
            InstKind::Alu { lhs, rhs, .. } => {
                each(lhs);
                src(rhs, each);
            }
            InstKind::ByteSwap { src, .. } => each(src),
            InstKind::Load { base, .. } => base.uses(each),
            InstKind::Store {
                base, src: from, ..
            } => {
                base.uses(&mut each);
                src(from, each);
            }
            InstKind::AtomicAdd { base, src, .. } => {
                base.uses(&mut each);
                each(src);
            }
            InstKind::Call { args, .. } => {
                for arg in args {
                    if let CallArg::Src(from) = arg {
                        src(from, &mut each);
                    }
                }
            }
            InstKind::CallHelper { args, .. } => {
                for arg in 1..=*args {
                    each(&mut VReg(arg));
                }
            }
            InstKind::FrameAddr { .. } | InstKind::MapAddr { .. } | InstKind::Core { .. } => {}
        }
    }

    /// Shows every register that is read.
    pub(crate) fn reads(&self, mut each: impl FnMut(VReg)) {
        self.clone().uses(|reg| each(*reg));
    }

    /// Whether something besides the assigned register changes.
    pub(crate) fn has_effect(&self) -> bool {
        matches!(
            self,
            InstKind::Store { .. }
                | InstKind::AtomicAdd { .. }
                | InstKind::Call { .. }
                | InstKind::CallHelper { .. }
        )
    }
}

impl Base {
    fn uses(&mut self, mut each: impl FnMut(&mut VReg)) {
        if let Base::Reg(reg) = self {
            each(reg);
        }
    }
}
