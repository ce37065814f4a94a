//! Loaders: what programs may be and do whose loader lacks capabilities, and which maps it makes.
//!
//! Capabilities are a thread's own: each set is tried in a thread that has given up the rest.

use super::{Place, agree as agree_on, callers, creation, distinct_places};
use ebpf_asm::helper::HELPERS;
use ebpf_asm::map_flags::BPF_F_ZERO_SEED;
use ebpf_asm::map_type::MapType;
use ebpf_asm::object::{Map, Object};
use ebpf_syscalls::Errno;
use ebpf_syscalls::caps::{self, Capability};
use ebpf_tests::{Failed, Outcome, ensure_eq};
use ebpf_verifier_sim::{Capabilities, Code, Config, check_maps};
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
    // Of what nobody makes the capabilities are not asked.
    let mut maps: Vec<Map> = creation::types().flat_map(maps_of).collect();
    maps.retain(|map| creation::make(map).is_ok());
    for (kernels, ours) in LOADERS {
        let (places, maps) = (places.clone(), maps.clone());
        let limited = thread::spawn(move || {
            caps::keep_only(kernels)?;
            with(&places, ours, cases / LOADERS.len() as u32)?;
            agree_on_maps(&maps, ours)
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

/// A map of the type, and one whose hash has a known seed.
fn maps_of(map_type: MapType) -> [Map; 2] {
    let usual = creation::usual(map_type);
    let seeded = Map {
        map_flags: usual.map_flags | BPF_F_ZERO_SEED,
        ..usual.clone()
    };
    [usual, seeded]
}

/// The kernel makes for the loader, of these maps that somebody can make, those that we say.
fn agree_on_maps(maps: &[Map], capabilities: Capabilities) -> Outcome {
    let config = Config {
        capabilities,
        ..Config::default()
    };
    // All that we know of stand for CAP_SYS_ADMIN as well, which the thread has not.
    let asked =
        |map: &&Map| capabilities != Capabilities::ALL || map.map_flags & BPF_F_ZERO_SEED == 0;
    for map in maps.iter().filter(asked) {
        let denied = creation::make(map).is_err_and(|error| error.is(Errno::EPERM));
        let object = Object {
            maps: vec![map.clone()],
            ..Object::default()
        };
        let ours = check_maps(&object, &config).err().map(|why| why.code);
        ensure_eq!(
            ours,
            denied.then_some(Code::Capability),
            "a map of type {} with the flags {:#x} for {capabilities:?}",
            map.map_type,
            map.map_flags
        );
    }
    Ok(())
}
