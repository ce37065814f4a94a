//! Signs: all operators and brackets that spellings are made of, and which of them stands at a
//! place of a line.

use std::fmt;
use std::num::NonZero;

/// An operator or a bracket: its place among all, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sign(NonZero<u8>);

/// All signs. Each is a character that may stand twice or have `=` behind, and operators with
/// an `s` before are signed.
const SIGNS: [&str; 37] = [
    "(", ")", ",", "[", "]", ":", "#", "{", "}", // brackets and what separates
    "=", "+", "-", "*", "<", ">", "&", // alone
    "==", "!=", "<=", ">=", "+=", "-=", "*=", "/=", "|=", "&=", "^=", "%=", "<<=", ">>=", //
    "s<", "s>", "s<=", "s>=", "s/=", "s%=", "s>>=", // signed
];

/// The signs that begin with one character: alone, with `=` behind, and twice with `=` behind.
type Forms = [Option<Sign>; 3];

/// The signs by their first character.
static PLAIN: [Forms; 128] = by_first("");
/// The signed ones, by the first character behind their `s`.
static SIGNED: [Forms; 128] = by_first("s");

const fn by_first(prefix: &str) -> [Forms; 128] {
    let mut all = [[None; 3]; 128];
    let mut n = 0;
    while n < SIGNS.len() {
        let text = SIGNS[n].as_bytes();
        let is_signed = text[0] == b's';
        if is_signed != prefix.is_empty() {
            let first = text[prefix.len()] as usize;
            all[first][text.len() - prefix.len() - 1] = Some(Sign::numbered(n));
        }
        n += 1;
    }
    all
}

impl Sign {
    pub(super) const PLUS: Sign = Sign::alone(b'+');
    pub(super) const MINUS: Sign = Sign::alone(b'-');
    pub(super) const HASH: Sign = Sign::alone(b'#');
    pub(super) const COLON: Sign = Sign::alone(b':');

    /// How many there are.
    pub(super) const COUNT: usize = SIGNS.len();

    const fn alone(character: u8) -> Sign {
        match by_first("")[character as usize][0] {
            Some(sign) => sign,
            None => panic!("not among the signs"),
        }
    }

    const fn numbered(index: usize) -> Sign {
        match NonZero::new(index as u8 + 1) {
            Some(number) => Sign(number),
            None => panic!("signs are few"),
        }
    }

    /// All signs.
    pub(super) fn all() -> impl Iterator<Item = Sign> {
        (0..Sign::COUNT).map(Sign::numbered)
    }

    /// The sign's place among all, counted from 0.
    #[inline]
    pub(super) fn index(self) -> usize {
        usize::from(self.0.get()) - 1
    }

    /// The sign at `begin` and its end: as long as can be.
    #[inline]
    pub(super) fn at(bytes: &[u8], begin: usize) -> Option<(Sign, usize)> {
        longest(&PLAIN, bytes, begin)
    }

    /// The signed operator whose `s` stands at `begin`, and its end.
    pub(super) fn signed_at(bytes: &[u8], begin: usize) -> Option<(Sign, usize)> {
        longest(&SIGNED, bytes, begin + 1)
    }
}

#[inline]
fn longest(signs: &[Forms; 128], bytes: &[u8], begin: usize) -> Option<(Sign, usize)> {
    let first = *bytes.get(begin)?;
    let [alone, assigns, twice] = signs.get(usize::from(first))?;
    let behind = |n: usize| bytes.get(begin + n).copied();
    let twice = twice.filter(|_| behind(1) == Some(first) && behind(2) == Some(b'='));
    if let Some(sign) = twice {
        return Some((sign, begin + 3));
    }
    if let Some(sign) = assigns.filter(|_| behind(1) == Some(b'=')) {
        return Some((sign, begin + 2));
    }
    alone.map(|sign| (sign, begin + 1))
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SIGNS.get(self.index()).unwrap_or(&""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sign_is_found_where_it_stands() {
        for (n, text) in SIGNS.iter().enumerate() {
            let found = match text.starts_with('s') {
                true => Sign::signed_at(text.as_bytes(), 0),
                false => Sign::at(text.as_bytes(), 0),
            };
            assert_eq!(found, Some((Sign::numbered(n), text.len())), "{text}");
            assert_eq!(Sign::numbered(n).to_string(), *text);
        }
    }
}
