//! Compiling: from the DSL's recording to an object with BTF.
//!
//! ```
//! use ebpf_asm::dsl::prelude::*;
//!
//! let unit = Unit::new("pass").license("GPL").xdp("xdp_pass", |_, _| XDP_PASS);
//! let object = ebpf_asm::compile(&unit)?;
//! assert_eq!(object.programs[0].insns[0].to_string(), "r0 = 2");
//! # Ok::<(), ebpf_asm::CompileError>(())
//! ```
//!
//! Read before: `lower/mod.rs`. Read next: `compile/kernel_types.rs`, `object/mod.rs`.

mod kernel_types;

use self::kernel_types::KernelTypes;
use crate::btf::{self, Bitfields, Btf, IntEncoding, Member, TypeId};
use crate::lower::{self, Kernel, LowerError};
use crate::map_type::MapType;
use crate::object::{Map, Object};
use crate::span::{Sources, Span};
use crate::target::{Target, TargetError};
use ebpf_dsl::recording::{self, DataType, Loc, Program, Recording, Type};
use ebpf_dsl::{RecordError, Unit};

/// Why a unit becomes no object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// The recording is wrong.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The unit declares no program.
    #[error("unit `{unit}` declares no program")]
    NoProgram {
        /// The unit's name.
        unit: String,
    },
    /// A program cannot do without an instruction that the target does not have.
    #[error(transparent)]
    Target(#[from] Box<TargetError>),
    /// A program cannot be lowered.
    #[error("program `{program}`: {error}")]
    Lower {
        /// The program's name.
        program: String,
        /// Why not.
        error: LowerError,
    },
}

/// Compiles a unit: lowers its programs and describes its maps and functions in BTF.
///
/// One unit always gives the same object, wherever it is compiled.
///
/// # Errors
/// If the recording is wrong, or a program does not fit the machine.
pub fn compile(unit: &Unit) -> Result<Object, CompileError> {
    compile_for(unit, Target::default())
}

/// Compiles a unit for a target: as [`compile()`], without the instructions that the target does
/// not have.
///
/// # Errors
/// Likewise, and if a program cannot do without one of them.
pub fn compile_for(unit: &Unit, target: Target) -> Result<Object, CompileError> {
    unit.check()?;
    let recording = unit.recording();
    if recording.programs.is_empty() {
        let unit = recording.name.clone();
        return Err(CompileError::NoProgram { unit });
    }
    let sources = sources(recording);
    let mut types = Btf::new();
    let kernel_types = KernelTypes::add(&mut types, recording);
    let programs = recording.programs.iter().map(|program| {
        let spans = spans(recording, program, &sources);
        let asked = kernel_types.of(program);
        let kernel = Kernel {
            btf: &types,
            types: &asked,
        };
        let lowered = lower::lower(program, &spans, kernel, target);
        let lowered = lowered.map_err(|error| CompileError::Lower {
            program: program.name.clone(),
            error,
        })?;
        target.check(&lowered)?;
        Ok::<_, CompileError>(lowered)
    });
    let programs = programs.collect::<Result<_, _>>()?;
    let maps = recording.maps.iter().map(|decl| map(&mut types, decl));
    let maps = maps.collect();
    Ok(btf::build::complete(&Object {
        license: recording.license.clone(),
        programs,
        maps,
        btf: Some(types),
        ..Object::default()
    }))
}

fn sources(recording: &Recording) -> Sources {
    let mut sources = Sources::new();
    for file in &recording.files {
        if let Some(text) = &file.text {
            sources.add(&file.path, text);
        }
    }
    sources
}

/// The places of a program's locations, in their order.
fn spans<'s>(
    recording: &'s Recording,
    program: &Program,
    sources: &'s Sources,
) -> Vec<Span<&'s str>> {
    let span = |loc: &Loc| {
        let file = recording.files.get(loc.file.0 as usize);
        let path = file.map_or("", |file| file.path.as_str());
        sources.span(path, loc.line, loc.column)
    };
    program.locations.iter().map(span).collect()
}

fn map(types: &mut Btf, decl: &recording::Map) -> Map {
    // A ring buffer has neither keys nor values for the kernel.
    let key = decl.key.as_ref();
    let value = key.map(|_| &decl.value);
    let size = |ty: Option<&DataType>| ty.map_or(0, DataType::size);
    Map {
        key_size: size(key),
        value_size: size(value),
        max_entries: decl.max_entries,
        key_type: key.map(|ty| data_type(types, ty)),
        value_type: value.map(|ty| data_type(types, ty)),
        ..Map::new(&decl.name, map_type(decl.map_type))
    }
}

fn map_type(map_type: recording::MapType) -> MapType {
    match map_type {
        recording::MapType::Hash => MapType::Hash,
        recording::MapType::Array => MapType::Array,
        recording::MapType::PercpuHash => MapType::PercpuHash,
        recording::MapType::PercpuArray => MapType::PercpuArray,
        recording::MapType::Ringbuf => MapType::Ringbuf,
    }
}

fn data_type(types: &mut Btf, ty: &DataType) -> TypeId {
    match ty {
        DataType::Scalar(ty) => scalar(types, *ty),
        DataType::Bytes(len) => bytes(types, *len),
        DataType::Struct(ty) => structure(types, ty),
    }
}

fn bytes(types: &mut Btf, len: u32) -> TypeId {
    let element = scalar(types, Type::U8);
    let index = scalar(types, Type::U32);
    let array = btf::Kind::Array {
        element,
        index,
        len,
    };
    types.find_or_add("", array)
}

/// A number by the name of the kernel's type for it.
fn scalar(types: &mut Btf, ty: Type) -> TypeId {
    let name = match ty {
        Type::Bool | Type::U8 => "__u8",
        Type::U16 => "__u16",
        Type::U32 => "__u32",
        Type::U64 | Type::Ptr => "__u64",
        Type::Be16 => "__be16",
        Type::Be32 => "__be32",
    };
    btf::build::scalar(types, name, ty.size(), IntEncoding::default())
}

fn structure(types: &mut Btf, ty: &recording::StructType) -> TypeId {
    let members = ty.fields.iter().map(|field| Member {
        name: types.intern(&field.name),
        ty: data_type(types, &field.ty),
        offset: field.offset.saturating_mul(8),
    });
    let kind = btf::Kind::Struct {
        size: ty.size,
        members: members.collect(),
        bitfields: Bitfields::No,
    };
    // Two records may have one name: only the same fields make them one type.
    types.find_or_add(&ty.name, kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(field: &str) -> DataType {
        DataType::Struct(recording::StructType {
            name: "Key".into(),
            size: 8,
            fields: vec![recording::StructField {
                name: field.into(),
                offset: 0,
                ty: DataType::Scalar(Type::U64),
            }],
        })
    }

    #[test]
    fn records_of_one_name_are_one_type_only_if_their_fields_are_the_same() {
        let mut types = Btf::new();
        let first = data_type(&mut types, &record("a"));
        assert_ne!(data_type(&mut types, &record("b")), first);
        assert_eq!(data_type(&mut types, &record("a")), first);
    }
}
