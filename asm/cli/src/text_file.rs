//! Program text: `.bpf` files, and what other tools print, as objects.

use std::path::Path;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use ebpf_asm::object::Object;
use ebpf_asm::text::{MOST_ERRORS, ParseError, errors, parse};

use ebpf_cli::exit::Exit;
use ebpf_cli::input;
use ebpf_cli::object_file::ObjectFile;
use ebpf_cli::report::Failure;

/// The extension of files with program text.
const EXTENSION: &str = "bpf";

/// Whether a file holds program text, by its name; standard input does not tell.
pub(crate) fn is_text(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == EXTENSION)
}

/// The object in a file, be it program text or an object file.
pub(crate) fn object(path: &Path) -> Result<Object, Failure> {
    match is_text(path) {
        true => read(path),
        false => Ok(ObjectFile::read(path)?.object),
    }
}

/// Reads a file as text; `-` is standard input. With it comes what to call it.
pub(crate) fn text(path: &Path) -> Result<(String, String), Failure> {
    let bytes = input::bytes(path)?;
    let shown = input::shown(path);
    match String::from_utf8(bytes) {
        Ok(text) => Ok((shown, text)),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            Err(Failure::new(
                Exit::BadObject,
                format!("{shown} is no text: byte {at} is not UTF-8"),
            ))
        }
    }
}

/// Reads a file as program text; `-` is standard input.
pub(crate) fn read(path: &Path) -> Result<Object, Failure> {
    let (shown, text) = text(path)?;
    let object = parse(&shown, &text).map_err(|first| wrong(&first, &shown, &text))?;
    match object.programs.is_empty() {
        false => Ok(object),
        true => Err(
            Failure::new(Exit::BadObject, format!("{shown} has no program"))
                .help("a program begins with .prog SECTION NAME"),
        ),
    }
}

/// What to say of a text whose first error is known: all of them are told, up to a number, and if
/// there are several, how many.
fn wrong(first: &ParseError, shown: &str, text: &str) -> Failure {
    match errors(shown, text).as_slice() {
        [] => explained(first, text),
        [only] => explained(only, text),
        several => {
            for error in several {
                explained(error, text).print();
            }
            let more = match several.len() {
                ..MOST_ERRORS => "",
                _ => "at least ",
            };
            let message = format!("{more}{} lines of {shown} are wrong", several.len());
            Failure::new(Exit::BadObject, message)
        }
    }
}

/// The error with the line that it is in, as rustc shows it.
fn explained(error: &ParseError, text: &str) -> Failure {
    let before = text
        .split_inclusive('\n')
        .take(error.span.line as usize - 1);
    let begin: usize = before.map(str::len).sum::<usize>() + error.span.column as usize - 1;
    let end = (begin + error.len).min(text.len());
    let snippet = Snippet::source(text)
        .path(&*error.span.file)
        .annotation(AnnotationKind::Primary.span(begin.min(end)..end));
    let title = Level::ERROR.primary_title(&*error.message);
    let report = [Group::with_title(title).element(snippet)];
    let rendered = Renderer::styled().render(&report);
    // The sentence itself the failure says.
    let details = rendered.split_once('\n').map_or("", |(_, details)| details);
    let failure = Failure::new(Exit::BadObject, &*error.message).details(details);
    match &error.help {
        Some(help) => failure.help(help),
        None => failure,
    }
}
