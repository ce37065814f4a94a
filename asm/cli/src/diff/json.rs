//! Differences as JSON, for other programs. The layout is a promise, as that of
//! [`crate::json`].

use serde::Serialize;

use super::Difference;
use super::align::Row;
use super::function::FunctionDifference;
use crate::emit::unprintable;
use ebpf_cli::report::Failure;

/// The name of the layout.
const SCHEMA: &str = "ebpfasm.diff.v1";

#[derive(Serialize)]
struct Document<'d> {
    schema: &'static str,
    differs: bool,
    definitions: Vec<Definition<'d>>,
    functions: Vec<Function<'d>>,
}

#[derive(Serialize)]
struct Definition<'d> {
    name: &'d str,
    old: Option<&'d str>,
    new: Option<&'d str>,
}

#[derive(Serialize)]
struct Function<'d> {
    program: &'d str,
    name: &'d str,
    hunks: Vec<Hunk<'d>>,
}

#[derive(Serialize)]
struct Hunk<'d> {
    rows: Vec<Instruction<'d>>,
}

#[derive(Serialize)]
struct Instruction<'d> {
    /// `same`, `removed` or `added`.
    change: &'static str,
    old_slot: Option<usize>,
    new_slot: Option<usize>,
    text: String,
    source: Option<&'d str>,
}

/// The differences as one JSON document, its line ended.
pub(super) fn print(difference: &Difference) -> Result<String, Failure> {
    let definitions = difference.definitions.iter().map(|change| Definition {
        name: &change.name,
        old: change.old.as_deref(),
        new: change.new.as_deref(),
    });
    let document = Document {
        schema: SCHEMA,
        differs: !difference.is_empty(),
        definitions: definitions.collect(),
        functions: difference.functions.iter().map(function).collect(),
    };
    let text = serde_json::to_string_pretty(&document).map_err(unprintable)?;
    Ok(text + "\n")
}

fn function(function: &FunctionDifference) -> Function<'_> {
    let hunks = function.hunks().into_iter().map(|hunk| {
        let rows = hunk.rows.iter().filter_map(|row| function.shown(*row));
        let rows = rows.map(|shown| Instruction {
            change: match shown.row {
                Row::Same { .. } => "same",
                Row::Old(_) => "removed",
                Row::New(_) => "added",
            },
            old_slot: shown.old_slot,
            new_slot: shown.new_slot,
            text: shown.text,
            source: shown.source,
        });
        Hunk {
            rows: rows.collect(),
        }
    });
    Function {
        program: &function.program,
        name: &function.name,
        hunks: hunks.collect(),
    }
}
