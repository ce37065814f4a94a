//! Arenas: memory that a program shares with user space, of pages that come as they are needed.
//!
//! A pointer into the arena is made by `addr_space_cast` from any number, and may go anywhere:
//! what is not in the arena reads as zero, and is not written. So nothing about it is to be
//! proven. Whatever is computed with it is another such pointer, until it is cast back to the
//! address that user space has, a number. A program has one arena at most.
//!
//! Described in the messages of kernel commits 317460317a02 and 6082b6c328b5; messages as
//! observed on Linux 6.18.
//!
//! Read before: `step/alu.rs`, `mem.rs`. Read next: `object/stack_object.rs`.

use crate::codes::Code;
use crate::config::Config;
use crate::diag::{Checked, Rejection};
use crate::env::Env;
use crate::step::machine::{Machine, not_modelled};
use crate::step::pointer_alu::MAX_VAR_OFF;
use crate::value::reg::{Kind, RegState};
use ebpf_asm::insn::Insn;
use ebpf_asm::isa::Cast;
use ebpf_asm::map_type::MapType;
use ebpf_asm::object::Map;
use ebpf_asm::program::Reference;

/// The bytes of a page.
const PAGE_SIZE: u64 = 4096;

impl Env<'_> {
    /// Whether the program refers to an arena.
    pub(crate) fn has_arena(&self) -> bool {
        let referred = self.program.references.iter();
        let mut maps = referred.filter_map(|(_, reference)| match reference {
            Reference::Map(map) | Reference::MapValue { map, .. } => Some(*map),
            Reference::Extern(_) => None,
        });
        maps.any(|map| {
            let map = self.object.maps.get(map);
            map.is_some_and(|map| map.map_type == MapType::Arena)
        })
    }
}

impl Machine<'_, '_> {
    /// `dst = addr_space_cast(src, to, from)`.
    pub(crate) fn cast_address_space(&mut self, insn: &Insn, cast: Cast) -> Checked {
        let value = *self.read_reg(insn.src())?;
        self.check_writable(insn.dst())?;
        if !self.env.has_arena() {
            let message =
                "addr_space_cast insn can only be used in a program that has an associated arena";
            return Err(Rejection::new(Code::Arena, message)
                .label("the program refers to no arena")
                .help("refer to a map of type arena somewhere in the program"));
        }
        if value.is_pointer() && !self.env.config.may_leak_pointers() {
            return Err(not_modelled("casts of pointers without CAP_PERFMON"));
        }
        let result = match cast {
            Cast::ToKernel => RegState::pointer(Kind::Arena),
            Cast::ToArena => RegState::unknown(),
        };
        self.write_reg(insn.dst(), result)
    }

    /// The result of any operation with a pointer into the arena.
    pub(crate) fn arena_binary(&mut self, insn: &Insn) -> Checked {
        self.write_reg(insn.dst(), RegState::pointer(Kind::Arena))
    }
}

/// That a program can use an arena. It has an address in user space: who loads an object gives it
/// one where `map_extra` does not.
pub(crate) fn check_arena(config: &Config, map: &Map) -> Checked {
    let refuse = |code, message: &str, label: &str| {
        Err(Rejection::new(code, message)
            .label(format!("'{}' {label}", map.name))
            .help(match code {
                Code::Capability => "load the program with CAP_BPF and CAP_PERFMON",
                _ => "give the arena an address in user space (map_extra)",
            }))
    };
    if !config.may_use_bpf() || !config.may_leak_pointers() {
        let message = "CAP_BPF and CAP_PERFMON are required to use arena";
        return refuse(Code::Capability, message, "is an arena");
    }
    Ok(())
}

/// That the address of a byte in an arena is in it, or just behind it.
pub(crate) fn check_arena_address(map: &Map, offset: u32) -> Checked {
    let message = if i64::from(offset) >= MAX_VAR_OFF {
        format!("direct value offset of {offset} is not allowed")
    } else if u64::from(offset) > u64::from(map.max_entries) * PAGE_SIZE {
        format!("invalid access to map value pointer, value_size=0 off={offset}")
    } else {
        return Ok(());
    };
    Err(Rejection::new(Code::Arena, message)
        .label(format!(
            "is not in the {} pages of the arena",
            map.max_entries
        ))
        .help("let max_entries, which counts pages, be greater"))
}
