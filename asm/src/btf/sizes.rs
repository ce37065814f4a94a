//! The sizes of all types, and what is behind modifiers, found in one go however long the ways are.
//!
//! Read before: `mod.rs`. Read next: `valid.rs`.

use super::{Btf, Kind, TypeId};

/// What is known of each type, by its number.
pub(super) struct Sizes<'b> {
    btf: &'b Btf,
    known: Vec<Known>,
}

#[derive(Debug, Clone, Copy)]
enum Known {
    Nothing,
    /// It is on the way of which the end is looked for.
    Asked,
    Behind(TypeId, Option<u32>),
}

impl<'b> Sizes<'b> {
    pub(super) fn of(btf: &'b Btf) -> Sizes<'b> {
        let mut sizes = Sizes {
            btf,
            known: vec![Known::Nothing; btf.len() + 1],
        };
        let mut way = Vec::new();
        for (id, _) in btf.types() {
            sizes.find(id, &mut way);
        }
        sizes
    }

    /// The bytes of the values of a type; `None` if it has no values.
    pub(super) fn size(&self, id: TypeId) -> Option<u32> {
        match self.known.get(id.0 as usize) {
            Some(Known::Behind(_, size)) => *size,
            _ => None,
        }
    }

    /// What is behind modifiers.
    pub(super) fn behind(&self, id: TypeId) -> Option<&'b Kind> {
        self.kind(self.id_behind(id)?)
    }

    /// The number of what is behind modifiers.
    pub(super) fn id_behind(&self, id: TypeId) -> Option<TypeId> {
        match self.known.get(id.0 as usize) {
            Some(Known::Behind(behind, _)) => Some(*behind),
            _ => None,
        }
    }

    pub(super) fn kind(&self, id: TypeId) -> Option<&'b Kind> {
        self.btf.get(id).map(|ty| &ty.kind)
    }

    /// Goes to where a size is said, and back with it.
    fn find(&mut self, first: TypeId, way: &mut Vec<TypeId>) {
        let mut at = first;
        while let Some(Known::Nothing) = self.known.get(at.0 as usize) {
            let Some(to) = self.kind(at).and_then(leads) else {
                let size = self.kind(at).and_then(Kind::own_size);
                self.set(at, Known::Behind(at, size));
                break;
            };
            self.set(at, Known::Asked);
            way.push(at);
            at = to;
        }
        while let Some(back) = way.pop() {
            let (behind, size) = match self.known.get(at.0 as usize) {
                Some(Known::Behind(behind, size)) => (*behind, *size),
                _ => (at, None),
            };
            let known = match self.kind(back) {
                Some(Kind::Array { len, .. }) => {
                    Known::Behind(back, size.and_then(|size| size.checked_mul(*len)))
                }
                _ => Known::Behind(behind, size),
            };
            self.set(back, known);
            at = back;
        }
    }

    fn set(&mut self, id: TypeId, to: Known) {
        if let Some(known) = self.known.get_mut(id.0 as usize) {
            *known = to;
        }
    }
}

/// What has the size that a type has, or that of its elements.
fn leads(kind: &Kind) -> Option<TypeId> {
    match kind {
        Kind::Array { element, .. } => Some(*element),
        kind => kind.modified(),
    }
}
