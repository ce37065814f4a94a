//! What the target does not have: 32-bit operations become 64-bit ones.
//!
//! A number is first extended to 64 bits where its upper half matters, and the upper half of a
//! result cleared. Compilers below `-mcpu=v3` do the same; every Linux release could do
//! without, but for 32-bit jumps (5.1) and the 32-bit `s>>=` (5.0). Jumps that only the other
//! way round exist are `emit.rs`'s business. What cannot be done otherwise (signed division)
//! stays, and is refused by [`crate::target::Target::check`].

use super::cfg::{Cfg, End, Inst, InstKind, Src, Test, VReg};
use crate::isa::{AluOp, Cond, Operand, Sem, Width};
use ebpf_dsl::recording::LocId;

/// Rewrites every block.
pub(super) fn legalise(cfg: &mut Cfg) {
    for id in cfg.order() {
        let Some(block) = cfg.blocks.get_mut(id.0) else {
            continue;
        };
        let insts = std::mem::take(&mut block.insts);
        let (mut end, loc) = (block.end, block.loc);
        let mut out = Legaliser {
            cfg: &mut *cfg,
            insts: Vec::with_capacity(insts.len()),
            loc,
        };
        for inst in insts {
            out.loc = inst.loc;
            out.inst(inst.kind);
        }
        out.loc = loc;
        if let End::Branch { test, .. } = &mut end {
            *test = out.test(*test);
        }
        let insts = out.insts;
        if let Some(block) = cfg.blocks.get_mut(id.0) {
            block.insts = insts;
            block.end = end;
        }
    }
}

/// How the upper half of a register is filled.
#[derive(Clone, Copy)]
enum Extend {
    Zero,
    Sign,
}

impl Extend {
    /// The low half of a number, extended.
    fn number(self, imm: i64) -> i64 {
        match self {
            Extend::Zero => i64::from(imm as u32),
            Extend::Sign => i64::from(imm as i32),
        }
    }
}

struct Legaliser<'a> {
    cfg: &'a mut Cfg,
    insts: Vec<Inst>,
    loc: LocId,
}

impl Legaliser<'_> {
    fn push(&mut self, kind: InstKind) {
        let loc = self.loc;
        self.insts.push(Inst { kind, loc });
    }

    fn has(&self, sem: Sem) -> bool {
        self.cfg.target.has(sem)
    }

    fn inst(&mut self, kind: InstKind) {
        const W32: Width = Width::W32;
        match kind {
            InstKind::Mov {
                width: W32,
                dst,
                src,
            } if !self.has(mov32(src)) => self.copy(dst, src),
            InstKind::Alu {
                op,
                width: W32,
                dst,
                lhs,
                rhs,
            } if !self.has(alu32(op, rhs)) => self.alu(op, dst, lhs, rhs),
            other => self.push(other),
        }
    }

    /// `dst = src`, the upper half zero.
    fn copy(&mut self, dst: VReg, src: Src) {
        match src {
            Src::Reg(src) => self.extend_into(dst, src, Extend::Zero),
            Src::Imm(imm) => self.push(InstKind::Mov {
                width: Width::W64,
                dst,
                src: Src::Imm(Extend::Zero.number(imm)),
            }),
        }
    }

    /// `dst = (u32)(lhs op rhs)`.
    fn alu(&mut self, op: AluOp, dst: VReg, lhs: VReg, rhs: Src) {
        match op {
            AluOp::And | AluOp::Add | AluOp::Sub | AluOp::Mul | AluOp::Or | AluOp::Xor => {
                let rhs = match rhs {
                    Src::Imm(imm) => Src::Imm(Extend::Sign.number(imm)),
                    reg => reg,
                };
                match (op, rhs) {
                    // A mask without a sign clears the upper half as well.
                    (AluOp::And, Src::Imm(0..)) => self.alu64(op, dst, lhs, rhs),
                    _ => self.alu64_cut(op, dst, lhs, rhs),
                }
            }
            AluOp::Lsh => {
                let count = self.count(rhs);
                self.alu64_cut(op, dst, lhs, count);
            }
            AluOp::Rsh => {
                let (lhs, count) = (self.extended(lhs, Extend::Zero), self.count(rhs));
                self.alu64(op, dst, lhs, count);
            }
            AluOp::Arsh => {
                let (lhs, count) = (self.extended(lhs, Extend::Sign), self.count(rhs));
                self.alu64_cut(op, dst, lhs, count);
            }
            AluOp::Div | AluOp::Mod => {
                let lhs = self.extended(lhs, Extend::Zero);
                let rhs = self.operand(rhs, Extend::Zero);
                self.alu64(op, dst, lhs, rhs);
            }
            AluOp::Sdiv | AluOp::Smod => self.push(InstKind::Alu {
                op,
                width: Width::W32,
                dst,
                lhs,
                rhs,
            }),
        }
    }

    fn alu64(&mut self, op: AluOp, dst: VReg, lhs: VReg, rhs: Src) {
        let width = Width::W64;
        self.push(InstKind::Alu {
            op,
            width,
            dst,
            lhs,
            rhs,
        });
    }

    /// A 64-bit operation of whose result the low half counts.
    fn alu64_cut(&mut self, op: AluOp, dst: VReg, lhs: VReg, rhs: Src) {
        let whole = self.cfg.reg();
        self.alu64(op, whole, lhs, rhs);
        self.extend_into(dst, whole, Extend::Zero);
    }

    /// A shift count: 32-bit shifts look at its low five bits.
    fn count(&mut self, count: Src) -> Src {
        match count {
            Src::Imm(count) => Src::Imm(count & 31),
            Src::Reg(count) => {
                let masked = self.cfg.reg();
                self.alu64(AluOp::And, masked, count, Src::Imm(31));
                Src::Reg(masked)
            }
        }
    }

    fn extended(&mut self, src: VReg, how: Extend) -> VReg {
        let dst = self.cfg.reg();
        self.extend_into(dst, src, how);
        dst
    }

    fn extend_into(&mut self, dst: VReg, src: VReg, how: Extend) {
        let shifted = self.cfg.reg();
        let back = match how {
            Extend::Zero => AluOp::Rsh,
            Extend::Sign => AluOp::Arsh,
        };
        self.alu64(AluOp::Lsh, shifted, src, Src::Imm(32));
        self.alu64(back, dst, shifted, Src::Imm(32));
    }

    fn operand(&mut self, src: Src, how: Extend) -> Src {
        match src {
            Src::Imm(imm) => Src::Imm(how.number(imm)),
            Src::Reg(reg) => Src::Reg(self.extended(reg, how)),
        }
    }

    fn test(&mut self, test: Test) -> Test {
        let Test {
            cond,
            width,
            lhs,
            rhs,
        } = test;
        let jump = Sem::Jump {
            cond,
            width,
            operand: operand_of(rhs),
        };
        if width == Width::W64 || self.has(jump) {
            return test;
        }
        let how = match cond {
            Cond::Jsgt | Cond::Jsge | Cond::Jslt | Cond::Jsle => Extend::Sign,
            _ => Extend::Zero,
        };
        Test {
            cond,
            width: Width::W64,
            lhs: self.extended(lhs, how),
            rhs: self.operand(rhs, how),
        }
    }
}

fn operand_of(src: Src) -> Operand {
    match src {
        Src::Reg(_) => Operand::Reg,
        Src::Imm(_) => Operand::Imm,
    }
}

fn mov32(src: Src) -> Sem {
    let (width, operand) = (Width::W32, operand_of(src));
    Sem::Mov { width, operand }
}

fn alu32(op: AluOp, rhs: Src) -> Sem {
    let (width, operand) = (Width::W32, operand_of(rhs));
    Sem::Alu { op, width, operand }
}
