//! The format in which units travel: exact, and total.

mod samples;

use ebpf_dsl::{Unit, WireError};

#[test]
fn a_unit_comes_back_as_it_was() {
    for unit in samples::everything() {
        assert_eq!(Unit::from_wire(&unit.to_wire()), Ok(unit));
    }
}

#[test]
fn every_shortened_unit_is_an_error() {
    for wire in samples::everything().map(|unit| unit.to_wire()) {
        for len in 0..wire.len() {
            assert!(Unit::from_wire(&wire[..len]).is_err(), "{len} bytes");
        }
        let mut longer = wire;
        longer.push(0);
        assert_eq!(Unit::from_wire(&longer), Err(WireError::TrailingBytes));
    }
}

/// Whatever a byte is changed to, reading, checking and printing end without a panic.
#[test]
fn damaged_units_are_read_without_a_panic() {
    for unit in samples::everything() {
        let (readable, well_formed) = damage(&unit.to_wire());
        // The test would say nothing if all damage were found at once, or none.
        assert!(
            readable > 100 && well_formed < readable,
            "{}: {readable} {well_formed}",
            unit.name()
        );
    }
}

/// How many changes of a byte leave what can be read, and how many what is well formed.
fn damage(wire: &[u8]) -> (usize, usize) {
    let (mut readable, mut well_formed) = (0, 0);
    for at in 0..wire.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut damaged = wire.to_vec();
            damaged[at] ^= flip;
            if let Ok(unit) = Unit::from_wire(&damaged) {
                readable += 1;
                well_formed += usize::from(unit.check().is_ok());
                assert!(!unit.to_string().is_empty());
            }
        }
    }
    (readable, well_formed)
}

#[test]
fn another_version_is_named() {
    let [unit, _] = samples::everything();
    let mut wire = unit.to_wire();
    wire[8] = 99;
    assert_eq!(
        Unit::from_wire(&wire),
        Err(WireError::Version { found: 99 })
    );
    assert_eq!(Unit::from_wire(b"\x7fELF"), Err(WireError::NotAUnit));
}

#[test]
fn endless_nesting_is_an_error_and_no_overflow() {
    // A hundred thousand lists within lists, as far as the reader can tell.
    let [unit, _] = samples::everything();
    let mut wire = unit.to_wire()[..12].to_vec();
    wire.extend([1, 0, 0, 0].repeat(100_000));
    assert!(Unit::from_wire(&wire).is_err());
}
