//! The passes on small programs, as text.

use ebpf_dsl::prelude::*;

use super::cfg::Cfg;
use super::{Kernel, bounds, build, context, dead, emit, fold, hoist, machine, optimise, thread};
use crate::btf::Btf;
use crate::compile;

/// The blocks of a unit's only program, before any pass.
fn blocks(unit: &Unit) -> Cfg {
    assert_eq!(unit.check(), Ok(()));
    let none = Kernel {
        btf: &Btf::new(),
        types: &[],
    };
    build::build(&unit.recording().programs[0], none).unwrap()
}

/// The instructions of a unit's only program.
fn listing(unit: &Unit) -> Vec<String> {
    let object = compile(unit).unwrap();
    let insns = &object.programs[0].insns;
    insns.iter().map(ToString::to_string).collect()
}

/// How many bounds checks are left when checks were merged.
fn checks(unit: &Unit) -> usize {
    let mut cfg = blocks(unit);
    context::share_loads(&mut cfg);
    fold::fold(&mut cfg);
    thread::thread(&mut cfg);
    bounds::merge(&mut cfg);
    thread::thread(&mut cfg);
    cfg.to_string().matches("<=").count()
}

fn assert_text(cfg: &Cfg, expected: &[&str]) {
    let text = cfg.to_string();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    assert_eq!(lines, expected, "\n{text}");
}

header! {
    /// The first byte of a packet.
    struct first {
        /// That byte.
        byte: u8,
    }
}

header! {
    /// The first four bytes of a packet.
    struct first_four {
        /// These bytes.
        word: u32,
    }
}

#[test]
fn building_makes_blocks_of_branches() {
    let unit = Unit::new("t").xdp("p", |f, ctx| {
        f.if_(ctx.rx_queue_index().gt(3))
            .then(|f| f.return_(XDP_DROP));
        XDP_PASS
    });
    assert_text(
        &blocks(&unit),
        &[
            "b0:",
            "v10 = mov r1",
            "v11 = load32 v10 +16",
            "if jgt v11, 3 goto b1 else b2",
            "b1:",
            "return 1",
            "b2:",
            "goto b3",
            "b3:",
            "return 2",
        ],
    );
}

#[test]
fn conditions_are_tested_one_by_one() {
    let unit = Unit::new("t").xdp("p", |f, ctx| {
        let queue = ctx.rx_queue_index();
        let cond = queue.gt(3) & !(queue.eq(7) | queue.eq(9));
        f.return_if(cond, XDP_DROP);
        XDP_PASS
    });
    let text = blocks(&unit).to_string();
    assert_eq!(text.matches("if j").count(), 3, "{text}");
    assert!(!text.contains("and"), "{text}");
}

#[test]
fn context_fields_are_loaded_once_until_the_packet_moves() {
    fn lengths<'p>(f: &mut Scope<'p, Xdp>, ctx: &XdpContext<'p>) {
        let before = ctx.len();
        f.return_if(ctx.len().ne(before), XDP_DROP);
    }
    let loads = |unit: &Unit| {
        let mut cfg = blocks(unit);
        context::share_loads(&mut cfg);
        cfg.to_string().matches("load32").count()
    };
    let still = Unit::new("t").xdp("p", |f, ctx| {
        lengths(f, ctx);
        lengths(f, ctx);
        XDP_PASS
    });
    assert_eq!(loads(&still), 2);
    let moved = Unit::new("t").xdp("p", |f, ctx| {
        lengths(f, ctx);
        f.xdp_adjust_tail(ctx, -1);
        lengths(f, ctx);
        XDP_PASS
    });
    assert_eq!(loads(&moved), 4);
    // One way moves the packet, so that behind both nothing is known.
    let perhaps = Unit::new("t").xdp("p", |f, ctx| {
        lengths(f, ctx);
        let long = ctx.len().gt(100);
        f.if_(long).then(|f| {
            f.xdp_adjust_tail(ctx, -1);
        });
        lengths(f, ctx);
        XDP_PASS
    });
    assert_eq!(loads(&perhaps), 4);
}

#[test]
fn constants_are_folded_and_needless_masks_dropped() {
    let unit = Unit::new("t").xdp("p", |f, ctx| {
        let first = f.header::<first>(ctx.packet()).or_return(XDP_PASS);
        let low = first.byte() & 0x0f;
        // At most 60: the masks of 16-bit arithmetic change nothing.
        let bytes = low.to_u16() << 2;
        let two = f.var::<u16>(1).get() + 1;
        f.return_if((bytes + two).gt(1000), XDP_DROP);
        XDP_PASS
    });
    let mut cfg = blocks(&unit);
    optimise(&mut cfg);
    let text = cfg.to_string();
    assert_eq!(text.matches("and32").count(), 0, "{text}");
    assert!(
        !text.contains("return 1"),
        "62 is never above 1000:\n{text}"
    );
}

/// The kernel refuses these as instructions; in the DSL they have a meaning.
#[test]
fn divisions_by_a_constant_zero_and_large_shift_counts_are_folded() {
    let unit = Unit::new("t").xdp("p", |f, _| {
        let (now, cpu) = (f.ktime_get_ns(), f.get_smp_processor_id());
        let zero = f.var::<u64>(0).get();
        let large = f.var::<u64>(65).get();
        let sum = now / zero + now % zero + (now << large) + (cpu % 0 + cpu / 0).to_u64();
        f.return_if(sum.eq(1), XDP_DROP);
        XDP_PASS
    });
    let insns = listing(&unit);
    let refused = |insn: &&String| insn.contains('/') || insn.contains('%') || insn.contains("65");
    assert_eq!(insns.iter().find(refused), None, "{insns:#?}");
    assert!(
        insns.iter().any(|insn| insn.ends_with("<<= 1")),
        "{insns:#?}"
    );
}

#[test]
fn what_nobody_reads_is_dropped() {
    let unit = Unit::new("t").xdp("p", |f, ctx| {
        let _ = ctx.rx_queue_index() + 1;
        let unread = f.var::<u32>(1);
        unread.set(2);
        let _ = f.ktime_get_ns();
        XDP_PASS
    });
    let mut cfg = blocks(&unit);
    dead::remove(&mut cfg);
    // The call stays: a helper may do anything.
    assert_text(&cfg, &["b0:", "v14 = call 5()", "return 2"]);
}

#[test]
fn a_jump_that_sets_what_is_tested_goes_where_the_test_goes() {
    let unit = Unit::new("t").xdp("p", |f, ctx| {
        let drop = f.inlined(|f: &mut Scope<'_, u32>| {
            f.return_if(ctx.rx_queue_index().gt(3), 1);
            0
        });
        f.return_if(drop.eq(1), XDP_DROP);
        XDP_PASS
    });
    let mut cfg = blocks(&unit);
    optimise(&mut cfg);
    let text = cfg.to_string();
    assert_eq!(text.matches("if j").count(), 1, "{text}");
}

#[test]
fn a_check_is_merged_into_the_one_before() {
    let unit = Unit::new("t").xdp("p", |f, ctx| {
        let byte = f.header::<first>(ctx.packet()).or_return(XDP_PASS);
        f.return_if(byte.byte().eq(1), XDP_PASS);
        let word = f.header::<first_four>(ctx.packet()).or_return(XDP_PASS);
        f.return_if(word.word().eq(1), XDP_DROP);
        XDP_PASS
    });
    assert_eq!(checks(&unit), 1);
}

#[test]
fn a_check_inside_the_bytes_of_another_is_proven() {
    let unit = Unit::new("t").xdp("p", |f, ctx| {
        let word = f.header::<first_four>(ctx.packet()).or_return(XDP_PASS);
        let byte = f.header::<first>(ctx.packet()).or_return(XDP_DROP);
        f.return_if(word.word().eq(1) & byte.byte().eq(1), XDP_DROP);
        XDP_PASS
    });
    assert_eq!(checks(&unit), 1);
}

/// A packet of one to three bytes would leave by the other way out.
#[test]
fn checks_with_different_ways_out_are_not_merged() {
    let unit = Unit::new("t").xdp("p", |f, ctx| {
        f.header::<first>(ctx.packet()).or_return(XDP_PASS);
        f.header::<first_four>(ctx.packet()).or_return(XDP_DROP);
        XDP_TX
    });
    assert_eq!(checks(&unit), 2);
}

/// Such a packet with a 1 would be passed, and not dropped.
#[test]
fn checks_with_another_result_between_are_not_merged() {
    let unit = Unit::new("t").xdp("p", |f, ctx| {
        let byte = f.header::<first>(ctx.packet()).or_return(XDP_PASS);
        f.return_if(byte.byte().eq(1), XDP_DROP);
        f.header::<first_four>(ctx.packet()).or_return(XDP_PASS);
        XDP_TX
    });
    assert_eq!(checks(&unit), 2);
}

/// Such a packet would not be written to, or not be counted.
#[test]
fn checks_with_a_side_effect_between_are_not_merged() {
    let written = Unit::new("t").xdp("p", |f, ctx| {
        let byte = f.header::<first>(ctx.packet()).or_return(XDP_PASS);
        byte.set().byte(0);
        f.header::<first_four>(ctx.packet()).or_return(XDP_PASS);
        XDP_TX
    });
    assert_eq!(checks(&written), 2);
    let mut counted = Unit::new("t");
    let frames = counted.array::<u64>("frames", 1);
    let counted = counted.xdp("p", |f, ctx| {
        f.header::<first>(ctx.packet()).or_return(XDP_PASS);
        f.lookup(frames, 0).then(|_, frames| frames.atomic_add(1));
        f.header::<first_four>(ctx.packet()).or_return(XDP_PASS);
        XDP_TX
    });
    assert_eq!(checks(&counted), 2);
}

/// Such a packet would never come to the second check, and be sent back.
#[test]
fn checks_on_one_way_of_two_are_not_merged() {
    let unit = Unit::new("t").xdp("p", |f, ctx| {
        let byte = f.header::<first>(ctx.packet()).or_return(XDP_PASS);
        f.return_if(byte.byte().eq(1), XDP_TX);
        f.header::<first_four>(ctx.packet()).or_return(XDP_PASS);
        XDP_TX
    });
    assert_eq!(checks(&unit), 2);
}

/// The way out sets what is read where the ways meet; the ways between set something else.
#[test]
fn ways_out_of_an_inlined_function_are_told_apart_by_what_they_set() {
    let unit = |between: u32| {
        let mut unit = Unit::new("t");
        let frames = unit.array::<u64>("frames", 8);
        unit.xdp("p", |f, ctx| {
            let key = f.inlined(|f: &mut Scope<'_, u32>| {
                let byte = f.header::<first>(ctx.packet()).or_return(5);
                f.return_if(byte.byte().eq(1), between);
                f.header::<first_four>(ctx.packet()).or_return(5);
                6
            });
            f.lookup(frames, key).then(|_, frames| frames.atomic_add(1));
            XDP_PASS
        })
    };
    assert_eq!(checks(&unit(5)), 1);
    assert_eq!(checks(&unit(4)), 2);
}

#[test]
fn a_packet_that_moved_is_checked_again() {
    let unit = Unit::new("t").xdp("p", |f, ctx| {
        f.header::<first>(ctx.packet()).or_return(XDP_PASS);
        f.xdp_adjust_head(ctx, 1);
        f.header::<first>(ctx.packet()).or_return(XDP_PASS);
        XDP_TX
    });
    assert_eq!(checks(&unit), 2);
}

#[test]
fn a_result_is_hoisted_only_where_no_call_can_overwrite_it() {
    let plain = Unit::new("t").xdp("p", |f, ctx| {
        f.return_if(ctx.rx_queue_index().gt(3), XDP_DROP);
        XDP_PASS
    });
    let mut cfg = blocks(&plain);
    assert_eq!(hoist::returns(&mut cfg), hoist::Hoisted::Yes);
    let calling = Unit::new("t").xdp("p", |f, ctx| {
        let _ = f.ktime_get_ns();
        f.return_if(ctx.rx_queue_index().gt(3), XDP_DROP);
        XDP_PASS
    });
    let mut cfg = blocks(&calling);
    assert_eq!(hoist::returns(&mut cfg), hoist::Hoisted::No);
}

#[test]
fn equal_ways_out_are_one() {
    let unit = Unit::new("t").xdp("p", |f, ctx| {
        let now = f.ktime_get_ns();
        f.if_(ctx.rx_queue_index().eq(1))
            .then(|f| f.return_if(now.eq(1), XDP_DROP))
            .else_(|f| f.return_if(now.eq(2), XDP_DROP));
        XDP_PASS
    });
    let insns = listing(&unit);
    let sets = insns.iter().filter(|insn| *insn == "r0 = 1").count();
    assert_eq!(sets, 1, "{insns:#?}");
}

#[test]
fn drop_icmp_is_as_short_as_it_can_be() {
    let unit = Unit::new("drop_icmp").xdp("xdp_drop_icmp", |f, ctx| {
        let eth = f.header::<ethhdr>(ctx.packet()).or_return(XDP_PASS);
        f.return_if(eth.h_proto().ne(ETH_P_IP), XDP_PASS);
        let ip = f.header::<iphdr>(eth.end()).or_return(XDP_PASS);
        f.return_if(ip.protocol().eq(IPPROTO_ICMP), XDP_DROP);
        XDP_PASS
    });
    let expected = [
        "r0 = 2",
        "r2 = *(u32 *)(r1 + 0)",
        "r1 = *(u32 *)(r1 + 4)",
        "r2 += 34",
        "if r2 > r1 goto +5",
        "r1 = *(u16 *)(r2 - 22)",
        "if r1 != 8 goto +3",
        "r1 = *(u8 *)(r2 - 11)",
        "if r1 != 1 goto +1",
        "r0 = 1",
        "exit",
    ];
    assert_eq!(listing(&unit), expected);
}

/// Thirty values that are all needed at the end do not fit ten registers.
#[test]
fn what_finds_no_register_lives_on_the_stack() {
    let unit = Unit::new("t").xdp("p", |f, _| {
        let values: Vec<U64> = (0..30).map(|_| f.ktime_get_ns()).collect();
        let sum = values.into_iter().reduce(|sum, value| sum + value);
        f.return_if(sum.unwrap().eq(0), XDP_DROP);
        XDP_PASS
    });
    let insns = listing(&unit);
    assert!(insns.iter().any(|insn| insn.starts_with("*(u64 *)(r10 - ")));
    let mut cfg = blocks(&unit);
    optimise(&mut cfg);
    let cfg = machine(cfg).unwrap();
    assert!(cfg.frame > 0 && emit::length(&cfg) < usize::MAX);
}

#[test]
fn a_frame_that_does_not_fit_the_stack_is_an_error() {
    let unit = Unit::new("t").xdp("p", |f, _| {
        let values: Vec<U64> = (0..100).map(|_| f.ktime_get_ns()).collect();
        let sum = values.into_iter().reduce(|sum, value| sum + value);
        f.return_if(sum.unwrap().eq(0), XDP_DROP);
        XDP_PASS
    });
    let error = compile(&unit).unwrap_err().to_string();
    assert!(error.contains("bytes of stack, and has 512"), "{error}");
}
