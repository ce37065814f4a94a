//! Rows that bpf(2) cannot be given: they are rows by their form, and what they describe is no
//! program and no map's contents. Neither our verifier nor the kernel judges them.
//!
//! Read before: `no_row.rs`. Read next: `place.rs`.

use super::row::{MapRow, Row, SLOT, slot_at};
use super::wide;

/// Why nobody can load the row, if nobody can.
pub(super) fn why(row: &Row) -> Option<String> {
    let bytes = row.insns.0.len();
    if !bytes.is_multiple_of(SLOT) {
        return Some(format!(
            "insns are {bytes} bytes, which is no whole number of slots of {SLOT}"
        ));
    }
    if row.license.contains('\0') {
        return Some("license has a NUL, where it would end".to_owned());
    }
    if let Err(why) = listed(row) {
        return Some(why);
    }
    let mut maps = row.maps.iter().enumerate();
    maps.find_map(|(index, map)| Some(format!("map {index} has {}", odd_contents(map)?)))
}

/// The instructions that refer to maps, by slot, with the map of each.
pub(super) fn listed(row: &Row) -> Result<Vec<(usize, usize)>, String> {
    let mut listed = Vec::new();
    for (map, one) in row.maps.iter().enumerate() {
        for &slot in &one.insns {
            let slot = slot as usize;
            let Some(first) = slot_at(&row.insns.0, slot) else {
                return Err(format!(
                    "map {map} is referred to at slot {slot}, which the program does not have"
                ));
            };
            if !wide::is_wide(first) {
                return Err(format!(
                    "map {map} is referred to at slot {slot}, which is no LD_IMM64"
                ));
            }
            listed.push((slot, map));
        }
    }
    listed.sort_unstable();
    let mut pairs = listed.windows(2);
    let twice = pairs.find_map(|pair| match pair {
        [(a, map), (b, other)] if a == b => Some((*a, *map, *other)),
        _ => None,
    });
    match twice {
        Some((slot, map, other)) => Err(format!(
            "slot {slot} refers to map {map}, and to map {other}"
        )),
        None => Ok(listed),
    }
}

/// Contents that decide a verdict, since nobody can change them, and that are more than the map has
/// room for. What is left out stays zero, as the kernel makes it.
fn odd_contents(map: &MapRow) -> Option<String> {
    let bytes = map.contents.as_ref()?.0.len();
    let (size, entries) = (map.value_size as usize, map.max_entries as usize);
    // What has no values is no map: that is for the kernel to say.
    if !map.is_constant() || size == 0 || bytes <= size.saturating_mul(entries) {
        return None;
    }
    Some(format!(
        "contents of length {bytes}, and {entries} times {size} bytes of values"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why_not(fields: &str) -> Option<String> {
        let line = format!(r#"{{"prog_type":6,{fields}}}"#);
        why(&serde_json::from_str(&line).unwrap())
    }

    #[test]
    fn what_bpf_2_cannot_be_given_is_told() {
        let map = |map: &str| {
            format!(r#""insns":"18010000000000000000000000000000","maps":[{{"type":2,{map}}}]"#)
        };
        for (fields, said) in [
            (
                r#""insns":"9500""#.to_owned(),
                "insns are 2 bytes, which is no whole number of slots of 8",
            ),
            (
                r#""insns":"","license":"GPL\u0000x""#.to_owned(),
                "license has a NUL, where it would end",
            ),
            (
                map(r#""insns":[2]"#),
                "map 0 is referred to at slot 2, which the program does not have",
            ),
            (
                map(r#""insns":[1]"#),
                "map 0 is referred to at slot 1, which is no LD_IMM64",
            ),
            (
                map(r#""insns":[0,0]"#),
                "slot 0 refers to map 0, and to map 0",
            ),
            (
                map(
                    r#""map_flags":128,"frozen":true,"value_size":1,"max_entries":2,"contents":"050505""#,
                ),
                "map 0 has contents of length 3, and 2 times 1 bytes of values",
            ),
        ] {
            assert_eq!(why_not(&fields).as_deref(), Some(said));
        }
        for judged in [
            r#""map_flags":128,"frozen":true,"value_size":4,"max_entries":2,"contents":"0505""#,
            r#""value_size":1,"max_entries":2,"contents":"050505""#,
        ] {
            assert_eq!(why_not(&map(judged)), None);
        }
    }
}
