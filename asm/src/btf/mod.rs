//! BTF, the BPF Type Format: types, and where functions and lines of code are.
//!
//! Source: the kernel's `Documentation/bpf/btf.rst` and `include/uapi/linux/btf.h`.
//!
//! Names are offsets into one string section, as in the format, so that a blob of any size
//! is read without a copy of every name.
//!
//! Read before: nothing. Read next: `read.rs`, `write.rs`, `ext.rs`, `core.rs`, `build.rs`.

pub mod build;
pub mod core;
pub mod ext;
mod read;
mod write;

pub use read::BtfError;

use std::collections::HashMap;

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
    types: Vec<Type>,
    strings: Vec<u8>,
    /// Where each name is; made when the first name is added.
    interned: HashMap<Box<[u8]>, StrId>,
}

impl PartialEq for Btf {
    fn eq(&self, other: &Btf) -> bool {
        self.types == other.types && self.strings == other.strings
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
        component: i32,
    },
    TypeTag(TypeId),
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "they say it")]
pub enum Forward {
    Struct,
    Union,
}

/// Who sees a function or variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Linkage {
    /// Only its own file.
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
            strings: vec![0],
            ..Btf::default()
        }
    }

    /// The number of types, `void` not counted.
    pub fn len(&self) -> usize {
        self.types.len()
    }

    /// Whether there is no type but `void`.
    pub fn is_empty(&self) -> bool {
        self.types.is_empty()
    }

    /// Adds a type.
    pub fn add(&mut self, name: &str, kind: Kind) -> TypeId {
        let name = self.intern(name);
        self.types.push(Type { name, kind });
        TypeId(self.types.len() as u32)
    }

    /// The type with this number; `None` for `void` and beyond the last.
    pub fn get(&self, id: TypeId) -> Option<&Type> {
        self.types.get((id.0 as usize).checked_sub(1)?)
    }

    /// The type with this number, to change it.
    pub fn get_mut(&mut self, id: TypeId) -> Option<&mut Type> {
        self.types.get_mut((id.0 as usize).checked_sub(1)?)
    }

    /// The types with their numbers.
    pub fn types(&self) -> impl Iterator<Item = (TypeId, &Type)> {
        (1..).map(TypeId).zip(&self.types)
    }

    /// The name at an offset; empty if there is none or it is not UTF-8.
    pub fn str(&self, id: StrId) -> &str {
        let rest = self.strings.get(id.0 as usize..).unwrap_or_default();
        let end = rest.iter().position(|&b| b == 0).unwrap_or(0);
        rest.get(..end)
            .and_then(|name| std::str::from_utf8(name).ok())
            .unwrap_or("")
    }

    /// The name of a type; empty for `void` and anonymous types.
    pub fn name(&self, id: TypeId) -> &str {
        self.get(id).map_or("", |ty| self.str(ty.name))
    }

    /// The offset of `name`, which is added if it is not there. A NUL ends a name.
    pub fn intern(&mut self, name: &str) -> StrId {
        let name = name.split('\0').next().unwrap_or_default().as_bytes();
        if self.strings.is_empty() {
            self.strings.push(0);
        }
        if self.interned.is_empty() {
            self.interned = index(&self.strings);
        }
        if let Some(known) = self.interned.get(name) {
            return *known;
        }
        let id = StrId(self.strings.len() as u32);
        self.strings.extend(name);
        self.strings.push(0);
        self.interned.insert(name.into(), id);
        id
    }

    /// The first type with this name that `matches`.
    pub fn find(&self, name: &str, matches: impl Fn(&Kind) -> bool) -> Option<TypeId> {
        let found = |(_, ty): &(TypeId, &Type)| matches(&ty.kind) && self.str(ty.name) == name;
        self.types().find(found).map(|(id, _)| id)
    }

    /// The type behind typedefs, qualifiers and type tags.
    pub fn resolve(&self, id: TypeId) -> TypeId {
        let mut id = id;
        for _ in 0..MAX_DEPTH {
            id = match self.get(id).map(|ty| &ty.kind) {
                Some(
                    Kind::Typedef(ty)
                    | Kind::Volatile(ty)
                    | Kind::Const(ty)
                    | Kind::Restrict(ty)
                    | Kind::TypeTag(ty),
                ) => *ty,
                _ => return id,
            };
        }
        id
    }

    /// The size of a type in bytes, through typedefs, qualifiers and arrays; `None` if it
    /// has none, is not there, or refers to itself.
    pub fn size_of(&self, id: TypeId) -> Option<u32> {
        let (mut id, mut count) = (id, 1u32);
        for _ in 0..MAX_DEPTH {
            id = match &self.get(self.resolve(id))?.kind {
                Kind::Int { size, .. }
                | Kind::Struct { size, .. }
                | Kind::Union { size, .. }
                | Kind::Enum { size, .. }
                | Kind::Enum64 { size, .. }
                | Kind::DataSec { size, .. }
                | Kind::Float { size } => return count.checked_mul(*size),
                Kind::Ptr(_) => return count.checked_mul(8),
                Kind::Array { element, len, .. } => {
                    count = count.checked_mul(*len)?;
                    *element
                }
                Kind::Var { ty, .. } => *ty,
                _ => return None,
            };
        }
        None
    }
}

/// Where each name of a string section is.
fn index(strings: &[u8]) -> HashMap<Box<[u8]>, StrId> {
    let mut at = 0;
    let names = strings.split(|&b| b == 0).map(|name| {
        let id = StrId(at);
        at += name.len() as u32 + 1;
        (name.into(), id)
    });
    // The first of equal names wins, so that the empty name stays at 0.
    let mut index = HashMap::new();
    for (name, id) in names {
        index.entry(name).or_insert(id);
    }
    index
}

/// How long a chain of typedefs and the like may be; the kernel's own limit is 32.
const MAX_DEPTH: usize = 32;
