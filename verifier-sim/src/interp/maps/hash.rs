//! Hashes: values by any key, as many as `max_entries`.
//!
//! As in the kernel's preallocated hashes, an update of a key that exists makes a new value
//! and leaves the old one to whoever points at it, until its place is needed; the values of
//! a per-CPU hash are changed in place.
//!
//! Source: the kernel's `Documentation/bpf/map_hash.rst`, and behaviour seen on Linux 6.18.

use super::UpdateMode;
use crate::interp::errno::Errno;
use ebpf_asm::object;
use std::collections::{HashMap, VecDeque};
use std::ops::Range;

/// What an insertion into a full map does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WhenFull {
    /// Fails with `E2BIG`.
    Refuse,
    /// Removes the entry not used for the longest time. The kernel's choice is only near
    /// that.
    Evict,
}

/// `BPF_MAP_TYPE_HASH`, `_PERCPU_HASH`, `_LRU_HASH` and `_LRU_PERCPU_HASH`.
#[derive(Debug, Clone)]
pub(super) struct Hash {
    slots: Vec<Slot>,
    by_key: HashMap<Vec<u8>, usize>,
    /// Slots whose entries are gone, the longest first.
    free: VecDeque<usize>,
    value_size: usize,
    max_entries: usize,
    copies: usize,
    when_full: WhenFull,
    /// Counts uses.
    now: u64,
}

#[derive(Debug, Clone)]
struct Slot {
    /// The values by CPU.
    values: Vec<u8>,
    last_used: u64,
}

impl Hash {
    /// Empty, with `copies` values for each key.
    pub(super) fn new(definition: &object::Map, copies: usize, when_full: WhenFull) -> Hash {
        Hash {
            slots: Vec::new(),
            by_key: HashMap::new(),
            free: VecDeque::new(),
            value_size: definition.value_size as usize,
            max_entries: definition.max_entries as usize,
            copies,
            when_full,
            now: 0,
        }
    }

    pub(super) fn lookup(&mut self, key: &[u8], cpu: usize) -> Option<u64> {
        let value = self.peek(key, cpu)?;
        self.touch(key);
        Some(value)
    }

    /// The number of a value, without a use being counted.
    pub(super) fn peek(&self, key: &[u8], cpu: usize) -> Option<u64> {
        let slot = *self.by_key.get(key)?;
        let cpu = if self.copies == 1 { 0 } else { cpu };
        (cpu < self.copies).then_some(slot as u64 * self.copies as u64 + cpu as u64)
    }

    /// As [`peek`](Hash::peek), on the first CPU.
    pub(super) fn find(&self, key: &[u8]) -> Option<u64> {
        self.peek(key, 0)
    }

    pub(super) fn update(
        &mut self,
        key: &[u8],
        bytes: &[u8],
        mode: UpdateMode,
        cpu: usize,
    ) -> Result<(), Errno> {
        let known = self.by_key.get(key).copied();
        match (mode, known) {
            (UpdateMode::NoExist, Some(_)) => return Err(Errno::Exists),
            (UpdateMode::Exist, None) => return Err(Errno::NoEntry),
            _ => {}
        }
        let slot = match known {
            Some(slot) if self.copies > 1 => slot,
            Some(old) => {
                self.free.push_back(old);
                self.insert(key)
            }
            None => {
                self.make_room()?;
                self.insert(key)
            }
        };
        let cpu = if self.copies == 1 { 0 } else { cpu };
        let range = self.range(cpu);
        let place = self
            .slots
            .get_mut(slot)
            .and_then(|s| s.values.get_mut(range));
        let place = place.filter(|place| place.len() == bytes.len());
        place.ok_or(Errno::Invalid)?.copy_from_slice(bytes);
        self.touch(key);
        Ok(())
    }

    pub(super) fn delete(&mut self, key: &[u8]) -> Result<(), Errno> {
        let slot = self.by_key.remove(key).ok_or(Errno::NoEntry)?;
        self.free.push_back(slot);
        Ok(())
    }

    pub(super) fn keys(&self) -> Vec<Vec<u8>> {
        let mut keys: Vec<Vec<u8>> = self.by_key.keys().cloned().collect();
        keys.sort_unstable();
        keys
    }

    pub(super) fn value(&self, value: u64) -> Option<&[u8]> {
        let (slot, cpu) = self.split(value)?;
        self.slots.get(slot)?.values.get(self.range(cpu))
    }

    pub(super) fn value_mut(&mut self, value: u64) -> Option<&mut [u8]> {
        let (slot, cpu) = self.split(value)?;
        let range = self.range(cpu);
        self.slots.get_mut(slot)?.values.get_mut(range)
    }

    /// A slot for `key`, its values zero.
    fn insert(&mut self, key: &[u8]) -> usize {
        let values = vec![0; self.value_size * self.copies];
        let fresh = Slot {
            values,
            last_used: self.now,
        };
        // One slot more than entries, so that a replaced value lives on for a while.
        let reused = match self.slots.len() > self.max_entries {
            true => self.free.pop_front(),
            false => None,
        };
        let slot = match reused {
            Some(slot) => slot,
            None => self.slots.len(),
        };
        match self.slots.get_mut(slot) {
            Some(place) => *place = fresh,
            None => self.slots.push(fresh),
        }
        self.by_key.insert(key.to_vec(), slot);
        slot
    }

    /// Makes room for one more entry.
    fn make_room(&mut self) -> Result<(), Errno> {
        if self.by_key.len() < self.max_entries {
            return Ok(());
        }
        if self.when_full == WhenFull::Refuse {
            return Err(Errno::TooBig);
        }
        let used = |slot: &usize| self.slots.get(*slot).map(|s| s.last_used);
        let oldest = self.by_key.iter().min_by_key(|(_, slot)| used(slot));
        let key = oldest.map(|(key, _)| key.clone()).ok_or(Errno::TooBig)?;
        self.delete(&key)
    }

    fn touch(&mut self, key: &[u8]) {
        self.now += 1;
        let slot = self
            .by_key
            .get(key)
            .and_then(|slot| self.slots.get_mut(*slot));
        if let Some(slot) = slot {
            slot.last_used = self.now;
        }
    }

    fn split(&self, value: u64) -> Option<(usize, usize)> {
        let value = usize::try_from(value).ok()?;
        Some((value / self.copies, value % self.copies))
    }

    fn range(&self, cpu: usize) -> Range<usize> {
        let start = cpu * self.value_size;
        start..start + self.value_size
    }
}

#[cfg(test)]
mod tests {
    use super::super::definition;
    use super::*;
    use ebpf_asm::map_type::MapType;

    fn hash(entries: u32, copies: usize, when_full: WhenFull) -> Hash {
        Hash::new(&definition(MapType::Hash, 1, 1, entries), copies, when_full)
    }

    fn at(hash: &Hash, key: u8, cpu: usize) -> Option<u8> {
        let value = hash.peek(&[key], cpu)?;
        hash.value(value).map(|bytes| bytes[0])
    }

    #[test]
    fn updates_and_deletes_follow_the_kernels_rules() {
        let mut hash = hash(2, 1, WhenFull::Refuse);
        let mut update = |key, value, mode| hash.update(&[key], &[value], mode, 0);
        assert_eq!(update(1, 10, UpdateMode::Exist), Err(Errno::NoEntry));
        assert_eq!(update(1, 10, UpdateMode::NoExist), Ok(()));
        assert_eq!(update(1, 11, UpdateMode::NoExist), Err(Errno::Exists));
        assert_eq!(update(1, 12, UpdateMode::Exist), Ok(()));
        assert_eq!(update(2, 20, UpdateMode::Any), Ok(()));
        assert_eq!(update(3, 30, UpdateMode::Any), Err(Errno::TooBig));
        assert_eq!(update(2, 21, UpdateMode::Any), Ok(()));
        assert_eq!(hash.keys(), [[1], [2]]);
        assert_eq!((at(&hash, 1, 0), at(&hash, 2, 0)), (Some(12), Some(21)));
        assert_eq!(hash.delete(&[1]), Ok(()));
        assert_eq!(hash.delete(&[1]), Err(Errno::NoEntry));
        assert_eq!(at(&hash, 1, 0), None);
        assert_eq!(hash.update(&[3], &[30], UpdateMode::Any, 0), Ok(()));
    }

    #[test]
    fn a_replaced_value_stays_with_who_points_at_it() {
        let mut hash = hash(1, 1, WhenFull::Refuse);
        hash.update(&[1], &[10], UpdateMode::Any, 0).unwrap();
        let old = hash.lookup(&[1], 0).unwrap();
        hash.update(&[1], &[11], UpdateMode::Any, 0).unwrap();
        assert_eq!(hash.value(old), Some(&[10][..]));
        assert_eq!(at(&hash, 1, 0), Some(11));
        for round in 0..100 {
            hash.update(&[1], &[round], UpdateMode::Any, 0).unwrap();
        }
        assert!(hash.slots.len() <= 2, "{}", hash.slots.len());
    }

    #[test]
    fn each_cpu_has_its_own_copy_and_new_ones_are_zero() {
        let mut hash = hash(2, 3, WhenFull::Refuse);
        hash.update(&[1], &[10], UpdateMode::Any, 1).unwrap();
        hash.update(&[1], &[20], UpdateMode::Any, 2).unwrap();
        let values: Vec<_> = (0..4).map(|cpu| at(&hash, 1, cpu)).collect();
        assert_eq!(values, [Some(0), Some(10), Some(20), None]);
    }

    #[test]
    fn the_entry_used_least_recently_makes_room() {
        let mut hash = hash(2, 1, WhenFull::Evict);
        for key in [1, 2] {
            hash.update(&[key], &[key], UpdateMode::Any, 0).unwrap();
        }
        hash.lookup(&[1], 0).unwrap();
        hash.update(&[3], &[3], UpdateMode::Any, 0).unwrap();
        assert_eq!(hash.keys(), [[1], [3]]);
    }
}
