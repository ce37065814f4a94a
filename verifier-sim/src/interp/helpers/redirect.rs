//! Helpers that send the packet elsewhere: a result code, and a note of where to.

use super::{Call, Returned};
use crate::interp::fault::FaultKind;
use crate::interp::host::Redirect;
use ebpf_asm::insn::Reg;
use ebpf_asm::prog_type::ProgType;

// `enum xdp_action`.
const XDP_ABORTED: u64 = 0;
const XDP_REDIRECT: u64 = 4;
/// What `redirect_map`'s flags may hold: the action for a missing entry.
const ACTION_MASK: u64 = 3;
// `include/uapi/linux/pkt_cls.h`.
const TC_ACT_SHOT: u64 = 2;
const TC_ACT_REDIRECT: u64 = 7;
const BPF_F_INGRESS: u64 = 1;
/// `BPF_F_BROADCAST` and `BPF_F_EXCLUDE_INGRESS`.
const BROADCAST_FLAGS: u64 = 0x18;

/// `long bpf_redirect(u32 ifindex, u64 flags)`
pub(super) fn redirect(call: &mut Call<'_, '_>) -> Returned {
    let ifindex = call.arg(Reg::R1)? as u32;
    let flags = call.arg(Reg::R2)?;
    let (allowed, refused, accepted) = match call.execution.prog_type() {
        ProgType::Xdp => (0, XDP_ABORTED, XDP_REDIRECT),
        ProgType::SchedCls | ProgType::SchedAct => (BPF_F_INGRESS, TC_ACT_SHOT, TC_ACT_REDIRECT),
        prog_type => {
            return Err(FaultKind::HelperNotAllowed {
                helper: call.name,
                prog_type,
            });
        }
    };
    if flags & !allowed != 0 {
        return Ok(Some(refused));
    }
    call.execution.host.redirect = Some(Redirect::Interface { ifindex, flags });
    Ok(Some(accepted))
}

/// `long bpf_redirect_map(map, u64 key, u64 flags)`
pub(super) fn redirect_map(call: &mut Call<'_, '_>) -> Returned {
    let prog_type = call.execution.prog_type();
    if prog_type != ProgType::Xdp {
        return Err(FaultKind::HelperNotAllowed {
            helper: call.name,
            prog_type,
        });
    }
    let map = call.map(Reg::R1)?;
    let key = call.arg(Reg::R2)?;
    let flags = call.arg(Reg::R3)?;
    if flags & BROADCAST_FLAGS != 0 {
        return Err(FaultKind::NotModelled("redirect_map to all entries".into()));
    }
    if flags & !ACTION_MASK != 0 {
        return Ok(Some(XDP_ABORTED));
    }
    let Some(map) = call.execution.memory.maps.get(map) else {
        return Err(FaultKind::NoMap);
    };
    let key = key as u32;
    let Ok(target) = map.target(key) else {
        return Err(call.wrong(Reg::R1, "a devmap, cpumap or xskmap", call.arg(Reg::R1)?));
    };
    let Some(value) = target else {
        return Ok(Some(flags));
    };
    call.execution.host.redirect = Some(Redirect::Target {
        map: map.definition().name.clone(),
        key,
        value: value.to_vec(),
    });
    Ok(Some(XDP_REDIRECT))
}
