//! The clock that the kernel stamps loaded programs with.

use std::time::{Duration, SystemTime};

use nix::time::{ClockId, clock_gettime};

use crate::{Error, Result};

/// Time since boot, counting suspension: CLOCK_BOOTTIME, as in `ProgInfo::load_time_ns`.
///
/// <https://man7.org/linux/man-pages/man2/clock_gettime.2.html>
///
/// # Errors
/// Never on Linux 2.6.39 and newer.
pub fn since_boot() -> Result<Duration> {
    clock_gettime(ClockId::CLOCK_BOOTTIME)
        .map(Duration::from)
        .map_err(|errno| Error::call("clock_gettime", "CLOCK_BOOTTIME", errno))
}

/// The wall-clock time of an instant given in nanoseconds since boot.
///
/// `None` where the clocks cannot express it.
#[must_use]
pub fn wall_time(since_boot_ns: u64) -> Option<SystemTime> {
    let age = since_boot()
        .ok()?
        .checked_sub(Duration::from_nanos(since_boot_ns))?;
    SystemTime::now().checked_sub(age)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boot_was_before_now_and_the_future_is_refused() {
        assert!(wall_time(0).is_some_and(|boot| boot < SystemTime::now()));
        assert_eq!(wall_time(u64::MAX), None);
    }
}
