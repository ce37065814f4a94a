//! The names that types have in C: identifiers, each for one thing.
//!
//! Kernels have several types of one name, and languages other than C have names that are no
//! identifiers. The second of a name becomes `name___2`, as other tools have it, and CO-RE
//! takes what follows `___` for no part of the name.

use std::borrow::Cow;
use std::collections::HashMap;

use super::super::{Btf, Forward, Kind, TypeId};

/// Keywords, of C23 too, and of GNU C.
const KEYWORDS: &[&str] = &[
    "alignas",
    "alignof",
    "asm",
    "auto",
    "bool",
    "break",
    "case",
    "char",
    "const",
    "constexpr",
    "continue",
    "default",
    "do",
    "double",
    "else",
    "enum",
    "extern",
    "false",
    "float",
    "for",
    "goto",
    "if",
    "inline",
    "int",
    "long",
    "nullptr",
    "register",
    "restrict",
    "return",
    "short",
    "signed",
    "sizeof",
    "static",
    "static_assert",
    "struct",
    "switch",
    "thread_local",
    "true",
    "typedef",
    "typeof",
    "typeof_unqual",
    "union",
    "unsigned",
    "void",
    "volatile",
    "while",
];

/// Keywords of C23 that older kernels define themselves; what defines them is guarded.
const DEFINED: &[&str] = &["bool", "false", "true"];

/// Types that compilers know without a definition, and take none for: theirs need not be laid
/// out as the one in hand.
const BUILTIN: &[&str] = &["__builtin_va_list"];

/// Whether C before C23 needs the definition of this name, and C23 takes none.
pub(super) fn is_keyword_since_c23(name: &str) -> bool {
    DEFINED.contains(&name)
}

/// The nearest identifier to `name`, which is itself nearly always.
pub(super) fn identifier(name: &str) -> Cow<'_, str> {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if KEYWORDS.contains(&name) {
        return format!("{name}_").into();
    }
    if name.chars().all(part) && !name.starts_with(|c: char| c.is_ascii_digit()) {
        return name.into();
    }
    let changed = name.chars().map(|c| if part(c) { c } else { '_' });
    format!("_{}", changed.collect::<String>()).into()
}

/// Names that each stand for one thing.
#[derive(Default)]
pub(super) struct Space(HashMap<String, u32>);

impl Space {
    /// `name`, or with the first number that makes it new.
    pub(super) fn take(&mut self, name: &str) -> String {
        let mut number = match self.0.get(name) {
            None => {
                self.0.insert(name.to_owned(), 1);
                return name.to_owned();
            }
            Some(last) => last + 1,
        };
        loop {
            let taken = format!("{name}___{number}");
            if !self.0.contains_key(&taken) {
                self.0.insert(taken.clone(), 1);
                self.0.insert(name.to_owned(), number);
                return taken;
            }
            number += 1;
        }
    }
}

/// The names of types, and what names are left for enumerators.
pub(super) struct Names {
    types: HashMap<TypeId, String>,
    forwards: HashMap<(String, Forward), String>,
    pub(super) ordinary: Space,
}

impl Names {
    /// Names for all types, by their numbers.
    pub(super) fn of(btf: &Btf) -> Names {
        let mut names = Names {
            types: HashMap::new(),
            forwards: HashMap::new(),
            ordinary: Space::default(),
        };
        for name in BUILTIN {
            names.ordinary.take(name);
        }
        let mut tags = Space::default();
        let all = || (1..=btf.len() as u32).map(TypeId);
        for id in all() {
            names.name(btf, id, &mut tags);
        }
        for id in all() {
            if let Some(Kind::Fwd(forward)) = btf.get(id).map(|ty| &ty.kind) {
                let key = (btf.name(id).to_owned(), *forward);
                let known = names.forwards.entry(key);
                let name = known.or_insert_with(|| tags.take(&identifier(btf.name(id))));
                names.types.insert(id, name.clone());
            }
        }
        names
    }

    fn name(&mut self, btf: &Btf, id: TypeId, tags: &mut Space) {
        let name = btf.name(id);
        let Some(kind) = btf.get(id).map(|ty| &ty.kind) else {
            return;
        };
        let forward = match kind {
            Kind::Struct { .. } => Some(Forward::Struct),
            Kind::Union { .. } => Some(Forward::Union),
            Kind::Enum { .. } | Kind::Enum64 { .. } => None,
            Kind::Typedef(_) if is_keyword_since_c23(name) => {
                self.types.insert(id, name.to_owned());
                return;
            }
            Kind::Typedef(_) | Kind::Func { .. } | Kind::Var { .. } => {
                let taken = self.ordinary.take(&identifier(name));
                self.types.insert(id, taken);
                return;
            }
            _ => return,
        };
        if name.is_empty() {
            return;
        }
        let taken = tags.take(&identifier(name));
        if let Some(forward) = forward {
            let key = (name.to_owned(), forward);
            self.forwards.entry(key).or_insert_with(|| taken.clone());
        }
        self.types.insert(id, taken);
    }

    /// The name of a type; empty for those that have none.
    pub(super) fn get(&self, id: TypeId) -> &str {
        self.types.get(&id).map_or("", String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_once() {
        let mut space = Space::default();
        let mut take = |name| space.take(name);
        assert_eq!(take("a"), "a");
        assert_eq!(take("a"), "a___2");
        assert_eq!(take("a"), "a___3");
        assert_eq!(take("a___2"), "a___2___2");
        assert_eq!(take("b___2"), "b___2");
        assert_eq!(take("b"), "b");
        assert_eq!(take("b"), "b___3");
    }

    #[test]
    fn names_become_identifiers() {
        assert_eq!(identifier("task_struct"), "task_struct");
        assert_eq!(identifier("default"), "default_");
        assert_eq!(identifier("core::Option<u8>"), "_core__Option_u8_");
        assert_eq!(identifier("9p"), "_9p");
    }
}
