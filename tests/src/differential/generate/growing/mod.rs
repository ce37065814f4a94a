//! Programs that grow: each is an accepted one with an instruction or a few put in, and the
//! accepted ones among them grow on.
//!
//! What the simulator accepts grows on, unless the kernel, which is asked of all, treats it
//! otherwise. Chance alone makes few programs of ten instructions that any verifier
//! accepts; of what was accepted a good part is accepted with one instruction more, so that
//! programs come about which no hand that knows what it does would write.
//!
//! The distribution, all of it by the seed, the program's number, and what both said of those before
//! it:
//!
//! - A lineage is [`ROUNDS`] programs, one after the other; numbers go through lineages.
//! - What it begins with, by the weights of `SCENES` (`scene.rs`): registers with pointers and
//!   numbers, with numbers alone, a program of the constructs of `../mod.rs`, or one of loops;
//!   with flags of the load in half of the first two. It is drawn again until one is accepted, and
//!   once more when so much has grown that `MOST_SLOTS` or `MOST_PROCESSED` is passed.
//! - Then each program is the last accepted one of the lineage with one sprout in two of three,
//!   with two otherwise, by the weights of `SPROUTS` (`sprouts.rs`): two of three at the end of a
//!   function, the others anywhere in it; one of four in a function that is drawn from all, the
//!   others in the first.
//!
//! Read before: `../loops.rs`. Read in the order `graft.rs`, `scene.rs`, `grower.rs`, `numbers.rs`,
//! `memory.rs`, `calls.rs`, `around.rs`, `sprouts.rs`.

mod around;
mod calls;
mod graft;
mod grower;
mod memory;
mod numbers;
mod scene;
mod sprouts;

use super::Generated;
use crate::differential::Chance;
use crate::differential::judge::Answer;

pub use sprouts::NAMES;

/// The programs of a lineage.
pub const ROUNDS: u64 = 64;

/// What has more slots does not grow on.
const MOST_SLOTS: usize = 400;

/// Nor what both verifiers would follow for long.
const MOST_PROCESSED: u64 = 1500;

/// A line of programs of which each has grown from an accepted one before it.
#[derive(Debug, Clone)]
pub struct Lineage {
    chance: Chance,
    /// The last that was accepted.
    parent: Option<Generated>,
}

impl Lineage {
    /// The lineage of a seed and a number.
    #[must_use]
    pub fn new(seed: u64, number: u64) -> Lineage {
        let mut chance = Chance::new(seed ^ number.wrapping_mul(0xd134_2543_de82_ef95));
        for _ in 0..8 {
            chance.number();
        }
        Lineage {
            chance,
            parent: None,
        }
    }

    /// The next program.
    pub fn child(&mut self) -> Generated {
        loop {
            let made = match &self.parent {
                Some(parent) => sprouts::sprouted(parent, &mut self.chance),
                None => scene::begin(&mut self.chance),
            };
            if let Some(made) = made {
                return made;
            }
        }
    }

    /// Takes a program that [`child`](Lineage::child) gave, if it is accepted. What both do not
    /// treat alike would be seen again in all that grows from it.
    pub fn judged(&mut self, made: Generated, answer: &Answer) {
        if !answer.is_accepted_alike() {
            return;
        }
        let large = made.row.slots.len() > MOST_SLOTS || answer.ours.processed > MOST_PROCESSED;
        self.parent = (!large).then_some(made);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_program() {
        let line = |number| Lineage::new(1, number).child().row.line(0);
        assert_eq!(line(3), line(3));
        assert_ne!(line(3), line(4));
    }
}
