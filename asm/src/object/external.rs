//! What an object takes from the kernel by name: kfuncs and variables (`__ksym` in C).
//!
//! Options of the kernel's configuration (`__kconfig`) are no externs here but variables of
//! a section of [`Data`](super::Data): the loader fills in their values, and programs read
//! them as any other.

use crate::btf::TypeId;

/// A function or variable that the kernel defines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extern {
    /// Its name in the kernel.
    pub name: String,
    /// What it is.
    pub kind: ExternKind,
    /// What happens if the kernel has none.
    pub strength: Strength,
    /// A FUNC or VAR of the object's BTF; for a variable `None` says that only its address
    /// is wanted.
    pub type_id: Option<TypeId>,
}

/// What the kernel may define.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExternKind {
    /// A kfunc, which programs call.
    Function,
    /// A variable, whose address programs take.
    Variable,
}

/// What happens if the kernel does not define an extern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Strength {
    /// The program cannot be loaded.
    Strong,
    /// Its address is 0 (`__weak` in C).
    Weak,
}
