//! The kernel's words for each code: one table, in which words that are found first count.
//!
//! The words are those of Linux 6.18 and of the releases before it since 5.4, as its verifier
//! prints them. What this crate's own rejections say is among them: tests hold each of their
//! messages against its code.
//!
//! Read before: `codes.rs`. Read next: `kernel_says.rs`.

use crate::codes::Code;
use std::collections::BTreeSet;

/// What the kernel begins to say, and the code. A `*` stands for anything.
const WORDS: &[(&str, Code)] = &[
    // Before execution.
    ("unreachable insn ", Code::Unreachable),
    ("jump out of range", Code::JumpOutOfRange),
    ("call to invalid destination", Code::JumpOutOfRange),
    ("jump into the middle of ldimm64", Code::JumpIntoWide),
    ("jump to reserved code", Code::JumpOutOfRange),
    ("last insn is not an exit or jmp", Code::FallsOff),
    ("fell through ", Code::FallsOff),
    ("infinite loop detected", Code::InfiniteLoop),
    ("BPF program is too large", Code::TooComplex),
    (
        "The sequence of * jumps is too complex",
        Code::TooManyBranches,
    ),
    ("back-edge from insn", Code::BackEdge),
    ("too many subprograms", Code::Length),
    ("the call stack of", Code::CallDepth),
    ("combined stack size of", Code::StackDepth),
    ("stack size of subprog", Code::StackDepth),
    ("* uses reserved fields", Code::Encoding),
    ("invalid may_goto imm ", Code::Encoding),
    ("unknown opcode", Code::Encoding),
    ("invalid BPF_ld_imm64 insn", Code::Encoding),
    ("unrecognized bpf_ld_imm64 insn", Code::Encoding),
    ("invalid bpf_ld_imm64 insn", Code::Encoding),
    ("BPF_ATOMIC uses invalid atomic opcode", Code::Encoding),
    ("func_info BTF section doesn't match", Code::BadBtf),
    ("invalid type id * in func info", Code::BadBtf),
    ("nonzero insn_off", Code::BadBtf),
    ("number of funcs in func_info", Code::BadBtf),
    ("Invalid line_info", Code::BadBtf),
    ("Invalid insn code at line_info", Code::BadBtf),
    // Memory.
    ("invalid read from stack * var_off=", Code::StackBounds),
    ("invalid read from stack * off=", Code::StackBounds),
    ("invalid read from stack", Code::StackUninit),
    ("invalid write to stack", Code::StackBounds),
    ("invalid indirect read from stack", Code::StackUninit),
    ("invalid unbounded variable-offset", Code::StackBounds),
    ("invalid variable-offset", Code::StackBounds),
    ("invalid zero-size", Code::ArgumentSize),
    ("R* variable stack access prohibited", Code::StackBounds),
    (
        "R* variable offset stack access prohibited",
        Code::StackBounds,
    ),
    (
        "R* stack pointer arithmetic goes out of range",
        Code::StackBounds,
    ),
    ("corrupted spill memory", Code::StackUninit),
    ("attempt to corrupt spilled pointer on stack", Code::Spill),
    ("invalid size of register", Code::Spill),
    ("cannot spill pointers to stack", Code::Spill),
    ("invalid access to packet", Code::PacketBounds),
    ("R* offset is outside of the packet", Code::PacketBounds),
    // Only arenas have values of no size.
    (
        "invalid access to map value pointer, value_size=0",
        Code::Arena,
    ),
    ("invalid access to map value", Code::MapValueBounds),
    (
        "R* min value is outside of the allowed memory range",
        Code::MapValueBounds,
    ),
    (
        "R* max value is outside of the allowed memory range",
        Code::MapValueBounds,
    ),
    (
        "R* min value is negative, either use unsigned or 'var &= const'",
        Code::ArgumentSize,
    ),
    (
        "R* min value is negative, either use unsigned",
        Code::MapValueBounds,
    ),
    (
        "R* unbounded memory access, make sure to bounds check",
        Code::MapValueBounds,
    ),
    (
        "no direct value access support for this map type",
        Code::MapValueBounds,
    ),
    ("Possibly NULL pointer passed", Code::MaybeNull),
    ("arg#* is expected to be non-NULL", Code::MaybeNull),
    ("R* invalid mem access '*_or_null", Code::MaybeNull),
    (
        "R* pointer arithmetic on *_or_null prohibited",
        Code::MaybeNull,
    ),
    ("invalid bpf_context access", Code::Context),
    ("func '*' * invalid bpf_context access", Code::Context),
    ("func '*' doesn't have *-th argument", Code::Context),
    ("R* invalid sock_common access", Code::Context),
    ("R* invalid sock access", Code::Context),
    ("R* invalid tcp_sock access", Code::Context),
    ("R* invalid xdp_sock access", Code::Context),
    ("dereference of modified ctx ptr", Code::Context),
    ("negative offset ctx ptr", Code::Context),
    ("variable ctx access", Code::Context),
    ("BPF_ST stores into R* ctx is not allowed", Code::Context),
    (
        "same insn cannot be used with different pointers",
        Code::Context,
    ),
    ("misaligned ", Code::Misaligned),
    ("R* invalid mem access", Code::NotAPointer),
    ("R* invalid tracepoint buffer access", Code::MemoryBounds),
    ("R* invalid rdonly_buf buffer access", Code::MemoryBounds),
    ("R* invalid rdwr_buf buffer access", Code::MemoryBounds),
    ("R* invalid variable buffer offset", Code::MemoryBounds),
    ("R* is * invalid negative access", Code::MemoryBounds),
    ("R* is * invalid variable offset", Code::MemoryBounds),
    ("access beyond struct", Code::MemoryBounds),
    ("access beyond the end of", Code::MemoryBounds),
    ("cannot access ptr member", Code::MemoryBounds),
    ("invalid access to ", Code::MemoryBounds),
    ("R* cannot write into", Code::ReadOnly),
    ("cannot write into packet", Code::ReadOnly),
    ("only read is supported", Code::ReadOnly),
    ("*() may write into memory pointed by", Code::ReadOnly),
    ("only read from ", Code::ReadOnly),
    (
        "the prog does not allow writes to packet data",
        Code::ReadOnly,
    ),
    ("write into map forbidden", Code::ReadOnly),
    ("read from map forbidden", Code::ReadOnly),
    ("write to change key", Code::ReadOnly),
    ("no write support to", Code::ReadOnly),
    ("BPF_ATOMIC ", Code::Atomic),
    (
        "variable offset stack pointer cannot be passed into helper function",
        Code::Atomic,
    ),
    ("BPF_XADD stores into", Code::Atomic),
    ("cannot return stack pointer to the caller", Code::Leak),
    (
        "R* 32-bit pointer arithmetic prohibited",
        Code::PointerArithmetic,
    ),
    ("R* pointer comparison prohibited", Code::Leak),
    ("R* pointer arithmetic prohibited", Code::Leak),
    ("R* leaks addr into", Code::Leak),
    ("R* leaks addr as return value", Code::ReturnLeak),
    ("R* partial copy of pointer", Code::PointerArithmetic),
    // Registers.
    ("R* !read_ok", Code::UninitRegister),
    ("frame pointer is read only", Code::FramePointer),
    ("R* pointer arithmetic", Code::PointerArithmetic),
    ("R* bitwise operator", Code::PointerArithmetic),
    ("R* pointer += pointer prohibited", Code::PointerArithmetic),
    ("R* pointer -= pointer prohibited", Code::PointerArithmetic),
    (
        "R* subtraction from stack pointer prohibited",
        Code::PointerArithmetic,
    ),
    (
        "R* tried to subtract pointer from scalar",
        Code::PointerArithmetic,
    ),
    (
        "R* has pointer with unsupported alu operation",
        Code::PointerArithmetic,
    ),
    (
        "R* has unknown scalar with mixed signed bounds",
        Code::PointerOffset,
    ),
    ("R* tried to add from different maps", Code::PointerOffset),
    ("math between ", Code::PointerOffset),
    ("* pointer offset * is not allowed", Code::PointerOffset),
    (
        "value * makes * pointer be out of bounds",
        Code::PointerOffset,
    ),
    ("div by zero", Code::DivByZero),
    ("invalid shift", Code::Shift),
    // Calls.
    // What libbpf calls in place of a weak function that is not there.
    ("invalid func unknown#195896080", Code::UnknownKfunc),
    ("invalid func ", Code::UnknownHelper),
    ("unknown func ", Code::HelperNotAllowed),
    (
        "program of this type cannot use helper",
        Code::HelperNotAllowed,
    ),
    (
        "helper call is not allowed in probe",
        Code::HelperNotAllowed,
    ),
    (
        "helper call might sleep in a non-sleepable prog",
        Code::HelperNotAllowed,
    ),
    ("cannot call GPL-restricted function", Code::GplOnly),
    ("cannot call kernel function * from non-GPL", Code::GplOnly),
    ("Cannot access kernel 'struct * from non-GPL", Code::GplOnly),
    ("* from non-GPL compatible program", Code::GplOnly),
    ("Dynptr has to be an uninitialized dynptr", Code::Dynptr),
    ("Expected an initialized dynptr", Code::Dynptr),
    ("Expected a dynptr of type", Code::Dynptr),
    ("cannot overwrite referenced dynptr", Code::Dynptr),
    ("cannot pass in dynptr at an offset", Code::Dynptr),
    ("dereference of modified dynptr_ptr ptr", Code::Dynptr),
    ("potential write to dynptr", Code::Dynptr),
    ("cannot pass in iter at an offset", Code::Iterator),
    ("expected uninitialized iter_", Code::Iterator),
    ("expected an initialized iter_", Code::Iterator),
    ("expected an RCU CS when using", Code::Iterator),
    ("dereference of modified func ptr", Code::Callback),
    ("dereference of modified * ptr R* off=", Code::ArgumentType),
    ("callback function not static", Code::Callback),
    ("callback function not allowed for map", Code::MapKind),
    ("missing btf func_info", Code::Callback),
    ("arg* expected pointer to func", Code::Callback),
    ("At callback return the register", Code::CallbackResult),
    ("verifier bug: backtracking misuse", Code::ArgumentType),
    (
        "verifier bug: backtracking call unexpected regs",
        Code::ArgumentType,
    ),
    ("verifier bug: stack slot *, total slots", Code::StackUninit),
    ("verifier bug: No program to jit", Code::Callback),
    ("verifier bug: REG INVARIANTS VIOLATION", Code::LoadFlags),
    ("verifier bug: scc exit: no visit info", Code::Exception),
    ("In callback the register", Code::CallbackResult),
    ("R0 not a scalar value", Code::CallbackResult),
    ("arg#* doesn't point to a const string", Code::ConstantText),
    ("Invalid format string", Code::ConstantText),
    ("R* is not a constant address", Code::ConstantText),
    ("direct value access on string failed", Code::ConstantText),
    ("R* does not point to a readonly map", Code::ConstantText),
    ("string is not zero-terminated", Code::ConstantText),
    (
        "R* must be referenced when passed to release function",
        Code::NotReleasable,
    ),
    (
        "R* must have zero offset when passed to release func",
        Code::NotReleasable,
    ),
    ("arg * is an unacquired reference", Code::NotReleasable),
    ("cannot release unowned", Code::NotReleasable),
    (
        "release kernel function * expects refcounted",
        Code::NotReleasable,
    ),
    ("more than one arg with ref_obj_id", Code::NotReleasable),
    ("R* type=* expected=", Code::ArgumentType),
    ("arg#* expects pointer to", Code::ArgumentType),
    ("R* is not a scalar", Code::ArgumentType),
    (
        "arg#* reference type('*') has no matches",
        Code::GlobalFunction,
    ),
    (
        "arg#* reference type('*') size cannot be determined",
        Code::GlobalFunction,
    ),
    ("R* is of type * but * is expected", Code::ArgumentType),
    ("Unsupported reg type", Code::ArgumentType),
    ("R* is not a pointer to arena or scalar", Code::ArgumentType),
    ("Function * has * > * args", Code::ArgumentType),
    ("Unknown type ID * passed to kfunc", Code::ArgumentType),
    ("negative offset * ptr R* off=", Code::ArgumentType),
    ("variable * access var_off=", Code::ArgumentType),
    ("kern ctx type id is not a struct", Code::ArgumentType),
    (
        "helper access to the packet is not allowed",
        Code::ArgumentType,
    ),
    (
        "kernel function * args#* expected pointer to",
        Code::ArgumentType,
    ),
    ("kernel function * argument must be", Code::ArgumentType),
    ("kfunc * type ID argument must be", Code::ArgumentType),
    ("arg#* expected pointer to", Code::ArgumentType),
    ("R* invalid zero-sized read", Code::ArgumentSize),
    ("R* is not a known constant", Code::ArgumentSize),
    ("R* must be a known constant", Code::ArgumentSize),
    (
        "R* unbounded memory access, use 'var &= const'",
        Code::ArgumentSize,
    ),
    (
        "get_local_storage() doesn't support non-zero flags",
        Code::ArgumentSize,
    ),
    ("Sleepable programs can only use", Code::MapKind),
    ("cannot pass map_type", Code::MapKind),
    ("cannot update sockmap in this context", Code::MapKind),
    ("invalid arg_type for sockmap/sockhash", Code::MapKind),
    ("The total number of maps per program", Code::MapKind),
    ("bpf_struct_ops map cannot be used in prog", Code::MapKind),
    ("only one cgroup storage of each type", Code::MapKind),
    ("Unreleased reference", Code::ReferenceLeak),
    ("BPF_LD_[ABS|IND]", Code::PacketLoad),
    ("at the time of BPF_LD_ABS|IND", Code::PacketLoad),
    (
        "LD_ABS is not allowed in subprogs without BTF",
        Code::TailCall,
    ),
    (
        "* is only allowed in functions that return 'int'",
        Code::TailCall,
    ),
    ("tail_calls are not allowed when call stack", Code::TailCall),
    ("verifier bug: callback unexpected regs", Code::TailCall),
    ("tail_call is not allowed", Code::TailCall),
    (
        "tail_call would lead to reference leak",
        Code::ReferenceLeak,
    ),
    (
        "Caller passes invalid args into func#",
        Code::GlobalFunction,
    ),
    (
        "Arg#* type * in *() is not supported yet",
        Code::GlobalFunction,
    ),
    (
        "Global function *() doesn't return scalar",
        Code::GlobalFunction,
    ),
    ("kernel btf_id * is not a function", Code::UnknownKfunc),
    (
        "negative offset disallowed for kernel module function call",
        Code::UnknownKfunc,
    ),
    (
        "kfunc offset > 0 without fd_array is invalid",
        Code::UnknownKfunc,
    ),
    ("ldimm64 insn specifies invalid btf_id", Code::UnknownKfunc),
    ("pseudo btf_id * in ldimm64 isn't", Code::UnknownKfunc),
    ("unexpected __bpf_trap()", Code::KfuncNotAllowed),
    ("css_task_iter is only allowed in", Code::KfuncNotAllowed),
    (
        "kernel function * returns pointer type",
        Code::KfuncNotAllowed,
    ),
    (
        "metadata kfuncs require device-bound program",
        Code::KfuncNotAllowed,
    ),
    (
        "calling kernel function * is not allowed",
        Code::KfuncNotAllowed,
    ),
    ("arg#* is untrusted_ptr_", Code::Untrusted),
    ("* must be a rcu pointer", Code::Untrusted),
    ("R* must be * trusted", Code::Untrusted),
    (
        "kernel func * requires RCU critical section protection",
        Code::Section,
    ),
    (
        "program must be sleepable to call sleepable kfunc",
        Code::KfuncNotAllowed,
    ),
    ("addr_space_cast insn can only be used", Code::Arena),
    ("Only one arena per program", Code::MapKind),
    (
        "arg#* has invalid combination of tags",
        Code::GlobalFunction,
    ),
    ("arg#* has unsupported set of tags", Code::GlobalFunction),
    ("arg#* should be ", Code::GlobalFunction),
    ("arg#* type doesn't have a name", Code::GlobalFunction),
    ("fd * is not pointing to valid bpf_map", Code::MapKind),
    (
        "ldimm64 failed to find the address for kernel symbol",
        Code::UnknownKfunc,
    ),
    ("bpf_spin_unlock ", Code::Lock),
    ("bpf_res_spin_unlock ", Code::Lock),
    ("Acquiring the same lock again", Code::Lock),
    (
        "arg#* doesn't point to map value or allocated object",
        Code::SpecialField,
    ),
    (
        "function calls are not allowed while holding a lock",
        Code::Lock,
    ),
    (
        "global function calls are not allowed while holding a lock",
        Code::Lock,
    ),
    (
        "BPF_EXIT instruction in main prog cannot be used inside bpf_spin_lock-ed region",
        Code::Lock,
    ),
    (
        "* cannot be accessed directly by load/store",
        Code::SpecialField,
    ),
    ("map '*' has no valid ", Code::SpecialField),
    ("off * doesn't point to 'struct ", Code::SpecialField),
    ("* pointer in R* map_uid=", Code::SpecialField),
    ("kptr ", Code::SpecialField),
    (
        "BPF_ST imm must be 0 when storing to kptr",
        Code::SpecialField,
    ),
    ("invalid kptr access", Code::SpecialField),
    ("store to referenced kptr disallowed", Code::SpecialField),
    ("R* doesn't have constant offset.", Code::SpecialField),
    ("off=* doesn't point to kptr", Code::SpecialField),
    ("off=* kptr isn't referenced kptr", Code::SpecialField),
    ("arg#* doesn't point to a map value", Code::SpecialField),
    ("direct access to * is disallowed", Code::SpecialField),
    ("* not found at offset=", Code::SpecialField),
    ("arg#* expected for bpf_", Code::SpecialField),
    (
        "arg#* is neither owning or non-owning ref",
        Code::SpecialField,
    ),
    (
        "arg#* doesn't point to a type with bpf_refcount",
        Code::SpecialField,
    ),
    (
        "* can only take non-owning or refcounted",
        Code::SpecialField,
    ),
    ("* not allowed in rbtree cb", Code::SpecialField),
    ("operation on * expects arg#1", Code::SpecialField),
    ("arg#1 offset=*, but expected", Code::SpecialField),
    ("allocated object must be referenced", Code::SpecialField),
    ("allocated object must have ref_obj_id", Code::MemoryBounds),
    ("percpu_kptr ", Code::SpecialField),
    ("uptr ", Code::SpecialField),
    ("store to uptr disallowed", Code::SpecialField),
    ("local 'kptr' has no valid ", Code::SpecialField),
    ("map '*' has to have BTF", Code::SpecialField),
    ("bpf_spin_lock at off=* must be held for", Code::Lock),
    (
        "held lock and object are not in the same allocation",
        Code::Lock,
    ),
    ("can't spin_{lock,unlock} in rbtree cb", Code::Lock),
    ("bpf_obj_new/bpf_percpu_obj_new ", Code::ArgumentType),
    ("bpf_percpu_obj_new type", Code::ArgumentType),
    ("local type ID argument", Code::ArgumentType),
    ("pointer in R* isn't map pointer", Code::ArgumentType),
    (
        "verifier bug: subprog has tail_call and async cb",
        Code::TailCall,
    ),
    ("socket filter progs cannot use bpf_", Code::SpecialField),
    ("* progs cannot use bpf_", Code::SpecialField),
    (
        "bpf_throw kfunc * cannot be called from callback",
        Code::Exception,
    ),
    ("exception cb ", Code::Exception),
    ("exception callback '", Code::Exception),
    ("multiple exception callback tags", Code::Exception),
    ("invalid exception callback insn_off", Code::Exception),
    ("insn * cannot call exception cb directly", Code::Exception),
    ("bpf_throw cannot be used inside", Code::Section),
    (
        "global functions that may sleep are not allowed in",
        Code::Section,
    ),
    ("attach to unsupported member", Code::AttachTarget),
    ("attach to invalid member", Code::AttachTarget),
    (
        "attach_btf_id * is not a supported struct",
        Code::AttachTarget,
    ),
    ("struct ops programs must have a GPL", Code::GplOnly),
    ("write access at off", Code::ReadOnly),
    ("irq flag acquired by", Code::IrqFlag),
    ("arena's user address must be set", Code::Arena),
    ("arg#* doesn't point to an irq flag", Code::IrqFlag),
    ("cannot restore irq state", Code::IrqFlag),
    ("expected an initialized irq flag", Code::IrqFlag),
    ("expected uninitialized irq flag", Code::IrqFlag),
    ("unmatched attempt to enable preemption", Code::Section),
    (
        "global function calls are not allowed with preemption disabled",
        Code::Section,
    ),
    ("nested rcu read lock", Code::Section),
    ("unmatched rcu read unlock", Code::Section),
    (
        "BPF_EXIT instruction in main prog cannot be used inside",
        Code::Section,
    ),
    ("sleepable helper", Code::Section),
    ("kernel func * is sleepable within", Code::Section),
    // Returns, and the loader.
    ("At program exit the register", Code::ReturnRange),
    (
        "At async callback return the register",
        Code::CallbackResult,
    ),
    (
        "At subprogram exit the register R0 is not a scalar",
        Code::ReturnLeak,
    ),
    ("attach_btf_id * is not a function", Code::AttachTarget),
    ("Tracing programs must provide btf_id", Code::AttachTarget),
    ("'struct *' access is allowed only to", Code::Capability),
    (
        "CAP_BPF and CAP_PERFMON are required to use arena",
        Code::Capability,
    ),
    (
        "loading/calling other bpf or kernel functions are allowed for",
        Code::Capability,
    ),
];

/// What is said of a result that there is not, and of any other use of R0 when it holds nothing.
const NO_RESULT: &str = "R0 !read_ok";

/// The code of a refusal in the kernel's words; `None` if they are not known here.
///
/// `insn` is the refused instruction as the kernel prints it: what holds nothing at `exit` is the
/// result.
pub(crate) fn code(words: &str, insn: Option<&str>) -> Option<Code> {
    if insn == Some("exit") && words.starts_with(NO_RESULT) {
        return Some(Code::NoReturnValue);
    }
    let found = WORDS.iter().find(|(begins, _)| matches(begins, words));
    found.map(|(_, code)| *code)
}

/// The codes of which the kernel's messages have such words, be they a message or a part of one.
/// What differs from one message to the next, such as registers and numbers, does not matter.
///
/// ```
/// use ebpf_verifier_sim::{Code, codes_of_words};
///
/// assert_eq!(codes_of_words("R3 !read_ok"), [Code::UninitRegister]);
/// assert_eq!(codes_of_words("max value is"), [Code::MapValueBounds]);
/// assert_eq!(codes_of_words("what nobody ever said"), []);
/// ```
pub fn codes_of_words(words: &str) -> Vec<Code> {
    let parts = split(words);
    let having = |ended: Ended| {
        let rows = WORDS.iter();
        rows.filter(move |(pattern, _)| is_part(&split(pattern), &parts, ended))
            .map(|(_, code)| *code)
    };
    let mut codes: BTreeSet<Code> = code(words, None).into_iter().collect();
    codes.extend(having.clone()(Ended::Words));
    // At the end of a program it is the result.
    if words.starts_with(NO_RESULT) {
        codes.insert(Code::NoReturnValue);
    }
    if codes.is_empty() {
        codes.extend(having(Ended::Pattern));
    }
    codes.into_iter().collect()
}

/// The words of a message, or of a pattern.
fn split(text: &str) -> Vec<&str> {
    let words = text.split(|c: char| c.is_whitespace() || matches!(c, '\'' | '(' | ')'));
    words.filter(|word| !word.is_empty()).collect()
}

/// Which of two that run together ended first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// What is looked for, which is a part of a message.
    Words,
    /// The table's, which are but the beginning of a message.
    Pattern,
}

/// Whether words run together with a pattern, from some place in it, until the one has ended.
fn is_part(pattern: &[&str], words: &[&str], ended: Ended) -> bool {
    (0..pattern.len()).any(|at| match (pattern.get(at..), words) {
        // Anything could be before what is spelled out: a word must do.
        (Some(["*", pattern @ ..]), [_, words @ ..]) => run_together(pattern, words, 2, ended),
        (Some(pattern), words) => {
            let least = if ended == Ended::Words { 1 } else { 2 };
            run_together(pattern, words, least, ended)
        }
        (None, _) => false,
    })
}

/// The same from the beginning of both; at least so many words must be spelled out in both.
fn run_together(pattern: &[&str], words: &[&str], least: usize, ended: Ended) -> bool {
    let (Some((expected, pattern_rest)), Some((word, words_rest))) =
        (pattern.split_first(), words.split_first())
    else {
        return least == 0 && words.is_empty() == (ended == Ended::Words);
    };
    if *expected == "*" && run_together(pattern, words_rest, least, ended) {
        return true;
    }
    // The table's last word may be the beginning of one.
    let agree = is_word(expected, word) || pattern_rest.is_empty() && matches(expected, word);
    let spelled_out = usize::from(!expected.contains('*'));
    agree
        && run_together(
            pattern_rest,
            words_rest,
            least.saturating_sub(spelled_out),
            ended,
        )
}

/// Whether a word is one of a pattern, in capitals or not.
fn is_word(expected: &str, word: &str) -> bool {
    let (expected, word) = (expected.to_lowercase(), word.to_lowercase());
    match expected.rsplit_once('*') {
        None => expected == word,
        Some((before, after)) => word
            .strip_suffix(after)
            .is_some_and(|rest| matches(before, rest)),
    }
}

/// Whether words begin as a pattern says.
fn matches(pattern: &str, words: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = words.strip_prefix(first) else {
        return false;
    };
    for piece in pieces {
        match rest.split_once(piece) {
            Some((_, behind)) => rest = behind,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        assert!(matches("R* !read_ok", "R10 !read_ok"));
        assert!(matches(
            "value * makes * pointer",
            "value -1 makes fp pointer be out"
        ));
        assert!(!matches("R* !read_ok", "R10 invalid"));
        assert!(!matches("div", "a div"));
        assert!(matches("* from", "cannot call from here"));
    }

    /// Of any two words or more that stand together in the table, unless too many of them change
    /// from message to message.
    #[test]
    fn parts_of_messages_find_their_codes() {
        let (mut parts, mut excused) = (0, 0);
        for (pattern, code) in WORDS {
            let words: Vec<&str> = pattern.split_whitespace().collect();
            for count in 2..=words.len() {
                for part in words.windows(count).map(|part| part.join(" ")) {
                    let message = part.replace('*', "7");
                    let found = codes_of_words(&message);
                    let is_another = WORDS.iter().any(|(other, _)| matches(other, &message));
                    let words = split(&part);
                    let spelled_out = words.iter().filter(|word| !word.contains('*'));
                    let changes = spelled_out.count() <= usize::from(words.first() == Some(&"*"));
                    let finds = found.contains(code);
                    assert!(finds || is_another || changes, "{message}: {found:?}");
                    parts += 1;
                    excused += usize::from(!finds);
                }
            }
        }
        assert!(excused * 20 <= parts, "{excused} of {parts} are excused");
        assert_eq!(codes_of_words("reference leak"), [Code::ReferenceLeak]);
        assert_eq!(codes_of_words("R2 Max  value is"), [Code::MapValueBounds]);
        assert_eq!(codes_of_words(" "), []);
    }

    #[test]
    fn no_words_hide_those_below() {
        for (at, (words, _)) in WORDS.iter().enumerate() {
            let above = WORDS.iter().take(at);
            let hides: Vec<_> = above.filter(|(other, _)| matches(other, words)).collect();
            assert!(hides.is_empty(), "{words}: {hides:?}");
        }
    }

    #[test]
    fn nothing_and_an_exit_without_a_result() {
        assert_eq!(code("R0 !read_ok", Some("exit")), Some(Code::NoReturnValue));
        assert_eq!(
            code("R0 !read_ok", Some("r1 = r0")),
            Some(Code::UninitRegister)
        );
        assert_eq!(code("what nobody ever said", None), None);
    }
}
