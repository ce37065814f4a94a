//! What the verifier says of the programs of an object.

use ebpf_asm::object::Object;
use ebpf_asm::program::Program;
use ebpf_verifier_sim::{Config, Decor, Rejection, Stats, Verdict, verify};

use ebpf_cli::exit::Exit;
use ebpf_cli::report::{self, Failure};

/// The verdict on one program.
pub(crate) struct Checked<'o> {
    pub(crate) program: &'o Program,
    pub(crate) verdict: Verdict,
}

impl Checked<'_> {
    /// One line: the program, and what is to be said of it.
    pub(crate) fn line(&self) -> String {
        let Program {
            name, prog_type, ..
        } = self.program;
        match &self.verdict {
            Verdict::Accepted(Stats { processed, .. }) => {
                let count = self.program.insns.len();
                format!(
                    "{name} ({prog_type}): accepted, {count} instructions, {processed} followed"
                )
            }
            Verdict::Rejected(why) => {
                format!(
                    "{name} ({prog_type}): rejected, {} {}",
                    why.code, why.message
                )
            }
        }
    }

    fn explain(&self, why: &Rejection) -> String {
        why.render(self.program, Decor::Styled)
    }
}

/// Verifies all programs of an object, for the newest kernel and root.
pub(crate) fn all(object: &Object) -> Vec<Checked<'_>> {
    let config = Config::default();
    let check = |program| Checked {
        program,
        verdict: verify(object, program, &config),
    };
    object.programs.iter().map(check).collect()
}

/// Explains each rejection; the failure says how many there are.
pub(crate) fn refuse_rejected(checked: &[Checked<'_>]) -> Result<(), Failure> {
    let mut rejected = Vec::new();
    for one in checked {
        if let Some(why) = one.verdict.rejection() {
            report::explain(&one.explain(why));
            rejected.push(one.program.name.as_str());
        }
    }
    match rejected.as_slice() {
        [] => Ok(()),
        [name] => Err(rejection(format!("the verifier rejects {name}"))),
        several => Err(rejection(format!(
            "the verifier rejects {} programs: {}",
            several.len(),
            several.join(", ")
        ))),
    }
}

fn rejection(message: String) -> Failure {
    Failure::new(Exit::Rejected, message)
}
