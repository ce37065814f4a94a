//! Results of helpers: what a call leaves in R0.
//!
//! Described in bpf-helpers(7), "Return"; what is known of results was observed on Linux 6.18.
//!
//! Read before: `argument/mod.rs`. Read next: `compat.rs`.

use crate::call::argument::Arguments;
use crate::diag::Checked;
use crate::object::dynptr::Slice;
use crate::step::machine::{Machine, not_modelled};
use crate::value::btf_ptr::{BtfPtr, Marks};
use crate::value::reg::{Kind, RegState, SockType};
use crate::value::scalar::Scalar;
use ebpf_asm::helper::{Ownership, Proto, Ret};
use ebpf_asm::map_flags::BPF_F_INNER_MAP;
use ebpf_asm::map_type::MapType;

/// Errors are the negative of at most this (`MAX_ERRNO`).
pub(crate) const MAX_ERRNO: i64 = 4095;

impl Machine<'_, '_> {
    /// What a call of the helper with such arguments leaves in R0.
    pub(crate) fn result(&mut self, proto: &Proto, arguments: &Arguments<'_>) -> Checked<RegState> {
        let result = match proto.ret {
            Ret::Integer => return Ok(RegState::unknown()),
            Ret::LengthOrError => return Ok(length_or_error(arguments)),
            Ret::CpuNumber => return Ok(self.cpu_number()),
            Ret::Void => return Ok(RegState::NOT_INIT),
            Ret::MapValue => return self.value(arguments),
            Ret::MapValueOrNull => self.looked_up(arguments)?,
            Ret::CpuMapValueOrNull => self.value_or_null(arguments)?,
            Ret::SockCommonOrNull => self.sock_or_null(SockType::Common),
            Ret::SockOrNull => self.sock_or_null(SockType::Sock),
            Ret::TcpSockOrNull => self.sock_or_null(SockType::Tcp),
            Ret::RingbufRecordOrNull => {
                let size = arguments.alloc_size;
                let size = size.ok_or_else(|| not_modelled("a record without size"))?;
                self.or_null(Kind::RingbufMem(size))
            }
            // The current task stays for as long as the program runs.
            Ret::Struct(name @ "task_struct") => {
                RegState::pointer(self.env.structure(name, Marks::TRUSTED))
            }
            Ret::Struct(name) => RegState::pointer(self.env.structure(name, Marks::NONE)),
            Ret::StructOrNull(name) => self.or_null(self.env.structure(name, Marks::NONE)),
            Ret::PerCpu => RegState::pointer(of_cpu(arguments)?),
            Ret::PerCpuOrNull => self.of_any_cpu(of_cpu(arguments)?),
            Ret::DynptrMemOrNull => self.slice_or_null(arguments)?,
            Ret::Kptr => self.old_kptr(arguments)?,
        };
        Ok(self.owned(result, owner(proto, arguments), arguments))
    }

    /// The result as the one that owns it has it.
    fn owned(
        &mut self,
        mut result: RegState,
        ownership: Ownership,
        arguments: &Arguments<'_>,
    ) -> RegState {
        match ownership {
            Ownership::Kernel => {}
            Ownership::Shared => result.ref_id = arguments.owned.unwrap_or(0),
            Ownership::Acquired => {
                let id = self.acquire();
                (result.id, result.ref_id) = (id, id);
            }
        }
        result
    }

    fn or_null(&mut self, kind: Kind) -> RegState {
        let id = self.new_id();
        RegState::pointer(kind).maybe_null(id)
    }

    /// A CPU's own of what each CPU has, where there may be no such CPU. Of what a program
    /// allocated, Linux 6.18 says that it is there.
    fn of_any_cpu(&mut self, kind: Kind) -> RegState {
        match kind {
            Kind::Btf(pointer) if pointer.marks.has(Marks::ALLOC) => RegState::pointer(kind),
            _ => self.or_null(kind),
        }
    }

    fn sock_or_null(&mut self, sock: SockType) -> RegState {
        self.or_null(Kind::Sock(sock))
    }

    /// As much of a dynptr's memory as was asked for; it is the dynptr's owner's.
    fn slice_or_null(&mut self, arguments: &Arguments<'_>) -> Checked<RegState> {
        let (Some(dynptr), Some(bytes)) = (arguments.dynptr, arguments.alloc_size) else {
            return Err(not_modelled("memory of no dynptr"));
        };
        let mut slice = self.or_null(Kind::Slice(Slice::of_dynptr(bytes, dynptr.id)));
        slice.ref_id = dynptr.ref_id;
        Ok(slice)
    }

    /// A value of the map. In an array, one whose constant index exists is there: since 6.15.
    /// Not so if others may take the place of the array that have fewer entries.
    fn looked_up(&mut self, arguments: &Arguments<'_>) -> Checked<RegState> {
        let exists = match (arguments.map, arguments.key) {
            (Some(map), Some(key)) => {
                key < u64::from(map.max_entries) && map.map_flags & BPF_F_INNER_MAP == 0
            }
            _ => false,
        };
        if exists && self.env.config.since((6, 15)) {
            return self.value(arguments);
        }
        self.value_or_null(arguments)
    }

    /// A value that is there. Values with locks are told from each other.
    fn value(&mut self, arguments: &Arguments<'_>) -> Checked<RegState> {
        let mut value = looked_in(arguments)?;
        if self.env.has_lock(value.kind) {
            value.id = self.new_id();
        }
        Ok(value)
    }

    fn value_or_null(&mut self, arguments: &Arguments<'_>) -> Checked<RegState> {
        let value = looked_in(arguments)?;
        let id = self.new_id();
        Ok(value.maybe_null(id))
    }

    /// A number below that of the CPUs, since Linux 6.11 (from its history; 6.1 was observed to
    /// know no bound, 6.12 to know it); any, if how many there are is not known.
    fn cpu_number(&self) -> RegState {
        match self.env.config.cpus {
            Some(cpus) if cpus > 0 && self.env.config.since((6, 11)) => {
                RegState::scalar(Scalar::signed_range(0, i64::from(cpus) - 1))
            }
            _ => RegState::unknown(),
        }
    }
}

/// Whose the result is: also sockets that are looked up in a map must be given back.
fn owner(proto: &Proto, arguments: &Arguments<'_>) -> Ownership {
    let map_type = arguments.map.map(|map| map.map_type);
    match (proto.ret, map_type) {
        (Ret::MapValueOrNull, Some(MapType::Sockmap | MapType::Sockhash)) => Ownership::Acquired,
        _ => proto.ownership,
    }
}

/// As many bytes as the memory has at most, or a negative error.
fn length_or_error(arguments: &Arguments<'_>) -> RegState {
    let most = arguments.most_bytes.map(i64::try_from);
    match most {
        Some(Ok(most)) => RegState::scalar(Scalar::signed_range(-MAX_ERRNO, most)),
        _ => RegState::unknown(),
    }
}

/// A CPU's own of what each CPU has: if RCU keeps it, a program allocated it.
fn of_cpu(arguments: &Arguments<'_>) -> Checked<Kind> {
    let each = arguments.per_cpu;
    let each = each.ok_or_else(|| not_modelled("a variable of no CPU"))?;
    let marks = match each.marks.has(Marks::RCU) {
        true => Marks::ALLOC | Marks::RCU,
        false => Marks::NONE,
    };
    Ok(Kind::Btf(BtfPtr { marks, ..each }))
}

/// A pointer to a value of the map among the arguments.
fn looked_in(arguments: &Arguments<'_>) -> Checked<RegState> {
    let index = arguments.map_index;
    let index = index.ok_or_else(|| not_modelled("a lookup without map"))?;
    let mut value = RegState::pointer(Kind::MapValue(index));
    value.map_uid = arguments.map_uid;
    Ok(value)
}
