//! Maps that the kernel empties when nobody holds them: they last as long as what uses them is
//! attached, whether the command still runs or not.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use ebpf_asm::object;
use ebpf_loader::{Attach, Lifetime, Map, Via, Xdp, XdpMode};
use ebpf_syscalls::bpf;
use ebpf_tests::oracle::XDP_PASS;
use ebpf_tests::policy::{self, Need};
use ebpf_tests::rig::Rig;
use ebpf_tests::{Outcome, clang, ensure, ensure_eq, frames, subjects};
use libtest_mimic::Trial;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::console::Console;
use crate::foreground;
use crate::kernel;

/// Drops ICMP by a tail call: without what the map holds, everything passes.
const TAILS: &str = "\
.license GPL
.map tails prog_array key_size=4 value_size=4 max_entries=2
.value 1 drops
.prog xdp enters
    r2 = tails ll
    r3 = 1
    call bpf_tail_call
    r0 = 2
    exit
.prog xdp drops
    r2 = *(u32 *)(r1 + 0)
    r3 = *(u32 *)(r1 + 4)
    r0 = 2
    r4 = r2
    r4 += 24
    if r4 > r3 goto out
    r5 = *(u8 *)(r2 + 23)
    if r5 != 1 goto out
    r0 = 1
out:
    exit
";

/// How long the kernel may take to empty a map that nobody holds any more.
const PATIENCE: Duration = Duration::from_secs(30);

const ATTACH: &str = "attach eth0 tails.o --prog enters";

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        kernel("kept_maps::tail_calls_outlast_the_command", outlast),
        kernel("kept_maps::replaced", replaced),
        kernel("kept_maps::what_a_kill_leaves_is_swept", swept),
        kernel("kept_maps::in_the_foreground", in_the_foreground),
        kernel("kept_maps::not_by_netlink", not_by_netlink),
        policy::trial(
            "kept_maps::moved_interface",
            &[Need::Kernel, Need::Tool("ip")],
            moved_interface,
        ),
        policy::trial(
            "kept_maps::timers",
            &[Need::Kernel, Need::Tool("clang")],
            timers,
        ),
    ]
}

/// A console with `tails.o`.
fn console() -> Outcome<Console> {
    let console = Console::new()?;
    let object = ebpf_asm::text::parse("tails", TAILS)?;
    fs::write(console.folder().join("tails.o"), object::write(&object)?)?;
    Ok(console)
}

/// Long enough for the kernel to have emptied the map, were it going to.
fn settle() {
    sleep(Duration::from_millis(300));
}

/// Whether ICMP is dropped, and nothing else.
fn drops(rig: &Rig) -> Outcome<bool> {
    let wire = rig.wire()?;
    ensure!(wire.passes(&frames::udp(5000))?, "UDP was dropped");
    Ok(!wire.passes(&frames::icmp_echo(1))?)
}

/// The pin of the link on the rig's interface.
fn link_pin(console: &Console, rig: &Rig) -> Outcome<PathBuf> {
    let status = console.status(rig)?;
    let pin = status[0]["pin"].as_str().ok_or("no pin")?;
    Ok(PathBuf::from(pin))
}

/// The maps that are pinned beside a link, by their ids.
fn pinned_beside(link: &Path) -> Outcome<Vec<u32>> {
    let (folder, name) = (link.parent(), link.file_name());
    let (folder, name) = folder.zip(name).ok_or("a pin without a folder")?;
    let beside = format!("{}-", name.to_string_lossy());
    let mut ids = Vec::new();
    for entry in fs::read_dir(folder)?.flatten() {
        if entry.file_name().to_string_lossy().starts_with(&beside) {
            for pin in fs::read_dir(entry.path())? {
                ids.push(pin?.file_name().to_string_lossy().parse()?);
            }
        }
    }
    Ok(ids)
}

fn outlast() -> Outcome {
    let (console, rig) = (console()?, Rig::new()?);
    console.run_in(&rig, ATTACH)?.ends(0)?;
    settle();
    ensure!(drops(&rig)?, "the tail call falls through");
    let link = link_pin(&console, &rig)?;
    let maps = pinned_beside(&link)?;
    let [tails] = maps.as_slice() else {
        return Err(format!("one map was expected: {maps:?}").into());
    };
    ensure_eq!(Map::open(*tails)?.name(), "tails", "the map");
    console.run_in(&rig, "detach eth0")?.ends(0)?;
    ensure!(!drops(&rig)?, "ICMP is dropped after detaching");
    let folder = link.parent().ok_or("a pin without a folder")?;
    ensure!(!folder.exists(), "{} is left", folder.display());
    gone(*tails)
}

/// Waits until the kernel has no map of this id.
///
/// It is looked for among all ids and never opened: the kernel empties a prog array in a work of
/// its own when the last user closes it, and takes a reference for that; when the map is opened
/// and closed before that work has run, Linux 6.18 takes a second one, which stays for ever.
fn gone(map: u32) -> Outcome {
    let end = Instant::now() + PATIENCE;
    while bpf::map_ids().any(|id| id.is_ok_and(|id| id == map)) {
        ensure!(Instant::now() < end, "map {map} is still there");
        sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn replaced() -> Outcome {
    let (console, rig) = (console()?, Rig::new()?);
    console.run_in(&rig, ATTACH)?.ends(0)?;
    let link = link_pin(&console, &rig)?;
    let first = pinned_beside(&link)?;
    let again = format!("{ATTACH} --replace");
    console.run_in(&rig, &again)?.ends(0)?;
    settle();
    ensure!(drops(&rig)?, "the new program's tail call falls through");
    let second = pinned_beside(&link)?;
    ensure_eq!(second.len(), 1, "the maps that are pinned");
    ensure!(first != second, "the old map is pinned: {first:?}");
    let other = "attach eth0 pass.o --replace";
    console.run_in(&rig, other)?.ends(0)?;
    ensure!(
        pinned_beside(&link)?.is_empty(),
        "its maps are pinned still"
    );
    ensure!(!drops(&rig)?, "ICMP is dropped by what passes all");
    console.run_in(&rig, "detach eth0")?.ends(0)?;
    Ok(())
}

/// A command that is killed before its link is pinned leaves a folder of maps.
fn swept() -> Outcome {
    let (console, rig) = (console()?, Rig::new()?);
    console.run_in(&rig, ATTACH)?.ends(0)?;
    let link = link_pin(&console, &rig)?;
    let left = PathBuf::from(format!("{}-4294967295", link.display()));
    fs::create_dir(&left)?;
    console
        .run_in(&rig, "attach eth0 pass.o --replace")?
        .ends(0)?;
    ensure!(!left.exists(), "{} is left", left.display());
    // A refused replacement leaves nothing, and takes nothing.
    console
        .run_in(&rig, &format!("{ATTACH} --replace"))?
        .ends(0)?;
    let maps = pinned_beside(&link)?;
    console.run_in(&rig, ATTACH)?.ends(6)?;
    ensure_eq!(pinned_beside(&link)?, maps, "the maps that are pinned");
    ensure!(drops(&rig)?, "the tail call falls through");
    console.run_in(&rig, "detach eth0")?.ends(0)?;
    Ok(())
}

fn in_the_foreground() -> Outcome {
    let (console, rig) = (console()?, Rig::new()?);
    let line = format!("{ATTACH} --foreground");
    let mut child = foreground::attached(&console, &rig, &line)?;
    settle();
    let dropped = drops(&rig);
    kill(Pid::from_raw(i32::try_from(child.id())?), Signal::SIGINT)?;
    child.wait()?;
    ensure!(dropped?, "the tail call falls through");
    Ok(())
}

/// What is attached by netlink has no pin that could hold the map.
fn not_by_netlink() -> Outcome {
    let (console, rig) = (console()?, Rig::new()?);
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
    let line = format!("{ATTACH} --mode generic --replace");
    let said = console.run_in(&rig, &line)?.ends(7)?;
    said.complains("program 'enters' would run without what map 'tails' holds")?
        .complains("ebpfld detach")?;
    ensure_eq!(console.status(&rig)?[0]["name"], "always_2", "what runs");
    console.run_in(&rig, "detach eth0")?.ends(0)?;
    Ok(())
}

fn moved_interface() -> Outcome {
    let (console, rig) = (console()?, Rig::new()?);
    console.run_in(&rig, ATTACH)?.ends(0)?;
    let link = link_pin(&console, &rig)?;
    let maps = pinned_beside(&link)?;
    rig.move_outside()?;
    // Replacing pins the link anew, beside its maps, in the namespace where it is now.
    let outside = |line: &str| {
        let mut command = console.command(line)?;
        rig.outside(move || crate::console::said(&mut command))
    };
    outside(&format!("{ATTACH} --replace"))?.ends(0)?;
    let folder = link.parent().ok_or("a pin without a folder")?;
    ensure!(!folder.exists(), "{} is left", folder.display());
    gone(maps[0])?;
    let said = outside("detach eth0")?.ends(0)?;
    said.prints("detached enters")?;
    Ok(())
}

fn timers() -> Outcome {
    let (console, rig) = (Console::new()?, Rig::new()?);
    let path = clang::compile(&clang::source("timer.c"), console.folder())?;
    fs::rename(path, console.folder().join("timer.o"))?;
    console.run_in(&rig, "attach eth0 timer.o")?.ends(0)?;
    settle();
    ensure!(!drops(&rig)?, "the kernel refuses to start a timer");
    ensure_eq!(
        pinned_beside(&link_pin(&console, &rig)?)?.len(),
        1,
        "the maps that are pinned"
    );
    console.run_in(&rig, "detach eth0")?.ends(0)?;
    Ok(())
}
