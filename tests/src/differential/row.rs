//! A program as the row that `ebpfasm check --batch` takes.

use ebpf_asm::insn::{ProgramDecodeError, Slot, decode_all, encode_all};
use ebpf_asm::lines::Lines;
use ebpf_asm::map_type::MapType;
use ebpf_asm::object::{DataKind, Map, Object};
use ebpf_asm::program::{Program, Reference};
use ebpf_asm::text::{Options, print_object};
use serde_json::{Map as Json, Value, json};

/// Slots are 8 bytes.
pub const SLOT: usize = 8;

/// A program with everything that decides its verdict, its instructions as slots.
#[derive(Debug, Clone)]
pub struct Row {
    /// Maps, license and BTF; no programs.
    pub object: Object,
    /// The type and the attach type.
    pub program: Program,
    /// The instructions.
    pub slots: Vec<Slot>,
    /// What slots refer to, ascending.
    pub references: Vec<(usize, Reference)>,
    /// The first slots and types of functions, if all are known.
    pub functions: Vec<(usize, u32)>,
    /// `BPF_F_*` of the load that no section says.
    pub prog_flags: u32,
}

impl Row {
    /// The row of a program of an object. BTF goes with it only if its functions have types.
    #[must_use]
    pub fn of(object: &Object, program: &Program) -> Row {
        let typed: Vec<(usize, u32)> = program
            .functions
            .iter()
            .filter_map(|function| Some((function.slot, function.type_id?.0)))
            .collect();
        let whole = typed.len() == program.functions.len();
        Row {
            slots: slots(program),
            references: program.references.clone(),
            functions: if whole { typed } else { Vec::new() },
            prog_flags: 0,
            program: Program {
                insns: Vec::new(),
                references: Vec::new(),
                lines: Lines::new(),
                ..program.clone()
            },
            object: Object {
                programs: Vec::new(),
                ..object.clone()
            },
        }
    }

    /// The row as one line of JSON, its line ended. Maps that nothing refers to are left out.
    #[must_use]
    pub fn line(&self, id: u64) -> String {
        let attach = self.program.expected_attach_type;
        let mut row = json!({
            "id": id,
            "prog_type": self.program.prog_type.number(),
            "expected_attach_type": attach.map_or(0, |attach| attach.number()),
            "license": self.object.license,
            "insns": self.hex(),
            "maps": self.maps(),
        });
        let prog_flags = self.program.prog_flags() | self.prog_flags;
        if prog_flags != 0 {
            row["prog_flags"] = prog_flags.into();
        }
        if !self.functions.is_empty() {
            row["func_info"] = json!(self.functions);
        }
        let mut maps = self.object.maps.iter().enumerate();
        let typed_maps =
            maps.any(|(index, map)| map.value_type.is_some() && !self.slots_of(index).is_empty());
        if let Some(btf) = &self.object.btf
            && (typed_maps || !self.functions.is_empty())
        {
            row["btf"] = hex(&btf.to_bytes()).into();
        }
        row.to_string() + "\n"
    }

    fn maps(&self) -> Vec<Value> {
        let mut maps = Vec::new();
        for (index, one) in self.object.maps.iter().enumerate() {
            let slots = self.slots_of(index);
            if !slots.is_empty() {
                let mut map = map(one);
                map.insert("insns".into(), slots.into());
                maps.push(Value::Object(map));
            }
        }
        maps
    }

    /// The slots that refer to a map.
    fn slots_of(&self, index: usize) -> Vec<usize> {
        let refers = |reference: &Reference| match reference {
            Reference::Map(map) | Reference::MapValue { map, .. } => *map == index,
            _ => false,
        };
        let slots = self
            .references
            .iter()
            .filter(|(_, reference)| refers(reference));
        slots.map(|(slot, _)| *slot).collect()
    }

    /// The object that has the row's program, as far as its slots are instructions.
    ///
    /// # Errors
    /// What is wrong with the first slot that is none.
    pub fn whole(&self) -> Result<Object, ProgramDecodeError> {
        let bytes: Vec<u8> = self.slots.iter().flat_map(|slot| slot.to_bytes()).collect();
        let mut object = self.object.clone();
        object.programs.push(Program {
            insns: decode_all(&bytes)?,
            references: self.references.clone(),
            functions: Vec::new(),
            ..self.program.clone()
        });
        Ok(object)
    }

    /// The row as text for people, as far as its slots are instructions.
    #[must_use]
    pub fn text(&self) -> String {
        let object = match self.whole() {
            Ok(object) => object,
            Err(error) => return format!("{error}: {}\n", self.hex()),
        };
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = print_object(&mut text, &object, Options::CODE);
        text
    }

    /// The bytes of the slots in hexadecimal digits.
    fn hex(&self) -> String {
        let bytes: Vec<u8> = self.slots.iter().flat_map(|slot| slot.to_bytes()).collect();
        hex(&bytes)
    }
}

/// The slots, with the offset of each direct value where the kernel wants it.
fn slots(program: &Program) -> Vec<Slot> {
    let bytes = encode_all(&program.insns);
    let (chunks, _) = bytes.as_chunks::<SLOT>();
    let mut slots: Vec<Slot> = chunks.iter().copied().map(Slot::from_bytes).collect();
    for &(slot, reference) in &program.references {
        if let (Reference::MapValue { offset, .. }, Some(second)) =
            (reference, slots.get_mut(slot + 1))
        {
            second.imm = offset as i32;
        }
    }
    slots
}

fn map(map: &Map) -> Json<String, Value> {
    let mut row = Json::new();
    row.insert("type".into(), map.map_type.number().into());
    for (name, number) in [
        ("key_size", map.key_size),
        ("value_size", map.value_size),
        ("max_entries", max_entries(map)),
        ("map_flags", map.map_flags),
        ("btf_value_type_id", value_type(map)),
    ] {
        row.insert(name.into(), number.into());
    }
    row.insert("map_extra".into(), map.map_extra.into());
    if let Some(inner) = &map.inner {
        row.insert("inner".into(), Value::Object(self::map(inner)));
    }
    if let Some(data) = &map.data {
        let frozen = matches!(data.kind, DataKind::Rodata | DataKind::Kconfig);
        row.insert("contents".into(), hex(&data.bytes).into());
        row.insert("frozen".into(), frozen.into());
    }
    row
}

/// As the loader has it: perf event arrays without a size have some entries.
fn max_entries(map: &Map) -> u32 {
    match (map.map_type, map.max_entries) {
        (MapType::PerfEventArray, 0) => 1,
        (_, count) => count,
    }
}

/// The type of values, where the batch finds a type for the keys as well: an integer.
fn value_type(map: &Map) -> u32 {
    let id = map.value_type.filter(|_| map.key_size == 4);
    id.map_or(0, |id| id.0)
}

/// Bytes as two digits each.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
