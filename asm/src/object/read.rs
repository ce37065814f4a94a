//! Reading: an ELF64 BPF relocatable, ours or a compiler's, as an object.
//!
//! Total: any bytes give an object or one error that says where it is wrong. What is
//! understood but not yet carried out (global data, subprograms in `.text`, CO-RE) is an
//! error by name: a program is never read as something else.

use super::write::{R_BPF_64_32, R_BPF_64_64};
use super::{Map, Object, maps};
use crate::btf::build::MAPS_SECTION;
use crate::btf::ext::{Ext, SectionRecords};
use crate::btf::{Btf, BtfError, Kind, Linkage, StrId};
use crate::insn::{Fields, Insn, ProgramDecodeError, decode_all};
use crate::isa::{Imm64, Sem};
use crate::prog_type::section;
use crate::program::{Function, Program, Reference};
use crate::span::Span;
use goblin::container::{Container, Ctx, Endian};
use goblin::elf::header::{EI_CLASS, EI_DATA, ELFCLASS64, ELFDATA2LSB, ELFMAG, EM_BPF, ET_REL};
use goblin::elf::section_header::{SHF_EXECINSTR, SHT_NOBITS, SHT_REL, SHT_RELA};
use goblin::elf::sym::{STT_FUNC, STT_SECTION};
use goblin::elf::{Elf, Reloc, RelocSection, SectionHeader, Sym};
use std::sync::Arc;

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
    /// Bytes of a program that are no instruction.
    #[error("section '{section}', program '{program}', {error}")]
    Insn {
        /// The section.
        section: String,
        /// The program.
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

/// Reads the bytes of an ELF file.
///
/// # Errors
/// The first thing that is wrong, or not supported.
pub fn read(bytes: &[u8]) -> Result<Object, ReadError> {
    let file = File::parse(bytes)?;
    let mut btf = file.btf()?;
    let ext = file.ext()?;
    if !ext.core_relos.is_empty() {
        return Err(ReadError::Unsupported(
            "CO-RE relocations (.BTF.ext core_relo)".into(),
        ));
    }
    if let Some(btf) = &mut btf {
        file.place_variables(btf);
    }
    let maps = file.maps(btf.as_ref())?;
    let mut programs = Vec::new();
    for (index, header) in file.elf.section_headers.iter().enumerate() {
        if header.sh_flags & u64::from(SHF_EXECINSTR) == 0 || header.sh_size == 0 {
            continue;
        }
        programs.extend(file.programs(index, header, &maps)?);
    }
    if programs.is_empty() {
        return Err(ReadError::NoProgram);
    }
    if let Some(btf) = &btf {
        attach_records(&mut programs, btf, &ext);
    }
    Ok(Object {
        license: file.license()?,
        programs: programs.into_iter().map(|found| found.program).collect(),
        maps: maps.into_iter().map(|found| found.map).collect(),
        btf,
        ..Object::default()
    })
}

/// A program with its place in its section, in bytes.
struct FoundProgram {
    base: u64,
    program: Program,
}

/// A map with its place in its section, in bytes.
struct FoundMap {
    section: usize,
    offset: u64,
    map: Map,
}

/// A parsed file with the bytes that it was parsed from.
struct File<'a> {
    bytes: &'a [u8],
    elf: Elf<'a>,
}

impl<'a> File<'a> {
    fn parse(bytes: &'a [u8]) -> Result<File<'a>, ReadError> {
        let ident = bytes.get(..16).unwrap_or(bytes);
        if !bytes.starts_with(ELFMAG) {
            return Err(ReadError::NotElf(bytes.get(..4).unwrap_or(bytes).to_vec()));
        }
        match ident.get(EI_CLASS) {
            Some(&ELFCLASS64) => {}
            Some(_) => return Err(ReadError::Foreign("32-bit ELF, and 64-bit is wanted")),
            None => return Err(ReadError::Elf("the file ends within the ELF header".into())),
        }
        if ident.get(EI_DATA) != Some(&ELFDATA2LSB) {
            return Err(ReadError::Foreign(
                "big-endian, and little-endian (bpfel) is wanted",
            ));
        }
        let broken = |error: goblin::error::Error| ReadError::Elf(error.to_string());
        let header = Elf::parse_header(bytes).map_err(broken)?;
        if header.e_machine != EM_BPF {
            return Err(ReadError::NotBpf(header.e_machine));
        }
        if header.e_type != ET_REL {
            return Err(ReadError::NotRelocatable(header.e_type));
        }
        let tables = u64::from(header.e_shnum) * u64::from(header.e_shentsize);
        let end = header.e_shoff.saturating_add(tables);
        if end > bytes.len() as u64 {
            return Err(ReadError::Truncated {
                section: "(section headers)".into(),
                begin: header.e_shoff,
                end,
                have: bytes.len(),
            });
        }
        let elf = Elf::parse(bytes).map_err(broken)?;
        Ok(File { bytes, elf })
    }

    fn section_name(&self, header: &SectionHeader) -> &'a str {
        self.elf.shdr_strtab.get_at(header.sh_name).unwrap_or("")
    }

    fn symbol_name(&self, symbol: &Sym) -> &'a str {
        match self.elf.strtab.get_at(symbol.st_name) {
            Some(name) if !name.is_empty() => name,
            _ => {
                let header = self.elf.section_headers.get(symbol.st_shndx);
                header.map_or("", |header| self.section_name(header))
            }
        }
    }

    fn section(&self, name: &str) -> Option<(usize, &SectionHeader)> {
        let mut all = self.elf.section_headers.iter().enumerate();
        all.find(|(_, header)| self.section_name(header) == name)
    }

    fn contents(&self, header: &SectionHeader) -> Result<&'a [u8], ReadError> {
        if header.sh_type == SHT_NOBITS {
            return Ok(&[]);
        }
        let (begin, end) = (
            header.sh_offset,
            header.sh_offset.saturating_add(header.sh_size),
        );
        let range = usize::try_from(begin).ok().zip(usize::try_from(end).ok());
        range
            .and_then(|(begin, end)| self.bytes.get(begin..end))
            .ok_or_else(|| ReadError::Truncated {
                section: self.section_name(header).to_owned(),
                begin,
                end,
                have: self.bytes.len(),
            })
    }

    fn named_contents(&self, name: &str) -> Result<Option<&'a [u8]>, ReadError> {
        self.section(name)
            .map(|(_, header)| self.contents(header))
            .transpose()
    }

    fn license(&self) -> Result<String, ReadError> {
        let bytes = self.named_contents("license")?.unwrap_or_default();
        let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
        Ok(String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned())
    }

    fn btf(&self) -> Result<Option<Btf>, ReadError> {
        let section = ".BTF";
        let read =
            |bytes| Btf::from_bytes(bytes).map_err(|error| ReadError::Btf { section, error });
        self.named_contents(section)?.map(read).transpose()
    }

    fn ext(&self) -> Result<Ext, ReadError> {
        let section = ".BTF.ext";
        let read =
            |bytes| Ext::from_bytes(bytes).map_err(|error| ReadError::Btf { section, error });
        Ok(self
            .named_contents(section)?
            .map(read)
            .transpose()?
            .unwrap_or_default())
    }

    /// Fills in the sizes of the sections and the offsets of the variables that BTF lists:
    /// compilers leave them to whoever links, and the kernel wants them.
    fn place_variables(&self, btf: &mut Btf) {
        let ids: Vec<_> = btf
            .types()
            .filter(|(_, ty)| matches!(ty.kind, Kind::DataSec { .. }))
            .map(|(id, _)| id)
            .collect();
        for id in ids {
            let section = self
                .section(btf.name(id))
                .map(|(index, header)| (index, header.sh_size));
            let Some((index, section_size)) = section else {
                continue;
            };
            let Some(Kind::DataSec { vars, .. }) = btf.get(id).map(|ty| ty.kind.clone()) else {
                continue;
            };
            let offsets: Vec<Option<u64>> = vars
                .iter()
                .map(|var| self.symbol_value(index, btf.name(var.var)))
                .collect();
            let Some(ty) = btf.get_mut(id) else { continue };
            if let Kind::DataSec { size, vars } = &mut ty.kind {
                *size = section_size as u32;
                for (var, offset) in vars.iter_mut().zip(offsets) {
                    var.offset = offset.map_or(var.offset, |offset| offset as u32);
                }
                vars.sort_by_key(|var| var.offset);
            }
        }
    }

    fn symbol_value(&self, section: usize, name: &str) -> Option<u64> {
        let here = |symbol: &Sym| symbol.st_shndx == section && symbol.st_type() != STT_SECTION;
        let mut symbols = self.elf.syms.iter().filter(here);
        symbols
            .find(|symbol| self.symbol_name(symbol) == name)
            .map(|symbol| symbol.st_value)
    }

    /// The maps, in the order of BTF.
    fn maps(&self, btf: Option<&Btf>) -> Result<Vec<FoundMap>, ReadError> {
        if self
            .section("maps")
            .is_some_and(|(_, header)| header.sh_size > 0)
        {
            let what = "legacy map definitions (section 'maps')";
            return Err(ReadError::Unsupported(what.into()));
        }
        let Some((section, header)) = self.section(MAPS_SECTION) else {
            return Ok(Vec::new());
        };
        let btf = btf.ok_or_else(|| ReadError::Map {
            map: MAPS_SECTION.into(),
            why: "the section has no BTF to describe its maps: compile with -g".into(),
        })?;
        let defined = maps::defined(btf, header.sh_size)?;
        Ok(defined
            .into_iter()
            .map(|(offset, map)| FoundMap {
                section,
                offset,
                map,
            })
            .collect())
    }

    /// The programs of an executable section: one for each function symbol.
    fn programs(
        &self,
        index: usize,
        header: &SectionHeader,
        maps: &[FoundMap],
    ) -> Result<Vec<FoundProgram>, ReadError> {
        let name = self.section_name(header);
        let Some(known) = section(name) else {
            let what = match name {
                ".text" => "functions in '.text', which programs of other sections call".into(),
                other => format!("programs in section '{other}', which names no program type"),
            };
            return Err(ReadError::Unsupported(what));
        };
        let contents = self.contents(header)?;
        let in_section = |symbol: &Sym| symbol.st_shndx == index && symbol.st_type() == STT_FUNC;
        let mut symbols: Vec<Sym> = self.elf.syms.iter().filter(in_section).collect();
        symbols.sort_by_key(|symbol| symbol.st_value);
        let mut found = Vec::new();
        for symbol in &symbols {
            let program_name = self.symbol_name(symbol);
            let outside = |at| ReadError::Symbol {
                symbol: program_name.to_owned(),
                section: name.to_owned(),
                at,
                len: contents.len(),
            };
            let (base, end) = (
                symbol.st_value,
                symbol.st_value.saturating_add(symbol.st_size),
            );
            let code = contents
                .get(base as usize..end as usize)
                .ok_or_else(|| outside(end))?;
            let insns = decode_all(code).map_err(|error| ReadError::Insn {
                section: name.to_owned(),
                program: program_name.to_owned(),
                error,
            })?;
            let function = Function {
                slot: 0,
                name: program_name.to_owned(),
                linkage: Linkage::Global,
                type_id: None,
            };
            found.push(FoundProgram {
                base,
                program: Program {
                    name: program_name.to_owned(),
                    section: name.to_owned(),
                    prog_type: known.prog_type,
                    expected_attach_type: known.attach_type,
                    insns,
                    references: Vec::new(),
                    functions: vec![function],
                    lines: Vec::new(),
                },
            });
        }
        for relocation in self.relocations(index)? {
            self.relocate(name, &mut found, maps, &relocation)?;
        }
        Ok(found)
    }

    /// The relocations that apply to a section.
    fn relocations(&self, index: usize) -> Result<Vec<Reloc>, ReadError> {
        let applies = |header: &&SectionHeader| {
            matches!(header.sh_type, SHT_REL | SHT_RELA) && header.sh_info as usize == index
        };
        let mut all = Vec::new();
        for header in self.elf.section_headers.iter().filter(applies) {
            self.contents(header)?;
            let (offset, size) = (header.sh_offset as usize, header.sh_size as usize);
            let context = Ctx::new(Container::Big, Endian::Little);
            let with_addends = header.sh_type == SHT_RELA;
            let section = RelocSection::parse(self.bytes, offset, size, with_addends, context)
                .map_err(|error| ReadError::Elf(error.to_string()))?;
            all.extend(section.iter());
        }
        Ok(all)
    }

    /// Makes of a relocation what the instruction under it refers to.
    fn relocate(
        &self,
        section: &str,
        programs: &mut [FoundProgram],
        maps: &[FoundMap],
        relocation: &Reloc,
    ) -> Result<(), ReadError> {
        let symbol = self.elf.syms.get(relocation.r_sym).unwrap_or_default();
        let refuse = |why: &str| ReadError::Relocation {
            section: section.to_owned(),
            offset: relocation.r_offset,
            r_type: relocation.r_type,
            symbol: self.symbol_name(&symbol).to_owned(),
            why: why.to_owned(),
        };
        let target = self.elf.section_headers.get(symbol.st_shndx);
        let target_section = target.map_or("", |header| self.section_name(header));
        match relocation.r_type {
            R_BPF_64_64 => {}
            R_BPF_64_32 => {
                let what = format!("calls of functions in '{target_section}'");
                return Err(ReadError::Unsupported(what));
            }
            _ => {
                return Err(refuse(
                    "BPF has no relocation of this type that code can have",
                ));
            }
        }
        if target_section != MAPS_SECTION {
            let what = match target_section {
                "" => format!("external symbols ('{}')", self.symbol_name(&symbol)),
                data => format!("global data ('{}' in '{data}')", self.symbol_name(&symbol)),
            };
            return Err(ReadError::Unsupported(what));
        }
        let map = maps
            .iter()
            .position(|map| map.section == symbol.st_shndx && map.offset == symbol.st_value)
            .ok_or_else(|| refuse("no map is defined where the symbol is"))?;
        let (program, slot) = programs
            .iter_mut()
            .filter_map(|found| {
                let byte = relocation.r_offset.checked_sub(found.base)?;
                let slot = usize::try_from(byte / 8).ok()?;
                (byte % 8 == 0 && slot < found.program.slot_count())
                    .then_some((&mut found.program, slot))
            })
            .last()
            .ok_or_else(|| refuse("no instruction of a program begins there"))?;
        let index = program.slots().position(|(at, _)| at == slot);
        let insn = index.and_then(|index| program.insns.get_mut(index));
        let Some(insn) = insn.filter(|insn| matches!(insn.sem(), Sem::LoadImm64(_))) else {
            return Err(refuse("the instruction there loads no 64-bit immediate"));
        };
        // Compilers leave it to the relocation to say that this is a map.
        if let Some(row) = Sem::LoadImm64(Imm64::MapFd).row() {
            let dst = insn.dst();
            *insn = Insn::new(
                row,
                Fields {
                    dst,
                    ..Fields::default()
                },
            );
        }
        program.references.push((slot, Reference::Map(map)));
        program.references.sort_by_key(|(slot, _)| *slot);
        Ok(())
    }
}

/// Gives the programs the types of their functions and the places of their lines.
fn attach_records(programs: &mut [FoundProgram], btf: &Btf, ext: &Ext) {
    for FoundProgram { base, program } in programs {
        let size = program.slot_count() as u64 * 8;
        let slot_of = |insn_off: u32| {
            let byte = u64::from(insn_off).checked_sub(*base)?;
            (byte < size && byte % 8 == 0).then_some((byte / 8) as usize)
        };
        for record in records_of(&ext.funcs, btf, &program.section) {
            let at = |function: &&mut Function| Some(function.slot) == slot_of(record.insn_off);
            if let Some(function) = program.functions.iter_mut().find(at) {
                function.type_id = Some(record.type_id);
            }
        }
        let mut files = Interned::default();
        for record in records_of(&ext.lines, btf, &program.section) {
            let Some(slot) = slot_of(record.insn_off) else {
                continue;
            };
            let span = Span {
                file: files.get(btf, record.file_name),
                line: record.line_number,
                column: record.column,
                text: files.get(btf, record.line),
                inlined_at: None,
            };
            program.lines.push((slot, span));
        }
        program.lines.sort_by_key(|(slot, _)| *slot);
        program.lines.dedup_by_key(|(slot, _)| *slot);
    }
}

fn records_of<'a, T>(
    sections: &'a [SectionRecords<T>],
    btf: &'a Btf,
    section: &'a str,
) -> impl Iterator<Item = &'a T> {
    sections
        .iter()
        .filter(move |known| btf.str(known.section) == section)
        .flat_map(|known| &known.records)
}

/// Names that many lines share, each copied once.
#[derive(Default)]
struct Interned(std::collections::HashMap<StrId, Arc<str>>);

impl Interned {
    fn get(&mut self, btf: &Btf, id: StrId) -> Arc<str> {
        self.0
            .entry(id)
            .or_insert_with(|| Arc::from(btf.str(id)))
            .clone()
    }
}
