//! Results: which numbers a program of a type may return.
//!
//! Most types may return anything. Where the kernel acts on single values it wants to see
//! that R0 is one of them. Observed on Linux 6.18, every type with every attach type; first
//! releases are from the kernel's history.
//!
//! Read before: `global.rs`. Read next: `tail_call.rs`.

use crate::codes::Code;
use crate::config::Config;
use crate::ctx::{ANSWERS_CHECKED, Answer};
use crate::diag::{Checked, Rejection};
use crate::step::alu::describe;
use crate::step::machine::Machine;
use crate::value::bounds::Range;
use crate::value::reg::RegState;
use ebpf_asm::insn::Reg;
use ebpf_asm::isa::KernelVersion;
use ebpf_asm::prog_type::{AttachType, ProgType};
use std::ops::RangeInclusive;

/// Nothing to say.
const NO: Option<RangeInclusive<i64>> = Some(0..=0);

/// Refused or allowed.
const NO_OR_YES: Option<RangeInclusive<i64>> = Some(0..=1);

/// The same, and whether the network is congested, or a port need not be asked for.
const WITH_HINT: Option<RangeInclusive<i64>> = Some(0..=3);

/// Nothing can be refused any more.
const YES: Option<RangeInclusive<i64>> = Some(1..=1);

/// Since when a result is a number that matters, so that a path with another is not taken for
/// covered: Linux 6.1 takes it for that.
const NEEDED: KernelVersion = (6, 2);

/// The results that programs may have; `None` if any.
fn results(
    prog_type: ProgType,
    attach_type: AttachType,
    config: &Config,
) -> Option<RangeInclusive<i64>> {
    match prog_type {
        ProgType::CgroupSkb => match attach_type {
            AttachType::CgroupInetEgress if config.since((5, 3)) => WITH_HINT,
            _ => NO_OR_YES,
        },
        ProgType::CgroupSockAddr => of_address(attach_type, config),
        ProgType::CgroupSock
        | ProgType::CgroupDevice
        | ProgType::CgroupSysctl
        | ProgType::CgroupSockopt
        | ProgType::SockOps
        | ProgType::SkLookup
        | ProgType::Netfilter => NO_OR_YES,
        ProgType::Tracing => match attach_type {
            AttachType::TraceFentry | AttachType::TraceFexit => NO,
            AttachType::TraceIter => NO_OR_YES,
            _ => None,
        },
        ProgType::Kprobe => match attach_type {
            AttachType::TraceKprobeSession | AttachType::TraceUprobeSession => NO_OR_YES,
            _ => None,
        },
        _ => None,
    }
}

/// The results that programs may have at a security hook, as numbers of 32 bits but for those that
/// are attached to a control group.
fn at_hook(
    answer: Answer,
    attach_type: AttachType,
    config: &Config,
) -> Option<RangeInclusive<i64>> {
    match (attach_type, answer) {
        (AttachType::LsmCgroup, Answer::Nothing) => YES,
        (AttachType::LsmCgroup, _) => NO_OR_YES,
        _ if !config.since(ANSWERS_CHECKED) => None,
        _ => answer.numbers(),
    }
}

fn of_address(attach_type: AttachType, config: &Config) -> Option<RangeInclusive<i64>> {
    match attach_type {
        AttachType::CgroupInet4Bind | AttachType::CgroupInet6Bind if config.since((5, 12)) => {
            WITH_HINT
        }
        AttachType::CgroupUdp4Recvmsg
        | AttachType::CgroupUdp6Recvmsg
        | AttachType::CgroupUnixRecvmsg
        | AttachType::CgroupInet4Getpeername
        | AttachType::CgroupInet6Getpeername
        | AttachType::CgroupUnixGetpeername
        | AttachType::CgroupInet4Getsockname
        | AttachType::CgroupInet6Getsockname
        | AttachType::CgroupUnixGetsockname => YES,
        _ => NO_OR_YES,
    }
}

impl Machine<'_, '_> {
    /// That the number in a register, with which the program ends here, is one of its results.
    pub(crate) fn check_result(&mut self, reg: Reg, result: &RegState) -> Checked {
        let program = self.env.program;
        let attach_type = program.prog_type.attach_type(program.expected_attach_type);
        let config = self.env.config;
        let answer = self.env.arguments.as_ref().and_then(|hook| hook.answer);
        let allowed = match answer {
            Some(answer) => at_hook(answer, attach_type, config),
            None => results(program.prog_type, attach_type, config),
        };
        let Some(allowed) = allowed else {
            return Ok(());
        };
        if config.since(NEEDED) {
            self.need(reg);
        }
        let number = reg.number();
        let range = match answer {
            Some(_) if attach_type == AttachType::LsmMac => low_half(result),
            _ => result.scalar.bounds.s64,
        };
        if result.is_scalar() && allowed.contains(&range.min) && allowed.contains(&range.max) {
            return Ok(());
        }
        let (least, most) = (allowed.start(), allowed.end());
        let what = found(result);
        let label = match result.is_scalar() {
            true => format!("R{number} is {}", describe(&result.scalar)),
            false => format!("R{number} is a pointer"),
        };
        let wanted = match result.is_scalar() {
            true => format!(" should have been in [{least}, {most}]"),
            false => String::new(),
        };
        let message = format!("At program exit the register R{number} {what}{wanted}");
        let name = program.prog_type;
        Err(Rejection::new(Code::ReturnRange, message)
            .label(label)
            .because(result.origin.made, "the result comes from here")
            .help(match least == most {
                true => format!("{name} programs that are attached here return {least}"),
                false => format!(
                    "{name} programs that are attached here return {least} to {most}: let \
                     R{number} be such a number on every path"
                ),
            }))
    }
}

/// The lower 32 bits of a number, with their sign.
fn low_half(result: &RegState) -> Range<i64> {
    let Range { min, max } = result.scalar.bounds.s32;
    Range {
        min: min.into(),
        max: max.into(),
    }
}

/// What R0 is, in the kernel's words: bounds that say nothing are left out.
pub(crate) fn found(result: &RegState) -> String {
    if !result.is_scalar() {
        return format!("is not a known value ({})", result.type_name());
    }
    let range = result.scalar.bounds.s64;
    let mut text = "has".to_owned();
    if range.min == i64::MIN && range.max == i64::MAX {
        return text + " unknown scalar value";
    }
    if range.min > i64::MIN {
        text += &format!(" smin={}", range.min);
    }
    if range.max < i64::MAX {
        text += &format!(" smax={}", range.max);
    }
    text
}
