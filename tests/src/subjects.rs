//! The programs under test, as their users get them.

use std::fs;

use ebpf_asm::object::{self, Object};
use ebpf_loader::{Loader, Program};

use crate::{Outcome, clang};

/// A program file's object, and the name of its one program.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    /// The object.
    pub object: Object,
    /// The program's name.
    pub program: String,
}

/// `programs/drop_icmp.rs`.
///
/// # Errors
/// If it does not compile.
pub fn drop_icmp() -> Outcome<Subject> {
    Subject::new(ebpf_asm::compile(&ebpf_programs::drop_icmp::unit())?)
}

/// `programs/count_protocols.rs`.
///
/// # Errors
/// If it does not compile.
pub fn count_protocols() -> Outcome<Subject> {
    Subject::new(ebpf_asm::compile(&ebpf_programs::count_protocols::unit())?)
}

/// `programs/sched_watch.rs`.
///
/// # Errors
/// If it does not compile.
pub fn sched_watch() -> Outcome<Subject> {
    Subject::new(ebpf_asm::compile(&ebpf_programs::sched_watch::unit())?)
}

/// What clang makes of the C twin of a program.
///
/// # Errors
/// If it does not compile, or we cannot read it.
pub fn twin(name: &str) -> Outcome<Subject> {
    let folder = tempfile::tempdir()?;
    let path = clang::compile(&clang::source(name), folder.path())?;
    Subject::new(object::read(&fs::read(path)?)?)
}

/// A program of one instruction's worth: it returns `action` for every frame.
///
/// # Errors
/// None that this text could cause.
pub fn constant(action: u32) -> Outcome<Subject> {
    let text = format!(".license GPL\n.prog xdp always_{action}\nr0 = {action}\nexit\n");
    Subject::new(ebpf_asm::text::parse("constant", &text)?)
}

impl Subject {
    /// The subject that an object with one program is.
    ///
    /// # Errors
    /// If it has none or several.
    pub fn new(object: Object) -> Outcome<Subject> {
        let [program] = object.programs.as_slice() else {
            return Err("the object has not exactly one program".into());
        };
        let program = program.name.clone();
        Ok(Subject { object, program })
    }

    /// Loads the program into the kernel.
    ///
    /// # Errors
    /// With the kernel's log.
    pub fn load(&self) -> Outcome<Program> {
        load(&mut Loader::new(&self.object), &self.program)
    }
}

/// Loads a program, and says on failure all that the kernel said.
///
/// # Errors
/// With the kernel's log.
pub fn load(loader: &mut Loader<'_>, program: &str) -> Outcome<Program> {
    loader.load(program).map_err(|error| match error {
        ebpf_loader::Error::Rejected(rejection) => format!("{rejection}\n{}", rejection.log).into(),
        error => error.into(),
    })
}
