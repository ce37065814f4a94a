//! Makes a recording that breaks the law smaller, as long as it breaks it in the same way.

use ebpf_dsl::recording::{Block, OpKind};

use crate::subject::{Broken, Law, Subject};

/// The smallest recording found.
pub(crate) fn shrink(subject: &Subject, law: Law, broken: &Broken) -> Subject {
    let mut small = subject.clone();
    loop {
        let smaller = candidates(&small).find(|candidate| {
            let breaks = |found: Broken| found.kind == broken.kind;
            candidate.is_valid() && candidate.check(law).err().is_some_and(breaks)
        });
        match smaller {
            Some(smaller) => small = smaller,
            None => return small,
        }
    }
}

/// Recordings with one operation less, the latest first.
fn candidates(subject: &Subject) -> impl Iterator<Item = Subject> + '_ {
    let count = subject
        .recording
        .programs
        .first()
        .map_or(0, |p| count(&p.body));
    let ways = [Way::Remove, Way::Then, Way::Otherwise];
    let all = (0..count)
        .rev()
        .flat_map(move |index| ways.map(|way| (index, way)));
    all.filter_map(|(index, way)| {
        let mut recording = subject.recording.clone();
        let body = &mut recording.programs.first_mut()?.body;
        change(body, &mut index.clone(), way).then(|| subject.with(recording))
    })
}

/// What is done with an operation.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Remove,
    /// A branch becomes one of its sides.
    Then,
    Otherwise,
}

fn blocks(kind: &OpKind) -> Vec<&Block> {
    match kind {
        OpKind::If {
            then, otherwise, ..
        } => vec![then, otherwise],
        OpKind::Inlined { body, .. } => vec![body],
        _ => Vec::new(),
    }
}

fn count(block: &Block) -> usize {
    let inner = |kind| -> usize { blocks(kind).into_iter().map(count).sum() };
    block.iter().map(|op| 1 + inner(&op.kind)).sum()
}

/// Changes the operation with the number `left`, counted through all blocks.
fn change(block: &mut Block, left: &mut usize, way: Way) -> bool {
    for index in 0..block.len() {
        if *left == 0 {
            return apply(block, index, way);
        }
        *left -= 1;
        let changed = match &mut block[index].kind {
            OpKind::If {
                then, otherwise, ..
            } => {
                let inside = count(then) + count(otherwise);
                match *left < inside {
                    true if *left < count(then) => Some(change(then, left, way)),
                    true => {
                        *left -= count(then);
                        Some(change(otherwise, left, way))
                    }
                    false => {
                        *left -= inside;
                        None
                    }
                }
            }
            OpKind::Inlined { body, .. } => {
                let inside = count(body);
                match *left < inside {
                    true => Some(change(body, left, way)),
                    false => {
                        *left -= inside;
                        None
                    }
                }
            }
            _ => None,
        };
        if let Some(changed) = changed {
            return changed;
        }
    }
    false
}

fn apply(block: &mut Block, index: usize, way: Way) -> bool {
    let op = block.remove(index);
    let side = match (way, op.kind) {
        (Way::Remove, _) => return true,
        (Way::Then, OpKind::If { then, .. }) => then,
        (Way::Otherwise, OpKind::If { otherwise, .. }) => otherwise,
        _ => return false,
    };
    block.splice(index..index, side);
    true
}
