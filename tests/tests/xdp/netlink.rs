//! Attaching by netlink: the way of kernels without XDP links, and of other tools.

use std::os::fd::AsFd;

use ebpf_loader::{Attach, AttachedBy, Error, Existing, Lifetime, Program, Via, XdpMode};
use ebpf_syscalls::Errno;
use ebpf_syscalls::netlink::Route;
use ebpf_tests::oracle::{XDP_DROP, XDP_PASS};
use ebpf_tests::policy::{self, Need};
use ebpf_tests::rig::Rig;
use ebpf_tests::{Outcome, ensure, ensure_eq, frames, subjects, tool};
use libtest_mimic::Trial;

use crate::kernel;
use crate::links::{PINNED, running, with_xdp};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        kernel("netlink::replace_expects_the_old_program", replace_expects),
        kernel("netlink::detach_names_the_mode", detach_names_the_mode),
        kernel(
            "netlink::leftover_generic_blocks_native",
            leftover_generic_blocks_native,
        ),
    ];
    for mode in [XdpMode::Native, XdpMode::Generic] {
        trials.push(kernel(
            &format!("netlink::attach_replace_detach_{mode}"),
            move || attach_replace_detach(mode),
        ));
        trials.push(kernel(
            &format!("netlink::guard_and_leak_{mode}"),
            move || guard_and_leak(mode),
        ));
    }
    let needs = [Need::Kernel, Need::Tool("bpftool")];
    trials.push(policy::trial(
        "netlink::program_of_bpftool",
        &needs,
        program_of_bpftool,
    ));
    let needs = [Need::Kernel, Need::Tool("ip")];
    trials.push(policy::trial(
        "netlink::ip_shows_and_detaches",
        &needs,
        ip_shows_and_detaches,
    ));
    trials
}

fn by_netlink(mode: XdpMode) -> Attach {
    Attach {
        mode,
        via: Via::Netlink,
        ..PINNED
    }
}

/// Does something by netlink alone, given the interface's number.
fn with_route<R: Send>(
    rig: &Rig,
    work: impl FnOnce(&mut Route, u32) -> ebpf_syscalls::Result<R> + Send,
) -> Outcome<ebpf_syscalls::Result<R>> {
    rig.change(|route, index| Ok(work(route, index)))
}

/// The program that runs, and that it is there by netlink.
fn running_by_netlink(rig: &Rig) -> Outcome<u32> {
    let there = running(rig)?.ok_or("nothing runs")?;
    ensure_eq!(there.by, AttachedBy::Netlink, "how it is attached");
    Ok(there.prog_id)
}

fn attach_replace_detach(mode: XdpMode) -> Outcome {
    let rig = Rig::new()?;
    let wire = rig.wire()?;
    let old = subjects::constant(XDP_PASS)?.load()?;
    let new = subjects::drop_icmp()?.load()?;
    with_xdp(&rig, |xdp, interface| {
        let link = xdp.attach(interface, &old, &by_netlink(mode))?;
        ensure_eq!(link.link_id(), None, "the link");
        Ok(())
    })?;
    ensure_eq!(running_by_netlink(&rig)?, old.info()?.id, "the program");
    ensure!(wire.passes(&frames::icmp_echo(1))?, "ICMP does not pass");
    with_xdp(&rig, |xdp, interface| {
        let refused = xdp.attach(interface, &new, &by_netlink(mode));
        let conflict = matches!(refused, Err(Error::AlreadyAttached { .. }));
        ensure!(conflict, "attaching twice: {refused:?}");
        // Whatever is preferred for new attachments, this one stays netlink's.
        let replacing = Attach {
            existing: Existing::Replace,
            mode,
            ..PINNED
        };
        let _link = xdp.attach(interface, &new, &replacing)?;
        Ok(())
    })?;
    ensure_eq!(
        running_by_netlink(&rig)?,
        new.info()?.id,
        "the program after replacing"
    );
    ensure!(!wire.passes(&frames::icmp_echo(2))?, "ICMP passes");
    with_xdp(&rig, |xdp, interface| Ok(xdp.detach(interface)?))?;
    ensure_eq!(running(&rig)?, None, "what runs after detaching");
    ensure!(
        wire.passes(&frames::icmp_echo(3))?,
        "ICMP does not pass after detaching"
    );
    Ok(())
}

fn guard_and_leak(mode: XdpMode) -> Outcome {
    let rig = Rig::new()?;
    let program = subjects::constant(XDP_PASS)?.load()?;
    let guard = Attach {
        lifetime: Lifetime::Guard,
        ..by_netlink(mode)
    };
    let attach = || {
        with_xdp(&rig, |xdp, interface| {
            Ok(xdp.attach(interface, &program, &guard)?)
        })
    };
    drop(attach()?);
    ensure_eq!(running(&rig)?, None, "what runs after the guard");
    attach()?.leak();
    ensure_eq!(
        running_by_netlink(&rig)?,
        program.info()?.id,
        "the leaked program"
    );
    Ok(())
}

/// The kernel's half of compare-and-swap by netlink: `XDP_FLAGS_REPLACE` with EXPECTED_FD.
fn replace_expects() -> Outcome {
    let rig = Rig::new()?;
    let first = subjects::constant(XDP_PASS)?.load()?;
    let second = subjects::constant(XDP_DROP)?.load()?;
    let native = XdpMode::Native;
    with_route(&rig, |route, i| route.xdp_attach(i, first.as_fd(), native))??;
    let replace = |new: &Program, old: &Program| {
        with_route(&rig, |route, i| {
            route.xdp_replace(i, new.as_fd(), old.as_fd(), native)
        })
    };
    let wrong = replace(&second, &second)?;
    let refused = wrong.as_ref().is_err_and(|error| error.is(Errno::EEXIST));
    ensure!(refused, "replacing a program that does not run: {wrong:?}");
    let again = with_route(&rig, |route, i| route.xdp_attach(i, second.as_fd(), native))?;
    let refused = again.as_ref().is_err_and(|error| error.is(Errno::EBUSY));
    ensure!(refused, "attaching without replacing: {again:?}");
    ensure_eq!(running_by_netlink(&rig)?, first.info()?.id, "the program");
    replace(&second, &first)??;
    ensure_eq!(
        running_by_netlink(&rig)?,
        second.info()?.id,
        "the program after replacing"
    );
    let detach =
        |old: &Program| with_route(&rig, |route, i| route.xdp_detach(i, old.as_fd(), native));
    let wrong = detach(&first)?;
    let refused = wrong.as_ref().is_err_and(|error| error.is(Errno::EEXIST));
    ensure!(refused, "detaching a program that does not run: {wrong:?}");
    detach(&second)??;
    ensure_eq!(running(&rig)?, None, "what runs after detaching");
    Ok(())
}

/// Detaching in native mode leaves a generic program where it is.
fn detach_names_the_mode() -> Outcome {
    let rig = Rig::new()?;
    let program = subjects::constant(XDP_PASS)?.load()?;
    with_route(&rig, |route, i| {
        route.xdp_attach(i, program.as_fd(), XdpMode::Generic)
    })??;
    // Taking off what is not there is no error to the kernel.
    with_route(&rig, |route, i| route.xdp_detach_any(i, XdpMode::Native))??;
    ensure_eq!(
        running_by_netlink(&rig)?,
        program.info()?.id,
        "the generic program"
    );
    with_route(&rig, |route, i| route.xdp_detach_any(i, XdpMode::Generic))??;
    ensure_eq!(
        running(&rig)?,
        None,
        "what runs after detaching in generic mode"
    );
    Ok(())
}

/// A generic program that somebody left makes native attachment fail, and is named.
fn leftover_generic_blocks_native() -> Outcome {
    let rig = Rig::new()?;
    let program = subjects::constant(XDP_PASS)?.load()?;
    with_route(&rig, |route, i| {
        route.xdp_attach(i, program.as_fd(), XdpMode::Generic)
    })??;
    let native = with_route(&rig, |route, i| {
        route.xdp_attach(i, program.as_fd(), XdpMode::Native)
    })?;
    let exists = native.as_ref().is_err_and(|error| error.is(Errno::EEXIST));
    ensure!(exists, "the kernel's answer: {native:?}");
    with_xdp(&rig, |xdp, interface| {
        let attached = xdp.attach(interface, &program, &PINNED);
        let Err(Error::AlreadyAttached { attachment, .. }) = attached else {
            return Err(format!("no conflict: {attached:?}").into());
        };
        ensure_eq!(attachment.mode, XdpMode::Generic, "the mode that is named");
        // Detaching looks for what is there, in whatever mode.
        xdp.detach(interface)?;
        let _native = xdp.attach(interface, &program, &PINNED)?;
        Ok(())
    })
}

/// A program attached by another tool: named, not clobbered, replaced when asked to.
fn program_of_bpftool() -> Outcome {
    let rig = Rig::new()?;
    let theirs = subjects::constant(XDP_PASS)?.load()?;
    let ours = subjects::constant(XDP_DROP)?.load()?;
    let id = theirs.info()?.id.to_string();
    rig.inside(|| {
        let mut bpftool = tool::command("bpftool");
        let attach = ["net", "attach", "xdpdrv", "id", &id, "dev", &rig.interface];
        tool::output(bpftool.args(attach)).map(drop)
    })?;
    ensure_eq!(
        running_by_netlink(&rig)?,
        theirs.info()?.id,
        "the program of bpftool"
    );
    with_xdp(&rig, |xdp, interface| {
        let refused = xdp.attach(interface, &ours, &PINNED);
        let conflict = matches!(refused, Err(Error::AlreadyAttached { .. }));
        ensure!(conflict, "attaching: {refused:?}");
        let replacing = Attach {
            existing: Existing::Replace,
            ..PINNED
        };
        let link = xdp.attach(interface, &ours, &replacing)?;
        let replaced = link.replaced().map(|there| there.prog_id);
        ensure_eq!(
            replaced,
            Some(theirs.info()?.id),
            "the program that was replaced"
        );
        Ok(())
    })?;
    ensure_eq!(
        running_by_netlink(&rig)?,
        ours.info()?.id,
        "the program after replacing"
    );
    Ok(())
}

/// iproute2 sees what we attached by netlink, and what it takes off is gone for us.
fn ip_shows_and_detaches() -> Outcome {
    let rig = Rig::new()?;
    let program = subjects::constant(XDP_PASS)?.load()?;
    with_xdp(&rig, |xdp, interface| {
        xdp.attach(interface, &program, &by_netlink(XdpMode::Native))?
            .leak();
        Ok(())
    })?;
    let ip = |arguments: &[&str]| rig.inside(|| tool::output(tool::command("ip").args(arguments)));
    let shown = ip(&["link", "show", "dev", &rig.interface])?;
    let expected = format!("prog/xdp id {}", program.info()?.id);
    ensure!(shown.contains(&expected), "ip shows:\n{shown}");
    ip(&["link", "set", "dev", &rig.interface, "xdpdrv", "off"])?;
    ensure_eq!(running(&rig)?, None, "what runs after ip took it off");
    Ok(())
}
