//! From the recording to blocks: structured control flow becomes jumps.
//!
//! A condition becomes no register where it is tested only: values are assigned once, so that
//! comparing them where the branch is gives what comparing them where it was written gave.
//! Large ones that are tested in several places are the exception, see `shared.rs`.
//!
//! The recording was checked (`Unit::check`), so that its numbers and types fit.
//!
//! Read before: `../cfg.rs`. Read next: `conditions.rs`, `memory.rs`, `kernel.rs`.

mod arithmetic;
mod conditions;
mod kernel;
mod memory;
mod shared;
mod unaligned;

use std::collections::HashMap;

use self::conditions::Condition;
use self::shared::Conditions;
use super::cfg::{Base, Block, BlockId, Cfg, End, Inst, InstKind, MACHINE_REGS, Src, VReg};
use super::types::host_constant;
use super::{Kernel, LowerError};
use crate::isa::{AluOp, Width};
use ebpf_dsl::recording::{self, LocId, Op, OpKind, Operand, Program, Type, ValueId, VarId};

/// What a value has become.
#[derive(Clone, Copy, Debug)]
enum Lowered {
    Number(VReg),
    /// An address: so many bytes from a base.
    Pointer(Base, i32),
    Cond(Condition),
}

/// Where a return goes.
#[derive(Clone, Copy, Debug)]
enum Leave {
    Program,
    Inlined {
        result: Option<(VReg, Type)>,
        to: BlockId,
    },
}

struct Builder<'a> {
    kernel: Kernel<'a>,
    cfg: Cfg,
    types: Vec<Type>,
    values: HashMap<ValueId, Lowered>,
    vars: HashMap<VarId, (VReg, Type)>,
    conditions: Conditions,
    /// The block being filled.
    at: BlockId,
    leave: Leave,
    /// Stack slots for numbers that a helper takes by address, by argument.
    arg_slots: [Option<i16>; 5],
    /// Stack memory that is used for a moment, by its size in slots.
    scratch: HashMap<u32, i16>,
}

/// The blocks of a program.
pub(super) fn build(program: &Program, kernel: Kernel<'_>) -> Result<Cfg, LowerError> {
    let context = VReg(MACHINE_REGS);
    let mut cfg = Cfg {
        blocks: Vec::new(),
        next_reg: MACHINE_REGS + 1,
        context,
        frame: 0,
        target: crate::target::Target::default(),
    };
    let var_types = (0..).map(VarId).zip(&program.vars);
    let vars = var_types.map(|(var, ty)| (var, (cfg.reg(), *ty))).collect();
    let mut builder = Builder {
        kernel,
        cfg,
        types: program.values.clone(),
        values: HashMap::new(),
        vars,
        conditions: Conditions::of(&program.body),
        at: BlockId(0),
        leave: Leave::Program,
        arg_slots: [None; 5],
        scratch: HashMap::new(),
    };
    builder.at = builder.new_block(program.loc);
    let src = Src::Reg(VReg::R1);
    builder.mov(Width::W64, context, src, program.loc);
    builder.block(&program.body)?;
    Ok(builder.cfg)
}

impl Builder<'_> {
    /// A block that ends the program until it is told otherwise: where control cannot come.
    fn new_block(&mut self, loc: LocId) -> BlockId {
        self.cfg.blocks.push(Block {
            insts: Vec::new(),
            end: End::Return(Src::Imm(0)),
            loc,
        });
        BlockId(self.cfg.blocks.len() - 1)
    }

    fn push(&mut self, kind: InstKind, loc: LocId) {
        if let Some(block) = self.cfg.blocks.get_mut(self.at.0) {
            block.insts.push(Inst { kind, loc });
        }
    }

    /// Ends the block being filled.
    fn end(&mut self, end: End, loc: LocId) {
        if let Some(block) = self.cfg.blocks.get_mut(self.at.0) {
            block.end = end;
            block.loc = loc;
        }
    }

    fn mov(&mut self, width: Width, dst: VReg, src: Src, loc: LocId) {
        self.push(InstKind::Mov { width, dst, src }, loc);
    }

    fn alu(&mut self, op: AluOp, width: Width, lhs: VReg, rhs: Src, loc: LocId) -> VReg {
        let dst = self.cfg.reg();
        let alu = InstKind::Alu {
            op,
            width,
            dst,
            lhs,
            rhs,
        };
        self.push(alu, loc);
        dst
    }

    fn type_of(&self, id: ValueId) -> Type {
        self.types.get(id.0 as usize).copied().unwrap_or(Type::U64)
    }

    fn set(&mut self, id: ValueId, lowered: Lowered) {
        self.values.insert(id, lowered);
    }

    /// A value as a number or a pointer in a register.
    fn reg(&mut self, id: ValueId, loc: LocId) -> Result<VReg, LowerError> {
        match self.values.get(&id).copied() {
            Some(Lowered::Number(reg)) => Ok(reg),
            Some(Lowered::Pointer(Base::Reg(reg), 0)) => Ok(reg),
            Some(Lowered::Pointer(Base::Reg(reg), offset)) => {
                let offset = Src::Imm(i64::from(offset));
                Ok(self.alu(AluOp::Add, Width::W64, reg, offset, loc))
            }
            Some(Lowered::Pointer(Base::Frame, _)) | Some(Lowered::Cond(_)) | None => {
                Err(LowerError::Malformed)
            }
        }
    }

    fn pointer(&self, id: ValueId) -> Result<(Base, i32), LowerError> {
        match self.values.get(&id) {
            Some(Lowered::Pointer(base, offset)) => Ok((*base, *offset)),
            _ => Err(LowerError::Malformed),
        }
    }

    /// The address `offset` bytes behind a pointer.
    fn address(&self, ptr: ValueId, offset: u32) -> Result<(Base, i16), LowerError> {
        let (base, start) = self.pointer(ptr)?;
        let offset = i64::from(start) + i64::from(offset);
        let offset = i16::try_from(offset).map_err(|_| LowerError::Malformed)?;
        Ok((base, offset))
    }

    fn src(&mut self, operand: Operand, ty: Type, loc: LocId) -> Result<Src, LowerError> {
        Ok(match operand {
            Operand::Value(id) => Src::Reg(self.reg(id, loc)?),
            Operand::Const(number) => Src::Imm(host_constant(number, ty)),
        })
    }

    /// An operand in a register.
    fn operand(&mut self, operand: Operand, ty: Type, loc: LocId) -> Result<VReg, LowerError> {
        match self.src(operand, ty, loc)? {
            Src::Reg(reg) => Ok(reg),
            imm => {
                let dst = self.cfg.reg();
                self.mov(Width::W64, dst, imm, loc);
                Ok(dst)
            }
        }
    }

    fn block(&mut self, block: &recording::Block) -> Result<(), LowerError> {
        for op in block {
            self.op(op)?;
            if matches!(op.kind, OpKind::Return { .. }) {
                // What stands behind a return never runs.
                break;
            }
        }
        Ok(())
    }

    fn op(&mut self, op: &Op) -> Result<(), LowerError> {
        let loc = op.loc;
        match &op.kind {
            OpKind::Binary { dst, op, lhs, rhs } => self.binary(*dst, *op, *lhs, *rhs, loc),
            OpKind::Compare {
                dst,
                op,
                ty,
                lhs,
                rhs,
            } => self.compare(*dst, *op, *ty, (*lhs, *rhs), loc),
            OpKind::Not { dst, value } => self.compound(*dst, Condition::Not(*value), loc),
            OpKind::Swap { dst, value } => self.swap(*dst, *value, loc),
            OpKind::Cast { dst, value } => self.cast(*dst, *value, loc),
            OpKind::If {
                cond,
                then,
                otherwise,
            } => self.if_(*cond, then, otherwise, loc),
            OpKind::Inlined { dst, body } => self.inlined(*dst, body, loc),
            OpKind::Return { value } => self.return_(*value, loc),
            OpKind::Call { dst, helper, args } => self.call(*dst, *helper, args, loc),
            OpKind::SetVar { var, value } => {
                let (dst, ty) = self.var(*var)?;
                let src = self.src(*value, ty, loc)?;
                self.mov(Width::W64, dst, src, loc);
                Ok(())
            }
            OpKind::GetVar { dst, var } => {
                let (var, _) = self.var(*var)?;
                let copy = self.cfg.reg();
                self.mov(Width::W64, copy, Src::Reg(var), loc);
                self.set(*dst, Lowered::Number(copy));
                Ok(())
            }
            OpKind::Core {
                dst,
                kind,
                ty,
                path,
            } => self.core(*dst, (*kind, *ty, path), loc),
            memory => self.memory(memory, loc),
        }
    }

    fn var(&self, var: VarId) -> Result<(VReg, Type), LowerError> {
        self.vars.get(&var).copied().ok_or(LowerError::Malformed)
    }

    fn if_(
        &mut self,
        cond: ValueId,
        then: &recording::Block,
        otherwise: &recording::Block,
        loc: LocId,
    ) -> Result<(), LowerError> {
        let (then_at, otherwise_at) = (self.new_block(loc), self.new_block(loc));
        let join = self.new_block(loc);
        self.branch(cond, then_at, otherwise_at, loc)?;
        for (at, block) in [(then_at, then), (otherwise_at, otherwise)] {
            self.at = at;
            self.block(block)?;
            if !ends_with_return(block) {
                self.end(End::Jump(join), loc);
            }
        }
        self.at = join;
        Ok(())
    }

    fn inlined(
        &mut self,
        dst: Option<ValueId>,
        body: &recording::Block,
        loc: LocId,
    ) -> Result<(), LowerError> {
        let result = dst.map(|dst| (self.cfg.reg(), self.type_of(dst)));
        let to = self.new_block(loc);
        let outer = std::mem::replace(&mut self.leave, Leave::Inlined { result, to });
        self.block(body)?;
        self.leave = outer;
        self.at = to;
        if let (Some(dst), Some((result, _))) = (dst, result) {
            self.set(dst, Lowered::Number(result));
        }
        Ok(())
    }

    fn return_(&mut self, value: Option<Operand>, loc: LocId) -> Result<(), LowerError> {
        match (self.leave, value) {
            (Leave::Program, Some(value)) => {
                let value = self.src(value, Type::U32, loc)?;
                self.end(End::Return(value), loc);
            }
            (Leave::Inlined { result, to }, value) => {
                if let (Some((dst, ty)), Some(value)) = (result, value) {
                    let src = self.src(value, ty, loc)?;
                    self.mov(Width::W64, dst, src, loc);
                }
                self.end(End::Jump(to), loc);
            }
            (Leave::Program, None) => return Err(LowerError::Malformed),
        }
        Ok(())
    }
}

fn ends_with_return(block: &recording::Block) -> bool {
    let returns = |op: &Op| matches!(op.kind, OpKind::Return { .. });
    block.iter().any(returns)
}
