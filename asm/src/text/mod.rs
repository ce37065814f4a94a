//! The text syntax, as the kernel, LLVM and bpftool print it: one line an instruction.
//!
//! ```text
//! ; drops everything that is not IPv4
//! .license GPL
//! .map seen array key_size=4 value_size=8 max_entries=1
//! .prog xdp only_ipv4
//!     r2 = *(u32 *)(r1 + 4)
//!     r1 = *(u32 *)(r1 + 0)
//!     r3 = r1
//!     r3 += 14
//!     if r3 > r2 goto drop
//!     r3 = *(u16 *)(r1 + 12)
//!     r0 = 2
//!     if r3 == 8 goto out
//! drop:
//!     r0 = 1
//! out:
//!     exit
//! ```
//!
//! A comment begins with `;`. `.prog` takes an ELF section's name or a program type and the
//! program's name, `.map` a name, a type and the numbers of its definition under their UAPI
//! names, `.func` begins a function that `call` can name. `r1 = seen ll` loads a map,
//! `r1 = seen[0] + 4 ll` the address of byte 4 of its first value.
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
//! | `{f}` | a function of the program, or its distance | `parse` `pc+3` |

mod parse;
mod places;
mod print;
mod spelling;
mod template;
mod token;

pub use parse::{ParseError, parse};
pub use places::{NamedInsn, Place, Places};
pub use print::{
    Names, Numbers, Remarks, print_insn, print_object, print_object_with, print_program,
};
