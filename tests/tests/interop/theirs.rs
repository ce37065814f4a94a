//! clang's objects, compiled in many ways: read, printed, written again and loaded by ours, as
//! libbpf and the kernel witness.

use std::path::Path;

use ebpf_asm::object::{self, Object};
use ebpf_asm::text::{Options, parse, print_object};
use ebpf_tests::corpus::{self, Build};
use ebpf_tests::policy::{self, Need};
use ebpf_tests::{Failed, Outcome, ensure, ensure_eq};
use libtest_mimic::Trial;

use crate::known::{self, Step};
use crate::witness::{self, Account};
use crate::{loaded, model};

/// With the value `all`, every way of compiling is tried.
const EVERY: &str = "EBPF_INTEROP";

/// The ways that are tried otherwise, by their names: each compiler, optimisation and `-mcpu`
/// with BTF, and two without.
const SOME: [&str; 9] = [
    "14-O2-g-v1",
    "14-O1-g-v2",
    "14-O0-g-v3",
    "14-O2-v3",
    "22-O2-g-v2",
    "22-O0-g-v1",
    "22-O1-g-v3",
    "22-O2-g-v4",
    "22-O1-v4",
];

const NEEDS: [Need; 6] = [
    Need::Kernel,
    Need::Tool("clang-14"),
    Need::Tool("clang-22"),
    Need::Header("bpf/bpf_helpers.h"),
    Need::Tool("cc"),
    Need::Header("bpf/libbpf.h"),
];

pub(crate) fn trials() -> Vec<Trial> {
    let sources = match corpus::sources() {
        Ok(sources) => sources,
        Err(error) => {
            let why = Failed::from(format!("no sources: {error}"));
            return vec![Trial::test("theirs", || Err(why))];
        }
    };
    let trial = |source: String| {
        let name = format!("theirs::{source}");
        policy::trial(name, &NEEDS, move || all_builds(&source))
    };
    sources.into_iter().map(trial).collect()
}

/// What came of one build.
struct Cell {
    /// E.g. `3/4`: the kernel takes three of four programs.
    summary: String,
    failures: Vec<String>,
}

fn all_builds(source: &str) -> Outcome {
    let every = std::env::var_os(EVERY).is_some_and(|value| value == "all");
    let builds = Build::all();
    let chosen = |build: &&Build| every || SOME.contains(&build.to_string().as_str());
    let (mut row, mut failures) = (format!("{source}:"), Vec::new());
    for build in builds.iter().filter(chosen) {
        let cell = one_build(source, build)?;
        row += &format!(" {build} {}", cell.summary);
        failures.extend(cell.failures);
    }
    println!("{row}");
    ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}

fn one_build(source: &str, build: &Build) -> Outcome<Cell> {
    let folder = tempfile::tempdir()?;
    let mut cell = Cell {
        summary: String::new(),
        failures: Vec::new(),
    };
    let compiled = build.compile(source, folder.path());
    let Some(path) = cell.judge(source, build, Step::Compile, compiled) else {
        cell.summary += "none";
        return Ok(cell);
    };
    let (theirs, libbpf_said) = witness::account(&path)?;
    let loaded = theirs
        .of("load")
        .filter(|line| line.ends_with(" 0"))
        .count();
    cell.summary += &match theirs.of("open").next() {
        Some(_) => "unread".to_owned(),
        None => format!("{loaded}/{}", theirs.of("load").count()),
    };
    let read = read(&path, &theirs, &libbpf_said);
    let Some(object) = cell.judge(source, build, Step::Read, read) else {
        return Ok(cell);
    };
    let printed = object.as_ref().map(through_text).transpose();
    let printed = cell.judge(source, build, Step::Text, printed).flatten();
    let opened = cell.judge(
        source,
        build,
        Step::Open,
        opens(&theirs, &libbpf_said, object.as_ref()),
    );
    let Some((object, ())) = object.zip(opened) else {
        return Ok(cell);
    };
    let printed = printed.as_ref().unwrap_or(&object);
    let rewritten = rewrite(printed, &theirs, folder.path());
    cell.judge(source, build, Step::Rewrite, rewritten);
    cell.judge(
        source,
        build,
        Step::Load,
        load(&object, &theirs, &libbpf_said),
    );
    Ok(cell)
}

impl Cell {
    /// What a step gave, if it succeeded; anything that is not as the list of known failures
    /// says is noted.
    fn judge<T>(
        &mut self,
        source: &str,
        build: &Build,
        step: Step,
        result: Outcome<T>,
    ) -> Option<T> {
        let cell = format!("{source} {build}, {step:?}");
        match (result, known::reason(source, build, step)) {
            (Ok(value), None) => return Some(value),
            (Ok(value), Some(why)) => {
                let failure = format!("{cell}: works now; it was known not to because: {why}");
                self.failures.push(failure);
                return Some(value);
            }
            (Err(failed), None) => {
                let message = failed.message().unwrap_or_default();
                self.failures.push(format!("{cell}: {message}"));
                self.summary += &format!("!{step:?}");
            }
            (Err(_), Some(_)) => self.summary += &format!("-{step:?}"),
        }
        None
    }
}

/// We read what libbpf opens, and find the same maps, programs and instructions in it. What
/// neither reads is `None`.
fn read(path: &Path, theirs: &Account, said: &str) -> Outcome<Option<Object>> {
    let is_opened = theirs.of("open").next().is_none();
    let object = match object::read(&std::fs::read(path)?) {
        Ok(object) if is_opened => object,
        Ok(object) => return Ok(Some(object)),
        Err(error) if is_opened => return Err(format!("we do not read it: {error}").into()),
        Err(_) => return Ok(None),
    };
    let what = ["map", "inner", "initial", "program"];
    let definitions = theirs.about(&what).map(|line| without_mmapable(line));
    model::definitions(&object).must_be(&definitions, "definitions")?;
    for program in &object.programs {
        if !witness::is_judged(theirs, said, &program.name) {
            continue;
        }
        let mut their_insns = model::theirs(theirs, program);
        let mut our_insns = Account::new(model::instructions(&object, program));
        let accepted = format!("{} 0", program.name);
        if !theirs.of("load").any(|line| line == accepted) {
            our_insns = model::without_maps(&our_insns);
            their_insns = model::without_maps(&their_insns);
        }
        let what = format!("instructions of {}", program.name);
        our_insns.must_be(&their_insns, &what)?;
    }
    Ok(Some(object))
}

/// The object that the text of all of one is: the same.
fn through_text(object: &Object) -> Outcome<Object> {
    let mut text = String::new();
    print_object(&mut text, object, Options::WHOLE)?;
    let again = parse("text", &text).map_err(|error| format!("{error}\n{text}"))?;
    ensure_eq!(&again, object, "{text}");
    Ok(again)
}

/// libbpf opens what we read.
fn opens(theirs: &Account, said: &str, object: Option<&Object>) -> Outcome {
    let refused = theirs.of("open").next().is_some();
    let alone = refused && object.is_some();
    ensure!(
        !alone,
        "we read it, and libbpf does not:\n{}",
        beginning(said)
    );
    Ok(())
}

/// See [`model::definitions`].
fn without_mmapable(line: &str) -> String {
    match line.strip_prefix("map .") {
        Some(_) => line
            .replace("flags 0x48", "flags 0x8")
            .replace("flags 0x400", "flags 0x0"),
        None => line.to_owned(),
    }
}

/// What we write again is the same to libbpf and the kernel.
fn rewrite(object: &Object, theirs: &Account, folder: &Path) -> Outcome {
    let path = folder.join("rewritten.o");
    std::fs::write(&path, object::write(object)?)?;
    let (again, said) = witness::account(&path)?;
    let same = again.must_be(
        theirs,
        "libbpf's accounts of what we wrote and of the original",
    );
    same.map_err(|failed| {
        let message = failed.message().unwrap_or_default();
        format!("{message}\n{}", beginning(&said)).into()
    })
}

/// Our loader gets from the kernel what libbpf gets.
fn load(object: &Object, theirs: &Account, libbpf_said: &str) -> Outcome {
    let (ours, said) = loaded::account(object)?;
    // Our loader makes the maps of one program, libbpf those of all.
    let judged = |name: &str| witness::is_judged(theirs, libbpf_said, name);
    let theirs = loaded::theirs(theirs).of_programs(judged);
    let same = ours
        .of_programs(judged)
        .must_be(&theirs, "what the kernel does");
    same.map_err(|failed| {
        let message = failed.message().unwrap_or_default();
        format!("{message}\n{}", beginning(&said)).into()
    })
}

/// Enough of a log to see what it is about.
fn beginning(said: &str) -> String {
    said.lines().take(12).collect::<Vec<_>>().join("\n")
}
