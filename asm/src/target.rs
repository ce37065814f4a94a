//! For whom instructions are: a version of the instruction set, and a Linux release.
//!
//! Compiling for a [`Target`] lowers what it does not have, where that can be done
//! (`lower/legal.rs`, and far jumps in `assembler/relax.rs`); [`Target::check`] refuses what is
//! left. The default has all instructions.
//!
//! Read before: `isa.rs`, `program.rs`.

use crate::isa::{Cpu, KernelVersion, Row, Sem};
use crate::program::Program;
use crate::span::Span;
use std::fmt;
use std::str::FromStr;

/// The instructions that may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The newest version of the instruction set.
    pub cpu: Cpu,
    /// The oldest Linux release that is to take the program; `None` if any may be needed.
    pub kernel: Option<KernelVersion>,
}

impl Default for Target {
    /// The newest instruction set, and no release in particular.
    fn default() -> Target {
        Target::from(Cpu::V4)
    }
}

impl From<Cpu> for Target {
    fn from(cpu: Cpu) -> Target {
        Target { cpu, kernel: None }
    }
}

/// Why a target does not have an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TooNew {
    /// Its instruction set is older than the one that brought it.
    Cpu(Cpu),
    /// Its kernel is older than the one that brought it.
    Kernel(KernelVersion),
    /// No release of Linux has it.
    NoKernel,
}

impl fmt::Display for TooNew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TooNew::Cpu(cpu) => write!(f, "it came with -mcpu={cpu}"),
            TooNew::Kernel((major, minor)) => write!(f, "it came with Linux {major}.{minor}"),
            TooNew::NoKernel => f.write_str("no release of Linux has it"),
        }
    }
}

impl Target {
    /// Whether the target has the row; why not, if it does not.
    ///
    /// # Errors
    /// What the row came with.
    pub fn admit(self, row: &Row) -> Result<(), TooNew> {
        if row.cpu > self.cpu {
            return Err(TooNew::Cpu(row.cpu));
        }
        match (self.kernel, row.since) {
            (None, _) => Ok(()),
            (Some(_), None) => Err(TooNew::NoKernel),
            (Some(kernel), Some(since)) if since > kernel => Err(TooNew::Kernel(since)),
            (Some(_), Some(_)) => Ok(()),
        }
    }

    /// Whether there is an instruction that means this, and the target has it.
    pub fn has(self, sem: Sem) -> bool {
        sem.row().is_some_and(|row| self.admit(row).is_ok())
    }

    /// Whether the target has all instructions of a program.
    ///
    /// # Errors
    /// The first that it does not have.
    pub fn check(self, program: &Program) -> Result<(), Box<TargetError>> {
        for (slot, insn) in program.slots() {
            if let Err(why) = self.admit(insn.row()) {
                return Err(Box::new(TargetError {
                    program: program.name.clone(),
                    slot,
                    insn: insn.to_string(),
                    name: insn.row().name,
                    form: insn.row().form(),
                    target: self,
                    why,
                    span: program.span(slot).map(Span::to_owned),
                }));
            }
        }
        Ok(())
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "-mcpu={}", self.cpu)?;
        match self.kernel {
            Some((major, minor)) => write!(f, " on Linux {major}.{minor}"),
            None => Ok(()),
        }
    }
}

/// An instruction that a target does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetError {
    /// The program's name.
    pub program: String,
    /// The slot that the instruction begins in.
    pub slot: usize,
    /// The instruction as text.
    pub insn: String,
    /// The operation's name.
    pub name: &'static str,
    /// Which form of the operation it is ([`Row::form`]).
    pub form: String,
    /// The target.
    pub target: Target,
    /// What the instruction came with.
    pub why: TooNew,
    /// Where it comes from, if that is known.
    pub span: Option<Span>,
}

impl std::error::Error for TargetError {}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TargetError {
            program,
            slot,
            insn,
            form,
            target,
            why,
            ..
        } = self;
        write!(
            f,
            "program `{program}`, slot {slot}: {target} has no {form} `{insn}`: {why}"
        )?;
        match &self.span {
            Some(span) => write!(f, " ({}:{})", span.file, span.line),
            None => Ok(()),
        }
    }
}

/// What is no version of the instruction set, or no release of Linux.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseTargetError {
    /// No version of the instruction set.
    #[error("'{0}' is no version of the instruction set: expected v1, v2, v3 or v4")]
    Cpu(String),
    /// No release of Linux.
    #[error("'{0}' is no release of Linux: expected two numbers like 5.10")]
    Kernel(String),
}

impl FromStr for Cpu {
    type Err = ParseTargetError;

    fn from_str(text: &str) -> Result<Cpu, ParseTargetError> {
        let known = Cpu::ALL.into_iter().find(|cpu| cpu.to_string() == text);
        known.ok_or_else(|| ParseTargetError::Cpu(text.to_owned()))
    }
}

/// The release that a text like `5.10`, `v6.6` or `6.1.9` names; what follows the second number
/// does not matter, since instructions do not come with stable releases.
///
/// # Errors
/// If it is no two numbers.
pub fn parse_kernel(text: &str) -> Result<KernelVersion, ParseTargetError> {
    let name = text.trim();
    let numbers = name.strip_prefix('v').unwrap_or(name);
    let mut numbers = numbers.splitn(3, '.').map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => Ok((major, minor)),
        _ => Err(ParseTargetError::Kernel(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assembler::Assembler;
    use crate::insn::Reg::*;
    use crate::isa::ISA;

    /// Every row on every target: it is there exactly from its version and its release on.
    #[test]
    fn rows_are_there_from_their_cpu_and_kernel_on() {
        let kernels = ISA.iter().filter_map(|row| row.since);
        let kernels: Vec<KernelVersion> = kernels.chain([(3, 17), (6, 18)]).collect();
        for row in &ISA {
            for cpu in Cpu::ALL {
                let any = Target::from(cpu);
                assert_eq!(any.admit(row).is_ok(), row.cpu <= cpu, "{}", row.text);
                for &kernel in &kernels {
                    let target = Target {
                        cpu,
                        kernel: Some(kernel),
                    };
                    let there = row.since.is_some_and(|since| since <= kernel);
                    let admitted = target.admit(row).is_ok();
                    assert_eq!(admitted, there && row.cpu <= cpu, "{} {target}", row.text);
                }
            }
        }
    }

    #[test]
    fn what_is_too_new_is_named_with_its_place() {
        let mut a = Assembler::new("p");
        a.ld_imm64(R2, 1).sdiv(R2, 3).exit();
        let program = a.finish("xdp").unwrap();
        assert_eq!(Target::default().check(&program), Ok(()));
        let message = |cpu, kernel| {
            let target = Target { cpu, kernel };
            target.check(&program).map_err(|error| error.to_string())
        };
        let place = "(asm/src/target.rs:";
        let error = message(Cpu::V3, None).unwrap_err();
        let words = "program `p`, slot 2: -mcpu=v3 has no SDIV `r2 s/= 3`: it came with -mcpu=v4 (";
        assert!(error.starts_with(words) && error.contains(place), "{error}");
        let error = message(Cpu::V4, Some((5, 10))).unwrap_err();
        assert!(
            error.contains("-mcpu=v4 on Linux 5.10 has no SDIV") && error.contains("Linux 6.6"),
            "{error}"
        );
    }

    #[test]
    fn the_form_that_is_too_new_is_named() {
        let text = ".prog xdp p\nr0 = 0\nr1 = code_addr(f)\nexit\nf:\nr0 = 0\nexit\n";
        let object = crate::text::parse("p.bpf", text).unwrap();
        let target = Target {
            cpu: Cpu::V4,
            kernel: Some((5, 4)),
        };
        let refused = target.check(&object.programs[0]).unwrap_err().to_string();
        assert!(
            refused.contains("has no address of a function in LD_IMM64 `")
                && refused.contains("it came with Linux 5.13"),
            "{refused}"
        );
    }

    #[test]
    fn versions_are_read() {
        assert_eq!("v3".parse(), Ok(Cpu::V3));
        assert!("v5".parse::<Cpu>().is_err());
        assert_eq!(parse_kernel("5.10"), Ok((5, 10)));
        assert_eq!(parse_kernel("6.1.9-rc1"), Ok((6, 1)));
        assert_eq!(parse_kernel("v6.6"), Ok((6, 6)));
        for text in ["", "5", "5.", "five.ten", "5.-1", "300.1", "vv5.1", "v"] {
            assert!(parse_kernel(text).is_err(), "{text}");
        }
    }
}
