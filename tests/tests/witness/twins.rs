//! clang's build of the same programs: read, verified, attached and run by ours, it decides
//! the same; and ours takes no more instructions.

use std::collections::BTreeMap;

use ebpf_loader::{Attach, Loader, Xdp};
use ebpf_syscalls::bpf::TestRun;
use ebpf_tests::frames::{self, of_length};
use ebpf_tests::oracle::XDP_PASS;
use ebpf_tests::policy::{self, CLANG, Need};
use ebpf_tests::rig::Rig;
use ebpf_tests::subjects::{self, Subject};
use ebpf_tests::{Outcome, ensure, ensure_eq, oracle};
use ebpf_verifier_sim::interp::{Machine, Packet};
use ebpf_verifier_sim::{Config, Decor, Verdict, verify};
use libtest_mimic::Trial;

use crate::{Named, SUBJECTS};

/// What a map holds, by key; of a per-CPU map all CPUs' values.
type Contents = BTreeMap<Vec<u8>, Vec<u8>>;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for subject in SUBJECTS {
        let (name, _) = subject;
        trials.push(policy::trial(
            format!("twins::{name}_is_verified_and_takes_no_fewer_instructions"),
            &CLANG,
            move || no_fewer_instructions(subject),
        ));
        let needs = [Need::Kernel, CLANG[0], CLANG[1]];
        trials.push(policy::trial(
            format!("twins::{name}_decides_and_counts_the_same"),
            &needs,
            move || decides_the_same(subject),
        ));
        trials.push(policy::trial(
            format!("twins::{name}_is_attached"),
            &needs,
            move || is_attached(name),
        ));
    }
    trials
}

fn twin(name: &str) -> Outcome<Subject> {
    subjects::twin(&format!("{name}.c"))
}

/// The frames of all kinds, cut off at every length from `shortest`.
fn cut_frames(shortest: usize) -> impl Iterator<Item = (String, Vec<u8>)> {
    frames::all().into_iter().flat_map(move |frame| {
        (shortest..=64).map(move |len| {
            let what = format!("{} of {len} bytes", frame.name);
            (what, of_length(&frame.bytes, len))
        })
    })
}

/// Fewer instructions is what our compiler is for: in all, and on every path.
fn no_fewer_instructions((name, subject): Named) -> Outcome {
    let (ours, theirs) = (subject()?, twin(name)?);
    for subject in [&ours, &theirs] {
        let program = &subject.object.programs[0];
        if let Verdict::Rejected(why) = verify(&subject.object, program, &Config::default()) {
            return Err(why.render(program, Decor::Plain).into());
        }
    }
    let slots = |subject: &Subject| subject.object.programs[0].slot_count();
    ensure!(
        slots(&ours) <= slots(&theirs),
        "{} instructions, and clang's has {}",
        slots(&ours),
        slots(&theirs)
    );
    let mut our_machine = Machine::new(&ours.object)?;
    let mut their_machine = Machine::new(&theirs.object)?;
    for (what, frame) in cut_frames(0) {
        let our_run = our_machine.run(&ours.program, Packet::new(&frame))?;
        let their_run = their_machine.run(&theirs.program, Packet::new(&frame))?;
        ensure_eq!(our_run.ret, their_run.ret, "{what}: verdict");
        ensure!(
            our_run.executed <= their_run.executed,
            "{what}: {} instructions executed, and of clang's {}",
            our_run.executed,
            their_run.executed
        );
    }
    Ok(())
}

/// Kernel runs of both on the same frames: the same verdicts, and the same in the maps.
fn decides_the_same((name, subject): Named) -> Outcome {
    let (ours, theirs) = (subject()?, twin(name)?);
    let (our_verdicts, our_maps) = run_all(&ours)?;
    let (their_verdicts, their_maps) = run_all(&theirs)?;
    for (((what, frame), ours), theirs) in cut_frames(14).zip(our_verdicts).zip(their_verdicts) {
        ensure_eq!(ours, theirs, "{what}: verdict");
        ensure_eq!(ours, oracle::verdict(&frame), "{what}: verdict");
    }
    ensure_eq!(
        our_maps.keys().collect::<Vec<_>>(),
        their_maps.keys().collect::<Vec<_>>(),
        "maps"
    );
    for (map, contents) in &our_maps {
        ensure!(
            contents.values().flatten().any(|byte| *byte != 0),
            "{map} counts nothing"
        );
    }
    ensure_eq!(our_maps, their_maps, "what the maps hold");
    Ok(())
}

/// The verdict for each frame, and then what each map holds, summed over the CPUs.
fn run_all(subject: &Subject) -> Outcome<(Vec<u32>, BTreeMap<String, Contents>)> {
    let mut loader = Loader::new(&subject.object);
    let program = subjects::load(&mut loader, &subject.program)?;
    let mut verdicts = Vec::new();
    for (_, frame) in cut_frames(14) {
        let run = TestRun {
            data: &frame,
            ..TestRun::default()
        };
        verdicts.push(program.test_run(&run, &mut [0; 128])?.retval);
    }
    let mut maps = BTreeMap::new();
    for definition in &subject.object.maps {
        let map = loader
            .map(&definition.name)?
            .ok_or("a map of the object is missing")?;
        let mut contents = Contents::new();
        for key in map.keys() {
            let key = key?;
            let values = map.lookup_per_cpu(&key)?.ok_or("an element is missing")?;
            contents.insert(key, sums(values.iter()));
        }
        maps.insert(definition.name.clone(), contents);
    }
    Ok((verdicts, maps))
}

/// Values of 64-bit numbers added up: which CPU ran is chance.
fn sums<'v>(values: impl Iterator<Item = &'v [u8]>) -> Vec<u8> {
    let mut sums: Vec<u64> = Vec::new();
    for value in values {
        let (numbers, _) = value.as_chunks::<8>();
        sums.resize(numbers.len(), 0);
        for (sum, number) in sums.iter_mut().zip(numbers) {
            *sum += u64::from_ne_bytes(*number);
        }
    }
    sums.into_iter().flat_map(u64::to_ne_bytes).collect()
}

fn is_attached(name: &str) -> Outcome {
    let program = twin(name)?.load()?;
    let rig = Rig::new()?;
    let wire = rig.wire()?;
    let _link = rig.inside(|| {
        let mut xdp = Xdp::open()?;
        let interface = xdp.interface(&rig.interface)?;
        Ok(xdp.attach(&interface, &program, &Attach::default())?)
    })?;
    for frame in frames::all() {
        let passes = oracle::verdict(&frame.bytes) == XDP_PASS;
        ensure_eq!(wire.passes(&frame.bytes)?, passes, "{} passes", frame.name);
    }
    Ok(())
}
