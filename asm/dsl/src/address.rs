//! Addresses: a pointer and a constant offset, and how data is read and written there.

use core::marker::PhantomData;

use crate::order::{Be16, Be32};
use crate::recorder::Rec;
use crate::recording::{CompareOp, Operand as Raw, Type, ValueId};
use crate::value::{Cond, Operand, Scalar, Value};

/// Checked memory that can be read and written while `'m` lasts.
#[derive(Clone, Copy, Debug)]
pub struct Address<'m, 'p> {
    pub(crate) rec: Rec<'p>,
    pub(crate) ptr: ValueId,
    pub(crate) offset: u32,
    memory: PhantomData<&'m ()>,
}

impl<'m, 'p> Address<'m, 'p> {
    pub(crate) fn new(rec: Rec<'p>, ptr: ValueId) -> Self {
        Address {
            rec,
            ptr,
            offset: 0,
            memory: PhantomData,
        }
    }

    /// The address so many bytes further.
    #[doc(hidden)]
    pub fn plus(self, bytes: u32) -> Self {
        Address {
            offset: self.offset.saturating_add(bytes),
            ..self
        }
    }

    /// The address behind its check.
    #[track_caller]
    pub(crate) fn checked(self) -> Self {
        let ptr = self.rec.recorder().checked(self.ptr);
        Address { ptr, ..self }
    }

    #[track_caller]
    pub(crate) fn load(self, ty: Type) -> ValueId {
        self.rec.recorder().load(ty, self.ptr, self.offset)
    }

    #[track_caller]
    pub(crate) fn store(self, ty: Type, value: Raw) {
        let recorder = self.rec.recorder();
        recorder.store(ty, self.ptr, self.offset, value);
    }
}

/// A type that a field can have: a [`Scalar`] or an array of bytes.
pub trait Field: Sized {
    /// What reading gives: a value, or the bytes.
    type Read<'p>;
    /// Reads the field. The load is recorded here, once.
    #[doc(hidden)]
    fn read<'p>(at: Address<'_, 'p>) -> Self::Read<'p>;
}

/// What can be written to a field of type `T`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be written to a field of type `{T}`",
    note = "network order (`Be16`, `Be32`) and host order (`u16`, `u32`) do not mix: use `.to_be()` or `.to_host()`"
)]
pub trait Write<'p, T> {
    #[doc(hidden)]
    fn write(self, at: Address<'_, 'p>);
}

macro_rules! scalar_fields {
    ($($ty:ty)*) => {$(
        impl Field for $ty {
            type Read<'p> = Value<'p, $ty>;

            #[track_caller]
            fn read<'p>(at: Address<'_, 'p>) -> Value<'p, $ty> {
                Value::new(at.rec, at.load(<$ty as Scalar>::TYPE))
            }
        }
    )*};
}

scalar_fields!(u8 u16 u32 u64 Be16 Be32);

impl<'p, T: Scalar, V: Operand<'p, T>> Write<'p, T> for V {
    #[track_caller]
    fn write(self, at: Address<'_, 'p>) {
        at.store(T::TYPE, self.operand(at.rec));
    }
}

/// The bytes of an array field, as they were when they were read.
#[derive(Clone, Copy, Debug)]
pub struct Bytes<'p, const N: usize> {
    rec: Rec<'p>,
    /// The first of the values loaded, which follow each other; see [`chunks`].
    first: ValueId,
}

/// One load of a few bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Chunk {
    offset: u32,
    ty: Type,
}

/// The loads that cover `len` bytes: words, then a half, then a byte.
fn chunks(len: u32) -> impl Iterator<Item = Chunk> {
    let mut offset = 0;
    core::iter::from_fn(move || {
        let ty = match len - offset {
            0 => return None,
            1 => Type::U8,
            2..=3 => Type::Be16,
            _ => Type::Be32,
        };
        let chunk = Chunk { offset, ty };
        offset += ty.size();
        Some(chunk)
    })
}

/// The number that `chunk` has in `bytes`, first byte highest.
fn chunk_number(chunk: Chunk, bytes: &[u8]) -> u64 {
    let start = chunk.offset as usize;
    let end = start + chunk.ty.size() as usize;
    let part = bytes.get(start..end).unwrap_or_default();
    part.iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[track_caller]
fn read_bytes(at: Address<'_, '_>, len: u32) -> ValueId {
    let mut first = None;
    for chunk in chunks(len) {
        let id = at.plus(chunk.offset).load(chunk.ty);
        first.get_or_insert(id);
    }
    first.unwrap_or(ValueId(0))
}

#[track_caller]
fn write_bytes(at: Address<'_, '_>, len: u32, first: ValueId) {
    for (index, chunk) in (0..).zip(chunks(len)) {
        let value = Raw::Value(ValueId(first.0 + index));
        at.plus(chunk.offset).store(chunk.ty, value);
    }
}

#[track_caller]
fn write_constant(at: Address<'_, '_>, bytes: &[u8]) {
    for chunk in chunks(bytes.len() as u32) {
        let value = Raw::Const(chunk_number(chunk, bytes));
        at.plus(chunk.offset).store(chunk.ty, value);
    }
}

#[track_caller]
fn bytes_equal<'p>(rec: Rec<'p>, first: ValueId, bytes: &[u8]) -> Cond<'p> {
    let recorder = rec.recorder();
    let mut all: Option<Cond<'p>> = None;
    for (index, chunk) in (0..).zip(chunks(bytes.len() as u32)) {
        let read = Raw::Value(ValueId(first.0 + index));
        let wanted = Raw::Const(chunk_number(chunk, bytes));
        let id = recorder.compare(chunk.ty, CompareOp::Eq, read, wanted);
        let equal = Value::new(rec, id);
        all = Some(match all {
            Some(all) => all & equal,
            None => equal,
        });
    }
    match all {
        Some(all) => all,
        // No bytes are equal to no bytes.
        None => Value::new(
            rec,
            recorder.compare(Type::U8, CompareOp::Eq, Raw::Const(0), Raw::Const(0)),
        ),
    }
}

impl<'p, const N: usize> Bytes<'p, N> {
    /// Whether the bytes are these.
    #[track_caller]
    pub fn eq(self, bytes: [u8; N]) -> Cond<'p> {
        bytes_equal(self.rec, self.first, &bytes)
    }

    /// Whether the bytes are not these.
    #[track_caller]
    pub fn ne(self, bytes: [u8; N]) -> Cond<'p> {
        !self.eq(bytes)
    }
}

impl<const N: usize> Field for [u8; N] {
    type Read<'p> = Bytes<'p, N>;

    #[track_caller]
    fn read<'p>(at: Address<'_, 'p>) -> Bytes<'p, N> {
        Bytes {
            rec: at.rec,
            first: read_bytes(at, N as u32),
        }
    }
}

impl<'p, const N: usize> Write<'p, [u8; N]> for [u8; N] {
    #[track_caller]
    fn write(self, at: Address<'_, 'p>) {
        write_constant(at, &self);
    }
}

impl<'p, const N: usize> Write<'p, [u8; N]> for Bytes<'p, N> {
    #[track_caller]
    fn write(self, at: Address<'_, 'p>) {
        write_bytes(at, N as u32, self.first);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_cover_every_byte_once() {
        for len in 0..40 {
            let mut next = 0;
            for chunk in chunks(len) {
                assert_eq!(chunk.offset, next, "of {len}");
                next += chunk.ty.size();
            }
            assert_eq!(next, len);
        }
    }

    #[test]
    fn a_chunk_is_a_big_endian_number() {
        let mac = [0x02, 0x00, 0x5e, 0x10, 0xab, 0xcd];
        let numbers: Vec<u64> = chunks(6).map(|chunk| chunk_number(chunk, &mac)).collect();
        assert_eq!(numbers, [0x0200_5e10, 0xabcd]);
    }
}
