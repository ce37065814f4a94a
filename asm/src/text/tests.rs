//! Laws of the text syntax, over the whole table, and what errors say.

use super::{parse, print_object};
use crate::insn::{Fields, Insn, Reg};
use crate::isa::ISA;
use crate::program::Reference;
use proptest::prelude::*;

#[test]
fn no_spelling_is_read_as_another_row() {
    for row in &ISA {
        let insn = Insn::new(row, Fields::default());
        assert_eq!(reread(&insn), Ok(insn));
    }
}

/// The instruction that the text of `insn` is.
fn reread(insn: &Insn) -> Result<Insn, String> {
    let object = parse("t", &format!(".prog xdp\n{insn}")).map_err(|e| e.to_string())?;
    object.programs[0]
        .insns
        .first()
        .copied()
        .ok_or_else(|| "nothing".into())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn parse_inverts_print(
        row in 0..ISA.len(),
        regs in (0..11u8, 0..11u8),
        offset in any::<i16>(),
        imms in (any::<i32>(), any::<i32>()),
    ) {
        let fields = Fields {
            dst: Reg::new(regs.0).unwrap(),
            src: Reg::new(regs.1).unwrap(),
            offset,
            imm: imms.0,
            next_imm: imms.1,
        };
        let insn = Insn::new(&ISA[row], fields);
        prop_assert_eq!(reread(&insn), Ok(insn));
    }

    #[test]
    fn any_text_is_an_object_or_an_error(
        words in proptest::collection::vec(
            prop_oneof![
                Just("r1"), Just("w2"), Just("="), Just("*("), Just("u8"), Just("goto"),
                Just("-"), Just("99999999999999999999"), Just("\n"), Just(".prog xdp"),
                Just(".map m array"), Just("m"), Just("ll"), Just(":"), Just("é"), Just("0x"),
            ],
            0..30,
        ),
    ) {
        let text = words.join(" ");
        if let Ok(object) = parse("t", &text) {
            let mut printed = String::new();
            print_object(&mut printed, &object).unwrap();
            prop_assert!(parse("t", &printed).is_ok(), "{}", printed);
        }
    }
}

#[test]
fn a_whole_object_goes_through_text_and_back() {
    let text = "\
.license GPL
.map counters percpu_array key_size=4 value_size=16 max_entries=256
.map seen hash key_size=8 value_size=8 max_entries=1024 map_flags=no_prealloc
.prog xdp first
    r1 = counters ll
    r2 = seen[0] + 4 ll
    if r1 == r2 goto L7
    call twice
    call bpf_map_lookup_elem
L7:
    r0 = 2
    exit
.func twice
    r0 = 1
    exit
.prog tc second
    r0 = -1
    exit
";
    let object = parse("t.bpf", text).unwrap();
    let mut printed = String::new();
    print_object(&mut printed, &object).unwrap();
    assert_eq!(printed, text);
    let again = parse("t.bpf", &printed).unwrap();
    assert_eq!(again, object);
    let first = &object.programs[0];
    assert_eq!(
        first.references,
        [
            (0, Reference::Map(0)),
            (2, Reference::MapValue { map: 1, offset: 4 })
        ]
    );
    assert_eq!(
        first.span(0).map(|span| &*span.text),
        Some("    r1 = counters ll")
    );
}

#[test]
fn errors_say_where_and_what_is_expected() {
    let message = |line: &str| match parse("t", &format!(".prog xdp\n{line}\n")) {
        Ok(_) => "no error".to_owned(),
        Err(error) => format!("{error} [{}]", error.len),
    };
    assert_eq!(
        message("r1 = *(u9 *)(r2 + 0)"),
        "t:2:8: expected 'u8', 'u16', 'u32', 'u64', 's8', 's16' or 's32' [2]"
    );
    assert_eq!(
        message("r1 = 0x1ffffffff"),
        "t:2:6: 8589934591 does not fit: the field holds -2147483648 to 2147483647 [11]"
    );
    assert_eq!(
        message("r1 = r11"),
        "t:2:6: no register, number, name or operator [3]"
    );
    assert_eq!(
        message("r1 += w2"),
        "t:2:7: expected a number or a register (r0 to r10) [2]"
    );
    assert_eq!(message("r1 = -r2"), "t:2:7: expected register 1 again [2]");
    assert_eq!(
        message("goto nowhere"),
        "t:2:6: the label 'nowhere' is nowhere bound [7]"
    );
    assert_eq!(
        message("call bpf_nothing"),
        "t:2:6: no helper, function or extern is named bpf_nothing [11]"
    );
    assert_eq!(
        message("exit now"),
        "t:2:6: expected the end of the line [3]"
    );
    assert_eq!(
        message("r1 = m ll"),
        "t:2:6: no map, variable or extern is named 'm' above [1]"
    );
    assert_eq!(
        message("r1 ="),
        "t:2:5: no instruction is spelled like this [0]"
    );
    assert_eq!(
        message("r1 = 5 €"),
        "t:2:8: no register, number, name or operator [3]"
    );
}
