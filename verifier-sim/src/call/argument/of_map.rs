//! Arguments that are a map, or as the map among the arguments wants them.
//!
//! Described in bpf-helpers(7), `bpf_map_lookup_elem`; messages as observed on Linux 6.18.
//!
//! Read before: `call/argument/memory.rs`. Read next: `call/argument/text.rs`.

use super::Arguments;
use super::memory::{Asked, MemoryUse};
use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::memory::mem::AddressKind;
use crate::path::history::StackSlot;
use crate::step::machine::{Machine, not_modelled};
use crate::value::reg::{Kind, RegState};
use crate::value::stack::slot_index;
use ebpf_asm::helper::Arg;
use ebpf_asm::insn::Reg;
use ebpf_asm::isa::{KernelVersion, Size};
use ebpf_asm::map_type::MapType;
use ebpf_asm::object::Map;

/// Since when one call may be for the elements of another map on each path: observed on Linux 6.1
/// and 6.12.
const ELEMENTS_OF_ANY: KernelVersion = (6, 12);

/// What the word means for the map among the arguments: the values of some maps are sockets,
/// and a bloom filter is asked for a value and fills none.
pub(super) fn resolved(arg: Arg, found: &Arguments<'_>) -> Checked<Arg> {
    let map_type = found.map.map(|map| map.map_type);
    Ok(match (map_type, arg) {
        (Some(MapType::Sockmap | MapType::Sockhash), Arg::MapValue) => Arg::BtfSock,
        (Some(MapType::Sockmap | MapType::Sockhash), Arg::MapValueOrNull | Arg::UninitMapValue) => {
            let message = "invalid arg_type for sockmap/sockhash";
            return Err(Rejection::new(Code::MapKind, message)
                .label("the values of the map are sockets")
                .help("such maps are looked up and updated only, with sockets"));
        }
        (Some(MapType::BloomFilter), Arg::UninitMapValue) => Arg::MapValue,
        _ => arg,
    })
}

impl<'a> Machine<'_, 'a> {
    pub(super) fn check_map_argument(
        &mut self,
        value: &RegState,
        found: &mut Arguments<'a>,
    ) -> Checked {
        let Kind::Map(index) = value.kind else {
            return Err(not_modelled("a map that is none"));
        };
        self.check_always_of(index)?;
        found.map_index = Some(index);
        found.map_uid = value.map_uid;
        found.map = self.env.map(index);
        Ok(())
    }

    /// That a call is for the same map on every path, where the kernel keeps one map for the
    /// instruction: calls of `for_each_map_elem` in older kernels, whose words are those about calls
    /// of `tail_call`; and these where the loader lacks `CAP_PERFMON` (Linux 6.18), which the kernel
    /// notices when it has followed all paths.
    fn check_always_of(&mut self, map: u32) -> Checked {
        let config = self.env.config;
        let helper = self.env.cfg.helper(self.slot);
        match helper.map_or("", |helper| helper.name) {
            "for_each_map_elem" if !config.since(ELEMENTS_OF_ANY) && !self.is_always_of(map) => {
                Err(of_two_maps())
            }
            "tail_call" if !config.may_leak_pointers() && !self.is_always_of(map) => {
                self.notes.of_two_maps.get_or_insert(self.slot);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Whether the instruction was called for this map alone so far.
    fn is_always_of(&mut self, map: u32) -> bool {
        let Some(known) = self.address_kinds.get_mut(self.slot) else {
            return true;
        };
        if *known == AddressKind::Unknown {
            *known = AddressKind::Map(map);
        }
        *known == AddressKind::Map(map)
    }

    pub(super) fn check_key(
        &mut self,
        reg: Reg,
        value: &RegState,
        found: &mut Arguments<'a>,
    ) -> Checked {
        let map = found.map.ok_or_else(|| not_modelled("a key without map"))?;
        let asked = Asked::whole(map.key_size, MemoryUse::Reads);
        self.check_bytes(reg, value, asked, found)?;
        found.key = self.constant_key(map, value);
        Ok(())
    }

    /// The key as the kernel knows it before the program runs: of arrays, on the stack.
    fn constant_key(&mut self, map: &Map, value: &RegState) -> Option<u64> {
        if !matches!(map.map_type, MapType::Array | MapType::PercpuArray) {
            return None;
        }
        let (Kind::Stack(depth), Some(var_off)) = (value.kind, value.constant_var_off()) else {
            return None;
        };
        let off = i64::from(value.off) + var_off;
        let stack = self.state.stack_at(depth)?;
        let key = stack.constant(off, Size::W)?;
        // Of bytes that are zero nobody asks where that came from.
        if stack.slot(off).is_spill()
            && let Some(index) = slot_index(off)
        {
            self.notes.needs.slot(StackSlot { depth, index });
        }
        Some(key)
    }

    pub(super) fn check_value(
        &mut self,
        reg: Reg,
        value: &RegState,
        usage: MemoryUse,
        found: &mut Arguments<'a>,
    ) -> Checked {
        let map = found
            .map
            .ok_or_else(|| not_modelled("a value without map"))?;
        self.check_bytes(reg, value, Asked::whole(map.value_size, usage), found)
    }
}

/// On different paths an instruction calls a helper for different maps.
pub(crate) fn of_two_maps() -> Box<Rejection> {
    Rejection::new(Code::MapKind, "tail_call abusing map_ptr")
        .label("on another path this is a call for another map")
        .help("call the helper at another place for each map")
}
