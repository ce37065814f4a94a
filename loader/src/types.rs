//! An object's BTF into the kernel, in the form that the kernel takes.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use ebpf_asm::btf::ext::Records;
use ebpf_asm::object::Object;
use ebpf_syscalls::{Errno, Error as SyscallError, bpf};

use crate::load::Note;

/// The object's BTF and how far it has come.
#[derive(Debug)]
pub(crate) enum Types {
    /// Not needed yet.
    Untouched,
    /// There is none, or the kernel does not take it.
    Absent,
    /// In the kernel, with each program's records in the order of the object.
    Loaded { fd: OwnedFd, records: Vec<Records> },
}

impl Types {
    /// Loads the BTF, once. A kernel that refuses it costs comfort, not function.
    pub(crate) fn load(&mut self, object: &Object) -> Option<Note> {
        if !matches!(self, Types::Untouched) {
            return None;
        }
        *self = Types::Absent;
        // The records' names are added to the BTF, so they come before its bytes.
        let mut btf = object.btf.clone()?;
        let programs = object.programs.iter();
        let records = programs
            .map(|program| Records::of(program, &mut btf))
            .collect();
        match bpf::btf_load(&btf.settled().to_bytes()) {
            Ok(fd) => *self = Types::Loaded { fd, records },
            // The next call fails as well then, and names what is missing.
            Err(error) if error.is(Errno::EPERM) => {}
            Err(error) => {
                return Some(Note::WithoutBtf {
                    reason: reason(&error),
                });
            }
        }
        None
    }

    /// The BTF in the kernel.
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Types::Loaded { fd, .. } => Some(fd.as_fd()),
            Types::Untouched | Types::Absent => None,
        }
    }

    /// The BTF in the kernel with the records of the program at `index` of the object.
    pub(crate) fn records(&self, index: usize) -> Option<(BorrowedFd<'_>, &Records)> {
        match self {
            Types::Loaded { fd, records } => Some((fd.as_fd(), records.get(index)?)),
            Types::Untouched | Types::Absent => None,
        }
    }
}

/// The kernel's own words on the BTF, or its errno.
fn reason(error: &SyscallError) -> String {
    match error {
        SyscallError::Refused { log, .. } => {
            log.lines().last().unwrap_or_default().trim().to_owned()
        }
        error => error.to_string(),
    }
}
