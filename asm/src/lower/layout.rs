//! Block layout: an order in which as many jumps as possible are not needed.
//!
//! A block follows another only when all ways into it are placed, so that a program without
//! loops jumps forward only. The empty block that exits comes last: whatever ends the program
//! before it can fall into it.

use std::collections::HashSet;

use super::cfg::{BlockId, Cfg, End};

/// All blocks that can be reached, in order.
pub(super) fn layout(cfg: &Cfg) -> Vec<BlockId> {
    let mut layout = Layout {
        cfg,
        predecessors: cfg.predecessors(),
        placed: HashSet::new(),
        order: Vec::new(),
        waiting: Vec::new(),
    };
    let mut at = Some(BlockId(0));
    while let Some(id) = at {
        layout.place(id);
        at = layout.next(id);
    }
    let rest = cfg.order().into_iter();
    // Only the exit block is left.
    let rest: Vec<BlockId> = rest.filter(|id| !layout.placed.contains(id)).collect();
    layout.order.extend(rest);
    layout.order
}

/// Whether a block does nothing but leave the program.
pub(super) fn is_exit(cfg: &Cfg, id: BlockId) -> bool {
    cfg.block(id)
        .is_some_and(|block| block.insts.is_empty() && block.end == End::Exit)
}

struct Layout<'a> {
    cfg: &'a Cfg,
    predecessors: Vec<Vec<BlockId>>,
    placed: HashSet<BlockId>,
    order: Vec<BlockId>,
    /// Blocks that were not chosen to follow, latest last.
    waiting: Vec<BlockId>,
}

impl Layout<'_> {
    fn place(&mut self, id: BlockId) {
        self.placed.insert(id);
        self.order.push(id);
    }

    fn is_open(&self, id: BlockId) -> bool {
        !self.placed.contains(&id) && !is_exit(self.cfg, id)
    }

    /// Whether all ways into a block are placed.
    fn is_ready(&self, id: BlockId) -> bool {
        let ways = self.predecessors.get(id.0).map(Vec::as_slice);
        let mut ways = ways.unwrap_or_default().iter();
        self.is_open(id) && ways.all(|way| self.placed.contains(way))
    }

    /// The block to stand behind `id`: where it goes on, if that may stand here.
    fn next(&mut self, id: BlockId) -> Option<BlockId> {
        let end = self.cfg.block(id).map(|block| block.end);
        let mut targets: Vec<BlockId> = end.into_iter().flat_map(|end| end.targets()).collect();
        // The way on before the way out, and of two ways on the one not taken.
        targets.reverse();
        targets.sort_by_key(|to| self.leaves(*to));
        targets.retain(|to| self.is_open(*to));
        let ready = targets.iter().position(|to| self.is_ready(*to));
        let next = ready.map(|index| targets.remove(index));
        targets.reverse();
        self.waiting.extend(targets);
        next.or_else(|| self.take_waiting())
    }

    /// The block that waited for the shortest time: a ready one, or in a loop any.
    fn take_waiting(&mut self) -> Option<BlockId> {
        let ready = self.waiting.iter().rposition(|id| self.is_ready(*id));
        let open = || self.waiting.iter().rposition(|id| self.is_open(*id));
        let index = ready.or_else(open)?;
        Some(self.waiting.remove(index))
    }

    fn leaves(&self, id: BlockId) -> bool {
        self.cfg
            .block(id)
            .is_some_and(|block| block.end == End::Exit)
    }
}
