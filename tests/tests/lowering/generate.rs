//! Random recordings, such as the DSL's types let a program file make.
//!
//! What the types rule out is kept to: memory is accessed behind its check, packet pointers
//! end with a move of the packet, map values with a change of their map, a reserved record is
//! submitted or discarded.

use ebpf_dsl::recording::{
    Arg, BinaryOp, Block, CompareOp, ContextField, DataType, FileId, Helper, Loc, LocId, Map,
    MapId, MapType, Op, OpKind, Operand, Program, ProgramKind, Recording, SourceFile, Type,
    ValueId, VarId,
};

use crate::random::Random;

const NUMBERS: [Type; 6] = [
    Type::U8,
    Type::U16,
    Type::U32,
    Type::U64,
    Type::Be16,
    Type::Be32,
];
const RING: MapId = MapId(4);
/// How deep blocks nest.
const DEPTH: usize = 5;
/// The number of operations of the longest programs, about.
const LONGEST: usize = 120;
/// What the kernel follows a packet pointer for, in bytes, less some reserve.
const REACH: u32 = 20_000;

/// A pointer that may be used.
#[derive(Clone, Copy)]
struct Pointer {
    id: ValueId,
    memory: Memory,
}

#[derive(Clone, Copy)]
enum Memory {
    Packet {
        /// How many bytes are proven to be in the packet.
        proven: u32,
        /// How far it may be from the packet's first byte.
        reach: u32,
        /// How often the packet had moved.
        moves: u32,
    },
    Cell {
        size: u32,
        /// The map it is in, and how often that was changed.
        map: Option<(MapId, u32)>,
    },
}

/// What a scope returns.
#[derive(Clone, Copy, PartialEq)]
enum Returns {
    Number(Type),
    Nothing,
    /// A record is open.
    Never,
}

/// What a program consists of, mostly.
#[derive(Clone, Copy, PartialEq)]
enum Focus {
    Everything,
    /// Bounds checks, and what forbids to merge them: side effects, other results, other
    /// pointers, moves of the packet.
    Checks,
}

/// What is in scope.
#[derive(Default)]
struct Pools {
    numbers: Vec<(ValueId, Type)>,
    conditions: Vec<ValueId>,
    pointers: Vec<Pointer>,
    vars: Vec<(VarId, Type)>,
}

struct Generator<'r> {
    random: &'r mut Random,
    maps: Vec<Map>,
    locations: Vec<Loc>,
    values: Vec<Type>,
    vars: Vec<Type>,
    open: Vec<Block>,
    pools: Pools,
    returns: Returns,
    moves: u32,
    changes: [u32; 5],
    left: usize,
    stack: u32,
    focus: Focus,
}

/// A random unit of one program, `program`.
pub(crate) fn unit(random: &mut Random) -> Recording {
    let (left, focus) = match random.below(3) {
        0 => (3 + random.below(LONGEST / 4), Focus::Checks),
        _ => (3 + random.below(LONGEST), Focus::Everything),
    };
    let mut generator = Generator {
        maps: maps(random),
        random,
        locations: Vec::new(),
        values: Vec::new(),
        vars: Vec::new(),
        open: Vec::new(),
        pools: Pools::default(),
        returns: Returns::Number(Type::U32),
        moves: 0,
        changes: [0; 5],
        left,
        stack: 0,
        focus,
    };
    let loc = generator.loc();
    let body = generator.block(|generator| {
        generator.steps();
        if focus == Focus::Everything {
            generator.mix();
        }
        generator.return_();
    });
    let program = Program {
        name: "program".into(),
        kind: ProgramKind::Xdp,
        loc,
        locations: generator.locations,
        values: generator.values,
        vars: generator.vars,
        body,
    };
    Recording {
        name: "generated".into(),
        license: "GPL".into(),
        files: vec![SourceFile {
            path: "generated.rs".into(),
            text: None,
        }],
        maps: generator.maps,
        programs: vec![program],
    }
}

fn maps(random: &mut Random) -> Vec<Map> {
    let map = |name: &str, map_type, key, value, max_entries| Map {
        name: name.into(),
        map_type,
        key,
        value,
        max_entries,
    };
    let number = |ty| Some(DataType::Scalar(ty));
    let hash_key = NUMBERS[random.below(NUMBERS.len())];
    let size = 8 * (1 + random.below(3) as u32);
    vec![
        map(
            "array",
            MapType::Array,
            number(Type::U32),
            DataType::Bytes(size),
            4,
        ),
        map(
            "percpu_array",
            MapType::PercpuArray,
            number(Type::U32),
            DataType::Scalar(Type::U64),
            3,
        ),
        map(
            "hash",
            MapType::Hash,
            number(hash_key),
            DataType::Scalar(Type::U64),
            4,
        ),
        map(
            "wide_hash",
            MapType::Hash,
            Some(DataType::Bytes(12)),
            DataType::Bytes(16),
            4,
        ),
        map("ring", MapType::Ringbuf, None, DataType::Bytes(16), 1 << 18),
    ]
}

impl Generator<'_> {
    fn loc(&mut self) -> LocId {
        let line = self.locations.len() as u32 + 1;
        self.locations.push(Loc {
            file: FileId(0),
            line,
            column: 1,
            inlined_at: None,
        });
        LocId(line - 1)
    }

    fn push(&mut self, kind: OpKind) {
        let loc = self.loc();
        if let Some(block) = self.open.last_mut() {
            block.push(Op { kind, loc });
        }
    }

    fn define(&mut self, ty: Type, kind: impl FnOnce(ValueId) -> OpKind) -> ValueId {
        self.values.push(ty);
        let id = ValueId(self.values.len() as u32 - 1);
        self.push(kind(id));
        id
    }

    /// As `define`; the number goes to the pool.
    fn number(&mut self, ty: Type, kind: impl FnOnce(ValueId) -> OpKind) -> ValueId {
        let id = self.define(ty, kind);
        self.pools.numbers.push((id, ty));
        id
    }

    fn condition(&mut self, kind: impl FnOnce(ValueId) -> OpKind) -> ValueId {
        let id = self.define(Type::Bool, kind);
        self.pools.conditions.push(id);
        id
    }

    /// Records a block; what it defines is out of scope behind it.
    fn block(&mut self, body: impl FnOnce(&mut Self)) -> Block {
        let pools = &self.pools;
        let lens = (
            pools.numbers.len(),
            pools.conditions.len(),
            pools.pointers.len(),
            pools.vars.len(),
        );
        self.open.push(Vec::new());
        body(self);
        self.pools.numbers.truncate(lens.0);
        self.pools.conditions.truncate(lens.1);
        self.pools.pointers.truncate(lens.2);
        self.pools.vars.truncate(lens.3);
        self.open.pop().unwrap_or_default()
    }

    fn type_(&mut self) -> Type {
        NUMBERS[self.random.below(NUMBERS.len())]
    }

    fn value(&mut self, ty: Type) -> Option<ValueId> {
        let of: Vec<ValueId> = self
            .pools
            .numbers
            .iter()
            .filter(|n| n.1 == ty)
            .map(|n| n.0)
            .collect();
        self.random.pick(&of)
    }

    fn operand(&mut self, ty: Type) -> Operand {
        let value = if self.random.once_in(3) {
            None
        } else {
            self.value(ty)
        };
        value.map_or_else(|| Operand::Const(self.random.constant(ty)), Operand::Value)
    }

    /// A number, made of a constant where there is none: through a variable, as only those
    /// hold constants.
    fn some_value(&mut self, ty: Type) -> ValueId {
        match self.value(ty) {
            Some(id) => id,
            None => self.constant_value(ty),
        }
    }

    fn constant_value(&mut self, ty: Type) -> ValueId {
        let value = Operand::Const(self.random.constant(ty));
        let var = self.new_var(ty, value);
        self.number(ty, |dst| OpKind::GetVar { dst, var })
    }

    fn new_var(&mut self, ty: Type, value: Operand) -> VarId {
        self.vars.push(ty);
        let var = VarId(self.vars.len() as u32 - 1);
        self.push(OpKind::SetVar { var, value });
        self.pools.vars.push((var, ty));
        var
    }

    fn some_condition(&mut self) -> ValueId {
        let of = self.pools.conditions.clone();
        match self.random.pick(&of) {
            Some(condition) if self.random.once_in(2) => condition,
            _ => self.compare(),
        }
    }

    fn steps(&mut self) {
        let mut most = 3 + self.random.below(25);
        while self.left > 0 && most > 0 {
            self.left -= 1;
            most -= 1;
            match self.focus {
                Focus::Everything => self.step(),
                Focus::Checks => self.step_of_checks(),
            }
        }
    }

    fn step(&mut self) {
        let inner = self.open.len() < DEPTH;
        match self.random.below(34) {
            0..=5 => self.binary(),
            6 => drop(self.compare()),
            7 => self.logic(),
            8 => self.convert(),
            9 => self.context(),
            10..=13 => self.header(),
            14..=17 => self.load(),
            18..=19 => self.store(),
            20 => self.var(),
            21 => self.set_var(),
            22..=23 if inner => self.if_(),
            24 if inner => self.inlined(),
            25 => self.return_if(),
            26..=27 => self.lookup(),
            28 => self.update(),
            29 => self.advance(),
            30 => self.local(),
            31 if self.random.once_in(3) => self.adjust(),
            32 if inner => self.reserve(),
            33 => self.atomic_add(),
            _ => {}
        }
    }

    fn step_of_checks(&mut self) {
        let inner = self.open.len() < DEPTH;
        match self.random.below(24) {
            0..=10 => self.header(),
            11 => self.load(),
            12 => self.store(),
            13 => self.var(),
            14..=15 => self.set_var(),
            16..=17 if inner => self.if_(),
            18 if inner => self.inlined(),
            19..=20 => self.return_if(),
            21 => self.advance(),
            22 => match self.random.below(4) {
                0 => self.adjust(),
                1 => self.lookup(),
                2 => self.update(),
                _ => self.atomic_add(),
            },
            _ => {}
        }
    }

    fn binary(&mut self) {
        use BinaryOp::{Add, And, Arsh, Div, Lsh, Mod, Mul, Or, Rsh, Sdiv, Smod, Sub, Xor};
        let ty = self.type_();
        let op = match ty {
            Type::Be16 | Type::Be32 => self.random.pick(&[And, Or, Xor]),
            Type::U8 | Type::U16 => self
                .random
                .pick(&[Add, Sub, Mul, Div, Mod, And, Or, Xor, Lsh, Rsh]),
            _ => self.random.pick(&[
                Add, Sub, Mul, Div, Mod, And, Or, Xor, Lsh, Rsh, Arsh, Sdiv, Smod,
            ]),
        };
        let lhs = Operand::Value(self.some_value(ty));
        let rhs = self.operand(ty);
        if let Some(op) = op {
            self.number(ty, |dst| OpKind::Binary { dst, op, lhs, rhs });
        }
    }

    fn compare(&mut self) -> ValueId {
        use CompareOp::{Eq, Ge, Gt, Le, Lt, Ne, Set, Sge, Sgt, Sle, Slt};
        let ty = self.type_();
        let op = match ty {
            Type::Be16 | Type::Be32 => self.random.pick(&[Eq, Ne, Set]),
            Type::U8 | Type::U16 => self.random.pick(&[Eq, Ne, Set, Lt, Le, Gt, Ge]),
            _ => self
                .random
                .pick(&[Eq, Ne, Set, Lt, Le, Gt, Ge, Slt, Sle, Sgt, Sge]),
        };
        let op = op.unwrap_or(Eq);
        let lhs = Operand::Value(self.some_value(ty));
        let rhs = self.operand(ty);
        self.condition(|dst| OpKind::Compare {
            dst,
            op,
            ty,
            lhs,
            rhs,
        })
    }

    fn logic(&mut self) {
        let (a, b) = (self.some_condition(), self.some_condition());
        let (lhs, rhs) = (Operand::Value(a), Operand::Value(b));
        let op = match self.random.below(3) {
            0 => BinaryOp::And,
            1 => BinaryOp::Or,
            _ => {
                self.condition(|dst| OpKind::Not { dst, value: a });
                return;
            }
        };
        self.condition(|dst| OpKind::Binary { dst, op, lhs, rhs });
    }

    fn convert(&mut self) {
        if self.random.once_in(5) {
            let value = self.some_condition();
            self.number(Type::U32, |dst| OpKind::Cast { dst, value });
            return;
        }
        let from = self.type_();
        let value = self.some_value(from);
        let swapped = match from {
            Type::Be16 => Some(Type::U16),
            Type::Be32 => Some(Type::U32),
            Type::U16 if self.random.once_in(3) => Some(Type::Be16),
            Type::U32 if self.random.once_in(3) => Some(Type::Be32),
            _ => None,
        };
        match swapped {
            Some(to) => self.number(to, |dst| OpKind::Swap { dst, value }),
            None => {
                let to = NUMBERS[self.random.below(4)];
                self.number(to, |dst| OpKind::Cast { dst, value })
            }
        };
    }

    fn context(&mut self) {
        let field = match self.random.below(4) {
            0 => ContextField::IngressIfindex,
            1 => ContextField::RxQueueIndex,
            _ => ContextField::Length,
        };
        self.number(Type::U32, |dst| OpKind::Context { dst, field });
    }

    fn packet(&mut self) -> Pointer {
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
    fn header(&mut self) {
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

    fn behind_check(&mut self, cond: ValueId, ptr: ValueId, memory: Memory) {
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

    fn checked(&mut self, value: ValueId, memory: Memory) {
        let id = self.define(Type::Ptr, |dst| OpKind::Cast { dst, value });
        self.pools.pointers.push(Pointer { id, memory });
    }

    fn push_if(&mut self, cond: ValueId, then: Block, otherwise: Block) {
        self.push(OpKind::If {
            cond,
            then,
            otherwise,
        });
    }

    fn otherwise(&mut self) -> Block {
        match self.random.once_in(2) {
            true => Vec::new(),
            false => self.block(Self::branch),
        }
    }

    fn branch(&mut self) {
        self.steps();
        if self.random.once_in(4) && self.returns != Returns::Never {
            self.return_();
        }
    }

    /// A pointer that may be read and written through, and how many bytes.
    fn memory(&mut self) -> Option<(Pointer, u32)> {
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
    fn offset(&mut self, pointer: Pointer, ty: Type, size: u32) -> Option<u32> {
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

    fn load(&mut self) {
        let ty = self.type_();
        let Some((pointer, size)) = self.memory() else {
            return;
        };
        if let Some(offset) = self.offset(pointer, ty, size) {
            let ptr = pointer.id;
            self.number(ty, |dst| OpKind::Load { dst, ptr, offset });
        }
    }

    fn store(&mut self) {
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

    fn atomic_add(&mut self) {
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

    fn var(&mut self) {
        let ty = self.type_();
        let value = self.operand(ty);
        self.new_var(ty, value);
    }

    fn set_var(&mut self) {
        let of = self.pools.vars.clone();
        let Some((var, ty)) = self.random.pick(&of) else {
            return self.var();
        };
        if self.random.once_in(2) {
            self.number(ty, |dst| OpKind::GetVar { dst, var });
        } else {
            let value = self.operand(ty);
            self.push(OpKind::SetVar { var, value });
        }
    }

    fn if_(&mut self) {
        let cond = self.some_condition();
        let then = self.block(Self::branch);
        let otherwise = self.otherwise();
        self.push_if(cond, then, otherwise);
    }

    fn inlined(&mut self) {
        let result = match self.random.below(5) {
            0 => None,
            width => Some(NUMBERS[width - 1]),
        };
        let returns = result.map_or(Returns::Nothing, Returns::Number);
        let outer = std::mem::replace(&mut self.returns, returns);
        let body = self.block(|g| {
            g.steps();
            g.return_();
        });
        self.returns = outer;
        match result {
            Some(ty) => drop(self.number(ty, |dst| OpKind::Inlined {
                dst: Some(dst),
                body,
            })),
            None => self.push(OpKind::Inlined { dst: None, body }),
        }
    }

    fn return_(&mut self) {
        let value = match self.returns {
            Returns::Number(ty) => Some(self.result(ty)),
            Returns::Nothing | Returns::Never => None,
        };
        self.push(OpKind::Return { value });
    }

    /// Few results, so that bounds checks often leave with the same.
    fn result(&mut self, ty: Type) -> Operand {
        match self.random.below(4) {
            0 => self.operand(ty),
            1 => Operand::Const(1),
            _ => Operand::Const(2),
        }
    }

    fn return_if(&mut self) {
        if self.returns != Returns::Never {
            let cond = self.some_condition();
            let then = self.block(Self::return_);
            self.push_if(cond, then, Vec::new());
        }
    }

    fn map(&mut self) -> MapId {
        MapId(self.random.below(RING.0 as usize) as u32)
    }

    /// A key or a value of this shape.
    fn in_memory(&mut self, shape: &DataType) -> Arg {
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

    fn key(&mut self, map: MapId) -> Arg {
        let decl = self.maps[map.0 as usize].clone();
        self.in_memory(&decl.key.unwrap_or(DataType::Bytes(0)))
    }

    fn lookup(&mut self) {
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

    fn update(&mut self) {
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

    fn failed(&mut self, result: ValueId) {
        let (lhs, rhs) = (Operand::Value(result), Operand::Const(0));
        self.condition(|dst| OpKind::Compare {
            dst,
            op: CompareOp::Ne,
            ty: Type::U64,
            lhs,
            rhs,
        });
    }

    fn advance(&mut self) {
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

    fn new_local(&mut self, size: u32) -> Pointer {
        self.stack += size.div_ceil(8) * 8;
        let id = self.define(Type::Ptr, |dst| OpKind::Local { dst, size });
        let memory = Memory::Cell { size, map: None };
        let pointer = Pointer { id, memory };
        self.pools.pointers.push(pointer);
        pointer
    }

    fn local(&mut self) {
        if self.stack < 128 {
            let size = 1 + self.random.below(24) as u32;
            self.new_local(size);
            self.store();
        }
    }

    fn adjust(&mut self) {
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

    fn reserve(&mut self) {
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
    fn record(&mut self, value: ValueId) {
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
    fn mix(&mut self) {
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
