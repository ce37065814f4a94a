//! The stack of one function: 512 bytes, each of which has to be written before it is read,
//! unless the machine fills what nobody wrote by chance.

use super::address::STACK_SIZE;
use super::fault::FaultKind;
use super::host::Random;
use std::ops::Range;

const SIZE: usize = STACK_SIZE as usize;

/// What a program finds on the stack where it wrote nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Unwritten {
    /// Nothing: to read it is a fault, as the verifier has it for who may not see pointers.
    #[default]
    Fault,
    /// Any bytes, as the kernel has it for the privileged: the machine's random numbers.
    Chance,
}

/// A stack frame.
#[derive(Debug, Clone)]
pub(crate) struct Stack {
    bytes: [u8; SIZE],
    written: [bool; SIZE],
    /// The key that the function was given, if it is a callback on the elements of a map.
    key: Vec<u8>,
}

impl Stack {
    /// Nothing written yet.
    pub(crate) fn new(unwritten: Unwritten, random: &mut Random) -> Stack {
        let mut stack = Stack {
            bytes: [0; SIZE],
            written: [unwritten == Unwritten::Chance; SIZE],
            key: Vec::new(),
        };
        if unwritten == Unwritten::Chance {
            let (words, _) = stack.bytes.as_chunks_mut::<4>();
            for word in words {
                *word = random.next().to_le_bytes();
            }
        }
        stack
    }

    /// The same, of a callback that is given this key.
    pub(crate) fn with_key(mut self, key: Vec<u8>) -> Stack {
        self.key = key;
        self
    }

    pub(crate) fn key(&self) -> &[u8] {
        &self.key
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

    fn stack() -> Stack {
        Stack::new(Unwritten::Fault, &mut Random::new(0))
    }

    #[test]
    fn what_nobody_wrote_is_any_bytes_where_that_is_asked_for() {
        let stack = Stack::new(Unwritten::Chance, &mut Random::new(7));
        let read = |offset| stack.read(offset, 8).unwrap().unwrap().to_vec();
        assert_eq!(read(-8), read(-8));
        assert_ne!(read(-8), read(-16));
    }

    #[test]
    fn only_written_bytes_can_be_read() {
        let mut stack = stack();
        stack.write(-8, 4).unwrap().copy_from_slice(&[1, 2, 3, 4]);
        assert_eq!(stack.read(-8, 4), Some(Ok(&[1, 2, 3, 4][..])));
        assert_eq!(
            stack.read(-8, 8),
            Some(Err(FaultKind::UninitialisedStack { offset: -4 }))
        );
    }

    #[test]
    fn the_frame_ends_at_both_ends() {
        let mut stack = stack();
        assert!(stack.write(-512, 8).is_some());
        assert!(stack.write(-8, 8).is_some());
        assert!(stack.write(-513, 8).is_none());
        assert!(stack.write(-7, 8).is_none());
        assert!(stack.write(0, 1).is_none());
        assert!(stack.write(i64::MAX, 8).is_none());
        assert!(stack.write(-8, u64::MAX).is_none());
    }
}
