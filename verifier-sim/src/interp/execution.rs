//! The execution of one program: one step an instruction.
//!
//! The meaning of arithmetic and conditions is `ebpf_asm::eval`'s and `Cond::holds`; this
//! file adds memory, control flow and calls.
//!
//! Read before: `memory.rs`, `registers.rs`. Read next: `callback.rs`, `helpers/`.

use super::MAX_FRAMES;
use super::address;
use super::callback::Callback;
use super::fault::FaultKind;
use super::helpers;
use super::host::Host;
use super::memory::Memory;
use super::registers::{CalleeSaved, Registers};
use ebpf_asm::eval;
use ebpf_asm::insn::{Insn, Reg};
use ebpf_asm::isa::{AtomicOp, Callee, Imm64, Operand, PacketMode, Sem, Size, Width};
use ebpf_asm::prog_type::ProgType;
use ebpf_asm::program::{Program, Reference};

/// How often a run may pass `may_goto`, and the most rounds of `loop` (`BPF_MAX_LOOPS`).
pub(super) const MAX_LOOPS: u64 = 8 * 1024 * 1024;

/// A program with its instructions by slot.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    pub(super) program: Program,
    /// `None` where a wide instruction's second slot is.
    slots: Vec<Option<Insn>>,
}

impl Prepared {
    pub(super) fn new(program: &Program) -> Prepared {
        let mut slots = Vec::with_capacity(program.slot_count());
        for insn in &program.insns {
            slots.push(Some(*insn));
            slots.resize(slots.len() + insn.slots() - 1, None);
        }
        Prepared {
            program: program.clone(),
            slots,
        }
    }

    pub(super) fn insn(&self, slot: usize) -> Option<&Insn> {
        self.slots.get(slot)?.as_ref()
    }
}

/// How many tail calls a run may make (`MAX_TAIL_CALL_CNT`).
const MAX_TAIL_CALLS: u32 = 33;

/// Where a function returns to, and what it gives back there.
#[derive(Debug, Clone)]
struct Caller<'m> {
    prepared: &'m Prepared,
    slot: usize,
    saved: CalleeSaved,
    /// The rounds that the function is one of, if a helper called it.
    callback: Option<Callback>,
    depth: usize,
}

/// Where control goes after an instruction.
pub(super) enum Next {
    /// To the next instruction.
    Falls,
    /// To this slot.
    Goes(i64),
    /// Out of the program, with R0.
    Ends(u64),
}

/// A program under way.
#[derive(Debug)]
pub(super) struct Execution<'m> {
    programs: &'m [Prepared],
    pub(super) prepared: &'m Prepared,
    pub(super) registers: Registers,
    pub(super) memory: Memory<'m>,
    pub(super) host: &'m mut Host,
    /// The slot of the instruction being executed.
    pub(super) slot: usize,
    /// How many instructions were begun.
    pub(super) executed: u64,
    callers: Vec<Caller<'m>>,
    /// How many functions of the program that is running called each other: a program that
    /// a tail call leads to begins anew.
    depth: usize,
    loops_left: u64,
    tail_calls_left: u32,
}

impl<'m> Execution<'m> {
    /// At the first instruction, with the context in R1.
    pub(super) fn new(
        programs: &'m [Prepared],
        prepared: &'m Prepared,
        memory: Memory<'m>,
        host: &'m mut Host,
    ) -> Execution<'m> {
        let mut registers = Registers::new(address::frame_pointer(0));
        // R1 is not the frame pointer, so that the write cannot fail.
        let _ = registers.write(Reg::R1, address::ctx());
        Execution {
            programs,
            prepared,
            registers,
            memory,
            host,
            slot: 0,
            executed: 0,
            callers: Vec::new(),
            depth: 1,
            loops_left: MAX_LOOPS,
            tail_calls_left: MAX_TAIL_CALLS,
        }
    }

    pub(super) fn prog_type(&self) -> ProgType {
        self.prepared.program.prog_type
    }

    /// What the instruction being executed refers to.
    pub(super) fn reference(&self) -> Option<Reference> {
        self.prepared.program.reference(self.slot)
    }

    /// Runs to the end of the program; its R0.
    pub(super) fn run(&mut self, budget: u64) -> Result<u64, FaultKind> {
        loop {
            let insn = match self.prepared.slots.get(self.slot) {
                Some(Some(insn)) => *insn,
                Some(None) => return Err(self.no_insn(self.slot as i64)),
                None => return Err(FaultKind::FellOff),
            };
            if self.executed >= budget {
                return Err(FaultKind::BudgetUsedUp(budget));
            }
            self.executed += 1;
            match self.step(insn)? {
                Next::Falls => self.slot += insn.slots(),
                Next::Goes(target) => self.slot = self.checked_target(target)?,
                Next::Ends(r0) => return Ok(r0),
            }
        }
    }

    fn checked_target(&self, target: i64) -> Result<usize, FaultKind> {
        let slot = usize::try_from(target).ok();
        slot.filter(|slot| self.prepared.insn(*slot).is_some())
            .ok_or_else(|| self.no_insn(target))
    }

    fn no_insn(&self, target: i64) -> FaultKind {
        FaultKind::JumpOutOfRange { target }
    }

    fn step(&mut self, insn: Insn) -> Result<Next, FaultKind> {
        match insn.sem() {
            Sem::Exit => return self.exit(),
            Sem::Ja | Sem::Gotol => return Ok(self.jump(insn)),
            Sem::Jump {
                cond,
                width,
                operand,
            } => {
                let dst = self.registers.read(insn.dst())?;
                let operand = self.operand(insn, operand)?;
                return Ok(match cond.holds(width, dst, operand) {
                    true => self.jump(insn),
                    false => Next::Falls,
                });
            }
            Sem::MayGoto => return Ok(self.may_goto(insn)),
            Sem::Call(callee) => return self.call(insn, callee),
            Sem::LoadPacket { mode, size } => return self.load_packet(insn, mode, size),
            Sem::Alu { .. }
            | Sem::Neg { .. }
            | Sem::Mov { .. }
            | Sem::Movsx { .. }
            | Sem::ByteSwap { .. } => self.compute(insn)?,
            Sem::LoadImm64(kind) => {
                let value = self.imm64(insn, kind)?;
                self.registers.write(insn.dst(), value)?;
            }
            Sem::AddrSpaceCast(_) => return Err(FaultKind::NotModelled("addr_space_cast".into())),
            Sem::Gotox => return Err(FaultKind::NotModelled("gotox".into())),
            Sem::Load { .. }
            | Sem::LoadSx { .. }
            | Sem::Store { .. }
            | Sem::Atomic { .. }
            | Sem::LoadAcquire { .. }
            | Sem::StoreRelease { .. } => self.access(insn)?,
        }
        Ok(Next::Falls)
    }

    /// The second operand: `src`, or `imm` with its sign extended.
    fn operand(&self, insn: Insn, operand: Operand) -> Result<u64, FaultKind> {
        match operand {
            Operand::Imm => Ok(i64::from(insn.imm()) as u64),
            Operand::Reg => self.registers.read(insn.src()),
        }
    }

    /// An instruction on registers alone.
    fn compute(&mut self, insn: Insn) -> Result<(), FaultKind> {
        let dst = |registers: &Registers| registers.read(insn.dst());
        let value = match insn.sem() {
            Sem::Alu { op, width, operand } => {
                let right = self.operand(insn, operand)?;
                eval::alu(op, width, dst(&self.registers)?, right)
            }
            Sem::Neg { width } => eval::neg(width, dst(&self.registers)?),
            Sem::Mov { width, operand } => eval::truncate(width, self.operand(insn, operand)?),
            Sem::Movsx { width, from } => {
                eval::movsx(width, from, self.registers.read(insn.src())?)
            }
            Sem::ByteSwap { swap, size } => eval::byte_swap(swap, size, dst(&self.registers)?),
            _ => return Ok(()),
        };
        self.registers.write(insn.dst(), value)
    }

    /// An instruction on memory.
    fn access(&mut self, insn: Insn) -> Result<(), FaultKind> {
        let offset = i64::from(insn.offset());
        let address = |base: u64| base.wrapping_add_signed(offset);
        match insn.sem() {
            Sem::Load { size } => {
                let from = address(self.registers.read(insn.src())?);
                let value = self.memory.load(from, size)?;
                self.registers.write(insn.dst(), value)
            }
            Sem::LoadSx { size } => {
                let from = address(self.registers.read(insn.src())?);
                let value = eval::sign_extend(size, self.memory.load(from, size)?);
                self.registers.write(insn.dst(), value)
            }
            Sem::LoadAcquire { size } => {
                let from = address(self.registers.read(insn.src())?);
                let value = self.memory.load_acquire(from, size)?;
                self.registers.write(insn.dst(), value)
            }
            Sem::Store { size, operand } => {
                let to = address(self.registers.read(insn.dst())?);
                let value = self.operand(insn, operand)?;
                self.memory.store(to, size, value)
            }
            Sem::StoreRelease { size } => {
                let to = address(self.registers.read(insn.dst())?);
                let value = self.registers.read(insn.src())?;
                self.memory.store_release(to, size, value)
            }
            Sem::Atomic { op, size } => {
                let to = address(self.registers.read(insn.dst())?);
                self.atomic(insn, op, size, to)
            }
            _ => Ok(()),
        }
    }

    /// An atomic operation, RFC 9669 section 5.3.
    fn atomic(&mut self, insn: Insn, op: AtomicOp, size: Size, to: u64) -> Result<(), FaultKind> {
        let width = match size {
            Size::DW => Width::W64,
            _ => Width::W32,
        };
        let src = self.registers.read(insn.src())?;
        let expected = match op {
            AtomicOp::Cmpxchg => eval::truncate(width, self.registers.read(Reg::R0)?),
            _ => 0,
        };
        let change = |old: u64| match op {
            AtomicOp::Add | AtomicOp::FetchAdd => old.wrapping_add(src),
            AtomicOp::Or | AtomicOp::FetchOr => old | src,
            AtomicOp::And | AtomicOp::FetchAnd => old & src,
            AtomicOp::Xor | AtomicOp::FetchXor => old ^ src,
            AtomicOp::Xchg => src,
            AtomicOp::Cmpxchg if old == expected => src,
            AtomicOp::Cmpxchg => old,
        };
        let old = self.memory.modify(to, size, change)?;
        match insn.fetches_into() {
            None => Ok(()),
            Some(reg) => self.registers.write(reg, old),
        }
    }

    /// The slot at an instruction's distance.
    fn target(&self, insn: Insn) -> i64 {
        let distance = i64::from(insn.distance().unwrap_or(0));
        self.slot as i64 + 1 + distance
    }

    fn jump(&self, insn: Insn) -> Next {
        Next::Goes(self.target(insn))
    }

    fn may_goto(&mut self, insn: Insn) -> Next {
        match self.loops_left.checked_sub(1) {
            Some(left) => {
                self.loops_left = left;
                Next::Falls
            }
            None => self.jump(insn),
        }
    }

    fn call(&mut self, insn: Insn, callee: Callee) -> Result<Next, FaultKind> {
        match callee {
            Callee::Helper => helpers::call(self, insn.imm()),
            Callee::Local => {
                self.enter(Vec::new(), None)?;
                Ok(self.jump(insn))
            }
            Callee::Register | Callee::NumberedRegister => {
                Err(FaultKind::NotModelled("callx".into()))
            }
            Callee::Kfunc => helpers::kernel::call(self, insn.imm()),
        }
    }

    /// Makes the frame of a function that is called: with a key and in rounds, if it is one
    /// that a helper calls.
    pub(super) fn enter(
        &mut self,
        key: Vec<u8>,
        callback: Option<Callback>,
    ) -> Result<(), FaultKind> {
        if self.depth >= MAX_FRAMES {
            return Err(FaultKind::CallDepth);
        }
        let frame = self.memory.stacks.len();
        self.memory.stacks.push(self.host.stack().with_key(key));
        self.callers.push(Caller {
            prepared: self.prepared,
            slot: self.slot,
            saved: self.registers.enter(address::frame_pointer(frame)),
            callback,
            depth: self.depth,
        });
        self.depth += 1;
        Ok(())
    }

    /// Goes on in another program, which has the frame of the function that is running; falls
    /// through if it is of another type, or no tail call is left.
    pub(super) fn go_on_in(&mut self, program: usize) -> Result<Next, FaultKind> {
        let prepared = self.programs.get(program);
        let prepared = prepared.filter(|p| p.program.prog_type == self.prog_type());
        let (Some(prepared), Some(left)) = (prepared, self.tail_calls_left.checked_sub(1)) else {
            self.registers.helper_returned(None);
            return Ok(Next::Falls);
        };
        self.tail_calls_left = left;
        let frame = self.callers.len();
        self.memory.stacks.truncate(frame);
        self.memory.stacks.push(self.host.stack());
        self.registers = Registers::new(address::frame_pointer(frame));
        self.registers.write(Reg::R1, address::ctx())?;
        self.prepared = prepared;
        self.depth = 1;
        Ok(Next::Goes(0))
    }

    /// Returns from a function, or from the program.
    fn exit(&mut self) -> Result<Next, FaultKind> {
        let Some(caller) = self.callers.pop() else {
            let r0 = self.registers.read(Reg::R0)?;
            return Ok(Next::Ends(r0));
        };
        self.memory.stacks.pop();
        let frame = self.callers.len();
        self.registers
            .leave(caller.saved, address::frame_pointer(frame));
        self.prepared = caller.prepared;
        self.depth = caller.depth;
        self.slot = caller.slot;
        match caller.callback {
            None => Ok(Next::Goes(caller.slot as i64 + 1)),
            Some(callback) => self.round_ended(callback),
        }
    }

    /// LD_ABS and LD_IND, RFC 9669 section 5.5: a packet too short ends the function with 0.
    fn load_packet(&mut self, insn: Insn, mode: PacketMode, size: Size) -> Result<Next, FaultKind> {
        if !self.memory.ctx.packet().is_skb() || self.registers.read(Reg::R6)? != address::ctx() {
            return Err(FaultKind::PacketLoad);
        }
        let index = match mode {
            PacketMode::Abs => 0,
            PacketMode::Ind => self.registers.read(insn.src())? as u32 as i32,
        };
        let offset = insn.imm().wrapping_add(index);
        if offset < 0 {
            return Err(FaultKind::NotModelled(format!(
                "a packet load at offset {offset}, relative to a header or of a variable,"
            )));
        }
        let start = offset as usize;
        let bytes = self.memory.packet.bytes();
        let loaded = start
            .checked_add(size.bytes() as usize)
            .and_then(|end| bytes.get(start..end));
        match loaded {
            Some(bytes) => {
                let value = bytes.iter().fold(0, |all, b| all << 8 | u64::from(*b));
                self.registers.helper_returned(Some(value));
                Ok(Next::Falls)
            }
            None => {
                self.registers.helper_returned(Some(0));
                self.exit()
            }
        }
    }

    /// What `LD_IMM64` loads.
    fn imm64(&self, insn: Insn, kind: Imm64) -> Result<u64, FaultKind> {
        match kind {
            Imm64::Value => Ok(insn.imm64()),
            Imm64::Code => Ok(address::code(self.checked_target(self.target(insn))?)),
            Imm64::Variable => Err(FaultKind::NotModelled("a kernel variable".into())),
            Imm64::MapFd | Imm64::MapIdx | Imm64::MapValueFd | Imm64::MapValueIdx => {
                self.map_address(self.reference().ok_or(FaultKind::NoMap)?)
            }
        }
    }

    fn map_address(&self, reference: Reference) -> Result<u64, FaultKind> {
        let known = |map: usize| self.memory.maps.get(map).ok_or(FaultKind::NoMap);
        match reference {
            Reference::Map(map) => known(map).map(|_| address::map(map)),
            Reference::MapValue { map, offset } => {
                let size = known(map)?.extent();
                Ok(address::map_value(map, 0, size).wrapping_add(u64::from(offset)))
            }
            Reference::Extern(_) => Err(FaultKind::NotModelled("what the kernel defines".into())),
        }
    }
}
