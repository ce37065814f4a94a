//! No program makes the interpreter panic, however senseless.

use super::super::host::Random;
use super::super::{Input, Machine, RunError};
use super::{map, object, packet};
use ebpf_asm::assembler::Source;
use ebpf_asm::insn::{Fields, Insn, Reg};
use ebpf_asm::isa::{ISA, Sem};
use ebpf_asm::map_type::MapType;
use ebpf_asm::program::Reference;

/// An instruction of any row with any contents, more often small ones than not.
fn any_insn(random: &mut Random) -> Insn {
    let mut below = |limit: u32| random.next() % limit;
    let row = &ISA[below(ISA.len() as u32) as usize];
    let mut number = || match below(4) {
        0 => below(u32::MAX) as i32,
        1 => -(below(64) as i32),
        _ => below(220) as i32,
    };
    let (offset, imm, next_imm) = (number() as i16, number(), number());
    let mut register = || Reg::new((random.next() % 11) as u8).unwrap();
    Insn::new(
        row,
        Fields {
            dst: register(),
            src: register(),
            offset,
            imm,
            next_imm,
        },
    )
}

#[test]
fn any_program_runs_or_faults() {
    let types = [
        MapType::Array,
        MapType::Hash,
        MapType::PercpuArray,
        MapType::Devmap,
        MapType::StackTrace,
    ];
    let (mut ran, mut faulted) = (0, 0);
    for seed in 0..6000 {
        let mut random = Random::new(seed);
        let section = ["xdp", "tc", "socket", "syscall", "cgroup_skb/egress"][(seed % 5) as usize];
        let mut maps: Vec<_> = types.iter().map(|t| map(*t, 4, 8, 2)).collect();
        maps.push(map(MapType::Ringbuf, 0, 0, 4096));
        let object = object(section, maps, |a| {
            for reg in Reg::ALL
                .into_iter()
                .filter(|r| !matches!(r, Reg::R1 | Reg::R10))
            {
                let number = random.next();
                match number % 3 {
                    0 => a.mov(reg, number as i32 % 64),
                    1 => a
                        .mov(reg, Source::Reg(Reg::R10))
                        .add(reg, -((number >> 4) as i32 % 256)),
                    _ => a.ld_reference(reg, Reference::Map(number as usize % 7)),
                };
            }
            for _ in 0..random.next() % 30 {
                let insn = any_insn(&mut random);
                let is_exit = insn.sem() == Sem::Exit;
                if !is_exit || random.next().is_multiple_of(4) {
                    a.insn(insn);
                }
            }
            a.mov(Reg::R0, 0).exit();
        });
        let mut machine = Machine::new(&object).unwrap();
        machine.set_budget(2000);
        let input = match section {
            "syscall" => Input::Context(vec![7; 64]),
            _ => Input::Packet(packet()),
        };
        match machine.run("p", input) {
            Ok(_) => ran += 1,
            Err(RunError::Fault(fault)) => {
                faulted += 1;
                assert!(!fault.to_string().is_empty());
            }
            Err(other) => panic!("seed {seed}: {other}"),
        }
    }
    assert!(ran > 100 && faulted > 100, "{ran} ran, {faulted} faulted");
}
