//! Tail merging: of blocks that do the same, one is enough.
//!
//! Only whole blocks are merged. Merging less would need a jump more on some way.

use std::collections::HashMap;

use super::cfg::{BlockId, Cfg, End, InstKind};

/// Merges equal blocks, until there are none.
pub(super) fn merge(cfg: &mut Cfg) {
    loop {
        let same = equal_blocks(cfg);
        if same.is_empty() {
            return;
        }
        for block in &mut cfg.blocks {
            block.end.retarget(|to| *same.get(&to).unwrap_or(&to));
        }
    }
}

/// Blocks that do what an earlier one does, with that one.
fn equal_blocks(cfg: &Cfg) -> HashMap<BlockId, BlockId> {
    let mut first: HashMap<(Vec<&InstKind>, End), BlockId> = HashMap::new();
    let mut same = HashMap::new();
    for id in cfg.order() {
        let Some(block) = cfg.block(id) else {
            continue;
        };
        let does = block.insts.iter().map(|inst| &inst.kind).collect();
        let one = *first.entry((does, block.end)).or_insert(id);
        if one != id {
            same.insert(id, one);
        }
    }
    same
}
