//! The edges of the control flow graph, backwards: from where execution comes to each slot. And
//! which slots edges lead to, one after the other.
//!
//! Read before: `cfg.rs`. Read next: `path/live_stack.rs`.

use crate::flow::cfg::Cfg;

/// For each slot of a program the slots from which execution comes to it.
#[derive(Debug)]
pub(crate) struct Predecessors {
    /// The jumps, by where they lead to and where they are, ascending.
    jumps: Vec<(u32, u32)>,
}

impl Predecessors {
    /// Those in a graph.
    pub(crate) fn new(cfg: &Cfg<'_>) -> Predecessors {
        // There are a million slots at most.
        let narrow = |slot: usize| u32::try_from(slot).unwrap_or(u32::MAX);
        let jump = |(from, _)| {
            let [_, to] = cfg.successors(from);
            Some((narrow(to?), narrow(from)))
        };
        let mut jumps: Vec<(u32, u32)> = cfg.jumps().filter_map(jump).collect();
        jumps.sort_unstable();
        Predecessors { jumps }
    }

    /// Those of a slot: the instruction before it, then the jumps to it, ascending. A conditional
    /// jump to the next slot is both.
    pub(crate) fn of(&self, cfg: &Cfg<'_>, slot: usize) -> impl Iterator<Item = usize> {
        let is_before = |at: &usize| cfg.insn(*at).is_some();
        let before = (slot.saturating_sub(2)..slot).rev().find(is_before);
        let before = before.filter(|&at| cfg.successors(at)[0] == Some(slot));
        let begin = self.jumps.partition_point(|&(to, _)| (to as usize) < slot);
        let jumps = self.jumps.iter().skip(begin);
        let jumps = jumps.take_while(move |&&(to, _)| to as usize == slot);
        before
            .into_iter()
            .chain(jumps.map(|&(_, from)| from as usize))
    }
}

/// The slots that it begins with, and all that the edges `on` lead to from there, as far as they
/// were not seen before.
pub(crate) fn flood<T: IntoIterator<Item = usize>>(
    begin: impl IntoIterator<Item = usize>,
    seen: &mut [bool],
    on: impl Fn(usize) -> T,
) -> Vec<usize> {
    let new = begin.into_iter().filter(|&slot| see(seen, slot));
    let mut found: Vec<usize> = new.collect();
    let mut next = 0;
    while let Some(&at) = found.get(next) {
        let new = on(at).into_iter();
        found.extend(new.filter(|&to| see(seen, to)));
        next += 1;
    }
    found
}

/// Marks a slot as seen; says whether it was not.
pub(crate) fn see(seen: &mut [bool], slot: usize) -> bool {
    let entry = seen.get_mut(slot);
    entry.is_some_and(|seen| !std::mem::replace(seen, true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use ebpf_asm::text::parse;

    #[test]
    fn they_are_the_successors_turned_round() {
        let text = ".prog socket_filter\n r0 = 0\n again:\n r0 += 1\n r1 = 5 ll\n \
                    if r0 == 7 goto end\n if r0 == 8 goto next\n next:\n \
                    if r0 != 9 goto again\n goto end\n end:\n exit\n";
        let object = parse("test", text).unwrap();
        let cfg = Cfg::new(&object.programs[0], &Config::default(), Vec::new(), None).unwrap();
        let before = Predecessors::new(&cfg);
        for to in 0..cfg.slot_count() + 1 {
            let insns = (0..cfg.slot_count()).filter(|&from| cfg.insn(from).is_some());
            // Once for each edge.
            let edges = insns.flat_map(|from| cfg.successors(from).map(|to| (from, to)));
            let into = edges.filter(|(_, at)| *at == Some(to));
            let mut expected: Vec<usize> = into.map(|(from, _)| from).collect();
            expected.sort_unstable();
            let mut found: Vec<usize> = before.of(&cfg, to).collect();
            found.sort_unstable();
            assert_eq!(found, expected, "{to}");
        }
    }
}
