//! Where there is no Linux: nobody to ask.
//!
//! Read before: `kernel.rs`. Read next: `ordered.rs`.

use super::Log;
use super::answer::Said;
use super::row::Row;
use crate::privilege::Privilege;

/// Says that there is no kernel.
pub(super) fn load(_row: &Row, _log: Log, _loader: Privilege) -> Said {
    Said::unsupported("this system has no eBPF")
}
