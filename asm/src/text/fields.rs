//! Filling in: what the tokens in the places of placeholders put into an instruction's fields.

use super::misses::Want;
use super::sign::Sign;
use super::spelling::Takes;
use super::template::Hole;
use super::token::{Line, Placed, Token};
use crate::helper;
use crate::insn::{Fields, Reg};
use crate::isa::{Callee, Operand, Row, Sem, Size, Width};

/// How far a line is read, and what it has filled in so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader {
    /// The byte behind what is read.
    pub(super) at: u32,
    pub(super) fields: Fields,
    /// The token that is a label, function or something of the object in the place of a number.
    pub(super) symbol: Option<Placed>,
    /// Which registers have been read: a field that a spelling names twice must be the same
    /// twice.
    dst_read: bool,
    src_read: bool,
    /// Where `imm` is written: whether it fits is the row's business.
    imm: Option<(Minus, Placed)>,
}

/// Whether `-` stands before a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Minus {
    There,
    Missing,
}

/// Why a token does not fit: the byte that it is looked for at, and what is wanted there.
pub(super) type Miss = (u32, Want);

impl Reader {
    pub(super) fn new(at: u32, fields: Fields) -> Reader {
        Reader {
            at,
            fields,
            symbol: None,
            dst_read: false,
            src_read: false,
            imm: None,
        }
    }

    /// Reads what a branch takes, of which `next` is the first token.
    #[inline]
    pub(super) fn take(
        &mut self,
        takes: Takes,
        next: Option<Placed>,
        line: Line<'_>,
    ) -> Result<(), Miss> {
        match (takes, next) {
            (Takes::Token(token), Some(next)) if next.token == token => {
                self.at = next.end;
                Ok(())
            }
            (Takes::Token(token), _) => self.miss(Want::Token(token)),
            (Takes::Number(number), Some(placed)) if line.number(next) == Some(number.into()) => {
                self.at = placed.end;
                Ok(())
            }
            (Takes::Number(number), _) => self.miss(Want::Exactly(number)),
            (Takes::Hole(hole), next) => self.fill(hole, next, line),
        }
    }

    /// Reads what stands in the place of a placeholder.
    #[inline]
    fn fill(&mut self, hole: Hole, next: Option<Placed>, line: Line<'_>) -> Result<(), Miss> {
        match hole {
            Hole::Dst | Hole::Dst32 | Hole::Src | Hole::Src32 => self.register(hole, next),
            Hole::Imm => self.number(line, next, Want::Number, Self::imm),
            Hole::ImmBits => self.number(line, next, Want::Number, |reader, number| {
                reader.set_imm(number, Range::Either32)
            }),
            Hole::NextImm => self.number(line, next, Want::Number, |reader, number| {
                reader.fields.next_imm = number.within(Range::Either32)? as i32;
                Ok(())
            }),
            Hole::OffsetNumber => self.number(line, next, Want::Number, Self::offset),
            Hole::Imm64 => self.number(line, next, Want::Number, Self::imm64),
            Hole::Offset => self.signed(line, next, Want::Signed, Self::offset),
            Hole::PlusImm => self.signed(line, next, Want::Signed, Self::signed_imm),
            Hole::RegImm => self.register_number(next),
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
    #[inline]
    pub(super) fn fit(&self, row: &Row, line: Line<'_>) -> Result<(), Miss> {
        let Some((minus, placed)) = self.imm else {
            return Ok(());
        };
        match Number::of(line, minus, Some(placed)) {
            Some(number) => number.within(imm_range(row.sem)).map(|_| ()),
            None => Ok(()),
        }
    }

    fn miss(&self, want: Want) -> Result<(), Miss> {
        Err((self.at, want))
    }

    #[inline]
    fn register(&mut self, hole: Hole, next: Option<Placed>) -> Result<(), Miss> {
        let register = match (hole, next.map(|next| next.token)) {
            (Hole::Dst | Hole::Src, Some(Token::Reg(number))) => Reg::new(number),
            (Hole::Dst32 | Hole::Src32, Some(Token::Low(number))) => Reg::new(number),
            _ => None,
        };
        let (Some(register), Some(next)) = (register, next) else {
            return self.miss(match hole {
                Hole::Dst | Hole::Src => Want::Register,
                _ => Want::LowHalf,
            });
        };
        let (field, read) = match hole {
            Hole::Dst | Hole::Dst32 => (&mut self.fields.dst, &mut self.dst_read),
            _ => (&mut self.fields.src, &mut self.src_read),
        };
        if *read && *field != register {
            return Err((self.at, Want::Again(*field)));
        }
        (*field, *read) = (register, true);
        self.at = next.end;
        Ok(())
    }

    /// A register whose number `imm` holds.
    fn register_number(&mut self, next: Option<Placed>) -> Result<(), Miss> {
        let register = match next.map(|next| next.token) {
            Some(Token::Reg(number)) => Reg::new(number),
            _ => None,
        };
        // R0 has another form, whose bytes are the same.
        let register = register.filter(|register| *register != Reg::R0);
        let (Some(register), Some(next)) = (register, next) else {
            return self.miss(Want::Register);
        };
        self.fields.imm = i32::from(register.number());
        self.at = next.end;
        Ok(())
    }

    /// A number with or without a sign.
    #[inline]
    fn number(
        &mut self,
        line: Line<'_>,
        next: Option<Placed>,
        want: Want,
        put: Put,
    ) -> Result<(), Miss> {
        let (minus, placed) = match next {
            Some(next) if next.token == Token::Sign(Sign::MINUS) => {
                (Minus::There, line.next(next.end))
            }
            _ => (Minus::Missing, next),
        };
        let Some(number) = Number::of(line, minus, placed) else {
            return self.miss(want);
        };
        put(self, number)?;
        self.at = number.placed.end;
        Ok(())
    }

    /// A sign and a number; the kernel prints `+ -2` too.
    #[inline]
    fn signed(
        &mut self,
        line: Line<'_>,
        next: Option<Placed>,
        want: Want,
        put: Put,
    ) -> Result<(), Miss> {
        match next {
            Some(plus) if plus.token == Token::Sign(Sign::PLUS) => {
                self.at = plus.end;
                self.number(line, line.next(plus.end), Want::Number, put)
            }
            Some(minus) if minus.token == Token::Sign(Sign::MINUS) => {
                self.number(line, next, Want::Number, put)
            }
            _ => self.miss(want),
        }
    }

    /// A distance with its sign, as the kernel (`pc+5`) or LLVM (`+5`) prints it, or a label.
    fn distance(&mut self, line: Line<'_>, next: Option<Placed>, put: Put) -> Result<(), Miss> {
        match (line.word(next), next) {
            (Some("pc"), Some(pc)) => {
                self.at = pc.end;
                self.signed(line, line.next(pc.end), Want::Signed, put)
            }
            (_, Some(name)) if name.token.is_name() => self.symbol(next),
            _ => self.signed(line, next, Want::Distance, put),
        }
    }

    fn helper(&mut self, line: Line<'_>, next: Option<Placed>) -> Result<(), Miss> {
        let (Some(name), Some(placed)) = (line.word(next), next) else {
            return self.number(line, next, Want::Helper, Self::signed_imm);
        };
        match helper::by_name(name) {
            Some(helper) => {
                self.fields.imm = helper.id;
                self.at = placed.end;
                Ok(())
            }
            None => self.miss(Want::Helper),
        }
    }

    /// `bpf_map_lookup_elem#1`, or `unknown#` and an id that no helper has.
    fn helper_id(&mut self, line: Line<'_>, next: Option<Placed>) -> Result<(), Miss> {
        let hash = next.and_then(|next| line.next(next.end));
        let hash = hash.filter(|hash| hash.token == Token::Sign(Sign::HASH));
        let (Some(name), Some(hash)) = (line.word(next), hash) else {
            return self.miss(Want::Helper);
        };
        let before = self.at;
        self.at = hash.end;
        self.number(line, line.next(hash.end), Want::Number, Self::signed_imm)?;
        let is_this = match helper::by_id(self.fields.imm) {
            Some(helper) => helper::by_name(name).is_some_and(|named| named.id == helper.id),
            None => name == "unknown",
        };
        match is_this {
            true => Ok(()),
            false => Err((before, Want::Helper)),
        }
    }

    fn function(&mut self, line: Line<'_>, next: Option<Placed>) -> Result<(), Miss> {
        let is_quoted = next.is_some_and(|next| next.token == Token::Quoted);
        let is_other = |name| name != "kfunc" && helper::by_name(name).is_none();
        match is_quoted || line.word(next).is_some_and(is_other) {
            true => self.distance(line, next, Self::signed_imm),
            false => self.miss(Want::Function),
        }
    }

    fn symbol(&mut self, next: Option<Placed>) -> Result<(), Miss> {
        match next.filter(|next| next.token.is_name()) {
            Some(word) => {
                self.symbol = Some(word);
                self.at = word.end;
                Ok(())
            }
            None => self.miss(Want::Symbol),
        }
    }

    fn remark(&mut self, next: Option<Placed>) -> Result<(), Miss> {
        match next.filter(|next| matches!(next.token, Token::Word(_) | Token::Number)) {
            Some(next) => {
                self.at = next.end;
                Ok(())
            }
            None => self.miss(Want::Function),
        }
    }

    /// `imm` of any row: what it may be is asked when the row is known.
    fn imm(&mut self, number: Number) -> Result<(), Miss> {
        self.imm = Some((number.minus, number.placed));
        self.fields.imm = number.value as i32;
        Ok(())
    }

    fn signed_imm(&mut self, number: Number) -> Result<(), Miss> {
        self.set_imm(number, Range::Signed32)
    }

    fn set_imm(&mut self, number: Number, range: Range) -> Result<(), Miss> {
        self.fields.imm = number.within(range)? as i32;
        Ok(())
    }

    fn imm64(&mut self, number: Number) -> Result<(), Miss> {
        let number = number.within(Range::Either64)?;
        self.fields.imm = number as i32;
        self.fields.next_imm = (number >> 32) as i32;
        Ok(())
    }

    fn offset(&mut self, number: Number) -> Result<(), Miss> {
        self.fields.offset = number.within(Range::Signed16)? as i16;
        Ok(())
    }
}

/// Puts a number into its field.
type Put = fn(&mut Reader, Number) -> Result<(), Miss>;

/// A number with its sign, and where it stands without.
#[derive(Clone, Copy)]
struct Number {
    value: i128,
    minus: Minus,
    placed: Placed,
}

impl Number {
    #[inline]
    fn of(line: Line<'_>, minus: Minus, placed: Option<Placed>) -> Option<Number> {
        let value = i128::from(line.number(placed)?);
        Some(Number {
            value: match minus {
                Minus::There => -value,
                Minus::Missing => value,
            },
            minus,
            placed: placed?,
        })
    }

    #[inline]
    fn within(self, range: Range) -> Result<i128, Miss> {
        let (low, high) = range.bounds();
        match (low..=high).contains(&self.value) {
            true => Ok(self.value),
            false => {
                let fits = Want::Fits {
                    is_negative: self.minus == Minus::There,
                    magnitude: u64::try_from(self.value.unsigned_abs()).unwrap_or(u64::MAX),
                    range,
                };
                Err((self.placed.begin, fits))
            }
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
