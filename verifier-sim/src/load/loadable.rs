//! What the kernel asks before it looks at any instruction: the loader's capabilities, and
//! whether the program type goes with the attach type. It answers with EPERM and EINVAL, and
//! without a word.
//!
//! Source: capabilities(7) and observation on Linux 6.18, every type with every attach type
//! and several sets of capabilities.
//!
//! Read before: `since.rs`, `instead.rs`. Read next: `env.rs`.

use crate::codes::Code;
use crate::config::{Capabilities, Config};
use crate::diag::{Checked, Rejection};
use crate::load::since::{check_attach_type, check_flags, check_prog_type};
use ebpf_asm::map_type::MapType;
use ebpf_asm::object::Map;
use ebpf_asm::prog_type::{AttachType, ProgType};
use ebpf_asm::program::Program;

/// That programs of the type, for the attach type, can be loaded by the loader at all.
pub(crate) fn check_loadable(program: &Program, config: &Config) -> Checked {
    let (prog_type, expected) = (program.prog_type, program.expected_attach_type);
    check_prog_type(prog_type, config)?;
    check_flags(program, config)?;
    if !config.capabilities.has(required(prog_type)) {
        let message = format!("program type {prog_type} needs more capabilities");
        return Err(Rejection::new(Code::Capability, message)
            .label("the kernel answers with EPERM")
            .help("load it as root"));
    }
    let attach_type = prog_type.attach_type(expected);
    let Some(allowed) = attach_types(prog_type) else {
        return Ok(());
    };
    if allowed.contains(&attach_type) {
        return check_attach_type(attach_type, config);
    }
    let message = match expected {
        Some(given) => format!("program type {prog_type} cannot be for {given}"),
        None => format!("program type {prog_type} needs an attach type"),
    };
    let names: Vec<&str> = allowed.iter().map(|at| at.name()).collect();
    Err(Rejection::new(Code::AttachType, message)
        .label("the kernel answers with EINVAL")
        .help(format!("it can be for {}", names.join(", "))))
}

/// What one needs to load programs of a type. Helpers and instructions may need more.
fn required(prog_type: ProgType) -> Capabilities {
    match prog_type {
        ProgType::SocketFilter | ProgType::CgroupSkb => Capabilities::NONE,
        ProgType::SkReuseport | ProgType::SkLookup | ProgType::Syscall => Capabilities::BPF,
        ProgType::Kprobe
        | ProgType::Tracepoint
        | ProgType::PerfEvent
        | ProgType::RawTracepoint
        | ProgType::RawTracepointWritable
        | ProgType::Tracing
        | ProgType::Lsm
        | ProgType::StructOps => Capabilities::BPF | Capabilities::PERFMON,
        _ => Capabilities::BPF | Capabilities::NET_ADMIN,
    }
}

/// That the loader can make such a map, and those in it.
pub(crate) fn check_map_loader(map: &Map, config: &Config) -> Checked {
    let needed = match map.map_type {
        // The oldest types (Linux 3.19 to 4.6), which everybody may make who may load programs.
        MapType::Hash
        | MapType::Array
        | MapType::ProgArray
        | MapType::PerfEventArray
        | MapType::PercpuHash
        | MapType::PercpuArray => Capabilities::NONE,
        MapType::Devmap
        | MapType::DevmapHash
        | MapType::Sockmap
        | MapType::Sockhash
        | MapType::Xskmap => Capabilities::BPF | Capabilities::NET_ADMIN,
        _ => Capabilities::BPF,
    };
    if !config.capabilities.has(needed) {
        let message = format!(
            "map '{}' of type {} needs more capabilities",
            map.name, map.map_type
        );
        return Err(Rejection::new(Code::Capability, message)
            .label("the kernel answers with EPERM")
            .help("load it as root"));
    }
    map.inner
        .as_deref()
        .map_or(Ok(()), |inner| check_map_loader(inner, config))
}

/// The attach types that a type's programs can be loaded for; `None` if any, even a number that no
/// attach type has.
pub fn attach_types(prog_type: ProgType) -> Option<&'static [AttachType]> {
    Some(match prog_type {
        ProgType::CgroupSkb => &[AttachType::CgroupInetIngress, AttachType::CgroupInetEgress],
        ProgType::CgroupSock => &[
            AttachType::CgroupInetSockCreate,
            AttachType::CgroupInetSockRelease,
            AttachType::CgroupInet4PostBind,
            AttachType::CgroupInet6PostBind,
        ],
        ProgType::CgroupSockAddr => &[
            AttachType::CgroupInet4Bind,
            AttachType::CgroupInet6Bind,
            AttachType::CgroupInet4Connect,
            AttachType::CgroupInet6Connect,
            AttachType::CgroupUnixConnect,
            AttachType::CgroupUdp4Sendmsg,
            AttachType::CgroupUdp6Sendmsg,
            AttachType::CgroupUnixSendmsg,
            AttachType::CgroupUdp4Recvmsg,
            AttachType::CgroupUdp6Recvmsg,
            AttachType::CgroupUnixRecvmsg,
            AttachType::CgroupInet4Getpeername,
            AttachType::CgroupInet6Getpeername,
            AttachType::CgroupUnixGetpeername,
            AttachType::CgroupInet4Getsockname,
            AttachType::CgroupInet6Getsockname,
            AttachType::CgroupUnixGetsockname,
        ],
        ProgType::CgroupSockopt => &[AttachType::CgroupGetsockopt, AttachType::CgroupSetsockopt],
        ProgType::SkLookup => &[AttachType::SkLookup],
        ProgType::SkReuseport => &[
            AttachType::SkReuseportSelect,
            AttachType::SkReuseportSelectOrMigrate,
        ],
        ProgType::Tracing => &[
            AttachType::TraceRawTp,
            AttachType::TraceFentry,
            AttachType::TraceFexit,
            AttachType::ModifyReturn,
            AttachType::TraceIter,
        ],
        ProgType::Lsm => &[AttachType::LsmMac, AttachType::LsmCgroup],
        ProgType::Netfilter => &[AttachType::Netfilter],
        // These can only have none, which is the number 0.
        ProgType::Syscall | ProgType::Ext => &[AttachType::CgroupInetIngress],
        _ => return None,
    })
}
