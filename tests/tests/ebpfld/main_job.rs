//! Attach, look, replace, detach.

use std::fs;

use ebpf_tests::rig::Rig;
use ebpf_tests::{Outcome, ensure, ensure_eq, frames};
use libtest_mimic::Trial;

use crate::console::Console;
use crate::kernel;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        kernel("main_job::the_object_built_last", built_last),
        kernel("main_job::status_says_what_runs", status),
        kernel("main_job::replace", replace),
        kernel("main_job::a_name_with_a_dot", a_name_with_a_dot),
        kernel("main_job::a_rejected_program", rejected),
        kernel("main_job::doctor", doctor),
    ]
}

fn built_last() -> Outcome {
    let (console, rig) = (Console::new()?, Rig::new()?);
    let objects = console.folder().join("target/bpf");
    fs::create_dir_all(&objects)?;
    fs::copy(console.folder().join("drop.o"), objects.join("drop_icmp.o"))?;
    let said = console.run_in(&rig, "attach eth0")?.ends(0)?;
    said.complains("using target/bpf/drop_icmp.o, built just now, sha256 ")?
        .prints("attached xdp_drop_icmp to eth0 in native mode, by link ")?
        .complains("to undo it: ebpfld detach eth0")?;
    let wire = rig.wire()?;
    ensure!(!wire.passes(&frames::icmp_echo(1))?, "ICMP passed");
    ensure!(wire.passes(&frames::udp(5000))?, "UDP was dropped");
    let detached = console.run_in(&rig, "detach eth0")?.ends(0)?;
    detached.prints("detached xdp_drop_icmp (id ")?;
    ensure!(wire.passes(&frames::icmp_echo(2))?, "ICMP is still dropped");
    let again = console.run_in(&rig, "detach eth0")?.ends(5)?;
    again.complains("eth0 runs no XDP program")?;
    Ok(())
}

fn status() -> Outcome {
    let (console, rig) = (Console::new()?, Rig::new()?);
    let idle = console.run_in(&rig, "status")?.ends(0)?;
    idle.prints("no interface runs an XDP program")?;
    console.run_in(&rig, "attach eth0 drop.o")?.ends(0)?;
    let status = console.status(&rig)?;
    let [program] = status.as_slice() else {
        return Err(format!("one program was expected: {status:?}").into());
    };
    for (field, value) in [
        ("interface", "eth0"),
        ("name", "xdp_drop_icmp"),
        ("mode", "native"),
        ("attached_by", "link"),
    ] {
        ensure_eq!(program[field], value, "{field}");
    }
    ensure_eq!(program["ours"], true, "ours");
    for field in ["id", "link_id", "loaded_unix_s"] {
        ensure!(program[field].is_u64(), "{field} is a number: {program}");
    }
    let pin = program["pin"].as_str().unwrap_or_default();
    ensure!(fs::metadata(pin).is_ok(), "{pin} is there");
    let table = console.run_in(&rig, "status")?.ends(0)?;
    table.prints("INTERFACE  PROGRAM")?.prints(pin)?;
    // Without privileges there is less to say, and no error.
    let less = console.run_as_nobody(&rig, "status")?.ends(0)?;
    less.prints("eth0")?.complains("as root")?;
    console.run_in(&rig, "detach eth0")?.ends(0)?;
    ensure!(fs::metadata(pin).is_err(), "{pin} is gone");
    Ok(())
}

fn replace() -> Outcome {
    let (console, rig) = (Console::new()?, Rig::new()?);
    console.run_in(&rig, "attach eth0 pass.o")?.ends(0)?;
    let before = console.status(&rig)?;
    let said = console
        .run_in(&rig, "attach eth0 drop.o --replace")?
        .ends(0)?;
    said.prints("attached xdp_drop_icmp to eth0 in native mode instead of always_2 (id ")?;
    let after = console.status(&rig)?;
    ensure_eq!(after[0]["link_id"], before[0]["link_id"], "the link stays");
    ensure_eq!(after[0]["name"], "xdp_drop_icmp", "the program");
    console.run_in(&rig, "detach eth0")?.ends(0)?;
    Ok(())
}

fn a_name_with_a_dot() -> Outcome {
    let (console, rig) = (Console::new()?, Rig::named("eth0.100")?);
    console.run_in(&rig, "attach eth0.100 pass.o")?.ends(0)?;
    let near = console.run_in(&rig, "attach eth0.10 pass.o")?.ends(5)?;
    near.complains("did you mean eth0.100?")?;
    ensure_eq!(
        console.status(&rig)?[0]["interface"],
        "eth0.100",
        "its name"
    );
    console.run_in(&rig, "detach eth0.100")?.ends(0)?;
    Ok(())
}

fn rejected() -> Outcome {
    let (console, rig) = (Console::new()?, Rig::new()?);
    let said = console.run_in(&rig, "attach eth0 unsafe.o")?.ends(3)?;
    said.complains(
        "error: the kernel rejects program 'reads_unchecked': invalid access to packet",
    )?
    .complains("--log")?;
    let log = console
        .run_in(&rig, "attach eth0 unsafe.o --log")?
        .ends(3)?;
    log.complains("processed ")?;
    ensure!(console.status(&rig)?.is_empty(), "something is attached");
    Ok(())
}

fn doctor() -> Outcome {
    let (console, rig) = (Console::new()?, Rig::new()?);
    let said = console.run_in(&rig, "doctor")?.ends(0)?;
    said.prints("CAP_BPF")?
        .prints("bpffs")?
        .prints("veth, up, MTU 1500")?;
    let said = console.run_as_nobody(&rig, "doctor")?.ends(4)?;
    said.prints("missing  CAP_NET_ADMIN")?;
    Ok(())
}
