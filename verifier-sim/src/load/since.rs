//! The first Linux release of each program type, of each type of map, and of what maps of older
//! types may be.
//!
//! Source: the kernel's change logs, as kernelnewbies.org's LinuxChanges and bpf-helpers(7) tell
//! them; only the running kernel's can be tested.
//!
//! Read before: `config.rs`. Read next: `instead.rs`.

use crate::codes::Code;
use crate::config::Config;
use crate::diag::{Checked, Rejection};
use crate::load::instead::{Newer, instead};
use ebpf_asm::isa::KernelVersion;
use ebpf_asm::load_flags::{BPF_F_SLEEPABLE, BPF_F_XDP_HAS_FRAGS};
use ebpf_asm::map_flags::{BPF_F_INNER_MAP, BPF_F_MMAPABLE, BPF_F_PRESERVE_ELEMS};
use ebpf_asm::map_type::MapType;
use ebpf_asm::object::Map;
use ebpf_asm::prog_type::{AttachType, ProgType};
use ebpf_asm::program::Program;

/// The release that a program type came with; `None` for none.
pub(crate) fn of_prog_type(prog_type: ProgType) -> Option<KernelVersion> {
    Some(match prog_type {
        ProgType::SocketFilter => (3, 19),
        ProgType::Kprobe | ProgType::SchedCls | ProgType::SchedAct => (4, 1),
        ProgType::Tracepoint => (4, 7),
        ProgType::Xdp => (4, 8),
        ProgType::PerfEvent => (4, 9),
        ProgType::CgroupSkb
        | ProgType::CgroupSock
        | ProgType::LwtIn
        | ProgType::LwtOut
        | ProgType::LwtXmit => (4, 10),
        ProgType::SockOps => (4, 13),
        ProgType::SkSkb => (4, 14),
        ProgType::CgroupDevice => (4, 15),
        ProgType::SkMsg | ProgType::RawTracepoint | ProgType::CgroupSockAddr => (4, 17),
        ProgType::LwtSeg6local | ProgType::LircMode2 => (4, 18),
        ProgType::SkReuseport => (4, 19),
        ProgType::FlowDissector => (4, 20),
        ProgType::CgroupSysctl | ProgType::RawTracepointWritable => (5, 2),
        ProgType::CgroupSockopt => (5, 3),
        ProgType::Tracing => (5, 5),
        ProgType::StructOps | ProgType::Ext => (5, 6),
        ProgType::Lsm => (5, 7),
        ProgType::SkLookup => (5, 9),
        ProgType::Syscall => (5, 14),
        ProgType::Netfilter => (6, 4),
        ProgType::Unspec => return None,
    })
}

/// The release that a type of map came with.
pub(crate) fn of_map_type(map_type: MapType) -> KernelVersion {
    match map_type {
        MapType::Hash | MapType::Array => (3, 19),
        MapType::ProgArray => (4, 2),
        MapType::PerfEventArray => (4, 3),
        MapType::PercpuHash | MapType::PercpuArray | MapType::StackTrace => (4, 6),
        MapType::CgroupArray => (4, 8),
        MapType::LruHash | MapType::LruPercpuHash => (4, 10),
        MapType::LpmTrie => (4, 11),
        MapType::ArrayOfMaps | MapType::HashOfMaps => (4, 12),
        MapType::Devmap | MapType::Sockmap => (4, 14),
        MapType::Cpumap => (4, 15),
        MapType::Xskmap | MapType::Sockhash => (4, 18),
        MapType::CgroupStorage | MapType::ReuseportSockarray => (4, 19),
        MapType::PercpuCgroupStorage | MapType::Queue | MapType::Stack => (4, 20),
        MapType::SkStorage => (5, 2),
        MapType::DevmapHash => (5, 4),
        MapType::StructOps => (5, 6),
        MapType::Ringbuf => (5, 8),
        MapType::InodeStorage => (5, 10),
        MapType::TaskStorage => (5, 11),
        MapType::BloomFilter => (5, 16),
        MapType::UserRingbuf => (6, 1),
        MapType::CgrpStorage => (6, 2),
        MapType::Arena => (6, 9),
    }
}

/// The release that an attach type came with; `None` if with the programs that it is for, or if the
/// number 0 means the same.
pub(crate) fn of_attach_type(attach_type: AttachType) -> Option<KernelVersion> {
    Some(match attach_type {
        AttachType::CgroupUdp4Sendmsg | AttachType::CgroupUdp6Sendmsg => (4, 18),
        AttachType::CgroupUdp4Recvmsg | AttachType::CgroupUdp6Recvmsg => (5, 2),
        AttachType::TraceRawTp | AttachType::TraceFentry | AttachType::TraceFexit => (5, 5),
        AttachType::LsmMac => (5, 7),
        AttachType::ModifyReturn => (5, 6),
        AttachType::TraceIter
        | AttachType::XdpDevmap
        | AttachType::CgroupInet4Getpeername
        | AttachType::CgroupInet6Getpeername
        | AttachType::CgroupInet4Getsockname
        | AttachType::CgroupInet6Getsockname => (5, 8),
        AttachType::XdpCpumap | AttachType::CgroupInetSockRelease => (5, 9),
        AttachType::SkSkbVerdict => (5, 13),
        AttachType::SkReuseportSelectOrMigrate => (5, 14),
        AttachType::TraceKprobeMulti => (5, 18),
        AttachType::LsmCgroup => (6, 0),
        AttachType::TcxIngress | AttachType::TcxEgress | AttachType::TraceUprobeMulti => (6, 6),
        AttachType::NetkitPrimary
        | AttachType::NetkitPeer
        | AttachType::CgroupUnixConnect
        | AttachType::CgroupUnixSendmsg
        | AttachType::CgroupUnixRecvmsg
        | AttachType::CgroupUnixGetpeername
        | AttachType::CgroupUnixGetsockname => (6, 7),
        AttachType::TraceKprobeSession => (6, 10),
        AttachType::TraceUprobeSession => (6, 13),
        _ => return None,
    })
}

/// That the kernel has programs of this type.
pub(crate) fn check_prog_type(prog_type: ProgType, config: &Config) -> Checked {
    check(of_prog_type(prog_type), config, || {
        (
            format!("programs of type {prog_type}"),
            instead(Newer::ProgType(prog_type), config.kernel),
        )
    })
}

/// That the kernel knows where a program is to be attached, if it wants to know that at load.
pub(crate) fn check_attach_type(attach_type: AttachType, config: &Config) -> Checked {
    check(of_attach_type(attach_type), config, || {
        (
            format!("programs for {attach_type}"),
            instead(Newer::AttachType(attach_type), config.kernel),
        )
    })
}

/// What is to be said of a program that a kernel loads, and cannot attach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachSince {
    /// Where the program is to be attached.
    pub attach_type: AttachType,
    /// The release that this came with.
    pub since: KernelVersion,
    /// What the older kernel has instead, where that is known.
    pub instead: Option<String>,
}

/// Which release a program needs to be attached, if that is newer than `kernel`. Many programs
/// are loaded by kernels that have no such place for them.
pub fn attached_since(program: &Program, kernel: KernelVersion) -> Option<AttachSince> {
    let attach_type = program.expected_attach_type?;
    let since = of_attach_type(attach_type).filter(|since| *since > kernel)?;
    Some(AttachSince {
        attach_type,
        since,
        instead: instead(Newer::AttachType(attach_type), kernel),
    })
}

/// The releases that flags came with to maps which are older.
const OF_FLAGS: [(u32, KernelVersion, &str); 3] = [
    (BPF_F_MMAPABLE, (5, 5), "BPF_F_MMAPABLE"),
    (BPF_F_PRESERVE_ELEMS, (5, 10), "BPF_F_PRESERVE_ELEMS"),
    (BPF_F_INNER_MAP, (5, 10), "BPF_F_INNER_MAP"),
];

/// The release that keys or values of 8 bytes came with, besides those of 4; `None` if maps of the
/// type always could have them, or cannot.
fn of_eight_bytes(map: &Map) -> Option<KernelVersion> {
    match (map.map_type, map.value_size) {
        (MapType::Sockmap | MapType::Sockhash, 8) => Some((5, 7)),
        (MapType::Devmap | MapType::DevmapHash, 8) => Some((5, 8)),
        (MapType::Cpumap, 8) => Some((5, 9)),
        (MapType::CgroupStorage | MapType::PercpuCgroupStorage, _) if map.key_size == 8 => {
            Some((5, 9))
        }
        _ => None,
    }
}

/// That the kernel has maps of this type, and of this kind of it; the same of those in it.
pub(crate) fn check_map_type(map: &Map, config: &Config) -> Checked {
    check(Some(of_map_type(map.map_type)), config, || {
        (
            format!("map '{}' of type {}", map.name, map.map_type),
            instead(Newer::MapType(map.map_type), config.kernel),
        )
    })?;
    if let Some(since) = of_eight_bytes(map) {
        check(Some(since), config, || {
            let what = format!("map '{}', whose keys or values have 8 bytes", map.name);
            (what, Some("use keys and values of 4 bytes".to_owned()))
        })?;
    }
    for (flag, since, name) in OF_FLAGS {
        if map.map_flags & flag != 0 {
            check(Some(since), config, || {
                (format!("map '{}' with {name}", map.name), None)
            })?;
        }
    }
    map.inner
        .as_deref()
        .map_or(Ok(()), |inner| check_map_type(inner, config))
}

/// That the kernel knows what a program asks for with its flags.
pub(crate) fn check_flags(program: &Program, config: &Config) -> Checked {
    let since = match program.prog_type {
        ProgType::Kprobe => (6, 0),
        ProgType::StructOps => (6, 3),
        _ => (5, 10),
    };
    let flags = [
        (
            BPF_F_XDP_HAS_FRAGS,
            (5, 18),
            "programs that take packets in several buffers",
        ),
        (
            BPF_F_SLEEPABLE,
            since,
            "programs of this type that may sleep",
        ),
    ];
    for (flag, since, what) in flags {
        if program.prog_flags() & flag != 0 && program.prog_type != ProgType::Syscall {
            check(Some(since), config, || (what.to_owned(), None))?;
        }
    }
    Ok(())
}

/// What a kernel may be too old for, and what to use instead.
type What = (String, Option<String>);

/// The kernel itself says no word: it answers with EINVAL.
fn check(since: Option<KernelVersion>, config: &Config, what: impl FnOnce() -> What) -> Checked {
    match since {
        Some((major, minor)) if !config.since((major, minor)) => {
            let (what, instead) = what();
            let message = format!("the kernel is too old for {what}");
            let refused = Rejection::new(Code::KernelTooOld, message)
                .label(format!("such came with Linux {major}.{minor}"));
            Err(refused.help_if(instead))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_new_is_refused_by_name() {
        let old = Config {
            kernel: (4, 4),
            ..Config::default()
        };
        let why = check_prog_type(ProgType::Xdp, &old).expect_err("Linux 4.4 has no XDP");
        assert_eq!(why.code, Code::KernelTooOld);
        assert_eq!(
            why.message,
            "the kernel is too old for programs of type xdp"
        );
        assert_eq!(check_prog_type(ProgType::SchedCls, &old), Ok(()));
    }

    /// Some kernels refuse such programs, and others load what they have no place for.
    #[test]
    fn places_to_attach_have_their_releases() {
        let parsed = |section: &str| {
            let text = format!(".prog {section} p\nr0 = 1\nexit\n");
            ebpf_asm::text::parse("text", &text).expect("a program")
        };
        let old = Config {
            kernel: (5, 10),
            ..Config::default()
        };
        for (section, since, refused) in [
            ("tcx/ingress", Some((6, 6)), false),
            ("netkit/primary", Some((6, 7)), false),
            ("kprobe.multi/do_exit", Some((5, 18)), false),
            ("cgroup/connect_unix", Some((6, 7)), true),
            ("cgroup/connect4", None, false),
            ("xdp", None, false),
            ("tc", None, false),
        ] {
            let object = parsed(section);
            let program = &object.programs[0];
            let found = attached_since(program, old.kernel).map(|found| found.since);
            assert_eq!(found, since, "{section}");
            let checked = crate::load::loadable::check_loadable(program, &old);
            assert_eq!(checked.is_err(), refused, "{section}");
        }
    }

    #[test]
    fn flags_have_their_releases() {
        let codes = |section: &str| {
            let text = format!(".prog {section} p\nr0 = 0\nexit\n");
            let object = ebpf_asm::text::parse("text", &text).expect("a program");
            [(5, 4), (5, 10), (5, 18), (6, 0)].map(|kernel| {
                let config = Config {
                    kernel,
                    ..Config::default()
                };
                let checked = check_flags(&object.programs[0], &config);
                checked.is_ok()
            })
        };
        assert_eq!(codes("xdp"), [true; 4]);
        assert_eq!(codes("xdp.frags"), [false, false, true, true]);
        assert_eq!(codes("fentry.s/do_exit"), [false, true, true, true]);
        assert_eq!(codes("uprobe.s/main"), [false, false, false, true]);
    }

    /// Of a map, of what it may be like, and of the map in it.
    #[test]
    fn maps_that_are_too_new_are_refused() {
        let mut maps = [
            Map::new("rings", MapType::ArrayOfMaps),
            Map::new("shared", MapType::Array),
            Map::new("programs", MapType::Devmap),
            Map::new("old", MapType::Array),
        ];
        maps[0].inner = Some(Box::new(Map::new("", MapType::Ringbuf)));
        maps[1].map_flags = BPF_F_MMAPABLE;
        (maps[2].key_size, maps[2].value_size) = (4, 8);
        let codes = |kernel| {
            let config = Config {
                kernel,
                ..Config::default()
            };
            let checked = maps.each_ref().map(|map| check_map_type(map, &config));
            checked.map(|checked| checked.err().map(|why| why.code))
        };
        let old = Some(Code::KernelTooOld);
        assert_eq!(codes((5, 4)), [old, old, old, None]);
        assert_eq!(codes((5, 5)), [old, None, old, None]);
        assert_eq!(codes((5, 8)), [None; 4]);
    }
}
