//! The functions of all programs, each once: programs that call equal functions share them.
//!
//! A program's own function stands in the program's section, all others in `.text`, in the
//! order in which reading meets them, so that what is read is written the same again. Where the
//! programs themselves are functions of `.text`, one that others call is written once.

use super::WriteError;
use crate::btf::core::CoreRelocation;
use crate::btf::{Linkage, TypeId};
use crate::insn::Insn;
use crate::isa::{Callee, Imm64, Sem};
use crate::object::Object;
use crate::object::read::TEXT;
use crate::program::{Function, Program, Reference};
use crate::span::Span;
use std::collections::{BTreeMap, HashMap};

/// A function that is written. Places are slots from its beginning.
pub(super) struct Unit<'o> {
    /// The program that it is from.
    pub(super) program: &'o Program,
    /// The section that it goes into.
    pub(super) section: &'o str,
    /// What the program says of it.
    pub(super) function: &'o Function,
    /// Functions inside of it, if the program cannot be cut apart.
    pub(super) inner: &'o [Function],
    pub(super) insns: &'o [Insn],
    pub(super) references: &'o [(usize, Reference)],
    /// The slots of the program that it has.
    pub(super) slots: std::ops::Range<usize>,
    pub(super) core_relocations: &'o [(usize, CoreRelocation)],
    /// Whom it calls or takes the address of, by slot: indexes of units.
    pub(super) calls: Vec<(usize, usize)>,
}

/// The functions of an object, in the order of writing.
///
/// # Errors
/// If a function that is called is none of them, or one would be read as a program that is none,
/// or the other way around.
pub(super) fn units(object: &Object) -> Result<Vec<Unit<'_>>, WriteError> {
    let mut all: Vec<Unit<'_>> = Vec::new();
    let mut entries = Vec::new();
    for program in &object.programs {
        entries.push(all.len());
        split(program, &mut all);
    }
    let groups = groups(&all, &entries);
    // The first of each group stands for all of it: the program, if one is in it.
    let mut first: BTreeMap<usize, usize> = BTreeMap::new();
    for index in entries.iter().copied().chain(0..all.len()) {
        if let Some(group) = groups.get(index) {
            first.entry(*group).or_insert(index);
        }
    }
    let stands_for = |index: usize| {
        let group = groups.get(index);
        group
            .and_then(|group| first.get(group))
            .copied()
            .unwrap_or(index)
    };
    for unit in &mut all {
        for (_, callee) in &mut unit.calls {
            *callee = stands_for(*callee);
        }
    }
    let order = order(&all, &entries, stands_for);
    check_functions_alone(object, &all, &entries, &order)?;
    let places: HashMap<usize, usize> =
        order.iter().enumerate().map(|(at, of)| (*of, at)).collect();
    let mut all: Vec<Option<Unit<'_>>> = all.into_iter().map(Some).collect();
    let mut units = Vec::with_capacity(order.len());
    for index in order {
        let Some(mut unit) = all.get_mut(index).and_then(Option::take) else {
            continue;
        };
        for (slot, callee) in &mut unit.calls {
            let place = places.get(callee).copied();
            *callee = place.ok_or_else(|| no_callee(unit.program, unit.slots.start + *slot))?;
        }
        units.push(unit);
    }
    Ok(units)
}

/// Checks what `.text` holds: the programs where no other section has one, and then no other
/// function that everybody sees.
fn check_functions_alone(
    object: &Object,
    all: &[Unit<'_>],
    entries: &[usize],
    order: &[usize],
) -> Result<(), WriteError> {
    let wrong = |program: &Program, why| WriteError::Program {
        program: program.name.clone(),
        why,
    };
    let is_function = |program: &&Program| program.section == TEXT;
    let Some(function) = object.programs.iter().find(is_function) else {
        return Ok(());
    };
    if !object.programs.iter().all(|program| is_function(&program)) {
        let why = "it is in section '.text', which has programs where no other section has one";
        return Err(wrong(function, why.into()));
    }
    let others = order
        .iter()
        .filter(|index| entries.binary_search(index).is_err());
    let mut others = others.filter_map(|index| all.get(*index));
    match others.find(|unit| unit.function.linkage == Linkage::Global) {
        Some(unit) => {
            let name = &unit.function.name;
            let why = format!("it has the global function '{name}', which is no such program");
            Err(wrong(unit.program, why))
        }
        None => Ok(()),
    }
}

/// The error for a call whose function is not written.
pub(super) fn no_callee(program: &Program, slot: usize) -> WriteError {
    WriteError::Program {
        program: program.name.clone(),
        why: format!("slot {slot} calls a function that is not written"),
    }
}

/// The units in the order of writing: functions of `.text` as reading meets them, then those
/// that no program reaches, and the programs.
fn order(all: &[Unit<'_>], entries: &[usize], stands_for: impl Fn(usize) -> usize) -> Vec<usize> {
    let mut seen = vec![false; all.len()];
    let mut order = Vec::with_capacity(all.len());
    for &entry in entries {
        if let Some(seen) = seen.get_mut(entry) {
            *seen = true;
        }
    }
    for &entry in entries {
        let mut path = vec![(entry, 0)];
        while let Some((unit, followed)) = path.last_mut() {
            let call = all.get(*unit).and_then(|unit| unit.calls.get(*followed));
            *followed += 1;
            let Some((_, callee)) = call else {
                path.pop();
                continue;
            };
            if let Some(seen) = seen.get_mut(*callee).filter(|seen| !**seen) {
                *seen = true;
                order.push(*callee);
                path.push((*callee, 0));
            }
        }
    }
    let unreached = (0..all.len()).filter(|index| stands_for(*index) == *index);
    let unreached = unreached.filter(|index| seen.get(*index) == Some(&false));
    order.extend(unreached.collect::<Vec<_>>());
    order.extend(entries);
    order
}

/// Cuts a program into its functions.
fn split<'o>(program: &'o Program, all: &mut Vec<Unit<'o>>) {
    let first = all.len();
    let ranges = ranges(program);
    let indexes: HashMap<usize, usize> = ranges
        .iter()
        .enumerate()
        .map(|(at, range)| (range.slots.start, first + at))
        .collect();
    let whole = ranges.len() == 1;
    for (at, range) in ranges.iter().enumerate() {
        let Some(function) = program.functions.get(at) else {
            continue;
        };
        let insns = program.insns.get(range.insns.clone()).unwrap_or_default();
        let mut calls = Vec::new();
        let mut slot = range.slots.start;
        for insn in insns {
            let target = leads_to(program, slot, insn).filter(|_| !whole);
            if let Some(callee) = target.and_then(|target| indexes.get(&target)) {
                calls.push((slot - range.slots.start, *callee));
            }
            slot += insn.slots();
        }
        all.push(Unit {
            program,
            section: match at {
                0 => &program.section,
                _ => TEXT,
            },
            function,
            inner: match whole {
                true => program.functions.get(1..).unwrap_or_default(),
                false => &[],
            },
            insns,
            references: part(&program.references, &range.slots),
            slots: range.slots.clone(),
            core_relocations: part(&program.core_relocations, &range.slots),
            calls,
        });
    }
}

/// The part of what is sorted by slot that lies in a range.
fn part<'o, T>(all: &'o [(usize, T)], slots: &std::ops::Range<usize>) -> &'o [(usize, T)] {
    let begin = all.partition_point(|(slot, _)| *slot < slots.start);
    let end = all.partition_point(|(slot, _)| *slot < slots.end);
    all.get(begin..end).unwrap_or_default()
}

/// A function's instructions.
struct Range {
    slots: std::ops::Range<usize>,
    insns: std::ops::Range<usize>,
}

/// The functions' instructions; all of them in one if the program cannot be cut: a call leads
/// to what is not said to be a function, or a jump from one function into another.
fn ranges(program: &Program) -> Vec<Range> {
    let starts: Vec<usize> = program.slots().map(|(slot, _)| slot).collect();
    let len = program.slot_count();
    let whole = || {
        vec![Range {
            slots: 0..len,
            insns: 0..program.insns.len(),
        }]
    };
    let ends = program
        .functions
        .iter()
        .skip(1)
        .map(|function| function.slot);
    let mut ranges = Vec::with_capacity(program.functions.len());
    for (function, end) in program.functions.iter().zip(ends.chain([len])) {
        let begin = starts.binary_search(&function.slot).ok();
        let behind = match end {
            end if end == len => Some(starts.len()),
            end => starts.binary_search(&end).ok(),
        };
        match (begin, behind) {
            (Some(begin), Some(behind)) if begin < behind => ranges.push(Range {
                slots: function.slot..end,
                insns: begin..behind,
            }),
            _ => return whole(),
        }
    }
    if ranges.first().is_none_or(|range| range.slots.start != 0) {
        return whole();
    }
    let mut current = 0;
    for (slot, insn) in program.slots() {
        while ranges
            .get(current)
            .is_some_and(|range| range.slots.end <= slot)
        {
            current += 1;
        }
        let fits = match (leads_to(program, slot, insn), program.target(slot, insn)) {
            (Some(to), _) => ranges.binary_search_by_key(&to, |r| r.slots.start).is_ok(),
            (None, Some(to)) => ranges.get(current).is_some_and(|r| r.slots.contains(&to)),
            (None, None) => true,
        };
        if !fits {
            return whole();
        }
    }
    ranges
}

/// Where a call, or the load of a function's address, leads.
fn leads_to(program: &Program, slot: usize, insn: &Insn) -> Option<usize> {
    matches!(
        insn.sem(),
        Sem::Call(Callee::Local) | Sem::LoadImm64(Imm64::Code)
    )
    .then(|| program.target(slot, insn))
    .flatten()
}

/// What makes functions equal, but for whom they call.
#[derive(PartialEq, Eq, Hash)]
struct Shape<'o> {
    name: &'o str,
    linkage: Linkage,
    type_id: Option<TypeId>,
    code: Vec<u8>,
    references: Vec<(usize, Reference)>,
    lines: Vec<(usize, Span<&'o str>)>,
    core_relocations: Vec<(usize, &'o CoreRelocation)>,
    calls: Vec<usize>,
}

impl<'o> Shape<'o> {
    fn of(unit: &Unit<'o>) -> Shape<'o> {
        let base = unit.function.slot;
        let mut code = Vec::new();
        for insn in unit.insns {
            let leads = insn.with_distance(0).filter(|_| {
                matches!(
                    insn.sem(),
                    Sem::Call(Callee::Local) | Sem::LoadImm64(Imm64::Code)
                )
            });
            leads.unwrap_or(*insn).write(&mut code);
        }
        let lines = unit.program.lines.within(unit.slots.clone());
        let lines = lines.map(|(slot, span)| (slot - base, span));
        let relocations = unit.core_relocations.iter();
        Shape {
            name: &unit.function.name,
            linkage: unit.function.linkage,
            type_id: unit.function.type_id,
            code,
            references: unit
                .references
                .iter()
                .map(|(slot, of)| (slot - base, *of))
                .collect(),
            lines: lines.collect(),
            core_relocations: relocations.map(|(slot, of)| (slot - base, of)).collect(),
            calls: unit.calls.iter().map(|(slot, _)| *slot).collect(),
        }
    }
}

/// The group of each unit: equal functions that call equal functions. Programs are alone, but
/// for those of `.text`, which are functions as well.
fn groups(all: &[Unit<'_>], entries: &[usize]) -> Vec<usize> {
    let mut shapes: HashMap<Shape<'_>, usize> = HashMap::new();
    let mut groups: Vec<usize> = Vec::with_capacity(all.len());
    for (index, unit) in all.iter().enumerate() {
        let group = match entries.binary_search(&index) {
            Ok(_) if unit.section != TEXT => index,
            _ => *shapes.entry(Shape::of(unit)).or_insert(index),
        };
        groups.push(group);
    }
    // Functions that call different ones are different, and then so are those that call them.
    loop {
        let mut known: HashMap<(usize, Vec<usize>), usize> = HashMap::new();
        let group_of = |index: usize| groups.get(index).copied().unwrap_or(index);
        let finer: Vec<usize> = all
            .iter()
            .enumerate()
            .map(|(index, unit)| {
                let callees = unit.calls.iter().map(|(_, callee)| group_of(*callee));
                let key = (group_of(index), callees.collect());
                *known.entry(key).or_insert(index)
            })
            .collect();
        if finer == groups {
            return groups;
        }
        groups = finer;
    }
}
