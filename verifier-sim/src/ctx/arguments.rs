//! Contexts that are the arguments of a function of the kernel: of a tracepoint, of a function
//! that a program is attached to, of an iterator, of a security hook, of an operation that the
//! program is.
//!
//! The kernel's BTF says what each argument is; 8 bytes of the context stand for each. Pointers
//! to structures are trusted where the kernel calls the program at a place where they exist.
//!
//! Described in the kernel's `Documentation/bpf/prog_lsm.rst`, `bpf_iterators.rst` and
//! `libbpf/program_types.rst`. Tracepoints, iterators and operations were observed on Linux
//! 6.18; functions (fentry and the like) and security hooks on 6.12.
//!
//! Read before: `ctx/kernel.rs`, `value/btf_ptr.rs`. Read next: `ctx/attach.rs`.

use super::attach::{Place, Target};
use super::exceptions::{Given, iterator_argument, may_be_null};
use super::hook::{ANSWERS_CHECKED, Answer};
use super::probe;
use crate::config::Config;
use crate::types::btf_walk::{kind_word, tagged};
use crate::types::kernel_types::KernelTypes;
use crate::value::btf_ptr::{BtfPtr, Marks};
use crate::value::reg::{Kind, Null};
use ebpf_asm::btf::{Btf, Kind as Type, TypeId};
use ebpf_asm::isa::{KernelVersion, Size};
use ebpf_asm::prog_type::AttachType;

/// How many bytes of a context can be read at most: 12 arguments.
const MOST_BYTES: i64 = 12 * 8;

/// Since when the kernel lists arguments of tracepoints that may be null. Linux 6.12 (its later
/// releases) does and 6.1 does not; between them this is not known, and done.
const NULLABLE_LISTED: KernelVersion = (6, 2);

/// The arguments that a program gets as its context.
#[derive(Debug)]
pub(crate) struct ArgumentContext {
    /// The function's name, as the kernel's messages have it.
    name: String,
    /// Each argument's first byte and what it is.
    arguments: Vec<(i64, Argument)>,
    /// Where the arguments end, in bytes.
    end: i64,
    /// Whether the function has an argument before these.
    hides_first: bool,
    /// How many bytes stand for the function's result.
    result_bytes: i64,
    /// What the function returned, for programs that see it.
    returned: Option<Argument>,
    /// Whether the program has no result.
    pub(crate) returns_nothing: bool,
    /// Whether the program may call no helper.
    pub(crate) without_helpers: bool,
    /// What the security hook answers that the program is at.
    pub(crate) answer: Option<Answer>,
    /// What kind of place the program is at.
    place: Place,
    /// How it is attached there.
    attach_type: AttachType,
    /// Whether an iterator is at sockets whose options programs may ask for and set.
    pub(crate) has_socket_options: bool,
}

/// What reading an argument gives.
#[derive(Debug, Clone, PartialEq)]
enum Argument {
    /// A number.
    Number,
    /// A number of 32 bits among these.
    Among(i64, i64),
    /// A pointer to what is no structure: a number, but read whole.
    Address,
    /// A pointer.
    Pointer(Kind, Null),
    /// A pointer to what programs get no pointers to: the kernel's words on why.
    Opaque(String),
    /// Nothing: the kernel's words on why.
    Refused(String),
    /// A pointer that the function returns, which `fmod_ret` does not change.
    ReturnedPointer,
}

/// What reading from the context gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Read {
    /// A number of the size that is read.
    Number,
    /// Such a number that is at least and at most this before it is cut to that size.
    Among(i64, i64),
    /// A pointer, which may be null.
    Pointer(Kind, Null),
}

/// Why reading from the context gives nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    /// No argument begins there.
    Missing,
    /// It is a part of an argument that is read whole.
    Part,
    /// It is nothing that programs may have.
    Opaque,
    /// It is a pointer that the function returns, to a program that changes what it returns.
    ReturnedPointer,
}

impl ArgumentContext {
    /// What programs at the target receive.
    pub(crate) fn new(
        config: &Config,
        kernel: &KernelTypes,
        btf: &Btf,
        target: &Target<'_>,
    ) -> ArgumentContext {
        let typed = TypedTarget {
            config,
            kernel,
            btf,
            target,
        };
        let mut context = ArgumentContext {
            name: target.name.to_owned(),
            arguments: Vec::new(),
            end: 0,
            hides_first: target.hides_first(),
            result_bytes: target.result_bytes,
            returns_nothing: target.returns_nothing(),
            without_helpers: target.is_without_helpers(),
            answer: target.answer(),
            place: target.place,
            attach_type: target.attach_type,
            has_socket_options: target.has_socket_options(),
            returned: target.returns.map(|ty| match typed.answered() {
                Some(answered) => answered,
                None => typed.argument(ty, Which::Result),
            }),
        };
        for (index, (name, ty)) in target.params.iter().enumerate() {
            let argument = typed.argument(*ty, Which::Argument(index, btf.str(*name)));
            context.arguments.push((context.end, argument));
            context.end += bytes_of(btf, *ty);
        }
        context
    }

    /// What to do where a helper does not work there, though programs of the type may call it.
    pub(crate) fn bars(context: Option<&ArgumentContext>, helper: &str) -> Option<&'static str> {
        let at = context.map(|at| (at.place, at.name.as_str(), at.attach_type));
        probe::bars(at, helper)
    }

    /// The name of what the program is attached to, or is.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What reading `size` bytes at `off` gives, or why nothing, with the kernel's words on it,
    /// line by line.
    pub(crate) fn read(&self, off: i64, size: Size) -> Result<Read, (Unread, Vec<String>)> {
        let bytes = i64::from(size.bytes());
        let refused = format!("invalid bpf_context access off={off} size={bytes}");
        if !(0..MOST_BYTES).contains(&off) || off % bytes != 0 {
            return Err((Unread::Missing, vec![refused]));
        }
        let function = &self.name;
        if off % 8 != 0 {
            let words = format!("func '{function}' offset {off} is not multiple of 8");
            return Err((Unread::Missing, vec![words, refused]));
        }
        let after = self.arguments.partition_point(|(begin, _)| *begin <= off);
        let found = match after.checked_sub(1).and_then(|at| self.arguments.get(at)) {
            Some((_, argument)) if off < self.end => argument,
            _ => match &self.returned {
                Some(returned) if off == self.end => returned,
                _ => {
                    let missing = self.missing(off);
                    let words = format!("func '{function}' doesn't have {missing}-th argument");
                    return Err((Unread::Missing, vec![words, refused]));
                }
            },
        };
        match found {
            Argument::Pointer(..) | Argument::Address | Argument::Opaque(_) if size != Size::DW => {
                let words = format!("func '{function}' size {bytes} must be 8");
                Err((Unread::Part, vec![words, refused]))
            }
            Argument::Number | Argument::Address => Ok(Read::Number),
            Argument::Among(least, most) => Ok(Read::Among(*least, *most)),
            Argument::Pointer(kind, null) => Ok(Read::Pointer(*kind, *null)),
            Argument::Opaque(words) | Argument::Refused(words) => {
                Err((Unread::Opaque, vec![words.clone(), refused]))
            }
            Argument::ReturnedPointer => {
                let words = "ret type PTR not allowed for fmod_ret".to_owned();
                Err((Unread::ReturnedPointer, vec![words, refused]))
            }
        }
    }

    /// Which argument is missed at an offset behind all of them, as the kernel counts: it begins
    /// with that which programs do not see, and goes on with the result, which has no bytes where
    /// there is none.
    fn missing(&self, off: i64) -> usize {
        let seen = self.arguments.len();
        let all = seen + usize::from(self.hides_first);
        let end = self.end + if self.hides_first { 8 } else { 0 };
        match off {
            _ if off < end => seen + 1,
            _ if off < end + self.result_bytes => all + 1,
            _ => all + 2,
        }
    }
}

/// How many bytes of a context stand for a value.
pub(super) fn bytes_of(btf: &Btf, ty: TypeId) -> i64 {
    let bytes = btf.size_of(ty).unwrap_or(8);
    i64::from(bytes.clamp(1, 1 << 20).next_multiple_of(8))
}

/// Which of the values of a function.
#[derive(Debug, Clone, Copy)]
enum Which<'a> {
    Argument(usize, &'a str),
    Result,
}

impl Which<'_> {
    /// Its number, as the kernel counts: the result comes behind all arguments.
    fn index(self, target: &Target<'_>) -> usize {
        match self {
            Which::Argument(index, _) => index,
            Which::Result => target.params.len(),
        }
    }
}

/// A target, with what says what the values of a function are there.
#[derive(Clone, Copy)]
struct TypedTarget<'a> {
    config: &'a Config,
    kernel: &'a KernelTypes,
    btf: &'a Btf,
    target: &'a Target<'a>,
}

impl TypedTarget<'_> {
    /// What the hook answered before the program that decides now.
    fn answered(self) -> Option<Argument> {
        let decides = self.target.decides() && self.config.since(ANSWERS_CHECKED);
        let numbers = self.target.answer().filter(|_| decides)?.numbers()?;
        Some(Argument::Among(*numbers.start(), *numbers.end()))
    }

    /// What a value of a type is.
    fn argument(self, ty: TypeId, which: Which<'_>) -> Argument {
        let (btf, target) = (self.btf, self.target);
        match btf.get(btf.resolve(ty)).map(|ty| &ty.kind) {
            None
            | Some(
                Type::Int { .. }
                | Type::Enum { .. }
                | Type::Enum64 { .. }
                | Type::Struct { .. }
                | Type::Union { .. },
            ) => Argument::Number,
            Some(Type::Ptr(_))
                if matches!(which, Which::Result)
                    && target.attach_type == AttachType::ModifyReturn =>
            {
                Argument::ReturnedPointer
            }
            Some(Type::Ptr(to)) => self.pointer(*to, which),
            Some(_) => Argument::Refused(format!(
                "func '{}' arg{} has a type that is no number and no pointer",
                target.name,
                which.index(target)
            )),
        }
    }

    /// What a pointer to a type is.
    fn pointer(self, to: TypeId, which: Which<'_>) -> Argument {
        if let Which::Argument(index, _) = which
            && let Some(Given::Buffer(kind)) = iterator_argument(self.target, index)
        {
            return Argument::Pointer(kind, Null::Maybe);
        }
        let pointee = self.btf.resolve(to);
        match self.btf.get(pointee).map(|ty| &ty.kind) {
            // Before Linux 6.16 nothing that is `const` was nothing.
            None if to == TypeId::VOID || self.config.since((6, 16)) => Argument::Address,
            Some(Type::Int { .. }) => Argument::Address,
            Some(Type::Struct { .. } | Type::Union { .. }) => self.structure(to, which),
            _ => Argument::Opaque(format!(
                "func '{}' arg{} type {} is not a struct",
                self.target.name,
                which.index(self.target),
                kind_word(self.btf, pointee)
            )),
        }
    }

    /// Whether an argument may be null.
    fn may_be_null(self, index: usize, name: &str) -> bool {
        let listed = self.config.since(NULLABLE_LISTED) || self.target.place != Place::Tracepoint;
        name.ends_with("__nullable") || listed && may_be_null(self.target, index)
    }

    /// What a pointer to a structure is: how far the kernel answers for it, and whether it may be
    /// null.
    fn structure(self, to: TypeId, which: Which<'_>) -> Argument {
        let target = self.target;
        let trusted = match target.is_trusted() {
            true => Marks::TRUSTED,
            false => Marks::NONE,
        };
        let (marks, null) = match which {
            Which::Result => (Marks::NONE, Null::Never),
            Which::Argument(index, name) => match iterator_argument(target, index) {
                Some(Given::Structure(marks, null)) => (marks, null),
                _ if self.may_be_null(index, name) => (trusted, Null::Maybe),
                _ => (trusted, Null::Never),
            },
        };
        let pointer = BtfPtr::kernel(
            target.promoted(self.kernel, self.btf, self.btf.resolve(to)),
            marks | tagged(self.btf, to).without(Marks::RCU),
        );
        Argument::Pointer(Kind::Btf(pointer), null)
    }
}
