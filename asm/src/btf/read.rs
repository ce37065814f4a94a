//! Reading: the bytes of a `.BTF` section as types and names. Total: any bytes give types
//! or an error, and no more memory is asked for than the bytes can fill.
//!
//! Bits that the format leaves unused must be zero, as the kernel wants them, so that what is
//! read is written as it was. Numbers of types and names must lead somewhere.

use std::sync::Arc;

use super::kinds::{self, FORWARD, Flag, KindNumber, LINKAGE, Row, SIGNED, TAG, Vlen, Word};
use super::strings::Strings;
use super::write::{HEADER_LEN, MAGIC};
use super::{Bitfields, Btf, IntEncoding, Kind, Member, SecVar, StrId, Type, TypeId};

/// Why bytes are no BTF. Bytes are counted from the section's beginning.
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
    /// A field of the header that makes no sense.
    #[error("has {what} {value} in its header, and {wanted} is wanted")]
    Header {
        /// Which field.
        what: &'static str,
        /// What it holds.
        value: u32,
        /// What it may hold.
        wanted: &'static str,
    },
    /// A string section without the NUL that it begins or ends with.
    #[error("has {found:#04x} at byte {at}, where the string section {must} with a NUL")]
    Strings {
        /// Where.
        at: usize,
        /// What is there.
        found: u8,
        /// "begins" or "ends".
        must: &'static str,
    },
    /// A kind of type that is not known.
    #[error("type {id} at byte {at} has kind {kind}, and kinds are 1 to {last}", last = kinds::LAST)]
    Kind {
        /// The type.
        id: u32,
        /// Where it begins.
        at: usize,
        /// Its kind.
        kind: u32,
    },
    /// A type that the type section is too short for.
    #[error("type {id} ({kind}) at byte {at} has {want} bytes, and the type section {have} more")]
    Cut {
        /// The type.
        id: u32,
        /// Its kind.
        kind: &'static str,
        /// Where it begins.
        at: usize,
        /// Its length in bytes.
        want: usize,
        /// The bytes there are.
        have: usize,
    },
    /// A number that a type may not hold.
    #[error("type {id} ({kind}) at byte {at}: {what} is {value:#x}, and {wanted} is wanted")]
    Value {
        /// The type.
        id: u32,
        /// Its kind.
        kind: &'static str,
        /// Where it begins.
        at: usize,
        /// Which number.
        what: &'static str,
        /// The number.
        value: u32,
        /// What it may be.
        wanted: String,
    },
    /// What the kernel does not look at, and reading does, so that all is written again as it was.
    #[error("type {id} ({kind}) at byte {at}: {what} is {value:#x}, and 0 is wanted")]
    Overlooked {
        /// The type.
        id: u32,
        /// Its kind.
        kind: &'static str,
        /// Where it begins.
        at: usize,
        /// Which number.
        what: &'static str,
        /// The number.
        value: u32,
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
}

impl BtfError {
    /// Whether the kernel refuses such bytes as well.
    pub fn is_the_kernels(&self) -> bool {
        !matches!(self, BtfError::Overlooked { .. })
    }
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

    /// The bytes of `count` items of `size` bytes each.
    pub(super) fn take(&mut self, count: usize, size: usize) -> Result<&'a [u8], BtfError> {
        let want = self.at.saturating_add(count.saturating_mul(size));
        let items = self.bytes.get(self.at..want).ok_or(BtfError::Truncated {
            what: self.what,
            want,
            have: self.bytes.len(),
        })?;
        self.at = want;
        Ok(items)
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

/// Checks what the headers of `.BTF` and `.BTF.ext` share; the header's length, and the words
/// behind it.
pub(super) fn header<'a>(bytes: &'a [u8]) -> Result<(u32, Words<'a>), BtfError> {
    let have = bytes.len();
    let short = BtfError::Truncated {
        what: "the header",
        want: 8,
        have,
    };
    let (&[m0, m1, version, flags], rest) = bytes.split_first_chunk::<4>().ok_or(short)?;
    let magic = u16::from_le_bytes([m0, m1]);
    if magic != MAGIC {
        return Err(BtfError::Magic(magic));
    }
    if version != 1 {
        return Err(BtfError::Version(version));
    }
    let refuse = |what, value, wanted| {
        Err(BtfError::Header {
            what,
            value,
            wanted,
        })
    };
    if flags != 0 {
        return refuse("flags", flags.into(), "0");
    }
    let mut words = Words::new(rest, "the header");
    let header_len = words.next()?;
    if header_len < HEADER_LEN {
        return refuse("hdr_len", header_len, "at least 24");
    }
    Ok((header_len, words))
}

impl Btf {
    /// Reads the bytes of a `.BTF` section or of `/sys/kernel/btf/vmlinux`, little-endian.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Btf, BtfError> {
        read(bytes, None)
    }

    /// The same for BTF that goes on from another, as `/sys/kernel/btf/MODULE` does from
    /// `vmlinux`.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn from_split_bytes(bytes: &[u8], base: Arc<Btf>) -> Result<Btf, BtfError> {
        read(bytes, Some(base))
    }
}

fn read(bytes: &[u8], base: Option<Arc<Btf>>) -> Result<Btf, BtfError> {
    let (header_len, mut words) = header(bytes)?;
    let [type_off, type_len, str_off, str_len] =
        [words.next()?, words.next()?, words.next()?, words.next()?];
    let types = part(bytes, header_len, type_off, type_len, "the type section")?;
    let strings = part(bytes, header_len, str_off, str_len, "the string section")?;
    check_strings(strings, header_len as usize + str_off as usize, &base)?;
    let mut btf = Btf {
        base,
        strings: Strings::from_bytes(strings.to_vec()),
        ..Btf::default()
    };
    let mut reader = Reader {
        types,
        first: header_len as usize + type_off as usize,
        base_len: btf.base_len() as u32,
        names: (btf.base_strings() + strings.len()).max(1) as u32,
        ids: u32::MAX,
        greatest: 0,
        fault: None,
    };
    btf.types = reader.read()?;
    let count = btf.len() as u32;
    if reader.greatest > count {
        // Only now is it known which numbers are too great: read again to say where.
        reader.ids = count;
        reader.read()?;
    }
    Ok(btf)
}

fn check_strings(strings: &[u8], first: usize, base: &Option<Arc<Btf>>) -> Result<(), BtfError> {
    let nul = |at: usize, byte: Option<&u8>, must| match byte {
        Some(&found) if found != 0 => Err(BtfError::Strings { at, found, must }),
        _ => Ok(()),
    };
    if base.is_none() {
        nul(first, strings.first(), "begins")?;
    }
    let last = (first + strings.len()).saturating_sub(1);
    nul(last, strings.last(), "ends")
}

/// Reads the type section.
struct Reader<'a> {
    types: &'a [u8],
    /// Where the type section begins, in bytes.
    first: usize,
    base_len: u32,
    /// Names are at offsets below this.
    names: u32,
    /// Types have numbers up to this.
    ids: u32,
    /// The greatest number of a type that was met.
    greatest: u32,
    /// The first number that the type in hand may not hold.
    fault: Option<Fault>,
}

/// A number that a type may not hold.
struct Fault {
    /// Which number.
    what: &'static str,
    value: u32,
    wanted: Wanted,
}

/// What a number is to be.
enum Wanted {
    /// What these words say.
    Words(String),
    /// Zero, and the kernel takes the others.
    ZeroHere,
}

impl Fault {
    fn of_type(self, id: u32, kind: &'static str, at: usize) -> BtfError {
        let Fault {
            what,
            value,
            wanted,
        } = self;
        match wanted {
            Wanted::Words(wanted) => BtfError::Value {
                id,
                kind,
                at,
                what,
                value,
                wanted,
            },
            Wanted::ZeroHere => BtfError::Overlooked {
                id,
                kind,
                at,
                what,
                value,
            },
        }
    }
}

/// A type before its words are understood.
struct Raw<'a> {
    row: &'static Row,
    vlen: u32,
    flag: u32,
    word: u32,
    extra: &'a [[u8; 4]],
    items: &'a [[u8; 4]],
}

impl<'a> Reader<'a> {
    fn read(&mut self) -> Result<Vec<Type>, BtfError> {
        let (words, rest) = self.types.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(BtfError::Header {
                what: "type_len",
                value: self.types.len() as u32,
                wanted: "a multiple of 4",
            });
        }
        let mut types = Vec::new();
        let mut at = 0;
        while let Some(rest) = words.get(at..).filter(|rest| !rest.is_empty()) {
            let id = self.base_len + types.len() as u32 + 1;
            let byte = self.first + at * 4;
            let (ty, len) = self.read_type(rest, id, byte)?;
            types.push(ty);
            at += len;
        }
        Ok(types)
    }

    /// The type at the beginning of `words`, and how many it takes.
    fn read_type(
        &mut self,
        words: &'a [[u8; 4]],
        id: u32,
        at: usize,
    ) -> Result<(Type, usize), BtfError> {
        let cut = |kind, want: usize| BtfError::Cut {
            id,
            kind,
            at,
            want: want * 4,
            have: words.len() * 4,
        };
        let ([name, info, word], body) = words.split_first_chunk().ok_or(cut("unknown", 3))?;
        let [name, info, word] = [name, info, word].map(|word| u32::from_le_bytes(*word));
        let kind = info >> 24 & 0x1f;
        let row = kinds::of_number(kind).ok_or(BtfError::Kind { id, at, kind })?;
        let (vlen, flag) = (info & 0xffff, info >> 31);
        let items = match row.vlen {
            Vlen::Items(words) => words * vlen as usize,
            _ => 0,
        };
        let len = row.extra + items;
        let body = body.get(..len).ok_or(cut(row.name, 3 + len))?;
        let (extra, items) = body.split_at_checked(row.extra).unwrap_or_default();
        let raw = Raw {
            row,
            vlen,
            flag,
            word,
            extra,
            items,
        };
        self.check_unused(info, &raw);
        let name = self.name("its name", name);
        let kind = self.kind(&raw);
        match self.fault.take() {
            None => Ok((Type { name, kind }, 3 + len)),
            Some(fault) => Err(fault.of_type(id, row.name, at)),
        }
    }

    fn fault(&mut self, what: &'static str, value: u32, wanted: &str) {
        self.fault.get_or_insert_with(|| Fault {
            what,
            value,
            wanted: Wanted::Words(wanted.to_owned()),
        });
    }

    /// What this kind leaves unused must be zero.
    fn check_unused(&mut self, info: u32, raw: &Raw<'_>) {
        let mut zero = |what, value| {
            if value != 0 {
                self.fault(what, value, "0");
            }
        };
        zero("the unused part of its info", info & 0x60ff_0000);
        if raw.row.vlen == Vlen::Unused {
            zero("its vlen", raw.vlen);
        }
        if raw.row.flag == Flag::Unused {
            zero("its kind_flag", raw.flag);
        }
        if raw.row.word == Word::Unused {
            zero("its size or type", raw.word);
        }
    }

    fn name(&mut self, what: &'static str, offset: u32) -> StrId {
        if offset >= self.names {
            self.fault(what, offset, &format!("an offset below {:#x}", self.names));
        }
        StrId(offset)
    }

    fn ty(&mut self, what: &'static str, id: u32) -> TypeId {
        self.greatest = self.greatest.max(id);
        if id > self.ids {
            self.fault(what, id, &format!("a type up to {:#x}", self.ids));
        }
        TypeId(id)
    }

    /// One of what a small number chooses from.
    fn choose<T: Copy>(&mut self, what: &'static str, from: &[T], number: u32, other: T) -> T {
        let chosen = from.get(number as usize).copied();
        chosen.unwrap_or_else(|| {
            self.fault(what, number, &format!("0 to {}", from.len() - 1));
            other
        })
    }

    /// What the words of a type say.
    fn kind(&mut self, raw: &Raw<'_>) -> Kind {
        let size = raw.word;
        let flag = raw.flag as usize & 1;
        match raw.row.number {
            KindNumber::Int => self.int(raw),
            KindNumber::Ptr => Kind::Ptr(self.target(raw)),
            KindNumber::Array => Kind::Array {
                element: self.ty("its element", word(raw.extra, 0)),
                index: self.ty("its index", word(raw.extra, 1)),
                len: word(raw.extra, 2),
            },
            KindNumber::Struct => Kind::Struct {
                size,
                members: self.members(raw),
                bitfields: BITFIELDS[flag],
            },
            KindNumber::Union => Kind::Union {
                size,
                members: self.members(raw),
                bitfields: BITFIELDS[flag],
            },
            KindNumber::Enum => Kind::Enum {
                size,
                signed: SIGNED[flag],
                values: items(raw, |[name, value]| {
                    (self.name("an enumerator's name", name), value as i32)
                }),
            },
            KindNumber::Fwd => Kind::Fwd(FORWARD[flag]),
            KindNumber::Typedef => Kind::Typedef(self.target(raw)),
            KindNumber::Volatile => Kind::Volatile(self.target(raw)),
            KindNumber::Const => Kind::Const(self.target(raw)),
            KindNumber::Restrict => Kind::Restrict(self.target(raw)),
            KindNumber::Func => Kind::Func {
                proto: self.target(raw),
                linkage: self.choose("its linkage", &LINKAGE, raw.vlen, LINKAGE[0]),
            },
            KindNumber::FuncProto => Kind::FuncProto {
                ret: self.target(raw),
                params: items(raw, |[name, ty]| {
                    let name = self.name("a parameter's name", name);
                    (name, self.ty("a parameter's type", ty))
                }),
            },
            KindNumber::Var => Kind::Var {
                ty: self.target(raw),
                linkage: self.choose("its linkage", &LINKAGE, word(raw.extra, 0), LINKAGE[0]),
            },
            KindNumber::DataSec => Kind::DataSec {
                size,
                vars: items(raw, |[var, offset, size]| SecVar {
                    var: self.ty("a variable", var),
                    offset,
                    size,
                }),
            },
            KindNumber::Float => Kind::Float { size },
            KindNumber::DeclTag => Kind::DeclTag {
                ty: self.target(raw),
                component: word(raw.extra, 0) as i32,
                tag: TAG[flag],
            },
            KindNumber::TypeTag => Kind::TypeTag {
                ty: self.target(raw),
                tag: TAG[flag],
            },
            KindNumber::Enum64 => Kind::Enum64 {
                size,
                signed: SIGNED[flag],
                values: items(raw, |[name, low, high]| {
                    let value = u64::from(high) << 32 | u64::from(low);
                    (self.name("an enumerator's name", name), value as i64)
                }),
            },
        }
    }

    fn target(&mut self, raw: &Raw<'_>) -> TypeId {
        self.ty("its type", raw.word)
    }

    fn int(&mut self, raw: &Raw<'_>) -> Kind {
        let [bits, unused, offset, encoding] = word(raw.extra, 0).to_le_bytes();
        if unused != 0 {
            self.fault.get_or_insert(Fault {
                what: "the unused part of its bits",
                value: unused.into(),
                wanted: Wanted::ZeroHere,
            });
        }
        let unused = encoding & 0xf0;
        if unused != 0 {
            self.fault("the unused part of its encoding", unused.into(), "0");
        }
        Kind::Int {
            size: raw.word,
            encoding: IntEncoding(encoding),
            offset,
            bits,
        }
    }

    fn members(&mut self, raw: &Raw<'_>) -> Vec<Member> {
        items(raw, |[name, ty, offset]| Member {
            name: self.name("a member's name", name),
            ty: self.ty("a member's type", ty),
            offset,
        })
    }
}

/// `kind_flag` of a struct or union.
const BITFIELDS: [Bitfields; 2] = [Bitfields::No, Bitfields::Yes];

/// The word at `index`, which the row of the kind says is there.
fn word(words: &[[u8; 4]], index: usize) -> u32 {
    words.get(index).map_or(0, |word| u32::from_le_bytes(*word))
}

/// The items of a type, of `N` words each.
fn items<T, const N: usize>(raw: &Raw<'_>, mut item: impl FnMut([u32; N]) -> T) -> Vec<T> {
    let (items, _) = raw.items.as_chunks::<N>();
    let read = |words: &[[u8; 4]; N]| item(words.map(u32::from_le_bytes));
    items.iter().map(read).collect()
}
