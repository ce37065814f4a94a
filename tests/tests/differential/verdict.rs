//! What the verifiers say: programs that are about as often wrong as right, verified by the
//! simulator and by the kernel.
//!
//! The simulator may refuse in doubt; accepting what the kernel refuses is a fault.

use std::cell::RefCell;
use std::fmt;

use ebpf_asm::assembler::{Assembler, Label, Source};
use ebpf_asm::insn::{Fields, Insn, Reg};
use ebpf_asm::isa::{Cond, ISA, Row, Sem, Size, Width};
use ebpf_asm::map_type::MapType;
use ebpf_asm::object::{Map, Object};
use ebpf_asm::program::{Program, Reference};
use ebpf_asm::text::print_program;
use ebpf_loader::Loader;
use ebpf_tests::{Failed, Outcome, ensure};
use ebpf_verifier_sim::{Config, Verdict, verify};
use proptest::prelude::*;

use crate::for_all;

/// `bpf_map_lookup_elem` (`linux/bpf.h`).
const MAP_LOOKUP_ELEM: i32 = 1;

/// The size of the map's values in bytes.
const VALUE_SIZE: u32 = 16;

/// The registers that steps use. R6 keeps the context.
const REGISTERS: [Reg; 6] = [Reg::R0, Reg::R2, Reg::R3, Reg::R4, Reg::R7, Reg::R8];

/// A few instructions that belong together, as in real programs, with random numbers.
#[derive(Debug, Clone)]
enum Step {
    /// Loads `data` and `data_end`.
    Packet { data: Reg, end: Reg },
    /// Leaves unless `len` bytes lie between two registers.
    Check {
        data: Reg,
        end: Reg,
        len: i32,
        cond: Cond,
    },
    /// Reads memory.
    Load {
        size: Size,
        dst: Reg,
        src: Reg,
        offset: i16,
    },
    /// Writes memory.
    Store {
        size: Size,
        dst: Reg,
        offset: i16,
        src: Reg,
    },
    /// Reads or writes the stack.
    Stack {
        size: Size,
        reg: Reg,
        offset: i16,
        writes: bool,
    },
    /// Looks up a key that is stored, or not, in the map.
    Lookup { stored: bool, key: Reg },
    /// Leaves if a register compares so.
    Compare {
        cond: Cond,
        width: Width,
        reg: Reg,
        with: i32,
    },
    /// An operation on numbers, or on pointers.
    Compute {
        row: &'static Row,
        dst: Reg,
        src: Reg,
        imm: i32,
    },
    /// Makes a number small.
    Mask { reg: Reg, mask: i32 },
    /// Copies a register.
    Copy { dst: Reg, src: Reg },
    /// Sets a register.
    Set { dst: Reg, imm: i32 },
}

/// How often the two agreed.
#[derive(Debug, Default)]
struct Confusion {
    both_accept: u32,
    both_refuse: u32,
    /// The simulator refuses what the kernel accepts.
    false_refusals: u32,
}

impl fmt::Display for Confusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "                    kernel accepts  kernel refuses")?;
        let (accept, refuse) = (self.both_accept, self.both_refuse);
        writeln!(f, "simulator accepts  {accept:15} {:15}", 0)?;
        writeln!(
            f,
            "simulator refuses  {:15} {refuse:15}",
            self.false_refusals
        )
    }
}

pub(crate) fn no_false_accept(cases: u32) -> Outcome {
    let confusion = RefCell::new(Confusion::default());
    let steps = proptest::collection::vec(step(), 1..14);
    for_all(
        cases,
        &steps,
        |steps| compare(&steps, &confusion),
        |steps| listing(steps),
    )?;
    let confusion = confusion.into_inner();
    println!("{confusion}");
    let Confusion {
        both_accept,
        both_refuse,
        false_refusals,
    } = confusion;
    // Otherwise the generator proves nothing.
    ensure!(
        both_accept * 10 > cases && both_refuse * 10 > cases,
        "too one-sided:\n{confusion}"
    );
    // In doubt it refuses; it should not be in doubt often.
    ensure!(
        false_refusals * 20 < both_accept,
        "too many refusals:\n{confusion}"
    );
    Ok(())
}

fn compare(steps: &[Step], confusion: &RefCell<Confusion>) -> Outcome {
    let object = object(steps)?;
    let program = &object.programs[0];
    let ours = verify(&object, program, &Config::default());
    let kernels = match Loader::new(&object).load(&program.name) {
        Ok(_) => None,
        Err(ebpf_loader::Error::Rejected(why)) => Some(why),
        Err(other) => return Err(other.into()),
    };
    let mut confusion = confusion.borrow_mut();
    match (ours, kernels) {
        (Verdict::Accepted(_), None) => confusion.both_accept += 1,
        (Verdict::Rejected(_), Some(_)) => confusion.both_refuse += 1,
        (Verdict::Rejected(why), None) => {
            confusion.false_refusals += 1;
            if std::env::var_os("EBPF_DIFFERENTIAL_SHOW").is_some() {
                println!("refused in vain: {}\n{}", why.message, listing(steps));
            }
        }
        (Verdict::Accepted(_), Some(why)) => {
            return Err(format!(
                "the kernel refuses what we accept: {}\n{}",
                why.point, why.log
            )
            .into());
        }
    }
    Ok(())
}

fn listing(steps: &[Step]) -> String {
    let mut text = String::new();
    match object(steps) {
        // Writing to a string cannot fail.
        Ok(object) => drop(print_program(&mut text, &object, &object.programs[0])),
        Err(failed) => text = failed.message().unwrap_or_default().to_owned(),
    }
    text
}

fn step() -> impl Strategy<Value = Step> {
    let reg = || proptest::sample::select(REGISTERS.to_vec());
    let size = || proptest::sample::select(Size::ALL.to_vec());
    let width = || prop_oneof![Just(Width::W32), Just(Width::W64)];
    let cond = || proptest::sample::select(CONDITIONS.to_vec());
    let small = || prop_oneof![Just(0), Just(1), Just(8), Just(14), Just(-1), -20i32..40];
    let offset = || prop_oneof![4 => 0i16..20, 1 => -4i16..40];
    let rows: Vec<&'static Row> = ISA
        .iter()
        .filter(|row| matches!(row.sem, Sem::Alu { .. }))
        .collect();
    prop_oneof![
        3 => Just(Step::Packet { data: Reg::R2, end: Reg::R3 }),
        1 => (reg(), reg()).prop_map(|(data, end)| Step::Packet { data, end }),
        4 => (0i32..40).prop_map(|len| Step::Check {
            data: Reg::R2,
            end: Reg::R3,
            len,
            cond: Cond::Jgt,
        }),
        1 => (reg(), reg(), small(), cond())
            .prop_map(|(data, end, len, cond)| Step::Check { data, end, len, cond }),
        3 => (size(), reg(), offset())
            .prop_map(|(size, dst, offset)| Step::Load { size, dst, src: Reg::R2, offset }),
        2 => (size(), reg(), reg(), offset())
            .prop_map(|(size, dst, src, offset)| Step::Load { size, dst, src, offset }),
        1 => (size(), reg(), offset(), reg())
            .prop_map(|(size, dst, offset, src)| Step::Store { size, dst, offset, src }),
        2 => (size(), reg(), -5i16..0, any::<bool>()).prop_map(|(size, reg, word, writes)| {
            Step::Stack { size, reg, offset: 8 * word, writes }
        }),
        3 => (prop::bool::weighted(0.9), reg())
            .prop_map(|(stored, key)| Step::Lookup { stored, key }),
        3 => Just(Step::Compare {
            cond: Cond::Jeq,
            width: Width::W64,
            reg: Reg::R0,
            with: 0,
        }),
        3 => (cond(), width(), reg(), small())
            .prop_map(|(cond, width, reg, with)| Step::Compare { cond, width, reg, with }),
        3 => (proptest::sample::select(rows), reg(), reg(), small())
            .prop_map(|(row, dst, src, imm)| Step::Compute { row, dst, src, imm }),
        2 => (reg(), prop_oneof![Just(7), Just(15), Just(31), Just(0xff)])
            .prop_map(|(reg, mask)| Step::Mask { reg, mask }),
        2 => (reg(), reg()).prop_map(|(dst, src)| Step::Copy { dst, src }),
        2 => (reg(), small()).prop_map(|(dst, imm)| Step::Set { dst, imm }),
    ]
}

const CONDITIONS: [Cond; 11] = [
    Cond::Jeq,
    Cond::Jne,
    Cond::Jset,
    Cond::Jgt,
    Cond::Jge,
    Cond::Jlt,
    Cond::Jle,
    Cond::Jsgt,
    Cond::Jsge,
    Cond::Jslt,
    Cond::Jsle,
];

/// An XDP program with a map: the steps, then `return XDP_PASS`.
fn object(steps: &[Step]) -> Outcome<Object> {
    Ok(Object {
        license: "GPL".to_owned(),
        programs: vec![program(steps)?],
        maps: vec![Map {
            key_size: 4,
            value_size: VALUE_SIZE,
            max_entries: 4,
            ..Map::new("values", MapType::Array)
        }],
        ..Object::default()
    })
}

fn program(steps: &[Step]) -> Outcome<Program> {
    let mut a = Assembler::new("generated");
    let out = a.label();
    a.mov(Reg::R6, Reg::R1);
    for reg in REGISTERS.into_iter().filter(|reg| *reg != Reg::R8) {
        a.mov(reg, 1);
    }
    a.ldx(Size::W, Reg::R2, Reg::R6, 0)
        .ldx(Size::W, Reg::R3, Reg::R6, 4);
    for step in steps {
        emit(&mut a, step, out);
    }
    a.bind(out).mov(Reg::R0, 2).exit();
    a.finish("xdp")
        .map_err(|error| Failed::from(error.to_string()))
}

fn emit(a: &mut Assembler, step: &Step, out: Label) {
    match *step {
        Step::Packet { data, end } => {
            a.ldx(Size::W, data, Reg::R6, 0)
                .ldx(Size::W, end, Reg::R6, 4);
        }
        Step::Check {
            data,
            end,
            len,
            cond,
        } => {
            a.mov(Reg::R5, data).add(Reg::R5, len);
            a.jump(cond, Width::W64, Reg::R5, Source::Reg(end), out);
        }
        Step::Load {
            size,
            dst,
            src,
            offset,
        } => {
            a.ldx(size, dst, src, offset);
        }
        Step::Store {
            size,
            dst,
            offset,
            src,
        } => {
            a.st(size, dst, offset, src);
        }
        Step::Stack {
            size,
            reg,
            offset,
            writes,
        } => {
            if writes {
                a.st(size, Reg::R10, offset, reg);
            } else {
                a.ldx(size, reg, Reg::R10, offset);
            }
        }
        Step::Lookup { stored, key } => {
            if stored {
                a.st(Size::W, Reg::R10, -4, key);
            }
            a.mov(Reg::R2, Reg::R10).add(Reg::R2, -4);
            a.ld_reference(Reg::R1, Reference::Map(0))
                .call(MAP_LOOKUP_ELEM);
        }
        Step::Compare {
            cond,
            width,
            reg,
            with,
        } => {
            a.jump(cond, width, reg, Source::Imm(with), out);
        }
        Step::Compute { row, dst, src, imm } => {
            let fields = Fields {
                dst,
                src,
                imm,
                ..Fields::default()
            };
            a.insn(Insn::new(row, fields));
        }
        Step::Mask { reg, mask } => {
            a.and(reg, mask);
        }
        Step::Copy { dst, src } => {
            a.mov(dst, src);
        }
        Step::Set { dst, imm } => {
            a.mov(dst, imm);
        }
    }
}
