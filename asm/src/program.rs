//! A program: instructions, what they refer to by name, and where they come from.
//!
//! Distances of jumps are numbers here (labels live in the assembler), maps are indexes
//! into the object's maps: nothing is bound to a kernel yet.
//!
//! Places in a program are slots of 8 bytes, as in the kernel's logs: a 16-byte instruction
//! takes two.

use crate::btf::core::CoreRelocation;
use crate::btf::{Linkage, TypeId};
use crate::insn::Insn;
use crate::lines::Lines;
use crate::prog_type::{AttachType, ProgType};
use crate::section::{attach_target, section};
use crate::span::Span;

/// One program of an object.
#[derive(Debug, Clone, PartialEq)]
pub struct Program {
    /// The name: of the program and of its first function.
    pub name: String,
    /// The ELF section, which names the type: `xdp`, `tc`, `socket`...
    pub section: String,
    /// The type.
    pub prog_type: ProgType,
    /// What the program will be attached to, where the kernel wants to know it at load.
    pub expected_attach_type: Option<AttachType>,
    /// The kernel's type that the program attaches to, where it is known by number
    /// (`attach_btf_id`); else its section names it, and the loader looks it up.
    pub attach_btf_id: Option<TypeId>,
    /// The instructions.
    pub insns: Vec<Insn>,
    /// What instructions refer to, by slot, ascending.
    pub references: Vec<(usize, Reference)>,
    /// The functions, by first slot, ascending; the first is the program itself.
    pub functions: Vec<Function>,
    /// Where the instructions come from.
    pub lines: Lines,
    /// What instructions ask of the kernel's types, by slot, ascending.
    pub core_relocations: Vec<(usize, CoreRelocation)>,
}

/// What an instruction's immediate stands for until the program is loaded. The instruction is
/// the form that the kernel takes (`map_by_fd`, `map_val`, `var_addr`, a kfunc call), its
/// numbers are 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reference {
    /// The map at this index of the object's maps.
    Map(usize),
    /// The address of byte `offset` in the first value of a map.
    MapValue {
        /// The index of the map.
        map: usize,
        /// The byte.
        offset: u32,
    },
    /// The extern at this index of the object's externs: a call of it, or its address.
    Extern(usize),
}

/// A function of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// The first slot.
    pub slot: usize,
    /// The name.
    pub name: String,
    /// Who may call it: the kernel verifies a global function once and on its own, a static
    /// one at each call. The program itself is global.
    pub linkage: Linkage,
    /// The type, a FUNC of the object's BTF.
    pub type_id: Option<TypeId>,
}

impl Program {
    /// `BPF_F_*` flags for the load, by the section: whether the program may sleep, and
    /// whether it takes packets in several buffers.
    pub fn prog_flags(&self) -> u32 {
        section(&self.section).map_or(0, |known| known.prog_flags)
    }

    /// What the program is attached to, if its section says so: `do_exit` of
    /// `kprobe/do_exit`.
    pub fn attach_target(&self) -> Option<&str> {
        attach_target(&self.section)
    }

    /// The instructions with the slot that each begins in.
    pub fn slots(&self) -> impl Iterator<Item = (usize, &Insn)> {
        self.insns.iter().scan(0, |next, insn| {
            let slot = *next;
            *next += insn.slots();
            Some((slot, insn))
        })
    }

    /// The length in slots.
    pub fn slot_count(&self) -> usize {
        self.insns.iter().map(Insn::slots).sum()
    }

    /// The slot that the instruction at `slot` jumps to, calls or takes the address of.
    /// `None` if it does none of these, or the slot lies before the program.
    pub fn target(&self, slot: usize, insn: &Insn) -> Option<usize> {
        let distance = isize::try_from(insn.distance()?).ok()?;
        slot.checked_add(1)?.checked_add_signed(distance)
    }

    /// What the instruction at `slot` refers to.
    pub fn reference(&self, slot: usize) -> Option<Reference> {
        let at = self.references.binary_search_by_key(&slot, |(s, _)| *s);
        at.ok()
            .and_then(|at| self.references.get(at))
            .map(|(_, r)| *r)
    }

    /// The source place of the instruction at `slot`.
    pub fn span(&self, slot: usize) -> Option<Span<&str>> {
        self.lines.at(slot)
    }
}
