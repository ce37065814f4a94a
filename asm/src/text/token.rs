//! Tokens: what a line of text, and the spelling of a row, are made of.

/// The smallest part of a line that means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// `r0` to `r10`.
    Reg(u8),
    /// `w0` to `w10`: the low 32 bits of a register.
    Low(u8),
    /// A number without its sign.
    Number(u64),
    /// Anything that begins like a name.
    Word(&'a str),
    /// An operator or a bracket.
    Sign(Sign),
}

impl std::fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Token::Reg(number) => write!(f, "'r{number}'"),
            Token::Low(number) => write!(f, "'w{number}'"),
            Token::Number(number) => write!(f, "'{number}'"),
            Token::Word(text) => write!(f, "'{text}'"),
            Token::Sign(sign) => write!(f, "'{sign}'"),
        }
    }
}

/// An operator or a bracket: up to four bytes of ASCII, zeros behind, so that two compare
/// as numbers do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sign(u32);

impl Sign {
    pub(super) const PLUS: Sign = Sign::of(b"+");
    pub(super) const MINUS: Sign = Sign::of(b"-");
    pub(super) const HASH: Sign = Sign::of(b"#");
    pub(super) const IS: Sign = Sign::of(b"=");
    pub(super) const COLON: Sign = Sign::of(b":");

    const fn of(text: &[u8]) -> Sign {
        let (mut packed, mut n) = (0, text.len());
        while n > 0 {
            n -= 1;
            packed = packed << 8 | text[n] as u32;
        }
        Sign(packed)
    }
}

impl std::fmt::Display for Sign {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bytes = self.0.to_le_bytes();
        let text = bytes.iter().take_while(|byte| **byte != 0);
        text.map(|byte| char::from(*byte))
            .try_for_each(|c| write!(f, "{c}"))
    }
}

/// A token and where it stands in its line, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Placed<'a> {
    pub(super) token: Token<'a>,
    pub(super) begin: u32,
    pub(super) end: u32,
}

/// Puts the tokens of a line up to its comment into `all`, which is emptied first: one
/// buffer serves for all lines.
///
/// # Errors
/// From where to where a character stands that no token begins with, a number that 64 bits
/// cannot hold, or a register that there is not.
pub(super) fn tokens<'a>(line: &'a str, all: &mut Vec<Placed<'a>>) -> Result<(), (u32, u32)> {
    all.clear();
    let bytes = line.as_bytes();
    let mut begin = 0;
    while let Some(&first) = bytes.get(begin) {
        let end = match first {
            b' ' | b'\t' | b'\r' => Some(begin + 1),
            b';' => break,
            b'(' | b')' | b',' | b'[' | b']' | b':' | b'#' | b'{' | b'}' => {
                put(all, Token::Sign(Sign(first.into())), begin, begin + 1)
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'.' => word(line, begin, all),
            b'0'..=b'9' => number(line, begin, all),
            0..=0x7f => operator(bytes, begin)
                .and_then(|(sign, end)| put(all, Token::Sign(sign), begin, end)),
            _ => match beyond_ascii(line, begin) {
                Beyond::Space(len) => Some(begin + len),
                Beyond::Letter => word(line, begin, all),
                Beyond::Other => None,
            },
        };
        let Some(end) = end else {
            return Err((place(begin), place(word_end(line, begin))));
        };
        begin = end;
    }
    Ok(())
}

/// A byte of a line as tokens say it.
#[inline]
fn place(byte: usize) -> u32 {
    u32::try_from(byte).unwrap_or(u32::MAX)
}

/// Puts a token behind the others; gives its end. Tokens are written where they stay: to hand
/// them around costs more than to find them.
#[inline(always)]
fn put<'a>(all: &mut Vec<Placed<'a>>, token: Token<'a>, begin: usize, end: usize) -> Option<usize> {
    all.push(Placed {
        token,
        begin: place(begin),
        end: place(end),
    });
    Some(end)
}

/// Whether a name can stand among tokens and be read as a name.
pub(super) fn is_word(name: &str) -> bool {
    let mut all = Vec::new();
    let is_one = tokens(name, &mut all).is_ok() && all.len() == 1;
    is_one
        && all
            .first()
            .is_some_and(|placed| placed.token == Token::Word(name))
        && name != "pc"
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

/// Puts the register, name or operator that begins with the letter at `begin`; gives its end.
#[inline]
fn word<'a>(line: &'a str, begin: usize, all: &mut Vec<Placed<'a>>) -> Option<usize> {
    // Most words are registers.
    if let Some(&[letter @ (b'r' | b'w'), digit @ b'0'..=b'9', next]) = line
        .as_bytes()
        .get(begin..begin + 3)
        .and_then(|three| three.first_chunk())
        && matches!(next, b' ' | b',' | b')')
    {
        let number = digit - b'0';
        return match letter {
            b'r' => put(all, Token::Reg(number), begin, begin + 2),
            _ => put(all, Token::Low(number), begin, begin + 2),
        };
    }
    let end = word_end(line, begin);
    let text = line.get(begin..end)?;
    match text.as_bytes() {
        [b'r', digits @ ..] if all_digits(digits) => {
            put(all, Token::Reg(register(digits)?), begin, end)
        }
        [b'w', digits @ ..] if all_digits(digits) => {
            put(all, Token::Low(register(digits)?), begin, end)
        }
        // The signed operators: `s>=`, `s/=`...
        [b's'] => match signed_operator(line.as_bytes(), begin) {
            Some((sign, end)) => put(all, Token::Sign(sign), begin, end),
            None => put(all, Token::Word(text), begin, end),
        },
        _ => put(all, Token::Word(text), begin, end),
    }
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

/// The end of the name or number that begins at `begin`, at least one character on.
#[inline]
fn word_end(line: &str, begin: usize) -> usize {
    let bytes = line.as_bytes();
    let mut end = begin;
    while let Some(&byte) = bytes.get(end) {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'$') {
            end += 1;
            continue;
        }
        let rest = line.get(end..).filter(|_| !byte.is_ascii());
        let next = rest.and_then(|rest| rest.chars().next());
        match next.filter(|c| c.is_alphanumeric() || end == begin) {
            Some(c) => end += c.len_utf8(),
            None => break,
        }
    }
    end.max(begin + 1)
}

/// Puts the number at `begin`, decimal or hexadecimal; gives its end.
#[inline]
fn number<'a>(line: &'a str, begin: usize, all: &mut Vec<Placed<'a>>) -> Option<usize> {
    // Most numbers have one digit.
    if let Some(&[digit, next]) = line
        .as_bytes()
        .get(begin..begin + 2)
        .and_then(|two| two.first_chunk())
        && matches!(next, b' ' | b')' | b',')
    {
        return put(all, Token::Number((digit - b'0').into()), begin, begin + 1);
    }
    let end = word_end(line, begin);
    let text = line.get(begin..end)?;
    let number = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => u64::from_str_radix(text.get(2..)?, 16).ok()?,
        digits => decimal(digits)?,
    };
    put(all, Token::Number(number), begin, end)
}

fn decimal(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// The operator at `begin` and its end: as long as can be.
#[inline]
fn operator(bytes: &[u8], begin: usize) -> Option<(Sign, usize)> {
    let at = |n: usize| bytes.get(begin + n).copied().unwrap_or_default();
    let (first, second) = (at(0), at(1));
    let len = match first {
        b'<' | b'>' if second == first && at(2) == b'=' => 3,
        b'=' | b'<' | b'>' | b'&' | b'+' | b'-' | b'*' => 1 + usize::from(second == b'='),
        b'!' | b'/' | b'|' | b'^' | b'%' if second == b'=' => 2,
        _ => return None,
    };
    sign(bytes, begin, len)
}

/// The operator behind an `s` at `begin`, which makes it a signed one: `s>=`, `s/=`...
fn signed_operator(bytes: &[u8], begin: usize) -> Option<(Sign, usize)> {
    let (operator, end) = operator(bytes, begin + 1)?;
    const SIGNED: [&[u8]; 7] = [b">", b"<", b">=", b"<=", b">>=", b"/=", b"%="];
    let is_signed = SIGNED.iter().any(|known| Sign::of(known) == operator);
    is_signed.then(|| sign(bytes, begin, end - begin))?
}

/// The sign of a length.
#[inline]
fn sign(bytes: &[u8], begin: usize, len: usize) -> Option<(Sign, usize)> {
    let end = begin + len;
    Some((Sign::of(bytes.get(begin..end)?), end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str) -> Result<String, (u32, u32)> {
        let mut all = Vec::new();
        tokens(line, &mut all)?;
        let texts: Vec<String> = all.iter().map(|placed| placed.token.to_string()).collect();
        Ok(texts.join(" "))
    }

    #[test]
    fn operators_are_as_long_as_can_be() {
        let line = "if r1 s>= w10 s>>=s<x s /=-0x1F; r99";
        let expected = "'if' 'r1' 's>=' 'w10' 's>>=' 's<' 'x' 's' '/=' '-' '31'";
        assert_eq!(shown(line), Ok(expected.into()));
    }

    #[test]
    fn what_is_no_token_is_shown_from_begin_to_end() {
        assert_eq!(shown("r1 = r11"), Err((5, 8)));
        assert_eq!(shown("é = 5€"), Err((6, 9)));
        assert_eq!(shown(" 99999999999999999999"), Err((1, 21)));
        assert_eq!(shown("0x"), Err((0, 2)));
    }
}
