//! `ebpfasm diff`: how two objects differ in what they do.
//!
//! | file | concept |
//! |---|---|
//! | `definition.rs` | license, maps, variables, externs, programs: what has a name and a value |
//! | `code.rs` | a function's instructions without what does not matter |
//! | `align.rs` | which instructions of two functions are the same |
//! | `function.rs` | how two functions differ |
//! | `text.rs`, `json.rs` | how differences are shown |

mod align;
mod code;
mod definition;
mod function;
mod json;
mod text;

use ebpf_asm::object::Object;
use ebpf_asm::program::Program;

use self::code::Code;
use self::definition::Change;
use self::function::FunctionDifference;
use crate::args::DiffArgs;
use crate::{select, text_file};
use ebpf_cli::exit::Exit;
use ebpf_cli::report::{self, Failure};

/// Runs the command.
pub(crate) fn run(args: &DiffArgs) -> Result<Exit, Failure> {
    let (old, new) = (text_file::object(&args.old)?, text_file::object(&args.new)?);
    let difference = match &args.prog {
        Some(name) => {
            let programs = (
                select::program(&old, name, &args.old)?,
                select::program(&new, name, &args.new)?,
            );
            Difference::of_programs(&old, &new, programs)
        }
        None => Difference::of(&old, &new),
    };
    report::print(match args.json {
        true => json::print(&difference)?,
        false => text::print(&difference, args),
    })?;
    Ok(match difference.is_empty() {
        true => Exit::Ok,
        false => Exit::DIFFERENT,
    })
}

/// How two objects differ.
#[derive(Debug)]
struct Difference {
    definitions: Vec<Change>,
    /// Those functions of programs of both objects that differ.
    functions: Vec<FunctionDifference>,
}

impl Difference {
    fn of(old: &Object, new: &Object) -> Difference {
        let (before, after) = (definition::all(old), definition::all(new));
        let mut difference = Difference {
            definitions: definition::changes(&before, &after),
            functions: Vec::new(),
        };
        for program in &old.programs {
            if let Some(other) = new.program(&program.name) {
                difference.add_programs(old, new, program, other);
            }
        }
        difference
    }

    fn of_programs(old: &Object, new: &Object, programs: (&Program, &Program)) -> Difference {
        let (before, after) = (
            definition::program(programs.0),
            definition::program(programs.1),
        );
        let mut difference = Difference {
            definitions: definition::changes(&[before], &[after]),
            functions: Vec::new(),
        };
        difference.add_programs(old, new, programs.0, programs.1);
        difference
    }

    /// Adds what differs in the code of two programs, function by function.
    fn add_programs(&mut self, old: &Object, new: &Object, before: &Program, after: &Program) {
        let mut others = code::functions(new, after);
        let mut pairs: Vec<(Code, Code)> = Vec::new();
        for function in code::functions(old, before) {
            let other = others.iter().position(|other| other.name == function.name);
            let other = other.map(|index| others.remove(index));
            pairs.push((function, other.unwrap_or_default()));
        }
        pairs.extend(others.into_iter().map(|other| (Code::default(), other)));
        for (old, new) in pairs {
            let difference = FunctionDifference::of(&before.name, old, new);
            if !difference.is_empty() {
                self.functions.push(difference);
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.definitions.is_empty() && self.functions.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::DiffArgs;
    use ebpf_asm::text::parse;

    fn difference(old: &str, new: &str) -> Difference {
        let (old, new) = (parse("old", old).unwrap(), parse("new", new).unwrap());
        Difference::of(&old, &new)
    }

    fn shown(old: &str, new: &str) -> String {
        let args = DiffArgs {
            old: "old".into(),
            new: "new".into(),
            prog: None,
            json: false,
        };
        let text = text::print(&difference(old, new), &args);
        let plain = anstream::adapter::strip_str(&text).to_string();
        // Source lines are the instructions' own text here.
        let lines = plain.lines().filter(|line| !line.contains(" ; "));
        lines.map(|line| format!("{line}\n")).collect()
    }

    const OLD: &str = "\
.license GPL
.map a array key_size=4 value_size=8 max_entries=1
.map b hash key_size=4 value_size=8 max_entries=9
.prog xdp p
    r6 = 10
again:
    r6 += -1
    r1 = b ll
    if r6 != 0 goto again
    call f
    exit
.func f
    r0 = 2
    exit
";

    #[test]
    fn indexes_of_maps_distances_and_places_of_functions_do_not_matter() {
        let new = ".license GPL
.map b hash key_size=4 value_size=8 max_entries=9
.map a array key_size=4 value_size=8 max_entries=1
.prog xdp p
    r6 = 10
other_name:
    r6 += -1
    r1 = b ll
    if r6 != 0 goto other_name
    call f
    exit
.func f
    r0 = 2
    exit
";
        assert_eq!(shown(OLD, new), "");
        assert!(difference(OLD, new).is_empty());
    }

    #[test]
    fn a_jump_differs_if_it_leads_to_another_instruction() {
        let new = OLD
            .replace("again:\n    r6 += -1\n", "r6 += -1\nagain:\n")
            .replace("r1 = b ll", "r1 = b ll\n    r2 = 0");
        let expected = "\
--- old
+++ new
@@ p: slots 0..6 and slots 0..7 @@
     r6 = 10
 L1:
     r6 += -1
 L2:
     r1 = b ll
-    if r6 != 0 goto L1
+    r2 = 0
+    if r6 != 0 goto L2
     call f
     exit
";
        assert_eq!(shown(OLD, &new), expected);
    }

    #[test]
    fn a_jump_over_more_or_less_is_the_same() {
        let new = OLD.replace("r1 = b ll", "r1 = b ll\n    r2 = 0");
        let text = shown(OLD, &new);
        let changed = |sign: char| {
            let lines = text.lines().skip(2);
            lines.filter(|line| line.starts_with(sign)).count()
        };
        assert_eq!((changed('-'), changed('+')), (0, 1), "{text}");
    }

    #[test]
    fn definitions_are_compared_by_name() {
        let new = OLD
            .replace("license GPL", "license MIT")
            .replace("max_entries=9", "max_entries=10")
            .replace(".map a array key_size=4 value_size=8 max_entries=1\n", "")
            .replace(
                ".prog xdp p",
                ".prog tc q\n    r0 = 0\n    exit\n.prog xdp p",
            );
        let expected = "\
--- old
+++ new
-license: GPL
+license: MIT
-map a: array key_size=4 value_size=8 max_entries=1
-map b: hash key_size=4 value_size=8 max_entries=9
+map b: hash key_size=4 value_size=8 max_entries=10
+program q: sched_cls in section tc
";
        assert_eq!(shown(OLD, &new), expected);
    }

    #[test]
    fn functions_may_come_and_go() {
        let new = OLD
            .replace(".func f", ".func g")
            .replace("call f", "call g");
        let text = shown(OLD, &new);
        for line in [
            "@@ p, function f: ",
            "@@ p, function g: ",
            "-    call f\n",
            "+    call g\n",
        ] {
            assert!(text.contains(line), "no '{line}' in\n{text}");
        }
    }

    #[test]
    fn json_has_the_same_rows() {
        let new = OLD.replace("r6 = 10", "r6 = 11");
        let json = json::print(&difference(OLD, &new)).unwrap();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["schema"], "ebpfasm.diff.v1");
        assert_eq!(json["differs"], true);
        let rows = &json["functions"][0]["hunks"][0]["rows"];
        assert_eq!(rows[0]["change"], "removed");
        assert_eq!(rows[0]["old_slot"], 0);
        assert_eq!(rows[1]["change"], "added");
        assert_eq!(rows[1]["text"], "r6 = 11");
        assert_eq!(rows[2]["change"], "same");
    }
}
