//! The codes of rejections, and of warnings: one table. What each means and how to mend it is a
//! page of its own, `explain/BPF0203.md`, which `ebpfasm explain` shows.
//!
//! A code never changes its meaning, and a code that is no longer used is not used again.
//!
//! Read before: nothing. Read next: `diag.rs`.

use std::fmt;

macro_rules! codes {
    ($($number:literal $variant:ident $title:literal)*) => {
        /// A kind of rejection, or of warning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum Code {
            $(#[doc = $title] $variant = $number,)*
        }

        /// Every code, by number.
        pub const CODES: &[Entry] = &[
            $(Entry {
                code: Code::$variant,
                title: $title,
                page: include_str!(concat!("explain/BPF0", stringify!($number), ".md")),
            },)*
        ];
    };
}

/// What is to be said of a code.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The code.
    pub code: Code,
    /// One line.
    pub title: &'static str,
    /// What it means, a program that shows it, and how to mend it: Markdown.
    pub page: &'static str,
}

codes! {
    101 Unreachable "An instruction can never be reached."
    102 JumpOutOfRange "A jump leaves the program or its function."
    103 JumpIntoWide "A jump goes into the middle of a 16-byte instruction."
    104 FallsOff "Execution runs off the end of a function."
    105 InfiniteLoop "A loop comes back to a state it was in before."
    106 TooComplex "The program has too many instructions to look at."
    107 TooManyBranches "Too many branches wait to be followed."
    108 BackEdge "A jump goes backwards."
    109 Length "The program has no instructions, or too many."
    110 CallDepth "Function calls are nested too deeply."
    111 StackDepth "The functions that can be active at once need too much stack."
    112 Encoding "Bytes are no instruction."
    113 BadBtf "The types that a program is loaded with do not fit it."
    114 LoadFlags "The program is loaded with flags that its type does not take."
    115 MapCreate "A map cannot be created as it is defined."
    201 StackBounds "An access is outside of the stack."
    202 StackUninit "A byte of the stack is read that was never written."
    203 PacketBounds "An access to the packet is not proven to be inside of it."
    204 MapValueBounds "An access is outside of a map's value."
    205 MaybeNull "A pointer that may be null is used."
    206 Context "No such field of the context, or not with this size or direction."
    207 Misaligned "An access is not aligned to its size."
    208 NotAPointer "Memory is accessed through something that is no pointer to memory."
    209 MemoryBounds "An access is outside of a piece of memory."
    210 Spill "A pointer on the stack is written or read in part."
    211 ReadOnly "Memory is written that may only be read."
    212 Atomic "An atomic operation on memory that does not allow it."
    213 Leak "A pointer would become visible."
    214 Arena "An arena is used where there is none, or in a way that arenas are not."
    301 UninitRegister "A register is read that holds nothing."
    302 FramePointer "R10 is written."
    303 PointerArithmetic "Arithmetic that pointers do not allow."
    304 PointerOffset "A pointer would go too far, or nobody knows how far."
    305 DivByZero "A division by the number zero."
    306 Shift "A shift by more bits than the operand has."
    401 UnknownHelper "No helper has this id."
    402 HelperNotAllowed "The program type cannot call this helper."
    403 GplOnly "The helper wants a GPL-compatible license."
    404 ArgumentType "An argument is not what the helper takes."
    405 ArgumentSize "A size is not known well enough, or is zero."
    406 MapKind "The helper does not work on this type of map."
    407 ReferenceLeak "Something that was acquired is not given back."
    408 NotReleasable "Something is released that was not acquired."
    409 PacketLoad "LD_ABS and LD_IND are not possible here."
    410 GlobalFunction "A global function has a prototype that cannot be verified."
    411 TailCall "A tail call is not possible here."
    412 Callback "A helper is given a function that it cannot call back."
    413 CallbackResult "A callback's result is not one that its helper knows."
    414 Dynptr "A dynptr is made, used or overwritten where it cannot be."
    415 ConstantText "A text is not one that the kernel can read before the program runs."
    416 Iterator "An iterator is begun, used or ended where it cannot be."
    417 SpecialField "A part of a map's value that is the kernel's is used as if it were not."
    418 Lock "A lock is taken, held or given back where it cannot be."
    430 UnknownKfunc "The kernel has no such function, field or type."
    431 KfuncNotAllowed "The program cannot call this kernel function."
    432 Untrusted "A pointer may point to what is gone."
    433 Section "A section is open, or is not, where it must not be."
    434 Exception "An exception is thrown or caught where it cannot be."
    435 IrqFlag "Interrupts are turned off or on again where they cannot be."
    501 NoReturnValue "R0 holds nothing when the program ends."
    502 ReturnLeak "The program would return a pointer."
    503 ReturnRange "The result is not one that the program type has."
    504 AttachType "The program type cannot be loaded for this attach type."
    505 AttachTarget "The program is attached to what it cannot be attached to."
    601 NullMemory "A helper is handed memory that may be null."
    602 AboveStack "A function is handed R10 for the address of the slot below it."
    901 NotModelled "This is not modelled here, so that nothing is promised."
    902 KernelTooOld "The kernel is too old for this."
    903 Capability "The loader lacks a capability."
}

/// What becomes of a program that has a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// It is refused.
    Error,
    /// It is accepted.
    Warning,
}

/// The numbers of warnings.
const WARNINGS: std::ops::Range<u16> = 600..700;

impl Code {
    /// What becomes of the program.
    pub fn severity(self) -> Severity {
        match WARNINGS.contains(&self.number()) {
            true => Severity::Warning,
            false => Severity::Error,
        }
    }

    /// The number, as in `BPF0203`.
    pub const fn number(self) -> u16 {
        self as u16
    }

    /// What is to be said of it.
    pub fn entry(self) -> Option<&'static Entry> {
        CODES.iter().find(|entry| entry.code == self)
    }

    /// The code that is written like this, with or without `BPF` and leading zeros.
    pub fn parse(text: &str) -> Option<Code> {
        let digits = text.trim_start_matches(['B', 'P', 'F', 'b', 'p', 'f']);
        let number: u16 = digits.parse().ok()?;
        let entry = CODES.iter().find(|entry| entry.code.number() == number)?;
        Some(entry.code)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BPF{:04}", self.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_ascend_and_parse_back() {
        assert!(CODES.is_sorted_by_key(|entry| entry.code.number()));
        for entry in CODES {
            assert_eq!(Code::parse(&entry.code.to_string()), Some(entry.code));
            assert!(entry.title.ends_with('.'), "{}", entry.code);
        }
        assert_eq!(Code::parse("203"), Some(Code::PacketBounds));
        assert_eq!(Code::parse("BPF9999"), None);
    }
}
