//! Prototypes: what a helper takes and returns, in the words that the verifier understands.
//!
//! Sources: the descriptions in `include/uapi/linux/bpf.h` and bpf-helpers(7).
//!
//! Read before: `helper/mod.rs`. Read next: `callers.rs`.

/// What a helper takes and returns.
#[derive(Debug, Clone, Copy)]
pub struct Proto {
    /// The arguments, in R1 to R5.
    pub args: &'static [Arg],
    /// The result in R0.
    pub ret: Ret,
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
    /// A map.
    Map,
    /// Memory of that map's `key_size`, initialised.
    MapKey,
    /// Memory of that map's `value_size`, initialised.
    MapValue,
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
    /// The size of the memory in the argument before, at least 1.
    Size,
    /// The size of the memory in the argument before.
    SizeOrZero,
    /// Any number, or any pointer where pointers may leak.
    Anything,
    /// A number known when the program is verified, that sizes what is returned.
    ConstAllocSize,
    /// A ring buffer record that `ringbuf_reserve` returned.
    RingbufRecord,
    /// A socket of any kind.
    Sock,
}

/// What a helper leaves in R0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ret {
    /// A number.
    Integer,
    /// Nothing: R0 may not be read.
    Void,
    /// The value of the map at the key, or null if there is none.
    MapValueOrNull,
    /// A CPU's value of the map at the key, or null if there is none or no such CPU.
    CpuMapValueOrNull,
    /// A ring buffer record of the size asked for, or null; it must be given back.
    RingbufRecordOrNull,
    /// A full socket, or null.
    SockOrNull,
    /// A TCP socket, or null.
    TcpSockOrNull,
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
}

impl Proto {
    pub(super) const fn moves_packet(mut self) -> Proto {
        self.effect = Effect::MovesPacket;
        self
    }

    pub(super) const fn leaves_program(mut self) -> Proto {
        self.effect = Effect::LeavesProgram;
        self
    }

    pub(super) const fn writes_map(mut self) -> Proto {
        self.map = MapUse::Writes;
        self
    }

    pub(super) const fn takes_packet(mut self) -> Proto {
        self.packet = PacketArgs::Taken;
        self
    }
}

pub(super) const fn proto(args: &'static [Arg], ret: Ret) -> Proto {
    Proto {
        args,
        ret,
        effect: Effect::None,
        packet: PacketArgs::Refused,
        map: MapUse::Reads,
    }
}
