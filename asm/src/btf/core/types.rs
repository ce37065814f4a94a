//! Which types of the object go with which of the kernel's. There are three relations: types
//! of a field that is read (`fields_are_compatible`), types that are asked for by name
//! (`are_compatible`), and types that must have all that ours has (`matches`).
//!
//! Source: the rules that libbpf documents for each.

use std::mem::discriminant;

use super::super::{Btf, IntEncoding, Kind, TypeId};

/// How deep types are followed.
const MAX_DEPTH: u32 = 32;

/// A name without its flavour, which tells apart views of one type of the kernel: `task_struct`
/// of `task_struct___old`. The last three underscores between other characters begin it.
pub fn essential_name(name: &str) -> &str {
    let is_separator = |part: &[u8]| matches!(part, [before, b'_', b'_', b'_', after] if *before != b'_' && *after != b'_');
    let at = name.as_bytes().windows(5).rposition(is_separator);
    at.and_then(|at| name.get(..=at)).unwrap_or(name)
}

/// Whether two types are of one kind; enums of any size are.
pub(super) fn same_kind(local: &Kind, target: &Kind) -> bool {
    let is_enum = |kind: &Kind| matches!(kind, Kind::Enum { .. } | Kind::Enum64 { .. });
    discriminant(local) == discriminant(target) || is_enum(local) && is_enum(target)
}

/// Whether two names are one, as far as both have one.
fn same_name(local: &str, target: &str) -> bool {
    local.is_empty() || target.is_empty() || essential_name(local) == essential_name(target)
}

fn is_record(kind: &Kind) -> bool {
    matches!(kind, Kind::Struct { .. } | Kind::Union { .. })
}

/// Whether a field of one type may be read where the other is. Sizes may differ.
pub(super) fn fields_are_compatible(
    local: &Btf,
    local_ty: TypeId,
    target: &Btf,
    target_ty: TypeId,
) -> bool {
    let (mut left, mut right) = (local_ty, target_ty);
    for _ in 0..MAX_DEPTH {
        (left, right) = (local.resolve(left), target.resolve(right));
        let (Some(a), Some(b)) = (local.get(left), target.get(right)) else {
            return left == right;
        };
        match (&a.kind, &b.kind) {
            (a, b) if is_record(a) && is_record(b) => return true,
            (Kind::Array { element, .. }, Kind::Array { element: other, .. }) => {
                (left, right) = (*element, *other);
            }
            (Kind::Int { offset: a, .. }, Kind::Int { offset: b, .. }) => {
                return *a == 0 && *b == 0;
            }
            (Kind::Ptr(_), Kind::Ptr(_)) | (Kind::Float { .. }, Kind::Float { .. }) => return true,
            (Kind::Fwd(_) | Kind::Enum { .. } | Kind::Enum64 { .. }, other)
                if same_kind(&a.kind, other) =>
            {
                return same_name(local.str(a.name), target.str(b.name));
            }
            _ => return false,
        }
    }
    false
}

/// A type of the object and one of the kernel, as they are compared.
#[derive(Clone, Copy)]
pub(super) struct Pair<'a> {
    pub(super) local: &'a Btf,
    pub(super) target: &'a Btf,
}

impl Pair<'_> {
    /// Whether two types of one name are the same, sizes and members aside.
    pub(super) fn are_compatible(self, left: TypeId, right: TypeId) -> bool {
        self.compatible(left, right, MAX_DEPTH)
    }

    fn compatible(self, left: TypeId, right: TypeId, depth: u32) -> bool {
        let Some(depth) = depth.checked_sub(1) else {
            return false;
        };
        let (left, right) = (self.local.resolve(left), self.target.resolve(right));
        let (Some(a), Some(b)) = (self.local.get(left), self.target.get(right)) else {
            return left == right;
        };
        match (&a.kind, &b.kind) {
            (Kind::Ptr(a), Kind::Ptr(b))
            | (Kind::Array { element: a, .. }, Kind::Array { element: b, .. }) => {
                self.compatible(*a, *b, depth)
            }
            (Kind::Int { offset: a, .. }, Kind::Int { offset: b, .. }) => *a == 0 && *b == 0,
            (
                Kind::FuncProto { ret, params },
                Kind::FuncProto {
                    ret: other,
                    params: others,
                },
            ) => {
                let mut both = params.iter().zip(others);
                params.len() == others.len()
                    && both.all(|((_, a), (_, b))| self.compatible(*a, *b, depth))
                    && self.compatible(*ret, *other, depth)
            }
            (a, b) => same_kind(a, b),
        }
    }

    /// Whether the kernel's type has all that ours has.
    pub(super) fn matches(self, left: TypeId, right: TypeId) -> bool {
        self.matching(left, right, Seen::Directly, MAX_DEPTH)
    }

    fn matching(self, left: TypeId, right: TypeId, seen: Seen, depth: u32) -> bool {
        let Some(depth) = depth.checked_sub(1) else {
            return false;
        };
        let (left, right) = (self.local.resolve(left), self.target.resolve(right));
        let (Some(a), Some(b)) = (self.local.get(left), self.target.get(right)) else {
            return left == right;
        };
        if !matches!(a.kind, Kind::Int { .. })
            && !same_name(self.local.str(a.name), self.target.str(b.name))
        {
            return false;
        }
        match (&a.kind, &b.kind) {
            (
                Kind::Int { size, encoding, .. },
                Kind::Int {
                    size: other_size,
                    encoding: other,
                    ..
                },
            ) => {
                let signed = |encoding: &IntEncoding| encoding.0 & IntEncoding::SIGNED.0;
                size == other_size && signed(encoding) == signed(other)
            }
            (Kind::Ptr(a), Kind::Ptr(b)) => self.matching(*a, *b, Seen::ByPointer, depth),
            (
                Kind::Array {
                    element: a, len, ..
                },
                Kind::Array {
                    element: b,
                    len: other,
                    ..
                },
            ) => len == other && self.matching(*a, *b, seen, depth),
            (
                Kind::FuncProto { ret, params },
                Kind::FuncProto {
                    ret: other,
                    params: others,
                },
            ) => {
                let mut both = params.iter().zip(others);
                params.len() == others.len()
                    && both.all(|((_, a), (_, b))| self.matching(*a, *b, seen, depth))
                    && self.matching(*ret, *other, seen, depth)
            }
            (a, b) if seen == Seen::ByPointer && names_one(a) && names_one(b) => {
                as_forward(a) == as_forward(b)
            }
            (Kind::Struct { .. }, Kind::Struct { .. })
            | (Kind::Union { .. }, Kind::Union { .. }) => {
                self.has_members(&a.kind, &b.kind, seen, depth)
            }
            (a, b) if same_kind(a, b) => self.has_enumerators(a, b),
            _ => false,
        }
    }

    /// Whether each member of `left` has one of its name in `right` that matches.
    fn has_members(self, left: &Kind, right: &Kind, seen: Seen, depth: u32) -> bool {
        let members = |kind: &Kind| match kind {
            Kind::Struct { members, .. } | Kind::Union { members, .. } => members.clone(),
            _ => Vec::new(),
        };
        let others = members(right);
        members(left).iter().all(|member| {
            let name = self.local.str(member.name);
            let mut named = others
                .iter()
                .filter(|other| self.target.str(other.name) == name);
            named.any(|other| self.matching(member.ty, other.ty, seen, depth))
        })
    }

    /// Whether an enum has the size of ours and all its names; other kinds just match.
    fn has_enumerators(self, left: &Kind, right: &Kind) -> bool {
        let (Some(ours), Some(theirs)) = (
            enumerators(self.local, left),
            enumerators(self.target, right),
        ) else {
            return true;
        };
        let size = |kind: &Kind| match kind {
            Kind::Enum { size, .. } | Kind::Enum64 { size, .. } => *size,
            _ => 0,
        };
        let is_there = |name: &&str| {
            theirs
                .iter()
                .any(|(known, _)| essential_name(known) == essential_name(name))
        };
        size(left) == size(right)
            && ours
                .iter()
                .map(|(name, _)| *name)
                .all(|name| is_there(&name))
    }
}

/// How the type in hand was come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Directly,
    /// Of structs and unions only the name counts then.
    ByPointer,
}

/// Whether a type is a struct or union, or declares one.
fn names_one(kind: &Kind) -> bool {
    is_record(kind) || matches!(kind, Kind::Fwd(_))
}

fn as_forward(kind: &Kind) -> super::super::Forward {
    match kind {
        Kind::Fwd(forward) => *forward,
        Kind::Union { .. } => super::super::Forward::Union,
        _ => super::super::Forward::Struct,
    }
}

/// The enumerators of an enum, with their values in 64 bits.
pub(super) fn enumerators<'a>(btf: &'a Btf, kind: &Kind) -> Option<Vec<(&'a str, u64)>> {
    use super::super::Signedness::Signed;
    Some(match kind {
        Kind::Enum { signed, values, .. } => {
            let number = |value: i32| match signed {
                Signed => i64::from(value) as u64,
                _ => u64::from(value as u32),
            };
            values
                .iter()
                .map(|(name, v)| (btf.str(*name), number(*v)))
                .collect()
        }
        Kind::Enum64 { values, .. } => values
            .iter()
            .map(|(name, v)| (btf.str(*name), *v as u64))
            .collect(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::essential_name;

    #[test]
    fn flavours_are_no_part_of_a_name() {
        for (name, expected) in [
            ("task_struct", "task_struct"),
            ("task_struct___old", "task_struct"),
            ("a___b___c", "a___b"),
            ("a____b", "a____b"),
            ("___b", "___b"),
            ("a___", "a___"),
            ("__x___y", "__x"),
        ] {
            assert_eq!(essential_name(name), expected, "{name}");
        }
    }
}
