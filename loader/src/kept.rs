//! Maps that want somebody to hold them: the kernel empties maps of programs, and ends the
//! timers and work queues in a map's values, as soon as only programs hold the map.
//!
//! A [`crate::Program`] holds those that it needs, and so does the guard of its attachment. When
//! an attachment is to outlive the process, they are pinned beside its link (`pins.rs`).
//!
//! Source: bpf-helpers(7) on `bpf_timer_init` (`EPERM` for a map that neither a descriptor nor
//! a pin holds); for maps of programs what Linux 6.18 does, which the tests of `ebpfld` show.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use ebpf_asm::btf::{Btf, Kind, TypeId};
use ebpf_asm::map_type::MapType;
use ebpf_asm::object;
use ebpf_syscalls::bpf;
use ebpf_syscalls::{Errno, Error as SyscallError};

use crate::error::{Error, Result};
use crate::map::Map;

/// The structs in values that do something by themselves.
const RUNNING: [&str; 3] = ["bpf_timer", "bpf_wq", "bpf_task_work"];

/// How deep structs in values are looked into.
const MAX_NESTING: u32 = 16;

/// Held maps; who clones them holds them as well.
pub(crate) type KeptMaps = Arc<[KeptMap]>;

/// A map that is held.
#[derive(Debug)]
pub(crate) struct KeptMap {
    pub(crate) name: String,
    pub(crate) id: u32,
    pub(crate) fd: OwnedFd,
}

impl KeptMap {
    /// Holds a map.
    pub(crate) fn of(map: &Map) -> Result<KeptMap> {
        let fd = map.as_fd().try_clone_to_owned().map_err(|error| {
            let source = SyscallError::Call {
                call: "dup",
                object: map.name().to_owned(),
                errno: error.raw_os_error().map_or(Errno::EMFILE, Errno::from_raw),
            };
            Error::Kernel {
                action: "cannot keep the map",
                source,
            }
        })?;
        let info = bpf::map_info(fd.as_fd()).map_err(|source| Error::Kernel {
            action: "cannot ask for the map",
            source,
        })?;
        Ok(KeptMap {
            name: map.name().to_owned(),
            id: info.id,
            fd,
        })
    }
}

/// Whether a map of an object wants to be held.
pub(crate) fn wants_holder(btf: Option<&Btf>, map: &object::Map) -> bool {
    let runs = |btf: &Btf, ty| runs(btf, ty, MAX_NESTING);
    map.map_type == MapType::ProgArray
        || btf
            .zip(map.value_type)
            .is_some_and(|(btf, ty)| runs(btf, ty))
}

/// Whether something in a value of this type does something by itself.
fn runs(btf: &Btf, ty: TypeId, depth: u32) -> bool {
    let Some(depth) = depth.checked_sub(1) else {
        return false;
    };
    let id = btf.resolve(ty);
    let Some(ty) = btf.get(id) else {
        return false;
    };
    match &ty.kind {
        Kind::Struct { members, .. } => {
            let mut members = members.iter();
            RUNNING.contains(&btf.name(id)) || members.any(|member| runs(btf, member.ty, depth))
        }
        Kind::Array { element, .. } => runs(btf, *element, depth),
        Kind::Var { ty, .. } => runs(btf, *ty, depth),
        Kind::DataSec { vars, .. } => vars.iter().any(|var| runs(btf, var.var, depth)),
        _ => false,
    }
}
