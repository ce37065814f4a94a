//! Writes to structures of the kernel: the few members that programs of some types may write.
//!
//! A write begins where such a member begins, and ends with it; only in memory that is there
//! for the program's own use it may begin anywhere.
//!
//! Members and messages as observed on Linux 6.18, every byte of the structures; those of sockets
//! on 6.1 as well.
//!
//! Read before: `btf_access.rs`. Read next: `map_structure.rs`.

use crate::config::Config;
use ebpf_asm::btf::{Bitfields, Btf, Kind as Type, TypeId};
use ebpf_asm::isa::KernelVersion;

/// A structure that programs which are operations write to.
struct Writable {
    name: &'static str,
    /// Its members, and those of the structures that it begins with: the path to each.
    members: &'static [Path],
}

/// A member of a structure, the name of which comes first.
struct Path {
    holder: &'static str,
    /// The members on the way, and the member.
    names: &'static [&'static str],
    begins: Begins,
    /// The first release that was asked and lets it be written, if an older one was asked too.
    since: Option<KernelVersion>,
}

/// Where a write to a member begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begins {
    WithMember,
    Anywhere,
}

impl Path {
    /// Whether the release lets it be written.
    fn is_open(&self, config: &Config) -> bool {
        self.since.is_none_or(|since| config.since(since))
    }
}

const fn path(holder: &'static str, names: &'static [&'static str]) -> Path {
    Path {
        holder,
        names,
        begins: Begins::WithMember,
        since: None,
    }
}

/// A member that Linux 6.1 does not let be written, and 6.12 does.
const fn later(holder: &'static str, names: &'static [&'static str]) -> Path {
    Path {
        since: Some((6, 12)),
        ..path(holder, names)
    }
}

const fn buffer(holder: &'static str, names: &'static [&'static str]) -> Path {
    Path {
        begins: Begins::Anywhere,
        ..path(holder, names)
    }
}

const WRITABLE: &[Writable] = &[
    Writable {
        name: "bpf_dummy_ops_state",
        members: &[buffer("bpf_dummy_ops_state", &["val"])],
    },
    Writable {
        name: "tcp_sock",
        members: &[
            path("sock", &["sk_pacing_rate"]),
            path("sock", &["sk_pacing_status"]),
            path("inet_connection_sock", &["icsk_ack", "pending"]),
            buffer("inet_connection_sock", &["icsk_ca_priv"]),
            later("tcp_sock", &["app_limited"]),
            path("tcp_sock", &["ecn_flags"]),
            path("tcp_sock", &["snd_cwnd"]),
            path("tcp_sock", &["snd_cwnd_cnt"]),
            later("tcp_sock", &["snd_cwnd_stamp"]),
            path("tcp_sock", &["snd_ssthresh"]),
        ],
    },
];

/// Whether a structure of the kernel of this name has members that operations write to.
pub(crate) fn has_written_members(name: &str) -> bool {
    WRITABLE.iter().any(|known| known.name == name)
}

/// The names of the members that operations write, for a message: those with `(any bytes)` from
/// anywhere in them.
pub(crate) fn written_members(config: &Config, name: &str) -> Option<String> {
    let writable = WRITABLE.iter().find(|known| known.name == name)?;
    let open = writable.members.iter().filter(|path| path.is_open(config));
    let named = |path: &Path| {
        let name = path.names.join(".");
        match path.begins {
            Begins::WithMember => name,
            Begins::Anywhere => format!("{name} (any bytes)"),
        }
    };
    let names: Vec<String> = open.map(named).collect();
    Some(names.join(", "))
}

/// That an operation may write `size` bytes at `off` of a structure of the kernel, or the
/// kernel's words on why not.
pub(crate) fn check_operation_writes(
    config: &Config,
    btf: &Btf,
    record: &dyn Fn(&str) -> Option<TypeId>,
    (id, off, size): (TypeId, u32, u32),
) -> Result<(), String> {
    let name = btf.name(id);
    let Some(writable) = WRITABLE.iter().find(|known| known.name == name) else {
        return Err("only read is supported".to_owned());
    };
    let end = off.saturating_add(size);
    for path in writable.members.iter().filter(|path| path.is_open(config)) {
        let found = record(path.holder).and_then(|id| extent(btf, id, path.names));
        let Some((begin, bytes)) = found else {
            continue;
        };
        let begins = match path.begins {
            Begins::WithMember => off == begin,
            Begins::Anywhere => (begin..begin + bytes).contains(&off),
        };
        if begins && end <= begin + bytes {
            return Ok(());
        }
        if begins && name != "bpf_dummy_ops_state" {
            return Err(format!(
                "write access at off {off} with size {size} beyond the member of {name} ended at {}",
                begin + bytes
            ));
        }
    }
    Err(match name {
        "bpf_dummy_ops_state" => format!("write access at off {off} with size {size}"),
        _ => format!("no write support to {name} at off {off}"),
    })
}

/// Where a member is, and how many bytes it has.
fn extent(btf: &Btf, id: TypeId, names: &[&str]) -> Option<(u32, u32)> {
    let (first, rest) = names.split_first()?;
    let (begin, ty) = member(btf, id, first, MAX_NESTED)?;
    if rest.is_empty() {
        return Some((begin, btf.size_of(ty)?));
    }
    let (inner, bytes) = extent(btf, btf.resolve(ty), rest)?;
    Some((begin + inner, bytes))
}

/// How often unnamed structures are nested in each other, and more.
const MAX_NESTED: u32 = 16;

/// A member of this name, of the structure or of one in it that has no name: its first byte and
/// its type. Bit fields are none.
fn member(btf: &Btf, id: TypeId, name: &str, depth: u32) -> Option<(u32, TypeId)> {
    let depth = depth.checked_sub(1)?;
    let (Type::Struct {
        members, bitfields, ..
    }
    | Type::Union {
        members, bitfields, ..
    }) = &btf.get(id)?.kind
    else {
        return None;
    };
    members.iter().find_map(|found| {
        let (bits, width) = match bitfields {
            Bitfields::Yes => (found.offset & 0x00ff_ffff, found.offset >> 24),
            Bitfields::No => (found.offset, 0),
        };
        let ty = btf.resolve(found.ty);
        match btf.str(found.name) {
            own if own == name && width == 0 => Some((bits / 8, ty)),
            "" => member(btf, ty, name, depth).map(|(off, ty)| (bits / 8 + off, ty)),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_that_are_written_are_named_as_in_c() {
        let newest = Config::default();
        let older = Config {
            kernel: (6, 1),
            ..newest
        };
        let named = |config, name| written_members(config, name).unwrap_or_default();
        assert!(
            named(&newest, "tcp_sock")
                .contains("icsk_ack.pending, icsk_ca_priv (any bytes), app_limited")
        );
        assert!(!named(&older, "tcp_sock").contains("app_limited"));
        assert_eq!(written_members(&newest, "task_struct"), None);
    }
}
