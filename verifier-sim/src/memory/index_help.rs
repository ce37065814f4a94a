//! What to do about an index that may be too great: how to bound it, and why a loop's own count is
//! no bound.
//!
//! Read before: `within.rs`. Read next: `ctx_access.rs`.

use crate::step::machine::Machine;
use ebpf_asm::isa::Sem;

/// Of an index that a callback of `bpf_loop` gets.
const OF_LOOP: &str = "the number of the round, which bpf_loop hands over, may be any to the \
     verifier, however many rounds there are: in C if (i >= N) return 1; first, with an unsigned i";

/// Of an index that an iterator of numbers gives.
const OF_NUMBERS: &str = "what bpf_iter_num_next gives (as in bpf_for) may be any number to the \
     verifier, whatever the end is: in C if (i >= N) break; first, with i in an unsigned variable";

/// What keeps a compiler from taking such a comparison out, or making it of another copy.
const KEPT: &str = "; or i &= N - 1, if N is a power of two. Where the compiler takes the comparison \
     out, barrier_var(i) before it keeps it";

impl Machine<'_, '_> {
    /// What to do about an index: `plain`, and more if it may be that of a loop.
    pub(crate) fn index_help(&self, plain: impl Into<String>) -> String {
        let plain = plain.into();
        let of_loop = if self.is_round_of_loop() {
            OF_LOOP
        } else if self.goes_through_numbers() {
            OF_NUMBERS
        } else {
            return plain;
        };
        format!("{plain}; {of_loop}{KEPT}")
    }

    /// Whether `bpf_loop` called the function that is followed.
    fn is_round_of_loop(&self) -> bool {
        let frame = self.state.frame();
        let caller = || self.env.cfg.helper(frame.called_at());
        frame.is_called_back() && caller().is_some_and(|helper| helper.name == "loop")
    }

    /// Whether the function that is followed asks an iterator for numbers.
    fn goes_through_numbers(&self) -> bool {
        let start = self.state.frame().function;
        let later = self.env.program.functions.iter().map(|f| f.slot);
        let end = later.filter(|&slot| slot > start).min();
        let is_next = |slot| self.env.kfunc_name(slot) == Some("bpf_iter_num_next");
        let slots = self.env.program.slots();
        slots
            .skip_while(|(slot, _)| *slot < start)
            .take_while(|(slot, _)| end.is_none_or(|end| *slot < end))
            .any(|(slot, insn)| matches!(insn.sem(), Sem::Call(_)) && is_next(slot))
    }
}
