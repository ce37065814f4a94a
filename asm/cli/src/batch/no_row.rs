//! A line that is no row: which field is wrong, what stands there and what is expected.
//!
//! The words of the reader speak of its types (`invalid type: null, expected u32`), and not of
//! fields. So a line that it does not take is read a second time, as JSON of any form, and held
//! against the table of the fields. Only the place of a fault is the reader's.
//!
//! Read before: `row.rs`. Read next: `unloadable.rs`.

use std::fmt;

use clap::ValueEnum;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::privilege::Privilege;

/// The most characters of a value that are quoted.
const QUOTED: usize = 40;

/// What a field holds.
#[derive(Debug, Clone, Copy)]
enum Holds {
    /// A number of so many bits.
    Number {
        bits: u32,
    },
    Text,
    Truth,
    /// Hexadecimal text.
    Bytes,
    /// The name of a loader.
    Loader,
    /// A map, with fields of its own.
    Map,
    /// A list of them.
    Maps,
    /// A list of numbers of slots.
    Slots,
    /// A list of slots with types.
    Pairs,
}

/// Whether a field may be left out, or be null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Needed,
    /// It may be left out.
    Default,
    /// It may be null as well.
    Nullable,
}

/// A field: its name, what it holds, and whether it has to be there.
type Field = (&'static str, Holds, Need);

const U32: Holds = Holds::Number { bits: 32 };

/// The fields of a row, but for its id, which holds anything.
const ROW: [Field; 10] = [
    ("prog_type", U32, Need::Needed),
    ("expected_attach_type", U32, Need::Default),
    ("prog_flags", U32, Need::Default),
    ("attach_btf_id", U32, Need::Default),
    ("license", Holds::Text, Need::Default),
    ("privilege", Holds::Loader, Need::Nullable),
    ("insns", Holds::Bytes, Need::Needed),
    ("maps", Holds::Maps, Need::Default),
    ("btf", Holds::Bytes, Need::Nullable),
    ("func_info", Holds::Pairs, Need::Default),
];

/// The fields of a map.
const MAP: [Field; 11] = [
    ("type", U32, Need::Needed),
    ("key_size", U32, Need::Default),
    ("value_size", U32, Need::Default),
    ("max_entries", U32, Need::Default),
    ("map_flags", U32, Need::Default),
    ("map_extra", Holds::Number { bits: 64 }, Need::Default),
    ("btf_value_type_id", U32, Need::Default),
    ("contents", Holds::Bytes, Need::Nullable),
    ("frozen", Holds::Truth, Need::Default),
    ("inner", Holds::Map, Need::Nullable),
    ("insns", Holds::Slots, Need::Default),
];

/// What is wrong with the line, which the reader refused with this error.
pub(super) fn why(line: &str, error: &serde_json::Error) -> String {
    match serde_json::from_str::<Value>(line) {
        Ok(row) => object("", &row, &ROW).unwrap_or_else(|| said(error)),
        Err(error) => format!("this is not JSON: {}", said(&error)),
    }
}

/// The words of the reader, without the place, which is one in the line alone.
fn said(error: &serde_json::Error) -> String {
    let said = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let said = said.strip_suffix(&place).unwrap_or(&said);
    match (error.classify(), said) {
        (Category::Eof, _) => "it ends too early".to_owned(),
        // A letter begins nothing but null, true and false.
        (_, "expected ident") => "a value is expected".to_owned(),
        (_, said) => said.replace('`', "'"),
    }
}

/// The first field that is wrong in an object which is called `name`.
fn object(name: &str, value: &Value, fields: &[Field]) -> Option<String> {
    let Value::Object(members) = value else {
        return Some(expected(name, value, "an object"));
    };
    let inside = |field: &str| match name {
        "" => field.to_owned(),
        name => format!("{name}.{field}"),
    };
    fields
        .iter()
        .find_map(|&(field, holds, need)| match (members.get(field), need) {
            (Some(Value::Null), Need::Nullable) => None,
            (Some(value), _) => wrong(&inside(field), value, holds),
            (None, Need::Needed) => Some(format!("the field '{}' is missing", inside(field))),
            (None, _) => None,
        })
}

/// What is wrong with a value.
fn wrong(name: &str, value: &Value, holds: Holds) -> Option<String> {
    match holds {
        Holds::Number { bits } => number(name, value, bits),
        Holds::Text => not(value.is_string(), name, value, "text"),
        Holds::Truth => not(value.is_boolean(), name, value, "true or false"),
        Holds::Bytes => bytes(name, value),
        Holds::Loader => loader(name, value),
        Holds::Map => object(name, value, &MAP),
        Holds::Maps => list(name, value, "a list of maps", |name, map| {
            object(name, map, &MAP)
        }),
        Holds::Slots => list(name, value, "a list of slots", |name, slot| {
            number(name, slot, 32)
        }),
        Holds::Pairs => list(name, value, "a list of pairs", pair),
    }
}

fn number(name: &str, value: &Value, bits: u32) -> Option<String> {
    let most = u64::MAX >> (u64::BITS - bits);
    let fits = value.as_u64().is_some_and(|number| number <= most);
    not(fits, name, value, &format!("a number from 0 to {most}"))
}

fn bytes(name: &str, value: &Value) -> Option<String> {
    let kind = "hexadecimal text";
    let Value::String(text) = value else {
        return Some(expected(name, value, kind));
    };
    let other = text
        .chars()
        .enumerate()
        .find(|(_, c)| !c.is_ascii_hexdigit());
    match other {
        Some((at, other)) => Some(format!(
            "{name} has {other:?} behind {at} digits, and {kind} is expected"
        )),
        None => (!text.len().is_multiple_of(2)).then(|| {
            let digits = text.len();
            format!("{name} has {digits} digits, and two a byte are expected")
        }),
    }
}

fn loader(name: &str, value: &Value) -> Option<String> {
    let known = Privilege::value_variants().iter();
    let names: Vec<String> = known
        .filter_map(|known| Some(known.to_possible_value()?.get_name().to_owned()))
        .collect();
    let is_known = |name: &str| names.iter().any(|known| known == name);
    let kind = format!("one of {}", names.join(", "));
    not(value.as_str().is_some_and(is_known), name, value, &kind)
}

fn pair(name: &str, value: &Value) -> Option<String> {
    match value.as_array().map(Vec::as_slice) {
        Some([slot, type_id]) => [slot, type_id]
            .into_iter()
            .find_map(|value| number(name, value, 32)),
        _ => Some(expected(name, value, "a slot and a type, [slot, type_id]")),
    }
}

fn list(
    name: &str,
    value: &Value,
    kind: &str,
    one: impl Fn(&str, &Value) -> Option<String>,
) -> Option<String> {
    let Value::Array(items) = value else {
        return Some(expected(name, value, kind));
    };
    let mut items = items.iter().enumerate();
    items.find_map(|(index, item)| one(&format!("{name}[{index}]"), item))
}

fn not(is: bool, name: &str, value: &Value, kind: &str) -> Option<String> {
    (!is).then(|| expected(name, value, kind))
}

/// `prog_type is -6, and a number from 0 to 4294967295 is expected`.
fn expected(name: &str, value: &Value, kind: &str) -> String {
    let name = match name {
        "" => "this",
        name => name,
    };
    let text = value.to_string();
    let quoted: String = text.chars().take(QUOTED).collect();
    let more = if quoted.len() < text.len() { "..." } else { "" };
    format!("{name} is {quoted}{more}, and {kind} is expected")
}

/// The id of a line that is no row, as far as it can be read: whoever asked knows the line by it.
pub(super) fn id_of(line: &str) -> Option<Box<RawValue>> {
    let mut id = None;
    // What is wrong with the line is told of already.
    let _ = serde_json::Deserializer::from_str(line).deserialize_map(Id(&mut id));
    id
}

/// Keeps the id, whatever comes behind it.
struct Id<'a>(&'a mut Option<Box<RawValue>>);

impl<'de> Visitor<'de> for Id<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut members: M) -> Result<(), M::Error> {
        while let Some(name) = members.next_key::<String>()? {
            match name.as_str() {
                "id" => *self.0 = Some(members.next_value()?),
                _ => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::row::Row;

    fn why_not(line: &str) -> String {
        let error = serde_json::from_str::<Row>(line).unwrap_err();
        why(line, &error)
    }

    #[test]
    fn the_field_what_stands_there_and_what_is_expected_are_told() {
        for (line, said) in [
            (r#"{"prog_type":6}"#, "the field 'insns' is missing"),
            (
                r#"{"prog_type":-6,"insns":""}"#,
                "prog_type is -6, and a number from 0 to 4294967295 is expected",
            ),
            (
                r#"{"prog_type":6.5,"insns":""}"#,
                "prog_type is 6.5, and a number from 0 to 4294967295 is expected",
            ),
            (
                r#"{"prog_type":6,"license":null,"insns":""}"#,
                "license is null, and text is expected",
            ),
            (
                r#"{"prog_type":6,"insns":"62 0a"}"#,
                "insns has ' ' behind 2 digits, and hexadecimal text is expected",
            ),
            (
                r#"{"prog_type":6,"insns":"620"}"#,
                "insns has 3 digits, and two a byte are expected",
            ),
            (
                r#"{"prog_type":6,"insns":"","privilege":"king"}"#,
                "privilege is \"king\", and one of full, no-perfmon, no-net-admin, bpf-only, none \
                 is expected",
            ),
            (
                r#"{"prog_type":6,"insns":"","maps":[{"type":2},{"type":12,"inner":{"type":"2"}}]}"#,
                "maps[1].inner.type is \"2\", and a number from 0 to 4294967295 is expected",
            ),
            (
                r#"{"prog_type":6,"insns":"","func_info":[[0,1],[2]]}"#,
                "func_info[1] is [2], and a slot and a type, [slot, type_id] is expected",
            ),
            ("[1,2]", "this is [1,2], and an object is expected"),
            ("not json", "this is not JSON: a value is expected"),
            (r#"{"id":1,"#, "this is not JSON: it ends too early"),
            (r#"{"id":1,}"#, "this is not JSON: trailing comma"),
            (r#"{"id":1,"id":2}"#, "the field 'prog_type' is missing"),
            (
                r#"{"prog_type":6,"prog_type":6,"insns":""}"#,
                "duplicate field 'prog_type'",
            ),
        ] {
            assert_eq!(why_not(line), said, "{line}");
        }
    }

    /// What the table wants of a field the reader wants as well. A field that only the reader knows
    /// would be told in its words.
    #[test]
    fn every_field_of_the_table_is_one_of_the_reader() {
        // Nothing holds a list in a list.
        let object = |needed: &[(&str, &str)], field: &str| {
            let others = needed.iter().filter(|(name, _)| *name != field);
            let others: String = others
                .map(|(name, value)| format!(r#","{name}":{value}"#))
                .collect();
            format!(r#"{{"{field}":[[]]{others}}}"#)
        };
        for (field, ..) in ROW {
            let line = object(&[("prog_type", "6"), ("insns", r#""""#)], field);
            assert!(why_not(&line).starts_with(field), "{line}");
        }
        for (field, ..) in MAP {
            let map = object(&[("type", "2")], field);
            let line = format!(r#"{{"prog_type":6,"insns":"","maps":[{map}]}}"#);
            assert!(
                why_not(&line).starts_with(&format!("maps[0].{field}")),
                "{line}"
            );
        }
    }

    #[test]
    fn the_id_is_found_before_what_is_wrong() {
        let id = |line: &str| id_of(line).map(|id| id.get().to_owned());
        assert_eq!(
            id(r#"{"id": {"a": 18446744073709551616}, "#).as_deref(),
            Some(r#"{"a": 18446744073709551616}"#)
        );
        assert_eq!(id(r#"{"x":[1],"id":"y","#).as_deref(), Some(r#""y""#));
        assert_eq!(id("[1]"), None);
    }
}
