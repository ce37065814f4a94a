//! A state as text, in the spelling of the kernel's log (`log_level` 2).
//!
//! A register is `R1=pkt(off=14,r=14)`: the type, then what is known of it, where a bound is
//! left out that says nothing, and bounds of one number are joined (`smin=smin32=0`). A slot
//! of the stack is `fp-8=mmmm????`, a character a byte, or what is spilled there.
//!
//! Observed on Linux 6.18; `Documentation/bpf/verifier.rst`, "Understanding eBPF verifier
//! messages", describes it.
//!
//! Read before: `value/state.rs`. Read next: `watch.rs`.

use crate::env::Env;
use crate::object::iterator::{Iterator, Progress};
use crate::value::bounds::Bounds;
use crate::value::btf_ptr::Marks;
use crate::value::bytes::Byte;
use crate::value::reg::{Kind, Link, PacketRange, RegState};
use crate::value::scalar::Scalar;
use crate::value::stack::{SLOT_SIZE, Slot};
use crate::value::state::{Entered, State};
use ebpf_asm::helper::DynptrType;

/// The state of a program between two instructions, as text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// The active functions, the innermost last.
    pub frames: Vec<FrameSnapshot>,
    /// The ids of what was acquired and must be given back: references, locks, and what interrupts
    /// were disabled by, in the order in which they were acquired.
    pub references: Vec<u32>,
}

/// The state of one function, as text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FrameSnapshot {
    /// The registers that hold something, by number: `pkt(off=14,r=14)`.
    pub regs: Vec<(usize, String)>,
    /// The slots of the stack that hold something, by offset from R10, the highest first.
    pub stack: Vec<(i64, String)>,
    /// Who entered it.
    pub entered: EnteredBy,
}

/// Who entered a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EnteredBy {
    /// The program, or the function is where execution began.
    #[default]
    Program,
    /// A helper or a function of the kernel that calls it back.
    Callback,
    /// The kernel, at a time of its own.
    Later,
}

impl EnteredBy {
    fn of(entered: &Entered) -> EnteredBy {
        match entered {
            Entered::Call => EnteredBy::Program,
            Entered::Callback(_) => EnteredBy::Callback,
            Entered::Later { .. } => EnteredBy::Later,
        }
    }
}

impl Snapshot {
    pub(crate) fn of(env: &Env<'_>, state: &State) -> Snapshot {
        let frames = (0..)
            .zip(state.frames())
            .map(|(depth, frame)| FrameSnapshot {
                regs: (0..)
                    .zip(&frame.regs)
                    .filter(|(_, reg)| !reg.is_nothing())
                    .map(|(number, reg)| (number, spelled(env, depth, reg)))
                    .collect(),
                stack: (1..)
                    .zip(frame.stack.slots())
                    .filter_map(|(number, slot)| {
                        Some((-SLOT_SIZE * number, held(env, depth, slot)?))
                    })
                    .collect(),
                entered: EnteredBy::of(&frame.entered),
            });
        let owed = state.owed();
        let acquired = owed.references.iter().chain(&owed.irq_flags);
        let acquired = acquired.map(|reference| (reference.id, reference.id));
        // Of what is acquired the id is new, of a lock that of the value which it is in.
        let taken = owed.locks.iter().map(|lock| (lock.taken_behind, lock.id));
        let mut references: Vec<(u32, u32)> = acquired.chain(taken).collect();
        references.sort_by_key(|(when, _)| *when);
        Snapshot {
            frames: frames.collect(),
            references: references.into_iter().map(|(_, id)| id).collect(),
        }
    }
}

/// What a slot of the function at `depth` holds; nothing if none of it was ever written.
fn held(env: &Env<'_>, depth: u8, slot: &Slot) -> Option<String> {
    if let Kind::Dynptr(of) = slot.reg.kind
        && slot.bytes.of(Byte::Dynptr).is_any()
    {
        return dynptr(of, &slot.reg);
    }
    if let Kind::Iterator(of) = slot.reg.kind
        && slot.bytes.of(Byte::Iterator).is_any()
    {
        return iterator(env, of, slot.reg.ref_id);
    }
    let letters: String = slot.bytes.iter().rev().map(letter).collect();
    if slot.spill_size() == 0 {
        let written = !slot.bytes.of(Byte::Invalid).is_all();
        return written.then_some(letters);
    }
    let unspilled = letters.trim_end_matches(letter(Byte::Spill));
    Some(format!("{unspilled}{}", spelled(env, depth, &slot.reg)))
}

/// A dynptr, at its first slot.
fn dynptr(of: DynptrType, reg: &RegState) -> Option<String> {
    let id = reg.id;
    let owner = match reg.ref_id {
        0 => String::new(),
        owner => format!(",ref_id={owner}"),
    };
    let text = format!("dynptr_{}(id={id}{owner},dynptr_id={id})", of.name());
    (reg.off == 0).then_some(text)
}

/// An iteration, at its first slot.
fn iterator(env: &Env<'_>, of: Iterator, owner: u32) -> Option<String> {
    let name = env.kernel.btf().map_or("", |btf| btf.name(of.ty));
    let name = name.strip_prefix("bpf_").unwrap_or(name);
    let state = match of.progress {
        Progress::Active => "active",
        Progress::Drained => "drained",
    };
    let text = format!("{name}(ref_id={owner},state={state},depth={})", of.given);
    (owner != 0).then_some(text)
}

/// A byte of a slot: the highest address stands first.
fn letter(byte: Byte) -> char {
    match byte {
        Byte::Invalid => '?',
        Byte::Misc => 'm',
        Byte::Zero => '0',
        Byte::Spill => 'r',
        Byte::Dynptr => 'd',
        Byte::Iterator => 'i',
        Byte::IrqFlag => 'f',
    }
}

/// What a register of the function at `depth` holds.
fn spelled(env: &Env<'_>, depth: u8, reg: &RegState) -> String {
    match (reg.kind, reg.as_constant(), reg.constant_var_off()) {
        (Kind::Scalar, Some(number), _) => signed(number as i64),
        (Kind::Scalar, None, _) => format!("scalar({})", known(env, reg)),
        (Kind::Stack(of), _, Some(var_off)) => {
            let frame = if of == depth {
                String::new()
            } else {
                format!("[{of}]")
            };
            format!("fp{frame}{}", signed(i64::from(reg.off) + var_off))
        }
        (Kind::Stack(of), _, None) if of != depth => format!("fp[{of}]({})", known(env, reg)),
        (Kind::Btf(pointer), ..) => {
            let name = env.structure_name(pointer);
            format!("{}{name}({})", reg.type_name(), known(env, reg))
        }
        // Of an address in the arena nothing is known, and the kernel says so.
        (Kind::Arena, ..) => reg.type_name().to_string(),
        _ => format!("{}({})", reg.type_name(), known(env, reg)),
    }
}

/// What is known of a register besides its type.
fn known(env: &Env<'_>, reg: &RegState) -> String {
    let mut facts = Vec::new();
    if reg.id != 0 {
        facts.push(match reg.link != Link::Same {
            true => format!("id={}{:+}", reg.id, reg.off),
            false => format!("id={}", reg.id),
        });
    }
    if reg.ref_id != 0 {
        facts.push(format!("ref_obj_id={}", reg.ref_id));
    }
    if matches!(reg.kind, Kind::Btf(pointer) if pointer.marks.has(Marks::NON_OWNING)) {
        facts.push("non_own_ref".to_owned());
    }
    if let Some(index) = reg.kind.map() {
        facts.extend(env.map_name(index).map(|name| format!("map={name}")));
        let map = env.map(index);
        facts.extend(map.map(|map| format!("ks={},vs={}", map.key_size, map.value_size)));
    }
    if !reg.is_scalar() && reg.off != 0 {
        facts.push(format!("off={}", signed(reg.off.into())));
    }
    if reg.is_packet() {
        facts.push(format!("r={}", unsigned(range(reg.range))));
    }
    match reg.kind {
        Kind::RingbufMem(size) | Kind::Mem(size) | Kind::ReadOnlyMem(size) => {
            facts.push(format!("sz={}", unsigned(size.into())));
        }
        Kind::UntrustedMem => facts.push("sz=0".to_owned()),
        Kind::Slice(slice) => facts.push(format!("sz={}", unsigned(slice.bytes.into()))),
        Kind::Dynptr(of) => facts.push(format!("type={}", of.name())),
        _ => {}
    }
    match reg.constant_var_off() {
        Some(0) => {}
        Some(number) if !reg.is_scalar() => facts.push(format!("imm={number:#x}")),
        _ => facts.extend(bounds(&reg.scalar)),
    }
    facts.join(",")
}

/// The bounds that say something, those of one number joined, and the known bits.
fn bounds(scalar: &Scalar) -> Vec<String> {
    let mut left = Bound::all(scalar);
    let mut facts = Vec::new();
    while let Some(first) = left.first().copied() {
        let (same, others): (Vec<_>, Vec<_>) = left.into_iter().partition(|b| b.joins(&first));
        let names = same.iter().map(|bound| format!("{}=", bound.name));
        facts.push(names.collect::<String>() + &first.spelled());
        left = others;
    }
    if scalar.tnum.mask() != u64::MAX {
        facts.push(format!("var_off={}", scalar.tnum));
    }
    facts
}

/// One bound of a number.
#[derive(Debug, Clone, Copy)]
struct Bound {
    name: &'static str,
    /// The bound, as 64 bits.
    bits: u64,
    is_signed: bool,
    is_least: bool,
}

impl Bound {
    /// Whether the log names it together with another: both are the least numbers, or both the
    /// greatest, and they are the same number.
    fn joins(&self, other: &Bound) -> bool {
        let same = self.bits == other.bits && self.is_negative() == other.is_negative();
        same && self.is_least == other.is_least
    }

    fn is_negative(&self) -> bool {
        self.is_signed && (self.bits as i64) < 0
    }

    /// Those that say something, in the order of the log.
    fn all(scalar: &Scalar) -> Vec<Bound> {
        let Bounds { s64, u64, s32, u32 } = scalar.bounds;
        let signed = |name, bound: i64, trivial: i64| (name, bound as u64, trivial as u64, true);
        let unsigned = |name, bound: u64, trivial: u64| (name, bound, trivial, false);
        let all = [
            signed("smin", s64.min, i64::MIN),
            signed("smax", s64.max, i64::MAX),
            unsigned("umin", u64.min, u64::MIN),
            unsigned("umax", u64.max, u64::MAX),
            signed("smin32", half(s32.min), half(i32::MIN)),
            signed("smax32", half(s32.max), half(i32::MAX)),
            unsigned("umin32", u32.min.into(), u32::MIN.into()),
            unsigned("umax32", u32.max.into(), u32::MAX.into()),
        ];
        let telling = all
            .into_iter()
            .filter(|(_, bound, trivial, _)| bound != trivial);
        telling
            .map(|(name, bits, _, is_signed)| Bound {
                name,
                bits,
                is_signed,
                is_least: name.contains("min"),
            })
            .collect()
    }

    fn spelled(self) -> String {
        match self.is_signed {
            true => signed(self.bits as i64),
            false => unsigned(self.bits),
        }
    }
}

/// A signed number of 32 bits as one of 64 that is spelled as it: what is in hexadecimal has no
/// more digits than it needs.
fn half(number: i32) -> i64 {
    match i16::try_from(number) {
        Ok(small) => small.into(),
        Err(_) => (number as u32).into(),
    }
}

/// A number as the log has it: small ones in decimal.
fn signed(number: i64) -> String {
    match i16::try_from(number) {
        Ok(small) => small.to_string(),
        Err(_) => format!("{number:#x}"),
    }
}

/// The same of an unsigned number.
fn unsigned(number: u64) -> String {
    match u16::try_from(number) {
        Ok(small) => small.to_string(),
        Err(_) => format!("{number:#x}"),
    }
}

/// How far a packet pointer is known to be inside: a number of bytes, or how the kernel says
/// that it is at the end or beyond.
fn range(range: PacketRange) -> u64 {
    match range {
        PacketRange::Bytes(bytes) => bytes.into(),
        PacketRange::AtEnd => -1i64 as u64,
        PacketRange::BeyondEnd => -2i64 as u64,
    }
}
