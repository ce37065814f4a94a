//! The path that led to the end of a log: the instructions in the order in which they ran.
//!
//! With `log_level` 1 a log holds only that path; with 2 it holds all, and `from 3 to 5` goes
//! back to where the path at hand left another one.
//!
//! Read before: `line.rs`.

use super::line::Line;

/// The instructions of a path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trail<'a> {
    steps: Vec<Step<'a>>,
}

/// An instruction on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step<'a> {
    /// The instruction's slot.
    pub slot: usize,
    /// Its opcode.
    pub opcode: u8,
    /// The instruction as the verifier prints it.
    pub insn: &'a str,
    /// What the verifier prints of the registers behind it, such as `R1=ctx() R2_w=pkt(r=0)`;
    /// empty if it prints nothing.
    pub state: &'a str,
    /// Where the path goes on, if that is a branch that was told of.
    pub to: Option<usize>,
}

impl<'a> Trail<'a> {
    pub(super) fn of(lines: &[Line<'a>]) -> Trail<'a> {
        let mut steps: Vec<Step<'a>> = Vec::new();
        for line in lines {
            match *line {
                Line::Insn {
                    slot,
                    opcode,
                    text,
                    state,
                } => steps.push(Step {
                    slot,
                    opcode,
                    insn: text,
                    state,
                    to: None,
                }),
                Line::Branch { from, to } => {
                    let left = steps.iter().rposition(|step| step.slot == from);
                    steps.truncate(left.map_or(0, |at| at + 1));
                    if let Some(step) = steps.last_mut() {
                        step.to = Some(to);
                    }
                }
                _ => {}
            }
        }
        Trail { steps }
    }

    /// The instructions, in the order of execution; the last is where the log ends.
    pub fn steps(&self) -> &[Step<'a>] {
        &self.steps
    }
}

impl<'a> Step<'a> {
    /// Whether the instruction writes a register, by the way in which the kernel prints it.
    pub fn writes(&self, register: u8) -> bool {
        match self.written() {
            Some(written) => written == register,
            None => register <= 5 && self.is_call(),
        }
    }

    /// Whether it calls a helper or a function.
    pub fn is_call(&self) -> bool {
        self.insn.starts_with("call ")
    }

    /// Whether it goes from one function to another, with another set of registers.
    pub fn changes_frame(&self) -> bool {
        self.insn.starts_with("call pc") || self.insn == "exit"
    }

    /// The register whose copy it makes: 1 in `r2 = r1`.
    pub fn copies(&self) -> Option<u8> {
        let (_, from) = self.insn.split_once(" = ")?;
        register(from)
    }

    /// What a register is behind it, such as `pkt(r=0)`.
    pub fn becomes(&self, register: u8) -> Option<&'a str> {
        let name = format!("R{register}");
        let mut rest = self.state;
        while let Some(at) = rest.find(&name) {
            let is_word = at == 0 || rest.as_bytes().get(at - 1) == Some(&b' ');
            rest = rest.get(at + name.len()..)?;
            // `R1_w=`, `R1_rw=`: how the register was used.
            let flags = rest.trim_start_matches(|c: char| c == '_' || c.is_ascii_lowercase());
            if let (true, Some(value)) = (is_word, flags.strip_prefix('=')) {
                return Some(first_value(value));
            }
        }
        None
    }

    /// The register on the left of an assignment.
    fn written(&self) -> Option<u8> {
        let (target, rest) = self.insn.split_once(' ')?;
        let (operator, _) = rest.split_once(' ')?;
        register(target).filter(|_| operator.ends_with('='))
    }
}

/// `r1`, `w1`.
fn register(name: &str) -> Option<u8> {
    let digits = name.strip_prefix(['r', 'w'])?;
    digits.parse().ok().filter(|number| *number <= 10)
}

/// The value up to the space that is outside of parentheses.
fn first_value(text: &str) -> &str {
    let mut depth = 0_usize;
    let end = text.find(|c| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ' ' && depth == 0
    });
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}
