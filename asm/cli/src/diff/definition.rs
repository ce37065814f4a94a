//! What an object defines beside code: things with a name and a value, so that two objects
//! are compared by name.

use std::collections::HashMap;

use ebpf_asm::object::{
    Addressed, Autocreate, DataKind, ExternKind, Map, MapValue, Object, Pinning, Strength,
};
use ebpf_asm::program::{Program, Reference};

/// The most bytes of a value that are shown.
const SHOWN_BYTES: usize = 16;

/// Something that an object defines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Definition {
    /// What it is and its name: `map seen`.
    pub(super) name: String,
    /// What it is like.
    pub(super) value: String,
    /// What is compared but too long to be shown.
    pub(super) bytes: Vec<u8>,
}

/// Something that differs; on one side it may not be at all.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) name: String,
    pub(super) old: Option<String>,
    pub(super) new: Option<String>,
}

impl Definition {
    fn new(name: impl Into<String>, value: impl Into<String>) -> Definition {
        Definition {
            name: name.into(),
            value: value.into(),
            bytes: Vec::new(),
        }
    }

    fn with_bytes(self, bytes: Vec<u8>) -> Definition {
        Definition { bytes, ..self }
    }
}

/// How two objects differ in what they define, in the old order and then the new.
pub(super) fn changes(old: &[Definition], new: &[Definition]) -> Vec<Change> {
    fn by_name(all: &[Definition]) -> HashMap<&str, &Definition> {
        let all = all.iter().rev();
        all.map(|one| (one.name.as_str(), one)).collect()
    }
    let (before, after) = (by_name(old), by_name(new));
    let gone_or_other = old.iter().filter_map(|one| {
        let other = after.get(one.name.as_str());
        (other != Some(&one)).then(|| Change {
            name: one.name.clone(),
            old: Some(one.value.clone()),
            new: other.map(|other| match other.value == one.value {
                true => format!("{}, with other contents", other.value),
                false => other.value.clone(),
            }),
        })
    });
    let added = new
        .iter()
        .filter(|one| !before.contains_key(one.name.as_str()));
    let added = added.map(|one| Change {
        name: one.name.clone(),
        old: None,
        new: Some(one.value.clone()),
    });
    gone_or_other.chain(added).collect()
}

/// All that an object defines.
pub(super) fn all(object: &Object) -> Vec<Definition> {
    let mut all = vec![Definition::new("license", &*object.license)];
    if let Some(version) = object.version {
        all.push(Definition::new("version", version.to_string()));
    }
    for map in &object.maps {
        all.extend(self::map(object, map));
    }
    for one in &object.externs {
        let kind = match one.kind {
            ExternKind::Function => "function",
            ExternKind::Variable => "variable",
        };
        let strength = match one.strength {
            Strength::Strong => "",
            Strength::Weak => ", weak",
        };
        let name = format!("extern {}", one.name);
        all.push(Definition::new(name, format!("{kind}{strength}")));
    }
    all.extend(object.programs.iter().map(program));
    all
}

/// A program without its code.
pub(super) fn program(program: &Program) -> Definition {
    let attached = match program.expected_attach_type {
        Some(attach) => format!(", attached to {}", attach.name()),
        None => String::new(),
    };
    let (prog_type, section) = (program.prog_type, &program.section);
    let value = format!("{prog_type} in section {section}{attached}");
    Definition::new(format!("program {}", program.name), value)
}

/// A map; a section of data with its variables.
fn map(object: &Object, map: &Map) -> Vec<Definition> {
    let whole = || {
        let value = shape(map) + &values(object, map);
        Definition::new(format!("map {}", map.name), value)
    };
    let Some(data) = &map.data else {
        return vec![whole()];
    };
    let kind = match data.kind {
        DataKind::Data => "variables",
        DataKind::Rodata => "constants",
        DataKind::Bss => "variables that begin with zero",
        DataKind::Kconfig => "options of the kernel",
        DataKind::Arena => "variables in an arena",
    };
    let mut named = vec![false; data.bytes.len()];
    let mut all = Vec::new();
    for variable in &data.variables {
        let begin = variable.offset as usize;
        let range = begin..begin.saturating_add(variable.size as usize);
        let bytes = data.bytes.get(range.clone()).unwrap_or_default();
        // What has a name is compared under it.
        if let Some(place) = named.get_mut(range) {
            place.fill(true);
        }
        let name = format!("variable {} in {}", variable.name, map.name);
        let value = format!("{} bytes, {}", variable.size, shown(bytes));
        all.push(Definition::new(name, value).with_bytes(bytes.to_vec()));
    }
    let unnamed = data.bytes.iter().zip(named).filter(|(_, named)| !named);
    let mut unnamed: Vec<u8> = unnamed.map(|(byte, _)| *byte).collect();
    // How much room is left between variables does not matter.
    if unnamed.iter().all(|byte| *byte == 0) {
        unnamed.clear();
    }
    let section = Definition::new(format!("section {}", map.name), kind);
    all.insert(0, section.with_bytes(unnamed));
    if data.kind == DataKind::Arena {
        all.insert(0, whole());
    }
    let addresses = data.addresses.iter();
    all.extend(addresses.map(|address| {
        let name = format!("address at byte {} of {}", address.offset, map.name);
        Definition::new(name, addressed(object, &address.of))
    }));
    all
}

/// What has an address.
fn addressed(object: &Object, of: &Addressed) -> String {
    let map = |index: &usize| {
        let map = object.maps.get(*index);
        map.map_or_else(|| format!("map#{index}"), |map| map.name.clone())
    };
    match of {
        Addressed::Function(name) => format!("of function {name}"),
        Addressed::Reference(Reference::Map(index)) => format!("of map {}", map(index)),
        Addressed::Reference(Reference::MapValue { map: index, offset }) => {
            format!("of byte {offset} of {}", map(index))
        }
        Addressed::Reference(Reference::Extern(index)) => {
            let known = object.externs.get(*index);
            let name = known.map_or("?", |known| known.name.as_str());
            format!("of {name} in the kernel")
        }
    }
}

/// What a map is like, as the text syntax says it.
fn shape(map: &Map) -> String {
    let mut shape = map.map_type.to_string();
    for (name, number) in [
        ("key_size", u64::from(map.key_size)),
        ("value_size", u64::from(map.value_size)),
        ("max_entries", u64::from(map.max_entries)),
        ("map_flags", u64::from(map.map_flags)),
        ("map_extra", map.map_extra),
        ("numa_node", u64::from(map.numa_node)),
    ] {
        if number != 0 {
            shape += &format!(" {name}={number}");
        }
    }
    if map.pinning == Pinning::ByName {
        shape += " pinning=by_name";
    }
    if map.autocreate == Autocreate::OnRequest {
        shape += " autocreate=on_request";
    }
    if let Some(inner) = &map.inner {
        shape += &format!(" of ({})", self::shape(inner));
    }
    shape
}

/// What stands in a map from the start.
fn values(object: &Object, map: &Map) -> String {
    let value = |(index, value): &(u32, MapValue)| match value {
        MapValue::Program(name) => format!("{index}: program {name}"),
        MapValue::Bytes(bytes) => format!("{index}: {}", hex(bytes)),
        MapValue::Map(map) => match object.maps.get(*map) {
            Some(map) => format!("{index}: map {}", map.name),
            None => format!("{index}: map#{map}"),
        },
    };
    match map.values.as_slice() {
        [] => String::new(),
        values => {
            let values: Vec<String> = values.iter().map(value).collect();
            format!(" {{ {} }}", values.join(", "))
        }
    }
}

/// The first bytes of a value.
fn shown(bytes: &[u8]) -> String {
    match bytes.get(..SHOWN_BYTES) {
        Some(first) if first.len() < bytes.len() => format!("{} ...", hex(first)),
        _ => hex(bytes),
    }
}

fn hex(bytes: &[u8]) -> String {
    let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(" ")
}
