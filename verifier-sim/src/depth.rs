//! The stack that chains of calls need: at most 512 bytes for all frames together.
//!
//! Observed on Linux 6.18 with the JIT compiler: a frame takes as many bytes as its function
//! reaches down, rounded up to 16.
//!
//! Read before: `cfg.rs`, `state.rs`. Read next: `explore.rs`.

use crate::cfg::Cfg;
use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::stack::STACK_SIZE;
use crate::state::State;
use ebpf_asm::isa::{Callee, Sem};

/// Frames are rounded up to this many bytes.
const FRAME_ALIGN: usize = 16;

/// How deep each function reaches into its frame, in bytes.
#[derive(Debug)]
pub(crate) struct Depths(Vec<Depth>);

#[derive(Debug, Clone, Copy)]
struct Depth {
    function: usize,
    bytes: usize,
}

/// A chain of calls and what it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Chain {
    bytes: usize,
    frames: usize,
}

impl Depths {
    /// Nothing yet.
    pub(crate) fn new(cfg: &Cfg<'_>) -> Depths {
        let zero = |&function: &usize| Depth { function, bytes: 0 };
        Depths(cfg.functions().iter().map(zero).collect())
    }

    /// Notes how deep the active functions of a state have gone.
    pub(crate) fn note(&mut self, state: &State) {
        for frame in state.frames() {
            let known = self
                .0
                .iter_mut()
                .find(|depth| depth.function == frame.function);
            if let Some(depth) = known {
                depth.bytes = depth.bytes.max(frame.stack.depth());
            }
        }
    }

    /// That no chain of calls needs too much; gives what the deepest needs.
    pub(crate) fn check(&self, cfg: &Cfg<'_>) -> Checked<usize> {
        let deepest = self.chain_from(cfg, 0, 0);
        if deepest.bytes <= STACK_SIZE as usize {
            return Ok(deepest.bytes);
        }
        let message = format!(
            "combined stack size of {} calls is {}. Too large",
            deepest.frames, deepest.bytes
        );
        Err(Rejection::new(Code::StackDepth, message).label(format!(
            "the frames of a chain of calls together have {STACK_SIZE} bytes"
        )))
    }

    /// What the worst chain from a function on needs. No chain is longer than 8.
    fn chain_from(&self, cfg: &Cfg<'_>, function: usize, depth: usize) -> Chain {
        let known = self.0.iter().find(|known| known.function == function);
        let own = known.map_or(0, |known| known.bytes.next_multiple_of(FRAME_ALIGN));
        let end = cfg
            .functions()
            .iter()
            .copied()
            .find(|&start| start > function);
        let callees = (function..end.unwrap_or(cfg.slot_count())).filter_map(|slot| {
            let insn = cfg.insn(slot)?;
            let local = insn.sem() == Sem::Call(Callee::Local);
            if local { cfg.target(slot, insn) } else { None }
        });
        let none = Chain {
            bytes: 0,
            frames: 0,
        };
        let worst = match depth {
            0..8 => callees
                .map(|callee| self.chain_from(cfg, callee, depth + 1))
                .max(),
            _ => None,
        }
        .unwrap_or(none);
        Chain {
            bytes: own + worst.bytes,
            frames: 1 + worst.frames,
        }
    }
}
