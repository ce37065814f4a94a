//! Somebody else is there, or comes at the same moment.

use std::process::{Child, Stdio};

use ebpf_loader::{Attach, Lifetime, Via, Xdp, XdpMode};
use ebpf_tests::oracle::XDP_PASS;
use ebpf_tests::policy::{self, Need};
use ebpf_tests::rig::Rig;
use ebpf_tests::{Outcome, ensure, ensure_eq, subjects};
use libtest_mimic::Trial;

use crate::console::{Console, Said, said};
use crate::kernel;

/// How often two commands are started at once.
const RACES: usize = 10;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        kernel("conflicts::our_own", our_own),
        kernel("conflicts::another_owners_link", another_owners_link),
        kernel("conflicts::attached_by_netlink", attached_by_netlink),
        policy::trial(
            "conflicts::moved_interface",
            &[Need::Kernel, Need::Tool("ip")],
            moved_interface,
        ),
        kernel("conflicts::two_at_once", two_at_once),
    ]
}

fn our_own() -> Outcome {
    let (console, rig) = (Console::new()?, Rig::new()?);
    console.run_in(&rig, "attach eth0 pass.o")?.ends(0)?;
    let said = console.run_in(&rig, "attach eth0 drop.o")?.ends(6)?;
    said.complains("error: eth0 already runs XDP program 'always_2' (id ")?
        .complains("--replace")?;
    let mode = console.run_in(&rig, "attach eth0 drop.o --replace --mode generic")?;
    mode.ends(6)?
        .complains("cannot be replaced in generic mode")?;
    let fleeting = console.run_in(&rig, "attach eth0 drop.o --replace --foreground")?;
    fleeting
        .ends(6)?
        .complains("which stays until it is detached")?
        .complains("ebpfld detach eth0")?;
    ensure_eq!(console.status(&rig)?[0]["name"], "always_2", "what runs");
    Ok(())
}

/// The namespace that an interface moved to has our program, and the old one our pin.
fn moved_interface() -> Outcome {
    let (console, rig) = (Console::new()?, Rig::new()?);
    console.run_in(&rig, "attach eth0 pass.o")?.ends(0)?;
    rig.move_outside()?;
    let left = console.run_in(&rig, "status")?.ends(0)?;
    left.complains("moved to another network namespace")?;
    let mut status = console.command("status")?;
    let there = rig.outside(move || said(&mut status))?.ends(0)?;
    there.prints("/ebpfld/")?;
    let mut detach = console.command("detach eth0")?;
    let detached = rig.outside(move || said(&mut detach))?.ends(0)?;
    detached.prints("detached always_2")?;
    let left = console.run_in(&rig, "status")?.ends(0)?;
    ensure!(!left.err.contains("moved"), "a pin is left: {left:?}");
    Ok(())
}

fn another_owners_link() -> Outcome {
    let (console, rig) = (Console::new()?, Rig::new()?);
    let program = subjects::constant(XDP_PASS)?.load()?;
    let link = rig.inside(|| {
        let mut xdp = Xdp::open()?;
        let interface = xdp.interface("eth0")?;
        Ok(xdp.attach(&interface, &program, &Attach::default())?)
    })?;
    for line in [
        "attach eth0 drop.o",
        "attach eth0 drop.o --replace",
        "detach eth0",
    ] {
        let said = console.run_in(&rig, line)?.ends(6)?;
        said.complains("attached by another owner (link ")?
            .complains(&format!(", pid {}", std::process::id()))?;
    }
    let held = &console.status(&rig)?[0]["held_by"];
    ensure_eq!(held[0]["pid"], std::process::id(), "who holds it");
    ensure_eq!(console.status(&rig)?[0]["ours"], false, "ours");
    link.detach()?;
    Ok(())
}

fn attached_by_netlink() -> Outcome {
    let (console, rig) = (Console::new()?, Rig::new()?);
    let program = subjects::constant(XDP_PASS)?.load()?;
    let attach = Attach {
        mode: XdpMode::Generic,
        lifetime: Lifetime::Pinned,
        via: Via::Netlink,
        ..Attach::default()
    };
    rig.inside(|| {
        let mut xdp = Xdp::open()?;
        let interface = xdp.interface("eth0")?;
        xdp.attach(&interface, &program, &attach)?.leak();
        Ok(())
    })?;
    let native = console.run_in(&rig, "attach eth0 drop.o")?.ends(6)?;
    native.complains("attached by netlink")?;
    let line = "attach eth0 drop.o --mode generic --replace";
    let replaced = console.run_in(&rig, line)?.ends(0)?;
    replaced
        .prints("instead of always_2")?
        .prints("by netlink")?;
    ensure_eq!(console.status(&rig)?[0]["attached_by"], "netlink", "how");
    let detached = console.run_in(&rig, "detach eth0")?.ends(0)?;
    detached.prints("attached by netlink, not by a link of ebpfld's")?;
    ensure!(console.status(&rig)?.is_empty(), "it is still there");
    Ok(())
}

fn two_at_once() -> Outcome {
    let (console, rig) = (Console::new()?, Rig::new()?);
    for _ in 0..RACES {
        race(
            &console,
            &rig,
            "attach eth0 pass.o",
            6,
            "already runs XDP program",
        )?;
        ensure_eq!(console.status(&rig)?.len(), 1, "programs");
        race(&console, &rig, "detach eth0", 5, "runs no XDP program")?;
        ensure!(console.status(&rig)?.is_empty(), "it is still there");
    }
    Ok(())
}

/// Runs a command twice at once: one wins, and the other ends so.
fn race(console: &Console, rig: &Rig, line: &str, exit: i32, complaint: &str) -> Outcome {
    let (first, second) = (start(console, rig, line)?, start(console, rig, line)?);
    let mut ended = [finish(first)?, finish(second)?];
    ended.sort_by_key(|said| said.exit);
    let [winner, loser] = ended;
    winner.ends(0)?;
    loser.ends(exit)?.complains(complaint)?;
    Ok(())
}

fn start(console: &Console, rig: &Rig, line: &str) -> Outcome<Child> {
    let mut command = console.command(line)?;
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    rig.inside(move || Ok(command.spawn()?))
}

fn finish(child: Child) -> Outcome<Said> {
    let output = child.wait_with_output()?;
    Ok(Said {
        exit: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
