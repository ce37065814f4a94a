//! Random recordings, such as the DSL's types let a program file make.
//!
//! What the types rule out is kept to: memory is accessed behind its check, packet pointers
//! end with a move of the packet, map values with a change of their map, a reserved record is
//! submitted or discarded.
//!
//! Read next: `generate/steps.rs`, `generate/memory.rs`, `generate/maps.rs`.

mod maps;
mod memory;
mod steps;

use ebpf_dsl::recording::{
    Block, DataType, FileId, Loc, LocId, Map, MapId, MapType, Op, OpKind, Operand, Program,
    ProgramKind, Recording, SourceFile, Type, ValueId, VarId,
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
        kernel_types: Vec::new(),
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
}
