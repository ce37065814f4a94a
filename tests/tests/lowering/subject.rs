//! A recording held to the law, on packets that its seed makes.

use std::collections::BTreeMap;
use std::fmt;
use std::os::fd::AsFd;

use ebpf_asm::object::Object;
use ebpf_asm::target::Target;
use ebpf_dsl::Unit;
use ebpf_dsl::recording::{MapType, Recording};
use ebpf_loader::Loader;
use ebpf_syscalls::bpf::{TestRun, prog_test_run};
use ebpf_verifier_sim::interp::{Machine, Packet};
use ebpf_verifier_sim::{Config, Decor, Verdict, verify};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

use crate::evaluate::{Contents, Run, World};
use crate::random::Random;

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Law {
    /// The interpreter does what the recording says.
    Interpreter,
    /// Our verifier takes the program.
    Verifier,
    /// The kernel takes the program, and does what the recording says.
    Kernel,
}

impl fmt::Display for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Law::Interpreter => "interpreter",
            Law::Verifier => "verifier",
            Law::Kernel => "kernel",
        })
    }
}

/// How a recording breaks the law.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    /// In few words; what stays the same while the recording is made smaller.
    pub(crate) kind: String,
    detail: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.kind, self.detail)
    }
}

fn broken(kind: impl Into<String>, detail: impl fmt::Display) -> Broken {
    Broken {
        kind: kind.into(),
        detail: detail.to_string(),
    }
}

/// A recording, and the packets that it is tried on.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    pub(crate) recording: Recording,
    packets: Vec<Vec<u8>>,
    target: Target,
}

impl Subject {
    pub(crate) fn new(recording: Recording, mut random: Random) -> Self {
        let packets = (0..6).map(|_| random.packet(14..=90)).collect();
        Subject::on(recording, packets)
    }

    pub(crate) fn on(recording: Recording, packets: Vec<Vec<u8>>) -> Self {
        Subject {
            recording,
            packets,
            target: Target::default(),
        }
    }

    pub(crate) fn with(&self, recording: Recording) -> Self {
        Subject {
            recording,
            packets: self.packets.clone(),
            target: self.target,
        }
    }

    /// The same, compiled for a target.
    pub(crate) fn for_target(self, target: Target) -> Self {
        Subject { target, ..self }
    }

    fn compile(&self) -> Result<Object, Broken> {
        let unit = Unit::from_recording(self.recording.clone());
        ebpf_asm::compile_for(&unit, self.target).map_err(|error| broken("does not compile", error))
    }

    /// Whether the recording itself is sound.
    pub(crate) fn is_valid(&self) -> bool {
        let checked = Unit::from_recording(self.recording.clone()).check();
        checked.is_ok() && self.expected().is_ok()
    }

    /// What each packet leads to, and what the maps hold behind it.
    fn expected(&self) -> Result<Vec<(Run, Vec<Contents>)>, Broken> {
        let mut world = World::new(&self.recording);
        let mut all = Vec::new();
        for packet in &self.packets {
            for program in &self.recording.programs {
                let run = world.run(program, packet);
                let run = run.map_err(|invalid| broken("invalid recording", invalid.0))?;
                all.push((run, world.contents()));
            }
        }
        Ok(all)
    }

    pub(crate) fn check(&self, law: Law) -> Result<(), Broken> {
        let object = match self.compile() {
            // The generator knows nothing of what is spilled.
            Err(broken) if broken.detail.contains("bytes of stack") => return Ok(()),
            // Only this cannot be done otherwise.
            Err(broken) if self.divides_signed(&broken) => return Ok(()),
            object => object?,
        };
        match law {
            Law::Interpreter => self.interpret(&object),
            Law::Verifier => verified(&object),
            Law::Kernel => self.in_kernel(&object),
        }
    }

    /// Whether a program was refused because its target has no signed division.
    fn divides_signed(&self, broken: &Broken) -> bool {
        let named = |name| broken.detail.contains(&format!("has no {name} "));
        named("SDIV") || named("SMOD")
    }

    fn interpret(&self, object: &Object) -> Result<(), Broken> {
        let mut machine = Machine::new(object).map_err(|error| broken("no machine", error))?;
        let mut expected = self.expected()?.into_iter();
        for packet in &self.packets {
            for program in &object.programs {
                let input = Packet::new(packet).ingress_ifindex(crate::INGRESS_IFINDEX as u32);
                let run = machine.run(&program.name, input);
                let run = run.map_err(|error| broken(first_words(&error.to_string()), error))?;
                let is = Run {
                    ret: run.ret,
                    packet: run.packet,
                };
                let Some((should, contents)) = expected.next() else {
                    continue;
                };
                same("interpreter", packet, &is, &should)?;
                for (map, should) in self.recording.maps.iter().zip(&contents) {
                    let is = interpreted(&mut machine, &map.name);
                    same_contents("interpreter", packet, &map.name, &is, should)?;
                }
            }
        }
        Ok(())
    }

    fn in_kernel(&self, object: &Object) -> Result<(), Broken> {
        on_first_cpu()?;
        let mut loader = Loader::new(object);
        let refused = |error| match error {
            ebpf_loader::Error::Rejected(why) => {
                broken(first_words(&why.to_string()), format!("{why}\n{}", why.log))
            }
            error => broken("not loaded", error),
        };
        let mut programs = Vec::new();
        for program in &object.programs {
            programs.push(loader.load(&program.name).map_err(refused)?);
        }
        let mut expected = self.expected()?.into_iter();
        for packet in &self.packets {
            for program in &programs {
                let run = TestRun {
                    data: packet,
                    ..TestRun::default()
                };
                let mut after = vec![0; 4096];
                let result = prog_test_run(program.as_fd(), &run, &mut after);
                let result = result.map_err(|error| broken("no test run", error))?;
                after.truncate(result.data_size_out);
                let is = Run {
                    ret: result.retval,
                    packet: after,
                };
                let Some((should, contents)) = expected.next() else {
                    continue;
                };
                same("kernel", packet, &is, &should)?;
                let maps = self.recording.maps.iter().zip(&contents);
                for (map, should) in maps.filter(|(map, _)| map.map_type != MapType::Ringbuf) {
                    let is = held(&mut loader, &map.name)?;
                    same_contents("kernel", packet, &map.name, &is, should)?;
                }
            }
        }
        Ok(())
    }
}

/// What there is before the first number: rejections of one kind begin alike.
fn first_words(text: &str) -> String {
    let words = text.split(|c: char| c.is_ascii_digit()).next();
    words.unwrap_or_default().to_owned()
}

/// Keeps the thread on the first CPU, whose values of per-CPU maps are looked at.
fn on_first_cpu() -> Result<(), Broken> {
    let mut cpus = CpuSet::new();
    cpus.set(0)
        .and_then(|()| sched_setaffinity(Pid::from_raw(0), &cpus))
        .map_err(|error| broken("cannot choose a CPU", error))
}

fn verified(object: &Object) -> Result<(), Broken> {
    for program in &object.programs {
        if let Verdict::Rejected(why) = verify(object, program, &Config::default()) {
            let text = why.render(program, Decor::Plain);
            return Err(broken(first_words(&why.message), text));
        }
    }
    Ok(())
}

fn same(who: &str, packet: &[u8], is: &Run, should: &Run) -> Result<(), Broken> {
    match is == should {
        true => Ok(()),
        false => Err(broken(
            format!("{who}: another result"),
            format!("packet {packet:02x?}\nis        {is:02x?}\nshould be {should:02x?}"),
        )),
    }
}

fn same_contents(
    who: &str,
    packet: &[u8],
    map: &str,
    is: &Contents,
    should: &Contents,
) -> Result<(), Broken> {
    match is == should {
        true => Ok(()),
        false => Err(broken(
            format!("{who}: another content of map {map}"),
            format!("packet {packet:02x?}\nis        {is:02x?}\nshould be {should:02x?}"),
        )),
    }
}

fn interpreted(machine: &mut Machine, name: &str) -> Contents {
    let elements = machine.map(name).map_or_else(
        |_| BTreeMap::new(),
        |map| {
            let value = |key: Vec<u8>| map.lookup(&key).map(|value| (key.clone(), value.to_vec()));
            map.keys().into_iter().filter_map(value).collect()
        },
    );
    Contents {
        elements,
        // Records are taken out when they are looked at; see `World::contents`.
        records: machine
            .map_mut(name)
            .map_or_else(|_| Vec::new(), |mut map| map.records()),
    }
}

/// What a map of the kernel holds, of a per-CPU map what the first CPU sees.
fn held(loader: &mut Loader<'_>, name: &str) -> Result<Contents, Broken> {
    let failed = |error| broken("a map cannot be read", error);
    let mut contents = Contents::default();
    let Some(map) = loader.map(name).map_err(failed)? else {
        return Err(broken("a map is missing", name));
    };
    for element in map.elements() {
        let (key, value) = element.map_err(failed)?;
        let value = match map.lookup_per_cpu(&key).map_err(failed)? {
            Some(values) if map.is_per_cpu() => values.iter().next().map(<[u8]>::to_vec),
            _ => Some(value),
        };
        contents.elements.insert(key, value.unwrap_or_default());
    }
    Ok(contents)
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = Unit::from_recording(self.recording.clone());
        writeln!(f, "{unit}")?;
        match self.compile() {
            Ok(object) => ebpf_asm::text::print_object(f, &object, ebpf_asm::text::Options::CODE),
            Err(broken) => broken.fmt(f),
        }
    }
}
