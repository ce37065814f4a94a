//! Contexts: every offset with every size, read, sign-extended, written and added to.

use super::{Place, agree as agree_on, distinct_places, harmless, object, program};
use ebpf_asm::assembler::Assembler;
use ebpf_asm::insn::{Fields, Insn, Reg};
use ebpf_asm::isa::{AtomicOp, ISA, Sem, Size};
use ebpf_asm::object::Object;
use ebpf_tests::Outcome;
use ebpf_verifier_sim::Config;

/// Offsets in bytes: from before the context to behind the longest one.
const OFFSETS: std::ops::Range<i16> = -16..240;

/// Offsets about the ends of what instructions can name, and of a tracepoint's record.
const FAR: [std::ops::Range<i16>; 3] = [-32768..-32752, 8176..8208, 32751..32767];

/// What is done with a field.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Deed {
    Read,
    ReadSigned,
    WriteReg,
    WriteImm,
    Add,
    LoadAcquire,
    StoreRelease,
}

impl Deed {
    pub(crate) const ALL: [Deed; 7] = [
        Deed::Read,
        Deed::ReadSigned,
        Deed::WriteReg,
        Deed::WriteImm,
        Deed::Add,
        Deed::LoadAcquire,
        Deed::StoreRelease,
    ];

    /// The sizes for which there is an instruction.
    fn sizes(self) -> &'static [Size] {
        match self {
            Deed::Add => &[Size::W, Size::DW],
            Deed::ReadSigned => &[Size::B, Size::H, Size::W],
            _ => &Size::ALL,
        }
    }

    /// Does it at an offset from a register; R2 is lost.
    pub(crate) fn write(self, a: &mut Assembler, base: Reg, offset: i16, size: Size) {
        match self {
            Deed::Read => a.ldx(size, Reg::R2, base, offset),
            Deed::ReadSigned => a.ldxsx(size, Reg::R2, base, offset),
            Deed::WriteReg => a.mov(Reg::R2, 0).st(size, base, offset, Reg::R2),
            Deed::WriteImm => a.st(size, base, offset, 0),
            Deed::Add => a
                .mov(Reg::R2, 0)
                .atomic(AtomicOp::Add, size, base, offset, Reg::R2),
            Deed::LoadAcquire => a.insn(ordered(Sem::LoadAcquire { size }, Reg::R2, base, offset)),
            Deed::StoreRelease => {
                let insn = ordered(Sem::StoreRelease { size }, base, Reg::R2, offset);
                a.mov(Reg::R2, 0).insn(insn)
            }
        };
    }
}

/// The instruction of an ordered load or store.
fn ordered(sem: Sem, dst: Reg, src: Reg, offset: i16) -> Insn {
    let row = ISA.iter().find(|row| row.sem == sem);
    let fields = Fields {
        dst,
        src,
        offset,
        ..Fields::default()
    };
    Insn::new(row.expect("the table has all sizes of it"), fields)
}

/// All deeds with all sizes.
pub(crate) fn deeds() -> impl Iterator<Item = (Deed, Size)> {
    let pairs = |deed: Deed| deed.sizes().iter().map(move |&size| (deed, size));
    Deed::ALL.into_iter().flat_map(pairs)
}

pub(crate) fn agree(cases: u32) -> Outcome {
    let offsets = || OFFSETS.chain(FAR.into_iter().flatten());
    let probes: Vec<(Place, i16, Deed, Size)> = distinct_places()
        .into_iter()
        .flat_map(|place| offsets().map(move |offset| (place, offset)))
        .flat_map(|(place, offset)| deeds().map(move |(deed, size)| (place, offset, deed, size)))
        .collect();
    let probes = probes
        .into_iter()
        .map(|(place, offset, deed, size)| probe(place, offset, deed, size));
    agree_on("contexts", &Config::default(), cases, probes)
}

fn probe(place: Place, offset: i16, deed: Deed, size: Size) -> Outcome<Object> {
    let program = program(place, |a| {
        deed.write(a, Reg::R1, offset, size);
        a.mov(Reg::R0, harmless(place)).exit();
    })?;
    Ok(object(program, "GPL"))
}
