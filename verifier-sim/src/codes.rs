//! The codes of rejections: one table, with what each means and how to mend it.
//!
//! A code never changes its meaning, and a code that is no longer used is not used again.
//!
//! Read before: nothing. Read next: `diag.rs`.

use std::fmt;

macro_rules! codes {
    ($($number:literal $variant:ident $title:literal $text:literal)*) => {
        /// A kind of rejection.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum Code {
            $(#[doc = $title] $variant = $number,)*
        }

        /// Every code, by number.
        pub const CODES: &[Entry] = &[
            $(Entry { code: Code::$variant, title: $title, text: $text },)*
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
    /// What it means and how to mend it.
    pub text: &'static str,
}

codes! {
    101 Unreachable "An instruction can never be reached."
        "The kernel refuses code that no path from the first instruction leads to. Remove the \
         instructions, or jump to them. Compilers leave such code behind a call that never returns."
    102 JumpOutOfRange "A jump leaves the program or its function."
        "The target of a jump must be an instruction of the same function. Distances count slots of \
         8 bytes from the end of the jump, and a 16-byte instruction takes two slots."
    103 JumpIntoWide "A jump goes into the middle of a 16-byte instruction."
        "The second slot of LD_IMM64 is no instruction. Count it when you compute a distance, or use \
         labels."
    104 FallsOff "Execution runs off the end of a function."
        "The last instruction of each function must be EXIT or an unconditional jump."
    105 InfiniteLoop "A loop comes back to a state it was in before."
        "Nothing that the loop depends on changed in one round, so that it would never end. Count \
         towards a bound, and let the jump compare with the counter."
    106 TooComplex "The program has too many instructions to look at."
        "The kernel follows at most one million instructions over all paths. Shorten loops, forget \
         what need not be known (for example by storing and loading), or split the program with tail \
         calls."
    107 TooManyBranches "Too many branches wait to be followed."
        "The kernel keeps at most 8192 branches that it has yet to follow."
    108 BackEdge "A jump goes backwards."
        "Kernels before 5.3, and newer ones for loaders without CAP_BPF, refuse every loop. Unroll it."
    109 Length "The program has no instructions, or too many."
        "A program has at least one instruction, and at most one million (4096 without CAP_BPF)."
    110 CallDepth "Function calls are nested too deeply."
        "At most 8 functions may be active at once. A function may not call itself."
    111 StackDepth "The functions that can be active at once need too much stack."
        "The frames of a chain of calls together have 512 bytes, each rounded up to 32."
    112 Encoding "Bytes are no instruction."
        "No instruction has this opcode, or the instruction does not allow what stands in one of its \
         fields: fields that it has no use for must be zero. RFC 9669 lists the instructions."
    113 BadBtf "The types that a program is loaded with do not fit it."
        "func_info names the first instruction and the type, a FUNC, of each function, in order."
    114 LoadFlags "The program is loaded with flags that its type does not take."
        "prog_flags of BPF_PROG_LOAD are listed in linux/bpf.h."
    201 StackBounds "An access is outside of the stack."
        "The stack frame is the 512 bytes below R10: R10-512 up to R10-1. An access must lie in it \
         with all of its bytes, also when its address is computed."
    202 StackUninit "A byte of the stack is read that was never written."
        "Write before reading. With CAP_PERFMON, kernels since 6.3 allow the read."
    203 PacketBounds "An access to the packet is not proven to be inside of it."
        "Before packet bytes are touched, a comparison of a packet pointer with data_end must prove \
         that they exist: `if data + N > data_end, leave` proves the bytes 0..N for every pointer \
         derived from that `data` by constants. Adding an unknown number to a packet pointer ends what \
         was proven, and so does a helper that may move the packet."
    204 MapValueBounds "An access is outside of a map's value."
        "The value has value_size bytes. An index into it must be bounded by a comparison or a mask \
         before it is added to the pointer."
    205 MaybeNull "A pointer that may be null is used."
        "map_lookup_elem and the like return null when there is nothing. Compare the result with 0 \
         and use it only where it is not."
    206 Context "No such field of the context, or not with this size or direction."
        "The context is accessed at the fields of its UAPI struct: at their offsets, with their sizes, \
         writing only where the program type may. The pointer must be the one that the program \
         received, unchanged."
    207 Misaligned "An access is not aligned to its size."
        "Accesses to the stack, and atomic ones anywhere, must be aligned to their size."
    208 NotAPointer "Memory is accessed through something that is no pointer to memory."
        "A number is no address. A pointer becomes a number when it is loaded with less than 8 bytes, \
         when it is partly overwritten on the stack, or when arithmetic other than adding and \
         subtracting a number is done to it."
    209 MemoryBounds "An access is outside of a piece of memory."
        "The memory, such as a ring buffer record, has a size that is known to the verifier."
    210 Spill "A pointer on the stack is written or read in part."
        "Pointers go to the stack and back whole: 8 bytes, at a multiple of 8."
    211 ReadOnly "Memory is written that may only be read."
        "The map was made read-only for programs, or the program type may not write there."
    212 Atomic "An atomic operation on memory that does not allow it."
        "Atomic operations work on the stack, map values and the like; not on the context or packets."
    213 Leak "A pointer would become visible."
        "Without CAP_PERFMON, a pointer must not be stored where user space or others can see it, \
         compared, returned or turned into a number."
    301 UninitRegister "A register is read that holds nothing."
        "At the beginning only R1 (the context) and R10 (the frame) hold something. A call leaves its \
         result in R0 and takes R1 to R5 away."
    302 FramePointer "R10 is written."
        "R10 points to the frame of the function and cannot change. Copy it first."
    303 PointerArithmetic "Arithmetic that pointers do not allow."
        "To a pointer one can add a number, and subtract a number from it, with 64-bit instructions; \
         not to data_end, to a map, or to what may be null."
    304 PointerOffset "A pointer would go too far, or nobody knows how far."
        "What is added to a pointer must be bounded on both sides, by less than 2^29. Compare or mask \
         it first."
    305 DivByZero "A division by the number zero."
        "Division by a register that is zero gives 0; by the constant zero it is refused."
    306 Shift "A shift by more bits than the operand has."
        "A constant shift count is less than 64, or than 32 for 32-bit operations."
    401 UnknownHelper "No helper has this id."
        "Helpers are numbered by the kernel. A newer kernel may have it."
    402 HelperNotAllowed "The program type cannot call this helper."
        "Each program type has its own set of helpers; see bpf-helpers(7)."
    403 GplOnly "The helper wants a GPL-compatible license."
        "Declare a license such as GPL or \"Dual MIT/GPL\", if that is the license."
    404 ArgumentType "An argument is not what the helper takes."
        "Arguments are passed in R1 to R5; bpf-helpers(7) says what each must be."
    405 ArgumentSize "A size is not known well enough, or is zero."
        "A size argument must be bounded: not negative, and no greater than the memory it belongs to. \
         Compare or mask it first."
    406 MapKind "The helper does not work on this type of map."
        "For example ring buffers have no elements to look up."
    407 ReferenceLeak "Something that was acquired is not given back."
        "A ring buffer record must be submitted or discarded on every path before the program ends."
    408 NotReleasable "Something is released that was not acquired."
        "The pointer must be the one that the acquiring helper returned, unchanged."
    409 PacketLoad "LD_ABS and LD_IND are not possible here."
        "They need a program type that works on an sk_buff, and the context in R6."
    410 GlobalFunction "A global function has a prototype that cannot be verified."
        "The kernel verifies a global function on its own, for any arguments of its prototype: numbers, \
         the context, and pointers to types of a known size; its result is a number. Make the function \
         static, or change its parameters."
    411 TailCall "A tail call is not possible here."
        "Functions of a program may do tail calls only if they have a type in BTF, and if the frames of \
         the functions that are active before take less than 256 bytes of stack."
    501 NoReturnValue "R0 holds nothing when the program ends."
        "The program's result is R0. Set it on every path."
    502 ReturnLeak "The program would return a pointer."
        "Return a number."
    503 ReturnRange "The result is not one that the program type has."
        "Some program types allow only certain results, and the verifier must see that R0 is one."
    504 AttachType "The program type cannot be loaded for this attach type."
        "Some program types want to know at load what they will be attached to, as \
         expected_attach_type; the section's name says it, as in `cgroup/connect4`."
    901 NotModelled "This is not modelled here, so that nothing is promised."
        "The kernel may accept the program. Ask it: load the program for real."
    902 KernelTooOld "The kernel is too old for this."
        "The instruction, helper or program type came with a later release."
    903 Capability "The loader lacks a capability."
        "Load as root, or with the capability that is named."
}

impl Code {
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
            assert!(
                entry.title.ends_with('.') && entry.text.ends_with('.'),
                "{}",
                entry.code
            );
        }
        assert_eq!(Code::parse("203"), Some(Code::PacketBounds));
        assert_eq!(Code::parse("BPF9999"), None);
    }
}
