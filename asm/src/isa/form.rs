//! Which form of an operation a row is, in words for messages about releases.
//!
//! Forms of one operation share a name, and some of them came with other releases of Linux than
//! the rest: that `LD_IMM64` is too new is said of one of its forms.
//!
//! Read before: `isa.rs`.

use super::{AluOp, AtomicOp, Callee, Imm64, Row, Sem, Width};

impl Row {
    /// The operation's name; of one whose forms came with different releases of Linux also which
    /// form it is: `address of a function in LD_IMM64`.
    pub fn form(&self) -> String {
        let form = match self.sem {
            Sem::LoadImm64(kind) => kind.of_what(),
            Sem::Call(callee) => callee.of_what(),
            Sem::Gotol => "32-bit distance",
            Sem::Jump {
                width: Width::W32, ..
            } => "32-bit comparison",
            Sem::Alu {
                op: AluOp::Arsh,
                width: Width::W32,
                ..
            } => "32-bit shift",
            Sem::Atomic { op, .. } if op != AtomicOp::Add => "more than plain addition",
            _ => return self.name.to_owned(),
        };
        format!("{form} in {}", self.name)
    }
}

impl Imm64 {
    /// What the immediate stands for.
    const fn of_what(self) -> &'static str {
        match self {
            Imm64::Value => "number",
            Imm64::MapFd => "map by file descriptor",
            Imm64::MapValueFd => "value of a map by file descriptor",
            Imm64::Variable => "address of a variable of the kernel",
            Imm64::Code => "address of a function",
            Imm64::MapIdx => "map by index",
            Imm64::MapValueIdx => "value of a map by index",
        }
    }
}

impl Callee {
    /// Whom it names.
    const fn of_what(self) -> &'static str {
        match self {
            Callee::Helper => "helper",
            Callee::Local => "function of the program",
            Callee::Kfunc => "function of the kernel",
            Callee::Register => "function by its address",
            Callee::NumberedRegister => "function by its address in a numbered register",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::ISA;

    /// What a message says came with one release did not come with another as well.
    #[test]
    fn forms_of_different_releases_are_named_apart() {
        for a in &ISA {
            assert!(a.form().ends_with(a.name), "{}", a.form());
            for b in &ISA {
                let told_apart = a.since == b.since || a.form() != b.form();
                assert!(told_apart, "{} and {}: {}", a.text, b.text, a.form());
            }
        }
    }
}
