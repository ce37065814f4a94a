//! How types lead to each other, as the kernel goes through them: none to itself, and none
//! through more than 32 others.
//!
//! It goes through them in order, and not twice through what it has seen. From pointers it goes
//! on to pointers, from structures and arrays to what is in them: behind either, the other ends
//! the way, so that structures may have pointers to themselves.
//!
//! Observed on Linux 6.18.
//!
//! Read before: `valid.rs`.

use super::sizes::Sizes;
use super::valid::Flaw;
use super::{Btf, Kind, TypeId};

/// How many types are gone through at once, at most.
const MAX_RESOLVE_DEPTH: usize = 32;

const LOOP: Flaw = "leads back to itself";
const UNSEEN: Flaw = "leads to a function that comes later";
const DEEP: Flaw = "leads through more than 32 types";

/// How far the kernel has come with a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Visit {
    Unseen,
    Open,
    Done,
}

/// On what way through types the kernel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// From something that leads to one.
    Either,
    /// Through pointers.
    Pointers,
    /// Through what is in structures and arrays.
    Inside,
}

impl Way {
    /// Whether a type of this kind is gone through on the way, or ends it.
    fn goes_through(self, kind: &Kind) -> bool {
        let modifies = kind.modified().is_some();
        let points = matches!(kind, Kind::Ptr(_));
        let holds = matches!(
            kind,
            Kind::Array { .. } | Kind::Struct { .. } | Kind::Union { .. }
        );
        match self {
            Way::Either => leads_on(kind),
            Way::Pointers => modifies || points,
            Way::Inside => modifies || holds,
        }
    }

    /// The way from a type on.
    fn from(self, kind: &Kind) -> Way {
        match (self, kind) {
            (Way::Either, Kind::Ptr(_)) => Way::Pointers,
            (Way::Either, Kind::Array { .. } | Kind::Struct { .. } | Kind::Union { .. }) => {
                Way::Inside
            }
            (way, _) => way,
        }
    }
}

/// Whether a type leads to others that the kernel goes through.
fn leads_on(kind: &Kind) -> bool {
    !matches!(
        kind,
        Kind::Int { .. }
            | Kind::Enum { .. }
            | Kind::Enum64 { .. }
            | Kind::Fwd(_)
            | Kind::Float { .. }
            | Kind::FuncProto { .. }
    )
}

/// A type that is gone through, and what of it is next.
struct Stop {
    id: TypeId,
    next: usize,
}

/// That the kernel comes through all types; else the type where it stops.
pub(super) fn check_ways(btf: &Btf, sizes: &Sizes<'_>) -> Result<(), (TypeId, Flaw)> {
    let mut visits = vec![Visit::Unseen; btf.len() + 1];
    let mut begin = |id: TypeId| {
        let leads = sizes.kind(id).is_some_and(leads_on);
        match leads && seen(&visits, id) == Visit::Unseen {
            true => go_through((btf, sizes), id, &mut visits),
            false => Ok(()),
        }
    };
    for (id, ty) in btf.types() {
        begin(id)?;
        if let Kind::FuncProto { ret, params } = &ty.kind {
            begin(*ret)?;
            params.iter().try_for_each(|(_, param)| begin(*param))?;
        }
    }
    Ok(())
}

fn seen(visits: &[Visit], id: TypeId) -> Visit {
    visits.get(id.0 as usize).copied().unwrap_or(Visit::Done)
}

fn set(visits: &mut [Visit], id: TypeId, to: Visit) {
    if let Some(visit) = visits.get_mut(id.0 as usize) {
        *visit = to;
    }
}

fn go_through(
    (btf, sizes): (&Btf, &Sizes<'_>),
    first: TypeId,
    visits: &mut [Visit],
) -> Result<(), (TypeId, Flaw)> {
    let mut way = Way::Either;
    let mut stack = Vec::new();
    let mut ahead = Some(first);
    loop {
        if let Some(id) = ahead.take() {
            if stack.len() == MAX_RESOLVE_DEPTH {
                return Err((first, DEEP));
            }
            if seen(visits, id) != Visit::Unseen {
                return Err((first, LOOP));
            }
            set(visits, id, Visit::Open);
            way = btf.get(id).map_or(way, |ty| way.from(&ty.kind));
            stack.push(Stop { id, next: 0 });
        }
        let Some(stop) = stack.last_mut() else {
            return Ok(());
        };
        let ty = btf.get(stop.id).map(|ty| &ty.kind);
        ahead = ty.and_then(|kind| next(sizes, kind, &mut stop.next, way, visits));
        if ahead.is_none() {
            if ty.is_some_and(|kind| leads_to_unseen(sizes, kind, visits)) {
                return Err((stop.id, UNSEEN));
            }
            set(visits, stop.id, Visit::Done);
            stack.pop();
        }
    }
}

/// The next type that the kernel goes through from one, if any is left.
fn next(
    sizes: &Sizes<'_>,
    kind: &Kind,
    at: &mut usize,
    way: Way,
    visits: &[Visit],
) -> Option<TypeId> {
    let wanted = |to: &TypeId| {
        let through = sizes.kind(*to).is_some_and(|kind| way.goes_through(kind));
        through && seen(visits, *to) != Visit::Done
    };
    while let Some(to) = part(kind, *at) {
        *at += 1;
        if wanted(&to) {
            return Some(to);
        }
        // What is behind a modifier that is done may have ended another way.
        let again = kind.modified().is_some() || matches!(kind, Kind::Ptr(_) | Kind::Var { .. });
        let behind = sizes.id_behind(to).filter(|behind| *behind != to);
        let pointer = behind.filter(|id| matches!(sizes.kind(*id), Some(Kind::Ptr(_))));
        if let Some(to) = pointer.filter(wanted).filter(|_| again) {
            return Some(to);
        }
    }
    None
}

/// Whether a pointer or modifier leads to a function that the kernel has not gone through yet.
fn leads_to_unseen(sizes: &Sizes<'_>, kind: &Kind, visits: &[Visit]) -> bool {
    let to = match kind {
        Kind::Ptr(to) => Some(*to),
        kind => kind.modified(),
    };
    to.is_some_and(|to| {
        matches!(sizes.kind(to), Some(Kind::Func { .. })) && seen(visits, to) != Visit::Done
    })
}

/// What a type leads to, by number.
fn part(kind: &Kind, at: usize) -> Option<TypeId> {
    let only = |to: &TypeId| (at == 0).then_some(*to);
    match kind {
        Kind::Ptr(to)
        | Kind::DeclTag { ty: to, .. }
        | Kind::Var { ty: to, .. }
        | Kind::Func { proto: to, .. } => only(to),
        Kind::Array { element, index, .. } => [index, element].get(at).map(|to| **to),
        Kind::Struct { members, .. } | Kind::Union { members, .. } => {
            members.get(at).map(|member| member.ty)
        }
        Kind::DataSec { vars, .. } => vars.get(at).map(|var| var.var),
        kind => kind.modified().filter(|_| at == 0),
    }
}
