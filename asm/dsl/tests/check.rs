//! What the check of a finished unit finds.

mod samples;

use std::cell::Cell;

use ebpf_dsl::RecordError;
use ebpf_dsl::prelude::*;

#[test]
fn a_unit_that_uses_everything_is_well_formed() {
    for unit in samples::everything() {
        assert_eq!(unit.check(), Ok(()));
    }
}

#[test]
fn a_value_that_leaves_its_branch_is_found_with_both_lines() {
    let (recorded_at, used_at) = (Cell::new(0), Cell::new(0));
    let unit = Unit::new("hole").xdp("prog", |f, ctx| {
        let mut kept = None;
        f.if_(ctx.len().gt(60)).then(|_| {
            recorded_at.set(line!() + 1);
            kept = Some(ctx.rx_queue_index());
        });
        if let Some(kept) = kept {
            used_at.set(line!() + 1);
            f.return_if(kept.eq(1), XDP_DROP);
        }
        XDP_PASS
    });
    let Err(RecordError::OutOfScope { recorded, used }) = unit.check() else {
        panic!("{:?}", unit.check());
    };
    assert_eq!(recorded.line, recorded_at.get());
    assert_eq!(used.line, used_at.get());
    assert!(used.file.ends_with("check.rs"), "{used}");
}

#[test]
fn a_header_that_leaves_the_branch_of_its_check_is_found() {
    let unit = Unit::new("hole").xdp("prog", |f, ctx| {
        let mut kept = None;
        f.header::<ethhdr>(ctx.packet())
            .then(|_, eth| kept = Some(eth));
        if let Some(eth) = kept {
            f.return_if(eth.h_proto().eq(ETH_P_IP), XDP_DROP);
        }
        XDP_PASS
    });
    let error = unit.check().unwrap_err();
    assert!(matches!(error, RecordError::OutOfScope { .. }), "{error}");
}

#[test]
fn a_map_value_that_leaves_the_branch_of_its_check_is_found() {
    let mut unit = Unit::new("hole");
    let frames = unit.array::<u64>("frames", 1);
    let unit = unit.xdp("prog", |f, _| {
        let mut kept = None;
        f.lookup(frames, 0).then(|_, value| kept = Some(value));
        if let Some(value) = kept {
            value.add(1);
        }
        XDP_PASS
    });
    let error = unit.check().unwrap_err();
    assert!(matches!(error, RecordError::OutOfScope { .. }), "{error}");
}

#[test]
fn a_variable_carries_a_value_out_of_a_branch() {
    let unit = Unit::new("carried").xdp("prog", |f, ctx| {
        let kept = f.var::<u32>(0);
        f.if_(ctx.len().gt(60))
            .then(|_| kept.set(ctx.rx_queue_index()));
        f.return_if(kept.get().eq(1), XDP_DROP);
        XDP_PASS
    });
    assert_eq!(unit.check(), Ok(()));
}

#[test]
fn a_map_of_another_unit_is_found() {
    let mut other = Unit::new("other");
    let frames = other.array::<u64>("frames", 1);
    let unit = Unit::new("this").xdp("prog", |f, _| {
        f.lookup(frames, 0).then(|_, value| value.add(1));
        XDP_PASS
    });
    let error = unit.check().unwrap_err();
    assert!(
        matches!(&error, RecordError::ForeignMap { map, .. } if map == "frames"),
        "{error}"
    );
}

#[test]
fn names_are_unique_and_can_be_symbols() {
    let twice = Unit::new("twice")
        .xdp("prog", |_, _| XDP_PASS)
        .xdp("prog", |_, _| XDP_DROP);
    let error = twice.check().unwrap_err();
    assert_eq!(
        error,
        RecordError::DuplicateName {
            name: "prog".into()
        }
    );
    for bad in ["", "1st", "a-b", "a.b", "naïve", "a\0b"] {
        let unit = Unit::new("bad").xdp(bad, |_, _| XDP_PASS);
        let error = unit.check().unwrap_err();
        assert_eq!(error, RecordError::BadName { name: bad.into() });
    }
}

kernel_struct! {
    struct task_struct { pid: i32 }
}

#[test]
fn a_pointer_that_leaves_its_branch_is_found() {
    let unit = Unit::new("hole").raw_tracepoint("prog", "sched_switch", |f, ctx| {
        let mut kept = None;
        let preempted = ctx.arg::<u32>(0).eq(1);
        f.if_(preempted)
            .then(|_| kept = Some(ctx.arg::<*const task_struct>(1)));
        if let Some(task) = kept {
            f.return_if(task.pid().eq(1), ());
        }
    });
    let error = unit.check().unwrap_err();
    assert!(matches!(error, RecordError::OutOfScope { .. }), "{error}");
}

#[test]
fn a_tracepoint_has_at_most_twelve_arguments() {
    let unit = |number| {
        Unit::new("args").raw_tracepoint("prog", "sched_switch", |f, ctx| {
            f.return_if(ctx.arg::<u64>(number).eq(1), ());
        })
    };
    assert_eq!(unit(11).check(), Ok(()));
    let error = unit(12).check().unwrap_err();
    assert!(
        matches!(&error, RecordError::TooLarge { at, .. } if at.line > 0),
        "{error}"
    );
}

#[test]
fn a_tracepoint_has_a_name() {
    for bad in ["", "sched/switch", "raw_tp/sched_switch", "a\0b"] {
        let unit = Unit::new("named").raw_tracepoint("prog", bad, |_, _| {});
        let error = unit.check().unwrap_err();
        assert_eq!(error, RecordError::BadName { name: bad.into() });
    }
}

#[test]
fn what_no_kernel_declares_is_refused() {
    use ebpf_dsl::recording::{KernelMember, KernelType, MemberType};

    let empty = KernelMember::new("comm", MemberType::Bytes(0));
    let named = KernelMember::new("a.b", MemberType::Bytes(4));
    let twice = vec![KernelMember::new("comm", MemberType::Bytes(4)); 2];
    let mut deep = KernelType::structure("inner", vec![]);
    for _ in 0..=ebpf_dsl::MAX_DEPTH {
        let inner = KernelMember::new("inner", MemberType::Kernel(deep));
        deep = KernelType::structure("outer", vec![inner]);
    }
    for ty in [
        KernelType::structure("task_struct", vec![empty]),
        KernelType::structure("task_struct", vec![named]),
        KernelType::union("task_struct", twice),
        KernelType::enumeration("pid type", &["PIDTYPE_PID"]),
        KernelType::enumeration("pid_type", &["PIDTYPE_PID", "PIDTYPE_PID"]),
        deep,
    ] {
        let unit = Unit::new("declared").raw_tracepoint("prog", "sched_switch", |_, _| {});
        let mut recording = unit.recording().clone();
        recording.programs[0].kernel_types.push(ty.clone());
        assert!(Unit::from_recording(recording).check().is_err(), "{ty:?}");
    }
}

#[test]
fn what_is_asked_is_shown() {
    let unit = Unit::new("asked").raw_tracepoint("prog", "sched_switch", |f, ctx| {
        let task = ctx.arg::<*const task_struct>(1);
        f.return_if(task.pid().eq(1), ());
    });
    let listing = unit.to_string();
    for line in [
        "raw_tp/sched_switch prog:",
        "v0: U64 = args[1]",
        "v1: U64 = FIELD_BYTE_OFFSET of task_struct.pid",
        "v5: U64 = bpf_probe_read_kernel(v3, v4, v2)",
    ] {
        assert!(listing.contains(line), "no '{line}' in\n{listing}");
    }
}

#[test]
fn a_map_without_entries_is_refused() {
    let mut unit = Unit::new("empty");
    unit.array::<u64>("frames", 0);
    let error = unit.check().unwrap_err();
    assert!(matches!(error, RecordError::BadMap { .. }), "{error}");
}

#[test]
fn branches_can_be_nested_only_so_deep() {
    fn nest(f: &mut Scope<'_, Xdp>, depth: usize) {
        let cond = f.get_smp_processor_id().eq(1);
        if depth > 0 {
            f.if_(cond).then(|f| nest(f, depth - 1));
        }
    }
    let nested = |depth| {
        Unit::new("deep").xdp("prog", |f, _| {
            nest(f, depth);
            XDP_PASS
        })
    };
    assert_eq!(nested(ebpf_dsl::MAX_DEPTH).check(), Ok(()));
    let error = nested(ebpf_dsl::MAX_DEPTH + 1).check().unwrap_err();
    assert!(matches!(error, RecordError::TooDeep { .. }), "{error}");
}

#[test]
fn an_operation_in_an_inlined_function_knows_its_caller() {
    let call = Cell::new(0);
    let unit = Unit::new("inlined").xdp("prog", |f, ctx| {
        call.set(line!() + 1);
        let queue = f.inlined(|_| ctx.rx_queue_index());
        f.return_if(queue.eq(3), XDP_DROP);
        XDP_PASS
    });
    let program = &unit.recording().programs[0];
    let inlined = program.locations.iter().find_map(|loc| loc.inlined_at);
    let caller = program.locations[inlined.unwrap().0 as usize];
    assert_eq!(caller.line, call.get());
}

#[test]
fn what_is_too_large_is_found_with_its_line() {
    let far = Unit::new("far").xdp("xdp_far", |f, ctx| {
        let at = ctx.packet().advance(33_000);
        f.header::<ethhdr>(at).or_return(XDP_PASS);
        XDP_PASS
    });
    let large = Unit::new("large").xdp("xdp_large", |f, _| {
        f.local::<[u8; 600]>();
        XDP_PASS
    });
    for unit in [far, large] {
        let error = unit.check().unwrap_err();
        assert!(
            matches!(&error, RecordError::TooLarge { at, .. } if at.line > 0),
            "{error}"
        );
    }
}
