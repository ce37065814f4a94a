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
//! A comment begins with `;`. What an object is besides instructions directives say. Names with
//! spaces or signs in them stand in quotes, in directives and in instructions: `call "a b"`,
//! `r1 = "if" ll`. There `\n`, `\t`, `\0`, `\"`, `\\` and `\xff` are one byte each; a name in quotes
//! is always the object's own, whatever helper or word of the syntax is spelled like it.
//!
//! | directive | says |
//! |---|---|
//! | `.license NAME` | the license |
//! | `.version 5.10.0` | the one kernel that old kernels load the object on |
//! | `.map NAME TYPE key_size=4 ...` | a map; the numbers of its definition have their UAPI names: `key_size`, `value_size`, `max_entries`, `map_flags` (a number, or names like `no_prealloc\|mmapable`), `map_extra`, `numa_node`; `pinning=by_name`; of type `struct_ops` `autocreate=on_request`, as sections `?.struct_ops` say it |
//! | `.inner TYPE key_size=4 ...` | what every map in the map of maps above is like |
//! | `.value INDEX NAME` | a program or map that the map above holds from the start; of a map of type `struct_ops` the function at a byte of its struct |
//! | `.bytes OFFSET "BYTES"` | what of the struct of the `struct_ops` map above are neither zeros nor functions |
//! | `.data SECTION size=8` | a section of global variables: `.data`, `.rodata`, `.bss`, `.kconfig` |
//! | `.data .addr_space.1 size=8` | the global variables in the arena above |
//! | `.var NAME offset=0 u32 42` | a variable of the section above: `u8` to `u64` with numbers, a string with its bytes (`"eth0\x00"`), or `size=64` for zeros; without `offset` behind the one above. `-` for a name has bytes that belong to no variable; `weak` if the kernel need not have the option |
//! | `.address 8 data .rodata 4` | whose address should stand at a byte of the section above: of a byte of a section (`data`), a `map NAME`, a `func NAME`, an `extern NAME` |
//! | `.extern func NAME weak` | a kfunc, or with `var` a variable of the kernel; `weak` if it may be missing |
//! | `.prog SECTION NAME` | a program; a program type stands for its section. `type=` and `attach_type=` (or `none`) say what the section does not, `attach_btf_id=` the type of the kernel's that it attaches to |
//! | `.func NAME global` | a function that `call NAME` calls; static without `global` |
//! | `.line "FILE" LINE COLUMN "TEXT"` | where the instructions below come from, if not from this text; `.line none` if that is not known |
//! | `.core_relo FIELD_BYTE_OFFSET type_id=3 access=0:1` | what the instruction below asks of the kernel's types: the kinds have their UAPI names, the path is that of a CO-RE relocation |
//! | `.btf` | the object's types, one a line below it and one for each of its parts, as `ebpfasm btf --format raw` and `bpftool btf dump file X format raw` print them |
//!
//! `r1 = NAME ll` loads a map, or the address of a variable or extern; `r1 = seen[0] + 4 ll`
//! the address of byte 4 of a map's first value.
//!
//! Types have the numbers that stand in brackets before them:
//!
//! ```text
//! .map seen hash key_size=4 value_size=8 max_entries=16 key_type_id=1 value_type_id=3
//! .prog xdp count type_id=5
//!     r0 = 2
//!     exit
//! .btf
//! [1] INT 'int' size=4 encoding=SIGNED
//! [2] INT 'long long' size=8 encoding=SIGNED
//! [3] STRUCT 'counter' size=8
//!         'packets' type_id=2 bits_offset=0
//! [4] FUNC_PROTO '(anon)' ret_type_id=1
//! [5] FUNC 'count' type_id=4 linkage=global
//! ```
//!
//! `key_type_id=` and `value_type_id=` of maps and sections, `type_id=` of programs and functions
//! (a FUNC), of variables (a VAR) and of externs. The header of `types.rs` says which parts of a
//! type may be left out.
//!
//! An object of which all is printed ([`Options::WHOLE`]) and that is parsed is the same object.
//! People mostly want to see less: [`Options::CODE`] leaves types, relocations and source lines
//! out.
//!
//! What `llvm-objdump -d`, `bpftool prog dump xlated` and the verifier's log print is read as
//! it stands: `listing.rs` says how such lines are known, `synonyms.rs` how they spell
//! instructions. Not to be had from them is what they do not print: the second number of
//! 16-byte instructions other than plain numbers (LLVM prints the bytes, which are read; a
//! verifier prints addresses), and the module of a kfunc. LLVM 14 prints some instructions
//! that are newer than it as older ones: its bytes say so, and the line is refused.
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
//! | `{ri}` | the register that `imm` numbers | `r1` |
//! | `{j}` `{ji}` | a distance in `offset`, in `imm`, or a label | `+5` `out` |
//! | `{h}` | a helper's name, or its id | `bpf_map_lookup_elem` |
//! | `{f}` | a function of the program, or its distance | `parse` `pc+3` |
//!
//! and spellings of others have these besides:
//!
//! | placeholder | stands for | example |
//! |---|---|---|
//! | `{x}` | the 32 bits of `imm`, however signed | `0xfffffffe` |
//! | `{h#}` | a helper's name and its id | `bpf_map_lookup_elem#1` |
//! | `{symbol}` | something of the object by its name | `counters` |
//! | `{remark}` | a name or number that says nothing more | `bpf_prog_6deef7357e7b4530` |

mod addresses;
mod data;
mod directive;
mod fields;
mod labels;
mod listing;
mod misses;
mod object;
mod origins;
mod parse;
mod places;
mod print;
mod sign;
mod slips;
mod spelling;
mod synonyms;
mod template;
mod token;
mod types;
mod vocabulary;
mod words;

#[cfg(test)]
mod tests;

pub(crate) use listing::{live_registers_off, opcode_before};
pub use object::{Extent, Options, Remarks, print_object, print_program};
pub use parse::{MOST_ERRORS, ParseError, errors, parse};
pub use places::{NamedInsn, Place, Places};
pub use print::{Names, Numbers, Referred, print_insn};
