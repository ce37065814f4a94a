//! Pointers to structures: to which, and how far they are to be trusted.
//!
//! The structures are the kernel's own, or the program's if it allocated them. What a pointer
//! may be used for depends on its [`Marks`], which are the kernel's type flags.
//!
//! Described in the kernel's `Documentation/bpf/kfuncs.rst`, "Annotating kfunc parameters" and
//! `KF_TRUSTED_ARGS`, `KF_RCU`.
//!
//! Read before: `types/kernel_types.rs`. Read next: `residue.rs`.

use ebpf_asm::btf::TypeId;
use std::ops::BitOr;

/// The type behind a pointer, and the pointer's marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct BtfPtr {
    /// Whose types the number counts.
    pub(crate) types: Types,
    /// What is to be known of the pointer.
    pub(crate) marks: Marks,
    /// The structure; `void` if it is not known which.
    pub(crate) id: TypeId,
}

/// Whose BTF a type's number belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Types {
    /// The kernel's.
    Kernel,
    /// The program's.
    Program,
}

/// What is to be known of a pointer to a structure. None at all: it was found by walking, by
/// the rules of before there were marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Marks(u8);

impl Marks {
    /// None.
    pub(crate) const NONE: Marks = Marks(0);
    /// What it points to exists for as long as the program runs (`PTR_TRUSTED`).
    pub(crate) const TRUSTED: Marks = Marks(1);
    /// It may point anywhere (`PTR_UNTRUSTED`).
    pub(crate) const UNTRUSTED: Marks = Marks(2);
    /// What it points to exists until the end of the RCU section (`MEM_RCU`).
    pub(crate) const RCU: Marks = Marks(4);
    /// Each CPU has one of its own (`MEM_PERCPU`).
    pub(crate) const PERCPU: Marks = Marks(8);
    /// An address of user space (`MEM_USER`).
    pub(crate) const USER: Marks = Marks(16);
    /// The program allocated it (`MEM_ALLOC`).
    pub(crate) const ALLOC: Marks = Marks(32);
    /// A list or tree owns it now, and a lock keeps it there (`NON_OWN_REF`).
    pub(crate) const NON_OWNING: Marks = Marks(64);

    /// Those that make a pointer one to be trusted.
    pub(crate) const TRUSTWORTHY: Marks =
        Marks(Marks::TRUSTED.0 | Marks::ALLOC.0 | Marks::NON_OWNING.0);

    /// Whether all of `other` are there.
    pub(crate) const fn has(self, other: Marks) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of `other` is there.
    pub(crate) const fn has_any(self, other: Marks) -> bool {
        self.0 & other.0 != 0
    }

    /// All but those of `other`.
    pub(crate) const fn without(self, other: Marks) -> Marks {
        Marks(self.0 & !other.0)
    }

    /// Whether the marks alone say that the pointer is to be trusted.
    pub(crate) const fn are_trusted(self) -> bool {
        self.has_any(Marks::TRUSTWORTHY) && self.without(Marks::TRUSTWORTHY).0 == 0
    }

    /// The marks as the kernel's log has them before the name of the type.
    pub(crate) fn prefix(self) -> String {
        const WORDS: [(Marks, &str); 5] = [
            (Marks::USER, "user_"),
            (Marks::PERCPU, "percpu_"),
            (Marks::RCU, "rcu_"),
            (Marks::UNTRUSTED, "untrusted_"),
            (Marks::TRUSTED, "trusted_"),
        ];
        let words = WORDS.iter().filter(|(mark, _)| self.has(*mark));
        words.map(|(_, word)| *word).collect()
    }
}

impl BitOr for Marks {
    type Output = Marks;

    fn bitor(self, other: Marks) -> Marks {
        Marks(self.0 | other.0)
    }
}

impl BtfPtr {
    /// A pointer to a structure of the kernel.
    pub(crate) const fn kernel(id: TypeId, marks: Marks) -> BtfPtr {
        BtfPtr {
            types: Types::Kernel,
            marks,
            id,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_trusted_and_something_worse_is_not_trusted() {
        assert!(Marks::TRUSTED.are_trusted());
        assert!((Marks::ALLOC | Marks::NON_OWNING).are_trusted());
        assert!(!Marks::NONE.are_trusted());
        assert!(!(Marks::TRUSTED | Marks::RCU).are_trusted());
        assert!(!(Marks::ALLOC | Marks::UNTRUSTED).are_trusted());
        assert_eq!((Marks::PERCPU | Marks::RCU).prefix(), "percpu_rcu_");
    }
}
