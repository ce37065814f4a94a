//! Pieces of memory: which of their bytes are meant, and pointers that must be as they were made,
//! to their beginning or to a fixed place.
//!
//! Described in the kernel's `Documentation/bpf/verifier.rst`, "Register value tracking" (a
//! pointer's fixed and variable offset); messages as observed on Linux 6.18.
//!
//! Read before: `mem.rs`. Read next: `within.rs`.

use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::memory::mem::MemAccess;
use crate::step::machine::Machine;
use crate::value::reg::{Kind, RegState};
use ebpf_asm::insn::Reg;

/// Bytes of a piece of memory, `size` of them from a pointer with `off` added.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    /// The register with the pointer.
    pub(crate) reg: Reg,
    /// All that is known to be added to it: of the pointer, and of the instruction.
    pub(crate) off: i64,
    /// In bytes.
    pub(crate) size: i64,
}

/// Whether a pointer that is passed to a function may have a constant added to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FixedOffset {
    Allowed,
    Refused,
}

impl MemAccess {
    /// The bytes of the access.
    pub(crate) fn extent(self, base: &RegState) -> Extent {
        Extent {
            reg: self.reg,
            off: i64::from(base.off) + i64::from(self.off),
            size: i64::from(self.size.bytes()),
        }
    }
}

impl<'a> Machine<'_, 'a> {
    /// That a pointer is passed to a function as it was made.
    pub(crate) fn check_pointer_offset(
        &self,
        reg: Reg,
        base: &RegState,
        fixed: FixedOffset,
    ) -> Checked {
        let Some(message) = changed_pointer(reg, base, fixed) else {
            return Ok(());
        };
        let number = reg.number();
        Err(Rejection::new(Code::ArgumentType, message)
            .label(format!("R{number} is not as it was made"))
            .because(base.origin.made, format!("R{number} is made here"))
            .help("hand over the pointer as it was given, with nothing added"))
    }

    /// That the bytes are in a piece of memory of `bytes` bytes.
    pub(crate) fn check_mem(&self, bytes: u32, base: &RegState, access: MemAccess) -> Checked {
        self.check_mem_bytes(bytes, base, access.extent(base))
    }

    /// The same, of any bytes.
    pub(crate) fn check_mem_bytes(&self, bytes: u32, base: &RegState, extent: Extent) -> Checked {
        self.check_within(i64::from(bytes), base, extent, |off| {
            let size = extent.size;
            let message =
                format!("invalid access to memory, mem_size={bytes} off={off} size={size}");
            Rejection::new(Code::MemoryBounds, message)
        })
    }
}

/// The kernel's words if a pointer is not to the beginning of what it points to, or at least to a
/// fixed place in it.
pub(crate) fn changed_pointer(reg: Reg, base: &RegState, fixed: FixedOffset) -> Option<String> {
    let off = base.off;
    let is_fixed = off == 0 || (off > 0 && fixed == FixedOffset::Allowed);
    if is_fixed && base.constant_var_off() == Some(0) {
        return None;
    }
    let (number, name) = (reg.number(), base.type_name());
    Some(match off {
        ..0 => format!("negative offset {name} ptr R{number} off={off} disallowed"),
        _ if is_fixed => variable_access(base),
        _ => format!("dereference of modified {name} ptr R{number} off={off} disallowed"),
    })
}

fn variable_access(base: &RegState) -> String {
    let (name, var_off) = (base.type_name(), base.scalar.tnum);
    format!("variable {name} access var_off={var_off} disallowed")
}

/// That a register in the place of a pointer holds something. Linux 6.18 takes what is nothing for
/// a pointer at an offset that nobody knows, before it looks whether it is one.
pub(crate) fn check_set(reg: Reg, value: &RegState) -> Checked {
    if !value.is_nothing() {
        return Ok(());
    }
    let message = variable_access(value);
    let number = reg.number();
    Err(Rejection::new(Code::ArgumentType, message)
        .label(format!("R{number} holds nothing here"))
        .because(value.origin.made, format!("what R{number} held ends here"))
        .help(format!(
            "set R{number} before the call: calls leave nothing in R1 to R5, so keep the value in \
             R6 to R9"
        )))
}

impl Kind {
    /// Whether helpers can be handed a pointer of the kind as plain memory.
    pub(crate) fn is_memory(self) -> bool {
        matches!(
            self,
            Kind::Stack(_)
                | Kind::Packet
                | Kind::PacketMeta
                | Kind::MapKey(_)
                | Kind::MapValue(_)
                | Kind::RingbufMem(_)
                | Kind::Mem(_)
                | Kind::Slice(_)
                | Kind::ReadOnlyMem(_)
                | Kind::Buffer(_)
        )
    }
}
