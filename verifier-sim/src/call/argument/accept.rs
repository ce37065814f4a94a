//! Which kinds of registers each word of a prototype takes: one table.
//!
//! Described in bpf-helpers(7); messages as observed on Linux 6.18.
//!
//! Read before: `call/argument/mod.rs`. Read next: `call/argument/memory.rs`.

use crate::call::callback::check_whole_function;
use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::memory::number_help::number_made;
use crate::object::dynptr::{Access, EndsWith, check_whole_dynptr};
use crate::step::machine::{Machine, not_modelled};
use crate::value::btf_ptr::Marks;
use crate::value::reg::{BufferUse, Kind, Null, RegState, SockType};
use ebpf_asm::helper::Arg;
use ebpf_asm::insn::Reg;
use ebpf_asm::isa::{KernelVersion, Sem, Size};

/// What a word takes.
struct Accepted {
    /// As the kernel's log lists it.
    words: &'static str,
    /// Whether a kind is among it.
    has: fn(Kind) -> bool,
    /// What to hand over instead of anything else.
    help: &'static str,
}

const MEMORY: Accepted = Accepted {
    words: "fp, pkt, pkt_meta, map_key, map_value, mem, ringbuf_mem, buf, trusted_ptr_",
    has: |kind| match kind {
        Kind::Btf(pointer) => pointer.marks == Marks::TRUSTED,
        _ => kind.is_memory(),
    },
    help: "hand over the address of bytes that the program has: of a variable on its stack (&x in C), \
           of a map's value, or of the packet behind a check",
};
/// The same, as the kernel calls it where another function is handed the memory.
const SHARED_MEMORY: Accepted = Accepted {
    words: "fp",
    ..MEMORY
};
const CONTEXT: Accepted = Accepted {
    words: "ctx",
    has: |kind| kind == Kind::Ctx,
    help: "hand over the context as the program got it; in text it is in R1, which calls take away: copy \
           it to R6 first",
};
const MAP: Accepted = Accepted {
    words: "map_ptr",
    has: |kind| matches!(kind, Kind::Map(_)),
    help: "hand over a map: its own address (&map in C), and not that of a value",
};
const NUMBER: Accepted = Accepted {
    words: "scalar",
    has: |kind| kind == Kind::Scalar,
    help: "hand over a number",
};
/// What to hand over for a socket.
const A_SOCKET: &str = "hand over a socket: what the context has in `sk`, or what a lookup as \
                        bpf_sk_lookup_tcp gave";

/// What to hand over for a field that is in values, or in objects.
const A_FIELD: &str =
    "hand over the address of the field in a map's value, or in an object of bpf_obj_new";

/// What to do about a dynptr that was handed to a function, and came to the stack.
const SPILLED_DYNPTR: &str = "keep a dynptr that the function was handed in R6 to R9: on the stack \
                              it becomes a number. Of the program's own, hand over the address of \
                              the struct bpf_dynptr on the stack";

const RECORD: Accepted = Accepted {
    words: "ringbuf_mem",
    has: |kind| matches!(kind, Kind::RingbufMem(_)),
    help: "hand over what bpf_ringbuf_reserve gave, as it was given",
};
const SOCK: Accepted = Accepted {
    words: "sock_common, sock, tcp_sock, xdp_sock",
    has: |kind| matches!(kind, Kind::Sock(_)),
    help: A_SOCKET,
};
const BTF_SOCK: Accepted = Accepted {
    words: "sock_common, sock, tcp_sock, xdp_sock, ptr_, trusted_ptr_",
    has: |kind| match kind {
        Kind::Sock(_) => true,
        Kind::Btf(pointer) => [Marks::NONE, Marks::TRUSTED].contains(&pointer.marks),
        _ => false,
    },
    help: A_SOCKET,
};
const FULL_SOCK: Accepted = Accepted {
    words: "sock",
    has: |kind| kind == Kind::Sock(SockType::Sock),
    help: "make a full socket of it first, with bpf_sk_fullsock, and compare that with 0",
};
const STRUCT: Accepted = Accepted {
    words: "ptr_, trusted_ptr_, rcu_ptr_",
    has: |kind| match kind {
        Kind::Btf(pointer) => [Marks::NONE, Marks::TRUSTED, Marks::RCU].contains(&pointer.marks),
        _ => false,
    },
    help: "hand over a structure of the kernel that is known to live: an argument of the program, what \
           bpf_get_current_task_btf gives, or what was acquired (as by bpf_task_acquire)",
};
const PER_CPU: Accepted = Accepted {
    words: "percpu_ptr_, percpu_rcu_ptr_, percpu_trusted_ptr_",
    has: |kind| match kind {
        Kind::Btf(pointer) if pointer.marks.has(Marks::PERCPU) => {
            let others = pointer.marks.without(Marks::PERCPU);
            [Marks::NONE, Marks::TRUSTED, Marks::RCU].contains(&others)
        }
        _ => false,
    },
    help: "hand over the address of a variable that each CPU has, declared `extern const ... __ksym`",
};
const FUNCTION: Accepted = Accepted {
    words: "func",
    has: |kind| matches!(kind, Kind::Func(_)),
    help: "hand over a static function of the program",
};
const STACK: Accepted = Accepted {
    words: "fp",
    has: |kind| matches!(kind, Kind::Stack(_)),
    help: "hand over the address of a variable on the stack, or NULL",
};
const DYNPTR: Accepted = Accepted {
    words: "fp, dynptr_ptr",
    has: |kind| matches!(kind, Kind::Stack(_) | Kind::Dynptr(_)),
    help: "hand over the address of a struct bpf_dynptr on the stack",
};
const VALUE: Accepted = Accepted {
    words: "map_value",
    has: |kind| matches!(kind, Kind::MapValue(_)),
    help: "hand over the address of the field in a value that bpf_map_lookup_elem gave",
};
/// A text, which the kernel reads before the program runs.
const TEXT: Accepted = Accepted {
    help: "hand over a text that cannot change, which is in .rodata: in C `static const char text[] = \
           \"...\"`, no array on the stack",
    ..VALUE
};
const VALUE_OR_OBJECT: Accepted = Accepted {
    words: "map_value, ptr_",
    has: |kind| match kind {
        Kind::Btf(pointer) => pointer.marks == Marks::ALLOC,
        _ => matches!(kind, Kind::MapValue(_)),
    },
    help: A_FIELD,
};
const VALUE_OR_ANY_OBJECT: Accepted = Accepted {
    words: "map_value, ptr_",
    has: |kind| match kind {
        Kind::Btf(pointer) => {
            let others = pointer.marks.without(Marks::ALLOC);
            let lent = Marks::NON_OWNING | Marks::RCU;
            let known = [Marks::NONE, Marks::NON_OWNING, lent];
            pointer.marks.has(Marks::ALLOC) && known.contains(&others)
        }
        _ => matches!(kind, Kind::MapValue(_)),
    },
    help: A_FIELD,
};
/// A structure of the kernel, or an object of the program's own.
const STRUCT_OR_OBJECT: Accepted = Accepted {
    words: STRUCT.words,
    has: |kind| match kind {
        Kind::Btf(pointer) => {
            let others = match pointer.marks.has(Marks::ALLOC) {
                true => pointer.marks.without(Marks::ALLOC | Marks::PERCPU),
                false => pointer.marks,
            };
            [Marks::NONE, Marks::TRUSTED, Marks::RCU].contains(&others)
        }
        _ => false,
    },
    help: "hand over what was acquired, as by bpf_task_acquire or bpf_obj_new, or NULL",
};

fn accepted(arg: Arg) -> Accepted {
    match arg {
        Arg::Ctx | Arg::CtxOrNull => CONTEXT,
        Arg::Map => MAP,
        Arg::MapKey
        | Arg::MapValue
        | Arg::MapValueOrNull
        | Arg::UninitMapValue
        | Arg::Mem
        | Arg::MemOrNull
        | Arg::MemInOut
        | Arg::UninitMem
        | Arg::UninitMemOrNull
        | Arg::Fixed(_)
        | Arg::InOutFixed(_)
        | Arg::UninitFixed(_) => MEMORY,
        Arg::Anything => Accepted {
            words: "",
            has: |_| true,
            help: "",
        },
        Arg::Size | Arg::SizeOrZero | Arg::ConstAllocSize => NUMBER,
        Arg::RingbufRecord => RECORD,
        Arg::Sock => SOCK,
        Arg::BtfSock | Arg::BtfSockOrNull | Arg::ReleasedSock => BTF_SOCK,
        Arg::FullSockOrNull => FULL_SOCK,
        Arg::Struct(_) | Arg::StructOrNull(_) => STRUCT,
        Arg::Kptr => STRUCT_OR_OBJECT,
        Arg::PerCpu => PER_CPU,
        Arg::Callback => FUNCTION,
        Arg::CallbackCtx => STACK,
        Arg::Dynptr | Arg::UninitDynptr(_) | Arg::ReleasedDynptr(_) => DYNPTR,
        Arg::ConstStr => TEXT,
        Arg::Timer => VALUE,
        Arg::SpinLock => VALUE_OR_OBJECT,
        Arg::KptrPlace => VALUE_OR_ANY_OBJECT,
    }
}

/// Whether the number 0 will do, and so will pointers that may be null.
pub(super) fn may_be_null(arg: Arg) -> bool {
    matches!(
        arg,
        Arg::CtxOrNull
            | Arg::MapValueOrNull
            | Arg::MemOrNull
            | Arg::UninitMemOrNull
            | Arg::BtfSockOrNull
            | Arg::FullSockOrNull
            | Arg::StructOrNull(_)
            | Arg::CallbackCtx
            | Arg::Kptr
    )
}

/// Whether the word is of a key or value of a map.
fn is_of_map(arg: Arg) -> bool {
    matches!(
        arg,
        Arg::MapKey | Arg::MapValue | Arg::MapValueOrNull | Arg::UninitMapValue
    )
}

/// Whether the word takes memory of this kind, if it is some: what is read-only where it is only
/// read, and that and slices by kernel functions not as keys and values.
fn takes_memory(arg: Arg, kind: Kind) -> bool {
    let (is_plain, is_writable) = match kind {
        Kind::ReadOnlyMem(_) | Kind::Buffer(BufferUse::Read) => (false, false),
        Kind::Slice(slice) => (
            slice.ends_with == EndsWith::Dynptr,
            slice.access == Access::Write,
        ),
        _ => return true,
    };
    match arg {
        arg if is_of_map(arg) => is_plain,
        Arg::Mem | Arg::MemOrNull | Arg::Fixed(_) => true,
        _ => is_writable,
    }
}

/// Since when keys and values of maps are any memory: observed on Linux 6.1, and from the kernel's
/// history.
const ANY_MEMORY_OF_MAP: KernelVersion = (6, 2);

/// What keys and values were before.
const OLD_MEMORY_OF_MAP: Accepted = Accepted {
    words: "fp, pkt, pkt_meta, map_key, map_value",
    has: |kind| {
        matches!(
            kind,
            Kind::Stack(_) | Kind::Packet | Kind::PacketMeta | Kind::MapKey(_) | Kind::MapValue(_)
        )
    },
    help: MEMORY.help,
};

/// Since when structures of the kernel are memory to what is called: observed on Linux 6.1 and 6.12.
pub(super) const STRUCTURES_AS_MEMORY: KernelVersion = (6, 12);

impl Machine<'_, '_> {
    /// That a register is of a kind that the word takes, and points to where it takes it.
    pub(super) fn check_accepted(&self, reg: Reg, arg: Arg, value: &RegState) -> Checked {
        let accepted = accepted(arg);
        let null = value.null == Null::Maybe && !may_be_null(arg);
        let taken = (accepted.has)(value.kind) && takes_memory(arg, value.kind);
        if null || !taken {
            return Err(self.not_accepted(reg, value, &accepted));
        }
        if is_of_map(arg)
            && !self.env.config.since(ANY_MEMORY_OF_MAP)
            && !(OLD_MEMORY_OF_MAP.has)(value.kind)
        {
            return Err(self.not_accepted(reg, value, &OLD_MEMORY_OF_MAP));
        }
        match value.kind {
            Kind::Btf(_) if accepted.words == MEMORY.words => self.check_read(reg, arg, value),
            Kind::Ctx => self.check_whole_ctx(reg, value),
            Kind::Func(_) => check_whole_function(reg, value),
            Kind::Dynptr(_) => check_whole_dynptr(reg, value),
            _ => Ok(()),
        }
    }

    /// That a helper only reads what it is given a structure of the kernel for. The kernel's
    /// prototypes do not say so of keys and values of maps, though they are only read.
    fn check_read(&self, reg: Reg, arg: Arg, value: &RegState) -> Checked {
        let reads = matches!(arg, Arg::Mem | Arg::MemOrNull | Arg::Fixed(_));
        if reads && value.null == Null::Maybe {
            return Err(not_modelled("a structure as memory that may be null"));
        }
        if reads && !self.env.config.since(STRUCTURES_AS_MEMORY) {
            return Err(self.not_memory(reg, value));
        }
        if reads {
            return Ok(());
        }
        let called = self.env.cfg.helper(self.slot);
        let name = called.map_or("helper", |helper| helper.name);
        let (number, kind) = (reg.number(), value.type_name());
        let message =
            format!("bpf_{name}() may write into memory pointed by R{number} type={kind}");
        Err(Rejection::new(Code::ReadOnly, message)
            .label("a structure of the kernel is only read")
            .because(value.origin.made, format!("R{number} is made here"))
            .help("let the helper write to the stack or to a map's value"))
    }

    /// Why a register is no memory that another function can be handed.
    pub(super) fn not_memory(&self, reg: Reg, value: &RegState) -> Box<Rejection> {
        self.not_accepted(reg, value, &SHARED_MEMORY)
    }

    /// Whether a register holds a number that a load of 8 bytes gave.
    fn was_loaded_whole(&self, value: &RegState) -> bool {
        let made = value.origin.made.slot();
        let insn = made.and_then(|slot| self.env.cfg.insn(slot));
        let sem = insn.map(|insn| insn.sem());
        value.is_scalar() && sem == Some(Sem::Load { size: Size::DW })
    }

    /// Why a word does not take a register, and what it takes.
    #[cold]
    fn not_accepted(&self, reg: Reg, value: &RegState, accepted: &Accepted) -> Box<Rejection> {
        let (number, name) = (reg.number(), value.type_name());
        let message = format!("R{number} type={name} expected={}", accepted.words);
        let refused = Rejection::new(Code::ArgumentType, message)
            .label(format!("R{number} is {}", value.in_words()));
        if value.null == Null::Maybe {
            return refused
                .because(value.origin.made, "this may give null")
                .help(format!("compare R{number} with 0 first"));
        }
        let refused = number_made(self.env, refused, reg, value);
        if accepted.words == DYNPTR.words && self.was_loaded_whole(value) {
            return refused.help(SPILLED_DYNPTR);
        }
        match refused.help {
            None => refused.help(accepted.help),
            Some(_) => refused,
        }
    }
}
