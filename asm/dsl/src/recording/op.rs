//! Operations: what a program does, one after the other.
//!
//! Read before: `mod.rs`.

use super::{CoreKind, KernelTypeId, LocId, MapId, Type, ValueId, VarId};

/// Operations in order.
pub type Block = Vec<Op>;

/// One operation and where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Op {
    /// What it does.
    pub kind: OpKind,
    /// Where it was written.
    pub loc: LocId,
}

/// A value, or a constant.
///
/// A constant of a network-order type is its host number: `0x0800` for IPv4's EtherType.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    /// A value recorded before.
    Value(ValueId),
    /// A constant.
    Const(u64),
}

/// What an operation does. Fields named `dst` are the value defined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpKind {
    /// `dst = lhs op rhs`, in the width of `dst`'s type.
    Binary {
        /// Value defined.
        dst: ValueId,
        /// The operation.
        op: BinaryOp,
        /// Left side.
        lhs: Operand,
        /// Right side.
        rhs: Operand,
    },
    /// `dst = lhs op rhs`, a condition.
    Compare {
        /// Value defined, a condition.
        dst: ValueId,
        /// The comparison.
        op: CompareOp,
        /// Type of both sides.
        ty: Type,
        /// Left side.
        lhs: Operand,
        /// Right side.
        rhs: Operand,
    },
    /// `dst = !value`, both conditions.
    Not {
        /// Value defined, a condition.
        dst: ValueId,
        /// The condition negated.
        value: ValueId,
    },
    /// Converts between host and network order; types tell which way.
    Swap {
        /// Value defined.
        dst: ValueId,
        /// The value converted, of the same size.
        value: ValueId,
    },
    /// Extends with zeros, or truncates, to `dst`'s type.
    Cast {
        /// Value defined.
        dst: ValueId,
        /// The value converted.
        value: ValueId,
    },
    /// `dst = *(ptr + offset)`, as wide as `dst`'s type.
    Load {
        /// Value defined.
        dst: ValueId,
        /// Pointer read through.
        ptr: ValueId,
        /// Offset in bytes.
        offset: u32,
    },
    /// `*(ptr + offset) = value`
    Store {
        /// Pointer written through.
        ptr: ValueId,
        /// Offset in bytes.
        offset: u32,
        /// Type written.
        ty: Type,
        /// What is written.
        value: Operand,
    },
    /// `*(ptr + offset) += value`, atomically.
    AtomicAdd {
        /// Pointer written through.
        ptr: ValueId,
        /// Offset in bytes.
        offset: u32,
        /// `U32` or `U64`.
        ty: Type,
        /// What is added.
        value: Operand,
    },
    /// Reads a field of the program's context.
    Context {
        /// Value defined.
        dst: ValueId,
        /// Which field.
        field: ContextField,
    },
    /// `dst = ptr + offset + amount`
    Advance {
        /// Value defined, a pointer.
        dst: ValueId,
        /// Pointer to start from.
        ptr: ValueId,
        /// Constant offset in bytes.
        offset: u32,
        /// Variable offset in bytes.
        amount: ValueId,
    },
    /// Whether bytes `0..end` from `ptr` are all inside the packet.
    InPacket {
        /// Value defined, a condition.
        dst: ValueId,
        /// Pointer into the packet.
        ptr: ValueId,
        /// End of the bytes asked for, in bytes from `ptr`.
        end: u32,
    },
    /// Whether a pointer is not null.
    NotNull {
        /// Value defined, a condition.
        dst: ValueId,
        /// Pointer asked about.
        ptr: ValueId,
    },
    /// Zeroed memory on the stack.
    Local {
        /// Value defined, a pointer.
        dst: ValueId,
        /// Size in bytes.
        size: u32,
    },
    /// Memory on the stack for a moment: the next `Scratch` may be the same memory. It holds
    /// nothing that is known.
    Scratch {
        /// Value defined, a pointer.
        dst: ValueId,
        /// Size in bytes.
        size: u32,
    },
    /// `dst =` what the running kernel answers about one of its types.
    Core {
        /// Value defined, a `U64`.
        dst: ValueId,
        /// What is asked.
        kind: CoreKind,
        /// The type asked about.
        ty: KernelTypeId,
        /// Of a field the indexes of the members that lead to it; of an enumerator its index.
        path: Vec<u32>,
    },
    /// Gives a variable its value.
    SetVar {
        /// The variable.
        var: VarId,
        /// What it is set to.
        value: Operand,
    },
    /// Reads a variable as it is now.
    GetVar {
        /// Value defined.
        dst: ValueId,
        /// The variable.
        var: VarId,
    },
    /// Calls a helper.
    Call {
        /// Value defined: the helper's result.
        dst: ValueId,
        /// Which helper.
        helper: Helper,
        /// At most five arguments.
        args: Vec<Arg>,
    },
    /// Runs one of two blocks.
    If {
        /// The condition.
        cond: ValueId,
        /// Runs if the condition holds.
        then: Block,
        /// Runs if not.
        otherwise: Block,
    },
    /// An inlined function: a return within leaves it, not the program.
    Inlined {
        /// Value defined, if the function returns one.
        dst: Option<ValueId>,
        /// The function's body.
        body: Block,
    },
    /// Leaves the innermost inlined function, or the program.
    Return {
        /// The value returned, if any.
        value: Option<Operand>,
    },
}

/// An operation on two numbers, by RFC 9669's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOp {
    /// `+`, wrapping
    Add,
    /// `-`, wrapping
    Sub,
    /// `*`, wrapping
    Mul,
    /// `/`, unsigned; division by zero gives zero
    Div,
    /// `%`, unsigned; modulo zero gives the left side
    Mod,
    /// `/`, signed
    Sdiv,
    /// `%`, signed
    Smod,
    /// `&`; also of conditions
    And,
    /// `|`; also of conditions
    Or,
    /// `^`
    Xor,
    /// `<<`; the count is masked to the width
    Lsh,
    /// `>>`, filling with zeros; the count is masked to the width
    Rsh,
    /// `>>`, filling with the sign; the count is masked to the width
    Arsh,
}

/// A comparison of two numbers, by the names of RFC 9669's jumps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompareOp {
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `<`, unsigned
    Lt,
    /// `<=`, unsigned
    Le,
    /// `>`, unsigned
    Gt,
    /// `>=`, unsigned
    Ge,
    /// `<`, signed
    Slt,
    /// `<=`, signed
    Sle,
    /// `>`, signed
    Sgt,
    /// `>=`, signed
    Sge,
    /// `lhs & rhs` is not zero
    Set,
}

/// What can be read of the context: by the names of `struct xdp_md`, or of
/// `struct bpf_raw_tracepoint_args`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContextField {
    /// Pointer to the packet's first byte.
    Data,
    /// Length of the packet's linear part in bytes: `data_end - data`.
    Length,
    /// Index of the interface the packet came in by.
    IngressIfindex,
    /// Index of the receive queue.
    RxQueueIndex,
    /// The tracepoint's argument of this number, from 0.
    Args(u32),
}

/// An argument of a helper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arg {
    /// The program's context.
    Context,
    /// A map.
    Map(MapId),
    /// A number or a pointer.
    Operand(Operand),
    /// The address of memory that holds this number.
    InMemory {
        /// Type of the number.
        ty: Type,
        /// The number.
        value: Operand,
    },
}

/// The helpers that the DSL calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Helper {
    /// `bpf_map_lookup_elem`
    MapLookupElem,
    /// `bpf_map_update_elem`
    MapUpdateElem,
    /// `bpf_map_delete_elem`
    MapDeleteElem,
    /// `bpf_ktime_get_ns`
    KtimeGetNs,
    /// `bpf_get_smp_processor_id`
    GetSmpProcessorId,
    /// `bpf_xdp_adjust_head`
    XdpAdjustHead,
    /// `bpf_xdp_adjust_tail`
    XdpAdjustTail,
    /// `bpf_ringbuf_reserve`
    RingbufReserve,
    /// `bpf_ringbuf_submit`
    RingbufSubmit,
    /// `bpf_ringbuf_discard`
    RingbufDiscard,
    /// `bpf_get_current_pid_tgid`
    GetCurrentPidTgid,
    /// `bpf_get_current_comm`
    GetCurrentComm,
    /// `bpf_get_current_task`
    GetCurrentTask,
    /// `bpf_probe_read_kernel`
    ProbeReadKernel,
}

impl Helper {
    /// The name that the UAPI header gives it.
    pub const fn name(self) -> &'static str {
        match self {
            Helper::MapLookupElem => "bpf_map_lookup_elem",
            Helper::MapUpdateElem => "bpf_map_update_elem",
            Helper::MapDeleteElem => "bpf_map_delete_elem",
            Helper::KtimeGetNs => "bpf_ktime_get_ns",
            Helper::GetSmpProcessorId => "bpf_get_smp_processor_id",
            Helper::XdpAdjustHead => "bpf_xdp_adjust_head",
            Helper::XdpAdjustTail => "bpf_xdp_adjust_tail",
            Helper::RingbufReserve => "bpf_ringbuf_reserve",
            Helper::RingbufSubmit => "bpf_ringbuf_submit",
            Helper::RingbufDiscard => "bpf_ringbuf_discard",
            Helper::GetCurrentPidTgid => "bpf_get_current_pid_tgid",
            Helper::GetCurrentComm => "bpf_get_current_comm",
            Helper::GetCurrentTask => "bpf_get_current_task",
            Helper::ProbeReadKernel => "bpf_probe_read_kernel",
        }
    }

    /// Whether the helper moves the packet, so that pointers into it are void.
    pub const fn moves_packet(self) -> bool {
        matches!(self, Helper::XdpAdjustHead | Helper::XdpAdjustTail)
    }
}

impl OpKind {
    /// The value that this operation defines.
    pub fn dst(&self) -> Option<ValueId> {
        match self {
            OpKind::Binary { dst, .. }
            | OpKind::Compare { dst, .. }
            | OpKind::Not { dst, .. }
            | OpKind::Swap { dst, .. }
            | OpKind::Cast { dst, .. }
            | OpKind::Load { dst, .. }
            | OpKind::Context { dst, .. }
            | OpKind::Advance { dst, .. }
            | OpKind::InPacket { dst, .. }
            | OpKind::NotNull { dst, .. }
            | OpKind::Local { dst, .. }
            | OpKind::Scratch { dst, .. }
            | OpKind::Core { dst, .. }
            | OpKind::GetVar { dst, .. }
            | OpKind::Call { dst, .. } => Some(*dst),
            OpKind::Inlined { dst, .. } => *dst,
            OpKind::Store { .. }
            | OpKind::AtomicAdd { .. }
            | OpKind::SetVar { .. }
            | OpKind::If { .. }
            | OpKind::Return { .. } => None,
        }
    }
}
