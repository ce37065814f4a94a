//! What sprouts are made with: an assembler, and what is drawn from.
//!
//! Registers are drawn without a look at what they hold: whether that is right, the simulator
//! says.
//!
//! Read before: `scene.rs`. Read next: `numbers.rs`.

use ebpf_asm::assembler::{Assembler, Label};
use ebpf_asm::insn::Reg::{self, *};
use ebpf_asm::insn::{Fields, Insn};
use ebpf_asm::isa::{Callee, Sem, Size, Width};
use ebpf_asm::prog_type::ProgType;

use super::graft::Outside;
use crate::differential::Chance;
use crate::kernel_types;

/// The registers that are drawn from: all but the context's and the frame's.
const REGS: [Reg; 9] = [R0, R1, R2, R3, R4, R5, R7, R8, R9];

/// The words of the stack that are used.
const WORDS: [i16; 4] = [-16, -24, -32, -40];

/// Where iterations and counters lie: nothing else is put there, so that few loops are endless.
pub(super) const OBJECTS: [i16; 6] = [-72, -80, -88, -96, -104, -112];

const CONSTANTS: [i32; 26] = [
    0,
    0,
    0,
    1,
    1,
    2,
    4,
    5,
    8,
    13,
    14,
    15,
    16,
    20,
    63,
    64,
    127,
    128,
    255,
    256,
    65535,
    -1,
    -8,
    -129,
    i32::MAX,
    i32::MIN,
];

/// What a sprout is made with.
pub(super) struct Grower<'g> {
    pub(super) a: &'g mut Assembler,
    pub(super) chance: &'g mut Chance,
    pub(super) prog_type: ProgType,
    pub(super) outside: Outside,
    pub(super) mark: Label,
    /// What both halves of a loop draw from, so that they fit.
    pub(super) shared: Chance,
}

impl Grower<'_> {
    pub(super) fn reg(&mut self) -> Reg {
        self.chance.pick(&REGS)
    }

    /// What is read of or written to: mostly a register that calls leave alone.
    pub(super) fn base(&mut self) -> Reg {
        match self.chance.below(5) {
            0 => R10,
            1 | 2 => self.reg(),
            _ => self.chance.pick(&[R0, R7, R8, R9]),
        }
    }

    pub(super) fn number(&mut self) -> i32 {
        self.chance.pick(&CONSTANTS)
    }

    pub(super) fn word(&mut self) -> i16 {
        self.chance.pick(&WORDS)
    }

    pub(super) fn width(&mut self) -> Width {
        self.chance
            .pick(&[Width::W64, Width::W64, Width::W64, Width::W32])
    }

    /// A size, and a place on the stack that it divides, mostly the lower end of a word.
    pub(super) fn part(&mut self) -> (Size, i16) {
        let size = self.chance.pick(&[
            Size::DW,
            Size::DW,
            Size::DW,
            Size::W,
            Size::W,
            Size::H,
            Size::B,
        ]);
        let bytes = size.bytes() as i16;
        let within = match self.chance.below(3) {
            0 => self.chance.below((8 / bytes) as usize) as i16 * bytes,
            _ => 0,
        };
        (size, self.word() + within)
    }

    pub(super) fn offset(&mut self) -> i16 {
        self.chance
            .pick(&[0, 0, 0, 1, 2, 4, 4, 8, 8, 12, 13, -1, -4, -8])
    }

    pub(super) fn kfunc(&mut self, name: &str) {
        self.insn(
            Sem::Call(Callee::Kfunc),
            Fields {
                imm: kernel_types::function(name).unwrap_or(i32::MAX),
                ..Fields::default()
            },
        );
    }

    pub(super) fn insn(&mut self, sem: Sem, fields: Fields) {
        if let Some(row) = sem.row() {
            self.a.insn(Insn::new(row, fields));
        }
    }

    /// Where jumps go.
    pub(super) fn to(&mut self) -> Label {
        match self.chance.percent(50) {
            true => self.outside.out,
            false => self.outside.later,
        }
    }
}
