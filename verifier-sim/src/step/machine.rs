//! One instruction, abstractly executed: which file does what.
//!
//! Read before: `env.rs`, `value/state.rs`. Read next: `alu.rs`.

use crate::codes::Code;
use crate::diag::{Checked, Place, Rejection};
use crate::env::Env;
use crate::memory::mem::AddressKind;
use crate::path::notes::Notes;
use crate::value::held::Held;
use crate::value::reg::{Kind, Origin, RegState};
use crate::value::state::State;
use ebpf_asm::insn::{Insn, Reg};
use ebpf_asm::isa::{Callee, Imm64, Operand, Sem};
use ebpf_asm::map_type::MapType;
use ebpf_asm::program::Reference;

/// Where execution goes on.
#[derive(Debug)]
pub(crate) enum Flow {
    /// At this slot.
    To(usize),
    /// On two ways: at `next` with the state as it is now, and later at `jump` with another.
    Fork {
        next: usize,
        jump: usize,
        jump_state: Box<State>,
    },
    /// On two ways from what may leave the program, in a function: at `caller` with the state as it is now, and
    /// later, still in the function, at `stay` with another.
    Leave {
        caller: usize,
        stay: usize,
        stay_state: Box<State>,
    },
    /// On two ways from a call that calls back: at `next` with the state as it is now, and
    /// later in the function that is called, which begins at `function`, with another.
    CallBack {
        next: usize,
        function: usize,
        inside: Box<State>,
    },
    /// On two ways from where execution comes round: at `next` with the state as it is now, and
    /// later at `again` with another, of which the numbers that differ from the last round
    /// may become unknown.
    Again {
        next: usize,
        again: usize,
        state: Box<State>,
    },
    /// At `next` with the state as it is now, and later, on its own, in the function that begins
    /// at `function` with another.
    Later {
        next: usize,
        function: usize,
        state: Box<State>,
    },
    /// Back at this slot, which a callback was entered from.
    Back(usize),
    /// Nowhere: the program has ended.
    End,
}

/// A state and the instruction that is about to change it.
pub(crate) struct Machine<'e, 'a> {
    pub(crate) env: &'e Env<'a>,
    pub(crate) state: &'e mut State,
    /// The slot of the instruction.
    pub(crate) slot: usize,
    /// The last id given to anything.
    pub(crate) last_id: &'e mut u32,
    /// What is to be said about precision.
    pub(crate) notes: &'e mut Notes,
    /// What each instruction was found to access.
    pub(crate) address_kinds: &'e mut [AddressKind],
}

impl Machine<'_, '_> {
    /// Executes the instruction.
    pub(crate) fn step(&mut self, insn: &Insn) -> Checked<Flow> {
        let next = self.slot + insn.slots();
        let sem = insn.sem();
        match sem {
            Sem::Alu { op, operand, .. } => {
                if let Some(zero) = self.split_sign(insn, op, operand)? {
                    self.alu(insn, sem)?;
                    return Ok(Flow::Fork {
                        next,
                        jump: self.slot,
                        jump_state: zero,
                    });
                }
                self.alu(insn, sem)?;
            }
            Sem::Neg { .. } | Sem::Mov { .. } | Sem::Movsx { .. } | Sem::ByteSwap { .. } => {
                self.alu(insn, sem)?
            }
            Sem::Load { .. } | Sem::LoadSx { .. } | Sem::LoadAcquire { .. } => self.load(insn)?,
            Sem::Store { .. } | Sem::StoreRelease { .. } => self.store(insn)?,
            Sem::Atomic { op, size } => self.atomic(insn, op, size)?,
            Sem::LoadImm64(kind) => self.load_imm64(insn, kind)?,
            Sem::LoadPacket { .. } => return self.load_packet(insn),
            Sem::Jump {
                cond,
                width,
                operand,
            } => return self.jump(insn, cond, width, operand),
            Sem::Ja | Sem::Gotol => return self.target(insn).map(Flow::To),
            Sem::Call(Callee::Helper) => return self.call_helper(insn),
            Sem::Call(Callee::Local) => return self.call_local(insn),
            Sem::Exit => return self.exit(),
            Sem::Call(Callee::Kfunc) => return self.call_kfunc(insn),
            Sem::AddrSpaceCast(cast) => self.cast_address_space(insn, cast)?,
            Sem::MayGoto => return self.may_goto(insn),
            Sem::Gotox => return Err(not_modelled("indirect jumps")),
            Sem::Call(Callee::Register | Callee::NumberedRegister) => {
                return Err(not_modelled("indirect calls"));
            }
        }
        Ok(Flow::To(next))
    }

    /// Where the instruction jumps or calls to; checked before (`flow/cfg.rs`).
    pub(crate) fn target(&self, insn: &Insn) -> Checked<usize> {
        let target = self.env.cfg.target(self.slot, insn);
        target.ok_or_else(|| no_target(self.slot))
    }

    /// The slot as a place for messages.
    pub(crate) fn here(&self) -> Place {
        Place::at(self.slot)
    }

    /// A new id.
    pub(crate) fn new_id(&mut self) -> u32 {
        *self.last_id += 1;
        *self.last_id
    }

    /// A register that is about to be read.
    pub(crate) fn read_reg(&self, reg: Reg) -> Checked<&RegState> {
        let state = self.state.reg(reg);
        match state.is_nothing() {
            false => Ok(state),
            true => Err(self.unreadable(reg)),
        }
    }

    /// The same, shared: it stays as it is when the register is written.
    pub(crate) fn read_held(&self, reg: Reg) -> Checked<Held> {
        self.read_reg(reg).map(|_| self.state.held(reg))
    }

    /// Refuses to write R10.
    pub(crate) fn check_writable(&self, reg: Reg) -> Checked {
        match reg {
            Reg::R10 => Err(frame_pointer()),
            _ => Ok(()),
        }
    }

    /// Notes that what a register holds matters for the verdict.
    pub(crate) fn need(&mut self, reg: Reg) {
        self.notes.needs.own_reg(self.state, reg);
    }

    /// Writes a register, as made here.
    pub(crate) fn write_reg(&mut self, reg: Reg, mut value: RegState) -> Checked {
        self.check_writable(reg)?;
        value.origin = Origin::made(self.here());
        self.state.set_reg(reg, value);
        Ok(())
    }

    /// The second operand: a register's contents, or the sign-extended number.
    pub(crate) fn operand(&self, insn: &Insn, operand: Operand) -> Checked<RegState> {
        match operand {
            Operand::Reg => self.read_reg(insn.src()).copied(),
            Operand::Imm => Ok(RegState::constant(i64::from(insn.imm()) as u64)),
        }
    }

    fn load_imm64(&mut self, insn: &Insn, kind: Imm64) -> Checked {
        self.check_writable(insn.dst())?;
        let value = match (kind, self.env.program.reference(self.slot)) {
            (Imm64::Value, None) => RegState::constant(insn.imm64()),
            (Imm64::Code, None) => self.function_address(insn)?,
            (_, Some(Reference::Map(map))) => RegState::pointer(Kind::Map(index(map)?)),
            (_, Some(Reference::MapValue { map, offset })) => {
                let map = index(map)?;
                if self
                    .env
                    .map(map)
                    .is_some_and(|map| map.map_type == MapType::Arena)
                {
                    // As user space has it.
                    return self.write_reg(insn.dst(), RegState::unknown());
                }
                // That there is such a byte was checked before (`load/used_maps.rs`).
                let mut value = RegState::pointer(Kind::MapValue(map));
                value.off = i32::try_from(offset).unwrap_or(i32::MAX);
                value
            }
            (_, Some(Reference::Extern(index))) => self.extern_address(index)?,
            (Imm64::Variable, None) => self.numbered_address(insn)?,
            _ => return Err(not_modelled("this form of a 16-byte load")),
        };
        self.write_reg(insn.dst(), value)
    }
}

#[cold]
fn no_target(slot: usize) -> Box<Rejection> {
    let message = format!("jump out of range from insn {slot}");
    Rejection::new(Code::JumpOutOfRange, message)
}

#[cold]
fn frame_pointer() -> Box<Rejection> {
    Rejection::new(Code::FramePointer, "frame pointer is read only")
        .label("writes R10")
        .help("copy R10 to another register and change that")
}

/// An index into the object's maps.
fn index(map: usize) -> Checked<u32> {
    u32::try_from(map).map_err(|_| not_modelled("so many maps"))
}

/// Refuses what is not modelled, whatever the kernel may say.
pub(crate) fn not_modelled(what: &str) -> Box<Rejection> {
    Rejection::new(Code::NotModelled, format!("not modelled: {what}"))
        .label("the kernel may accept this; nothing is promised here")
}
