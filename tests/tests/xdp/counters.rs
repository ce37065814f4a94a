//! The counters of `count_protocols` are exact, summed over the CPUs.

use std::collections::BTreeMap;

use ebpf_loader::{Attach, Loader, Map, Xdp, XdpMode};
use ebpf_tests::rig::Rig;
use ebpf_tests::{Outcome, ensure_eq, frames, oracle, subjects};
use ebpf_verifier_sim::interp::{Machine, Packet};
use libtest_mimic::Trial;

use crate::kernel;

/// Packets and bytes, by key.
type Counters = BTreeMap<u32, (u64, u64)>;

/// How many frames of each kind are sent.
const ROUNDS: u64 = 5;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        kernel("counters::exact_native", || exact(XdpMode::Native)),
        kernel("counters::exact_generic", || exact(XdpMode::Generic)),
    ]
}

fn exact(mode: XdpMode) -> Outcome {
    let subject = subjects::count_protocols()?;
    let mut loader = Loader::new(&subject.object);
    let program = subjects::load(&mut loader, &subject.program)?;
    let mut machine = Machine::new(&subject.object)?;
    let rig = Rig::new()?;
    let wire = rig.wire()?;
    let _link = rig.inside(|| {
        let mut xdp = Xdp::open()?;
        let interface = xdp.interface(&rig.interface)?;
        let attach = Attach {
            mode,
            ..Attach::default()
        };
        Ok(xdp.attach(&interface, &program, &attach)?)
    })?;
    let mut sent = Vec::new();
    for _ in 0..ROUNDS {
        for frame in frames::all() {
            wire.passes(&frame.bytes)?;
            sent.push(frame.bytes);
        }
    }
    sent.extend((0..rig.markers()).map(frames::marker));
    for frame in &sent {
        machine.run(&subject.program, Packet::new(frame))?;
    }
    for (map, expected) in expected(&sent) {
        let counted = in_kernel(loader.map(map)?)?;
        ensure_eq!(counted, expected, "{map} in the kernel, {mode}");
        let counted = in_interpreter(&machine, map)?;
        ensure_eq!(counted, expected, "{map} in the interpreter");
    }
    Ok(())
}

/// What both maps shall hold after these frames.
fn expected(sent: &[Vec<u8>]) -> [(&'static str, Counters); 2] {
    let (mut protocols, mut verdicts) = (Counters::new(), Counters::new());
    let add = |counters: &mut Counters, key, len: usize| {
        let (packets, bytes) = counters.entry(key).or_default();
        *packets += 1;
        *bytes += len as u64;
    };
    for frame in sent {
        if let Some(protocol) = oracle::protocol(frame) {
            add(&mut protocols, protocol.into(), frame.len());
        }
        add(&mut verdicts, oracle::verdict(frame), frame.len());
    }
    [("protocols", protocols), ("verdicts", verdicts)]
}

fn in_kernel(map: Option<&Map>) -> Outcome<Counters> {
    let map = map.ok_or("the object has no such map")?;
    let mut counters = Counters::new();
    for key in map.keys() {
        let key = key?;
        let values = map
            .lookup_per_cpu(&key)?
            .ok_or("an array lacks an element")?;
        let sums = values.iter().fold((0, 0), |(packets, bytes), value| {
            (packets + number(value, 0), bytes + number(value, 8))
        });
        insert(&mut counters, &key, sums);
    }
    Ok(counters)
}

fn in_interpreter(machine: &Machine, map: &str) -> Outcome<Counters> {
    let map = machine.map(map)?;
    let mut counters = Counters::new();
    for key in map.keys() {
        let sums = map.sums(&key).unwrap_or_default();
        let [packets, bytes] = sums[..] else {
            return Err("a counter has not two numbers".into());
        };
        insert(&mut counters, &key, (packets, bytes));
    }
    Ok(counters)
}

/// Keeps what is not zero: arrays have all their elements from the start.
fn insert(counters: &mut Counters, key: &[u8], sums: (u64, u64)) {
    if sums != (0, 0) {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(key);
        counters.insert(u32::from_ne_bytes(bytes), sums);
    }
}

fn number(value: &[u8], at: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&value[at..at + 8]);
    u64::from_ne_bytes(bytes)
}
