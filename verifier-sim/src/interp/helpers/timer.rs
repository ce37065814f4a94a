//! Timers in values of maps: whether they are there, and what the helpers say of it. The clock
//! stands still while a program runs, so that none goes off.
//!
//! Source: bpf-helpers(7), and behaviour seen on Linux 6.18.

use super::{Call, Returned};
use crate::interp::address::Region;
use crate::interp::errno::Errno;
use crate::interp::fault::FaultKind;
use crate::interp::host::{Host, status};
use crate::interp::memory::Memory;
use ebpf_asm::insn::Reg;

/// The size of `struct bpf_timer` in bytes.
const TIMER: u64 = 16;
/// `CLOCK_REALTIME`, `CLOCK_MONOTONIC` and `CLOCK_BOOTTIME`.
const CLOCKS: [u64; 3] = [0, 1, 7];
/// `BPF_F_TIMER_ABS` and `BPF_F_TIMER_CPU_PIN`.
const START_FLAGS: u64 = 3;

/// A timer that was initialised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::interp) enum Timer {
    WithoutCallback,
    WithCallback,
    Started,
}

/// `long bpf_timer_init(struct bpf_timer *timer, map, u64 flags)`
pub(super) fn init(call: &mut Call<'_, '_>) -> Returned {
    let timer = there(call)?;
    call.map(Reg::R2)?;
    let clock = call.arg(Reg::R3)?;
    let timers = &mut call.execution.host.timers;
    let made = match timers.contains_key(&timer) {
        _ if !CLOCKS.contains(&clock) => Err(Errno::Invalid),
        true => Err(Errno::Busy),
        false => Ok(()),
    };
    if made.is_ok() {
        timers.insert(timer, Timer::WithoutCallback);
    }
    Ok(Some(status(made)))
}

/// `long bpf_timer_set_callback(struct bpf_timer *timer, void *callback_fn)`
pub(super) fn set_callback(call: &mut Call<'_, '_>) -> Returned {
    let timer = there(call)?;
    let function = call.arg(Reg::R2)?;
    if call.execution.memory.place(function).region != Region::Code {
        return Err(call.wrong(Reg::R2, "a function of the program", function));
    }
    let timer = call.execution.host.timers.get_mut(&timer);
    Ok(Some(status(match timer {
        Some(timer) => {
            if *timer == Timer::WithoutCallback {
                *timer = Timer::WithCallback;
            }
            Ok(())
        }
        None => Err(Errno::Invalid),
    })))
}

/// `long bpf_timer_start(struct bpf_timer *timer, u64 nsecs, u64 flags)`
pub(super) fn start(call: &mut Call<'_, '_>) -> Returned {
    let timer = there(call)?;
    call.arg(Reg::R2)?;
    let flags = call.arg(Reg::R3)?;
    let timer = call.execution.host.timers.get_mut(&timer);
    Ok(Some(status(match timer {
        Some(timer) if *timer != Timer::WithoutCallback && flags & !START_FLAGS == 0 => {
            *timer = Timer::Started;
            Ok(())
        }
        _ => Err(Errno::Invalid),
    })))
}

/// `long bpf_timer_cancel(struct bpf_timer *timer)`: 1 if it was started.
pub(super) fn cancel(call: &mut Call<'_, '_>) -> Returned {
    let timer = there(call)?;
    let timer = call.execution.host.timers.get_mut(&timer);
    Ok(Some(match timer {
        None => Errno::Invalid.r0(),
        Some(timer) => {
            let was_started = *timer == Timer::Started;
            // It keeps no callback, either.
            *timer = Timer::WithoutCallback;
            u64::from(was_started)
        }
    }))
}

/// Ends the timers in a value of a map: the kernel does when it is replaced or removed.
pub(super) fn forget(host: &mut Host, memory: &Memory<'_>, map: usize, value: u64) {
    let gone = Region::MapValue { map, value };
    host.timers
        .retain(|timer, _| memory.place(*timer).region != gone);
}

fn there(call: &mut Call<'_, '_>) -> Result<u64, FaultKind> {
    let timer = call.arg(Reg::R1)?;
    call.execution.memory.write(timer, TIMER)?;
    Ok(timer)
}
