//! What attaching a built object costs: CPU time and memory. The wall time is the kernel's
//! own, which waits for all CPUs (RCU).

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use ebpf_asm::insn::encode_all;
use ebpf_asm::object;
use ebpf_loader::Xdp;
use ebpf_tests::rig::Rig;
use ebpf_tests::{Outcome, clang, commands, subjects, tool};

use crate::stats::{head, median, row};

/// How often each is measured.
const ROUNDS: usize = 21;

/// Where the loaders in C pin their links, in the sandbox's bpffs.
const PIN: &str = "/sys/fs/bpf/bench";

/// How often it is looked whether an attachment is gone.
const ATTEMPTS: u32 = 1000;

/// A loader, and the commands that it takes, one after the other.
type Loader = (&'static str, Vec<Vec<String>>);

/// What one attachment took.
#[derive(Default, Clone, Copy)]
struct Cost {
    wall_ms: f64,
    cpu_ms: f64,
    resident_mib: f64,
}

pub(crate) fn print() -> Outcome {
    let folder = tempfile::tempdir()?;
    let measure = clang::link_libbpf(&clang::source("measure.c"), folder.path())?;
    let loaders = loaders(folder.path())?;
    let rig = Rig::new()?;
    let mut costs = vec![Vec::new(); loaders.len()];
    for _ in 0..ROUNDS {
        for ((_, commands), costs) in loaders.iter().zip(&mut costs) {
            costs.push(rig.inside(|| attach(&measure, commands))?);
            rig.inside(|| clean(&rig.interface))?;
        }
    }
    head(&[
        "loader",
        "CPU ms, median",
        "ratio to raw",
        "resident MiB",
        "ratio to raw",
        "wall ms",
    ]);
    let mut raw: Option<Cost> = None;
    for ((name, _), costs) in loaders.iter().zip(costs) {
        let of = |part: fn(&Cost) -> f64| median(costs.iter().map(part).collect());
        let (cpu, memory) = (of(|c| c.cpu_ms), of(|c| c.resident_mib));
        let raw = *raw.get_or_insert(Cost {
            cpu_ms: cpu,
            resident_mib: memory,
            ..Cost::default()
        });
        row(&[
            (*name).to_owned(),
            format!("{cpu:.2}"),
            format!("{:.2}", cpu / raw.cpu_ms),
            format!("{memory:.2}"),
            format!("{:.2}", memory / raw.resident_mib),
            format!("{:.1}", of(|c| c.wall_ms)),
        ]);
    }
    Ok(())
}

/// All loaders, with the same program.
fn loaders(folder: &Path) -> Outcome<Vec<Loader>> {
    let subject = subjects::drop_icmp()?;
    let object = folder.join("drop_icmp.o");
    fs::write(&object, object::write(&subject.object)?)?;
    let raw = folder.join("drop_icmp.bin");
    fs::write(&raw, encode_all(&subject.object.programs[0].insns))?;
    let c = |name: &str| clang::link_libbpf(&clang::source(name), folder);
    let command = |program: &Path, arguments: &[&str]| {
        let program = program.display().to_string();
        let arguments = arguments.iter().map(|argument| (*argument).to_owned());
        std::iter::once(program)
            .chain(arguments)
            .collect::<Vec<_>>()
    };
    let object = object.display().to_string();
    let bpftool = tool::find("bpftool").ok_or("no bpftool")?;
    // A copy, as `cargo install` makes one and as bpftool is one: pages of a file that a linker
    // has written through a mapping cost more to map.
    let ebpfld = folder.join("ebpfld");
    fs::copy(&commands::built()?.ebpfld, &ebpfld)?;
    Ok(vec![
        (
            "system calls, in C",
            vec![command(
                &c("raw_attach.c")?,
                &["eth0", &raw.display().to_string(), PIN],
            )],
        ),
        (
            "`ebpfld attach`",
            vec![command(&ebpfld, &["attach", "eth0", &object])],
        ),
        (
            "libbpf, in C",
            vec![command(&c("libbpf_attach.c")?, &["eth0", &object, PIN])],
        ),
        (
            "`bpftool prog load` and `net attach`",
            vec![
                command(&bpftool, &["prog", "load", &object, PIN]),
                command(
                    &bpftool,
                    &["net", "attach", "xdpdrv", "pinned", PIN, "dev", "eth0"],
                ),
            ],
        ),
    ])
}

/// Runs a loader's commands, adding up their times.
fn attach(measure: &Path, commands: &[Vec<String>]) -> Outcome<Cost> {
    let mut total = Cost::default();
    for command in commands {
        let printed = tool::output(Command::new(measure).args(command))?;
        let numbers: Vec<f64> = printed.split_whitespace().flat_map(str::parse).collect();
        let [wall_us, cpu_us, resident_kib] = numbers[..] else {
            return Err(format!("measured: {printed}").into());
        };
        total.wall_ms += wall_us / 1e3;
        total.cpu_ms += cpu_us / 1e3;
        total.resident_mib = total.resident_mib.max(resident_kib / 1024.0);
    }
    Ok(total)
}

/// Takes off what a loader attached, and waits until it is gone: the kernel takes a link
/// apart some time after its pin has been removed.
fn clean(interface: &str) -> Outcome {
    let _ = fs::remove_file(PIN);
    let mut xdp = Xdp::open()?;
    let interface = xdp.interface(interface)?;
    for _ in 0..ATTEMPTS {
        if xdp.attachments(&interface)?.is_empty() {
            return Ok(());
        }
        // What is about to go on its own cannot be detached.
        let _ = xdp.detach(&interface);
        thread::sleep(Duration::from_millis(2));
    }
    Err("what was attached does not go".into())
}
