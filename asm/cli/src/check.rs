//! `ebpfasm check`: verifies the programs of an object, or of a batch.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ebpf_asm::isa::KernelVersion;
use ebpf_asm::object::Object;
use ebpf_asm::program::Program;
use ebpf_asm::target::Target;
use ebpf_cli::exit::Exit;
use ebpf_cli::input;
use ebpf_cli::report::{self, Failure};
use ebpf_verifier_sim::KernelTypes;
use serde_json::Value;

use crate::args::{CheckArgs, Shown};
use crate::batch::{self, Kernel, Log, Wanted};
use crate::said::Said;
use crate::trace::{self, Style};
use crate::verdict::{self, Checked, ForWhom};
use crate::{kernel_types, map_sizes, running, select, target, text_file};

/// Runs the command.
pub(crate) fn run(args: &CheckArgs) -> Result<(), Failure> {
    target::note_unknown(&args.kernels());
    let of_file = types_of_file(args)?;
    let types = of_file.as_ref().unwrap_or_else(|| kernel_types::running());
    match (&args.batch, args.objects.as_slice()) {
        (Some(rows), _) => {
            let wanted = Wanted {
                kernel: match args.kernel_too {
                    true => Kernel::Asked,
                    false => Kernel::NotAsked,
                },
                log: match args.log_level {
                    Some(_) => Log::States,
                    None => Log::None,
                },
            };
            let for_whom = ForWhom {
                kernel: one_kernel(
                    args,
                    "a batch is judged for one kernel: its answers have one verdict each",
                )?,
                privilege: args.privilege,
            };
            batch::run(rows, args.jobs, wanted, for_whom, types)
        }
        (None, [object]) => check_object(object, args, types, Lines::Alone, &mut Told::new()),
        (None, objects) => check_objects(objects, args, types),
    }
}

/// The help that was given about programs which the kernel did not judge: of many there is mostly
/// one reason, which is told once.
type Told = BTreeSet<String>;

/// Whether the lines of an object stand alone, or among those of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lines {
    Alone,
    AmongOthers,
}

/// Each object, whatever became of those before it. The command ends as the first did that failed.
fn check_objects(
    objects: &[PathBuf],
    args: &CheckArgs,
    types: &KernelTypes,
) -> Result<(), Failure> {
    let mut failed: Vec<(Exit, String)> = Vec::new();
    let mut told = Told::new();
    for object in objects {
        if let Err(failure) = check_object(object, args, types, Lines::AmongOthers, &mut told) {
            failure.print();
            failed.push((failure.exit(), input::shown(object)));
        }
    }
    let Some((exit, _)) = failed.first() else {
        return Ok(());
    };
    let names: Vec<&str> = failed.iter().map(|(_, name)| name.as_str()).collect();
    let (count, of) = (failed.len(), objects.len());
    let message = format!("{count} of {of} objects failed: {}", names.join(", "));
    Err(Failure::new(*exit, message))
}

/// The types in the file that is named, of the release that is named with it; `None` if none is.
fn types_of_file(args: &CheckArgs) -> Result<Option<KernelTypes>, Failure> {
    let Some(path) = &args.btf else {
        return Ok(None);
    };
    let why = "the types in a file are those of one kernel: name its release alone";
    let release = one_kernel(args, why)?;
    release
        .map(|release| kernel_types::of_file(path, release))
        .transpose()
}

/// The release that is judged for, if one is named; a failure that says why if there are several.
fn one_kernel(args: &CheckArgs, why_one: &str) -> Result<Option<KernelVersion>, Failure> {
    match args.kernels().as_slice() {
        [] => Ok(None),
        [kernel] => Ok(Some(*kernel)),
        _ => Err(Failure::new(Exit::Usage, why_one)),
    }
}

fn check_object(
    path: &Path,
    args: &CheckArgs,
    types: &KernelTypes,
    lines: Lines,
    told: &mut Told,
) -> Result<(), Failure> {
    let object = text_file::object(path)?;
    let chosen = |program: &&Program| args.prog.as_ref().is_none_or(|name| program.name == *name);
    target::check(
        object.programs.iter().filter(chosen),
        Target::from(args.cpu),
    )?;
    let object = kernel_types::relocated(&object, types)?;
    // Of other releases nobody knows how they were configured.
    let object = match args.kernels().as_slice() {
        [] => running::configured(&object),
        _ => Cow::Borrowed(&*object),
    };
    let (object, open) = map_sizes::settled(object);
    map_sizes::note(&open);
    let programs: Vec<&Program> = match &args.prog {
        Some(name) => vec![select::program(&object, name, path)?],
        None => object.programs.iter().collect(),
    };
    let check = Check {
        object: &object,
        path,
        args,
        lines,
        types,
    };
    let mut checked = Vec::new();
    let mut refused = Vec::new();
    let mut unasked = Vec::new();
    for program in programs {
        for kernel in kernels(args) {
            checked.push(check.program(program, kernel)?);
        }
        if args.kernel_too {
            let said = check.on_kernel(program)?;
            if let Some(ours) = checked.last() {
                refused.extend(said.explanation(program, &ours.verdict));
            }
            if let Said::Nothing { exit, help, .. } = said {
                unasked.push(Unasked {
                    program: &program.name,
                    exit,
                    help,
                });
            }
        }
    }
    verdict::tell_warnings(&checked);
    verdict::note_unattachable(&checked);
    let ours = verdict::refuse_rejected(&checked);
    outcome(ours, &refused, &unasked, told)
}

/// The check of an object's programs, a line for each verdict.
struct Check<'o> {
    object: &'o Object,
    path: &'o Path,
    args: &'o CheckArgs,
    lines: Lines,
    types: &'o KernelTypes,
}

impl Check<'_> {
    /// Tells our verdict on a program.
    fn program<'p>(
        &self,
        program: &'p Program,
        kernel: Option<KernelVersion>,
    ) -> Result<Checked<'p>, Failure> {
        let args = self.args;
        let for_whom = ForWhom {
            kernel,
            privilege: args.privilege,
        };
        let one = judge(self.object, program, for_whom, self.types, style(args))?;
        self.print(
            || one.json(),
            || match args.kernel_too {
                true => one.timed_line(),
                false => one.line(),
            },
        )?;
        Ok(one)
    }

    /// Tells the running kernel's.
    fn on_kernel(&self, program: &Program) -> Result<Said, Failure> {
        let said = running::verdict(self.object, program, self.args.privilege);
        self.print(|| said.json(program), || said.line(program))?;
        Ok(said)
    }

    fn print(
        &self,
        json: impl FnOnce() -> Value,
        line: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        report::print(match (self.args.json, self.lines) {
            (true, _) => format!("{}\n", of_object(json(), self.path)),
            (false, Lines::Alone) => format!("{}\n", line()),
            (false, Lines::AmongOthers) => format!("{}: {}\n", input::shown(self.path), line()),
        })
    }
}

/// How the command ends, by our verdicts, the kernel's refusals, and what it did not judge.
fn outcome(
    ours: Result<(), Failure>,
    refused: &[String],
    unasked: &[Unasked<'_>],
    told: &mut Told,
) -> Result<(), Failure> {
    for text in refused {
        report::note("the running kernel says");
        report::explain(text);
    }
    match (refused, unasked) {
        ([], []) => ours,
        ([], unasked) if ours.is_ok() => Err(not_asked(unasked, told)),
        ([], unasked) => {
            not_asked(unasked, told).print();
            ours
        }
        _ => ours.and(Err(refused_by_kernel())),
    }
}

/// The releases asked for; `None` stands for the newest.
fn kernels(args: &CheckArgs) -> Vec<Option<KernelVersion>> {
    match args.kernels().as_slice() {
        [] => vec![None],
        kernels => kernels.iter().copied().map(Some).collect(),
    }
}

/// How what the verifier does is to be shown, if it is.
fn style(args: &CheckArgs) -> Option<Style> {
    let shown: Option<Shown> = args.trace;
    match (args.log_level, shown, args.json) {
        (Some(_), ..) => Some(Style::KernelLog),
        (None, Some(shown), false) => Some(Style::Text(shown)),
        (None, Some(shown), true) => Some(Style::Json(shown)),
        (None, None, _) => None,
    }
}

/// A program that the kernel was to judge, and has not.
struct Unasked<'o> {
    program: &'o str,
    /// How the command is to end for it.
    exit: Exit,
    help: Vec<String>,
}

/// The kernel was to be asked, and has not judged some programs: the line of each says why. The
/// command ends as the first reason asks for.
fn not_asked(programs: &[Unasked<'_>], told: &mut Told) -> Failure {
    let names: Vec<&str> = programs.iter().map(|one| one.program).collect();
    let message = format!("the running kernel did not judge {}", names.join(", "));
    let exit = programs.first().map_or(Exit::Unsupported, |one| one.exit);
    let help = programs.iter().flat_map(|one| &one.help);
    help.filter(|help| told.insert((*help).clone()))
        .fold(Failure::new(exit, message), Failure::help)
}

/// A line of JSON that names its object.
fn of_object(mut json: Value, path: &Path) -> Value {
    if let Some(fields) = json.as_object_mut() {
        fields.insert("object".to_owned(), input::shown(path).into());
    }
    json
}

/// The kernel refuses what our verifier accepts.
fn refused_by_kernel() -> Failure {
    let message = "the running kernel rejects what this verifier accepts";
    Failure::new(Exit::Rejected, message)
        .help("that is a fault of this verifier: please report it, with the object")
}

fn judge<'o>(
    object: &Object,
    program: &'o Program,
    for_whom: ForWhom,
    types: &KernelTypes,
    style: Option<Style>,
) -> Result<Checked<'o>, Failure> {
    let Some(style) = style else {
        return Ok(verdict::one(object, program, for_whom, types));
    };
    let config = verdict::config(for_whom);
    let mut verdict = None;
    report::stream(|out| {
        verdict = Some(trace::verify(object, program, &config, types, style, out)?);
        Ok(())
    })?;
    // Whoever reads the trace may have gone away before the end: then there is nobody to tell.
    Ok(match verdict {
        Some(verdict) => Checked {
            program,
            kernel: for_whom.kernel,
            verdict,
            usec: None,
        },
        None => verdict::one(object, program, for_whom, types),
    })
}
