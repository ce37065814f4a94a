//! Pointers that contexts hold: what is behind them, whether they can be moved, compared and
//! handed to helpers.

use super::contexts::{Deed, deeds};
use super::{Place, agree as agree_on, harmless, object, program};
use ebpf_asm::assembler::Assembler;
use ebpf_asm::insn::Reg;
use ebpf_asm::isa::{Cond, Size, Width};
use ebpf_asm::object::Object;
use ebpf_asm::prog_type::{AttachType, ProgType};
use ebpf_tests::Outcome;
use ebpf_verifier_sim::Config;

/// Offsets in bytes from a pointer.
const OFFSETS: std::ops::Range<i16> = -8..120;

/// Helpers that turn a socket into another.
const SK_FULLSOCK: i32 = 95;
const TCP_SOCK: i32 = 96;

/// Where a pointer comes from.
#[derive(Debug, Clone, Copy)]
struct Origin {
    place: Place,
    field: i16,
    /// The helper that is handed it, and whose result is looked at instead.
    helper: Option<i32>,
    null: Null,
}

/// Whether it is compared with null first.
#[derive(Debug, Clone, Copy)]
enum Null {
    Checked,
    Not,
}

const fn from(prog_type: ProgType, attach_type: Option<AttachType>, field: i16) -> Origin {
    Origin {
        place: Place {
            prog_type,
            attach_type,
        },
        field,
        helper: None,
        null: Null::Not,
    }
}

impl Origin {
    const fn checked(mut self) -> Origin {
        self.null = Null::Checked;
        self
    }

    const fn through(mut self, helper: i32) -> Origin {
        self.helper = Some(helper);
        self.null = Null::Checked;
        self
    }
}

/// Every field that is such a pointer.
const ORIGINS: [Origin; 15] = [
    from(ProgType::SchedCls, None, 168),
    from(ProgType::SchedCls, None, 168).checked(),
    from(ProgType::SchedCls, None, 168).through(SK_FULLSOCK),
    from(ProgType::SchedCls, None, 168).through(TCP_SOCK),
    from(ProgType::SockOps, None, 184).checked(),
    from(ProgType::SkMsg, None, 72),
    from(
        ProgType::CgroupSockAddr,
        Some(AttachType::CgroupInet4Connect),
        64,
    ),
    from(
        ProgType::CgroupSockopt,
        Some(AttachType::CgroupSetsockopt),
        0,
    ),
    from(ProgType::SkReuseport, None, 40),
    from(ProgType::SkReuseport, None, 48).checked(),
    from(ProgType::SkLookup, Some(AttachType::SkLookup), 0).checked(),
    from(ProgType::FlowDissector, None, 144),
    from(ProgType::RawTracepointWritable, None, 0),
    from(ProgType::Netfilter, Some(AttachType::Netfilter), 0),
    from(ProgType::Netfilter, Some(AttachType::Netfilter), 8),
];

/// What is done with a pointer in R7.
#[derive(Debug, Clone, Copy)]
enum Use {
    Access(i16, Deed, Size),
    /// A constant added before it is read at that distance back.
    Moved(i32),
    /// An unknown number added.
    Indexed,
    Subtracted,
    Multiplied,
    /// Its difference to itself.
    Difference,
    /// Compared with 0, where R0, which holds nothing, is read.
    NullAgain,
    /// The address of a load that may find the stack there as well.
    OrStack,
    /// The bytes of a message.
    AsMemory,
    /// Stored behind itself.
    StoredInIt,
}

fn uses() -> Vec<Use> {
    let accesses =
        OFFSETS.flat_map(|offset| deeds().map(move |(deed, size)| Use::Access(offset, deed, size)));
    let others = [
        Use::Moved(4),
        Use::Moved(-4),
        Use::Moved(60),
        Use::Indexed,
        Use::Subtracted,
        Use::Multiplied,
        Use::Difference,
        Use::NullAgain,
        Use::OrStack,
        Use::AsMemory,
        Use::StoredInIt,
    ];
    accesses.chain(others).collect()
}

pub(crate) fn agree(cases: u32) -> Outcome {
    let config = Config::default();
    let uses = uses();
    // The few are not left out.
    let probes = |few: bool| {
        let uses: Vec<Use> = uses
            .iter()
            .copied()
            .filter(|one| matches!(one, Use::Access(..)) != few)
            .collect();
        let pairs: Vec<(Origin, Use)> = ORIGINS
            .into_iter()
            .flat_map(|origin| uses.clone().into_iter().map(move |one| (origin, one)))
            .filter(|&(origin, one)| !is_half_of_bytes(origin, one))
            .collect();
        pairs.into_iter().map(|(origin, one)| probe(origin, one))
    };
    agree_on("uses of pointers", &config, u32::MAX, probes(true))?;
    agree_on("what is behind pointers", &config, cases, probes(false))
}

/// Whether it is the second half of `bytes_received` or `bytes_acked`: that is refused with
/// "verifier bug", after everything else.
fn is_half_of_bytes(origin: Origin, one: Use) -> bool {
    origin.helper == Some(TCP_SOCK) && matches!(one, Use::Access(84 | 92, _, Size::W))
}

fn probe(origin: Origin, one: Use) -> Outcome<Object> {
    let program = program(origin.place, |a| {
        let out = a.label();
        a.ldx(Size::DW, Reg::R7, Reg::R1, origin.field);
        let check = |a: &mut Assembler| {
            a.jump(Cond::Jeq, Width::W64, Reg::R7, 0.into(), out);
        };
        if let Null::Checked = origin.null {
            check(a);
        }
        if let Some(helper) = origin.helper {
            a.mov(Reg::R1, Reg::R7).call(helper).mov(Reg::R7, Reg::R0);
            check(a);
        }
        one.write(a);
        a.bind(out).mov(Reg::R0, harmless(origin.place)).exit();
    })?;
    Ok(object(program, "GPL"))
}

impl Use {
    fn write(self, a: &mut Assembler) {
        let read = |a: &mut Assembler, offset: i16| {
            a.ldx(Size::W, Reg::R2, Reg::R7, offset);
        };
        let unknown = |a: &mut Assembler| {
            a.ldx(Size::B, Reg::R3, Reg::R10, -1).and(Reg::R3, 4);
        };
        match self {
            Use::Access(offset, deed, size) => deed.write(a, Reg::R7, offset, size),
            Use::Moved(by) => {
                a.add(Reg::R7, by);
                read(a, by.wrapping_neg() as i16);
            }
            Use::Indexed => {
                unknown(a);
                a.add(Reg::R7, Reg::R3);
                read(a, 0);
            }
            Use::Subtracted => {
                a.sub(Reg::R7, 4);
                read(a, 4);
            }
            Use::Multiplied => {
                a.mul(Reg::R7, 4);
            }
            Use::Difference => {
                a.sub(Reg::R7, Reg::R7);
            }
            Use::NullAgain => {
                let there = a.label();
                a.jump(Cond::Jne, Width::W64, Reg::R7, 0.into(), there);
                a.mov(Reg::R2, Reg::R5).bind(there);
            }
            Use::OrStack => {
                let same = a.label();
                unknown(a);
                a.jump(Cond::Jeq, Width::W64, Reg::R3, 0.into(), same);
                a.mov(Reg::R7, Reg::R10).add(Reg::R7, -8).bind(same);
                read(a, 4);
            }
            Use::AsMemory => {
                a.mov(Reg::R1, Reg::R7).mov(Reg::R2, 8).call(6);
            }
            Use::StoredInIt => {
                a.st(Size::DW, Reg::R7, 0, Reg::R10);
            }
        }
    }
}
