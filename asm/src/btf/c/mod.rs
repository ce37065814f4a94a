//! Types as C: definitions in an order in which each finds what it needs, laid out as BTF says.
//!
//! A struct comes after what lies in it, and what it only points to is declared before it.
//! Types without names stand where they are used. What is printed compiles with `clang -target
//! bpf`, and gives the sizes and offsets of BTF again.
//!
//! Read before: `../mod.rs`. Read next: `names.rs`, `layout.rs`, `declare.rs`.

mod declare;
mod layout;
mod names;

use std::collections::{HashMap, HashSet};

use self::layout::Layouts;
use self::names::{Names, is_keyword_since_c23};
use super::{Btf, Kind, Tag, TypeId};

/// Why types cannot be printed as C.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CError {
    /// A type that refers to itself where C cannot, or through more types than C has use for.
    #[error("type {id} ({name}) is nested in itself, or too deep: there is no such C")]
    Nested {
        /// The type.
        id: u32,
        /// Its kind.
        name: &'static str,
    },
    /// A type that stands where C wants another kind.
    #[error("type {id} ({name}) is used where C wants a type of values")]
    NoValue {
        /// The type.
        id: u32,
        /// Its kind.
        name: &'static str,
    },
    /// Types without names that are used within each other so often that the text would have
    /// no end.
    #[error("its types without names are used too often to be printed where they are used")]
    TooLong,
}

/// All types as one C header, as `vmlinux.h` is made.
///
/// Functions are declared that carry a tag (the kernel's own, `bpf_kfunc`); others and
/// variables are left out.
///
/// # Errors
/// If C cannot have such types.
pub fn header(btf: &Btf) -> Result<String, CError> {
    let mut printer = Printer::new(btf);
    printer.out.push_str(PROLOGUE);
    for (id, ty) in btf.types() {
        if is_definition(&ty.kind) {
            printer.define(id, 0)?;
        }
    }
    for (id, ty) in btf.types() {
        match ty.kind {
            Kind::Enum { .. } | Kind::Enum64 { .. } => printer.leftover_enum(id)?,
            Kind::Func { .. } if printer.tags.contains_key(&(id, -1)) => printer.define(id, 0)?,
            _ => {}
        }
    }
    printer.out.push_str(EPILOGUE);
    Ok(printer.out)
}

/// Some types as C, with what they need before them.
///
/// # Errors
/// If C cannot have such types.
pub fn definitions(btf: &Btf, ids: &[TypeId]) -> Result<String, CError> {
    let mut printer = Printer::new(btf);
    for id in ids {
        match btf.get(*id).map(|ty| &ty.kind) {
            Some(kind) if !printer.names.get(*id).is_empty() && is_definition(kind) => {
                printer.define(*id, 0)?;
            }
            Some(kind) if is_symbol(kind) => printer.define(*id, 0)?,
            _ => {
                printer.require(*id, Need::Complete, None, 0)?;
                let text = printer.declaration(*id, "", 0)?;
                printer.out.push_str(&format!("{text};\n\n"));
            }
        }
    }
    Ok(printer.out)
}

/// What a header begins with: with the attribute, accesses to the types become CO-RE
/// relocations.
const PROLOGUE: &str = "\
#ifndef __VMLINUX_H__
#define __VMLINUX_H__

#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute push (__attribute__((preserve_access_index)), apply_to = record)
#endif

";

/// What a header ends with.
const EPILOGUE: &str = "\
#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute pop
#endif

#endif /* __VMLINUX_H__ */
";

/// Around what C23 defines itself.
const BEFORE_C23: &str = "#if !defined(__STDC_VERSION__) || __STDC_VERSION__ < 202311L\n";

/// How deep definitions may need each other.
const MAX_DEPTH: u32 = 256;

/// Whether a type is defined on its own, and has a name for it.
fn is_definition(kind: &Kind) -> bool {
    use Kind::*;
    matches!(
        kind,
        Struct { .. } | Union { .. } | Enum { .. } | Enum64 { .. } | Typedef(_) | Fwd(_)
    )
}

fn is_symbol(kind: &Kind) -> bool {
    matches!(kind, Kind::Func { .. } | Kind::Var { .. })
}

/// What is to be known of a type where it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    /// That there is such a type.
    Declared,
    /// All of it.
    Complete,
}

/// How far a definition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Begun,
    Done,
}

struct Printer<'a> {
    btf: &'a Btf,
    out: String,
    names: Names,
    layouts: Layouts,
    states: HashMap<TypeId, State>,
    declared: HashSet<String>,
    /// Types without names whose needs are met, or that are printed, for enums.
    anonymous: HashSet<TypeId>,
    /// The tags of types (-1), members and parameters.
    tags: HashMap<(TypeId, i32), Vec<(TypeId, Tag)>>,
    /// How many more lines may be printed.
    budget: usize,
}

impl<'a> Printer<'a> {
    fn new(btf: &'a Btf) -> Printer<'a> {
        let mut tags: HashMap<_, Vec<_>> = HashMap::new();
        let mut lines = 0;
        for id in (1..=btf.len() as u32).map(TypeId) {
            match btf.get(id).map(|ty| &ty.kind) {
                Some(Kind::DeclTag { ty, component, tag }) => {
                    tags.entry((*ty, *component)).or_default().push((id, *tag));
                }
                Some(Kind::Struct { members, .. } | Kind::Union { members, .. }) => {
                    lines += members.len();
                }
                Some(Kind::Enum { values, .. }) => lines += values.len(),
                Some(Kind::Enum64 { values, .. }) => lines += values.len(),
                Some(Kind::FuncProto { params, .. }) => lines += params.len(),
                _ => {}
            }
        }
        Printer {
            btf,
            out: String::new(),
            names: Names::of(btf),
            layouts: Layouts::default(),
            states: HashMap::new(),
            declared: HashSet::new(),
            anonymous: HashSet::new(),
            tags,
            budget: (lines + btf.len()) * 8 + 1000,
        }
    }

    fn kind(&self, id: TypeId) -> Option<&'a Kind> {
        self.btf.get(id).map(|ty| &ty.kind)
    }

    fn nested(&self, id: TypeId) -> CError {
        let name = self.kind(id).map_or("void", Kind::name);
        CError::Nested { id: id.0, name }
    }

    /// Takes some of what may still be printed.
    fn spend(&mut self, lines: usize) -> Result<(), CError> {
        self.budget = self.budget.checked_sub(lines).ok_or(CError::TooLong)?;
        Ok(())
    }

    /// Prints the definition of a type with a name, once, and before it what it needs.
    fn define(&mut self, id: TypeId, depth: u32) -> Result<(), CError> {
        let Some(kind) = self.kind(id) else {
            return Ok(());
        };
        let name = self.names.get(id).to_owned();
        if name.is_empty() || self.states.contains_key(&id) {
            return Ok(());
        }
        self.states.insert(id, State::Begun);
        match kind {
            Kind::Struct { members, .. } | Kind::Union { members, .. } => {
                for member in members {
                    self.require(member.ty, Need::Complete, Some(id), depth)?;
                }
                let text = self.record(id, 0)?;
                self.out.push_str(&format!("{text};\n\n"));
                self.declared.insert(text_before(&text, " {"));
            }
            Kind::Enum { .. } | Kind::Enum64 { .. } => {
                let text = self.enumeration(id, 0)?;
                self.out.push_str(&format!("{text};\n\n"));
            }
            Kind::Typedef(ty) => {
                self.require(*ty, Need::Declared, None, depth)?;
                let tags = self.decl_tags(id, -1);
                let text = self.declaration(*ty, &format!("{name}{tags}"), 0)?;
                self.guarded(&name, &format!("typedef {text};\n\n"));
            }
            Kind::Fwd(_) => self.declare(id),
            Kind::Func { .. } | Kind::Var { .. } => {
                let (Kind::Func { proto: ty, .. } | Kind::Var { ty, .. }) = kind else {
                    return Ok(());
                };
                let need = match kind {
                    Kind::Var { .. } => Need::Complete,
                    _ => Need::Declared,
                };
                self.require(*ty, need, None, depth)?;
                let text = self.symbol(id, *ty, &name)?;
                self.out.push_str(&text);
            }
            _ => {}
        }
        self.states.insert(id, State::Done);
        Ok(())
    }

    /// Prints what defines a keyword of C23 for older C only.
    fn guarded(&mut self, name: &str, text: &str) {
        match is_keyword_since_c23(name) {
            true => {
                let text = format!("{BEFORE_C23}{}\n#endif\n\n", text.trim_end());
                self.out.push_str(&text);
            }
            false => self.out.push_str(text),
        }
    }

    /// Prints an enum without a name that is used nowhere, for its enumerators.
    fn leftover_enum(&mut self, id: TypeId) -> Result<(), CError> {
        let first = match self.kind(id) {
            Some(Kind::Enum { values, .. }) => values.first().map(|(name, _)| *name),
            Some(Kind::Enum64 { values, .. }) => values.first().map(|(name, _)| *name),
            _ => None,
        };
        let is_printed = !self.btf.name(id).is_empty() || self.anonymous.contains(&id);
        let Some(first) = first.filter(|_| !is_printed) else {
            return Ok(());
        };
        let text = self.enumeration(id, 0)?;
        self.guarded(self.btf.str(first), &format!("{text};\n\n"));
        Ok(())
    }

    /// Declares a struct or union that is not defined yet.
    fn declare(&mut self, id: TypeId) {
        if self.states.get(&id) == Some(&State::Done) {
            return;
        }
        let text = self.tag(id);
        if self.declared.insert(text.clone()) {
            self.out.push_str(&format!("{text};\n\n"));
        }
    }

    /// Prints what must be there before a type is used within `owner`, the struct or union
    /// that is to be printed next.
    fn require(
        &mut self,
        id: TypeId,
        need: Need,
        owner: Option<TypeId>,
        depth: u32,
    ) -> Result<(), CError> {
        let depth = match depth < MAX_DEPTH {
            true => depth + 1,
            false => return Err(self.nested(id)),
        };
        let is_named = !self.btf.name(id).is_empty();
        match self.kind(id) {
            Some(Kind::Ptr(ty)) => self.require(*ty, Need::Declared, owner, depth),
            Some(Kind::Array { element, .. }) => {
                self.require(*element, Need::Complete, owner, depth)
            }
            Some(
                Kind::Const(ty)
                | Kind::Volatile(ty)
                | Kind::Restrict(ty)
                | Kind::TypeTag { ty, .. },
            ) => self.require(*ty, need, owner, depth),
            Some(Kind::Typedef(ty)) => {
                self.define(id, depth)?;
                match need {
                    Need::Complete => self.require(*ty, need, owner, depth),
                    Need::Declared => Ok(()),
                }
            }
            Some(Kind::FuncProto { ret, params }) => {
                self.require(*ret, Need::Declared, owner, depth)?;
                for (_, ty) in params {
                    self.require(*ty, Need::Declared, owner, depth)?;
                }
                Ok(())
            }
            Some(Kind::Enum { .. } | Kind::Enum64 { .. }) => self.define(id, depth),
            Some(Kind::Struct { .. } | Kind::Union { .. }) if is_named => {
                if Some(id) == owner {
                    return Ok(());
                }
                match need {
                    Need::Complete => self.define(id, depth),
                    Need::Declared => {
                        self.declare(id);
                        Ok(())
                    }
                }
            }
            Some(Kind::Struct { members, .. } | Kind::Union { members, .. }) => {
                if self.anonymous.insert(id) {
                    for member in members {
                        self.require(member.ty, Need::Complete, owner, depth)?;
                    }
                }
                Ok(())
            }
            Some(Kind::Fwd(_)) => {
                self.declare(id);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// What stands before `end`.
fn text_before(text: &str, end: &str) -> String {
    text.split(end).next().unwrap_or_default().to_owned()
}
