//! Differences as text, in the manner of `diff -u`.

use anstyle::{AnsiColor, Style};

use super::Difference;
use super::align::Row;
use super::function::{FunctionDifference, Hunk, Shown};
use crate::args::DiffArgs;

const REMOVED: Style = AnsiColor::Red.on_default();
const ADDED: Style = AnsiColor::Green.on_default();
const PLACE: Style = AnsiColor::Cyan.on_default();

/// Nothing if there is no difference.
pub(super) fn print(difference: &Difference, args: &DiffArgs) -> String {
    let mut lines = Vec::new();
    if difference.is_empty() {
        return String::new();
    }
    lines.push(styled(REMOVED, &format!("--- {}", args.old.display())));
    lines.push(styled(ADDED, &format!("+++ {}", args.new.display())));
    for change in &difference.definitions {
        for (style, sign, value) in [(REMOVED, '-', &change.old), (ADDED, '+', &change.new)] {
            if let Some(value) = value {
                lines.push(styled(style, &format!("{sign}{}: {value}", change.name)));
            }
        }
    }
    for function in &difference.functions {
        for hunk in function.hunks() {
            add_hunk(&mut lines, function, &hunk);
        }
    }
    lines.join("\n") + "\n"
}

fn add_hunk(lines: &mut Vec<String>, function: &FunctionDifference, hunk: &Hunk<'_>) {
    let rows: Vec<Shown<'_>> = hunk
        .rows
        .iter()
        .filter_map(|row| function.shown(*row))
        .collect();
    let name = match function.name == function.program {
        true => function.name.clone(),
        false => format!("{}, function {}", function.program, function.name),
    };
    let old = slots(rows.iter().filter_map(|row| row.old_slot));
    let new = slots(rows.iter().filter_map(|row| row.new_slot));
    let place = format!("@@ {name}: {old} and {new} @@");
    lines.push(styled(PLACE, &place));
    let mut last = None;
    for shown in &rows {
        let (style, sign) = match shown.row {
            Row::Same { .. } => (Style::new(), ' '),
            Row::Old(_) => (REMOVED, '-'),
            Row::New(_) => (ADDED, '+'),
        };
        if let Some(source) = shown.source.filter(|_| shown.source != last) {
            lines.push(styled(style, &format!("{sign}    ; {source}")));
        }
        last = shown.source;
        if let Some(label) = &shown.label {
            lines.push(styled(style, &format!("{sign}{label}:")));
        }
        lines.push(styled(style, &format!("{sign}    {}", shown.text)));
    }
}

/// `slots 3..9`, the last one included.
fn slots(all: impl Iterator<Item = usize> + Clone) -> String {
    match (all.clone().min(), all.max()) {
        (Some(first), Some(last)) => format!("slots {first}..{last}"),
        _ => "nothing".to_owned(),
    }
}

fn styled(style: Style, line: &str) -> String {
    format!("{style}{line}{style:#}")
}
