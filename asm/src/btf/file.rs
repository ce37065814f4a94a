//! The BTF of a file: bare, as `/sys/kernel/btf` has it, or the `.BTF` section of an ELF file,
//! whatever machine it is for.

use std::sync::Arc;

use goblin::container::{Container, Ctx, Endian};
use goblin::elf::header::{EI_CLASS, EI_DATA, ELFCLASS64, ELFDATA2LSB, ELFMAG};
use goblin::elf::{Elf, SectionHeader};

use super::write::MAGIC;
use super::{Btf, BtfError};

/// Why a file has no BTF that can be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Neither BTF nor ELF.
    #[error("neither BTF nor an ELF file: it begins with \"{}\"", .0.escape_ascii())]
    Unknown(Vec<u8>),
    /// An ELF file of another word size or byte order.
    #[error("an ELF file that is not of 64 bits and little-endian")]
    Foreign,
    /// ELF's own tables are wrong.
    #[error("broken ELF tables: {0}")]
    Elf(String),
    /// An ELF file without the section.
    #[error("there is no section '.BTF' in it")]
    NoSection,
    /// A section that lies outside of the file.
    #[error("section '.BTF' is {len} bytes at byte {at}, and the file has {have}: it is truncated")]
    Truncated {
        /// Where it begins.
        at: u64,
        /// Its length in bytes.
        len: u64,
        /// The length of the file in bytes.
        have: usize,
    },
    /// The BTF itself is wrong.
    #[error("section '.BTF' {0}")]
    Section(BtfError),
    /// The BTF itself is wrong.
    #[error("this BTF {0}")]
    Bare(BtfError),
}

/// Reads the BTF of a file's bytes; with a base, what goes on from it.
///
/// # Errors
/// If there is none, or it is wrong.
pub fn read(bytes: &[u8], base: Option<Arc<Btf>>) -> Result<Btf, FileError> {
    let read = |bytes: &[u8]| match base {
        Some(base) => Btf::from_split_bytes(bytes, base),
        None => Btf::from_bytes(bytes),
    };
    let magic = bytes.first_chunk().map(|magic| u16::from_le_bytes(*magic));
    match magic {
        Some(magic) if magic == MAGIC || magic.swap_bytes() == MAGIC => {
            read(bytes).map_err(FileError::Bare)
        }
        _ => read(section(bytes)?).map_err(FileError::Section),
    }
}

/// The contents of the section `.BTF` of an ELF file.
fn section(bytes: &[u8]) -> Result<&[u8], FileError> {
    if !bytes.starts_with(ELFMAG) {
        let beginning = bytes.get(..4).unwrap_or(bytes);
        return Err(FileError::Unknown(beginning.to_vec()));
    }
    if (bytes.get(EI_CLASS), bytes.get(EI_DATA)) != (Some(&ELFCLASS64), Some(&ELFDATA2LSB)) {
        return Err(FileError::Foreign);
    }
    let header = find(bytes)?.ok_or(FileError::NoSection)?;
    let (at, len) = (header.sh_offset, header.sh_size);
    contents(bytes, &header).ok_or(FileError::Truncated {
        at,
        len,
        have: bytes.len(),
    })
}

fn contents<'a>(bytes: &'a [u8], header: &SectionHeader) -> Option<&'a [u8]> {
    let begin = usize::try_from(header.sh_offset).ok()?;
    let len = usize::try_from(header.sh_size).ok()?;
    bytes.get(begin..begin.checked_add(len)?)
}

/// The header of the section `.BTF`.
fn find(bytes: &[u8]) -> Result<Option<SectionHeader>, FileError> {
    let broken = |error: goblin::error::Error| FileError::Elf(error.to_string());
    let elf = Elf::parse_header(bytes).map_err(broken)?;
    let (count, each) = (usize::from(elf.e_shnum), usize::from(elf.e_shentsize));
    let fits = |at: usize| Some(at.checked_add(count.checked_mul(each)?)? <= bytes.len());
    let at = usize::try_from(elf.e_shoff).unwrap_or(usize::MAX);
    if fits(at) != Some(true) {
        return Err(FileError::Elf(format!(
            "{count} section headers at byte {at}, and the file has {} bytes",
            bytes.len()
        )));
    }
    let context = Ctx::new(Container::Big, Endian::Little);
    let headers = SectionHeader::parse(bytes, at, count, context).map_err(broken)?;
    let names = headers.get(usize::from(elf.e_shstrndx));
    let names = names.and_then(|header| contents(bytes, header));
    let names = names.unwrap_or_default();
    let named = |header: &SectionHeader| {
        let name = names.get(header.sh_name..).unwrap_or_default();
        name.starts_with(b".BTF\0")
    };
    Ok(headers.into_iter().find(named))
}
