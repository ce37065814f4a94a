//! The path of a relocation in the words of the object's own types.
//!
//! Read before: `mod.rs`.

use super::{CoreRelocation, CoreSubject};
use crate::btf::{Btf, Kind, TypeId};

impl CoreRelocation {
    /// What the path leads to, in the words of `btf`, the object's types: `.member[2].member` for
    /// fields, with an index before it if that is not 0; the name of an enumerator; nothing for
    /// types themselves. `None` if the path cannot be followed.
    pub fn path(&self, btf: &Btf) -> Option<String> {
        let steps = self.access.steps();
        match self.kind.subject() {
            CoreSubject::Type => Some(String::new()),
            CoreSubject::Field => fields(btf, self.type_id, steps),
            CoreSubject::Enumerator => enumerator(btf, self.type_id, steps).map(str::to_owned),
        }
    }
}

fn fields(btf: &Btf, id: TypeId, steps: &[u32]) -> Option<String> {
    let (first, rest) = steps.split_first()?;
    let mut path = match first {
        0 => String::new(),
        index => format!("[{index}]"),
    };
    let mut at = id;
    for step in rest {
        at = match &btf.get(btf.resolve(at))?.kind {
            Kind::Struct { members, .. } | Kind::Union { members, .. } => {
                let member = members.get(usize::try_from(*step).ok()?)?;
                // A member without name lends its own members to what it is in.
                match btf.str(member.name) {
                    "" => {}
                    name => path += &format!(".{name}"),
                }
                member.ty
            }
            Kind::Array { element, .. } => {
                path += &format!("[{step}]");
                *element
            }
            _ => return None,
        };
    }
    Some(path)
}

fn enumerator<'b>(btf: &'b Btf, id: TypeId, steps: &[u32]) -> Option<&'b str> {
    let index = usize::try_from(*steps.first()?).ok()?;
    let name = match &btf.get(btf.resolve(id))?.kind {
        Kind::Enum { values, .. } => values.get(index)?.0,
        Kind::Enum64 { values, .. } => values.get(index)?.0,
        _ => return None,
    };
    Some(btf.str(name))
}
