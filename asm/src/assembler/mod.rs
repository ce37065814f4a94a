//! The assembler: instructions one after the other, with explicit registers and labels.
//!
//! Every method that emits records where it was called, so that the program knows its own
//! source lines. Labels are bound to slots by [`Assembler::finish`]: a jump that does not
//! reach with 16 bits is lengthened there, and what cannot be reached is an error, never a
//! truncated distance.
//!
//! ```
//! use ebpf_asm::assembler::Assembler;
//! use ebpf_asm::insn::Reg::*;
//! use ebpf_asm::isa::Size::*;
//!
//! let mut a = Assembler::new("first_byte");
//! let out = a.label();
//! a.mov(R0, 0);
//! a.ldx(W, R2, R1, 76).jeq(R2, 0, out);
//! a.mov(R0, 1);
//! a.bind(out);
//! a.exit();
//! let program = a.finish("socket")?;
//! assert_eq!(program.insns[2].to_string(), "if r2 == 0 goto +1");
//! # Ok::<(), ebpf_asm::assembler::AssembleError>(())
//! ```
//!
//! | file | concept |
//! |---|---|
//! | `instructions.rs`, `operand.rs` | the methods that emit |
//! | `near.rs` | the distances of jumps that are all near |
//! | `code.rs` | the instructions with what their jumps reach |
//! | `relax.rs`, `islands.rs` | far jumps: by `gotol`, and by chains of `goto` |
//! | `layout.rs` | the slots of lines and islands |
//! | `finish.rs`, `error.rs` | the program, or why there is none |
//!
//! Read before: `insn.rs`. Read next: `program.rs`.

mod code;
mod error;
mod finish;
mod instructions;
mod islands;
mod layout;
mod near;
mod operand;
mod relax;
#[cfg(test)]
mod tests;

pub use error::AssembleError;
pub use operand::Source;

use crate::btf::core::CoreRelocation;
use crate::btf::ext::LineInfo;
use crate::insn::Insn;
use crate::isa::Sem;
use crate::lines::Lines;
use crate::program::{Program, Reference};
use crate::span::{Sources, Span};
use std::panic::Location;

/// A place in the program that jumps and calls can name before it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Label(usize);

/// How lines learn where they come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// From the Rust caller of the method that emits.
    Caller,
    /// From [`Assembler::at`].
    Given,
}

/// An instruction that goes to a label.
#[derive(Debug, Clone, Copy)]
struct Target {
    /// The index of the instruction.
    line: usize,
    /// Its slot.
    slot: usize,
    label: Label,
}

/// Builds one program.
#[derive(Debug, Clone)]
pub struct Assembler {
    name: String,
    insns: Vec<Insn>,
    /// The slot behind them. This and all slots here are those that there are if no jump is
    /// lengthened.
    slot: usize,
    /// The instructions that go to labels, ascending.
    targets: Vec<Target>,
    /// What instructions refer to, by slot, ascending.
    references: Vec<(usize, Reference)>,
    /// Where they come from.
    places: Lines,
    /// The slot that each label is bound to.
    labels: Vec<Option<usize>>,
    /// The names of those that have one, for messages.
    names: Vec<(Label, String)>,
    functions: Vec<(Label, String)>,
    /// What instructions ask of the kernel's types, by slot, ascending.
    core: Vec<(usize, CoreRelocation)>,
    target: crate::target::Target,
    sources: Sources,
    place: Place,
    /// The first instruction that the table does not have.
    missing: Option<(usize, Sem)>,
}

impl Assembler {
    /// An empty program of this name.
    pub fn new(name: impl Into<String>) -> Assembler {
        Assembler {
            name: name.into(),
            insns: Vec::new(),
            slot: 0,
            targets: Vec::new(),
            references: Vec::new(),
            places: Lines::new(),
            labels: Vec::new(),
            names: Vec::new(),
            functions: Vec::new(),
            core: Vec::new(),
            target: crate::target::Target::default(),
            sources: Sources::new(),
            place: Place::Caller,
            missing: None,
        }
    }

    /// Gives the texts of the files that lines come from, so that messages can quote them.
    pub fn sources(&mut self, sources: Sources) -> &mut Self {
        self.sources = sources;
        self
    }

    /// Says where the following lines come from, in place of the Rust caller; `None` if they
    /// come from where those before them do.
    pub fn at(&mut self, span: Option<Span<&str>>) -> &mut Self {
        self.place = Place::Given;
        if let Some(span) = span {
            self.places.set(self.slot, span);
        }
        self
    }

    /// The same by a record, whose names the program's lines are to get.
    pub(crate) fn at_record(&mut self, record: LineInfo) {
        self.place = Place::Given;
        self.places.push_record(self.slot, record);
    }

    /// Makes room for so many more instructions, each with a place of its own.
    pub(crate) fn reserve(&mut self, insns: usize) {
        self.insns.reserve(insns);
        self.places.reserve(insns);
    }

    /// How many instructions there are.
    pub(crate) fn len(&self) -> usize {
        self.insns.len()
    }

    /// Says whom the program is for: far jumps are lengthened with `gotol` if the target has that
    /// (as the default has), else with chains of `goto`. What else is emitted is not changed.
    pub fn target(&mut self, target: impl Into<crate::target::Target>) -> &mut Self {
        self.target = target.into();
        self
    }

    /// A new label, to be bound with [`bind`](Assembler::bind).
    pub fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() - 1)
    }

    /// A new label that messages call by `name`.
    pub fn named_label(&mut self, name: impl Into<String>) -> Label {
        let label = self.label();
        self.names.push((label, name.into()));
        label
    }

    /// Binds the label here: before the next instruction. The last binding counts.
    pub fn bind(&mut self, label: Label) -> &mut Self {
        if let Some(bound) = self.labels.get_mut(label.0) {
            *bound = Some(self.slot);
        }
        self
    }

    /// Begins a function here, which [`call_local`](Assembler::call_local) can call by `label`.
    pub fn function(&mut self, label: Label, name: impl Into<String>) -> &mut Self {
        let name = name.into();
        self.names.push((label, name.clone()));
        self.functions.push((label, name));
        self.bind(label)
    }

    /// Says what the next instruction asks of the kernel's types. Until it is loaded it has the
    /// answer of the object's own.
    pub fn core(&mut self, relocation: CoreRelocation) -> &mut Self {
        self.core.push((self.slot, relocation));
        self
    }

    /// The last name of a label, if it has one.
    fn label_name(&self, label: Label) -> Option<String> {
        let named = self.names.iter().rfind(|(named, _)| *named == label);
        named.map(|(_, name)| name.clone())
    }

    /// The slot that a label is bound to.
    fn bound(&self, label: Label) -> Option<usize> {
        self.labels.get(label.0).copied().flatten()
    }

    /// Emits any instruction of the table, numbers as they are.
    #[track_caller]
    #[inline]
    pub fn insn(&mut self, insn: Insn) -> &mut Self {
        self.push(insn)
    }

    /// Emits a jump, call or code address of any row, its distance to be that of `to`.
    #[track_caller]
    pub fn insn_to(&mut self, insn: Insn, to: Label) -> &mut Self {
        self.targets.push(Target {
            line: self.insns.len(),
            slot: self.slot,
            label: to,
        });
        self.push(insn)
    }

    /// Binds all labels, and lengthens the jumps that do not reach.
    ///
    /// # Errors
    /// If the section names no program type, a label was never bound or cannot be reached, or
    /// an instruction does not exist.
    pub fn finish(self, section_name: &str) -> Result<Program, AssembleError> {
        if let Some((line, sem)) = self.missing {
            return Err(AssembleError::Missing { line, sem });
        }
        finish::finish(self, section_name)
    }

    #[track_caller]
    #[inline]
    fn push(&mut self, insn: Insn) -> &mut Self {
        if self.place == Place::Caller {
            self.at_caller(Location::caller());
        }
        self.slot += insn.slots();
        self.insns.push(insn);
        self
    }

    #[cold]
    fn at_caller(&mut self, caller: &'static Location<'static>) {
        let (line, column) = (caller.line(), caller.column());
        let span = self.sources.span(caller.file(), line, column);
        self.places.set(self.slot, span);
    }
}
