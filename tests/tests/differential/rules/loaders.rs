//! Loaders: what programs may be and do whose loader lacks capabilities.
//!
//! Capabilities are a thread's own: each set is tried in a thread that has given up the rest.

use super::{Place, agree as agree_on, callers, distinct_places};
use ebpf_asm::helper::HELPERS;
use ebpf_syscalls::caps::{self, Capability};
use ebpf_tests::{Failed, Outcome};
use ebpf_verifier_sim::{Capabilities, Config};
use std::thread;

/// Sets of capabilities, as the kernel and as the simulator knows them.
const LOADERS: [(&[Capability], Capabilities); 4] = [
    (&[Capability::Bpf], Capabilities::BPF),
    (
        &[Capability::Bpf, Capability::NetAdmin],
        Capabilities::BPF.with(Capabilities::NET_ADMIN),
    ),
    (
        &[Capability::Bpf, Capability::Perfmon],
        Capabilities::BPF.with(Capabilities::PERFMON),
    ),
    (
        &[Capability::Bpf, Capability::NetAdmin, Capability::Perfmon],
        Capabilities::ALL,
    ),
];

pub(crate) fn agree(cases: u32) -> Outcome {
    let places = distinct_places();
    for (kernels, ours) in LOADERS {
        let places = places.clone();
        let limited = thread::spawn(move || {
            caps::keep_only(kernels)?;
            with(&places, ours, cases / LOADERS.len() as u32)
        });
        limited
            .join()
            .map_err(|_| Failed::from("a thread panicked"))??;
    }
    Ok(())
}

fn with(places: &[Place], capabilities: Capabilities, cases: u32) -> Outcome {
    let config = Config {
        capabilities,
        ..Config::default()
    };
    let probes: Vec<(Place, i32)> = (1..=HELPERS.len() as i32)
        .flat_map(|id| places.iter().map(move |&place| (place, id)))
        .collect();
    let probes = probes
        .into_iter()
        .map(|(place, id)| callers::probe(place, id, "GPL"));
    agree_on("loaders", &config, cases, probes)
}
