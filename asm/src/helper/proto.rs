//! Prototypes: what a helper takes and returns, in the words that the verifier understands.
//!
//! Sources: the descriptions in `include/uapi/linux/bpf.h` and bpf-helpers(7), and what Linux
//! 6.18 answers to registers of every kind in every argument.
//!
//! Read before: `helper/mod.rs`. Read next: `callers.rs`.

use super::{Helper, ProgTypes};

/// What a helper takes and returns.
#[derive(Debug, Clone, Copy)]
pub struct Proto {
    /// The arguments, in R1 to R5.
    pub args: &'static [Arg],
    /// The result in R0.
    pub ret: Ret,
    /// Whose the result is.
    pub ownership: Ownership,
    /// What a call does besides.
    pub effect: Effect,
    /// Whether arguments may point into the packet.
    pub packet: PacketArgs,
    /// What it does with the map among its arguments.
    pub map: MapUse,
}

/// What a helper does with a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MapUse {
    /// It leaves the contents alone.
    Reads,
    /// It changes, adds or removes elements: not in a map made with `BPF_F_RDONLY_PROG`.
    Writes,
}

/// Whether a helper takes memory in the packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketArgs {
    /// It does not.
    Refused,
    /// It does, from program types that access packets directly.
    Taken,
}

/// What a helper wants in an argument register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arg {
    /// The program's context.
    Ctx,
    /// The program's context, or null.
    CtxOrNull,
    /// A map.
    Map,
    /// Memory of that map's `key_size`, initialised.
    MapKey,
    /// Memory of that map's `value_size`, initialised.
    MapValue,
    /// Memory of that map's `value_size`, initialised, or null.
    MapValueOrNull,
    /// Memory of that map's `value_size`, which the helper fills.
    UninitMapValue,
    /// Initialised memory of the size in the next argument.
    Mem,
    /// Initialised memory of the size in the next argument, or null.
    MemOrNull,
    /// Initialised memory of the size in the next argument, which the helper changes.
    MemInOut,
    /// Memory of the size in the next argument, which the helper fills.
    UninitMem,
    /// Memory of the size in the next argument, which the helper fills, or null.
    UninitMemOrNull,
    /// Initialised memory of so many bytes.
    Fixed(u32),
    /// Initialised memory of so many bytes, aligned to them, which the helper changes.
    InOutFixed(u32),
    /// Memory of so many bytes, aligned to them, which the helper fills.
    UninitFixed(u32),
    /// The size of the memory in the argument before, at least 1.
    Size,
    /// The size of the memory in the argument before.
    SizeOrZero,
    /// Any number, or any pointer where pointers may leak.
    Anything,
    /// A number known when the program is verified, that sizes what is returned.
    ConstAllocSize,
    /// A text that ends with a zero byte, in a map whose contents cannot change any more.
    ConstStr,
    /// A ring buffer record that `ringbuf_reserve` returned, which the helper takes back.
    RingbufRecord,
    /// A socket of any kind, by a pointer of the UAPI.
    Sock,
    /// A socket of any kind, by a pointer of the UAPI or to the kernel's structure.
    BtfSock,
    /// The same, or null.
    BtfSockOrNull,
    /// A socket of any kind that a helper looked up, which this one takes back.
    ReleasedSock,
    /// A full socket, or null.
    FullSockOrNull,
    /// A structure of the kernel.
    Struct(&'static str),
    /// A structure of the kernel, or null.
    StructOrNull(&'static str),
    /// A variable of the kernel that each CPU has one of.
    PerCpu,
    /// A function of the program.
    Callback,
    /// What a function of the program is handed: memory on the stack, or null.
    CallbackCtx,
    /// A dynptr.
    Dynptr,
    /// Memory for a dynptr of this type, which the helper makes.
    UninitDynptr(DynptrType),
    /// A dynptr of this type, which the helper takes back.
    ReleasedDynptr(DynptrType),
    /// A `struct bpf_spin_lock`.
    SpinLock,
    /// A `struct bpf_timer`.
    Timer,
    /// A field of a map's value that holds a pointer to an object of the kernel.
    KptrPlace,
    /// A pointer for such a field, which the helper takes, or null.
    Kptr,
}

/// What a helper leaves in R0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ret {
    /// A number.
    Integer,
    /// How many bytes of the memory among the arguments were filled, or a negative error.
    LengthOrError,
    /// The number of a CPU.
    CpuNumber,
    /// Nothing: R0 may not be read.
    Void,
    /// A value of the map.
    MapValue,
    /// A value of the map, or null if there is none.
    MapValueOrNull,
    /// A CPU's value of the map, or null if there is none or no such CPU.
    CpuMapValueOrNull,
    /// A ring buffer record of the size asked for, or null.
    RingbufRecordOrNull,
    /// A socket of any kind, or null.
    SockCommonOrNull,
    /// A full socket, or null.
    SockOrNull,
    /// A TCP socket, or null.
    TcpSockOrNull,
    /// A structure of the kernel.
    Struct(&'static str),
    /// A structure of the kernel, or null.
    StructOrNull(&'static str),
    /// This CPU's variable of those in the argument.
    PerCpu,
    /// A CPU's variable of those in the argument, or null.
    PerCpuOrNull,
    /// Memory of a dynptr of the size asked for, or null.
    DynptrMemOrNull,
    /// What the field held that the argument points to, or null.
    Kptr,
}

/// Whose the result of a helper is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// The kernel's.
    Kernel,
    /// The program's, which must give it back.
    Acquired,
    /// That of the argument, of which it is another view.
    Shared,
}

/// What a helper does besides returning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing that pointers notice.
    None,
    /// Moves the packet: all packet pointers end.
    MovesPacket,
    /// Goes on in another program, and comes back only if there is none.
    LeavesProgram,
    /// Calls a function of the program among its arguments, any number of times.
    CallsBack(CallbackOf),
    /// Has a function of the program among its arguments called later, on its own.
    CallsLater,
}

/// What memory a dynptr stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DynptrType {
    /// Memory that the program can point to itself, or that a callback is handed.
    Local,
    /// A ring buffer record, which must be given back.
    Ringbuf,
    /// The packet of an sk_buff.
    Skb,
    /// The metadata in front of that.
    SkbMeta,
    /// The packet of an XDP program.
    Xdp,
}

impl DynptrType {
    /// The name, as the kernel's log has it.
    pub const fn name(self) -> &'static str {
        match self {
            DynptrType::Local => "local",
            DynptrType::Ringbuf => "ringbuf",
            DynptrType::Skb => "skb",
            DynptrType::SkbMeta => "skb_meta",
            DynptrType::Xdp => "xdp",
        }
    }

    /// Whether it stands for a packet, which may move.
    pub const fn is_packet(self) -> bool {
        matches!(
            self,
            DynptrType::Skb | DynptrType::SkbMeta | DynptrType::Xdp
        )
    }

    /// Whether a write to it may move the packet.
    pub const fn moves_packet(self) -> bool {
        matches!(self, DynptrType::Skb | DynptrType::SkbMeta)
    }

    /// Whether it must be given back.
    pub const fn is_owned(self) -> bool {
        matches!(self, DynptrType::Ringbuf)
    }
}

/// From where a function of the program is called back, which decides what it is handed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallbackOf {
    /// `bpf_loop`, with the number of the round.
    Loop,
    /// `bpf_for_each_map_elem`, with the map, a key and its value.
    MapElem,
    /// `bpf_user_ringbuf_drain`, with a dynptr of the record.
    UserRecord,
    /// `bpf_find_vma`, with the task and its area of memory.
    MemoryArea,
}

impl Proto {
    /// Takes nothing and returns a number.
    pub(super) const NUMBER: Proto = Proto {
        args: &[],
        ret: Ret::Integer,
        ownership: Ownership::Kernel,
        effect: Effect::None,
        packet: PacketArgs::Refused,
        map: MapUse::Reads,
    };
}

impl Helper {
    pub(super) const fn takes(mut self, args: &'static [Arg]) -> Helper {
        self.proto.args = args;
        self
    }

    pub(super) const fn takes_from(
        mut self,
        elsewhere: &'static [(ProgTypes, &'static [Arg])],
    ) -> Helper {
        self.elsewhere = elsewhere;
        self
    }

    pub(super) const fn gives(mut self, ret: Ret) -> Helper {
        self.proto.ret = ret;
        self
    }

    pub(super) const fn acquires(mut self) -> Helper {
        self.proto.ownership = Ownership::Acquired;
        self
    }

    pub(super) const fn shares(mut self) -> Helper {
        self.proto.ownership = Ownership::Shared;
        self
    }

    pub(super) const fn moves_packet(mut self) -> Helper {
        self.proto.effect = Effect::MovesPacket;
        self
    }

    pub(super) const fn leaves_program(mut self) -> Helper {
        self.proto.effect = Effect::LeavesProgram;
        self
    }

    pub(super) const fn calls_later(mut self) -> Helper {
        self.proto.effect = Effect::CallsLater;
        self
    }

    pub(super) const fn calls_back(mut self, callback: CallbackOf) -> Helper {
        self.proto.effect = Effect::CallsBack(callback);
        self
    }

    pub(super) const fn writes_map(mut self) -> Helper {
        self.proto.map = MapUse::Writes;
        self
    }

    pub(super) const fn takes_packet(mut self) -> Helper {
        self.proto.packet = PacketArgs::Taken;
        self
    }
}
