//! Ring buffers: records that programs reserve, fill and submit, read in that order.
//!
//! Source: the kernel's `Documentation/bpf/ringbuf.rst`; sizes as seen on Linux 6.18.

use crate::interp::address;
use crate::interp::errno::Errno;
use ebpf_asm::object;
use std::collections::VecDeque;

/// What precedes each record in the buffer (`BPF_RINGBUF_HDR_SZ`).
const HEADER: u64 = 8;
/// The kernel's page, whose multiple a ring buffer's size has to be.
const PAGE: u32 = 4096;

/// `BPF_RB_NO_WAKEUP` and `BPF_RB_FORCE_WAKEUP`: all that flags may say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wakeup;

impl Wakeup {
    /// Whether `flags` are known; they make no difference here, where nobody sleeps.
    pub(crate) fn from_flags(flags: u64) -> Result<Wakeup, Errno> {
        match flags {
            0..=3 => Ok(Wakeup),
            _ => Err(Errno::Invalid),
        }
    }
}

/// What becomes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    /// Readers get it.
    Submitted,
    /// Readers never see it.
    Discarded,
}

#[derive(Debug, Clone)]
struct Record {
    bytes: Vec<u8>,
    /// `None` while the program holds it.
    done: Option<Done>,
}

/// `BPF_MAP_TYPE_RINGBUF`.
#[derive(Debug, Clone)]
pub(crate) struct Ring {
    records: VecDeque<Record>,
    /// The number of the first record still there, counted from the first ever.
    first: u64,
    size: u64,
    produced: u64,
    consumed: u64,
}

impl Ring {
    /// Empty; the error is what the definition has wrong.
    pub(super) fn new(definition: &object::Map) -> Result<Ring, String> {
        let size = definition.max_entries;
        if !size.is_power_of_two() || !size.is_multiple_of(PAGE) {
            return Err(format!("max_entries = {size}"));
        }
        Ok(Ring {
            records: VecDeque::new(),
            first: 0,
            size: u64::from(size),
            produced: 0,
            consumed: 0,
        })
    }

    /// Reserves `size` bytes, zero; the record's number, or `None` if there is no room.
    pub(crate) fn reserve(&mut self, size: u64) -> Option<u64> {
        let taken = taken(size)?;
        // One byte of the buffer is never used.
        if self.produced + taken - self.consumed >= self.size {
            return None;
        }
        self.produced += taken;
        self.records.push_back(Record {
            bytes: vec![0; usize::try_from(size).ok()?],
            done: None,
        });
        Some(self.first + self.records.len() as u64 - 1)
    }

    /// Submits a copy of `bytes`.
    pub(crate) fn output(&mut self, bytes: &[u8]) -> Option<()> {
        let record = self.reserve(bytes.len() as u64)?;
        self.held_mut(record)?.copy_from_slice(bytes);
        self.finish(record, Done::Submitted)
    }

    /// The bytes of a record that the program holds.
    pub(crate) fn held(&self, record: u64) -> Option<&[u8]> {
        let at = usize::try_from(record.checked_sub(self.first)?).ok()?;
        let record = self.records.get(at).filter(|r| r.done.is_none())?;
        Some(&record.bytes)
    }

    /// The bytes of a record that the program holds, to be written.
    pub(crate) fn held_mut(&mut self, record: u64) -> Option<&mut [u8]> {
        self.held_record(record).map(|record| &mut record.bytes[..])
    }

    /// Gives a record back; `None` if the program does not hold it.
    pub(crate) fn finish(&mut self, record: u64, done: Done) -> Option<()> {
        self.held_record(record)?.done = Some(done);
        Some(())
    }

    fn held_record(&mut self, record: u64) -> Option<&mut Record> {
        let at = usize::try_from(record.checked_sub(self.first)?).ok()?;
        self.records.get_mut(at).filter(|r| r.done.is_none())
    }

    /// The number of the record whose address has this `window`.
    pub(crate) fn number(&self, window: u64) -> Option<u64> {
        let windows = address::record_windows(self.size);
        let distance = (window + windows - self.first % windows) % windows;
        self.first.checked_add(distance)
    }

    /// How many records the program holds.
    pub(crate) fn held_count(&self) -> usize {
        self.records.iter().filter(|r| r.done.is_none()).count()
    }

    /// Discards all that the program holds.
    pub(crate) fn discard_held(&mut self) {
        for record in &mut self.records {
            record.done.get_or_insert(Done::Discarded);
        }
    }

    /// Reads what was submitted, up to the first record that a program still holds.
    pub(crate) fn consume(&mut self) -> Vec<Vec<u8>> {
        let mut read = Vec::new();
        while let Some(record) = self.records.pop_front() {
            let Some(done) = record.done else {
                self.records.push_front(record);
                break;
            };
            self.first += 1;
            self.consumed += taken(record.bytes.len() as u64).unwrap_or(0);
            if done == Done::Submitted {
                read.push(record.bytes);
            }
        }
        read
    }

    /// `bpf_ringbuf_query`: data not yet read, size, consumer and producer position, in bytes.
    pub(crate) fn query(&self, what: u64) -> u64 {
        match what {
            0 => self.produced - self.consumed,
            1 => self.size,
            2 => self.consumed,
            3 => self.produced,
            _ => 0,
        }
    }
}

/// What a record of `size` bytes takes in the buffer.
fn taken(size: u64) -> Option<u64> {
    size.checked_add(HEADER)?.checked_next_multiple_of(8)
}

#[cfg(test)]
mod tests {
    use super::super::definition;
    use super::*;
    use ebpf_asm::map_type::MapType;

    fn ring() -> Ring {
        Ring::new(&definition(MapType::Ringbuf, 0, 0, 4096)).unwrap()
    }

    #[test]
    fn records_are_read_in_the_order_of_reservation() {
        let mut ring = ring();
        let first = ring.reserve(1).unwrap();
        let second = ring.reserve(2).unwrap();
        let third = ring.reserve(3).unwrap();
        ring.held_mut(second).unwrap().fill(2);
        assert_eq!(ring.finish(second, Done::Submitted), Some(()));
        assert_eq!(ring.finish(second, Done::Submitted), None);
        assert!(ring.consume().is_empty(), "the first is still held");
        ring.finish(first, Done::Discarded);
        assert_eq!(ring.consume(), [[2, 2]]);
        assert_eq!(ring.held_count(), 1);
        ring.held_mut(third).unwrap().fill(3);
        ring.finish(third, Done::Submitted);
        assert_eq!(ring.consume(), [[3, 3, 3]]);
    }

    #[test]
    fn a_full_buffer_gives_nothing_until_it_is_read() {
        let mut ring = ring();
        assert_eq!(ring.reserve(4096 - 8), None);
        assert_eq!(ring.reserve(u64::MAX), None);
        for _ in 0..255 {
            ring.output(&[7; 8]).unwrap();
        }
        assert_eq!(ring.output(&[7; 8]), None);
        assert_eq!(ring.query(0), 255 * 16);
        assert_eq!(ring.consume().len(), 255);
        assert!(ring.reserve(4096 - 16).is_some());
    }
}
