//! Two logs of level 2, compared: which instructions were looked at, in which order, and what was
//! known behind each.
//!
//! What the kernel tells of its own work in between is passed over. Where it shows a state of which
//! the other log shows another, or goes on elsewhere, the logs differ.
//!
//! Read before: `judge.rs`. Read next: `witness.rs`.

use std::fmt;

/// One entry of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    Looked(Looked),
    /// A branch that was begun, and what is known there.
    Branch {
        from: usize,
        to: usize,
    },
}

/// An instruction that was looked at, and the state behind it as far as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Looked {
    slot: usize,
    insn: String,
    state: Vec<String>,
}

impl Entry {
    fn shows_state(&self) -> bool {
        matches!(self, Entry::Looked(looked) if !looked.state.is_empty())
    }

    /// Where in the program it is.
    fn place(&self) -> (usize, Option<usize>) {
        match self {
            Entry::Looked(looked) => (looked.slot, None),
            Entry::Branch { from, to } => (*from, Some(*to)),
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Entry::Looked(Looked { slot, insn, state }) => {
                write!(f, "{slot}: {insn} ; {}", state.join(" "))
            }
            Entry::Branch { from, to } => write!(f, "from {from} to {to}"),
        }
    }
}

/// What two logs have in common.
#[derive(Debug, Default)]
pub struct Compared {
    /// How many instructions both looked at with the same state behind them, from the beginning on:
    /// of those behind which the kernel shows one.
    pub alike: usize,
    /// Where they part, if they do.
    pub differs: Option<Differs>,
}

/// Where two logs part: what each says there, nothing if it has ended.
#[derive(Debug)]
pub struct Differs {
    ours: Option<Entry>,
    kernels: Option<Entry>,
}

impl Differs {
    /// Whether both look at the same instruction, and know other things of it.
    #[must_use]
    pub fn is_state(&self) -> bool {
        let places = (self.ours.as_ref(), self.kernels.as_ref());
        matches!(places, (Some(ours), Some(kernels)) if ours.place() == kernels.place())
    }
}

impl fmt::Display for Differs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let says = |entry: &Option<Entry>| match entry {
            Some(entry) => entry.to_string(),
            None => "(the end)".to_owned(),
        };
        let (ours, kernels) = (says(&self.ours), says(&self.kernels));
        write!(f, "  ours   {ours}\n  kernel {kernels}")
    }
}

/// Compares our log with the kernel's.
#[must_use]
pub fn compared(ours: &str, kernels: &str) -> Compared {
    let (mut ours, mut kernels) = (entries(ours).into_iter(), entries(kernels).into_iter());
    let mut alike = 0;
    loop {
        let differs = match (ours.next(), kernels.next()) {
            (None, None) => None,
            (Some(our), Some(their)) if is_same(&our, &their) => {
                alike += usize::from(their.shows_state());
                continue;
            }
            (ours, kernels) => Some(Differs { ours, kernels }),
        };
        return Compared { alike, differs };
    }
}

fn is_same(ours: &Entry, kernels: &Entry) -> bool {
    match (ours, kernels) {
        (Entry::Looked(ours), Entry::Looked(kernels)) => {
            let same = ours.slot == kernels.slot && ours.insn == kernels.insn;
            same && is_same_state(&ours.state, &kernels.state)
        }
        _ => ours == kernels,
    }
}

/// Whether a state is the kernel's: the same registers, and the same in every slot of the stack
/// that both show. Ours shows slots that changed, the kernel's those that were read too, but not
/// what helpers wrote; where a path is found covered, it does not show the last state any more.
fn is_same_state(ours: &[String], kernels: &[String]) -> bool {
    if kernels.is_empty() {
        return true;
    }
    let is_slot = |word: &&String| word.starts_with("fp-");
    let others = |state: &'_ [String]| -> Vec<String> {
        state
            .iter()
            .filter(|word| !is_slot(word))
            .cloned()
            .collect()
    };
    let slots = |word: &&String| {
        let place = |word: &String| word.split('=').next().map(str::to_owned);
        !is_slot(word)
            || ours
                .iter()
                .all(|our| place(our) != place(word) || told(our) == told(word))
    };
    others(ours) == others(kernels) && kernels.iter().all(|word| slots(&word))
}

/// A slot as far as it can be relied on: the kernel shows a dynptr that is made where another
/// was with the other's `dynptr_id`.
fn told(slot: &str) -> &str {
    match slot.split_once(",dynptr_id=") {
        Some((start, _)) if start.contains("=dynptr_") => start,
        _ => slot,
    }
}

/// The entries of a log.
fn entries(log: &str) -> Vec<Entry> {
    let mut all: Vec<Entry> = Vec::new();
    // A state behind the end of a path is that of the next.
    let mut goes_on = false;
    for line in log.lines() {
        if let Some(branch) = branch(line) {
            all.push(branch);
            continue;
        }
        let Some((slot, rest)) = line.split_once(": ") else {
            continue;
        };
        let Ok(slot) = slot.parse() else {
            continue;
        };
        let (insn, state) = rest.split_once(';').unwrap_or((rest, ""));
        match (rest.starts_with('('), all.last_mut()) {
            (true, _) => {
                goes_on = true;
                all.push(Entry::Looked(Looked {
                    slot,
                    insn: without_address(insn.trim_end()),
                    state: words(state),
                }));
            }
            _ if rest == "safe" => goes_on = false,
            // What the kernel tells of its work moved the state to a line of its own.
            (false, Some(Entry::Looked(looked))) if goes_on && looked.state.is_empty() => {
                looked.state = words(rest);
            }
            (false, _) => {}
        }
    }
    all
}

/// An instruction without the address of a map, which the kernel tells to the privileged.
fn without_address(insn: &str) -> String {
    match insn.split_once(" = 0x") {
        Some((load, _)) if insn.starts_with("(18)") => load.to_owned(),
        _ => insn.to_owned(),
    }
}

/// `from 18 to 23: R0=...`, or `safe`.
fn branch(line: &str) -> Option<Entry> {
    let (from, rest) = line.strip_prefix("from ")?.split_once(" to ")?;
    let (to, _) = rest.split_once(':')?;
    Some(Entry::Branch {
        from: from.parse().ok()?,
        to: to.parse().ok()?,
    })
}

/// The registers and slots of a state, spaces in parentheses being part of them.
fn words(state: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in state.split_whitespace() {
        let open = |text: &String| text.matches('(').count() > text.matches(')').count();
        match words.last_mut().filter(|last| open(last)) {
            Some(last) => *last += &format!(" {word}"),
            None => words.push(word.to_owned()),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "0: R1=ctx() R10=fp0\n0: (b7) r2 = 1 ; R2=1\n1: (95) exit\n";

    #[test]
    fn a_state_on_a_line_of_its_own_belongs_to_the_instruction_before() {
        let kernels =
            "0: (b7) r2 = 1\nmark_precise: frame0\n1: R2=1\n1: (95) exit\nprocessed 2 insns";
        let compared = compared(OURS, kernels);
        assert!(compared.differs.is_none(), "{compared:?}");
        assert_eq!(compared.alike, 1);
    }

    #[test]
    fn another_number_and_another_end_are_differences() {
        let other = compared(OURS, "0: (b7) r2 = 1 ; R2=2\n1: (95) exit");
        assert!(other.differs.is_some_and(|differs| differs.is_state()));
        let shorter = compared(OURS, "0: (b7) r2 = 1 ; R2=1");
        assert!(shorter.differs.is_some_and(|differs| !differs.is_state()));
    }
}
