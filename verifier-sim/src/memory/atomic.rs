//! Atomic operations: a read, a change and a write that nobody comes between.
//!
//! Of what they change nothing is known afterwards. Which kinds of memory allow them depends on
//! what the kernel makes of the instruction: where it rewrites accesses, or a JIT compiler has no
//! code, there are none.
//!
//! Described in RFC 9669, section 5.3; what is refused where was observed on Linux 6.18.
//!
//! Read before: `mem.rs`, `alignment.rs`. Read next: `packet_load.rs`.

use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::memory::map_value::write_to_key;
use crate::memory::mem::{Direction, MemAccess, Stored};
use crate::step::machine::Machine;
use crate::types::special::AccessBy;
use crate::value::reg::{Kind, Null, RegState};
use ebpf_asm::insn::{Insn, Reg};
use ebpf_asm::isa::{AtomicOp, Size};

impl Machine<'_, '_> {
    /// An atomic read, modify and write.
    pub(crate) fn atomic(&mut self, insn: &Insn, op: AtomicOp, size: Size) -> Checked {
        let src = *self.read_reg(insn.src())?;
        let base = *self.read_reg(insn.dst())?;
        if op == AtomicOp::Cmpxchg {
            let r0 = *self.read_reg(Reg::R0)?;
            self.check_leak(Reg::R0, &r0, "leaks addr into mem")?;
        }
        self.check_leak(insn.src(), &src, "leaks addr into mem")?;
        self.check_atomic_kind(insn.dst(), &base, "stores into")?;
        check_atomic_in_arena(insn.dst(), &base, op)?;
        let into = insn.fetches_into();
        if let Some(into) = into {
            self.check_writable(into)?;
        }
        let access = |direction| MemAccess {
            reg: insn.dst(),
            off: insn.offset(),
            size,
            direction,
        };
        if into == Some(insn.dst()) {
            return Err(fetched_over_address(access(Direction::Read)));
        }
        self.check_aligned(&base, access(Direction::Read))?;
        self.check_atomic_offset(&base, access(Direction::Read))?;
        if matches!(base.kind, Kind::MapKey(_)) && base.null == Null::Never {
            return Err(write_to_key(insn.dst()));
        }
        let old = self.read_memory(&base, access(Direction::Read))?;
        self.check_hidden(insn, &base, &old)?;
        self.write_memory(&base, access(Direction::Write), Stored::Unknown)?;
        let Some(into) = into else {
            return Ok(());
        };
        // A spilled pointer comes back whole, or the read has been refused.
        let value = match old.kind {
            Kind::Scalar => old.truncated(size),
            _ => old,
        };
        self.write_reg(into, value)
    }

    /// That an atomic operation meets no spilled pointer, whose number it would change and show,
    /// without `CAP_PERFMON`.
    fn check_hidden(&self, insn: &Insn, base: &RegState, old: &RegState) -> Checked {
        let on_stack = matches!(base.kind, Kind::Stack(_));
        if self.env.config.may_leak_pointers() || !on_stack || !old.is_pointer() {
            return Ok(());
        }
        let var_off = base.constant_var_off().unwrap_or(0);
        let off = i64::from(base.off) + var_off + i64::from(insn.offset());
        let message = format!("leaking pointer from stack off {off}");
        Err(Rejection::new(Code::Leak, message)
            .label("a pointer was spilled here, and becomes a number")
            .because(old.origin.made, "the pointer comes from here")
            .help("load it to a register, or store a number there first"))
    }

    /// That the memory allows atomic operations.
    pub(super) fn check_atomic_kind(&self, reg: Reg, base: &RegState, what: &str) -> Checked {
        let allowed = !matches!(
            base.kind,
            Kind::Ctx | Kind::Packet | Kind::PacketMeta | Kind::FlowKeys | Kind::Sock(_)
        );
        // What may be null is refused for that.
        if allowed || base.null == Null::Maybe {
            return Ok(());
        }
        let label = format!(
            "R{} points to what atomic operations may not touch",
            reg.number()
        );
        Err(no_atomic(reg, base, what)
            .label(label)
            .because(base.origin.made, "the pointer is made here")
            .help(
                "load, calculate and store by plain instructions (x = x + 1 in C): nobody else \
                 changes it meanwhile; what all CPUs share is in maps' values",
            ))
    }

    /// That an atomic operation on the stack is at a known place.
    fn check_atomic_offset(&self, base: &RegState, access: MemAccess) -> Checked {
        if !matches!(base.kind, Kind::Stack(_)) || base.constant_var_off().is_some() {
            return Ok(());
        }
        self.check_stack_bounds(base, access.extent(base), access.direction, AccessBy::Insn)?;
        let message = format!(
            "variable offset stack pointer cannot be passed into helper function; \
             var_off={} off={} size={}",
            base.scalar.tnum,
            i64::from(base.off) + i64::from(access.off),
            access.size.bytes()
        );
        Err(Rejection::new(Code::Atomic, message)
            .label("an atomic operation at a computed place of the stack")
            .because(base.origin.made, "the address is made here")
            .help("nobody else sees the stack: load, calculate and store, or use a map's value"))
    }
}

/// That an operation can be done in an arena: the JIT compiler for x86 has none there that is a
/// loop (Linux 6.18).
fn check_atomic_in_arena(reg: Reg, base: &RegState, op: AtomicOp) -> Checked {
    let loops = matches!(
        op,
        AtomicOp::FetchAnd | AtomicOp::FetchOr | AtomicOp::FetchXor
    );
    if base.kind != Kind::Arena || !loops {
        return Ok(());
    }
    Err(no_atomic(reg, base, "stores into")
        .label("what an arena held is not fetched together with AND, OR and XOR")
        .help("do it with a loop of compare and exchange (cmpxchg)"))
}

fn no_atomic(reg: Reg, base: &RegState, what: &str) -> Box<Rejection> {
    let (number, name) = (reg.number(), base.type_name());
    let message = format!("BPF_ATOMIC {what} R{number} {name} is not allowed");
    Rejection::new(Code::Atomic, message)
}

/// An atomic operation fetches into the register that holds its address: to the kernel (6.18) it
/// holds any number before it looks at the address.
fn fetched_over_address(access: MemAccess) -> Box<Rejection> {
    let (reg, bytes) = (access.reg.number(), access.size.bytes());
    let message = format!(
        "misaligned access off (0x0; 0xffffffffffffffff)+0+{} size {bytes}",
        access.off
    );
    Rejection::new(Code::Misaligned, message)
        .label(format!("fetches into R{reg}, which holds the address"))
        .help("hold the address in another register")
}
