//! Arguments that are texts which the kernel reads before the program runs: in a map whose
//! contents cannot change any more, at a known place, and with an end.
//!
//! Described in bpf-helpers(7), `bpf_snprintf`; messages as observed on Linux 6.18.
//!
//! Read before: `call/argument/memory.rs`. Read next: `call/argument/structure.rs`.

use super::Arguments;
use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::memory::map_value::flags_of;
use crate::memory::region::Extent;
use crate::memory::within::outside_of_memory;
use crate::step::machine::{Machine, not_modelled};
use crate::types::special::AccessBy;
use crate::value::reg::{Kind, RegState};
use ebpf_asm::insn::Reg;
use ebpf_asm::map_flags::BPF_F_RDONLY_PROG;
use ebpf_asm::map_type::MapType;
use ebpf_asm::object::{DataKind, Map};

/// What a text must be.
pub(crate) const CONSTANT: &str = "let it be a constant that ends with 0, in .rodata: in C `static \
                                   const char text[] = \"...\"`, handed over as it is";

impl<'a> Machine<'_, 'a> {
    /// That a register points to a text; notes which.
    pub(crate) fn check_text(
        &mut self,
        reg: Reg,
        value: &RegState,
        found: &mut Arguments<'a>,
    ) -> Checked {
        let Kind::MapValue(index) = value.kind else {
            return Err(not_modelled("a text that is in no map"));
        };
        let map = self.value_map(index)?;
        let number = reg.number();
        let refuse_as = |code: Code, message: &str, label: &str| {
            Err(Rejection::new(code, message)
                .label(format!("R{number} {label}"))
                .because(value.origin.made, format!("R{number} is made here"))
                .help(CONSTANT))
        };
        let refuse = |message: &str, label: &str| refuse_as(Code::ConstantText, message, label);
        let Some(contents) = constant_contents(map) else {
            let message = format!("R{number} does not point to a readonly map'");
            return refuse(&message, "points to what can change");
        };
        let Some(var_off) = value.constant_var_off() else {
            let message = format!("R{number} is not a constant address'");
            return refuse(&message, "points somewhere into the text");
        };
        if map.map_type != MapType::Array {
            let message = "no direct value access support for this map type";
            return refuse_as(
                Code::MapValueBounds,
                message,
                "points to a value of no array",
            );
        }
        let off = i64::from(value.off);
        let size = i64::from(map.value_size) - off;
        self.check_map_value_bytes(index, value, Extent { reg, off, size }, AccessBy::Call)?;
        if size <= 0 {
            let (whole, message) = (map.value_size, "invalid access to map value");
            let message = format!("{message}, value_size={whole} off={off} size={size}");
            return refuse_as(Code::MapValueBounds, &message, "points behind the text")
                .map_err(|refused: Box<Rejection>| refused.adds(outside_of_memory(reg, "min")));
        }
        if map.max_entries != 1 {
            let message = "direct value access on string failed";
            return refuse(message, "points into an array of several values");
        }
        let Some(text) = text_at(contents, off + var_off) else {
            return refuse(
                "string is not zero-terminated",
                "points to a text without end",
            );
        };
        found.text = Some(text);
        Ok(())
    }
}

/// The text that begins at a byte and ends before a zero.
fn text_at(contents: &[u8], begin: i64) -> Option<&[u8]> {
    let text = contents.get(usize::try_from(begin).ok()?..)?;
    let end = text.iter().position(|&byte| byte == 0)?;
    text.get(..end)
}

/// What is in a map that nobody can change any more. Options of the kernel's configuration are
/// constants that are not known here.
fn constant_contents(map: &Map) -> Option<&[u8]> {
    let data = map.data.as_ref()?;
    let constant = data.kind == DataKind::Rodata && flags_of(map) & BPF_F_RDONLY_PROG != 0;
    constant.then_some(&*data.bytes)
}
