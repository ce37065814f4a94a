//! What a register has left of a pointer: the kernel's null checks make the number 0 of it, or of
//! the value of a map of sockets a socket, and leave beside that which map, type or size it was of.
//!
//! Nothing is decided by it but whether two numbers are the very same, where a loop comes round
//! (what is not is widened), and whether a socket covers another. As observed on Linux 6.18, with
//! values of maps, ring buffer records, slices, objects, structures and sockets.
//!
//! Read before: `btf_ptr.rs`. Read next: `reg.rs`.

use crate::value::reg::{Kind, RegState};
use std::hash::{DefaultHasher, Hash, Hasher};

/// What is left: the same for what is the same. Kept short, since all that is asked is whether
/// two are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Residue(u32);

impl Residue {
    /// Nothing: the register was never another pointer.
    pub(crate) const NONE: Residue = Residue(0);

    /// What a pointer leaves when it is compared with null. Sockets leave nothing of their own.
    pub(crate) fn of(pointer: &RegState) -> Residue {
        let mut hasher = DefaultHasher::new();
        match pointer.kind {
            Kind::Sock(_) => return pointer.residue,
            Kind::Btf(pointer) => (pointer.types, pointer.id).hash(&mut hasher),
            kind => (kind, pointer.map_uid).hash(&mut hasher),
        }
        Residue(hasher.finish() as u32 | 1)
    }
}
