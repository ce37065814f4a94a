//! What a register holds, in words for people, with the kernel's word for it beside them.
//!
//! Read before: `reg.rs`. Read next: `held.rs`.

use crate::value::reg::{Kind, Null, RegState};

impl RegState {
    /// What it holds, as messages say it behind `R1 is`.
    pub(crate) fn in_words(&self) -> String {
        let what = match self.kind {
            Kind::NotInit => return "nothing".to_owned(),
            Kind::Scalar => return "a number".to_owned(),
            Kind::Ctx => "the context",
            Kind::Packet => "a pointer into the packet",
            Kind::PacketMeta => "a pointer into the meta data of the packet",
            Kind::PacketEnd => "the end of the packet",
            Kind::Map(_) => "a map",
            Kind::MapKey(_) => "a pointer to a key of a map",
            Kind::MapValue(_) => "a pointer to a value of a map",
            Kind::Func(_) => "the address of a function",
            Kind::Stack(_) => "an address on the stack",
            Kind::RingbufMem(_) => "a record of a ring buffer",
            Kind::Mem(_) | Kind::Slice(_) => "a pointer to memory",
            Kind::ReadOnlyMem(_) | Kind::UntrustedMem => "a pointer to memory that is only read",
            Kind::Iterator(_) => "an iteration",
            Kind::IrqFlag(_) => "a flag of interrupts",
            Kind::Dynptr(_) => "a dynptr",
            Kind::Sock(_) => "a socket",
            Kind::FlowKeys => "a pointer to the keys of the flow dissector",
            Kind::TpBuffer | Kind::Buffer(_) => "a pointer to a buffer",
            Kind::Btf(_) => "a pointer to a structure",
            Kind::Arena => "an address in the arena",
        };
        let or_null = match self.null {
            Null::Never => "",
            Null::Maybe => " or null",
        };
        format!("{what}{or_null} ('{}')", self.type_name())
    }
}
