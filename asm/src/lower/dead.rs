//! Dead code: instructions that nobody reads and that change nothing else.

use super::cfg::Cfg;
use super::live::{self, Liveness};

/// Removes dead instructions, until there are none.
pub(super) fn remove(cfg: &mut Cfg) {
    while remove_once(cfg) > 0 {}
}

/// Removes what is dead now, and says how many instructions that were.
fn remove_once(cfg: &mut Cfg) -> usize {
    let liveness = Liveness::of(cfg);
    let mut removed = 0;
    for id in cfg.order() {
        let Some(block) = cfg.blocks.get_mut(id.0) else {
            continue;
        };
        let Some(mut live) = liveness.at_end(id.0, block) else {
            continue;
        };
        let mut kept = Vec::with_capacity(block.insts.len());
        for inst in block.insts.drain(..).rev() {
            let read = inst.kind.dst().is_some_and(|dst| live.contains(dst));
            if read || inst.kind.has_effect() {
                live::before(&mut live, &inst);
                kept.push(inst);
            } else {
                removed += 1;
            }
        }
        kept.reverse();
        block.insts = kept;
    }
    removed
}
