//! `explain`.

use super::Place;

#[test]
fn a_code_has_a_page_by_number_in_any_form() {
    let place = Place::new();
    let page = place.run(&["explain", "BPF0403"]).code(0).stdout;
    let heading = "BPF0403: The helper wants a GPL-compatible license.\n";
    assert!(page.starts_with(heading), "{page}");
    assert!(!page.contains("```"), "{page}");
    for short in ["403", "0403", "bpf0403"] {
        assert_eq!(place.run(&["explain", short]).code(0).stdout, page);
    }
}

#[test]
fn words_find_pages() {
    let place = Place::new();
    let all = place.run(&["explain"]).code(0).stdout;
    assert!(all.lines().count() > 50, "{all}");
    let found = place.run(&["explain", "packet"]).code(0).stdout;
    let line = "BPF0203  An access to the packet is not proven to be inside of it.\n";
    assert!(found.contains(line), "{found}");
    assert!(found.lines().count() < all.lines().count(), "{found}");
}

/// Words as the kernel says them, whole or in part, with their registers and numbers.
#[test]
fn words_of_the_kernels_messages_find_pages() {
    let place = Place::new();
    for (words, code) in [
        ("back-edge", "BPF0108"),
        ("math between", "BPF0304"),
        ("max value is", "BPF0204"),
        ("reference leak", "BPF0407"),
        ("Unreleased reference", "BPF0407"),
        ("unknown func", "BPF0402"),
        ("unreachable insn 5", "BPF0101"),
        (
            "R2 max value is outside of the allowed memory range",
            "BPF0204",
        ),
    ] {
        let page = place.run(&["explain", words]).code(0).stdout;
        assert!(page.starts_with(&format!("{code}: ")), "{words}: {page}");
    }
    // Words that stand on a page, though not together.
    let found = place.run(&["explain", "stack frame bytes below"]).code(0);
    assert!(found.stdout.starts_with("BPF0201: "), "{found:?}");
    // At the end of a program it is the result.
    let found = place.run(&["explain", "R0 !read_ok"]).code(0).stdout;
    assert!(
        found.contains("BPF0301  ") && found.contains("BPF0501  "),
        "{found}"
    );
}

#[test]
fn what_is_on_no_page_is_not_found() {
    let ended = Place::new().run(&["explain", "BPF9999"]).code(5);
    assert!(
        ended.stderr.contains("'BPF9999' is no code"),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.stdout, "");
}

/// As Linux 7.3 prints it, and libbpf around it.
const LOG: &str = "\
libbpf: prog 'entry': BPF program load failed: -EACCES
libbpf: prog 'entry': -- BEGIN PROG LOAD LOG --
0: R1=ctx() R10=fp0
; return *(char *)data; @ first.c:9
0: (61) r2 = *(u32 *)(r1 +0)          ; R1=ctx() R2=pkt(r=0)
1: (71) r0 = *(u8 *)(r2 +0)
invalid access to packet, off=0 size=1, R2(id=0,off=0,r=0)
R2 offset is outside of the packet

Verification failed: Memory Safety: Packet access out of bounds

Reason:
  The packet is not known to have a byte.

At:
  entry @ first.c:9:9
  >>> 9 |     return *(char *)data;                >>> 1 | (71) r0 = *(u8 *)(r2 +0)
        |            ^-- error: reads byte 0

Suggestion:
  Compare with data_end first.

processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
-- END PROG LOAD LOG --
libbpf: prog 'entry': failed to load: -EACCES
";

#[test]
fn a_log_is_explained_with_its_own_lines() {
    let place = Place::new();
    place.write("log", LOG);
    let explained = place.run(&["explain", "--log", "log"]).code(0).stdout;
    let expected = "\
error[BPF0203]: invalid access to packet, off=0 size=1, R2(id=0,off=0,r=0)
 --> first.c:9:9
  |
9 |     return *(char *)data;
  |     ----^^^^^^^^^^^^^^^^
  |     |   |
  |     |   reads byte 0
  |     R2 becomes pkt(r=0)
  |
note: The packet is not known to have a byte.
help: Compare with data_end first.
help: more on it: ebpfasm explain BPF0203
";
    assert_eq!(explained, expected);
}

#[test]
fn a_log_is_explained_with_the_lines_of_its_object() {
    let place = Place::new();
    place.write(
        "two.bpf",
        ".prog xdp entry\n    r2 = *(u32 *)(r1 + 0)\n    r0 = *(u8 *)(r2 + 0)\n    exit\n\
         .prog xdp other\n    r0 = 2\n    exit\n",
    );
    place.write("log", LOG);
    let named = ["explain", "--log", "log", "--object", "two.bpf"];
    let ended = place.run(&named).code(2);
    assert!(
        ended.stderr.contains("--prog: entry, other"),
        "{}",
        ended.stderr
    );
    let named = [named.as_slice(), &["--prog", "entry"]].concat();
    let explained = place.run(&named).code(0).stdout;
    assert!(explained.contains("--> two.bpf:3:5"), "{explained}");
    assert!(
        explained.contains("2 |     r2 = *(u32 *)(r1 + 0)"),
        "{explained}"
    );
}

#[test]
fn a_log_without_a_refusal_is_none() {
    let place = Place::new();
    place.write(
        "log",
        "0: R1=ctx() R10=fp0\n0: (95) exit\nprocessed 1 insns\n",
    );
    let ended = place.run(&["explain", "--log", "log"]).code(5);
    assert!(
        ended.stderr.contains("log has no refusal"),
        "{}",
        ended.stderr
    );
    place.write("words", "hello world\nfoo\n");
    let ended = place.run(&["explain", "--log", "words"]).code(5);
    assert!(
        ended.stderr.contains("is no log of a verifier"),
        "{}",
        ended.stderr
    );
    let ended = place.run(&["explain", "--log", "nowhere"]).code(5);
    assert!(ended.stderr.contains("nowhere"), "{}", ended.stderr);
}

#[test]
fn our_own_log_of_a_refusal_is_explained() {
    let place = Place::new();
    place.write(
        "bad.bpf",
        ".prog xdp bad\n    r0 = 2\n    r0 = r3\n    exit\n",
    );
    let log = place
        .run(&["check", "bad.bpf", "--log-level", "2"])
        .code(3)
        .stdout;
    let expected = "\
0: R1=ctx() R10=fp0
; r0 = 2 @ bad.bpf:2
0: (b7) r0 = 2                        ; R0=2
; r0 = r3 @ bad.bpf:3
1: (bf) r0 = r3
R3 !read_ok
processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
";
    assert!(log.starts_with(expected), "{log}");
    place.write("log", &log);
    let explained = place.run(&["explain", "--log", "log"]).code(0).stdout;
    assert!(
        explained.contains("error[BPF0301]: R3 !read_ok\n --> bad.bpf:3:1"),
        "{explained}"
    );
}
