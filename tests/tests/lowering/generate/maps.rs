//! Maps and ring buffers.

use super::{
    DataType, Generator, MapId, Memory, OpKind, Operand, Pointer, RING, Returns, Type, ValueId,
};
use ebpf_dsl::recording::{Arg, BinaryOp, CompareOp, Helper};

impl Generator<'_> {
    pub(super) fn map(&mut self) -> MapId {
        MapId(self.random.below(RING.0 as usize) as u32)
    }

    /// A key or a value of this shape.
    pub(super) fn in_memory(&mut self, shape: &DataType) -> Arg {
        match *shape {
            DataType::Scalar(ty) => {
                let value = match self.random.below(3) {
                    0 => self.operand(ty),
                    small => Operand::Const(small as u64),
                };
                Arg::InMemory { ty, value }
            }
            _ => Arg::Operand(Operand::Value(self.new_local(shape.size()).id)),
        }
    }

    pub(super) fn key(&mut self, map: MapId) -> Arg {
        let decl = self.maps[map.0 as usize].clone();
        self.in_memory(&decl.key.unwrap_or(DataType::Bytes(0)))
    }

    pub(super) fn lookup(&mut self) {
        let map = self.map();
        let args = vec![Arg::Map(map), self.key(map)];
        let helper = Helper::MapLookupElem;
        let ptr = self.define(Type::Ptr, |dst| OpKind::Call { dst, helper, args });
        let found = self.define(Type::Bool, |dst| OpKind::NotNull { dst, ptr });
        let memory = Memory::Cell {
            size: self.maps[map.0 as usize].value.size(),
            map: Some((map, self.changes[map.0 as usize])),
        };
        self.behind_check(found, ptr, memory);
    }

    pub(super) fn update(&mut self) {
        let map = self.map();
        let mut args = vec![Arg::Map(map), self.key(map)];
        let helper = match self.random.once_in(4) {
            true => Helper::MapDeleteElem,
            false => {
                let shape = self.maps[map.0 as usize].value.clone();
                args.push(self.in_memory(&shape));
                let flag = self.random.below(3) as u64;
                args.push(Arg::Operand(Operand::Const(flag)));
                Helper::MapUpdateElem
            }
        };
        let lhs = self.define(Type::U64, |dst| OpKind::Call { dst, helper, args });
        self.changes[map.0 as usize] += 1;
        self.failed(lhs);
    }

    pub(super) fn failed(&mut self, result: ValueId) {
        let (lhs, rhs) = (Operand::Value(result), Operand::Const(0));
        self.condition(|dst| OpKind::Compare {
            dst,
            op: CompareOp::Ne,
            ty: Type::U64,
            lhs,
            rhs,
        });
    }

    pub(super) fn reserve(&mut self) {
        let size = 16;
        let args = vec![
            Arg::Map(RING),
            Arg::Operand(Operand::Const(size)),
            Arg::Operand(Operand::Const(0)),
        ];
        let helper = Helper::RingbufReserve;
        let ptr = self.define(Type::Ptr, |dst| OpKind::Call { dst, helper, args });
        let reserved = self.define(Type::Bool, |dst| OpKind::NotNull { dst, ptr });
        let outer = std::mem::replace(&mut self.returns, Returns::Never);
        let then = self.block(|g| g.record(ptr));
        self.returns = outer;
        self.push_if(reserved, then, Vec::new());
    }

    /// What is done with a reserved record: each byte is set, and it is handed out.
    pub(super) fn record(&mut self, value: ValueId) {
        let ptr = self.define(Type::Ptr, |dst| OpKind::Cast { dst, value });
        for offset in [0, 8] {
            let (ty, value) = (Type::U64, self.operand(Type::U64));
            self.push(OpKind::Store {
                ptr,
                offset,
                ty,
                value,
            });
        }
        let memory = Memory::Cell {
            size: 16,
            map: None,
        };
        self.pools.pointers.push(Pointer { id: ptr, memory });
        self.steps();
        let helper = match self.random.once_in(4) {
            true => Helper::RingbufDiscard,
            false => Helper::RingbufSubmit,
        };
        let args = vec![
            Arg::Operand(Operand::Value(ptr)),
            Arg::Operand(Operand::Const(0)),
        ];
        self.define(Type::U64, |dst| OpKind::Call { dst, helper, args });
    }

    /// Sums up what is in scope, so that much of it is live at once, and stores the sum.
    pub(super) fn mix(&mut self) {
        let mut sum: Option<Operand> = None;
        for (value, ty) in self.pools.numbers.clone() {
            let ty_host = match ty {
                Type::Be16 => Some(Type::U16),
                Type::Be32 => Some(Type::U32),
                _ => None,
            };
            let value = match ty_host {
                Some(to) => self.define(to, |dst| OpKind::Swap { dst, value }),
                None => value,
            };
            let wide = self.define(Type::U64, |dst| OpKind::Cast { dst, value });
            let (lhs, rhs) = (sum.unwrap_or(Operand::Const(7)), Operand::Value(wide));
            let ops = [BinaryOp::Add, BinaryOp::Xor, BinaryOp::Sub];
            let op = ops[self.random.below(ops.len())];
            let dst = self.define(Type::U64, |dst| OpKind::Binary { dst, op, lhs, rhs });
            sum = Some(Operand::Value(dst));
        }
        let Some(value) = sum else {
            return;
        };
        let args = vec![
            Arg::Map(MapId(1)),
            Arg::InMemory {
                ty: Type::U32,
                value: Operand::Const(0),
            },
            Arg::InMemory {
                ty: Type::U64,
                value,
            },
            Arg::Operand(Operand::Const(0)),
        ];
        let helper = Helper::MapUpdateElem;
        self.define(Type::U64, |dst| OpKind::Call { dst, helper, args });
    }
}
