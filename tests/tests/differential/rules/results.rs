//! Results: numbers about every limit, unknown ones and pointers, from every program type
//! with every attach type.

use super::{Place, agree as agree_on, object, places, program};
use ebpf_asm::assembler::Assembler;
use ebpf_asm::insn::Reg;
use ebpf_asm::isa::Size;
use ebpf_asm::object::Object;
use ebpf_tests::Outcome;
use ebpf_verifier_sim::Config;

/// What is in R0 at the end.
#[derive(Debug, Clone, Copy)]
enum Result {
    Number(i64),
    /// So many bytes of an unknown number, with these bits.
    Unknown(Size, i32),
    /// Unknown, but not below this.
    AtLeast(i32),
    Pointer,
    Nothing,
}

const RESULTS: [Result; 24] = [
    Result::Number(i64::MIN),
    Result::Number(i32::MIN as i64 - 1),
    Result::Number(i32::MIN as i64),
    Result::Number(-4096),
    Result::Number(-2),
    Result::Number(-1),
    Result::Number(0),
    Result::Number(1),
    Result::Number(2),
    Result::Number(3),
    Result::Number(4),
    Result::Number(5),
    Result::Number(i32::MAX as i64),
    Result::Number(u32::MAX as i64),
    Result::Number(u32::MAX as i64 + 1),
    Result::Number(i64::MAX),
    Result::Unknown(Size::DW, -1),
    Result::Unknown(Size::W, -1),
    Result::Unknown(Size::B, 1),
    Result::Unknown(Size::B, 2),
    Result::Unknown(Size::B, 3),
    Result::AtLeast(0),
    Result::Pointer,
    Result::Nothing,
];

pub(crate) fn agree(cases: u32) -> Outcome {
    let probes: Vec<(Place, Result)> = places()
        .into_iter()
        .flat_map(|place| RESULTS.map(|result| (place, result)))
        .collect();
    let probes = probes.into_iter().map(|(place, result)| {
        let program = program(place, |a| result.write(a))?;
        Ok::<Object, _>(object(program, "GPL"))
    });
    agree_on("results", &Config::default(), cases, probes)
}

impl Result {
    fn write(self, a: &mut Assembler) {
        match self {
            Result::Number(number) => {
                a.ld_imm64(Reg::R0, number as u64);
            }
            Result::Unknown(size, mask) => {
                a.ldx(size, Reg::R0, Reg::R10, -8).and(Reg::R0, mask);
            }
            Result::AtLeast(least) => {
                let over = a.label();
                a.ldx(Size::DW, Reg::R0, Reg::R10, -8);
                a.jsge(Reg::R0, least, over).mov(Reg::R0, 0).bind(over);
            }
            Result::Pointer => {
                a.mov(Reg::R0, Reg::R10);
            }
            Result::Nothing => {}
        }
        a.exit();
    }
}
