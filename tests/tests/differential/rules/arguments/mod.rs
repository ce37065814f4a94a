//! Arguments and results: every helper with every kind of register in each of its arguments, on
//! every type of map, and with every use of what it left.

mod after;
mod good;
mod scene;
mod value;

use super::{Place, agree as agree_on, harmless, program};
use after::After;
use ebpf_asm::assembler::Assembler;
use ebpf_asm::helper::{Arg, HELPERS, Helper, Ownership, Ret};
use ebpf_asm::insn::Reg;
use ebpf_asm::isa::{Cond, Size, Width};
use ebpf_asm::map_type::MapType;
use ebpf_asm::object::Object;
use ebpf_asm::prog_type::{AttachType, ProgType};
use ebpf_syscalls::cpu;
use ebpf_tests::Outcome;
use ebpf_verifier_sim::Config;
use good::{good, is_taken_back};
use scene::{Known, TYPES, scene};
use value::{Null, Origin, VALUES, Value};

const ARGUMENTS: [Reg; 5] = [Reg::R1, Reg::R2, Reg::R3, Reg::R4, Reg::R5];

/// From how many program types each helper is tried.
const PLACES: usize = 4;

/// Program types, those first that have the most to hand over.
const TYPES_OF_PROGRAMS: [(ProgType, Option<AttachType>); 23] = [
    (ProgType::SchedCls, None),
    (ProgType::Xdp, None),
    (ProgType::Kprobe, None),
    (ProgType::CgroupSkb, Some(AttachType::CgroupInetIngress)),
    (ProgType::SockOps, None),
    (ProgType::SkMsg, None),
    (ProgType::CgroupSockopt, Some(AttachType::CgroupSetsockopt)),
    (
        ProgType::CgroupSockAddr,
        Some(AttachType::CgroupInet4Connect),
    ),
    (ProgType::SkLookup, Some(AttachType::SkLookup)),
    (ProgType::SkReuseport, None),
    (ProgType::SkSkb, None),
    (ProgType::LwtIn, None),
    (ProgType::LwtXmit, None),
    (ProgType::LwtSeg6local, None),
    (ProgType::CgroupSock, None),
    (ProgType::CgroupSysctl, Some(AttachType::CgroupSysctl)),
    (ProgType::FlowDissector, None),
    (ProgType::Syscall, None),
    (ProgType::PerfEvent, None),
    (ProgType::SocketFilter, None),
    (ProgType::Tracepoint, None),
    (ProgType::RawTracepoint, None),
    (ProgType::Netfilter, Some(AttachType::Netfilter)),
];

/// One helper called from one place, with one argument that may not suit.
#[derive(Debug, Clone, Copy)]
struct Probe {
    helper: &'static Helper,
    place: Place,
    strange: Option<(usize, Value)>,
    /// The map, if not the one that suits.
    map: Option<Known>,
    /// What is done after the call.
    after: Option<After>,
}

impl Probe {
    fn new(helper: &'static Helper, place: Place) -> Probe {
        Probe {
            helper,
            place,
            strange: None,
            map: None,
            after: None,
        }
    }
}

pub(crate) fn agree(cases: u32) -> Outcome {
    compare("kinds of registers", cases, registers().collect())?;
    compare("types of maps", cases, maps().collect())?;
    compare("what a call leaves", cases, results().collect())
}

/// Every kind of register in every argument.
fn registers() -> impl Iterator<Item = Probe> {
    calls().flat_map(|(helper, place)| {
        let count = helper.proto(place.prog_type).args.len();
        let values = VALUES.iter().copied();
        let values = values.filter(move |value| value.is_known(place.prog_type));
        values.flat_map(move |value| {
            (0..count).map(move |index| Probe {
                strange: Some((index, value)),
                ..Probe::new(helper, place)
            })
        })
    })
}

/// Every type of map.
fn maps() -> impl Iterator<Item = Probe> {
    calls().flat_map(|(helper, place)| {
        let takes_map = helper.proto(place.prog_type).args.contains(&Arg::Map);
        let types = TYPES.into_iter().filter(move |_| takes_map);
        types.map(move |map_type| Probe {
            map: Some(Known::Of(map_type)),
            ..Probe::new(helper, place)
        })
    })
}

/// Every use of what a call leaves, with every size of memory that it may have.
fn results() -> impl Iterator<Item = Probe> {
    calls().flat_map(|(helper, place)| {
        let uses = After::ALL.into_iter().chain(After::PREPARED);
        let uses = uses.filter(move |after| after.is_known(place.prog_type));
        uses.flat_map(move |after| {
            let proto = helper.proto(place.prog_type);
            let is_size = |arg: &Arg| matches!(arg, Arg::Size | Arg::SizeOrZero);
            let size = proto.args.iter().position(is_size);
            let sizes = size
                .into_iter()
                .flat_map(|at| SIZES.map(|size| (at, Value::plain(size))));
            [None]
                .into_iter()
                .chain(sizes.map(Some))
                .map(move |strange| Probe {
                    strange,
                    after: Some(after),
                    ..Probe::new(helper, place)
                })
        })
    })
}

/// Sizes of memory that calls leave things in.
const SIZES: [Origin; 3] = [
    Origin::Between(0, 15),
    Origin::Between(1, 16),
    Origin::Between(0, 63),
];

/// Every helper from the first places where it can be called.
fn calls() -> impl Iterator<Item = (&'static Helper, Place)> {
    HELPERS.iter().flat_map(|helper| {
        let places = TYPES_OF_PROGRAMS.into_iter();
        let places = places.filter(|&(prog_type, attach_type)| {
            let attach_type = prog_type.attach_type(attach_type);
            helper.callers.include(prog_type, attach_type)
        });
        places.take(PLACES).map(move |(prog_type, attach_type)| {
            let place = Place {
                prog_type,
                attach_type,
            };
            (helper, place)
        })
    })
}

fn compare(what: &str, cases: u32, probes: Vec<Probe>) -> Outcome {
    let scene = scene();
    let probes = probes.into_iter().map(|probe| probe.object(&scene));
    let config = Config {
        cpus: Some(cpu::ids()?),
        ..Config::default()
    };
    agree_on(what, &config, cases, probes)
}

impl Probe {
    fn object(self, scene: &Object) -> Outcome<Object> {
        let program = program(self.place, |a| self.write(a))?;
        Ok(Object {
            programs: vec![program],
            ..scene.clone()
        })
    }

    fn write(self, a: &mut Assembler) {
        let prog_type = self.place.prog_type;
        let proto = self.helper.proto(prog_type);
        let out = a.label();
        a.mov(Reg::R6, Reg::R1);
        for offset in (1..=16).map(|slot| -8 * slot) {
            a.st(Size::DW, Reg::R10, offset, 0);
        }
        let values: Vec<Option<Value>> = (0..proto.args.len())
            .map(|index| self.value(index, proto.args[index]))
            .collect();
        // What needs a call to be made is made first, and kept.
        let kept = self.kept(&values);
        if let Some(after) = self.after {
            after.prepare(a, prog_type, out);
        }
        if let Some((_, value)) = kept {
            value.write(a, Reg::R7, prog_type, out);
        }
        for (index, (&reg, value)) in ARGUMENTS.iter().zip(&values).enumerate() {
            match value {
                _ if kept.is_some_and(|(at, _)| at == index) => {
                    a.mov(reg, Reg::R7);
                }
                Some(value) if !value.needs_call() => value.write(a, reg, prog_type, out),
                _ => {
                    a.mov(reg, 0);
                }
            }
        }
        a.call(self.helper.id);
        match self.after {
            Some(after) => after.write(a, out),
            None => self.give_back(a, kept, proto.ownership, proto.ret),
        }
        a.bind(out).mov(Reg::R0, harmless(self.place)).exit();
    }

    fn value(self, index: usize, arg: Arg) -> Option<Value> {
        match (self.strange, self.map) {
            (Some((at, value)), _) if at == index => Some(value),
            (_, Some(map)) if arg == Arg::Map => Some(Value::plain(Origin::Map(map))),
            _ => good(self.helper, arg, self.place.prog_type),
        }
    }

    /// The argument that is kept in R7: the strange one, or else the first that needs a call.
    fn kept(self, values: &[Option<Value>]) -> Option<(usize, Value)> {
        if self.strange.is_some() {
            return self.strange;
        }
        let mut values = values.iter().enumerate();
        values.find_map(|(index, value)| Some((index, (*value).filter(|v| v.needs_call())?)))
    }

    /// Gives back what the call left and did not take.
    fn give_back(
        self,
        a: &mut Assembler,
        kept: Option<(usize, Value)>,
        ownership: Ownership,
        ret: Ret,
    ) {
        let args = self.helper.proto(self.place.prog_type).args;
        let taken = |index: usize| args.get(index).is_some_and(|&arg| is_taken_back(arg));
        let looked_up_socket = ret == Ret::MapValueOrNull
            && matches!(
                self.map,
                Some(Known::Of(MapType::Sockmap | MapType::Sockhash))
            );
        if ownership == Ownership::Acquired || looked_up_socket {
            let nothing = a.label();
            a.jump(Cond::Jeq, Width::W64, Reg::R0, 0.into(), nothing);
            let origin = match ret {
                Ret::RingbufRecordOrNull => Origin::Record(Null::Checked),
                _ => Origin::OwnSock(Null::Checked),
            };
            Value::plain(origin).give_back(a, Reg::R0);
            a.bind(nothing);
        }
        if let Some((index, value)) = kept
            && !taken(index)
        {
            value.give_back(a, Reg::R7);
        }
    }
}
