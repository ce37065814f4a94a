//! eBPF instruction set, assembler, object model, BTF and ELF, and the lowering of the DSL.
#![forbid(unsafe_code)]
