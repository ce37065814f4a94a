//! The words of a directive: separated by spaces, or in quotes.

use super::spelling::Wrong;

/// A word and where it stands in its line, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word<'a> {
    /// What stands there; of a quoted word with its quotes.
    pub(super) text: &'a str,
    pub(super) begin: u32,
    pub(super) end: u32,
}

impl<'a> Word<'a> {
    pub(super) fn wrong(&self, message: impl Into<String>) -> Wrong {
        Wrong {
            begin: self.begin,
            end: self.end,
            ..Wrong::line(message)
        }
    }

    /// The number that the word is.
    pub(super) fn number<T: TryFrom<u64>>(&self, what: &str) -> Result<T, Wrong> {
        let number = self.number64(what)?;
        T::try_from(number)
            .map_err(|_| self.wrong(format!("{number} does not fit: expected {what}")))
    }

    /// The number of 64 bits that the word is.
    pub(super) fn number64(&self, what: &str) -> Result<u64, Wrong> {
        let number = match self.text.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16).ok(),
            None => self.text.parse().ok(),
        };
        number.ok_or_else(|| self.wrong(format!("expected {what}, and '{}' is none", self.text)))
    }

    /// The words on both sides of the first `=`.
    pub(super) fn split_at_equals(&self) -> Option<(Word<'a>, Word<'a>)> {
        let (left, right) = self.text.split_once('=')?;
        let middle = self.end - u32::try_from(right.len()).ok()?;
        let left = Word {
            text: left,
            begin: self.begin,
            end: middle - 1,
        };
        let right = Word {
            text: right,
            begin: middle,
            end: self.end,
        };
        Some((left, right))
    }

    /// What a quoted word says; of one without quotes itself.
    pub(super) fn string(&self) -> Result<String, Wrong> {
        let bytes = self.bytes()?;
        String::from_utf8(bytes).map_err(|_| self.wrong("not UTF-8"))
    }

    /// The same of a word that ends the line where nothing is quoted: all that is left of it.
    pub(super) fn rest(self, words: &mut Words<'a>) -> Result<String, Wrong> {
        let mut all = vec![self.string()?];
        for word in words.by_ref() {
            all.push(word.text.to_owned());
        }
        Ok(all.join(" "))
    }

    /// The bytes that a quoted word stands for: `\n`, `\t`, `\0`, `\"`, `\\` and `\xff` are
    /// one.
    pub(super) fn bytes(&self) -> Result<Vec<u8>, Wrong> {
        let Some(quote) = self.text.chars().next().filter(|first| is_quote(*first)) else {
            return Ok(self.text.as_bytes().to_vec());
        };
        let inside = self.text.strip_prefix(quote);
        let inside = inside
            .and_then(|rest| rest.strip_suffix(quote))
            .unwrap_or_default();
        let mut bytes = Vec::with_capacity(inside.len());
        let mut rest = inside.bytes();
        while let Some(byte) = rest.next() {
            if byte != b'\\' {
                bytes.push(byte);
                continue;
            }
            bytes.push(match rest.next() {
                Some(b'n') => b'\n',
                Some(b't') => b'\t',
                Some(b'0') => 0,
                Some(same @ (b'"' | b'\'' | b'\\')) => same,
                Some(b'x') => {
                    let mut digit = || Some(char::from(rest.next()?).to_digit(16)? as u8);
                    let both = digit().zip(digit());
                    match both {
                        Some((high, low)) => high << 4 | low,
                        None => return Err(self.wrong("expected two digits behind '\\x'")),
                    }
                }
                _ => return Err(self.wrong("expected n, t, 0, x, \" or \\ behind '\\'")),
            });
        }
        Ok(bytes)
    }
}

/// A quoted word that stands for the bytes; the inverse of [`Word::bytes`].
pub(super) fn quoted(bytes: &[u8]) -> String {
    let mut text = String::from("\"");
    for &byte in bytes {
        match byte {
            b'\n' => text.push_str("\\n"),
            b'\t' => text.push_str("\\t"),
            b'"' => text.push_str("\\\""),
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text.push('"');
    text
}

/// The words of a line up to its comment.
#[derive(Debug)]
pub(super) struct Words<'a> {
    words: std::vec::IntoIter<Word<'a>>,
    /// The end of the last word.
    end: u32,
}

impl<'a> Words<'a> {
    /// # Errors
    /// If quotes are not closed.
    pub(super) fn new(line: &'a str) -> Result<Words<'a>, Wrong> {
        let mut words = Vec::new();
        let mut at = 0;
        while let Some(rest) = line.get(at..) {
            let Some(first) = rest.chars().next().filter(|first| *first != ';') else {
                break;
            };
            if first.is_whitespace() {
                at += first.len_utf8();
                continue;
            }
            let len = match first {
                quote if is_quote(quote) => quoted_len(rest),
                _ => Some(
                    rest.find(|c: char| c.is_whitespace() || c == ';')
                        .unwrap_or(rest.len()),
                ),
            };
            let place = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
            let Some(text) = len.and_then(|len| rest.get(..len)) else {
                return Err(Wrong {
                    begin: place(at),
                    end: place(line.len()),
                    ..Wrong::line("the quotes are not closed")
                });
            };
            let end = at + text.len();
            words.push(Word {
                text,
                begin: place(at),
                end: place(end),
            });
            at = end;
        }
        let end = words.last().map_or(0, |word| word.end);
        Ok(Words {
            words: words.into_iter(),
            end,
        })
    }

    /// The next word, which must be there.
    pub(super) fn wants(&mut self, what: &str) -> Result<Word<'a>, Wrong> {
        let behind = self.behind(format!("expected {what}"));
        self.next().ok_or(behind)
    }

    /// An error about what is missing behind the last word.
    pub(super) fn behind(&self, message: impl Into<String>) -> Wrong {
        Wrong {
            begin: self.end,
            end: self.end,
            ..Wrong::line(message)
        }
    }

    /// The next word, if it is no `name=value`.
    pub(super) fn next_plain(&mut self) -> Option<Word<'a>> {
        let next = self.words.as_slice().first()?;
        let is_plain = next.text.starts_with(is_quote) || !next.text.contains('=');
        is_plain.then(|| self.words.next())?
    }

    /// The next word, if it is a number.
    pub(super) fn next_plain_number(&mut self) -> Option<Word<'a>> {
        let next = self.words.as_slice().first()?;
        let digits = next.text.trim_start_matches('-');
        let is_number = digits.starts_with(|first: char| first.is_ascii_digit());
        is_number.then(|| self.words.next())?
    }

    /// An error about the whole directive.
    pub(super) fn wrong(&self, message: &str) -> Wrong {
        Wrong {
            end: self.end,
            ..Wrong::line(message)
        }
    }

    /// # Errors
    /// If a word is left.
    pub(super) fn end(&mut self) -> Result<(), Wrong> {
        match self.next() {
            Some(word) => Err(word.wrong("expected the end of the line")),
            None => Ok(()),
        }
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = Word<'a>;

    fn next(&mut self) -> Option<Word<'a>> {
        self.words.next()
    }
}

/// Whether a character begins a word that another like it ends.
fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'')
}

/// The length of the quoted word at the beginning; `None` if it does not end.
pub(super) fn quoted_len(text: &str) -> Option<usize> {
    let mut escaped = false;
    let mut bytes = text.bytes().enumerate();
    let (_, quote) = bytes.next()?;
    bytes.find_map(|(at, byte)| {
        let ends = byte == quote && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends.then_some(at + 1)
    })
}
