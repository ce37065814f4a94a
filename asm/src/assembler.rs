//! The assembler: instructions one after the other, with explicit registers and labels.
//!
//! Every method that emits records where it was called, so that the program knows its own
//! source lines. Labels are bound to slots by [`Assembler::finish`]: a jump that does not
//! reach with 16 bits becomes an error there, never a truncated distance.
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
//! Read before: `insn.rs`. Read next: `program.rs`.

use crate::btf::Linkage;
use crate::insn::{Fields, Insn, Reg};
use crate::isa::{
    AluOp, AtomicOp, Callee, Cond, Imm64, Operand, PacketMode, Sem, Size, Swap, Width,
};
use crate::prog_type::section;
use crate::program::{Function, Program, Reference};
use crate::span::{Sources, Span};
use std::panic::Location;

/// A place in the program that jumps and calls can name before it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Label(usize);

/// A second operand: a register or a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A register.
    Reg(Reg),
    /// A number, sign-extended to the operation's width.
    Imm(i32),
}

impl From<Reg> for Source {
    fn from(reg: Reg) -> Source {
        Source::Reg(reg)
    }
}

impl From<i32> for Source {
    fn from(imm: i32) -> Source {
        Source::Imm(imm)
    }
}

impl Source {
    fn operand(self) -> Operand {
        match self {
            Source::Reg(_) => Operand::Reg,
            Source::Imm(_) => Operand::Imm,
        }
    }

    fn fields(self, dst: Reg, offset: i16) -> Fields {
        let fields = Fields {
            dst,
            offset,
            ..Fields::default()
        };
        match self {
            Source::Reg(src) => Fields { src, ..fields },
            Source::Imm(imm) => Fields { imm, ..fields },
        }
    }
}

/// How lines learn where they come from.
#[derive(Debug, Clone)]
enum Place {
    /// From the Rust caller of the method that emits.
    Caller,
    /// From [`Assembler::at`].
    Given(Option<Span>),
}

/// What a line stands for beside its instruction.
#[derive(Debug, Clone)]
enum Names {
    Nothing,
    Target(Label),
    Reference(Reference),
}

#[derive(Debug, Clone)]
struct Line {
    insn: Insn,
    names: Names,
    span: Option<Span>,
}

/// Builds one program.
#[derive(Debug, Clone)]
pub struct Assembler {
    name: String,
    lines: Vec<Line>,
    /// For each label the line it is bound before.
    labels: Vec<Option<usize>>,
    functions: Vec<(Label, String)>,
    sources: Sources,
    place: Place,
    /// The first instruction that the table does not have.
    missing: Option<(usize, Sem)>,
}

/// Methods named by RFC 9669's operations, for 64 bits and with `32` behind for 32.
macro_rules! alu_methods {
    ($($name:ident $name32:ident $op:ident $sign:literal,)*) => {
        impl Assembler {
            $(
                #[doc = concat!("`dst ", $sign, " src`, 64 bits.")]
                #[track_caller]
                pub fn $name(&mut self, dst: Reg, src: impl Into<Source>) -> &mut Self {
                    self.alu(AluOp::$op, Width::W64, dst, src.into())
                }

                #[doc = concat!("`dst ", $sign, " src`, low 32 bits, the rest becomes zero.")]
                #[track_caller]
                pub fn $name32(&mut self, dst: Reg, src: impl Into<Source>) -> &mut Self {
                    self.alu(AluOp::$op, Width::W32, dst, src.into())
                }
            )*
        }
    };
}

alu_methods! {
    add add32 Add "+=",
    sub sub32 Sub "-=",
    mul mul32 Mul "*=",
    div div32 Div "/=",
    sdiv sdiv32 Sdiv "s/=",
    or or32 Or "|=",
    and and32 And "&=",
    lsh lsh32 Lsh "<<=",
    rsh rsh32 Rsh ">>=",
    modulo modulo32 Mod "%=",
    smod smod32 Smod "s%=",
    xor xor32 Xor "^=",
    arsh arsh32 Arsh "s>>=",
}

/// Methods named by RFC 9669's conditions, for 64 bits and with `32` behind for 32.
macro_rules! jump_methods {
    ($($name:ident $name32:ident $cond:ident,)*) => {
        impl Assembler {
            $(
                #[doc = concat!("Goes to `to` if `", stringify!($cond), "` holds, on 64 bits.")]
                #[track_caller]
                pub fn $name(&mut self, dst: Reg, src: impl Into<Source>, to: Label) -> &mut Self {
                    self.jump(Cond::$cond, Width::W64, dst, src.into(), to)
                }

                #[doc = concat!("Goes to `to` if `", stringify!($cond), "` holds, on the low 32 bits.")]
                #[track_caller]
                pub fn $name32(&mut self, dst: Reg, src: impl Into<Source>, to: Label) -> &mut Self {
                    self.jump(Cond::$cond, Width::W32, dst, src.into(), to)
                }
            )*
        }
    };
}

jump_methods! {
    jeq jeq32 Jeq,
    jgt jgt32 Jgt,
    jge jge32 Jge,
    jset jset32 Jset,
    jne jne32 Jne,
    jsgt jsgt32 Jsgt,
    jsge jsge32 Jsge,
    jlt jlt32 Jlt,
    jle jle32 Jle,
    jslt jslt32 Jslt,
    jsle jsle32 Jsle,
}

impl Assembler {
    /// An empty program of this name.
    pub fn new(name: impl Into<String>) -> Assembler {
        Assembler {
            name: name.into(),
            lines: Vec::new(),
            labels: Vec::new(),
            functions: Vec::new(),
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

    /// Says where the following lines come from, in place of the Rust caller.
    pub fn at(&mut self, span: Option<Span>) -> &mut Self {
        self.place = Place::Given(span);
        self
    }

    /// A new label, to be bound with [`bind`](Assembler::bind).
    pub fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() - 1)
    }

    /// Binds the label here: before the next instruction. The last binding counts.
    pub fn bind(&mut self, label: Label) -> &mut Self {
        if let Some(bound) = self.labels.get_mut(label.0) {
            *bound = Some(self.lines.len());
        }
        self
    }

    /// Begins a function here, which [`call_local`](Assembler::call_local) can call by `label`.
    pub fn function(&mut self, label: Label, name: impl Into<String>) -> &mut Self {
        self.functions.push((label, name.into()));
        self.bind(label)
    }

    /// Emits any instruction of the table, numbers as they are.
    #[track_caller]
    pub fn insn(&mut self, insn: Insn) -> &mut Self {
        self.push(insn, Names::Nothing)
    }

    /// Emits a jump, call or code address of any row, its distance to be that of `to`.
    #[track_caller]
    pub fn insn_to(&mut self, insn: Insn, to: Label) -> &mut Self {
        self.push(insn, Names::Target(to))
    }

    /// `dst = dst op src`.
    #[track_caller]
    pub fn alu(&mut self, op: AluOp, width: Width, dst: Reg, src: Source) -> &mut Self {
        let operand = src.operand();
        self.emit(Sem::Alu { op, width, operand }, src.fields(dst, 0))
    }

    /// `dst = src`, 64 bits.
    #[track_caller]
    pub fn mov(&mut self, dst: Reg, src: impl Into<Source>) -> &mut Self {
        let src = src.into();
        let sem = Sem::Mov {
            width: Width::W64,
            operand: src.operand(),
        };
        self.emit(sem, src.fields(dst, 0))
    }

    /// `dst = src`, low 32 bits, the rest becomes zero.
    #[track_caller]
    pub fn mov32(&mut self, dst: Reg, src: impl Into<Source>) -> &mut Self {
        let src = src.into();
        let sem = Sem::Mov {
            width: Width::W32,
            operand: src.operand(),
        };
        self.emit(sem, src.fields(dst, 0))
    }

    /// `dst = (signed from)src`, extended to `width`.
    #[track_caller]
    pub fn movsx(&mut self, width: Width, from: Size, dst: Reg, src: Reg) -> &mut Self {
        self.emit(Sem::Movsx { width, from }, Source::Reg(src).fields(dst, 0))
    }

    /// `dst = -dst`.
    #[track_caller]
    pub fn neg(&mut self, width: Width, dst: Reg) -> &mut Self {
        self.emit(
            Sem::Neg { width },
            Fields {
                dst,
                ..Fields::default()
            },
        )
    }

    /// Swaps the low `size` of `dst` and cuts it to that.
    #[track_caller]
    pub fn byte_swap(&mut self, swap: Swap, size: Size, dst: Reg) -> &mut Self {
        self.emit(
            Sem::ByteSwap { swap, size },
            Fields {
                dst,
                ..Fields::default()
            },
        )
    }

    /// `dst = imm`, all 64 bits, by the 16-byte instruction.
    #[track_caller]
    pub fn ld_imm64(&mut self, dst: Reg, imm: u64) -> &mut Self {
        let fields = Fields {
            dst,
            imm: imm as i32,
            next_imm: (imm >> 32) as i32,
            ..Fields::default()
        };
        self.emit(Sem::LoadImm64(Imm64::Value), fields)
    }

    /// `dst` = what `reference` stands for, by the 16-byte instruction.
    #[track_caller]
    pub fn ld_reference(&mut self, dst: Reg, reference: Reference) -> &mut Self {
        let kind = match reference {
            Reference::Map(_) => Imm64::MapFd,
            Reference::MapValue { .. } => Imm64::MapValueFd,
            Reference::Extern(_) => Imm64::Variable,
        };
        let fields = Fields {
            dst,
            ..Fields::default()
        };
        self.emit_named(Sem::LoadImm64(kind), fields, Names::Reference(reference))
    }

    /// `dst = *(size *)(src + offset)`, zero-extended.
    #[track_caller]
    pub fn ldx(&mut self, size: Size, dst: Reg, src: Reg, offset: i16) -> &mut Self {
        self.emit(Sem::Load { size }, Source::Reg(src).fields(dst, offset))
    }

    /// `dst = *(signed size *)(src + offset)`, sign-extended.
    #[track_caller]
    pub fn ldxsx(&mut self, size: Size, dst: Reg, src: Reg, offset: i16) -> &mut Self {
        self.emit(Sem::LoadSx { size }, Source::Reg(src).fields(dst, offset))
    }

    /// `*(size *)(dst + offset) = src`, a register (STX) or a number (ST).
    #[track_caller]
    pub fn st(&mut self, size: Size, dst: Reg, offset: i16, src: impl Into<Source>) -> &mut Self {
        let src = src.into();
        let sem = Sem::Store {
            size,
            operand: src.operand(),
        };
        self.emit(sem, src.fields(dst, offset))
    }

    /// An atomic operation on `*(size *)(dst + offset)` with `src`.
    #[track_caller]
    pub fn atomic(
        &mut self,
        op: AtomicOp,
        size: Size,
        dst: Reg,
        offset: i16,
        src: Reg,
    ) -> &mut Self {
        self.emit(
            Sem::Atomic { op, size },
            Source::Reg(src).fields(dst, offset),
        )
    }

    /// `r0 = ` the packet's `size` at `imm`, in host order; leaves the program if there is none.
    #[track_caller]
    pub fn ld_abs(&mut self, size: Size, imm: i32) -> &mut Self {
        let sem = Sem::LoadPacket {
            mode: PacketMode::Abs,
            size,
        };
        self.emit(
            sem,
            Fields {
                imm,
                ..Fields::default()
            },
        )
    }

    /// `r0 = ` the packet's `size` at `src + imm`, in host order; leaves the program if there
    /// is none.
    #[track_caller]
    pub fn ld_ind(&mut self, size: Size, src: Reg, imm: i32) -> &mut Self {
        let sem = Sem::LoadPacket {
            mode: PacketMode::Ind,
            size,
        };
        self.emit(
            sem,
            Fields {
                src,
                imm,
                ..Fields::default()
            },
        )
    }

    /// Goes to `to`.
    #[track_caller]
    pub fn ja(&mut self, to: Label) -> &mut Self {
        self.emit_named(Sem::Ja, Fields::default(), Names::Target(to))
    }

    /// Goes to `to`, however far.
    #[track_caller]
    pub fn gotol(&mut self, to: Label) -> &mut Self {
        self.emit_named(Sem::Gotol, Fields::default(), Names::Target(to))
    }

    /// Goes to `to` if `dst cond src`.
    #[track_caller]
    pub fn jump(
        &mut self,
        cond: Cond,
        width: Width,
        dst: Reg,
        src: Source,
        to: Label,
    ) -> &mut Self {
        let operand = src.operand();
        let sem = Sem::Jump {
            cond,
            width,
            operand,
        };
        self.emit_named(sem, src.fields(dst, 0), Names::Target(to))
    }

    /// Calls the helper with this id ([`crate::helper::by_name`]).
    #[track_caller]
    pub fn call(&mut self, id: i32) -> &mut Self {
        self.emit(
            Sem::Call(Callee::Helper),
            Fields {
                imm: id,
                ..Fields::default()
            },
        )
    }

    /// Calls the program's own function at `to`.
    #[track_caller]
    pub fn call_local(&mut self, to: Label) -> &mut Self {
        self.emit_named(
            Sem::Call(Callee::Local),
            Fields::default(),
            Names::Target(to),
        )
    }

    /// Returns R0.
    #[track_caller]
    pub fn exit(&mut self) -> &mut Self {
        self.emit(Sem::Exit, Fields::default())
    }

    /// Binds all labels.
    ///
    /// # Errors
    /// If the section names no program type, a label was never bound or is too far, or an
    /// instruction does not exist.
    pub fn finish(self, section_name: &str) -> Result<Program, AssembleError> {
        let known =
            section(section_name).ok_or_else(|| AssembleError::Section(section_name.to_owned()))?;
        if let Some((line, sem)) = self.missing {
            return Err(AssembleError::Missing { line, sem });
        }
        let starts = self.slot_starts();
        let slot_of = |label: Label| {
            let line = self.labels.get(label.0).copied().flatten()?;
            starts.get(line).copied()
        };
        let mut functions = vec![Function {
            slot: 0,
            name: self.name.clone(),
            linkage: Linkage::Global,
            type_id: None,
        }];
        let named = self.functions.iter();
        functions.extend(named.filter_map(|(label, name)| {
            Some(Function {
                slot: slot_of(*label)?,
                name: name.clone(),
                linkage: Linkage::Static,
                type_id: None,
            })
        }));
        let mut program = Program {
            name: self.name.clone(),
            section: section_name.to_owned(),
            prog_type: known.prog_type,
            expected_attach_type: known.attach_type,
            insns: Vec::with_capacity(self.lines.len()),
            references: Vec::new(),
            functions,
            lines: Vec::new(),
        };
        for (index, (line, &slot)) in self.lines.iter().zip(&starts).enumerate() {
            let insn = match line.names {
                Names::Target(label) => bind_target(index, line, slot, slot_of(label))?,
                Names::Reference(reference) => {
                    program.references.push((slot, reference));
                    line.insn
                }
                Names::Nothing => line.insn,
            };
            program.insns.push(insn);
            if let Some(span) = &line.span {
                push_span(&mut program.lines, slot, span);
            }
        }
        Ok(program)
    }

    /// The slot that each line begins in, and behind the last the length.
    fn slot_starts(&self) -> Vec<usize> {
        let mut starts = vec![0];
        let mut next = 0;
        for line in &self.lines {
            next += line.insn.slots();
            starts.push(next);
        }
        starts
    }

    #[track_caller]
    fn emit(&mut self, sem: Sem, fields: Fields) -> &mut Self {
        self.emit_named(sem, fields, Names::Nothing)
    }

    #[track_caller]
    fn emit_named(&mut self, sem: Sem, fields: Fields, names: Names) -> &mut Self {
        match sem.row() {
            Some(row) => self.push(Insn::new(row, fields), names),
            None => {
                self.missing.get_or_insert((self.lines.len(), sem));
                self
            }
        }
    }

    #[track_caller]
    fn push(&mut self, insn: Insn, names: Names) -> &mut Self {
        let span = match &self.place {
            Place::Given(span) => span.clone(),
            Place::Caller => {
                let caller = Location::caller();
                Some(
                    self.sources
                        .span(caller.file(), caller.line(), caller.column()),
                )
            }
        };
        self.lines.push(Line { insn, names, span });
        self
    }
}

/// The line's instruction with the distance from `slot` to `target`.
fn bind_target(
    index: usize,
    line: &Line,
    slot: usize,
    target: Option<usize>,
) -> Result<Insn, AssembleError> {
    let insn = || line.insn.to_string();
    let target = target.ok_or_else(|| AssembleError::Unbound {
        line: index,
        insn: insn(),
    })?;
    let distance = target as i64 - slot as i64 - 1;
    i32::try_from(distance)
        .ok()
        .and_then(|distance| line.insn.with_distance(distance))
        .ok_or_else(|| AssembleError::TooFar {
            line: index,
            insn: insn(),
            distance,
        })
}

/// Records where the code from `slot` on comes from, unless that is where the code before
/// it comes from.
fn push_span(lines: &mut Vec<(usize, Span)>, slot: usize, span: &Span) {
    if lines.last().is_none_or(|(_, last)| last != span) {
        lines.push((slot, span.clone()));
    }
}

/// Why lines make no program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AssembleError {
    /// A label that something jumps to was never bound.
    #[error("instruction {line} ({insn}) goes to a label that is nowhere bound")]
    Unbound {
        /// The index of the instruction.
        line: usize,
        /// The instruction, its distance not yet known.
        insn: String,
    },
    /// A distance that its field cannot hold.
    #[error(
        "instruction {line} ({insn}) is {distance} slots from its target, which its field cannot hold"
    )]
    TooFar {
        /// The index of the instruction.
        line: usize,
        /// The instruction, its distance not yet known.
        insn: String,
        /// The distance in slots.
        distance: i64,
    },
    /// A section name that stands for no program type.
    #[error("section '{0}' names no program type")]
    Section(String),
    /// A combination of operation, width and size that no instruction has.
    #[error("instruction {line}: no instruction means {sem:?}")]
    Missing {
        /// The index of the instruction.
        line: usize,
        /// What was asked for.
        sem: Sem,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::insn::Reg::*;

    #[test]
    fn labels_count_slots_and_wide_instructions_take_two() {
        let mut a = Assembler::new("p");
        let (back, out) = (a.label(), a.label());
        a.bind(back).jeq(R1, 0, out);
        a.ld_imm64(R2, 1 << 40);
        a.ja(back);
        a.bind(out).exit();
        let program = a.finish("socket").unwrap();
        let texts: Vec<String> = program.insns.iter().map(Insn::to_string).collect();
        let expected = [
            "if r1 == 0 goto +3",
            "r2 = 0x10000000000 ll",
            "goto -4",
            "exit",
        ];
        assert_eq!(texts, expected);
    }

    #[test]
    fn a_line_knows_where_it_was_written() {
        let mut sources = Sources::new();
        sources.add(file!(), include_str!("assembler.rs"));
        let mut a = Assembler::new("p");
        a.sources(sources);
        a.mov(R0, 7); // this line
        a.exit();
        let program = a.finish("xdp").unwrap();
        let span = program.span(0).unwrap();
        assert_eq!(span.text.trim(), "a.mov(R0, 7); // this line");
        assert_ne!(program.span(1), Some(span));
    }

    #[test]
    fn what_cannot_be_bound_is_an_error() {
        let mut a = Assembler::new("p");
        let nowhere = a.label();
        a.ja(nowhere);
        assert!(matches!(
            a.finish("xdp"),
            Err(AssembleError::Unbound { line: 0, .. })
        ));

        let mut a = Assembler::new("p");
        let far = a.label();
        a.ja(far);
        for _ in 0..40_000 {
            a.mov(R0, 0);
        }
        a.bind(far).exit();
        let error = a.finish("xdp").unwrap_err();
        assert!(
            matches!(
                error,
                AssembleError::TooFar {
                    distance: 40_000,
                    ..
                }
            ),
            "{error}"
        );

        let mut a = Assembler::new("p");
        a.atomic(AtomicOp::Add, Size::B, R1, 0, R2);
        assert!(matches!(
            a.finish("xdp"),
            Err(AssembleError::Missing { line: 0, .. })
        ));
        assert!(matches!(
            Assembler::new("p").finish("nonsense"),
            Err(AssembleError::Section(_))
        ));
    }
}
