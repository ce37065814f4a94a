//! Instructions put into a program that stands: what leads over them leads further.
//!
//! Read before: `../../reach.rs`. Read next: `scene.rs`.

use std::ops::Range;

use ebpf_asm::assembler::{Assembler, Label};
use ebpf_asm::insn::Slot;
use ebpf_asm::program::Reference;

use crate::differential::reach::{LD_IMM64, Reach, is_second, reach, set_reach};
use crate::differential::row::Row;

/// Where instructions that are put in can lead to, outside of themselves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outside {
    /// A few instructions further on.
    pub(super) later: Label,
    /// The end of the function.
    pub(super) out: Label,
    /// The mark of the other half of a loop.
    pub(super) other: Label,
    /// A function of the program.
    pub(super) function: Label,
}

/// One of the labels of [`Outside`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Later,
    Out,
    Other,
    Function,
}

impl Way {
    /// All, in the order in which they are bound behind the instructions.
    const ALL: [Way; 4] = [Way::Later, Way::Out, Way::Other, Way::Function];

    /// Which of them it is that leads `distance` slots on from behind the one at `index`.
    fn of(scion: &Scion, index: usize, distance: i64) -> Option<Way> {
        let behind = index as i64 + 1 + distance - scion.len() as i64;
        Way::ALL.get(usize::try_from(behind).ok()?).copied()
    }
}

impl Outside {
    fn label(self, way: Way) -> Label {
        match way {
            Way::Later => self.later,
            Way::Out => self.out,
            Way::Other => self.other,
            Way::Function => self.function,
        }
    }
}

/// Where those labels are.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Places {
    pub(super) later: usize,
    pub(super) out: usize,
    pub(super) function: usize,
}

/// Instructions that are to be put in.
#[derive(Debug, Clone)]
pub(super) struct Scion {
    slots: Vec<Slot>,
    references: Vec<(usize, Reference)>,
    /// Where the other half of a loop leads to.
    mark: usize,
}

impl Scion {
    /// What `make` assembles; it may bind the mark, which is the end otherwise.
    pub(super) fn new(make: impl FnOnce(&mut Assembler, Outside, Label)) -> Option<Scion> {
        let mut a = Assembler::new("scion");
        let outside = Outside {
            later: a.label(),
            out: a.label(),
            other: a.label(),
            function: a.label(),
        };
        let (mark, end) = (a.label(), a.label());
        a.bind(mark);
        make(&mut a, outside, mark);
        // What stands behind the end tells where the labels are, and the mark.
        a.bind(end);
        for way in Way::ALL {
            a.bind(outside.label(way)).exit();
        }
        a.ja(mark);
        let program = a.finish("xdp").ok()?;
        let mut row = Row::of(&ebpf_asm::object::Object::default(), &program);
        let teller = row.slots.pop()?;
        let mark = match reach(&teller)? {
            Reach::Jump(distance) => row.slots.len() as i64 + 1 + distance,
            Reach::Function(_) => return None,
        };
        row.slots.truncate(row.slots.len() - Way::ALL.len());
        Some(Scion {
            slots: row.slots,
            references: row.references,
            mark: mark as usize,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }
}

/// Whom jumps to the place find where instructions are put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrive {
    /// Those that are put in.
    Before,
    /// What stood there.
    After,
}

/// A row with the instructions put in at a slot of a function; places are those of the row
/// without them.
pub(super) fn graft(row: &Row, at: usize, scion: &Scion, arrive: Arrive, places: Places) -> Row {
    let count = scion.len();
    let behind = |slot: usize| if slot < at { slot } else { slot + count };
    let lead = |reach: Reach, slot: i64| match reach {
        _ if slot < at as i64 => slot,
        Reach::Jump(_) if slot == at as i64 && arrive == Arrive::Before => slot,
        Reach::Function(_) if slot == at as i64 => slot,
        _ => slot + count as i64,
    };
    let mut grown = row.clone();
    for (slot, insn) in grown.slots.iter_mut().enumerate() {
        if is_second(&row.slots, slot) {
            continue;
        }
        if let Some(known @ (Reach::Jump(distance) | Reach::Function(distance))) = reach(insn) {
            let to = lead(known, slot as i64 + 1 + distance);
            set_reach(insn, to - behind(slot) as i64 - 1);
        }
    }
    let mut slots = scion.slots.clone();
    for (index, insn) in slots.iter_mut().enumerate() {
        if is_second(&scion.slots, index) {
            continue;
        }
        let (Some(Reach::Jump(distance) | Reach::Function(distance)), next) =
            (reach(insn), (at + index + 1) as i64)
        else {
            continue;
        };
        let to = match Way::of(scion, index, distance) {
            Some(Way::Later) => behind(places.later),
            Some(Way::Out) => behind(places.out),
            // The function may begin where the instructions are put in.
            Some(Way::Function) if places.function == at => at,
            Some(Way::Function) => behind(places.function),
            // Where the other half of a loop is, only who puts in both knows.
            Some(Way::Other) | None => continue,
        };
        set_reach(insn, to as i64 - next);
    }
    grown.slots.splice(at..at, slots);
    for (slot, _) in &mut grown.references {
        *slot = behind(*slot);
    }
    let references = scion.references.iter();
    grown
        .references
        .extend(references.map(|&(slot, to)| (slot + at, to)));
    grown.references.sort_by_key(|(slot, _)| *slot);
    for (slot, _) in &mut grown.functions {
        *slot = if *slot <= at { *slot } else { *slot + count };
    }
    grown
}

/// Puts the two halves of a loop around some slots of a function; each leads to the mark of the
/// other.
pub(super) fn wrap(
    row: &Row,
    around: Range<usize>,
    halves: (&Scion, &Scion),
    places: Places,
) -> Row {
    let (head, tail) = halves;
    let mut row = graft(row, around.end, tail, Arrive::Before, places);
    let moved = |slot: usize| {
        if slot < around.end {
            slot
        } else {
            slot + tail.len()
        }
    };
    let places = Places {
        later: moved(places.later),
        out: moved(places.out),
        function: places.function,
    };
    row = graft(&row, around.start, head, Arrive::Before, places);
    let (head_at, tail_at) = (around.start, around.end + head.len());
    let marks = [
        (head_at, head, tail_at + tail.mark),
        (tail_at, tail, head_at + head.mark),
    ];
    for (at, half, mark) in marks {
        for (index, insn) in half.slots.iter().enumerate() {
            let Some(Reach::Jump(distance)) = reach(insn) else {
                continue;
            };
            if Way::of(half, index, distance) == Some(Way::Other) {
                let own = at + index;
                set_reach(&mut row.slots[own], mark as i64 - own as i64 - 1);
            }
        }
    }
    row
}

/// The first slots of the functions, ascending.
pub(super) fn functions(row: &Row) -> Vec<usize> {
    let mut firsts = vec![0];
    for (slot, insn) in row.slots.iter().enumerate() {
        if is_second(&row.slots, slot) {
            continue;
        }
        if let Some(Reach::Function(distance)) = reach(insn) {
            let first = slot as i64 + 1 + distance;
            firsts.extend(usize::try_from(first).ok());
        }
    }
    firsts.extend(row.functions.iter().map(|(first, _)| *first));
    firsts.retain(|first| *first < row.slots.len());
    firsts.sort_unstable();
    firsts.dedup();
    firsts
}

/// The slot of a row so many instructions behind another, not beyond `end`.
pub(super) fn further(row: &Row, mut at: usize, insns: usize, end: usize) -> usize {
    for _ in 0..insns {
        let wide = row
            .slots
            .get(at)
            .is_some_and(|slot| slot.opcode == LD_IMM64);
        at += if wide { 2 } else { 1 };
    }
    at.min(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differential::generate::program;
    use crate::differential::shrink::without;

    #[test]
    fn what_is_put_in_and_taken_out_leaves_the_program_as_it_was() {
        let scion = Scion::new(|a, _, _| {
            a.mov(ebpf_asm::insn::Reg::R0, 0);
        });
        let scion = scion.expect("an instruction");
        for number in 0..100 {
            let Some(row) = program(1, number).map(|made| made.row) else {
                continue;
            };
            for at in (0..row.slots.len()).filter(|&at| !is_second(&row.slots, at)) {
                for arrive in [Arrive::Before, Arrive::After] {
                    let grown = graft(&row, at, &scion, arrive, Places::default());
                    let again = without(&grown, at).expect("an instruction");
                    assert_eq!(again.slots, row.slots, "{number} {at}");
                    assert_eq!(again.references, row.references, "{number} {at}");
                    assert_eq!(again.functions, row.functions, "{number} {at}");
                }
            }
        }
    }
}
