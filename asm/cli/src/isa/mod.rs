//! `ebpfasm isa`: the instruction set, listed or explained.
//!
//! All of it is derived from the one table ([`ebpf_asm::isa::ISA`]): `meaning.rs` says in words
//! and in pseudo-code what a row does, `picture.rs` draws its fields, `markdown.rs` makes the
//! page ISA.md.

mod markdown;
mod meaning;
mod picture;

use ebpf_asm::insn::{Fields, Insn, Reg};
use ebpf_asm::isa::{ISA, Row, Sem, Source};
use ebpf_asm::near::near;

use crate::args::IsaArgs;
use ebpf_cli::exit::Exit;
use ebpf_cli::report::{self, Failure};

/// Runs the command.
pub(crate) fn run(args: &IsaArgs) -> Result<(), Failure> {
    let text = match (args.markdown, args.mnemonic.as_slice()) {
        (true, _) => markdown::page(),
        (false, []) => list(),
        (false, words) => explain(&words.join(" "))?,
    };
    report::print(text)
}

/// One line a row.
fn list() -> String {
    let lines = ISA.iter().map(|row| {
        let (name, text) = (row.name, example(row));
        let (opcode, cpu, since) = (row.opcode, row.cpu, since(row));
        format!("{opcode:#04x}  {name:<15}  {text:<44}  {cpu}  {since}\n")
    });
    lines.collect()
}

/// All that is known about the rows that a word names.
fn explain(word: &str) -> Result<String, Failure> {
    let rows = matching(word);
    if rows.is_empty() {
        return Err(unknown(word));
    }
    let sections: Vec<String> = rows.into_iter().map(section).collect();
    Ok(sections.join("\n"))
}

/// The rows of an opcode or of a name, else those in whose spelling the word occurs.
fn matching(word: &str) -> Vec<&'static Row> {
    let all = |of: &dyn Fn(&'static Row) -> bool| ISA.iter().filter(|row| of(row)).collect();
    if let Some(opcode) = opcode(word) {
        return all(&|row| row.opcode == opcode);
    }
    let named: Vec<&Row> = all(&|row| row.name.eq_ignore_ascii_case(word));
    if !named.is_empty() {
        return named;
    }
    let word = word.to_lowercase();
    let spelled: Vec<&Row> = all(&|row| words(row).any(|part| part == word));
    if !spelled.is_empty() {
        return spelled;
    }
    all(&|row| example(row).contains(&word))
}

/// `0x07`.
fn opcode(word: &str) -> Option<u8> {
    u8::from_str_radix(word.strip_prefix("0x")?, 16).ok()
}

/// The words of a row's spelling.
fn words(row: &Row) -> impl Iterator<Item = &'static str> {
    let between = |c: char| c.is_whitespace() || "(){}*,".contains(c);
    row.text.split(between).filter(|part| !part.is_empty())
}

fn unknown(word: &str) -> Failure {
    let failure = Failure::new(Exit::NotFound, format!("no instruction is called '{word}'"));
    let lower = word.to_lowercase();
    let names = ISA.iter().map(|row| row.name.to_lowercase());
    let spellings = ISA.iter().flat_map(words).map(str::to_owned);
    let candidates: Vec<String> = names.chain(spellings).collect();
    match near(&lower, candidates.iter().map(String::as_str)) {
        Some(meant) => failure.help(format!("did you mean this: ebpfasm isa {meant}")),
        None => failure.help("all of them: ebpfasm isa"),
    }
}

/// A row in full.
fn section(row: &'static Row) -> String {
    let source = match row.source {
        Source::Rfc9669(section) => format!("RFC 9669 section {section}"),
        Source::Linux => "Linux only".to_owned(),
        Source::Compilers => "LLVM only".to_owned(),
    };
    let facts = [
        ("does", meaning::pseudo(row)),
        ("that is", meaning::words(row.sem)),
        ("opcode", picture::bits(row)),
        ("group", group(row)),
        ("cpu", format!("-mcpu={} and newer", row.cpu)),
        ("since", since(row)),
        ("source", source),
    ];
    let mut text = format!(
        "{}: {}\n\n{}\n",
        row.name,
        example(row),
        picture::picture(row)
    );
    for (name, fact) in facts {
        text.push_str(&format!("{name:<8} {fact}\n"));
    }
    text
}

/// The conformance group's name.
fn group(row: &Row) -> String {
    match row.group {
        Some(group) => format!("{group:?}").to_lowercase(),
        None => "none".to_owned(),
    }
}

/// The release that brought the row.
fn since(row: &Row) -> String {
    match row.since {
        Some((major, minor)) => format!("Linux {major}.{minor}"),
        None => "no Linux".to_owned(),
    }
}

/// An instruction of the row.
fn example(row: &'static Row) -> String {
    let imm = match row.sem {
        // bpf_ktime_get_ns
        Sem::Call(_) => 5,
        _ => 8,
    };
    let fields = Fields {
        dst: Reg::R1,
        src: Reg::R2,
        offset: 4,
        imm,
        next_imm: 0,
    };
    Insn::new(row, fields).to_string()
}
