//! Callers: every helper from every program type with every attach type, with a license
//! that is compatible with the GPL and without.

use super::{Place, agree as agree_on, harmless, object, places, program};
use ebpf_asm::helper::HELPERS;
use ebpf_asm::insn::Reg;
use ebpf_asm::object::Object;
use ebpf_asm::prog_type::{AttachType, ProgType};
use ebpf_tests::Outcome;
use ebpf_verifier_sim::Config;

const LICENSES: [&str; 2] = ["GPL", "MIT"];

/// `bpf_get_func_ip`, which is free where many functions are probed at once.
const GET_FUNC_IP: i32 = 173;

pub(crate) fn agree(cases: u32) -> Outcome {
    let places = places();
    let last = HELPERS.len() as i32 + 2;
    let probes: Vec<(Place, i32, &str)> = (-1..last)
        .flat_map(|id| places.iter().map(move |&place| (place, id)))
        .flat_map(|(place, id)| LICENSES.map(|license| (place, id, license)))
        .filter(|&(place, id, _)| id != GET_FUNC_IP || !many_functions(place))
        .collect();
    let probes = probes
        .into_iter()
        .map(|(place, id, license)| probe(place, id, license));
    agree_on("callers", &Config::default(), cases, probes)
}

fn many_functions(place: Place) -> bool {
    let multi = [
        AttachType::TraceKprobeMulti,
        AttachType::TraceKprobeSession,
        AttachType::TraceUprobeMulti,
        AttachType::TraceUprobeSession,
    ];
    place.prog_type == ProgType::Kprobe && place.attach_type.is_some_and(|at| multi.contains(&at))
}

pub(super) fn probe(place: Place, id: i32, license: &str) -> Outcome<Object> {
    let program = program(place, |a| {
        a.call(id).mov(Reg::R0, harmless(place)).exit();
    })?;
    Ok(object(program, license))
}
