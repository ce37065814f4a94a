//! Links the unwinder into `ebpfld`.
//!
//! On GNU systems Rust takes it from the shared `libgcc_s`, which the dynamic loader then has
//! to find, map and relocate each time the command starts: a sixth of the CPU time that
//! `ebpfld attach` takes as a whole. `libgcc_eh` is the same code as an archive and part of
//! every gcc.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var_os("CARGO_CFG_TARGET_ENV").is_some_and(|env| env == "gnu") {
        println!("cargo::rustc-link-lib=gcc_eh");
    }
}
