//! The pages of `ebpfasm explain`: each program on them is what the page says of it, by the
//! simulator and by the kernel.
//!
//! The first block of code of a page shows the rejection, or what is warned of, the others how to
//! mend it: among them are one in C and one in Rust, or the page says why there is none. A block's
//! language says what it is:
//!
//! | language | is |
//! |---|---|
//! | `bpf` | program text |
//! | `bpf without=CAP_PERFMON` | the same, loaded without a capability |
//! | `bpf kernel=5.2` | the same, for an older kernel: the running one is not asked |
//! | `c` | functions, behind the usual headers |
//! | `rust` | the body of a `unit()` that has made `unit` |
//! | `json` | a row of a batch |
#![forbid(unsafe_code)]

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use ebpf_asm::object::{self, Object};
use ebpf_asm::target::parse_kernel;
use ebpf_asm::text::parse;
use ebpf_asm::verifier_log::VerifierLog;
use ebpf_loader::Error;
use ebpf_tests::kernel_types;
use ebpf_tests::policy::{self, Need};
use ebpf_tests::who::Who;
use ebpf_tests::{Outcome, clang, commands, ensure, ensure_eq, tool};
use ebpf_verifier_sim::{
    CODES, Code, Config, Entry, KernelRefusal, Severity, Verdict, verify_with,
};
use libtest_mimic::Trial;

/// Codes that no small program shows.
const WITHOUT_PROGRAM: [Code; 2] = [
    // It takes more than 8192 branches.
    Code::TooManyBranches,
    // What is not modelled changes with every release.
    Code::NotModelled,
];

/// The pages that show no mended form in a language, and their words on why not.
const WITHOUT_MENDED: [(Code, &str, &str); 8] = [
    (Code::Encoding, "c", NO_SUCH_BYTES),
    (Code::Encoding, "rust", NO_SUCH_BYTES),
    (Code::BadBtf, "c", NO_SUCH_TYPES),
    (Code::BadBtf, "rust", NO_SUCH_TYPES),
    (
        Code::LoadFlags,
        "rust",
        "The DSL's programs are loaded without flags, so that Rust cannot make the error.",
    ),
    (
        Code::AttachType,
        "rust",
        "The DSL's programs are for XDP and raw tracepoints, which are loaded with the attach type \
         that goes with them, so that Rust cannot make the error.",
    ),
    (
        Code::NotModelled,
        "c",
        "There is no other form to show, since each is about another thing.",
    ),
    (
        Code::NotModelled,
        "rust",
        "the DSL records nothing that is not modelled here: in Rust it cannot be met.",
    ),
];
const NO_SUCH_BYTES: &str = "Neither C nor the DSL can write such bytes:";
const NO_SUCH_TYPES: &str = "Neither C nor the DSL can get it wrong:";

/// What C blocks begin with.
const PRELUDE: &str = "\
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

";

/// What C blocks have for a license, unless they declare one.
const C_LICENSE: &str = "char _license[] SEC(\"license\") = \"GPL\";\n\n";

/// What program text has for a license, unless it names one.
const LICENSE: &str = ".license GPL\n";

/// A block of code.
#[derive(Debug, Clone)]
struct Block {
    /// What stands behind the fence.
    language: String,
    text: String,
}

fn main() -> ExitCode {
    policy::main(|| {
        let mut trials = vec![
            Trial::test("pages_have_headings_and_programs", pages),
            Trial::test("each_page_mends_it_in_c_and_in_rust", languages),
            Trial::test("the_dsl_mends_it", dsl),
            policy::trial("the_kernel_is_explained_too", &[Need::Kernel], kernel_too),
        ];
        for entry in CODES {
            trials.extend(trials_of(entry));
        }
        trials
    })
}

/// The blocks of code of a page.
fn blocks(entry: &Entry) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut inside = false;
    for line in entry.page.lines() {
        match (line.strip_prefix("```"), inside, blocks.last_mut()) {
            (Some(language), false, _) => {
                let (language, text) = (language.to_owned(), String::new());
                blocks.push(Block { language, text });
                inside = true;
            }
            (Some(_), true, _) => inside = false,
            (None, true, Some(block)) => block.text += &format!("{line}\n"),
            _ => {}
        }
    }
    blocks
}

/// What the page says that Linux says.
fn kernels_words(entry: &Entry) -> Option<&str> {
    let line = entry
        .page
        .lines()
        .find_map(|line| line.strip_prefix("Linux says `"))?;
    line.strip_suffix("`.")
}

fn pages() -> Outcome {
    for entry in CODES {
        let heading = format!("# {}: {}", entry.code, entry.title);
        ensure_eq!(
            entry.page.lines().next(),
            Some(heading.as_str()),
            "the heading"
        );
        let shown = entry.page.contains("\n## A program that shows it\n");
        let wanted = !WITHOUT_PROGRAM.contains(&entry.code);
        ensure_eq!(shown, wanted, "{}: a program that shows it", entry.code);
        let mended = entry.page.contains("\n## How to mend it\n");
        ensure!(mended, "{}: no word on how to mend it", entry.code);
    }
    Ok(())
}

/// The first block is the rejection, where a page has one; a language is in those behind it.
fn languages() -> Outcome {
    for entry in CODES {
        let rejections = usize::from(!WITHOUT_PROGRAM.contains(&entry.code));
        let blocks = blocks(entry);
        let mended: Vec<_> = blocks.iter().skip(rejections).collect();
        for language in ["c", "rust"] {
            let is_shown = mended.iter().any(|block| block.language == language);
            let without = WITHOUT_MENDED
                .iter()
                .find(|(code, of, _)| (*code, *of) == (entry.code, language));
            let at = format!("{} in {language}", entry.code);
            match without {
                None => ensure!(is_shown, "{at}: no mended form, and no word on why not"),
                Some((_, _, why)) => {
                    ensure!(!is_shown, "{at}: the mended form is shown after all");
                    let lines: Vec<&str> = entry.page.lines().collect();
                    ensure!(lines.join(" ").contains(why), "{at}: not said: {why}");
                }
            }
        }
    }
    Ok(())
}

fn trials_of(entry: &'static Entry) -> Vec<Trial> {
    let mut trials = Vec::new();
    for (number, block) in blocks(entry).into_iter().enumerate() {
        let shows = number == 0 && !WITHOUT_PROGRAM.contains(&entry.code);
        let name = format!("{}::{number}_{}", entry.code, block.language);
        let needs: &[Need] = match block.language.as_str() {
            "rust" => continue,
            "c" => &[policy::CLANG[0], policy::CLANG[1], Need::Kernel],
            _ => &[Need::Kernel],
        };
        trials.push(policy::trial(name, needs, move || {
            match (shows, block.language.as_str()) {
                (true, "json") => row_is_refused(entry, &block),
                (true, _) if entry.code.severity() == Severity::Warning => {
                    is_accepted(&block, &[entry.code])
                }
                (true, _) => is_refused(entry, &block),
                (false, _) => is_accepted(&block, &[]),
            }
        }));
    }
    trials
}

/// The object of a block of text or C.
fn object(block: &Block) -> Outcome<Object> {
    if block.language == "c" {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("page.c");
        let license = match block.text.contains("SEC(\"license\")") {
            true => "",
            false => C_LICENSE,
        };
        fs::write(&file, format!("{PRELUDE}{license}{}", block.text))?;
        let compiled = fs::read(clang::compile(&file, folder.path())?)?;
        return kernel_types::relocated(object::read(&compiled)?);
    }
    let text = match block.text.starts_with(".license") {
        true => block.text.clone(),
        false => format!("{LICENSE}{}", block.text),
    };
    Ok(parse("page", &text)?)
}

/// For whom a block is verified, and who loads it.
fn audience(block: &Block) -> Outcome<(Config, Who)> {
    let (mut config, mut who) = (Config::default(), Who::Root);
    for word in block.language.split(' ').skip(1) {
        match word.split_once('=') {
            Some(("kernel", version)) => config.kernel = parse_kernel(version)?,
            Some(("without", capability)) => who = Who::without(capability)?,
            _ => return Err(format!("nobody knows what '{word}' means").into()),
        }
    }
    config.capabilities = who.capabilities();
    Ok((config, who))
}

/// Whether the running kernel can be asked about a block: it is no older one.
fn can_be_asked((config, who): (Config, Who)) -> bool {
    config.kernel == Config::default().kernel && who.may_ask_kernel()
}

fn is_refused(entry: &Entry, block: &Block) -> Outcome {
    let (object, audience) = (object(block)?, audience(block)?);
    let (config, who) = audience;
    let verdicts = object
        .programs
        .iter()
        .map(|one| verify_with(&object, one, &config, &kernel_types::RUNNING));
    let why = verdicts
        .filter_map(|verdict| verdict.rejection().cloned())
        .next()
        .ok_or("the simulator accepts it")?;
    ensure_eq!(why.code, entry.code, "{}", why.message);
    if let Some(words) = kernels_words(entry) {
        ensure!(
            why.message.starts_with(words),
            "the simulator says {}",
            why.message
        );
    }
    if !can_be_asked(audience) {
        return Ok(());
    }
    match who.load(&object)? {
        Ok(_) => Err("the kernel accepts it".into()),
        Err(Error::Rejected(refused)) => {
            let words = kernels_words(entry).unwrap_or_default();
            ensure!(
                refused.point.starts_with(words),
                "the kernel says {}",
                refused.point
            );
            let log = VerifierLog::read(&refused.log);
            let code = KernelRefusal::of(&log).and_then(|refusal| refusal.code);
            ensure_eq!(code, Some(entry.code), "the code of the kernel's words");
            Ok(())
        }
        // Before the verifier has a look.
        Err(_) if kernels_words(entry).is_none() => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The block is accepted, with warnings of these codes.
fn is_accepted(block: &Block, warned: &[Code]) -> Outcome {
    let (object, audience) = (object(block)?, audience(block)?);
    let (config, who) = audience;
    let mut codes = Vec::new();
    for program in &object.programs {
        let verdict = verify_with(&object, program, &config, &kernel_types::RUNNING);
        if let Verdict::Rejected(why) = verdict {
            return Err(format!("the simulator refuses it: {} {}", why.code, why.message).into());
        }
        codes.extend(verdict.warnings().iter().map(|warning| warning.code));
    }
    ensure_eq!(codes, warned, "the codes of the warnings");
    match can_be_asked(audience) {
        true => Ok(who.load(&object)?.map(drop)?),
        false => Ok(()),
    }
}

/// A row is asked as anybody's would be.
fn row_is_refused(entry: &Entry, block: &Block) -> Outcome {
    let folder = tempfile::tempdir()?;
    let rows = folder.path().join("page.jsonl");
    fs::write(&rows, &block.text)?;
    let mut command = commands::ebpfasm()?;
    let answer = tool::output(
        command
            .args(["check", "--kernel-too", "--batch"])
            .arg(&rows),
    )?;
    let answer: serde_json::Value = serde_json::from_str(&answer)?;
    ensure_eq!(answer["verdict"], "reject", "{answer}");
    ensure_eq!(answer["code"], entry.code.to_string(), "{answer}");
    ensure_eq!(answer["kernel"]["verdict"], "reject", "{answer}");
    let words = kernels_words(entry).unwrap_or_default();
    for said in [&answer["msg"], &answer["kernel"]["msg"]] {
        ensure!(
            said.as_str().is_some_and(|said| said.starts_with(words)),
            "{answer}"
        );
    }
    Ok(())
}

/// `check --kernel-too` shows both verdicts, with the code and the place of each.
fn kernel_too() -> Outcome {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("leak.bpf");
    fs::write(
        &file,
        ".license GPL\n.prog xdp leak\n    r0 = r2\n    exit\n",
    )?;
    let check = |more: &[&str]| -> Outcome<(String, String)> {
        let mut command = commands::ebpfasm()?;
        command
            .args(["check", "--kernel-too"])
            .args(more)
            .arg(&file);
        let ended = command.output()?;
        ensure_eq!(ended.status.code(), Some(3), "{ended:?}");
        Ok((
            String::from_utf8(ended.stdout)?,
            String::from_utf8(ended.stderr)?,
        ))
    };
    let (lines, explained) = check(&[])?;
    ensure_eq!(
        lines,
        "leak (xdp): rejected, BPF0301 R2 !read_ok\n\
         leak (xdp) on the running kernel: rejected at 0, BPF0301 R2 !read_ok\n",
        "both verdicts"
    );
    // The same point is made once.
    ensure_eq!(explained.matches("R2 !read_ok").count(), 1, "{explained}");
    let (lines, _) = check(&["--json"])?;
    let said = lines.lines().map(serde_json::from_str::<serde_json::Value>);
    let said: Vec<_> = said.collect::<Result<_, _>>()?;
    let (ours, kernel) = (&said[0], &said[1]["kernel"]);
    for field in ["verdict", "code", "msg", "slot", "line"] {
        ensure_eq!(ours[field], kernel[field], "{field} of {said:?}");
    }
    Ok(())
}

/// All blocks in Rust become one program file, which `ebpfasm build` verifies.
fn dsl() -> Outcome {
    let blocks = CODES
        .iter()
        .flat_map(|entry| blocks(entry).into_iter().map(move |b| (entry, b)));
    let rust = blocks.filter(|(_, block)| block.language == "rust");
    let mut count = 0;
    for (entry, block) in rust {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("page.rs");
        fs::write(&file, program_file(&block.text))?;
        build(&file, folder.path()).map_err(|failed| format!("{}: {failed:?}", entry.code))?;
        count += 1;
    }
    ensure!(count > 0, "no page has a block in Rust");
    Ok(())
}

fn program_file(body: &str) -> String {
    format!(
        "use ebpf_dsl::prelude::*;\n\npub fn unit() -> Unit {{\n#[allow(unused_mut)]\n\
         let mut unit = unit!(\"page.rs\").license(\"GPL\");\n{body}}}\n\n\
         pub fn main() -> ExitCode {{\n    emit(unit())\n}}\n"
    )
}

fn build(file: &Path, folder: &Path) -> Outcome<String> {
    let mut command = commands::ebpfasm()?;
    command
        .arg("build")
        .arg(file)
        .arg("-o")
        .arg(folder.join("page.o"));
    tool::output(&mut command)
}
