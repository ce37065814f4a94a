//! One program, several loaders: kernels of different age, and without `CAP_PERFMON`.
//!
//! What is said of Linux 6.18 was observed there; what is said of older kernels is from their
//! documentation.

use ebpf_asm::text::parse;
use ebpf_verifier_sim::{Alignment, Capabilities, Config, verify};

/// The kernel's words, or nothing if it accepts.
fn answer(text: &str, config: Config) -> Option<String> {
    let object = parse("loaders", text).unwrap();
    let verdict = verify(&object, &object.programs[0], &config);
    verdict.rejection().map(|why| why.message.clone())
}

fn on(kernel: (u8, u8)) -> Config {
    Config {
        kernel,
        ..Config::default()
    }
}

/// May load programs, and may not see pointers.
fn without_perfmon() -> Config {
    Config {
        capabilities: Capabilities::BPF | Capabilities::NET_ADMIN,
        ..Config::default()
    }
}

#[test]
fn loops_came_with_5_3() {
    let text = ".prog xdp\nr0 = 0\nagain:\nr0 += 1\nif r0 < 4 goto again\nexit\n";
    assert_eq!(answer(text, on((5, 3))), None);
    let refused = answer(text, on((5, 2)));
    assert_eq!(refused.as_deref(), Some("back-edge from insn 2 to 1"));
}

#[test]
fn instructions_came_one_by_one() {
    let text = ".prog xdp\nr0 = 1\nr0 = (s8)r0\nexit\n";
    assert_eq!(answer(text, on((6, 6))), None);
    assert_eq!(
        answer(text, on((6, 1))).as_deref(),
        Some("the kernel is too old for MOVSX")
    );
}

#[test]
fn the_form_that_came_later_is_named() {
    let text = ".prog xdp\nr0 = 0\nr1 = code_addr(f)\nexit\nf:\nr0 = 0\nexit\n";
    let object = parse("loaders", text).unwrap();
    let verdict = verify(&object, &object.programs[0], &on((5, 4)));
    let label = verdict.rejection().map(|why| why.label.as_str());
    assert_eq!(
        label,
        Some("address of a function in LD_IMM64 came with Linux 5.13")
    );
}

#[test]
fn indirect_jumps_and_calls_are_refused_by_name() {
    let gotox = ".prog xdp\nr0 = 1\ngotox r0\nexit\n";
    assert_eq!(
        answer(gotox, on((6, 18))).as_deref(),
        Some("unknown opcode 0d")
    );
    for callee in ["r0", "r1 in imm"] {
        let callx = format!(".prog xdp\nr0 = 1\ncallx {callee}\nexit\n");
        assert_eq!(
            answer(&callx, on((6, 18))).as_deref(),
            Some("unknown opcode 8d")
        );
    }
}

#[test]
fn constant_indexes_of_arrays_are_known_to_exist_since_6_15() {
    let text = "\
.map values array key_size=4 value_size=8 max_entries=4
.prog xdp
*(u32 *)(r10 - 8) = 3
r1 = values ll
r2 = r10
r2 += -8
call bpf_map_lookup_elem
r0 = *(u64 *)(r0 + 0)
exit
";
    assert_eq!(answer(text, on((6, 15))), None);
    let refused = answer(text, on((6, 12)));
    assert_eq!(
        refused.as_deref(),
        Some("R0 invalid mem access 'map_value_or_null'")
    );
}

#[test]
fn uninitialised_stack_wants_perfmon() {
    let never_touched = ".prog xdp\nr0 = *(u64 *)(r10 - 8)\nexit\n";
    assert_eq!(answer(never_touched, Config::default()), None);
    let refused = answer(never_touched, without_perfmon());
    assert_eq!(
        refused.as_deref(),
        Some("invalid read from stack R10 off=-8 size=8")
    );

    let half = ".prog xdp\n*(u32 *)(r10 - 8) = 0\nr0 = *(u64 *)(r10 - 8)\nexit\n";
    let refused = answer(half, without_perfmon());
    assert_eq!(
        refused.as_deref(),
        Some("invalid read from stack off -8+4 size 8")
    );
}

#[test]
fn for_helpers_a_spill_of_a_part_of_a_slot_counts_for_all_of_it() {
    let lookup = |store: &str, key: i32| {
        format!(
            "\
.map values hash key_size=4 value_size=8 max_entries=4
.prog xdp
{store}
r1 = values ll
r2 = r10
r2 += {key}
call bpf_map_lookup_elem
r0 = 2
exit
"
        )
    };
    let spill = lookup("*(u32 *)(r10 - 8) = 7", -4);
    assert_eq!(answer(&spill, without_perfmon()), None);
    let bytes = lookup("*(u32 *)(r10 - 4) = 7", -8);
    assert_eq!(
        answer(&bytes, without_perfmon()).as_deref(),
        Some("invalid read from stack R2 off -8+0 size 4")
    );
}

#[test]
fn pointers_are_hidden_without_perfmon() {
    let cases = [
        ("r0 = r10\nexit\n", "R0 leaks addr as return value"),
        (
            "r0 = 0\nif r10 > r1 goto out\nout:\nexit\n",
            "R1 pointer comparison prohibited",
        ),
        ("w0 = w1\nexit\n", "R1 partial copy of pointer"),
        (
            "r1 -= r10\nr0 = 0\nexit\n",
            "R1 pointer -= pointer prohibited",
        ),
    ];
    for (text, words) in cases {
        let text = format!(".prog xdp\n{text}");
        assert_eq!(answer(&text, Config::default()), None, "{text}");
        assert_eq!(answer(&text, without_perfmon()).as_deref(), Some(words));
    }
}

#[test]
fn xdp_wants_capabilities() {
    let config = Config {
        capabilities: Capabilities::NONE,
        ..Config::default()
    };
    let text = ".prog xdp\nr0 = 2\nexit\n";
    assert!(answer(text, config).is_some_and(|why| why.contains("capabilities")));
}

/// A counter may be any number where the processor runs ahead of its test, and the kernel refuses
/// such a loop as endless: so it is never promised that it takes it.
#[test]
fn what_the_processor_runs_ahead_of_is_in_doubt_without_perfmon() {
    let counted = ".prog xdp\nr0 = 0\nagain:\nr0 += 1\nif r0 < 4 goto again\nr0 = 2\nexit\n";
    let decided = ".prog xdp\nr0 = 2\nif r0 == 2 goto out\nr0 = 1\nout:\nexit\n";
    let open =
        ".prog xdp\nr1 = *(u32 *)(r1 + 12)\nr0 = 2\nif r1 == 2 goto out\nr0 = 1\nout:\nexit\n";
    for text in [counted, decided, open] {
        assert_eq!(answer(text, Config::default()), None, "{text}");
    }
    let doubt = "not modelled: what the processor may run ahead of, without CAP_PERFMON";
    assert_eq!(answer(counted, without_perfmon()).as_deref(), Some(doubt));
    assert_eq!(answer(decided, without_perfmon()).as_deref(), Some(doubt));
    assert_eq!(answer(open, without_perfmon()), None);
}

#[test]
fn what_is_no_address_is_aligned_before_it_is_followed() {
    let strict = Config {
        alignment: Alignment::Strict,
        ..Config::default()
    };
    let any = ".prog xdp\ncall bpf_get_prandom_u32\nr1 = *(u64 *)(r0 + 0)\nexit\n";
    let refused = "misaligned access off (0x0; 0xffffffffffffffff)+0+0 size 8";
    assert_eq!(answer(any, strict).as_deref(), Some(refused));
    let maybe_null = "\
.map values hash key_size=4 value_size=8 max_entries=4
.prog xdp
*(u32 *)(r10 - 8) = 3
r1 = values ll
r2 = r10
r2 += -8
call bpf_map_lookup_elem
r0 = *(u32 *)(r0 + 2)
exit
";
    assert_eq!(
        answer(maybe_null, strict).as_deref(),
        Some("misaligned access off 0+0+2 size 4")
    );
    for text in [any, maybe_null] {
        let refused = answer(text, Config::default()).unwrap_or_default();
        assert!(refused.starts_with("R0 invalid mem access"), "{refused}");
    }
}

/// Kernels before Linux 6.18.50 accept this (CVE-2026-43009; 6.18.44 was asked), later ones do not:
/// on one of both ways it writes behind its stack.
#[test]
fn what_was_fetched_is_needed_where_it_came_from() {
    let text = ".prog xdp
        *(u64 *)(r10 - 8) = 600
        *(u64 *)(r10 - 16) = 0
        call bpf_get_prandom_u32
        r1 = 1
        r2 = 2
        r3 = 3
        r4 = 4
        if r0 == 0 goto joined
        *(u64 *)(r10 - 8) = 8
    joined:
        r2 = 0
        r2 = atomic_fetch_add((u64 *)(r10 - 8), r2)
        r3 = r10
        r3 += -16
        r3 += r2
        *(u8 *)(r3 + 0) = 1
        r0 = 2
        exit\n";
    assert_eq!(
        answer(text, Config::default()).as_deref(),
        Some("invalid write to stack R3 off=584 size=1")
    );
}

#[test]
fn programs_were_short_before_5_2() {
    let long = format!(".prog xdp\n{}exit\n", "r0 = 0\n".repeat(4096));
    assert_eq!(answer(&long, on((5, 2))), None);
    assert_eq!(
        answer(&long, on((5, 1))).as_deref(),
        Some("program has 4097 instructions, at least 1 and at most 4096")
    );
}

#[test]
fn tail_calls_and_functions_met_in_5_10() {
    let text = ".license GPL
        .map programs prog_array key_size=4 value_size=4 max_entries=1
        .prog xdp
        r6 = r1
        call f
        r1 = r6
        r2 = programs ll
        r3 = 0
        call bpf_tail_call
        r0 = 2
        exit
    f:
        r0 = 0
        exit\n";
    assert_eq!(answer(text, on((5, 10))), None);
    assert_eq!(
        answer(text, on((5, 9))).as_deref(),
        Some("tail_calls are not allowed in programs with bpf-to-bpf calls")
    );
}

/// The first of two pointers of a packet, and of others the second (Linux 6.18).
#[test]
fn who_may_not_see_pointers_may_not_compare_them() {
    let text = ".prog xdp
        r2 = *(u32 *)(r1 + 4)
        r3 = *(u32 *)(r1 + 8)
        r0 = 2
        if r3 > r2 goto out
    out:
        exit\n";
    assert_eq!(
        answer(text, without_perfmon()).as_deref(),
        Some("R3 pointer comparison prohibited")
    );
}
