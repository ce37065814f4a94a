//! Rules that are tables: which fields a context has, who may call which helper, what may be
//! returned, by whom a program may be loaded, which types there can be. Every entry is a small
//! program, and whatever the kernel says of it the simulator shall say in the same words.
//!
//! The probes of a table are all enumerated; a run takes as many as it is told, spread evenly.
//! `EBPF_DIFFERENTIAL_CASES=10000000` takes all.

pub(crate) mod arguments;
pub(crate) mod attach_types;
pub(crate) mod callers;
pub(crate) mod contexts;
pub(crate) mod creation;
pub(crate) mod kinds;
pub(crate) mod loaders;
pub(crate) mod map_types;
mod maps;
pub(crate) mod pointers;
pub(crate) mod results;
pub(crate) mod types;

use ebpf_asm::assembler::Assembler;
use ebpf_asm::btf::{Kind, TypeId};
use ebpf_asm::insn::{Reg, encode_all};
use ebpf_asm::load_flags::BPF_F_SLEEPABLE;
use ebpf_asm::object::Object;
use ebpf_asm::prog_type::{AttachType, ProgType};
use ebpf_asm::program::{Program, Reference};
use ebpf_syscalls::Error;
use ebpf_syscalls::bpf::{ProgLoad, prog_load};
use ebpf_tests::kernel_types::{self, RUNNING};
use ebpf_tests::{Failed, Outcome, ensure};
use ebpf_verifier_sim::{Code, Config, Verdict, verify_with};
use maps::Maps;
use std::ops::ControlFlow;

/// How many disagreements are shown.
const SHOWN: usize = 20;

/// A program type with an attach type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) prog_type: ProgType,
    pub(crate) attach_type: Option<AttachType>,
}

/// The types of which programs load here.
fn loadable(prog_type: ProgType) -> bool {
    !matches!(
        prog_type,
        ProgType::Unspec
            | ProgType::LircMode2
            | ProgType::StructOps
            | ProgType::Ext
            | ProgType::Lsm
    )
}

/// The kernel's type that stands for what a tracing program is attached to, where programs
/// for such an attach type are loaded here.
fn target(attach_type: Option<AttachType>) -> Option<TypeId> {
    let btf = RUNNING.btf()?;
    match attach_type? {
        AttachType::TraceRawTp => btf.find("btf_trace_sched_switch", |kind| {
            matches!(kind, Kind::Typedef(_))
        }),
        AttachType::TraceIter => {
            btf.find("bpf_iter_task", |kind| matches!(kind, Kind::Func { .. }))
        }
        _ => None,
    }
}

/// All program types, with every attach type and without.
pub(crate) fn places() -> Vec<Place> {
    let types = ProgType::ALL.iter().copied().filter(|&ty| loadable(ty));
    let attached = AttachType::ALL.iter().copied().map(Some);
    let attached: Vec<_> = [None].into_iter().chain(attached).collect();
    types
        .flat_map(|prog_type| {
            attached.iter().map(move |&attach_type| Place {
                prog_type,
                attach_type,
            })
        })
        .filter(|place| place.prog_type != ProgType::Tracing || target(place.attach_type).is_some())
        .collect()
}

/// A number that programs may return anywhere they can be loaded.
pub(crate) fn harmless(place: Place) -> i32 {
    let name = place.attach_type.map_or("", AttachType::name);
    let certain = ["recvmsg", "getpeername", "getsockname"];
    i32::from(certain.iter().any(|end| name.ends_with(end)))
}

/// The places where programs can be loaded at all, one for each that the kernel treats alike.
pub(crate) fn distinct_places() -> Vec<Place> {
    let places = places().into_iter();
    places
        .filter(|place| {
            let restricted = matches!(
                place.prog_type,
                ProgType::CgroupSkb
                    | ProgType::CgroupSock
                    | ProgType::CgroupSockAddr
                    | ProgType::CgroupSockopt
                    | ProgType::SkReuseport
                    | ProgType::SkLookup
                    | ProgType::Netfilter
            );
            let special = matches!(
                (place.prog_type, place.attach_type),
                (ProgType::Xdp, Some(AttachType::XdpDevmap))
                    | (ProgType::Kprobe, Some(AttachType::TraceKprobeSession))
            );
            restricted || special || place.attach_type.is_none()
        })
        .filter(|&place| {
            let program = program(place, |a| {
                a.mov(Reg::R0, harmless(place)).exit();
            });
            let mut maps = Maps::default();
            program.is_ok_and(|program| in_kernel(&object(program, "GPL"), &mut maps).is_ok())
        })
        .collect()
}

/// A program of these instructions.
pub(crate) fn program(place: Place, write: impl FnOnce(&mut Assembler)) -> Outcome<Program> {
    let mut a = Assembler::new("probe");
    write(&mut a);
    let mut program = a
        .finish("socket")
        .map_err(|error| Failed::from(error.to_string()))?;
    program.prog_type = place.prog_type;
    program.expected_attach_type = place.attach_type;
    if place.prog_type == ProgType::Tracing {
        program.attach_btf_id = target(place.attach_type);
    }
    Ok(program)
}

/// An object with this program only.
pub(crate) fn object(program: Program, license: &str) -> Object {
    Object {
        license: license.to_owned(),
        programs: vec![program],
        ..Object::default()
    }
}

/// Nothing, or the kernel's log, which is empty where it says no more than an error number.
fn in_kernel(object: &Object, maps: &mut Maps) -> Result<(), String> {
    let Some(program) = object.programs.first() else {
        return Err("no program".to_owned());
    };
    let insns = referring(object, program, maps)
        .map_err(|failed| failed.message().unwrap_or("no maps").to_owned())?;
    let sleepable = program.prog_type == ProgType::Syscall;
    let loaded = prog_load(&ProgLoad {
        prog_type: program.prog_type.number(),
        expected_attach_type: program.expected_attach_type.map_or(0, AttachType::number),
        attach_btf_id: program.attach_btf_id.map_or(0, |id| id.0),
        prog_flags: if sleepable { BPF_F_SLEEPABLE } else { 0 },
        name: "probe",
        insns: &insns,
        license: &object.license,
        btf: maps.btf(object),
        ..ProgLoad::default()
    });
    match loaded {
        Ok(_) => Ok(()),
        Err(Error::Refused { log, .. }) => Err(log),
        Err(_) => Err(String::new()),
    }
}

/// The program's bytes, with the descriptors of its maps where it refers to them.
fn referring(object: &Object, program: &Program, maps: &mut Maps) -> Outcome<Vec<u8>> {
    let mut bytes = encode_all(&program.insns);
    let descriptors = maps.of(object)?;
    for &(slot, reference) in &program.references {
        let mut put = |slot: usize, number: [u8; 4]| {
            let imm = slot * 8 + 4;
            bytes[imm..imm + 4].copy_from_slice(&number);
        };
        let (map, offset) = match reference {
            Reference::Map(map) => (map, 0),
            Reference::MapValue { map, offset } => (map, offset),
            Reference::Extern(index) => {
                let name = &object.externs.get(index).ok_or("no such extern")?.name;
                let number = kernel_types::function(name).ok_or("no such function")?;
                put(slot, number.to_le_bytes());
                continue;
            }
        };
        let descriptor = descriptors.get(map).ok_or("no such map")?;
        put(slot, descriptor.to_le_bytes());
        put(slot + 1, offset.to_le_bytes());
    }
    Ok(bytes)
}

/// What became of a probe.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    accepted: usize,
    refused: usize,
    /// The simulator promised nothing.
    open: usize,
}

/// Compares the simulator with the kernel on so many of the objects.
pub(crate) fn agree(
    what: &str,
    config: &Config,
    cases: u32,
    probes: impl ExactSizeIterator<Item = Outcome<Object>>,
) -> Outcome {
    let every = (probes.len() / cases.max(1) as usize).max(1);
    let mut counts = Counts::default();
    let mut wrong = Vec::new();
    let mut maps = Maps::default();
    for object in probes.step_by(every) {
        if let ControlFlow::Break(text) = one(config, &object?, &mut maps, &mut counts) {
            wrong.push(text);
        }
    }
    println!("{what}: {counts:?}, one of {every}");
    ensure!(wrong.is_empty(), "{what}: {}", summary(&wrong));
    ensure!(
        counts.accepted > 0 && counts.refused > 0,
        "{what}: nothing was compared: {counts:?}"
    );
    Ok(())
}

/// Disagreements by what was said, with the first program of each kind.
fn summary(wrong: &[Disagreement]) -> String {
    let mut kinds: Vec<(&str, usize, &Disagreement)> = Vec::new();
    for one in wrong {
        match kinds.iter_mut().find(|(said, _, _)| *said == one.said) {
            Some((_, count, _)) => *count += 1,
            None => kinds.push((&one.said, 1, one)),
        }
    }
    let mut text = format!("{} disagreements, of {} kinds", wrong.len(), kinds.len());
    for (said, count, _) in &kinds {
        text += &format!("\n{count:6} {said}");
    }
    for (_, _, first) in kinds.iter().take(SHOWN) {
        text += &format!("\n\n{}", first.program);
    }
    text
}

/// A program of which simulator and kernel say different things.
#[derive(Debug)]
struct Disagreement {
    /// What they say.
    said: String,
    /// The program, and all that the kernel says.
    program: String,
}

/// The last line of a log that says something: behind it are only numbers.
fn last_words(log: &str) -> &str {
    let mut lines = log.lines().rev();
    let counts = [
        "processed ",
        "verification time",
        "stack depth",
        "mark_read",
    ];
    lines
        .find(|line| !line.is_empty() && !counts.iter().any(|count| line.starts_with(count)))
        .unwrap_or("nothing")
}

/// Compares one program; breaks with a description where the answers differ.
fn one(
    config: &Config,
    object: &Object,
    maps: &mut Maps,
    counts: &mut Counts,
) -> ControlFlow<Disagreement> {
    let Some(program) = object.programs.first() else {
        return ControlFlow::Continue(());
    };
    let kernels = in_kernel(object, maps);
    let simulated = verify_with(object, program, config, &RUNNING);
    let differ = |ours: &str, kernels: &str| {
        let last = last_words(kernels);
        let mut text = format!(
            "{} {:?}: the simulator says '{ours}', the kernel: {kernels}\n",
            program.prog_type, program.expected_attach_type
        );
        // Writing to a string cannot fail.
        let _ = ebpf_asm::text::print_program(&mut text, object, program);
        ControlFlow::Break(Disagreement {
            said: format!("the simulator '{ours}', the kernel '{last}'"),
            program: text,
        })
    };
    match (&simulated, &kernels) {
        (Verdict::Accepted(..), Ok(())) => counts.accepted += 1,
        (Verdict::Accepted(..), Err(log)) => return differ("accepted", log),
        (Verdict::Rejected(why), _) if why.code == Code::NotModelled => counts.open += 1,
        (Verdict::Rejected(why), Ok(())) => return differ(&why.message, "accepted"),
        // Without a log there are no words to compare.
        (Verdict::Rejected(_), Err(log)) if log.is_empty() => counts.refused += 1,
        (Verdict::Rejected(why), Err(log)) => {
            if !log.lines().any(|line| line.starts_with(&why.message)) {
                return differ(&why.message, log);
            }
            counts.refused += 1;
        }
    }
    ControlFlow::Continue(())
}
