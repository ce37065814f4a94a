//! Types of the kernel, as far as a program declares them, and what it asks about them.
//!
//! A program is compiled before it is known which kernel it will run on. So it names the
//! fields it needs, and whoever loads it finds them in the running kernel's types ("compile
//! once, run everywhere", CO-RE).
//!
//! Read before: `mod.rs`.

use super::Type;

/// A struct, union or enum of the kernel, as far as the program declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelType {
    /// The kernel's name for it; what follows `___` (a *flavour*) is the program's own.
    pub name: String,
    /// What it is.
    pub kind: KernelKind,
}

/// What a [`KernelType`] is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KernelKind {
    /// A struct with these members among others.
    Struct(Vec<KernelMember>),
    /// A union with these members among others.
    Union(Vec<KernelMember>),
    /// An enum with these enumerators among others.
    Enum(Vec<String>),
}

/// A member of a struct or union of the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelMember {
    /// The kernel's name for it.
    pub name: String,
    /// What it holds.
    pub ty: MemberType,
}

/// What a member holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberType {
    /// A number.
    Number(NumberType),
    /// So many bytes.
    Bytes(u32),
    /// A pointer.
    Pointer(Pointee),
    /// A struct, union or enum.
    Kernel(KernelType),
}

/// A number of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumberType {
    /// What it becomes when it is read.
    pub ty: Type,
    /// Whether it has a sign in the kernel.
    pub sign: Sign,
}

/// Whether a number has a sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// It has none.
    Unsigned,
    /// It is in two's complement.
    Signed,
}

/// What a pointer points to. Structs and unions are only named: they may point to themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pointee {
    /// A number.
    Number(NumberType),
    /// The struct of this name.
    Struct(String),
    /// The union of this name.
    Union(String),
}

/// What is asked about a type of the kernel, by the UAPI's names
/// (`enum bpf_core_relo_kind`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoreKind {
    /// Where a field is, in bytes from the beginning of its type.
    FieldByteOffset,
    /// The size of a field in bytes.
    FieldByteSize,
    /// Whether there is such a field: 1 or 0.
    FieldExists,
    /// By how many bits a field is shifted left to end at bit 63.
    FieldLshiftU64,
    /// By how many bits it is shifted right from there to be a number.
    FieldRshiftU64,
    /// Whether there is such a type: 1 or 0.
    TypeExists,
    /// The size of a type in bytes.
    TypeSize,
    /// Whether there is such an enumerator: 1 or 0.
    EnumvalExists,
    /// The value of an enumerator.
    EnumvalValue,
}

/// What an answer is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoreSubject {
    /// A member, or a member's member.
    Field,
    /// The type itself.
    Type,
    /// An enumerator.
    Enumerator,
}

impl CoreKind {
    /// The UAPI's name, without `BPF_CORE_`.
    pub const fn name(self) -> &'static str {
        match self {
            CoreKind::FieldByteOffset => "FIELD_BYTE_OFFSET",
            CoreKind::FieldByteSize => "FIELD_BYTE_SIZE",
            CoreKind::FieldExists => "FIELD_EXISTS",
            CoreKind::FieldLshiftU64 => "FIELD_LSHIFT_U64",
            CoreKind::FieldRshiftU64 => "FIELD_RSHIFT_U64",
            CoreKind::TypeExists => "TYPE_EXISTS",
            CoreKind::TypeSize => "TYPE_SIZE",
            CoreKind::EnumvalExists => "ENUMVAL_EXISTS",
            CoreKind::EnumvalValue => "ENUMVAL_VALUE",
        }
    }

    /// What it is asked about.
    pub const fn subject(self) -> CoreSubject {
        match self {
            CoreKind::FieldByteOffset
            | CoreKind::FieldByteSize
            | CoreKind::FieldExists
            | CoreKind::FieldLshiftU64
            | CoreKind::FieldRshiftU64 => CoreSubject::Field,
            CoreKind::TypeExists | CoreKind::TypeSize => CoreSubject::Type,
            CoreKind::EnumvalExists | CoreKind::EnumvalValue => CoreSubject::Enumerator,
        }
    }
}

impl KernelType {
    /// A struct with these members.
    pub fn structure(name: &str, members: Vec<KernelMember>) -> Self {
        let (name, kind) = (plain(name), KernelKind::Struct(members));
        KernelType { name, kind }
    }

    /// A union with these members.
    pub fn union(name: &str, members: Vec<KernelMember>) -> Self {
        let (name, kind) = (plain(name), KernelKind::Union(members));
        KernelType { name, kind }
    }

    /// An enum with these enumerators.
    pub fn enumeration(name: &str, enumerators: &[&str]) -> Self {
        let enumerators = enumerators.iter().map(|name| plain(name)).collect();
        let (name, kind) = (plain(name), KernelKind::Enum(enumerators));
        KernelType { name, kind }
    }

    /// The members; none of an enum.
    pub fn members(&self) -> &[KernelMember] {
        match &self.kind {
            KernelKind::Struct(members) | KernelKind::Union(members) => members,
            KernelKind::Enum(_) => &[],
        }
    }

    /// Where a path leads: the names of the members it goes through, and what the last holds.
    /// `None` if it leads nowhere, or is empty.
    pub fn field(&self, path: &[u32]) -> Option<(Vec<&str>, &MemberType)> {
        let (mut at, mut names, mut found) = (self, Vec::new(), None);
        for (depth, index) in (1..).zip(path) {
            let member = at.members().get(*index as usize)?;
            names.push(member.name.as_str());
            found = Some(&member.ty);
            match &member.ty {
                MemberType::Kernel(inner) => at = inner,
                _ if depth < path.len() => return None,
                _ => {}
            }
        }
        Some((names, found?))
    }

    /// The enumerator of an index.
    pub fn enumerator(&self, index: u32) -> Option<&str> {
        match &self.kind {
            KernelKind::Enum(enumerators) => enumerators.get(index as usize).map(String::as_str),
            KernelKind::Struct(_) | KernelKind::Union(_) => None,
        }
    }
}

impl KernelMember {
    /// A member.
    pub fn new(name: &str, ty: MemberType) -> Self {
        let name = plain(name);
        KernelMember { name, ty }
    }
}

/// A name as the kernel has it: Rust writes keywords as `r#type`.
fn plain(name: &str) -> String {
    name.strip_prefix("r#").unwrap_or(name).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_through_members() {
        let number = MemberType::Number(NumberType {
            ty: Type::U32,
            sign: Sign::Signed,
        });
        let inner = KernelType::union("inner", vec![KernelMember::new("r#type", number.clone())]);
        let bytes = KernelMember::new("bytes", MemberType::Bytes(4));
        let inner = KernelMember::new("inner", MemberType::Kernel(inner));
        let outer = KernelType::structure("outer", vec![bytes, inner]);
        assert_eq!(outer.field(&[1, 0]), Some((vec!["inner", "type"], &number)));
        for nowhere in [[].as_slice(), &[2], &[0, 0], &[1, 1], &[1, 0, 0]] {
            assert_eq!(outer.field(nowhere), None, "{nowhere:?}");
        }
    }
}
