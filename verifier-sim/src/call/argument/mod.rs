//! Arguments of helpers: what each word of a prototype demands of a register.
//!
//! `accept.rs` says which kinds of registers each word takes at all; the other files of this
//! folder say what is looked at besides, a family of words each. The order of the checks is
//! the kernel's, which shows in what it complains of first.
//!
//! Described in bpf-helpers(7); what is refused, and in which words, was observed on Linux 6.18.
//!
//! Read before: `call/invoke.rs`, `memory/region.rs`. Read in the order `accept.rs`, `memory.rs`,
//! `of_map.rs`, `text.rs`, `structure.rs`, `special.rs`, `owned.rs`.

mod accept;
mod memory;
mod of_map;
pub(crate) mod owned;
mod special;
mod structure;
pub(crate) mod text;

use crate::call::callback::function;
use crate::codes::Code;
use crate::ctx::PacketUse;
use crate::diag::{Checked, Rejection};
use crate::object::dynptr::OnStack;
use crate::object::lock::Lock;
use crate::step::alu::describe;
use crate::step::machine::Machine;
use crate::types::special::Kptr;
use crate::value::btf_ptr::BtfPtr;
use crate::value::reg::RegState;
use accept::may_be_null;
use memory::{MemoryUse, ZeroSize};

pub(crate) use memory::Filled;
pub(crate) use of_map::of_two_maps;

use ebpf_asm::helper::{Arg, DynptrType, PacketArgs};
use ebpf_asm::insn::Reg;
use ebpf_asm::object::Map;

/// What was found out about the arguments of a call.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Arguments<'a> {
    /// The map.
    pub(crate) map: Option<&'a Map>,
    /// Its index in the object.
    pub(crate) map_index: Option<u32>,
    /// Which of the maps in a map of maps it is, as in [`RegState::map_uid`].
    pub(crate) map_uid: u32,
    /// The key as a number, where it is known and the map is an array.
    pub(crate) key: Option<u64>,
    /// The size of what the helper returns.
    pub(crate) alloc_size: Option<u32>,
    /// The most bytes of memory that the helper can fill.
    pub(crate) most_bytes: Option<u64>,
    /// The reference among the arguments.
    pub(crate) owned: Option<u32>,
    /// The reference that the helper takes back.
    pub(crate) released: Option<u32>,
    /// A dynptr.
    pub(crate) dynptr: Option<RegState>,
    /// The dynptr that the helper takes back.
    pub(crate) released_dynptr: Option<OnStack>,
    /// The function that the helper calls, by its first slot.
    pub(crate) callback: Option<usize>,
    /// A lock.
    pub(crate) lock: Option<Lock>,
    /// A pointer in a map's value.
    pub(crate) kptr: Option<Kptr>,
    /// A structure that each CPU has.
    pub(crate) per_cpu: Option<BtfPtr>,
    /// A text that cannot change any more, without the zero byte behind it.
    pub(crate) text: Option<&'a [u8]>,
    /// Parts of the stack that the helper writes.
    pub(crate) filled: [Option<Filled>; 3],
    /// The memory whose size comes next.
    memory: Option<(Reg, MemoryUse)>,
}

impl<'a> Machine<'_, 'a> {
    /// That a register is what the helper takes there.
    pub(crate) fn check_argument(
        &mut self,
        reg: Reg,
        arg: Arg,
        packet: PacketArgs,
        found: &mut Arguments<'a>,
    ) -> Checked {
        let value = *self.read_reg(reg)?;
        if arg == Arg::Anything {
            return self.check_leak(reg, &value, "leaks addr into helper function");
        }
        self.check_packet_argument(reg, &value, packet)?;
        let arg = of_map::resolved(arg, found)?;
        let null = may_be_null(arg) && value.as_constant() == Some(0);
        if !null {
            self.check_accepted(reg, arg, &value)?;
        }
        self.check_ownership(reg, arg, &value, found)?;
        match arg {
            Arg::MapValueOrNull if null => Ok(()),
            _ => self.check_word(reg, arg, &value, found),
        }
    }

    /// What a word demands besides, of a register that it takes.
    fn check_word(
        &mut self,
        reg: Reg,
        arg: Arg,
        value: &RegState,
        found: &mut Arguments<'a>,
    ) -> Checked {
        match arg {
            Arg::Anything
            | Arg::Ctx
            | Arg::CtxOrNull
            | Arg::Sock
            | Arg::FullSockOrNull
            | Arg::RingbufRecord
            | Arg::CallbackCtx => Ok(()),
            Arg::BtfSock | Arg::BtfSockOrNull | Arg::ReleasedSock => {
                self.check_struct(reg, value, structure::SOCK)
            }
            Arg::Struct(name) | Arg::StructOrNull(name) => self.check_struct(reg, value, name),
            Arg::Callback => {
                found.callback = function(value);
                Ok(())
            }
            Arg::Map => {
                self.check_same_map(value, found)?;
                self.check_map_argument(value, found)
            }
            Arg::MapKey => self.check_key(reg, value, found),
            Arg::MapValue | Arg::MapValueOrNull => {
                self.check_value(reg, value, MemoryUse::Reads, found)
            }
            Arg::UninitMapValue => self.check_value(reg, value, MemoryUse::Fills, found),
            Arg::Mem | Arg::MemOrNull => found.expect_size(reg, MemoryUse::Reads),
            Arg::MemInOut => found.expect_size(reg, MemoryUse::Changes),
            Arg::UninitMem | Arg::UninitMemOrNull if self.wants_written_room() => {
                found.expect_size(reg, MemoryUse::Changes)
            }
            Arg::UninitMem | Arg::UninitMemOrNull => found.expect_size(reg, MemoryUse::Fills),
            Arg::Fixed(size) => self.check_fixed(reg, value, size, MemoryUse::Reads, found),
            Arg::InOutFixed(size) => self.check_fixed(reg, value, size, MemoryUse::Changes, found),
            Arg::UninitFixed(size) => self.check_fixed(reg, value, size, MemoryUse::Fills, found),
            Arg::Size => self.check_size(reg, value, ZeroSize::Refused, found),
            Arg::SizeOrZero => self.check_size(reg, value, ZeroSize::Allowed, found),
            Arg::Dynptr => self.take_dynptr(reg, value, found),
            Arg::UninitDynptr(of) => self.fill_dynptr(reg, value, of),
            Arg::ReleasedDynptr(of) => self.take_released_dynptr(reg, value, of, found),
            Arg::ConstAllocSize => self.check_alloc_size(reg, value, found),
            Arg::ConstStr => self.check_text(reg, value, found),
            Arg::SpinLock => self.check_lock(reg, value, found),
            Arg::Timer => self.check_timer(reg, value, found),
            Arg::KptrPlace => self.check_kptr_place(reg, value, found),
            Arg::Kptr => self.check_new_kptr(reg, value, found),
            Arg::PerCpu => self.check_per_cpu(reg, value, found),
        }
    }

    fn take_dynptr(&mut self, reg: Reg, value: &RegState, found: &mut Arguments<'_>) -> Checked {
        found.dynptr = Some(self.check_dynptr(reg, value)?);
        Ok(())
    }

    fn fill_dynptr(&mut self, reg: Reg, value: &RegState, of: DynptrType) -> Checked {
        self.check_uninit_dynptr(reg, value)?;
        self.make_dynptr(value, of, None);
        Ok(())
    }

    fn take_released_dynptr(
        &mut self,
        reg: Reg,
        value: &RegState,
        of: DynptrType,
        found: &mut Arguments<'_>,
    ) -> Checked {
        found.released_dynptr = Some(self.check_released_dynptr(reg, value, of)?);
        Ok(())
    }

    /// That the helper takes what is in the packet, if it is handed that.
    fn check_packet_argument(&self, reg: Reg, value: &RegState, packet: PacketArgs) -> Checked {
        let taken = match self.env.context.packet {
            PacketUse::Look => false,
            PacketUse::Buffer => true,
            PacketUse::Read | PacketUse::Write => packet == PacketArgs::Taken,
        };
        if taken || !value.is_packet() {
            return Ok(());
        }
        Err(Rejection::new(
            Code::ArgumentType,
            "helper access to the packet is not allowed",
        )
        .label(format!("R{} points into the packet", reg.number()))
        .help(
            "copy the bytes to the stack or to a map's value first, as by bpf_skb_load_bytes or \
             bpf_xdp_load_bytes",
        ))
    }

    fn check_alloc_size(
        &mut self,
        reg: Reg,
        value: &RegState,
        found: &mut Arguments<'_>,
    ) -> Checked {
        self.need(reg);
        let number = reg.number();
        let Some(size) = value.as_constant() else {
            // With the kernel's quotation mark.
            let message = format!("R{number} is not a known constant'");
            return Err(Rejection::new(Code::ArgumentSize, message)
                .label(format!(
                    "the size in R{number} is {}",
                    describe(&value.scalar)
                ))
                .because(value.origin.made, "the size comes from here")
                .help(
                    "let the size be a constant, and the same on every path; for sizes that vary \
                     there are bpf_ringbuf_output and bpf_ringbuf_reserve_dynptr",
                ));
        };
        // The kernel keeps 32 bits of it.
        found.alloc_size = Some(size as u32);
        Ok(())
    }
}
