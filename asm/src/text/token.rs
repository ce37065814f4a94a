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
    Sign(&'a str),
}

impl std::fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Token::Reg(number) => write!(f, "'r{number}'"),
            Token::Low(number) => write!(f, "'w{number}'"),
            Token::Number(number) => write!(f, "'{number}'"),
            Token::Word(text) | Token::Sign(text) => write!(f, "'{text}'"),
        }
    }
}

/// A token and where it stands in its line, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Placed<'a> {
    pub(super) token: Token<'a>,
    pub(super) begin: usize,
    pub(super) end: usize,
}

/// The operators, each before its own beginnings.
const SIGNS: [&str; 31] = [
    "s>>=", "s>=", "s<=", "s/=", "s%=", "s>", "s<", ">>=", "<<=", "==", "!=", ">=", "<=", "+=",
    "-=", "*=", "/=", "|=", "&=", "^=", "%=", "=", ">", "<", "&", "+", "-", "*", "(", ")", ",",
];
/// The rest of the signs, which no operator begins with.
const BRACKETS: [&str; 3] = ["[", "]", ":"];

/// The tokens of a line up to its comment.
///
/// # Errors
/// Where a character stands that no token begins with, or a number that 64 bits cannot hold.
pub(super) fn tokens(line: &str) -> Result<Vec<Placed<'_>>, (usize, usize)> {
    let mut all = Vec::new();
    let mut begin = 0;
    while let Some(rest) = line.get(begin..) {
        let Some(first) = rest.chars().next() else {
            break;
        };
        if first == ';' {
            break;
        }
        if first.is_whitespace() {
            begin += first.len_utf8();
            continue;
        }
        let (token, len) = token(rest, first).ok_or((begin, begin + word_len(rest)))?;
        all.push(Placed {
            token,
            begin,
            end: begin + len,
        });
        begin += len;
    }
    Ok(all)
}

/// The token at the beginning of `rest`, and its length in bytes.
fn token(rest: &str, first: char) -> Option<(Token<'_>, usize)> {
    let sign = SIGNS
        .iter()
        .chain(&BRACKETS)
        .find(|sign| rest.starts_with(**sign));
    if let Some(sign) = sign {
        return Some((Token::Sign(sign), sign.len()));
    }
    let len = word_len(rest);
    let word = rest.get(..len)?;
    if first.is_ascii_digit() {
        return Some((Token::Number(number(word)?), len));
    }
    if !(first.is_alphabetic() || first == '_' || first == '.') {
        return None;
    }
    let register = |prefix| {
        let digits = word.strip_prefix(prefix)?;
        digits
            .bytes()
            .all(|b| b.is_ascii_digit())
            .then_some(digits)
            .filter(|d| !d.is_empty())
    };
    let number = |digits: &str| digits.parse().ok().filter(|number| *number <= 10);
    let token = match (register('r'), register('w')) {
        (Some(digits), _) => Token::Reg(number(digits)?),
        (_, Some(digits)) => Token::Low(number(digits)?),
        _ => Token::Word(word),
    };
    Some((token, len))
}

/// The length of the name or number at the beginning, at least one character.
fn word_len(rest: &str) -> usize {
    let ends = |c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '$'));
    let len = rest.find(ends).unwrap_or(rest.len());
    len.max(rest.chars().next().map_or(0, char::len_utf8))
}

fn number(word: &str) -> Option<u64> {
    match word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => word.parse().ok(),
    }
}
