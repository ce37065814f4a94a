//! Lowering: from a recorded program to instructions.
//!
//! `build/` makes basic blocks of the recording; passes improve them, one file each:
//!
//! | pass | what it does |
//! |---|---|
//! | `context.rs` | reads each field of the context once |
//! | `fold.rs` | computes what is constant, follows copies, drops needless masks |
//! | `thread.rs` | sends jumps straight to where they end up |
//! | `bounds.rs` | merges bounds checks |
//! | `dead.rs` | drops what nobody reads |
//! | `rebase.rs` | lets a checked pointer stand at the end of what was checked |
//! | `hoist.rs` | sets the commonest result once |
//!
//! Then `legal.rs` does without what the target does not have, `expand.rs` makes the machine's two-address form, `alloc/` assigns registers,
//! `tails.rs` merges equal blocks, `layout.rs` puts blocks in order and `emit.rs` hands them
//! to the assembler.

mod alloc;
mod bits;
mod bounds;
mod build;
mod cfg;
mod context;
mod dead;
mod emit;
mod expand;
mod fold;
mod hoist;
mod layout;
mod legal;
mod live;
mod print;
mod rebase;
mod tails;
#[cfg(test)]
mod tests;
mod thread;
mod types;

use self::cfg::Cfg;
use crate::assembler::AssembleError;
use crate::btf::{Btf, TypeId};
use crate::program::Program;
use crate::span::Span;
use crate::target::Target;
use ebpf_dsl::recording;

/// Bytes of the stack that a program has (`MAX_BPF_STACK`).
const MAX_STACK: u32 = 512;

/// Why a recorded program becomes no instructions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LowerError {
    /// The recording contradicts itself in a way that its own check does not see.
    #[error("the recording is malformed")]
    Malformed,
    /// Locals and spilled values do not fit the stack.
    #[error("the program needs {bytes} bytes of stack, and has {MAX_STACK}")]
    Stack {
        /// What it needs, in bytes.
        bytes: u32,
    },
    /// Registers could not be assigned.
    #[error("registers could not be assigned")]
    Registers,
    /// The assembler refused.
    #[error("{}", located(.0))]
    Assemble(#[from] AssembleError),
}

/// The error behind its `file:line: `, if that is known.
fn located(error: &AssembleError) -> String {
    match error.span() {
        Some(span) => format!("{}:{}: {error}", span.file, span.line),
        None => error.to_string(),
    }
}

/// The types of the kernel that a program asks about.
#[derive(Clone, Copy)]
pub(crate) struct Kernel<'a> {
    /// The object's BTF, which declares them.
    pub(crate) btf: &'a Btf,
    /// Their numbers there, in the order of the program's own.
    pub(crate) types: &'a [TypeId],
}

/// Lowers one program of a checked unit for a target; what the target has no way to do stays as
/// it is. `spans` are the places of its locations.
pub(crate) fn lower(
    program: &recording::Program,
    spans: &[Span<&str>],
    kernel: Kernel<'_>,
    target: Target,
) -> Result<Program, LowerError> {
    let mut cfg = build::build(program, kernel)?;
    cfg.target = target;
    optimise(&mut cfg);
    let plain = machine(cfg.clone())?;
    let best = match hoist::returns(&mut cfg) {
        // It pays mostly, not always: the shorter program counts.
        hoist::Hoisted::Yes => {
            let hoisted = machine(cfg)?;
            if emit::length(&hoisted) < emit::length(&plain) {
                hoisted
            } else {
                plain
            }
        }
        hoist::Hoisted::No => plain,
    };
    emit::emit(&best, &program.name, &program.kind.section(), spans)
}

/// The passes that know nothing of the machine's registers.
fn optimise(cfg: &mut Cfg) {
    context::share_loads(cfg);
    for _ in 0..2 {
        fold::fold(cfg);
        thread::thread(cfg);
        bounds::merge(cfg);
        dead::remove(cfg);
    }
    fold::fold(cfg);
    thread::thread(cfg);
    dead::remove(cfg);
    rebase::rebase(cfg);
}

/// The machine's registers, and blocks in the form that `emit.rs` takes.
fn machine(mut cfg: Cfg) -> Result<Cfg, LowerError> {
    legal::legalise(&mut cfg);
    expand::expand(&mut cfg);
    dead::remove(&mut cfg);
    alloc::allocate(&mut cfg)?;
    if cfg.frame > MAX_STACK {
        return Err(LowerError::Stack { bytes: cfg.frame });
    }
    thread::thread(&mut cfg);
    tails::merge(&mut cfg);
    thread::thread(&mut cfg);
    Ok(cfg)
}
