//! Source lines of programs, as the commands that show code quote them.

use ebpf_asm::program::Program;
use ebpf_asm::span::Span;

/// `file:line: text`.
pub(crate) fn line(span: Span<&str>) -> String {
    let place = format!("{}:{}", span.file, span.line);
    let line = match span.text.trim() {
        "" => place,
        text => format!("{place}: {text}"),
    };
    // Whatever a file of debug information says, a line is a line.
    line.replace(|c: char| c.is_control(), " ")
}

/// Whether the instruction at `slot` comes from another line than the one before it. Compilers
/// say line 0 of what comes from no line.
pub(crate) fn begins(program: &Program, slot: usize) -> bool {
    if program.span(slot).is_some_and(|span| span.line == 0) {
        return false;
    }
    let place = |slot: usize| {
        let span = program.span(slot)?;
        Some((span.file, span.line))
    };
    match slot.checked_sub(1) {
        None => true,
        Some(before) => place(before) != place(slot),
    }
}
