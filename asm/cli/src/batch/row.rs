//! A row: one program as JSON, with everything that decides its verdict.
//!
//! Numbers are the UAPI's, bytes are hexadecimal text. The instructions are the slots that
//! bpf(2) takes, little-endian; what a loader would put into those that refer to maps is
//! listed with the map.
//!
//! Read before: nothing. Read next: `no_row.rs`.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use ebpf_asm::insn::Slot;
use ebpf_asm::map_flags::BPF_F_RDONLY_PROG;

use crate::privilege::Privilege;

/// Slots are 8 bytes.
pub(super) const SLOT: usize = 8;

/// The slot of this number, of instructions in bytes.
pub(super) fn slot_at(bytes: &[u8], slot: usize) -> Option<Slot> {
    let begin = slot.checked_mul(SLOT)?;
    let bytes = bytes.get(begin..begin.checked_add(SLOT)?)?;
    Some(Slot::from_bytes(bytes.try_into().ok()?))
}

/// One line of the input.
#[derive(Debug, Deserialize)]
pub(super) struct Row {
    /// What the answer is called: any JSON value, answered as it is written.
    #[serde(default)]
    pub(super) id: Option<Box<RawValue>>,
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
    /// Who loads it; by default whom the command names.
    #[serde(default)]
    pub(super) privilege: Option<Privilege>,
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
    /// All others.
    #[serde(flatten)]
    unknown: Unknown,
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
    /// All others.
    #[serde(flatten)]
    unknown: Unknown,
}

/// Fields that mean nothing here, by their names.
type Unknown = BTreeMap<String, IgnoredAny>;

impl MapRow {
    /// Whether what it holds is constant to the verifier: nobody can change it any more.
    pub(super) fn is_constant(&self) -> bool {
        self.frozen && self.map_flags & BPF_F_RDONLY_PROG != 0
    }
}

impl Row {
    /// The fields of the row, and of its maps, that mean nothing here.
    pub(super) fn unknown_fields(&self) -> Vec<String> {
        let mut unknown: Vec<String> = self.unknown.keys().cloned().collect();
        for map in &self.maps {
            map.add_unknown("maps.", &mut unknown);
        }
        unknown
    }
}

impl MapRow {
    fn add_unknown(&self, of: &str, unknown: &mut Vec<String>) {
        unknown.extend(self.unknown.keys().map(|field| format!("{of}{field}")));
        if let Some(inner) = &self.inner {
            inner.add_unknown(&format!("{of}inner."), unknown);
        }
    }
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
        assert!(row.id.is_none() && row.maps.is_empty() && row.btf.is_none());
    }

    #[test]
    fn fields_that_mean_nothing_are_found() {
        let line = r#"{"id":1,"prog_tpye":6,"prog_type":6,"insns":"","maps":[
            {"type":2,"max_entry":1},{"type":12,"inner":{"type":2,"max_entry":[{}]}}]}"#;
        let row: Row = serde_json::from_str(line).unwrap();
        let unknown = ["prog_tpye", "maps.max_entry", "maps.inner.max_entry"];
        assert_eq!(row.unknown_fields(), unknown);
    }

    /// Who is told where a line is wrong is told so beside fields that mean nothing as well.
    #[test]
    fn what_is_wrong_in_a_row_has_its_place() {
        let line = r#"{"more":[1],"prog_type":6,"insns":"","maps":[{"more":1,"type":"x"}]}"#;
        let error = serde_json::from_str::<Row>(line).unwrap_err();
        assert_eq!(error.column(), line.find(r#""}]"#).unwrap() + 1);
    }

    #[test]
    fn what_is_no_hexadecimal_is_refused() {
        for text in ["1", "0g", "é0", "+1"] {
            assert!(Hex::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
