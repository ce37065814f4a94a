//! Every `tests/cases/**/*.bpf`, on the simulator and on the kernel; and every `*.c` there, for
//! what needs a compiler's BTF.
//!
//! A case's head says what both shall answer, written by hand:
//!
//! ```text
//! ; verdict: accept            (or reject)
//! ; kernel: the first words of the kernel's refusal
//! ```
//!
//! `; without: CAP_PERFMON` says that the loader lacks a capability. A text has no types; where
//! its functions need some, since they are called back, the head says `; types: functions`, and
//! each gets that of a function without arguments that returns `int`.
//!
//! Both follow as many instructions and keep as many states. `; refused by: 6.1, 6.12` says which
//! older kernels refused it when they were asked, and `; taken by: 6.1` which took what newer ones
//! refuse, or what was not judged for them; the simulator says of these releases the same.
//!
//! `; answered by: 6.12` says that it was that kernel which was asked, since kernels that are locked
//! down load no such programs: the simulator says of that kernel what it answered, and the same
//! verdict of the newest. The running kernel is not asked.
//!
//! `; warns: BPF0601` says that the simulator warns of it with this code, although it accepts it; the
//! `.stderr` beside it is then the warning.
//!
//! In C each line of the head begins with `//`. A field of another name fails the test
//! (`src/head.rs`). The `.stderr` beside a rejected case in text is
//! the simulator's whole explanation (what a compiler makes of C is its own affair). With
//! `EBPF_UPDATE_CASES=1` it is written anew instead of being compared; the verdict and the
//! kernel's words never are.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use ebpf_asm::btf::{Btf, IntEncoding, Kind};
use ebpf_asm::isa::KernelVersion;
use ebpf_asm::object::{self, Object};
use ebpf_asm::program::Program;
use ebpf_asm::target::parse_kernel;
use ebpf_asm::text::parse;
use ebpf_asm::verifier_log::VerifierLog;
use ebpf_tests::head::{Field, Head};
use ebpf_tests::kernel_types;
use ebpf_tests::policy::{self, Need};
use ebpf_tests::who::{Figures, Who};
use ebpf_tests::{Outcome, clang, ensure, ensure_eq, workspace};
use ebpf_verifier_sim::{
    Code, Config, Decor, KernelRefusal, NEWEST, Rejection, Verdict, codes_of_words, verify_with,
};
use libtest_mimic::Trial;

/// The variable that has explanations written anew.
const UPDATE: &str = "EBPF_UPDATE_CASES";

/// A file of `tests/cases/`.
struct Case {
    path: PathBuf,
    expected: Expected,
    /// The older kernels that refuse it.
    refused_by: Vec<KernelVersion>,
    /// The older kernels that take it.
    taken_by: Vec<KernelVersion>,
    /// The code of the warnings.
    warns: Option<Code>,
    /// The kernel that answered, if the running one may load no such programs.
    answered_by: Option<KernelVersion>,
    who: Who,
    object: Object,
}

/// What the head of a case says.
#[derive(Debug, PartialEq, Eq)]
enum Expected {
    Accept,
    /// With the kernel's first words.
    Reject(String),
}

fn main() -> ExitCode {
    policy::main(|| {
        let root = workspace().join("tests/cases");
        let paths = files(&root);
        // Without any, the folder has been moved, and nothing would be tested.
        let found = paths.len();
        let mut trials = vec![Trial::test("cases_are_found", move || {
            ensure!(found > 0, "no case in tests/cases");
            Ok(())
        })];
        for path in paths {
            trials.extend(trials_of(&root, &path));
        }
        trials
    })
}

/// One trial for the simulator and one for the kernel, if it is asked.
fn trials_of(root: &Path, path: &Path) -> Vec<Trial> {
    let relative = path.strip_prefix(root).unwrap_or(path).with_extension("");
    let name = relative.display().to_string().replace('/', "::");
    if is_c(path) {
        return c_trials(&name, path).into();
    }
    let case = read(path).map(Arc::new);
    let is_answered = case.as_ref().is_ok_and(|case| case.answered_by.is_some());
    let simulated = case.clone();
    let mut trials = vec![Trial::test(format!("sim::{name}"), move || {
        in_simulator(&*simulated?)
    })];
    if !is_answered {
        let name = format!("kernel::{name}");
        trials.push(policy::trial(name, &[Need::Kernel], move || {
            in_kernel(&*case?)
        }));
    }
    trials
}

/// The same for a case in C, which is compiled when a trial runs.
fn c_trials(name: &str, path: &Path) -> [Trial; 2] {
    let (simulated, loaded) = (path.to_owned(), path.to_owned());
    [
        policy::trial(format!("sim::{name}"), &policy::CLANG, move || {
            in_simulator(&read(&simulated)?)
        }),
        policy::trial(
            format!("kernel::{name}"),
            &[policy::CLANG[0], policy::CLANG[1], Need::Kernel],
            move || in_kernel(&read(&loaded)?),
        ),
    ]
}

fn is_c(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "c")
}

/// All cases below a folder, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            files.extend(self::files(&path));
        } else if path
            .extension()
            .is_some_and(|known| known == "bpf" || known == "c")
        {
            files.push(path);
        }
    }
    files
}

fn read(path: &Path) -> Outcome<Case> {
    let text = fs::read_to_string(path)?;
    // The explanation quotes the path: the same wherever the workspace lies.
    let shown = path.strip_prefix(workspace()).unwrap_or(path);
    let head = Head::read(shown, &text)?;
    let object = if is_c(path) {
        let folder = tempfile::tempdir()?;
        let compiled = fs::read(clang::compile(path, folder.path())?)?;
        kernel_types::relocated(object::read(&compiled)?)?
    } else {
        let mut object = parse(&shown.display().to_string(), &text)?;
        match head.get(Field::Types) {
            None => {}
            Some("functions") => give_types(&mut object),
            Some(other) => return Err(format!("the types of '{other}': only functions").into()),
        }
        kernel_types::relocated(object)?
    };
    ensure!(!object.programs.is_empty(), "the case has no program");
    Ok(Case {
        path: path.to_owned(),
        expected: expected(&head)?,
        refused_by: releases(&head, Field::RefusedBy)?,
        taken_by: releases(&head, Field::TakenBy)?,
        warns: head.get(Field::Warns).map(code).transpose()?,
        answered_by: head.get(Field::AnsweredBy).map(parse_kernel).transpose()?,
        who: head
            .get(Field::Without)
            .map_or(Ok(Who::Root), Who::without)?,
        object,
    })
}

/// Gives every function a type.
fn give_types(object: &mut Object) {
    let btf = object.btf.get_or_insert_with(Btf::new);
    let int = btf.add(
        "int",
        Kind::Int {
            size: 4,
            encoding: IntEncoding::SIGNED,
            offset: 0,
            bits: 32,
        },
    );
    let (ret, params) = (int, Vec::new());
    let proto = btf.add("", Kind::FuncProto { ret, params });
    for function in object.programs.iter_mut().flat_map(|p| &mut p.functions) {
        let linkage = function.linkage;
        function.type_id = Some(btf.add(&function.name, Kind::Func { proto, linkage }));
    }
}

fn expected(head: &Head) -> Outcome<Expected> {
    match (head.get(Field::Verdict), head.get(Field::Kernel)) {
        (Some("accept"), None) => Ok(Expected::Accept),
        (Some("reject"), Some(words)) => Ok(Expected::Reject(words.to_owned())),
        (verdict, kernel) => Err(format!(
            "the head should say '; verdict: accept', or '; verdict: reject' and \
             '; kernel: WORDS'; it says verdict {verdict:?}, kernel {kernel:?}"
        )
        .into()),
    }
}

/// The code that is written like this.
fn code(text: &str) -> Outcome<Code> {
    Ok(Code::parse(text).ok_or_else(|| format!("there is no code {text}"))?)
}

/// The releases that a field of the head names.
fn releases(head: &Head, field: Field) -> Outcome<Vec<KernelVersion>> {
    let named = head.get(field).into_iter().flat_map(|text| text.split(','));
    Ok(named.map(parse_kernel).collect::<Result<_, _>>()?)
}

/// What the simulator says of the case's programs.
fn verdicts(case: &Case) -> impl Iterator<Item = (&Program, Verdict)> {
    verdicts_for(case, case.answered_by.unwrap_or(NEWEST))
}

/// The same for a release.
fn verdicts_for(case: &Case, kernel: KernelVersion) -> impl Iterator<Item = (&Program, Verdict)> {
    let config = Config {
        capabilities: case.who.capabilities(),
        kernel,
        ..Config::default()
    };
    case.object.programs.iter().map(move |program| {
        let verdict = verify_with(&case.object, program, &config, &kernel_types::RUNNING);
        (program, verdict)
    })
}

/// The rejections of the case's programs, with their text.
fn rejections(case: &Case) -> impl Iterator<Item = (String, Box<Rejection>)> {
    verdicts(case).filter_map(|(program, verdict)| match verdict {
        Verdict::Accepted(..) => None,
        Verdict::Rejected(why) => Some((why.render(program, Decor::Plain), why)),
    })
}

/// Both followed as many instructions of each program, and kept as many states: they keep the same
/// ones, and find the same paths covered.
fn same_way(case: &Case, kernel: &[Figures]) -> Outcome {
    let ours: Vec<Figures> = verdicts(case)
        .map(|(_, verdict)| match &verdict {
            Verdict::Accepted(stats, _) => Figures::from(stats),
            Verdict::Rejected(why) => Figures::from(&why.stats),
        })
        .collect();
    ensure_eq!(ours, kernel, "the figures of the kernel's work");
    Ok(())
}

fn in_simulator(case: &Case) -> Outcome {
    let rejected = rejections(case).next();
    let mut newest = verdicts_for(case, NEWEST).map(|(_, verdict)| verdict);
    ensure_eq!(
        newest.any(|verdict| matches!(verdict, Verdict::Rejected(_))),
        rejected.is_some(),
        "the newest kernel refuses it"
    );
    let explanation = case.path.with_extension("stderr");
    match (&case.expected, rejected) {
        (Expected::Accept, None) => {
            same_warnings(case, &explanation)?;
            same_for_older(case)
        }
        (Expected::Accept, Some((text, _))) => {
            Err(format!("the simulator refuses what should be accepted:\n{text}").into())
        }
        (Expected::Reject(_), None) => Err("the simulator accepts what should be refused".into()),
        (Expected::Reject(words), Some((text, why))) => {
            same_words(&why, words)?;
            words_find_the_code(&why)?;
            ensure!(
                why.help.is_some() || why.code == Code::NotModelled,
                "the refusal does not say what to do about it:\n{text}"
            );
            same_for_older(case)?;
            if is_c(&case.path) {
                return Ok(());
            }
            same_explanation(&explanation, &text)
        }
    }
}

/// The simulator warns as the head says, and in these words.
fn same_warnings(case: &Case, explanation: &Path) -> Outcome {
    let (mut codes, mut text) = (BTreeSet::new(), String::new());
    for (program, verdict) in verdicts(case) {
        for warning in verdict.warnings() {
            codes.insert(warning.code);
            text += &warning.render(program, Decor::Plain);
        }
    }
    ensure_eq!(
        codes,
        case.warns.into_iter().collect(),
        "the codes of the warnings"
    );
    if text.is_empty() {
        ensure!(
            !explanation.exists(),
            "an accepted case needs no {explanation:?}"
        );
        return Ok(());
    }
    same_explanation(explanation, &text)
}

/// The simulator refuses for older kernels what they refuse, and takes what they take.
fn same_for_older(case: &Case) -> Outcome {
    for &(major, minor) in &case.refused_by {
        ensure!(
            is_refused_by(case, (major, minor)),
            "the simulator accepts what Linux {major}.{minor} refuses"
        );
    }
    for &(major, minor) in &case.taken_by {
        ensure!(
            !is_refused_by(case, (major, minor)),
            "the simulator refuses what Linux {major}.{minor} takes"
        );
    }
    Ok(())
}

fn is_refused_by(case: &Case, kernel: KernelVersion) -> bool {
    verdicts_for(case, kernel).any(|(_, verdict)| matches!(verdict, Verdict::Rejected(_)))
}

/// The kernel's log, read, has the code of our own rejection; and its place, if it has one that
/// does not depend on where the kernel stops to look: that of a loop does, and where a state is
/// compared with others its log says nothing of the instruction.
fn same_refusal(case: &Case, log: &str) -> Outcome {
    let Some((_, ours)) = rejections(case).next() else {
        return Err("the simulator accepts what should be refused".into());
    };
    let refusal = KernelRefusal::of(&VerifierLog::read(log)).ok_or("the log gives no reason")?;
    ensure_eq!(
        refusal.code,
        Some(ours.code),
        "the code of the kernel's words in\n{log}"
    );
    ensure_eq!(
        Figures::of_log(log),
        Some(Figures::from(&ours.stats)),
        "the figures of the kernel's work"
    );
    let point = VerifierLog::read(log).point().unwrap_or_default();
    ensure_eq!(ours.words(), point, "the kernel's words in\n{log}");
    let compared = ours.message.starts_with("verifier bug: stack slot");
    if let Some(slot) = refusal.slot
        && ![Code::TooComplex, Code::InfiniteLoop].contains(&ours.code)
        && !compared
    {
        ensure_eq!(slot, ours.slot, "the place in\n{log}");
    }
    Ok(())
}

fn same_words(why: &Rejection, words: &str) -> Outcome {
    let message = &why.message;
    ensure!(
        message.starts_with(words),
        "the simulator's first words are not the kernel's\n  is:        {message}\n  should be: {words}"
    );
    Ok(())
}

/// `ebpfasm explain` finds the page by the message, and by the first four words of it.
fn words_find_the_code(why: &Rejection) -> Outcome {
    let words: Vec<&str> = why.message.split_whitespace().take(4).collect();
    for words in [why.message.as_str(), &words.join(" ")] {
        let found = codes_of_words(words);
        ensure!(
            found.contains(&why.code),
            "'{words}' finds {found:?}, and not {}",
            why.code
        );
    }
    Ok(())
}

fn same_explanation(path: &Path, text: &str) -> Outcome {
    if std::env::var_os(UPDATE).is_some_and(|value| value == "1") {
        return Ok(fs::write(path, text)?);
    }
    let written = fs::read_to_string(path)
        .map_err(|error| format!("{}: {error}; {UPDATE}=1 writes it", path.display()))?;
    ensure_eq!(
        text.lines().collect::<Vec<_>>(),
        written.lines().collect::<Vec<_>>(),
        "the explanation differs from {}; {UPDATE}=1 writes it anew\n{text}",
        path.display()
    );
    Ok(())
}

fn in_kernel(case: &Case) -> Outcome {
    match (&case.expected, case.who.load(&case.object)?) {
        (Expected::Accept, Ok(figures)) => same_way(case, &figures),
        (Expected::Accept, Err(ebpf_loader::Error::Rejected(why))) => {
            Err(format!("the kernel refuses what should be accepted: {}", why.log).into())
        }
        (Expected::Accept, Err(error)) => Err(error.into()),
        (Expected::Reject(_), Ok(_)) => Err("the kernel accepts what should be refused".into()),
        (Expected::Reject(words), Err(ebpf_loader::Error::Rejected(why))) => {
            ensure!(
                why.point.starts_with(words),
                "the kernel's first words\n  are:       {}\n  should be: {words}\n{}",
                why.point,
                why.log
            );
            same_refusal(case, &why.log)
        }
        (Expected::Reject(_), Err(error)) => {
            Err(format!("refused, and not by the verifier: {error}").into())
        }
    }
}
