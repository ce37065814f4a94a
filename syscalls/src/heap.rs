//! An allocator whose memory is in huge pages.
//!
//! What walks through a megabyte of small things meets a new page every few of them. With pages of
//! 4 KiB each must be found in the tables of pages, on a virtual machine in those of its host too,
//! and given by the kernel when it is touched first; with huge ones (2 MiB on most machines) once
//! for all. Where the kernel has no huge pages to give, the memory is in small ones.
//!
//! <https://docs.kernel.org/admin-guide/mm/transhuge.html>

use std::alloc::{GlobalAlloc, Layout, System};
use std::num::NonZero;
use std::thread;

use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap_anonymous};
use spinning_top::RawSpinlock;
use spinning_top::relax::Relax;
use talc::base::Talc;
use talc::base::binning::Binning;
use talc::min_first_heap_size;
use talc::source::Source;

/// The bytes of a huge page.
const HUGE_PAGE: usize = 2 << 20;

/// What is larger than this, in bytes, gains little from huge pages: it is the system's allocator's,
/// which can give it back to the kernel.
const LARGE: usize = 256 << 10;

/// A global allocator: what is small is in huge pages, which are kept until the process ends, and
/// what is large is the system's.
///
/// ```
/// # use ebpf_syscalls::heap::Heap;
/// #[global_allocator]
/// static HEAP: Heap = Heap::new();
/// ```
pub struct Heap {
    small: talc::TalcLock<RawSpinlock<Yielding>, HugePages>,
}

impl Heap {
    /// An allocator that has asked the kernel for nothing yet.
    #[must_use]
    pub const fn new() -> Heap {
        Heap {
            small: talc::TalcLock::new(HugePages),
        }
    }
}

impl Default for Heap {
    fn default() -> Heap {
        Heap::new()
    }
}

// SAFETY: each allocation is made, changed and freed by the one of two allocators that its size
// tells, which both keep the contract.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        unsafe { self.allocator_for(layout.size()).alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        unsafe { self.allocator_for(layout.size()).alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises; by its layout it is of this allocator.
        unsafe { self.allocator_for(layout.size()).dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if is_large(layout.size()) != is_large(size) {
            // SAFETY: as the caller promises.
            return unsafe { self.move_to(at, layout, size) };
        }
        // SAFETY: as the caller promises; by its layout it is of this allocator.
        unsafe { self.allocator_for(size).realloc(at, layout, size) }
    }
}

impl Heap {
    #[inline]
    fn allocator_for(&self, size: usize) -> &dyn GlobalAlloc {
        match is_large(size) {
            true => &System,
            false => &self.small,
        }
    }

    /// Moves an allocation from one of the two allocators to the other; null, and nothing changed, if
    /// there is no memory.
    ///
    /// # Safety
    /// As [`GlobalAlloc::realloc`].
    unsafe fn move_to(&self, from: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that `size`, rounded up to the alignment, is a size.
        let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        // SAFETY: the caller promises that `size` is not 0.
        let to = unsafe { self.alloc(new) };
        if !to.is_null() {
            // SAFETY: both have this many bytes, and the new one is apart from the old one, which the
            // caller promises to be an allocation of this layout.
            unsafe {
                to.copy_from_nonoverlapping(from, layout.size().min(size));
                self.dealloc(from, layout);
            }
        }
        to
    }
}

fn is_large(size: usize) -> bool {
    size > LARGE
}

/// Where an allocator has its memory from: the kernel, in huge pages if there are any. Nothing is given
/// back.
#[derive(Debug)]
struct HugePages;

// SAFETY: nothing here allocates from the allocator that asks, and when it says so there is more
// memory than before.
unsafe impl Source for HugePages {
    fn acquire<B: Binning>(talc: &mut Talc<Self, B>, layout: Layout) -> Result<(), ()> {
        let used = min_first_heap_size::<B>();
        let wanted = (layout.size().checked_add(layout.align()))
            .and_then(|bytes| bytes.checked_add(used))
            .and_then(|bytes| bytes.checked_next_multiple_of(HUGE_PAGE));
        let (begin, length) = wanted.and_then(map).ok_or(())?;
        // SAFETY: the memory was mapped for this alone, and is never unmapped.
        unsafe { talc.claim(begin, length) }.map(|_| ()).ok_or(())
    }
}

/// Maps memory of so many bytes, a multiple of [`HUGE_PAGE`] and aligned to it; `None` if there is
/// none.
fn map(length: usize) -> Option<(*mut u8, usize)> {
    // The kernel aligns to small pages only.
    let mapped = NonZero::new(length.checked_add(HUGE_PAGE)?)?;
    let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    // SAFETY: a new mapping of the kernel's choice overlaps nothing.
    let memory = unsafe { mmap_anonymous(None, mapped, access, MapFlags::MAP_PRIVATE) }.ok()?;
    let begin = memory.cast::<u8>();
    let aligned = begin.align_offset(HUGE_PAGE);
    // SAFETY: it is less than a huge page, and there is one more than asked for.
    let begin = unsafe { begin.add(aligned) };
    // SAFETY: this says how the mapping is used, and changes nothing of what is in it. Without huge
    // pages it is refused, and the memory is as good.
    let _ = unsafe { madvise(begin.cast(), length, MmapAdvise::MADV_HUGEPAGE) };
    Some((begin.as_ptr(), length))
}

/// Waits for whoever holds a lock for some instructions, and may have been interrupted there.
#[derive(Debug, Default)]
struct Yielding;

impl Relax for Yielding {
    fn relax(&mut self) {
        thread::yield_now();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::undocumented_unsafe_blocks)]
    use super::*;
    use proptest::prelude::*;

    /// An allocation, every byte of which is `mark`.
    struct Held<'h> {
        heap: &'h Heap,
        at: *mut u8,
        layout: Layout,
        mark: u8,
    }

    impl Held<'_> {
        fn new(heap: &Heap, size: usize, align: usize, mark: u8) -> Held<'_> {
            let layout = Layout::from_size_align(size, align).unwrap();
            let at = unsafe { heap.alloc(layout) };
            assert!(!at.is_null() && at.addr().is_multiple_of(align));
            unsafe { at.write_bytes(mark, size) };
            Held {
                heap,
                at,
                layout,
                mark,
            }
        }

        fn bytes(&self) -> &[u8] {
            unsafe { std::slice::from_raw_parts(self.at, self.layout.size()) }
        }

        fn resize(&mut self, size: usize) {
            let at = unsafe { self.heap.realloc(self.at, self.layout, size) };
            assert!(!at.is_null() && at.addr().is_multiple_of(self.layout.align()));
            let old = self.layout.size();
            (self.at, self.layout) = (
                at,
                Layout::from_size_align(size, self.layout.align()).unwrap(),
            );
            let kept = &self.bytes()[..old.min(size)];
            assert!(kept.iter().all(|byte| *byte == self.mark));
            unsafe { at.write_bytes(self.mark, size) };
        }
    }

    impl Drop for Held<'_> {
        fn drop(&mut self) {
            assert!(self.bytes().iter().all(|byte| *byte == self.mark));
            unsafe { self.heap.dealloc(self.at, self.layout) };
        }
    }

    /// Sizes of small things, near [`LARGE`], and above a huge page.
    fn size() -> impl Strategy<Value = usize> {
        prop_oneof![
            4 => 1..600usize,
            2 => 1..LARGE,
            1 => LARGE - 8..LARGE + 8,
            1 => LARGE..3 * HUGE_PAGE,
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn nobody_writes_into_what_another_holds(
            steps in proptest::collection::vec((0..3u8, any::<u8>(), size(), 0..8u32), 1..200),
        ) {
            let heap = Heap::new();
            let mut held = Vec::new();
            for (what, number, size, align) in steps {
                let at = usize::from(number) % (held.len() + 1);
                match (what, held.get_mut(at)) {
                    (0, Some(_)) => drop(held.swap_remove(at)),
                    (1, Some(one)) => Held::resize(one, size),
                    _ => held.push(Held::new(&heap, size, 1 << align, number)),
                }
            }
        }
    }

    #[test]
    fn threads_share_it() {
        let heap = Heap::new();
        thread::scope(|scope| {
            for mark in 0..4u8 {
                let heap = &heap;
                scope.spawn(move || {
                    let mut held = Vec::new();
                    for round in 0..2000usize {
                        held.push(Held::new(heap, 1 + round * 37 % 5000, 8, mark));
                        if round % 3 == 0 {
                            drop(held.swap_remove(round % held.len()));
                        }
                    }
                });
            }
        });
    }

    #[test]
    fn what_is_zeroed_is() {
        let heap = Heap::new();
        for size in [24, LARGE, LARGE + 1] {
            // Where something else was before.
            drop(Held::new(&heap, size, 8, 0xff));
            let layout = Layout::from_size_align(size, 8).unwrap();
            let at = unsafe { heap.alloc_zeroed(layout) };
            let held = Held {
                heap: &heap,
                at,
                layout,
                mark: 0,
            };
            assert!(!held.at.is_null());
        }
    }

    #[test]
    fn what_there_is_no_memory_for_is_null() {
        let heap = Heap::new();
        let layout = Layout::from_size_align(isize::MAX as usize - 4096, 8).unwrap();
        assert!(unsafe { heap.alloc(layout) }.is_null());
        let mut held = Held::new(&heap, 100, 8, 1);
        let too_much = layout.size();
        assert!(unsafe { heap.realloc(held.at, held.layout, too_much) }.is_null());
        held.resize(200);
    }

    #[test]
    fn its_memory_is_aligned_to_huge_pages() {
        let (begin, length) = map(HUGE_PAGE).unwrap();
        assert!(begin.addr().is_multiple_of(HUGE_PAGE) && length == HUGE_PAGE);
    }
}
