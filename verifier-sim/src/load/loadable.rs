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
use crate::step::machine::not_modelled;
use ebpf_asm::map_flags::BPF_F_ZERO_SEED;
use ebpf_asm::map_type::MapType;
use ebpf_asm::object::Map;
use ebpf_asm::prog_type::{AttachType, ProgType};
use ebpf_asm::program::Program;
use std::cmp::Reverse;

/// That programs of the type, for the attach type, can be loaded by the loader at all.
pub(crate) fn check_loadable(program: &Program, config: &Config) -> Checked {
    let (prog_type, expected) = (program.prog_type, program.expected_attach_type);
    check_prog_type(prog_type, config)?;
    check_flags(program, config)?;
    if !config.capabilities.has(required(prog_type)) {
        let message = format!("program type {prog_type} needs more capabilities");
        return Err(Rejection::new(Code::Capability, message)
            .label("the kernel answers with EPERM")
            .help(format!(
                "load it with {}, or as root",
                lacking(config, required(prog_type))
            )));
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
    Err(Rejection::new(Code::AttachType, message)
        .label("the kernel answers with EINVAL")
        .help(format!("it can be for {}", few_names(allowed, attach_type))))
}

/// How many names a message lists.
const LISTED: usize = 6;

/// The names of attach types for a message: of many those that have most words in common with
/// `own`.
pub(crate) fn few_names(of: &[AttachType], own: AttachType) -> String {
    let own: Vec<&str> = own.name().split('_').collect();
    let in_common = |at: &&AttachType| {
        at.name()
            .split('_')
            .filter(|word| own.contains(word))
            .count()
    };
    let mut listed: Vec<&AttachType> = of.iter().collect();
    // One more takes no more room than saying so.
    if let Some(others @ 2..) = of.len().checked_sub(LISTED) {
        listed.sort_by_key(|at| Reverse(in_common(at)));
        let names: Vec<&str> = listed.iter().take(LISTED).map(|at| at.name()).collect();
        return format!("{} and {others} others", names.join(", "));
    }
    let names: Vec<&str> = listed.iter().map(|at| at.name()).collect();
    names.join(", ")
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
    let has_known_seed =
        map.map_flags & BPF_F_ZERO_SEED != 0 && map.map_type != MapType::BloomFilter;
    let needed = match required_for_map(map.map_type) {
        // A hash that an attacker knows.
        _ if has_known_seed => Capabilities::ALL,
        Some(needed) => needed,
        None if config.capabilities.has(Capabilities::ALL) => Capabilities::ALL,
        None => {
            let what = format!("who may make maps of type {}", map.map_type);
            return Err(not_modelled(&what));
        }
    };
    if !config.capabilities.has(needed) {
        let message = format!(
            "map '{}' of type {} needs more capabilities",
            map.name, map.map_type
        );
        return Err(Rejection::new(Code::Capability, message)
            .label("the kernel answers with EPERM")
            .help(format!(
                "load it with {}, or as root",
                lacking(config, needed)
            )));
    }
    map.inner
        .as_deref()
        .map_or(Ok(()), |inner| check_map_loader(inner, config))
}

/// The names of those of the needed capabilities that the loader lacks.
fn lacking(config: &Config, needed: Capabilities) -> String {
    let named = [
        (Capabilities::BPF, "CAP_BPF"),
        (Capabilities::PERFMON, "CAP_PERFMON"),
        (Capabilities::NET_ADMIN, "CAP_NET_ADMIN"),
    ];
    let lacks = |one: Capabilities| needed.has(one) && !config.capabilities.has(one);
    let names: Vec<&str> = named
        .iter()
        .filter(|(one, _)| lacks(*one))
        .map(|(_, name)| *name)
        .collect();
    names.join(" and ")
}

/// What one needs to make a map of a type; `None` if nobody was asked. Observed on Linux 6.1 and
/// 6.12 with `unprivileged_bpf_disabled` at 0, and of loaders with CAP_BPF on Linux 6.18: each type
/// by each set of capabilities.
fn required_for_map(map_type: MapType) -> Option<Capabilities> {
    Some(match map_type {
        MapType::Hash
        | MapType::Array
        | MapType::ProgArray
        | MapType::PerfEventArray
        | MapType::PercpuHash
        | MapType::PercpuArray
        | MapType::CgroupArray
        | MapType::ArrayOfMaps
        | MapType::HashOfMaps
        | MapType::CgroupStorage
        | MapType::PercpuCgroupStorage
        | MapType::Ringbuf
        | MapType::UserRingbuf => Capabilities::NONE,
        MapType::StackTrace
        | MapType::LruHash
        | MapType::LruPercpuHash
        | MapType::LpmTrie
        | MapType::Cpumap
        | MapType::ReuseportSockarray
        | MapType::Queue
        | MapType::Stack
        | MapType::SkStorage
        | MapType::InodeStorage
        | MapType::TaskStorage
        | MapType::CgrpStorage
        | MapType::BloomFilter
        | MapType::Arena => Capabilities::BPF,
        // CAP_BPF is not asked for.
        MapType::Devmap
        | MapType::DevmapHash
        | MapType::Sockmap
        | MapType::Sockhash
        | MapType::Xskmap => Capabilities::NET_ADMIN,
        MapType::StructOps => return None,
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The types by their numbers that the kernel made for a loader, of all but those of structs of
    /// functions, as it answered when it was asked.
    const MADE: [(Capabilities, &[u32]); 4] = [
        (
            Capabilities::NONE,
            &[1, 2, 3, 4, 5, 6, 8, 12, 13, 19, 21, 27, 31],
        ),
        (
            Capabilities::NET_ADMIN,
            &[
                1, 2, 3, 4, 5, 6, 8, 12, 13, 14, 15, 17, 18, 19, 21, 25, 27, 31,
            ],
        ),
        (
            Capabilities::BPF,
            &[
                1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 16, 19, 20, 21, 22, 23, 24, 27, 28, 29,
                30, 31, 32, 33,
            ],
        ),
        (
            Capabilities::ALL,
            &[
                1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23,
                24, 25, 27, 28, 29, 30, 31, 32, 33,
            ],
        ),
    ];

    fn checked(map_type: MapType, map_flags: u32, capabilities: Capabilities) -> Option<Code> {
        let map = Map {
            map_flags,
            ..Map::new("m", map_type)
        };
        let config = Config {
            capabilities,
            ..Config::default()
        };
        check_map_loader(&map, &config).err().map(|why| why.code)
    }

    #[test]
    fn loaders_make_the_maps_that_the_kernel_made_for_them() {
        for (loader, made) in MADE {
            for &map_type in MapType::ALL.iter().filter(|&&ty| ty != MapType::StructOps) {
                let refused = (!made.contains(&map_type.number())).then_some(Code::Capability);
                assert_eq!(
                    checked(map_type, 0, loader),
                    refused,
                    "{map_type} {loader:?}"
                );
            }
        }
    }

    #[test]
    fn what_nobody_was_asked_is_not_judged() {
        let of = |loader| checked(MapType::StructOps, 0, loader);
        assert_eq!(of(Capabilities::NONE), Some(Code::NotModelled));
        assert_eq!(of(Capabilities::ALL), None);
    }

    #[test]
    fn a_seed_of_zero_is_not_for_everybody() {
        let of = |map_type, loader| checked(map_type, BPF_F_ZERO_SEED, loader);
        let limited = Capabilities::BPF | Capabilities::NET_ADMIN;
        for map_type in [MapType::Hash, MapType::PercpuHash, MapType::LruHash] {
            assert_eq!(of(map_type, limited), Some(Code::Capability));
            assert_eq!(of(map_type, Capabilities::ALL), None);
        }
        assert_eq!(of(MapType::BloomFilter, limited), None);
    }

    #[test]
    fn others_are_several() {
        let own = AttachType::CgroupInet4Connect;
        let of = [own; LISTED + 2];
        assert!(!few_names(&of[..LISTED], own).contains("others"));
        assert!(!few_names(&of[..LISTED + 1], own).contains("others"));
        assert!(few_names(&of, own).ends_with(" and 2 others"));
    }
}
