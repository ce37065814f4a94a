//! Walking a structure by its BTF: what is at an offset, and which structures are in it.
//!
//! An access must be to one field: to a pointer as a whole, to a number or an array of numbers
//! anywhere inside. Unions are walked as if all their members were there, and what is found
//! behind one is not to be trusted.
//!
//! Messages and limits as observed on Linux 6.18.
//!
//! Read before: `value/btf_ptr.rs`. Read next: `memory/btf_access.rs`.

use crate::value::btf_ptr::Marks;
use ebpf_asm::btf::{Bitfields, Btf, Kind as Type, Member, Tag, TypeId};

/// What is in a structure where an access looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field<'a> {
    /// Numbers.
    Number,
    /// A pointer to a structure.
    Pointer(PointerField<'a>),
    /// A pointer to something else.
    PlainPointer,
}

/// A pointer to a structure, as a member of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PointerField<'a> {
    /// The member's name.
    pub(crate) name: &'a str,
    /// The structure behind it.
    pub(crate) to: TypeId,
    /// What its tags and the way to it say of it.
    pub(crate) marks: Marks,
}

/// How a structure must be found in another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StructMatch {
    /// Where, in bytes.
    pub(crate) off: i64,
    /// Whether it must be the other itself.
    pub(crate) exact: bool,
}

/// How often structures may be nested: no type of the kernel comes near.
const MAX_NESTED: usize = 64;

/// What `size` bytes at `off` of the structure `id` are, or the kernel's words on why they
/// cannot be accessed.
pub(crate) fn field_at(btf: &Btf, id: TypeId, off: u32, size: u32) -> Result<Field<'_>, String> {
    let mut walk = Walk {
        btf,
        at: id,
        off,
        size,
        marks: Marks::NONE,
    };
    for _ in 0..MAX_NESTED {
        match walk.step()? {
            Step::Found(field) => return Ok(field),
            Step::Into { record, off } => (walk.at, walk.off) = (record, off),
        }
    }
    Err(format!("access beyond struct {}", shown(btf, id)))
}

/// Whether the structure `wanted` is in `has` where the match says: as that itself, as its
/// first member, as the first member of that.
pub(crate) fn contains_struct(btf: &Btf, has: TypeId, wanted: TypeId, by: StructMatch) -> bool {
    if by.off == 0 && has == wanted {
        return true;
    }
    let (mut at, Ok(mut off)) = (has, u32::try_from(by.off)) else {
        return false;
    };
    if by.exact {
        return false;
    }
    for _ in 0..MAX_NESTED {
        let walk = Walk {
            btf,
            at,
            off,
            size: 1,
            marks: Marks::NONE,
        };
        match nested(walk) {
            Some(record) if record == wanted => return true,
            Some(record) => (at, off) = (record, 0),
            None => return false,
        }
    }
    false
}

/// The record that begins just where the walk looks, however deep.
fn nested(mut walk: Walk<'_>) -> Option<TypeId> {
    for _ in 0..MAX_NESTED {
        match walk.step().ok()? {
            Step::Into { record, off: 0 } => return Some(record),
            Step::Into { record, off } => (walk.at, walk.off) = (record, off),
            Step::Found(_) => return None,
        }
    }
    None
}

/// A place in a record, on the way to a field.
#[derive(Clone, Copy)]
struct Walk<'a> {
    btf: &'a Btf,
    at: TypeId,
    off: u32,
    size: u32,
    marks: Marks,
}

/// Where one step leads.
enum Step<'a> {
    Found(Field<'a>),
    /// To a record that is a member, `off` bytes into it.
    Into {
        record: TypeId,
        off: u32,
    },
}

/// A member as far as an access looks at it.
struct Place<'a> {
    name: &'a str,
    begin: u32,
    /// Where its bytes end; those of an array with the last element.
    end: u32,
    /// The type; of an array that of its elements.
    ty: TypeId,
}

impl<'a> Walk<'a> {
    /// Goes to the member where the access is.
    fn step(&mut self) -> Result<Step<'a>, String> {
        let btf = self.btf;
        let id = btf.resolve(self.at);
        let (members, size, bitfields) = match btf.get(id).map(|ty| &ty.kind) {
            Some(Type::Struct {
                members,
                size,
                bitfields,
            }) => (members, *size, *bitfields),
            Some(Type::Union {
                members,
                size,
                bitfields,
            }) => {
                if members.len() != 1 {
                    self.marks = self.marks | Marks::UNTRUSTED;
                }
                (members, *size, *bitfields)
            }
            _ => return Err(format!("Type '{}' is not a struct", shown(btf, id))),
        };
        if u64::from(self.off) + u64::from(self.size) > u64::from(size) {
            return self.behind_the_end(id, members, bitfields);
        }
        let end = self.off + self.size;
        for member in members {
            let (bits, width) = bit_place(member, bitfields);
            let begin = bits / 8;
            if end <= begin {
                break;
            }
            if width > 0 {
                let last = (bits + width).div_ceil(8);
                if self.off <= begin && last <= end {
                    return Ok(Step::Found(Field::Number));
                }
                continue;
            }
            if self.off < begin {
                break;
            }
            if let Some(place) = self.place(member, begin)? {
                return self.inside(id, &place);
            }
        }
        let (name, off) = (shown(btf, id), self.off);
        Err(format!("struct {name} doesn't have field at offset {off}"))
    }

    /// The member, if the access begins in it; of an array, the element.
    fn place(&self, member: &Member, begin: u32) -> Result<Option<Place<'a>>, String> {
        let name = self.btf.str(member.name);
        let Some(size) = self.btf.size_of(member.ty) else {
            return Err(format!("field {name} doesn't have size"));
        };
        let end = begin.saturating_add(size);
        if self.off >= end {
            return Ok(None);
        }
        let element = innermost(self.btf, member.ty);
        let each = self.btf.size_of(element).unwrap_or(0);
        let begin = match each {
            0 => begin,
            each => begin + (self.off - begin) / each * each,
        };
        Ok(Some(Place {
            name,
            begin,
            end,
            ty: element,
        }))
    }

    /// What the access finds in a member.
    fn inside(&self, holder: TypeId, place: &Place<'a>) -> Result<Step<'a>, String> {
        let Walk { btf, off, size, .. } = *self;
        let holder = shown(btf, holder);
        let (name, begin) = (place.name, place.begin);
        match btf.get(place.ty).map(|ty| &ty.kind) {
            Some(Type::Struct { .. } | Type::Union { .. }) => Ok(Step::Into {
                record: place.ty,
                off: off - begin,
            }),
            Some(Type::Ptr(to)) => {
                if size != 8 || off != begin {
                    return Err(format!(
                        "cannot access ptr member {name} with moff {begin} in struct {holder} \
                         with off {off} size {size}"
                    ));
                }
                let target = btf.resolve(*to);
                Ok(Step::Found(match btf.get(target).map(|ty| &ty.kind) {
                    Some(Type::Struct { .. } | Type::Union { .. }) => {
                        Field::Pointer(PointerField {
                            name,
                            to: target,
                            marks: self.marks | tagged(btf, *to),
                        })
                    }
                    _ => Field::PlainPointer,
                }))
            }
            _ if off + size > place.end && !self.marks.has(Marks::UNTRUSTED) => Err(format!(
                "access beyond the end of member {name} (mend:{}) in struct {holder} with off \
                 {off} size {size}",
                place.end
            )),
            _ => Ok(Step::Found(Field::Number)),
        }
    }

    /// Behind its end a structure may go on, if it ends with an array of no fixed length.
    fn behind_the_end(
        &self,
        id: TypeId,
        members: &[Member],
        bitfields: Bitfields,
    ) -> Result<Step<'a>, String> {
        let btf = self.btf;
        let open = members.last().and_then(|member| {
            let begin = bit_place(member, bitfields).0 / 8;
            match btf.get(btf.resolve(member.ty)).map(|ty| &ty.kind) {
                Some(Type::Array {
                    element, len: 0, ..
                }) if self.off >= begin => Some((begin, btf.resolve(*element))),
                _ => None,
            }
        });
        let found = open.and_then(|(begin, element)| match &btf.get(element)?.kind {
            Type::Int { .. } => Some(Step::Found(Field::Number)),
            Type::Struct { size, .. } | Type::Union { size, .. } => Some(Step::Into {
                record: element,
                off: (self.off - begin).checked_rem(*size)?,
            }),
            _ => None,
        });
        found.ok_or_else(|| {
            format!(
                "access beyond struct {} at off {} size {}",
                shown(btf, id),
                self.off,
                self.size
            )
        })
    }
}

/// The name of a structure, as messages show it.
pub(crate) fn shown(btf: &Btf, id: TypeId) -> &str {
    match btf.name(id) {
        "" => "(anon)",
        name => name,
    }
}

/// Where a member begins, in bits, and the width of a bit field; 0 if it is none.
fn bit_place(member: &Member, bitfields: Bitfields) -> (u32, u32) {
    match bitfields {
        Bitfields::Yes => (member.offset & 0x00ff_ffff, member.offset >> 24),
        Bitfields::No => (member.offset, 0),
    }
}

/// The type of an array's elements, however many dimensions it has.
fn innermost(btf: &Btf, ty: TypeId) -> TypeId {
    let mut ty = btf.resolve(ty);
    for _ in 0..MAX_NESTED {
        match btf.get(ty).map(|ty| &ty.kind) {
            Some(Type::Array { element, .. }) => ty = btf.resolve(*element),
            _ => break,
        }
    }
    ty
}

/// What the tag of a pointer says of it.
pub(crate) fn tagged(btf: &Btf, to: TypeId) -> Marks {
    match btf.get(to) {
        Some(ty) if matches!(ty.kind, Type::TypeTag { tag: Tag::Btf, .. }) => {
            match btf.str(ty.name) {
                "user" => Marks::USER,
                "percpu" => Marks::PERCPU,
                "rcu" => Marks::RCU,
                _ => Marks::NONE,
            }
        }
        _ => Marks::NONE,
    }
}

/// The kind of a type as the kernel's messages have it.
pub(crate) fn kind_word(btf: &Btf, id: TypeId) -> &'static str {
    btf.get(id).map_or("UNKNOWN", |ty| ty.kind.name())
}
