//! The atomic opcodes: RFC 9669 section 5.3, and Linux' ordered loads and stores.

use super::*;

/// The `imm` bit of atomic operations that return the old value, section 5.3.
const FETCH: i32 = 0x01;

/// An atomic operation, section 5.3; `imm` selects it.
const fn atomic(size: Size, op: AtomicOp, imm: i32, text: &'static str) -> Row {
    let group = match size {
        Size::DW => Group::Atomic64,
        _ => Group::Atomic32,
    };
    let (cpu, since) = match op {
        AtomicOp::Add => (Cpu::V1, FIRST),
        _ => (Cpu::V3, (5, 12)),
    };
    row(
        STX | ATOMIC | size_bits(size),
        "ATOMIC",
        text,
        Sem::Atomic { op, size },
    )
    .dst()
    .src(Field::Reg)
    .offset(Any)
    .imm(Is(imm))
    .rfc("5.3", group)
    .cpu(cpu, since)
}

/// The atomic operations of one size, given the spellings of the size and of its registers.
macro_rules! atomics {
    ($size:expr, $mem:literal, $src:literal, $xchg:literal, $r0:literal) => {
        [
            atomics!(@ $size, Add, 0x00, "lock *(", $mem, " *)({d} {o}) += ", $src),
            atomics!(@ $size, Or, 0x40, "lock *(", $mem, " *)({d} {o}) |= ", $src),
            atomics!(@ $size, And, 0x50, "lock *(", $mem, " *)({d} {o}) &= ", $src),
            atomics!(@ $size, Xor, 0xa0, "lock *(", $mem, " *)({d} {o}) ^= ", $src),
            atomics!(@ $size, FetchAdd, FETCH,
                $src, " = atomic_fetch_add((", $mem, " *)({d} {o}), ", $src, ")"),
            atomics!(@ $size, FetchOr, 0x40 | FETCH,
                $src, " = atomic_fetch_or((", $mem, " *)({d} {o}), ", $src, ")"),
            atomics!(@ $size, FetchAnd, 0x50 | FETCH,
                $src, " = atomic_fetch_and((", $mem, " *)({d} {o}), ", $src, ")"),
            atomics!(@ $size, FetchXor, 0xa0 | FETCH,
                $src, " = atomic_fetch_xor((", $mem, " *)({d} {o}), ", $src, ")"),
            atomics!(@ $size, Xchg, 0xe0 | FETCH, $src, " = xchg", $xchg, "({d} {o}, ", $src, ")"),
            atomics!(@ $size, Cmpxchg, 0xf0 | FETCH,
                $r0, " = cmpxchg", $xchg, "({d} {o}, ", $r0, ", ", $src, ")"),
        ]
    };
    (@ $size:expr, $op:ident, $imm:expr, $($text:literal),*) => {
        atomic($size, AtomicOp::$op, $imm, concat!($($text),*))
    };
}

pub(super) const ATOMIC_ROWS: [[Row; 10]; 2] = [
    atomics!(Size::DW, "u64", "{s}", "_64", "r0"),
    atomics!(Size::W, "u32", "{ws}", "32_32", "w0"),
];

/// `BPF_LOAD_ACQ`, an `imm` of the atomic opcodes (Linux 6.15).
const fn load_acquire(size: Size, text: &'static str) -> Row {
    row(
        STX | ATOMIC | size_bits(size),
        "LOAD_ACQ",
        text,
        Sem::LoadAcquire { size },
    )
    .dst()
    .src(Field::Reg)
    .offset(Any)
    .imm(Is(0x100))
    .cpu(Cpu::V4, (6, 15))
}

/// `BPF_STORE_REL`, an `imm` of the atomic opcodes (Linux 6.15).
const fn store_release(size: Size, text: &'static str) -> Row {
    row(
        STX | ATOMIC | size_bits(size),
        "STORE_REL",
        text,
        Sem::StoreRelease { size },
    )
    .dst()
    .src(Field::Reg)
    .offset(Any)
    .imm(Is(0x110))
    .cpu(Cpu::V4, (6, 15))
}

pub(super) const ORDERED_ROWS: [Row; 8] = [
    load_acquire(Size::B, "{wd} = load_acquire((u8 *)({s} {o}))"),
    load_acquire(Size::H, "{wd} = load_acquire((u16 *)({s} {o}))"),
    load_acquire(Size::W, "{wd} = load_acquire((u32 *)({s} {o}))"),
    load_acquire(Size::DW, "{d} = load_acquire((u64 *)({s} {o}))"),
    store_release(Size::B, "store_release((u8 *)({d} {o}), {ws})"),
    store_release(Size::H, "store_release((u16 *)({d} {o}), {ws})"),
    store_release(Size::W, "store_release((u32 *)({d} {o}), {ws})"),
    store_release(Size::DW, "store_release((u64 *)({d} {o}), {s})"),
];
