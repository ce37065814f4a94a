//! Reading the kernel's own structure of a map through the map's address.
//!
//! What a program has of a map is a pointer to a structure of the kernel, which depends on the
//! type of the map: `struct bpf_array`, `struct bpf_htab` and so on, all of which begin with
//! `struct bpf_map`. Their fields are read, never written, as those of any structure of the
//! kernel, whose rules for what is found there hold here as well.
//!
//! Structures and messages as observed on Linux 6.18.
//!
//! Read before: `btf_access.rs`. Read next: `kernel_symbol.rs`.

use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::memory::mem::MemAccess;
use crate::step::machine::{Machine, not_modelled};
use crate::value::btf_ptr::{BtfPtr, Marks};
use crate::value::reg::RegState;
use ebpf_asm::map_type::MapType;

/// The kernel's structure of a map of this type.
fn structure(map_type: MapType) -> &'static str {
    match map_type {
        MapType::Hash
        | MapType::PercpuHash
        | MapType::LruHash
        | MapType::LruPercpuHash
        | MapType::HashOfMaps => "bpf_htab",
        MapType::Array
        | MapType::ProgArray
        | MapType::PerfEventArray
        | MapType::PercpuArray
        | MapType::CgroupArray
        | MapType::ArrayOfMaps => "bpf_array",
        MapType::StackTrace => "bpf_stack_map",
        MapType::LpmTrie => "lpm_trie",
        MapType::Devmap | MapType::DevmapHash => "bpf_dtab",
        MapType::Sockmap => "bpf_stab",
        MapType::Sockhash => "bpf_shtab",
        MapType::Cpumap => "bpf_cpu_map",
        MapType::Xskmap => "xsk_map",
        MapType::CgroupStorage | MapType::PercpuCgroupStorage => "bpf_cgroup_storage_map",
        MapType::ReuseportSockarray => "reuseport_array",
        MapType::Queue | MapType::Stack => "bpf_queue_stack",
        MapType::SkStorage
        | MapType::InodeStorage
        | MapType::TaskStorage
        | MapType::CgrpStorage => "bpf_local_storage_map",
        MapType::StructOps => "bpf_struct_ops_map",
        MapType::Ringbuf | MapType::UserRingbuf => "bpf_ringbuf_map",
        MapType::BloomFilter => "bpf_bloom_filter",
        MapType::Arena => "bpf_arena",
    }
}

impl Machine<'_, '_> {
    /// Reads a field of the kernel's structure of a map, which has this index.
    pub(crate) fn read_map_structure(
        &mut self,
        map: u32,
        base: &RegState,
        access: MemAccess,
    ) -> Checked<RegState> {
        let name = self.map_structure(map)?;
        let kernel = self.env.kernel;
        let btf = kernel.needed_for("the structures of maps")?;
        let off = self.offset_in_structure(name, access)?;
        let id = kernel.record(name);
        let id = id.ok_or_else(|| not_modelled("this structure of a map"))?;
        let pointer = BtfPtr::kernel(id, Marks::NONE);
        self.read_field(btf, (pointer, off), base, access)
    }

    /// Where in the kernel's structure of a map an access begins, if the loader may look there.
    fn offset_in_structure(&self, name: &str, access: MemAccess) -> Checked<u32> {
        let refuse = |code, message| {
            Rejection::new(code, message)
                .label("looks into the map itself, not into a value")
                .help(match code {
                    Code::Capability => {
                        "load the program with CAP_PERFMON; values are looked up with \
                         bpf_map_lookup_elem"
                    }
                    _ => "look a value up first, with bpf_map_lookup_elem, and compare it with 0",
                })
        };
        if !self.env.config.may_leak_pointers() {
            let message =
                format!("'struct {name}' access is allowed only to CAP_PERFMON and CAP_SYS_ADMIN");
            return Err(refuse(Code::Capability, message));
        }
        u32::try_from(access.off).map_err(|_| {
            let (number, off) = (access.reg.number(), access.off);
            let message = format!("R{number} is {name} invalid negative access: off={off}");
            refuse(Code::MemoryBounds, message)
        })
    }

    /// Refuses to write to a map itself.
    pub(crate) fn write_map_structure(&self, map: u32, access: MemAccess) -> Checked {
        let name = self.map_structure(map)?;
        self.offset_in_structure(name, access)?;
        let message = format!("only read from {name} is supported");
        Err(Rejection::new(Code::ReadOnly, message)
            .label("writes to the map itself, not to a value of it")
            .help("look a value up, and write to that"))
    }

    fn map_structure(&self, map: u32) -> Checked<&'static str> {
        let map = self.env.map(map).ok_or_else(|| not_modelled("this map"))?;
        Ok(structure(map.map_type))
    }
}
