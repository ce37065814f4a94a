//! The methods that emit instructions, one for each operation, under RFC 9669's names.

use super::operand::Source;
use super::{Assembler, Label};
use crate::insn::{Fields, Insn, Reg};
use crate::isa::{AluOp, AtomicOp, Callee, Cond, Imm64, PacketMode, Row, Sem, Size, Swap, Width};
use crate::program::Reference;

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
        self.emit_referring(Sem::LoadImm64(kind), fields, reference)
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
        self.emit_to(Sem::Ja, Fields::default(), to)
    }

    /// Goes to `to`, however far.
    #[track_caller]
    pub fn gotol(&mut self, to: Label) -> &mut Self {
        self.emit_to(Sem::Gotol, Fields::default(), to)
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
        self.emit_to(sem, src.fields(dst, 0), to)
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
        self.emit_to(Sem::Call(Callee::Local), Fields::default(), to)
    }

    /// Calls the kfunc at this index of the object's externs.
    #[track_caller]
    pub fn call_extern(&mut self, index: usize) -> &mut Self {
        let to = Reference::Extern(index);
        self.emit_referring(Sem::Call(Callee::Kfunc), Fields::default(), to)
    }

    /// Returns R0.
    #[track_caller]
    pub fn exit(&mut self) -> &mut Self {
        self.emit(Sem::Exit, Fields::default())
    }
    #[track_caller]
    fn emit(&mut self, sem: Sem, fields: Fields) -> &mut Self {
        match self.row(sem) {
            Some(row) => self.insn(Insn::new(row, fields)),
            None => self,
        }
    }

    #[track_caller]
    fn emit_to(&mut self, sem: Sem, fields: Fields, to: Label) -> &mut Self {
        match self.row(sem) {
            Some(row) => self.insn_to(Insn::new(row, fields), to),
            None => self,
        }
    }

    #[track_caller]
    fn emit_referring(&mut self, sem: Sem, fields: Fields, to: Reference) -> &mut Self {
        match self.row(sem) {
            Some(row) => {
                self.references.push((self.slot, to));
                self.insn(Insn::new(row, fields))
            }
            None => self,
        }
    }

    /// The row with a meaning; that there is none is remembered.
    fn row(&mut self, sem: Sem) -> Option<&'static Row> {
        let row = sem.row();
        if row.is_none() {
            self.missing.get_or_insert((self.insns.len(), sem));
        }
        row
    }
}
