//! Where on the stack an access is: the offsets at which it may begin, all of which must be in the
//! frame, and how much of a frame a loader may see.
//!
//! A frame has the 512 bytes below R10. Described in the kernel's
//! `Documentation/bpf/verifier.rst`; messages as observed on Linux 6.18, and for computed offsets
//! on 6.1.
//!
//! Read before: `value/stack.rs`, `region.rs`. Read next: `stack_access.rs`.

use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::memory::mem::Direction;
use crate::memory::region::Extent;
use crate::step::alu::describe;
use crate::step::machine::Machine;
use crate::step::pointer_alu::is_near;
use crate::types::special::AccessBy;
use crate::value::reg::{Kind, RegState};
use crate::value::stack::STACK_SIZE;
use ebpf_asm::isa::KernelVersion;

/// Since when calls read no deeper in the frame than the program has touched, for loaders that may
/// not read what was never written. So does Linux 6.18; 6.1 looks at the bytes alone, and at
/// nothing if there are none.
const CALLS_ASKED: KernelVersion = (6, 2);

/// The offsets that an access may begin at, least and greatest; the same if it is known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offsets {
    pub(crate) min: i64,
    pub(crate) max: i64,
}

impl Offsets {
    pub(super) fn known(self) -> bool {
        self.min == self.max
    }
}

impl Machine<'_, '_> {
    /// The offsets of an access, all of which must lie in the frame.
    pub(crate) fn check_stack_bounds(
        &self,
        base: &RegState,
        extent: Extent,
        direction: Direction,
        by: AccessBy,
    ) -> Checked<Offsets> {
        let bounds = base.scalar.bounds.s64;
        let offsets = Offsets {
            min: extent.off.saturating_add(bounds.min),
            max: extent.off.saturating_add(bounds.max),
        };
        let last = offsets.max.saturating_add(extent.size);
        let floor = self.stack_floor(base, direction, by);
        // Also no bytes at all begin below the frame's end, at least where they begin lowest.
        let inside = offsets.min >= floor && offsets.min < 0 && last <= 0;
        match inside && !is_unbounded(base) {
            true => Ok(offsets),
            false => Err(self.beyond_stack(base, extent, direction, by)),
        }
    }

    /// Why bytes do not all lie in the frame.
    #[cold]
    fn beyond_stack(
        &self,
        base: &RegState,
        extent: Extent,
        direction: Direction,
        by: AccessBy,
    ) -> Box<Rejection> {
        let number = extent.reg.number();
        let way = match direction {
            Direction::Read => "read from",
            Direction::Write => "write to",
        };
        let bounds = base.scalar.bounds.s64;
        let explain = |refused: Box<Rejection>, label: String| {
            refused
                .label(label)
                .because(base.origin.made, format!("R{number} is made here"))
        };
        if is_unbounded(base) {
            let message = format!("invalid unbounded variable-offset {way} stack R{number}");
            let label = format!("the offset is {}", describe(&base.scalar));
            return explain(Rejection::new(Code::StackBounds, message), label)
                .help(self.index_help(
                "compare the offset with what the array on the stack has, or mask it, before it \
                     is added",
            ));
        }
        let offsets = Offsets {
            min: extent.off.saturating_add(bounds.min),
            max: extent.off.saturating_add(bounds.max),
        };
        let last = offsets.max.saturating_add(extent.size);
        let floor = self.stack_floor(base, direction, by);
        let (off, size) = (extent.off, extent.size);
        let message = if offsets.known() {
            format!(
                "invalid {way} stack R{number} off={} size={size}",
                offsets.min
            )
        } else {
            format!(
                "invalid variable-offset {way} stack R{number} var_off={} off={off} size={size}",
                base.scalar.tnum
            )
        };
        let is_cut = offsets.known() && offsets.max < 0 && last > 0;
        if let Kind::Stack(depth) = base.kind
            && by == AccessBy::Call
            && is_cut
        {
            let (label, help) = self.buffer_too_small(extent.reg, depth, offsets.max, size);
            return explain(Rejection::new(Code::StackBounds, message), label).help(help);
        }
        let label = format!(
            "bytes {}..{last} of the frame, which has the bytes {floor}..0",
            offsets.min
        );
        explain(Rejection::new(Code::StackBounds, message), label).help(match offsets.known() {
            true => stack_help(offsets, last, floor),
            false => self.index_help(stack_help(offsets, last, floor)),
        })
    }

    /// The lowest byte of a frame that may be accessed. Who may not read what was never
    /// written sees only as much of it as the program has touched.
    fn stack_floor(&self, base: &RegState, direction: Direction, by: AccessBy) -> i64 {
        let Kind::Stack(depth) = base.kind else {
            return -STACK_SIZE;
        };
        let config = self.env.config;
        let unasked = by == AccessBy::Call && !config.since(CALLS_ASKED);
        if direction == Direction::Write || config.may_read_uninit_stack() || unasked {
            return -STACK_SIZE;
        }
        let frame = self.state.frame_of(usize::from(depth));
        let touched = frame.map_or(0, |frame| frame.stack.depth());
        -i64::try_from(touched).unwrap_or(STACK_SIZE)
    }
}

/// What to do so that an access of these bytes is in the frame.
fn stack_help(offsets: Offsets, last: i64, floor: i64) -> String {
    let size = last - offsets.max;
    if !offsets.known() {
        "compare the number that is added, or mask it, so that all of these bytes are in the frame"
            .to_owned()
    } else if last > 0 && offsets.max < 0 {
        let room = -offsets.max;
        format!(
            "the frame is below R10: begin at R10 - {size} or before, or let the size be {room} at most"
        )
    } else if last > 0 {
        format!("the frame is below R10: begin at R10 - {size} or before")
    } else if floor == -STACK_SIZE {
        "keep less on the stack, or keep it in a map's value, as of an array for each CPU"
            .to_owned()
    } else {
        "write to the stack before it is read".to_owned()
    }
}

/// Whether a variable offset is beyond all bounds of pointers.
fn is_unbounded(base: &RegState) -> bool {
    let bounds = base.scalar.bounds.s64;
    !(is_near(bounds.min) && is_near(bounds.max)) && base.constant_var_off().is_none()
}
