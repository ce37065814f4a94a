//! The types of relocations in BPF's ELF files.
//!
//! Source: the kernel's `Documentation/bpf/llvm_reloc.rst`.

/// `R_BPF_NONE`: nothing; before LLVM 13 also what `R_BPF_64_NODYLD32` is since.
pub(super) const R_BPF_NONE: u32 = 0;
/// `R_BPF_64_64`: the address of a symbol in a 16-byte instruction; before LLVM 13 also in
/// data.
pub(super) const R_BPF_64_64: u32 = 1;
/// `R_BPF_64_ABS64`: the address of a symbol in data.
pub(super) const R_BPF_64_ABS64: u32 = 2;
/// `R_BPF_64_ABS32`: the same in 32 bits.
pub(super) const R_BPF_64_ABS32: u32 = 3;
/// `R_BPF_64_NODYLD32`: the same, for `.BTF` and `.BTF.ext`.
pub(super) const R_BPF_64_NODYLD32: u32 = 4;
/// `R_BPF_64_32`: the distance to a function in a call; before LLVM 13 also an address of
/// 32 bits in data.
pub(super) const R_BPF_64_32: u32 = 10;
