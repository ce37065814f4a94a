//! Reading: an ELF64 BPF relocatable, ours or a compiler's, as an object.
//!
//! Total: any bytes give an object or one error that says where it is wrong, and what is
//! made of them is not much larger than they are. What is understood but not carried out is
//! an error by name: a program is never read as something else.
//!
//! Read before: `../mod.rs`. Read next: `elf.rs`, `joined.rs`, `code.rs`, `types.rs`, `maps.rs`,
//! `legacy.rs`, `data.rs`, `structs.rs`, `externs.rs`, `relocate.rs`, `addresses.rs`,
//! `records.rs`, `link.rs`.

mod addresses;
mod code;
mod data;
mod elf;
mod error;
mod externs;
mod joined;
mod legacy;
mod link;
mod maps;
mod records;
mod relocate;
mod structs;
mod types;

pub(super) use code::TEXT;
pub(super) use data::kind as data_kind;
pub use error::ReadError;
pub(crate) use maps::as_defined as maps_as_defined;
pub(super) use maps::values_offset;

use super::Object;
use addresses::Surroundings;
use code::Functions;
use data::Places;
use elf::File;
use externs::Externs;

/// Reads the bytes of an ELF file.
///
/// # Errors
/// The first thing that is wrong, or not supported.
pub fn read(bytes: &[u8]) -> Result<Object, ReadError> {
    let file = File::parse(bytes)?;
    let mut btf = types::read(&file)?;
    let ext = types::ext_bytes(&file)?;
    let ext = types::ext(ext.as_deref())?;
    let mut functions = Functions::read(&file)?;
    if functions.entries.is_empty() {
        return Err(ReadError::NoProgram);
    }
    let mut maps = maps::read(&file, &functions, btf.as_ref())?;
    maps.extend(structs::read(&file, &functions, btf.as_ref())?);
    data::add(&file, btf.as_ref(), &mut maps)?;
    let externs = Externs::read(&file, btf.as_mut(), &mut maps)?;
    let places = Places::of(&file, &maps);
    maps::read_values(&file, &functions, &places, btf.as_ref(), &mut maps)?;
    let surroundings = Surroundings {
        file: &file,
        functions: &functions,
        places: &places,
        externs: &externs,
    };
    surroundings.read_addresses(&mut maps)?;
    relocate::relocate(&file, &mut functions, &places, &externs)?;
    relocate::refuse_lost_addresses(&file, &functions, &maps)?;
    if let Some(btf) = &mut btf {
        records::attach(&file, &mut functions, btf, &ext)?;
    }
    let names = btf.as_ref().map(|btf| btf.strings().clone());
    let mut programs = link::programs(&file, functions, &names.unwrap_or_default())?;
    legacy::settle_types(&mut programs);
    Ok(Object {
        license: license(&file),
        version: version(&file)?,
        programs,
        maps: maps.into_iter().map(|found| found.map).collect(),
        externs: externs.all,
        btf,
    })
}

/// The text of section `license`, up to its first NUL.
fn license(file: &File<'_>) -> String {
    let bytes = file.contents("license").unwrap_or_default();
    let text = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

/// The number in section `version`.
fn version(file: &File<'_>) -> Result<Option<u32>, ReadError> {
    let Some(bytes) = file.contents("version") else {
        return Ok(None);
    };
    let number = bytes.try_into().map_err(|_| ReadError::Section {
        section: "version".to_owned(),
        offset: 0,
        why: format!("it has {} bytes, and a number of 4 is wanted", bytes.len()),
    });
    Ok(Some(u32::from_le_bytes(number?)))
}
