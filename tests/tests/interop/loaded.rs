//! The same account of an object as libbpf's, from what our loader makes of it.

use std::os::fd::AsFd;

use ebpf_asm::map_type::MapType;
use ebpf_asm::object::{self, Object, Pinning};
use ebpf_loader::{Loader, Program};
use ebpf_syscalls::bpf::{self, TestRun};
use ebpf_tests::Outcome;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

use crate::witness::{Account, frames, hex};

/// What is compared.
pub(crate) const ABOUT: [&str; 3] = ["load", "run", "element"];

/// Loads all programs together, or each alone if that fails, runs them on all frames, and
/// looks into the maps. Also: what the kernel said of programs that it refused.
pub(crate) fn account(object: &Object) -> Outcome<(Account, String)> {
    on_first_cpu()?;
    let object = &without_pins(object);
    let (mut lines, mut said) = (Vec::new(), String::new());
    let mut loader = Loader::new(object);
    let names = object.programs.iter().map(|program| &program.name);
    let all: Option<Vec<Program>> = names.map(|name| loader.load(name).ok()).collect();
    if let Some(programs) = all {
        for program in &programs {
            lines.extend(runs(program));
        }
        for map in &object.maps {
            match elements(&mut loader, map) {
                Ok(found) => lines.extend(found),
                Err(error) => said += &format!("{}: {:?}\n", map.name, error.message()),
            }
        }
        return Ok((Account::new(lines), said));
    }
    for program in &object.programs {
        match Loader::new(object).load(&program.name) {
            Ok(program) => lines.extend(runs(&program)),
            Err(error) => {
                said += &format!("{}: {error}\n", program.name);
                lines.push(format!("load {} refused", program.name));
            }
        }
    }
    Ok((Account::new(lines), said))
}

/// libbpf's account with the numbers of its errors taken out, which are its own.
pub(crate) fn theirs(account: &Account) -> Account {
    account.about(&ABOUT).map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["load", name, number] if number != "0" => format!("load {name} refused"),
            ["run", name, frame, "error", _] => format!("run {name} {frame} error"),
            _ => line.clone(),
        }
    })
}

/// Values for each CPU are the same in every run.
fn on_first_cpu() -> Outcome {
    let mut first = CpuSet::new();
    first.set(0)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &first)?)
}

fn runs(program: &Program) -> Vec<String> {
    let name = program.name();
    let mut lines = vec![format!("load {name} 0")];
    let mut out = vec![0; 4096];
    for (number, frame) in frames().iter().enumerate() {
        let run = TestRun {
            data: frame,
            ..TestRun::default()
        };
        lines.push(match program.test_run(&run, &mut out) {
            Ok(result) => {
                let after = out.get(..result.data_size_out).unwrap_or_default();
                let retval = result.retval;
                format!("run {name} {number} returns {retval} {}", hex(after))
            }
            Err(_) => format!("run {name} {number} error"),
        });
    }
    lines
}

/// What one run leaves in a pinned map would change the next.
fn without_pins(object: &Object) -> Object {
    let mut object = object.clone();
    for map in &mut object.maps {
        map.pinning = Pinning::None;
    }
    object
}

fn elements(loader: &mut Loader<'_>, definition: &object::Map) -> Outcome<Vec<String>> {
    let (name, map_type) = (&definition.name, definition.map_type);
    let mut lines = Vec::new();
    if definition.key_size == 0 {
        return Ok(lines);
    }
    let map = loader.map(name)?.ok_or("a map of the object is missing")?;
    for key in map.keys() {
        // Some types cannot be read.
        let Some((key, value)) = key.ok().and_then(|key| {
            let value = map.lookup(&key).ok()??;
            Some((key, value))
        }) else {
            continue;
        };
        let is_array = matches!(map_type, MapType::Array | MapType::PercpuArray);
        if is_array && value.iter().all(|byte| *byte == 0) {
            continue;
        }
        let value = named(map_type, &value).unwrap_or_else(|| hex(&value));
        lines.push(format!("element {name} {} {value}", hex(&key)));
    }
    Ok(lines)
}

/// The name of the map or program that an element stands for.
fn named(map_type: MapType, value: &[u8]) -> Option<String> {
    let id = u32::from_le_bytes(value.try_into().ok()?);
    match map_type {
        MapType::ArrayOfMaps | MapType::HashOfMaps => {
            let map = ebpf_loader::Map::open(id).ok()?;
            Some(map.name().to_owned())
        }
        MapType::ProgArray => {
            let program = bpf::prog_get_fd_by_id(id).ok()?;
            Some(bpf::prog_info(program.as_fd()).ok()?.name)
        }
        _ => None,
    }
}
