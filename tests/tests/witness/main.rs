//! Tools that are not ours, as witnesses: what we write they read, and what they write we do.
//!
//! `btf.rs` is about types: the kernel's own, and those that clang makes; `core.rs` about what
//! CO-RE makes of them.
//! `bpftool.rs` and `libbpf.rs` load our objects and show what is in them, `llvm.rs` reads
//! them as ELF and disassembles them; `listings.rs` has every row of the table printed by others;
//! `cpu.rs` compares what each -mcpu emits with the table;
//! `graphviz.rs` draws their blocks; `twins.rs` has clang build the same programs from C.
#![forbid(unsafe_code)]

mod bpftool;
mod btf;
mod core;
mod cpu;
mod graphviz;
mod libbpf;
mod listings;
mod llvm;
mod objects;
mod twins;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ebpf_asm::object::{self, Object};
use ebpf_tests::subjects::{self, Subject};
use ebpf_tests::{Outcome, policy};

/// A subject, and the name of the files with its source.
type Named = (&'static str, fn() -> Outcome<Subject>);

/// The program files that have a twin in C.
const SUBJECTS: [Named; 2] = [
    ("drop_icmp", subjects::drop_icmp),
    ("count_protocols", subjects::count_protocols),
];

fn main() -> ExitCode {
    policy::main(|| {
        let modules = [
            bpftool::trials(),
            cpu::trials(),
            graphviz::trials(),
            btf::trials(),
            core::trials(),
            libbpf::trials(),
            listings::trials(),
            llvm::trials(),
            objects::trials(),
            twins::trials(),
        ];
        modules.into_iter().flatten().collect()
    })
}

/// Writes an object into a folder, as `ebpfasm build` does.
fn save(object: &Object, folder: &Path) -> Outcome<PathBuf> {
    let path = folder.join("object.o");
    std::fs::write(&path, object::write(object)?)?;
    Ok(path)
}
