//! Possible CPUs: the number of values in an element of a per-CPU map, and the numbers that
//! programs see.

use std::fs;
use std::sync::OnceLock;

use nix::errno::Errno;

use crate::{Error, Result};

/// The kernel's list of CPUs that can ever come up, such as `0-7` or `0,2-3`.
///
/// <https://docs.kernel.org/admin-guide/cputopology.html>
const POSSIBLE: &str = "/sys/devices/system/cpu/possible";

/// How many CPUs this machine can ever have, online or not; read once.
///
/// # Errors
/// When sysfs is missing or its list cannot be read.
pub fn possible() -> Result<usize> {
    static COUNT: OnceLock<usize> = OnceLock::new();
    if let Some(count) = COUNT.get() {
        return Ok(*count);
    }
    let count = count(&list()?).ok_or(Error::Malformed { what: POSSIBLE })?;
    Ok(*COUNT.get_or_init(|| count))
}

/// One more than the highest number of a CPU that this machine can ever have: the kernel's
/// `nr_cpu_ids`, below which `bpf_get_smp_processor_id` stays; read once.
///
/// # Errors
/// When sysfs is missing or its list cannot be read.
pub fn ids() -> Result<u32> {
    static END: OnceLock<u32> = OnceLock::new();
    if let Some(end) = END.get() {
        return Ok(*end);
    }
    let end = end(&list()?).ok_or(Error::Malformed { what: POSSIBLE })?;
    Ok(*END.get_or_init(|| end))
}

fn list() -> Result<String> {
    fs::read_to_string(POSSIBLE).map_err(|error| {
        let errno = error.raw_os_error().map_or(Errno::EIO, Errno::from_raw);
        Error::call("read", POSSIBLE, errno)
    })
}

/// One more than the last CPU in a list.
fn end(list: &str) -> Option<u32> {
    let last = list.trim().rsplit([',', '-']).next()?;
    last.parse::<u32>().ok()?.checked_add(1)
}

/// The CPUs in a list. A per-CPU map copies a value for each of them, in order.
fn count(list: &str) -> Option<usize> {
    let mut total = 0usize;
    for range in list.trim().split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let first: usize = first.parse().ok()?;
        let last: usize = last.parse().ok()?;
        total = total.checked_add(last.checked_sub(first)?.checked_add(1)?)?;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_counted() {
        for (list, cpus) in [("0\n", 1), ("0-1\n", 2), ("0,2-3", 3), ("0-127", 128)] {
            assert_eq!(count(list), Some(cpus), "{list}");
        }
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for list in ["", "x", "3-1", "0-", "0-18446744073709551615"] {
            assert_eq!(count(list), None, "{list}");
        }
        for list in ["", "x", "0-", "0-4294967295"] {
            assert_eq!(end(list), None, "{list}");
        }
    }

    #[test]
    fn numbers_end_behind_the_last_cpu() {
        for (list, cpus) in [("0\n", 1), ("0-1\n", 2), ("0,2-3", 4), ("0-127", 128)] {
            assert_eq!(end(list), Some(cpus), "{list}");
        }
    }

    #[test]
    fn this_machine_has_a_cpu() {
        assert!(possible().is_ok_and(|n| n >= 1));
    }
}
