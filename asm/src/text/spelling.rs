//! Matching: which row of the table a line spells, and with what in its fields.

use super::template::{Hole, Piece, pieces};
use super::token::{Placed, Token, tokens};
use crate::helper;
use crate::insn::{Fields, Reg};
use crate::isa::{Callee, ISA, Operand, Row, Sem, Size, Width};
use std::sync::LazyLock;

/// What is wrong with a line: from byte to byte, and why.
pub(super) struct Wrong {
    pub(super) begin: usize,
    pub(super) end: usize,
    pub(super) message: String,
}

impl Wrong {
    pub(super) fn at(placed: &Placed<'_>, message: impl Into<String>) -> Wrong {
        Wrong {
            begin: placed.begin,
            end: placed.end,
            message: message.into(),
        }
    }

    /// The whole line is wrong.
    pub(super) fn line(message: impl Into<String>) -> Wrong {
        Wrong {
            begin: 0,
            end: 0,
            message: message.into(),
        }
    }
}

/// One token of a spelling: itself, or a field.
enum Element {
    Token(Token<'static>),
    Hole(Hole),
}

/// The spellings of all rows as tokens.
static SPELLINGS: LazyLock<Vec<(&'static Row, Vec<Element>)>> =
    LazyLock::new(|| ISA.iter().map(|row| (row, elements(row))).collect());

fn elements(row: &'static Row) -> Vec<Element> {
    let of_piece = |piece| match piece {
        Piece::Hole(hole) => vec![Element::Hole(hole)],
        Piece::Text(text) => {
            let all = tokens(text).unwrap_or_default();
            all.into_iter()
                .map(|placed| Element::Token(placed.token))
                .collect()
        }
    };
    pieces(row.text).flat_map(of_piece).collect()
}

/// What a line puts into the fields of a row.
#[derive(Default)]
pub(super) struct Filled<'a> {
    pub(super) fields: Fields,
    /// A label, function or map in the place of a number.
    pub(super) symbol: Option<Placed<'a>>,
}

/// Why a line is not the instruction of some row: the token up to which it is, and what
/// the row wants there.
struct Miss {
    at: usize,
    wants: String,
    /// The line has the row's shape so far, and what stands there does not fit the field.
    is_unfit: bool,
}

/// The row that a line spells, with its fields.
pub(super) fn match_line<'a>(line: &[Placed<'a>]) -> Result<(&'static Row, Filled<'a>), Wrong> {
    let mut best = 0;
    let mut wants: Vec<String> = Vec::new();
    let mut unfit: Option<Miss> = None;
    for (row, elements) in SPELLINGS.iter() {
        let miss = match match_row(row, elements, line) {
            Ok(filled) => return Ok((row, filled)),
            Err(miss) => miss,
        };
        if miss.is_unfit {
            unfit = Some(miss);
            continue;
        }
        if miss.at > best {
            best = miss.at;
            wants.clear();
        }
        if miss.at == best && !wants.contains(&miss.wants) {
            wants.push(miss.wants);
        }
    }
    // The shape was right: what does not fit is the point, not what other rows would want.
    if let Some(miss) = unfit
        && let Some(placed) = line.get(miss.at)
    {
        return Err(Wrong::at(placed, miss.wants));
    }
    let expected = match wants.as_slice() {
        [one] => format!("expected {one}"),
        [others @ .., last] if others.len() < 8 => {
            format!("expected {} or {last}", others.join(", "))
        }
        _ => "no instruction is spelled like this".into(),
    };
    Err(match (line.get(best), line.last()) {
        (Some(placed), _) => Wrong::at(placed, expected),
        (None, Some(last)) => Wrong {
            begin: last.end,
            end: last.end,
            message: expected,
        },
        (None, None) => Wrong::line(expected),
    })
}

/// Reads the line as the row's spelling.
fn match_row<'a>(row: &Row, elements: &[Element], line: &[Placed<'a>]) -> Result<Filled<'a>, Miss> {
    let mut reader = Reader {
        line,
        at: 0,
        filled: Filled::default(),
        seen: Vec::new(),
    };
    for element in elements {
        match element {
            Element::Token(token) if reader.peek() == Some(*token) => reader.at += 1,
            Element::Token(token) => return Err(reader.miss(token.to_string())),
            Element::Hole(hole) => reader.hole(row, *hole)?,
        }
    }
    match reader.peek() {
        None => Ok(reader.filled),
        Some(_) => Err(reader.miss("the end of the line".into())),
    }
}

struct Reader<'l, 'a> {
    line: &'l [Placed<'a>],
    at: usize,
    filled: Filled<'a>,
    /// Registers read so far: a field that a spelling names twice must be the same twice.
    seen: Vec<(bool, u8)>,
}

impl<'a> Reader<'_, 'a> {
    fn peek(&self) -> Option<Token<'a>> {
        self.line.get(self.at).map(|placed| placed.token)
    }

    fn miss(&self, wants: String) -> Miss {
        Miss {
            at: self.at,
            wants,
            is_unfit: false,
        }
    }

    fn hole(&mut self, row: &Row, hole: Hole) -> Result<(), Miss> {
        match hole {
            Hole::Dst | Hole::Dst32 | Hole::Src | Hole::Src32 => self.register(hole),
            Hole::Imm => self.number(imm_range(row.sem), Self::set_imm),
            Hole::NextImm => self.number(I32, |fields, n| fields.next_imm = n as i32),
            Hole::OffsetNumber => self.number(I16, |fields, n| fields.offset = n as i16),
            Hole::Imm64 => self.imm64(),
            Hole::Offset => self.signed(I16, |fields, n| fields.offset = n as i16),
            Hole::PlusImm => self.signed(I32, Self::set_imm),
            Hole::Jump => self.distance(I16, |fields, n| fields.offset = n as i16),
            Hole::JumpImm => self.distance(I32, Self::set_imm),
            Hole::Helper => self.helper(),
            Hole::Function => self.function(),
        }
    }

    fn set_imm(fields: &mut Fields, number: i128) {
        fields.imm = number as i32;
    }

    fn register(&mut self, hole: Hole) -> Result<(), Miss> {
        let (number, what) = match (hole, self.peek()) {
            (Hole::Dst | Hole::Src, Some(Token::Reg(number))) => (Some(number), ""),
            (Hole::Dst32 | Hole::Src32, Some(Token::Low(number))) => (Some(number), ""),
            (Hole::Dst | Hole::Src, _) => (None, "a register (r0 to r10)"),
            _ => (None, "a register's low half (w0 to w10)"),
        };
        let Some(register) = number.and_then(Reg::new) else {
            return Err(self.miss(what.into()));
        };
        let is_dst = matches!(hole, Hole::Dst | Hole::Dst32);
        let before = self.seen.iter().find(|(dst, _)| *dst == is_dst);
        if let Some((_, first)) = before.filter(|(_, first)| *first != register.number()) {
            return Err(self.miss(format!("register {first} again")));
        }
        self.seen.push((is_dst, register.number()));
        match is_dst {
            true => self.filled.fields.dst = register,
            false => self.filled.fields.src = register,
        }
        self.at += 1;
        Ok(())
    }

    /// A number with or without a sign.
    fn number(&mut self, range: Range, set: fn(&mut Fields, i128)) -> Result<(), Miss> {
        let (sign, tokens) = match self.peek() {
            Some(Token::Sign("-")) => (-1, 1),
            _ => (1, 0),
        };
        let Some(Token::Number(number)) = self.line.get(self.at + tokens).map(|p| p.token) else {
            return Err(self.miss("a number".into()));
        };
        self.put(sign * i128::from(number), tokens, range, set)
    }

    /// A sign and a number.
    fn signed(&mut self, range: Range, set: fn(&mut Fields, i128)) -> Result<(), Miss> {
        match self.peek() {
            Some(Token::Sign("+")) => {
                self.at += 1;
                match self.peek() {
                    Some(Token::Sign("-")) => Err(self.miss("a number".into())),
                    _ => self.number(range, set),
                }
            }
            Some(Token::Sign("-")) => self.number(range, set),
            _ => Err(self.miss("'+' or '-' and a number".into())),
        }
    }

    fn put(
        &mut self,
        number: i128,
        tokens: usize,
        (low, high): Range,
        set: fn(&mut Fields, i128),
    ) -> Result<(), Miss> {
        self.at += tokens;
        if !(low..=high).contains(&number) {
            let wants = format!("{number} does not fit: the field holds {low} to {high}");
            return Err(Miss {
                at: self.at,
                wants,
                is_unfit: true,
            });
        }
        set(&mut self.filled.fields, number);
        self.at += 1;
        Ok(())
    }

    /// A 64-bit number, or the name of a map.
    fn imm64(&mut self) -> Result<(), Miss> {
        if let (Some(Token::Word(_)), Some(placed)) = (self.peek(), self.line.get(self.at)) {
            self.filled.symbol = Some(*placed);
            self.at += 1;
            return Ok(());
        }
        self.number((i64::MIN.into(), u64::MAX.into()), |fields, n| {
            fields.imm = n as i32;
            fields.next_imm = (n >> 32) as i32;
        })
    }

    /// A distance with its sign, as the kernel (`pc+5`) or LLVM (`+5`) prints it, or a label.
    fn distance(&mut self, range: Range, set: fn(&mut Fields, i128)) -> Result<(), Miss> {
        match (self.peek(), self.line.get(self.at)) {
            (Some(Token::Word("pc")), _) => {
                self.at += 1;
                self.signed(range, set)
            }
            (Some(Token::Word(_)), Some(placed)) => {
                self.filled.symbol = Some(*placed);
                self.at += 1;
                Ok(())
            }
            (Some(Token::Sign(_)), _) => self.signed(range, set),
            _ => Err(self.miss("a label, or a distance like +5".into())),
        }
    }

    fn helper(&mut self) -> Result<(), Miss> {
        match self.peek() {
            Some(Token::Word(name)) if name.starts_with("bpf_") => {
                let Some(helper) = helper::by_name(name) else {
                    let wants = format!("no helper is named {name}");
                    return Err(Miss {
                        at: self.at,
                        wants,
                        is_unfit: true,
                    });
                };
                self.filled.fields.imm = helper.id;
                self.at += 1;
                Ok(())
            }
            Some(Token::Number(_) | Token::Sign("-")) => self.number(I32, Self::set_imm),
            _ => Err(self.miss("a helper's name or id".into())),
        }
    }

    fn function(&mut self) -> Result<(), Miss> {
        match self.peek() {
            Some(Token::Word(name)) if name != "kfunc" && !name.starts_with("bpf_") => {
                self.distance(I32, Self::set_imm)
            }
            _ => Err(self.miss("a function's name".into())),
        }
    }
}

/// The least and the greatest number that a field takes.
type Range = (i128, i128);
const I16: Range = (i16::MIN as i128, i16::MAX as i128);
const I32: Range = (i32::MIN as i128, i32::MAX as i128);
/// 32 bits, however signed: where no sign is extended, both say the same.
const EITHER32: Range = (i32::MIN as i128, u32::MAX as i128);

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
        | Sem::Call(Callee::Kfunc) => EITHER32,
        _ => I32,
    }
}
