//! `ebpfld demo`: the same table from the kernel and from the interpreter, and nothing left.

use std::collections::BTreeSet;
use std::os::fd::AsFd;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use ebpf_syscalls::bpf;
use ebpf_tests::rig::Rig;
use ebpf_tests::{Outcome, ensure, ensure_eq};
use libtest_mimic::Trial;

use crate::console::Console;
use crate::kernel;

/// How often to look whether the kernel has taken everything apart, 50 ms each.
const ROUNDS: u32 = 200;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        kernel("demo::two_ways_to_one_table", two_ways),
        kernel("demo::killed", killed),
    ]
}

fn two_ways() -> Outcome {
    let (console, rig) = (Console::new()?, Rig::new()?);
    let real = console.run_in(&rig, "demo")?.ends(0)?;
    let simulated = console.run_as_nobody(&rig, "demo")?.ends(0)?;
    let simulated = simulated.complains("no real packets are sent: that needs root")?;
    let (real, simulated) = (table(&real.out), table(&simulated.out));
    ensure_eq!(real, simulated, "the kernel's table and the interpreter's");
    let dropped = |row: &&Vec<String>| row.last().is_some_and(|cell| cell != "0");
    let kinds: Vec<_> = real.iter().filter(dropped).map(|row| &row[0]).collect();
    ensure_eq!(kinds, ["ICMP"], "what is dropped");
    ensure_eq!(real.len(), 5, "kinds of packets");
    Ok(())
}

/// The rows of the table behind its heading, in words.
fn table(out: &str) -> Vec<Vec<String>> {
    let rows = out.lines().skip_while(|line| !line.starts_with("PACKETS"));
    let rows = rows.skip(1).take_while(|line| !line.is_empty());
    rows.map(|row| row.split_whitespace().map(str::to_owned).collect())
        .collect()
}

/// Whenever it is killed, no program of its remains.
fn killed() -> Outcome {
    let console = Console::new()?;
    let before = programs()?;
    for delay_ms in [20, 60, 120, 200, 300] {
        let mut command = console.command("demo")?;
        command.stdout(Stdio::null());
        let mut child = command.spawn()?;
        thread::sleep(Duration::from_millis(delay_ms));
        child.kill()?;
        child.wait()?;
    }
    // The kernel takes things apart after the process is gone. What other trials have loaded
    // meanwhile goes as well.
    let mut left: BTreeSet<u32> = programs()?.difference(&before).copied().collect();
    for _ in 0..ROUNDS {
        if left.is_empty() {
            break;
        }
        thread::sleep(Duration::from_millis(50));
        left = left.intersection(&programs()?).copied().collect();
    }
    ensure!(left.is_empty(), "programs are left: {left:?}");
    Ok(())
}

/// The programs of the machine that are `xdp_drop_icmp`.
fn programs() -> Outcome<BTreeSet<u32>> {
    let mut found = BTreeSet::new();
    for id in bpf::prog_ids() {
        let id = id?;
        // One that has gone meanwhile is none.
        let info = bpf::prog_get_fd_by_id(id).and_then(|fd| bpf::prog_info(fd.as_fd()));
        if info.is_ok_and(|info| info.name == "xdp_drop_icmp") {
            found.insert(id);
        }
    }
    Ok(found)
}
