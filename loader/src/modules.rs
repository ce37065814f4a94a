//! What the kernel's modules define besides the kernel: types that go on from the kernel's own,
//! each in a BTF of its own, which programs name by its place in the load's `fd_array`.
//!
//! Source: the kernel's `Documentation/bpf/kfuncs.rst` and `Documentation/bpf/btf.rst`
//! (`BPF_BTF_GET_FD_BY_ID`), and `include/uapi/linux/bpf.h` on `fd_array`.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use ebpf_asm::btf::{Btf, Kind, Type, TypeId};
use ebpf_syscalls::caps::Capability;
use ebpf_syscalls::{Errno, Error as SyscallError, bpf};

use crate::error::{Error, Result, missing};

/// The modules that are loaded and have types.
#[derive(Debug, Default)]
pub(crate) struct Modules {
    all: Vec<Module>,
}

/// A module.
#[derive(Debug)]
struct Module {
    /// Its BTF in the kernel.
    fd: OwnedFd,
    /// The same, to look into.
    types: Btf,
}

/// Where a module has what was looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Where the module's BTF is in the load's `fd_array`: what a call has for its offset.
    pub(crate) index: i16,
    /// The descriptor of the BTF, which the address of a variable has beside its type.
    pub(crate) fd: i32,
    /// The type.
    pub(crate) id: TypeId,
}

impl Modules {
    /// Those of the running kernel, whose own types are `kernel`. Kernels before 5.11 have no
    /// types of modules.
    pub(crate) fn running(kernel: &Arc<Btf>) -> Result<Modules> {
        let mut modules = Modules::default();
        for id in bpf::btf_ids() {
            let id = match id {
                Ok(id) => id,
                Err(error) if error.is(Errno::EINVAL) => break,
                Err(error) => return Err(unread(error)),
            };
            let fd = match bpf::btf_get_fd_by_id(id) {
                Ok(fd) => fd,
                // Gone since it was listed.
                Err(error) if error.is(Errno::ENOENT) => continue,
                Err(error) => return Err(unread(error)),
            };
            let info = bpf::btf_info(fd.as_fd()).map_err(unread)?;
            if !info.kernel_btf || info.name == "vmlinux" {
                continue;
            }
            let bytes = bpf::btf_bytes(fd.as_fd()).map_err(unread)?;
            modules.add(fd, &bytes, kernel).map_err(|what| {
                let what = format!("the types of the kernel's module '{}': {what}", info.name);
                Error::BadObject { what }
            })?;
        }
        Ok(modules)
    }

    /// Adds a module by its BTF, which goes on from `kernel`; an error says what is wrong with it.
    pub(crate) fn add(
        &mut self,
        fd: OwnedFd,
        bytes: &[u8],
        kernel: &Arc<Btf>,
    ) -> std::result::Result<(), String> {
        let types = Btf::from_split_bytes(bytes, kernel.clone());
        let types = types.map_err(|error| error.to_string())?;
        self.all.push(Module { fd, types });
        Ok(())
    }

    /// The first module that has a type of this name.
    pub(crate) fn find(&self, name: &str, wanted: impl Fn(&Kind) -> bool) -> Option<Place> {
        let mut places = self.all.iter().zip(FIRST..);
        places.find_map(|(module, index)| {
            let own = |(id, ty): (TypeId, &Type)| {
                (wanted(&ty.kind) && module.types.str(ty.name) == name).then_some(id)
            };
            let id = module.types.types().find_map(own)?;
            let fd = module.fd.as_raw_fd();
            Some(Place { index, fd, id })
        })
    }

    /// The `fd_array` that the places are in. Nothing is at index 0, which stands for the
    /// kernel itself and is not looked at: the first module is there again.
    pub(crate) fn fd_array(&self) -> Vec<BorrowedFd<'_>> {
        let first = self.all.first();
        let all = first.into_iter().chain(&self.all);
        all.map(|module| module.fd.as_fd()).collect()
    }
}

/// The place of the first module in `fd_array`.
const FIRST: i16 = 1;

/// The kernel does not tell what its modules define.
fn unread(source: SyscallError) -> Error {
    if source.is(Errno::EPERM) {
        return Error::Permission {
            action: "look for it in the kernel's modules",
            missing: missing(&[Capability::SysAdmin]),
            source,
        };
    }
    Error::Kernel {
        action: "cannot read the types of the kernel's modules",
        source,
    }
}
