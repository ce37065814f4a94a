//! An object's BTF into the kernel, in the form that the kernel takes.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use ebpf_asm::btf::ext::Records;
use ebpf_asm::btf::{Btf, Kind, Linkage, TypeId};
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
        settle_externs(&mut btf);
        settle_sections(&mut btf);
        match bpf::btf_load(&btf.to_bytes()) {
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

/// Makes plain pointers of what the object takes from the kernel: BTF that is loaded may only
/// describe what is defined. Options of the kernel's configuration are, by the loader.
fn settle_externs(btf: &mut Btf) {
    let options: Vec<TypeId> = match section(btf, ".kconfig") {
        Some(Kind::DataSec { vars, .. }) => vars.iter().map(|var| var.var).collect(),
        _ => Vec::new(),
    };
    let mut gone = Vec::new();
    let ids: Vec<TypeId> = btf.types().map(|(id, _)| id).collect();
    for &id in &ids {
        let is_ksyms = btf.name(id) == ".ksyms";
        let Some(ty) = btf.get_mut(id) else { continue };
        match &mut ty.kind {
            Kind::Var { linkage, .. } if *linkage == Linkage::Extern && options.contains(&id) => {
                *linkage = Linkage::Global;
            }
            Kind::Var { linkage, .. } | Kind::Func { linkage, .. }
                if *linkage == Linkage::Extern =>
            {
                gone.push(id);
            }
            Kind::DataSec { .. } if is_ksyms => gone.push(id),
            _ => {}
        }
    }
    let tags = btf.types().filter_map(|(id, ty)| match ty.kind {
        Kind::DeclTag { ty, .. } if gone.contains(&ty) => Some(id),
        _ => None,
    });
    let tags: Vec<TypeId> = tags.collect();
    let nameless = btf.intern("");
    for id in gone.into_iter().chain(tags) {
        if let Some(ty) = btf.get_mut(id) {
            ty.kind = Kind::Ptr(TypeId::VOID);
            ty.name = nameless;
        }
    }
}

/// Takes the `?` out of the names of sections (`?.struct_ops`), which older kernels do not let
/// stand there; the name says nothing to the kernel.
fn settle_sections(btf: &mut Btf) {
    let asked = |id: &TypeId| {
        let is_section = matches!(btf.get(*id).map(|ty| &ty.kind), Some(Kind::DataSec { .. }));
        is_section && btf.name(*id).starts_with('?')
    };
    let ids = btf.types().map(|(id, _)| id);
    let ids: Vec<TypeId> = ids.filter(asked).collect();
    for id in ids {
        let name = btf.name(id).replacen('?', "_", 1);
        let name = btf.intern(&name);
        if let Some(ty) = btf.get_mut(id) {
            ty.name = name;
        }
    }
}

fn section<'b>(btf: &'b Btf, name: &str) -> Option<&'b Kind> {
    let id = btf.find(name, |kind| matches!(kind, Kind::DataSec { .. }))?;
    btf.get(id).map(|ty| &ty.kind)
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
