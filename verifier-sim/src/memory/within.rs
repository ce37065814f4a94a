//! That bytes are inside of a piece of memory, at every offset that is possible, and what to change
//! where they are not.
//!
//! Described in the kernel's `Documentation/bpf/verifier.rst`, "Register value tracking"; messages
//! as observed on Linux 6.18.
//!
//! Read before: `region.rs`. Read next: `index_help.rs`.

use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::memory::region::Extent;
use crate::step::alu::describe;
use crate::step::machine::Machine;
use crate::step::pointer_alu::MAX_VAR_OFF;
use crate::value::reg::RegState;
use ebpf_asm::insn::Reg;
use ebpf_asm::isa::Sem;

impl Machine<'_, '_> {
    /// That bytes are in memory of `whole` bytes, at the least and at the greatest offset. `refused`
    /// says with which code and words the kernel refuses them at an offset.
    pub(super) fn check_within(
        &self,
        whole: i64,
        base: &RegState,
        extent: Extent,
        refused: impl Fn(i64) -> Box<Rejection>,
    ) -> Checked {
        let (least, most) = (base.scalar.bounds.s64.min, base.scalar.bounds.u64.max);
        let lowest = extent.off.saturating_add(least);
        let highest = extent.off.saturating_add(most as i64);
        let inside = |off: i64| off >= 0 && off + extent.size <= whole;
        let small = i32::try_from(lowest).is_ok() && most < MAX_VAR_OFF as u64;
        match small && inside(lowest) && inside(highest) {
            true => Ok(()),
            false => self.check_ends(whole, base, extent, &refused),
        }
    }

    /// Whether a call accesses memory here: as many bytes of it as its arguments say.
    pub(super) fn is_call(&self) -> bool {
        let insn = self.env.cfg.insn(self.slot);
        insn.is_some_and(|insn| matches!(insn.sem(), Sem::Call(_)))
    }

    /// What to change of an access of `size` bytes at `off` so that it is inside of `whole` bytes.
    fn to_be_inside(&self, off: i64, size: i64, whole: i64) -> String {
        let room = whole - off;
        match whole - size {
            _ if off < 0 => "let the access begin at byte 0 or behind it".to_owned(),
            _ if self.is_call() && room > 0 => format!(
                "the call uses {} from there: let the size be {room} at most, or the memory {} large",
                bytes(size),
                bytes(off + size)
            ),
            _ if self.is_call() => {
                format!(
                    "hand over an address before the end: there are {}",
                    bytes(whole)
                )
            }
            ..0 => format!(
                "let the memory be {} large, or access fewer bytes",
                bytes(off + size)
            ),
            0 => format!(
                "let the access begin at byte 0, or the memory be {} large",
                bytes(off + size)
            ),
            last => format!("let the access begin at byte {last} at most"),
        }
    }

    /// What to change of an access at an index that is too great for `whole` bytes.
    fn index_inside(&self, extent: Extent, whole: i64) -> String {
        let most = whole - extent.size - extent.off;
        let size = extent.size;
        match (most, self.is_call()) {
            (..0, _) => format!("let the memory be {} large", bytes(extent.off + size)),
            (_, true) => format!(
                "the call uses {} from there: let the index be {most} at most, or the size smaller",
                bytes(size)
            ),
            (_, false) => format!(
                "the index may be at most {most}: leave where it is greater, or mask it with less"
            ),
        }
    }

    /// That bytes are in memory of `whole` bytes, one end of the offsets after the other.
    #[cold]
    fn check_ends(
        &self,
        whole: i64,
        base: &RegState,
        extent: Extent,
        refused: &dyn Fn(i64) -> Box<Rejection>,
    ) -> Checked {
        let number = extent.reg.number();
        let (least, most) = (base.scalar.bounds.s64.min, base.scalar.bounds.u64.max);
        let first = extent.off.checked_add(least);
        let negative_start = first.is_none_or(|first| first < 0 || i32::try_from(first).is_err());
        if least < 0 && negative_start {
            return Err(negative(refused(0).code, extent.reg, base));
        }
        let inside = |off: i64| off >= 0 && off + extent.size <= whole;
        let made = format!("R{number} is made here");
        let lowest = extent.off.saturating_add(least);
        if !inside(lowest) {
            return Err(refused(lowest)
                .adds(outside_of_memory(extent.reg, "min"))
                .label(format!("{} of {whole} bytes", span_of(lowest, extent.size)))
                .help(self.to_be_inside(lowest, extent.size, whole))
                .because(base.origin.made, made));
        }
        if most >= MAX_VAR_OFF as u64 {
            let help =
                format!("compare or mask the index before it is added: {whole} bytes are there");
            return Err(unbounded(refused(0).code, whole, base, extent.reg)
                .help(self.index_help(help))
                .because(base.origin.made, made));
        }
        let highest = extent.off.saturating_add(most as i64);
        match inside(highest) {
            true => Ok(()),
            false => Err(refused(highest)
                .adds(outside_of_memory(extent.reg, "max"))
                .label(format!(
                    "up to {} of {whole} bytes: the index is {}",
                    span_of(highest, extent.size),
                    describe(&base.scalar)
                ))
                .help(self.index_help(self.index_inside(extent, whole)))
                .because(base.origin.made, made)),
        }
    }
}

/// Why an index is none that can be compared with the memory's size.
fn unbounded(code: Code, whole: i64, base: &RegState, reg: Reg) -> Box<Rejection> {
    let number = reg.number();
    let message =
        format!("R{number} unbounded memory access, make sure to bounds check any such access");
    Rejection::new(code, message).label(format!(
        "the index into {whole} bytes is {}",
        describe(&base.scalar)
    ))
}

/// `1 byte` or `8 bytes`.
pub(super) fn bytes(count: i64) -> String {
    match count {
        1 => "1 byte".to_owned(),
        _ => format!("{count} bytes"),
    }
}

/// `byte 8` or `bytes 8..12`.
fn span_of(first: i64, size: i64) -> String {
    match size {
        1 => format!("byte {first}"),
        _ => format!("bytes {first}..{}", first.saturating_add(size)),
    }
}

/// What the kernel adds where the least or the greatest of the offsets is outside.
pub(crate) fn outside_of_memory(reg: Reg, end: &str) -> String {
    let number = reg.number();
    format!("R{number} {end} value is outside of the allowed memory range")
}

pub(super) fn negative(code: Code, reg: Reg, base: &RegState) -> Box<Rejection> {
    let number = reg.number();
    let message = format!(
        "R{number} min value is negative, either use unsigned index or do a if (index >=0) check."
    );
    Rejection::new(code, message)
        .label(format!("the index is {}", describe(&base.scalar)))
        .because(base.origin.made, format!("R{number} is made here"))
        .help(
            "let the index be unsigned (u32 or u64 in C), or leave where it is less than 0: that it \
             is not greater than a number is also true of negative ones",
        )
}
