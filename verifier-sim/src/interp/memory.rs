//! The memory of a running program: every access goes through here and is checked.
//!
//! Read before: `address.rs`, `stack.rs`, `packet.rs`, `ctx/`, `maps/`.

use super::address::{self, Place, Region};
use super::ctx::{Ctx, PacketUse};
use super::fault::{Access, FaultKind};
use super::maps::Map;
use super::packet::PacketBuffer;
use super::stack::Stack;
use ebpf_asm::isa::Size;

/// All that addresses can name.
#[derive(Debug)]
pub(crate) struct Memory<'m> {
    pub(crate) stacks: Vec<Stack>,
    pub(crate) ctx: Ctx,
    pub(crate) packet: PacketBuffer,
    pub(crate) maps: &'m mut [Map],
    /// Objects that programs have made, and `None` for those dropped.
    pub(crate) objects: &'m mut Vec<Option<Vec<u8>>>,
}

/// One access: what, where and how much.
#[derive(Debug, Clone, Copy)]
struct Request {
    access: Access,
    address: u64,
    place: Place,
    size: u64,
}

impl Request {
    fn forbidden(self, why: &'static str) -> FaultKind {
        FaultKind::Forbidden {
            access: self.access,
            region: self.place.region,
            offset: self.place.offset,
            size: self.size,
            why,
        }
    }

    fn out_of_bounds(self, valid: (i64, i64)) -> FaultKind {
        FaultKind::OutOfBounds {
            access: self.access,
            region: self.place.region,
            offset: self.place.offset,
            size: self.size,
            valid,
        }
    }

    fn no_memory(self) -> FaultKind {
        FaultKind::NoMemory {
            access: self.access,
            region: self.place.region,
            address: self.address,
            size: self.size,
        }
    }

    /// That the access is aligned, where alignment is asked for.
    fn aligned(self) -> Result<(), FaultKind> {
        let divides = self.place.offset.rem_euclid(self.size.max(1) as i64) == 0;
        match divides {
            true => Ok(()),
            false => Err(FaultKind::Misaligned {
                access: self.access,
                region: self.place.region,
                offset: self.place.offset,
                size: self.size,
            }),
        }
    }
}

impl Memory<'_> {
    /// Reads a number, zero-extended.
    pub(crate) fn load(&self, address: u64, size: Size) -> Result<u64, FaultKind> {
        let request = self.request(Access::Read, address, u64::from(size.bytes()));
        match request.place.region {
            Region::Ctx => self
                .ctx
                .read(request.place.offset, request.size, &self.packet),
            Region::Stack { frame } => {
                self.aligned_on_stack(request, frame)?;
                self.bytes(request).map(number)
            }
            _ => self.bytes(request).map(number),
        }
    }

    /// Writes the low `size` of `value`.
    pub(crate) fn store(&mut self, address: u64, size: Size, value: u64) -> Result<(), FaultKind> {
        let request = self.request(Access::Write, address, u64::from(size.bytes()));
        match request.place.region {
            Region::Ctx => {
                return self.ctx.write(request.place.offset, request.size, value);
            }
            Region::Stack { frame } => self.aligned_on_stack(request, frame)?,
            _ => {}
        }
        put(self.bytes_mut(request)?, value);
        Ok(())
    }

    /// That an access to the running function's own frame is aligned. To a function that is
    /// verified on its own its caller's frame is memory like any other.
    fn aligned_on_stack(&self, request: Request, frame: usize) -> Result<(), FaultKind> {
        match frame + 1 == self.stacks.len() {
            true => request.aligned(),
            false => Ok(()),
        }
    }

    /// Reads, changes and writes a number at once; gives the old one.
    pub(crate) fn modify(
        &mut self,
        address: u64,
        size: Size,
        change: impl FnOnce(u64) -> u64,
    ) -> Result<u64, FaultKind> {
        let request = self.atomic_request(Access::Atomic, address, size)?;
        let old = number(self.bytes(request)?);
        put(self.bytes_mut(request)?, change(old));
        Ok(old)
    }

    /// Reads a number with acquire ordering, zero-extended.
    pub(crate) fn load_acquire(&self, address: u64, size: Size) -> Result<u64, FaultKind> {
        let request = self.atomic_request(Access::Read, address, size)?;
        self.bytes(request).map(number)
    }

    /// Writes a number with release ordering.
    pub(crate) fn store_release(
        &mut self,
        address: u64,
        size: Size,
        value: u64,
    ) -> Result<(), FaultKind> {
        let request = self.atomic_request(Access::Write, address, size)?;
        put(self.bytes_mut(request)?, value);
        Ok(())
    }

    /// Reads `size` bytes for a helper.
    pub(crate) fn read(&self, address: u64, size: u64) -> Result<&[u8], FaultKind> {
        self.bytes(self.request(Access::Read, address, size))
    }

    /// `size` bytes for a helper to fill.
    pub(crate) fn write(&mut self, address: u64, size: u64) -> Result<&mut [u8], FaultKind> {
        self.bytes_mut(self.request(Access::Write, address, size))
    }

    /// The map that `address` stands for.
    pub(crate) fn map_at(&self, address: u64) -> Option<usize> {
        match self.place(address) {
            Place {
                region: Region::Map { map },
                offset: 0,
            } => (map < self.maps.len()).then_some(map),
            _ => None,
        }
    }

    /// What `address` names.
    pub(crate) fn place(&self, address: u64) -> Place {
        address::place(address, |map| self.maps.get(map).map(Map::extent))
    }

    fn request(&self, access: Access, address: u64, size: u64) -> Request {
        Request {
            access,
            address,
            place: self.place(address),
            size,
        }
    }

    /// An access of an atomic instruction: aligned, and to memory that the kernel allows it for.
    fn atomic_request(
        &self,
        access: Access,
        address: u64,
        size: Size,
    ) -> Result<Request, FaultKind> {
        let request = self.request(access, address, u64::from(size.bytes()));
        match request.place.region {
            Region::Ctx | Region::Packet { .. } => {
                Err(request.forbidden("atomic accesses are not allowed there"))
            }
            _ => request.aligned().map(|()| request),
        }
    }

    /// The bytes of a request, to be read.
    fn bytes(&self, request: Request) -> Result<&[u8], FaultKind> {
        let Request { place, size, .. } = request;
        let missing = || self.missing(request);
        match place.region {
            Region::Stack { frame } => match self.stacks.get(frame) {
                Some(stack) => stack.read(place.offset, size).ok_or_else(missing)?,
                None => Err(request.no_memory()),
            },
            Region::Ctx => self.ctx.memory(request.access, place.offset, size),
            Region::Object { object } => {
                let bytes = self.object(object).ok_or_else(|| request.no_memory())?;
                part(bytes, place.offset, size).ok_or_else(missing)
            }
            Region::Key { frame } => {
                let key = self.stacks.get(frame).map(Stack::key);
                let bytes = key.and_then(|key| part(key, place.offset, size));
                bytes.ok_or_else(missing)
            }
            Region::Packet { moves } => {
                self.check_packet(request, moves)?;
                self.packet.slice(place.offset, size).ok_or_else(missing)
            }
            Region::MapValue { map, value } => {
                let map = self.maps.get(map).ok_or_else(missing)?;
                if let Some(why) = map.read_rule() {
                    return Err(request.forbidden(why));
                }
                let value = map.value(value).ok_or_else(|| request.no_memory())?;
                part(value, place.offset, size).ok_or_else(missing)
            }
            Region::Record { map, record } => {
                let bytes = self
                    .record(map, record)
                    .ok_or_else(|| request.no_memory())?;
                part(bytes, place.offset, size).ok_or_else(missing)
            }
            _ => Err(request.no_memory()),
        }
    }

    /// The bytes of a request, to be written.
    fn bytes_mut(&mut self, request: Request) -> Result<&mut [u8], FaultKind> {
        let Request { place, size, .. } = request;
        self.check_writable(request)?;
        let missing = self.missing(request);
        let found = match place.region {
            Region::Stack { frame } => {
                let stack = self.stacks.get_mut(frame);
                stack.and_then(|stack| stack.write(place.offset, size))
            }
            Region::Object { object } => {
                let bytes = self.objects.get_mut(object).and_then(Option::as_mut);
                bytes.and_then(|bytes| part_mut(bytes, place.offset, size))
            }
            Region::Ctx => return self.ctx.memory_mut(place.offset, size),
            Region::Packet { .. } => self.packet.slice_mut(place.offset, size),
            Region::MapValue { map, value } => {
                let value = self.maps.get_mut(map).and_then(|map| map.value_mut(value));
                value.and_then(|value| part_mut(value, place.offset, size))
            }
            Region::Record { map, record } => {
                let ring = self.maps.get_mut(map).and_then(Map::ring);
                let bytes = ring.and_then(|ring| {
                    let number = ring.number(record)?;
                    ring.held_mut(number)
                });
                bytes.and_then(|bytes| part_mut(bytes, place.offset, size))
            }
            _ => None,
        };
        found.ok_or(missing)
    }

    fn check_writable(&self, request: Request) -> Result<(), FaultKind> {
        match request.place.region {
            Region::Packet { moves } => {
                self.check_packet(request, moves)?;
                match self.ctx.packet() {
                    PacketUse::SkbReadOnly => {
                        Err(request.forbidden("programs of this type may only read the packet"))
                    }
                    _ => Ok(()),
                }
            }
            Region::Key { .. } => Err(request.forbidden("keys of maps are only read")),
            Region::MapValue { map, .. } => {
                let rule = self.maps.get(map).and_then(Map::write_rule);
                rule.map_or(Ok(()), |why| Err(request.forbidden(why)))
            }
            _ => Ok(()),
        }
    }

    /// That the program may use pointers to the packet, and that this one is current.
    fn check_packet(&self, request: Request, moves: u32) -> Result<(), FaultKind> {
        if matches!(self.ctx.packet(), PacketUse::SkbHidden | PacketUse::None) {
            return Err(request.forbidden("programs of this type cannot point at the packet"));
        }
        match address::is_window_of(moves, self.packet.moves()) {
            true => Ok(()),
            false => Err(FaultKind::StalePacketPointer {
                access: request.access,
                size: request.size,
            }),
        }
    }

    /// Why no bytes belong to the request.
    fn missing(&self, request: Request) -> FaultKind {
        match request.place.region {
            Region::Stack { frame } if frame < self.stacks.len() => {
                request.out_of_bounds((-(address::STACK_SIZE as i64), 0))
            }
            Region::Object { object } => match self.object(object) {
                Some(bytes) => request.out_of_bounds((0, bytes.len() as i64)),
                None => request.no_memory(),
            },
            Region::Key { frame } if frame < self.stacks.len() => {
                let key = self.stacks.get(frame).map_or(0, |stack| stack.key().len());
                request.out_of_bounds((0, key as i64))
            }
            Region::Packet { .. } => {
                let (meta, data, end) = self.packet.ends();
                let from_data = |position: usize| position as i64 - data as i64;
                let mut request = request;
                request.place.offset -= data as i64;
                request.out_of_bounds((from_data(meta), from_data(end)))
            }
            Region::MapValue { map, value } => {
                match self.maps.get(map).and_then(|map| map.value(value)) {
                    Some(bytes) => request.out_of_bounds((0, bytes.len() as i64)),
                    None => request.no_memory(),
                }
            }
            Region::Record { map, record } => match self.record(map, record) {
                Some(bytes) => request.out_of_bounds((0, bytes.len() as i64)),
                None => request.no_memory(),
            },
            _ => request.no_memory(),
        }
    }

    fn object(&self, object: usize) -> Option<&[u8]> {
        self.objects.get(object)?.as_deref()
    }

    fn record(&self, map: usize, record: u64) -> Option<&[u8]> {
        let ring = self.maps.get(map)?.ring_ref()?;
        ring.held(ring.number(record)?)
    }
}

/// Little-endian bytes, at most 8, as a number.
pub(super) fn number(bytes: &[u8]) -> u64 {
    let digits = bytes.iter().rev().take(8);
    digits.fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Writes the low bytes of `value`, little-endian, as many as there is room for.
fn put(bytes: &mut [u8], value: u64) {
    for (to, from) in bytes.iter_mut().zip(value.to_le_bytes()) {
        *to = from;
    }
}

/// `size` bytes from `offset`, if there are so many.
pub(super) fn part(bytes: &[u8], offset: i64, size: u64) -> Option<&[u8]> {
    let start = usize::try_from(offset).ok()?;
    bytes.get(start..start.checked_add(usize::try_from(size).ok()?)?)
}

/// As [`part`], to be written.
pub(super) fn part_mut(bytes: &mut [u8], offset: i64, size: u64) -> Option<&mut [u8]> {
    let start = usize::try_from(offset).ok()?;
    bytes.get_mut(start..start.checked_add(usize::try_from(size).ok()?)?)
}
