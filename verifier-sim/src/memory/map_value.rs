//! Accesses to keys and values of maps: which bytes, in which direction, and what a load gives.
//!
//! The flags of the map say in which direction (`BPF_F_RDONLY_PROG`, `BPF_F_WRONLY_PROG` in
//! `include/uapi/linux/bpf.h`); special fields are accessed only by who knows them. What global
//! constants hold is known, as it is to the kernel.
//!
//! Messages as observed on Linux 6.18.
//!
//! Read before: `within.rs`, `types/special.rs`. Read next: `number_help.rs`.

use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::memory::mem::{Direction, MemAccess, Stored};
use crate::memory::region::Extent;
use crate::memory::within::outside_of_memory;
use crate::report::kernel_says::without_reason;
use crate::step::machine::{Machine, not_modelled};
use crate::types::special::AccessBy;
use crate::value::reg::{Null, RegState};
use crate::value::scalar::Scalar;
use ebpf_asm::insn::Reg;
use ebpf_asm::map_flags::{BPF_F_RDONLY_PROG, BPF_F_WRONLY_PROG};
use ebpf_asm::map_type::MapType;
use ebpf_asm::object::{DataKind, Map};

/// What to do where a map is written that programs only read.
pub(crate) const READ_ONLY_MAP: &str = "let user space write to it, or leave BPF_F_RDONLY_PROG out \
                                        of its flags; constants (.rodata) and maps of devices are \
                                        never written by programs";

impl<'a> Machine<'_, 'a> {
    /// That bytes of a map's key are in it.
    pub(crate) fn check_map_key(&self, map: u32, base: &RegState, extent: Extent) -> Checked {
        let map = self.env.map(map);
        let bytes = map.map_or(0, |map| map.key_size);
        let refused = |off| {
            let size = extent.size;
            let message =
                format!("invalid access to map key, key_size={bytes} off={off} size={size}");
            Rejection::new(Code::MemoryBounds, message)
        };
        // Of a key no bytes are none, also where a helper is content with none.
        if extent.size == 0 {
            return Err(refused(extent.off)
                .adds(outside_of_memory(extent.reg, "min"))
                .label("hands out no bytes of a map's key")
                .help("hand over at least one byte of it"));
        }
        self.check_within(i64::from(bytes), base, extent, refused)
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
        self.check_within(i64::from(map.value_size), base, extent, |off| {
            let (code, what) = match base.null {
                Null::Never => (Code::MapValueBounds, "map value, value_size"),
                Null::Maybe => (Code::MemoryBounds, "memory, mem_size"),
            };
            let (whole, size) = (map.value_size, extent.size);
            let message = format!("invalid access to {what}={whole} off={off} size={size}");
            Rejection::new(code, message)
        })?;
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
            return Err(Rejection::new(Code::ReadOnly, without_reason("ENOTSUPP"))
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
        self.check_stored(stored, "leaks addr into map")?;
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

/// The flags that a map has in the kernel: programs may read the interfaces of a device map
/// and never write them.
pub(crate) fn flags_of(map: &Map) -> u32 {
    match map.map_type {
        MapType::Devmap | MapType::DevmapHash => map.map_flags | BPF_F_RDONLY_PROG,
        _ => map.map_flags,
    }
}

/// A map's keys are only read.
pub(crate) fn write_to_key(reg: Reg) -> Box<Rejection> {
    let number = reg.number();
    let message = format!("write to change key R{number} not allowed");
    Rejection::new(Code::ReadOnly, message)
        .label("writes to a key of a map")
        .help("copy the key to a variable, and change that; to have another key, update the map")
}

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
