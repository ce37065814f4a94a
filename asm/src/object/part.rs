//! A part of an object: one program, with the maps, programs and externs that it needs.

use super::{Addressed, Map, MapValue, Object};
use crate::program::{Program, Reference};
use std::collections::{BTreeMap, BTreeSet};

/// What a program needs of its object, by index.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Needed {
    /// The programs: itself, and those that maps of programs hold from the start.
    pub programs: BTreeSet<usize>,
    /// The maps that these refer to, and those that maps of maps hold from the start.
    pub maps: BTreeSet<usize>,
    /// The externs that they refer to.
    pub externs: BTreeSet<usize>,
}

impl Needed {
    /// What the program at this index of the object's programs needs.
    pub fn by(object: &Object, program: usize) -> Needed {
        let mut needed = Needed::default();
        let mut open = vec![program];
        while let Some(index) = open.pop() {
            let Some(program) = object.programs.get(index) else {
                continue;
            };
            if needed.programs.insert(index) {
                for (_, reference) in &program.references {
                    needed.refer(object, *reference, &mut open);
                }
            }
        }
        needed
    }

    fn refer(&mut self, object: &Object, reference: Reference, open: &mut Vec<usize>) {
        match reference {
            Reference::Map(map) | Reference::MapValue { map, .. } => {
                self.take_map(object, map, open);
            }
            Reference::Extern(index) => {
                self.externs.insert(index);
            }
        }
    }

    fn take_map(&mut self, object: &Object, index: usize, open: &mut Vec<usize>) {
        let mut maps = vec![index];
        while let Some(index) = maps.pop() {
            let Some(map) = object.maps.get(index) else {
                continue;
            };
            if !self.maps.insert(index) {
                continue;
            }
            for (_, value) in &map.values {
                match value {
                    MapValue::Map(held) => maps.push(*held),
                    MapValue::Program(name) => {
                        let named = |program: &Program| program.name == *name;
                        open.extend(object.programs.iter().position(named));
                    }
                    MapValue::Bytes(_) => {}
                }
            }
            for address in map.data.iter().flat_map(|data| &data.addresses) {
                match address.of {
                    Addressed::Reference(Reference::Extern(index)) => {
                        self.externs.insert(index);
                    }
                    Addressed::Reference(
                        Reference::Map(held) | Reference::MapValue { map: held, .. },
                    ) => maps.push(held),
                    Addressed::Function(_) => {}
                }
            }
        }
    }
}

impl Object {
    /// The object with nothing but the program of this name and what it needs; its types and
    /// license stay whole. `None` if there is no such program.
    pub fn part(&self, name: &str) -> Option<Object> {
        let program = self.programs.iter().position(|p| p.name == name)?;
        let needed = Needed::by(self, program);
        let maps = renumbered(&needed.maps);
        let externs = renumbered(&needed.externs);
        let programs = chosen(&self.programs, &needed.programs);
        let parts = chosen(&self.maps, &needed.maps);
        Some(Object {
            programs: programs.map(|p| moved(p, &maps, &externs)).collect(),
            maps: parts.map(|map| holding(map, &maps, &externs)).collect(),
            externs: chosen(&self.externs, &needed.externs).cloned().collect(),
            ..self.without_parts()
        })
    }

    /// What an object says as a whole.
    fn without_parts(&self) -> Object {
        Object {
            license: self.license.clone(),
            version: self.version,
            btf: self.btf.clone(),
            ..Object::default()
        }
    }
}

fn chosen<'a, T>(all: &'a [T], indexes: &'a BTreeSet<usize>) -> impl Iterator<Item = &'a T> {
    indexes.iter().filter_map(|index| all.get(*index))
}

/// The new index of each that stays, by its old one.
fn renumbered(stay: &BTreeSet<usize>) -> BTreeMap<usize, usize> {
    stay.iter()
        .enumerate()
        .map(|(new, old)| (*old, new))
        .collect()
}

/// A program whose maps and externs have other indexes.
fn moved(
    program: &Program,
    maps: &BTreeMap<usize, usize>,
    externs: &BTreeMap<usize, usize>,
) -> Program {
    let mut program = program.clone();
    for (_, reference) in &mut program.references {
        move_reference(reference, maps, externs);
    }
    program
}

fn move_reference(
    reference: &mut Reference,
    maps: &BTreeMap<usize, usize>,
    externs: &BTreeMap<usize, usize>,
) {
    let (index, to) = match reference {
        Reference::Map(map) | Reference::MapValue { map, .. } => (map, maps),
        Reference::Extern(index) => (index, externs),
    };
    if let Some(new) = to.get(index) {
        *index = *new;
    }
}

/// A map that holds maps, and addresses of maps and externs, of other indexes.
fn holding(map: &Map, maps: &BTreeMap<usize, usize>, externs: &BTreeMap<usize, usize>) -> Map {
    let mut map = map.clone();
    for (_, value) in &mut map.values {
        if let MapValue::Map(held) = value
            && let Some(new) = maps.get(held)
        {
            *held = *new;
        }
    }
    for address in map.data.iter_mut().flat_map(|data| &mut data.addresses) {
        if let Addressed::Reference(reference) = &mut address.of {
            move_reference(reference, maps, externs);
        }
    }
    map
}
