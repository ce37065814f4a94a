//! The packet behind its checks, the stack, and what reads and writes memory.

use super::{DEPTH, Generator, Memory, OpKind, Operand, Pointer, REACH, Returns, Type, ValueId};
use ebpf_dsl::recording::{Arg, BinaryOp, ContextField, Helper};

impl Generator<'_> {
    pub(super) fn packet(&mut self) -> Pointer {
        let moves = self.moves;
        let here = |p: &&Pointer| matches!(p.memory, Memory::Packet { moves: m, .. } if m == moves);
        let of: Vec<Pointer> = self.pools.pointers.iter().filter(here).copied().collect();
        match self.random.pick(&of) {
            Some(pointer) if !self.random.once_in(4) => pointer,
            _ => {
                let field = ContextField::Data;
                let id = self.define(Type::Ptr, |dst| OpKind::Context { dst, field });
                let memory = Memory::Packet {
                    proven: 0,
                    reach: 0,
                    moves,
                };
                let pointer = Pointer { id, memory };
                self.pools.pointers.push(pointer);
                pointer
            }
        }
    }

    /// A bounds check and the pointer behind it, as `or_return` and `then` record them.
    pub(super) fn header(&mut self) {
        let pointer = self.packet();
        let Memory::Packet { reach, moves, .. } = pointer.memory else {
            return;
        };
        const ENDS: [u32; 8] = [1, 4, 8, 14, 18, 34, 42, 54];
        let end = ENDS[self.random.below(ENDS.len())];
        let ptr = pointer.id;
        let inside = self.define(Type::Bool, |dst| OpKind::InPacket { dst, ptr, end });
        let memory = Memory::Packet {
            proven: end,
            reach,
            moves,
        };
        self.behind_check(inside, ptr, memory);
    }

    pub(super) fn behind_check(&mut self, cond: ValueId, ptr: ValueId, memory: Memory) {
        let or_return = self.returns != Returns::Never && !self.random.once_in(3);
        if or_return {
            let otherwise = self.block(Self::return_);
            self.push_if(cond, Vec::new(), otherwise);
            self.checked(ptr, memory);
            self.load();
        } else if self.open.len() < DEPTH {
            let then = self.block(|g| {
                g.checked(ptr, memory);
                g.load();
                g.steps();
            });
            let otherwise = self.otherwise();
            self.push_if(cond, then, otherwise);
        }
    }

    pub(super) fn checked(&mut self, value: ValueId, memory: Memory) {
        let id = self.define(Type::Ptr, |dst| OpKind::Cast { dst, value });
        self.pools.pointers.push(Pointer { id, memory });
    }

    /// A pointer that may be read and written through, and how many bytes.
    pub(super) fn memory(&mut self) -> Option<(Pointer, u32)> {
        let (moves, changes) = (self.moves, self.changes);
        let usable = |pointer: &Pointer| match pointer.memory {
            Memory::Packet {
                proven, moves: m, ..
            } => (m == moves && proven > 0).then_some((*pointer, proven)),
            Memory::Cell { size, map } => map
                .is_none_or(|(map, stamp)| changes[map.0 as usize] == stamp)
                .then_some((*pointer, size)),
        };
        let of: Vec<_> = self.pools.pointers.iter().filter_map(usable).collect();
        self.random.pick(&of)
    }

    /// An offset for a `ty` in `size` bytes: aligned where the stack or an atomic wants it,
    /// anywhere in network order, as arrays of bytes are read.
    pub(super) fn offset(&mut self, pointer: Pointer, ty: Type, size: u32) -> Option<u32> {
        let places = size.checked_sub(ty.size())? + 1;
        let offset = self.random.below(places as usize) as u32;
        let anywhere = match pointer.memory {
            Memory::Packet { .. } => true,
            Memory::Cell { .. } => matches!(ty, Type::Be16 | Type::Be32),
        };
        Some(if anywhere {
            offset
        } else {
            offset / ty.size() * ty.size()
        })
    }

    pub(super) fn load(&mut self) {
        let ty = self.type_();
        let Some((pointer, size)) = self.memory() else {
            return;
        };
        if let Some(offset) = self.offset(pointer, ty, size) {
            let ptr = pointer.id;
            self.number(ty, |dst| OpKind::Load { dst, ptr, offset });
        }
    }

    pub(super) fn store(&mut self) {
        let ty = self.type_();
        let Some((pointer, size)) = self.memory() else {
            return;
        };
        if let Some(offset) = self.offset(pointer, ty, size) {
            let value = self.operand(ty);
            self.push(OpKind::Store {
                ptr: pointer.id,
                offset,
                ty,
                value,
            });
        }
    }

    pub(super) fn atomic_add(&mut self) {
        let ty = [Type::U32, Type::U64][self.random.below(2)];
        let Some((pointer, size)) = self.memory() else {
            return;
        };
        if let (Memory::Cell { .. }, Some(offset)) =
            (pointer.memory, self.offset(pointer, ty, size))
        {
            let value = self.operand(ty);
            self.push(OpKind::AtomicAdd {
                ptr: pointer.id,
                offset,
                ty,
                value,
            });
        }
    }

    pub(super) fn advance(&mut self) {
        let pointer = self.packet();
        let Memory::Packet { reach, moves, .. } = pointer.memory else {
            return;
        };
        const MASKS: [u64; 4] = [0x3c, 0xff, 0x7ff, 1];
        let mask = MASKS[self.random.below(MASKS.len())];
        let lhs = Operand::Value(self.some_value(Type::U16));
        let (op, rhs) = (BinaryOp::And, Operand::Const(mask));
        let amount = self.number(Type::U16, |dst| OpKind::Binary { dst, op, lhs, rhs });
        let offset = [0, 0, 14][self.random.below(3)];
        let reach = reach + mask as u32 + offset;
        if reach > REACH {
            return;
        }
        let ptr = pointer.id;
        let id = self.define(Type::Ptr, |dst| OpKind::Advance {
            dst,
            ptr,
            offset,
            amount,
        });
        let memory = Memory::Packet {
            proven: 0,
            reach,
            moves,
        };
        self.pools.pointers.push(Pointer { id, memory });
        self.header();
    }

    pub(super) fn new_local(&mut self, size: u32) -> Pointer {
        self.stack += size.div_ceil(8) * 8;
        let id = self.define(Type::Ptr, |dst| OpKind::Local { dst, size });
        let memory = Memory::Cell { size, map: None };
        let pointer = Pointer { id, memory };
        self.pools.pointers.push(pointer);
        pointer
    }

    pub(super) fn local(&mut self) {
        if self.stack < 128 {
            let size = 1 + self.random.below(24) as u32;
            self.new_local(size);
            self.store();
        }
    }

    pub(super) fn adjust(&mut self) {
        let helper = match self.random.once_in(2) {
            true => Helper::XdpAdjustHead,
            false => Helper::XdpAdjustTail,
        };
        const DELTAS: [i64; 8] = [-4, 4, -14, 14, -20, 20, -300, 1];
        let delta = DELTAS[self.random.below(DELTAS.len())];
        let args = vec![Arg::Context, Arg::Operand(Operand::Const(delta as u64))];
        let result = self.define(Type::U64, |dst| OpKind::Call { dst, helper, args });
        self.moves += 1;
        self.failed(result);
    }

    pub(super) fn context(&mut self) {
        let field = match self.random.below(4) {
            0 => ContextField::IngressIfindex,
            1 => ContextField::RxQueueIndex,
            _ => ContextField::Length,
        };
        self.number(Type::U32, |dst| OpKind::Context { dst, field });
    }
}
