//! Liveness: which registers hold something that is still read.

use super::bits::{Changed, RegSet};
use super::cfg::{Block, Cfg, Inst, InstKind, VReg};

/// The registers that a helper call leaves unknown, apart from its result.
pub(super) const CLOBBERED: [VReg; 5] = [VReg(1), VReg(2), VReg(3), VReg(4), VReg(5)];

/// For each block the registers that are live where it begins and where it ends.
pub(super) struct Liveness {
    pub(super) live_in: Vec<RegSet>,
    pub(super) live_out: Vec<RegSet>,
}

impl Liveness {
    pub(super) fn of(cfg: &Cfg) -> Self {
        let none = RegSet::default();
        let mut live = Liveness {
            live_in: vec![none.clone(); cfg.blocks.len()],
            live_out: vec![none; cfg.blocks.len()],
        };
        let order = cfg.order();
        let mut changed = Changed::Yes;
        while changed == Changed::Yes {
            changed = Changed::No;
            for id in order.iter().rev() {
                let Some(block) = cfg.block(*id) else {
                    continue;
                };
                if live.update(id.0, block) == Changed::Yes {
                    changed = Changed::Yes;
                }
            }
        }
        live
    }

    fn update(&mut self, index: usize, block: &Block) -> Changed {
        let (Some(live_out), live_in) = (self.live_out.get_mut(index), &self.live_in) else {
            return Changed::No;
        };
        for target in block.end.targets() {
            if let Some(next) = live_in.get(target.0) {
                live_out.union(next);
            }
        }
        let mut live = live_out.clone();
        block.end.reads(|reg| live.insert(reg));
        for inst in block.insts.iter().rev() {
            before(&mut live, inst);
        }
        match self.live_in.get_mut(index) {
            Some(live_in) => live_in.union(&live),
            None => Changed::No,
        }
    }

    /// The registers that are live where a block ends, its end's own reads included.
    pub(super) fn at_end(&self, index: usize, block: &Block) -> Option<RegSet> {
        let mut live = self.live_out.get(index)?.clone();
        block.end.reads(|reg| live.insert(reg));
        Some(live)
    }
}

/// Goes back over an instruction: from what is live behind it to what is live before it.
pub(super) fn before(live: &mut RegSet, inst: &Inst) {
    if let Some(dst) = inst.kind.dst() {
        live.remove(dst);
    }
    if let InstKind::CallHelper { .. } = inst.kind {
        CLOBBERED.into_iter().for_each(|reg| live.remove(reg));
    }
    inst.kind.reads(|reg| live.insert(reg));
}
