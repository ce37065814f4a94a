//! The head of a case: the fields that its first comments state, each on a line of its own, between
//! lines of prose.
//!
//! A line is taken for a field if it begins with a name in small letters, of up to three words, and
//! a colon. So prose begins no line that way, and a field whose name is mistyped is an error, not a
//! test that checks less.

use std::path::Path;

use ebpf_asm::near::near;

use crate::Outcome;

/// What a case says of itself; more on each stands in `tests/tests/cases.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// What simulator and kernel answer.
    Verdict,
    /// The first words of the kernel's refusal.
    Kernel,
    /// A capability that the loader lacks.
    Without,
    /// What is given types.
    Types,
    /// Older kernels that refuse it.
    RefusedBy,
    /// Older kernels that take it.
    TakenBy,
    /// The code that the simulator warns with of what is accepted.
    Warns,
    /// The kernel that was asked, where the running one cannot be.
    AnsweredBy,
}

const NAMES: [(&str, Field); 8] = [
    ("verdict", Field::Verdict),
    ("kernel", Field::Kernel),
    ("without", Field::Without),
    ("types", Field::Types),
    ("refused by", Field::RefusedBy),
    ("taken by", Field::TakenBy),
    ("warns", Field::Warns),
    ("answered by", Field::AnsweredBy),
];

/// More words than this before a colon are prose.
const MOST_WORDS: usize = 3;

/// The fields of a case's head.
pub struct Head<'t> {
    fields: Vec<(Field, &'t str)>,
}

impl<'t> Head<'t> {
    /// Reads the comments that a case begins with: `;` in text, `//` in C.
    ///
    /// # Errors
    /// If a field is unknown, empty or stated twice.
    pub fn read(path: &Path, text: &'t str) -> Outcome<Head<'t>> {
        let mut head = Head { fields: Vec::new() };
        let lines = text
            .lines()
            .take_while(|line| line.starts_with(";") || line.starts_with("//"));
        for (number, line) in (1..).zip(lines) {
            let line = line.trim_start_matches([';', '/']).trim();
            if let Some((name, value)) = split(line) {
                head.take(name, value)
                    .map_err(|why| format!("{}:{number}: {why}", path.display()))?;
            }
        }
        Ok(head)
    }

    /// What a field says, if it is there.
    #[must_use]
    pub fn get(&self, field: Field) -> Option<&'t str> {
        let found = self.fields.iter().find(|(known, _)| *known == field);
        found.map(|(_, value)| *value)
    }

    fn take(&mut self, name: &str, value: &'t str) -> Result<(), String> {
        let (_, field) = *NAMES
            .iter()
            .find(|(known, _)| *known == name)
            .ok_or_else(|| unknown(name))?;
        if value.is_empty() {
            return Err(format!("the field '{name}' says nothing"));
        }
        if self.get(field).is_some() {
            return Err(format!("the field '{name}' stands here a second time"));
        }
        self.fields.push((field, value));
        Ok(())
    }
}

/// The name and the value of a line that is a field's.
fn split(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || " _-".contains(c);
    let words = name.split([' ', '_', '-']).count();
    // `Refused by` is a field as well, and one that is written wrong.
    let begins_like_one = name.starts_with(|c: char| c.is_ascii_lowercase())
        || NAMES
            .iter()
            .any(|(known, _)| known.eq_ignore_ascii_case(name));
    (begins_like_one && name.chars().all(is_name) && words <= MOST_WORDS)
        .then(|| (name, value.trim()))
}

fn unknown(name: &str) -> String {
    let known = NAMES.map(|(known, _)| known);
    let meant = near(name, known).map_or(String::new(), |meant| format!(", perhaps '{meant}'"));
    format!(
        "no field has the name '{name}'{meant}; known are {}. Where it is prose, let the line \
         begin with another word",
        known.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        let read = Head::read(Path::new("a.bpf"), text);
        let why = read.err().expect("the head is refused");
        why.message().unwrap_or_default().to_owned()
    }

    #[test]
    fn fields_stand_between_prose() {
        let text = "; A pointer is spilled: here.\n; what of bpf_loop is left: much\n\
                    ; refused by: 6.1, 6.12\n; kernel: R1: bad\n\n; verdict: accept\n";
        let head = Head::read(Path::new("a.bpf"), text).unwrap();
        assert_eq!(head.get(Field::RefusedBy), Some("6.1, 6.12"));
        assert_eq!(head.get(Field::Kernel), Some("R1: bad"));
        assert_eq!(head.get(Field::Verdict), None, "the head has ended");
    }

    #[test]
    fn an_unknown_field_is_refused_with_its_place_and_the_known_ones() {
        for mistyped in [
            "refuzed by",
            "refused_by",
            "Refused by",
            "refused  by",
            "by",
        ] {
            let why = refusal(&format!("// verdict: accept\n// {mistyped}: 6.1\n"));
            let begin = format!("a.bpf:2: no field has the name '{mistyped}'");
            assert!(why.starts_with(&begin), "{why}");
            for (known, _) in NAMES {
                assert!(why.contains(known), "{why}");
            }
        }
        assert!(refusal("; refuzed by: 6.1").contains("perhaps 'refused by'"));
    }

    #[test]
    fn a_field_without_a_value_or_twice_is_refused() {
        assert!(refusal("; taken by:").contains("says nothing"));
        assert!(refusal("; types: a\n; types: b").starts_with("a.bpf:2: the field 'types'"));
    }
}
