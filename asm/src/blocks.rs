//! Basic blocks: the stretches of a program that run from one end to the other, and the ways
//! between them.
//!
//! Any program has blocks, also one that no kernel would take: what jumps nowhere has an edge
//! that leads nowhere.
//!
//! Read before: `program.rs`.

use std::ops::Range;

use crate::insn::Insn;
use crate::isa::{Callee, Imm64, Sem};
use crate::program::Program;

/// Where execution goes behind an instruction, within its function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// To the next instruction.
    On,
    /// To the target.
    Jump,
    /// To the target or to the next instruction.
    Branch,
    /// Out of the function.
    Exit,
    /// To an address that only the run knows.
    Unknown,
}

impl Flow {
    /// Where execution goes behind what means this.
    pub fn of(sem: Sem) -> Flow {
        match sem {
            Sem::Exit => Flow::Exit,
            Sem::Ja | Sem::Gotol => Flow::Jump,
            Sem::Jump { .. } | Sem::MayGoto => Flow::Branch,
            Sem::Gotox => Flow::Unknown,
            _ => Flow::On,
        }
    }

    /// Whether the next instruction may run next.
    pub fn goes_on(self) -> bool {
        matches!(self, Flow::On | Flow::Branch)
    }
}

/// A program's blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocks {
    /// The blocks in the order of the program: every instruction is in exactly one.
    pub all: Vec<Block>,
}

/// Instructions of which all or none are run, but for calls that do not return.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The indexes of the instructions in the program.
    pub insns: Range<usize>,
    /// The slots of the instructions.
    pub slots: Range<usize>,
    /// The index of the function in the program's; `None` before the first.
    pub function: Option<usize>,
    /// Whether a way leads here from the program's beginning.
    pub reach: Reach,
    /// The ways out, in the order of the instructions; of a branch the taken one first.
    pub edges: Vec<Edge>,
}

/// Whether a way leads to a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// One does.
    Reached,
    /// None does.
    Unreached,
    /// None is seen, but the program has jumps to addresses that only the run knows.
    Unknown,
}

/// A way from a block to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// What kind of way.
    pub kind: EdgeKind,
    /// The slot of the instruction that goes.
    pub from: usize,
    /// The block that it leads to; `None` if no instruction begins there.
    pub to: Option<usize>,
    /// Whether it goes back in a loop.
    pub turn: Turn,
}

/// The kinds of ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EdgeKind {
    /// A jump that is taken.
    Taken,
    /// On to the next instruction.
    Fall,
    /// A call of the program's own function.
    Call,
    /// A function whose address is taken: whoever gets it may call it.
    Callback,
}

/// Whether an edge closes a loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It leads on.
    Forth,
    /// It leads to a block that leads here: a back edge.
    Back,
}

impl EdgeKind {
    /// Whether it stays in the function.
    pub fn is_inside(self) -> bool {
        matches!(self, EdgeKind::Taken | EdgeKind::Fall)
    }
}

impl Blocks {
    /// The blocks of a program.
    pub fn of(program: &Program) -> Blocks {
        let mut all = split(program);
        let starts: Vec<usize> = all.iter().map(|block| block.slots.start).collect();
        let insns: Vec<(usize, &Insn)> = program.slots().collect();
        for block in &mut all {
            let own = insns.get(block.insns.clone()).unwrap_or_default();
            for (at, &(slot, insn)) in own.iter().enumerate() {
                let is_last = at + 1 == own.len();
                let find = |to: Option<usize>| starts.binary_search(&to?).ok();
                let edge = |kind, to| Edge {
                    kind,
                    from: slot,
                    to: find(to),
                    turn: Turn::Forth,
                };
                if let Some(kind) = target_kind(insn.sem()) {
                    block.edges.push(edge(kind, program.target(slot, insn)));
                }
                if is_last && Flow::of(insn.sem()).goes_on() {
                    let next = slot + insn.slots();
                    block.edges.push(edge(EdgeKind::Fall, Some(next)));
                }
            }
        }
        let mut blocks = Blocks { all };
        blocks.mark_turns();
        blocks.mark_reach(program);
        blocks
    }

    /// The index of the block that the instruction beginning in `slot` is in.
    pub fn at(&self, slot: usize) -> Option<usize> {
        let after = self.all.partition_point(|block| block.slots.start <= slot);
        let index = after.checked_sub(1)?;
        let block = self.all.get(index)?;
        block.slots.contains(&slot).then_some(index)
    }

    fn edges(&self, block: usize) -> &[Edge] {
        self.all.get(block).map_or(&[], |block| &block.edges)
    }

    /// Finds the edges that lead back to a block on the way, depth first from every function
    /// and then from whatever is left.
    fn mark_turns(&mut self) {
        let mut seen = vec![Seen::No; self.all.len()];
        let mut back = Vec::new();
        for start in 0..self.all.len() {
            if seen.get(start) != Some(&Seen::No) {
                continue;
            }
            let mut path = vec![(start, 0)];
            mark(&mut seen, start, Seen::OnPath);
            while let Some((block, next)) = path.last_mut() {
                let (block, index) = (*block, *next);
                let Some(edge) = self.edges(block).get(index) else {
                    mark(&mut seen, block, Seen::Done);
                    path.pop();
                    continue;
                };
                *next += 1;
                let Some(to) = edge.to.filter(|_| edge.kind.is_inside()) else {
                    continue;
                };
                match seen.get(to) {
                    Some(Seen::No) => {
                        mark(&mut seen, to, Seen::OnPath);
                        path.push((to, 0));
                    }
                    Some(Seen::OnPath) => back.push((block, index)),
                    _ => {}
                }
            }
        }
        for (block, index) in back {
            let edges = self.all.get_mut(block).map(|block| &mut block.edges);
            if let Some(edge) = edges.and_then(|edges| edges.get_mut(index)) {
                edge.turn = Turn::Back;
            }
        }
    }

    fn mark_reach(&mut self, program: &Program) {
        let mut open = vec![0];
        while let Some(at) = open.pop() {
            if let Some(block) = self.all.get_mut(at)
                && block.reach == Reach::Unreached
            {
                block.reach = Reach::Reached;
                open.extend(block.edges.iter().filter_map(|edge| edge.to));
            }
        }
        let mut sems = program.insns.iter().map(Insn::sem);
        if sems.any(|sem| Flow::of(sem) == Flow::Unknown) {
            let unreached = self.all.iter_mut();
            for block in unreached.filter(|block| block.reach == Reach::Unreached) {
                block.reach = Reach::Unknown;
            }
        }
    }
}

/// The blocks without their edges.
fn split(program: &Program) -> Vec<Block> {
    let mut begins = vec![false; program.slot_count() + 1];
    let mut begin = |slot: usize| {
        if let Some(entry) = begins.get_mut(slot) {
            *entry = true;
        }
    };
    program.functions.iter().for_each(|f| begin(f.slot));
    for (slot, insn) in program.slots() {
        if let Some(target) = program.target(slot, insn) {
            begin(target);
        }
        if Flow::of(insn.sem()) != Flow::On {
            begin(slot + insn.slots());
        }
    }
    let mut all: Vec<Block> = Vec::new();
    for (index, (slot, insn)) in program.slots().enumerate() {
        let end = slot + insn.slots();
        match all.last_mut() {
            Some(block) if begins.get(slot) != Some(&true) => {
                block.insns.end = index + 1;
                block.slots.end = end;
            }
            _ => all.push(Block {
                insns: index..index + 1,
                slots: slot..end,
                function: function_of(program, slot),
                reach: Reach::Unreached,
                edges: Vec::new(),
            }),
        }
    }
    all
}

fn function_of(program: &Program, slot: usize) -> Option<usize> {
    let functions = &program.functions;
    functions.partition_point(|f| f.slot <= slot).checked_sub(1)
}

/// The kind of way to an instruction's target, if it has one.
fn target_kind(sem: Sem) -> Option<EdgeKind> {
    match sem {
        Sem::Call(Callee::Local) => Some(EdgeKind::Call),
        Sem::LoadImm64(Imm64::Code) => Some(EdgeKind::Callback),
        _ => match Flow::of(sem) {
            Flow::Jump | Flow::Branch => Some(EdgeKind::Taken),
            _ => None,
        },
    }
}

/// How far the walk has come with a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    No,
    OnPath,
    Done,
}

fn mark(seen: &mut [Seen], block: usize, as_: Seen) {
    if let Some(entry) = seen.get_mut(block) {
        *entry = as_;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::parse;
    use proptest::prelude::*;

    fn program(text: &str) -> Program {
        let mut object = parse("t", &format!(".prog xdp p\n{text}")).unwrap();
        object.programs.remove(0)
    }

    /// The edges of a block as text: `taken 3 back`.
    fn edges(block: &Block) -> Vec<String> {
        let to = |edge: &Edge| edge.to.map_or("nowhere".into(), |to| to.to_string());
        let edges = block.edges.iter();
        edges
            .map(|edge| format!("{:?} {} {:?}", edge.kind, to(edge), edge.turn))
            .collect()
    }

    #[test]
    fn loops_calls_and_what_is_never_reached() {
        let program = program(
            "r1 = 10\nagain: r1 += -1\nif r1 != 0 goto again\ncall f\nexit\nr0 = 1\ngoto +5\n\
             .func f\nr0 = 2\nexit\n",
        );
        let blocks = Blocks::of(&program);
        let shown: Vec<_> = blocks.all.iter().map(edges).collect();
        let expected: [&[&str]; 5] = [
            &["Fall 1 Forth"],
            &["Taken 1 Back", "Fall 2 Forth"],
            &["Call 4 Forth"],
            &["Taken nowhere Forth"],
            &[],
        ];
        assert_eq!(shown, expected);
        let reach: Vec<_> = blocks.all.iter().map(|block| block.reach).collect();
        use Reach::{Reached, Unreached};
        assert_eq!(reach, [Reached, Reached, Reached, Unreached, Reached]);
        assert_eq!(blocks.all[4].function, Some(1));
        assert_eq!(blocks.at(6), Some(3));
        assert_eq!(blocks.at(9), None);
    }

    /// Where execution can go from a slot, without blocks.
    fn successors(program: &Program, slot: usize, insn: &Insn) -> Vec<Option<usize>> {
        let known = |to: usize| program.slots().any(|(at, _)| at == to).then_some(to);
        let mut all = Vec::new();
        if matches!(
            insn.sem(),
            Sem::Ja | Sem::Gotol | Sem::Jump { .. } | Sem::MayGoto
        ) {
            let to = slot as i64 + 1 + i64::from(insn.distance().unwrap());
            all.push(usize::try_from(to).ok().and_then(known));
        }
        if !matches!(insn.sem(), Sem::Ja | Sem::Gotol | Sem::Exit) {
            all.push(known(slot + insn.slots()));
        }
        all
    }

    proptest! {
        #[test]
        fn blocks_agree_with_the_successors_of_each_instruction(
            steps in proptest::collection::vec((0..8u8, -20..20i16), 1..40),
        ) {
            let line = |(kind, to): &(u8, i16)| match kind {
                0 => "exit\n".to_owned(),
                1 => format!("goto {to:+}\n"),
                2 => format!("gotol {to:+}\n"),
                3 => format!("if r1 == 0 goto {to:+}\n"),
                4 => format!("may_goto {to:+}\n"),
                5 => "r1 = 0x123456789 ll\n".to_owned(),
                6 => format!("call pc{to:+}\n"),
                _ => "r0 = 1\n".to_owned(),
            };
            let program = program(&steps.iter().map(line).collect::<String>());
            let blocks = Blocks::of(&program);
            let covered: Vec<usize> = blocks.all.iter().flat_map(|b| b.insns.clone()).collect();
            prop_assert_eq!(covered, (0..program.insns.len()).collect::<Vec<_>>());
            for block in &blocks.all {
                for (index, (slot, insn)) in program.slots().enumerate() {
                    if !block.insns.contains(&index) {
                        continue;
                    }
                    let expected = successors(&program, slot, insn);
                    if index + 1 < block.insns.end {
                        // Within a block there is one way.
                        prop_assert_eq!(expected, [Some(slot + insn.slots())]);
                        continue;
                    }
                    let start = |to: usize| blocks.all[to].slots.start;
                    let inside = block.edges.iter().filter(|edge| edge.kind.is_inside());
                    let found: Vec<_> = inside.map(|edge| edge.to.map(start)).collect();
                    prop_assert_eq!(found, expected);
                }
            }
            // Without back edges no way comes back.
            prop_assert!(is_acyclic(&blocks));
        }
    }

    fn is_acyclic(blocks: &Blocks) -> bool {
        let mut ways = vec![0; blocks.all.len()];
        let forth = |block: &Block| {
            let edges = block.edges.clone().into_iter();
            edges
                .filter(|edge| edge.kind.is_inside() && edge.turn == Turn::Forth)
                .filter_map(|edge| edge.to)
                .collect::<Vec<_>>()
        };
        blocks
            .all
            .iter()
            .flat_map(forth)
            .for_each(|to| ways[to] += 1);
        let mut open: Vec<usize> = (0..ways.len()).filter(|&at| ways[at] == 0).collect();
        let mut removed = 0;
        while let Some(at) = open.pop() {
            removed += 1;
            for to in forth(&blocks.all[at]) {
                ways[to] -= 1;
                if ways[to] == 0 {
                    open.push(to);
                }
            }
        }
        removed == ways.len()
    }
}
