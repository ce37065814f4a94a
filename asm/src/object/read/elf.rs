//! The ELF file: sections, symbols and relocations, each checked once, so that all that
//! comes after reads them without a doubt.
//!
//! Total and bounded: what is kept is never more than a few times the file's own size.

use super::ReadError;
use super::joined::{Joined, join};
use goblin::container::{Container, Ctx, Endian};
use goblin::elf::header::{EI_CLASS, EI_DATA, ELFCLASS64, ELFDATA2LSB, ELFMAG, EM_BPF, ET_REL};
use goblin::elf::section_header::{
    SHF_ALLOC, SHF_EXECINSTR, SHN_LORESERVE, SHN_UNDEF, SHT_NOBITS, SHT_NULL, SHT_REL, SHT_RELA,
    SHT_SYMTAB,
};
use goblin::elf::sym::{STB_LOCAL, STB_WEAK, STT_FUNC, STT_NOTYPE, STT_OBJECT, STT_SECTION};
use goblin::elf::sym::{STV_HIDDEN, STV_INTERNAL, st_bind, st_type, st_visibility};
use goblin::elf::{Elf, SectionHeader};

/// The longest name of a symbol or section, in bytes; longer ones are refused, so that
/// names that end nowhere are not read again and again.
const MAX_NAME: usize = 4096;

/// An ELF64 BPF relocatable.
pub(super) struct File<'a> {
    /// The sections; the first is ELF's empty one.
    pub(super) sections: Vec<Section<'a>>,
    /// The symbols but the labels in code; the first is ELF's empty one.
    pub(super) symbols: Vec<Symbol<'a>>,
    every_symbol: Symbols<'a>,
}

/// A section.
pub(super) struct Section<'a> {
    pub(super) name: &'a str,
    /// What it is for.
    pub(super) role: Role,
    /// Its size in bytes.
    pub(super) size: u64,
    /// Its bytes; none for a section of zeros.
    pub(super) contents: &'a [u8],
    /// How it is put together with others of its name.
    pub(super) joined: Joined,
    /// The tables of what the linker or loader fills in.
    relocations: Vec<Table<'a>>,
}

/// A table of relocations.
#[derive(Debug, Clone, Copy)]
pub(super) enum Table<'a> {
    /// Of `Elf64_Rel`.
    WithoutAddends(&'a [[[u8; 8]; 2]]),
    /// Of `Elf64_Rela`.
    WithAddends(&'a [[[u8; 8]; 3]]),
}

/// What a section is for, by its type and flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Instructions.
    Code,
    /// Data of the program.
    Data,
    /// Data of the program that begins as zeros.
    Zeros,
    /// Anything else: tables of ELF, debug information.
    Other,
}

/// A symbol.
#[derive(Debug, Clone, Copy)]
pub(super) struct Symbol<'a> {
    /// Its index among all symbols.
    pub(super) index: usize,
    /// The name; of the symbol of a section the section's.
    pub(super) name: &'a str,
    pub(super) home: Home,
    /// Where it is in its section, in bytes.
    pub(super) value: u64,
    /// Its size in bytes.
    pub(super) size: u64,
    pub(super) kind: SymbolKind,
    pub(super) binding: Binding,
}

/// Where a symbol is defined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Home {
    /// In another file: in the kernel.
    Undefined,
    /// In the section of this index.
    Section(usize),
    /// In none: an absolute number, or a common variable.
    Nowhere,
}

/// What a symbol names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SymbolKind {
    Unknown,
    Object,
    Function,
    Section,
    Other,
}

/// Who sees a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binding {
    /// The file alone.
    Local,
    /// The object, and nobody who links it (`__hidden` in C).
    Hidden,
    /// Everybody.
    Global,
    /// Everybody, and nobody minds if there is none.
    Weak,
}

/// A place that depends on a symbol.
#[derive(Debug, Clone, Copy)]
pub(super) struct Relocation {
    /// The place in the section, in bytes.
    pub(super) offset: u64,
    pub(super) r_type: u32,
    /// The index of the symbol.
    pub(super) symbol: usize,
    /// What is added to the symbol's place; `None` says that it stands in the place itself.
    pub(super) addend: Option<i64>,
}

impl<'a> File<'a> {
    /// Reads the tables of a file.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<File<'a>, ReadError> {
        let headers = section_headers(bytes)?;
        let names = match usize::from(header(bytes)?.e_shstrndx) {
            index if index >= SHN_LORESERVE as usize => {
                headers.first().map_or(0, |first| first.sh_link as usize)
            }
            index => index,
        };
        let names = headers
            .get(names)
            .map(|header| raw(bytes, header, ".shstrtab"));
        let names = names.transpose()?.unwrap_or_default();
        let mut sections = Vec::with_capacity(headers.len());
        let mut total = 0u64;
        for header in &headers {
            let name = name_at(names, header.sh_name)?;
            let contents = raw(bytes, header, name)?;
            total = total.saturating_add(contents.len() as u64);
            sections.push(Section {
                name,
                role: role(header),
                size: header.sh_size,
                contents,
                joined: Joined::alone(sections.len()),
                relocations: Vec::new(),
            });
        }
        join(&mut sections);
        if total > bytes.len() as u64 {
            return Err(ReadError::Elf(format!(
                "the sections have {total} bytes in all, and the file has {}: they overlap",
                bytes.len()
            )));
        }
        let every_symbol = Symbols::find(&headers, &sections)?;
        let mut file = File {
            symbols: every_symbol.but_labels(&sections)?,
            every_symbol,
            sections,
        };
        file.find_relocations(&headers)?;
        Ok(file)
    }

    /// The first section of this name that holds no code, with its index.
    pub(super) fn section(&self, name: &str) -> Option<(usize, &Section<'a>)> {
        let mut all = self.sections.iter().enumerate();
        all.find(|(_, section)| section.name == name && section.role != Role::Code)
    }

    /// The first section of code of this name, with its index.
    pub(super) fn code(&self, name: &str) -> Option<(usize, &Section<'a>)> {
        let mut all = self.sections.iter().enumerate();
        all.find(|(_, section)| section.name == name && section.role == Role::Code)
    }

    /// The contents of the section of this name; nothing if there is none.
    pub(super) fn contents(&self, name: &str) -> Option<&'a [u8]> {
        self.section(name).map(|(_, section)| section.contents)
    }

    /// The symbol that a relocation is against; its table may end before.
    pub(super) fn symbol(&self, relocation: &Relocation) -> Option<Symbol<'a>> {
        self.every_symbol.get(relocation.symbol, &self.sections)
    }

    /// The same without its name, which only messages want.
    pub(super) fn target(&self, relocation: &Relocation) -> Option<Symbol<'a>> {
        let entry = self.every_symbol.entries.get(relocation.symbol)?;
        Some(Symbol::without_name(relocation.symbol, entry))
    }

    /// Where that symbol is in its section, in bytes.
    pub(super) fn symbol_value(&self, relocation: &Relocation) -> Option<u64> {
        let [_, value, _] = self.every_symbol.entries.get(relocation.symbol)?;
        Some(u64::from_le_bytes(*value))
    }

    /// All symbols, the labels in code among them.
    pub(super) fn every_symbol(&self) -> impl Iterator<Item = Symbol<'a>> {
        let indexes = 0..self.every_symbol.entries.len();
        indexes.filter_map(|index| self.every_symbol.get(index, &self.sections))
    }

    /// The relocation in a section as an error.
    pub(super) fn refuse(
        &self,
        section: &str,
        relocation: &Relocation,
        why: impl Into<String>,
    ) -> ReadError {
        ReadError::Relocation {
            section: section.to_owned(),
            offset: relocation.offset,
            r_type: relocation.r_type,
            symbol: self
                .symbol(relocation)
                .map_or("", |symbol| symbol.name)
                .to_owned(),
            why: why.into(),
        }
    }

    fn find_relocations(&mut self, headers: &[SectionHeader]) -> Result<(), ReadError> {
        for (index, header) in headers.iter().enumerate() {
            let Some(table) = self.sections.get(index) else {
                continue;
            };
            let table = match header.sh_type {
                SHT_REL => Table::WithoutAddends(entries(table)?),
                SHT_RELA => Table::WithAddends(entries(table)?),
                _ => continue,
            };
            if let Some(target) = self.sections.get_mut(header.sh_info as usize) {
                target.relocations.push(table);
            }
        }
        Ok(())
    }
}

impl Section<'_> {
    /// What the linker or loader fills in, in the order of the file.
    pub(super) fn relocations(&self) -> impl Iterator<Item = Relocation> {
        self.relocations.iter().flat_map(|table| {
            let (without, with) = match table {
                Table::WithoutAddends(entries) => (*entries, &[][..]),
                Table::WithAddends(entries) => (&[][..], *entries),
            };
            let without = without.iter().map(Relocation::without_addend);
            without.chain(with.iter().map(Relocation::with_addend))
        })
    }

    /// Their tables.
    pub(super) fn relocation_tables(&self) -> &[Table<'_>] {
        &self.relocations
    }

    /// The same, by ascending place.
    pub(super) fn relocations_by_place(&self) -> Vec<Relocation> {
        let mut all: Vec<Relocation> = self.relocations().collect();
        all.sort_by_key(|relocation| relocation.offset);
        all
    }
}

/// The entries of a table, so many words long each.
fn entries<'a, const WORDS: usize>(
    table: &Section<'a>,
) -> Result<&'a [[[u8; 8]; WORDS]], ReadError> {
    let entries = table.contents.as_chunks::<8>().0.as_chunks::<WORDS>().0;
    let (len, whole) = (table.contents.len(), entries.len() * WORDS * 8);
    match len - whole {
        0 => Ok(entries),
        rest => Err(ReadError::Section {
            section: table.name.to_owned(),
            offset: whole as u64,
            why: format!(
                "{rest} bytes are left, and an entry of the table has {}",
                WORDS * 8
            ),
        }),
    }
}

impl Relocation {
    /// `Elf64_Rel`.
    #[inline]
    pub(super) fn without_addend([offset, info]: &[[u8; 8]; 2]) -> Relocation {
        let info = u64::from_le_bytes(*info);
        Relocation {
            offset: u64::from_le_bytes(*offset),
            r_type: info as u32,
            symbol: (info >> 32) as usize,
            addend: None,
        }
    }

    /// `Elf64_Rela`.
    pub(super) fn with_addend([offset, info, addend]: &[[u8; 8]; 3]) -> Relocation {
        Relocation {
            addend: Some(i64::from_le_bytes(*addend)),
            ..Relocation::without_addend(&[*offset, *info])
        }
    }
}

fn broken(error: goblin::error::Error) -> ReadError {
    ReadError::Elf(error.to_string())
}

/// The file's header, if it is that of a BPF relocatable.
fn header(bytes: &[u8]) -> Result<goblin::elf::Header, ReadError> {
    if !bytes.starts_with(ELFMAG) {
        return Err(ReadError::NotElf(bytes.get(..4).unwrap_or(bytes).to_vec()));
    }
    match bytes.get(EI_CLASS) {
        Some(&ELFCLASS64) => {}
        Some(_) => return Err(ReadError::Foreign("32-bit ELF, and 64-bit is wanted")),
        None => return Err(ReadError::Elf("the file ends within the ELF header".into())),
    }
    if bytes.get(EI_DATA) != Some(&ELFDATA2LSB) {
        let what = "big-endian, and little-endian (bpfel) is wanted";
        return Err(ReadError::Foreign(what));
    }
    let header = Elf::parse_header(bytes).map_err(broken)?;
    if header.e_machine != EM_BPF {
        return Err(ReadError::NotBpf(header.e_machine));
    }
    if header.e_type != ET_REL {
        return Err(ReadError::NotRelocatable(header.e_type));
    }
    Ok(header)
}

fn section_headers(bytes: &[u8]) -> Result<Vec<SectionHeader>, ReadError> {
    let header = header(bytes)?;
    if header.e_shoff == 0 {
        return Ok(Vec::new());
    }
    let context = Ctx::new(Container::Big, Endian::Little);
    let entry = SectionHeader::size(context);
    if usize::from(header.e_shentsize) != entry {
        return Err(ReadError::Elf(format!(
            "section headers have {} bytes each, and {entry} are wanted",
            header.e_shentsize
        )));
    }
    let size = u64::from(header.e_shnum.max(1)) * entry as u64;
    let end = header.e_shoff.saturating_add(size);
    if end > bytes.len() as u64 {
        return Err(ReadError::Truncated {
            section: "(section headers)".into(),
            begin: header.e_shoff,
            end,
            have: bytes.len(),
        });
    }
    let (offset, count) = (header.e_shoff as usize, usize::from(header.e_shnum));
    SectionHeader::parse_from(bytes, offset, count, context).map_err(broken)
}

/// The bytes of a section in the file.
fn raw<'a>(bytes: &'a [u8], header: &SectionHeader, name: &str) -> Result<&'a [u8], ReadError> {
    if matches!(header.sh_type, SHT_NOBITS | SHT_NULL) {
        return Ok(&[]);
    }
    let begin = header.sh_offset;
    let end = begin.saturating_add(header.sh_size);
    let range = usize::try_from(begin).ok().zip(usize::try_from(end).ok());
    range
        .and_then(|(begin, end)| bytes.get(begin..end))
        .ok_or_else(|| ReadError::Truncated {
            section: name.to_owned(),
            begin,
            end,
            have: bytes.len(),
        })
}

fn role(header: &SectionHeader) -> Role {
    let has = |flag: u32| header.sh_flags & u64::from(flag) != 0;
    match header.sh_type {
        SHT_NOBITS if has(SHF_ALLOC) => Role::Zeros,
        SHT_NOBITS | SHT_NULL | SHT_REL | SHT_RELA | SHT_SYMTAB => Role::Other,
        _ if has(SHF_EXECINSTR) => Role::Code,
        _ if has(SHF_ALLOC) => Role::Data,
        _ => Role::Other,
    }
}

/// The name at an offset of a string table.
fn name_at(strings: &[u8], offset: usize) -> Result<&str, ReadError> {
    let rest = strings.get(offset..).unwrap_or_default();
    let rest = rest.get(..MAX_NAME).unwrap_or(rest);
    let end = rest.iter().position(|&byte| byte == 0);
    if end.is_none() && rest.len() == MAX_NAME {
        let why = format!("the name at byte {offset} of its table is longer than {MAX_NAME} bytes");
        return Err(ReadError::Elf(why));
    }
    let name = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
    std::str::from_utf8(name)
        .map_err(|_| ReadError::Elf(format!("the name \"{}\" is no UTF-8", name.escape_ascii())))
}

/// The symbol table.
#[derive(Default)]
struct Symbols<'a> {
    /// `Elf64_Sym`.
    entries: &'a [[[u8; 8]; 3]],
    /// The section of their names.
    names: &'a [u8],
}

impl<'a> Symbols<'a> {
    fn find(headers: &[SectionHeader], sections: &[Section<'a>]) -> Result<Symbols<'a>, ReadError> {
        let mut tables = headers.iter().zip(sections);
        let found = tables.find(|(header, _)| header.sh_type == SHT_SYMTAB);
        let Some((header, table)) = found else {
            return Ok(Symbols::default());
        };
        Ok(Symbols {
            entries: entries(table)?,
            names: sections
                .get(header.sh_link as usize)
                .map_or(&[], |names| names.contents),
        })
    }

    /// All symbols but the labels in code, which are most of them and which nobody looks for.
    fn but_labels(&self, sections: &[Section<'a>]) -> Result<Vec<Symbol<'a>>, ReadError> {
        let is_code = |index: usize| {
            let section = sections.get(index);
            section.is_some_and(|section| section.role == Role::Code)
        };
        // Then no name can be wrong but for its length.
        let is_ascii = self.names.is_ascii();
        let mut symbols = Vec::new();
        for (index, entry) in self.entries.iter().enumerate() {
            let mut symbol = Symbol::without_name(index, entry);
            let is_label = matches!(
                (symbol.kind, symbol.binding, symbol.home),
                (SymbolKind::Unknown, Binding::Local, Home::Section(home)) if is_code(home)
            );
            if is_label && is_ascii {
                continue;
            }
            symbol.name = self.name(entry, &symbol, sections)?;
            if !is_label {
                symbols.push(symbol);
            }
        }
        Ok(symbols)
    }

    /// The symbol of this index.
    fn get(&self, index: usize, sections: &[Section<'a>]) -> Option<Symbol<'a>> {
        let entry = self.entries.get(index)?;
        let symbol = Symbol::without_name(index, entry);
        let name = self.name(entry, &symbol, sections).unwrap_or_default();
        Some(Symbol { name, ..symbol })
    }

    fn name(
        &self,
        [head, ..]: &[[u8; 8]; 3],
        symbol: &Symbol<'a>,
        sections: &[Section<'a>],
    ) -> Result<&'a str, ReadError> {
        match (symbol.kind, symbol.home) {
            (SymbolKind::Section, Home::Section(index)) => {
                Ok(sections.get(index).map_or("", |section| section.name))
            }
            _ => name_at(self.names, u64::from_le_bytes(*head) as u32 as usize),
        }
    }
}

impl Symbol<'_> {
    fn without_name(index: usize, [head, value, size]: &[[u8; 8]; 3]) -> Symbol<'static> {
        // `st_name`, `st_info`, `st_other`, `st_shndx`.
        let [_, _, _, _, info, other, shndx @ ..] = *head;
        let home = match u32::from(u16::from_le_bytes(shndx)) {
            SHN_UNDEF => Home::Undefined,
            SHN_LORESERVE.. => Home::Nowhere,
            index => Home::Section(index as usize),
        };
        let kind = match st_type(info) {
            STT_NOTYPE => SymbolKind::Unknown,
            STT_OBJECT => SymbolKind::Object,
            STT_FUNC => SymbolKind::Function,
            STT_SECTION => SymbolKind::Section,
            _ => SymbolKind::Other,
        };
        let binding = match (st_bind(info), st_visibility(other)) {
            (STB_LOCAL, _) => Binding::Local,
            (STB_WEAK, _) => Binding::Weak,
            (_, STV_HIDDEN | STV_INTERNAL) => Binding::Hidden,
            _ => Binding::Global,
        };
        Symbol {
            index,
            name: "",
            home,
            value: u64::from_le_bytes(*value),
            size: u64::from_le_bytes(*size),
            kind,
            binding,
        }
    }

    /// Whether it is in the section of this index.
    pub(super) fn is_in(&self, section: usize) -> bool {
        self.home == Home::Section(section)
    }
}
