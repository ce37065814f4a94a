//! Program text: `.bpf` files, and what other tools print.

use std::process::Stdio;

use super::{Place, ended, entries};

const TEXT: &str = "\
.license GPL
.map seen hash key_size=4 value_size=8 max_entries=16 map_flags=no_prealloc
.prog xdp judge
    r1 = *(u32 *)(r1 + 16)
    if r1 > 7 goto out
    r0 = 1
    exit
out:
    r0 = 2
    exit
";

#[test]
fn text_becomes_an_object_like_a_program_file() {
    let place = Place::new();
    place.write("judge.bpf", TEXT);
    let built = place.run(&["build", "judge.bpf"]).code(0);
    assert_eq!(
        built.stdout,
        "target/bpf/judge.o: judge (xdp, 6 instructions), verified\n"
    );
    assert_eq!(&place.read("target/bpf/judge.o")[..4], b"\x7fELF");
    let shown = place.run(&["build", "judge.bpf", "--emit", "asm"]).code(0);
    let again = place.run(&["dis", "judge.bpf"]).code(0);
    assert_eq!(shown.stdout, again.stdout);
    place.write("again.bpf", &shown.stdout);
    let hex = |file| place.run(&["build", file, "--emit", "hex"]).code(0).stdout;
    assert_eq!(hex("again.bpf"), hex("judge.bpf"));
    let checked = place.run(&["check", "judge.bpf"]).code(0);
    assert!(checked.stdout.contains("judge (xdp): accepted, 6"));
}

#[test]
fn text_is_verified_before_it_is_written() {
    let place = Place::new();
    place.write("bad.bpf", ".prog xdp bad\n    exit\n");
    place.run(&["build", "bad.bpf"]).code(3).says("R0 !read_ok");
    assert_eq!(entries(&place.work()), ["bad.bpf"]);
    place.run(&["build", "bad.bpf", "--no-check"]).code(0);
}

#[test]
fn what_is_wrong_is_shown_with_its_line() {
    let place = Place::new();
    place.write("x.bpf", &TEXT.replace("goto out", "goto ouch"));
    place
        .run(&["build", "x.bpf"])
        .code(8)
        .says("error: the label 'ouch' is nowhere bound\n --> x.bpf:5:20\n")
        .says("\n5 |     if r1 > 7 goto ouch\n  |                    ^^^^\n")
        .says("\nhelp: did you mean 'out'?\n");
    place.write("empty.bpf", "; nothing\n");
    place
        .run(&["build", "empty.bpf"])
        .code(8)
        .says("error: empty.bpf has no program");
    place.run(&["build", "no.bpf"]).code(5);
    std::fs::write(place.work().join("raw.bpf"), [b'a', 0xff]).unwrap();
    place.run(&["build", "raw.bpf"]).code(8).says("not UTF-8");
}

#[test]
fn a_listing_is_read_from_standard_input() {
    let place = Place::new();
    let listing = place.write(
        "listing",
        "x.o:\tfile format elf64-bpf\n\nDisassembly of section xdp:\n\n\
         0000000000000000 <pass>:\n       0:\tb4 00 00 00 02 00 00 00\tw0 = 0x2\n\
         \x20      1:\t95 00 00 00 00 00 00 00\texit\n",
    );
    let mut command = place.command(&["build", "-", "--emit", "asm"]);
    command.stdin(Stdio::from(std::fs::File::open(listing).unwrap()));
    let shown = ended(&mut command).code(0);
    assert_eq!(shown.stdout, ".prog xdp pass\n    w0 = 2\n    exit\n");
}

/// All lines that are no instructions are told of in one run, each with what to write.
#[test]
fn every_line_that_is_wrong_is_told_of() {
    let place = Place::new();
    let text = ".map m array key_size=4 value_size=8 max_entries=1\n.prog xdp p\n    # hello\n    \
                mov r1, 5\n    r0 = 2\n    r1 = m\n    exit\n";
    place.write("p.bpf", text);
    let ended = place
        .run(&["check", "p.bpf"])
        .code(8)
        .says("--> p.bpf:3:5")
        .says("help: a comment begins with ;")
        .says("--> p.bpf:4:5")
        .says("help: it is spelled as the kernel prints it: r1 = 5")
        .says("--> p.bpf:6:")
        .says("error: 3 lines of p.bpf are wrong");
    assert_eq!(ended.stderr.matches("error: ").count(), 4, "{ended:?}");
    // Of many no more are told, and nobody knows whether there are.
    let many = "    mov r1, 5\n".repeat(21);
    place.write("many.bpf", &format!(".prog xdp p\n{many}    exit\n"));
    place
        .run(&["check", "many.bpf"])
        .code(8)
        .says("error: at least 20 lines of many.bpf are wrong");
    // A directive that is wrong makes what is behind it wrong: it stands alone.
    place.write("q.bpf", ".prog xdq p\n    mov r1, 5\n    exit\n");
    let ended = place.run(&["check", "q.bpf"]).code(8);
    assert_eq!(ended.stderr.matches("error: ").count(), 1, "{ended:?}");
}
