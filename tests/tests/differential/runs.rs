//! What helpers and functions of the kernel do, in programs of all types that the kernel runs
//! for a test: the programs of `tests/c/runs`, run by the interpreter and by the kernel.

use std::fs;
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};

use ebpf_asm::map_type::MapType;
use ebpf_asm::object;
use ebpf_asm::prog_type::ProgType;
use ebpf_loader::{Loader, UpdateMode};
use ebpf_syscalls::bpf::TestRun;
use ebpf_tests::subjects::{self, Subject};
use ebpf_tests::{Outcome, clang, ensure, ensure_eq, kernel_types, workspace};
use ebpf_verifier_sim::interp::{Input, Machine, Packet, Takes, takes};

/// The length of the packet and of the context, in bytes.
const LENGTH: usize = 64;

/// The Ethernet header, which programs behind the link layer do not see.
const ETHERNET: usize = 14;

pub(crate) fn agree() -> Outcome {
    let mut files: Vec<PathBuf> = fs::read_dir(workspace().join("tests/c/runs"))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Outcome<_>>()?;
    files.retain(|path| path.extension().is_some_and(|known| known == "c"));
    files.sort();
    ensure!(!files.is_empty(), "there are no programs");
    let mut differ = String::new();
    for path in &files {
        if let Err(failed) = same_result(path) {
            let why = failed.message().unwrap_or_default();
            differ += &format!("{}: {why}\n", path.display());
        }
    }
    ensure!(differ.is_empty(), "{differ}");
    Ok(())
}

fn same_result(path: &Path) -> Outcome {
    let folder = tempfile::tempdir()?;
    let compiled = fs::read(clang::compile(path, folder.path())?)?;
    let subject = Subject::new(kernel_types::relocated(object::read(&compiled)?)?)?;
    let ours = interpreted(&subject)?;
    let kernels = in_the_kernel(&subject)?;
    ensure_eq!(ours, kernels, "the interpreter's result, and the kernel's");
    Ok(())
}

/// Bytes of which no two neighbours are the same.
fn bytes() -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..LENGTH).map(|at| (at * 37 + 11) as u8).collect();
    // IPv4, so that the kernel leaves the packet to the program.
    bytes[12..14].copy_from_slice(&[8, 0]);
    bytes
}

fn interpreted(subject: &Subject) -> Outcome<u32> {
    let mut machine = Machine::new(&subject.object)?;
    for name in prog_arrays(subject) {
        machine.set_program(name, 0, &subject.program)?;
    }
    let prog_type = subject.object.programs[0].prog_type;
    let bytes = bytes();
    let input = match takes(prog_type).ok_or("a type that is not modelled")? {
        Takes::Context { .. } => Input::Context(bytes),
        Takes::Packet if has_link_layer(prog_type) => Input::Packet(Packet::new(&bytes)),
        Takes::Packet => Input::Packet(Packet::new(&bytes[ETHERNET..])),
    };
    Ok(machine.run(&subject.program, input)?.ret)
}

fn has_link_layer(prog_type: ProgType) -> bool {
    matches!(prog_type, ProgType::Xdp | ProgType::SchedCls)
}

fn in_the_kernel(subject: &Subject) -> Outcome<u32> {
    let mut loader = Loader::new(&subject.object);
    let program = subjects::load(&mut loader, &subject.program)?;
    for name in prog_arrays(subject) {
        let map = loader.map(name)?.ok_or("the map was not made")?;
        let fd = program.as_fd().as_raw_fd().to_ne_bytes();
        map.update(&0u32.to_ne_bytes(), &fd, UpdateMode::Any)?;
    }
    let bytes = bytes();
    let prog_type = subject.object.programs[0].prog_type;
    let run = match takes(prog_type) {
        Some(Takes::Packet) => TestRun {
            data: &bytes,
            ..TestRun::default()
        },
        _ => TestRun {
            ctx: &bytes,
            ..TestRun::default()
        },
    };
    let mut after = match run.data.len() {
        0 => Vec::new(),
        _ => vec![0; LENGTH],
    };
    Ok(program.test_run(&run, &mut after)?.retval)
}

/// The maps that have the program itself at their first place.
fn prog_arrays(subject: &Subject) -> impl Iterator<Item = &str> {
    let maps = subject.object.maps.iter();
    let arrays = maps.filter(|map| map.map_type == MapType::ProgArray);
    arrays.map(|map| map.name.as_str())
}
