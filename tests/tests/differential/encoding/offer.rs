//! Offering a slot to the kernel, in a program around it that is right.

use std::fmt;
use std::os::fd::{AsFd, AsRawFd};

use ebpf_asm::assembler::Assembler;
use ebpf_asm::insn::{Reg, Slot, encode_all};
use ebpf_asm::isa::{Callee, Field, Imm64, Sem, Size, rows_of};
use ebpf_syscalls::Error;
use ebpf_syscalls::bpf::{self, MapCreate, ProgLoad, map_create};
use ebpf_tests::Outcome;

use super::known::NO_INSTRUCTION;
use super::slots::Candidate;

/// Instructions behind the slot that any jump of the candidates lands in.
const PAD: usize = 40;

/// How far behind the slot the function begins that calls can name: the pad and the exit are
/// between.
pub(super) const FUNCTION: i32 = PAD as i32 + 1;

/// Bytes of a slot.
const SLOT: usize = 8;

/// Bytes of the stack that are written before the slot.
const FRAME: i16 = 64;

/// What the registers hold when the slot is reached: what arithmetic wants, or what memory does.
#[derive(Clone, Copy)]
enum Registers {
    Numbers,
    StackPointers,
}

/// The running kernel, with a map for what refers to one.
pub(super) struct Kernel {
    map: bpf::Map,
}

/// What the kernel says of a slot.
pub(super) enum Verdict {
    /// It takes the program.
    Loads,
    /// It says that the bytes are no instruction.
    NoInstruction(String),
    /// It refuses the program for another reason.
    Refuses(String),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Loads => f.write_str("loads it"),
            Verdict::NoInstruction(log) => write!(f, "says it is none: {log}"),
            Verdict::Refuses(log) => write!(f, "refuses otherwise: {log}"),
        }
    }
}

impl Kernel {
    pub(super) fn new() -> Outcome<Kernel> {
        let map = map_create(&MapCreate {
            // BPF_MAP_TYPE_ARRAY
            map_type: 2,
            key_size: 4,
            value_size: 8,
            max_entries: 1,
            name: "encoding",
            ..MapCreate::default()
        })?;
        Ok(Kernel { map })
    }

    /// The map's descriptor.
    pub(super) fn map(&self) -> i32 {
        self.map.as_fd().as_raw_fd()
    }

    /// Whether the kernel takes the slot with some registers, or what it says of it.
    pub(super) fn offer(&self, candidate: &Candidate) -> Verdict {
        let with_numbers = load(candidate, Registers::Numbers);
        if !matches!(with_numbers, Verdict::Refuses(_)) {
            return with_numbers;
        }
        match load(candidate, Registers::StackPointers) {
            Verdict::Refuses(_) => with_numbers,
            told => told,
        }
    }
}

fn load(candidate: &Candidate, registers: Registers) -> Verdict {
    let bytes = match program(candidate, registers) {
        Ok(bytes) => bytes,
        Err(error) => return Verdict::Refuses(error.message().unwrap_or_default().to_owned()),
    };
    let loaded = bpf::prog_load(&ProgLoad {
        // BPF_PROG_TYPE_SOCKET_FILTER: it may use the packet loads.
        prog_type: 1,
        name: "encoding",
        insns: &bytes,
        license: "GPL",
        ..ProgLoad::default()
    });
    let log = match loaded {
        Ok(_) => return Verdict::Loads,
        Err(Error::Refused { log, .. }) => log,
        Err(other) => other.to_string(),
    };
    let said = |words: &&str| log.lines().rev().find(|line| line.contains(*words));
    match NO_INSTRUCTION.iter().find_map(said) {
        Some(line) => Verdict::NoInstruction(line.to_owned()),
        None => {
            let mut lines = log.lines().filter(|line| !line.starts_with("processed "));
            Verdict::Refuses(lines.next_back().unwrap_or_default().to_owned())
        }
    }
}

/// The registers set, the slot, and where its jumps may land.
fn program(candidate: &Candidate, registers: Registers) -> Outcome<Vec<u8>> {
    let mut a = Assembler::new("encoding");
    a.mov(Reg::R6, Reg::R1);
    for offset in (8..=FRAME).step_by(8) {
        a.st(Size::DW, Reg::R10, -offset, 1);
    }
    let kept = [Reg::R6, Reg::R10];
    for reg in Reg::ALL.into_iter().filter(|reg| !kept.contains(reg)) {
        match registers {
            Registers::Numbers => a.mov(reg, 1),
            Registers::StackPointers => a.mov(reg, Reg::R10).add(reg, i32::from(-FRAME / 2)),
        };
    }
    let slots: Vec<Slot> = [Some(candidate.first), candidate.second]
        .into_iter()
        .flatten()
        .collect();
    // So that what a jump passes over can be reached.
    let behind = a.label();
    a.jeq(Reg::R9, 5, behind);
    for _ in &slots {
        a.mov(Reg::R0, 0);
    }
    a.bind(behind);
    for _ in 0..PAD {
        a.mov(Reg::R0, 0);
    }
    a.exit();
    let mut tail = PAD + 1;
    if names_function(candidate.first) {
        a.mov(Reg::R0, 0).exit();
        tail += 2;
    }
    let program = a.finish("socket").map_err(|error| error.to_string())?;
    let mut bytes = encode_all(&program.insns);
    let at = bytes.len() - (tail + slots.len()) * SLOT;
    for (index, slot) in slots.into_iter().enumerate() {
        bytes[at + index * SLOT..][..SLOT].copy_from_slice(&slot.to_bytes());
    }
    Ok(bytes)
}

/// Whether the slot is one that may lead to a function: one that nothing leads to is refused.
fn names_function(first: Slot) -> bool {
    rows_of(first.opcode).any(|row| {
        let leads = [Sem::Call(Callee::Local), Sem::LoadImm64(Imm64::Code)];
        leads.contains(&row.sem) && row.src == Field::Is(i32::from(first.src))
    })
}
