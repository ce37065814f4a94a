//! Loads and stores: what kind of memory an address points to, and what that allows.
//!
//! Here are the instructions, and the rules that all kinds of memory share; the other files of
//! this folder say of each kind which of its bytes are accessed, and what a load gives.
//!
//! Described in RFC 9669, section 5, and in the kernel's `Documentation/bpf/verifier.rst`;
//! messages as observed on Linux 6.18.
//!
//! Read before: `step/machine.rs`. Read next: `alignment.rs`.

use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::env::Env;
use crate::memory::map_value::write_to_key;
use crate::memory::number_help::{may_be_of_arena, number_made};
use crate::memory::structure::{read_only_memory, read_only_sock};
use crate::object::dynptr::{Access, Slice};
use crate::step::machine::{Machine, not_modelled};
use crate::value::reg::{Kind, Null, Origin, RegState, SockType};
use crate::value::scalar::Scalar;
use ebpf_asm::insn::{Insn, Reg};
use ebpf_asm::isa::{Operand, Sem, Size};

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
        let explains = value.is_pointer() || size == Size::DW && value.is_left_of_ended();
        if explains && origin != Origin::NONE {
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
            Kind::Stack(depth) => return self.read_stack(depth, base, access),
            Kind::Ctx => return self.read_ctx(base, access),
            Kind::MapValue(map) => return self.read_map_value(map, base, access),
            Kind::Map(map) => return self.read_map_structure(map, base, access),
            Kind::Sock(sock) => return self.read_sock(sock, access),
            Kind::Btf(pointer) => return self.read_structure(pointer, base, access),
            Kind::Packet | Kind::PacketMeta => self.check_packet(base, access)?,
            Kind::MapKey(map) => self.check_map_key(map, base, access.extent(base))?,
            Kind::RingbufMem(bytes)
            | Kind::Mem(bytes)
            | Kind::ReadOnlyMem(bytes)
            | Kind::Slice(Slice { bytes, .. }) => self.check_mem(bytes, base, access)?,
            Kind::FlowKeys => self.check_flow_keys(base, access)?,
            Kind::TpBuffer => self.check_tp_buffer(base, access)?,
            Kind::Buffer(usage) => {
                self.check_buffer(usage, base, access.extent(base), access.direction)?;
            }
            Kind::UntrustedMem | Kind::Arena => {}
            Kind::NotInit
            | Kind::Scalar
            | Kind::PacketEnd
            | Kind::Func(_)
            | Kind::Dynptr(_)
            | Kind::Iterator(_)
            | Kind::IrqFlag(_) => {
                return Err(not_modelled(&format!("reading '{}'", base.type_name())));
            }
        }
        Ok(RegState::scalar(Scalar::of_size(access.size)))
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
        match base.kind {
            Kind::Stack(depth) => self.write_stack(depth, base, access, stored),
            Kind::Ctx => self.write_ctx(base, access, stored),
            Kind::Packet | Kind::PacketMeta => {
                self.check_packet_write(access.reg, base)?;
                self.check_stored(stored, "leaks addr into packet")?;
                self.check_packet(base, access)
            }
            Kind::MapKey(_) => Err(write_to_key(access.reg)),
            Kind::MapValue(map) => self.write_map_value(map, base, access, stored),
            Kind::Slice(slice) if slice.access == Access::Read => {
                Err(read_only_memory(access.reg, base)
                    .help("write to what bpf_dynptr_slice_rdwr gives, or by bpf_dynptr_write"))
            }
            Kind::RingbufMem(bytes) | Kind::Mem(bytes) | Kind::Slice(Slice { bytes, .. }) => {
                self.check_stored(stored, "leaks addr into mem")?;
                self.check_mem(bytes, base, access)
            }
            Kind::Sock(_) => Err(read_only_sock(access.reg, base)),
            Kind::FlowKeys => {
                self.check_stored(stored, "leaks addr into flow keys")?;
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

    /// That no pointer is stored where it can be read as a number.
    pub(super) fn check_stored(&self, stored: Stored<'_>, leaks: &str) -> Checked {
        match stored {
            Stored::Reg(reg, value) => self.check_leak(reg, value, leaks),
            Stored::Imm(_) | Stored::Unknown => Ok(()),
        }
    }

    /// That an instruction finds the context in its address register always or never: the
    /// kernel rewrites accesses to the context.
    pub(super) fn check_same_kind(&mut self, reg: Reg, base: &RegState) -> Checked {
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
