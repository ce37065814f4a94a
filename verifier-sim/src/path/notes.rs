//! Notes: what the execution of an instruction leaves to say, beside the new state.
//!
//! Read before: `history.rs`, `live_stack.rs`. Read next: `precision.rs`.

use crate::path::history::{GoesOn, Sharer, StackSlot};
use crate::path::live_stack::Touched;
use crate::path::precision::Needs;
use crate::warning::Warning;
use std::collections::BTreeMap;

/// What an instruction has to say. All but [`called`](Notes::called), [`later`](Notes::later),
/// [`called_back`](Notes::called_back), [`loops`](Notes::loops),
/// [`addresses`](Notes::addresses), [`called_nothing`](Notes::called_nothing),
/// [`of_two_maps`](Notes::of_two_maps), [`breaks_fastcalls`](Notes::breaks_fastcalls),
/// [`warn`](Notes::warn) and
/// [`runs_ahead`](Notes::runs_ahead) is of the last one.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// The spill that it wrote or filled from.
    pub(crate) spill: Option<StackSlot>,
    /// All that shared the numbers it compared.
    pub(crate) sharers: Vec<Sharer>,
    /// What it needed of the state before it.
    pub(crate) needs: Needs,
    /// Where it goes on.
    pub(crate) goes_on: GoesOn,
    /// What it did with stacks.
    pub(crate) touched: Vec<Touched>,
    /// The global functions that were called so far, by their slots.
    pub(crate) called: Vec<usize>,
    /// The functions that were set to be called later so far, by their slots.
    pub(crate) later: Vec<usize>,
    /// The functions that were called back so far, by their slots.
    pub(crate) called_back: Vec<usize>,
    /// The calls of `bpf_loop` so far.
    pub(crate) loops: Vec<LoopCall>,
    /// Where addresses of functions were taken so far, and of which: slots both.
    pub(crate) addresses: Vec<(usize, usize)>,
    /// The first call so far of the function of the kernel with the number 0, by its slot.
    pub(crate) called_nothing: Option<usize>,
    /// The first call so far that is for another map than on an earlier path and may not be, by its
    /// slot.
    pub(crate) of_two_maps: Option<usize>,
    /// The functions, by their first slots, whose spills around calls were accessed otherwise.
    pub(crate) breaks_fastcalls: Vec<usize>,
    /// What was found so far that the kernel accepts and that is to be warned of, by the slot and
    /// what may happen.
    warnings: BTreeMap<(usize, String), Warning>,
    /// Whether the kernel looked, so far, at what the processor may do ahead of it.
    pub(crate) runs_ahead: bool,
}

/// A call of `bpf_loop`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LoopCall {
    /// Its slot.
    pub(crate) slot: usize,
    /// The function that the kernel can write out in the place of the call, by its slot.
    pub(crate) written_out: Option<usize>,
}

impl Notes {
    /// Notes that something was read of `slots` of a frame, a bit each.
    pub(crate) fn read(&mut self, depth: u8, slots: u64) {
        self.touched.push(Touched {
            depth,
            read: slots,
            written: 0,
        });
    }

    /// Notes that `slots` of a frame were written whole, a bit each.
    pub(crate) fn written(&mut self, depth: u8, slots: u64) {
        self.touched.push(Touched {
            depth,
            read: 0,
            written: slots,
        });
    }

    /// Warns, once of the same at an instruction: with the numbers of the path that led there first.
    pub(crate) fn warn(&mut self, warning: Warning) {
        let known = (warning.slot, warning.message.clone());
        self.warnings.entry(known).or_insert(warning);
    }

    /// All warnings, in the order of the program.
    pub(crate) fn into_warnings(self) -> Vec<Warning> {
        self.warnings.into_values().collect()
    }

    /// Whether the kernel takes a note of the instruction, wherever it is: of spills, and of
    /// comparisons that teach others something too.
    pub(crate) fn is_kept(&self) -> bool {
        self.spill.is_some() || self.sharers.len() > 1
    }

    /// Forgets what the last instruction had to say.
    pub(crate) fn clear(&mut self) {
        self.spill = None;
        self.sharers.clear();
        self.needs.clear();
        self.goes_on = GoesOn::Here;
        self.touched.clear();
    }
}
