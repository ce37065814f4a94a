//! Arrays: every index has a value from the beginning, and keeps it.
//!
//! Source: the kernel's `Documentation/bpf/map_array.rst`.

use super::{UpdateMode, index};
use crate::interp::errno::Errno;
use ebpf_asm::object;
use std::ops::Range;

/// `BPF_MAP_TYPE_ARRAY` and `BPF_MAP_TYPE_PERCPU_ARRAY`.
#[derive(Debug, Clone)]
pub(super) struct Array {
    /// The values: by index, then by CPU.
    bytes: Vec<u8>,
    value_size: usize,
    max_entries: u32,
    copies: usize,
}

impl Array {
    /// All zeros, with `copies` values for each index; of global variables, what they begin
    /// with.
    pub(super) fn new(definition: &object::Map, copies: usize) -> Array {
        let value_size = definition.value_size as usize;
        let values = definition.max_entries as usize * copies;
        let mut bytes = vec![0; values * value_size];
        let data = definition.data.iter().flat_map(|data| &data.bytes);
        for (byte, begins_with) in bytes.iter_mut().zip(data) {
            *byte = *begins_with;
        }
        Array {
            bytes,
            value_size,
            max_entries: definition.max_entries,
            copies,
        }
    }

    pub(super) fn lookup(&self, key: &[u8], cpu: usize) -> Option<u64> {
        let index = index(key).filter(|index| *index < self.max_entries)?;
        let cpu = if self.copies == 1 { 0 } else { cpu };
        let value = u64::from(index) * self.copies as u64 + cpu as u64;
        (cpu < self.copies).then_some(value)
    }

    pub(super) fn update(
        &mut self,
        key: &[u8],
        bytes: &[u8],
        mode: UpdateMode,
        cpu: usize,
    ) -> Result<(), Errno> {
        let value = self.lookup(key, cpu).ok_or(Errno::TooBig)?;
        if mode == UpdateMode::NoExist {
            return Err(Errno::Exists);
        }
        let place = self.value_mut(value).ok_or(Errno::TooBig)?;
        if place.len() != bytes.len() {
            return Err(Errno::Invalid);
        }
        place.copy_from_slice(bytes);
        Ok(())
    }

    pub(super) fn value(&self, value: u64) -> Option<&[u8]> {
        self.bytes.get(self.range(value)?)
    }

    pub(super) fn value_mut(&mut self, value: u64) -> Option<&mut [u8]> {
        let range = self.range(value)?;
        self.bytes.get_mut(range)
    }

    fn range(&self, value: u64) -> Option<Range<usize>> {
        let start = usize::try_from(value).ok()?.checked_mul(self.value_size)?;
        Some(start..start.checked_add(self.value_size)?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::definition;
    use super::*;
    use ebpf_asm::map_type::MapType;

    #[test]
    fn updates_follow_the_kernels_rules() {
        let mut array = Array::new(&definition(MapType::Array, 4, 2, 3), 1);
        let key = |n: u32| n.to_ne_bytes();
        let mut update = |n, mode| array.update(&key(n), &[1, 2], mode, 0);
        assert_eq!(update(2, UpdateMode::Any), Ok(()));
        assert_eq!(update(2, UpdateMode::Exist), Ok(()));
        assert_eq!(update(2, UpdateMode::NoExist), Err(Errno::Exists));
        assert_eq!(update(3, UpdateMode::Any), Err(Errno::TooBig));
        assert_eq!(update(3, UpdateMode::NoExist), Err(Errno::TooBig));
        let at = |n| array.lookup(&key(n), 0).and_then(|v| array.value(v));
        assert_eq!(at(2), Some(&[1, 2][..]));
        assert_eq!(at(0), Some(&[0, 0][..]));
        assert_eq!(at(3), None);
    }

    #[test]
    fn each_cpu_has_its_own_copy() {
        let mut array = Array::new(&definition(MapType::PercpuArray, 4, 1, 2), 3);
        let key = 1u32.to_ne_bytes();
        for cpu in 0..3 {
            array
                .update(&key, &[cpu as u8 + 1], UpdateMode::Any, cpu)
                .unwrap();
        }
        for cpu in 0..3 {
            let value = array.lookup(&key, cpu).unwrap();
            assert_eq!(array.value(value), Some(&[cpu as u8 + 1][..]));
        }
        assert_eq!(array.lookup(&key, 3), None);
        assert_eq!(array.value(6), None);
    }
}
