//! Loads and stores: which memory an address may point to, and which of its bytes.
//!
//! `region.rs` says what each kind of memory allows; here are the instructions, and the rules
//! that all kinds share.
//!
//! Read before: `step/machine.rs`. Read next: `region.rs`, `stack_access.rs`.

use crate::call::tail_call::leaves_callback;
use crate::codes::Code;
use crate::config::Alignment;
use crate::diag::{Checked, Rejection};
use crate::env::Env;
use crate::memory::number_help::{may_be_of_arena, number_made};
use crate::memory::region::write_to_key;
use crate::memory::structure::{read_only_memory, read_only_sock};
use crate::object::dynptr::{Access, Slice};
use crate::step::machine::{Flow, Machine, not_modelled};
use crate::types::special::AccessBy;
use crate::value::reg::Origin;
use crate::value::reg::{Kind, Null, RegState, SockType};
use crate::value::scalar::Scalar;
use crate::value::state::Entered;
use crate::value::tnum::Tnum;
use ebpf_asm::insn::{Insn, Reg};
use ebpf_asm::isa::{AtomicOp, Operand, PacketMode, Sem, Size};
use ebpf_asm::prog_type::ProgType;

/// An access to memory: `size` bytes at `address + off`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MemAccess {
    /// The register with the address.
    pub(crate) reg: Reg,
    /// The constant of the instruction.
    pub(crate) off: i16,
    /// How much.
    pub(crate) size: Size,
    /// In which direction.
    pub(crate) direction: Direction,
}

/// In which direction memory is accessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From memory.
    Read,
    /// To memory.
    Write,
}

impl Direction {
    /// `reads` or `writes`.
    pub(crate) fn verb(self) -> &'static str {
        match self {
            Direction::Read => "reads",
            Direction::Write => "writes",
        }
    }
}

/// What is written to memory.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stored<'s> {
    /// The low bytes of a register.
    Reg(Reg, &'s RegState),
    /// A number of the instruction.
    Imm(i32),
    /// Nobody knows.
    Unknown,
}

/// How far behind a multiple of 4 a packet is taken to begin, so that what is behind the 14
/// bytes of Ethernet is aligned (`NET_IP_ALIGN`).
const PACKET_ALIGN: i64 = 2;

/// What the address register of an instruction was found to hold, or the map's of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AddressKind {
    /// The instruction was not executed yet.
    Unknown,
    /// Memory that is accessed as the instruction says.
    Plain,
    /// Something that may be gone, where wrong addresses read as zero.
    Probed,
    /// The context, for which the kernel rewrites the instruction.
    Ctx,
    /// A socket, for which it does so too.
    Sock(SockType),
    /// The arena, for which it does so too.
    Arena,
    /// Of a call that may be for one map only: the map, by its index in the object.
    Map(u32),
}

/// How the loaded bytes fill the register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extend {
    Zero,
    Sign,
}

impl Machine<'_, '_> {
    /// `dst = *(size *)(src + off)`.
    pub(crate) fn load(&mut self, insn: &Insn) -> Checked {
        let sem = insn.sem();
        let acquires = matches!(sem, Sem::LoadAcquire { .. });
        let (size, extend) = match sem {
            Sem::LoadSx { size } => (size, Extend::Sign),
            Sem::Load { size } | Sem::LoadAcquire { size } => (size, Extend::Zero),
            _ => return Ok(()),
        };
        let base = self.read_held(insn.src())?;
        self.check_writable(insn.dst())?;
        let access = MemAccess {
            reg: insn.src(),
            off: insn.offset(),
            size,
            direction: Direction::Read,
        };
        if acquires {
            self.check_aligned(&base, access)?;
        }
        let loaded = self.read_memory(&base, access)?;
        self.check_same_kind(access.reg, &base)?;
        // If it is the one that is written, its place is taken.
        drop(base);
        let value = match (loaded.kind, extend) {
            (Kind::Scalar, Extend::Zero) if loaded.scalar != Scalar::of_size(size) => {
                loaded.truncated(size)
            }
            (Kind::Scalar, Extend::Sign) => loaded.sign_extended(size),
            (Kind::Scalar, _) => loaded,
            // So short are only the pointers that a context gives, which are read as they are.
            (_, Extend::Sign) => return Err(self.refuse_ctx(access)),
            _ => loaded,
        };
        let origin = loaded.origin;
        self.write_reg(insn.dst(), value)?;
        if value.is_pointer() && origin != Origin::NONE {
            self.state.reg_mut(insn.dst()).origin = origin;
        }
        match acquires {
            // As observed on Linux 6.18: it looks at the address register when the load is done,
            // and that may hold what was loaded.
            true => self.check_atomic_kind(insn.src(), &self.state.held(insn.src()), "loads from"),
            false => Ok(()),
        }
    }

    /// `*(size *)(dst + off) = src or imm`.
    pub(crate) fn store(&mut self, insn: &Insn) -> Checked {
        let sem = insn.sem();
        let releases = matches!(sem, Sem::StoreRelease { .. });
        let (size, operand) = match sem {
            Sem::Store { size, operand } => (size, operand),
            Sem::StoreRelease { size } => (size, Operand::Reg),
            _ => return Ok(()),
        };
        let value;
        let stored = match operand {
            Operand::Reg => {
                value = *self.read_reg(insn.src())?;
                Stored::Reg(insn.src(), &value)
            }
            Operand::Imm => Stored::Imm(insn.imm()),
        };
        let base = self.read_held(insn.dst())?;
        let access = MemAccess {
            reg: insn.dst(),
            off: insn.offset(),
            size,
            direction: Direction::Write,
        };
        if releases {
            self.check_aligned(&base, access)?;
        }
        if operand == Operand::Imm && base.kind == Kind::Ctx && !self.env.config.since((6, 4)) {
            let message = format!(
                "BPF_ST stores into R{} ctx is not allowed",
                insn.dst().number()
            );
            return Err(Rejection::new(Code::Context, message)
                .label("writes a number to the context")
                .help("put the number into a register first, and store that"));
        }
        self.write_memory(&base, access, stored)?;
        if releases {
            self.check_atomic_kind(insn.dst(), &base, "stores into")?;
        }
        self.check_same_kind(access.reg, &base)
    }

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

    /// `r0 = *(size *)skb[..]`.
    pub(crate) fn load_packet(&mut self, insn: &Insn) -> Checked<Flow> {
        let next = self.slot + insn.slots();
        let Sem::LoadPacket { mode, .. } = insn.sem() else {
            return Ok(Flow::To(next));
        };
        let has_skb = matches!(
            self.env.program.prog_type,
            ProgType::SocketFilter | ProgType::SchedCls | ProgType::SchedAct
        );
        if !has_skb {
            return Err(Rejection::new(
                Code::PacketLoad,
                "BPF_LD_[ABS|IND] instructions not allowed for this program type",
            )
            .label(format!(
                "{} programs have no sk_buff",
                self.env.program.prog_type
            ))
            .help(
                "read data and data_end from the context, compare, and load from the packet itself",
            ));
        }
        let label = "would leave the program if the packet is too short";
        self.check_given_back("BPF_LD_[ABS|IND]", label, "give it back before")?;
        self.check_closed("BPF_LD_[ABS|IND]")?;
        if matches!(self.state.frame().entered, Entered::Callback(_)) {
            return Err(leaves_callback("may leave the program"));
        }
        let skb = *self.read_reg(Reg::R6)?;
        if skb.kind != Kind::Ctx {
            return Err(Rejection::new(
                Code::PacketLoad,
                "at the time of BPF_LD_ABS|IND R6 != pointer to skb",
            )
            .label("R6 is not the context")
            .help("copy R1 to R6 at the beginning"));
        }
        self.check_whole_ctx(Reg::R6, &skb)?;
        if mode == PacketMode::Ind {
            let index = *self.read_reg(insn.src())?;
            self.check_leak(insn.src(), &index, "leaks addr into packet access")?;
        }
        self.clobber_arguments();
        self.write_reg(Reg::R0, RegState::unknown())?;
        self.packet_loaded(next)
    }

    /// That a pointer can be followed at all.
    fn check_followable(&self, reg: Reg, base: &RegState) -> Checked {
        let nowhere = matches!(
            base.kind,
            Kind::Scalar | Kind::PacketEnd | Kind::Func(_) | Kind::Dynptr(_)
        );
        match base.null == Null::Never && !nowhere {
            true => Ok(()),
            false => Err(not_followable(self.env, reg, base)),
        }
    }

    /// Reads memory; gives what is read, not yet cut to the size.
    pub(crate) fn read_memory(&mut self, base: &RegState, access: MemAccess) -> Checked<RegState> {
        self.check_strictly_aligned(base, access)?;
        self.check_followable(access.reg, base)?;
        match base.kind {
            Kind::Stack(depth) => self.read_stack(depth, base, access),
            Kind::Ctx => self.read_ctx(base, access),
            Kind::Packet | Kind::PacketMeta => {
                self.check_packet(base, access)?;
                Ok(RegState::scalar(Scalar::of_size(access.size)))
            }
            Kind::MapKey(map) => {
                self.check_map_key(map, base, access.extent(base))?;
                Ok(RegState::scalar(Scalar::of_size(access.size)))
            }
            Kind::MapValue(map) => self.read_map_value(map, base, access),
            Kind::RingbufMem(bytes) | Kind::Mem(bytes) | Kind::Slice(Slice { bytes, .. }) => {
                self.check_mem(bytes, base, access)?;
                Ok(RegState::scalar(Scalar::of_size(access.size)))
            }
            Kind::Map(map) => self.read_map_structure(map, base, access),
            Kind::Sock(sock) => self.read_sock(sock, access),
            Kind::FlowKeys => {
                self.check_flow_keys(base, access)?;
                Ok(RegState::scalar(Scalar::of_size(access.size)))
            }
            Kind::TpBuffer => {
                self.check_tp_buffer(base, access)?;
                Ok(RegState::scalar(Scalar::of_size(access.size)))
            }
            Kind::ReadOnlyMem(bytes) => {
                self.check_mem(bytes, base, access)?;
                Ok(RegState::scalar(Scalar::of_size(access.size)))
            }
            Kind::Buffer(usage) => {
                self.check_buffer(usage, base, access.extent(base), access.direction)?;
                Ok(RegState::scalar(Scalar::of_size(access.size)))
            }
            Kind::UntrustedMem | Kind::Arena => Ok(RegState::scalar(Scalar::of_size(access.size))),
            Kind::Btf(pointer) => self.read_structure(pointer, base, access),
            Kind::NotInit
            | Kind::Scalar
            | Kind::PacketEnd
            | Kind::Func(_)
            | Kind::Dynptr(_)
            | Kind::Iterator(_)
            | Kind::IrqFlag(_) => Err(not_modelled(&format!("reading '{}'", base.type_name()))),
        }
    }

    /// Writes memory.
    pub(crate) fn write_memory(
        &mut self,
        base: &RegState,
        access: MemAccess,
        stored: Stored<'_>,
    ) -> Checked {
        self.check_strictly_aligned(base, access)?;
        self.check_followable(access.reg, base)?;
        if let (Stored::Reg(reg, value), Kind::MapValue(_)) = (stored, base.kind) {
            self.check_leak(reg, value, "leaks addr into map")?;
        }
        match base.kind {
            Kind::Stack(depth) => self.write_stack(depth, base, access, stored),
            Kind::Ctx => self.write_ctx(base, access, stored),
            Kind::Packet | Kind::PacketMeta => {
                self.check_packet_write(access.reg, base)?;
                if let Stored::Reg(reg, value) = stored {
                    self.check_leak(reg, value, "leaks addr into packet")?;
                }
                self.check_packet(base, access)
            }
            Kind::MapKey(_) => Err(write_to_key(access.reg)),
            Kind::MapValue(map) => self.write_map_value(map, base, access, stored),
            Kind::Slice(slice) if slice.access == Access::Read => {
                Err(read_only_memory(access.reg, base)
                    .help("write to what bpf_dynptr_slice_rdwr gives, or by bpf_dynptr_write"))
            }
            Kind::RingbufMem(bytes) | Kind::Mem(bytes) | Kind::Slice(Slice { bytes, .. }) => {
                if let Stored::Reg(reg, value) = stored {
                    self.check_leak(reg, value, "leaks addr into mem")?;
                }
                self.check_mem(bytes, base, access)
            }
            Kind::Sock(_) => Err(read_only_sock(access.reg, base)),
            Kind::FlowKeys => {
                if let Stored::Reg(reg, value) = stored {
                    self.check_leak(reg, value, "leaks addr into flow keys")?;
                }
                self.check_flow_keys(base, access)
            }
            Kind::TpBuffer => self.check_tp_buffer(base, access),
            Kind::Map(map) => self.write_map_structure(map, access),
            Kind::Buffer(usage) => {
                self.check_buffer(usage, base, access.extent(base), access.direction)
            }
            Kind::Arena => Ok(()),
            Kind::ReadOnlyMem(_) | Kind::UntrustedMem => Err(read_only_memory(access.reg, base)),
            Kind::Btf(pointer) => self.write_structure(pointer, base, access),
            Kind::NotInit
            | Kind::Scalar
            | Kind::PacketEnd
            | Kind::Func(_)
            | Kind::Dynptr(_)
            | Kind::Iterator(_)
            | Kind::IrqFlag(_) => Err(not_modelled(&format!("writing '{}'", base.type_name()))),
        }
    }

    /// That the memory allows atomic operations.
    fn check_atomic_kind(&self, reg: Reg, base: &RegState, what: &str) -> Checked {
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

    /// That an instruction finds the context in its address register always or never: the
    /// kernel rewrites accesses to the context.
    fn check_same_kind(&mut self, reg: Reg, base: &RegState) -> Checked {
        let kind = match base.kind {
            Kind::Ctx => AddressKind::Ctx,
            Kind::Sock(sock) => AddressKind::Sock(sock),
            Kind::Arena => AddressKind::Arena,
            Kind::Btf(_) | Kind::UntrustedMem => AddressKind::Probed,
            _ => AddressKind::Plain,
        };
        let Some(known) = self.address_kinds.get_mut(self.slot) else {
            return Ok(());
        };
        if *known == AddressKind::Unknown {
            *known = kind;
        }
        match *known == kind {
            true => Ok(()),
            false => Err(different_pointers(reg, base)),
        }
    }

    /// That an access is aligned to its size, if the loader wants that of all memory.
    fn check_strictly_aligned(&self, base: &RegState, access: MemAccess) -> Checked {
        match self.env.config.alignment {
            Alignment::Any => Ok(()),
            Alignment::Strict => self.check_aligned(base, access),
        }
    }

    /// That an access is aligned to its size, wherever the kernel insists on it.
    pub(crate) fn check_aligned(&self, base: &RegState, access: MemAccess) -> Checked {
        let begins_at = if base.is_packet() { PACKET_ALIGN } else { 0 };
        let constant = begins_at + i64::from(base.off) + i64::from(access.off);
        let address = base.scalar.tnum.add(Tnum::constant(constant as u64));
        match base.kind == Kind::Arena || address.is_aligned(access.size) {
            true => Ok(()),
            false if base.is_packet() => {
                Err(misaligned_in_packet(base, access).help(self.to_align(base)))
            }
            false => Err(misaligned(base, access).help(self.to_align(base))),
        }
    }

    /// What to do about an access that is not aligned.
    #[cold]
    fn to_align(&self, base: &RegState) -> &'static str {
        match self.env.cfg.insn(self.slot).map(|insn| insn.sem()) {
            Some(Sem::Call(_)) if base.is_packet() => {
                "let the call write to a variable on the stack, and copy that"
            }
            Some(Sem::Call(_)) => {
                "hand over the address of a variable that is aligned as its type is, on the stack \
                 or in a value"
            }
            Some(Sem::Atomic { .. } | Sem::LoadAcquire { .. } | Sem::StoreRelease { .. }) => {
                "let what is accessed atomically be at a multiple of its size: give the variable \
                 the alignment of its type (no packed struct in C)"
            }
            _ => {
                "access it in smaller parts, each at a multiple of its size; on the stack and in \
                 values, give the variable the alignment of its type"
            }
        }
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

/// Why a pointer cannot be followed.
#[cold]
fn not_followable(env: &Env<'_>, reg: Reg, base: &RegState) -> Box<Rejection> {
    let (number, name) = (reg.number(), base.type_name());
    let message = format!("R{number} invalid mem access '{name}'");
    if base.null == Null::Maybe {
        return Rejection::new(Code::MaybeNull, message)
            .label(format!("R{number} may be null here"))
            .because(base.origin.made, "this may give null")
            .help(format!(
                "compare R{number} with 0 first, and do this only where it is not"
            ));
    }
    let what = match base.kind {
        Kind::PacketEnd => "the end of the packet: there is nothing behind it",
        Kind::Func(_) => "the address of a function, which is only called",
        Kind::Dynptr(_) => "a dynptr, which only helpers read and write",
        _ => "a number, no address",
    };
    let refused = Rejection::new(Code::NotAPointer, message).label(format!("R{number} is {what}"));
    let refused = number_made(env, refused, reg, base);
    match base.kind {
        Kind::PacketEnd => refused.help(
            "access the packet by the pointer to its beginning (data), behind a comparison with its \
             end",
        ),
        Kind::Func(_) => refused.help("call the function, or hand it over to be called back"),
        Kind::Dynptr(_) => refused.help(
            "read and write it by bpf_dynptr_read and bpf_dynptr_write, or by what bpf_dynptr_data \
             gives",
        ),
        _ if refused.help.is_none() => refused.help(no_address(env, base)),
        _ => refused,
    }
}

/// What to do about a number in the place of an address.
fn no_address(env: &Env<'_>, base: &RegState) -> &'static str {
    match may_be_of_arena(env, base) {
        true => "cast what is an address in the arena to one of the kernel's first (__arena in C)",
        false => {
            "follow a pointer that is known as one on every path: the context, the address of a \
             variable, a map's value. A number is no address, whatever it is cast to"
        }
    }
}

#[cold]
fn different_pointers(reg: Reg, base: &RegState) -> Box<Rejection> {
    let message = "same insn cannot be used with different pointers";
    Rejection::new(Code::Context, message)
        .label(format!(
            "R{} is a pointer of type '{}' here, and of another type on another path",
            reg.number(),
            base.type_name()
        ))
        .help("access the context with an instruction of its own")
}

/// Why an access to the packet is not aligned.
#[cold]
fn misaligned_in_packet(base: &RegState, access: MemAccess) -> Box<Rejection> {
    let (bytes, var_off) = (access.size.bytes(), base.scalar.tnum);
    let message = format!(
        "misaligned packet access off {PACKET_ALIGN}+{var_off}+{}+{} size {bytes}",
        base.off, access.off
    );
    Rejection::new(Code::Misaligned, message)
        .label(format!("not a multiple of {bytes} bytes"))
        .because(base.origin.made, "the address is made here")
}

/// Why an access to memory is not aligned.
#[cold]
fn misaligned(base: &RegState, access: MemAccess) -> Box<Rejection> {
    let what = match base.kind {
        // The kernel has words for pointers that are none but these.
        _ if base.null == Null::Maybe => "",
        Kind::Stack(_) => "stack ",
        Kind::MapValue(_) => "value ",
        Kind::Ctx => "context ",
        Kind::FlowKeys => "flow keys ",
        Kind::Sock(sock) => match sock {
            SockType::Common => "sock_common ",
            SockType::Sock => "sock ",
            SockType::Tcp => "tcp_sock ",
            SockType::Xdp => "xdp_sock ",
        },
        _ => "",
    };
    let message = format!(
        "misaligned {what}access off {}+{}+{} size {}",
        base.scalar.tnum,
        base.off,
        access.off,
        access.size.bytes()
    );
    Rejection::new(Code::Misaligned, message)
        .label(format!("not a multiple of {} bytes", access.size.bytes()))
        .because(base.origin.made, "the address is made here")
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
