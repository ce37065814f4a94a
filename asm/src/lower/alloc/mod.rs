//! Register allocation: virtual registers become R0 to R9, or stack slots.
//!
//! Registers that hold something at the same time *interfere*; a colour for each, different
//! from those it interferes with, is its machine register (Chaitin). Copies whose ends do not
//! interfere become one register where that cannot make the colouring harder (Briggs,
//! George). What gets no colour lives on the stack, and is loaded and stored around each use.
//!
//! Helpers leave R1 to R5 unknown: what is needed behind a call interferes with them, and so
//! gets R6 to R9.

mod colour;
mod graph;
mod spill;

use std::collections::HashSet;

use self::colour::Coloured;
use self::graph::Graph;
use super::LowerError;
use super::cfg::{Cfg, InstKind, Src, VReg};
use crate::isa::Width;

/// How often spilling is repeated; each time registers with shorter lives are left.
const MAX_ROUNDS: usize = 40;

/// Assigns the machine's registers. Frames may grow by spilled registers.
pub(super) fn allocate(cfg: &mut Cfg) -> Result<(), LowerError> {
    // Registers made by spilling live too shortly to gain from being spilled again.
    let mut short_lived = HashSet::new();
    for _ in 0..MAX_ROUNDS {
        let mut graph = Graph::of(cfg);
        graph.coalesce();
        match colour::colour(&graph, &short_lived) {
            Coloured::All(colours) => {
                rename(cfg, &graph, &colours);
                return Ok(());
            }
            Coloured::Spill(regs) => {
                let regs = graph.with_coalesced(&regs);
                spill::spill(cfg, &regs, &mut short_lived);
            }
        }
    }
    Err(LowerError::Registers)
}

/// Puts machine registers in place of virtual ones, and drops copies to themselves.
fn rename(cfg: &mut Cfg, graph: &Graph, colours: &[Option<VReg>]) {
    let machine = |reg: VReg| {
        let one = graph.representative(reg);
        colours.get(one.index()).copied().flatten().unwrap_or(reg)
    };
    for id in cfg.order() {
        let Some(block) = cfg.blocks.get_mut(id.0) else {
            continue;
        };
        for inst in &mut block.insts {
            inst.kind.uses(|reg| *reg = machine(*reg));
            if let Some(dst) = inst.kind.dst_mut() {
                *dst = machine(*dst);
            }
        }
        block.insts.retain(|inst| !is_to_itself(&inst.kind));
        block.end.uses(|reg| *reg = machine(*reg));
    }
}

fn is_to_itself(kind: &InstKind) -> bool {
    match kind {
        InstKind::Mov {
            width: Width::W64,
            dst,
            src: Src::Reg(src),
        } => dst == src,
        _ => false,
    }
}
