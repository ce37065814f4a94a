//! The same for machines: JSON, numbers as numbers, `null` for what is not known.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use ebpf_loader::{AttachedBy, Attachment, InterfaceStatus, ProgramFacts, Status, holders};
use serde::Serialize;

use ebpf_cli::exit::Exit;
use ebpf_cli::report::Failure;

/// Raised when a field changes its meaning or goes; new fields leave it as it is.
const SCHEMA: u32 = 1;

/// The whole answer.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    schema: u32,
    /// Only those that run a program.
    interfaces: Vec<InterfaceJson<'a>>,
    stale_pins: Vec<StalePinJson<'a>>,
    /// Of interfaces that are in other network namespaces now.
    moved_pins: Vec<&'a Path>,
}

#[derive(Debug, Serialize)]
struct InterfaceJson<'a> {
    name: &'a str,
    ifindex: u32,
    mtu: u32,
    programs: Vec<ProgramJson<'a>>,
}

#[derive(Debug, Serialize)]
struct ProgramJson<'a> {
    id: u32,
    name: Option<&'a str>,
    /// 16 hexadecimal digits.
    tag: Option<String>,
    mode: &'static str,
    /// `link` or `netlink`.
    attached_by: Option<&'static str>,
    link_id: Option<u32>,
    /// Whether `ebpfld` attached it and can replace it.
    ours: Option<bool>,
    /// The processes that hold a link that is not ours.
    held_by: Option<Vec<HolderJson>>,
    pin: Option<&'a Path>,
    /// Seconds since 1970.
    loaded_unix_s: Option<u64>,
    loaded_by_uid: Option<u32>,
    run_cnt: Option<u64>,
    run_time_ns: Option<u64>,
    maps: Option<Vec<MapJson<'a>>>,
}

#[derive(Debug, Serialize)]
struct HolderJson {
    pid: u32,
    command: String,
}

#[derive(Debug, Serialize)]
struct MapJson<'a> {
    id: u32,
    name: &'a str,
}

#[derive(Debug, Serialize)]
struct StalePinJson<'a> {
    ifindex: u32,
    path: &'a Path,
}

/// The status as JSON.
pub(super) fn render(status: &Status) -> Result<String, Failure> {
    let answer = Answer {
        schema: SCHEMA,
        interfaces: status
            .interfaces
            .iter()
            .filter(|on| !on.attachments.is_empty())
            .map(interface)
            .collect(),
        stale_pins: status
            .stale_pins
            .iter()
            .map(|pin| StalePinJson {
                ifindex: pin.ifindex,
                path: &pin.path,
            })
            .collect(),
        moved_pins: status.moved_pins.iter().map(|pin| &*pin.path).collect(),
    };
    serde_json::to_string_pretty(&answer)
        .map(|json| json + "\n")
        .map_err(|error| Failure::new(Exit::Internal, format!("cannot write JSON: {error}")))
}

fn interface(on: &InterfaceStatus) -> InterfaceJson<'_> {
    InterfaceJson {
        name: &on.interface.name,
        ifindex: on.interface.index,
        mtu: on.interface.mtu,
        programs: on.attachments.iter().map(program).collect(),
    }
}

fn program(attachment: &Attachment) -> ProgramJson<'_> {
    let facts = attachment.program.as_ref();
    let runs = facts.and_then(super::runs);
    let owner = Owner::of(&attachment.by);
    ProgramJson {
        id: attachment.prog_id,
        name: facts.map(|program| program.name.as_str()),
        tag: facts.map(super::tag),
        mode: attachment.mode.name(),
        attached_by: owner.way,
        link_id: owner.link_id,
        ours: owner.ours,
        held_by: held_by(&attachment.by),
        pin: owner.pin,
        loaded_unix_s: facts.and_then(|program| program.loaded).and_then(unix_s),
        loaded_by_uid: facts.map(|program| program.uid),
        run_cnt: runs.map(|(count, _)| count),
        run_time_ns: runs.map(|(_, ns)| ns),
        maps: facts.map(maps),
    }
}

/// [`AttachedBy`] in columns.
#[derive(Debug, Default)]
struct Owner<'a> {
    way: Option<&'static str>,
    link_id: Option<u32>,
    ours: Option<bool>,
    pin: Option<&'a Path>,
}

impl<'a> Owner<'a> {
    fn of(by: &'a AttachedBy) -> Self {
        match by {
            AttachedBy::OurLink { link_id, pin } => Owner {
                way: Some("link"),
                link_id: Some(*link_id),
                ours: Some(true),
                pin: Some(pin),
            },
            AttachedBy::OtherLink { link_id } => Owner {
                way: Some("link"),
                link_id: Some(*link_id),
                ours: Some(false),
                pin: None,
            },
            AttachedBy::Netlink => Owner {
                way: Some("netlink"),
                ..Owner::default()
            },
            AttachedBy::Unknown => Owner::default(),
        }
    }
}

fn held_by(by: &AttachedBy) -> Option<Vec<HolderJson>> {
    let AttachedBy::OtherLink { link_id } = by else {
        return None;
    };
    let holders = holders(*link_id).into_iter();
    let holders = holders.map(|holder| HolderJson {
        pid: holder.pid,
        command: holder.command,
    });
    Some(holders.collect())
}

fn maps(program: &ProgramFacts) -> Vec<MapJson<'_>> {
    let maps = program.maps.iter();
    maps.map(|map| MapJson {
        id: map.id,
        name: &map.name,
    })
    .collect()
}

fn unix_s(time: SystemTime) -> Option<u64> {
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    Some(since.as_secs())
}
