//! `ebpfasm explain`: the page of a code, or the codes there are.
//!
//! The pages are the verifier's (`verifier-sim/src/explain/`), in Markdown; here they become
//! text for a terminal.

use anstyle::Style;
use ebpf_verifier_sim::{CODES, Code, Entry};

use crate::args::ExplainArgs;
use ebpf_cli::exit::Exit;
use ebpf_cli::report::{self, Failure};

/// How headings look where colours are shown.
const HEADING: Style = Style::new().bold();

/// Runs the command.
pub(crate) fn run(args: &ExplainArgs) -> Result<(), Failure> {
    let text = match args.words.as_slice() {
        [] => list(&CODES.iter().collect::<Vec<_>>()),
        words => answer(&words.join(" "))?,
    };
    report::print(text)
}

/// The page of a code; of words, the page that has them, or a list of those that do.
fn answer(words: &str) -> Result<String, Failure> {
    if let Some(entry) = Code::parse(words).and_then(Code::entry) {
        return Ok(page(entry));
    }
    let words = words.to_lowercase();
    let has_them = |entry: &&Entry| entry.page.to_lowercase().contains(&words);
    match CODES.iter().filter(has_them).collect::<Vec<_>>().as_slice() {
        [] => Err(unknown(&words)),
        [entry] => Ok(page(entry)),
        several => Ok(list(several)),
    }
}

fn unknown(words: &str) -> Failure {
    let message = format!("'{words}' is no code, and no page has these words");
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
