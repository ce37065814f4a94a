//! Arguments that are memory: which bytes a helper reads, and which it fills.
//!
//! Which helpers do what is described in bpf-helpers(7); messages as observed on Linux 6.18.
//!
//! Read before: `call/argument/accept.rs`. Read next: `call/argument/of_map.rs`.

use super::Arguments;
use super::accept::STRUCTURES_AS_MEMORY;
use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::memory::mem::{Direction, MemAccess, Stored};
use crate::memory::region::{Extent, FixedOffset};
use crate::memory::stack_bounds::Offsets;
use crate::memory::structure::read_only_memory;
use crate::object::dynptr::{Access, Slice};
use crate::step::alu::describe;
use crate::step::machine::{Machine, not_modelled};
use crate::types::context_param::is_memory;
use crate::types::special::AccessBy;
use crate::value::btf_ptr::{BtfPtr, Marks};
use crate::value::reg::{Kind, Null, RegState};
use crate::warning::Warning;
use ebpf_asm::insn::Reg;
use ebpf_asm::isa::{KernelVersion, Size};
use ebpf_asm::prog_type::ProgType;

/// Sizes of memory stay below this.
const MAX_SIZE: u64 = 1 << 29;

/// Since when what a call only reads on the stack is known behind it; from the kernel's history.
/// Linux 6.1 and 6.12 take what is there for written.
const READS_ONLY: KernelVersion = (6, 14);

/// A part of a stack that a call writes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Filled {
    pub(crate) depth: u8,
    pub(crate) offsets: Offsets,
    pub(crate) size: i64,
    /// Whether it is known which of the bytes are written.
    pub(crate) known: bool,
}

/// What a helper does with memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MemoryUse {
    Reads,
    Fills,
    Changes,
    /// Another function reads and writes it: the kernel asks for the one first, then for the
    /// other.
    Shared,
}

impl MemoryUse {
    fn direction(self) -> Direction {
        match self {
            MemoryUse::Reads => Direction::Read,
            MemoryUse::Fills | MemoryUse::Changes | MemoryUse::Shared => Direction::Write,
        }
    }

    /// What is asked for first.
    fn first(self) -> Direction {
        match self {
            MemoryUse::Shared => Direction::Read,
            _ => self.direction(),
        }
    }
}

/// What a helper asks of memory: how many bytes of it, and what for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) size: i64,
    /// Whether they may be none.
    pub(super) zero: ZeroSize,
    pub(super) usage: MemoryUse,
}

impl Asked {
    /// All of something that has so many bytes.
    pub(super) fn whole(size: u32, usage: MemoryUse) -> Asked {
        Asked {
            size: size.into(),
            zero: ZeroSize::Refused,
            usage,
        }
    }
}

/// Whether a size may be zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ZeroSize {
    Allowed,
    Refused,
}

impl Arguments<'_> {
    /// Memory whose size is the next argument, with which it is looked at.
    pub(super) fn expect_size(&mut self, reg: Reg, usage: MemoryUse) -> Checked {
        self.memory = Some((reg, usage));
        Ok(())
    }

    fn fill(&mut self, filled: Filled) -> Checked {
        match self.filled.iter_mut().find(|entry| entry.is_none()) {
            Some(entry) => *entry = Some(filled),
            None => return Err(not_modelled("so many pieces of memory")),
        }
        Ok(())
    }
}

/// Helpers whose room had to be written before Linux 6.3, although they fill it: the first was
/// observed on Linux 6.1, the others are from the kernel's history.
const WRITTEN_ROOM: [&str; 6] = [
    "snprintf",
    "snprintf_btf",
    "d_path",
    "sysctl_get_name",
    "sysctl_get_current_value",
    "sysctl_get_new_value",
];

impl<'a> Machine<'_, 'a> {
    /// Whether the helper that is called wants the room that it fills to be written before.
    pub(super) fn wants_written_room(&self) -> bool {
        if self.env.config.since((6, 3)) {
            return false;
        }
        let called = self.env.cfg.helper(self.slot);
        let name = called.map_or("", |helper| helper.name);
        // Observed on Linux 6.1 as well.
        let by_arguments = matches!(
            self.env.program.prog_type,
            ProgType::RawTracepoint | ProgType::RawTracepointWritable | ProgType::Tracing
        );
        WRITTEN_ROOM.contains(&name) || name == "get_stack" && by_arguments
    }

    /// The size of the memory in the argument before.
    pub(super) fn check_size(
        &mut self,
        reg: Reg,
        value: &RegState,
        zero: ZeroSize,
        found: &mut Arguments<'a>,
    ) -> Checked {
        let Some((memory, usage)) = found.memory.take() else {
            return Err(not_modelled("a size without memory"));
        };
        self.need(reg);
        found.most_bytes = Some(value.scalar.bounds.u64.max);
        let most = bounded_size(reg, value, zero)?;
        let pointer = *self.read_reg(memory)?;
        if most == 0 && pointer.as_constant() == Some(0) {
            return Ok(());
        }
        // A size that varies leaves open which bytes are filled.
        let usage = match (usage, value.as_constant()) {
            (MemoryUse::Fills, None) => MemoryUse::Changes,
            (usage, _) => usage,
        };
        let size = most;
        self.check_bytes(memory, &pointer, Asked { size, zero, usage }, found)?;
        if pointer.null == Null::Maybe && usage != MemoryUse::Shared {
            self.warn_of_null(memory, &pointer, reg, value);
        }
        Ok(())
    }

    /// Warns where memory may be null though its size is never 0. The kernel does not look at the two
    /// together for a helper that takes null with a size of 0 (observed on Linux 6.18; 6.12 stopped
    /// when it ran that).
    fn warn_of_null(&mut self, memory: Reg, pointer: &RegState, reg: Reg, size: &RegState) {
        let least = size.scalar.bounds.u64.min;
        let (true, Some(helper)) = (least > 0, self.env.cfg.helper(self.slot)) else {
            return;
        };
        let (pointed, sized) = (memory.number(), reg.number());
        let message = format!(
            "bpf_{} may be called with null in R{pointed} and a size that is not 0",
            helper.name
        );
        let bytes = match (least, size.as_constant()) {
            (1, Some(_)) => "1 byte".to_owned(),
            (_, Some(_)) => format!("{least} bytes"),
            (1, None) => "1 byte or more".to_owned(),
            (_, None) => format!("{least} bytes or more"),
        };
        self.notes.warn(
            Warning::new(Code::NullMemory, self.slot, message)
                .label(format!(
                    "R{sized} says that there are {bytes} at R{pointed}"
                ))
                .because(
                    pointer.origin.made,
                    format!("R{pointed} is made here, and may be null"),
                )
                .help(format!(
                    "compare R{pointed} with 0 first: the kernel does not ask for it"
                )),
        );
    }

    /// That memory may be read and written by another function, as many bytes of it as the
    /// other register says.
    pub(crate) fn check_sized_memory(
        &mut self,
        memory: Reg,
        size: Reg,
        found: &mut Arguments<'a>,
    ) -> Checked {
        let value = *self.read_reg(size)?;
        found.expect_size(memory, MemoryUse::Shared)?;
        self.check_size(size, &value, ZeroSize::Allowed, found)
    }

    /// Memory of a size that the helper knows, aligned to it if it is written.
    pub(super) fn check_fixed(
        &mut self,
        reg: Reg,
        value: &RegState,
        size: u32,
        usage: MemoryUse,
        found: &mut Arguments<'a>,
    ) -> Checked {
        self.check_bytes(reg, value, Asked::whole(size, usage), found)?;
        let size = Size::ALL.into_iter().find(|one| one.bytes() == size);
        match (usage, size) {
            (MemoryUse::Reads, _) | (_, None) => Ok(()),
            (_, Some(size)) => self.check_aligned(
                value,
                MemAccess {
                    reg,
                    off: 0,
                    size,
                    direction: Direction::Write,
                },
            ),
        }
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
        let asked = Asked {
            size: size.into(),
            zero: ZeroSize::Allowed,
            usage: MemoryUse::Shared,
        };
        self.check_bytes(reg, &value, asked, found)
    }

    /// That bytes of memory may be used so.
    pub(super) fn check_bytes(
        &mut self,
        reg: Reg,
        value: &RegState,
        Asked { size, zero, usage }: Asked,
        found: &mut Arguments<'a>,
    ) -> Checked {
        let off = i64::from(value.off);
        let extent = Extent { reg, off, size };
        let direction = usage.direction();
        let nothing = size == 0 && zero == ZeroSize::Refused;
        match value.kind {
            _ if nothing && value.kind.is_memory() => Err(no_bytes(reg, value)),
            Kind::Packet | Kind::PacketMeta => self.check_packet_use(value, extent, usage),
            Kind::MapKey(_) if direction == Direction::Write => {
                let message = format!("R{} cannot write into map_key", reg.number());
                Err(Rejection::new(Code::ReadOnly, message)
                    .label("hands out a key of a map to be written to")
                    .help("copy the key to the stack, and hand over the copy"))
            }
            Kind::MapKey(map) => self.check_map_key(map, value, extent),
            Kind::MapValue(map) => self.check_value_use(map, value, extent, usage),
            Kind::Slice(slice) if slice.access == Access::Read && direction == Direction::Write => {
                Err(read_only_memory(reg, value))
            }
            Kind::RingbufMem(bytes) | Kind::Mem(bytes) | Kind::Slice(Slice { bytes, .. }) => {
                self.check_mem_bytes(bytes, value, extent)
            }
            Kind::ReadOnlyMem(_) if direction == Direction::Write => {
                Err(read_only_memory(reg, value))
            }
            Kind::ReadOnlyMem(bytes) => self.check_mem_bytes(bytes, value, extent),
            // Of no known size, and not to be written to.
            Kind::UntrustedMem if usage == MemoryUse::Shared => {
                self.check_mem_bytes(0, value, extent)?;
                Err(read_only_memory(reg, value))
            }
            Kind::Buffer(usage) => self.check_buffer(usage, value, extent, direction),
            Kind::Stack(depth) => self.check_stack_bytes(depth, value, extent, usage, found),
            Kind::Ctx if is_memory(self.env.program.prog_type) => {
                self.check_ctx_bytes(value, extent, usage)
            }
            Kind::Btf(pointer) => self.check_shared_structure(pointer, value, extent, usage),
            _ => Err(self.not_memory(reg, value)),
        }
    }

    /// That bytes of a packet may be used so. Of what another function writes only the bounds are
    /// asked.
    fn check_packet_use(&mut self, value: &RegState, extent: Extent, usage: MemoryUse) -> Checked {
        if matches!(usage, MemoryUse::Fills | MemoryUse::Changes) {
            self.check_packet_write(extent.reg, value)?;
        }
        self.check_packet_bytes(value, extent, usage.direction())
    }

    /// That bytes of a map's value may be used so.
    fn check_value_use(
        &mut self,
        map: u32,
        value: &RegState,
        extent: Extent,
        usage: MemoryUse,
    ) -> Checked {
        let of = self.value_map(map)?;
        self.check_map_direction(of, extent, usage.first())?;
        self.check_map_direction(of, extent, usage.direction())?;
        self.check_map_value_bytes(map, value, extent, AccessBy::Call)
    }

    /// That bytes of a structure may be used so. Another function gets them whoever owns them, and
    /// may write to them (Linux 6.18); before structures were memory it gets none (Linux 6.1).
    fn check_shared_structure(
        &mut self,
        pointer: BtfPtr,
        value: &RegState,
        extent: Extent,
        usage: MemoryUse,
    ) -> Checked {
        if usage == MemoryUse::Shared && !self.env.config.since(STRUCTURES_AS_MEMORY) {
            return Err(self.not_memory(extent.reg, value));
        }
        if usage == MemoryUse::Shared && pointer.marks.has(Marks::UNTRUSTED) {
            self.check_pointer_offset(extent.reg, value, FixedOffset::Refused)?;
        }
        self.check_structure_bytes(pointer, value, extent)?;
        match usage {
            MemoryUse::Reads | MemoryUse::Shared => Ok(()),
            _ if pointer.marks.has(Marks::ALLOC) => {
                Err(not_modelled("objects of the program as memory"))
            }
            _ => Err(only_read(extent.reg, value)),
        }
    }

    /// That bytes of a context may be used: how long it is, nobody knows but who reads its last
    /// byte.
    fn check_ctx_bytes(&mut self, value: &RegState, extent: Extent, usage: MemoryUse) -> Checked {
        let Ok(last) = i16::try_from(extent.size - 1) else {
            let off = i64::from(value.off) + extent.size - 1;
            let message = format!("invalid bpf_context access off={off} size=1");
            return Err(Rejection::new(Code::Context, message)
                .label("no context has so many bytes")
                .help("let the size be that of what user space hands over as ctx_in"));
        };
        if last < 0 {
            return Ok(());
        }
        let access = |direction| MemAccess {
            reg: extent.reg,
            off: last,
            size: Size::B,
            direction,
        };
        self.read_memory(value, access(Direction::Read))?;
        match usage {
            MemoryUse::Reads => Ok(()),
            _ => self.write_memory(value, access(Direction::Write), Stored::Unknown),
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
        let offsets = self.check_stack_bounds(value, extent, usage.first(), AccessBy::Call)?;
        self.touch_stack(depth, offsets.min);
        // Which bytes are filled is open where it is not known where they are.
        let fills = usage == MemoryUse::Fills && offsets.min == offsets.max;
        if fills {
            if extent.size > 0 {
                self.note_access(depth, offsets.min);
            }
            self.check_no_dynptr(depth, offsets.min, extent.size)?;
            self.check_fill(depth, offsets.min, extent.size)?;
        } else {
            self.check_initialised(depth, extent.reg, offsets, extent.size)?;
        }
        if usage == MemoryUse::Reads && self.env.config.since(READS_ONLY) {
            return Ok(());
        }
        found.fill(Filled {
            depth,
            offsets,
            size: extent.size,
            known: fills,
        })
    }
}

/// The greatest that a size can be.
fn bounded_size(reg: Reg, value: &RegState, zero: ZeroSize) -> Checked<i64> {
    let number = reg.number();
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
        ))
        .help(
            "leave where it is less than 0 (in C: if (n < 0) return 0), as what a call gives is \
             where it failed; or let the size be unsigned from the start. That it is not greater \
             than a number is also true of negative ones",
        ));
    }
    if unsigned.min == 0 && zero == ZeroSize::Refused {
        return Err(refuse(format!(
            "R{number} invalid zero-sized read: u64=[{},{}]",
            unsigned.min, unsigned.max
        ))
        .help(match unsigned.max {
            0 => "hand over at least one byte: this helper takes no size of 0".to_owned(),
            // As a signed number of 32 bits it may be less than 0.
            most if value.scalar.bounds.s32.min < 0 && most > i32::MAX as u64 => format!(
                "leave where R{number} is 0 or, as a signed number, less, and where it is greater than \
                 the memory (in C: if (n <= 0 || n > sizeof(buf)) return 0): this helper takes no size \
                 of 0"
            ),
            most if most >= MAX_SIZE => format!(
                "leave where R{number} is 0, and where it is greater than the memory (in C: if (n == \
                 0 || n > sizeof(buf)) return 0): this helper takes no size of 0"
            ),
            _ => format!(
                "compare R{number} with 0, and leave where it is 0 (in C: if (n == 0) return 0): \
                 this helper takes no size of 0"
            ),
        }));
    }
    match i64::try_from(unsigned.max) {
        Ok(most) if unsigned.max < MAX_SIZE => Ok(most),
        _ => Err(refuse(format!(
            "R{number} unbounded memory access, use 'var &= const' or 'if (var < const)'"
        ))
        .help(match value.as_constant() {
            Some(_) => "hand over a size that the memory has: this one is greater than any",
            None => {
                "leave where the size is greater than the memory (in C: if (n > sizeof(buf)) return \
                 0), or mask it"
            }
        })),
    }
}

/// What the kernel says to a structure of its own that another function might write to.
fn only_read(reg: Reg, value: &RegState) -> Box<Rejection> {
    Rejection::new(Code::ReadOnly, "only read is supported")
        .label("a structure of the kernel is handed out to be written to")
        .because(value.origin.made, format!("R{} is made here", reg.number()))
        .help("let what is called write to the stack or to a map's value")
}

/// What the kernel says to memory of no bytes, such as the key of a map that has none.
fn no_bytes(reg: Reg, value: &RegState) -> Box<Rejection> {
    let message = match value.kind {
        Kind::Stack(_) => "invalid zero-sized read",
        Kind::MapValue(_) => "invalid access to map value, value_size=",
        Kind::Packet | Kind::PacketMeta => "invalid access to packet, off=",
        _ => "invalid access to memory, mem_size=",
    };
    Rejection::new(Code::ArgumentSize, message)
        .label(format!("the memory in R{} has no bytes", reg.number()))
        .help(
            "the map has no keys or no values: use helpers that ask for none (for a queue, a stack or \
             a bloom filter bpf_map_push_elem, bpf_map_pop_elem and bpf_map_peek_elem)",
        )
}
