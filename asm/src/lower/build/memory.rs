//! Memory, the context, and helpers that are handed addresses.

use super::conditions::Condition;
use super::{Builder, Lowered};
use crate::helper;
use crate::isa::{AluOp, Cond, Size, Width};
use crate::lower::LowerError;
use crate::lower::cfg::{Base, CallArg, InstKind, Src, Test, VReg};
use crate::lower::types::size_of;
use ebpf_dsl::recording::{Arg, ContextField, Helper, LocId, OpKind, Operand, Type, ValueId};

/// Offsets of `struct xdp_md` (`include/uapi/linux/bpf.h`), in bytes.
mod xdp_md {
    pub(super) const DATA: i16 = 0;
    pub(super) const DATA_END: i16 = 4;
    pub(super) const INGRESS_IFINDEX: i16 = 12;
    pub(super) const RX_QUEUE_INDEX: i16 = 16;
}

impl Builder<'_> {
    pub(super) fn call(
        &mut self,
        dst: ValueId,
        helper: Helper,
        args: &[Arg],
        loc: LocId,
    ) -> Result<(), LowerError> {
        let known = helper::by_name(helper.name()).ok_or(LowerError::Malformed)?;
        let mut lowered = Vec::new();
        for (index, arg) in args.iter().enumerate() {
            lowered.push(self.arg(index, *arg, loc)?);
        }
        let result = self.cfg.reg();
        let call = InstKind::Call {
            helper: known.id,
            dst: result,
            args: lowered,
        };
        self.push(call, loc);
        let lowered = match self.type_of(dst) {
            Type::Ptr => Lowered::Pointer(Base::Reg(result), 0),
            _ => Lowered::Number(result),
        };
        self.set(dst, lowered);
        Ok(())
    }

    fn arg(&mut self, index: usize, arg: Arg, loc: LocId) -> Result<CallArg, LowerError> {
        Ok(match arg {
            Arg::Context => CallArg::Src(Src::Reg(self.cfg.context)),
            Arg::Map(map) => CallArg::Map(map.0 as usize),
            Arg::Operand(Operand::Const(number)) => CallArg::Src(Src::Imm(number as i64)),
            Arg::Operand(Operand::Value(id)) => match self.values.get(&id) {
                Some(Lowered::Pointer(Base::Frame, _)) => {
                    CallArg::FrameAddr(self.address(id, 0)?.1)
                }
                _ => CallArg::Src(Src::Reg(self.reg(id, loc)?)),
            },
            Arg::InMemory { ty, value } => {
                let known = self.arg_slots.get(index).copied().flatten();
                let offset = known.unwrap_or_else(|| self.cfg.frame_slot(8));
                if let Some(slot) = self.arg_slots.get_mut(index) {
                    *slot = Some(offset);
                }
                let src = self.src(value, ty, loc)?;
                let store = InstKind::Store {
                    size: size_of(ty),
                    base: Base::Frame,
                    offset,
                    src,
                };
                self.push(store, loc);
                CallArg::FrameAddr(offset)
            }
        })
    }

    pub(super) fn memory(&mut self, kind: &OpKind, loc: LocId) -> Result<(), LowerError> {
        match *kind {
            OpKind::Load { dst, ptr, offset } => {
                let (base, offset) = self.address(ptr, offset)?;
                let size = size_of(self.type_of(dst));
                let result = self.load(size, base, offset, loc);
                self.set(dst, Lowered::Number(result));
            }
            OpKind::Store {
                ptr,
                offset,
                ty,
                value,
            } => {
                let (base, offset) = self.address(ptr, offset)?;
                let src = self.src(value, ty, loc)?;
                self.store(size_of(ty), base, offset, src, loc);
            }
            OpKind::AtomicAdd {
                ptr,
                offset,
                ty,
                value,
            } => {
                let (base, offset) = self.address(ptr, offset)?;
                let src = self.operand(value, ty, loc)?;
                let size = size_of(ty);
                let add = InstKind::AtomicAdd {
                    size,
                    base,
                    offset,
                    src,
                };
                self.push(add, loc);
            }
            OpKind::Context { dst, field } => self.context(dst, field, loc),
            OpKind::Advance {
                dst,
                ptr,
                offset,
                amount,
            } => {
                let (Base::Reg(base), start) = self.pointer(ptr)? else {
                    return Err(LowerError::Malformed);
                };
                let amount = Src::Reg(self.reg(amount, loc)?);
                let moved = self.alu(AluOp::Add, Width::W64, base, amount, loc);
                let offset = start.saturating_add(offset as i32);
                self.set(dst, Lowered::Pointer(Base::Reg(moved), offset));
            }
            OpKind::InPacket { dst, ptr, end } => {
                let (Base::Reg(base), start) = self.pointer(ptr)? else {
                    return Err(LowerError::Malformed);
                };
                let end = start.saturating_add(end as i32);
                let in_packet = Condition::InPacket(base, end, loc);
                self.set(dst, Lowered::Cond(in_packet));
            }
            OpKind::NotNull { dst, ptr } => {
                let test = Test {
                    cond: Cond::Jne,
                    width: Width::W64,
                    lhs: self.reg(ptr, loc)?,
                    rhs: Src::Imm(0),
                };
                self.set(dst, Lowered::Cond(Condition::Test(test, loc)));
            }
            OpKind::Local { dst, size } => self.local(dst, size, loc),
            OpKind::Scratch { dst, size } => self.scratch(dst, size),
            _ => return Err(LowerError::Malformed),
        }
        Ok(())
    }

    fn context(&mut self, dst: ValueId, field: ContextField, loc: LocId) {
        let context = Base::Reg(self.cfg.context);
        let lowered = match field {
            ContextField::Data => Lowered::Pointer(Base::Reg(self.data(loc)), 0),
            ContextField::Length => {
                let (end, data) = (self.data_end(loc), self.data(loc));
                let len = self.alu(AluOp::Sub, Width::W64, end, Src::Reg(data), loc);
                Lowered::Number(len)
            }
            ContextField::IngressIfindex => {
                Lowered::Number(self.load(Size::W, context, xdp_md::INGRESS_IFINDEX, loc))
            }
            ContextField::RxQueueIndex => {
                Lowered::Number(self.load(Size::W, context, xdp_md::RX_QUEUE_INDEX, loc))
            }
            ContextField::Args(number) => {
                // The check has seen that there are not so many.
                let offset = i16::try_from(number.saturating_mul(8)).unwrap_or(i16::MAX);
                Lowered::Number(self.load(Size::DW, context, offset, loc))
            }
        };
        self.set(dst, lowered);
    }

    fn data(&mut self, loc: LocId) -> VReg {
        self.load(Size::W, Base::Reg(self.cfg.context), xdp_md::DATA, loc)
    }

    pub(super) fn data_end(&mut self, loc: LocId) -> VReg {
        self.load(Size::W, Base::Reg(self.cfg.context), xdp_md::DATA_END, loc)
    }

    /// Memory on the stack that nobody needs for long.
    fn scratch(&mut self, dst: ValueId, size: u32) {
        let slots = size.div_ceil(8).max(1);
        let known = self.scratch.get(&slots).copied();
        let start = known.unwrap_or_else(|| self.cfg.frame_slot(slots * 8));
        self.scratch.insert(slots, start);
        self.set(dst, Lowered::Pointer(Base::Frame, i32::from(start)));
    }

    /// Zeroed memory on the stack, in whole slots, so that a helper may read all of it.
    fn local(&mut self, dst: ValueId, size: u32, loc: LocId) {
        let slots = size.div_ceil(8).max(1);
        let start = self.cfg.frame_slot(slots * 8);
        for slot in 0..slots as i16 {
            let store = InstKind::Store {
                size: Size::DW,
                base: Base::Frame,
                offset: start.saturating_add(slot * 8),
                src: Src::Imm(0),
            };
            self.push(store, loc);
        }
        self.set(dst, Lowered::Pointer(Base::Frame, i32::from(start)));
    }
}
