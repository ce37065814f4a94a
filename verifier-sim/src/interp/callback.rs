//! Functions of the program that a helper calls, round by round: `loop` and
//! `for_each_map_elem`.
//!
//! Each round is a call like any other, and runs in the same budget; a callback that returns
//! something else than 0 ends the rounds.
//!
//! Source: bpf-helpers(7). Read before: `execution.rs`. Read next: `helpers/rounds.rs`.

use super::address;
use super::execution::{Execution, Next};
use super::fault::FaultKind;
use ebpf_asm::insn::Reg;

/// Calls under way of one function.
#[derive(Debug, Clone)]
pub(super) struct Callback {
    /// The function's first slot.
    pub(super) target: i64,
    /// What the program hands on.
    pub(super) handed_on: u64,
    pub(super) rounds: Rounds,
    /// How many were begun.
    pub(super) begun: u32,
}

/// What each round is given.
#[derive(Debug, Clone)]
pub(super) enum Rounds {
    /// Its number, of so many.
    Numbers(u32),
    /// An element of a map: those of these keys that are there when their turn comes, the next
    /// last.
    Elements { map: usize, keys: Vec<Vec<u8>> },
}

impl Execution<'_> {
    /// The next round, or, when all are done, the number of them in R0.
    pub(super) fn next_round(&mut self, mut callback: Callback) -> Result<Next, FaultKind> {
        let handed_on = callback.handed_on;
        let arguments = match &mut callback.rounds {
            Rounds::Numbers(count) if callback.begun >= *count => None,
            Rounds::Numbers(_) => Some((
                vec![(Reg::R1, u64::from(callback.begun)), (Reg::R2, handed_on)],
                Vec::new(),
            )),
            Rounds::Elements { map, keys } => {
                let (map, frame) = (*map, self.memory.stacks.len());
                self.next_element(map, keys).map(|(key, value)| {
                    let registers = vec![
                        (Reg::R1, address::map(map)),
                        (Reg::R2, address::key(frame)),
                        (Reg::R3, value),
                        (Reg::R4, handed_on),
                    ];
                    (registers, key)
                })
            }
        };
        let Some((registers, key)) = arguments else {
            return self.rounds_done(callback.begun);
        };
        for (reg, value) in registers {
            self.registers.write(reg, value)?;
        }
        callback.begun += 1;
        let target = callback.target;
        self.enter(key, Some(callback))?;
        Ok(Next::Goes(target))
    }

    /// What comes after a round that left R0.
    pub(super) fn round_ended(&mut self, callback: Callback) -> Result<Next, FaultKind> {
        match self.registers.read(Reg::R0)? {
            0 => self.next_round(callback),
            _ => self.rounds_done(callback.begun),
        }
    }

    /// Behind the call of the helper.
    fn rounds_done(&mut self, begun: u32) -> Result<Next, FaultKind> {
        self.registers.helper_returned(Some(u64::from(begun)));
        Ok(Next::Goes(self.slot as i64 + 1))
    }

    /// The key and the address of the value of the next element that is there.
    fn next_element(&self, map: usize, keys: &mut Vec<Vec<u8>>) -> Option<(Vec<u8>, u64)> {
        let of = self.memory.maps.get(map)?;
        loop {
            let key = keys.pop()?;
            if let Some(value) = of.peek(&key, self.host.cpu) {
                return Some((key, address::map_value(map, value, of.extent())));
            }
        }
    }
}
