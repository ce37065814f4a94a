//! Tokens: what a line of text, and the spelling of a row, are made of.

use super::sign::Sign;
use super::vocabulary::Keyword;
use super::words::quoted_len;
use std::fmt;

/// The smallest part of a line that means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// `r0` to `r10`.
    Reg(u8),
    /// `w0` to `w10`: the low 32 bits of a register.
    Low(u8),
    /// A number without its sign.
    Number,
    /// Anything that begins like a name; which word, if a spelling fixes it.
    Word(Option<Keyword>),
    /// A name in quotes, which can be any.
    Quoted,
    /// An operator or a bracket.
    Sign(Sign),
    /// None: a character that none begins with, quotes that are not closed, a number that
    /// 64 bits cannot hold, or a register that there is not.
    Unknown,
}

/// The registers of each sort.
const REGISTERS: u8 = 11;

impl Token {
    /// Every token that there can be: all numbers and all names are one each.
    pub(super) fn all() -> impl Iterator<Item = Token> {
        [
            Token::Unknown,
            Token::Number,
            Token::Word(None),
            Token::Quoted,
        ]
        .into_iter()
        .chain((0..REGISTERS).map(Token::Reg))
        .chain((0..REGISTERS).map(Token::Low))
        .chain(Sign::all().map(Token::Sign))
        .chain(Keyword::all().map(|word| Token::Word(Some(word))))
    }

    /// Whether it can be the name of something.
    #[inline]
    pub(super) fn is_name(self) -> bool {
        matches!(self, Token::Word(_) | Token::Quoted)
    }

    /// The token's place among all.
    #[inline]
    pub(super) fn index(self) -> usize {
        const REG: usize = 4;
        const LOW: usize = REG + REGISTERS as usize;
        const SIGN: usize = LOW + REGISTERS as usize;
        const WORD: usize = SIGN + Sign::COUNT;
        match self {
            Token::Unknown => 0,
            Token::Number => 1,
            Token::Word(None) => 2,
            Token::Quoted => 3,
            Token::Reg(number) => REG + usize::from(number),
            Token::Low(number) => LOW + usize::from(number),
            Token::Sign(sign) => SIGN + sign.index(),
            Token::Word(Some(word)) => WORD + word.index(),
        }
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Token::Reg(number) => write!(f, "'r{number}'"),
            Token::Low(number) => write!(f, "'w{number}'"),
            Token::Number => f.write_str("a number"),
            Token::Word(Some(word)) => write!(f, "'{word}'"),
            Token::Word(None) | Token::Quoted => f.write_str("a name"),
            Token::Sign(sign) => write!(f, "'{sign}'"),
            Token::Unknown => f.write_str("nothing"),
        }
    }
}

/// A token and where it stands in its line, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) token: Token,
    pub(super) begin: u32,
    pub(super) end: u32,
}

/// A line that is taken apart token by token, up to its comment. Whoever makes one sees to it
/// that 32 bits count its bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    text: &'a str,
}

impl<'a> Line<'a> {
    /// The first line of a text.
    pub(super) fn of(text: &'a str) -> Line<'a> {
        Line { text }
    }

    /// The first token at or behind a byte; `None` at the end.
    pub(super) fn next(self, at: u32) -> Option<Placed> {
        self.next_here(at)
    }

    /// The same where it is called, for what goes over all tokens.
    #[inline(always)]
    pub(super) fn next_here(self, at: u32) -> Option<Placed> {
        let bytes = self.text.as_bytes();
        let mut begin = at as usize;
        let (token, end) = loop {
            match *bytes.get(begin)? {
                b' ' | b'\t' | b'\r' => begin += 1,
                b'\n' | b';' => return None,
                b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'.' => break self.word_at(begin),
                b'0'..=b'9' => break self.number_at(begin),
                b'"' => break self.quoted_at(begin),
                0..=0x7f => match Sign::at(bytes, begin) {
                    Some((sign, end)) => break (Token::Sign(sign), end),
                    None => break self.unknown_at(begin),
                },
                _ => match beyond_ascii(self.text, begin) {
                    Beyond::Space(len) => begin += len,
                    Beyond::Letter => break self.word_at(begin),
                    Beyond::Other => break self.unknown_at(begin),
                },
            }
        };
        Some(Placed {
            token,
            begin: begin as u32,
            end: end as u32,
        })
    }

    /// The end of the colon that is the first token at or behind a byte, if it is one.
    #[inline]
    pub(super) fn colon_at(self, at: u32) -> Option<u32> {
        match *self.text.as_bytes().get(at as usize)? {
            b':' => at.checked_add(1),
            // Most names that begin a line have another and no colon behind.
            b' ' if self.letter_at(at + 1) => None,
            _ => {
                let colon = self.next(at)?;
                (colon.token == Token::Sign(Sign::COLON)).then_some(colon.end)
            }
        }
    }

    fn letter_at(self, at: u32) -> bool {
        let byte = self.text.as_bytes().get(at as usize);
        byte.is_some_and(u8::is_ascii_alphabetic)
    }

    /// All tokens.
    pub(super) fn tokens(self) -> impl Iterator<Item = Placed> {
        std::iter::successors(self.next(0), move |last| self.next(last.end))
    }

    /// How long the line is, of which nothing but a comment is left at a byte.
    #[inline]
    pub(super) fn len(self, at: u32) -> usize {
        let at = at as usize;
        let rest = self.text.get(at..).unwrap_or_default();
        match rest.as_bytes() {
            [b'\n', ..] => at,
            _ => at + rest.find('\n').unwrap_or(rest.len()),
        }
    }

    /// What stands in the place of a token.
    #[inline]
    pub(super) fn text(self, placed: Placed) -> &'a str {
        let bytes = placed.begin as usize..placed.end as usize;
        self.text.get(bytes).unwrap_or_default()
    }

    /// The word that a token is, if it is one.
    #[inline]
    pub(super) fn word(self, placed: Option<Placed>) -> Option<&'a str> {
        let word = placed.filter(|placed| matches!(placed.token, Token::Word(_)));
        word.map(|placed| self.text(placed))
    }

    /// The number that a token is, if it is one.
    #[inline]
    pub(super) fn number(self, placed: Option<Placed>) -> Option<u64> {
        let number = placed.filter(|placed| placed.token == Token::Number);
        value(self.text(number?))
    }

    /// The register, name or operator that begins with the letter at `begin`, and its end.
    #[inline]
    fn word_at(self, begin: usize) -> (Token, usize) {
        // Most words are registers.
        if let Some(
            [
                letter @ (b'r' | b'w'),
                digit @ b'0'..=b'9',
                b' ' | b',' | b')' | b'\n',
            ],
        ) = self.text.as_bytes().get(begin..begin + 3)
        {
            let number = digit - b'0';
            return match letter {
                b'r' => (Token::Reg(number), begin + 2),
                _ => (Token::Low(number), begin + 2),
            };
        }
        self.longer_word_at(begin)
    }

    #[inline(never)]
    fn longer_word_at(self, begin: usize) -> (Token, usize) {
        let end = word_end(self.text, begin);
        let token = match self.text.as_bytes().get(begin..end) {
            Some([b'r', digits @ ..]) if all_digits(digits) => register(digits).map(Token::Reg),
            Some([b'w', digits @ ..]) if all_digits(digits) => register(digits).map(Token::Low),
            Some([b's']) => match Sign::signed_at(self.text.as_bytes(), begin) {
                Some((sign, end)) => return (Token::Sign(sign), end),
                None => Some(Token::Word(None)),
            },
            _ => Some(Token::Word(Keyword::at(self.text, begin, end))),
        };
        (token.unwrap_or(Token::Unknown), end)
    }

    /// The number at `begin`, decimal or hexadecimal, and its end.
    #[inline]
    fn number_at(self, begin: usize) -> (Token, usize) {
        // Most numbers have one digit.
        match self.text.as_bytes().get(begin + 1) {
            Some(b' ' | b')' | b'\n') => (Token::Number, begin + 1),
            _ => self.longer_number_at(begin),
        }
    }

    #[inline(never)]
    fn longer_number_at(self, begin: usize) -> (Token, usize) {
        let end = word_end(self.text, begin);
        match self.text.get(begin..end).and_then(value) {
            Some(_) => (Token::Number, end),
            None => (Token::Unknown, end),
        }
    }

    /// The name in quotes at `begin`, and its end.
    #[cold]
    fn quoted_at(self, begin: usize) -> (Token, usize) {
        let rest = self.text.get(begin..).unwrap_or_default();
        let line = rest.split('\n').next().unwrap_or_default();
        match quoted_len(line) {
            Some(len) => (Token::Quoted, begin + len),
            None => (Token::Unknown, begin + line.len()),
        }
    }

    #[cold]
    fn unknown_at(self, begin: usize) -> (Token, usize) {
        (Token::Unknown, word_end(self.text, begin))
    }
}

/// Whether a name can stand among tokens without quotes, and be read as a name and no more.
pub(super) fn is_plain(name: &str) -> bool {
    let first = Line::of(name).next(0);
    let is_whole = first.is_some_and(|first| first.begin == 0 && first.end as usize == name.len());
    is_whole && first.map(|first| first.token) == Some(Token::Word(None)) && name != "pc"
}

/// What a character that is not ASCII is.
enum Beyond {
    Space(usize),
    Letter,
    Other,
}

fn beyond_ascii(line: &str, begin: usize) -> Beyond {
    match line.get(begin..).and_then(|rest| rest.chars().next()) {
        Some(c) if c.is_whitespace() => Beyond::Space(c.len_utf8()),
        Some(c) if c.is_alphabetic() => Beyond::Letter,
        _ => Beyond::Other,
    }
}

/// Whether an ASCII character goes on with a word that has begun.
pub(super) const fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '$')
}

/// What a byte is to the word before it.
#[derive(Clone, Copy)]
enum Next {
    /// A part of it.
    Word,
    /// Its end.
    End,
    /// The beginning of a character that is not ASCII.
    Beyond,
}

/// The same of each.
static NEXT: [Next; 256] = {
    let mut all = [Next::Beyond; 256];
    let mut byte = 0;
    while byte < 128_u8 {
        all[byte as usize] = match is_of_word(byte as char) {
            true => Next::Word,
            false => Next::End,
        };
        byte += 1;
    }
    all
};

/// The end of the name or number that begins at `begin`, at least one character on.
#[inline]
fn word_end(line: &str, begin: usize) -> usize {
    let bytes = line.as_bytes();
    let mut end = begin;
    while let Some(&byte) = bytes.get(end) {
        match NEXT[usize::from(byte)] {
            Next::Word => end += 1,
            Next::End => break,
            Next::Beyond => match letter_beyond_ascii(line, end, begin) {
                Some(len) => end += len,
                None => break,
            },
        }
    }
    end.max(begin + 1)
}

/// The length of a character that goes on with a word, or that is where none can begin.
#[cold]
fn letter_beyond_ascii(line: &str, at: usize, begin: usize) -> Option<usize> {
    let next = line.get(at..)?.chars().next()?;
    (next.is_alphanumeric() || at == begin).then_some(next.len_utf8())
}

fn all_digits(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit)
}

/// The register of this number.
fn register(digits: &[u8]) -> Option<u8> {
    match digits {
        [digit] => Some(digit - b'0'),
        [b'1', b'0'] => Some(10),
        _ => None,
    }
}

/// The number that a text is, if it is one of 64 bits.
#[inline]
fn value(text: &str) -> Option<u64> {
    match text.as_bytes() {
        [digit @ b'0'..=b'9'] => Some((digit - b'0').into()),
        [b'0', b'x' | b'X', ..] => u64::from_str_radix(text.get(2..)?, 16).ok(),
        digits => decimal(digits),
    }
}

fn decimal(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts of the tokens, up to the first that is none.
    fn shown(line: &str) -> Result<String, (u32, u32)> {
        let line = Line::of(line);
        let text = |placed: Placed| match placed.token {
            Token::Unknown => Err((placed.begin, placed.end)),
            _ => Ok(format!("'{}'", line.text(placed))),
        };
        let texts: Result<Vec<String>, _> = line.tokens().map(text).collect();
        Ok(texts?.join(" "))
    }

    #[test]
    fn operators_are_as_long_as_can_be() {
        let line = "if r1 s>= w10 s>>=s<x s /=-0x1F; r99";
        let expected = "'if' 'r1' 's>=' 'w10' 's>>=' 's<' 'x' 's' '/=' '-' '0x1F'";
        assert_eq!(shown(line), Ok(expected.into()));
    }

    #[test]
    fn what_is_no_token_is_shown_from_begin_to_end() {
        assert_eq!(shown("r1 = r11"), Err((5, 8)));
        assert_eq!(shown("é = 5€"), Err((6, 9)));
        assert_eq!(shown(" 99999999999999999999"), Err((1, 21)));
        assert_eq!(shown("0x"), Err((0, 2)));
    }

    #[test]
    fn every_token_has_a_place_of_its_own() {
        for (place, token) in Token::all().enumerate() {
            assert_eq!(token.index(), place, "{token}");
        }
    }
}
