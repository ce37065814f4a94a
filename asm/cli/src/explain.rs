//! `ebpfasm explain`: the page of a code, the codes there are, or what a kernel's log means.
//!
//! The pages are the verifier's (`verifier-sim/src/explain/`), in Markdown; here they become
//! text for a terminal.

use std::path::Path;

use anstyle::Style;
use ebpf_asm::object::Object;
use ebpf_asm::program::Program;
use ebpf_asm::verifier_log::{Step, VerifierLog};
use ebpf_verifier_sim::{CODES, Code, Decor, Entry, KernelRefusal, codes_of_words};

use crate::args::ExplainArgs;
use crate::{select, text_file};
use ebpf_cli::exit::Exit;
use ebpf_cli::report::{self, Failure};

/// How headings look where colours are shown.
const HEADING: Style = Style::new().bold();

/// Runs the command.
pub(crate) fn run(args: &ExplainArgs) -> Result<(), Failure> {
    let text = match (args.words.as_slice(), &args.log) {
        (_, Some(log)) => log_explained(log, args)?,
        ([], None) => list(&CODES.iter().collect::<Vec<_>>()),
        (words, None) => answer(&words.join(" "))?,
    };
    report::print(text)
}

/// The refusal in a kernel's log, as our own refusals are shown.
fn log_explained(path: &Path, args: &ExplainArgs) -> Result<String, Failure> {
    let (shown, text) = text_file::text(path)?;
    let log = VerifierLog::read(&text);
    if !log.is_log() {
        return Err(no_log(&shown));
    }
    let refusal = KernelRefusal::of(&log).ok_or_else(|| no_refusal(&shown))?;
    let rendered = match &args.object {
        Some(path) => {
            let object = text_file::object(path)?;
            let program = logged(&object, args.prog.as_deref(), path)?;
            check_same_program(&log, program, &shown)?;
            refusal.render(program, Decor::Styled)
        }
        None => refusal.render(&log, Decor::Styled),
    };
    Ok(match refusal.code {
        Some(code) => format!("{rendered}help: more on it: ebpfasm explain {code}\n"),
        None => rendered,
    })
}

fn no_refusal(shown: &str) -> Failure {
    let message = format!("{shown} has no refusal: no words stand behind its instructions");
    Failure::new(Exit::NotFound, message)
        .help("the log of a load that failed ends with the reason; take all of it")
}

fn no_log(shown: &str) -> Failure {
    let message =
        format!("{shown} is no log of a verifier: it has no instruction and no statistics");
    Failure::new(Exit::NotFound, message)
        .help("a log begins as in 0: R1=ctx() R10=fp0, and ends as in processed 7 insns")
}

/// That most instructions of a log are those of a program, by their opcodes: a loader fills in
/// numbers, and answers CO-RE relocations with other instructions.
fn check_same_program(
    log: &VerifierLog<'_>,
    program: &Program,
    shown: &str,
) -> Result<(), Failure> {
    let trail = log.trail();
    let differs = |step: &&Step<'_>| {
        let insn = program.slots().find(|(slot, _)| *slot == step.slot);
        insn.map(|(_, insn)| insn.row().opcode) != Some(step.opcode)
    };
    let differing: Vec<&Step<'_>> = trail.steps().iter().filter(differs).collect();
    match differing.first() {
        Some(step) if differing.len() * 2 > trail.steps().len() => {
            let name = &program.name;
            let message = format!(
                "{shown} is not of program '{name}': it has '{}' at {}, and the program has not",
                step.insn, step.slot
            );
            Err(Failure::new(Exit::Usage, message)
                .help("name the object and the program that the log is of, or leave --object out"))
        }
        _ => Ok(()),
    }
}

/// The program that a log is of.
fn logged<'o>(object: &'o Object, name: Option<&str>, path: &Path) -> Result<&'o Program, Failure> {
    match (name, object.programs.as_slice()) {
        (Some(name), _) => select::program(object, name, path),
        (None, [program]) => Ok(program),
        (None, programs) => {
            let names: Vec<&str> = programs.iter().map(|one| one.name.as_str()).collect();
            let message = format!("{} has {} programs", path.display(), programs.len());
            Err(Failure::new(Exit::Usage, message).help(format!(
                "name the one that the log is of by --prog: {}",
                names.join(", ")
            )))
        }
    }
}

/// The page of a code; of words, the page that has them, together or apart, or whose refusals the
/// kernel tells in them, or a list of such pages.
fn answer(words: &str) -> Result<String, Failure> {
    if let Some(entry) = Code::parse(words).and_then(Code::entry) {
        return Ok(page(entry));
    }
    let told = codes_of_words(words);
    let small = words.to_lowercase();
    let has_them =
        |entry: &&Entry| told.contains(&entry.code) || entry.page.to_lowercase().contains(&small);
    let mut found: Vec<&Entry> = CODES.iter().filter(has_them).collect();
    if found.is_empty() {
        // Not together, but each of them somewhere.
        let each = |entry: &&Entry| {
            let page = entry.page.to_lowercase();
            small.split_whitespace().all(|word| page.contains(word))
        };
        found = CODES.iter().filter(each).collect();
    }
    match found.as_slice() {
        [] => Err(unknown(words)),
        [entry] => Ok(page(entry)),
        several => Ok(list(several)),
    }
}

fn unknown(words: &str) -> Failure {
    let message = format!("'{words}' is no code, and no message or page has these words");
    Failure::new(Exit::NotFound, message)
        .help("the codes there are: ebpfasm explain")
        .help("fewer words find more, such as the first three of the kernel's message")
}

/// One line a code.
fn list(entries: &[&Entry]) -> String {
    let lines = entries
        .iter()
        .map(|entry| format!("{}  {}\n", entry.code, entry.title));
    lines.collect()
}

/// A page as text: headings stand out, blocks of code are indented.
fn page(entry: &Entry) -> String {
    let mut is_code = false;
    let lines = entry.page.lines().filter_map(|line| {
        if line.starts_with("```") {
            is_code = !is_code;
            return None;
        }
        let heading = line
            .strip_prefix('#')
            .map(|rest| rest.trim_start_matches('#').trim());
        Some(match heading {
            _ if is_code && line.is_empty() => "\n".to_owned(),
            _ if is_code => format!("    {line}\n"),
            Some(heading) => format!("{HEADING}{heading}{HEADING:#}\n"),
            None => format!("{line}\n"),
        })
    });
    lines.collect()
}
