//! The recording: what a program file declared, as plain data.
//!
//! Values are numbered and assigned once (SSA-like), control flow is nested blocks, and
//! every operation has a source location. Nothing here knows a register, an opcode or a
//! byte order of the machine: constants of network-order types are written as their host
//! number, and the lowering swaps them for its target.
//!
//! Read before: nothing. Read next: `recorder.rs`, which fills this in.

/// Everything one program file declares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recording {
    /// Name of the unit, which is the stem of its file name.
    pub name: String,
    /// The license string that the kernel is told, such as `GPL`.
    pub license: String,
    /// Every file that a location names.
    pub files: Vec<SourceFile>,
    /// Maps, in the order declared; [`MapId`] indexes them.
    pub maps: Vec<Map>,
    /// Programs, in the order declared.
    pub programs: Vec<Program>,
}

/// A file that locations point into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Path relative to the folder of the unit's own file.
    pub path: String,
    /// The file's text, where the unit carries it (see [`unit!`](crate::unit!)).
    pub text: Option<String>,
}

/// A map declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map {
    /// Name of the map, which is also its symbol's.
    pub name: String,
    /// What kind of map.
    pub map_type: MapType,
    /// Shape of a key; `None` for a ring buffer.
    pub key: Option<DataType>,
    /// Shape of a value. For a ring buffer, the shape of its records.
    pub value: DataType,
    /// Number of entries; for a ring buffer its size in bytes.
    pub max_entries: u32,
}

/// The map types that the DSL declares, by their UAPI names (`BPF_MAP_TYPE_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapType {
    /// `BPF_MAP_TYPE_HASH`
    Hash,
    /// `BPF_MAP_TYPE_ARRAY`
    Array,
    /// `BPF_MAP_TYPE_PERCPU_HASH`
    PercpuHash,
    /// `BPF_MAP_TYPE_PERCPU_ARRAY`
    PercpuArray,
    /// `BPF_MAP_TYPE_RINGBUF`
    Ringbuf,
}

/// The shape of data in memory, from which BTF is built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataType {
    /// A number.
    Scalar(Type),
    /// So many bytes.
    Bytes(u32),
    /// A struct with `#[repr(C)]` layout and no padding.
    Struct(StructType),
}

impl DataType {
    /// Size in bytes.
    pub fn size(&self) -> u32 {
        match self {
            DataType::Scalar(ty) => ty.size(),
            DataType::Bytes(len) => *len,
            DataType::Struct(ty) => ty.size,
        }
    }
}

/// A struct of the DSL's [`record!`](crate::record!).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StructType {
    /// The Rust name of the struct.
    pub name: String,
    /// Size in bytes.
    pub size: u32,
    /// Fields in order.
    pub fields: Vec<StructField>,
}

/// One field of a [`StructType`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StructField {
    /// Name of the field.
    pub name: String,
    /// Offset in bytes.
    pub offset: u32,
    /// Shape of the field.
    pub ty: DataType,
}

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// A condition.
    Bool,
    /// 8 bits.
    U8,
    /// 16 bits in host order.
    U16,
    /// 32 bits in host order.
    U32,
    /// 64 bits in host order.
    U64,
    /// 16 bits in network order.
    Be16,
    /// 32 bits in network order.
    Be32,
    /// A pointer to a packet, a map value, a ring buffer record or the stack.
    Ptr,
}

impl Type {
    /// Size in bytes, in memory.
    pub const fn size(self) -> u32 {
        match self {
            Type::Bool | Type::U8 => 1,
            Type::U16 | Type::Be16 => 2,
            Type::U32 | Type::Be32 => 4,
            Type::U64 | Type::Ptr => 8,
        }
    }

    /// Whether a value of this type is a number (not a condition and not a pointer).
    pub const fn is_number(self) -> bool {
        !matches!(self, Type::Bool | Type::Ptr)
    }
}

/// Number of a value within its program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValueId(pub u32);

/// Number of a variable within its program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VarId(pub u32);

/// Number of a map within its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MapId(pub u32);

/// Number of a file within its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

/// Number of a location within its program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocId(pub u32);

/// One program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Name of its function.
    pub name: String,
    /// What the program attaches to.
    pub kind: ProgramKind,
    /// Where it was declared.
    pub loc: LocId,
    /// Locations; [`LocId`] indexes them. An `inlined_at` is always a lower number.
    pub locations: Vec<Loc>,
    /// The type of each value; [`ValueId`] indexes them.
    pub values: Vec<Type>,
    /// The type of each variable; [`VarId`] indexes them.
    pub vars: Vec<Type>,
    /// The operations.
    pub body: Block,
}

/// What a program attaches to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgramKind {
    /// `BPF_PROG_TYPE_XDP`, in section `xdp`.
    Xdp,
}

/// A place in a source file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Loc {
    /// The file.
    pub file: FileId,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
    /// Where the inlined function around this place was called.
    pub inlined_at: Option<LocId>,
}

/// Operations in order.
pub type Block = Vec<Op>;

/// One operation and where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Op {
    /// What it does.
    pub kind: OpKind,
    /// Where it was written.
    pub loc: LocId,
}

/// A value, or a constant.
///
/// A constant of a network-order type is its host number: `0x0800` for IPv4's EtherType.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    /// A value recorded before.
    Value(ValueId),
    /// A constant.
    Const(u64),
}

/// What an operation does. Fields named `dst` are the value defined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpKind {
    /// `dst = lhs op rhs`, in the width of `dst`'s type.
    Binary {
        /// Value defined.
        dst: ValueId,
        /// The operation.
        op: BinaryOp,
        /// Left side.
        lhs: Operand,
        /// Right side.
        rhs: Operand,
    },
    /// `dst = lhs op rhs`, a condition.
    Compare {
        /// Value defined, a condition.
        dst: ValueId,
        /// The comparison.
        op: CompareOp,
        /// Type of both sides.
        ty: Type,
        /// Left side.
        lhs: Operand,
        /// Right side.
        rhs: Operand,
    },
    /// `dst = !value`, both conditions.
    Not {
        /// Value defined, a condition.
        dst: ValueId,
        /// The condition negated.
        value: ValueId,
    },
    /// Converts between host and network order; types tell which way.
    Swap {
        /// Value defined.
        dst: ValueId,
        /// The value converted, of the same size.
        value: ValueId,
    },
    /// Extends with zeros, or truncates, to `dst`'s type.
    Cast {
        /// Value defined.
        dst: ValueId,
        /// The value converted.
        value: ValueId,
    },
    /// `dst = *(ptr + offset)`, as wide as `dst`'s type.
    Load {
        /// Value defined.
        dst: ValueId,
        /// Pointer read through.
        ptr: ValueId,
        /// Offset in bytes.
        offset: u32,
    },
    /// `*(ptr + offset) = value`
    Store {
        /// Pointer written through.
        ptr: ValueId,
        /// Offset in bytes.
        offset: u32,
        /// Type written.
        ty: Type,
        /// What is written.
        value: Operand,
    },
    /// `*(ptr + offset) += value`, atomically.
    AtomicAdd {
        /// Pointer written through.
        ptr: ValueId,
        /// Offset in bytes.
        offset: u32,
        /// `U32` or `U64`.
        ty: Type,
        /// What is added.
        value: Operand,
    },
    /// Reads a field of the program's context.
    Context {
        /// Value defined.
        dst: ValueId,
        /// Which field.
        field: ContextField,
    },
    /// `dst = ptr + offset + amount`
    Advance {
        /// Value defined, a pointer.
        dst: ValueId,
        /// Pointer to start from.
        ptr: ValueId,
        /// Constant offset in bytes.
        offset: u32,
        /// Variable offset in bytes.
        amount: ValueId,
    },
    /// Whether bytes `0..end` from `ptr` are all inside the packet.
    InPacket {
        /// Value defined, a condition.
        dst: ValueId,
        /// Pointer into the packet.
        ptr: ValueId,
        /// End of the bytes asked for, in bytes from `ptr`.
        end: u32,
    },
    /// Whether a pointer is not null.
    NotNull {
        /// Value defined, a condition.
        dst: ValueId,
        /// Pointer asked about.
        ptr: ValueId,
    },
    /// Zeroed memory on the stack.
    Local {
        /// Value defined, a pointer.
        dst: ValueId,
        /// Size in bytes.
        size: u32,
    },
    /// Gives a variable its value.
    SetVar {
        /// The variable.
        var: VarId,
        /// What it is set to.
        value: Operand,
    },
    /// Reads a variable as it is now.
    GetVar {
        /// Value defined.
        dst: ValueId,
        /// The variable.
        var: VarId,
    },
    /// Calls a helper.
    Call {
        /// Value defined: the helper's result.
        dst: ValueId,
        /// Which helper.
        helper: Helper,
        /// At most five arguments.
        args: Vec<Arg>,
    },
    /// Runs one of two blocks.
    If {
        /// The condition.
        cond: ValueId,
        /// Runs if the condition holds.
        then: Block,
        /// Runs if not.
        otherwise: Block,
    },
    /// An inlined function: a return within leaves it, not the program.
    Inlined {
        /// Value defined, if the function returns one.
        dst: Option<ValueId>,
        /// The function's body.
        body: Block,
    },
    /// Leaves the innermost inlined function, or the program.
    Return {
        /// The value returned, if any.
        value: Option<Operand>,
    },
}

/// An operation on two numbers, by RFC 9669's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOp {
    /// `+`, wrapping
    Add,
    /// `-`, wrapping
    Sub,
    /// `*`, wrapping
    Mul,
    /// `/`, unsigned; division by zero gives zero
    Div,
    /// `%`, unsigned; modulo zero gives the left side
    Mod,
    /// `/`, signed
    Sdiv,
    /// `%`, signed
    Smod,
    /// `&`; also of conditions
    And,
    /// `|`; also of conditions
    Or,
    /// `^`
    Xor,
    /// `<<`; the count is masked to the width
    Lsh,
    /// `>>`, filling with zeros; the count is masked to the width
    Rsh,
    /// `>>`, filling with the sign; the count is masked to the width
    Arsh,
}

/// A comparison of two numbers, by the names of RFC 9669's jumps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompareOp {
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `<`, unsigned
    Lt,
    /// `<=`, unsigned
    Le,
    /// `>`, unsigned
    Gt,
    /// `>=`, unsigned
    Ge,
    /// `<`, signed
    Slt,
    /// `<=`, signed
    Sle,
    /// `>`, signed
    Sgt,
    /// `>=`, signed
    Sge,
    /// `lhs & rhs` is not zero
    Set,
}

/// What can be read of the context, by the names of `struct xdp_md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContextField {
    /// Pointer to the packet's first byte.
    Data,
    /// Length of the packet's linear part in bytes: `data_end - data`.
    Length,
    /// Index of the interface the packet came in by.
    IngressIfindex,
    /// Index of the receive queue.
    RxQueueIndex,
}

/// An argument of a helper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arg {
    /// The program's context.
    Context,
    /// A map.
    Map(MapId),
    /// A number or a pointer.
    Operand(Operand),
    /// The address of memory that holds this number.
    InMemory {
        /// Type of the number.
        ty: Type,
        /// The number.
        value: Operand,
    },
}

/// The helpers that the DSL calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Helper {
    /// `bpf_map_lookup_elem`
    MapLookupElem,
    /// `bpf_map_update_elem`
    MapUpdateElem,
    /// `bpf_map_delete_elem`
    MapDeleteElem,
    /// `bpf_ktime_get_ns`
    KtimeGetNs,
    /// `bpf_get_smp_processor_id`
    GetSmpProcessorId,
    /// `bpf_xdp_adjust_head`
    XdpAdjustHead,
    /// `bpf_xdp_adjust_tail`
    XdpAdjustTail,
    /// `bpf_ringbuf_reserve`
    RingbufReserve,
    /// `bpf_ringbuf_submit`
    RingbufSubmit,
    /// `bpf_ringbuf_discard`
    RingbufDiscard,
}

impl Helper {
    /// The name that the UAPI header gives it.
    pub const fn name(self) -> &'static str {
        match self {
            Helper::MapLookupElem => "bpf_map_lookup_elem",
            Helper::MapUpdateElem => "bpf_map_update_elem",
            Helper::MapDeleteElem => "bpf_map_delete_elem",
            Helper::KtimeGetNs => "bpf_ktime_get_ns",
            Helper::GetSmpProcessorId => "bpf_get_smp_processor_id",
            Helper::XdpAdjustHead => "bpf_xdp_adjust_head",
            Helper::XdpAdjustTail => "bpf_xdp_adjust_tail",
            Helper::RingbufReserve => "bpf_ringbuf_reserve",
            Helper::RingbufSubmit => "bpf_ringbuf_submit",
            Helper::RingbufDiscard => "bpf_ringbuf_discard",
        }
    }

    /// Whether the helper moves the packet, so that pointers into it are void.
    pub const fn moves_packet(self) -> bool {
        matches!(self, Helper::XdpAdjustHead | Helper::XdpAdjustTail)
    }
}

impl OpKind {
    /// The value that this operation defines.
    pub fn dst(&self) -> Option<ValueId> {
        match self {
            OpKind::Binary { dst, .. }
            | OpKind::Compare { dst, .. }
            | OpKind::Not { dst, .. }
            | OpKind::Swap { dst, .. }
            | OpKind::Cast { dst, .. }
            | OpKind::Load { dst, .. }
            | OpKind::Context { dst, .. }
            | OpKind::Advance { dst, .. }
            | OpKind::InPacket { dst, .. }
            | OpKind::NotNull { dst, .. }
            | OpKind::Local { dst, .. }
            | OpKind::GetVar { dst, .. }
            | OpKind::Call { dst, .. } => Some(*dst),
            OpKind::Inlined { dst, .. } => *dst,
            OpKind::Store { .. }
            | OpKind::AtomicAdd { .. }
            | OpKind::SetVar { .. }
            | OpKind::If { .. }
            | OpKind::Return { .. } => None,
        }
    }
}
