//! A row: one program as JSON, with everything that decides its verdict.
//!
//! Numbers are the UAPI's, bytes are hexadecimal text. The instructions are the slots that
//! bpf(2) takes, little-endian; what a loader would put into those that refer to maps is
//! listed with the map.
//!
//! Read before: nothing. Read next: `subject.rs`.

use serde::Deserialize;
use serde_json::Value;
use std::fmt;

/// One line of the input.
#[derive(Debug, Deserialize)]
pub(super) struct Row {
    /// What the answer is called: any JSON value.
    #[serde(default)]
    pub(super) id: Value,
    /// `enum bpf_prog_type`.
    pub(super) prog_type: u32,
    /// `enum bpf_attach_type`.
    #[serde(default)]
    pub(super) expected_attach_type: u32,
    /// `BPF_F_*` of `BPF_PROG_LOAD`.
    #[serde(default)]
    pub(super) prog_flags: u32,
    /// The type of the kernel's BTF that the program attaches to.
    #[serde(default)]
    pub(super) attach_btf_id: u32,
    /// The license.
    #[serde(default)]
    pub(super) license: String,
    /// The slots.
    pub(super) insns: Hex,
    /// The maps.
    #[serde(default)]
    pub(super) maps: Vec<MapRow>,
    /// The program's BTF.
    #[serde(default)]
    pub(super) btf: Option<Hex>,
    /// The first slot and the type of each function.
    #[serde(default)]
    pub(super) func_info: Vec<(u32, u32)>,
}

/// A map that the program refers to.
#[derive(Debug, Deserialize)]
pub(super) struct MapRow {
    /// `enum bpf_map_type`.
    #[serde(rename = "type")]
    pub(super) map_type: u32,
    /// Bytes of a key.
    #[serde(default)]
    pub(super) key_size: u32,
    /// Bytes of a value.
    #[serde(default)]
    pub(super) value_size: u32,
    /// The most entries.
    #[serde(default)]
    pub(super) max_entries: u32,
    /// `BPF_F_*` of `BPF_MAP_CREATE`.
    #[serde(default)]
    pub(super) map_flags: u32,
    /// What only some types have.
    #[serde(default)]
    pub(super) map_extra: u64,
    /// The type of the values in the program's BTF; 0 for none.
    #[serde(default)]
    pub(super) btf_value_type_id: u32,
    /// The values from index 0 on.
    #[serde(default)]
    pub(super) contents: Option<Hex>,
    /// Whether user space can change it no more (`BPF_MAP_FREEZE`).
    #[serde(default)]
    pub(super) frozen: bool,
    /// What the maps in a map of maps are like; by default arrays of one value of four bytes.
    #[serde(default)]
    pub(super) inner: Option<Box<MapRow>>,
    /// The slots of the `LD_IMM64` that refer to the map.
    #[serde(default)]
    pub(super) insns: Vec<u32>,
}

/// The fields of a row.
const FIELDS: [&str; 10] = [
    "id",
    "prog_type",
    "expected_attach_type",
    "prog_flags",
    "attach_btf_id",
    "license",
    "insns",
    "maps",
    "btf",
    "func_info",
];

/// The fields of a map.
const MAP_FIELDS: [&str; 11] = [
    "type",
    "key_size",
    "value_size",
    "max_entries",
    "map_flags",
    "map_extra",
    "btf_value_type_id",
    "contents",
    "frozen",
    "inner",
    "insns",
];

/// The fields of a row, and of its maps, that mean nothing here.
pub(super) fn unknown_fields(line: &str) -> Vec<String> {
    let row: Value = serde_json::from_str(line).unwrap_or_default();
    let mut unknown = unknown_among(&row, &FIELDS, "");
    let maps = row.get("maps").and_then(Value::as_array);
    for map in maps.into_iter().flatten() {
        unknown.extend(unknown_among(map, &MAP_FIELDS, "maps."));
    }
    unknown
}

fn unknown_among(value: &Value, known: &[&str], of: &str) -> Vec<String> {
    let fields = value
        .as_object()
        .into_iter()
        .flat_map(|fields| fields.keys());
    let unknown = fields.filter(|field| !known.contains(&field.as_str()));
    unknown.map(|field| format!("{of}{field}")).collect()
}

/// Bytes as hexadecimal text, two digits each.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Hex(pub(super) Vec<u8>);

/// Text that is not hexadecimal.
#[derive(Debug)]
pub(super) struct NotHex;

impl fmt::Display for NotHex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not hexadecimal text of two digits a byte")
    }
}

impl TryFrom<String> for Hex {
    type Error = NotHex;

    fn try_from(text: String) -> Result<Hex, NotHex> {
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let digit = |digit: u8| char::from(digit).to_digit(16).ok_or(NotHex);
        if !rest.is_empty() {
            return Err(NotHex);
        }
        let byte = |&[high, low]: &[u8; 2]| Ok((digit(high)? << 4 | digit(low)?) as u8);
        pairs.iter().map(byte).collect::<Result<_, _>>().map(Hex)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_program_type_and_instructions_are_needed() {
        let row: Row = serde_json::from_str(r#"{"prog_type":6,"insns":"95FF"}"#).unwrap();
        assert_eq!(row.insns, Hex(vec![0x95, 0xff]));
        assert!(row.id.is_null() && row.maps.is_empty() && row.btf.is_none());
    }

    /// Each field of the lists is one of the structures: what cannot be its value is refused.
    #[test]
    fn fields_that_mean_nothing_are_found() {
        for field in FIELDS.iter().filter(|field| **field != "id") {
            let mut row = serde_json::json!({"prog_type": 6, "insns": "95"});
            row[field] = serde_json::json!({"no": "such"});
            assert!(serde_json::from_value::<Row>(row).is_err(), "{field}");
        }
        for field in MAP_FIELDS {
            let mut map = serde_json::json!({"type": 2});
            map[field] = serde_json::json!("no such");
            assert!(serde_json::from_value::<MapRow>(map).is_err(), "{field}");
        }
        let line = r#"{"id":1,"prog_tpye":6,"insns":"","maps":[{"type":2,"max_entry":1}]}"#;
        assert_eq!(unknown_fields(line), ["prog_tpye", "maps.max_entry"]);
        assert!(unknown_fields("no json").is_empty());
    }

    #[test]
    fn what_is_no_hexadecimal_is_refused() {
        for text in ["1", "0g", "é0", "+1"] {
            assert!(Hex::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
