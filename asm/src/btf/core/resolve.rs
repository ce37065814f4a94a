//! What the kernel's types answer to a relocation.
//!
//! The types of the kernel that have the object's type's name (flavours aside) are asked in
//! turn. Those that have the place must agree; where none has it, the answer is that it is
//! missing, and an instruction that needs it must never be reached.

use std::collections::HashMap;

use super::super::{Btf, IntEncoding, Kind, Signedness, TypeId};
use super::place::{self, Place};
use super::types::{Pair, enumerators, essential_name, same_kind};
use super::{CoreError, CoreKind, CoreRelocation, CoreSubject};

/// What a relocation comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolved {
    /// What the compiler wrote, from the object's own types; `None` where it may have chosen
    /// otherwise.
    pub local: Option<u64>,
    /// What is to be written.
    pub target: Answer,
    /// What becomes of the size of a memory access.
    pub resize: Resize,
}

/// The kernel's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// A number.
    Value(u64),
    /// The kernel has no such place: the instruction cannot be carried out.
    Missing,
}

/// What becomes of the size of a memory access to a field; sizes in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resize {
    /// The field has the size that it had.
    Same,
    /// It has another, and no sign that would be lost.
    Change {
        /// In the object's types.
        from: u32,
        /// In the kernel's.
        to: u32,
    },
    /// It has another, and an access would lose or make up its sign or part of it.
    Impossible,
}

/// What one type answers.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Found {
    value: u64,
    /// Bits from the beginning of the type, of fields.
    offset: u64,
    resize: Resize,
}

/// Answers relocations of one object from one kernel's types.
#[derive(Debug)]
pub struct Resolver<'a> {
    local: &'a Btf,
    target: &'a Btf,
    candidates: HashMap<TypeId, Vec<TypeId>>,
}

/// What `target` answers to one relocation of `local`'s object.
///
/// # Errors
/// As for [`Resolver::resolve`].
pub fn relocate(
    local: &Btf,
    target: &Btf,
    relocation: &CoreRelocation,
) -> Result<Resolved, CoreError> {
    Resolver::new(local, target).resolve(relocation)
}

impl<'a> Resolver<'a> {
    /// For an object's types and a kernel's.
    pub fn new(local: &'a Btf, target: &'a Btf) -> Resolver<'a> {
        Resolver {
            local,
            target,
            candidates: HashMap::new(),
        }
    }

    /// What the kernel answers.
    ///
    /// # Errors
    /// If the relocation makes no sense in the object's own types, or if several types of the
    /// kernel answer differently.
    pub fn resolve(&mut self, relocation: &CoreRelocation) -> Result<Resolved, CoreError> {
        let id = relocation.type_id;
        if relocation.kind == CoreKind::TypeIdLocal {
            return Ok(Resolved {
                local: None,
                target: Answer::Value(id.0.into()),
                resize: Resize::Same,
            });
        }
        if self.local.name(id).is_empty() {
            return Err(CoreError::NoName(id.0));
        }
        let candidates = self.candidates(id);
        let asked = match relocation.kind.subject() {
            CoreSubject::Type => self.ask_type(relocation, &candidates),
            CoreSubject::Enumerator => self.ask_enumerator(relocation, &candidates)?,
            CoreSubject::Field => self.ask_field(relocation, &candidates)?,
        };
        let (local, answers) = asked;
        let Some(first) = answers.first() else {
            return Ok(Resolved {
                local,
                target: if_missing(relocation.kind),
                resize: Resize::Same,
            });
        };
        if let Some(other) = answers.iter().find(|other| *other != first) {
            return Err(CoreError::Ambiguous {
                kind: relocation.kind,
                name: self.local.name(id).to_owned(),
                access: relocation.access.to_string(),
                values: (first.value, other.value),
            });
        }
        Ok(Resolved {
            local,
            target: Answer::Value(first.value),
            resize: first.resize,
        })
    }

    /// The kernel's types of a name and kind.
    fn candidates(&mut self, id: TypeId) -> Vec<TypeId> {
        if let Some(known) = self.candidates.get(&id) {
            return known.clone();
        }
        let name = essential_name(self.local.name(id));
        let kind = self.local.get(id).map(|ty| &ty.kind);
        let all = (1..=self.target.len() as u32).map(TypeId);
        let found: Vec<TypeId> = all
            .filter(|candidate| {
                let ty = self.target.get(*candidate).zip(kind);
                let Some((ty, _)) = ty.filter(|(ty, kind)| same_kind(kind, &ty.kind)) else {
                    return false;
                };
                // Most names differ in their first letters; only of others the flavour is cut off.
                let its = self.target.str(ty.name);
                its.starts_with(name) && essential_name(its) == name
            })
            .collect();
        self.candidates.insert(id, found.clone());
        found
    }

    fn ask_type(&self, relocation: &CoreRelocation, candidates: &[TypeId]) -> Asked {
        let (id, kind) = (relocation.type_id, relocation.kind);
        let pair = Pair {
            local: self.local,
            target: self.target,
        };
        let goes = |candidate: &&TypeId| match kind {
            CoreKind::TypeMatches => pair.matches(id, **candidate),
            _ => pair.are_compatible(id, **candidate),
        };
        let answer = |btf: &Btf, id: TypeId| match kind {
            CoreKind::TypeIdTarget => u64::from(id.0),
            CoreKind::TypeSize => btf.size_of(id).unwrap_or(0).into(),
            _ => 1,
        };
        let local = match kind {
            CoreKind::TypeIdTarget => None,
            _ => Some(answer(self.local, id)),
        };
        let found = candidates.iter().filter(goes);
        let found = found.map(|candidate| Found::value(answer(self.target, *candidate)));
        (local, found.collect())
    }

    fn ask_enumerator(
        &self,
        relocation: &CoreRelocation,
        candidates: &[TypeId],
    ) -> Result<Asked, CoreError> {
        let nowhere = || CoreError::Path {
            access: relocation.access.to_string(),
            root: self.local.name(relocation.type_id).to_owned(),
        };
        let id = self.local.resolve(relocation.type_id);
        let ours = self
            .local
            .get(id)
            .and_then(|ty| enumerators(self.local, &ty.kind));
        let index = relocation.access.steps().first().copied().unwrap_or(0);
        let ours = ours.ok_or_else(nowhere)?;
        let (name, value) = *ours.get(index as usize).ok_or_else(nowhere)?;
        let wants_value = relocation.kind == CoreKind::EnumvalValue;
        let answer = |value| if wants_value { value } else { 1 };
        let found = candidates.iter().filter_map(|candidate| {
            let ty = self.target.get(self.target.resolve(*candidate))?;
            let values = enumerators(self.target, &ty.kind)?;
            let same = |(known, _): &&(&str, u64)| essential_name(known) == essential_name(name);
            let (_, value) = values.iter().find(same)?;
            Some(Found::value(answer(*value)))
        });
        Ok((Some(answer(value)), found.collect()))
    }

    fn ask_field(
        &self,
        relocation: &CoreRelocation,
        candidates: &[TypeId],
    ) -> Result<Asked, CoreError> {
        let kind = relocation.kind;
        let (ours, steps) = place::local(self.local, relocation.type_id, &relocation.access)?;
        let local = answer(self.local, &ours, kind).ok_or_else(|| CoreError::Path {
            access: relocation.access.to_string(),
            root: self.local.name(relocation.type_id).to_owned(),
        })?;
        let found = candidates.iter().filter_map(|candidate| {
            let theirs = place::target(self.local, self.target, *candidate, &steps)?;
            Some(Found {
                value: answer(self.target, &theirs, kind)?,
                offset: theirs.offset,
                resize: match kind {
                    CoreKind::FieldByteOffset => self.resize(&ours, &theirs),
                    _ => Resize::Same,
                },
            })
        });
        // How a bit field is read is the compiler's choice.
        let local = ours.bitfield.is_none().then_some(local);
        Ok((local, found.collect()))
    }

    /// What becomes of a memory access to a field. Pointers and unsigned numbers can be read
    /// at another size.
    fn resize(&self, ours: &Place, theirs: &Place) -> Resize {
        let sizes = (load_size(self.local, ours), load_size(self.target, theirs));
        let (Some(from), Some(to)) = sizes else {
            return Resize::Impossible;
        };
        let kind = |btf: &'a Btf, place: &Place| btf.get(btf.resolve(place.ty)).map(|ty| &ty.kind);
        match (kind(self.local, ours), kind(self.target, theirs)) {
            _ if from == to || ours.bitfield.is_some() => Resize::Same,
            (Some(Kind::Ptr(_)), Some(Kind::Ptr(_))) => Resize::Change { from, to },
            (Some(Kind::Int { encoding: a, .. }), Some(Kind::Int { encoding: b, .. }))
                if (a.0 | b.0) & IntEncoding::SIGNED.0 == 0 =>
            {
                Resize::Change { from, to }
            }
            _ => Resize::Impossible,
        }
    }
}

/// What the compiler wrote, and what each type answers that has an answer.
type Asked = (Option<u64>, Vec<Found>);

impl Found {
    fn value(value: u64) -> Found {
        Found {
            value,
            offset: 0,
            resize: Resize::Same,
        }
    }
}

/// The answer if no type of the kernel has one.
fn if_missing(kind: CoreKind) -> Answer {
    match kind {
        CoreKind::FieldExists
        | CoreKind::EnumvalExists
        | CoreKind::TypeExists
        | CoreKind::TypeMatches
        | CoreKind::TypeSize
        | CoreKind::TypeIdTarget => Answer::Value(0),
        _ => Answer::Missing,
    }
}

/// How much is read to get a place, in bytes; the whole of its type.
fn load_size(btf: &Btf, place: &Place) -> Option<u32> {
    btf.size_of(place.ty)
}

/// The bytes that a bit field is read with: where they begin, and how many; they begin at a
/// multiple of their number.
fn unit(btf: &Btf, place: &Place, bits: u32) -> Option<(u64, u64)> {
    let mut size = u64::from(btf.size_of(place.ty)?).max(1);
    loop {
        let begin = place.offset / 8 / size * size;
        if place.offset + u64::from(bits) <= (begin + size) * 8 {
            return Some((begin, size));
        }
        if size >= 8 {
            return None;
        }
        size *= 2;
    }
}

/// What a place answers to a question about fields.
fn answer(btf: &Btf, place: &Place, kind: CoreKind) -> Option<u64> {
    if kind == CoreKind::FieldExists {
        return Some(1);
    }
    let (begin, size) = match place.bitfield {
        Some(bits) => unit(btf, place, bits)?,
        None => (place.offset / 8, u64::from(btf.size_of(place.ty)?)),
    };
    let bits = place.bitfield.map_or(size * 8, u64::from);
    match kind {
        CoreKind::FieldByteOffset => Some(begin),
        CoreKind::FieldByteSize => Some(size),
        CoreKind::FieldSigned => Some(is_signed(btf, place.ty).into()),
        CoreKind::FieldLshiftU64 => 64u64.checked_sub(place.offset + bits - begin * 8),
        CoreKind::FieldRshiftU64 => 64u64.checked_sub(bits),
        _ => None,
    }
}

fn is_signed(btf: &Btf, ty: TypeId) -> bool {
    match btf.get(btf.resolve(ty)).map(|ty| &ty.kind) {
        Some(Kind::Int { encoding, .. }) => encoding.0 & IntEncoding::SIGNED.0 != 0,
        Some(Kind::Enum { signed, .. } | Kind::Enum64 { signed, .. }) => {
            *signed == Signedness::Signed
        }
        _ => false,
    }
}
