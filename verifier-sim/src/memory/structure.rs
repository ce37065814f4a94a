//! What is behind pointers that a context gives, besides packets: sockets, the flow
//! dissector's keys, the buffer of a writable tracepoint.
//!
//! Described in bpf-helpers(7), `bpf_sk_fullsock`, and the kernel's
//! `Documentation/bpf/prog_flow_dissector.rst`; messages as observed on Linux 6.18.
//!
//! Read before: `region.rs`, `ctx/sock.rs`. Read next: `btf_access.rs`.

use crate::codes::Code;
use crate::ctx::{Field, sock};
use crate::diag::{Checked, Rejection};
use crate::memory::mem::{Direction, MemAccess};
use crate::memory::region::Extent;
use crate::step::machine::Machine;
use crate::value::reg::{BufferUse, RegState, SockType};
use crate::value::scalar::Scalar;
use ebpf_asm::insn::Reg;

/// The size of `struct bpf_flow_keys` in bytes.
const FLOW_KEYS: i64 = 56;

impl Machine<'_, '_> {
    /// Reads a field of a socket.
    pub(crate) fn read_sock(&self, sock: SockType, access: MemAccess) -> Checked<RegState> {
        let fields = sock::behind(sock);
        let off = i64::from(access.off);
        let since = |version| self.env.config.since(version);
        match fields.read(off, access.size) {
            Some(field) if since(field.since) => Ok(RegState::scalar(Scalar::of_size(access.size))),
            _ => {
                let (number, name) = (access.reg.number(), sock.name());
                let bytes = access.size.bytes();
                // The kernel (6.18) notices the upper half of a field of eight bytes only when it
                // has followed all paths and rewrites the access.
                let is_upper_half =
                    |field: &Field| field.size == 8 && off == i64::from(field.offset) + 4;
                let message = match fields.at(off) {
                    Some(field) if sock == SockType::Tcp && bytes == 4 && is_upper_half(field) => {
                        "verifier bug: error during ctx access conversion (0)".to_owned()
                    }
                    _ => format!("R{number} invalid {name} access off={off} size={bytes}"),
                };
                let what = match fields.at(off) {
                    Some(field) => {
                        format!("{bytes} bytes of {}, field {}", fields.name, field.name)
                    }
                    None => format!("{} has no field at {off}", fields.name),
                };
                Err(Rejection::new(Code::Context, message).label(what).help(
                    "read a member of struct bpf_sock (bpf_tcp_sock, bpf_xdp_sock) that is there for \
                     this kind of socket, whole: bpf_sk_fullsock and bpf_tcp_sock make one that has more",
                ))
            }
        }
    }

    /// That bytes of the flow dissector's keys are among them.
    pub(crate) fn check_flow_keys(&self, base: &RegState, access: MemAccess) -> Checked {
        let extent = access.extent(base);
        if extent.off >= 0 && extent.off + extent.size <= FLOW_KEYS {
            return Ok(());
        }
        let message = format!(
            "invalid access to flow keys off={} size={}",
            extent.off, extent.size
        );
        Err(Rejection::new(Code::MemoryBounds, message)
            .label(format!("bpf_flow_keys has {FLOW_KEYS} bytes"))
            .help("access members of struct bpf_flow_keys"))
    }

    /// That bytes of a tracepoint's buffer do not begin before it; how long it is, is
    /// compared when the program is attached.
    pub(crate) fn check_tp_buffer(&self, base: &RegState, access: MemAccess) -> Checked {
        self.check_open_buffer(base, access.extent(base), "tracepoint")
    }

    /// The same for a buffer that an iterator hands over, and that it may be written.
    pub(crate) fn check_buffer(
        &self,
        usage: BufferUse,
        base: &RegState,
        extent: Extent,
        direction: Direction,
    ) -> Checked {
        let what = match (usage, direction) {
            (BufferUse::Read, Direction::Write) => return Err(read_only_memory(extent.reg, base)),
            (BufferUse::Read, Direction::Read) => "rdonly",
            (BufferUse::Write, _) => "rdwr",
        };
        self.check_open_buffer(base, extent, what)
    }

    fn check_open_buffer(&self, base: &RegState, extent: Extent, what: &str) -> Checked {
        let number = extent.reg.number();
        let refuse = |message| {
            Rejection::new(Code::MemoryBounds, message)
                .because(base.origin.made, "the address is made here")
                .help("access it at constant offsets, from 0 on")
        };
        if extent.off < 0 {
            let message = format!(
                "R{number} invalid {what} buffer access: off={}, size={}",
                extent.off, extent.size
            );
            return Err(refuse(message).label("begins before the buffer"));
        }
        if base.constant_var_off() != Some(0) {
            let message = format!(
                "R{number} invalid variable buffer offset: off={}, var_off={}",
                extent.off, base.scalar.tnum
            );
            return Err(refuse(message).label("at a computed place"));
        }
        Ok(())
    }
}

/// Sockets are only read.
pub(crate) fn read_only_sock(reg: Reg, base: &RegState) -> Box<Rejection> {
    let message = format!("R{} cannot write into {}", reg.number(), base.type_name());
    Rejection::new(Code::ReadOnly, message)
        .label("writes to a socket")
        .because(base.origin.made, "the socket comes from here")
        .help(
            "sockets are only read: options are set by bpf_setsockopt, and own data is kept by \
               bpf_sk_storage_get",
        )
}

/// Memory that is only read.
pub(crate) fn read_only_memory(reg: Reg, base: &RegState) -> Box<Rejection> {
    let message = format!("R{} cannot write into {}", reg.number(), base.type_name());
    Rejection::new(Code::ReadOnly, message)
        .label("writes to memory that is only read")
        .because(base.origin.made, "the pointer comes from here")
        .help("copy what is to be changed to a variable, and write there")
}
