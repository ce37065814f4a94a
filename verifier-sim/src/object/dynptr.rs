//! Dynptrs: descriptors of memory whose size is known only when the program runs.
//!
//! A `struct bpf_dynptr` takes two slots of the stack, which only helpers read and write: a
//! program that writes to one of them ends the dynptr. What a helper hands out of the memory, a
//! slice, ends with its dynptr. A dynptr of a ring buffer record must be given back, and is not
//! overwritten before.
//!
//! Described in bpf-helpers(7) and, for callbacks, in the kernel's
//! `Documentation/bpf/map_user_ringbuf.rst`; messages as observed on Linux 6.18.
//!
//! Read before: `memory/stack_access.rs`, `stack_object.rs`. Read next: `call/result.rs`.

use crate::codes::Code;
use crate::diag::{Checked, Place, Rejection};
use crate::memory::mem::{Direction, MemAccess, Stored};
use crate::memory::region::{FixedOffset, changed_pointer};
use crate::object::stack_object::{Spot, spot};
use crate::step::machine::Machine;
use crate::value::bytes::{Byte, Bytes};
use crate::value::reg::{Kind, RegState};
use crate::value::stack::{SLOT_SIZE, Slot, slots_between};
use crate::value::state::Reference;
use ebpf_asm::helper::DynptrType;
use ebpf_asm::insn::Reg;
use ebpf_asm::isa::{KernelVersion, Size};

/// Where a dynptr is.
const WHOLE: &str = "let it be a struct bpf_dynptr on the stack, at a place of its own, and hand over \
                     the address of its beginning";

/// How many slots of the stack a `struct bpf_dynptr` takes.
const SLOTS: i64 = 2;

/// Since when a dynptr is made where another is.
const MADE_OVER: KernelVersion = (6, 3);

/// The kernel's name for one.
const NAME: &str = "dynptr";

/// A dynptr on a stack.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OnStack {
    /// The function whose stack it is.
    depth: u8,
    /// Its first slot.
    state: RegState,
}

/// A piece of the memory behind a dynptr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Slice {
    /// How many bytes.
    pub(crate) bytes: u32,
    /// The id of the dynptr.
    pub(crate) dynptr: u32,
    /// With what it ends.
    pub(crate) ends_with: EndsWith,
    /// What may be done with it.
    pub(crate) access: Access,
}

/// With what a slice ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum EndsWith {
    /// With its dynptr: one that a helper handed out.
    Dynptr,
    /// With the memory: one of a kernel function, of memory that stays. To Linux 6.18 a
    /// ring buffer record is such, even when it is given back.
    Memory,
    /// When the packet moves: one of a kernel function, of a packet.
    Packet,
}

/// What may be done with memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Access {
    /// It is read.
    Read,
    /// It is read and written.
    Write,
}

impl Slice {
    /// One that a helper hands out.
    pub(crate) fn of_dynptr(bytes: u32, dynptr: u32) -> Slice {
        Slice {
            bytes,
            dynptr,
            ends_with: EndsWith::Dynptr,
            access: Access::Write,
        }
    }

    /// One that a kernel function hands out.
    pub(crate) fn of_memory(bytes: u32, dynptr: u32, of: DynptrType, access: Access) -> Slice {
        let ends_with = match of.is_packet() {
            true => EndsWith::Packet,
            false => EndsWith::Memory,
        };
        Slice {
            bytes,
            dynptr,
            ends_with,
            access,
        }
    }
}

/// Why a dynptr cannot be made where a register points to.
enum NoRoom {
    /// A dynptr is there.
    Occupied,
    /// None can be there, in the kernel's words.
    Elsewhere(String),
}

impl NoRoom {
    fn rejection(self) -> Box<Rejection> {
        let occupied = "Dynptr has to be an uninitialized dynptr";
        match self {
            NoRoom::Occupied => Rejection::new(Code::Dynptr, occupied),
            NoRoom::Elsewhere(words) => Rejection::new(Code::Dynptr, words).adds(occupied),
        }
    }
}

impl Machine<'_, '_> {
    /// That an argument of a function, the one of this index, points to a dynptr.
    pub(crate) fn check_dynptr_param(&mut self, index: usize, reg: Reg) -> Checked<RegState> {
        let value = self.dynptr_param(index, reg)?;
        self.check_dynptr(reg, &value)
    }

    /// That such an argument points to where a dynptr may be.
    pub(crate) fn dynptr_param(&self, index: usize, reg: Reg) -> Checked<RegState> {
        let value = *self.state.reg(reg);
        if !matches!(value.kind, Kind::Stack(_) | Kind::Dynptr(_)) {
            let message =
                format!("arg#{index} expected pointer to stack or const struct bpf_dynptr");
            return Err(Rejection::new(Code::ArgumentType, message)
                .label(format!("R{} is {}", reg.number(), value.in_words()))
                .because(value.origin.made, format!("R{} is made here", reg.number()))
                .help("hand over the address of a struct bpf_dynptr on the stack"));
        }
        check_whole_dynptr(reg, &value)?;
        Ok(value)
    }

    /// That a register points to a dynptr; gives the dynptr.
    pub(crate) fn check_dynptr(&mut self, reg: Reg, value: &RegState) -> Checked<RegState> {
        if matches!(value.kind, Kind::Dynptr(_)) {
            return Ok(*value);
        }
        match self.dynptr_at(value) {
            Ok(Some(found)) => Ok(found.state),
            Ok(None) => Err(uninitialised(reg, value, None)),
            Err(words) => Err(uninitialised(reg, value, Some(words))),
        }
    }

    /// That a register points to a dynptr that must be given back; gives the dynptr.
    pub(crate) fn check_released_dynptr(
        &mut self,
        reg: Reg,
        value: &RegState,
        wanted: DynptrType,
    ) -> Checked<OnStack> {
        if matches!(value.kind, Kind::Dynptr(_)) {
            let message = "cannot release unowned const bpf_dynptr";
            return Err(Rejection::new(Code::NotReleasable, message)
                .label("the dynptr is the helper's that called this function back")
                .help("leave the call out: the helper gives the record back itself"));
        }
        let acquired = match spot(value, NAME, SLOTS) {
            Ok(spot) => self.slot_at(spot).reg.ref_id != 0,
            Err(words) => {
                return Err(Rejection::new(Code::Dynptr, words)
                    .label("no dynptr can be at this place")
                    .help(WHOLE));
            }
        };
        if !acquired {
            let message = format!("arg {} is an unacquired reference", reg.number());
            return Err(Rejection::new(Code::NotReleasable, message)
                .label("is not where a dynptr is that must be given back")
                .because(value.origin.made, "the address is made here")
                .help(
                    "submit or discard a dynptr of bpf_ringbuf_reserve_dynptr once on each path, \
                     also where reserving it failed; its clones end with it",
                ));
        }
        match self.dynptr_at(value) {
            Ok(Some(found)) if found.state.kind == Kind::Dynptr(wanted) => Ok(found),
            Ok(Some(_)) => {
                let (number, name) = (reg.number() - 1, wanted.name());
                let message = format!("Expected a dynptr of type {name} as arg #{number}");
                Err(Rejection::new(Code::Dynptr, message)
                    .label("is a dynptr of another type")
                    .help("hand over the one that the call is for"))
            }
            Ok(None) => Err(uninitialised(reg, value, None)),
            Err(words) => Err(uninitialised(reg, value, Some(words))),
        }
    }

    /// That a register points to where a dynptr can be made.
    pub(crate) fn check_uninit_dynptr(&mut self, reg: Reg, value: &RegState) -> Checked {
        let Spot { depth, .. } = self.room_for_dynptr(value).map_err(|why| {
            why.rejection()
                .label("is not 16 bytes of the stack, at a multiple of 8 that is known")
                .because(value.origin.made, "the address is made here")
                .help(WHOLE)
        })?;
        for off in [0, 8] {
            let access = MemAccess {
                reg,
                off,
                size: Size::DW,
                direction: Direction::Write,
            };
            self.write_stack(depth, value, access, Stored::Unknown)?;
        }
        Ok(())
    }

    fn room_for_dynptr(&mut self, value: &RegState) -> Result<Spot, NoRoom> {
        if matches!(value.kind, Kind::Dynptr(_)) {
            return Err(NoRoom::Occupied);
        }
        let place = spot(value, NAME, SLOTS).map_err(NoRoom::Elsewhere)?;
        match self.is_kept_for_good(place) {
            true => Err(NoRoom::Occupied),
            false => Ok(place),
        }
    }

    /// Whether a dynptr is at a place, and the kernel too old to have another made there: Linux
    /// 6.1 refused it, and 6.12 did not.
    fn is_kept_for_good(&mut self, place: Spot) -> bool {
        let slots = [place.off, place.off.saturating_add(SLOT_SIZE)];
        !self.env.config.since(MADE_OVER)
            && slots
                .into_iter()
                .any(|off| is_dynptr(&self.slot_at(Spot { off, ..place })))
    }

    /// Makes a dynptr where there is room for it, as was checked. One of a record is acquired,
    /// unless it is another name for something that was.
    pub(crate) fn make_dynptr(&mut self, value: &RegState, of: DynptrType, owner: Option<u32>) {
        let Ok(Spot { depth, off }) = spot(value, NAME, SLOTS) else {
            return;
        };
        let mut dynptr = RegState::pointer(Kind::Dynptr(of)).made(self.here());
        dynptr.id = self.new_id();
        if of.is_owned() {
            dynptr.ref_id = owner.unwrap_or_else(|| self.acquire());
        }
        if let Some(frame) = self.state.frame_at(depth) {
            for half in [0, 8] {
                dynptr.off = half;
                let slot = Slot {
                    bytes: Bytes::all(Byte::Dynptr),
                    reg: dynptr.into(),
                };
                frame.stack.set_slot(off + i64::from(half), slot);
            }
        }
    }

    /// A new reference, acquired here.
    pub(crate) fn acquire(&mut self) -> u32 {
        let id = self.new_id();
        let acquired_at = self.slot;
        self.state
            .owed_mut()
            .references
            .push(Reference { id, acquired_at });
        id
    }

    /// The helper takes back what a dynptr stands for: it ends, and so do its clones.
    pub(crate) fn release_dynptr(&mut self, dynptr: &OnStack) {
        let owner = dynptr.state.ref_id;
        self.release_reference(owner);
        if let Some(frame) = self.state.frame_at(dynptr.depth) {
            for slot in frame.stack.slots_mut() {
                if is_dynptr(slot) && slot.reg.ref_id == owner {
                    *slot = Slot::INVALID;
                }
            }
        }
    }

    /// Before bytes of a stack are written: ends the dynptrs that they belong to.
    pub(crate) fn end_dynptrs(&mut self, depth: u8, off: i64, size: i64) -> Checked {
        let first = off.div_euclid(SLOT_SIZE) * SLOT_SIZE;
        for at in (first..off + size).step_by(SLOT_SIZE as usize) {
            let stack = self.state.stack_at(depth);
            let slot = stack.and_then(|stack| stack.known_slot(at));
            let Some(slot) = slot.filter(|slot| is_dynptr(slot)).cloned() else {
                continue;
            };
            if slot.reg.ref_id != 0 {
                return Err(owned_is_overwritten(slot.reg.origin.made));
            }
            let begin = at - i64::from(slot.reg.off);
            if let Some(frame) = self.state.frame_at(depth) {
                for half in [0, SLOT_SIZE] {
                    frame.stack.set_slot(begin + half, Slot::INVALID);
                }
            }
            self.end_slices(slot.reg.id);
        }
        Ok(())
    }

    /// Slices of a dynptr are numbers from here on.
    fn end_slices(&mut self, dynptr: u32) {
        let gone = self.gone();
        let ends = |reg: &RegState| {
            matches!(reg.kind, Kind::Slice(slice)
                if slice.dynptr == dynptr && slice.ends_with == EndsWith::Dynptr)
        };
        self.state.change_regs(ends, |reg| *reg = gone.left_of(reg));
    }

    /// The dynptr that a register points to the beginning of, or why there can be none.
    fn dynptr_at(&mut self, value: &RegState) -> Result<Option<OnStack>, String> {
        let spot = spot(value, NAME, SLOTS)?;
        let end = spot.off.saturating_add(SLOTS * SLOT_SIZE);
        self.notes.read(spot.depth, slots_between(spot.off, end));
        let state = *self.slot_at(spot).reg;
        let begins = matches!(state.kind, Kind::Dynptr(_)) && state.off == 0;
        let depth = spot.depth;
        Ok(begins.then_some(OnStack { depth, state }))
    }

    fn slot_at(&mut self, spot: Spot) -> Slot {
        let stack = self.state.stack_at(spot.depth);
        let slot = stack.map(|stack| stack.slot(spot.off));
        slot.filter(is_dynptr).unwrap_or(Slot::INVALID)
    }

    /// That no dynptr is among the bytes that a helper fills, for it might be at work with it.
    pub(crate) fn check_no_dynptr(&mut self, depth: u8, first: i64, size: i64) -> Checked {
        let Some(stack) = self.state.stack_at(depth) else {
            return Ok(());
        };
        let found = (first..first + size).find(|&off| stack.byte(off) == Byte::Dynptr);
        match found {
            None => Ok(()),
            Some(off) => {
                let message = format!("potential write to dynptr at off={off} disallowed");
                Err(Rejection::new(Code::Dynptr, message)
                    .label("a helper would fill memory in which there is a dynptr")
                    .help("let it fill a buffer of its own"))
            }
        }
    }

    /// What is left of a pointer to something that is gone.
    pub(crate) fn gone(&self) -> RegState {
        let left = match self.env.config.may_leak_pointers() {
            true => RegState::unknown(),
            false => RegState::NOT_INIT,
        };
        left.made(self.here())
    }
}

/// That memory is such as a dynptr can stand for: in a value of a map.
pub(crate) fn check_dynptr_memory(reg: Reg, value: &RegState) -> Checked {
    if matches!(value.kind, Kind::MapValue(_)) {
        return Ok(());
    }
    let name = value.type_name();
    let message = format!("Unsupported reg type {name} for bpf_dynptr_from_mem data");
    Err(Rejection::new(Code::ArgumentType, message)
        .label(format!(
            "R{} does not point to a value of a map",
            reg.number()
        ))
        .because(value.origin.made, "the memory comes from here")
        .help(
            "let the memory be in a value of a map: of the stack there are no dynptrs, and of \
             packets there are those that bpf_dynptr_from_skb and bpf_dynptr_from_xdp make",
        ))
}

/// That a pointer to a dynptr that a callback was handed is not changed.
pub(crate) fn check_whole_dynptr(reg: Reg, value: &RegState) -> Checked {
    if !matches!(value.kind, Kind::Dynptr(_)) {
        return Ok(());
    }
    let Some(message) = changed_pointer(reg, value, FixedOffset::Refused) else {
        return Ok(());
    };
    Err(Rejection::new(Code::Dynptr, message)
        .label("is not what the callback was handed")
        .because(value.origin.made, "the address is made here")
        .help("hand over the dynptr as it was given, and the offset as an argument"))
}

fn is_dynptr(slot: &Slot) -> bool {
    slot.bytes.of(Byte::Dynptr).has_first()
}

/// What the kernel says where no dynptr is, unless it knows why none can be there.
fn uninitialised(reg: Reg, value: &RegState, words: Option<String>) -> Box<Rejection> {
    let number = reg.number() - 1;
    let plain = format!("Expected an initialized dynptr as arg #{number}");
    let refused = match words {
        Some(words) => Rejection::new(Code::Dynptr, words).adds(plain),
        None => Rejection::new(Code::Dynptr, plain),
    };
    refused
        .label(format!(
            "R{} does not point to the beginning of a dynptr that was made",
            reg.number()
        ))
        .because(value.origin.made, "the address is made here")
        .help(
            "make one there first, as with bpf_dynptr_from_mem or bpf_ringbuf_reserve_dynptr, and \
             leave its 16 bytes alone: writing to them ends it, and so does giving it back",
        )
}

fn owned_is_overwritten(made: Place) -> Box<Rejection> {
    Rejection::new(Code::Dynptr, "cannot overwrite referenced dynptr")
        .label("writes to a dynptr that must be given back")
        .because(made, "the dynptr is made here")
        .help("submit or discard the record first")
}
