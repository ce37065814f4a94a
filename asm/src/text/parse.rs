//! Parsing: text as an object. A line is matched against the spellings of the table, so
//! that what the printer prints is read back, and nothing else has to be known.

use super::spelling::{Wrong, match_line};
use super::token::{Placed, Token, tokens};
use crate::assembler::{AssembleError, Assembler, Label};
use crate::insn::{Insn, Reg};
use crate::isa::{Imm64, Sem};
use crate::map_type::MapType;
use crate::object::{Map, Object};
use crate::prog_type::{ProgType, SECTIONS, section};
use crate::program::Reference;
use crate::span::{Sources, Span};
use std::collections::HashMap;

/// What is wrong in a text, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{}:{}: {message}", span.file, span.line, span.column)]
pub struct ParseError {
    /// The place; columns are bytes, counted from 1.
    pub span: Span,
    /// How many bytes from there are wrong; 0 if something is missing there.
    pub len: usize,
    /// What is wrong, and what was expected.
    pub message: String,
}

/// Reads the text of a file as an object. `path` is the name that messages and the
/// instructions' source places give the file.
///
/// # Errors
/// The first line that is wrong.
pub fn parse(path: &str, text: &str) -> Result<Object, ParseError> {
    let mut sources = Sources::new();
    sources.add(path, text);
    let mut parser = Parser {
        path,
        sources,
        number: 0,
        object: Object::default(),
        current: None,
    };
    for (index, line) in text.lines().enumerate() {
        parser.number = index as u32 + 1;
        parser.line(line).map_err(|error| parser.error(error))?;
    }
    parser
        .finish_program()
        .map_err(|error| parser.error(error))?;
    Ok(parser.object)
}

struct Parser<'a> {
    path: &'a str,
    sources: Sources,
    /// The line being read, counted from 1.
    number: u32,
    object: Object,
    current: Option<Current>,
}

/// The program being read.
struct Current {
    section: String,
    assembler: Assembler,
    labels: HashMap<String, Known>,
}

/// A label and the line that first names it; bound or not.
struct Known {
    label: Label,
    line: u32,
    bound: bool,
}

impl Parser<'_> {
    fn error(&self, wrong: Wrong) -> ParseError {
        ParseError {
            span: self
                .sources
                .span(self.path, self.number, wrong.begin as u32 + 1),
            len: wrong.end.saturating_sub(wrong.begin),
            message: wrong.message,
        }
    }

    fn line(&mut self, line: &str) -> Result<(), Wrong> {
        let code = line.split(';').next().unwrap_or_default().trim();
        if code.starts_with('.') {
            return self.directive(code);
        }
        let all = tokens(line).map_err(|(begin, end)| Wrong {
            begin,
            end,
            message: "no register, number, name or operator".into(),
        })?;
        let mut rest = all.as_slice();
        while let [
            Placed {
                token: Token::Word(name),
                ..
            },
            colon,
            tail @ ..,
        ] = rest
            && colon.token == Token::Sign(":")
        {
            self.label(name)?;
            rest = tail;
        }
        if let [first, ..] = rest {
            let column = first.begin as u32 + 1;
            let span = self.sources.span(self.path, self.number, column);
            self.current(first)?.assembler.at(Some(span));
            self.instruction(rest)?;
        }
        Ok(())
    }

    fn current(&mut self, first: &Placed<'_>) -> Result<&mut Current, Wrong> {
        let missing = "an instruction outside any program: begin one with '.prog SECTION NAME'";
        self.current
            .as_mut()
            .ok_or_else(|| Wrong::at(first, missing))
    }

    fn directive(&mut self, code: &str) -> Result<(), Wrong> {
        let mut words = code.split_whitespace();
        match words.next() {
            Some(".license") => {
                self.object.license = words.collect::<Vec<_>>().join(" ");
                Ok(())
            }
            Some(".map") => self.map(words),
            Some(".prog") => self.program(words),
            Some(".func") => {
                let name = words
                    .next()
                    .ok_or_else(|| Wrong::line("'.func' wants a name"))?;
                let label = self.name_label(name, Binding::Here)?;
                if let Some(current) = &mut self.current {
                    current.assembler.function(label, name);
                }
                Ok(())
            }
            other => Err(Wrong::line(format!(
                "'{}' is no directive: there are .license, .map, .prog and .func",
                other.unwrap_or_default()
            ))),
        }
    }

    /// `.prog SECTION [NAME]`; a program type stands for its section.
    fn program<'t>(&mut self, mut words: impl Iterator<Item = &'t str>) -> Result<(), Wrong> {
        self.finish_program()?;
        let name = words
            .next()
            .ok_or_else(|| Wrong::line("'.prog' wants a section"))?;
        let by_type = || {
            let prog_type = ProgType::from_name(name)?;
            SECTIONS
                .iter()
                .find(|known| known.prog_type == prog_type)
                .map(|known| known.name)
        };
        let section = match section(name) {
            Some(_) => name,
            None => {
                by_type().ok_or_else(|| Wrong::line(format!("'{name}' names no program type")))?
            }
        };
        let name = words.next().unwrap_or("prog");
        if self.object.program(name).is_some() {
            return Err(Wrong::line(format!("a program '{name}' is there already")));
        }
        self.current = Some(Current {
            section: section.to_owned(),
            assembler: Assembler::new(name),
            labels: HashMap::new(),
        });
        Ok(())
    }

    /// Adds the program that has been read to the object.
    fn finish_program(&mut self) -> Result<(), Wrong> {
        let Some(current) = self.current.take() else {
            return Ok(());
        };
        let unbound = current.labels.iter().filter(|(_, known)| !known.bound);
        if let Some((name, known)) = unbound.min_by_key(|(_, known)| known.line) {
            self.number = known.line;
            return Err(Wrong::line(format!("the label '{name}' is nowhere bound")));
        }
        let program = current.assembler.finish(&current.section);
        let program = program.map_err(|error: AssembleError| {
            self.number = error.span().map_or(self.number, |span| span.line);
            Wrong::line(error.to_string())
        })?;
        self.object.programs.push(program);
        Ok(())
    }

    /// `.map NAME TYPE key_size=4 value_size=8 max_entries=1 map_flags=0`.
    fn map<'t>(&mut self, mut words: impl Iterator<Item = &'t str>) -> Result<(), Wrong> {
        let (Some(name), Some(type_name)) = (words.next(), words.next()) else {
            return Err(Wrong::line("'.map' wants a name and a type"));
        };
        if self.object.map(name).is_some() {
            return Err(Wrong::line(format!("a map '{name}' is there already")));
        }
        let map_type = MapType::from_name(type_name)
            .ok_or_else(|| Wrong::line(format!("'{type_name}' is no map type")))?;
        let mut map = Map::new(name, map_type);
        for word in words {
            let parsed = word.split_once('=').and_then(|(field, number)| {
                let number = match number.strip_prefix("0x") {
                    Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                    None => number.parse().ok()?,
                };
                Some((field, number))
            });
            match parsed {
                Some(("key_size", number)) => map.key_size = number,
                Some(("value_size", number)) => map.value_size = number,
                Some(("max_entries", number)) => map.max_entries = number,
                Some(("map_flags", number)) => map.map_flags = number,
                _ => {
                    let fields = "key_size, value_size, max_entries or map_flags";
                    return Err(Wrong::line(format!(
                        "'{word}': expected {fields}, = and a number"
                    )));
                }
            }
        }
        self.object.maps.push(map);
        Ok(())
    }

    /// Binds a label here.
    fn label(&mut self, name: &str) -> Result<(), Wrong> {
        let label = self.name_label(name, Binding::Here)?;
        if let Some(current) = &mut self.current {
            current.assembler.bind(label);
        }
        Ok(())
    }

    /// The label of this name, bound here or only named.
    fn name_label(&mut self, name: &str, binding: Binding) -> Result<Label, Wrong> {
        let line = self.number;
        let Some(current) = &mut self.current else {
            return Err(Wrong::line("a label outside any program"));
        };
        let assembler = &mut current.assembler;
        let known = current
            .labels
            .entry(name.to_owned())
            .or_insert_with(|| Known {
                label: assembler.named_label(name),
                line,
                bound: false,
            });
        if binding == Binding::Here {
            if known.bound {
                return Err(Wrong::line(format!("the label '{name}' is bound twice")));
            }
            known.bound = true;
        }
        Ok(known.label)
    }

    fn instruction(&mut self, line: &[Placed<'_>]) -> Result<(), Wrong> {
        if let Some((dst, reference)) = self.map_value(line)? {
            if let Some(current) = &mut self.current {
                current.assembler.ld_reference(dst, reference);
            }
            return Ok(());
        }
        let (row, filled) = match_line(line)?;
        let insn = Insn::new(row, filled.fields);
        let Some(symbol) = filled.symbol else {
            if let Some(current) = &mut self.current {
                current.assembler.insn(insn);
            }
            return Ok(());
        };
        let Token::Word(name) = symbol.token else {
            return Ok(());
        };
        if row.sem == Sem::LoadImm64(Imm64::Value) {
            let reference = Reference::Map(self.map_index(&symbol, name)?);
            if let Some(current) = &mut self.current {
                current.assembler.ld_reference(insn.dst(), reference);
            }
            return Ok(());
        }
        let label = self.name_label(name, Binding::Elsewhere)?;
        if let Some(current) = &mut self.current {
            current.assembler.insn_to(insn, label);
        }
        Ok(())
    }

    /// `r1 = counters[0] + 4 ll`: the address of a byte of a map's first value.
    fn map_value(&self, line: &[Placed<'_>]) -> Result<Option<(Reg, Reference)>, Wrong> {
        let texts: Vec<Token<'_>> = line.iter().map(|placed| placed.token).collect();
        let [
            Token::Reg(dst),
            Token::Sign("="),
            Token::Word(name),
            Token::Sign("["),
            Token::Number(0),
            Token::Sign("]"),
            Token::Sign("+"),
            Token::Number(offset),
            Token::Word("ll"),
        ] = texts[..]
        else {
            return Ok(None);
        };
        let (Some(dst), Ok(offset), [_, _, symbol, ..]) =
            (Reg::new(dst), u32::try_from(offset), line)
        else {
            return Err(Wrong::line("the offset into a map's value has 32 bits"));
        };
        let map = self.map_index(symbol, name)?;
        Ok(Some((dst, Reference::MapValue { map, offset })))
    }

    fn map_index(&self, placed: &Placed<'_>, name: &str) -> Result<usize, Wrong> {
        let index = self.object.maps.iter().position(|map| map.name == name);
        index.ok_or_else(|| Wrong::at(placed, format!("no '.map {name} ...' stands before")))
    }
}

/// Whether a label is bound where it is named.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Binding {
    Here,
    Elsewhere,
}

#[cfg(test)]
mod tests {
    use super::super::print_object;
    use super::*;
    use crate::insn::Fields;
    use crate::isa::ISA;
    use proptest::prelude::*;

    #[test]
    fn no_spelling_is_read_as_another_row() {
        for row in &ISA {
            let insn = Insn::new(row, Fields::default());
            assert_eq!(reread(&insn), Ok(insn));
        }
    }

    /// The instruction that the text of `insn` is.
    fn reread(insn: &Insn) -> Result<Insn, String> {
        let object = parse("t", &format!(".prog xdp\n{insn}")).map_err(|e| e.to_string())?;
        object.programs[0]
            .insns
            .first()
            .copied()
            .ok_or_else(|| "nothing".into())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn parse_inverts_print(
            row in 0..ISA.len(),
            regs in (0..11u8, 0..11u8),
            offset in any::<i16>(),
            imms in (any::<i32>(), any::<i32>()),
        ) {
            let fields = Fields {
                dst: Reg::new(regs.0).unwrap(),
                src: Reg::new(regs.1).unwrap(),
                offset,
                imm: imms.0,
                next_imm: imms.1,
            };
            let insn = Insn::new(&ISA[row], fields);
            prop_assert_eq!(reread(&insn), Ok(insn));
        }

        #[test]
        fn any_text_is_an_object_or_an_error(
            words in proptest::collection::vec(
                prop_oneof![
                    Just("r1"), Just("w2"), Just("="), Just("*("), Just("u8"), Just("goto"),
                    Just("-"), Just("99999999999999999999"), Just("\n"), Just(".prog xdp"),
                    Just(".map m array"), Just("m"), Just("ll"), Just(":"), Just("é"), Just("0x"),
                ],
                0..30,
            ),
        ) {
            let text = words.join(" ");
            if let Ok(object) = parse("t", &text) {
                let mut printed = String::new();
                print_object(&mut printed, &object).unwrap();
                prop_assert!(parse("t", &printed).is_ok(), "{}", printed);
            }
        }
    }

    #[test]
    fn a_whole_object_goes_through_text_and_back() {
        let text = "\
.license GPL
.map counters percpu_array key_size=4 value_size=16 max_entries=256
.map seen hash key_size=8 value_size=8 max_entries=1024 map_flags=1
.prog xdp first
    r1 = counters ll
    r2 = seen[0] + 4 ll
    if r1 == r2 goto L7
    call twice
    call bpf_map_lookup_elem
L7:
    r0 = 2
    exit
.func twice
    r0 = 1
    exit
.prog tc second
    r0 = -1
    exit
";
        let object = parse("t.bpf", text).unwrap();
        let mut printed = String::new();
        print_object(&mut printed, &object).unwrap();
        assert_eq!(printed, text);
        let again = parse("t.bpf", &printed).unwrap();
        assert_eq!(again, object);
        let first = &object.programs[0];
        assert_eq!(
            first.references,
            [
                (0, Reference::Map(0)),
                (2, Reference::MapValue { map: 1, offset: 4 })
            ]
        );
        assert_eq!(
            first.span(0).map(|span| &*span.text),
            Some("    r1 = counters ll")
        );
    }

    #[test]
    fn errors_say_where_and_what_is_expected() {
        let message = |line: &str| match parse("t", &format!(".prog xdp\n{line}\n")) {
            Ok(_) => "no error".to_owned(),
            Err(error) => format!("{error} [{}]", error.len),
        };
        assert_eq!(
            message("r1 = *(u9 *)(r2 + 0)"),
            "t:2:8: expected 'u8', 'u16', 'u32', 'u64', 's8', 's16' or 's32' [2]"
        );
        assert_eq!(
            message("r1 = 0x1ffffffff"),
            "t:2:6: 8589934591 does not fit: the field holds -2147483648 to 2147483647 [11]"
        );
        assert_eq!(
            message("r1 = r11"),
            "t:2:6: no register, number, name or operator [3]"
        );
        assert_eq!(
            message("r1 += w2"),
            "t:2:7: expected a number or a register (r0 to r10) [2]"
        );
        assert_eq!(message("r1 = -r2"), "t:2:7: expected register 1 again [2]");
        assert_eq!(
            message("goto nowhere"),
            "t:2:1: the label 'nowhere' is nowhere bound [0]"
        );
        assert_eq!(
            message("call bpf_nothing"),
            "t:2:6: no helper is named bpf_nothing [11]"
        );
        assert_eq!(
            message("exit now"),
            "t:2:6: expected the end of the line [3]"
        );
        assert_eq!(
            message("r1 = m ll"),
            "t:2:6: no '.map m ...' stands before [1]"
        );
        assert_eq!(
            message("r1 ="),
            "t:2:5: no instruction is spelled like this [0]"
        );
        assert_eq!(
            message("r1 = 5 €"),
            "t:2:8: no register, number, name or operator [3]"
        );
    }
}
