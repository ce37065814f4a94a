//! Units that use everything the DSL has.

use ebpf_dsl::prelude::*;

record! {
    /// Who talks to whom.
    pub struct Flow {
        /// Source address.
        pub saddr: Be32,
        /// Destination address.
        pub daddr: Be32,
        /// Hardware address of the sender.
        pub h_source: [u8; 6],
        /// Protocol.
        pub protocol: u16,
    }
}

kernel_struct! {
    /// A thread.
    struct task_struct {
        /// Its number.
        pid: i32,
        /// Its name.
        comm: [u8; 16],
        /// Who started it.
        real_parent: *const task_struct,
        /// How it is scheduled.
        se: sched_entity,
        /// Whether its children are scheduled otherwise.
        sched_reset_on_fork: Bitfield<u32>,
        /// What it does not have.
        no_such: *const u64,
    }
}

kernel_struct! {
    /// How a thread is scheduled.
    union sched_entity {
        /// Time it was given.
        vruntime: u64,
        /// What it names.
        kind: pid_type,
    }
}

kernel_enum! {
    /// What a number names.
    enum pid_type {
        PIDTYPE_PID,
        PIDTYPE_TGID,
    }
}

/// Units with every kind of operation.
pub(crate) fn everything() -> [Unit; 2] {
    [packets(), threads()]
}

fn packets() -> Unit {
    let mut unit = Unit::new("packets").license("GPL");
    let flows = unit.hash::<Flow, u64>("flows", 1024);
    let cpus = unit.percpu_hash::<u32, u32>("cpus", 64);
    let frames = unit.array::<u64>("frames", 1);
    let events = unit.ringbuf::<Flow>("events", 4096);
    unit.xdp("xdp_packets", |f, ctx| {
        let now = f.ktime_get_ns();
        let cpu = f.get_smp_processor_id();
        let odd = f.var::<u32>(0);
        f.if_((now & 1).eq(1) & !cpu.eq(0) | ctx.rx_queue_index().gt(3))
            .then(|_| odd.set(1))
            .else_(|_| odd.set(cpu * 3 / 2 % 5));
        f.delete(cpus, cpu);
        f.update(cpus, cpu, odd.get(), UpdateFlag::Any);
        let moved = f.xdp_adjust_head(ctx, -4);
        f.return_if(moved.failed(), XDP_ABORTED);
        let eth = f.header::<ethhdr>(ctx.packet()).or_return(XDP_PASS);
        let (dest, source) = (eth.h_dest(), eth.h_source());
        eth.set().h_dest(source);
        eth.set().h_source([2, 0, 0, 0, 0, 1]);
        let flow = f.local::<Flow>();
        f.header::<iphdr>(eth.end()).then(|f, ip| {
            flow.fields().saddr().set(ip.saddr());
            flow.fields().daddr().set(ip.daddr() & 0xffff_ff00);
            flow.fields().h_source().set(source);
            flow.fields().protocol().set(ip.protocol().to_u16());
            f.header::<udphdr>(ip.payload()).then(|_, udp| {
                udp.set().dest(udp.source().to_host().to_be());
            });
        });
        f.lookup(flows, &flow).then(|_, count| count.atomic_add(1));
        let total = f.lookup(frames, 0).or_return(XDP_PASS);
        total.add(1);
        f.reserve(events, |_, event| {
            event.fields().saddr().set(Be32::new(1));
            event.fields().daddr().set(flow.fields().daddr().get());
            event.fields().h_source().set(dest);
            event.fields().protocol().set(now.to_u16());
            event.submit()
        });
        let signed = f.inlined(|f| {
            f.return_if(cpu.slt(5), cpu.arsh(1));
            cpu.sdiv(3)
        });
        f.return_if(dest.ne([0xff; 6]), XDP_TX);
        signed.to_action()
    })
}

fn threads() -> Unit {
    let mut unit = Unit::new("threads").license("GPL");
    let cpus = unit.percpu_hash::<u32, u32>("cpus", 64);
    let frames = unit.array::<u64>("frames", 1);
    unit.raw_tracepoint("threads", "sched_switch", |f, ctx| {
        let next = ctx.arg::<*const task_struct>(2);
        let parent = next.real_parent();
        f.return_if(KernelPtr::is_null(parent) | ctx.arg::<u32>(0).eq(1), ());
        let current = f.get_current_task::<task_struct>();
        let numbers = f.get_current_pid_tgid();
        f.update(cpus, numbers.tgid(), current.pid(), UpdateFlag::Any);
        f.update(
            cpus,
            numbers.pid(),
            parent.sched_reset_on_fork(),
            UpdateFlag::Any,
        );
        let there = f.core_field_exists::<task_struct>().no_such();
        f.if_(there).then(|f| {
            let number = next.no_such().get();
            f.update(cpus, number.to_u32(), next.se().kind(), UpdateFlag::Any);
        });
        f.return_if(!f.core_type_exists::<sched_entity>(), ());
        f.return_if(!f.core_enum_value_exists(pid_type::PIDTYPE_TGID), ());
        let total = f.lookup(frames, 0).or_return(());
        total.add(f.core_enum_value(pid_type::PIDTYPE_TGID) + f.core_type_size::<task_struct>());
        total.add(f.core_field_size::<task_struct>().comm());
        total.add(f.core_field_offset::<task_struct>().comm() + next.se().vruntime());
        let copy = f.local::<[u8; 16]>();
        let start = KernelPtr::cast::<u8>(next.se());
        let start = KernelPtr::<u64>::from_address(KernelPtr::address(start) + 8);
        let read = f.probe_read_kernel(&copy, start);
        f.return_if(
            read.failed() | next.comm().eq(*b"swapper/0\0\0\0\0\0\0\0"),
            (),
        );
        copy.fields().set(f.get_current_comm());
    })
}
