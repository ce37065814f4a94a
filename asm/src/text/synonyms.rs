//! How others spell the rows: one table, beside the rows' own spellings.
//!
//! Each line is a meaning, a spelling, and who prints it so. What can mean only one thing is
//! read in source text too; what only an opcode or raw bytes before it make clear, or what
//! would be misread there, is read in that printer's listings alone.
//!
//! Sources: what llvm-objdump 14 and 22, bpftool 7.1 and Linux 6.18 print.

use crate::isa::{AtomicOp, Callee, Cond, Imm64, Operand, PacketMode, Sem, Size, Width};

/// Who prints a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Printer {
    /// Nobody: people write it in source text.
    Source,
    /// `llvm-objdump -d`.
    Llvm,
    /// `bpftool prog dump xlated`.
    Bpftool,
    /// The kernel's verifier, in its log.
    Verifier,
}

/// A set of printers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Printers(u8);

impl Printers {
    const fn of(printer: Printer) -> Printers {
        Printers(1 << printer as u8)
    }

    const fn and(self, other: Printers) -> Printers {
        Printers(self.0 | other.0)
    }

    pub(super) fn has(self, printer: Printer) -> bool {
        self.meet(Printers::of(printer))
    }

    /// Whether somebody is in both sets.
    pub(super) fn meet(self, other: Printers) -> bool {
        self.0 & other.0 != 0
    }
}

const LLVM: Printers = Printers::of(Printer::Llvm);
const BPFTOOL: Printers = Printers::of(Printer::Bpftool);
const VERIFIER: Printers = Printers::of(Printer::Verifier);
const SOURCE: Printers = Printers::of(Printer::Source);
/// Both of the kernel's printers, which share most of their wording.
const KERNEL: Printers = BPFTOOL.and(VERIFIER);
/// Means the same wherever it stands.
const ANY: Printers = KERNEL.and(LLVM).and(SOURCE);

/// Another spelling of a row.
pub(super) struct Synonym {
    /// The row's meaning.
    pub(super) sem: Sem,
    /// The spelling, with the placeholders that [`crate::text`] documents.
    pub(super) text: &'static str,
    /// In whose text it is read.
    pub(super) by: Printers,
}

const fn of(sem: Sem, text: &'static str, by: Printers) -> Synonym {
    Synonym { sem, text, by }
}

const fn load(size: Size, text: &'static str) -> Synonym {
    of(Sem::Load { size }, text, ANY)
}

const fn store(size: Size, text: &'static str) -> Synonym {
    let operand = Operand::Reg;
    of(Sem::Store { size, operand }, text, ANY)
}

const fn atomic(size: Size, op: AtomicOp, text: &'static str) -> Synonym {
    of(Sem::Atomic { op, size }, text, ANY)
}

/// A 64-bit jump whose `imm` the kernel prints as 32 unsigned bits: in source text that
/// would look like another number, since the sign is extended.
const fn jump(cond: Cond, text: &'static str) -> Synonym {
    let (width, operand) = (Width::W64, Operand::Imm);
    of(
        Sem::Jump {
            cond,
            width,
            operand,
        },
        text,
        KERNEL,
    )
}

const fn imm64(kind: Imm64, text: &'static str, by: Printers) -> Synonym {
    of(Sem::LoadImm64(kind), text, by)
}

const fn call(callee: Callee, text: &'static str, by: Printers) -> Synonym {
    of(Sem::Call(callee), text, by)
}

const fn acquire(size: Size, text: &'static str) -> Synonym {
    of(Sem::LoadAcquire { size }, text, ANY)
}

const fn release(size: Size, text: &'static str) -> Synonym {
    of(Sem::StoreRelease { size }, text, ANY)
}

const fn indirect(size: Size, text: &'static str) -> Synonym {
    let mode = PacketMode::Ind;
    of(Sem::LoadPacket { mode, size }, text, ANY)
}

/// The other spellings; of two that fit a line the first is taken.
#[rustfmt::skip]
pub(super) static SYNONYMS: &[Synonym] = &[
    // What the object has by name: maps, variables, externs.
    imm64(Imm64::MapFd, "{d} = {symbol} ll", SOURCE),
    imm64(Imm64::MapValueFd, "{d} = {symbol}[0] + {ni} ll", SOURCE),

    // LLVM from -mcpu=v3 on, whose alu32 loads and stores name the low halves.
    load(Size::B, "{wd} = *(u8 *)({s} {o})"),
    load(Size::H, "{wd} = *(u16 *)({s} {o})"),
    load(Size::W, "{wd} = *(u32 *)({s} {o})"),
    store(Size::B, "*(u8 *)({d} {o}) = {ws}"),
    store(Size::H, "*(u16 *)({d} {o}) = {ws}"),
    store(Size::W, "*(u32 *)({d} {o}) = {ws}"),

    // LLVM before -mcpu=v3 and the kernel name whole registers in 32-bit atomics.
    atomic(Size::W, AtomicOp::Add, "lock *(u32 *)({d} {o}) += {s}"),
    atomic(Size::W, AtomicOp::Or, "lock *(u32 *)({d} {o}) |= {s}"),
    atomic(Size::W, AtomicOp::And, "lock *(u32 *)({d} {o}) &= {s}"),
    atomic(Size::W, AtomicOp::Xor, "lock *(u32 *)({d} {o}) ^= {s}"),

    // The kernel's fetching atomics, loads with acquire and stores with release.
    atomic(Size::W, AtomicOp::FetchAdd, "{s} = atomic_fetch_add((u32 *)({d} {o}), {s})"),
    atomic(Size::W, AtomicOp::FetchOr, "{s} = atomic_fetch_or((u32 *)({d} {o}), {s})"),
    atomic(Size::W, AtomicOp::FetchAnd, "{s} = atomic_fetch_and((u32 *)({d} {o}), {s})"),
    atomic(Size::W, AtomicOp::FetchXor, "{s} = atomic_fetch_xor((u32 *)({d} {o}), {s})"),
    atomic(Size::W, AtomicOp::Xchg, "{s} = atomic_xchg((u32 *)({d} {o}), {s})"),
    atomic(Size::W, AtomicOp::Cmpxchg, "r0 = atomic_cmpxchg((u32 *)({d} {o}), r0, {s})"),
    atomic(Size::DW, AtomicOp::FetchAdd, "{s} = atomic64_fetch_add((u64 *)({d} {o}), {s})"),
    atomic(Size::DW, AtomicOp::FetchOr, "{s} = atomic64_fetch_or((u64 *)({d} {o}), {s})"),
    atomic(Size::DW, AtomicOp::FetchAnd, "{s} = atomic64_fetch_and((u64 *)({d} {o}), {s})"),
    atomic(Size::DW, AtomicOp::FetchXor, "{s} = atomic64_fetch_xor((u64 *)({d} {o}), {s})"),
    atomic(Size::DW, AtomicOp::Xchg, "{s} = atomic64_xchg((u64 *)({d} {o}), {s})"),
    atomic(Size::DW, AtomicOp::Cmpxchg, "r0 = atomic64_cmpxchg((u64 *)({d} {o}), r0, {s})"),
    acquire(Size::B, "{d} = load_acquire((u8 *)({s} {o}))"),
    acquire(Size::H, "{d} = load_acquire((u16 *)({s} {o}))"),
    acquire(Size::W, "{d} = load_acquire((u32 *)({s} {o}))"),
    release(Size::B, "store_release((u8 *)({d} {o}), {s})"),
    release(Size::H, "store_release((u16 *)({d} {o}), {s})"),
    release(Size::W, "store_release((u32 *)({d} {o}), {s})"),

    // The kernel's numbers in comparisons are hexadecimal and unsigned.
    jump(Cond::Jeq, "if {d} == {x} goto {j}"),
    jump(Cond::Jgt, "if {d} > {x} goto {j}"),
    jump(Cond::Jge, "if {d} >= {x} goto {j}"),
    jump(Cond::Jset, "if {d} & {x} goto {j}"),
    jump(Cond::Jne, "if {d} != {x} goto {j}"),
    jump(Cond::Jsgt, "if {d} s> {x} goto {j}"),
    jump(Cond::Jsge, "if {d} s>= {x} goto {j}"),
    jump(Cond::Jlt, "if {d} < {x} goto {j}"),
    jump(Cond::Jle, "if {d} <= {x} goto {j}"),
    jump(Cond::Jslt, "if {d} s< {x} goto {j}"),
    jump(Cond::Jsle, "if {d} s<= {x} goto {j}"),

    // The 16-byte instruction. LLVM and the verifier do not print all of it.
    imm64(Imm64::MapFd, "ld_pseudo {d}, 1, {x}", ANY),
    imm64(Imm64::MapValueFd, "ld_pseudo {d}, 2, {x}", LLVM),
    imm64(Imm64::Variable, "ld_pseudo {d}, 3, {x}", LLVM),
    imm64(Imm64::Code, "ld_pseudo {d}, 4, {x}", LLVM),
    imm64(Imm64::MapIdx, "ld_pseudo {d}, 5, {x}", ANY),
    imm64(Imm64::MapValueIdx, "ld_pseudo {d}, 6, {x}", LLVM),
    imm64(Imm64::MapFd, "{d} = map[id:{x}]", BPFTOOL),
    imm64(Imm64::MapValueFd, "{d} = map[id:{x}][0]+{ni}", BPFTOOL),
    imm64(Imm64::Code, "{d} = subprog[{ji}]", BPFTOOL),
    imm64(Imm64::Value, "{d} = {i64}", KERNEL),

    // Calls: LLVM prints nothing but `imm`, or of callx a register that the bytes do not name;
    // bpftool the name of an address in the kernel.
    call(Callee::Helper, "call {h#}", ANY),
    call(Callee::Kfunc, "call {remark}#{i}", VERIFIER),
    call(Callee::Helper, "call {remark}#{i}", BPFTOOL),
    call(Callee::Kfunc, "call {remark}#{i}", BPFTOOL),
    call(Callee::Local, "call {ji}#{remark}", BPFTOOL),
    call(Callee::NumberedRegister, "callx {s}", LLVM),
    call(Callee::Local, "call {i}", LLVM),
    call(Callee::Kfunc, "call {i}", LLVM),
    call(Callee::NumberedRegister, "callx {ri}", LLVM),

    // LLVM leaves the number out, the kernel prints it with both signs.
    indirect(Size::B, "r0 = *(u8 *)skb[{s}]"),
    indirect(Size::H, "r0 = *(u16 *)skb[{s}]"),
    indirect(Size::W, "r0 = *(u32 *)skb[{s}]"),
];
