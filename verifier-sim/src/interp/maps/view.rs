//! What a test sees of a map: keys and values, for one CPU or for all.

use super::{Map, UpdateMode};
use crate::interp::errno::Errno;

/// A map, to look at.
#[derive(Debug, Clone, Copy)]
pub struct MapView<'m> {
    map: &'m Map,
    cpu: usize,
    cpus: usize,
}

impl<'m> MapView<'m> {
    pub(crate) fn new(map: &'m Map, cpu: usize, cpus: usize) -> MapView<'m> {
        MapView { map, cpu, cpus }
    }

    /// The same map as CPU `cpu` sees it; only per-CPU maps differ.
    #[must_use]
    pub fn on_cpu(self, cpu: usize) -> MapView<'m> {
        MapView { cpu, ..self }
    }

    /// The value for `key`; of a per-CPU map the current CPU's.
    pub fn lookup(&self, key: &[u8]) -> Option<&'m [u8]> {
        let value = self.map.peek(key, self.cpu)?;
        self.map.value(value)
    }

    /// The values for `key` of all CPUs in order; of other maps the one value there is.
    pub fn lookup_all(&self, key: &[u8]) -> Vec<&'m [u8]> {
        let cpus = match self.map.definition().map_type.is_per_cpu() {
            true => self.cpus,
            false => 1,
        };
        (0..cpus)
            .filter_map(|cpu| self.on_cpu(cpu).lookup(key))
            .collect()
    }

    /// All keys: of arrays the indexes, of others in the order of their bytes.
    pub fn keys(&self) -> Vec<Vec<u8>> {
        self.map.keys()
    }

    /// The sum of a per-CPU map's values for `key`, read as 64-bit numbers: one sum for each
    /// 8 bytes of the value. `None` if the key is missing or no whole number fits.
    pub fn sums(&self, key: &[u8]) -> Option<Vec<u64>> {
        let mut sums: Option<Vec<u64>> = None;
        for value in self.lookup_all(key) {
            let (numbers, _) = value.as_chunks::<8>();
            let sums = sums.get_or_insert_with(|| vec![0; numbers.len()]);
            for (sum, number) in sums.iter_mut().zip(numbers) {
                *sum = sum.wrapping_add(u64::from_ne_bytes(*number));
            }
        }
        sums.filter(|sums| !sums.is_empty())
    }
}

/// A map, to change as a program on this CPU would.
#[derive(Debug)]
pub struct MapViewMut<'m> {
    map: &'m mut Map,
    cpu: usize,
}

impl<'m> MapViewMut<'m> {
    pub(crate) fn new(map: &'m mut Map, cpu: usize) -> MapViewMut<'m> {
        MapViewMut { map, cpu }
    }

    /// The same map as CPU `cpu` sees it; only per-CPU maps differ.
    #[must_use]
    pub fn on_cpu(self, cpu: usize) -> MapViewMut<'m> {
        MapViewMut { cpu, ..self }
    }

    /// Sets the value for `key`; of a per-CPU map the current CPU's.
    ///
    /// # Errors
    /// Those of the kernel: see [`UpdateMode`]; `E2BIG` for a full map or an index behind
    /// the end; `EINVAL` for sizes that are not the map's.
    pub fn update(&mut self, key: &[u8], value: &[u8], mode: UpdateMode) -> Result<(), Errno> {
        self.map.update(key, value, mode, self.cpu)
    }

    /// Removes `key`.
    ///
    /// # Errors
    /// `ENOENT` if it is missing, `EINVAL` for arrays.
    pub fn delete(&mut self, key: &[u8]) -> Result<(), Errno> {
        self.map.delete(key)
    }

    /// Takes out the records that programs have submitted to a ring buffer; empty for other
    /// maps.
    pub fn records(&mut self) -> Vec<Vec<u8>> {
        self.map.ring().map_or_else(Vec::new, super::Ring::consume)
    }
}
