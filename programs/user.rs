//! The user-space side of the programs: what their maps hold, typed.
//!
//! The records are those of the program files; one declaration serves both sides.

use ebpf_dsl::Data;
use ebpf_loader::{Map, Result};

use crate::count_protocols::Counter;
use crate::sched_watch::Process;

/// One counter of a per-CPU array, summed over the CPUs; `None` if the array has no such key.
///
/// # Errors
/// If the kernel does not let the map be read, or keys are not of 4 bytes.
#[allow(clippy::result_large_err, reason = "the error is the loader's own")]
pub fn counter(map: &Map, key: u32) -> Result<Option<Counter>> {
    let values = map.lookup_per_cpu(&key.to_bytes())?;
    Ok(values.map(|values| sum(values.iter())))
}

/// What is known of the process with this number; `None` if it has not been switched away from.
///
/// # Errors
/// If the kernel does not let the map be read, or keys are not of 4 bytes.
#[allow(clippy::result_large_err, reason = "the error is the loader's own")]
pub fn process(map: &Map, tgid: u32) -> Result<Option<Process>> {
    let value = map.lookup(&tgid.to_bytes())?;
    Ok(value.and_then(|value| Process::from_bytes(&value)))
}

/// The sum of the values that the CPUs have. A value of another size counts nothing.
fn sum<'a>(values: impl Iterator<Item = &'a [u8]>) -> Counter {
    let counters = values.filter_map(Counter::from_bytes);
    counters.fold(Counter::default(), |sum, counter| Counter {
        packets: sum.packets.wrapping_add(counter.packets),
        bytes: sum.bytes.wrapping_add(counter.bytes),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_summed_over_the_cpus() {
        let one = Counter {
            packets: 1,
            bytes: 60,
        };
        let two = Counter {
            packets: 2,
            bytes: 1574,
        };
        let (one, two) = (one.to_bytes(), two.to_bytes());
        let total = sum([one.as_slice(), two.as_slice()].into_iter());
        let expected = Counter {
            packets: 3,
            bytes: 1634,
        };
        assert_eq!(total, expected);
    }
}
