//! The text syntax, as the kernel, LLVM and bpftool print it: one line an instruction.
//!
//! A row of the table spells itself with these placeholders:
//!
//! | placeholder | stands for | example |
//! |---|---|---|
//! | `{d}` `{wd}` | `dst_reg`, all of it or its low 32 bits | `r1` `w1` |
//! | `{s}` `{ws}` | `src_reg`, likewise | `r2` `w2` |
//! | `{i}` `{ni}` | `imm`, `next_imm` | `-1` |
//! | `{i64}` | the 64-bit immediate | `0x123456789` |
//! | `{n}` | `offset` as a plain number | `0` |
//! | `{o}` | `offset` behind a register | `+ 4` `- 8` |
//! | `{pi}` | `imm` behind a register | `+ 14` |
//! | `{j}` `{ji}` | a distance in `offset`, in `imm`, or a label | `+5` `out` |
//! | `{h}` | a helper's name, or its id | `bpf_map_lookup_elem` |

pub(crate) mod template;

mod parse;
mod print;

pub use print::{Names, Numbers, print_insn, print_program};
