//! Logs of several kernels, and what is read off them.

use super::*;

const PACKET: &str = "0: R1=ctx() R10=fp0
; let ip = f.header(eth.end()); @ drop_icmp.rs:14
0: (61) r2 = *(u32 *)(r1 +0)          ; R1=ctx() R2_w=pkt(r=0)
1: (71) r0 = *(u8 *)(r2 +14)
invalid access to packet, off=14 size=1, R2(id=0,off=14,r=0)
R2 offset is outside of the packet
processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0";

const OLD: &str = "; return x;
0: (95) exit
R0 !read_ok
verification time 12 usec
stack depth 0
processed 1 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
";

/// As Linux 7.3 prints it, in the form that cilium/ebpf's documentation shows.
const REPORT: &str = "0: R1=ctx() R10=fp0
0: (95) exit
R0 !read_ok

Verification failed: Register Type Safety: Unreadable register

Reason:
  R0 has never been initialized on this path, so the verifier cannot use it as an input.

At:
  insn 0
        | ^-- error: R0 is not readable
  Instruction context:
  >>> 0 | (95) exit

Causal path:
  no retained diagnostic events on this path

Suggestion:
  Initialize R0 on every path before this instruction.

processed 1 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
";

/// The same form with source lines and events.
const LEAK: &str = "0: R1=ctx() R10=fp0
; obj = make(); @ case.c:78
0: (85) call bpf_cpumask_create#61791         ; R0=ptr_or_null_(id=2) refs=2
1: (55) if r0 != 0x0 goto pc+5 7: R0=trusted_ptr_(id=2) R10=fp0 refs=2
7: (95) exit
Unreleased reference id=2 alloc_insn=0

Verification failed: Resource Lifetime Safety: Unreleased resource

Reason:
  Owned resource (id=2) was acquired at instruction 0 and still needs to be released before
  this exit path.

At:
  entry @ case.c:36:5
      35 | ...                                                    20 | (b4) w0 = 0
  >>> 36 | int entry(void *task)                              >>> 7 | (95) exit
         | ^-- error: owned resource (id=2) still needs release
      37 | ...

Causal path:
  entry @ case.c:78:12
      77 | ...
  >>> 78 |         obj = make();                              >>>  0 | (85) call bpf_cpumask_create#61791
         |         ^-- acquired: owned resource (id=2)
      79 |         if (!obj) {                                     1 | (55) if r0 != 0x0 goto pc+5
  entry @ case.c:79:6
  >>> 79 |         if (!obj) {                                >>>  1 | (55) if r0 != 0x0 goto pc+5
         |         ^-- branch: explored as true, goto followed

Suggestion:
  Release or transfer ownership of the acquired resource.

BPF_EXIT instruction in main prog would lead to reference leak
processed 24 insns (limit 1000000) max_states_per_insn 0 total_states 2 peak_states 2 mark_read 0
";

fn point(log: &str) -> Option<String> {
    VerifierLog::read(log).point()
}

#[test]
fn the_point_is_the_plain_words_at_the_end() {
    assert_eq!(
        point(PACKET).as_deref(),
        Some(
            "invalid access to packet, off=14 size=1, R2(id=0,off=14,r=0); \
             R2 offset is outside of the packet"
        )
    );
    assert_eq!(point(OLD).as_deref(), Some("R0 !read_ok"));
    let unended = "more than one arg with ref_obj_id R3 4 2processed 18 insns (limit 1000000) \
                   max_states_per_insn 0 total_states 1 peak_states 1 mark_read 0\n";
    let words = "more than one arg with ref_obj_id R3 4 2";
    assert_eq!(point(unended).as_deref(), Some(words));
    let unended = "expected prog array map for tail callverification time 13 usec\nstack depth 0\n";
    let words = "expected prog array map for tail call";
    assert_eq!(point(unended).as_deref(), Some(words));
}

#[test]
fn a_list_is_quoted_whole() {
    let log = "3: (95) exit\nUnreleased reference id=2 alloc_insn=9\n\
               Unreleased reference id=4 alloc_insn=18\nUnreleased reference id=5 alloc_insn=23\n\
               BPF_EXIT instruction in main prog would lead to reference leak\n";
    let point = point(log).expect("words");
    assert!(point.starts_with("Unreleased reference id=2 alloc_insn=9; Unreleased"));
    assert!(point.ends_with("; BPF_EXIT instruction in main prog would lead to reference leak"));
    let many = "exit\nfirst\nsecond\nthird\nfourth\n";
    assert_eq!(super::VerifierLog::read(many).words().len(), 3);
}

#[test]
fn an_endless_loop_is_the_point_before_its_states() {
    let log = "2: (55) if r2 != 0x5 goto pc-2 infinite loop detected at insn 1\n\
               cur state: R0=0 R10=fp0\nold state: R0=0 R10=fp0\n";
    assert_eq!(
        point(log).as_deref(),
        Some("infinite loop detected at insn 1")
    );
}

#[test]
fn states_and_branches_are_not_the_point() {
    let log = "from 3 to 5: R0=1 R10=fp0\nR1=ctx() R10=fp0\n5: (95) exit\nR0 !read_ok\n";
    assert_eq!(point(log).as_deref(), Some("R0 !read_ok"));
    assert_eq!(point("0: (95) exit\nprocessed 1 insns"), None);
    assert_eq!(point(""), None);
}

#[test]
fn the_last_instruction_and_source_line_are_found() {
    let log = VerifierLog::read(PACKET);
    assert_eq!(log.slot(), Some(1));
    let line = log.source(1).expect("a line");
    assert_eq!((line.file, line.line), ("drop_icmp.rs", 14));
    assert_eq!(line.text, "let ip = f.header(eth.end());");
    assert_eq!(log.insn(1), Some("r0 = *(u8 *)(r2 +14)"));
    let line = VerifierLog::read(OLD).source(0).expect("a line");
    assert_eq!((line.file, line.line, line.text), ("", 0, "return x;"));
    assert_eq!(VerifierLog::read("").slot(), None);
}

#[test]
fn a_report_is_taken_apart() {
    let log = VerifierLog::read(REPORT);
    assert_eq!(log.point().as_deref(), Some("R0 !read_ok"));
    let report = log.report().expect("a report");
    assert_eq!(report.category, "Register Type Safety");
    assert_eq!(report.title, "Unreadable register");
    assert!(report.reason.starts_with("R0 has never been initialized"));
    assert_eq!(
        report.suggestion,
        "Initialize R0 on every path before this instruction."
    );
    let at = report.at.expect("a place");
    assert_eq!((at.slot, at.insn), (Some(0), Some("exit")));
    assert_eq!((at.kind, at.text), ("error", "R0 is not readable"));
    assert_eq!(report.causes, []);
}

#[test]
fn events_have_their_lines_and_instructions() {
    let log = VerifierLog::read(LEAK);
    let words = "Unreleased reference id=2 alloc_insn=0; \
                 BPF_EXIT instruction in main prog would lead to reference leak";
    assert_eq!(log.point().as_deref(), Some(words));
    let report = log.report().expect("a report");
    assert_eq!(
        report.reason,
        "Owned resource (id=2) was acquired at instruction 0 and still needs to be released \
         before this exit path."
    );
    let [acquired, branch] = report.causes.as_slice() else {
        panic!("two events: {:?}", report.causes);
    };
    assert_eq!((acquired.slot, acquired.kind), (Some(0), "acquired"));
    let source = acquired.source.expect("a line");
    assert_eq!(
        (source.file, source.line, source.column, source.text),
        ("case.c", 78, 12, "        obj = make();")
    );
    assert_eq!(
        (branch.slot, branch.insn, branch.text),
        (
            Some(1),
            Some("if r0 != 0x0 goto pc+5"),
            "explored as true, goto followed"
        )
    );
    assert_eq!(log.slot(), Some(7));
}

#[test]
fn what_stands_behind_the_statistics_is_no_refusal() {
    let log = "0: R1=ctx() R10=fp0\n0: (95) exit\nprocessed 1 insns (limit 1000000)\n\
               program (xdp): accepted\n";
    assert_eq!(point(log), None);
    assert!(VerifierLog::read(log).is_log());
    assert!(!VerifierLog::read("hello world\n; foo\n").is_log());
}

#[test]
fn a_report_alone_is_a_point() {
    let log = "Verification failed: Policy: Forbidden\n\nReason:\n  It is.\n";
    assert_eq!(point(log).as_deref(), Some("Forbidden"));
}

#[test]
fn the_trail_goes_back_to_where_a_path_left() {
    let log = "0: (b7) r1 = 0                        ; R1_w=0\n\
               1: (55) if r0 != 0x0 goto pc+1        ; R0=0\n\
               2: (b7) r1 = 1                        ; R1_w=1\n\
               3: (95) exit\n\n\
               from 1 to 3: R0=scalar() R1=0 R10=fp0\n\
               3: (95) exit\nR0 !read_ok\n";
    let log = VerifierLog::read(log);
    let trail = log.trail();
    let slots: Vec<_> = trail
        .steps()
        .iter()
        .map(|step| (step.slot, step.to))
        .collect();
    assert_eq!(slots, [(0, None), (1, Some(3)), (3, None)]);
    let first = trail.steps()[0];
    assert!(first.writes(1) && !first.writes(0));
    assert_eq!(first.becomes(1), Some("0"));
}

#[test]
fn steps_say_what_they_write() {
    let step = |insn| Step {
        slot: 0,
        opcode: 0,
        insn,
        state: "R1=ctx() R2_w=scalar(smin=0,var_off=(0x0; 0xff)) R10=fp0",
        to: None,
    };
    for insn in ["r2 += 4", "w2 s>>= 1", "r2 = *(u32 *)(r1 +0)", "r2 = -r2"] {
        assert!(step(insn).writes(2), "{insn}");
    }
    for insn in [
        "if r2 <= r3 goto pc+1",
        "*(u64 *)(r2 +0) = r1",
        "goto pc+2",
        "exit",
    ] {
        assert!(!step(insn).writes(2), "{insn}");
    }
    assert!(
        step("call bpf_ktime_get_ns#5").writes(0) && !step("call bpf_ktime_get_ns#5").writes(6)
    );
    assert_eq!(step("r2 = r1").copies(), Some(1));
    assert_eq!(step("r2 = 1").copies(), None);
    assert_eq!(step("r2 += r1").copies(), None);
    assert_eq!(
        step("").becomes(2),
        Some("scalar(smin=0,var_off=(0x0; 0xff))")
    );
    assert_eq!(step("").becomes(10), Some("fp0"));
    assert_eq!(step("").becomes(0), None);
}

#[test]
fn what_other_tools_print_around_it_is_left_out() {
    let libbpf = format!(
        "libbpf: prog 'p': BPF program load failed: -EACCES\n\
         libbpf: prog 'p': -- BEGIN PROG LOAD LOG --\n{OLD}\
         -- END PROG LOAD LOG --\nlibbpf: prog 'p': failed to load: -EACCES\n"
    );
    assert_eq!(point(&libbpf).as_deref(), Some("R0 !read_ok"));
    let tabs: String = LEAK.lines().map(|line| format!("\t{line}\n")).collect();
    let (tabs, plain) = (VerifierLog::read(&tabs), VerifierLog::read(LEAK));
    assert_eq!(tabs.report(), plain.report());
    assert_eq!(tabs.point(), plain.point());
}

proptest::proptest! {
    #[test]
    fn every_text_is_a_log(text: String) {
        let log = VerifierLog::read(&text);
        let _ = (log.point(), log.slot(), log.trail());
    }
}

#[test]
fn figures_are_found_or_there_are_none() {
    assert_eq!(figure(OLD, "processed "), Some(1));
    assert_eq!(figure(OLD, "verification time "), Some(12));
    assert_eq!(figure(OLD, "stack depth "), Some(0));
    assert_eq!(figure(PACKET, "verification time "), None);
    assert_eq!(figure("processed many insns", "processed "), None);
}

#[test]
fn liveness_of_stacks_is_no_refusal() {
    let log = "0: R1=ctx() R10=fp0
0: (7a) *(u64 *)(r10 -8) = 0          ; R10=fp0 fp-8=0
1: (b7) r0 = 2                        ; R0=2
2: (95) exit
(0) frame 0 insn 0 +written -8
(0,12) frame 1 insn 6 +live -8,-16
(0) live stack update done in 2 iterations
processed 3 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0";
    assert_eq!(VerifierLog::read(log).point(), None);
    let refused = log.replace("processed 3", "R0 !read_ok\nprocessed 3");
    let point = VerifierLog::read(&refused).point();
    assert_eq!(point.as_deref(), Some("R0 !read_ok"));
}

#[test]
fn a_refusal_behind_a_jump_is_told_and_the_jump_is_read() {
    let log = "18: (04) w2 += 1                      ; R2=0x11704
19: (ae) if w2 < w1 goto pc-12 BPF program is too large. Processed 1000001 insn
processed 1000001 insns (limit 1000000) max_states_per_insn 4 total_states 9526 peak_states 9526";
    let log = VerifierLog::read(log);
    let said = "BPF program is too large. Processed 1000001 insn";
    assert_eq!(log.point().as_deref(), Some(said));
    assert_eq!(log.slot(), Some(19));
    assert_eq!(log.insn(19), Some("if w2 < w1 goto pc-12"));
    let quoted = VerifierLog::read("; BPF program is too large. @ a.rs:1\n0: (95) exit\n");
    assert_eq!(quoted.point(), None);
}
