//! Arguments of helpers: what each word of a prototype demands of a register.
//!
//! Read before: `call.rs`, `region.rs`. Read next: `prune.rs`.

use crate::alu::describe;
use crate::codes::Code;
use crate::ctx::PacketUse;
use crate::diag::{Checked, Rejection};
use crate::machine::{Machine, not_modelled};
use crate::mem::Direction;
use crate::precision::StackSlot;
use crate::reg::{Kind, Null, RegState};
use crate::region::Extent;
use crate::stack::slot_index;
use crate::stack_access::Offsets;
use ebpf_asm::helper::{Arg, PacketArgs};
use ebpf_asm::insn::Reg;
use ebpf_asm::isa::Size;
use ebpf_asm::map_type::MapType;
use ebpf_asm::object::Map;

/// What was found out about the arguments of a call.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Arguments<'a> {
    /// The map.
    pub(crate) map: Option<&'a Map>,
    /// Its index in the object.
    pub(crate) map_index: Option<u32>,
    /// The key as a number, where it is known and the map is an array.
    pub(crate) key: Option<u64>,
    /// The size of what the helper returns.
    pub(crate) alloc_size: Option<u32>,
    /// The reference that the helper takes back.
    pub(crate) released: Option<u32>,
    /// Parts of the stack that the helper writes.
    pub(crate) filled: [Option<Filled>; 3],
    /// The memory whose size comes next.
    memory: Option<(Reg, MemoryUse)>,
}

/// A part of a stack.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Filled {
    pub(crate) depth: u8,
    pub(crate) offsets: Offsets,
    pub(crate) size: i64,
}

/// What a helper does with memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MemoryUse {
    Reads,
    Fills,
    Changes,
}

impl MemoryUse {
    fn direction(self) -> Direction {
        match self {
            MemoryUse::Reads => Direction::Read,
            MemoryUse::Fills | MemoryUse::Changes => Direction::Write,
        }
    }
}

/// Whether a size may be zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ZeroSize {
    Allowed,
    Refused,
}

/// The kinds of memory that helpers take, as the kernel's log lists them.
const MEMORY_KINDS: &str =
    "fp, pkt, pkt_meta, map_key, map_value, mem, ringbuf_mem, buf, trusted_ptr_";

impl<'a> Machine<'_, 'a> {
    /// That a register is what the helper takes there.
    pub(crate) fn check_argument(
        &mut self,
        reg: Reg,
        arg: Arg,
        packet: PacketArgs,
        found: &mut Arguments<'a>,
    ) -> Checked {
        let value = self.read_reg(reg)?;
        if value.is_packet() && arg != Arg::Anything && !self.may_hand_packet(packet) {
            return Err(Rejection::new(
                Code::ArgumentType,
                "helper access to the packet is not allowed",
            )
            .label(format!("R{} points into the packet", reg.number()))
            .help("copy the bytes to the stack first"));
        }
        match arg {
            Arg::Anything => self.check_leak(reg, &value, "leaks addr into helper function"),
            Arg::Ctx => self.check_ctx_argument(reg, &value),
            Arg::Map => self.check_map_argument(reg, &value, found),
            Arg::MapKey => self.check_key(reg, &value, found),
            Arg::MapValue => self.check_value(reg, &value, MemoryUse::Reads, found),
            Arg::UninitMapValue => self.check_value(reg, &value, MemoryUse::Fills, found),
            Arg::Mem => self.check_memory(reg, &value, MemoryUse::Reads, Null::Never, found),
            Arg::MemOrNull => self.check_memory(reg, &value, MemoryUse::Reads, Null::Maybe, found),
            Arg::MemInOut => self.check_memory(reg, &value, MemoryUse::Changes, Null::Never, found),
            Arg::UninitMem => self.check_memory(reg, &value, MemoryUse::Fills, Null::Never, found),
            Arg::Size => self.check_size(reg, &value, ZeroSize::Refused, found),
            Arg::SizeOrZero => self.check_size(reg, &value, ZeroSize::Allowed, found),
            Arg::ConstAllocSize => {
                self.need(reg);
                check_alloc_size(reg, &value, found)
            }
            Arg::RingbufRecord => self.check_record(reg, &value, found),
            Arg::Sock => check_sock(reg, &value),
        }
    }

    /// Whether helpers that treat packets so take the program's packet.
    fn may_hand_packet(&self, packet: PacketArgs) -> bool {
        match self.env.context.packet {
            PacketUse::Look => false,
            PacketUse::Buffer => true,
            PacketUse::Read | PacketUse::Write => packet == PacketArgs::Taken,
        }
    }

    fn check_ctx_argument(&self, reg: Reg, value: &RegState) -> Checked {
        if value.kind != Kind::Ctx {
            return Err(wrong_type(reg, value, "ctx"));
        }
        self.check_whole_ctx(reg, value)
    }

    fn check_map_argument(&self, reg: Reg, value: &RegState, found: &mut Arguments<'a>) -> Checked {
        let (Kind::Map(index), Null::Never) = (value.kind, value.null) else {
            return Err(wrong_type(reg, value, "map_ptr"));
        };
        found.map_index = Some(index);
        found.map = self.env.map(index);
        Ok(())
    }

    fn check_key(&mut self, reg: Reg, value: &RegState, found: &mut Arguments<'a>) -> Checked {
        let map = found.map.ok_or_else(|| not_modelled("a key without map"))?;
        self.check_kind(reg, value)?;
        let size = i64::from(map.key_size);
        self.check_bytes(reg, value, size, ZeroSize::Refused, MemoryUse::Reads, found)?;
        let array = matches!(map.map_type, MapType::Array | MapType::PercpuArray);
        if let (true, Kind::Stack(depth), Some(var_off)) =
            (array, value.kind, value.constant_var_off())
        {
            let off = i64::from(value.off) + var_off;
            let frame = self.state.frame_at(depth);
            found.key = frame.and_then(|frame| frame.stack.constant(off, Size::W));
            let slots = (off..off + size).filter_map(slot_index);
            for index in slots.filter(|_| found.key.is_some()) {
                self.notes.needs.slot(StackSlot { depth, index });
            }
        }
        Ok(())
    }

    fn check_value(
        &mut self,
        reg: Reg,
        value: &RegState,
        usage: MemoryUse,
        found: &mut Arguments<'a>,
    ) -> Checked {
        let map = found
            .map
            .ok_or_else(|| not_modelled("a value without map"))?;
        self.check_kind(reg, value)?;
        let size = i64::from(map.value_size);
        self.check_bytes(reg, value, size, ZeroSize::Refused, usage, found)
    }

    /// Memory whose size is the next argument: what can be said before that is known.
    fn check_memory(
        &self,
        reg: Reg,
        value: &RegState,
        usage: MemoryUse,
        null: Null,
        found: &mut Arguments<'a>,
    ) -> Checked {
        let is_null = null == Null::Maybe && value.as_constant() == Some(0);
        // A null pointer of size zero is settled with the size.
        if !is_null {
            self.check_kind(reg, value)?;
        }
        found.memory = Some((reg, usage));
        Ok(())
    }

    /// That a pointer is one to memory.
    fn check_kind(&self, reg: Reg, value: &RegState) -> Checked {
        if value.null == Null::Never && value.kind.is_memory() {
            return Ok(());
        }
        if matches!(value.kind, Kind::Trusted(_)) {
            return Err(not_modelled("structures of the kernel as memory"));
        }
        Err(wrong_type(reg, value, MEMORY_KINDS))
    }

    fn check_size(
        &mut self,
        reg: Reg,
        value: &RegState,
        zero: ZeroSize,
        found: &mut Arguments<'a>,
    ) -> Checked {
        let number = reg.number();
        let Some((memory, usage)) = found.memory.take() else {
            return Err(not_modelled("a size without memory"));
        };
        if !value.is_scalar() {
            return Err(wrong_type(reg, value, "scalar"));
        }
        self.need(reg);
        let (signed, unsigned) = (value.scalar.bounds.s64, value.scalar.bounds.u64);
        let refuse = |message: String| {
            Rejection::new(Code::ArgumentSize, message)
                .label(format!(
                    "the size in R{number} is {}",
                    describe(&value.scalar)
                ))
                .because(value.origin.made, "the size comes from here")
        };
        if signed.min < 0 {
            return Err(refuse(format!(
                "R{number} min value is negative, either use unsigned or 'var &= const'"
            )));
        }
        if unsigned.min == 0 && zero == ZeroSize::Refused {
            return Err(refuse(format!(
                "R{number} invalid zero-sized read: u64=[{},{}]",
                unsigned.min, unsigned.max
            )));
        }
        let Some(most) = i64::try_from(unsigned.max)
            .ok()
            .filter(|&most| most < 1 << 29)
        else {
            return Err(refuse(format!(
                "R{number} unbounded memory access, use 'var &= const' or 'if (var < const)'"
            ))
            .help("compare or mask the size first"));
        };
        let pointer = self.read_reg(memory)?;
        if pointer.as_constant() == Some(0) {
            return match most {
                0 => Ok(()),
                _ => Err(wrong_type(memory, &pointer, "fp")),
            };
        }
        // A size that varies leaves open which bytes are filled.
        let usage = match (usage, value.as_constant()) {
            (MemoryUse::Fills, None) => MemoryUse::Changes,
            (usage, _) => usage,
        };
        self.check_bytes(memory, &pointer, most, zero, usage, found)
    }

    /// That memory of `size` bytes may be read and written by another function. A pointer that
    /// may be null is checked as if it were not.
    pub(crate) fn check_shared_memory(
        &mut self,
        reg: Reg,
        value: &RegState,
        size: u32,
        found: &mut Arguments<'a>,
    ) -> Checked {
        let value = RegState {
            null: Null::Never,
            ..*value
        };
        if !value.kind.is_memory() {
            return Err(wrong_type(reg, &value, "fp"));
        }
        let (size, usage) = (i64::from(size), MemoryUse::Changes);
        self.check_bytes(reg, &value, size, ZeroSize::Allowed, usage, found)
    }

    /// That `size` bytes of memory may be used so.
    fn check_bytes(
        &mut self,
        reg: Reg,
        value: &RegState,
        size: i64,
        zero: ZeroSize,
        usage: MemoryUse,
        found: &mut Arguments<'a>,
    ) -> Checked {
        if size == 0 && zero == ZeroSize::Refused {
            return Err(
                Rejection::new(Code::ArgumentSize, "invalid zero-sized read")
                    .label(format!("the memory in R{} has no bytes", reg.number())),
            );
        }
        let off = i64::from(value.off);
        let extent = Extent { reg, off, size };
        let direction = usage.direction();
        match value.kind {
            Kind::Packet | Kind::PacketMeta => {
                if direction == Direction::Write {
                    self.check_packet_write(reg, value)?;
                }
                self.check_packet_bytes(value, extent, direction)
            }
            Kind::MapValue(map) => {
                let map = self.value_map(map)?;
                self.check_map_value_bytes(map, value, extent)?;
                self.check_map_direction(map, extent, direction)
            }
            Kind::RingbufMem(bytes) | Kind::Mem(bytes) => {
                self.check_mem_bytes(bytes, value, extent)
            }
            Kind::Stack(depth) => self.check_stack_bytes(depth, value, extent, usage, found),
            _ => Err(wrong_type(reg, value, MEMORY_KINDS)),
        }
    }

    fn check_stack_bytes(
        &mut self,
        depth: u8,
        value: &RegState,
        extent: Extent,
        usage: MemoryUse,
        found: &mut Arguments<'a>,
    ) -> Checked {
        let direction = usage.direction();
        let offsets = self.check_stack_bounds(value, extent, direction)?;
        self.touch_stack(depth, offsets.min);
        if usage != MemoryUse::Fills {
            self.check_initialised(depth, extent.reg, offsets, extent.size)?;
        }
        if usage == MemoryUse::Reads {
            return Ok(());
        }
        let filled = Filled {
            depth,
            offsets,
            size: extent.size,
        };
        match found.filled.iter_mut().find(|entry| entry.is_none()) {
            Some(entry) => *entry = Some(filled),
            None => return Err(not_modelled("so many pieces of memory")),
        }
        Ok(())
    }

    fn check_record(&self, reg: Reg, value: &RegState, found: &mut Arguments<'a>) -> Checked {
        if !matches!(value.kind, Kind::RingbufMem(_)) || value.null == Null::Maybe {
            return Err(wrong_type(reg, value, "ringbuf_mem"));
        }
        let number = reg.number();
        if value.constant_var_off().is_none() {
            let message = format!(
                "variable ringbuf_mem access var_off={} disallowed",
                value.scalar.tnum
            );
            return Err(Rejection::new(Code::NotReleasable, message)
                .label("points somewhere into the record"));
        }
        if value.off != 0 || value.constant_var_off() != Some(0) {
            let message = format!(
                "R{number} must have zero offset when passed to release func or trusted arg to kfunc"
            );
            return Err(Rejection::new(Code::NotReleasable, message)
                .label("points behind the record's beginning"));
        }
        if value.ref_id == 0 {
            let message = format!("R{number} must be referenced when passed to release function");
            return Err(Rejection::new(Code::NotReleasable, message)
                .label("is not what an acquiring helper returned"));
        }
        found.released = Some(value.ref_id);
        Ok(())
    }
}

/// That it is a socket of any kind, not null.
fn check_sock(reg: Reg, value: &RegState) -> Checked {
    match value.kind {
        Kind::Sock(_) if value.null == Null::Never => Ok(()),
        Kind::Trusted(_) => Err(not_modelled("sockets that are structures of the kernel")),
        _ => Err(wrong_type(
            reg,
            value,
            "sock_common, sock, tcp_sock, xdp_sock",
        )),
    }
}

fn check_alloc_size(reg: Reg, value: &RegState, found: &mut Arguments<'_>) -> Checked {
    let number = reg.number();
    if !value.is_scalar() {
        return Err(wrong_type(reg, value, "scalar"));
    }
    let Some(size) = value.as_constant() else {
        let message = format!("R{number} is not a known constant");
        return Err(Rejection::new(Code::ArgumentSize, message)
            .label(format!(
                "the size in R{number} is {}",
                describe(&value.scalar)
            ))
            .because(value.origin.made, "the size comes from here"));
    };
    found.alloc_size = u32::try_from(size).ok();
    match found.alloc_size {
        Some(_) => Ok(()),
        None => Err(not_modelled("records of such sizes")),
    }
}

fn wrong_type(reg: Reg, value: &RegState, expected: &str) -> Box<Rejection> {
    let (number, name) = (reg.number(), value.type_name());
    let message = format!("R{number} type={name} expected={expected}");
    let refused = Rejection::new(Code::ArgumentType, message)
        .label(format!("R{number} is {}", with_article(&name)))
        .because(value.origin.made, format!("R{number} is made here"));
    match value.null {
        Null::Maybe => refused.help(format!("compare R{number} with 0 first")),
        Null::Never => refused,
    }
}

fn with_article(name: &str) -> String {
    match name {
        "scalar" => "a number".to_owned(),
        _ => format!("a pointer of type '{name}'"),
    }
}
