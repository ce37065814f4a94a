//! The recording: what a program file declared, as plain data.
//!
//! Values are numbered and assigned once (SSA-like), control flow is nested blocks, and
//! every operation has a source location. Nothing here knows a register, an opcode or a
//! byte order of the machine: constants of network-order types are written as their host
//! number, and the lowering swaps them for its target.
//!
//! Read before: nothing. Read next: `op.rs` for the operations, `kernel.rs` for types of the
//! kernel, `recorder.rs`, which fills this in.

mod kernel;
mod op;

pub use kernel::{
    CoreKind, CoreSubject, KernelKind, KernelMember, KernelType, MemberType, NumberType, Pointee,
    Sign,
};
pub use op::{Arg, BinaryOp, Block, CompareOp, ContextField, Helper, Op, OpKind, Operand};

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

impl StructType {
    /// A struct without fields as yet.
    pub fn new(name: &str, size: u32) -> Self {
        StructType {
            name: name.to_string(),
            size,
            fields: Vec::new(),
        }
    }

    /// Adds a field.
    pub fn push(&mut self, name: &str, offset: u32, ty: DataType) {
        let name = name.to_string();
        self.fields.push(StructField { name, offset, ty });
    }
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
    /// A pointer to a packet, a map value, a ring buffer record or the stack. Addresses in the
    /// kernel's memory, through which programs cannot read, are `U64`.
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

/// Number of a type of the kernel within its program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KernelTypeId(pub u32);

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
    /// The types of the kernel that it asks about; [`KernelTypeId`] indexes them.
    pub kernel_types: Vec<KernelType>,
    /// The operations.
    pub body: Block,
}

/// What a program attaches to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProgramKind {
    /// `BPF_PROG_TYPE_XDP`, in section `xdp`.
    Xdp,
    /// `BPF_PROG_TYPE_RAW_TRACEPOINT`, in section `raw_tp/TRACEPOINT`.
    RawTracepoint {
        /// The kernel's name of the tracepoint, such as `sched_switch`.
        tracepoint: String,
    },
}

impl ProgramKind {
    /// The ELF section that says so, by libbpf's names.
    pub fn section(&self) -> String {
        match self {
            ProgramKind::Xdp => "xdp".to_string(),
            ProgramKind::RawTracepoint { tracepoint } => format!("raw_tp/{tracepoint}"),
        }
    }
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
