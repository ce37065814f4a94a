//! Places of a program by name: where its functions begin, and where its jumps go.

use super::print::{Names, Numbers, Referred, name, print_insn, symbol};
use super::words::quoted;
use crate::btf::Linkage;
use crate::helper;
use crate::insn::Insn;
use crate::isa::Sem;
use crate::object::Object;
use crate::program::{Function, Program, Reference};
use std::collections::HashSet;
use std::fmt::{self, Write};

/// A place that has a name. Its `Display` is the line before it: `.func NAME`, with `global`
/// behind if everybody may call it, or `NAME:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place<'a> {
    /// A function other than the program itself, whose name stands in its directive.
    Function(&'a Function),
    /// The target of a jump: `L` and the slot.
    Local(String),
}

impl Place<'_> {
    /// The name.
    pub fn name(&self) -> &str {
        match self {
            Place::Function(function) => &function.name,
            Place::Local(name) => name,
        }
    }
}

impl Place<'_> {
    /// As `Display` does, without a formatter.
    pub(super) fn print(&self, out: &mut dyn Write) -> fmt::Result {
        let (before, behind) = match self {
            Place::Function(function) if function.linkage == Linkage::Static => (".func ", ""),
            Place::Function(_) => (".func ", " global"),
            Place::Local(_) => ("", ":"),
        };
        out.write_str(before)?;
        match self {
            Place::Function(function) => out.write_str(&name(&function.name))?,
            Place::Local(label) => out.write_str(label)?,
        }
        out.write_str(behind)
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.print(f)
    }
}

/// The places of a program, and the names that its instructions call them by.
#[derive(Debug)]
pub struct Places<'a> {
    object: &'a Object,
    program: &'a Program,
    /// Ascending by slot.
    named: Vec<(usize, Place<'a>)>,
    /// The names that several functions have.
    shared: HashSet<&'a str>,
}

impl<'a> Places<'a> {
    /// The places of a program of `object`.
    pub fn of(object: &'a Object, program: &'a Program) -> Places<'a> {
        // Only what begins an instruction has a line to stand before.
        let mut begins = vec![false; program.slot_count()];
        for (slot, _) in program.slots() {
            if let Some(begins) = begins.get_mut(slot) {
                *begins = true;
            }
        }
        let begins = |slot: usize| begins.get(slot).copied().unwrap_or(false);
        let functions = program.functions.iter();
        let functions = functions.filter(|function| function.slot > 0 && begins(function.slot));
        let mut named: Vec<(usize, Place<'a>)> = functions
            .map(|function| (function.slot, Place::Function(function)))
            .collect();
        named.sort_by_key(|(slot, _)| *slot);
        named.dedup_by_key(|(slot, _)| *slot);
        let taken: HashSet<&str> = program.functions.iter().map(|f| f.name.as_str()).collect();
        let mut seen = HashSet::new();
        let names = named.iter().filter_map(|(_, place)| match place {
            Place::Function(function) => Some(function.name.as_str()),
            Place::Local(_) => None,
        });
        let shared = names.filter(|name| !seen.insert(*name)).collect();
        let jumps = program.slots();
        let mut targets: Vec<usize> = jumps
            .filter_map(|(slot, insn)| program.target(slot, insn))
            .filter(|target| begins(*target))
            .filter(|target| {
                named
                    .binary_search_by_key(target, |(slot, _)| *slot)
                    .is_err()
            })
            .collect();
        targets.sort_unstable();
        targets.dedup();
        named.extend(targets.into_iter().map(|slot| {
            let mut name = format!("L{slot}");
            while taken.contains(name.as_str()) {
                name.insert(0, 'L');
            }
            (slot, Place::Local(name))
        }));
        named.sort_by_key(|(slot, _)| *slot);
        Places {
            object,
            program,
            named,
            shared,
        }
    }

    /// The place at a slot, if that has a name.
    pub fn at(&self, slot: usize) -> Option<&Place<'a>> {
        let index = self.named.binary_search_by_key(&slot, |(slot, _)| *slot);
        self.named.get(index.ok()?).map(|(_, place)| place)
    }

    /// All places, ascending by slot.
    pub fn iter(&self) -> impl Iterator<Item = &(usize, Place<'a>)> {
        self.named.iter()
    }

    /// The instruction at `slot`, to be shown with the names of what it goes to and refers to.
    pub fn insn(&self, slot: usize, insn: &'a Insn) -> NamedInsn<'_> {
        NamedInsn {
            places: self,
            slot,
            insn,
        }
    }
}

/// An instruction of a program, shown with names.
#[derive(Debug)]
pub struct NamedInsn<'a> {
    places: &'a Places<'a>,
    slot: usize,
    insn: &'a Insn,
}

impl NamedInsn<'_> {
    /// The place that the instruction reaches, if it has a name of its own.
    fn target(&self) -> Option<&Place<'_>> {
        let target = self.places.program.target(self.slot, self.insn)?;
        let place = self.places.at(target)?;
        (!self.places.shared.contains(place.name())).then_some(place)
    }
}

impl fmt::Display for NamedInsn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print_insn(f, self.insn, self)
    }
}

impl Names for NamedInsn<'_> {
    fn jump(&self, out: &mut dyn Write, distance: i32) -> fmt::Result {
        match self.target() {
            Some(Place::Local(label)) => out.write_str(label),
            Some(Place::Function(function)) => out.write_str(&symbol(&function.name)),
            None => Numbers.jump(out, distance),
        }
    }

    fn function(&self, out: &mut dyn Write, distance: i32) -> fmt::Result {
        match self.target().map(Place::name) {
            // A call of it by name would be one of the extern.
            Some(name) if self.is_extern(name) => Numbers.function(out, distance),
            Some(name) => out.write_str(&callee(name)),
            None => Numbers.function(out, distance),
        }
    }

    fn reference(&self, out: &mut dyn Write) -> Result<Referred, fmt::Error> {
        let Places {
            object, program, ..
        } = self.places;
        // Most instructions cannot: there is nothing to look for.
        if !matches!(self.insn.sem(), Sem::LoadImm64(_) | Sem::Call(_)) {
            return Ok(Referred::Nothing);
        }
        let Some(reference) = program.reference(self.slot) else {
            return Ok(Referred::Nothing);
        };
        let dst = self.insn.dst();
        match reference {
            Reference::Map(index) => match object.maps.get(index) {
                Some(map) => write!(out, "{dst} = {} ll", symbol(&map.name))?,
                None => write!(out, "{dst} = map#{index} ll")?,
            },
            Reference::MapValue { map, offset } => self.value(out, map, offset)?,
            Reference::Extern(index) => {
                let known = object.externs.get(index).map(|known| known.name.as_str());
                match (self.insn.sem(), known) {
                    (Sem::Call(_), Some(name)) => write!(out, "call {}", callee(name))?,
                    (Sem::Call(_), None) => write!(out, "call extern#{index}")?,
                    (_, Some(name)) => write!(out, "{dst} = {} ll", symbol(name))?,
                    (_, None) => write!(out, "{dst} = extern#{index} ll")?,
                }
            }
        }
        Ok(Referred::Written)
    }
}

impl NamedInsn<'_> {
    /// Whether an extern has this name.
    fn is_extern(&self, name: &str) -> bool {
        let mut externs = self.places.object.externs.iter();
        externs.any(|known| known.name == name)
    }

    /// Writes `r1 = counter ll`, or the map's first value where no variable has the byte.
    fn value(&self, out: &mut dyn Write, map: usize, offset: u32) -> fmt::Result {
        let dst = self.insn.dst();
        let Some(map) = self.places.object.maps.get(map) else {
            return write!(out, "{dst} = map#{map}[0] + {offset} ll");
        };
        let variables = map.data.iter().flat_map(|data| &data.variables);
        let mut at = variables.filter(|variable| variable.offset == offset);
        match at.next().filter(|variable| self.is_unique(&variable.name)) {
            Some(variable) => write!(out, "{dst} = {} ll", symbol(&variable.name)),
            None => write!(out, "{dst} = {}[0] + {offset} ll", symbol(&map.name)),
        }
    }

    /// Whether only one thing of the object has this name.
    fn is_unique(&self, name: &str) -> bool {
        let object = self.places.object;
        let data = object.maps.iter().filter_map(|map| map.data.as_ref());
        let variables = data.flat_map(|data| &data.variables);
        let same = variables.filter(|variable| variable.name == name).count();
        same == 1 && object.map(name).is_none() && !self.is_extern(name)
    }
}

/// A name behind `call`: in quotes it is not that of a helper.
fn callee(name: &str) -> String {
    match helper::by_name(name).is_some() || name == "kfunc" {
        true => quoted(name.as_bytes()),
        false => symbol(name),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{parse, print_program};

    /// What goes nowhere has no label, and a label that is a function's name has another.
    #[test]
    fn every_label_that_is_named_is_bound() {
        let text = "\
.prog xdp p
    if r1 == 1 goto +3
    if r1 == 2 goto -9
    if r1 == 3 goto +100
    r2 = 0x123456789 ll
    if r1 == 4 goto +1
    call L7
    exit
.func L7
    exit
";
        let object = parse("t", text).unwrap();
        let mut printed = String::new();
        print_program(&mut printed, &object, &object.programs[0]).unwrap();
        let expected = text
            .replace(".prog xdp p\n", "")
            .replace("+1\n", "LL7\n")
            .replace("    exit\n.func", "LL7:\n    exit\n.func");
        assert_eq!(printed, expected);
    }
}
