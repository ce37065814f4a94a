//! Stops: at which instructions a path may be found to be covered by another.
//!
//! Comparing states costs much more than executing an instruction. So they are compared only
//! where paths go apart or come together: before conditional jumps, where jumps lead, behind
//! calls, and where functions begin and are called, called back or handed over to be called later.
//! Observed on Linux 6.18.
//!
//! Read before: `cfg.rs`. Read next: `highest_first.rs`.

use crate::flow::cfg::Cfg;
use crate::flow::rounds::Rounds;
use ebpf_asm::blocks::Flow;
use ebpf_asm::insn::Insn;

/// What an instruction is for paths that come to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Stop {
    /// States are compared.
    compared: bool,
    /// Execution may come to it from elsewhere than from the instruction before it.
    entered: bool,
    /// As [`Stops::is_straight`] says.
    straight: bool,
    /// At how many instructions before it states are compared.
    number: u32,
}

/// The stops of a program.
#[derive(Debug)]
pub(crate) struct Stops(Vec<Stop>);

impl Stops {
    /// The stops in a graph, some of whose instructions have functions called later.
    pub(crate) fn new(
        cfg: &Cfg<'_>,
        rounds: &Rounds,
        calls_later: impl Fn(usize, &Insn) -> bool,
    ) -> Stops {
        let mut stops = Stops(vec![Stop::default(); cfg.slot_count()]);
        for (slot, insn) in cfg.jumps() {
            if Flow::of(insn.sem()) == Flow::Branch {
                stops.compare(slot);
            }
            let [_, target] = cfg.successors(slot);
            target.into_iter().for_each(|target| stops.enter(target));
        }
        for (slot, insn) in cfg.calls() {
            stops.enter(slot + insn.slots());
            if calls_later(slot, insn) {
                stops.compare(slot);
            }
        }
        for (slot, insn, function) in cfg.names() {
            stops.compare(slot);
            stops.enter(slot + insn.slots());
            stops.enter(function);
        }
        rounds.slots().for_each(|slot| stops.enter(slot));
        stops.complete(cfg);
        stops
    }

    /// At how many instructions states are compared.
    pub(crate) fn count(&self) -> usize {
        let last = self.0.last();
        last.map_or(0, |last| last.number as usize + usize::from(last.compared))
    }

    /// Which of these the one at `slot` is; `None` if states are not compared there.
    pub(crate) fn number(&self, slot: usize) -> Option<usize> {
        let stop = self.0.get(slot).filter(|stop| stop.compared)?;
        Some(stop.number as usize)
    }

    /// Whether execution may come to `slot` from elsewhere than from the instruction before it.
    pub(crate) fn is_entered(&self, slot: usize) -> bool {
        self.0.get(slot).is_some_and(|stop| stop.entered)
    }

    /// Whether execution comes to `slot` only from the instruction in the slot before, which is no
    /// call and goes nowhere else. So it is with most.
    pub(crate) fn is_straight(&self, slot: usize) -> bool {
        self.0.get(slot).is_some_and(|stop| stop.straight)
    }

    /// Once it is known where states are compared and what is entered: numbers the ones, and finds what
    /// is straight.
    fn complete(&mut self, cfg: &Cfg<'_>) {
        let mut count = 0;
        let mut before = [None; 2];
        for (slot, stop) in self.0.iter_mut().enumerate() {
            stop.straight = !stop.entered && before == [Some(slot), None];
            stop.number = count;
            count += u32::from(stop.compared);
            before = match cfg.insn(slot) {
                Some(_) => cfg.successors(slot),
                None => [None; 2],
            };
        }
    }

    fn compare(&mut self, slot: usize) {
        if let Some(stop) = self.0.get_mut(slot) {
            stop.compared = true;
        }
    }

    fn enter(&mut self, slot: usize) {
        if let Some(stop) = self.0.get_mut(slot) {
            stop.compared = true;
            stop.entered = true;
        }
    }
}
