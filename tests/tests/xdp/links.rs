//! Attaching by link: who owns it, how long it stays, who may replace it.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Barrier;
use std::thread;

use ebpf_loader::{Attach, AttachedBy, Attachment, Error, Existing, Lifetime, Xdp, XdpMode};
use ebpf_syscalls::Errno;
use ebpf_syscalls::bpf::{self, BPF_XDP, LinkTarget};
use ebpf_tests::oracle::{XDP_DROP, XDP_PASS};
use ebpf_tests::policy::{self, Need};
use ebpf_tests::rig::Rig;
use ebpf_tests::{Outcome, ensure, ensure_eq, frames, subjects};
use libtest_mimic::Trial;

use crate::kernel;

/// Pinned, and nothing may be there yet.
pub(crate) const PINNED: Attach = Attach {
    mode: XdpMode::Native,
    existing: Existing::Refuse,
    lifetime: Lifetime::Pinned,
    via: ebpf_loader::Via::Any,
};

/// Pinned, instead of what is there.
const REPLACING: Attach = Attach {
    existing: Existing::Replace,
    ..PINNED
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        kernel("links::guard_detaches_on_drop", guard_detaches_on_drop),
        kernel("links::pin_survives_its_owner", || pin_survives("eth0")),
        kernel("links::pin_of_a_name_with_a_dot", || {
            pin_survives("eth0.100")
        }),
        kernel(
            "links::second_attach_is_a_conflict",
            second_attach_is_a_conflict,
        ),
        kernel("links::replace_keeps_the_link", replace_keeps_the_link),
        kernel(
            "links::replace_names_the_old_program",
            replace_names_the_old_program,
        ),
        kernel("links::replace_keeps_the_mode", replace_keeps_the_mode),
        kernel(
            "links::others_link_is_left_alone",
            others_link_is_left_alone,
        ),
        kernel("links::of_two_at_once_one_wins", of_two_at_once_one_wins),
        kernel("links::interface_vanishes", interface_vanishes),
        kernel("links::namespace_dies", namespace_dies),
        policy::trial(
            "links::interface_moves",
            &[Need::Kernel, Need::Tool("ip")],
            interface_moves,
        ),
        kernel(
            "links::a_guard_does_not_replace_a_pin",
            a_guard_does_not_replace_a_pin,
        ),
        kernel("links::attachment_tells_program_and_maps", attachment_tells),
    ]
}

/// Does something with the hooks and the interface of a rig.
pub(crate) fn with_xdp<R: Send>(
    rig: &Rig,
    work: impl FnOnce(&mut Xdp, &ebpf_loader::Interface) -> Outcome<R> + Send,
) -> Outcome<R> {
    rig.inside(|| {
        let mut xdp = Xdp::open()?;
        let interface = xdp.interface(&rig.interface)?;
        work(&mut xdp, &interface)
    })
}

/// The one program that runs on the rig's interface, if any.
pub(crate) fn running(rig: &Rig) -> Outcome<Option<Attachment>> {
    with_xdp(rig, |xdp, interface| {
        let mut all = xdp.attachments(interface)?;
        ensure!(all.len() <= 1, "more than one program runs: {all:?}");
        Ok(all.pop())
    })
}

fn guard_detaches_on_drop() -> Outcome {
    let rig = Rig::new()?;
    let drop_all = subjects::constant(XDP_DROP)?.load()?;
    let link = with_xdp(&rig, |xdp, interface| {
        Ok(xdp.attach(interface, &drop_all, &Attach::default())?)
    })?;
    ensure_eq!(link.pin(), None, "the pin");
    ensure!(running(&rig)?.is_some(), "nothing is attached");
    drop(link);
    ensure_eq!(running(&rig)?, None, "what runs after the guard is gone");
    Ok(())
}

fn pin_survives(interface: &str) -> Outcome {
    let rig = Rig::named(interface)?;
    let wire = rig.wire()?;
    let pin = {
        let program = subjects::drop_icmp()?.load()?;
        let link = with_xdp(&rig, |xdp, interface| {
            Ok(xdp.attach(interface, &program, &PINNED)?)
        })?;
        link.pin().ok_or("the link is not pinned")?.to_owned()
    };
    ensure!(
        !pin.to_string_lossy().contains('.'),
        "bpffs refuses the dot in {pin:?}"
    );
    ensure!(
        !wire.passes(&frames::icmp_echo(1))?,
        "ICMP passes after the owner has gone"
    );
    ensure!(wire.passes(&frames::udp(1))?, "UDP does not pass");
    match running(&rig)?.map(|attachment| attachment.by) {
        Some(AttachedBy::OurLink { pin: found, .. }) => ensure_eq!(found, pin, "the pin"),
        other => return Err(format!("not our link: {other:?}").into()),
    }
    let detached = with_xdp(&rig, |xdp, interface| Ok(xdp.detach(interface)?))?;
    ensure_eq!(detached.len(), 1, "the number of programs detached");
    ensure!(
        wire.passes(&frames::icmp_echo(2))?,
        "ICMP does not pass after detaching"
    );
    let folder = pin.parent().ok_or("a pin without a folder")?;
    ensure!(!folder.exists(), "the folder of pins is left: {folder:?}");
    let again = with_xdp(&rig, |xdp, interface| Ok(xdp.detach(interface)))?;
    let nothing = matches!(again, Err(Error::NothingAttached { .. }));
    ensure!(nothing, "detaching twice: {again:?}");
    Ok(())
}

fn second_attach_is_a_conflict() -> Outcome {
    let rig = Rig::new()?;
    let first = subjects::constant(XDP_PASS)?.load()?;
    let second = subjects::constant(XDP_DROP)?.load()?;
    with_xdp(&rig, |xdp, interface| {
        let _first = xdp.attach(interface, &first, &PINNED)?;
        let result = xdp.attach(interface, &second, &PINNED);
        let Err(Error::AlreadyAttached { attachment, .. }) = result else {
            return Err(format!("no conflict: {result:?}").into());
        };
        ensure_eq!(
            attachment.prog_id,
            first.info()?.id,
            "the program that is named"
        );
        ensure!(
            attachment.to_string().contains("'always_2'"),
            "no name in '{attachment}'"
        );
        Ok(())
    })?;
    let id = running(&rig)?.map(|attachment| attachment.prog_id);
    ensure_eq!(id, Some(first.info()?.id), "the program that runs");
    Ok(())
}

fn replace_keeps_the_link() -> Outcome {
    let rig = Rig::new()?;
    let wire = rig.wire()?;
    let old = subjects::constant(XDP_PASS)?.load()?;
    let new = subjects::drop_icmp()?.load()?;
    with_xdp(&rig, |xdp, interface| {
        let before = xdp.attach(interface, &old, &PINNED)?.link_id();
        let link = xdp.attach(interface, &new, &REPLACING)?;
        ensure!(before.is_some(), "the kernel gave no link");
        ensure_eq!(link.link_id(), before, "the link");
        let replaced = link.replaced().map(|attachment| attachment.prog_id);
        ensure_eq!(
            replaced,
            Some(old.info()?.id),
            "the program that was replaced"
        );
        Ok(())
    })?;
    ensure!(
        !wire.passes(&frames::icmp_echo(1))?,
        "the old program runs still"
    );
    Ok(())
}

/// What was made to stay is not replaced by what goes with its process.
fn a_guard_does_not_replace_a_pin() -> Outcome {
    let rig = Rig::new()?;
    let program = subjects::constant(XDP_PASS)?.load()?;
    let guard = Attach {
        lifetime: Lifetime::Guard,
        ..REPLACING
    };
    let before = with_xdp(&rig, |xdp, interface| {
        let _pinned = xdp.attach(interface, &program, &PINNED)?;
        Ok(xdp.attachments(interface)?.pop().map(|there| there.by))
    })?;
    let refused = with_xdp(&rig, |xdp, interface| {
        Ok(xdp.attach(interface, &program, &guard).map(drop))
    })?;
    let refused_so = matches!(refused, Err(Error::WouldNotLast { .. }));
    ensure!(refused_so, "a guard instead of a pin: {refused:?}");
    let after = running(&rig)?.map(|there| there.by);
    ensure!(after.is_some(), "nothing runs after the refusal");
    ensure_eq!(after, before, "who attached it");
    Ok(())
}

/// A link goes with its interface to another namespace, and stays ours there.
fn interface_moves() -> Outcome {
    let rig = Rig::new()?;
    let old = subjects::constant(XDP_PASS)?.load()?;
    let new = subjects::constant(XDP_DROP)?.load()?;
    let (link, first_pin) = with_xdp(&rig, |xdp, interface| {
        let link = xdp.attach(interface, &old, &PINNED)?;
        let pin = link.pin().ok_or("the link is not pinned")?.to_owned();
        Ok((link.link_id(), pin))
    })?;
    rig.move_outside()?;
    let left = rig.inside(|| Ok(Xdp::open()?.status()?))?;
    let moved: Vec<_> = left.moved_pins.iter().map(|pin| &pin.path).collect();
    ensure_eq!(moved, [&first_pin], "the pins of what has moved away");
    rig.outside(|| {
        let mut xdp = Xdp::open()?;
        let interface = xdp.interface(&rig.interface)?;
        let there = xdp.attachments(&interface)?.pop().map(|there| there.by);
        let ours = matches!(&there, Some(AttachedBy::OurLink { pin, .. }) if *pin == first_pin);
        ensure!(ours, "who attached it: {there:?}");
        let replaced = xdp.attach(&interface, &new, &REPLACING)?;
        ensure_eq!(replaced.link_id(), link, "the link");
        ensure!(
            !first_pin.exists(),
            "the pin of the other namespace is left"
        );
        let pin = replaced.pin().ok_or("the link is not pinned")?.to_owned();
        ensure_eq!(xdp.detach(&interface)?.len(), 1, "programs detached");
        ensure!(!pin.exists(), "the pin is left");
        ensure_eq!(xdp.attachments(&interface)?, Vec::new(), "what runs");
        Ok(())
    })
}

/// The pin of a namespace that has died is seen, and removed, from any other.
fn namespace_dies() -> Outcome {
    let program = subjects::constant(XDP_PASS)?.load()?;
    let (dead, alive) = (Rig::new()?, Rig::new()?);
    let pin = with_xdp(&dead, |xdp, interface| {
        let link = xdp.attach(interface, &program, &PINNED)?;
        Ok(link.pin().ok_or("the link is not pinned")?.to_owned())
    })?;
    // The interfaces go now, the namespace when the kernel comes to it.
    dead.unplug()?;
    drop(dead);
    with_xdp(&alive, |xdp, interface| {
        let stale = xdp.status()?.stale_pins;
        // A detach of another trial may have removed it already.
        let seen = stale.iter().any(|stale| stale.path == pin) || !pin.exists();
        ensure!(seen, "{pin:?} is not among {stale:?}");
        let nothing = matches!(xdp.detach(interface), Err(Error::NothingAttached { .. }));
        ensure!(nothing, "something ran");
        ensure!(!pin.exists(), "{pin:?} is left");
        Ok(())
    })
}

/// The kernel's half of compare-and-swap: a link is not updated if it runs another program
/// than the one named.
fn replace_names_the_old_program() -> Outcome {
    let rig = Rig::new()?;
    let first = subjects::constant(XDP_PASS)?.load()?;
    let second = subjects::constant(XDP_DROP)?.load()?;
    let link = with_xdp(&rig, |_, interface| {
        let target = LinkTarget::Ifindex(interface.index);
        let flags = XdpMode::Native.flags();
        Ok(bpf::link_create(first.as_fd(), target, BPF_XDP, flags)?)
    })?;
    let update = |new: BorrowedFd<'_>, old| bpf::link_update(link.as_fd(), new, old);
    let wrong = update(second.as_fd(), second.as_fd());
    let refused = wrong.as_ref().is_err_and(|error| error.is(Errno::EPERM));
    ensure!(refused, "replacing a program that does not run: {wrong:?}");
    update(second.as_fd(), first.as_fd())?;
    let id = running(&rig)?.map(|attachment| attachment.prog_id);
    ensure_eq!(id, Some(second.info()?.id), "the program that runs");
    Ok(())
}

fn replace_keeps_the_mode() -> Outcome {
    let rig = Rig::new()?;
    let program = subjects::constant(XDP_PASS)?.load()?;
    with_xdp(&rig, |xdp, interface| {
        let _native = xdp.attach(interface, &program, &PINNED)?;
        let generic = Attach {
            mode: XdpMode::Generic,
            ..REPLACING
        };
        let result = xdp.attach(interface, &program, &generic);
        let refused = matches!(result, Err(Error::ModeDiffers { .. }));
        ensure!(refused, "native replaced by generic: {result:?}");
        Ok(())
    })?;
    let mode = running(&rig)?.map(|attachment| attachment.mode);
    ensure_eq!(mode, Some(XdpMode::Native), "the mode");
    Ok(())
}

fn others_link_is_left_alone() -> Outcome {
    let rig = Rig::new()?;
    let theirs = subjects::constant(XDP_PASS)?.load()?;
    let ours = subjects::constant(XDP_DROP)?.load()?;
    let _their_link = with_xdp(&rig, |_, interface| {
        let target = LinkTarget::Ifindex(interface.index);
        let flags = XdpMode::Native.flags();
        Ok(bpf::link_create(theirs.as_fd(), target, BPF_XDP, flags)?)
    })?;
    with_xdp(&rig, |xdp, interface| {
        let attached = xdp.attach(interface, &ours, &PINNED);
        let conflict = matches!(&attached, Err(Error::AlreadyAttached { attachment, .. })
            if matches!(attachment.by, AttachedBy::OtherLink { .. }));
        ensure!(conflict, "attaching: {attached:?}");
        let replaced = xdp.attach(interface, &ours, &REPLACING);
        let refused = matches!(replaced, Err(Error::OwnedByOthers { .. }));
        ensure!(refused, "replacing: {replaced:?}");
        let detached = xdp.detach(interface);
        let refused = matches!(detached, Err(Error::OwnedByOthers { .. }));
        ensure!(refused, "detaching: {detached:?}");
        Ok(())
    })?;
    let id = running(&rig)?.map(|attachment| attachment.prog_id);
    ensure_eq!(id, Some(theirs.info()?.id), "the program that runs");
    Ok(())
}

fn of_two_at_once_one_wins() -> Outcome {
    const ROUNDS: usize = 20;
    let rig = Rig::new()?;
    let programs = [
        subjects::constant(XDP_PASS)?.load()?,
        subjects::constant(XDP_DROP)?.load()?,
    ];
    for round in 0..ROUNDS {
        let start = Barrier::new(programs.len());
        let attach = |program| {
            with_xdp(&rig, |xdp, interface| {
                start.wait();
                Ok(xdp
                    .attach(interface, program, &PINNED)
                    .map(|link| link.link_id()))
            })
        };
        let results = thread::scope(|scope| {
            let threads: Vec<_> = programs
                .iter()
                .map(|program| scope.spawn(move || attach(program)))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join())
                .collect::<Vec<_>>()
        });
        let mut winners = Vec::new();
        for (program, result) in programs.iter().zip(results) {
            match result.map_err(|_| "a thread panicked")?? {
                Ok(_) => winners.push(program.info()?.id),
                Err(Error::AlreadyAttached { .. } | Error::Changed { .. }) => {}
                Err(other) => return Err(format!("round {round}: {other}").into()),
            }
        }
        let runs: Vec<u32> = running(&rig)?.iter().map(|there| there.prog_id).collect();
        ensure_eq!(
            runs,
            winners,
            "round {round}: what runs, and who thinks to have won"
        );
        ensure_eq!(winners.len(), 1, "round {round}: the number of winners");
        with_xdp(&rig, |xdp, interface| Ok(xdp.detach(interface)?))?;
    }
    Ok(())
}

fn interface_vanishes() -> Outcome {
    let rig = Rig::new()?;
    let program = subjects::constant(XDP_PASS)?.load()?;
    let (gone, link, pin) = with_xdp(&rig, |xdp, interface| {
        let guard = xdp.attach(interface, &program, &PINNED)?;
        let pin = guard.pin().ok_or("the link is not pinned")?.to_owned();
        Ok((interface.clone(), bpf::obj_get(&pin)?, pin))
    })?;
    rig.unplug()?;
    let update = bpf::link_update(link.as_fd(), program.as_fd(), program.as_fd());
    let enolink = update.as_ref().is_err_and(|error| error.is(Errno::ENOLINK));
    ensure!(enolink, "updating a link without its interface: {update:?}");
    rig.inside(|| {
        let mut xdp = Xdp::open()?;
        let attached = xdp.attach(&gone, &program, &PINNED);
        let missing = matches!(attached, Err(Error::InterfaceMissing { .. }));
        ensure!(missing, "attaching to what is gone: {attached:?}");
        ensure!(
            !pin.exists(),
            "the attempt has left the pin of what is gone"
        );
        // Rigs of other tests may leave theirs at this moment.
        let status = xdp.status()?;
        let stale = status.stale_pins.iter().any(|stale| stale.path == pin);
        ensure!(!stale, "the pin of what is gone is stale");
        Ok(())
    })
}

fn attachment_tells() -> Outcome {
    let rig = Rig::new()?;
    let program = subjects::count_protocols()?.load()?;
    let there = with_xdp(&rig, |xdp, interface| {
        let _pinned = xdp.attach(interface, &program, &PINNED)?;
        Ok(xdp.attachments(interface)?)
    })?;
    let [there] = there.as_slice() else {
        return Err(format!("not one attachment: {there:?}").into());
    };
    let facts = there
        .program
        .as_ref()
        .ok_or("nothing is known of the program")?;
    ensure!(
        "xdp_count_protocols".starts_with(&facts.name) && facts.name.len() >= 15,
        "the program's name: '{}'",
        facts.name
    );
    let mut maps: Vec<&str> = facts.maps.iter().map(|map| map.name.as_str()).collect();
    maps.sort_unstable();
    ensure_eq!(maps, ["protocols", "verdicts"], "the maps");
    Ok(())
}
