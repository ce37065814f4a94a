//! Objects of the kernel that a program holds, in slots of its stack or in its maps: dynptrs,
//! iterators, the state of interrupts, locks.
//!
//! Read in the order `stack_object.rs`, `dynptr.rs`, `iterator.rs`, `irq_flag.rs`, `lock.rs`.

pub(crate) mod dynptr;
pub(crate) mod irq_flag;
pub(crate) mod iterator;
pub(crate) mod lock;
pub(crate) mod stack_object;
