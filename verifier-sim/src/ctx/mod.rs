//! Contexts: what a program receives in R1, one table row for each field of its UAPI struct.
//!
//! A struct is often shared by several program types, or by several attach types, each with
//! its own choice of fields: such a choice is a *column* of the table. [`context`] says which
//! table and which column a program has; the tables are in the other files of this folder, a
//! family each. Sockets that a program meets are read by the same kind of table
//! ([`sock`]).
//!
//! Sources: `include/uapi/linux/bpf.h` for names and offsets; who may read and write what was
//! observed on Linux 6.18: every offset with every size, both directions, every program type
//! and attach type. First releases are from the kernel's history.
//!
//! Read before: `value/reg.rs`. Read in the order `xdp.rs`, `skb.rs`, `socket.rs`, `sock.rs`,
//! `sock_addr.rs`, `sock_ops.rs`, `cgroup.rs`, `trace.rs`, `kernel.rs`; and, for contexts that are
//! arguments, `arguments.rs`, `attach.rs`, `exceptions.rs`, `traced.rs`, `hook.rs`, `probe.rs`,
//! `operation.rs`.

mod arguments;
mod attach;
mod cgroup;
mod exceptions;
mod hook;
mod kernel;
mod operation;
mod probe;
mod skb;
pub(crate) mod sock;
mod sock_addr;
mod sock_ops;
mod socket;
#[cfg(test)]
mod tests;
mod trace;
mod traced;
mod xdp;

pub(crate) use arguments::{ArgumentContext, Read, Unread};
pub(crate) use attach::Target;
pub(crate) use hook::{ANSWERS_CHECKED, Answer};

use crate::value::reg::{Kind, SockType};
use ebpf_asm::isa::{KernelVersion, Size};
use ebpf_asm::prog_type::{AttachType, ProgType};

/// What a program type receives.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context {
    /// The UAPI struct.
    pub name: &'static str,
    /// Its fields, by ascending offset.
    pub fields: &'static [Field],
    /// Which of the fields there are for this program.
    pub column: Column,
    /// What may be done with the packet.
    pub packet: PacketUse,
}

/// Columns of a table: one bit each, with a name in the table's own file.
pub(crate) type Column = u8;

/// The column of tables that have only one.
const ALL: Column = u8::MAX;

/// What a program may do with the memory between `data` and `data_end`, besides reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PacketUse {
    /// Hand it to those helpers that take packets.
    Read,
    /// That, and write it.
    Write,
    /// Nothing.
    Look,
    /// Write it, and hand it to any helper: it is a buffer, no packet.
    Buffer,
}

/// A field of a context.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its first byte.
    pub offset: i32,
    /// Its size in bytes; of arrays, the size of all elements.
    pub size: i32,
    /// How it may be read, in which columns.
    pub read: Access,
    /// How it may be written, in which columns.
    pub write: Access,
    /// What reading it gives.
    pub value: Value,
    /// The first Linux release that has it.
    pub since: KernelVersion,
    /// Whether one needs `CAP_BPF` for what can be done with it.
    pub loader: Loader,
}

/// With which sizes a field may be accessed, and by whom. An access is always aligned to its
/// size, and inside of the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Access {
    /// The sizes in bytes, which are powers of two, added up.
    sizes: u8,
    /// Accesses that do not begin with the field end before this byte of it.
    reach: i32,
    columns: Column,
}

/// Who may access a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loader {
    /// Programs of any loader.
    Any,
    /// Programs of those with `CAP_BPF` may do what the table says, others nothing.
    Bpf,
    /// Programs of those with `CAP_BPF` may do what the table says, others may read.
    BpfToWrite,
}

/// What reading a field gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value {
    /// A number.
    Number,
    /// A pointer.
    Pointer(Kind),
    /// A pointer, or null.
    PointerOrNull(Kind),
    /// A structure of the kernel of this name, which exists.
    Structure(&'static str),
}

/// `data`, or what stands for it.
const PACKET: Value = Value::Pointer(Kind::Packet);
/// `data_end`.
const PACKET_END: Value = Value::Pointer(Kind::PacketEnd);
/// `data_meta`.
const PACKET_META: Value = Value::Pointer(Kind::PacketMeta);
/// A socket that is there.
const SOCK: Value = Value::Pointer(Kind::Sock(SockType::Sock));
/// A socket, if there is one.
const SOCK_OR_NULL: Value = Value::PointerOrNull(Kind::Sock(SockType::Sock));
/// What all kinds of sockets have, if there is one.
const SOCK_COMMON_OR_NULL: Value = Value::PointerOrNull(Kind::Sock(SockType::Common));

/// Reads and writes of these sizes in bytes.
const BYTE: u8 = 1;
const WORD: u8 = 4;
const DOUBLE: u8 = 8;
const UP_TO_WORD: u8 = 1 | 2 | 4;
const ANY_SIZE: u8 = 1 | 2 | 4 | 8;
const WORD_OR_DOUBLE: u8 = 4 | 8;

impl Access {
    const NO: Access = Access::inside(0, 0);

    const fn inside(sizes: u8, columns: Column) -> Access {
        Access {
            sizes,
            reach: i32::MAX,
            columns,
        }
    }

    /// Whether `size` bytes at `within` the field are allowed.
    fn allows(self, within: i32, size: Size, field: i32) -> bool {
        let bytes = i32::from(size.bytes() as u8);
        let end = within + bytes;
        self.sizes & size.bytes() as u8 != 0 && end <= field && (within == 0 || end <= self.reach)
    }
}

const fn field(name: &'static str, offset: i32, size: i32) -> Field {
    Field {
        name,
        offset,
        size,
        read: Access::NO,
        write: Access::NO,
        value: Value::Number,
        since: (4, 1),
        loader: Loader::Any,
    }
}

impl Field {
    const fn read(mut self, sizes: u8, columns: Column) -> Field {
        self.read = Access::inside(sizes, columns);
        self
    }

    /// Reads, of which those that do not begin with the field end before byte `reach` of it.
    const fn read_within(mut self, reach: i32, sizes: u8, columns: Column) -> Field {
        self.read = Access {
            sizes,
            reach,
            columns,
        };
        self
    }

    /// Reads that begin with the field.
    const fn read_at_start(self, sizes: u8, columns: Column) -> Field {
        self.read_within(0, sizes, columns)
    }

    const fn write(mut self, sizes: u8, columns: Column) -> Field {
        self.write = Access::inside(sizes, columns);
        self
    }

    const fn value(mut self, value: Value) -> Field {
        self.value = value;
        self
    }

    const fn since(mut self, since: KernelVersion) -> Field {
        self.since = since;
        self
    }

    const fn loader(mut self, loader: Loader) -> Field {
        self.loader = loader;
        self
    }
}

impl Context {
    const fn new(name: &'static str, fields: &'static [Field], column: Column) -> Context {
        Context {
            name,
            fields,
            column,
            packet: PacketUse::Read,
        }
    }

    const fn packet(mut self, packet: PacketUse) -> Context {
        self.packet = packet;
        self
    }

    /// The field that reading `size` bytes at `offset` reads.
    pub(crate) fn read(&self, offset: i64, size: Size) -> Option<&'static Field> {
        self.field(offset, size, |field| field.read)
    }

    /// The field that writing `size` bytes at `offset` writes.
    pub(crate) fn write(&self, offset: i64, size: Size) -> Option<&'static Field> {
        self.field(offset, size, |field| field.write)
    }

    /// Whether a field, or its first bytes, may be read.
    pub(crate) fn is_read(&self, field: &Field) -> bool {
        let mut sizes = Size::ALL.into_iter();
        sizes.any(|size| self.read(i64::from(field.offset), size).is_some())
    }

    /// Whether a field, or its first bytes, may be written.
    pub(crate) fn is_written(&self, field: &Field) -> bool {
        let mut sizes = Size::ALL.into_iter();
        sizes.any(|size| self.write(i64::from(field.offset), size).is_some())
    }

    /// The field at `offset`, whether or not it may be accessed.
    pub(crate) fn at(&self, offset: i64) -> Option<&'static Field> {
        let offset = i32::try_from(offset).ok()?;
        let after = self.fields.partition_point(|field| field.offset <= offset);
        let field = self.fields.get(after.checked_sub(1)?)?;
        (offset - field.offset < field.size).then_some(field)
    }

    fn field(
        &self,
        offset: i64,
        size: Size,
        access: impl Fn(&Field) -> Access,
    ) -> Option<&'static Field> {
        let field = self.at(offset)?;
        let at = i32::try_from(offset).ok()?;
        let access = access(field);
        let aligned = offset.rem_euclid(i64::from(size.bytes())) == 0;
        let allowed =
            access.columns & self.column != 0 && access.allows(at - field.offset, size, field.size);
        (aligned && allowed).then_some(field)
    }
}

/// What a program receives; `None` while that is not modelled. The attach type is as
/// [`ProgType::attach_type`] gives it.
pub(crate) fn context(prog_type: ProgType, attach_type: AttachType) -> Option<&'static Context> {
    Some(match prog_type {
        ProgType::Xdp => xdp::context(attach_type),
        ProgType::SocketFilter
        | ProgType::SchedCls
        | ProgType::SchedAct
        | ProgType::CgroupSkb
        | ProgType::SkSkb
        | ProgType::LwtIn
        | ProgType::LwtOut
        | ProgType::LwtXmit
        | ProgType::LwtSeg6local
        | ProgType::FlowDissector => skb::context(prog_type),
        ProgType::CgroupSock => sock::context(attach_type),
        ProgType::CgroupSockAddr => sock_addr::context(attach_type),
        ProgType::CgroupSockopt => cgroup::sockopt(attach_type),
        ProgType::CgroupDevice => &cgroup::DEVICE,
        ProgType::CgroupSysctl => &cgroup::SYSCTL,
        ProgType::SockOps => &sock_ops::SOCK_OPS,
        ProgType::SkMsg => &socket::SK_MSG,
        ProgType::SkReuseport => &socket::SK_REUSEPORT,
        ProgType::SkLookup => &socket::SK_LOOKUP,
        ProgType::Kprobe => &trace::KPROBE,
        ProgType::Tracepoint => &trace::TRACEPOINT,
        ProgType::PerfEvent => &trace::PERF_EVENT,
        ProgType::RawTracepoint => &trace::RAW_TRACEPOINT,
        ProgType::RawTracepointWritable => &trace::RAW_TRACEPOINT_WRITABLE,
        ProgType::Netfilter => &kernel::NETFILTER,
        ProgType::Syscall => &kernel::SYSCALL,
        ProgType::Tracing | ProgType::Lsm | ProgType::StructOps => &kernel::ARGUMENTS,
        ProgType::Unspec | ProgType::LircMode2 | ProgType::Ext => {
            return None;
        }
    })
}
