//! `ebpfasm check --batch`: rows in, answers out.

use std::io::Write;
use std::process::Stdio;

use ebpf_asm::map_type::MapType;
use ebpf_asm::object::Map;
use ebpf_asm::prog_type::ProgType;
use ebpf_asm::program::{Program, Reference};
use ebpf_asm::text::parse;
use ebpf_tests::differential::logs::compared;
use ebpf_tests::differential::row::Row;
use ebpf_verifier_sim::{Code, Config, Verdict, check_types, verify_with};
use serde_json::Value;

use super::{Ended, Place, ended};

/// `r0 = 2; exit`, as XDP.
const PASSES: &str = r#"{"id":"passes","prog_type":6,"insns":"b7000000020000009500000000000000"}"#;

/// The same instructions.
const TWO: &str = "b7000000020000009500000000000000";

/// `r1 = MAP ll; r0 = 0; exit`
const LOADS_A_MAP: &str = "18010000000000000000000000000000b7000000000000009500000000000000";

fn batch(place: &Place, rows: &str, args: &[&str]) -> (Ended, Vec<Value>) {
    place.write("rows.jsonl", rows);
    let mut all = vec!["check", "--batch", "rows.jsonl"];
    all.extend(args);
    let ended = place.run(&all);
    let answers = ended
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    let answers: Vec<Value> = answers.collect();
    let asked = rows.lines().filter(|line| !line.trim().is_empty());
    assert_eq!(answers.len(), asked.count(), "{ended:?}");
    (ended, answers)
}

#[test]
fn every_row_is_answered_in_order_whatever_it_holds() {
    let rows = [
        PASSES,
        "no JSON at all",
        r#"{"id":7,"prog_type":6}"#,
        r#"{"id":8,"prog_type":6,"insns":"9"}"#,
        r#"{"id":9,"prog_type":4242,"insns":"9500000000000000"}"#,
        r#"{"id":10,"prog_type":6,"insns":"9500000000000000"}"#,
        r#"{"id":11,"prog_type":6,"insns":"ff00000000000000"}"#,
        r#"{"id":12,"prog_type":6,"insns":"1811000000000000"}"#,
        r#"{"id":13,"prog_type":6,"insns":"","maps":[{"type":2,"insns":[4294967295]}]}"#,
        r#"{"id":14,"prog_type":6,"prog_flags":16,"insns":"b7000000020000009500000000000000"}"#,
        r#"{"id":15,"prog_type":6,"insns":"9500000000000000","func_info":[[0,1]]}"#,
        r#"{"id":16,"prog_type":6,"insns":"9500000000000000","btf":"00"}"#,
        // An opcode that the kernel does not have, with a field that the instruction has not,
        // where nobody comes.
        r#"{"id":17,"prog_type":6,"insns":"05000100000000008d00000001000000b7000000020000009500000000000000"}"#,
    ];
    let place = Place::new();
    let (ended, answers) = batch(&place, &rows.join("\n\n"), &["--jobs", "3"]);
    // What is no row at all is one of the file's faults.
    let ended = ended
        .code(8)
        .says("error: rows.jsonl: 3 of the lines are no rows");
    assert_eq!(ended.stdout.lines().count(), rows.len());
    let said = |answer: &Value| {
        format!(
            "{} {}",
            answer["id"],
            answer["verdict"].as_str().unwrap_or("")
        )
    };
    let said: Vec<String> = answers.iter().map(said).collect();
    assert_eq!(
        said,
        [
            r#""passes" accept"#,
            "null unsupported",
            "7 unsupported",
            "8 unsupported",
            "9 reject",
            "10 reject",
            "11 reject",
            "12 reject",
            "13 unsupported",
            "14 reject",
            "15 reject",
            "16 reject",
            "17 reject",
        ]
    );
    assert_eq!(answers[0]["processed"], 2);
    assert_eq!(
        (&answers[5]["code"], &answers[5]["msg"]),
        (&"BPF0501".into(), &"R0 !read_ok".into())
    );
    assert_eq!(answers[6]["msg"], "last insn is not an exit or jmp");
    assert_eq!(answers[12]["msg"], "unknown opcode 8d");
    // A row without id and instructions has at least its reason.
    assert!(
        answers[2]["msg"]
            .as_str()
            .is_some_and(|msg| msg.contains("insns")),
        "{:?}",
        answers[2]
    );
}

/// The kernel looks at the fields that a jump does not have when it comes there.
#[test]
fn a_jump_that_is_none_matters_where_it_is_reached() {
    let rows = [
        // r0 = 1; if r0 != 0 goto +1; goto +0 with imm -1; exit
        r#"{"id":1,"prog_type":6,"insns":"b700000001000000550001000000000005000000ffffffff9500000000000000"}"#,
        // The same without the jump over it.
        r#"{"id":2,"prog_type":6,"insns":"b70000000100000005000000ffffffff9500000000000000"}"#,
        // r0 = 1; if w0 >= w0 goto +0 with imm 1; exit
        r#"{"id":3,"prog_type":6,"insns":"b7000000010000003e000000010000009500000000000000"}"#,
        // The jump leads nowhere, wrong or not.
        r#"{"id":4,"prog_type":6,"insns":"b700000001000000550001000000000005007f00ffffffff9500000000000000"}"#,
        // r0 = 1; if r0 != 0 goto +1; may_goto +0 with imm 8; exit
        r#"{"id":5,"prog_type":6,"insns":"b7000000010000005500010000000000e5000000080000009500000000000000"}"#,
        // r0 = 1; may_goto +0 with imm 8; exit
        r#"{"id":6,"prog_type":6,"insns":"b700000001000000e5000000080000009500000000000000"}"#,
        // r0 = 1; if r0 != 0 goto +1; may_goto +0 with R1; exit
        r#"{"id":7,"prog_type":6,"insns":"b7000000010000005500010000000000e5100000000000009500000000000000"}"#,
    ];
    let (_, answers) = batch(&Place::new(), &rows.join("\n"), &[]);
    let said: Vec<(&Value, &Value)> = answers
        .iter()
        .map(|answer| (&answer["verdict"], &answer["msg"]))
        .collect();
    assert_eq!(said[0].0, "accept");
    assert_eq!(
        said[1],
        (&"reject".into(), &"BPF_JA uses reserved fields".into())
    );
    let jump = "BPF_JMP/JMP32 uses reserved fields";
    assert_eq!(said[2], (&"reject".into(), &jump.into()));
    let out_of_range = "jump out of range from insn 2 to 130";
    assert_eq!(said[3], (&"reject".into(), &out_of_range.into()));
    assert_eq!(said[4].0, "accept");
    let may_goto = "invalid may_goto imm 8";
    assert_eq!(said[5], (&"reject".into(), &may_goto.into()));
    assert_eq!(said[6].0, "accept");
}

/// Where jumps lead and how functions end is looked at first, then loads and opcodes wherever they
/// stand, then what no path leads to, and all other fields where they are reached.
#[test]
fn what_is_no_instruction_is_found_as_the_kernel_finds_it() {
    const RETURNS: &str = "b700000000000000";
    const EXIT: &str = "9500000000000000";
    // Over one slot, always.
    const DEAD: &str = "1500010000000000";
    let cases: [(&[&str], &str); 13] = [
        (&["ff00000000000000"], "last insn is not an exit or jmp"),
        (&["ff00000000000000", EXIT], "unknown opcode ff"),
        (
            &["ff00000000000000", "05007f0000000000"],
            "jump out of range from insn 2 to 130",
        ),
        (
            &["0e007f0000000000", EXIT],
            "jump out of range from insn 1 to 129",
        ),
        (&[DEAD, "ff00000000000000", EXIT], "unknown opcode ff"),
        // A load to R11.
        (&[DEAD, "690b000000000000", EXIT], ""),
        (&["690b000000000000", EXIT], "R11 is invalid"),
        (
            &[DEAD, "690b000001000000", EXIT],
            "BPF_LDX uses reserved fields",
        ),
        (
            &["0500010000000000", "67b1000000000000", EXIT],
            "unreachable insn 2",
        ),
        (&["67b1000000000000"], "last insn is not an exit or jmp"),
        // An operation that there is not, and one on a byte.
        (
            &["c301000010000000", EXIT],
            "BPF_ATOMIC uses invalid atomic opcode 10",
        ),
        (&["d301000000000000", EXIT], "invalid atomic operand size"),
        // A jump by R12 with R6.
        (&["156c000002000000", EXIT], "R12 is invalid"),
    ];
    let row = |(index, (slots, _)): (usize, &(&[&str], &str))| {
        let insns = slots.concat();
        format!(r#"{{"id":{index},"prog_type":1,"insns":"{RETURNS}{insns}"}}"#)
    };
    let rows: Vec<String> = cases.iter().enumerate().map(row).collect();
    let (_, answers) = batch(&Place::new(), &rows.join("\n"), &["--kernel-too"]);
    for ((slots, words), answer) in cases.iter().zip(&answers) {
        assert_eq!(answer["msg"], *words, "{slots:?}");
        let kernel = &answer["kernel"];
        if kernel["verdict"] != "unsupported" {
            assert_eq!(kernel["verdict"], answer["verdict"], "{slots:?}");
            assert_eq!(kernel["msg"], *words, "{slots:?}");
        }
    }
}

/// Every opcode of one slot with one field that may be odd, where a path leads, where none does,
/// and in a function that is not called: the kernel refuses what we refuse.
#[test]
fn odd_fields_are_refused_where_the_kernel_refuses_them() {
    const RETURNS: &str = "b700000000000000";
    const EXIT: &str = "9500000000000000";
    // `if w0 == 0`, over one slot, always, and the call of what begins two slots behind.
    const DEAD: &str = "1600010000000000";
    const CALL: &str = "8510000002000000";
    // Registers, offset and number, as they stand in the slot.
    const ODD: [&str; 7] = [
        "00000000000000",
        "0c000000000000",
        "30000000000000",
        "c1000000000000",
        "00010000000000",
        "00000001000000",
        "0100000c000000",
    ];
    let mut rows = Vec::new();
    let mut push = |slots: &[&str]| {
        for prog_type in [1, 5] {
            let (id, insns) = (rows.len(), slots.concat());
            rows.push(format!(
                r#"{{"id":{id},"prog_type":{prog_type},"license":"GPL","insns":"{RETURNS}{insns}"}}"#
            ));
        }
    };
    // All but loads of 64 bits, which have two slots.
    for opcode in (0..=u8::MAX).filter(|opcode| *opcode != 0x18) {
        for odd in ODD {
            let slot = format!("{opcode:02x}{odd}");
            push(&[&slot, RETURNS, EXIT]);
            push(&[DEAD, &slot, RETURNS, EXIT]);
            push(&[DEAD, CALL, RETURNS, EXIT, &slot, EXIT]);
        }
    }
    let (_, answers) = batch(&Place::new(), &rows.join("\n"), &["--kernel-too"]);
    for (row, answer) in rows.iter().zip(&answers) {
        let kernel = &answer["kernel"];
        if kernel["verdict"] != "unsupported" {
            assert_eq!(answer["verdict"], kernel["verdict"], "{row}: {answer}");
        }
    }
}

/// What an instruction with an odd field reads and writes is live before it, wherever it stands: as
/// many instructions are followed as by Linux 6.18.
#[test]
fn what_odd_instructions_read_is_live_before_them() {
    // R2 is a number or, by chance, the frame; behind that, where nobody comes, the instruction.
    const BEFORE: &str = "8500000007000000b7020000010000001500010000000000bfa2000000000000b7000000000000001600010000000000";
    const AFTER: &str = "b7000000000000009500000000000000";
    let cases = [
        ("r8 += 1, with an offset", 9, "0708040001000000"),
        ("r8 += r2, with an offset", 11, "0f28040000000000"),
        ("r8 += r2, with a number", 11, "0f28000001000000"),
    ];
    let row = |insn: &str| {
        format!(
            r#"{{"prog_type":1,"prog_flags":8,"license":"GPL","insns":"{BEFORE}{insn}{AFTER}"}}"#
        )
    };
    let rows: Vec<String> = cases.iter().map(|(_, _, insn)| row(insn)).collect();
    let (_, answers) = batch(&Place::new(), &rows.join("\n"), &["--kernel-too"]);
    for ((what, followed, _), answer) in cases.iter().zip(&answers) {
        assert_eq!(answer["processed"], *followed, "{what}: {answer}");
        if answer["kernel"]["verdict"] != "unsupported" {
            assert_eq!(answer["kernel"]["processed"], *followed, "{what}: {answer}");
        }
    }
}

/// Answers have logs if they are asked for, also of what is refused: up to the instruction.
#[test]
fn answers_have_logs() {
    // `r2 = 1; r0 = r3; exit`.
    let refused = "b702000001000000bf300000000000009500000000000000";
    let row = format!(r#"{{"prog_type":6,"insns":"{refused}"}}"#);
    let rows = [
        PASSES,
        &row,
        r#"{"prog_type":4242,"insns":"9500000000000000"}"#,
    ]
    .join("\n");
    let (_, answers) = batch(&Place::new(), &rows, &["--kernel-too", "--log-level", "2"]);
    let log = |said: &Value| said["log"].as_str().unwrap_or_default().to_owned();
    for answer in &answers[..2] {
        let ours = log(answer);
        assert!(
            ours.starts_with("0: R1=ctx() R10=fp0\n0: (b7) "),
            "{answer}"
        );
        if answer["kernel"]["verdict"] != "unsupported" {
            let compared = compared(&ours, &log(&answer["kernel"]));
            assert!(
                compared.differs.is_none() && compared.alike == 1,
                "{compared:?}: {answer}"
            );
        }
    }
    assert!(log(&answers[1]).contains("1: (bf) r0 = r3\nR3 !read_ok\nprocessed 2 insns"));
    assert_eq!(answers[1]["processed"], 2);
    assert_eq!(answers[2]["log"], Value::Null);
    let (_, answers) = batch(&Place::new(), PASSES, &[]);
    assert_eq!(answers[0]["log"], Value::Null);
}

/// What refers to a map is looked at before any path is followed: a row that has it wrong is
/// refused wherever it stands. Offsets and registers matter where they are reached.
#[test]
fn wide_loads_are_looked_at_as_the_kernel_does() {
    let map = r#""maps":[{"type":2,"key_size":4,"value_size":48,"max_entries":1,"insns":[2]}]"#;
    // r0 = 0; if r0 == 0 goto +2; the load, where nobody comes; r0 = 0; exit
    let row = |load: &str, maps: &str| {
        let insns =
            format!("b7000000000000001500020000000000{load}b7000000000000009500000000000000");
        format!(r#"{{"prog_type":1,"license":"GPL","insns":"{insns}",{maps}}}"#)
    };
    let of_map = [
        ("18110000000000000000000000000000", "accept", ""),
        (
            "18110000000000000000000004000000",
            "reject",
            "unrecognized bpf_ld_imm64 insn",
        ),
        ("18010000000000000000000000000000", "accept", ""),
        (
            "18010000000000000000000004000000",
            "reject",
            "unrecognized bpf_ld_imm64 insn",
        ),
        ("18210000000000000000000004000000", "accept", ""),
        (
            "18510000000000000000000000000000",
            "reject",
            "fd_idx without fd_array is invalid",
        ),
        (
            "18710000000000000000000000000000",
            "reject",
            "unrecognized bpf_ld_imm64 insn",
        ),
        (
            "18110000000000000100000000000000",
            "reject",
            "invalid bpf_ld_imm64 insn",
        ),
        ("18110500000000000000000000000000", "accept", ""),
        ("181b0000000000000000000000000000", "accept", ""),
    ];
    let of_none = [
        ("18010000000000000000000004000000", "accept", ""),
        (
            "18110000630000000000000000000000",
            "reject",
            "fd 99 is not pointing to valid bpf_map",
        ),
        (
            "18210000630000000000000000000000",
            "reject",
            "fd 99 is not pointing to valid bpf_map",
        ),
    ];
    let rows: Vec<String> = of_map
        .iter()
        .map(|(load, ..)| row(load, map))
        .chain(of_none.iter().map(|(load, ..)| row(load, r#""maps":[]"#)))
        .collect();
    let (_, answers) = batch(&Place::new(), &rows.join("\n"), &[]);
    for (answer, (load, verdict, msg)) in answers.iter().zip(of_map.iter().chain(&of_none)) {
        let said = (&answer["verdict"], &answer["msg"]);
        assert_eq!(said, (&(*verdict).into(), &(*msg).into()), "{load}");
    }
}

/// As many functions as the kernel takes, the program with them, and one more.
#[test]
fn functions_are_counted() {
    let row = |functions: usize| {
        // Behind the calls and the program's two last instructions are the functions, of two each.
        let call = |at: usize| format!("85100000{}", hex((functions + at) as u32));
        let calls: String = (0..functions - 1).map(call).collect();
        let insns = format!(
            "{calls}{}",
            "b7000000020000009500000000000000".repeat(functions)
        );
        format!(r#"{{"prog_type":6,"insns":"{insns}"}}"#)
    };
    let rows = [256, 257].map(row).join("\n");
    let (_, answers) = batch(&Place::new(), &rows, &[]);
    assert_eq!(answers[0]["verdict"], "accept", "{}", answers[0]);
    assert_eq!(answers[1]["msg"], "too many subprograms");
}

/// A number as four bytes, little-endian.
fn hex(number: u32) -> String {
    number
        .to_le_bytes()
        .map(|byte| format!("{byte:02x}"))
        .concat()
}

/// Who asks for strict alignment and for any gets any, and no type that never sleeps does.
#[test]
fn flags_of_the_load_count() {
    // Ten bytes of the packet are there, and eight of them are read from the third on.
    let insns = "61120000000000006113040000000000bf24000000000000070400000a000000b700000002000000\
                 2d340200000000007921020000000000b7000000020000009500000000000000";
    let row = |flags: u32| format!(r#"{{"prog_type":6,"prog_flags":{flags},"insns":"{insns}"}}"#);
    let rows = [0, 1, 2, 3, 16].map(row).join("\n");
    let (_, answers) = batch(&Place::new(), &rows, &[]);
    let verdicts: Vec<&str> = answers
        .iter()
        .filter_map(|answer| answer["verdict"].as_str())
        .collect();
    assert_eq!(verdicts, ["accept", "reject", "accept", "accept", "reject"]);
    let misaligned = answers[1]["msg"].as_str().expect("a reason");
    assert!(
        misaligned.starts_with("misaligned packet access off"),
        "{misaligned}"
    );
}

/// The attach type means nothing for probes, and the flag is not looked at further; a function of
/// no struct is none (Linux 6.18).
#[test]
fn what_is_attached_nowhere_is_judged_by_its_type() {
    let insns = "b7000000020000009500000000000000";
    let row = |number: u32, rest: &str| {
        format!(r#"{{"prog_type":{number},"license":"GPL","insns":"{insns}",{rest}}}"#)
    };
    let rows = [
        row(2, r#""expected_attach_type":23,"prog_flags":16"#),
        row(26, r#""expected_attach_type":23,"prog_flags":16"#),
        row(27, r#""expected_attach_type":1"#),
    ];
    let (_, answers) = batch(&Place::new(), &rows.join("\n"), &[]);
    let verdicts: Vec<&str> = answers
        .iter()
        .filter_map(|answer| answer["verdict"].as_str())
        .collect();
    assert_eq!(verdicts, ["accept", "reject", "reject"]);
}

/// Every type with every attach type, known and not: there is a verdict on each, and for most one
/// is refused. What the kernel says of them is asked where there is one
/// (`differential/rules/attach_types.rs`).
#[test]
fn types_are_judged_with_every_attach_type() {
    let number = |all: std::ops::RangeInclusive<u32>| all.chain([255, 256, 65536, u32::MAX]);
    let rows: Vec<String> = number(0..=40)
        .flat_map(|prog_type| {
            number(0..=70).map(move |attach_type| {
                format!(
                    r#"{{"prog_type":{prog_type},"expected_attach_type":{attach_type},"license":"GPL","insns":"{TWO}"}}"#
                )
            })
        })
        .collect();
    let (_, answers) = batch(&Place::new(), &rows.join("\n"), &[]);
    let count = |verdict: &str| {
        let those = answers.iter().filter(|answer| answer["verdict"] == verdict);
        those.count()
    };
    let (accepted, rejected) = (count("accept"), count("reject"));
    assert_eq!(accepted + rejected, rows.len(), "all are judged");
    assert!(
        accepted > 500 && rejected > accepted,
        "{accepted}, {rejected}"
    );
}

/// A row that is accepted with a warning says so; others have no such field.
#[test]
fn warnings_stand_in_the_answer() {
    let warned = r#"{"prog_type":3,"license":"GPL","insns":"620afcff0000000018010000000000000000000000000000bfa200000000000007020000fcffffff8500000001000000bf01000000000000b702000008000000b703000000000000b704000000000000b705000000000000850000001c000000b7000000000000009500000000000000","maps":[{"type":1,"key_size":4,"value_size":8,"max_entries":1,"insns":[1]}]}"#;
    let (_, answers) = batch(&Place::new(), &[PASSES, warned].join("\n"), &[]);
    assert_eq!(answers[0].get("warnings"), None);
    assert_eq!(answers[1]["verdict"], "accept", "{}", answers[1]);
    assert_eq!(answers[1]["warnings"][0]["code"], "BPF0601");
    assert_eq!(answers[1]["warnings"][0]["slot"], 11);
}

/// A row says who loads it, or the command does; the kernel is asked as that loader.
#[test]
fn loaders_may_lack_capabilities() {
    let row = |prog_type: u32, rest: &str| {
        format!(r#"{{"prog_type":{prog_type},"license":"GPL","insns":"{TWO}"{rest}}}"#)
    };
    let with_map = |map_type: u32| {
        format!(
            r#","maps":[{{"type":{map_type},"key_size":4,"value_size":4,"max_entries":1,"insns":[]}}]"#
        )
    };
    let (_, answers) = batch(
        &Place::new(),
        &[
            row(6, ""),
            row(6, r#","privilege":"full""#),
            row(6, r#","privilege":"no-net-admin""#),
            row(5, ""),
            row(5, r#","privilege":"no-net-admin""#),
            row(1, r#","privilege":"bpf-only""#),
            row(1, r#","privilege":"none""#),
            row(1, r#","privilege":"nobody""#),
            // A hash for everybody, one that forgets, and one of sockets.
            row(6, &with_map(1)),
            row(6, &with_map(18)),
            row(1, &format!(r#"{},"privilege":"bpf-only""#, with_map(9))),
            row(1, &format!(r#"{},"privilege":"bpf-only""#, with_map(18))),
            row(1, &format!(r#"{},"privilege":"none""#, with_map(9))),
        ]
        .join("\n"),
        &["--kernel-too", "--privilege", "no-perfmon"],
    );
    let verdict = |answer: &Value| answer["verdict"].as_str().unwrap_or_default().to_owned();
    let verdicts: Vec<String> = answers.iter().map(verdict).collect();
    assert_eq!(
        verdicts,
        [
            "accept",
            "accept",
            "reject",
            "reject",
            "accept",
            "accept",
            "accept",
            "unsupported",
            "accept",
            "accept",
            "accept",
            "reject",
            "reject",
        ]
    );
    for answer in &answers {
        let kernel = &answer["kernel"];
        if !kernel.is_null() && kernel["verdict"] != "unsupported" {
            assert_eq!(answer["verdict"], kernel["verdict"], "{answer}");
        }
    }
}

/// What a called function writes whole of its caller's stack on every way to its end, as far as that
/// is known when it first ends, is not live before the call: of two paths that differ there alone one
/// is followed. As many instructions are followed as by Linux 6.18.
#[test]
fn what_functions_write_is_not_live_before_their_calls() {
    // To a slot goes zero or, by chance, another value; a function is called with its address, and
    // then the slot is read. The function's instructions follow.
    const CALLER: &str = "8500000007000000bf06000000000000b7070000000000007b7af8ff0000000025060100050000007baaf8ff00000000b706000000000000bfa100000000000007010000f8ffffff851000000300000079a0f8ff00000000b7000000000000009500000000000000";
    // The same of two slots, each of which is handed to the function once, in a loop.
    const CALLS_IN_A_LOOP: &str = "8500000007000000bf06000000000000b7070000000000007b7af8ff000000007b7af0ff0000000025060200050000007baaf8ff000000007baaf0ff00000000bfa100000000000007010000f8ffffffb7080000020000008510000007000000bfa100000000000007010000f0ffffff07080000ffffffff5508fbff0000000079a0f8ff00000000b7000000000000009500000000000000";
    #[rustfmt::skip]
    let cases = [
        ("a function writes it", 18, CALLER, "b7020000050000007b21000000000000b7000000000000009500000000000000"),
        ("behind a branch that is decided", 20, CALLER, "bf16000000000000b70000000000000015000100000000007a060000030000007a06000003000000b7000000000000009500000000000000"),
        ("on both ways of a branch, of which one waits", 34, CALLER, "bf16000000000000850000000700000015000200000000007a0600000300000005000100000000007a06000004000000b7000000000000009500000000000000"),
        ("where the ways of a branch have met", 23, CALLER, "bf16000000000000850000000700000015000100000000000500010000000000b7030000030000007a06000003000000b7000000000000009500000000000000"),
        ("on both ways, which end apart", 38, CALLER, "bf16000000000000850000000700000015000300000000007a06000003000000b70000000000000095000000000000007a06000003000000b7000000000000009500000000000000"),
        ("half of it", 24, CALLER, "6201000003000000b7000000000000009500000000000000"),
        ("by the function that it calls", 20, CALLER, "8510000002000000b70000000000000095000000000000007a01000003000000b7000000000000009500000000000000"),
        ("before a loop", 24, CALLER, "7a01000003000000b70200000300000007020000ffffffff5502feff00000000b7000000000000009500000000000000"),
        ("behind a loop", 38, CALLER, "b70200000300000007020000ffffffff5502feff000000007a01000003000000b7000000000000009500000000000000"),
        ("after it is read", 26, CALLER, "79120000000000007a01000003000000b7000000000000009500000000000000"),
        ("and the next time another slot", 38, CALLS_IN_A_LOOP, "7a01000003000000b7000000000000009500000000000000"),
        ("behind a call", 21, CALLER, "bf1600000000000085100000030000007a06000003000000b7000000000000009500000000000000b7000000000000009500000000000000"),
        ("behind a call, and another slot before it", 34, CALLER, "bf160000000000007a06f8ff0700000085100000030000007a06000003000000b7000000000000009500000000000000b7000000000000009500000000000000"),
        ("behind a call that writes to its own stack", 40, CALLER, "bf16000000000000bfa100000000000007010000f8ffffff7a0af8ff0000000085100000030000007a06000003000000b70000000000000095000000000000007a01000001000000b7000000000000009500000000000000"),
        ("behind a call that calls what writes another slot", 42, CALLER, "bf1600000000000007010000f8ffffff85100000030000007a06000003000000b70000000000000095000000000000008510000002000000b70000000000000095000000000000007a01000001000000b7000000000000009500000000000000"),
    ];
    let row = |(_, _, caller, function): &(&str, u64, &str, &str)| {
        format!(r#"{{"prog_type":17,"prog_flags":8,"license":"GPL","insns":"{caller}{function}"}}"#)
    };
    let rows: Vec<String> = cases.iter().map(row).collect();
    let (_, answers) = batch(&Place::new(), &rows.join("\n"), &["--kernel-too"]);
    for ((what, followed, ..), answer) in cases.iter().zip(&answers) {
        assert_eq!(answer["processed"], *followed, "{what}: {answer}");
        if answer["kernel"]["verdict"] == "accept" {
            assert_eq!(answer["kernel"]["processed"], *followed, "{what}: {answer}");
        }
    }
}

#[test]
fn answers_come_while_rows_are_still_written() {
    let place = Place::new();
    let mut command = place.command(&["check", "--batch", "-", "--jobs", "2"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("runs");
    let mut input = child.stdin.take().expect("an input");
    let mut output = std::io::BufReader::new(child.stdout.take().expect("an output"));
    for _ in 0..3 {
        writeln!(input, "{PASSES}").expect("it reads");
        let mut line = String::new();
        std::io::BufRead::read_line(&mut output, &mut line).expect("it answers");
        assert!(line.contains("accept"), "{line}");
    }
    drop(input);
    assert!(child.wait().expect("it ends").success());
}

#[test]
fn a_batch_or_an_object_and_not_both() {
    let place = Place::new();
    ended(&mut place.command(&["check"])).code(2);
    ended(&mut place.command(&["check", "x.o", "--batch", "-"])).code(2);
    ended(&mut place.command(&["check", "x.o", "--jobs", "2"])).code(2);
    place
        .run(&["check", "--batch", "missing.jsonl"])
        .code(5)
        .says("missing.jsonl");
}

/// Calls of functions are looked at before it is known whether they are reached.
#[test]
fn a_call_that_is_none_is_looked_at_before() {
    // goto +1; call kfunc(1000000, offset) with dst_reg 1; r0 = 1; exit
    let row = |offset: &str| {
        format!(
            r#"{{"id":1,"prog_type":6,"license":"GPL","insns":"05000100000000008521{offset}40420f00b7000000010000009500000000000000"}}"#
        )
    };
    // The same with a call of what begins behind the end.
    let local = r#"{"id":2,"prog_type":6,"license":"GPL","insns":"050001000000000085110000ff000000b7000000010000009500000000000000"}"#;
    let rows = [row("0000"), row("0100"), local.to_owned()];
    let (_, answers) = batch(&Place::new(), &rows.join("\n"), &[]);
    for answer in &answers {
        assert_eq!(answer["verdict"], "reject", "{answer:?}");
        let message = answer["msg"].as_str().unwrap_or_default();
        assert!(!message.contains("reserved"), "{message}");
    }
}

/// Who loads an object maps its arena; a row's has the address that the row says, or none.
#[test]
fn the_arena_of_a_row_wants_an_address() {
    let row = |extra: u64, code: &str| {
        format!(
            r#"{{"id":1,"prog_type":3,"license":"GPL","insns":"{code}","maps":[{{"type":33,"max_entries":1,"map_flags":1024,"map_extra":{extra},"insns":[0]}}]}}"#
        )
    };
    // r1 = the arena ll; r0 = 0; exit
    let code = "18110000000000000000000000000000b7000000000000009500000000000000";
    let rows = [row(0, code), row(1 << 44, code)];
    let (_, answers) = batch(&Place::new(), &rows.join("\n"), &[]);
    assert_eq!(answers[0]["verdict"], "reject");
    assert_eq!(
        answers[0]["msg"],
        "arena's user address must be set via map_extra or mmap()"
    );
    assert_eq!(answers[1]["verdict"], "accept", "{:?}", answers[1]);
}

/// What text and rows say of a program is the same, but where loaders of objects go on without
/// types that the kernel refuses.
#[test]
fn cases_have_the_same_verdict_as_rows() {
    let config = Config::default();
    let (mut rows, mut expected) = (String::new(), Vec::new());
    for path in cases(&ebpf_tests::workspace().join("tests/cases")) {
        let text = std::fs::read_to_string(&path).expect("a case");
        let object = parse("case", &text).expect("a case parses");
        let unmapped = |map: &Map| map.map_type == MapType::Arena && map.map_extra == 0;
        if object.maps.iter().any(unmapped) {
            continue;
        }
        let types = &ebpf_tests::kernel_types::RUNNING;
        if check_types(&object, &config, types).is_err() {
            continue;
        }
        for program in object.programs.iter().filter(|one| !asks_kernel(one)) {
            rows += &Row::of(&object, program).line(expected.len() as u64);
            expected.push(match verify_with(&object, program, &config, types) {
                Verdict::Accepted(stats, _) => format!("accept {} ", stats.processed),
                Verdict::Rejected(why) if why.code == Code::NotModelled => {
                    format!("unsupported 0 {}", why.message)
                }
                Verdict::Rejected(why) => {
                    format!("reject {} {}", why.stats.processed, why.words())
                }
            });
        }
    }
    assert!(expected.len() > 100, "cases are found");
    let (_, answers) = batch(&Place::new(), &rows, &[]);
    for (at, (answer, expected)) in answers.iter().zip(&expected).enumerate() {
        let text = |name: &str| answer[name].as_str().unwrap_or_default();
        let is = format!(
            "{} {} {}",
            text("verdict"),
            answer["processed"],
            text("msg")
        );
        assert_eq!(&is, expected, "row {at}");
    }
    assert_eq!(answers.len(), expected.len());
}

/// What the kernel refuses before it sees the program: types, and maps with theirs.
#[test]
fn types_that_the_kernel_refuses_are_refused() {
    // A BTF with `int` and, in it, so many bits; r0 = 0; exit
    let row = |bits: &str, map: &str| {
        format!(
            r#"{{"id":1,"prog_type":6,"license":"GPL","insns":"b7000000000000009500000000000000","maps":[{map}],"btf":"9feb01001800000000000000100000001000000005000000010000000000000104000000{bits}00000100696e7400"}}"#
        )
    };
    let map = |value_size: u32| {
        format!(
            r#"{{"type":2,"key_size":4,"value_size":{value_size},"max_entries":1,"btf_value_type_id":1,"insns":[]}}"#
        )
    };
    let rows = [
        row("20", ""),
        row("21", ""),
        row("20", &map(4)),
        row("20", &map(8)),
    ];
    let (_, answers) = batch(&Place::new(), &rows.join("\n"), &[]);
    let said = answers.iter().map(|answer| {
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        format!("{} {} {}", text("verdict"), text("code"), text("msg"))
    });
    assert_eq!(
        said.collect::<Vec<_>>(),
        [
            "accept  ",
            "reject BPF0113 the BTF is not taken: type 1 (INT 'int'): has more bits than its size has",
            "accept  ",
            "reject BPF0115 map 'map_0' cannot be created with its types: its values have another size than their type",
        ]
    );
}

/// Whether a program names what a row has as a number of the running kernel's: functions of the
/// kernel, or what it is attached to.
fn asks_kernel(program: &Program) -> bool {
    let mut references = program.references.iter();
    program.attach_btf_id.is_some()
        || matches!(program.prog_type, ProgType::Tracing | ProgType::Lsm)
        || references.any(|(_, reference)| matches!(reference, Reference::Extern(_)))
}

fn cases(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            all.extend(cases(&path));
        } else if path.extension().is_some_and(|extension| extension == "bpf") {
            all.push(path);
        }
    }
    all.sort();
    all
}

/// Rows carry what their makers need; what is misspelled is told of, once.
#[test]
fn fields_that_mean_nothing_are_told_of_once() {
    let place = Place::new();
    let row =
        r#"{"id":1,"prog_type":6,"licence":"GPL","insns":"b7000000020000009500000000000000"}"#;
    place.write("rows.jsonl", &format!("{row}\n{row}\n{{\"id\":3}}\n"));
    let ended = place
        .run(&["check", "--batch", "rows.jsonl"])
        .code(8)
        .says("note: the field 'licence' of rows means nothing here");
    assert_eq!(ended.stderr.matches("licence").count(), 1, "{ended:?}");
    let answers: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(answers.len(), 3, "{ended:?}");
    assert!(answers[0].contains(r#""verdict":"accept""#), "{ended:?}");
    assert!(
        answers[2].contains("no row: the field 'prog_type' is missing, at rows.jsonl:3:8"),
        "{ended:?}"
    );
}

/// Blank lines count, and a line that ends too early ends in itself.
#[test]
fn a_line_that_is_no_row_is_told_of_with_its_place_in_the_file() {
    let place = Place::new();
    let rows = format!("{PASSES}\n\n  {{\"id\":1,\r\n\t\n{PASSES}\n{{\"prog_type\":\"6\"}}");
    let (ended, answers) = batch(&place, &rows, &[]);
    ended.code(8);
    let said = [&answers[1]["msg"], &answers[3]["msg"]].map(|msg| msg.as_str().unwrap_or_default());
    let expected = [
        "no row: this is not JSON: it ends too early, at rows.jsonl:3:10",
        "no row: prog_type is \"6\", and a number from 0 to 4294967295 is expected, at rows.jsonl:6:16",
    ];
    assert_eq!(said, expected);
}

/// Numbers beyond 2^53, and those that are spelled in some way of their own, are not changed.
#[test]
fn ids_are_answered_as_they_are_written() {
    let place = Place::new();
    let ids = [
        "18446744073709551617",
        "1e3",
        r#"{"b": [1.50, 2], "a":"\u0041"}"#,
        "null",
    ];
    let rest = r#""prog_type":6,"insns":"b7000000020000009500000000000000"}"#;
    let mut rows: Vec<String> = ids.map(|id| format!(r#"{{"id":{id},{rest}"#)).to_vec();
    // One that is no row, and is told of by its id all the same.
    rows.push(r#"{"id":9007199254740993,"prog_type":6,}"#.to_owned());
    place.write("rows.jsonl", &rows.join("\n"));
    let ended = place.run(&["check", "--batch", "rows.jsonl"]).code(8);
    let answers = ended
        .stdout
        .lines()
        .zip(ids.iter().chain(&["9007199254740993"]));
    for (answer, id) in answers {
        assert!(answer.starts_with(&format!(r#"{{"id":{id},"#)), "{answer}");
    }
    assert_eq!(ended.stdout.lines().count(), 5, "{ended:?}");
}

/// Descriptions that bpf(2) refuses, or cannot be given.
#[test]
fn what_the_kernel_would_not_take_is_said_on_both_sides() {
    let loads = format!(r#""prog_type":3,"insns":"{LOADS_A_MAP}""#);
    let map = |fields: &str| {
        let of_all = r#""key_size":4,"value_size":8,"max_entries":1,"insns":[0]"#;
        format!(r#"{{{loads},"maps":[{{{fields},{of_all}}}]}}"#)
    };
    let rows = [
        (map(r#""type":999"#), "reject"),
        (map(r#""type":2,"btf_value_type_id":5"#), "reject"),
        (
            map(r#""type":2,"map_flags":128,"frozen":true,"contents":"050000000000000000""#),
            "unsupported",
        ),
        (map(r#""type":2,"contents":"050000000000000000""#), "accept"),
        (
            map(r#""type":2,"map_flags":128,"frozen":true,"contents":"05""#),
            "accept",
        ),
        (
            r#"{"prog_type":3,"insns":"9500"}"#.to_owned(),
            "unsupported",
        ),
        (
            format!(r#"{{{loads},"license":"GPL\u0000x"}}"#),
            "unsupported",
        ),
    ];
    same_on_both_sides(&rows);
}

/// That rows are answered as they say, by the kernel too.
fn same_on_both_sides(rows: &[(String, &str)]) {
    let lines: Vec<&str> = rows.iter().map(|(row, _)| row.as_str()).collect();
    let (_, answers) = batch(&Place::new(), &lines.join("\n"), &["--kernel-too"]);
    assert_eq!(answers.len(), rows.len());
    for (answer, (row, verdict)) in answers.iter().zip(rows) {
        assert_eq!(answer["verdict"], *verdict, "{row}: {answer}");
        // Who may not load anything has no verdict.
        let kernel = &answer["kernel"]["verdict"];
        assert!(
            kernel == "unsupported" || kernel == verdict,
            "{row}: {answer}"
        );
    }
}

/// Values with special fields are in no map that is frozen: here a lock, with a number behind it.
#[test]
fn maps_with_special_fields_are_not_frozen() {
    // [1] int; [2] struct bpf_spin_lock; [3] struct locked { struct bpf_spin_lock val; int n; }
    let btf = concat!(
        "9feb010018000000000000004c0000004c0000002000000001000000000000010400000020000000",
        "05000000010000040400000013000000010000000000000017000000020000040800000013000000",
        "02000000000000001e000000010000002000000000696e74006270665f7370696e5f6c6f636b0076",
        "616c006c6f636b6564006e00",
    );
    let row = |map: &str| {
        format!(r#"{{"prog_type":3,"insns":"{LOADS_A_MAP}","maps":[{map}],"btf":"{btf}"}}"#)
    };
    let map = |value: u32, frozen: bool, rest: &str| {
        let sizes = format!(r#""key_size":4,"value_size":8,"max_entries":1{rest}"#);
        format!(r#"{{"type":2,"btf_value_type_id":{value},"frozen":{frozen},{sizes}}}"#)
    };
    let referred = r#","insns":[0]"#;
    let of_maps = |inner: &str| {
        let sizes = r#""type":12,"key_size":4,"value_size":4,"max_entries":1"#;
        format!(r#"{{{sizes},"insns":[0],"inner":{inner}}}"#)
    };
    let rows = [
        (row(&map(3, false, referred)), "accept"),
        (row(&map(0, true, referred)), "accept"),
        (row(&map(3, true, referred)), "reject"),
        (row(&of_maps(&map(3, false, ""))), "accept"),
        (row(&of_maps(&map(3, true, ""))), "reject"),
    ];
    same_on_both_sides(&rows);
}

/// Where the kernel's log has no words, both sides name its errno.
#[test]
fn what_is_refused_without_words_has_an_errno_on_both_sides() {
    // r1 = MAP ll; *(u32 *)(r10 - 4) = 0; r2 = r10; r2 += -4; call bpf_map_lookup_elem;
    // if r0 == 0 goto out; r0 = *(u64 *)(r0 + 0); r0 = 0; out: exit
    let reads = concat!(
        "18110000000000000000000000000000620afcff00000000bfa2000000000000",
        "07020000fcffffff850000000100000015000200000000007900000000000000",
        "b7000000000000009500000000000000",
    );
    let constants = r#""type":2,"key_size":4,"value_size":8,"max_entries":2,"map_flags":128"#;
    // *(u64 *)(r10 - 16) = 0; r1 = r10; r1 += -8; r2 = 8; r3 = MAP[0] ll; r4 = r10; r4 += -16;
    // r5 = 12; call bpf_snprintf; r0 = 0; exit
    let formats = concat!(
        "7a0af0ff000000007a0af8ff00000000bfa100000000000007010000f8ffffff",
        "b70200000800000018230000000000000000000000000000bfa4000000000000",
        "07040000f0ffffffb70500000c00000085000000a5000000b700000000000000",
        "9500000000000000",
    );
    let format = r#""type":2,"key_size":4,"value_size":8,"max_entries":1,"map_flags":128"#;
    let rows = [
        (reads, constants, 0, "ENOTSUPP"),
        (formats, format, 5, "EINVAL"),
    ];
    let lines = rows.map(|(insns, map, slot, _)| {
        let map = format!(r#"{{{map},"contents":"2564","frozen":true,"insns":[{slot}]}}"#);
        format!(r#"{{"prog_type":3,"license":"GPL","insns":"{insns}","maps":[{map}]}}"#)
    });
    let (_, answers) = batch(&Place::new(), &lines.join("\n"), &["--kernel-too"]);
    for (answer, (_, _, _, errno)) in answers.iter().zip(rows) {
        let words = format!("{errno}, without a reason in the log");
        assert_eq!(answer["msg"], words, "{answer}");
        let kernel = &answer["kernel"];
        assert!(
            kernel["verdict"] == "unsupported" || kernel["msg"] == words,
            "{answer}"
        );
    }
}

/// Flags that the release does not have are refused.
#[test]
fn flags_are_of_a_release() {
    let row = |flags: u32| format!(r#"{{"prog_type":6,"prog_flags":{flags},"insns":"{TWO}"}}"#);
    let rows = [row(0), row(32), row(64), row(128)].join("\n");
    for (release, verdicts) in [
        ("5.15", ["accept", "reject", "reject", "reject"]),
        ("6.1", ["accept", "accept", "reject", "reject"]),
        ("6.12", ["accept"; 4]),
    ] {
        let (_, answers) = batch(&Place::new(), &rows, &["--kernel", release]);
        let said: Vec<&Value> = answers.iter().map(|answer| &answer["verdict"]).collect();
        assert_eq!(said, verdicts, "{release}");
    }
}

/// Behind what is refused nothing is followed: here a loop of a million instructions.
#[test]
fn what_is_no_instruction_ends_the_row() {
    // r0 = 0, with a source register; r0 += 1; if r0 != 0 goto -2; exit
    let loops = "b71000000000000007000000010000005500feff000000009500000000000000";
    let row = format!(r#"{{"prog_type":6,"insns":"{loops}"}}"#);
    let (_, answers) = batch(&Place::new(), &row, &["--kernel-too"]);
    for said in [&answers[0], &answers[0]["kernel"]] {
        assert_eq!(said["verdict"], "reject", "{said}");
        assert_eq!(said["msg"], "BPF_MOV uses reserved fields", "{said}");
        assert_eq!(said["processed"], 1, "{said}");
    }
}

/// What stands for what is no instruction reads and writes the same registers: both follow as much where
/// it is on no path. Here bytes of 72 bits are swapped, of R7, which is compared before.
#[test]
fn what_is_no_instruction_uses_registers() {
    let swaps = concat!(
        "bf16000000000000b70000001c0000001807000042b27a1900000000d19649eab708000000000000",
        "b707000002000000e5001000000000001507020000000000b7090000040000000500010000000000",
        "b7090000200000002500020006000000b7010000000000000f910000000000002507010005000000",
        "bf91000000000000bfa200000000000007020000f0ffffff250902000e0000000f92000000000000",
        "72020100010000000707000000000000a507efff64000000b7070000e976b374b50701000f000000",
        "05000200000000001d66010000000000d407000048000000b7000000000000009500000000000000",
    );
    let row = format!(r#"{{"prog_type":7,"license":"GPL","insns":"{swaps}"}}"#);
    let (_, answers) = batch(&Place::new(), &row, &["--kernel-too"]);
    for said in [&answers[0], &answers[0]["kernel"]] {
        assert_eq!(said["verdict"], "accept", "{said}");
        assert_eq!(said["processed"], 25, "{said}");
    }
}
