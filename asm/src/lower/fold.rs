//! Constant folding: what is known when the program is built is computed then.
//!
//! Registers that are assigned once are known everywhere behind the assignment; variables
//! only up to the end of the block. Besides constants, copies are followed, and an upper
//! bound for each number tells which masks and tests are needless.

use std::collections::HashMap;

use super::cfg::{Base, BlockId, CallArg, Cfg, End, Inst, InstKind, Src, Test, VReg};
use crate::eval;
use crate::isa::{AluOp, Cond, Width};

/// What is known about a register.
#[derive(Clone, Copy, Debug)]
struct Fact {
    /// What it is a copy of: a constant, or a register that is assigned once.
    same: Option<Src>,
    /// The largest number it can hold.
    max: u64,
}

const UNKNOWN: Fact = Fact {
    same: None,
    max: u64::MAX,
};

struct Folder {
    assigned: Vec<u32>,
    context: VReg,
    facts: HashMap<VReg, Fact>,
    /// Facts that hold to the end of the block, or until an assignment.
    local: HashMap<VReg, Fact>,
}

/// Folds the whole program.
pub(super) fn fold(cfg: &mut Cfg) {
    let mut folder = Folder {
        assigned: cfg.assignments(),
        context: cfg.context,
        facts: HashMap::new(),
        local: HashMap::new(),
    };
    for BlockId(index) in cfg.order() {
        let Some(block) = cfg.blocks.get_mut(index) else {
            continue;
        };
        folder.local.clear();
        for inst in &mut block.insts {
            folder.inst(inst);
        }
        block.end = folder.end(block.end);
    }
}

impl Folder {
    fn once(&self, reg: VReg) -> bool {
        !reg.is_machine() && self.assigned.get(reg.index()) == Some(&1)
    }

    fn fact(&self, reg: VReg) -> Fact {
        let known = self.local.get(&reg).or_else(|| self.facts.get(&reg));
        known.copied().unwrap_or(UNKNOWN)
    }

    /// The register itself, or what it is a copy of.
    fn reg(&self, reg: VReg) -> VReg {
        match self.fact(reg).same {
            Some(Src::Reg(original)) => original,
            _ => reg,
        }
    }

    fn src(&self, src: Src) -> Src {
        match src {
            Src::Reg(reg) => self.fact(reg).same.unwrap_or(src),
            imm => imm,
        }
    }

    fn max(&self, src: Src) -> u64 {
        match src {
            Src::Reg(reg) => self.fact(reg).max,
            Src::Imm(imm) => imm as u64,
        }
    }

    fn constant(&self, reg: VReg) -> Option<u64> {
        match self.fact(reg).same {
            Some(Src::Imm(imm)) => Some(imm as u64),
            _ => None,
        }
    }

    fn inst(&mut self, inst: &mut Inst) {
        self.substitute(&mut inst.kind);
        self.simplify(&mut inst.kind);
        if let Some(dst) = inst.kind.dst() {
            let fact = self.learn(&inst.kind);
            self.forget(dst);
            let facts = if self.once(dst) {
                &mut self.facts
            } else {
                &mut self.local
            };
            facts.insert(dst, fact);
        }
    }

    /// A register gets another value: what was a copy of it is none any more.
    fn forget(&mut self, dst: VReg) {
        self.local.remove(&dst);
        let stale = |fact: &Fact| fact.same == Some(Src::Reg(dst));
        self.local.retain(|_, fact| !stale(fact));
    }

    /// Reads what registers are copies of.
    fn substitute(&self, kind: &mut InstKind) {
        match kind {
            InstKind::Mov { src, .. } => *src = self.src(*src),
            InstKind::Alu { lhs, rhs, .. } => {
                *lhs = self.reg(*lhs);
                *rhs = self.src(*rhs);
            }
            InstKind::ByteSwap { src, .. } => *src = self.reg(*src),
            InstKind::Load { base, .. } => self.base(base),
            InstKind::Store { base, src, .. } => {
                self.base(base);
                *src = self.src(*src);
            }
            InstKind::AtomicAdd { base, src, .. } => {
                self.base(base);
                *src = self.reg(*src);
            }
            InstKind::Call { args, .. } => {
                for arg in args {
                    if let CallArg::Src(src) = arg {
                        *src = self.src(*src);
                    }
                }
            }
            InstKind::CallHelper { .. }
            | InstKind::FrameAddr { .. }
            | InstKind::MapAddr { .. }
            | InstKind::Core { .. } => {}
        }
    }

    fn base(&self, base: &mut Base) {
        if let Base::Reg(reg) = base {
            *reg = self.reg(*reg);
        }
    }

    /// Makes an instruction a copy where it is one.
    fn simplify(&self, kind: &mut InstKind) {
        let (dst, copied) = match *kind {
            InstKind::Mov {
                width: Width::W32,
                dst,
                src,
            } => (dst, self.copy(src).map(|src| (Width::W64, src))),
            InstKind::Alu {
                op,
                width,
                dst,
                lhs,
                rhs,
            } => {
                let (lhs, rhs) = self.constant_last(op, lhs, rhs);
                let rhs = valid_count(op, width, rhs);
                *kind = InstKind::Alu {
                    op,
                    width,
                    dst,
                    lhs,
                    rhs,
                };
                (dst, self.alu(op, width, lhs, rhs))
            }
            InstKind::ByteSwap {
                swap,
                size,
                dst,
                src,
            } => {
                let swapped = |value| Src::Imm(eval::byte_swap(swap, size, value) as i64);
                let swapped = self.constant(src).map(swapped);
                (dst, swapped.map(|src| (Width::W64, src)))
            }
            _ => return,
        };
        if let Some((width, src)) = copied {
            *kind = InstKind::Mov { width, dst, src };
        }
    }

    /// What a 32-bit copy is as a 64-bit one.
    fn copy(&self, src: Src) -> Option<Src> {
        match src {
            Src::Imm(imm) => Some(Src::Imm(i64::from(imm as u32))),
            Src::Reg(_) if self.max(src) <= u64::from(u32::MAX) => Some(src),
            Src::Reg(_) => None,
        }
    }

    /// The operands, the constant one last where the order is free.
    fn constant_last(&self, op: AluOp, lhs: VReg, rhs: Src) -> (VReg, Src) {
        let free = matches!(
            op,
            AluOp::Add | AluOp::Mul | AluOp::And | AluOp::Or | AluOp::Xor
        );
        match (self.constant(lhs), rhs) {
            (Some(number), Src::Reg(rhs)) if free => (rhs, Src::Imm(number as i64)),
            _ => (lhs, rhs),
        }
    }

    /// What copy an operation is, if it gives a constant or one of its operands. A division by a
    /// constant zero always is: the kernel would refuse it as an instruction.
    fn alu(&self, op: AluOp, width: Width, lhs: VReg, rhs: Src) -> Option<(Width, Src)> {
        let Src::Imm(imm) = rhs else {
            return None;
        };
        if let Some(lhs) = self.constant(lhs) {
            let number = eval::alu(op, width, lhs, imm as u64) as i64;
            return Some((Width::W64, Src::Imm(number)));
        }
        if imm == 0 && matches!(op, AluOp::Div | AluOp::Sdiv) {
            return Some((Width::W64, Src::Imm(0)));
        }
        let unchanged = match op {
            AluOp::Add
            | AluOp::Sub
            | AluOp::Or
            | AluOp::Xor
            | AluOp::Lsh
            | AluOp::Rsh
            | AluOp::Arsh => imm == 0,
            AluOp::Mul | AluOp::Div => imm == 1,
            AluOp::And => is_mask(imm) && self.max(Src::Reg(lhs)) <= imm as u64,
            AluOp::Mod | AluOp::Smod => imm == 0,
            AluOp::Sdiv => imm == 1,
        };
        // A 32-bit operation cuts to 32 bits, even where it changes nothing else.
        let whole = self.max(Src::Reg(lhs)) <= u64::from(u32::MAX);
        let copy = if whole { Width::W64 } else { width };
        unchanged.then_some((copy, Src::Reg(lhs)))
    }

    /// What is known about what an instruction assigns.
    fn learn(&self, kind: &InstKind) -> Fact {
        match *kind {
            InstKind::Mov {
                width: Width::W64,
                dst,
                src,
            } => Fact {
                same: self.followed(dst, src),
                max: self.max(src),
            },
            InstKind::Mov {
                width: Width::W32, ..
            } => at_most(u64::from(u32::MAX)),
            InstKind::Alu {
                op,
                width,
                lhs,
                rhs,
                ..
            } => at_most(self.alu_max(op, width, lhs, rhs)),
            InstKind::ByteSwap { size, .. } => at_most(size_max(size.bytes())),
            // What the context holds in 32 bits may be a pointer when it is loaded.
            InstKind::Load { base, .. } if base == Base::Reg(self.context) => UNKNOWN,
            InstKind::Load { size, .. } => at_most(size_max(size.bytes())),
            _ => UNKNOWN,
        }
    }

    /// A copy can be followed if the original does not change: nowhere if it is assigned
    /// once, in this block if only a local fact is kept.
    fn followed(&self, dst: VReg, src: Src) -> Option<Src> {
        match src {
            Src::Imm(_) => Some(src),
            Src::Reg(from) if self.once(from) => Some(src),
            Src::Reg(from) if !from.is_machine() && !self.once(dst) => Some(src),
            Src::Reg(_) => None,
        }
    }

    fn alu_max(&self, op: AluOp, width: Width, lhs: VReg, rhs: Src) -> u64 {
        let cap = match width {
            Width::W32 => u64::from(u32::MAX),
            Width::W64 => u64::MAX,
        };
        let (a, b) = (self.max(Src::Reg(lhs)), self.max(rhs));
        let shift = |imm: i64| imm as u32 & (width.bits() - 1);
        let max = match (op, rhs) {
            (AluOp::Add, _) => a.checked_add(b),
            (AluOp::Mul, _) => a.checked_mul(b),
            (AluOp::And, _) => Some(a.min(b)),
            // Not `Div`: verifiers do not follow it, and a mask behind it proves the bound.
            (AluOp::Lsh, Src::Imm(imm)) => {
                let shifted = a.checked_shl(shift(imm));
                shifted.filter(|max| max >> shift(imm) == a)
            }
            (AluOp::Rsh, Src::Imm(imm)) if a <= cap => Some(a >> shift(imm)),
            _ => None,
        };
        // A result that may not fit the width wraps to anything that does.
        max.filter(|max| *max <= cap).unwrap_or(cap)
    }

    fn end(&self, end: End) -> End {
        match end {
            End::Branch {
                test,
                then,
                otherwise,
            } => {
                let test = self.test(test);
                match self.outcome(test) {
                    Some(Outcome::Holds) => End::Jump(then),
                    Some(Outcome::Fails) => End::Jump(otherwise),
                    None => End::Branch {
                        test,
                        then,
                        otherwise,
                    },
                }
            }
            End::Bounds {
                ptr,
                end,
                data_end,
                inside,
                outside,
            } => End::Bounds {
                ptr: self.reg(ptr),
                end,
                data_end: self.reg(data_end),
                inside,
                outside,
            },
            End::Return(value) => End::Return(self.src(value)),
            other => other,
        }
    }

    /// The test, its constant operand last.
    fn test(&self, test: Test) -> Test {
        let (lhs, rhs) = (self.reg(test.lhs), self.src(test.rhs));
        match (self.constant(lhs), rhs) {
            (Some(number), Src::Reg(rhs)) => Test {
                cond: test.cond.swapped(),
                lhs: rhs,
                rhs: Src::Imm(number as i64),
                ..test
            },
            _ => Test { lhs, rhs, ..test },
        }
    }

    /// How a test ends, where that is known.
    fn outcome(&self, test: Test) -> Option<Outcome> {
        let Src::Imm(imm) = test.rhs else {
            return None;
        };
        let rhs = imm as u64;
        if let Some(lhs) = self.constant(test.lhs) {
            return Some(match test.cond.holds(test.width, lhs, rhs) {
                true => Outcome::Holds,
                false => Outcome::Fails,
            });
        }
        let max = self.max(Src::Reg(test.lhs));
        // A 32-bit test sees all of a number only if it has no more bits.
        if test.width == Width::W32 && max > u64::from(u32::MAX) {
            return None;
        }
        let rhs = match test.width {
            Width::W32 => u64::from(rhs as u32),
            Width::W64 => rhs,
        };
        match test.cond {
            Cond::Jgt if max <= rhs => Some(Outcome::Fails),
            Cond::Jge | Cond::Jeq if max < rhs => Some(Outcome::Fails),
            Cond::Jle if max <= rhs => Some(Outcome::Holds),
            Cond::Jlt | Cond::Jne if max < rhs => Some(Outcome::Holds),
            _ => None,
        }
    }
}

/// The kernel refuses a constant shift count that is not below the width; a count in a
/// register is masked, and so is one that became a constant.
fn valid_count(op: AluOp, width: Width, rhs: Src) -> Src {
    match (op, rhs) {
        (AluOp::Lsh | AluOp::Rsh | AluOp::Arsh, Src::Imm(count)) => {
            Src::Imm(count & i64::from(width.bits() - 1))
        }
        _ => rhs,
    }
}

#[derive(Clone, Copy, Debug)]
enum Outcome {
    Holds,
    Fails,
}

fn at_most(max: u64) -> Fact {
    Fact { same: None, max }
}

/// The largest number of so many bytes.
fn size_max(bytes: u32) -> u64 {
    u64::MAX >> (64 - 8 * bytes.clamp(1, 8))
}

/// Whether a number is `0...01...1`.
fn is_mask(imm: i64) -> bool {
    imm > 0 && imm & imm.wrapping_add(1) == 0
}
