//! The edges of the control flow graph, backwards: from where execution comes to each slot. And
//! which slots edges lead to, one after the other.
//!
//! Read before: `cfg.rs`. Read next: `path/live_stack.rs`.

use crate::flow::cfg::Cfg;

/// For each slot of a program the slots from which execution comes to it.
#[derive(Debug)]
pub(crate) struct Predecessors {
    /// Of all slots, one after the other.
    all: Vec<u32>,
    /// Where in `all` those of each slot end; they begin where those of the slot before end.
    ends: Vec<u32>,
}

impl Predecessors {
    /// Those in a graph.
    pub(crate) fn new(cfg: &Cfg<'_>) -> Predecessors {
        // First as many as come before those of each slot; each one found moves that on, to
        // the end at last.
        let mut ends = vec![0; cfg.slot_count() + 1];
        each_edge(cfg, |_, to| {
            if let Some(behind) = ends.get_mut(to + 1) {
                *behind += 1;
            }
        });
        let mut count = 0;
        for end in &mut ends {
            count += *end;
            *end = count;
        }
        let mut all = vec![0; count as usize];
        each_edge(cfg, |from, to| {
            let place = ends.get_mut(to);
            let entry = place.and_then(|place| {
                let here = *place as usize;
                *place += 1;
                all.get_mut(here)
            });
            if let Some(entry) = entry {
                // There are a million at most.
                *entry = u32::try_from(from).unwrap_or(u32::MAX);
            }
        });
        Predecessors { all, ends }
    }

    /// Those of a slot, ascending.
    pub(crate) fn of(&self, slot: usize) -> impl DoubleEndedIterator<Item = usize> {
        let begin = slot.checked_sub(1).and_then(|before| self.ends.get(before));
        let (begin, end) = (begin.copied().unwrap_or(0), self.ends.get(slot).copied());
        let found = end.and_then(|end| self.all.get(begin as usize..end as usize));
        found.unwrap_or_default().iter().map(|&from| from as usize)
    }
}

/// Does something for every edge of a graph, from where and to where it leads.
fn each_edge(cfg: &Cfg<'_>, mut edge: impl FnMut(usize, usize)) {
    for from in 0..cfg.slot_count() {
        if cfg.insn(from).is_none() {
            continue;
        }
        let [on, jump] = cfg.successors(from);
        on.into_iter().for_each(|to| edge(from, to));
        jump.into_iter().for_each(|to| edge(from, to));
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
                    if r0 == 7 goto end\n if r0 != 9 goto again\n goto end\n end:\n exit\n";
        let object = parse("test", text).unwrap();
        let cfg = Cfg::new(&object.programs[0], &Config::default(), Vec::new(), None).unwrap();
        let before = Predecessors::new(&cfg);
        for to in 0..cfg.slot_count() + 1 {
            let into = |from: &usize| {
                cfg.insn(*from).is_some() && cfg.successors(*from).contains(&Some(to))
            };
            let expected: Vec<usize> = (0..cfg.slot_count()).filter(into).collect();
            assert_eq!(before.of(to).collect::<Vec<_>>(), expected, "{to}");
        }
    }
}
