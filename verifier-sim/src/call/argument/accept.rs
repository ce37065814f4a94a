//! Which kinds of registers each word of a prototype takes: one table.
//!
//! Read before: `call/argument/mod.rs`. Read next: `call/argument/memory.rs`.

use crate::call::callback::check_whole_function;
use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::object::dynptr::{Access, EndsWith, check_whole_dynptr};
use crate::step::machine::{Machine, not_modelled};
use crate::value::btf_ptr::Marks;
use crate::value::reg::{BufferUse, Kind, Null, RegState, SockType};
use ebpf_asm::helper::Arg;
use ebpf_asm::insn::Reg;
use ebpf_asm::isa::KernelVersion;

/// What a word takes.
struct Accepted {
    /// As the kernel's log lists it.
    words: &'static str,
    /// Whether a kind is among it.
    has: fn(Kind) -> bool,
}

const MEMORY: Accepted = Accepted {
    words: "fp, pkt, pkt_meta, map_key, map_value, mem, ringbuf_mem, buf, trusted_ptr_",
    has: |kind| match kind {
        Kind::Btf(pointer) => pointer.marks == Marks::TRUSTED,
        _ => kind.is_memory(),
    },
};
const CONTEXT: Accepted = Accepted {
    words: "ctx",
    has: |kind| kind == Kind::Ctx,
};
const MAP: Accepted = Accepted {
    words: "map_ptr",
    has: |kind| matches!(kind, Kind::Map(_)),
};
const NUMBER: Accepted = Accepted {
    words: "scalar",
    has: |kind| kind == Kind::Scalar,
};
const RECORD: Accepted = Accepted {
    words: "ringbuf_mem",
    has: |kind| matches!(kind, Kind::RingbufMem(_)),
};
const SOCK: Accepted = Accepted {
    words: "sock_common, sock, tcp_sock, xdp_sock",
    has: |kind| matches!(kind, Kind::Sock(_)),
};
const BTF_SOCK: Accepted = Accepted {
    words: "sock_common, sock, tcp_sock, xdp_sock, ptr_, trusted_ptr_",
    has: |kind| match kind {
        Kind::Sock(_) => true,
        Kind::Btf(pointer) => [Marks::NONE, Marks::TRUSTED].contains(&pointer.marks),
        _ => false,
    },
};
const FULL_SOCK: Accepted = Accepted {
    words: "sock",
    has: |kind| kind == Kind::Sock(SockType::Sock),
};
const STRUCT: Accepted = Accepted {
    words: "ptr_, trusted_ptr_, rcu_ptr_",
    has: |kind| match kind {
        Kind::Btf(pointer) => [Marks::NONE, Marks::TRUSTED, Marks::RCU].contains(&pointer.marks),
        _ => false,
    },
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
};
const FUNCTION: Accepted = Accepted {
    words: "func",
    has: |kind| matches!(kind, Kind::Func(_)),
};
const STACK: Accepted = Accepted {
    words: "fp",
    has: |kind| matches!(kind, Kind::Stack(_)),
};
const DYNPTR: Accepted = Accepted {
    words: "fp, dynptr_ptr",
    has: |kind| matches!(kind, Kind::Stack(_) | Kind::Dynptr(_)),
};
const VALUE: Accepted = Accepted {
    words: "map_value",
    has: |kind| matches!(kind, Kind::MapValue(_)),
};
const VALUE_OR_OBJECT: Accepted = Accepted {
    words: "map_value, ptr_",
    has: |kind| match kind {
        Kind::Btf(pointer) => pointer.marks == Marks::ALLOC,
        _ => matches!(kind, Kind::MapValue(_)),
    },
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
        Arg::ConstStr | Arg::Timer => VALUE,
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
            return Err(wrong_type(reg, value, accepted.words));
        }
        if is_of_map(arg)
            && !self.env.config.since(ANY_MEMORY_OF_MAP)
            && !(OLD_MEMORY_OF_MAP.has)(value.kind)
        {
            return Err(wrong_type(reg, value, OLD_MEMORY_OF_MAP.words));
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
            return Err(wrong_type(reg, value, "fp"));
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
            .because(value.origin.made, format!("R{number} is made here")))
    }
}

/// What the kernel says to a register of the wrong kind.
pub(super) fn wrong_type(reg: Reg, value: &RegState, expected: &str) -> Box<Rejection> {
    let (number, name) = (reg.number(), value.type_name());
    let message = format!("R{number} type={name} expected={expected}");
    let refused = Rejection::new(Code::ArgumentType, message)
        .label(format!("R{number} is {}", with_article(&name.to_string())))
        .because(value.origin.made, format!("R{number} is made here"));
    match value.null {
        Null::Maybe => refused.help(format!("compare R{number} with 0 first")),
        Null::Never => refused,
    }
}

fn with_article(name: &str) -> String {
    match name {
        "scalar" => "a number".to_owned(),
        _ => format!("a pointer of type '{name}'"),
    }
}
