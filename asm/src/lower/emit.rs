//! Emission: blocks in order become lines of the assembler.

use super::LowerError;
use super::cfg::{Base, BlockId, Cfg, End, Inst, InstKind, Question, Src, Test, VReg};
use super::expand::fits;
use super::layout::{is_exit, layout};
use crate::assembler::{Assembler, Label, Source};
use crate::btf::core::CoreKind;
use crate::insn::Reg;
use crate::isa::{AtomicOp, Operand, Sem, Width};
use crate::program::{Program, Reference};
use crate::span::Span;
use ebpf_dsl::recording::LocId;

/// A number that becomes the low half of a register.
const MOV32: Sem = Sem::Mov {
    width: Width::W32,
    operand: Operand::Imm,
};

/// The length of a program in the machine's form, in slots.
pub(super) fn length(cfg: &Cfg) -> usize {
    match emit(cfg, "", "xdp", &[]) {
        Ok(program) => program.slot_count(),
        // What cannot be emitted is never the shorter one.
        Err(_) => usize::MAX,
    }
}

/// Emits a program whose registers are all the machine's.
pub(super) fn emit(
    cfg: &Cfg,
    name: &str,
    section: &str,
    spans: &[Span<&str>],
) -> Result<Program, LowerError> {
    let mut asm = Assembler::new(name);
    asm.target(cfg.target);
    let labels = cfg.blocks.iter().map(|_| asm.label()).collect();
    let mut emitter = Emitter {
        asm,
        labels,
        spans,
        cfg,
    };
    let order = layout(cfg);
    for (index, id) in order.iter().enumerate() {
        let next = order.get(index + 1).copied();
        emitter.block(*id, next)?;
    }
    Ok(emitter.asm.finish(section)?)
}

struct Emitter<'a> {
    asm: Assembler,
    labels: Vec<Label>,
    spans: &'a [Span<&'a str>],
    cfg: &'a Cfg,
}

impl Emitter<'_> {
    fn at(&mut self, loc: LocId) {
        let span = self.spans.get(loc.0 as usize).copied();
        self.asm.at(span);
    }

    fn label(&self, id: BlockId) -> Result<Label, LowerError> {
        self.labels.get(id.0).copied().ok_or(LowerError::Malformed)
    }

    fn block(&mut self, id: BlockId, next: Option<BlockId>) -> Result<(), LowerError> {
        let block = self.cfg.block(id).ok_or(LowerError::Malformed)?;
        let label = self.label(id)?;
        self.asm.bind(label);
        for inst in &block.insts {
            self.inst(inst)?;
        }
        self.at(block.loc);
        self.end(block.end, next)
    }

    fn end(&mut self, end: End, next: Option<BlockId>) -> Result<(), LowerError> {
        match end {
            End::Exit => {
                // The exit that follows serves.
                if !next.is_some_and(|next| is_exit(self.cfg, next)) {
                    self.asm.exit();
                }
                Ok(())
            }
            End::Jump(to) => self.goto(to, next),
            End::Branch {
                test,
                then,
                otherwise,
            } => self.branch(test, then, otherwise, next),
            End::Bounds { .. } | End::Return(_) => Err(LowerError::Malformed),
        }
    }

    /// A jump to one of two blocks, and to the other if it does not follow.
    fn branch(
        &mut self,
        test: Test,
        then: BlockId,
        otherwise: BlockId,
        next: Option<BlockId>,
    ) -> Result<(), LowerError> {
        let negated = test.cond.negated().map(|cond| Test { cond, ..test });
        let negated = negated.and_then(|test| self.possible(test));
        match (self.possible(test), negated) {
            (_, Some(test)) if next == Some(then) => self.jump(test, otherwise),
            (None, Some(test)) => {
                self.jump(test, otherwise)?;
                self.goto(then, next)
            }
            // Without either, the target is asked later and refuses it by name.
            (possible, _) => {
                self.jump(possible.unwrap_or(test), then)?;
                self.goto(otherwise, next)
            }
        }
    }

    /// The test as the target has it: some have `>` and no `<`.
    fn possible(&self, test: Test) -> Option<Test> {
        let has = |test: &Test| {
            let operand = match test.rhs {
                Src::Reg(_) => Operand::Reg,
                Src::Imm(_) => Operand::Imm,
            };
            let (cond, width) = (test.cond, test.width);
            self.cfg.target.has(Sem::Jump {
                cond,
                width,
                operand,
            })
        };
        let swapped = match test.rhs {
            Src::Reg(rhs) => Some(Test {
                cond: test.cond.swapped(),
                lhs: rhs,
                rhs: Src::Reg(test.lhs),
                ..test
            }),
            Src::Imm(_) => None,
        };
        [Some(test), swapped].into_iter().flatten().find(has)
    }

    fn goto(&mut self, to: BlockId, next: Option<BlockId>) -> Result<(), LowerError> {
        if next == Some(to) {
            return Ok(());
        }
        if is_exit(self.cfg, to) {
            self.asm.exit();
        } else {
            let to = self.label(to)?;
            self.asm.ja(to);
        }
        Ok(())
    }

    fn jump(&mut self, test: Test, to: BlockId) -> Result<(), LowerError> {
        let (lhs, rhs) = (machine(test.lhs)?, source(test.width, test.rhs)?);
        let to = self.label(to)?;
        self.asm.jump(test.cond, test.width, lhs, rhs, to);
        Ok(())
    }

    fn inst(&mut self, inst: &Inst) -> Result<(), LowerError> {
        self.at(inst.loc);
        match inst.kind {
            InstKind::Mov { width, dst, src } => self.mov(width, machine(dst)?, src)?,
            InstKind::Alu {
                op,
                width,
                dst,
                lhs,
                rhs,
            } => {
                if dst != lhs {
                    return Err(LowerError::Malformed);
                }
                self.asm.alu(op, width, machine(dst)?, source(width, rhs)?);
            }
            InstKind::ByteSwap {
                swap, size, dst, ..
            } => {
                self.asm.byte_swap(swap, size, machine(dst)?);
            }
            InstKind::Load {
                size,
                dst,
                base,
                offset,
            } => {
                self.asm.ldx(size, machine(dst)?, base_of(base)?, offset);
            }
            InstKind::Store {
                size,
                base,
                offset,
                src,
            } => {
                let width = match size.bytes() {
                    8 => Width::W64,
                    _ => Width::W32,
                };
                let src = source(width, src)?;
                self.asm.st(size, base_of(base)?, offset, src);
            }
            InstKind::AtomicAdd {
                size,
                base,
                offset,
                src,
            } => {
                let (base, src) = (base_of(base)?, machine(src)?);
                self.asm.atomic(AtomicOp::Add, size, base, offset, src);
            }
            InstKind::FrameAddr { dst, offset } => {
                let dst = machine(dst)?;
                self.asm.mov(dst, Reg::R10).add(dst, i32::from(offset));
            }
            InstKind::MapAddr { dst, map } => {
                self.asm.ld_reference(machine(dst)?, Reference::Map(map));
            }
            InstKind::Core { dst, ref question } => self.core(machine(dst)?, question)?,
            InstKind::CallHelper { helper, .. } => {
                self.asm.call(helper);
            }
            InstKind::Call { .. } => return Err(LowerError::Malformed),
        }
        Ok(())
    }

    /// A number that whoever loads the program replaces. Enumerators may have 64 bits.
    fn core(&mut self, dst: Reg, question: &Question) -> Result<(), LowerError> {
        let Question { relocation, local } = question;
        self.asm.core(relocation.clone());
        match relocation.kind {
            CoreKind::EnumvalValue => self.asm.ld_imm64(dst, *local),
            _ => {
                let number = i32::try_from(*local).map_err(|_| LowerError::Malformed)?;
                self.asm.mov(dst, number)
            }
        };
        Ok(())
    }

    /// A copy, or a constant by the shortest instruction that can hold it.
    fn mov(&mut self, width: Width, dst: Reg, src: Src) -> Result<(), LowerError> {
        match (width, src) {
            (Width::W32, src) => {
                let src = source(Width::W32, src)?;
                self.asm.mov32(dst, src);
            }
            (Width::W64, Src::Reg(src)) => {
                self.asm.mov(dst, machine(src)?);
            }
            (Width::W64, Src::Imm(imm)) => match (i32::try_from(imm), u32::try_from(imm)) {
                (Ok(imm), _) => {
                    self.asm.mov(dst, imm);
                }
                (_, Ok(imm)) if self.cfg.target.has(MOV32) => {
                    self.asm.mov32(dst, imm as i32);
                }
                _ => {
                    self.asm.ld_imm64(dst, imm as u64);
                }
            },
        }
        Ok(())
    }
}

fn machine(reg: VReg) -> Result<Reg, LowerError> {
    let number = u8::try_from(reg.0).map_err(|_| LowerError::Malformed)?;
    Reg::new(number).ok_or(LowerError::Malformed)
}

fn base_of(base: Base) -> Result<Reg, LowerError> {
    match base {
        Base::Reg(reg) => machine(reg),
        Base::Frame => Ok(Reg::R10),
    }
}

fn source(width: Width, src: Src) -> Result<Source, LowerError> {
    match src {
        Src::Reg(reg) => machine(reg).map(Source::Reg),
        Src::Imm(imm) => fits(width, imm)
            .map(Source::Imm)
            .ok_or(LowerError::Malformed),
    }
}
