//! eBPF instruction set, assembler, object model, BTF and ELF, and the lowering of the DSL.
//!
//! The modules in the order in which they are best read:
//! [`isa`] (the table), [`insn`] (one instruction and its bytes), [`assembler`] (labels),
//! [`program`] and [`object`] (the model), [`text`], [`btf`], [`compile()`] (from the DSL).
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
pub mod lower;
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
