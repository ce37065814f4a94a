//! Colouring: a machine register for each virtual one.

use std::collections::HashSet;

use super::graph::Graph;
use crate::lower::cfg::{MACHINE_REGS, VReg};

/// What colouring came to.
pub(super) enum Coloured {
    /// Every register has a colour, by the register's number.
    All(Vec<Option<VReg>>),
    /// These found none.
    Spill(Vec<VReg>),
}

/// The machine's registers in the order in which they are given away: first those that a
/// call does not keep, R0 last of them, since results go there.
const PREFERENCE: [VReg; 10] = [
    VReg(1),
    VReg(2),
    VReg(3),
    VReg(4),
    VReg(5),
    VReg(0),
    VReg(6),
    VReg(7),
    VReg(8),
    VReg(9),
];

/// Colours the graph. Registers in `keep` are spilled last.
pub(super) fn colour(graph: &Graph, keep: &HashSet<VReg>) -> Coloured {
    let order = removal_order(graph, keep);
    let limit = order.iter().map(|reg| reg.index() + 1).max();
    let mut colours = vec![None; limit.unwrap_or(0).max(MACHINE_REGS as usize)];
    for reg in (0..MACHINE_REGS).map(VReg) {
        colours[reg.index()] = Some(reg);
    }
    let copies: Vec<(VReg, VReg)> = graph.copies().collect();
    let mut without = Vec::new();
    for reg in order.into_iter().rev() {
        match pick(graph, &copies, &colours, reg) {
            Some(colour) => colours[reg.index()] = Some(colour),
            None => without.push(reg),
        }
    }
    if without.is_empty() {
        Coloured::All(colours)
    } else {
        Coloured::Spill(without)
    }
}

/// The order in which registers are taken out of the graph; they are coloured backwards.
/// One with few neighbours left is sure to find a colour; where there is none, the one that
/// costs least for its neighbours is taken, in hope.
fn removal_order(graph: &Graph, keep: &HashSet<VReg>) -> Vec<VReg> {
    let mut left = graph.virtuals();
    let mut removed: HashSet<VReg> = HashSet::new();
    let mut order = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let degree = |reg: VReg| {
            let others = graph.neighbours(reg);
            others.filter(|other| !removed.contains(other)).count()
        };
        let easy = left
            .iter()
            .position(|reg| degree(*reg) < MACHINE_REGS as usize);
        let cost = |reg: VReg| match keep.contains(&reg) {
            true => u64::MAX,
            // Thousandths of a use for each neighbour that gains.
            false => u64::from(graph.use_count(reg)) * 1000 / (degree(reg) as u64 + 1),
        };
        let cheapest = || (0..left.len()).min_by_key(|index| cost(left[*index]));
        let Some(index) = easy.or_else(cheapest) else {
            break;
        };
        let reg = left.remove(index);
        removed.insert(reg);
        order.push(reg);
    }
    order
}

/// A colour that no neighbour has, best that of a register it is copied from or to.
fn pick(
    graph: &Graph,
    copies: &[(VReg, VReg)],
    colours: &[Option<VReg>],
    reg: VReg,
) -> Option<VReg> {
    let colour_of = |other: VReg| colours.get(other.index()).copied().flatten();
    let taken: HashSet<VReg> = graph.neighbours(reg).filter_map(colour_of).collect();
    let partners = copies.iter().filter_map(|(a, b)| match (*a, *b) {
        (a, b) if a == reg => colour_of(b),
        (a, b) if b == reg => colour_of(a),
        _ => None,
    });
    let mut choices = partners.chain(PREFERENCE);
    choices.find(|colour| !taken.contains(colour))
}
