//! The context is read once: a second load of a field takes what the first one left.
//!
//! A field keeps its value until a helper moves the packet. A load is available in a block
//! if it is on every way there.

use std::collections::HashMap;

use super::cfg::{Base, BlockId, Cfg, Inst, InstKind, Src, VReg};
use crate::helper::{self, Effect};
use crate::isa::{Size, Width};

/// Loads that still hold, by offset in the context and size.
type Available = HashMap<(i16, Size), VReg>;

/// Replaces loads of what was loaded before by copies.
pub(super) fn share_loads(cfg: &mut Cfg) {
    let context = cfg.context;
    let predecessors = cfg.predecessors();
    let mut leaving: HashMap<BlockId, Available> = HashMap::new();
    for id in cfg.order() {
        let ways = predecessors.get(id.0).map(Vec::as_slice);
        let mut available = meet(ways.unwrap_or_default(), &leaving);
        if let Some(block) = cfg.blocks.get_mut(id.0) {
            for inst in &mut block.insts {
                step(inst, context, &mut available);
            }
        }
        leaving.insert(id, available);
    }
}

/// What is available on every way to a block. A way that was not gone yet, in a loop, has
/// nothing.
fn meet(ways: &[BlockId], leaving: &HashMap<BlockId, Available>) -> Available {
    let mut ways = ways.iter().map(|way| leaving.get(way));
    let Some(Some(first)) = ways.next() else {
        return Available::new();
    };
    let mut available = first.clone();
    for way in ways {
        available.retain(|field, reg| way.and_then(|way| way.get(field)) == Some(reg));
    }
    available
}

fn step(inst: &mut Inst, context: VReg, available: &mut Available) {
    match inst.kind {
        InstKind::Load {
            size,
            dst,
            base: Base::Reg(base),
            offset,
        } if base == context => match available.get(&(offset, size)) {
            Some(known) => {
                let (width, src) = (Width::W64, Src::Reg(*known));
                inst.kind = InstKind::Mov { width, dst, src };
            }
            None => {
                available.insert((offset, size), dst);
            }
        },
        InstKind::Call { helper, .. } if moves_packet(helper) => available.clear(),
        _ => {}
    }
}

/// Whether a helper moves the packet; one that the table does not have may.
pub(super) fn moves_packet(id: i32) -> bool {
    helper::by_id(id).is_none_or(|helper| helper.effect() == Effect::MovesPacket)
}
