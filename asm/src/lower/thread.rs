//! Branch threading: jumps go straight to where they end up.
//!
//! - A jump to an empty block goes where that block goes.
//! - A branch whose ways are one is a jump.
//! - A jump to a block that only tests or returns a variable, which was just set to a
//!   constant, goes where the test or return goes.
//! - A block with one way in, by a jump, becomes part of the block before it.

use super::bits::Changed;
use super::cfg::{BlockId, Cfg, End, Inst, InstKind, Src, VReg};

/// Threads until nothing changes.
pub(super) fn thread(cfg: &mut Cfg) {
    loop {
        let mut changed = Changed::No;
        for id in cfg.order() {
            if retarget(cfg, id) == Changed::Yes || shorten(cfg, id) == Changed::Yes {
                changed = Changed::Yes;
            }
        }
        if join(cfg) == Changed::Yes {
            changed = Changed::Yes;
        }
        if changed == Changed::No {
            return;
        }
    }
}

/// Where control is when it comes to `from`: empty blocks that jump are passed.
fn landing(cfg: &Cfg, from: BlockId) -> BlockId {
    let mut at = from;
    // No chain is longer than there are blocks, unless it is a loop of empty ones.
    for _ in 0..cfg.blocks.len() {
        match cfg.block(at) {
            Some(block) if block.insts.is_empty() => match block.end {
                End::Jump(to) => at = to,
                _ => return at,
            },
            _ => return at,
        }
    }
    from
}

fn retarget(cfg: &mut Cfg, id: BlockId) -> Changed {
    let Some(block) = cfg.block(id) else {
        return Changed::No;
    };
    let mut end = block.end;
    end.retarget(|to| landing(cfg, to));
    if let End::Branch {
        then, otherwise, ..
    }
    | End::Bounds {
        inside: then,
        outside: otherwise,
        ..
    } = end
        && then == otherwise
    {
        end = End::Jump(then);
    }
    replace(cfg, id, end)
}

fn replace(cfg: &mut Cfg, id: BlockId, end: End) -> Changed {
    match cfg.blocks.get_mut(id.0) {
        Some(block) if block.end != end => {
            block.end = end;
            Changed::Yes
        }
        _ => Changed::No,
    }
}

/// Ends a block as the empty block that it jumps to ends, where that needs no more
/// instructions.
fn shorten(cfg: &mut Cfg, id: BlockId) -> Changed {
    let Some(block) = cfg.block(id) else {
        return Changed::No;
    };
    let End::Jump(to) = block.end else {
        return Changed::No;
    };
    let Some(next) = cfg.block(to).filter(|next| next.insts.is_empty()) else {
        return Changed::No;
    };
    let end = match next.end {
        End::Exit => End::Exit,
        End::Return(Src::Imm(value)) => End::Return(Src::Imm(value)),
        End::Return(Src::Reg(reg)) => match constant(&block.insts, reg) {
            Some(value) => End::Return(Src::Imm(value)),
            None => return Changed::No,
        },
        End::Branch {
            test,
            then,
            otherwise,
        } => match (constant(&block.insts, test.lhs), test.rhs) {
            (Some(lhs), Src::Imm(rhs)) if test.cond.holds(test.width, lhs as u64, rhs as u64) => {
                End::Jump(then)
            }
            (Some(_), Src::Imm(_)) => End::Jump(otherwise),
            _ => return Changed::No,
        },
        _ => return Changed::No,
    };
    let loc = next.loc;
    if let Some(block) = cfg.blocks.get_mut(id.0) {
        block.loc = loc;
    }
    replace(cfg, id, end)
}

/// The constant that a register was last set to in a block.
fn constant(insts: &[Inst], reg: VReg) -> Option<i64> {
    let last = insts.iter().rev().find(|inst| {
        let call = matches!(inst.kind, InstKind::CallHelper { .. });
        inst.kind.dst() == Some(reg) || (call && reg.is_machine())
    })?;
    match last.kind {
        InstKind::Mov {
            width: crate::isa::Width::W64,
            src: Src::Imm(value),
            ..
        } => Some(value),
        _ => None,
    }
}

/// Appends blocks with one way in to the block that jumps to them.
fn join(cfg: &mut Cfg) -> Changed {
    let mut changed = Changed::No;
    let predecessors = cfg.predecessors();
    for id in cfg.order() {
        // One block may take in a whole chain.
        while let Some(End::Jump(to)) = cfg.block(id).map(|block| block.end) {
            let ways = predecessors.get(to.0).map_or(0, Vec::len);
            if ways != 1 || to == id || to == BlockId(0) {
                break;
            }
            let Some(next) = cfg.blocks.get_mut(to.0) else {
                break;
            };
            let (insts, end, loc) = (std::mem::take(&mut next.insts), next.end, next.loc);
            // The block taken in cannot be reached any more; it must not lead anywhere.
            next.end = End::Exit;
            let Some(block) = cfg.blocks.get_mut(id.0) else {
                break;
            };
            block.insts.extend(insts);
            block.end = end;
            block.loc = loc;
            changed = Changed::Yes;
        }
    }
    changed
}
