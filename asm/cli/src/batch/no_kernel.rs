//! Where there is no Linux: nobody to ask.

use super::answer::Said;
use super::row::Row;

/// Says that there is no kernel.
pub(super) fn load(_row: &Row) -> Said {
    Said::unsupported("this system has no eBPF")
}
