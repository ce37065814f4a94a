//! What each kind of memory allows: the context, the packet, values of maps, records.
//!
//! Read before: `mem.rs`, `ctx/mod.rs`. Read next: `within.rs`.

use crate::codes::Code;
use crate::ctx::{
    ArgumentContext, Context, Field, Loader, PacketUse, Read, Unread, Value, context,
};
use crate::diag::{Checked, Rejection};
use crate::memory::mem::{Direction, MemAccess, Stored};
use crate::memory::packet_help::prove_more;
use crate::memory::within::{negative, outside_of_memory};
use crate::step::machine::{Machine, not_modelled};
use crate::types::special::AccessBy;
use crate::value::btf_ptr::Marks;
use crate::value::reg::{Kind, Null, PacketRange, RegState};
use crate::value::scalar::Scalar;
use ebpf_asm::insn::Reg;
use ebpf_asm::isa::Size;
use ebpf_asm::map_flags::{BPF_F_RDONLY_PROG, BPF_F_WRONLY_PROG};
use ebpf_asm::map_type::MapType;
use ebpf_asm::object::{DataKind, Map};
use ebpf_asm::prog_type::{AttachType, ProgType};

/// Bytes of a piece of memory, `size` of them from a pointer with `off` added.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    pub(crate) reg: Reg,
    pub(crate) off: i64,
    pub(crate) size: i64,
}

/// Whether a pointer that is passed to a function may have a constant added to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FixedOffset {
    Allowed,
    Refused,
}

impl MemAccess {
    /// The bytes of the access.
    pub(crate) fn extent(self, base: &RegState) -> Extent {
        Extent {
            reg: self.reg,
            off: i64::from(base.off) + i64::from(self.off),
            size: i64::from(self.size.bytes()),
        }
    }
}

impl<'a> Machine<'_, 'a> {
    /// That a pointer to the context is the one that the program received.
    pub(crate) fn check_whole_ctx(&self, reg: Reg, base: &RegState) -> Checked {
        let Some(message) = changed_pointer(reg, base) else {
            return Ok(());
        };
        Err(Rejection::new(Code::Context, message)
            .label(format!(
                "R{} is not what the program received, but was changed",
                reg.number()
            ))
            .help("keep the context as it is, and give the offset to the load or store"))
    }

    /// That a pointer is passed to a function as it was made.
    pub(crate) fn check_pointer_offset(
        &self,
        reg: Reg,
        base: &RegState,
        fixed: FixedOffset,
    ) -> Checked {
        let (number, name, off) = (reg.number(), base.type_name(), base.off);
        let refuse = |message| {
            Rejection::new(Code::ArgumentType, message)
                .label(format!("R{number} is not as it was made"))
                .because(base.origin.made, format!("R{number} is made here"))
                .help("hand over the pointer as it was given, with nothing added")
        };
        if off < 0 {
            let message = format!("negative offset {name} ptr R{number} off={off} disallowed");
            return Err(refuse(message));
        }
        if off != 0 && fixed == FixedOffset::Refused {
            let message =
                format!("dereference of modified {name} ptr R{number} off={off} disallowed");
            return Err(refuse(message));
        }
        if base.constant_var_off() != Some(0) {
            let message = format!(
                "variable {name} access var_off={} disallowed",
                base.scalar.tnum
            );
            return Err(refuse(message));
        }
        Ok(())
    }

    pub(crate) fn read_ctx(&mut self, base: &RegState, access: MemAccess) -> Checked<RegState> {
        self.check_whole_ctx(access.reg, base)?;
        let offset = i64::from(access.off);
        if let Some(arguments) = &self.env.arguments {
            return self.read_argument(arguments, access);
        }
        let Some(field) = self.env.context.read(offset, access.size) else {
            return Err(self.refuse_ctx(access));
        };
        self.check_field(field, access)?;
        Ok(match field.value {
            Value::Number => RegState::scalar(Scalar::of_size(access.size)),
            Value::Pointer(kind) => RegState::pointer(kind),
            Value::PointerOrNull(kind) => RegState::pointer(kind).maybe_null(self.new_id()),
            Value::Structure(name) => RegState::pointer(self.env.structure(name, Marks::TRUSTED)),
        })
    }

    /// Reads an argument of the function that the program is attached to.
    fn read_argument(
        &mut self,
        arguments: &ArgumentContext,
        access: MemAccess,
    ) -> Checked<RegState> {
        let read = arguments.read(i64::from(access.off), access.size);
        let read = read.map_err(|(why, words)| {
            let mut lines = words.into_iter();
            let refused = Rejection::new(Code::Context, lines.next().unwrap_or_default());
            let (label, help) = in_words(why);
            lines.fold(refused, Rejection::adds).label(label).help(help)
        })?;
        Ok(match read {
            Read::Number => RegState::scalar(Scalar::of_size(access.size)),
            Read::Among(least, most) => {
                RegState::scalar(Scalar::signed_range(least, most).truncate(access.size))
            }
            Read::Pointer(kind, Null::Never) => RegState::pointer(kind),
            Read::Pointer(kind, Null::Maybe) => RegState::pointer(kind).maybe_null(self.new_id()),
        })
    }

    pub(crate) fn write_ctx(
        &mut self,
        base: &RegState,
        access: MemAccess,
        stored: Stored<'_>,
    ) -> Checked {
        if let Stored::Reg(reg, value) = stored {
            self.check_leak(reg, value, "leaks addr into ctx")?;
        }
        self.check_whole_ctx(access.reg, base)?;
        match self.env.context.write(i64::from(access.off), access.size) {
            Some(field) => self.check_field(field, access),
            None => Err(self.refuse_ctx(access)),
        }
    }

    /// That the kernel is new enough for the field, and the loader allowed to use it so.
    fn check_field(&self, field: &Field, access: MemAccess) -> Checked {
        let config = self.env.config;
        if !config.since(field.since) {
            let (major, minor) = field.since;
            let mut refused = self.refuse_ctx(access);
            refused.code = Code::KernelTooOld;
            return Err(refused.label(format!("{} came with Linux {major}.{minor}", field.name)));
        }
        let open = match (field.loader, access.direction) {
            (Loader::Any, _) | (Loader::BpfToWrite, Direction::Read) => true,
            (Loader::Bpf | Loader::BpfToWrite, _) => config.may_use_bpf(),
        };
        if open {
            return Ok(());
        }
        Err(self
            .refuse_ctx(access)
            .label(format!("{} needs CAP_BPF", field.name)))
    }

    pub(crate) fn refuse_ctx(&self, access: MemAccess) -> Box<Rejection> {
        let (context, offset) = (self.env.context, i64::from(access.off));
        let bytes = access.size.bytes();
        let message = format!("invalid bpf_context access off={offset} size={bytes}");
        let refused = Rejection::new(Code::Context, message);
        let prog_type = self.env.program.prog_type;
        let Some(field) = context.at(offset) else {
            return refused
                .label(format!(
                    "{prog_type} programs have no field of {} at {offset}",
                    context.name
                ))
                .help(format!(
                    "access the fields of {}, each at its offset",
                    context.name
                ));
        };
        let name = field.name;
        let other = Size::ALL.into_iter().find(|&size| match access.direction {
            Direction::Read => context.read(i64::from(field.offset), size).is_some(),
            Direction::Write => context.write(i64::from(field.offset), size).is_some(),
        });
        let refused = refused.label(format!(
            "{} {bytes} bytes of {}, field {name}",
            access.direction.verb(),
            context.name
        ));
        match other {
            Some(size) => refused.help(format!(
                "{name} is accessed with {} bytes at offset {}",
                size.bytes(),
                field.offset
            )),
            None => refused.help(self.who_may(context, field, access.direction)),
        }
    }

    /// What may be done instead of an access to a field that the program type may not have.
    fn who_may(&self, own: &Context, field: &Field, direction: Direction) -> String {
        let prog_type = self.env.program.prog_type;
        let name = field.name;
        let may = |theirs: &Context| match direction {
            Direction::Read => theirs.is_read(field),
            Direction::Write => theirs.is_written(field),
        };
        let has_it = |theirs: &'static Context| theirs.name == own.name && may(theirs);
        let places: Vec<&str> = AttachType::ALL
            .iter()
            .filter(|&&place| context(prog_type, place).is_some_and(has_it))
            .map(|place| place.name())
            .collect();
        if !places.is_empty() {
            return format!("programs of these attach types may: {}", places.join(", "));
        }
        if direction == Direction::Write {
            let open = own.fields.iter().filter(|field| own.is_written(field));
            let names: Vec<&str> = open.map(|field| field.name).collect();
            return match names.is_empty() {
                true => format!("{prog_type} programs only read {}", own.name),
                false => format!("{prog_type} programs may write: {}", names.join(", ")),
            };
        }
        let others: Vec<&str> = ProgType::ALL
            .iter()
            .filter(|&&other| context(other, other.attach_type(None)).is_some_and(has_it))
            .map(|other| other.name())
            .collect();
        match others.is_empty() {
            true => format!("{prog_type} programs may not read {name}"),
            false => format!(
                "programs of these types may read {name}: {}",
                others.join(", ")
            ),
        }
    }

    /// That the program type may write to the packet.
    pub(crate) fn check_packet_write(&self, reg: Reg, base: &RegState) -> Checked {
        if matches!(
            self.env.context.packet,
            PacketUse::Write | PacketUse::Buffer
        ) {
            return Ok(());
        }
        Err(Rejection::new(Code::ReadOnly, "cannot write into packet")
            .label(format!("writes through R{} to the packet", reg.number()))
            .because(base.origin.made, "the pointer is made here")
            .help("programs of this type only read the packet: copy what is to be changed"))
    }

    /// That the bytes are proven to be in the packet.
    pub(crate) fn check_packet(&self, base: &RegState, access: MemAccess) -> Checked {
        self.check_packet_bytes(base, access.extent(base), access.direction)
    }

    pub(crate) fn check_packet_bytes(
        &self,
        base: &RegState,
        extent: Extent,
        direction: Direction,
    ) -> Checked {
        let (off, range) = (extent.off, base.range.bytes());
        let inside = off >= 0 && off + extent.size <= i64::from(range);
        let proven = matches!(base.range, PacketRange::Bytes(_)) && inside;
        match base.scalar.bounds.s64.min >= 0 && proven {
            true => Ok(()),
            false => Err(self.beyond_packet(base, extent, direction)),
        }
    }

    /// Why bytes are not proven to be in the packet.
    #[cold]
    fn beyond_packet(
        &self,
        base: &RegState,
        extent: Extent,
        direction: Direction,
    ) -> Box<Rejection> {
        let number = extent.reg.number();
        if base.scalar.bounds.s64.min < 0 {
            return negative(Code::PacketBounds, extent.reg, base);
        }
        if !matches!(base.range, PacketRange::Bytes(_)) {
            let message = format!("R{number} offset is outside of the packet");
            return Rejection::new(Code::PacketBounds, message)
                .label(format!(
                    "R{number} is known to be at the end of the packet or behind it"
                ))
                .because(base.origin.proved, "this comparison says so")
                .help("read where the comparison says the opposite");
        }
        let (off, size, range) = (extent.off, extent.size, base.range.bytes());
        let message = format!(
            "invalid access to packet, off={off} size={size}, R{number}(id={},off={off},r={range})",
            base.id
        );
        let last = off + size - 1;
        let refused = Rejection::new(Code::PacketBounds, message)
            .adds(format!("R{number} offset is outside of the packet"));
        if off < 0 {
            return refused
                .label(format!(
                    "{} byte {off}, which is before what R{number} was made from",
                    direction.verb()
                ))
                .because(base.origin.made, format!("R{number} is made here"))
                .help("use the pointer that this one was made from, with an offset of 0 or more");
        }
        let first = off.max(i64::from(range));
        let what = if first == last {
            format!(
                "{} byte {last}, which no check has proven",
                direction.verb()
            )
        } else {
            format!(
                "{} bytes {first}..{}, which no check has proven",
                direction.verb(),
                last + 1
            )
        };
        let refused = refused.label(what);
        prove_more(self.env, self.slot, refused, (base, last + 1))
    }

    /// That the bytes are in a piece of memory of `bytes` bytes.
    pub(crate) fn check_mem(&self, bytes: u32, base: &RegState, access: MemAccess) -> Checked {
        self.check_mem_bytes(bytes, base, access.extent(base))
    }

    pub(crate) fn check_mem_bytes(&self, bytes: u32, base: &RegState, extent: Extent) -> Checked {
        let message = |off| {
            format!(
                "invalid access to memory, mem_size={bytes} off={off} size={}",
                extent.size
            )
        };
        self.check_within(Code::MemoryBounds, i64::from(bytes), base, extent, message)
    }

    /// That bytes of a map's key are in it.
    pub(crate) fn check_map_key(&self, map: u32, base: &RegState, extent: Extent) -> Checked {
        let map = self.env.map(map);
        let bytes = map.map_or(0, |map| map.key_size);
        let message = |off| {
            format!(
                "invalid access to map key, key_size={bytes} off={off} size={}",
                extent.size
            )
        };
        // Of a key no bytes are none, also where a helper is content with none.
        if extent.size == 0 {
            let message = message(extent.off);
            return Err(Rejection::new(Code::MemoryBounds, message)
                .adds(outside_of_memory(extent.reg, "min"))
                .label("hands out no bytes of a map's key")
                .help("hand over at least one byte of it"));
        }
        self.check_within(Code::MemoryBounds, i64::from(bytes), base, extent, message)
    }

    /// That bytes of a map's value are in it.
    pub(crate) fn check_map_value_bytes(
        &self,
        index: u32,
        base: &RegState,
        extent: Extent,
        by: AccessBy,
    ) -> Checked {
        let map = self.value_map(index)?;
        let (code, what) = match base.null {
            Null::Never => (Code::MapValueBounds, "map value, value_size"),
            Null::Maybe => (Code::MemoryBounds, "memory, mem_size"),
        };
        let message = |off| {
            format!(
                "invalid access to {what}={} off={off} size={}",
                map.value_size, extent.size
            )
        };
        let size = i64::from(map.value_size);
        self.check_within(code, size, base, extent, message)?;
        self.check_specials(index, base, extent, by)
    }

    pub(crate) fn read_map_value(
        &mut self,
        index: u32,
        base: &RegState,
        access: MemAccess,
    ) -> Checked<RegState> {
        let map = self.value_map(index)?;
        let extent = access.extent(base);
        self.check_map_direction(map, extent, Direction::Read)?;
        self.check_map_value_bytes(index, base, extent, AccessBy::Insn)?;
        if let Some(kptr) = self.kptr_at(base, extent)? {
            return self.load_kptr(kptr);
        }
        if map.constant().is_some() && map.max_entries != 1 && base.constant_var_off().is_some() {
            return Err(Rejection::new(Code::ReadOnly, "it gives no reason")
                .label(format!(
                    "reads '{}', a constant array of several values",
                    map.name
                ))
                .help("the kernel knows constants only in arrays of one value"));
        }
        Ok(match self.constant_in(map, base, access) {
            Some(number) => RegState::constant(number),
            None => RegState::scalar(Scalar::of_size(access.size)),
        })
    }

    /// The number at a fixed place among global constants: the kernel reads it since 5.5, for
    /// who loads the object has frozen them. Options of the kernel's configuration are not
    /// known here.
    fn constant_in(&self, map: &Map, base: &RegState, access: MemAccess) -> Option<u64> {
        let data = map
            .data
            .as_ref()
            .filter(|data| data.kind == DataKind::Rodata)?;
        let read_only = map.map_flags & BPF_F_RDONLY_PROG != 0;
        if !read_only || !self.env.config.since((5, 5)) {
            return None;
        }
        let at = access
            .extent(base)
            .off
            .checked_add(base.constant_var_off()?)?;
        let begin = usize::try_from(at).ok()?;
        let len = access.size.bytes() as usize;
        let bytes = data.bytes.get(begin..begin.checked_add(len)?)?;
        let digits = bytes.iter().rev();
        Some(digits.fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    pub(crate) fn write_map_value(
        &mut self,
        index: u32,
        base: &RegState,
        access: MemAccess,
        stored: Stored<'_>,
    ) -> Checked {
        let map = self.value_map(index)?;
        let extent = access.extent(base);
        self.check_map_direction(map, extent, Direction::Write)?;
        self.check_map_value_bytes(index, base, extent, AccessBy::Insn)?;
        match self.kptr_at(base, extent)? {
            Some(kptr) => self.store_kptr(kptr, extent.off, stored),
            None => Ok(()),
        }
    }

    /// That the map's flags allow programs to do this.
    pub(crate) fn check_map_direction(
        &self,
        map: &Map,
        extent: Extent,
        direction: Direction,
    ) -> Checked {
        let (forbidding, what) = match direction {
            Direction::Read => (BPF_F_WRONLY_PROG, "read from map forbidden"),
            Direction::Write => (BPF_F_RDONLY_PROG, "write into map forbidden"),
        };
        if flags_of(map) & forbidding == 0 {
            return Ok(());
        }
        Err(map_forbidden(what, map, extent))
    }

    /// The map whose values a pointer points to.
    pub(crate) fn value_map(&self, map: u32) -> Checked<&'a Map> {
        let map = self.env.map(map);
        map.ok_or_else(|| not_modelled("a map without definition"))
    }

    /// The name of a map, as far as the kernel keeps it.
    pub(crate) fn kernel_name(&self, map: u32) -> &'a str {
        const KEPT: usize = 15;
        let name = self.env.map(map).map_or("", |map| map.name.as_str());
        name.get(..KEPT).unwrap_or(name)
    }
}

/// Why an argument cannot be read, and what to do instead.
fn in_words(why: Unread) -> (&'static str, &'static str) {
    match why {
        Unread::Missing => (
            "no argument is there",
            "the arguments of the function are numbers of 8 bytes each, from offset 0 on: take no \
             more than it has (BPF_PROG in C unpacks them)",
        ),
        Unread::Part => ("reads a part of an argument", "load all 8 bytes"),
        Unread::Opaque => (
            "what stands there cannot be read",
            "leave this argument alone: programs get numbers, and pointers to structures",
        ),
        Unread::ReturnedPointer => (
            "the function returns a pointer",
            "attach fmod_ret to a function that returns a number",
        ),
    }
}

/// The flags that a map has in the kernel: programs may read the interfaces of a device map
/// and never write them.
pub(crate) fn flags_of(map: &Map) -> u32 {
    match map.map_type {
        MapType::Devmap | MapType::DevmapHash => map.map_flags | BPF_F_RDONLY_PROG,
        _ => map.map_flags,
    }
}

/// The kernel's words if a pointer is not to the beginning of what it points to.
pub(crate) fn changed_pointer(reg: Reg, base: &RegState) -> Option<String> {
    let (number, off, name) = (reg.number(), base.off, base.type_name());
    if off < 0 {
        Some(format!(
            "negative offset {name} ptr R{number} off={off} disallowed"
        ))
    } else if off != 0 {
        Some(format!(
            "dereference of modified {name} ptr R{number} off={off} disallowed"
        ))
    } else if base.constant_var_off() != Some(0) {
        let var_off = base.scalar.tnum;
        Some(format!(
            "variable {name} access var_off={var_off} disallowed"
        ))
    } else {
        None
    }
}

/// That a register in the place of a pointer holds something. Linux 6.18 takes what is nothing for
/// a pointer at an offset that nobody knows, before it looks whether it is one.
pub(crate) fn check_set(reg: Reg, value: &RegState) -> Checked {
    if !value.is_nothing() {
        return Ok(());
    }
    let (name, var_off) = (value.type_name(), value.scalar.tnum);
    let message = format!("variable {name} access var_off={var_off} disallowed");
    let number = reg.number();
    Err(Rejection::new(Code::ArgumentType, message)
        .label(format!("R{number} holds nothing here"))
        .because(value.origin.made, format!("what R{number} held ends here"))
        .help(format!(
            "set R{number} before the call: calls leave nothing in R1 to R5, so keep the value in \
             R6 to R9"
        )))
}

/// A map's keys are only read.
pub(crate) fn write_to_key(reg: Reg) -> Box<Rejection> {
    let number = reg.number();
    let message = format!("write to change key R{number} not allowed");
    Rejection::new(Code::ReadOnly, message)
        .label("writes to a key of a map")
        .help("copy the key to a variable, and change that; to have another key, update the map")
}

/// What to do where a map is written that programs only read.
pub(crate) const READ_ONLY_MAP: &str = "let user space write to it, or leave BPF_F_RDONLY_PROG out \
                                        of its flags; constants (.rodata) and maps of devices are \
                                        never written by programs";

fn map_forbidden(what: &str, map: &Map, extent: Extent) -> Box<Rejection> {
    let message = format!(
        "{what}, value_size={} off={} size={}",
        map.value_size, extent.off, extent.size
    );
    Rejection::new(Code::ReadOnly, message)
        .label(format!(
            "the map '{}' was made so that programs may not do this",
            map.name
        ))
        .help(match flags_of(map) & BPF_F_RDONLY_PROG {
            0 => "leave BPF_F_WRONLY_PROG out of the map's flags, if programs are to read it",
            _ => READ_ONLY_MAP,
        })
}

impl Kind {
    /// Whether helpers can be handed a pointer of the kind as plain memory.
    pub(crate) fn is_memory(self) -> bool {
        matches!(
            self,
            Kind::Stack(_)
                | Kind::Packet
                | Kind::PacketMeta
                | Kind::MapKey(_)
                | Kind::MapValue(_)
                | Kind::RingbufMem(_)
                | Kind::Mem(_)
                | Kind::Slice(_)
                | Kind::ReadOnlyMem(_)
                | Kind::Buffer(_)
        )
    }
}
