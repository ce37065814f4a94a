//! The format in which a program file hands its recording to `ebpfasm`.
//!
//! It is private and versioned: both ends are built from one source, and a number that
//! differs means that they were not. Reading is total: any bytes give a unit or an error.
//!
//! Numbers are little-endian; lists and texts begin with their length in 32 bits; an enum is
//! a byte that counts its variants, then the variant's fields.

use core::fmt;

use crate::check::Place;
use crate::recording::*;
use crate::unit::Unit;

/// Version of the format. It changes with every change of [`Recording`].
pub const WIRE_VERSION: u32 = 2;

const MAGIC: &[u8; 8] = b"ebpfunit";

/// Deepest nesting that is read: blocks and types together.
const MAX_NESTING: u32 = 200;

/// Why bytes are no unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WireError {
    /// The bytes do not begin as a unit does.
    NotAUnit,
    /// The unit was written by another version of this crate.
    Version {
        /// The version found.
        found: u32,
    },
    /// The bytes end too early.
    Truncated,
    /// A byte, in this position, says what no unit says.
    Invalid {
        /// Offset in bytes.
        offset: usize,
    },
    /// There are bytes behind the unit.
    TrailingBytes,
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WireError::NotAUnit => write!(f, "these bytes are no recorded unit"),
            WireError::Version { found } => write!(
                f,
                "the unit has format version {found}, and this is version {WIRE_VERSION}"
            ),
            WireError::Truncated => write!(f, "the recorded unit ends too early"),
            WireError::Invalid { offset } => {
                write!(f, "the recorded unit is damaged at byte {offset}")
            }
            WireError::TrailingBytes => write!(f, "there are bytes behind the recorded unit"),
        }
    }
}

impl std::error::Error for WireError {}

impl Unit {
    /// The unit in the private format that [`from_wire`](Unit::from_wire) reads.
    pub fn to_wire(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        WIRE_VERSION.put(&mut out);
        self.recording().put(&mut out);
        self.foreign_maps().to_vec().put(&mut out);
        out
    }

    /// Reads what [`to_wire`](Unit::to_wire) wrote. The recording may still be malformed:
    /// [`check`](Unit::check) tells.
    ///
    /// # Errors
    /// If the bytes are not a unit of this version.
    pub fn from_wire(bytes: &[u8]) -> Result<Unit, WireError> {
        let body = bytes.strip_prefix(MAGIC).ok_or(WireError::NotAUnit)?;
        let mut reader = Reader {
            rest: body,
            len: bytes.len(),
            nesting: 0,
        };
        let found = u32::get(&mut reader)?;
        if found != WIRE_VERSION {
            return Err(WireError::Version { found });
        }
        let recording = Recording::get(&mut reader)?;
        let foreign_maps = Vec::get(&mut reader)?;
        if !reader.rest.is_empty() {
            return Err(WireError::TrailingBytes);
        }
        Ok(Unit::from_recording(recording).with_foreign_maps(foreign_maps))
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    len: usize,
    nesting: u32,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], WireError> {
        let split = self.rest.split_at_checked(count);
        let (taken, rest) = split.ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    /// The byte just read means nothing.
    fn invalid<T>(&self) -> Result<T, WireError> {
        let offset = (self.len - self.rest.len()).saturating_sub(1);
        Err(WireError::Invalid { offset })
    }
}

trait Wire: Sized {
    fn put(&self, out: &mut Vec<u8>);
    fn get(reader: &mut Reader<'_>) -> Result<Self, WireError>;
}

macro_rules! numbers {
    ($($ty:ty)*) => {$(
        impl Wire for $ty {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend(self.to_le_bytes());
            }

            fn get(reader: &mut Reader<'_>) -> Result<Self, WireError> {
                let bytes = reader.take(size_of::<$ty>())?;
                let bytes = bytes.try_into().map_err(|_| WireError::Truncated)?;
                Ok(<$ty>::from_le_bytes(bytes))
            }
        }
    )*};
}

numbers!(u8 u32 u64);

impl Wire for String {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u32).put(out);
        out.extend(self.as_bytes());
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let len = u32::get(reader)?;
        let bytes = reader.take(len as usize)?.to_vec();
        String::from_utf8(bytes).or_else(|_| reader.invalid())
    }
}

impl<T: Wire> Wire for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            None => out.push(0),
            Some(inner) => {
                out.push(1);
                inner.put(out);
            }
        }
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        match u8::get(reader)? {
            0 => Ok(None),
            1 => Ok(Some(T::get(reader)?)),
            _ => reader.invalid(),
        }
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u32).put(out);
        for item in self {
            item.put(out);
        }
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let len = u32::get(reader)?;
        if reader.nesting == MAX_NESTING {
            return reader.invalid();
        }
        reader.nesting += 1;
        // The length is the writer's word: memory grows with what is really there.
        let list = (0..len).map(|_| T::get(reader)).collect();
        reader.nesting -= 1;
        list
    }
}

impl<A: Wire, B: Wire> Wire for (A, B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok((A::get(reader)?, B::get(reader)?))
    }
}

macro_rules! records {
    ($($name:ident { $($field:ident),* })*) => {$(
        impl Wire for $name {
            fn put(&self, out: &mut Vec<u8>) {
                $(self.$field.put(out);)*
            }

            fn get(reader: &mut Reader<'_>) -> Result<Self, WireError> {
                Ok($name { $($field: Wire::get(reader)?),* })
            }
        }
    )*};
}

macro_rules! ids {
    ($($name:ident)*) => {$(
        impl Wire for $name {
            fn put(&self, out: &mut Vec<u8>) {
                self.0.put(out);
            }

            fn get(reader: &mut Reader<'_>) -> Result<Self, WireError> {
                Ok($name(Wire::get(reader)?))
            }
        }
    )*};
}

/// Variants in the order of their numbers, each with its fields.
macro_rules! enums {
    ($($name:ident { $($tag:literal $variant:ident $({ $($field:ident),* })? $(( $inner:ident ))?,)* })*) => {$(
        impl Wire for $name {
            fn put(&self, out: &mut Vec<u8>) {
                match self {
                    $($name::$variant $({ $($field),* })? $(( $inner ))? => {
                        out.push($tag);
                        $($($field.put(out);)*)?
                        $($inner.put(out);)?
                    })*
                }
            }

            fn get(reader: &mut Reader<'_>) -> Result<Self, WireError> {
                match u8::get(reader)? {
                    $($tag => Ok($name::$variant
                        $({ $($field: Wire::get(reader)?),* })?
                        $(({ let $inner = Wire::get(reader)?; $inner }))?
                    ),)*
                    _ => reader.invalid(),
                }
            }
        }
    )*};
}

ids!(ValueId VarId MapId FileId LocId KernelTypeId);

records! {
    Recording { name, license, files, maps, programs }
    SourceFile { path, text }
    Map { name, map_type, key, value, max_entries }
    StructType { name, size, fields }
    StructField { name, offset, ty }
    Program { name, kind, loc, locations, values, vars, kernel_types, body }
    KernelType { name, kind }
    KernelMember { name, ty }
    NumberType { ty, sign }
    Loc { file, line, column, inlined_at }
    Op { kind, loc }
    Place { file, line, column }
}

enums! {
    MapType { 0 Hash, 1 Array, 2 PercpuHash, 3 PercpuArray, 4 Ringbuf, }
    DataType { 0 Scalar(ty), 1 Bytes(len), 2 Struct(ty), }
    Type { 0 Bool, 1 U8, 2 U16, 3 U32, 4 U64, 5 Be16, 6 Be32, 7 Ptr, }
    ProgramKind { 0 Xdp, 1 RawTracepoint { tracepoint }, }
    KernelKind { 0 Struct(members), 1 Union(members), 2 Enum(enumerators), }
    MemberType { 0 Number(ty), 1 Bytes(len), 2 Pointer(to), 3 Kernel(ty), }
    Sign { 0 Unsigned, 1 Signed, }
    Pointee { 0 Number(ty), 1 Struct(name), 2 Union(name), }
    CoreKind {
        0 FieldByteOffset, 1 FieldByteSize, 2 FieldExists, 3 FieldLshiftU64, 4 FieldRshiftU64,
        5 TypeExists, 6 TypeSize, 7 EnumvalExists, 8 EnumvalValue,
    }
    Operand { 0 Value(id), 1 Const(number), }
    BinaryOp {
        0 Add, 1 Sub, 2 Mul, 3 Div, 4 Mod, 5 Sdiv, 6 Smod, 7 And, 8 Or, 9 Xor, 10 Lsh, 11 Rsh,
        12 Arsh,
    }
    CompareOp {
        0 Eq, 1 Ne, 2 Lt, 3 Le, 4 Gt, 5 Ge, 6 Slt, 7 Sle, 8 Sgt, 9 Sge, 10 Set,
    }
    ContextField { 0 Data, 1 Length, 2 IngressIfindex, 3 RxQueueIndex, 4 Args(number), }
    Arg { 0 Context, 1 Map(id), 2 Operand(operand), 3 InMemory { ty, value }, }
    Helper {
        0 MapLookupElem, 1 MapUpdateElem, 2 MapDeleteElem, 3 KtimeGetNs, 4 GetSmpProcessorId,
        5 XdpAdjustHead, 6 XdpAdjustTail, 7 RingbufReserve, 8 RingbufSubmit, 9 RingbufDiscard,
        10 GetCurrentPidTgid, 11 GetCurrentComm, 12 GetCurrentTask, 13 ProbeReadKernel,
    }
    OpKind {
        0 Binary { dst, op, lhs, rhs },
        1 Compare { dst, op, ty, lhs, rhs },
        2 Not { dst, value },
        3 Swap { dst, value },
        4 Cast { dst, value },
        5 Load { dst, ptr, offset },
        6 Store { ptr, offset, ty, value },
        7 AtomicAdd { ptr, offset, ty, value },
        8 Context { dst, field },
        9 Advance { dst, ptr, offset, amount },
        10 InPacket { dst, ptr, end },
        11 NotNull { dst, ptr },
        12 Local { dst, size },
        13 SetVar { var, value },
        14 GetVar { dst, var },
        15 Call { dst, helper, args },
        16 If { cond, then, otherwise },
        17 Inlined { dst, body },
        18 Return { value },
        19 Scratch { dst, size },
        20 Core { dst, kind, ty, path },
    }
}
