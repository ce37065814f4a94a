//! Results set early: the commonest constant result is set once, where the program begins.
//!
//! Then ways out that return it need nothing but the exit, which all ways can share. A helper
//! call would overwrite R0, so that programs with calls are left alone.

use std::collections::HashMap;

use super::cfg::{BlockId, Cfg, End, Inst, InstKind, Src};
use crate::isa::Width;
use ebpf_dsl::recording::LocId;

/// Whether a result was hoisted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hoisted {
    Yes,
    No,
}

/// Hoists the constant that most ways lead to.
pub(super) fn returns(cfg: &mut Cfg) -> Hoisted {
    let order = cfg.order();
    let insts = order.iter().filter_map(|id| cfg.block(*id));
    let calls = |inst: &Inst| matches!(inst.kind, InstKind::Call { .. });
    if insts.flat_map(|block| &block.insts).any(calls) {
        return Hoisted::No;
    }
    let Some(common) = commonest(cfg, &order) else {
        return Hoisted::No;
    };
    let result = cfg.reg();
    // The first of the places that return it, in the order of the program.
    let mut loc = None;
    for id in &order {
        if let Some(block) = cfg.blocks.get_mut(id.0)
            && block.end == End::Return(Src::Imm(common))
        {
            block.end = End::Return(Src::Reg(result));
            loc = Some(loc.map_or(block.loc, |first: LocId| first.min(block.loc)));
        }
    }
    if let (Some(loc), Some(entry)) = (loc, cfg.blocks.get_mut(0)) {
        let kind = InstKind::Mov {
            width: Width::W64,
            dst: result,
            src: Src::Imm(common),
        };
        entry.insts.insert(0, Inst { kind, loc });
    }
    Hoisted::Yes
}

/// The constant returned that most ways lead to; of several the smallest, so that a program
/// is always lowered to the same bytes.
fn commonest(cfg: &Cfg, order: &[BlockId]) -> Option<i64> {
    let predecessors = cfg.predecessors();
    let mut ways: HashMap<i64, usize> = HashMap::new();
    for id in order {
        if let Some(End::Return(Src::Imm(value))) = cfg.block(*id).map(|block| block.end) {
            *ways.entry(value).or_default() += predecessors.get(id.0).map_or(0, Vec::len);
        }
    }
    let most = |(value, ways): &(i64, usize)| (*ways, std::cmp::Reverse(*value));
    ways.into_iter().max_by_key(most).map(|(value, _)| value)
}
