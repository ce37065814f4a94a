//! A pointer that is checked once is moved behind what the check proves.
//!
//! A check needs the address of the end in a register. Where the pointer is only read and
//! written through behind its one check, that register can be the pointer itself: accesses
//! then count backwards from the end, and no copy is needed.

use super::cfg::{Base, BlockId, Cfg, End, Inst, InstKind, Src, VReg};
use crate::isa::{AluOp, Width};

/// Rebases every pointer that allows it.
pub(super) fn rebase(cfg: &mut Cfg) {
    for id in cfg.order() {
        if let Some(End::Bounds { ptr, end, .. }) = cfg.block(id).map(|block| block.end)
            && end != 0
            && allowed(cfg, id, ptr, end)
        {
            apply(cfg, id, ptr, end);
        }
    }
}

/// Whether `ptr` is assigned once, checked in `check` only, and else only accessed, behind
/// the check.
fn allowed(cfg: &Cfg, check: BlockId, ptr: VReg, end: i32) -> bool {
    if ptr.is_machine() || cfg.assignments().get(ptr.index()) != Some(&1) {
        return false;
    }
    let before = reachable_without(cfg, check);
    cfg.order().into_iter().all(|id| {
        let Some(block) = cfg.block(id) else {
            return true;
        };
        let behind = id != check && !before.contains(&id);
        let insts = block.insts.iter().all(|inst| {
            let mut reads = 0;
            inst.kind.reads(|reg| reads += u32::from(reg == ptr));
            reads == 0 || (behind && reads == 1 && accesses(&inst.kind, ptr, end))
        });
        let mut tested = 0;
        block.end.reads(|reg| tested += u32::from(reg == ptr));
        insts && tested == u32::from(id == check)
    })
}

/// Whether an instruction reads or writes through `ptr`, at an offset that stays one when
/// `end` is taken off.
fn accesses(kind: &InstKind, ptr: VReg, end: i32) -> bool {
    match kind {
        InstKind::Load { base, offset, .. }
        | InstKind::Store { base, offset, .. }
        | InstKind::AtomicAdd { base, offset, .. } => {
            *base == Base::Reg(ptr) && i16::try_from(i32::from(*offset) - end).is_ok()
        }
        _ => false,
    }
}

/// The blocks that can be reached without going through `check`, which is not among them.
fn reachable_without(cfg: &Cfg, check: BlockId) -> Vec<BlockId> {
    let mut reached = Vec::new();
    let mut stack = vec![BlockId(0)];
    while let Some(at) = stack.pop() {
        if at != check && !reached.contains(&at) {
            reached.push(at);
            let targets = cfg.block(at).map(|block| block.end.targets());
            stack.extend(targets.into_iter().flatten());
        }
    }
    reached
}

fn apply(cfg: &mut Cfg, check: BlockId, ptr: VReg, end: i32) {
    let behind = cfg.reg();
    for id in cfg.order() {
        let insts = cfg.blocks.get_mut(id.0).map(|block| &mut block.insts);
        for inst in insts.into_iter().flatten() {
            if let InstKind::Load { base, offset, .. }
            | InstKind::Store { base, offset, .. }
            | InstKind::AtomicAdd { base, offset, .. } = &mut inst.kind
                && *base == Base::Reg(ptr)
            {
                *base = Base::Reg(behind);
                // `accesses` asked whether it fits.
                *offset = (i32::from(*offset) - end) as i16;
            }
        }
    }
    let Some(block) = cfg.blocks.get_mut(check.0) else {
        return;
    };
    let add = InstKind::Alu {
        op: AluOp::Add,
        width: Width::W64,
        dst: behind,
        lhs: ptr,
        rhs: Src::Imm(i64::from(end)),
    };
    let loc = block.loc;
    block.insts.push(Inst { kind: add, loc });
    if let End::Bounds { ptr, end, .. } = &mut block.end {
        (*ptr, *end) = (behind, 0);
    }
}
