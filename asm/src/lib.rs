//! eBPF instruction set, assembler, object model, BTF and ELF, and the lowering of the DSL.
//!
//! The modules in the order in which they are best read:
//!
//! - [`isa`] (the table), [`eval`] (what operations do to numbers), [`insn`] (one instruction and
//!   its bytes), [`target`] (whom instructions are for);
//! - the kernel's names and numbers: [`prog_type`], [`map_type`], [`map_flags`],
//!   [`load_flags`], [`helper`], [`section`];
//! - [`span`] and [`lines`] (where instructions come from), [`assembler`] (labels),
//!   [`program`] (one program), [`blocks`] (its basic blocks);
//! - [`btf`] (types), [`object`] (the model, and ELF), [`near`] (names that were meant), [`text`],
//!   [`verifier_log`] (what the kernel says);
//! - [`lower`], [`compile()`] (from the DSL).
#![forbid(unsafe_code)]

pub mod assembler;
pub mod blocks;
pub mod btf;
pub mod compile;
pub mod eval;
pub mod helper;
pub mod insn;
pub mod isa;
pub mod lines;
pub mod load_flags;
pub mod lower;
pub mod map_flags;
pub mod map_type;
pub mod near;
pub mod object;
pub mod prog_type;
pub mod program;
pub mod section;
pub mod span;
pub mod target;
pub mod text;
pub mod verifier_log;

pub use compile::{CompileError, compile, compile_for};
pub use ebpf_dsl as dsl;

#[cfg(test)]
mod tests {
    /// The reading order leaves no module out, and neither does the code map.
    #[test]
    fn every_module_has_its_place() {
        let this = include_str!("lib.rs");
        let map = include_str!("../../ARCHITECTURE.md");
        let begin = map.find("### `asm/src`").unwrap();
        let map = map[begin..].split("\n### Invariants").next().unwrap();
        let (header, code) = this.split_once("#![forbid").unwrap();
        let modules = code
            .lines()
            .filter_map(|line| line.strip_prefix("pub mod "));
        let modules: Vec<&str> = modules.map(|name| name.trim_end_matches(';')).collect();
        assert!(modules.len() > 10, "{modules:?}");
        for name in modules {
            let links = [format!("[`{name}`]"), format!("[`{name}()`]")];
            assert!(links.iter().any(|link| header.contains(link)), "{name}");
            let paths = [format!("`{name}.rs`"), format!("`{name}/`")];
            assert!(paths.iter().any(|path| map.contains(path)), "{name}");
        }
    }
}
