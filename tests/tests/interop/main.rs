//! Objects of other toolchains read, written and loaded by ours, and ours by theirs.
//!
//! `theirs.rs` compiles every source of `tests/c/corpus/` in many ways by two clangs, and holds
//! against libbpf and the kernel what we read, what we write again and what we load;
//! `known.rs` lists where that is known to fail, and why. `ours.rs` has libbpf, bpftool, ip and
//! tc load what we build. `legacy.rs` is about objects that none of them takes any more,
//! `shared.rs` about maps that loaders share, `structs.rs` about structs of functions and `arena.rs` about
//! variables in arenas, which only a newer libbpf knows. `witness.rs` is how libbpf is asked, `model.rs` and `loaded.rs` are
//! how ours is.
//!
//! `EBPF_INTEROP=all` tries every way of compiling instead of a few; each source prints what
//! came of it.
#![forbid(unsafe_code)]

mod arena;
mod known;
mod legacy;
mod loaded;
mod model;
mod ours;
mod shared;
mod structs;
mod theirs;
mod witness;

use std::process::ExitCode;

use ebpf_tests::policy;

fn main() -> ExitCode {
    policy::main(|| {
        let modules = [
            ours::trials(),
            theirs::trials(),
            legacy::trials(),
            shared::trials(),
            structs::trials(),
            arena::trials(),
        ];
        modules.into_iter().flatten().collect()
    })
}
