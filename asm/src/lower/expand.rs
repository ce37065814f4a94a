//! The machine's form: two addresses, the calling convention, constants that fit.
//!
//! What this adds are mostly copies, which the register allocation makes one register of
//! where it can.

use super::cfg::{CallArg, Cfg, End, Inst, InstKind, Src, Test, VReg};
use crate::isa::{AluOp, Cond, Size, Width};
use ebpf_dsl::recording::LocId;

/// Rewrites every block.
pub(super) fn expand(cfg: &mut Cfg) {
    for id in cfg.order() {
        let Some(block) = cfg.blocks.get_mut(id.0) else {
            continue;
        };
        let insts = std::mem::take(&mut block.insts);
        let (end, loc) = (block.end, block.loc);
        let mut out = Expander {
            cfg: &mut *cfg,
            insts: Vec::new(),
            loc,
        };
        for inst in insts {
            out.loc = inst.loc;
            out.inst(inst.kind);
        }
        out.loc = loc;
        let end = out.end(end);
        let insts = out.insts;
        if let Some(block) = cfg.blocks.get_mut(id.0) {
            block.insts = insts;
            block.end = end;
        }
    }
}

struct Expander<'a> {
    cfg: &'a mut Cfg,
    insts: Vec<Inst>,
    loc: LocId,
}

impl Expander<'_> {
    fn push(&mut self, kind: InstKind) {
        let loc = self.loc;
        self.insts.push(Inst { kind, loc });
    }

    fn mov(&mut self, dst: VReg, src: Src) {
        let width = Width::W64;
        self.push(InstKind::Mov { width, dst, src });
    }

    /// A number that an instruction of this width cannot hold goes to a register.
    fn fitting(&mut self, width: Width, src: Src) -> Src {
        match src {
            Src::Imm(imm) if fits(width, imm).is_none() => {
                let dst = self.cfg.reg();
                self.mov(dst, src);
                Src::Reg(dst)
            }
            fitting => fitting,
        }
    }

    fn inst(&mut self, kind: InstKind) {
        match kind {
            InstKind::Alu {
                op,
                width,
                dst,
                lhs,
                rhs,
            } => self.alu(op, width, dst, lhs, rhs),
            InstKind::ByteSwap {
                swap,
                size,
                dst,
                src,
            } => {
                self.mov(dst, Src::Reg(src));
                let src = dst;
                self.push(InstKind::ByteSwap {
                    swap,
                    size,
                    dst,
                    src,
                });
            }
            InstKind::Store {
                size,
                base,
                offset,
                src,
            } => {
                let width = match size {
                    Size::DW => Width::W64,
                    _ => Width::W32,
                };
                let src = self.fitting(width, src);
                self.push(InstKind::Store {
                    size,
                    base,
                    offset,
                    src,
                });
            }
            InstKind::Call { helper, dst, args } => self.call(helper, dst, &args),
            other => self.push(other),
        }
    }

    fn alu(&mut self, op: AluOp, width: Width, dst: VReg, lhs: VReg, rhs: Src) {
        let mut rhs = self.fitting(width, rhs);
        if rhs == Src::Reg(dst) && lhs != dst {
            // The copy of `lhs` would overwrite it.
            let copy = self.cfg.reg();
            self.mov(copy, rhs);
            rhs = Src::Reg(copy);
        }
        if lhs != dst {
            self.mov(dst, Src::Reg(lhs));
        }
        let lhs = dst;
        self.push(InstKind::Alu {
            op,
            width,
            dst,
            lhs,
            rhs,
        });
    }

    fn call(&mut self, helper: i32, dst: VReg, args: &[CallArg]) {
        for (index, arg) in (1..).zip(args) {
            let to = VReg(index);
            match *arg {
                CallArg::Src(src) => self.mov(to, src),
                CallArg::Map(map) => self.push(InstKind::MapAddr { dst: to, map }),
                CallArg::FrameAddr(offset) => self.push(InstKind::FrameAddr { dst: to, offset }),
            }
        }
        let args = args.len() as u32;
        self.push(InstKind::CallHelper { helper, args });
        self.mov(dst, Src::Reg(VReg::R0));
    }

    fn end(&mut self, end: End) -> End {
        match end {
            End::Return(value) => {
                self.mov(VReg::R0, value);
                End::Exit
            }
            End::Branch {
                mut test,
                then,
                otherwise,
            } => {
                test.rhs = self.fitting(test.width, test.rhs);
                End::Branch {
                    test,
                    then,
                    otherwise,
                }
            }
            End::Bounds {
                ptr,
                end,
                data_end,
                inside,
                outside,
            } => {
                let lhs = self.behind(ptr, end);
                let test = Test {
                    cond: Cond::Jgt,
                    width: Width::W64,
                    lhs,
                    rhs: Src::Reg(data_end),
                };
                End::Branch {
                    test,
                    then: outside,
                    otherwise: inside,
                }
            }
            other => other,
        }
    }

    /// The address so many bytes behind a pointer.
    fn behind(&mut self, ptr: VReg, bytes: i32) -> VReg {
        if bytes == 0 {
            return ptr;
        }
        let dst = self.cfg.reg();
        let rhs = Src::Imm(i64::from(bytes));
        self.alu(AluOp::Add, Width::W64, dst, ptr, rhs);
        dst
    }
}

/// The number as the 32-bit field of an instruction of this width holds it; `None` if it
/// cannot. 64-bit instructions extend it with its sign; 32-bit ones have no more bits.
pub(super) fn fits(width: Width, imm: i64) -> Option<i32> {
    match width {
        Width::W64 => i32::try_from(imm).ok(),
        Width::W32 => Some(imm as i32),
    }
}
