//! What the verifier says of the programs of an object.

use std::collections::BTreeSet;

use ebpf_asm::object::Object;
use ebpf_asm::program::Program;
use ebpf_asm::target::Target;
use ebpf_verifier_sim::{Code, Config, Decor, KernelTypes, Rejection, Stats, Verdict, verify_with};

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
            Verdict::Rejected(why) if is_unjudged(why) => {
                format!(
                    "{name} ({prog_type}): not judged, {} {}",
                    why.code, why.message
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

    /// The code of what is known against the program.
    fn refusal(&self) -> Option<Code> {
        let why = self.verdict.rejection()?;
        (!is_unjudged(why)).then_some(why.code)
    }

    fn explain(&self, why: &Rejection) -> String {
        why.render(self.program, Decor::Styled)
    }
}

/// Verifies all programs of an object, for root and the target's kernel: the newest, unless it
/// has one. What the programs ask of the kernel's types is answered from `types`.
pub(crate) fn all<'o>(object: &'o Object, target: Target, types: &KernelTypes) -> Vec<Checked<'o>> {
    let newest = Config::default();
    let config = Config {
        kernel: target.kernel.unwrap_or(newest.kernel),
        ..newest
    };
    let check = |program| Checked {
        program,
        verdict: verify_with(object, program, &config, types),
    };
    object.programs.iter().map(check).collect()
}

/// Explains each program that was not accepted; the failure says which were refused, or if
/// there are none, which could not be judged.
pub(crate) fn refuse_rejected(checked: &[Checked<'_>]) -> Result<(), Failure> {
    let (mut rejected, mut unjudged) = (Vec::new(), Vec::new());
    for one in checked {
        if let Some(why) = one.verdict.rejection() {
            report::explain(&one.explain(why));
            let kind = if is_unjudged(why) {
                &mut unjudged
            } else {
                &mut rejected
            };
            kind.push(one.program.name.as_str());
        }
    }
    match (rejected.as_slice(), unjudged.as_slice()) {
        ([], []) => Ok(()),
        ([], unjudged) => Err(Failure::new(
            Exit::Unsupported,
            format!("the verifier cannot judge {}", names(unjudged)),
        )
        .help("nothing is known against it: the kernel will judge when it is loaded")),
        (rejected, _) => {
            let message = format!("the verifier rejects {}", names(rejected));
            let codes: BTreeSet<Code> = checked.iter().filter_map(Checked::refusal).collect();
            let failure = Failure::new(Exit::Rejected, message);
            Err(codes.iter().fold(failure, |failure, code| {
                failure.help(format!("more on it: ebpfasm explain {code}"))
            }))
        }
    }
}

/// Whether the verifier refuses only because it does not know enough.
fn is_unjudged(why: &Rejection) -> bool {
    why.code == Code::NotModelled
}

fn names(programs: &[&str]) -> String {
    match programs {
        [name] => (*name).to_owned(),
        several => format!("{} programs: {}", several.len(), several.join(", ")),
    }
}
