//! The check of a finished recording: what the types could not rule out.
//!
//! A recording that passes is well formed: every number it holds is one of its tables', types
//! fit, and every value is recorded before it is used, in a block around its use. So the
//! lowering need not ask again, wherever the recording came from.

use core::fmt;

use crate::check_ops::Checker;
use crate::recording::{
    DataType, KernelKind, KernelType, Loc, LocId, Map, MapType, MemberType, Pointee, ProgramKind,
    Recording, SourceFile, Type,
};

/// How deep blocks may nest.
pub const MAX_DEPTH: usize = 64;

/// A place in a source file, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// Why a recording is no program.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordError {
    /// A value recorded inside a branch is used outside it.
    OutOfScope {
        /// Where the value was recorded.
        recorded: Place,
        /// Where it is used.
        used: Place,
    },
    /// A map of another unit is used.
    ForeignMap {
        /// The map's name.
        map: String,
        /// Where it is used.
        at: Place,
    },
    /// Two maps, or two programs, have one name.
    DuplicateName {
        /// The name.
        name: String,
    },
    /// A name that is no C identifier, as symbols and BTF want, or is longer than 255 bytes.
    BadName {
        /// The name.
        name: String,
    },
    /// A map's declaration that no kernel takes.
    BadMap {
        /// The map's name.
        map: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// A declaration of a type of the kernel that no kernel has.
    BadKernelType {
        /// The type's name.
        name: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// Blocks nest deeper than [`MAX_DEPTH`].
    TooDeep {
        /// Where.
        at: Place,
    },
    /// Something does not fit the machine.
    TooLarge {
        /// Where.
        at: Place,
        /// What does not fit, and what would.
        what: &'static str,
    },
    /// The recording contradicts itself: it was not made by this crate's types.
    Malformed {
        /// The program.
        program: String,
        /// What is wrong.
        reason: &'static str,
    },
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecordError::OutOfScope { recorded, used } => write!(
                f,
                "the value recorded at {recorded} inside a branch is used at {used} outside it; \
                 record it before the branch, or carry it out in a variable (`f.var(...)`)"
            ),
            RecordError::ForeignMap { map, at } => write!(
                f,
                "{at}: map `{map}` was declared on another unit; declare it on this one"
            ),
            RecordError::DuplicateName { name } => {
                write!(f, "`{name}` is declared twice; names are unique in a unit")
            }
            RecordError::BadName { name } => write!(
                f,
                "`{name}` cannot be a name: use letters, digits and `_`, no digit first, at most \
                 255 bytes"
            ),
            RecordError::BadMap { map, reason } => write!(f, "map `{map}`: {reason}"),
            RecordError::BadKernelType { name, reason } => {
                write!(f, "the kernel's type `{name}`: {reason}")
            }
            RecordError::TooDeep { at } => {
                write!(f, "{at}: branches nest deeper than {MAX_DEPTH} levels")
            }
            RecordError::TooLarge { at, what } => write!(f, "{at}: {what}"),
            RecordError::Malformed { program, reason } => {
                write!(f, "the recording of `{program}` is malformed: {reason}")
            }
        }
    }
}

impl std::error::Error for RecordError {}

/// The place of a location; an unknown one is line 0 of no file.
pub(crate) fn describe(files: &[SourceFile], locations: &[Loc], loc: LocId) -> Place {
    let loc = locations.get(loc.0 as usize);
    let file = loc.and_then(|loc| files.get(loc.file.0 as usize));
    Place {
        file: file.map_or_else(|| "?".to_string(), |file| file.path.clone()),
        line: loc.map_or(0, |loc| loc.line),
        column: loc.map_or(0, |loc| loc.column),
    }
}

/// Checks a whole recording.
pub(crate) fn check(recording: &Recording) -> Result<(), RecordError> {
    let maps = recording.maps.iter().map(|map| &map.name);
    let programs = recording.programs.iter().map(|program| &program.name);
    check_names(maps.chain(programs))?;
    recording.maps.iter().try_for_each(check_map)?;
    for program in &recording.programs {
        if let ProgramKind::RawTracepoint { tracepoint } = &program.kind {
            check_name(tracepoint)?;
        }
        let mut types = program.kernel_types.iter();
        types.try_for_each(|ty| check_kernel_type(ty, 0))?;
        Checker::new(recording, program).check()?;
    }
    Ok(())
}

/// Checks that a name can be a symbol's and one in BTF.
fn check_name(name: &str) -> Result<(), RecordError> {
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let starts = name.bytes().next().is_some_and(|b| !b.is_ascii_digit());
    if starts && name.bytes().all(letters) && name.len() <= 255 {
        return Ok(());
    }
    let name = name.to_string();
    Err(RecordError::BadName { name })
}

fn check_names<'a>(names: impl Iterator<Item = &'a String>) -> Result<(), RecordError> {
    let mut seen: Vec<&String> = Vec::new();
    for name in names {
        check_name(name)?;
        if seen.contains(&name) {
            return Err(RecordError::DuplicateName { name: name.clone() });
        }
        seen.push(name);
    }
    Ok(())
}

fn check_map(map: &Map) -> Result<(), RecordError> {
    let bad = |reason| {
        Err(RecordError::BadMap {
            map: map.name.clone(),
            reason,
        })
    };
    if map.max_entries == 0 {
        return bad("it needs at least one entry");
    }
    if map.value.size() == 0 || map.key.as_ref().is_some_and(|key| key.size() == 0) {
        return bad("keys and values need at least one byte");
    }
    match (map.map_type, &map.key) {
        (MapType::Ringbuf, None) if !map.max_entries.is_power_of_two() => {
            bad("a ring buffer's size is a power of two")
        }
        (MapType::Ringbuf, None) => Ok(()),
        (MapType::Ringbuf, Some(_)) => bad("a ring buffer has no key"),
        (_, None) => bad("it has no key"),
        (MapType::Array | MapType::PercpuArray, Some(key))
            if *key != DataType::Scalar(Type::U32) =>
        {
            bad("the key of an array is a `u32`")
        }
        (_, Some(_)) => Ok(()),
    }
}

/// The most bytes of an array in a type of the kernel: more than any program can read.
const MAX_BYTES: u32 = 1 << 16;

fn check_kernel_type(ty: &KernelType, depth: usize) -> Result<(), RecordError> {
    let bad = |reason| {
        let name = ty.name.clone();
        Err(RecordError::BadKernelType { name, reason })
    };
    if depth > MAX_DEPTH {
        return bad("it is declared within too many others");
    }
    check_name(&ty.name)?;
    match &ty.kind {
        KernelKind::Enum(enumerators) => check_names(enumerators.iter())?,
        KernelKind::Struct(members) | KernelKind::Union(members) => {
            check_names(members.iter().map(|member| &member.name))?;
        }
    }
    for member in ty.members() {
        match &member.ty {
            MemberType::Kernel(inner) => check_kernel_type(inner, depth + 1)?,
            MemberType::Bytes(0) => return bad("an array has at least one byte"),
            MemberType::Bytes(len) if *len > MAX_BYTES => return bad("an array is too large"),
            MemberType::Bytes(_) => {}
            MemberType::Number(number) | MemberType::Pointer(Pointee::Number(number)) => {
                if !number.ty.is_number() {
                    return bad("a condition or pointer is no number");
                }
            }
            MemberType::Pointer(Pointee::Struct(name) | Pointee::Union(name)) => check_name(name)?,
        }
    }
    Ok(())
}
