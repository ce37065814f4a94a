//! Components: the parts of the control flow graph in which execution can come from every
//! instruction to every other. A loop is in one component with all loops around it and in it.
//!
//! Read before: `edges.rs`. Read next: `path/visits.rs`.

use crate::flow::cfg::Cfg;
use crate::flow::edges::{Predecessors, flood, see};
use std::collections::BTreeSet;

/// For each slot of a program the number of its component, if it is in a loop.
#[derive(Debug)]
pub(crate) struct Components(Vec<Option<u32>>);

impl Components {
    /// Those of a graph, of which `before` are the edges backwards, and `heads` those of its loops.
    pub(crate) fn new(cfg: &Cfg<'_>, before: &Predecessors, heads: &BTreeSet<usize>) -> Components {
        if heads.is_empty() {
            return Components(Vec::new());
        }
        let mut components = vec![None; cfg.slot_count()];
        let mut seen = vec![false; cfg.slot_count()];
        // What comes to an instruction that is left last, and is in no component yet, is come to
        // from there too (Kosaraju and Sharir).
        for (number, slot) in (0u32..).zip(left(cfg).into_iter().rev()) {
            let component = flood([slot], &mut seen, |at| before.of(cfg, at));
            let is_loop = component.len() > 1 || before.of(cfg, slot).any(|from| from == slot);
            for at in component.into_iter().filter(|_| is_loop) {
                if let Some(entry) = components.get_mut(at) {
                    *entry = Some(number);
                }
            }
        }
        Components(components)
    }

    /// Whether the program has no loops.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The component that the instruction at `slot` is in, if it is in a loop.
    pub(crate) fn of(&self, slot: usize) -> Option<u32> {
        self.0.get(slot).copied().flatten()
    }
}

/// All slots in the order in which a walk, depth first, leaves them.
fn left(cfg: &Cfg<'_>) -> Vec<usize> {
    let mut seen = vec![false; cfg.slot_count()];
    let mut left = Vec::with_capacity(cfg.slot_count());
    let mut path = Vec::new();
    for slot in 0..cfg.slot_count() {
        if cfg.insn(slot).is_some() && see(&mut seen, slot) {
            path.push((slot, cfg.successors(slot)));
        }
        while let Some((at, edges)) = path.last_mut() {
            match edges.iter_mut().find_map(Option::take) {
                Some(to) if see(&mut seen, to) => path.push((to, cfg.successors(to))),
                Some(_) => {}
                None => {
                    left.push(*at);
                    path.pop();
                }
            }
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use ebpf_asm::text::parse;

    #[test]
    fn a_loop_is_one_with_those_in_it_and_around_it() {
        let text = ".prog socket_filter\n r0 = 0\n outer:\n r1 = 0\n inner:\n r1 += 1\n \
                    if r1 != 9 goto inner\n r0 += 1\n if r0 != 9 goto outer\n \
                    alone:\n if r0 == 7 goto alone\n r1 = 5 ll\n exit\n";
        let object = parse("test", text).unwrap();
        let config = Config::default();
        let cfg = Cfg::new(&object.programs[0], &config, Vec::new(), None).unwrap();
        let heads = cfg.walk(&config).unwrap();
        let components = Components::new(&cfg, &Predecessors::new(&cfg), &heads);
        let of: Vec<_> = (0..cfg.slot_count())
            .map(|slot| components.of(slot))
            .collect();
        let (nested, alone) = (of[1], of[6]);
        assert!(nested.is_some() && alone.is_some() && nested != alone);
        let expected = [&[None][..], &[nested; 5], &[alone], &[None; 3]].concat();
        assert_eq!(of, expected);
    }
}
