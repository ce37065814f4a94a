//! A function's instructions without what does not matter: distances become lines, indexes
//! of maps become names, offsets of variables become names. Registers stay as they are.

use std::collections::HashMap;
use std::fmt::{self, Write};
use std::ops::Range;

use ebpf_asm::insn::Insn;
use ebpf_asm::isa::Sem;
use ebpf_asm::object::Object;
use ebpf_asm::program::{Program, Reference};
use ebpf_asm::text::{Names, Numbers, Referred, print_insn};

use crate::{core_relo, source};

/// Stands for the target in [`Line::key`]: no name holds it.
const TARGET: char = '\0';

/// The code of one function.
#[derive(Debug, Default)]
pub(super) struct Code {
    pub(super) name: String,
    pub(super) lines: Vec<Line>,
}

/// One instruction.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) slot: usize,
    /// The instruction with a placeholder for where it jumps.
    pub(super) key: String,
    /// The line of the function that it jumps to.
    pub(super) target: Option<usize>,
    /// Whether a line of the function jumps here.
    pub(super) is_target: bool,
    pub(super) source: Option<String>,
}

impl Line {
    /// The instruction, its target called so.
    pub(super) fn text(&self, target: &str) -> String {
        self.key.replace(TARGET, target)
    }
}

/// The functions of a program, the program itself among them.
pub(super) fn functions(object: &Object, program: &Program) -> Vec<Code> {
    let mut begins: Vec<(usize, &str)> = program
        .functions
        .iter()
        .map(|function| (function.slot, function.name.as_str()))
        .collect();
    if !begins.iter().any(|(slot, _)| *slot == 0) {
        begins.push((0, &program.name));
    }
    begins.sort_by_key(|(slot, _)| *slot);
    let names: HashMap<usize, &str> = begins.iter().rev().copied().collect();
    let end = program.slot_count();
    let nexts = begins.iter().skip(1).map(|(slot, _)| *slot).chain([end]);
    let ranges = begins.iter().zip(nexts);
    let function = |((begin, name), end): (&(usize, &str), usize)| Code {
        name: (*name).to_owned(),
        lines: lines(object, program, *begin..end, &names),
    };
    ranges.map(function).collect()
}

/// The lines of the function in these slots. `functions` are the names of those that begin
/// in a slot.
fn lines(
    object: &Object,
    program: &Program,
    slots: Range<usize>,
    functions: &HashMap<usize, &str>,
) -> Vec<Line> {
    let own = || program.slots().filter(|(slot, _)| slots.contains(slot));
    let indexes: HashMap<usize, usize> = own()
        .enumerate()
        .map(|(at, (slot, _))| (slot, at))
        .collect();
    let mut lines: Vec<Line> = own()
        .map(|(slot, insn)| {
            let to = program.target(slot, insn);
            let function = to.and_then(|to| functions.get(&to)).copied();
            let jumps = !matches!(insn.sem(), Sem::Call(_) | Sem::LoadImm64(_));
            let target = to.and_then(|to| indexes.get(&to)).copied();
            let target = target.filter(|_| jumps || function.is_none());
            let names = Normal {
                object,
                insn,
                reference: program.reference(slot),
                has_target: target.is_some(),
                function,
            };
            let mut key = String::new();
            // Writing to a String cannot fail.
            let _ = print_insn(&mut key, insn, &names);
            if let Some(asked) = core_relo::at(object, program, slot) {
                let _ = write!(key, " ; {asked}");
            }
            Line {
                slot,
                key,
                target,
                is_target: false,
                source: program.span(slot).map(source::line),
            }
        })
        .collect();
    let targets: Vec<usize> = lines.iter().filter_map(|line| line.target).collect();
    for target in targets {
        if let Some(line) = lines.get_mut(target) {
            line.is_target = true;
        }
    }
    lines
}

/// The names in an instruction that is to be compared.
struct Normal<'a> {
    object: &'a Object,
    insn: &'a Insn,
    reference: Option<Reference>,
    has_target: bool,
    function: Option<&'a str>,
}

impl Names for Normal<'_> {
    fn jump(&self, out: &mut dyn Write, distance: i32) -> fmt::Result {
        match (self.has_target, self.function) {
            (true, _) => out.write_char(TARGET),
            (false, Some(name)) => out.write_str(name),
            (false, None) => Numbers.jump(out, distance),
        }
    }

    fn function(&self, out: &mut dyn Write, distance: i32) -> fmt::Result {
        match (self.has_target, self.function) {
            (true, _) => out.write_char(TARGET),
            (false, Some(name)) => out.write_str(name),
            (false, None) => Numbers.function(out, distance),
        }
    }

    fn reference(&self, out: &mut dyn Write) -> Result<Referred, fmt::Error> {
        let Some(reference) = self.reference else {
            return Ok(Referred::Nothing);
        };
        let dst = self.insn.dst();
        let map = |index: usize| {
            let map = self.object.maps.get(index);
            map.map_or_else(|| format!("map#{index}"), |map| map.name.clone())
        };
        match reference {
            Reference::Map(index) => write!(out, "{dst} = {} ll", map(index))?,
            Reference::MapValue { map: index, offset } => {
                match variable(self.object, index, offset) {
                    Some((name, 0)) => write!(out, "{dst} = {}:{name} ll", map(index))?,
                    Some((name, past)) => write!(out, "{dst} = {}:{name} + {past} ll", map(index))?,
                    None => write!(out, "{dst} = {}[0] + {offset} ll", map(index))?,
                }
            }
            Reference::Extern(index) => {
                let known = self.object.externs.get(index);
                let name = known.map_or_else(|| format!("extern#{index}"), |e| e.name.clone());
                match self.insn.sem() {
                    Sem::Call(_) => write!(out, "call {name}")?,
                    _ => write!(out, "{dst} = {name} ll")?,
                }
            }
        }
        Ok(Referred::Written)
    }
}

/// The variable that a byte of a section of data is of, and how far behind its beginning.
fn variable(object: &Object, map: usize, offset: u32) -> Option<(&str, u32)> {
    let variables = &object.maps.get(map)?.data.as_ref()?.variables;
    let after = variables.partition_point(|variable| variable.offset <= offset);
    let variable = variables.get(after.checked_sub(1)?)?;
    let past = offset - variable.offset;
    (past < variable.size).then_some((variable.name.as_str(), past))
}
