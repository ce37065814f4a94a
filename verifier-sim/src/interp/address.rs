//! Virtual addresses: how a 64-bit number names a byte of a region.
//!
//! Regions lie far apart, and each stack frame, map value and ring buffer record has a gap
//! around it, so that an access beside one hits nothing and can be named. The packet lies
//! below 4 GiB: its address must fit the 32-bit fields `data` and `data_end` of a context.
//!
//! Read before: nothing. Read next: `memory.rs`.

use std::fmt;

/// The size of a stack frame in bytes (`MAX_BPF_STACK`).
pub(crate) const STACK_SIZE: u64 = 512;

/// What an address names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Region {
    /// The first page: a null pointer and what is near it.
    Null,
    /// The packet. Offsets count from the start of its buffer.
    Packet {
        /// How often the packet had been moved when the address was made.
        moves: u32,
    },
    /// The context.
    Ctx,
    /// The stack of a function. Offsets count from the frame pointer.
    Stack {
        /// The function's depth in the chain of calls.
        frame: usize,
    },
    /// The key that a callback of `for_each_map_elem` is given.
    Key {
        /// The callback's depth in the chain of calls.
        frame: usize,
    },
    /// A map itself, which only helpers can use.
    Map {
        /// The map's index.
        map: usize,
    },
    /// A value of a map.
    MapValue {
        /// The map's index.
        map: usize,
        /// Which of the map's values, in the map's own counting.
        value: u64,
    },
    /// A record in a ring buffer.
    Record {
        /// The map's index.
        map: usize,
        /// Which of the buffer's records, counted from the first ever, and from zero again
        /// when the addresses are used up.
        record: u64,
    },
    /// An object that the program has made.
    Object {
        /// Which, counted from the machine's first.
        object: usize,
    },
    /// The program's own instructions.
    Code,
    /// None of these.
    Nowhere,
}

/// A byte: a region and the distance from its beginning, which may lie outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) region: Region,
    pub(crate) offset: i64,
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Region::Null => f.write_str("the null page"),
            Region::Packet { .. } => f.write_str("the packet"),
            Region::Ctx => f.write_str("the context"),
            Region::Stack { frame } => write!(f, "the stack of frame {frame}"),
            Region::Key { .. } => f.write_str("a map's key"),
            Region::Map { map } => write!(f, "map {map} itself"),
            Region::MapValue { map, .. } => write!(f, "a value of map {map}"),
            Region::Record { map, .. } => write!(f, "a record of ring buffer {map}"),
            Region::Object { object } => write!(f, "object {object} of the program"),
            Region::Code => f.write_str("the program's code"),
            Region::Nowhere => f.write_str("no memory"),
        }
    }
}

const NULL_END: u64 = 0x1000;
const PACKET: u64 = 0x1000_0000;
/// What one position of the packet spans; a moved packet lies in the next, so that old
/// pointers are told from new ones.
const PACKET_WINDOW: u64 = 0x2_0000;
const PACKET_WINDOWS: u64 = 0x800;
/// Where the packet's buffer begins in its window.
const PACKET_MARGIN: u64 = 0x1000;
const CTX: u64 = 0x1_0000_0000;
const CTX_MARGIN: u64 = 0x1_0000;
/// What the context spans with the gaps around it: the longest have 64 KiB.
const CTX_WINDOW: u64 = 0x4_0000;
const STACK: u64 = 0x2_0000_0000;
const STACK_WINDOW: u64 = 0x1_0000;
/// The deepest chain of functions, when each of 33 tail calls begins one.
const STACK_WINDOWS: u64 = 512;
/// Where the frame pointer points in a stack's window.
const FRAME_POINTER: u64 = 0x8000;
const KEY: u64 = 0x3_0000_0000;
/// The gap on each side of a map value or record.
const MARGIN: u64 = 64;

// The top byte of addresses that belong to maps; below it 16 bits of map index.
const CODE_TAG: u64 = 0x43;
const MAP_TAG: u64 = 0x4d;
const OBJECT_TAG: u64 = 0x4f;
const RECORD_TAG: u64 = 0x52;
const VALUE_TAG: u64 = 0x56;
const TAG_SHIFT: u32 = 56;
const INDEX_SHIFT: u32 = 40;
const OFFSET_BITS: u64 = (1 << INDEX_SHIFT) - 1;

/// The most maps that addresses can tell apart.
pub(crate) const MAX_MAPS: usize = 1 << (TAG_SHIFT - INDEX_SHIFT);

/// The most bytes of values that the addresses of one map can name.
pub(crate) const MAX_VALUE_SPACE: u64 = OFFSET_BITS;

/// What one value of `size` bytes spans, with the gaps around it.
pub(crate) fn stride(size: u64) -> u64 {
    size.next_multiple_of(8) + 2 * MARGIN
}

/// The address of byte `offset` of the packet's buffer after `moves` moves.
pub(crate) fn packet(moves: u32, offset: usize) -> u64 {
    let window = u64::from(moves) % PACKET_WINDOWS;
    PACKET + window * PACKET_WINDOW + PACKET_MARGIN + offset as u64
}

/// The address of the context.
pub(crate) fn ctx() -> u64 {
    CTX + CTX_MARGIN
}

/// The frame pointer of a function at depth `frame`.
pub(crate) fn frame_pointer(frame: usize) -> u64 {
    STACK + frame as u64 * STACK_WINDOW + FRAME_POINTER
}

/// The address of the key that the callback at depth `frame` is given.
pub(crate) fn key(frame: usize) -> u64 {
    KEY + frame as u64 * STACK_WINDOW + FRAME_POINTER
}

/// The address that stands for a map.
pub(crate) fn map(map: usize) -> u64 {
    tagged(MAP_TAG, map, 0)
}

/// The address of a map's value; `size` is the map's value size in bytes.
pub(crate) fn map_value(map: usize, value: u64, size: u64) -> u64 {
    tagged(VALUE_TAG, map, value.wrapping_mul(stride(size)) + MARGIN)
}

/// How many records of a ring buffer of `space` bytes have addresses of their own; then
/// they start over, which is long after the first was given back.
pub(crate) fn record_windows(space: u64) -> u64 {
    (OFFSET_BITS / stride(space)).max(1)
}

/// The address of a ring buffer's record; the whole buffer has `space` bytes.
pub(crate) fn record(map: usize, record: u64, space: u64) -> u64 {
    let window = record % record_windows(space);
    tagged(RECORD_TAG, map, window * stride(space) + MARGIN)
}

/// What one object spans, with the gaps around it.
const OBJECT_WINDOW: u64 = 0x4000;
const OBJECT_MARGIN: u64 = 0x1000;

/// The address of an object.
pub(crate) fn object(object: usize) -> u64 {
    let offset = (object as u64).wrapping_mul(OBJECT_WINDOW) + OBJECT_MARGIN;
    tagged(OBJECT_TAG, 0, offset)
}

/// The address of the instruction in `slot`.
pub(crate) fn code(slot: usize) -> u64 {
    tagged(CODE_TAG, 0, slot as u64 * 8)
}

fn tagged(tag: u64, index: usize, offset: u64) -> u64 {
    tag << TAG_SHIFT | (index as u64) << INDEX_SHIFT | offset & OFFSET_BITS
}

/// What `address` names. `value_size` tells the size of a map's values, or of a ring buffer.
pub(crate) fn place(address: u64, value_size: impl Fn(usize) -> Option<u64>) -> Place {
    let at = |region, offset: i64| Place { region, offset };
    let within = |start: u64, len: u64| address.checked_sub(start).filter(|offset| *offset < len);
    if address < NULL_END {
        return at(Region::Null, address as i64);
    }
    if let Some(offset) = within(PACKET, PACKET_WINDOW * PACKET_WINDOWS) {
        let moves = (offset / PACKET_WINDOW) as u32;
        let offset = (offset % PACKET_WINDOW) as i64 - PACKET_MARGIN as i64;
        return at(Region::Packet { moves }, offset);
    }
    if let Some(offset) = within(CTX, CTX_WINDOW) {
        return at(Region::Ctx, offset as i64 - CTX_MARGIN as i64);
    }
    if let Some(offset) = within(STACK, STACK_WINDOW * STACK_WINDOWS) {
        let frame = (offset / STACK_WINDOW) as usize;
        let offset = (offset % STACK_WINDOW) as i64 - FRAME_POINTER as i64;
        return at(Region::Stack { frame }, offset);
    }
    if let Some(offset) = within(KEY, STACK_WINDOW * STACK_WINDOWS) {
        let frame = (offset / STACK_WINDOW) as usize;
        let offset = (offset % STACK_WINDOW) as i64 - FRAME_POINTER as i64;
        return at(Region::Key { frame }, offset);
    }
    let map = (address >> INDEX_SHIFT) as usize % MAX_MAPS;
    let offset = address & OFFSET_BITS;
    let nowhere = at(Region::Nowhere, address as i64);
    let of_value = |region: fn(usize, u64) -> Region| match value_size(map) {
        None => nowhere,
        Some(size) => {
            let inner = (offset % stride(size)) as i64 - MARGIN as i64;
            at(region(map, offset / stride(size)), inner)
        }
    };
    match address >> TAG_SHIFT {
        CODE_TAG => at(Region::Code, offset as i64),
        OBJECT_TAG => {
            let object = (offset / OBJECT_WINDOW) as usize;
            let inner = (offset % OBJECT_WINDOW) as i64 - OBJECT_MARGIN as i64;
            at(Region::Object { object }, inner)
        }
        MAP_TAG => at(Region::Map { map }, offset as i64),
        VALUE_TAG => of_value(|map, value| Region::MapValue { map, value }),
        RECORD_TAG => of_value(|map, record| Region::Record { map, record }),
        _ => nowhere,
    }
}

/// Whether `moves` moves of the packet lead to the window counted `window`.
pub(crate) fn is_window_of(window: u32, moves: u32) -> bool {
    u64::from(moves) % PACKET_WINDOWS == u64::from(window)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_names_the_place_it_was_made_for() {
        let size = |_| Some(20);
        let at = |address: u64, region, offset| {
            assert_eq!(place(address, size), Place { region, offset });
        };
        at(0, Region::Null, 0);
        at(packet(3, 17), Region::Packet { moves: 3 }, 17);
        at(ctx() + 4, Region::Ctx, 4);
        at(ctx() - 1, Region::Ctx, -1);
        at(frame_pointer(2) - 512, Region::Stack { frame: 2 }, -512);
        at(frame_pointer(0) + 8, Region::Stack { frame: 0 }, 8);
        at(key(3) + 2, Region::Key { frame: 3 }, 2);
        at(object(7) - 1, Region::Object { object: 7 }, -1);
        at(map(9), Region::Map { map: 9 }, 0);
        for value in [0, 1, 1000] {
            let region = Region::MapValue { map: 5, value };
            at(map_value(5, value, 20), region, 0);
            at(map_value(5, value, 20) + 25, region, 25);
            at(map_value(5, value, 20) - 1, region, -1);
        }
        at(
            record(1, 7, 20) + 3,
            Region::Record { map: 1, record: 7 },
            3,
        );
        at(u64::MAX, Region::Nowhere, -1);
        assert!(packet(u32::MAX, 0xffff) < 1 << 32);
    }
}
