//! What a user, a driver or a system lacks.

use ebpf_tests::rig::Rig;
use ebpf_tests::{Outcome, ensure, sandbox};
use libtest_mimic::Trial;

use crate::console::{Console, said};
use crate::kernel;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        kernel("machine::no_permission", no_permission),
        kernel("machine::modes_that_drivers_lack", modes),
        kernel("machine::a_large_mtu", a_large_mtu),
        kernel("machine::no_bpffs", no_bpffs),
    ]
}

fn no_permission() -> Outcome {
    let (console, rig) = (Console::new()?, Rig::new()?);
    let attach = console.run_as_nobody(&rig, "attach eth0 drop.o")?.ends(4)?;
    attach
        .complains("CAP_BPF and CAP_NET_ADMIN missing")?
        .complains("sudo")?;
    console.run_in(&rig, "attach eth0 drop.o")?.ends(0)?;
    let detach = console.run_as_nobody(&rig, "detach eth0")?.ends(4)?;
    detach.complains("help: run it as root")?;
    console.run_in(&rig, "detach eth0")?.ends(0)?;
    Ok(())
}

fn modes() -> Outcome {
    let (console, rig) = (Console::new()?, Rig::new()?);
    let native = console.run_in(&rig, "attach lo drop.o")?.ends(7)?;
    native
        .complains("native mode")?
        .complains("--mode generic")?;
    let offload = console.run_in(&rig, "attach eth0 drop.o --mode offload")?;
    offload.ends(7)?.complains("(veth)")?;
    let generic = console.run_in(&rig, "attach lo drop.o --mode generic")?;
    generic.ends(0)?.prints("in generic mode")?;
    console.run_in(&rig, "detach lo")?.ends(0)?;
    Ok(())
}

fn a_large_mtu() -> Outcome {
    let (console, rig) = (Console::new()?, Rig::new()?);
    rig.set_sender_mtu(9000)?;
    let said = console.run_in(&rig, "attach eth0 drop.o")?.ends(7)?;
    said.complains("MTU")?.complains("--mode generic")?;
    ensure!(console.status(&rig)?.is_empty(), "something is attached");
    Ok(())
}

/// The mount is made only where it is asked for, and then it is said.
fn no_bpffs() -> Outcome {
    let (console, rig) = (Console::new()?, Rig::new()?);
    let run = |line: &str| said(&mut console.command(line)?);
    rig.inside(|| {
        sandbox::leave_bpffs()?;
        let without = run("attach eth0 drop.o")?.ends(7)?;
        without
            .complains("no bpffs is mounted at /sys/fs/bpf")?
            .complains("mount -t bpf bpf /sys/fs/bpf")?
            .complains("--mount-bpffs")?;
        run("doctor")?.ends(7)?.prints("missing  bpffs")?;
        let mounted = run("attach eth0 drop.o --mount-bpffs")?.ends(0)?;
        mounted.complains("bpffs is now mounted at /sys/fs/bpf")?;
        run("detach eth0")?.ends(0)?;
        Ok(())
    })
}
