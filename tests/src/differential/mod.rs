//! The differential machine: programs made by chance, judged by the simulator and by the
//! kernel, and what they disagree on made small.
//!
//! Both are asked through `ebpfasm check --batch --kernel-too`, as anybody's fuzzer would.
//!
//! | file | concept |
//! |---|---|
//! | `chance.rs` | numbers that are the same every time |
//! | `generate/` | programs, construct by construct, with types and bounds in mind |
//! | `row.rs` | a program as a row of a batch |
//! | `reach.rs` | where slots of a row lead |
//! | `mutate.rs` | programs with one thing changed |
//! | `compiled.rs` | programs that clang built, to be changed |
//! | `judge.rs` | the batch that is asked |
//! | `logs.rs` | what both knew at every instruction, compared |
//! | `witness.rs` | what is accepted, run in the interpreter |
//! | `matrix.rs` | how often both agreed, by program type and by construct |
//! | `shrink.rs` | the smallest program that is still disagreed on |
//! | `campaign.rs` | a run: so many programs of a seed |

pub mod campaign;
mod chance;
pub mod compiled;
pub mod generate;
pub mod judge;
pub mod logs;
pub mod matrix;
pub mod mutate;
mod reach;
pub mod row;
pub mod shrink;
pub mod witness;

pub use chance::Chance;
