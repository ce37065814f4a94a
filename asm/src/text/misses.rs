//! Why a line is no instruction: the token up to which some spelling goes, and what all
//! spellings that go so far want there.

use super::fields::Range;
use super::spelling::{Known, Wrong, opcode_name};
use super::token::{Line, Token};
use crate::helper;
use crate::insn::Reg;
use crate::near::near;
use std::fmt;

/// What a spelling wants where a line has something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    Token(Token),
    /// This number.
    Exactly(u8),
    /// The end of the line.
    End,
    Register,
    LowHalf,
    /// The register that stands there already.
    Again(Reg),
    Number,
    Signed,
    Distance,
    Helper,
    Function,
    Symbol,
    /// The line has the shape, and its number does not fit the field.
    Fits {
        is_negative: bool,
        magnitude: u64,
        range: Range,
    },
    /// The line is an instruction, and the opcode or the bytes before it are another.
    Agreement,
}

impl fmt::Display for Want {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Want::Token(token) => return write!(f, "{token}"),
            Want::Exactly(number) => return write!(f, "'{number}'"),
            Want::Again(register) => return write!(f, "register {} again", register.number()),
            Want::Fits {
                is_negative,
                magnitude,
                range,
            } => {
                let sign = if *is_negative { "-" } else { "" };
                let (low, high) = range.bounds();
                return write!(
                    f,
                    "{sign}{magnitude} does not fit: the field holds {low} to {high}"
                );
            }
            Want::End => "the end of the line",
            Want::Register => "a register (r0 to r10)",
            Want::LowHalf => "a register's low half (w0 to w10)",
            Want::Number => "a number",
            Want::Signed => "'+' or '-' and a number",
            Want::Distance => "a label, or a distance like +5",
            Want::Helper => "a helper's name or id",
            Want::Function => "a function's name",
            Want::Symbol => "a name",
            Want::Agreement => "what the opcode or the bytes say",
        })
    }
}

/// Who is told of spellings that a line is not.
pub(super) trait Misses {
    /// Whether anybody listens: if not, branches are left out that cannot be right.
    const ARE_HEARD: bool;

    /// A spelling goes up to the byte `at`, and wants something else than the token there.
    fn miss(&mut self, at: u32, want: Want);
}

/// Nobody: lines that are instructions cost nothing for it.
pub(super) struct Ignored;

impl Misses for Ignored {
    const ARE_HEARD: bool = false;

    #[inline]
    fn miss(&mut self, _: u32, _: Want) {}
}

/// What the spellings want that a line goes furthest with.
#[derive(Default)]
pub(super) struct Expected {
    at: u32,
    wants: Vec<Want>,
    /// The line has the shape of an instruction, and this does not fit.
    unfit: Option<(u32, Want)>,
}

impl Misses for Expected {
    const ARE_HEARD: bool = true;

    fn miss(&mut self, at: u32, want: Want) {
        if matches!(want, Want::Fits { .. } | Want::Agreement) {
            self.unfit.get_or_insert((at, want));
            return;
        }
        if at > self.at {
            self.at = at;
            self.wants.clear();
        }
        if at == self.at && !self.wants.contains(&want) {
            self.wants.push(want);
        }
    }
}

/// More wants than this say nothing.
const MOST: usize = 8;

impl Expected {
    /// The error that the line is.
    pub(super) fn wrong(self, line: Line<'_>, known: &Known) -> Wrong {
        match self.unfit {
            Some((at, want @ Want::Fits { .. })) if let Some(placed) = line.next(at) => {
                return Wrong::at(placed, want.to_string());
            }
            Some((_, Want::Agreement)) => return contradiction(line, known),
            _ => {}
        }
        let next = line.next(self.at);
        if let Some(placed) = next
            && let Some(name) = line.word(next)
            && self.wants.contains(&Want::Helper)
            && name.starts_with("bpf_")
        {
            let names = helper::HELPERS.iter().map(|helper| helper.name);
            let meant = near(name.trim_start_matches("bpf_"), names);
            return Wrong::at(placed, format!("no helper is named {name}"))
                .help(meant.map(|meant| format!("did you mean 'bpf_{meant}'?")));
        }
        let expected = self.sentence();
        match next {
            Some(placed) => Wrong::at(placed, expected).help(self.meant(line)),
            None => Wrong {
                begin: self.at,
                end: self.at,
                ..Wrong::line(expected)
            },
        }
    }

    fn sentence(&self) -> String {
        match self.wants.as_slice() {
            [one] => format!("expected {one}"),
            [others @ .., last] if others.len() < MOST => {
                let others: Vec<String> = others.iter().map(Want::to_string).collect();
                format!("expected {} or {last}", others.join(", "))
            }
            many if many
                .iter()
                .all(|want| matches!(want, Want::Token(Token::Sign(_)))) =>
            {
                let signs: Vec<String> = many.iter().map(Want::to_string).collect();
                format!("expected an operator: {}", signs.join(" "))
            }
            _ if self.at == 0 => "no instruction begins like this".into(),
            _ => "no instruction goes on like this".into(),
        }
    }

    /// The word that was probably meant in the place of another.
    fn meant(&self, line: Line<'_>) -> Option<String> {
        let word = line.word(line.next(self.at))?;
        let words = self.wants.iter().filter_map(|want| match want {
            Want::Token(Token::Word(Some(word))) => Some(word.text()),
            _ => None,
        });
        near(word, words).map(|meant| format!("did you mean '{meant}'?"))
    }
}

/// The line is an instruction, and what stands before it is another.
fn contradiction(line: Line<'_>, known: &Known) -> Wrong {
    let message = match *known {
        Known::Bytes(insn) => format!("the bytes are '{insn}', and the text says otherwise"),
        Known::Opcode(opcode) => match opcode_name(opcode) {
            Some(name) => {
                format!("the opcode {opcode:#04x} is {name}, and the text says otherwise")
            }
            None => format!("no instruction has the opcode {opcode:#04x}"),
        },
        Known::Nothing => "no instruction is spelled like this".into(),
    };
    match (line.next(0), line.tokens().last()) {
        (Some(first), Some(last)) => Wrong {
            end: last.end,
            ..Wrong::at(first, message)
        },
        _ => Wrong::line(message),
    }
}
