//! BTF, the BPF Type Format: types, and where functions and lines of code are.
//!
//! Source: the kernel's `Documentation/bpf/btf.rst` and `include/uapi/linux/btf.h`.
//!
//! Names are offsets into one string section, as in the format, so that a blob of any size
//! is read without a copy of every name.
//!
//! Read before: nothing. Read next: `strings.rs`, `kinds.rs`, `read.rs`, `write.rs`, `fields.rs`,
//! `layout.rs`, `settle.rs`, `sizes.rs`, `resolve.rs`, `valid.rs`, `raw.rs`, `file.rs`, `ext.rs`, `core/mod.rs`, `build/mod.rs`, `exception.rs`, `c/`.

pub mod build;
pub mod c;
pub mod core;
mod exception;
pub mod ext;
pub mod fields;
pub mod file;
mod kinds;
mod layout;
pub mod raw;
mod read;
mod resolve;
mod settle;
mod sizes;
pub(crate) mod strings;
mod valid;
mod write;

pub(crate) use kinds::KindNumber;
pub use layout::check_layout;
pub use read::BtfError;
pub use valid::Unloadable;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use strings::Strings;

/// The number of a type; 0 is `void`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct TypeId(pub u32);

impl TypeId {
    /// `void`, which has no entry of its own.
    pub const VOID: TypeId = TypeId(0);
}

/// A name: an offset into the string section. 0 is the empty name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct StrId(pub u32);

/// A collection of types with their names.
#[derive(Debug, Clone, Default)]
pub struct Btf {
    /// What this one goes on from: its types and names come first.
    base: Option<Arc<Btf>>,
    types: Vec<Type>,
    strings: Strings,
    /// Where each name is; made when the first name is added.
    interned: HashMap<Box<[u8]>, StrId>,
    /// Whether the kernel takes the types; found out when that is asked first.
    taken: OnceLock<Result<(), Unloadable>>,
}

/// The same types with the same names, wherever these stand among all names.
impl PartialEq for Btf {
    fn eq(&self, other: &Btf) -> bool {
        let same_names = |one: &[StrId], two: &[StrId]| {
            let names = one.iter().zip(two);
            one.len() == two.len()
                && names
                    .into_iter()
                    .all(|(a, b)| self.bytes(*a) == other.bytes(*b))
        };
        let same = |(one, two): (&Type, &Type)| {
            let ((one, its), (two, others)) = (one.without_names(), two.without_names());
            one == two && same_names(&its, &others)
        };
        let types = self.types.iter().zip(&other.types);
        self.base == other.base
            && self.types.len() == other.types.len()
            && (self.types == other.types && self.strings == other.strings
                || types.into_iter().all(same))
    }
}

impl Type {
    /// What it is with all names empty, and the names in order.
    fn without_names(&self) -> (Kind, Vec<StrId>) {
        let mut kind = self.kind.clone();
        let mut names = vec![self.name];
        let mut take = |name: &mut StrId| names.push(std::mem::take(name));
        match &mut kind {
            Kind::Struct { members, .. } | Kind::Union { members, .. } => {
                members.iter_mut().for_each(|member| take(&mut member.name));
            }
            Kind::Enum { values, .. } => values.iter_mut().for_each(|(name, _)| take(name)),
            Kind::Enum64 { values, .. } => values.iter_mut().for_each(|(name, _)| take(name)),
            Kind::FuncProto { params, .. } => params.iter_mut().for_each(|(name, _)| take(name)),
            _ => {}
        }
        (kind, names)
    }
}

/// One type.
#[derive(Debug, Clone, PartialEq)]
pub struct Type {
    /// The name; empty for anonymous types and those that have none.
    pub name: StrId,
    /// What it is.
    pub kind: Kind,
}

/// What a type is; the variants are the kinds of `btf.h`, sizes are in bytes.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the names are those of btf.rst")]
pub enum Kind {
    Int {
        size: u32,
        encoding: IntEncoding,
        offset: u8,
        bits: u8,
    },
    Ptr(TypeId),
    Array {
        element: TypeId,
        index: TypeId,
        len: u32,
    },
    Struct {
        size: u32,
        members: Vec<Member>,
        bitfields: Bitfields,
    },
    Union {
        size: u32,
        members: Vec<Member>,
        bitfields: Bitfields,
    },
    Enum {
        size: u32,
        signed: Signedness,
        values: Vec<(StrId, i32)>,
    },
    Enum64 {
        size: u32,
        signed: Signedness,
        values: Vec<(StrId, i64)>,
    },
    Fwd(Forward),
    Typedef(TypeId),
    Volatile(TypeId),
    Const(TypeId),
    Restrict(TypeId),
    Func {
        proto: TypeId,
        linkage: Linkage,
    },
    FuncProto {
        ret: TypeId,
        params: Vec<(StrId, TypeId)>,
    },
    Var {
        ty: TypeId,
        linkage: Linkage,
    },
    DataSec {
        size: u32,
        vars: Vec<SecVar>,
    },
    Float {
        size: u32,
    },
    DeclTag {
        ty: TypeId,
        /// The member or parameter, by its index; -1 for the type itself.
        component: i32,
        tag: Tag,
    },
    TypeTag {
        ty: TypeId,
        tag: Tag,
    },
}

/// What the name of a tag is (its `kind_flag`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tag {
    /// The text of `btf_type_tag("text")` or `btf_decl_tag("text")`.
    Btf,
    /// The whole of an attribute, such as `address_space(1)`.
    Attribute,
}

/// How an integer is to be shown, as bits that combine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IntEncoding(pub u8);

impl IntEncoding {
    /// Two's complement.
    pub const SIGNED: IntEncoding = IntEncoding(1);
    /// A character.
    pub const CHAR: IntEncoding = IntEncoding(2);
    /// A boolean.
    pub const BOOL: IntEncoding = IntEncoding(4);
}

/// Whether the numbers of an enum are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "they say it")]
pub enum Signedness {
    Unsigned,
    Signed,
}

/// Whether member offsets of a struct or union carry bit-field sizes (its `kind_flag`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bitfields {
    /// Offsets are plain bit offsets.
    No,
    /// The upper 8 bits of an offset are the size of the bit field, 0 for none.
    Yes,
}

/// What a forward declaration declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "they say it")]
pub enum Forward {
    Struct,
    Union,
}

/// Who sees a function or variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Linkage {
    /// Only its own file.
    #[default]
    Static,
    /// Everybody.
    Global,
    /// Defined elsewhere.
    Extern,
}

/// A member of a struct or union.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// The name.
    pub name: StrId,
    /// The type.
    pub ty: TypeId,
    /// The raw offset: bits from the beginning, and with [`Bitfields::Yes`] the bit field's
    /// size in the upper 8 bits.
    pub offset: u32,
}

impl Member {
    /// Where it is in its struct or union, in bits; and its size in bits if it is a bit field.
    pub fn place(&self, bitfields: Bitfields) -> (u32, Option<u32>) {
        match bitfields {
            Bitfields::No => (self.offset, None),
            Bitfields::Yes => {
                let bits = self.offset >> 24;
                (self.offset & 0xff_ffff, (bits != 0).then_some(bits))
            }
        }
    }
}

/// A variable in a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecVar {
    /// The variable.
    pub var: TypeId,
    /// Bytes from the section's beginning.
    pub offset: u32,
    /// Bytes.
    pub size: u32,
}

impl Btf {
    /// A collection with no types and the empty name.
    pub fn new() -> Btf {
        Btf {
            strings: Strings::new(),
            ..Btf::default()
        }
    }

    /// A collection with no types of its own that goes on from `base`, as a kernel module's
    /// does from the kernel's.
    pub fn split(base: Arc<Btf>) -> Btf {
        Btf {
            base: Some(base),
            ..Btf::default()
        }
    }

    /// The number of types, those of the base counted, `void` not: the last type's number.
    pub fn len(&self) -> usize {
        self.base_len() + self.types.len()
    }

    /// Whether there is no type but `void`.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn base_len(&self) -> usize {
        self.base.as_ref().map_or(0, |base| base.len())
    }

    /// Where the own names begin.
    fn base_strings(&self) -> usize {
        self.base.as_ref().map_or(0, |base| base.strings_end())
    }

    /// The own names.
    pub(crate) fn strings(&self) -> &Strings {
        &self.strings
    }

    /// Whether offsets into `names` are names of this one.
    pub(crate) fn has_names(&self, names: &Strings) -> bool {
        self.base.is_none() && self.strings.is_same(names)
    }

    /// Where the names end.
    pub(crate) fn strings_end(&self) -> usize {
        self.base_strings() + self.strings.as_bytes().len()
    }

    /// Adds a type.
    pub fn add(&mut self, name: &str, kind: Kind) -> TypeId {
        let name = self.intern(name);
        self.push(name, kind);
        TypeId(self.len() as u32)
    }

    /// Adds a type whose name is among the names.
    pub(crate) fn push(&mut self, name: StrId, kind: Kind) {
        self.taken = OnceLock::new();
        self.types.push(Type { name, kind });
    }

    /// The first type that is exactly this, added if there is none.
    pub fn find_or_add(&mut self, name: &str, kind: Kind) -> TypeId {
        match self.find(name, |known| *known == kind) {
            Some(id) => id,
            None => self.add(name, kind),
        }
    }

    /// The type with this number; `None` for `void` and beyond the last.
    pub fn get(&self, id: TypeId) -> Option<&Type> {
        let index = (id.0 as usize).checked_sub(1)?;
        match (&self.base, index.checked_sub(self.base_len())) {
            (Some(base), None) => base.get(id),
            (_, own) => self.types.get(own?),
        }
    }

    /// The type with this number, to change it; `None` also for those of the base.
    pub fn get_mut(&mut self, id: TypeId) -> Option<&mut Type> {
        let index = (id.0 as usize).checked_sub(1)?;
        let own = index.checked_sub(self.base_len())?;
        self.taken = OnceLock::new();
        self.types.get_mut(own)
    }

    /// The own types with their numbers, those of the base not.
    pub fn types(&self) -> impl Iterator<Item = (TypeId, &Type)> {
        let first = self.base_len() as u32 + 1;
        (first..).map(TypeId).zip(&self.types)
    }

    /// The name at an offset; empty if there is none or it is not UTF-8.
    pub fn str(&self, id: StrId) -> &str {
        std::str::from_utf8(self.bytes(id)).unwrap_or("")
    }

    /// The bytes of the name at an offset, without the NUL that ends them.
    fn bytes(&self, id: StrId) -> &[u8] {
        match (&self.base, id.0.checked_sub(self.base_strings() as u32)) {
            (Some(base), None) => base.bytes(id),
            (_, own) => self.strings.bytes(StrId(own.unwrap_or(u32::MAX))),
        }
    }

    /// The name of a type; empty for `void` and anonymous types.
    pub fn name(&self, id: TypeId) -> &str {
        self.get(id).map_or("", |ty| self.str(ty.name))
    }

    /// The offset of `name`, which is added if it is not there. A NUL ends a name.
    pub fn intern(&mut self, name: &str) -> StrId {
        self.intern_bytes(name.as_bytes())
    }

    /// The same of a name that need not be UTF-8.
    pub(crate) fn intern_bytes(&mut self, name: &[u8]) -> StrId {
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        if name.is_empty() {
            return StrId(0);
        }
        if self.strings.as_bytes().is_empty() && self.base.is_none() {
            self.strings = Strings::new();
        }
        if self.interned.is_empty() {
            self.interned = index(self.strings.as_bytes(), self.base_strings());
        }
        if let Some(known) = self.interned.get(name) {
            return *known;
        }
        let own = self.strings.push(name).map_or(0, |own| own.0);
        let id = StrId((self.base_strings() as u32).saturating_add(own));
        self.interned.insert(name.into(), id);
        id
    }

    /// The first type with this name that `matches`.
    pub fn find(&self, name: &str, matches: impl Fn(&Kind) -> bool) -> Option<TypeId> {
        self.find_by(name.as_bytes(), &matches)
    }

    fn find_by(&self, name: &[u8], matches: &dyn Fn(&Kind) -> bool) -> Option<TypeId> {
        let base = self.base.as_ref();
        base.and_then(|base| base.find_by(name, matches))
            .or_else(|| {
                let found =
                    |(_, ty): &(TypeId, &Type)| matches(&ty.kind) && self.bytes(ty.name) == name;
                self.types().find(found).map(|(id, _)| id)
            })
    }

    /// The type behind typedefs, qualifiers and type tags.
    pub fn resolve(&self, id: TypeId) -> TypeId {
        let mut id = id;
        for _ in 0..MAX_DEPTH {
            id = match self.get(id).and_then(|ty| ty.kind.modified()) {
                Some(modified) => modified,
                None => return id,
            };
        }
        id
    }

    /// The size of a type in bytes, through typedefs, qualifiers and arrays; `None` if it
    /// has none, is not there, or refers to itself.
    pub fn size_of(&self, id: TypeId) -> Option<u32> {
        let (mut id, mut count) = match self.get(id).map(|ty| &ty.kind) {
            Some(Kind::DataSec { size, .. }) => return Some(*size),
            Some(Kind::Var { ty, .. }) => (*ty, 1u32),
            _ => (id, 1),
        };
        for _ in 0..MAX_DEPTH {
            id = match &self.get(self.resolve(id))?.kind {
                Kind::Array { element, len, .. } => {
                    count = count.checked_mul(*len)?;
                    *element
                }
                kind => return count.checked_mul(kind.own_size()?),
            };
        }
        None
    }
}

/// Where each name of a string section is that begins `base` bytes into all names.
fn index(strings: &[u8], base: usize) -> HashMap<Box<[u8]>, StrId> {
    let mut at = base as u32;
    let names = strings.split_inclusive(|&b| b == 0).map(|name| {
        let id = StrId(at);
        at += name.len() as u32;
        (name.strip_suffix(b"\0").unwrap_or(name).into(), id)
    });
    // The first of equal names wins.
    let mut index = HashMap::new();
    for (name, id) in names {
        index.entry(name).or_insert(id);
    }
    index
}

/// How long a chain of typedefs and the like may be; the kernel's own limit is 32.
const MAX_DEPTH: usize = 32;
