//! Programs made by chance that a verifier can accept, for differential tests: the
//! interpreter against the kernel, or one analysis against another.
//!
//! Each is an XDP program that computes with arithmetic, jumps, stack, packet, atomics, a
//! local call and two maps, and at its end writes all that it computed into the packet.
//! The same seed gives the same program.
//!
//! Read before: `mod.rs`.

use super::host::Random;
use ebpf_asm::assembler::{AssembleError, Assembler, Label, Source};
use ebpf_asm::helper;
use ebpf_asm::insn::Reg::{self, *};
use ebpf_asm::isa::{AluOp, AtomicOp, Cond, Size, Swap, Width};
use ebpf_asm::map_type::MapType;
use ebpf_asm::object::{Map, Object};
use ebpf_asm::program::Reference;

/// The shortest packet that a generated program does not let pass at once, in bytes.
pub const PACKET_LEN: usize = 160;

/// The name of the program.
pub const PROGRAM: &str = "generated";

/// What holds numbers throughout. R6 holds the context, R9 the packet's first byte.
const NUMBERS: [Reg; 8] = [R0, R1, R2, R3, R4, R5, R7, R8];
/// The part of the packet that steps read and write; results go behind it.
const SCRATCH: i16 = 32;
/// The part of the stack that steps read and write, in bytes below the frame pointer.
const STACK: i16 = 64;
/// A map's key is made at the stack's lowest number, its value above it.
const KEY: i16 = -STACK;
const VALUE: i16 = -STACK + 8;
/// The entries of both maps: few, so that they fill up.
const ENTRIES: u32 = 3;

/// The object of this seed: one XDP program, [`PROGRAM`], of about `steps` steps, and the
/// maps `array` and `hash`.
///
/// # Errors
/// If so many steps make a program whose jumps do not reach.
pub fn object(seed: u64, steps: usize) -> Result<Object, AssembleError> {
    let mut generator = Generator {
        random: Random::new(seed),
        asm: Assembler::new(PROGRAM),
        function: None,
    };
    generator.program(steps);
    let map = |name: &str, map_type| Map {
        key_size: 4,
        value_size: 8,
        max_entries: ENTRIES,
        ..Map::new(name, map_type)
    };
    Ok(Object {
        license: "GPL".into(),
        programs: vec![generator.asm.finish("xdp")?],
        maps: vec![map("array", MapType::Array), map("hash", MapType::Hash)],
        ..Object::default()
    })
}

struct Generator {
    random: Random,
    asm: Assembler,
    /// The local function, once something calls it.
    function: Option<Label>,
}

impl Generator {
    fn program(&mut self, steps: usize) {
        let short = self.asm.label();
        self.prologue(short);
        let mut left = steps;
        while left > 0 {
            let skipped = self.below(4).min(left);
            match skipped {
                0 => {
                    self.step();
                    left -= 1;
                }
                _ => {
                    self.branch_over(skipped);
                    left -= skipped;
                }
            }
        }
        self.epilogue();
        self.asm.bind(short);
        self.asm.mov(R0, 2).exit();
        self.local_function();
    }

    /// Checks the packet's length and gives every register and stack slot a number.
    fn prologue(&mut self, short: Label) {
        self.asm.mov(R6, R1);
        self.asm.ldx(Size::W, R9, R6, 0).ldx(Size::W, R2, R6, 4);
        self.asm.mov(R3, R9).add(R3, PACKET_LEN as i32);
        self.asm.jgt(R3, R2, short);
        for offset in (1..=STACK / 8).map(|slot| -8 * slot) {
            self.fill(R0);
            self.asm.st(Size::DW, R10, offset, R0);
        }
        for reg in NUMBERS {
            self.fill(reg);
        }
    }

    /// Writes registers and stack behind the packet's scratch, and returns a number.
    fn epilogue(&mut self) {
        let mut to = SCRATCH;
        for reg in NUMBERS {
            self.asm.st(Size::DW, R9, to, reg);
            to += 8;
        }
        for offset in (1..=STACK / 8).map(|slot| -8 * slot) {
            self.asm.ldx(Size::DW, R1, R10, offset);
            self.asm.st(Size::DW, R9, to, R1);
            to += 8;
        }
        self.asm.exit();
    }

    fn local_function(&mut self) {
        let Some(label) = self.function else { return };
        self.asm.function(label, "local");
        self.asm.mov(R0, R1);
        for reg in [R2, R3, R4, R5] {
            let op = self.choose(AluOp::ALL);
            self.asm.alu(op, Width::W64, R0, Source::Reg(reg));
        }
        self.asm.exit();
    }

    /// A conditional jump over some steps.
    fn branch_over(&mut self, steps: usize) {
        let behind = self.asm.label();
        let (cond, width) = (self.choose(Cond::ALL), self.width());
        let (left, right) = (self.number(), self.source());
        self.asm.jump(cond, width, left, right, behind);
        for _ in 0..steps {
            self.step();
        }
        self.asm.bind(behind);
    }

    fn step(&mut self) {
        match self.below(16) {
            0..6 => self.arithmetic(),
            6 => self.unary(),
            7 => self.byte_swap(),
            8 | 9 => self.load(),
            10 | 11 => self.store(),
            12 => self.atomic(),
            13 => self.call_local(),
            14 => self.call_map(),
            _ => {
                let reg = self.number();
                self.fill(reg);
            }
        }
    }

    fn arithmetic(&mut self) {
        let (op, width, dst) = (self.choose(AluOp::ALL), self.width(), self.number());
        let src = match (op, self.source()) {
            // The kernel refuses these numbers before the program runs.
            (AluOp::Lsh | AluOp::Rsh | AluOp::Arsh, Source::Imm(n)) => {
                Source::Imm(n & (width.bits() as i32 - 1))
            }
            (AluOp::Div | AluOp::Mod | AluOp::Sdiv | AluOp::Smod, Source::Imm(0)) => Source::Imm(7),
            (_, src) => src,
        };
        self.asm.alu(op, width, dst, src);
    }

    fn unary(&mut self) {
        let (width, dst, src) = (self.width(), self.number(), self.number());
        match self.below(3) {
            0 => self.asm.neg(width, dst),
            1 => {
                let from = self.choose([Size::B, Size::H]);
                self.asm.movsx(width, from, dst, src)
            }
            _ => self.asm.mov32(dst, src),
        };
    }

    fn byte_swap(&mut self) {
        let swap = self.choose([Swap::Le, Swap::Be, Swap::Bswap]);
        let size = self.choose([Size::H, Size::W, Size::DW]);
        let reg = self.number();
        self.asm.byte_swap(swap, size, reg);
    }

    fn load(&mut self) {
        let (size, dst) = (self.choose(Size::ALL), self.number());
        let (base, offset) = self.place(size);
        match (self.below(2), size) {
            (0, Size::B | Size::H | Size::W) => self.asm.ldxsx(size, dst, base, offset),
            _ => self.asm.ldx(size, dst, base, offset),
        };
    }

    fn store(&mut self) {
        let size = self.choose(Size::ALL);
        let (base, offset) = self.place(size);
        let src = self.source();
        self.asm.st(size, base, offset, src);
    }

    fn atomic(&mut self) {
        let size = self.choose([Size::W, Size::DW]);
        let (op, src) = (self.choose(AtomicOp::ALL), self.number());
        let offset = self.stack_offset(size);
        self.asm.atomic(op, size, R10, offset, src);
    }

    fn call_local(&mut self) {
        let label = match self.function {
            Some(label) => label,
            None => *self.function.insert(self.asm.label()),
        };
        self.asm.call_local(label);
        self.refill();
    }

    /// A lookup, update or delete in one of the maps, whose result goes to R0.
    fn call_map(&mut self) {
        let map = self.below(2);
        let key = self.below(ENTRIES as usize + 2) as i32;
        self.asm.st(Size::W, R10, KEY, key);
        self.asm.ld_reference(R1, Reference::Map(map));
        self.asm.mov(R2, R10).add(R2, i32::from(KEY));
        match self.below(3) {
            0 => {
                self.call_helper("map_lookup_elem");
                let missing = self.asm.label();
                self.asm.jeq(R0, 0, missing);
                self.asm.ldx(Size::DW, R0, R0, 0);
                self.asm.bind(missing);
            }
            1 => {
                let flags = self.below(4) as i32;
                self.asm.mov(R3, R10).add(R3, i32::from(VALUE));
                self.asm.mov(R4, flags);
                self.call_helper("map_update_elem");
            }
            _ => self.call_helper("map_delete_elem"),
        }
        self.refill();
    }

    fn call_helper(&mut self, name: &str) {
        // The names used here are in the table: a test loads every kind of step.
        if let Some(helper) = helper::by_name(name) {
            self.asm.call(helper.id);
        }
    }

    /// New numbers for what a call has destroyed.
    fn refill(&mut self) {
        for reg in [R1, R2, R3, R4, R5] {
            self.fill(reg);
        }
    }

    fn fill(&mut self, reg: Reg) {
        let number = self.interesting();
        self.asm.ld_imm64(reg, number);
    }

    /// A number near an edge, or any.
    fn interesting(&mut self) -> u64 {
        let any = u64::from(self.random.next()) << 32 | u64::from(self.random.next());
        let shift = self.below(64);
        match self.below(5) {
            0 => any,
            1 => any >> shift,
            2 => 1 << shift,
            3 => (1u64 << shift).wrapping_sub(1),
            _ => (-1i64 << shift) as u64,
        }
    }

    fn source(&mut self) -> Source {
        match self.below(2) {
            0 => Source::Reg(self.number()),
            _ => Source::Imm(self.interesting() as i32),
        }
    }

    /// Part of the stack or of the packet's scratch, aligned.
    fn place(&mut self, size: Size) -> (Reg, i16) {
        match self.below(2) {
            0 => (R10, self.stack_offset(size)),
            _ => {
                let places = SCRATCH as usize / size.bytes() as usize;
                (R9, (self.below(places) * size.bytes() as usize) as i16)
            }
        }
    }

    fn stack_offset(&mut self, size: Size) -> i16 {
        let places = STACK as usize / size.bytes() as usize;
        -(((self.below(places) + 1) * size.bytes() as usize) as i16)
    }

    fn number(&mut self) -> Reg {
        self.choose(NUMBERS)
    }

    fn width(&mut self) -> Width {
        self.choose([Width::W32, Width::W64])
    }

    fn choose<T: Copy, const N: usize>(&mut self, from: [T; N]) -> T {
        let index = self.below(N);
        from[index]
    }

    /// A number below `limit`; 0 if that is 0.
    fn below(&mut self, limit: usize) -> usize {
        (self.random.next() as usize)
            .checked_rem(limit)
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Machine, Packet};
    use super::*;

    #[test]
    fn generated_programs_run_without_fault() {
        for seed in 0..500 {
            let object = object(seed, 60).unwrap();
            let mut machine = Machine::new(&object).unwrap();
            let run = machine.run(PROGRAM, Packet::new(&[seed as u8; PACKET_LEN]));
            let run = run.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            assert!(run.executed > 30);
        }
    }

    #[test]
    fn a_seed_gives_the_same_program_again() {
        assert_eq!(object(7, 50), object(7, 50));
        assert_ne!(object(7, 50), object(8, 50));
    }
}
