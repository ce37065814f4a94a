//! Reading: the bytes of a `.BTF` section as types and names. Total: any bytes give types
//! or an error, and no more memory is asked for than the bytes can fill.

use super::write::{MAGIC, number};
use super::{
    Bitfields, Btf, Forward, IntEncoding, Kind, Linkage, Member, SecVar, Signedness, StrId, Type,
    TypeId,
};

/// Why bytes are no BTF.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BtfError {
    /// The bytes end before what the header or a type announces.
    #[error("ends at byte {have}, where {what} wants {want}")]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// The byte that it ends with.
        want: usize,
        /// The bytes there are.
        have: usize,
    },
    /// Not BTF at all, or of the other byte order.
    #[error("begins with {0:#06x} instead of {MAGIC:#06x}{hint}", hint = order_hint(*.0))]
    Magic(u16),
    /// A version that is not known.
    #[error("has version {0}, and only 1 is known")]
    Version(u8),
    /// A kind of type that is not known.
    #[error("type {id} has kind {kind}, which is not known")]
    Kind {
        /// The type.
        id: u32,
        /// Its kind.
        kind: u32,
    },
    /// Records of `.BTF.ext` whose size cannot be.
    #[error("{what} has records of {size} bytes, and a multiple of 4, at least {least}, is wanted")]
    RecordSize {
        /// Which records.
        what: &'static str,
        /// Their size in bytes.
        size: u32,
        /// The least that is known, in bytes.
        least: usize,
    },
    /// A number that a type may not hold.
    #[error("type {id} has {what} {value}, which is not known")]
    Value {
        /// The type.
        id: u32,
        /// Which number.
        what: &'static str,
        /// The number.
        value: u32,
    },
}

/// What a wrong magic number tells of the byte order.
fn order_hint(magic: u16) -> &'static str {
    match magic.swap_bytes() {
        MAGIC => ": it is big-endian",
        _ => "",
    }
}

/// Reads words of 4 bytes one after the other.
pub(super) struct Words<'a> {
    bytes: &'a [u8],
    at: usize,
    what: &'static str,
}

impl<'a> Words<'a> {
    pub(super) fn new(bytes: &'a [u8], what: &'static str) -> Words<'a> {
        Words { bytes, at: 0, what }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    pub(super) fn next(&mut self) -> Result<u32, BtfError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let word = rest.first_chunk::<4>().ok_or(BtfError::Truncated {
            what: self.what,
            want: self.at + 4,
            have: self.bytes.len(),
        })?;
        self.at += 4;
        Ok(u32::from_le_bytes(*word))
    }

    /// `count` items of `words` words each, read by `item`.
    pub(super) fn list<T>(
        &mut self,
        count: usize,
        words: usize,
        mut item: impl FnMut(&mut Words<'a>) -> Result<T, BtfError>,
    ) -> Result<Vec<T>, BtfError> {
        let want = self.at.saturating_add(count.saturating_mul(words * 4));
        if want > self.bytes.len() {
            let have = self.bytes.len();
            return Err(BtfError::Truncated {
                what: self.what,
                want,
                have,
            });
        }
        (0..count).map(|_| item(self)).collect()
    }
}

/// The part of `bytes` that begins `offset` behind the header and has `len` bytes.
pub(super) fn part<'a>(
    bytes: &'a [u8],
    header_len: u32,
    offset: u32,
    len: u32,
    what: &'static str,
) -> Result<&'a [u8], BtfError> {
    let begin = header_len as usize + offset as usize;
    let end = begin + len as usize;
    let have = bytes.len();
    bytes.get(begin..end).ok_or(BtfError::Truncated {
        what,
        want: end,
        have,
    })
}

/// Checks the first 4 bytes that `.BTF` and `.BTF.ext` share, and gives the words behind.
pub(super) fn header<'a>(bytes: &'a [u8]) -> Result<Words<'a>, BtfError> {
    let have = bytes.len();
    let short = BtfError::Truncated {
        what: "the header",
        want: 8,
        have,
    };
    let (&[m0, m1, version, _flags], rest) = bytes.split_first_chunk::<4>().ok_or(short)?;
    let magic = u16::from_le_bytes([m0, m1]);
    if magic != MAGIC {
        return Err(BtfError::Magic(magic));
    }
    if version != 1 {
        return Err(BtfError::Version(version));
    }
    Ok(Words::new(rest, "the header"))
}

impl Btf {
    /// Reads the bytes of a `.BTF` section or of `/sys/kernel/btf/vmlinux`, little-endian.
    ///
    /// Numbers of types and names are not followed here: one that leads nowhere is found
    /// when it is looked up.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Btf, BtfError> {
        let mut words = header(bytes)?;
        let header_len = words.next()?;
        let [type_off, type_len, str_off, str_len] =
            [words.next()?, words.next()?, words.next()?, words.next()?];
        let types = part(bytes, header_len, type_off, type_len, "the type section")?;
        let strings = part(bytes, header_len, str_off, str_len, "the string section")?;
        let mut btf = Btf {
            strings: strings.to_vec(),
            ..Btf::default()
        };
        let mut words = Words::new(types, "the type section");
        while !words.is_at_end() {
            let id = btf.types.len() as u32 + 1;
            btf.types.push(read_type(&mut words, id)?);
        }
        Ok(btf)
    }
}

fn read_type(words: &mut Words<'_>, id: u32) -> Result<Type, BtfError> {
    let [name, info, size_or_type] = [words.next()?, words.next()?, words.next()?];
    let kind = read_kind(words, id, info, size_or_type)?;
    Ok(Type {
        name: StrId(name),
        kind,
    })
}

fn read_kind(words: &mut Words<'_>, id: u32, info: u32, word: u32) -> Result<Kind, BtfError> {
    use number::*;
    let (len, flag) = ((info & 0xffff) as usize, info >> 31);
    let (size, ty) = (word, TypeId(word));
    let signed = if flag == 1 {
        Signedness::Signed
    } else {
        Signedness::Unsigned
    };
    Ok(match info >> 24 & 0x1f {
        INT => {
            let [bits, _, offset, encoding] = words.next()?.to_le_bytes();
            Kind::Int {
                size,
                encoding: IntEncoding(encoding),
                offset,
                bits,
            }
        }
        PTR => Kind::Ptr(ty),
        ARRAY => Kind::Array {
            element: TypeId(words.next()?),
            index: TypeId(words.next()?),
            len: words.next()?,
        },
        STRUCT => {
            let (members, bitfields) = read_members(words, len, flag)?;
            Kind::Struct {
                size,
                members,
                bitfields,
            }
        }
        UNION => {
            let (members, bitfields) = read_members(words, len, flag)?;
            Kind::Union {
                size,
                members,
                bitfields,
            }
        }
        ENUM => {
            let value = |words: &mut Words<'_>| Ok((StrId(words.next()?), words.next()? as i32));
            Kind::Enum {
                size,
                signed,
                values: words.list(len, 2, value)?,
            }
        }
        ENUM64 => {
            let value = |words: &mut Words<'_>| {
                let (name, low, high) = (words.next()?, words.next()?, words.next()?);
                Ok((StrId(name), (u64::from(high) << 32 | u64::from(low)) as i64))
            };
            Kind::Enum64 {
                size,
                signed,
                values: words.list(len, 3, value)?,
            }
        }
        FWD if flag == 1 => Kind::Fwd(Forward::Union),
        FWD => Kind::Fwd(Forward::Struct),
        TYPEDEF => Kind::Typedef(ty),
        VOLATILE => Kind::Volatile(ty),
        CONST => Kind::Const(ty),
        RESTRICT => Kind::Restrict(ty),
        FUNC => Kind::Func {
            proto: ty,
            linkage: linkage(id, len as u32)?,
        },
        FUNC_PROTO => {
            let param = |words: &mut Words<'_>| Ok((StrId(words.next()?), TypeId(words.next()?)));
            Kind::FuncProto {
                ret: ty,
                params: words.list(len, 2, param)?,
            }
        }
        VAR => Kind::Var {
            ty,
            linkage: linkage(id, words.next()?)?,
        },
        DATASEC => {
            let var = |words: &mut Words<'_>| {
                let (var, offset, size) = (TypeId(words.next()?), words.next()?, words.next()?);
                Ok(SecVar { var, offset, size })
            };
            Kind::DataSec {
                size,
                vars: words.list(len, 3, var)?,
            }
        }
        FLOAT => Kind::Float { size },
        DECL_TAG => Kind::DeclTag {
            ty,
            component: words.next()? as i32,
        },
        TYPE_TAG => Kind::TypeTag(ty),
        kind => return Err(BtfError::Kind { id, kind }),
    })
}

fn read_members(
    words: &mut Words<'_>,
    len: usize,
    flag: u32,
) -> Result<(Vec<Member>, Bitfields), BtfError> {
    let bitfields = if flag == 1 {
        Bitfields::Yes
    } else {
        Bitfields::No
    };
    let members = words.list(len, 3, |words| {
        let (name, ty, offset) = (StrId(words.next()?), TypeId(words.next()?), words.next()?);
        Ok(Member { name, ty, offset })
    })?;
    Ok((members, bitfields))
}

fn linkage(id: u32, value: u32) -> Result<Linkage, BtfError> {
    match value {
        0 => Ok(Linkage::Static),
        1 => Ok(Linkage::Global),
        2 => Ok(Linkage::Extern),
        _ => Err(BtfError::Value {
            id,
            what: "linkage",
            value,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_written_is_read() {
        let mut btf = Btf::new();
        let (a, b) = (btf.intern("a"), btf.intern("b"));
        let int = btf.add(
            "int",
            Kind::Int {
                size: 4,
                encoding: IntEncoding::SIGNED,
                offset: 0,
                bits: 32,
            },
        );
        let index = btf.add(
            "",
            Kind::Array {
                element: int,
                index: int,
                len: 7,
            },
        );
        let members = vec![
            Member {
                name: a,
                ty: int,
                offset: 0,
            },
            Member {
                name: b,
                ty: index,
                offset: 32,
            },
        ];
        let pair = Kind::Struct {
            size: 32,
            members: members.clone(),
            bitfields: Bitfields::No,
        };
        let pair = btf.add("pair", pair);
        btf.add(
            "u",
            Kind::Union {
                size: 32,
                members,
                bitfields: Bitfields::Yes,
            },
        );
        let values = vec![(a, -1), (b, 5)];
        btf.add(
            "e",
            Kind::Enum {
                size: 4,
                signed: Signedness::Signed,
                values,
            },
        );
        let values = vec![(a, i64::MIN), (b, 1 << 40)];
        btf.add(
            "e64",
            Kind::Enum64 {
                size: 8,
                signed: Signedness::Unsigned,
                values,
            },
        );
        btf.add("f", Kind::Fwd(Forward::Struct));
        btf.add("fu", Kind::Fwd(Forward::Union));
        for kind in [
            Kind::Ptr(pair),
            Kind::Typedef(int),
            Kind::Volatile(int),
            Kind::Const(int),
            Kind::Restrict(int),
            Kind::Float { size: 8 },
            Kind::DeclTag {
                ty: pair,
                component: -1,
            },
            Kind::TypeTag(int),
        ] {
            btf.add("t", kind);
        }
        let proto = btf.add(
            "",
            Kind::FuncProto {
                ret: int,
                params: vec![(a, int)],
            },
        );
        btf.add(
            "main",
            Kind::Func {
                proto,
                linkage: Linkage::Global,
            },
        );
        let var = btf.add(
            "v",
            Kind::Var {
                ty: int,
                linkage: Linkage::Static,
            },
        );
        let vars = vec![SecVar {
            var,
            offset: 0,
            size: 4,
        }];
        btf.add(".data", Kind::DataSec { size: 4, vars });
        assert_eq!(Btf::from_bytes(&btf.to_bytes()), Ok(btf.clone()));
        assert_eq!(btf.size_of(pair), Some(32));
        assert_eq!(btf.size_of(index), Some(28));
        assert_eq!(btf.name(pair), "pair");
    }

    proptest! {
        /// Random bytes behind a right header: types or an error, and what is read is
        /// written as it was, as far as the format leaves no bits unused.
        #[test]
        fn any_bytes_are_types_or_an_error(
            words in proptest::collection::vec(prop_oneof![any::<u32>(), 0..20u32, (0..20u32).prop_map(|k| k << 24)], 0..40),
        ) {
            let types: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
            let mut bytes = vec![0x9f, 0xeb, 1, 0];
            let len = types.len() as u32;
            for word in [24, 0, len, len, 1] {
                bytes.extend(u32::to_le_bytes(word));
            }
            bytes.extend(types);
            bytes.push(0);
            if let Ok(btf) = Btf::from_bytes(&bytes) {
                prop_assert_eq!(Btf::from_bytes(&btf.to_bytes()), Ok(btf));
            }
        }
    }

    #[test]
    fn errors_say_what_is_wrong() {
        let message = |bytes: &[u8]| Btf::from_bytes(bytes).unwrap_err().to_string();
        assert_eq!(
            message(b"\xeb\x9f\x01\0"),
            "begins with 0x9feb instead of 0xeb9f: it is big-endian"
        );
        assert_eq!(
            message(b"\x9f\xeb\x02\0"),
            "has version 2, and only 1 is known"
        );
        assert_eq!(message(b"\x9f"), "ends at byte 1, where the header wants 8");
    }
}
