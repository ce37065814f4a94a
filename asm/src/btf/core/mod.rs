//! CO-RE relocations: what an instruction asks of the running kernel's types, and the answers.
//!
//! A relocation names a type of the object's own BTF and a path into it (the *access*), and
//! says what about the place is wanted. Whoever loads the object finds the same place in the
//! kernel's BTF and writes the answer into the instruction.
//!
//! Source: the kernel's `Documentation/bpf/llvm_reloc.rst`, "CO-RE Relocations", and
//! `enum bpf_core_relo_kind` of `include/uapi/linux/bpf.h`.
//!
//! Read before: `../mod.rs`, `../ext.rs`. Read next: `place.rs`, `types.rs`, `resolve.rs`,
//! `patch.rs`, `words.rs`.

mod patch;
mod place;
mod resolve;
mod types;
mod words;

use std::fmt;

pub use self::patch::{POISON, PatchError, Patched, patch};
pub use self::resolve::{Answer, Resize, Resolved, Resolver, relocate};
pub use self::types::essential_name;
use super::ext::CoreRelo;
use super::{Btf, TypeId};

/// What a relocation asks, `enum bpf_core_relo_kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CoreKind {
    /// Where the field is: bytes from the beginning of its struct.
    FieldByteOffset,
    /// The size of the field in bytes.
    FieldByteSize,
    /// Whether the field is there: 1 or 0.
    FieldExists,
    /// Whether the field is a signed number: 1 or 0.
    FieldSigned,
    /// By how many bits a bit field is shifted left to end at bit 63.
    FieldLshiftU64,
    /// By how many bits it is shifted right from there to be a number.
    FieldRshiftU64,
    /// The type's number in the object's own BTF.
    TypeIdLocal,
    /// The type's number in the kernel's BTF.
    TypeIdTarget,
    /// Whether the type is there: 1 or 0.
    TypeExists,
    /// The size of the type in bytes.
    TypeSize,
    /// Whether the enumerator is there: 1 or 0.
    EnumvalExists,
    /// The enumerator's value.
    EnumvalValue,
    /// Whether the type is there and has the members that ours has: 1 or 0.
    TypeMatches,
}

/// A kind and its name in the UAPI, without `BPF_CORE_`; the number is the index.
const KINDS: [(CoreKind, &str); 13] = [
    (CoreKind::FieldByteOffset, "FIELD_BYTE_OFFSET"),
    (CoreKind::FieldByteSize, "FIELD_BYTE_SIZE"),
    (CoreKind::FieldExists, "FIELD_EXISTS"),
    (CoreKind::FieldSigned, "FIELD_SIGNED"),
    (CoreKind::FieldLshiftU64, "FIELD_LSHIFT_U64"),
    (CoreKind::FieldRshiftU64, "FIELD_RSHIFT_U64"),
    (CoreKind::TypeIdLocal, "TYPE_ID_LOCAL"),
    (CoreKind::TypeIdTarget, "TYPE_ID_TARGET"),
    (CoreKind::TypeExists, "TYPE_EXISTS"),
    (CoreKind::TypeSize, "TYPE_SIZE"),
    (CoreKind::EnumvalExists, "ENUMVAL_EXISTS"),
    (CoreKind::EnumvalValue, "ENUMVAL_VALUE"),
    (CoreKind::TypeMatches, "TYPE_MATCHES"),
];

/// What the path of a relocation leads through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CoreSubject {
    /// An array's element, then members and elements.
    Field,
    /// Nothing: the type itself.
    Type,
    /// The enumerator of an enum, by its index.
    Enumerator,
}

impl CoreKind {
    /// Every kind, by number.
    pub fn all() -> impl Iterator<Item = CoreKind> {
        KINDS.into_iter().map(|(kind, _)| kind)
    }

    /// The number in the UAPI.
    pub fn number(self) -> u32 {
        self as u32
    }

    /// The kind of this number in the UAPI.
    pub fn from_number(number: u32) -> Option<CoreKind> {
        let row = KINDS.get(usize::try_from(number).ok()?)?;
        Some(row.0)
    }

    /// The name in the UAPI without `BPF_CORE_`, e.g. `FIELD_BYTE_OFFSET`.
    pub fn name(self) -> &'static str {
        KINDS.get(self as usize).map_or("", |row| row.1)
    }

    /// The kind with this name in the UAPI, without `BPF_CORE_`.
    pub fn from_name(name: &str) -> Option<CoreKind> {
        let row = KINDS.iter().find(|row| row.1 == name)?;
        Some(row.0)
    }

    /// What its path leads through.
    pub fn subject(self) -> CoreSubject {
        match self {
            CoreKind::FieldByteOffset
            | CoreKind::FieldByteSize
            | CoreKind::FieldExists
            | CoreKind::FieldSigned
            | CoreKind::FieldLshiftU64
            | CoreKind::FieldRshiftU64 => CoreSubject::Field,
            CoreKind::TypeIdLocal
            | CoreKind::TypeIdTarget
            | CoreKind::TypeExists
            | CoreKind::TypeSize
            | CoreKind::TypeMatches => CoreSubject::Type,
            CoreKind::EnumvalExists | CoreKind::EnumvalValue => CoreSubject::Enumerator,
        }
    }
}

impl fmt::Display for CoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A path into a type: numbers with colons between them, e.g. `0:2:1`.
///
/// For fields the first is an index into an array of the type (nearly always 0), and each
/// further one the number of a member or of an array's element. For types it is `0`, and for
/// enumerators the enumerator's index.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Access(Vec<u32>);

/// The most steps of a path; the kernel takes no more (`BPF_CORE_SPEC_MAX_LEN`).
const MAX_STEPS: usize = 64;

impl Access {
    /// The path with these steps; `None` if it has none, or more than the kernel takes.
    pub fn new(steps: Vec<u32>) -> Option<Access> {
        (1..=MAX_STEPS)
            .contains(&steps.len())
            .then_some(Access(steps))
    }

    /// The path that `text` spells; `None` if it spells none.
    pub fn parse(text: &str) -> Option<Access> {
        // `u32::from_str` takes a plus sign, which no access string has.
        let digits = |step: &str| step.bytes().all(|byte| byte.is_ascii_digit());
        let steps = text.split(':').take(MAX_STEPS + 1).map(|step| {
            let number = step.parse().ok();
            number.filter(|_| digits(step))
        });
        Access::new(steps.collect::<Option<Vec<u32>>>()?)
    }

    /// The steps; there is at least one.
    pub fn steps(&self) -> &[u32] {
        &self.0
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            let colon = if index == 0 { "" } else { ":" };
            write!(f, "{colon}{step}")?;
        }
        Ok(())
    }
}

/// What an instruction asks: something (`kind`) about a place (`access`) in a type.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CoreRelocation {
    /// What is asked.
    pub kind: CoreKind,
    /// The type, in the BTF of the object.
    pub type_id: TypeId,
    /// The place in it.
    pub access: Access,
}

/// Why a record of `.BTF.ext` is no relocation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CoreRecordError {
    /// A kind that is not known.
    #[error(
        "core_relo at byte {insn_off} of the code has kind {kind}, and kinds are 0 to {last}",
        last = KINDS.len() - 1
    )]
    Kind {
        /// The instruction, in bytes.
        insn_off: u32,
        /// The number.
        kind: u32,
    },
    /// A type that is not there.
    #[error(
        "core_relo at byte {insn_off} of the code is about type {type_id}, and there are {count} types"
    )]
    Type {
        /// The instruction, in bytes.
        insn_off: u32,
        /// The number.
        type_id: u32,
        /// How many types there are.
        count: usize,
    },
    /// A path that cannot be read.
    #[error(
        "core_relo at byte {insn_off} of the code has access string '{access}', and numbers with colons between them, at most 64, are wanted"
    )]
    Access {
        /// The instruction, in bytes.
        insn_off: u32,
        /// What the string section has there.
        access: String,
    },
}

/// Why a relocation has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CoreError {
    /// The type has no name to find it by.
    #[error("type {0} has no name to find it by in the kernel's types")]
    NoName(u32),
    /// The path leads nowhere in the object's own types.
    #[error("'{access}' leads nowhere in the object's own type '{root}'")]
    Path {
        /// The path.
        access: String,
        /// The name of the type that it begins at.
        root: String,
    },
    /// Several types of the kernel have the name, and answer differently.
    #[error(
        "{kind} of '{name}' at '{access}' is {} in one type of that name and {} in another",
        values.0, values.1
    )]
    Ambiguous {
        /// What is asked.
        kind: CoreKind,
        /// The name of the type.
        name: String,
        /// The path.
        access: String,
        /// Two of the answers.
        values: (u64, u64),
    },
}

impl CoreRelocation {
    /// What a record of `.BTF.ext` asks; `btf` is the object's.
    ///
    /// # Errors
    /// If kind, type or path make no sense.
    pub fn of_record(btf: &Btf, record: &CoreRelo) -> Result<CoreRelocation, CoreRecordError> {
        let insn_off = record.insn_off;
        let kind = CoreKind::from_number(record.kind).ok_or(CoreRecordError::Kind {
            insn_off,
            kind: record.kind,
        })?;
        let type_id = record.type_id;
        if type_id.0 as usize > btf.len() {
            return Err(CoreRecordError::Type {
                insn_off,
                type_id: type_id.0,
                count: btf.len(),
            });
        }
        let text = btf.str(record.access_str);
        let access = Access::parse(text).ok_or_else(|| CoreRecordError::Access {
            insn_off,
            access: text.to_owned(),
        })?;
        Ok(CoreRelocation {
            kind,
            type_id,
            access,
        })
    }

    /// The record of `.BTF.ext` for the instruction at byte `insn_off` of its section; the
    /// path is added to the names of `btf`.
    pub fn to_record(&self, btf: &mut Btf, insn_off: u32) -> CoreRelo {
        CoreRelo {
            insn_off,
            type_id: self.type_id,
            access_str: btf.intern(&self.access.to_string()),
            kind: self.kind.number(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_their_numbers_and_names() {
        for (number, kind) in CoreKind::all().enumerate() {
            assert_eq!(kind.number() as usize, number);
            assert_eq!(CoreKind::from_number(kind.number()), Some(kind));
            assert_eq!(CoreKind::from_name(kind.name()), Some(kind));
        }
        assert_eq!(CoreKind::from_number(13), None);
    }

    #[test]
    fn paths_are_read_as_they_are_written() {
        for text in ["0", "0:2:1", "4294967295:0"] {
            assert_eq!(
                Access::parse(text).map(|a| a.to_string()),
                Some(text.into())
            );
        }
        let long = ["0"; MAX_STEPS + 1].join(":");
        for text in ["", ":", "0:", "+1", "-1", "0x1", "4294967296", &long] {
            assert_eq!(Access::parse(text), None, "{text}");
        }
        assert!(Access::parse(&long[2..]).is_some());
    }

    #[test]
    fn records_say_what_relocations_say() {
        let mut btf = Btf::new();
        let relocation = CoreRelocation {
            kind: CoreKind::FieldByteOffset,
            type_id: super::super::build::int(&mut btf),
            access: Access::parse("0:1").unwrap(),
        };
        let record = relocation.to_record(&mut btf, 16);
        assert_eq!(CoreRelocation::of_record(&btf, &record), Ok(relocation));
        let message = |record| {
            CoreRelocation::of_record(&btf, &record)
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            message(CoreRelo { kind: 13, ..record }),
            "core_relo at byte 16 of the code has kind 13, and kinds are 0 to 12"
        );
        let type_id = TypeId(2);
        assert_eq!(
            message(CoreRelo { type_id, ..record }),
            "core_relo at byte 16 of the code is about type 2, and there are 1 types"
        );
        let access_str = super::super::StrId(0);
        assert_eq!(
            message(CoreRelo {
                access_str,
                ..record
            }),
            "core_relo at byte 16 of the code has access string '', and numbers with colons \
             between them, at most 64, are wanted"
        );
    }
}
