//! The second witness: a program that is accepted runs in the checked interpreter, on packets
//! made by chance, without a fault.
//!
//! Read before: `row.rs`. Read next: `compiled.rs`.

use ebpf_verifier_sim::interp::{FaultKind, Machine, Packet, RunError};

use super::Chance;
use super::row::Row;

/// How often each program runs.
const RUNS: u64 = 3;

/// Instructions of a run; what is verified ends, and the interpreter need not wait for it.
const BUDGET: u64 = 1 << 16;

/// The lengths of packets.
const LENGTHS: [usize; 6] = [14, 15, 34, 60, 100, 300];

/// What the interpreter saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// All runs ended.
    Ended,
    /// The program has something that the interpreter does not know.
    NotKnown,
    /// A run met a fault.
    Fault(String),
}

/// Runs a program.
#[must_use]
pub fn runs(row: &Row, seed: u64) -> Seen {
    let Ok(object) = row.whole() else {
        return Seen::NotKnown;
    };
    let Ok(mut machine) = Machine::new(&object) else {
        return Seen::NotKnown;
    };
    machine.set_budget(BUDGET);
    let mut chance = Chance::new(seed);
    for _ in 0..RUNS {
        machine.set_seed(chance.number());
        let length = chance.pick(&LENGTHS);
        let bytes: Vec<u8> = (0..length).map(|_| chance.corner() as u8).collect();
        let packet = Packet::new(&bytes).mark(chance.corner() as u32);
        match machine.run(&row.program.name, packet) {
            Ok(_) => {}
            Err(RunError::Fault(fault)) if !is_known(&fault.kind) => {}
            Err(RunError::Fault(fault)) => return Seen::Fault(fault.kind.to_string()),
            Err(_) => return Seen::NotKnown,
        }
    }
    Seen::Ended
}

/// Whether a fault is one that no verified program meets. Who may see pointers may read the
/// stack where nothing was written, too.
fn is_known(kind: &FaultKind) -> bool {
    !matches!(
        kind,
        FaultKind::NotModelled(_)
            | FaultKind::BudgetUsedUp(_)
            | FaultKind::UninitialisedStack { .. }
    )
}
