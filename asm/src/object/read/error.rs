//! Why bytes are no object.

use crate::btf::BtfError;
use crate::btf::core::CoreRecordError;
use crate::insn::ProgramDecodeError;
use goblin::elf::header::{EM_BPF, ET_REL};

/// Why bytes are no object.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// No ELF file.
    #[error("not an ELF file: it begins with \"{}\"", .0.escape_ascii())]
    NotElf(Vec<u8>),
    /// An ELF file of another word size or byte order.
    #[error("not for this kind of machine: {0}")]
    Foreign(&'static str),
    /// An ELF file of another machine.
    #[error("not a BPF object: its machine is {0}, and BPF is {EM_BPF}")]
    NotBpf(u16),
    /// Not what a compiler or assembler makes.
    #[error("not a relocatable object: its type is {0}, and {ET_REL} is wanted")]
    NotRelocatable(u16),
    /// ELF's own tables are wrong.
    #[error("broken ELF tables: {0}")]
    Elf(String),
    /// A section whose contents lie outside the file.
    #[error(
        "section '{section}' lies at bytes {begin}..{end}, and the file has {have}: it is truncated"
    )]
    Truncated {
        /// The section.
        section: String,
        /// Its first byte.
        begin: u64,
        /// The byte behind its last.
        end: u64,
        /// The length of the file.
        have: usize,
    },
    /// A section whose contents are not what they should be.
    #[error("section '{section}', byte {offset}: {why}")]
    Section {
        /// The section.
        section: String,
        /// Where in it.
        offset: u64,
        /// What is wrong, and what was expected.
        why: String,
    },
    /// Bytes of a function that are no instruction.
    #[error("section '{section}', program '{program}', {error}")]
    Insn {
        /// The section.
        section: String,
        /// The function.
        program: String,
        /// Where, and what is wrong.
        error: ProgramDecodeError,
    },
    /// A symbol that cannot be where it says it is.
    #[error("symbol '{symbol}' is at byte {at} of section '{section}', which has {len} bytes")]
    Symbol {
        /// The symbol.
        symbol: String,
        /// The section.
        section: String,
        /// Where it begins or ends.
        at: u64,
        /// The length of the section.
        len: usize,
    },
    /// A relocation that is not known, or not where it can be.
    #[error(
        "section '{section}', byte {offset}: relocation of type {r_type} against '{symbol}': {why}"
    )]
    Relocation {
        /// The section.
        section: String,
        /// Where it applies, in bytes.
        offset: u64,
        /// Its type.
        r_type: u32,
        /// Its symbol.
        symbol: String,
        /// What is wrong.
        why: String,
    },
    /// A `.BTF` or `.BTF.ext` section that is wrong.
    #[error("section '{section}' {error}")]
    Btf {
        /// The section.
        section: &'static str,
        /// What is wrong.
        error: BtfError,
    },
    /// A record of `.BTF.ext` that asks what cannot be asked.
    #[error("section '.BTF.ext', code of section '{section}': {error}")]
    CoreRelocation {
        /// The section that the code is in.
        section: String,
        /// What is wrong.
        error: CoreRecordError,
    },
    /// A map whose definition is wrong.
    #[error("map '{map}': {why}")]
    Map {
        /// The map.
        map: String,
        /// What is wrong.
        why: String,
    },
    /// Something that is right, and that this version does not carry out.
    #[error("not supported yet: {0}")]
    Unsupported(String),
    /// No program at all.
    #[error("no section holds a program")]
    NoProgram,
}
