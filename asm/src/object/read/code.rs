//! The functions of a file: executable sections, cut at the symbols of functions.

use super::ReadError;
use super::elf::{Binding, File, Role, Section, Symbol, SymbolKind};
use crate::btf::core::CoreRelocation;
use crate::btf::ext::LineInfo;
use crate::btf::{Linkage, TypeId};
use crate::insn::{Insn, decode_noting};
use crate::isa::{Callee, Imm64, Sem};
use crate::program::{Function, Reference};
use std::ops::Range;

/// The section of the functions that programs call.
pub(in crate::object) const TEXT: &str = ".text";

/// A function of the file. Places in it are slots from its own beginning.
#[derive(Clone, Default)]
pub(super) struct Code<'a> {
    /// The index of its section.
    pub(super) section: usize,
    /// Where it begins in its section, in bytes.
    pub(super) base: u64,
    pub(super) name: &'a str,
    pub(super) linkage: Linkage,
    pub(super) insns: Vec<Insn>,
    /// The second slots of instructions that have two.
    seconds: Vec<usize>,
    /// The slots of the instructions that lead to a function, before relocations say otherwise.
    pub(super) leads: Vec<usize>,
    /// Which other functions it calls or takes the address of, by slot: indexes of functions.
    pub(super) calls: Vec<(usize, usize)>,
    /// If it is a program: the function that is called when it throws.
    pub(super) exception_callback: Option<usize>,
    /// Functions inside of it that have no symbol, by slot.
    pub(super) inner: Vec<Function>,
    pub(super) references: Vec<(usize, Reference)>,
    pub(super) type_id: Option<TypeId>,
    /// By `insn_off`, which is a slot.
    pub(super) lines: Vec<LineInfo>,
    pub(super) core_relocations: Vec<(usize, CoreRelocation)>,
}

impl Code<'_> {
    /// How many slots it has.
    pub(super) fn slots(&self) -> usize {
        self.insns.len() + self.seconds.len()
    }

    /// The index of the instruction that begins in a slot.
    pub(super) fn insn_at(&self, slot: usize) -> Option<usize> {
        self.index(slot).filter(|_| slot < self.slots())
    }

    /// The index that an instruction in a slot has, if one begins there.
    pub(super) fn index(&self, slot: usize) -> Option<usize> {
        let before = self.seconds.binary_search(&slot).err()?;
        slot.checked_sub(before)
    }

    /// The second slots of instructions from a slot on.
    pub(super) fn seconds_from(&self, slot: usize) -> &[usize] {
        let first = self.seconds.partition_point(|second| *second < slot);
        self.seconds.get(first..).unwrap_or_default()
    }

    /// The bytes of its section that it has.
    pub(super) fn bytes(&self) -> Range<u64> {
        self.base..self.base.saturating_add(self.slots() as u64 * 8)
    }

    /// Whether it has the byte `at` of a section.
    pub(super) fn contains(&self, section: usize, at: u64) -> bool {
        self.section == section && self.bytes().contains(&at)
    }
}

/// A program: a name for the function that it begins with.
pub(super) struct Entry<'a> {
    pub(super) name: &'a str,
    /// The index of the function.
    pub(super) code: usize,
}

/// The functions of a file, by section and place, and the programs among them.
pub(super) struct Functions<'a> {
    pub(super) all: Vec<Code<'a>>,
    pub(super) entries: Vec<Entry<'a>>,
}

impl<'a> Functions<'a> {
    pub(super) fn read(file: &File<'a>) -> Result<Functions<'a>, ReadError> {
        let mut functions = Functions {
            all: Vec::new(),
            entries: Vec::new(),
        };
        let code = |(_, section): &(usize, &Section<'a>)| {
            section.role == Role::Code && !section.contents.is_empty()
        };
        for (index, section) in file.sections.iter().enumerate().filter(code) {
            if section.name.is_empty() {
                let why = "has code and no name, which says what its programs are for";
                return Err(ReadError::Elf(format!("section {index} {why}")));
            }
            functions.read_section(file, index, section)?;
        }
        if functions.entries.is_empty() {
            functions.take_for_programs();
        }
        Ok(functions)
    }

    /// The function that has the byte `at` of a section.
    pub(super) fn containing(&self, section: usize, at: u64) -> Option<usize> {
        let place = |code: &Code<'_>| (code.section, code.base);
        let behind = self
            .all
            .partition_point(|code| place(code) <= (section, at));
        let index = behind.checked_sub(1)?;
        let code = self.all.get(index)?;
        code.contains(section, at).then_some(index)
    }

    /// The same, where it is likely to be the function of the last one who asked.
    pub(super) fn containing_after(
        &self,
        last: Option<usize>,
        section: usize,
        at: u64,
    ) -> Option<usize> {
        let is_in = |index: &usize| {
            let code = self.all.get(*index);
            code.is_some_and(|code| code.contains(section, at))
        };
        last.filter(is_in).or_else(|| self.containing(section, at))
    }

    /// The function that begins at byte `at` of a section.
    pub(super) fn beginning(&self, section: usize, at: u64) -> Option<usize> {
        let index = self.containing(section, at)?;
        let code = self.all.get(index)?;
        (code.base == at).then_some(index)
    }

    /// The name of the program that begins at byte `at` of a section: of several the one that
    /// is called `named`, or the first.
    pub(super) fn program_at(&self, section: usize, at: u64, named: &str) -> Option<&str> {
        let code = self.beginning(section, at)?;
        // They stand in the order of their functions.
        let first = self.entries.partition_point(|entry| entry.code < code);
        let here = self.entries.iter().skip(first);
        let here = here.take_while(|entry| entry.code == code);
        let mut names = here.map(|entry| entry.name);
        let first = names.clone().next();
        names.find(|name| *name == named).or(first)
    }

    /// The name of the function that begins at byte `at` of a section.
    pub(super) fn name_at(&self, section: usize, at: u64) -> Option<&str> {
        let code = self.all.get(self.beginning(section, at)?)?;
        Some(code.name)
    }

    /// Functions of `.text` alone: who compiled them wants to see them.
    fn take_for_programs(&mut self) {
        let is_global = |code: &Code<'_>| code.linkage == Linkage::Global;
        let any_global = self.all.iter().any(is_global);
        let chosen = |(_, code): &(usize, &Code<'a>)| is_global(code) || !any_global;
        let entries = self.all.iter().enumerate().filter(chosen);
        self.entries = entries
            .map(|(index, code)| Entry {
                name: code.name,
                code: index,
            })
            .collect();
    }

    fn read_section(
        &mut self,
        file: &File<'a>,
        index: usize,
        section: &Section<'a>,
    ) -> Result<(), ReadError> {
        let symbols = function_symbols(file, index, section);
        // A section without a program of its own: old tools left out what the symbols are.
        let programs_are_global = symbols.iter().any(|symbol| is_global(symbol));
        self.all.reserve_exact(symbols.len());
        self.entries.reserve_exact(symbols.len());
        let mut last: Option<(u64, u64)> = None;
        for symbol in &symbols {
            let range = (symbol.value, symbol.value.saturating_add(symbol.size));
            let is_program = section.name != TEXT && (is_global(symbol) || !programs_are_global);
            match last {
                Some(known) if known == range => {}
                Some((_, end)) if range.0 < end => {
                    return Err(ReadError::Section {
                        section: section.name.to_owned(),
                        offset: range.0,
                        why: format!(
                            "function '{}' begins inside of another, which ends at byte {end}",
                            symbol.name
                        ),
                    });
                }
                _ => self.all.push(decode(index, section, symbol, range)?),
            }
            last = Some(range);
            if is_program {
                self.entries.push(Entry {
                    name: symbol.name,
                    code: self.all.len().saturating_sub(1),
                });
            }
        }
        Ok(())
    }
}

/// What calls functions, and what takes the address of one.
const LEADING: [Sem; 2] = [Sem::Call(Callee::Local), Sem::LoadImm64(Imm64::Code)];

/// Whether an instruction calls a function or takes the address of one.
pub(super) fn leads_to_a_function(insn: &Insn) -> bool {
    LEADING.contains(&insn.sem())
}

/// The slots of the instructions that lead to functions. `seconds` are the second slots of those
/// that have two.
fn leads(insns: &[Insn], seconds: &[usize]) -> Vec<usize> {
    let [call, address] = LEADING.map(Sem::row);
    let (Some(call), Some(address)) = (call, address) else {
        return Vec::new();
    };
    let leading = insns.iter().enumerate();
    let leading = leading.filter(|(_, insn)| insn.is_of(call) || insn.is_of(address));
    let mut wide = seconds.iter().enumerate().peekable();
    let mut before = 0;
    let slots = leading.map(|(index, _)| {
        while wide.next_if(|(n, second)| **second <= index + n).is_some() {
            before += 1;
        }
        index + before
    });
    slots.collect()
}

fn is_global(symbol: &Symbol<'_>) -> bool {
    matches!(symbol.binding, Binding::Global | Binding::Weak)
}

fn decode<'a>(
    index: usize,
    section: &Section<'a>,
    symbol: &Symbol<'a>,
    (base, end): (u64, u64),
) -> Result<Code<'a>, ReadError> {
    let outside = |at| ReadError::Symbol {
        symbol: symbol.name.to_owned(),
        section: section.name.to_owned(),
        at,
        len: section.contents.len(),
    };
    let range = usize::try_from(base).ok().zip(usize::try_from(end).ok());
    let bytes = range
        .and_then(|(base, end)| section.contents.get(base..end))
        .ok_or_else(|| outside(end))?;
    // More than most code has.
    let mut seconds = Vec::with_capacity(bytes.len() / 64);
    let insns = decode_noting(bytes, |slot| seconds.push(slot));
    let insns = insns.map_err(|error| ReadError::Insn {
        section: section.name.to_owned(),
        program: symbol.name.to_owned(),
        error,
    })?;
    let leads = leads(&insns, &seconds);
    Ok(Code {
        section: index,
        base,
        name: symbol.name,
        linkage: match symbol.binding {
            Binding::Local | Binding::Hidden => Linkage::Static,
            Binding::Global | Binding::Weak => Linkage::Global,
        },
        insns,
        seconds,
        leads,
        calls: Vec::new(),
        exception_callback: None,
        inner: Vec::new(),
        references: Vec::new(),
        type_id: None,
        lines: Vec::new(),
        core_relocations: Vec::new(),
    })
}

/// The symbols of the functions of a section, by ascending place, with sizes.
///
/// Assemblers leave out types and sizes: then every visible symbol is a function, which ends
/// where the next begins; and a section without any is one function of its own name.
fn function_symbols<'a>(file: &File<'a>, index: usize, section: &Section<'a>) -> Vec<Symbol<'a>> {
    let of_kind = |kind: SymbolKind| {
        let wanted = move |symbol: &&Symbol<'a>| symbol.is_in(index) && symbol.kind == kind;
        file.symbols.iter().filter(wanted).copied()
    };
    let mut symbols: Vec<Symbol<'a>> = of_kind(SymbolKind::Function).collect();
    if symbols.is_empty() {
        symbols = of_kind(SymbolKind::Unknown).filter(is_global).collect();
    }
    if symbols.is_empty() {
        let whole = Symbol {
            index: 0,
            name: section.name,
            home: super::elf::Home::Section(index),
            value: 0,
            size: section.contents.len() as u64,
            kind: SymbolKind::Function,
            binding: Binding::Global,
        };
        return vec![whole];
    }
    symbols.sort_by_key(|symbol| (symbol.value, symbol.size));
    let ends: Vec<u64> = symbols.iter().skip(1).map(|next| next.value).collect();
    let last = section.contents.len() as u64;
    let ends = ends.into_iter().chain([last]);
    for (symbol, end) in symbols.iter_mut().zip(ends) {
        if symbol.size == 0 {
            symbol.size = end.saturating_sub(symbol.value);
        }
    }
    symbols
}
