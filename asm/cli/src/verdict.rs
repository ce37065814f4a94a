//! What the verifier says of the programs of an object.

use std::collections::BTreeSet;

use ebpf_asm::isa::KernelVersion;
use ebpf_asm::object::Object;
use ebpf_asm::prog_type::ProgType;
use ebpf_asm::program::Program;
use ebpf_verifier_sim::{
    AttachSince, Cause, Code, Config, Decor, KernelTypes, Rejection, Stats, Verdict, Warning,
    attached_since, verify_with,
};

use serde_json::{Value, json};

use crate::machine;
use crate::privilege::Privilege;
use crate::timed::timed;
use ebpf_cli::exit::Exit;
use ebpf_cli::report::{self, Failure};

/// The name of the layout of a verdict in JSON.
pub(crate) const SCHEMA: &str = "ebpfasm.check.v1";

/// The verdict on one program.
pub(crate) struct Checked<'o> {
    pub(crate) program: &'o Program,
    /// For which release, where it was asked for one.
    pub(crate) kernel: Option<KernelVersion>,
    pub(crate) verdict: Verdict,
    /// How long it took, in microseconds; `None` if states were shown meanwhile.
    pub(crate) usec: Option<u64>,
}

impl Checked<'_> {
    /// One line: the program, and what is to be said of it.
    pub(crate) fn line(&self) -> String {
        let Program {
            name, prog_type, ..
        } = self.program;
        let on = self.kernel.map_or_else(String::new, on);
        let said = match &self.verdict {
            Verdict::Accepted(Stats { processed, .. }, _) => {
                let count = self.program.insns.len();
                format!("accepted, {count} instructions, {processed} followed")
            }
            Verdict::Rejected(why) if is_unjudged(why) => {
                format!("not judged, {} {}", why.code, why.message)
            }
            Verdict::Rejected(why) => format!("rejected, {} {}", why.code, why.message),
        };
        format!("{name} ({prog_type}){on}: {said}")
    }

    /// The same, and how long it took, to stand beside the kernel's.
    pub(crate) fn timed_line(&self) -> String {
        let time = (self.usec).filter(|_| self.verdict.is_accepted());
        let time = time.map_or_else(String::new, |usec| format!(" in {usec} us"));
        format!("{}{time}", self.line())
    }

    /// The same as JSON.
    pub(crate) fn json(&self) -> Value {
        let mut json = json!({
            "schema": SCHEMA,
            "event": "verdict",
            "program": self.program.name,
            "prog_type": self.program.prog_type.name(),
            "kernel": self.kernel.map(|(major, minor)| format!("{major}.{minor}")),
            "usec": self.usec,
        });
        let said = match &self.verdict {
            Verdict::Accepted(stats, warnings) => {
                let mut said = json!({
                    "verdict": "accept",
                    "processed": stats.processed,
                    "stack_depth": stats.stack_depth,
                });
                if !warnings.is_empty() {
                    let warnings = warnings.iter().map(|one| warned(self.program, one));
                    said["warnings"] = warnings.collect();
                }
                said
            }
            Verdict::Rejected(why) => {
                let verdict = if is_unjudged(why) {
                    "unsupported"
                } else {
                    "reject"
                };
                let line = self.program.span(why.slot);
                json!({
                    "verdict": verdict,
                    "code": why.code.to_string(),
                    "msg": why.message,
                    "slot": why.slot,
                    "file": line.as_ref().map(|line| line.file.to_string()),
                    "line": line.as_ref().map(|line| line.line),
                    "label": why.label,
                    "causes": causes(self.program, &why.causes),
                    "help": why.help,
                })
            }
        };
        if let (Some(json), Value::Object(said)) = (json.as_object_mut(), said) {
            json.extend(said);
        }
        json
    }

    /// The code of what is known against the program.
    fn refusal(&self) -> Option<Code> {
        let why = self.verdict.rejection()?;
        (!is_unjudged(why)).then_some(why.code)
    }

    fn explain(&self, why: &Rejection) -> String {
        why.render(self.program, Decor::Styled)
    }

    fn name(&self) -> String {
        let on = self.kernel.map_or_else(String::new, on);
        format!("{}{on}", self.program.name)
    }
}

/// A warning, as JSON: the fields of a refusal.
fn warned(program: &Program, warning: &Warning) -> Value {
    let line = program.span(warning.slot);
    json!({
        "code": warning.code.to_string(),
        "msg": warning.message,
        "slot": warning.slot,
        "file": line.map(|line| line.file),
        "line": line.map(|line| line.line),
        "label": warning.label,
        "causes": causes(program, &warning.causes),
        "help": warning.help,
    })
}

/// What led to a refusal, as JSON.
pub(crate) fn causes(program: &Program, causes: &[Cause]) -> Vec<Value> {
    let causes = causes.iter().map(|cause| {
        let line = program.span(cause.slot);
        json!({
            "slot": cause.slot,
            "text": cause.text,
            "file": line.map(|line| line.file),
            "line": line.map(|line| line.line),
        })
    });
    causes.collect()
}

fn on((major, minor): KernelVersion) -> String {
    format!(" on Linux {major}.{minor}")
}

/// For whom programs are verified.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ForWhom {
    /// The release: the newest, on this machine, if none is named.
    pub(crate) kernel: Option<KernelVersion>,
    /// Who loads them.
    pub(crate) privilege: Privilege,
}

/// What the verifier is to know of them.
pub(crate) fn config(ForWhom { kernel, privilege }: ForWhom) -> Config {
    let newest = Config::default();
    Config {
        capabilities: privilege.capabilities(),
        kernel: kernel.unwrap_or(newest.kernel),
        cpus: kernel.map_or_else(machine::cpus, |_| None),
        ..newest
    }
}

/// Verifies a program. What it asks of the kernel's types is answered from `types`.
pub(crate) fn one<'o>(
    object: &Object,
    program: &'o Program,
    for_whom: ForWhom,
    types: &KernelTypes,
) -> Checked<'o> {
    let config = config(for_whom);
    let (verdict, took) = timed(types, || verify_with(object, program, &config, types));
    Checked {
        program,
        kernel: for_whom.kernel,
        verdict,
        usec: u64::try_from(took.as_micros()).ok(),
    }
}

/// Verifies all programs of an object.
pub(crate) fn all<'o>(
    object: &'o Object,
    for_whom: ForWhom,
    types: &KernelTypes,
) -> Vec<Checked<'o>> {
    let programs = object.programs.iter();
    programs
        .map(|program| one(object, program, for_whom, types))
        .collect()
}

/// Explains each program that was not accepted; the failure says which were refused, or if
/// there are none, which could not be judged.
pub(crate) fn refuse_rejected(checked: &[Checked<'_>]) -> Result<(), Failure> {
    let (mut rejected, mut unjudged) = (Vec::new(), Vec::new());
    for one in checked {
        if let Some(why) = one.verdict.rejection() {
            report::explain(&one.explain(why));
            match is_unjudged(why) {
                true => unjudged.push(one.name()),
                false => rejected.push(one.name()),
            }
        }
    }
    match (rejected.as_slice(), unjudged.as_slice()) {
        ([], []) => Ok(()),
        ([], unjudged) => {
            let message = format!("the verifier cannot judge {}", names(unjudged));
            let failure = Failure::new(Exit::Unsupported, message);
            Err(match any_loads(checked) {
                true => failure
                    .help("nothing is known against it: the kernel will judge when it is loaded"),
                false => failure,
            })
        }
        (rejected, _) => {
            let besides = match unjudged.as_slice() {
                [] => String::new(),
                unjudged => format!(", and cannot judge {}", names(unjudged)),
            };
            let message = format!("the verifier rejects {}{besides}", names(rejected));
            let codes: BTreeSet<Code> = checked.iter().filter_map(Checked::refusal).collect();
            let failure = Failure::new(Exit::Rejected, message);
            Err(codes.iter().fold(failure, |failure, code| {
                failure.help(format!("more on it: ebpfasm explain {code}"))
            }))
        }
    }
}

/// Tells the warnings of accepted programs: what is said for several releases, once.
pub(crate) fn tell_warnings(checked: &[Checked<'_>]) {
    let mut told = BTreeSet::new();
    let mut codes = BTreeSet::new();
    for one in checked {
        for warning in one.verdict.warnings() {
            let text = warning.render(one.program, Decor::Styled);
            if told.insert((&one.program.name, text.clone())) {
                report::explain(&text);
                codes.insert(warning.code);
            }
        }
    }
    for code in codes {
        report::help(format_args!("more on it: ebpfasm explain {code}"));
    }
}

/// Says which accepted programs their releases cannot attach, those for one reason together.
pub(crate) fn note_unattachable(checked: &[Checked<'_>]) {
    let mut reasons: Vec<(AttachSince, Vec<String>)> = Vec::new();
    for one in checked.iter().filter(|one| one.verdict.is_accepted()) {
        let needed = one
            .kernel
            .and_then(|kernel| attached_since(one.program, kernel));
        let Some(needed) = needed else {
            continue;
        };
        match reasons.iter_mut().find(|(reason, _)| *reason == needed) {
            Some((_, programs)) => programs.push(one.name()),
            None => reasons.push((needed, vec![one.name()])),
        }
    }
    for (reason, programs) in reasons {
        let AttachSince {
            attach_type,
            since: (major, minor),
            instead,
        } = reason;
        let are = match programs.as_slice() {
            [_] => "is",
            _ => "are",
        };
        report::note(format_args!(
            "{} {are} taken, but cannot be attached there: \
             {attach_type} came with Linux {major}.{minor}",
            names(&programs)
        ));
        if let Some(instead) = instead {
            report::help(instead);
        }
    }
}

/// Whether the verifier refuses only because it does not know enough.
fn is_unjudged(why: &Rejection) -> bool {
    why.code == Code::NotModelled
}

/// Whether a program that could not be judged can be loaded: one without a type cannot.
fn any_loads(checked: &[Checked<'_>]) -> bool {
    let mut unjudged = checked
        .iter()
        .filter(|one| one.verdict.rejection().is_some_and(is_unjudged));
    unjudged.any(|one| one.program.prog_type != ProgType::Unspec)
}

fn names(programs: &[String]) -> String {
    match programs {
        [name] => name.clone(),
        several => format!("{} programs: {}", several.len(), several.join(", ")),
    }
}
