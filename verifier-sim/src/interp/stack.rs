//! The stack of one function: 512 bytes, each of which has to be written before it is read.

use super::address::STACK_SIZE;
use super::fault::FaultKind;
use std::ops::Range;

const SIZE: usize = STACK_SIZE as usize;

/// A stack frame.
#[derive(Debug, Clone)]
pub(crate) struct Stack {
    bytes: [u8; SIZE],
    written: [bool; SIZE],
}

impl Stack {
    /// Nothing written yet.
    pub(crate) fn new() -> Stack {
        Stack {
            bytes: [0; SIZE],
            written: [false; SIZE],
        }
    }

    /// `size` bytes from `offset` (from the frame pointer, so negative), `None` outside.
    ///
    /// # Errors
    /// If one of them was never written.
    pub(crate) fn read(&self, offset: i64, size: u64) -> Option<Result<&[u8], FaultKind>> {
        let range = range(offset, size)?;
        let hole = self.written.get(range.clone())?.iter().position(|w| !w);
        match hole {
            Some(hole) => Some(Err(FaultKind::UninitialisedStack {
                offset: offset + hole as i64,
            })),
            None => self.bytes.get(range).map(Ok),
        }
    }

    /// `size` bytes from `offset`, to be written in full; `None` outside.
    pub(crate) fn write(&mut self, offset: i64, size: u64) -> Option<&mut [u8]> {
        let range = range(offset, size)?;
        self.written.get_mut(range.clone())?.fill(true);
        self.bytes.get_mut(range)
    }
}

fn range(offset: i64, size: u64) -> Option<Range<usize>> {
    let start = usize::try_from(offset.checked_add(SIZE as i64)?).ok()?;
    let end = start.checked_add(usize::try_from(size).ok()?)?;
    (end <= SIZE).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_written_bytes_can_be_read() {
        let mut stack = Stack::new();
        stack.write(-8, 4).unwrap().copy_from_slice(&[1, 2, 3, 4]);
        assert_eq!(stack.read(-8, 4), Some(Ok(&[1, 2, 3, 4][..])));
        assert_eq!(
            stack.read(-8, 8),
            Some(Err(FaultKind::UninitialisedStack { offset: -4 }))
        );
    }

    #[test]
    fn the_frame_ends_at_both_ends() {
        let mut stack = Stack::new();
        assert!(stack.write(-512, 8).is_some());
        assert!(stack.write(-8, 8).is_some());
        assert!(stack.write(-513, 8).is_none());
        assert!(stack.write(-7, 8).is_none());
        assert!(stack.write(0, 1).is_none());
        assert!(stack.write(i64::MAX, 8).is_none());
        assert!(stack.write(-8, u64::MAX).is_none());
    }
}
