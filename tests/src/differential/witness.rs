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
    /// A run was stopped before its end, without a fault: by this.
    Stopped(String),
    /// The program has something that the interpreter does not know.
    NotKnown(String),
    /// A run met a fault.
    Fault(String),
}

/// Runs a program.
#[must_use]
pub fn runs(row: &Row, seed: u64) -> Seen {
    let object = match row.whole() {
        Ok(object) => object,
        Err(error) => return Seen::NotKnown(error.to_string()),
    };
    let mut machine = match Machine::new(&object) {
        Ok(machine) => machine,
        Err(error) => return Seen::NotKnown(error.to_string()),
    };
    machine.set_budget(BUDGET);
    let mut seen = Seen::Ended;
    let mut chance = Chance::new(seed);
    for _ in 0..RUNS {
        machine.set_seed(chance.number());
        let length = chance.pick(&LENGTHS);
        let bytes: Vec<u8> = (0..length).map(|_| chance.corner() as u8).collect();
        let packet = Packet::new(&bytes).mark(chance.corner() as u32);
        match machine.run(&row.program.name, packet) {
            Ok(_) => {}
            Err(RunError::Fault(fault)) => match fault.kind {
                FaultKind::NotModelled(what) => return Seen::NotKnown(what),
                // Who may see pointers may read the stack where nothing was written, too.
                FaultKind::BudgetUsedUp(_) | FaultKind::UninitialisedStack { .. } => {
                    seen = Seen::Stopped(fault.kind.to_string());
                }
                fault => return Seen::Fault(fault.to_string()),
            },
            Err(error) => return Seen::NotKnown(error.to_string()),
        }
    }
    seen
}
