//! Where functions and lines of code are, and which instructions ask something of the
//! kernel's types (CO-RE): the `.BTF.ext` section of an object, and the `func_info`,
//! `line_info` and `core_relos` that the kernel takes with a program.
//!
//! Both hold the same records; the section counts instructions in bytes from the beginning
//! of an ELF section, the kernel in slots from the beginning of the program.

use super::read::{BtfError, Words, header, part};
use super::write::MAGIC;
use super::{Btf, StrId, TypeId};
use crate::program::{Function, Program};
use std::marker::PhantomData;

/// `struct bpf_func_info`: a function begins here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FuncInfo {
    /// The instruction: a slot, or a byte in `.BTF.ext`.
    pub insn_off: u32,
    /// The function's type.
    pub type_id: TypeId,
}

/// `struct bpf_line_info`: code from here on comes from this line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineInfo {
    /// The instruction: a slot, or a byte in `.BTF.ext`.
    pub insn_off: u32,
    /// The file's path.
    pub file_name: StrId,
    /// The line's text.
    pub line: StrId,
    /// The line's number and the column.
    pub line_col: LineCol,
}

/// The number of a line and a column, each counted from 1: `line_col` of a `bpf_line_info`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineCol(u32);

/// Columns have the low bits, line numbers the other 22.
const COLUMN_BITS: u32 = 10;

impl LineCol {
    /// A line and a column. What does not fit is given as the greatest that does.
    #[inline]
    pub fn new(line: u32, column: u32) -> LineCol {
        let column = column.min((1 << COLUMN_BITS) - 1);
        let line = line.min((1 << (32 - COLUMN_BITS)) - 1);
        LineCol(line << COLUMN_BITS | column)
    }

    /// The number of the line.
    pub fn line(self) -> u32 {
        self.0 >> COLUMN_BITS
    }

    /// The column.
    pub fn column(self) -> u32 {
        self.0 & ((1 << COLUMN_BITS) - 1)
    }
}

impl FuncInfo {
    /// The size of a record in bytes.
    pub const SIZE: u32 = 8;

    /// The record as the kernel and the section have it.
    pub fn to_words(self) -> [u32; 2] {
        [self.insn_off, self.type_id.0]
    }
}

impl LineInfo {
    /// The size of a record in bytes.
    pub const SIZE: u32 = 16;

    /// The record as the kernel and the section have it.
    pub fn to_words(self) -> [u32; 4] {
        [
            self.insn_off,
            self.file_name.0,
            self.line.0,
            self.line_col.0,
        ]
    }
}

/// `struct bpf_core_relo`: an instruction depends on the kernel's types. `core.rs` says what
/// it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoreRelo {
    /// The instruction: a slot, or a byte in `.BTF.ext`.
    pub insn_off: u32,
    /// The type, in the object's BTF.
    pub type_id: TypeId,
    /// The path into the type, e.g. `0:1:2`.
    pub access_str: StrId,
    /// A number of `enum bpf_core_relo_kind`.
    pub kind: u32,
}

impl CoreRelo {
    /// The size of a record in bytes.
    pub const SIZE: u32 = 16;

    /// The record as the kernel and the section have it.
    pub fn to_words(self) -> [u32; 4] {
        [self.insn_off, self.type_id.0, self.access_str.0, self.kind]
    }
}

/// The records of one program, in slots.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Records {
    /// Its functions.
    pub funcs: Vec<FuncInfo>,
    /// Its lines.
    pub lines: Vec<LineInfo>,
}

impl Records {
    /// The records of `program`; the names that they need are added to `btf`.
    ///
    /// The kernel wants every function's first instruction to have a line, so that a program
    /// with lines whose function begins without one has none.
    pub fn of(program: &Program, btf: &mut Btf) -> Records {
        let typed = program.functions.iter().filter_map(|function| {
            let type_id = function.type_id?;
            Some(FuncInfo {
                insn_off: function.slot as u32,
                type_id,
            })
        });
        let funcs: Vec<FuncInfo> = typed.collect();
        let begins = |function: &Function| program.lines.begins_at(function.slot);
        let lines = match program.functions.iter().all(begins) {
            true => program.lines.records_in(0..usize::MAX, btf).collect(),
            false => Vec::new(),
        };
        Records { funcs, lines }
    }
}

/// The records of one ELF section, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SectionRecords<R> {
    /// The section's name.
    pub section: StrId,
    /// The records.
    pub records: R,
}

/// What a `.BTF.ext` section holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ext {
    /// The functions of each section.
    pub funcs: Vec<SectionRecords<Vec<FuncInfo>>>,
    /// The lines of each section.
    pub lines: Vec<SectionRecords<Vec<LineInfo>>>,
    /// The CO-RE relocations of each section.
    pub core_relos: Vec<SectionRecords<Vec<CoreRelo>>>,
}

/// The same as it is in the section's bytes, its records not yet taken apart.
#[derive(Default)]
pub(crate) struct ExtBytes<'a> {
    pub(crate) funcs: Vec<SectionRecords<Packed<'a, FuncInfo>>>,
    pub(crate) lines: Vec<SectionRecords<Packed<'a, LineInfo>>>,
    pub(crate) core_relos: Vec<SectionRecords<Packed<'a, CoreRelo>>>,
}

/// Records in the section's bytes. They may be longer than what is known here: the rest of each
/// is passed over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packed<'a, T> {
    bytes: &'a [u8],
    /// The size of a record in bytes.
    size: usize,
    records: PhantomData<T>,
}

impl<'a, T: Record> Packed<'a, T> {
    pub(crate) fn iter(self) -> impl ExactSizeIterator<Item = T> + use<'a, T> {
        self.bytes.chunks_exact(self.size).map(T::of_item)
    }

    /// The instructions that they speak of.
    pub(crate) fn offsets(self) -> impl Iterator<Item = u32> + use<'a, T> {
        // All records begin with it.
        let offset = |record: &[u8]| record.first_chunk().map_or(0, |at| u32::from_le_bytes(*at));
        self.bytes.chunks_exact(self.size).map(offset)
    }

    /// The first so many, and those behind them.
    pub(crate) fn split_at(self, count: usize) -> (Packed<'a, T>, Packed<'a, T>) {
        let at = count.saturating_mul(self.size).min(self.bytes.len());
        let (first, rest) = self.bytes.split_at_checked(at).unwrap_or_default();
        let with = |bytes| Packed { bytes, ..self };
        (with(first), with(rest))
    }
}

impl<'a> Packed<'a, LineInfo> {
    /// The same, if they are no longer than what is known here: the size is no question then.
    pub(crate) fn of_known_size(self) -> Option<impl ExactSizeIterator<Item = LineInfo> + use<'a>> {
        const SIZE: usize = LineInfo::SIZE as usize;
        let records = self.bytes.as_chunks::<SIZE>().0.iter();
        (self.size == SIZE).then(|| records.map(|record| LineInfo::of_item(record)))
    }
}

/// A record of the format.
pub(crate) trait Record: Copy {
    /// The words of a record that are known here.
    const WORDS: usize;
    /// What the records are called.
    const NAME: &'static str;

    /// The record in an item that is long enough.
    fn of_item(item: &[u8]) -> Self;

    /// The instruction that it speaks of.
    fn insn_off(&self) -> u32;
}

/// The first words of an item.
fn words<const N: usize>(item: &[u8]) -> [u32; N] {
    let words = item.as_chunks::<4>().0.first_chunk::<N>();
    words.map_or([0; N], |words| words.map(u32::from_le_bytes))
}

impl Record for FuncInfo {
    const WORDS: usize = 2;
    const NAME: &'static str = "func_info";

    fn of_item(item: &[u8]) -> FuncInfo {
        let [insn_off, type_id] = words(item);
        FuncInfo {
            insn_off,
            type_id: TypeId(type_id),
        }
    }

    fn insn_off(&self) -> u32 {
        self.insn_off
    }
}

impl Record for LineInfo {
    const WORDS: usize = 4;
    const NAME: &'static str = "line_info";

    fn of_item(item: &[u8]) -> LineInfo {
        let [insn_off, file, line, line_col] = words(item);
        LineInfo {
            insn_off,
            file_name: StrId(file),
            line: StrId(line),
            line_col: LineCol(line_col),
        }
    }

    fn insn_off(&self) -> u32 {
        self.insn_off
    }
}

impl Record for CoreRelo {
    const WORDS: usize = 4;
    const NAME: &'static str = "core_relo";

    fn of_item(item: &[u8]) -> CoreRelo {
        let [insn_off, type_id, access, kind] = words(item);
        CoreRelo {
            insn_off,
            type_id: TypeId(type_id),
            access_str: StrId(access),
            kind,
        }
    }

    fn insn_off(&self) -> u32 {
        self.insn_off
    }
}

/// The length of the header with CO-RE relocations, in bytes.
const HEADER_LEN: u32 = 32;

impl Ext {
    /// The bytes of a `.BTF.ext` section, little-endian.
    pub fn to_bytes(&self) -> Vec<u8> {
        let funcs = table(&self.funcs, FuncInfo::SIZE, FuncInfo::to_words);
        let lines = table(&self.lines, LineInfo::SIZE, LineInfo::to_words);
        let relos = table(&self.core_relos, CoreRelo::SIZE, CoreRelo::to_words);
        let mut bytes = MAGIC.to_le_bytes().to_vec();
        bytes.extend([1, 0]); // version, flags
        bytes.extend(HEADER_LEN.to_le_bytes());
        let mut begin = 0;
        for table in [&funcs, &lines, &relos] {
            let len = table.len() as u32 * 4;
            bytes.extend([begin, len].into_iter().flat_map(u32::to_le_bytes));
            begin += len;
        }
        let words = [funcs, lines, relos].into_iter().flatten();
        bytes.extend(words.flat_map(u32::to_le_bytes));
        bytes
    }

    /// Reads the bytes of a `.BTF.ext` section. Records may be longer than what is known
    /// here: the rest of each is passed over.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Ext, BtfError> {
        let ext = ExtBytes::new(bytes)?;
        Ok(Ext {
            funcs: unpacked(&ext.funcs),
            lines: unpacked(&ext.lines),
            core_relos: unpacked(&ext.core_relos),
        })
    }
}

fn unpacked<T: Record>(sections: &[SectionRecords<Packed<'_, T>>]) -> Vec<SectionRecords<Vec<T>>> {
    let unpacked = |of: &SectionRecords<Packed<'_, T>>| SectionRecords {
        section: of.section,
        records: of.records.iter().collect(),
    };
    sections.iter().map(unpacked).collect()
}

impl<'a> ExtBytes<'a> {
    /// Finds the records in the bytes of a `.BTF.ext` section.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub(crate) fn new(bytes: &'a [u8]) -> Result<ExtBytes<'a>, BtfError> {
        let (header_len, mut words) = header(bytes)?;
        let [func_off, func_len, line_off, line_len] =
            [words.next()?, words.next()?, words.next()?, words.next()?];
        // A header of 24 bytes is from before CO-RE.
        let [relo_off, relo_len] = match header_len {
            HEADER_LEN.. => [words.next()?, words.next()?],
            _ => [0, 0],
        };
        let funcs = part(bytes, header_len, func_off, func_len, FuncInfo::NAME)?;
        let lines = part(bytes, header_len, line_off, line_len, LineInfo::NAME)?;
        let relos = part(bytes, header_len, relo_off, relo_len, CoreRelo::NAME)?;
        Ok(ExtBytes {
            funcs: sections(funcs)?,
            lines: sections(lines)?,
            core_relos: sections(relos)?,
        })
    }
}

fn table<T: Copy, const N: usize>(
    sections: &[SectionRecords<Vec<T>>],
    size: u32,
    words_of: impl Fn(T) -> [u32; N],
) -> Vec<u32> {
    if sections.is_empty() {
        return Vec::new();
    }
    let mut words = vec![size];
    for section in sections {
        words.extend([section.section.0, section.records.len() as u32]);
        words.extend(section.records.iter().flat_map(|record| words_of(*record)));
    }
    words
}

fn sections<T: Record>(bytes: &[u8]) -> Result<Vec<SectionRecords<Packed<'_, T>>>, BtfError> {
    let mut words = Words::new(bytes, T::NAME);
    let mut sections = Vec::new();
    if words.is_at_end() {
        return Ok(sections);
    }
    let size = words.next()?;
    if (size as usize) < T::WORDS * 4 || !size.is_multiple_of(4) {
        return Err(BtfError::RecordSize {
            what: T::NAME,
            size,
            least: T::WORDS * 4,
        });
    }
    while !words.is_at_end() {
        let (section, count) = (StrId(words.next()?), words.next()? as usize);
        let records = Packed {
            bytes: words.take(count, size as usize)?,
            size: size as usize,
            records: PhantomData,
        };
        sections.push(SectionRecords { section, records });
    }
    Ok(sections)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Ext {
        let section = StrId(1);
        let (insn_off, type_id) = (8, TypeId(3));
        let func = FuncInfo { insn_off, type_id };
        let line = LineInfo {
            insn_off,
            file_name: StrId(4),
            line: StrId(5),
            line_col: LineCol::new(77, 9),
        };
        let relo = CoreRelo {
            insn_off,
            type_id,
            access_str: StrId(6),
            kind: 2,
        };
        Ext {
            funcs: vec![SectionRecords {
                section,
                records: vec![func, func],
            }],
            lines: vec![SectionRecords {
                section,
                records: vec![line],
            }],
            core_relos: vec![SectionRecords {
                section,
                records: vec![relo],
            }],
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for ext in [Ext::default(), sample()] {
            assert_eq!(Ext::from_bytes(&ext.to_bytes()), Ok(ext));
        }
    }

    #[test]
    fn lines_and_columns_that_do_not_fit_are_the_greatest_that_do() {
        let parts = |line, column| {
            let both = LineCol::new(line, column);
            (both.line(), both.column())
        };
        assert_eq!(parts(77, 9), (77, 9));
        assert_eq!(parts(0x3f_ffff, 0x3ff), (0x3f_ffff, 0x3ff));
        assert_eq!(parts(0x40_0000, 0x400), (0x3f_ffff, 0x3ff));
        assert_eq!(parts(u32::MAX, u32::MAX), (0x3f_ffff, 0x3ff));
    }

    /// A header of 24 bytes (before CO-RE), and records longer than what is known.
    #[test]
    fn older_headers_and_longer_records_are_read() {
        let words = [24, 0, 24, 24, 0, 12, 1, 1, 8, 3, 0xffff_ffff];
        let mut bytes = vec![0x9f, 0xeb, 1, 0];
        bytes.extend(words.into_iter().flat_map(u32::to_le_bytes));
        let mut expected = sample();
        expected.funcs[0].records.truncate(1);
        (expected.lines, expected.core_relos) = (Vec::new(), Vec::new());
        assert_eq!(Ext::from_bytes(&bytes), Ok(expected));
    }

    #[test]
    fn records_that_are_too_short_are_refused() {
        for size in [0, 4, 9, u32::MAX] {
            let mut bytes = sample().to_bytes();
            bytes[32..36].copy_from_slice(&u32::to_le_bytes(size));
            let error = Ext::from_bytes(&bytes).unwrap_err();
            let message = format!(
                "func_info has records of {size} bytes, and a multiple of 4, at least 8, is wanted"
            );
            match size {
                u32::MAX => assert!(matches!(error, BtfError::RecordSize { .. }), "{error}"),
                _ => assert_eq!(error.to_string(), message),
            }
        }
    }
}
