//! How many instructions are encoded and decoded in a second, on one core.
//!
//! The witness is the crate `rbpf`, whose `get_insn` takes a slot apart and whose `Insn`
//! puts it together again: neither knows which instruction it is, nor whether it is one.

use std::hint::black_box;
use std::time::Duration;

use ebpf_asm::insn::{Fields, Insn, Reg, decode_all, encode_all};
use ebpf_asm::isa::ISA;
use ebpf_tests::{Outcome, ensure};
use nix::time::{ClockId, clock_gettime};
use rbpf::ebpf;

use crate::stats::{head, median, row};

/// How many instructions the program has.
const LENGTH: usize = 1_000_000;

/// How often each is measured.
const ROUNDS: usize = 15;

/// Bytes of a slot.
const SLOT: usize = 8;

pub(crate) fn print() -> Outcome {
    let program = program();
    let bytes = encode_all(&program);
    ensure!(
        decode_all(&bytes)? == program,
        "what was encoded decodes otherwise"
    );
    let slots = bytes.len() / SLOT;
    let theirs: Vec<ebpf::Insn> = (0..slots).map(|n| ebpf::get_insn(&bytes, n)).collect();
    let mut rates = [const { Vec::new() }; 4];
    for _ in 0..ROUNDS {
        rates[0].push(rate(LENGTH, || {
            decode_all(black_box(&bytes)).map(|all| all.len())
        }));
        rates[1].push(rate(slots, || split(black_box(&bytes), slots)));
        rates[2].push(rate(LENGTH, || encode_all(black_box(&program)).len()));
        rates[3].push(rate(slots, || join(black_box(&theirs))));
    }
    let [decode, split, encode, join] = rates.map(median);
    head(&["what", "million a second", "ratio to rbpf"]);
    let line = |what: &str, rate: f64, of: f64| {
        let ratio = format!("{:.2}", rate / of);
        row(&[what.to_owned(), format!("{:.0}", rate / 1e6), ratio]);
    };
    line("`decode_all`, instructions", decode, split);
    line("rbpf's `get_insn`, slots", split, split);
    line("`encode_all`, instructions", encode, join);
    line("rbpf's `Insn::to_array`, slots", join, join);
    Ok(())
}

/// Every row in turn, its free fields full of changing numbers.
fn program() -> Vec<Insn> {
    let rows = ISA.iter().cycle().take(LENGTH);
    let insn = |(n, row)| {
        // Knuth's multiplicative hash: any numbers do.
        let mixed = (n as u32).wrapping_mul(2_654_435_761);
        let reg = |bits: u32| Reg::ALL[bits as usize % Reg::ALL.len()];
        let fields = Fields {
            dst: reg(mixed >> 8),
            src: reg(mixed >> 16),
            offset: mixed as i16,
            imm: mixed as i32,
            next_imm: mixed.rotate_left(7) as i32,
        };
        Insn::new(row, fields)
    };
    rows.enumerate().map(|(n, row)| insn((n, row))).collect()
}

/// How many a second of the thread's own CPU time, if the work is done on so many.
fn rate<T>(count: usize, work: impl FnOnce() -> T) -> f64 {
    let clock = ClockId::CLOCK_THREAD_CPUTIME_ID;
    let now = || clock_gettime(clock).map_or(Duration::ZERO, Duration::from);
    let begin = now();
    black_box(work());
    count as f64 / (now() - begin).as_secs_f64()
}

fn split(bytes: &[u8], slots: usize) -> usize {
    let mut insns = Vec::with_capacity(slots);
    insns.extend((0..slots).map(|slot| ebpf::get_insn(bytes, slot)));
    black_box(insns).len()
}

fn join(insns: &[ebpf::Insn]) -> usize {
    let mut bytes = Vec::with_capacity(insns.len() * SLOT);
    for insn in insns {
        bytes.extend_from_slice(&insn.to_array());
    }
    black_box(bytes).len()
}
