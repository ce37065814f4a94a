//! Everything that can go wrong between an object and a running program.
//!
//! A variant says what happened in the user's terms and carries the facts; the
//! advice on what to type is the command's.

use std::path::PathBuf;

use ebpf_syscalls::caps::{self, Capability};
use ebpf_syscalls::netlink::XdpMode;
use ebpf_syscalls::{Errno, Error as SyscallError};

use crate::attachment::Attachment;
use crate::verifier_log::Rejection;

/// The result of every fallible function of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What a failure means for whoever called, apart from its details.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// A fault of this library or an answer of the kernel that nobody expected.
    Internal,
    /// The kernel's verifier refused the program.
    VerifierRejected,
    /// A privilege is missing.
    Permission,
    /// The interface, program or attachment is not there.
    NotFound,
    /// Somebody else is there, or was quicker.
    Conflict,
    /// This kernel, driver or machine cannot do it.
    Unsupported,
    /// The object cannot be loaded as it is.
    BadObject,
    /// Reading or writing failed.
    Io,
}

/// Why something could not be loaded, attached, detached or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No interface has this name.
    #[error("there is no interface '{name}' in this network namespace")]
    InterfaceMissing {
        /// The name asked for.
        name: String,
        /// Names that differ from it by little, nearest first.
        near: Vec<String>,
    },

    /// The object has no program with this name.
    #[error("the object has no program '{name}'; it has {}", list(.have))]
    ProgramMissing {
        /// The name asked for.
        name: String,
        /// The names of the programs it has.
        have: Vec<String>,
    },

    /// The interface runs no XDP program.
    #[error("{interface} runs no XDP program")]
    NothingAttached {
        /// The interface.
        interface: String,
    },

    /// The program is for another hook.
    #[error("program '{program}' is for {hook}, and not for the XDP hook of an interface")]
    NotXdp {
        /// The program.
        program: String,
        /// Its own hook: an attach type or a program type.
        hook: String,
    },

    /// The object contradicts itself.
    #[error("{what}")]
    BadObject {
        /// How.
        what: String,
    },

    /// The program has no instructions, or more than the kernel takes.
    #[error("the kernel takes 1 to 1000000 instructions, and program '{program}' has {insns}")]
    ProgramSize {
        /// The program.
        program: String,
        /// Its length in slots.
        insns: usize,
    },

    /// The kernel's verifier refused the program.
    #[error("{0}")]
    Rejected(Box<Rejection>),

    /// The kernel refused to create a map.
    #[error("the kernel refuses map '{map}': {source}")]
    MapRefused {
        /// The map.
        map: String,
        /// The kernel's reason.
        source: SyscallError,
    },

    /// A privilege is missing.
    #[error("not permitted to {action}{}", missing_text(.missing))]
    Permission {
        /// What was attempted, as in "load a program".
        action: &'static str,
        /// Capabilities that it needs and this process lacks; empty when it has
        /// them all and something else forbids it (lockdown, seccomp, file modes).
        missing: Vec<Capability>,
        /// The kernel's answer.
        source: SyscallError,
    },

    /// An XDP program is there already.
    #[error("{interface} already runs {attachment}")]
    AlreadyAttached {
        /// The interface.
        interface: String,
        /// What runs there.
        attachment: Box<Attachment>,
    },

    /// What runs there belongs to somebody else's link, which only they can change.
    #[error("{interface} runs {attachment}: only its owner can replace or detach it")]
    OwnedByOthers {
        /// The interface.
        interface: String,
        /// What runs there.
        attachment: Box<Attachment>,
    },

    /// A replacement keeps the mode of what it replaces.
    #[error("{interface} runs {attachment}: it cannot be replaced in {wanted} mode")]
    ModeDiffers {
        /// The interface.
        interface: String,
        /// What runs there.
        attachment: Box<Attachment>,
        /// The mode asked for.
        wanted: XdpMode,
    },

    /// A guard would end an attachment that was made to stay.
    #[error(
        "{interface} runs {attachment}, which stays until it is detached: replaced for a while, it would be lost"
    )]
    WouldNotLast {
        /// The interface.
        interface: String,
        /// What runs there.
        attachment: Box<Attachment>,
    },

    /// Somebody changed the interface's XDP program between looking and acting.
    #[error(
        "the XDP program of {interface} was changed by somebody else at the same moment; nothing was done"
    )]
    Changed {
        /// The interface.
        interface: String,
    },

    /// The name for the pin is taken by something that we did not put there.
    #[error("{} is not a link of interface {interface}: {why}", .path.display())]
    PinTaken {
        /// The interface.
        interface: String,
        /// The pin.
        path: PathBuf,
        /// What is there instead.
        why: String,
    },

    /// The name under which a map is shared is taken by something else.
    #[error(
        "map '{map}' is shared as {}, and there is {what}, which is not what the object defines",
        .path.display()
    )]
    MapPinTaken {
        /// The map.
        map: String,
        /// The pin.
        path: PathBuf,
        /// What is there instead.
        what: String,
    },

    /// The program needs a map to be held, and nothing could hold it.
    #[error(
        "program '{program}' would run without what map '{map}' holds: the kernel empties it when \
         nobody holds it, and what is attached by netlink has no pin to be held by"
    )]
    NothingHolds {
        /// The program.
        program: String,
        /// The map.
        map: String,
    },

    /// The kernel does not define what the object takes from it.
    #[error("the kernel has no {what} '{name}', which the object needs")]
    ExternMissing {
        /// Its name.
        name: String,
        /// What it is: a function, a variable, an option, a tracepoint...
        what: &'static str,
    },

    /// The driver has no such mode.
    #[error("the driver of {interface}{} does not support XDP in {mode} mode", in_brackets(.driver))]
    ModeUnsupported {
        /// The interface.
        interface: String,
        /// Its driver, where it says.
        driver: Option<String>,
        /// The mode asked for.
        mode: XdpMode,
    },

    /// Packets can be larger than XDP has room for in one buffer.
    #[error("the MTU of {} is too large for XDP in native mode with the driver {driver}: {}", if *.peer { format!("{interface}'s peer") } else { interface.clone() }, mtu_text(.mtu, .works))]
    MtuTooLarge {
        /// The interface.
        interface: String,
        /// Its driver.
        driver: String,
        /// Whether the MTU of its veth peer is meant.
        peer: bool,
        /// The MTU in bytes, where it is known.
        mtu: Option<u32>,
        /// One that works, in bytes; a little more may do as well.
        works: u32,
    },

    /// The driver refused for a reason that it does not tell.
    #[error("the driver of {interface}{} refuses XDP in {mode} mode: {source}", in_brackets(.driver))]
    DriverRefused {
        /// The interface.
        interface: String,
        /// Its driver, where it says.
        driver: Option<String>,
        /// The mode asked for.
        mode: XdpMode,
        /// The kernel's answer.
        source: SyscallError,
    },

    /// There is no bpffs to pin in.
    #[error("no bpffs is mounted at {}", .mount_point.display())]
    NoBpffs {
        /// Where it was looked for.
        mount_point: PathBuf,
    },

    /// The kernel is too old for something that has no substitute.
    #[error("this kernel cannot {what}: that needs Linux {since}")]
    KernelTooOld {
        /// What.
        what: &'static str,
        /// The first version that can.
        since: &'static str,
    },

    /// A file or folder.
    #[error("{action} {}: {source}", .path.display())]
    File {
        /// What was attempted, as in "cannot create".
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },

    /// Anything else that the kernel refused.
    #[error("{action}: {source}")]
    Kernel {
        /// What was attempted, as in "cannot list interfaces".
        action: &'static str,
        /// The kernel's answer.
        source: SyscallError,
    },
}

impl Error {
    /// What the failure means for whoever called.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::InterfaceMissing { .. }
            | Error::ProgramMissing { .. }
            | Error::NothingAttached { .. } => ErrorKind::NotFound,
            Error::NotXdp { .. } | Error::BadObject { .. } | Error::ProgramSize { .. } => {
                ErrorKind::BadObject
            }
            Error::Rejected(_) => ErrorKind::VerifierRejected,
            Error::Permission { .. } => ErrorKind::Permission,
            Error::AlreadyAttached { .. }
            | Error::OwnedByOthers { .. }
            | Error::ModeDiffers { .. }
            | Error::WouldNotLast { .. }
            | Error::Changed { .. }
            | Error::MapPinTaken { .. }
            | Error::PinTaken { .. } => ErrorKind::Conflict,
            Error::MapRefused { .. }
            | Error::ExternMissing { .. }
            | Error::NothingHolds { .. }
            | Error::ModeUnsupported { .. }
            | Error::MtuTooLarge { .. }
            | Error::DriverRefused { .. }
            | Error::NoBpffs { .. }
            | Error::KernelTooOld { .. } => ErrorKind::Unsupported,
            Error::File { source, .. } => io_kind(source),
            Error::Kernel { source, .. } => kernel_kind(source),
        }
    }

    /// The kernel's answer to `action`; a privilege that is missing is named.
    ///
    /// `needs` are the capabilities that the action needs.
    pub(crate) fn kernel(
        action: &'static str,
        verb: &'static str,
        needs: &[Capability],
        source: SyscallError,
    ) -> Self {
        if source.is(Errno::EPERM) || source.is(Errno::EACCES) {
            return Error::Permission {
                action: verb,
                missing: missing(needs),
                source,
            };
        }
        Error::Kernel { action, source }
    }
}

/// Those of the capabilities that this process lacks.
pub(crate) fn missing(needs: &[Capability]) -> Vec<Capability> {
    caps::effective().map_or_else(
        |_| Vec::new(),
        |set| needs.iter().copied().filter(|&c| !set.grants(c)).collect(),
    )
}

fn io_kind(source: &std::io::Error) -> ErrorKind {
    match source.kind() {
        std::io::ErrorKind::PermissionDenied => ErrorKind::Permission,
        std::io::ErrorKind::NotFound => ErrorKind::NotFound,
        _ => ErrorKind::Io,
    }
}

fn kernel_kind(source: &SyscallError) -> ErrorKind {
    match source.errno() {
        Some(Errno::EPERM | Errno::EACCES) => ErrorKind::Permission,
        Some(Errno::ENOENT | Errno::ENODEV | Errno::ENXIO) => ErrorKind::NotFound,
        Some(Errno::EBUSY | Errno::EEXIST) => ErrorKind::Conflict,
        Some(Errno::EOPNOTSUPP | Errno::ENOSYS) => ErrorKind::Unsupported,
        Some(_) => ErrorKind::Io,
        None => ErrorKind::Internal,
    }
}

fn list(names: &[String]) -> String {
    match names {
        [] => "none".to_owned(),
        names => names.join(", "),
    }
}

fn missing_text(missing: &[Capability]) -> String {
    let names: Vec<_> = missing.iter().map(Capability::to_string).collect();
    match names.as_slice() {
        [] => String::new(),
        names => format!(": {} missing", names.join(" and ")),
    }
}

fn in_brackets(driver: &Option<String>) -> String {
    driver
        .as_ref()
        .map_or_else(String::new, |driver| format!(" ({driver})"))
}

fn mtu_text(mtu: &Option<u32>, works: &u32) -> String {
    match (mtu, works) {
        (Some(mtu), works) => format!("it is {mtu}, and {works} works"),
        (None, works) => format!("{works} works"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attachment::{AttachedBy, ProgramFacts};

    fn attachment() -> Box<Attachment> {
        Box::new(Attachment {
            mode: XdpMode::Native,
            prog_id: 7,
            program: Some(ProgramFacts {
                name: "fw".to_owned(),
                tag: [0; 8],
                loaded: None,
                uid: 0,
                run_cnt: 0,
                run_time_ns: 0,
                maps: Vec::new(),
            }),
            by: AttachedBy::Netlink,
        })
    }

    #[test]
    fn a_conflict_names_who_is_there() {
        let error = Error::AlreadyAttached {
            interface: "eth0".to_owned(),
            attachment: attachment(),
        };
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert_eq!(
            error.to_string(),
            "eth0 already runs XDP program 'fw' (id 7, native), attached by netlink"
        );
    }

    #[test]
    fn a_missing_capability_is_named() {
        let error = Error::Permission {
            action: "load a program",
            missing: vec![Capability::Bpf, Capability::NetAdmin],
            source: SyscallError::Call {
                call: "BPF_PROG_LOAD",
                object: "fw".to_owned(),
                errno: Errno::EPERM,
            },
        };
        assert_eq!(
            error.to_string(),
            "not permitted to load a program: CAP_BPF and CAP_NET_ADMIN missing"
        );
    }

    #[test]
    fn a_refusal_by_permission_is_one_whatever_was_attempted() {
        for (errno, kind) in [
            (Errno::EPERM, ErrorKind::Permission),
            (Errno::EACCES, ErrorKind::Permission),
            (Errno::EIO, ErrorKind::Io),
            (Errno::ENODEV, ErrorKind::NotFound),
        ] {
            let source = SyscallError::Call {
                call: "flock",
                object: "x".to_owned(),
                errno,
            };
            let error = Error::kernel("cannot lock", "lock", &[], source);
            assert_eq!(error.kind(), kind, "{errno}");
        }
    }
}
