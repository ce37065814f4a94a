//! CO-RE: what the instructions of an object ask of the kernel's types is answered, and
//! written into them.
//!
//! Read before: `../btf/core/mod.rs`.

use super::Object;
use crate::btf::Btf;
use crate::btf::core::{CoreError, CoreRelocation, PatchError, Patched, Resolved, Resolver, patch};
use crate::program::Program;

/// What was asked, and answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoreAnswer {
    /// The name of the program.
    pub program: String,
    /// The slot of the instruction.
    pub slot: usize,
    /// What it asked.
    pub relocation: CoreRelocation,
    /// What the kernel's types say.
    pub resolved: Resolved,
    /// What became of the instruction.
    pub fate: Fate,
}

/// What becomes of an instruction that asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It holds the answer.
    Patched,
    /// It asked for what the kernel does not have, and may never be reached.
    Poisoned,
}

/// Why an object cannot be made for a kernel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RelocateError {
    /// Nothing to ask with.
    #[error("program '{program}' has CO-RE relocations, and the object has no BTF")]
    NoBtf {
        /// The program.
        program: String,
    },
    /// No instruction begins at the slot.
    #[error("program '{program}', slot {slot}: no instruction for a CO-RE relocation begins there")]
    NoInsn {
        /// The program.
        program: String,
        /// The slot.
        slot: usize,
    },
    /// There is no answer.
    #[error("program '{program}', slot {slot}: {error}")]
    Resolve {
        /// The program.
        program: String,
        /// The slot.
        slot: usize,
        /// Why.
        error: CoreError,
    },
    /// The answer cannot be written.
    #[error("program '{program}', slot {slot}: {error}")]
    Patch {
        /// The program.
        program: String,
        /// The slot.
        slot: usize,
        /// Why.
        error: PatchError,
    },
}

impl Object {
    /// Answers all CO-RE relocations from the types of a kernel, and writes the answers into
    /// the instructions: the object is then for kernels with these types. Of its relocations only
    /// those are kept that ask for what the kernel does not have: they say what the poisoned
    /// instructions ([`Fate::Poisoned`]) asked for.
    ///
    /// # Errors
    /// If a relocation makes no sense, or its answer is ambiguous or cannot be written. The
    /// object is then as it was.
    pub fn relocate_core(&mut self, target: &Btf) -> Result<Vec<CoreAnswer>, RelocateError> {
        let asking = |program: &&Program| !program.core_relocations.is_empty();
        let Some(first) = self.programs.iter().find(asking) else {
            return Ok(Vec::new());
        };
        let Some(local) = &self.btf else {
            return Err(RelocateError::NoBtf {
                program: first.name.clone(),
            });
        };
        let mut resolver = Resolver::new(local, target);
        let mut answers = Vec::new();
        let mut programs = self.programs.clone();
        for program in &mut programs {
            relocate(program, &mut resolver, &mut answers)?;
        }
        self.programs = programs;
        Ok(answers)
    }
}

fn relocate(
    program: &mut Program,
    resolver: &mut Resolver<'_>,
    answers: &mut Vec<CoreAnswer>,
) -> Result<(), RelocateError> {
    let mut relocations = std::mem::take(&mut program.core_relocations)
        .into_iter()
        .peekable();
    let mut insns = Vec::with_capacity(program.insns.len());
    let mut unanswered = Vec::new();
    let mut slot = 0;
    for insn in &program.insns {
        let slots = insn.slots();
        let mut made = Some(*insn);
        while let Some((_, relocation)) = relocations.next_if(|(at, _)| *at == slot) {
            let name = || program.name.clone();
            let resolved = resolver.resolve(&relocation);
            let resolved = resolved.map_err(|error| RelocateError::Resolve {
                program: name(),
                slot,
                error,
            })?;
            let patched = patch(made.as_ref().unwrap_or(insn), &resolved);
            let patched = patched.map_err(|error| RelocateError::Patch {
                program: name(),
                slot,
                error,
            })?;
            let fate = match patched {
                Patched::Insn(insn) => {
                    made = Some(insn);
                    Fate::Patched
                }
                Patched::Poison(call) => {
                    insns.extend(std::iter::repeat_n(call, slots));
                    made = None;
                    unanswered.push((slot, relocation.clone()));
                    Fate::Poisoned
                }
            };
            answers.push(CoreAnswer {
                program: name(),
                slot,
                relocation,
                resolved,
                fate,
            });
            if made.is_none() {
                break;
            }
        }
        insns.extend(made);
        slot += slots;
    }
    if let Some((slot, _)) = relocations.next() {
        return Err(RelocateError::NoInsn {
            program: program.name.clone(),
            slot,
        });
    }
    program.insns = insns;
    program.core_relocations = unanswered;
    Ok(())
}
