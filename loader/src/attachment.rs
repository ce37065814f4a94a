//! What runs on an interface, and who put it there.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::time::SystemTime;

use ebpf_asm::btf::{Btf, TypeId};
use ebpf_syscalls::bpf::{self, BPF_OBJ_NAME_LEN, LinkInfo, ProgInfo};
use ebpf_syscalls::netlink::{Interface, XdpMode};
use ebpf_syscalls::{Errno, clock};

use crate::pins::Pins;

/// An XDP program on an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Where it runs.
    pub mode: XdpMode,
    /// The program's id.
    pub prog_id: u32,
    /// More on the program; `None` when it has just gone, or without CAP_SYS_ADMIN.
    pub program: Option<ProgramFacts>,
    /// How it is attached.
    pub by: AttachedBy,
}

/// How a program is attached, which decides who may replace it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttachedBy {
    /// By a link that we pinned.
    OurLink {
        /// The link.
        link_id: u32,
        /// Its pin.
        pin: PathBuf,
    },
    /// By a link that somebody else holds.
    OtherLink {
        /// The link.
        link_id: u32,
    },
    /// By netlink: it has no owner.
    Netlink,
    /// By a link or by netlink: without CAP_SYS_ADMIN the kernel does not tell.
    Unknown,
}

/// What the kernel says of a program, as far as people want to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramFacts {
    /// Its name; the first 15 characters, where the kernel has no BTF of it.
    pub name: String,
    /// A digest of its instructions.
    pub tag: [u8; 8],
    /// When it was loaded; `None` where the clock cannot tell.
    pub loaded: Option<SystemTime>,
    /// The user who loaded it.
    pub uid: u32,
    /// How often it ran; only counted while `kernel.bpf_stats_enabled` is on.
    pub run_cnt: u64,
    /// The time that these runs took, in nanoseconds.
    pub run_time_ns: u64,
    /// Its maps.
    pub maps: Vec<MapFacts>,
}

/// A map of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapFacts {
    /// The id.
    pub id: u32,
    /// The first 15 characters of its name; empty when it has just gone.
    pub name: String,
}

impl fmt::Display for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("XDP program ")?;
        if let Some(program) = &self.program {
            write!(f, "'{}' ", program.name)?;
        }
        write!(f, "(id {}, {})", self.prog_id, self.mode)?;
        match &self.by {
            AttachedBy::OurLink { link_id, pin } => {
                write!(
                    f,
                    ", attached by ebpfld (link {link_id}, pinned at {})",
                    pin.display()
                )
            }
            AttachedBy::OtherLink { link_id } => {
                write!(f, ", attached by another owner (link {link_id})")
            }
            AttachedBy::Netlink => f.write_str(", attached by netlink"),
            AttachedBy::Unknown => Ok(()),
        }
    }
}

/// Everything that runs on an interface, by the state that was read with it.
pub(crate) fn inspect(interface: &Interface, pins: &Pins) -> Vec<Attachment> {
    let attached = interface.xdp.iter();
    attached
        .map(|(mode, prog_id)| Attachment {
            mode,
            prog_id,
            program: program_facts(prog_id),
            by: attached_by(interface.index, prog_id, pins),
        })
        .collect()
}

/// Looks for the link that runs this program on this interface.
///
/// The kernel does not say in which namespace a link's interface is, so a
/// stranger's link can only be told by interface number and program. Ours is
/// told by its pin: under this namespace's name for the interface, or, if the
/// interface came from another namespace, by looking through all pins.
fn attached_by(ifindex: u32, prog_id: u32, pins: &Pins) -> AttachedBy {
    if let Some(ours) = pins.look(ifindex)
        && ours.info.prog_id == prog_id
    {
        return AttachedBy::OurLink {
            link_id: ours.info.id,
            pin: ours.path,
        };
    }
    for id in bpf::link_ids() {
        let Ok(id) = id else {
            return AttachedBy::Unknown;
        };
        let found = link_facts(id)
            .is_some_and(|link| link.prog_id == prog_id && link.xdp_ifindex == Some(ifindex));
        if found {
            return match pins.of_link(id) {
                Some(pin) => AttachedBy::OurLink { link_id: id, pin },
                None => AttachedBy::OtherLink { link_id: id },
            };
        }
    }
    AttachedBy::Netlink
}

/// A link by id; `None` when it has just gone.
fn link_facts(id: u32) -> Option<LinkInfo> {
    let fd = bpf::link_get_fd_by_id(id).ok()?;
    bpf::link_info(fd.as_fd()).ok()
}

fn program_facts(id: u32) -> Option<ProgramFacts> {
    let fd = bpf::prog_get_fd_by_id(id).ok()?;
    let info = bpf::prog_info(fd.as_fd()).ok()?;
    let name = whole_name(fd.as_fd(), &info).unwrap_or(info.name);
    Some(ProgramFacts {
        name,
        tag: info.tag,
        loaded: clock::wall_time(info.load_time_ns),
        uid: info.created_by_uid,
        run_cnt: info.run_cnt,
        run_time_ns: info.run_time_ns,
        maps: info.map_ids.into_iter().map(map_facts).collect(),
    })
}

/// The name from the program's BTF, where the kernel's own has been cut: as
/// bpftool does it, the name of its first function.
fn whole_name(prog: BorrowedFd<'_>, info: &ProgInfo) -> Option<String> {
    if info.btf_id == 0 || info.name.len() + 1 < BPF_OBJ_NAME_LEN {
        return None;
    }
    let first = *bpf::prog_func_info(prog).ok()?.first()?;
    let btf = bpf::btf_get_fd_by_id(info.btf_id).ok()?;
    let btf = Btf::from_bytes(&bpf::btf_bytes(btf.as_fd()).ok()?).ok()?;
    let name = btf.name(TypeId(first.type_id));
    name.starts_with(&info.name).then(|| name.to_owned())
}

fn map_facts(id: u32) -> MapFacts {
    let info = bpf::map_get_fd_by_id(id).and_then(|fd| bpf::map_info(fd.as_fd()));
    MapFacts {
        id,
        name: info.map_or_else(|_| String::new(), |info| info.name),
    }
}

/// Whether an error only says that the thing has just gone.
pub(crate) fn is_gone(error: &ebpf_syscalls::Error) -> bool {
    error.is(Errno::ENOENT) || error.is(Errno::ENODEV) || error.is(Errno::ENOLINK)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attachment(program: Option<&str>, by: AttachedBy) -> Attachment {
        Attachment {
            mode: XdpMode::Native,
            prog_id: 7,
            program: program.map(|name| ProgramFacts {
                name: name.to_owned(),
                tag: [0; 8],
                loaded: None,
                uid: 0,
                run_cnt: 0,
                run_time_ns: 0,
                maps: Vec::new(),
            }),
            by,
        }
    }

    #[test]
    fn an_attachment_names_program_mode_and_owner() {
        let other = attachment(Some("fw"), AttachedBy::OtherLink { link_id: 3 });
        assert_eq!(
            other.to_string(),
            "XDP program 'fw' (id 7, native), attached by another owner (link 3)"
        );
        let unknown = attachment(None, AttachedBy::Unknown);
        assert_eq!(unknown.to_string(), "XDP program (id 7, native)");
    }
}
