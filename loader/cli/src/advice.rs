//! What to type when the loader or the kernel says no.

use ebpf_loader::{
    AttachedBy, Attachment, DeniedBy, Error, ErrorKind, Holder, XdpMode, denied_by, holders,
};
use ebpf_syscalls::caps::Capability;

use crate::explain;
use ebpf_cli::exit::Exit;
use ebpf_cli::report::Failure;

/// What to say of an error of the loader's.
pub(crate) fn failure(error: Error) -> Failure {
    if let Error::Rejected(rejection) = &error {
        return explain::kernel_words(rejection);
    }
    let failure = Failure::new(exit(error.kind()), error.to_string());
    advice(&error).into_iter().fold(failure, Failure::help)
}

/// How a command ends that an error of the loader's ends.
pub(crate) fn exit(kind: ErrorKind) -> Exit {
    match kind {
        ErrorKind::Internal => Exit::Internal,
        ErrorKind::VerifierRejected => Exit::Rejected,
        ErrorKind::Permission => Exit::Permission,
        ErrorKind::NotFound => Exit::NotFound,
        ErrorKind::Conflict => Exit::Conflict,
        ErrorKind::Unsupported => Exit::Unsupported,
        ErrorKind::BadObject => Exit::BadObject,
        ErrorKind::Io => Exit::Io,
    }
}

/// A program by its name, where the kernel tells it, and its id.
pub(crate) fn program(attachment: &Attachment) -> String {
    match &attachment.program {
        Some(facts) => format!("{} (id {})", facts.name, attachment.prog_id),
        None => format!("program {}", attachment.prog_id),
    }
}

/// What to do about it, most likely first.
fn advice(error: &Error) -> Vec<String> {
    match error {
        Error::InterfaceMissing { name, near } => vec![interface_missing(name, near)],
        Error::ProgramMissing { have, .. } => have
            .first()
            .map(|name| format!("name one that it has, as with --prog {name}"))
            .into_iter()
            .collect(),
        Error::NothingAttached { .. } => {
            vec!["`ebpfld status` shows which interfaces run a program".to_owned()]
        }
        Error::NotXdp { .. } => vec!["choose an xdp program with --prog".to_owned()],
        Error::Permission { missing, .. } if missing.is_empty() => {
            let reasons = denied_by(None);
            reasons.iter().map(DeniedBy::to_string).collect()
        }
        Error::Permission { missing, .. } => vec![permission(missing)],
        Error::AlreadyAttached {
            interface,
            attachment,
        } => already_attached(interface, &attachment.by),
        Error::OwnedByOthers { attachment, .. } => vec![owned(&attachment.by)],
        Error::ModeDiffers { interface, .. } => {
            vec![format!(
                "keep its mode, or take it off first: ebpfld detach {interface}"
            )]
        }
        Error::WouldNotLast { interface, .. } => vec![format!(
            "leave out --foreground to replace it for good, or take it off first: \
             ebpfld detach {interface}"
        )],
        Error::NothingHolds { .. } => vec![
            "take off what was attached by netlink first, so that it is attached by a link: \
             `ebpfld detach`"
                .to_owned(),
            "or keep the command running, which holds the map: --foreground".to_owned(),
        ],
        Error::Changed { .. } => vec!["look with `ebpfld status`, then try again".to_owned()],
        Error::PinTaken { path, .. } => vec![format!(
            "remove the pin if nobody needs it: rm {}",
            path.display()
        )],
        Error::ModeUnsupported { mode, .. } => mode_unsupported(*mode),
        Error::MtuTooLarge { works, peer, .. } => mtu(*works, *peer),
        Error::DriverRefused { mode, .. } => mode_unsupported(*mode),
        Error::NoBpffs { mount_point } => vec![
            format!("mount it: mount -t bpf bpf {}", mount_point.display()),
            "or let this command do so with --mount-bpffs, or do without with --foreground"
                .to_owned(),
        ],
        Error::MapRefused { .. } | Error::KernelTooOld { .. } => {
            vec!["`ebpfld doctor` shows what this machine can do".to_owned()]
        }
        _ => Vec::new(),
    }
}

fn interface_missing(name: &str, near: &[String]) -> String {
    match near {
        [] => format!(
            "`ebpfld doctor` lists the interfaces here; is '{name}' in another network namespace?"
        ),
        near => format!("did you mean {}?", near.join(" or ")),
    }
}

/// How to come by a privilege.
pub(crate) fn permission(missing: &[Capability]) -> String {
    let names: Vec<_> = missing.iter().map(Capability::to_string).collect();
    format!("run it as root (sudo), or with {}", names.join(" and "))
}

fn already_attached(interface: &str, by: &AttachedBy) -> Vec<String> {
    match by {
        AttachedBy::OtherLink { .. } => vec![owned(by)],
        AttachedBy::Unknown => {
            vec![format!(
                "run `ebpfld status` as root to see whose {interface}'s program is"
            )]
        }
        AttachedBy::OurLink { .. } | AttachedBy::Netlink => vec![format!(
            "replace it with --replace, or take it off first: ebpfld detach {interface}"
        )],
    }
}

fn owned(by: &AttachedBy) -> String {
    match by {
        AttachedBy::OtherLink { link_id } => match holders(*link_id).as_slice() {
            [] => format!(
                "no process holds link {link_id} that this one can see: remove its pin, which \
                 `bpftool -f link show id {link_id}` names"
            ),
            holders => {
                let holders: Vec<_> = holders.iter().map(Holder::to_string).collect();
                format!("stop what holds link {link_id}: {}", holders.join("; "))
            }
        },
        _ => "ask its owner to take it off".to_owned(),
    }
}

fn mode_unsupported(mode: XdpMode) -> Vec<String> {
    let help = match mode {
        XdpMode::Native => {
            "generic mode works with every driver, but is slow, since the network stack has \
             the packet already: --mode generic"
        }
        XdpMode::Generic => "`ebpfld doctor` shows what this machine can do",
        XdpMode::Offload => {
            "only some network cards run programs themselves: use --mode native or --mode generic"
        }
    };
    vec![help.to_owned()]
}

fn mtu(works: u32, peer: bool) -> Vec<String> {
    let whose = if peer { "the peer's MTU" } else { "the MTU" };
    vec![
        format!("set {whose} to {works} or less: ip link set dev NAME mtu {works}"),
        "or use generic mode, which takes any MTU but is slow: --mode generic".to_owned(),
    ]
}
