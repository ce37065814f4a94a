//! Filling in: what the tokens in the places of placeholders put into an instruction's fields.

use super::misses::Want;
use super::template::Hole;
use super::token::{Placed, Sign, Token};
use crate::helper;
use crate::insn::{Fields, Reg};
use crate::isa::{Callee, Operand, Row, Sem, Size, Width};

/// What a line puts into the fields of a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filled {
    pub(super) fields: Fields,
    /// The index of the token that is a label, function or something of the object in the
    /// place of a number.
    pub(super) symbol: Option<u16>,
}

/// How far a line is read, and what it has filled in so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader {
    /// The index of the next token.
    pub(super) at: u16,
    pub(super) filled: Filled,
    /// Which registers have been read: a field that a spelling names twice must be the same
    /// twice.
    dst_read: bool,
    src_read: bool,
    /// The index of the token that `imm` is written in: whether it fits is the row's business.
    imm: Option<u16>,
}

/// Why a token does not fit: its index, and what is wanted there.
pub(super) type Miss = (u16, Want);

impl Reader {
    pub(super) fn new(fields: Fields) -> Reader {
        Reader {
            at: 0,
            filled: Filled {
                fields,
                symbol: None,
            },
            dst_read: false,
            src_read: false,
            imm: None,
        }
    }

    /// One token on.
    #[must_use]
    pub(super) fn skip(mut self) -> Reader {
        self.at += 1;
        self
    }

    /// Reads what stands in the place of a placeholder.
    #[inline]
    pub(super) fn fill(self, hole: Hole, line: &[Placed<'_>]) -> Result<Reader, Miss> {
        let next = line.get(usize::from(self.at)).copied();
        match hole {
            Hole::Dst | Hole::Dst32 | Hole::Src | Hole::Src32 => self.register(hole, next),
            Hole::Imm => self.number(line, Want::Number, Self::imm),
            Hole::ImmBits => self.number(line, Want::Number, |reader, at, n| {
                reader.set_imm(at, n, Range::Either32)
            }),
            Hole::NextImm => self.number(line, Want::Number, |reader, at, n| {
                reader.filled.fields.next_imm = within(at, n, Range::Either32)? as i32;
                Ok(())
            }),
            Hole::OffsetNumber => self.number(line, Want::Number, Self::offset),
            Hole::Imm64 => self.number(line, Want::Number, Self::imm64),
            Hole::Offset => self.signed(line, Want::Signed, Self::offset),
            Hole::PlusImm => self.signed(line, Want::Signed, Self::signed_imm),
            Hole::Jump => self.distance(line, next, Self::offset),
            Hole::JumpImm => self.distance(line, next, Self::signed_imm),
            Hole::Helper => self.helper(line, next),
            Hole::HelperId => self.helper_id(line, next),
            Hole::Function => self.function(line, next),
            Hole::Symbol => self.symbol(next),
            Hole::Remark => self.remark(next),
        }
    }

    /// Whether `imm` fits the row.
    pub(super) fn fit(&self, row: &Row, line: &[Placed<'_>]) -> Result<(), Miss> {
        let Some(at) = self.imm else { return Ok(()) };
        let token = |at: usize| line.get(at).map(|placed| placed.token);
        let Some(Token::Number(number)) = token(at.into()) else {
            return Ok(());
        };
        let before = usize::from(at).checked_sub(1).and_then(token);
        let number = match before {
            Some(Token::Sign(Sign::MINUS)) => -i128::from(number),
            _ => i128::from(number),
        };
        within(at, number, imm_range(row.sem)).map(|_| ())
    }

    fn miss(&self, want: Want) -> Result<Reader, Miss> {
        Err((self.at, want))
    }

    fn register(mut self, hole: Hole, next: Option<Placed<'_>>) -> Result<Reader, Miss> {
        let number = match (hole, next.map(|placed| placed.token)) {
            (Hole::Dst | Hole::Src, Some(Token::Reg(number))) => Some(number),
            (Hole::Dst32 | Hole::Src32, Some(Token::Low(number))) => Some(number),
            _ => None,
        };
        let Some(register) = number.and_then(Reg::new) else {
            return self.miss(match hole {
                Hole::Dst | Hole::Src => Want::Register,
                _ => Want::LowHalf,
            });
        };
        let (field, read) = match hole {
            Hole::Dst | Hole::Dst32 => (&mut self.filled.fields.dst, &mut self.dst_read),
            _ => (&mut self.filled.fields.src, &mut self.src_read),
        };
        if *read && *field != register {
            return Err((self.at, Want::Again(*field)));
        }
        (*field, *read) = (register, true);
        Ok(self.skip())
    }

    /// A number with or without a sign.
    fn number(mut self, line: &[Placed<'_>], want: Want, put: Put) -> Result<Reader, Miss> {
        let token = |at: u16| line.get(usize::from(at)).map(|placed| placed.token);
        let (sign, at) = match token(self.at) {
            Some(Token::Sign(Sign::MINUS)) => (-1, self.at + 1),
            _ => (1, self.at),
        };
        let Some(Token::Number(number)) = token(at) else {
            return self.miss(want);
        };
        put(&mut self, at, sign * i128::from(number))?;
        self.at = at + 1;
        Ok(self)
    }

    /// A sign and a number; the kernel prints `+ -2` too.
    fn signed(self, line: &[Placed<'_>], want: Want, put: Put) -> Result<Reader, Miss> {
        match line.get(usize::from(self.at)).map(|placed| placed.token) {
            Some(Token::Sign(Sign::PLUS)) => self.skip().number(line, Want::Number, put),
            Some(Token::Sign(Sign::MINUS)) => self.number(line, Want::Number, put),
            _ => self.miss(want),
        }
    }

    /// A distance with its sign, as the kernel (`pc+5`) or LLVM (`+5`) prints it, or a label.
    fn distance(
        mut self,
        line: &[Placed<'_>],
        next: Option<Placed<'_>>,
        put: Put,
    ) -> Result<Reader, Miss> {
        match next.map(|placed| placed.token) {
            Some(Token::Word("pc")) => self.skip().signed(line, Want::Signed, put),
            Some(Token::Word(_)) => {
                self.filled.symbol = Some(self.at);
                Ok(self.skip())
            }
            _ => self.signed(line, Want::Distance, put),
        }
    }

    fn helper(mut self, line: &[Placed<'_>], next: Option<Placed<'_>>) -> Result<Reader, Miss> {
        let Some(Token::Word(name)) = next.map(|placed| placed.token) else {
            return self.number(line, Want::Helper, Self::signed_imm);
        };
        match helper::by_name(name) {
            Some(helper) => {
                self.filled.fields.imm = helper.id;
                Ok(self.skip())
            }
            None => self.miss(Want::Helper),
        }
    }

    /// `bpf_map_lookup_elem#1`, or `unknown#` and an id that no helper has.
    fn helper_id(self, line: &[Placed<'_>], next: Option<Placed<'_>>) -> Result<Reader, Miss> {
        let (Some(Token::Word(name)), Some(Token::Sign(Sign::HASH))) = (
            next.map(|placed| placed.token),
            line.get(usize::from(self.at) + 1)
                .map(|placed| placed.token),
        ) else {
            return self.miss(Want::Helper);
        };
        let after = self
            .skip()
            .skip()
            .number(line, Want::Number, Self::signed_imm)?;
        let is_this = match helper::by_id(after.filled.fields.imm) {
            Some(helper) => helper::by_name(name).is_some_and(|named| named.id == helper.id),
            None => name == "unknown",
        };
        match is_this {
            true => Ok(after),
            false => self.miss(Want::Helper),
        }
    }

    fn function(self, line: &[Placed<'_>], next: Option<Placed<'_>>) -> Result<Reader, Miss> {
        match next.map(|placed| placed.token) {
            Some(Token::Word(name)) if name != "kfunc" && helper::by_name(name).is_none() => {
                self.distance(line, next, Self::signed_imm)
            }
            _ => self.miss(Want::Function),
        }
    }

    fn symbol(mut self, next: Option<Placed<'_>>) -> Result<Reader, Miss> {
        match next.map(|placed| placed.token) {
            Some(Token::Word(_)) => {
                self.filled.symbol = Some(self.at);
                Ok(self.skip())
            }
            _ => self.miss(Want::Symbol),
        }
    }

    fn remark(self, next: Option<Placed<'_>>) -> Result<Reader, Miss> {
        match next.map(|placed| placed.token) {
            Some(Token::Word(_) | Token::Number(_)) => Ok(self.skip()),
            _ => self.miss(Want::Function),
        }
    }

    /// `imm` of any row: what it may be is asked when the row is known.
    fn imm(&mut self, at: u16, number: i128) -> Result<(), Miss> {
        self.imm = Some(at);
        self.filled.fields.imm = number as i32;
        Ok(())
    }

    fn signed_imm(&mut self, at: u16, number: i128) -> Result<(), Miss> {
        self.set_imm(at, number, Range::Signed32)
    }

    fn set_imm(&mut self, at: u16, number: i128, range: Range) -> Result<(), Miss> {
        self.filled.fields.imm = within(at, number, range)? as i32;
        Ok(())
    }

    fn imm64(&mut self, at: u16, number: i128) -> Result<(), Miss> {
        let number = within(at, number, Range::Either64)?;
        self.filled.fields.imm = number as i32;
        self.filled.fields.next_imm = (number >> 32) as i32;
        Ok(())
    }

    fn offset(&mut self, at: u16, number: i128) -> Result<(), Miss> {
        self.filled.fields.offset = within(at, number, Range::Signed16)? as i16;
        Ok(())
    }
}

/// Puts a number, written in the token at an index, into its field.
type Put = fn(&mut Reader, u16, i128) -> Result<(), Miss>;

#[inline]
fn within(at: u16, number: i128, range: Range) -> Result<i128, Miss> {
    let (low, high) = range.bounds();
    match (low..=high).contains(&number) {
        true => Ok(number),
        false => {
            let fits = Want::Fits {
                is_negative: number < 0,
                magnitude: u64::try_from(number.unsigned_abs()).unwrap_or(u64::MAX),
                range,
            };
            Err((at, fits))
        }
    }
}

/// The numbers that a field takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Range {
    /// 16 bits with a sign.
    Signed16,
    /// 32 bits with a sign.
    Signed32,
    /// 32 bits, however signed: where no sign is extended, both say the same.
    Either32,
    /// 64 bits, however signed.
    Either64,
}

impl Range {
    /// The least and the greatest.
    #[inline]
    pub(super) const fn bounds(self) -> (i128, i128) {
        match self {
            Range::Signed16 => (i16::MIN as i128, i16::MAX as i128),
            Range::Signed32 => (i32::MIN as i128, i32::MAX as i128),
            Range::Either32 => (i32::MIN as i128, u32::MAX as i128),
            Range::Either64 => (i64::MIN as i128, u64::MAX as i128),
        }
    }
}

/// What `imm` takes: with 64-bit operations its sign is extended, so that an unsigned
/// number above 2^31 would come out as another.
fn imm_range(sem: Sem) -> Range {
    match sem {
        Sem::Alu {
            width: Width::W32,
            operand: Operand::Imm,
            ..
        }
        | Sem::Mov {
            width: Width::W32,
            operand: Operand::Imm,
        }
        | Sem::Jump {
            width: Width::W32,
            operand: Operand::Imm,
            ..
        }
        | Sem::Store {
            size: Size::W,
            operand: Operand::Imm,
        }
        | Sem::Call(Callee::Kfunc) => Range::Either32,
        _ => Range::Signed32,
    }
}
