//! String sections: names one after the other, each ended by a NUL. A name is its offset.

use super::StrId;
use std::ffi::CStr;
use std::sync::Arc;

/// A string section. Copies share the bytes until one of them gets another name; offsets stay
/// good, since names are only ever added behind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Strings(Arc<Vec<u8>>);

impl Strings {
    /// A section with the empty name, at 0.
    pub(crate) fn new() -> Strings {
        Strings::from_bytes(vec![0])
    }

    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Strings {
        Strings(Arc::new(bytes))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether both are one section, not only equal ones.
    pub(crate) fn is_same(&self, other: &Strings) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The bytes of the name at an offset, without the NUL that ends them.
    pub(crate) fn bytes(&self, id: StrId) -> &[u8] {
        let rest = self.0.get(id.0 as usize..).unwrap_or_default();
        CStr::from_bytes_until_nul(rest).map_or(&[], CStr::to_bytes)
    }

    /// The name at an offset; empty if there is none or it is not UTF-8.
    pub(crate) fn str(&self, id: StrId) -> &str {
        std::str::from_utf8(self.bytes(id)).unwrap_or("")
    }

    /// Gives back the room for names that did not come.
    pub(crate) fn shrink_to_fit(&mut self) {
        Arc::make_mut(&mut self.0).shrink_to_fit();
    }

    /// Whether the name at an offset is this one.
    pub(crate) fn is(&self, id: StrId, name: &str) -> bool {
        let rest = self.0.get(id.0 as usize..).unwrap_or_default();
        let behind = rest.strip_prefix(name.as_bytes());
        behind.is_some_and(|behind| behind.first() == Some(&0))
    }

    /// Adds a name without a NUL in it behind all others; `None` if no offset reaches it there.
    pub(crate) fn push(&mut self, name: &[u8]) -> Option<StrId> {
        let bytes = Arc::make_mut(&mut self.0);
        let at = u32::try_from(bytes.len()).ok()?;
        bytes.extend_from_slice(name);
        bytes.push(0);
        Some(StrId(at))
    }

    /// Adds each line of a text as a name: a line's offset is that of the first, which this
    /// gives, and as many bytes more as stand before it in the text.
    pub(crate) fn push_lines(&mut self, text: &str) -> Option<StrId> {
        let bytes = Arc::make_mut(&mut self.0);
        let at = u32::try_from(bytes.len()).ok()?;
        bytes.reserve_exact(text.len() + 1);
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(0);
        let own = bytes.get_mut(at as usize..).unwrap_or_default();
        let (words, rest) = own.as_chunks_mut::<8>();
        for word in words {
            *word = without_newlines(u64::from_le_bytes(*word)).to_le_bytes();
        }
        for byte in rest.iter_mut().filter(|byte| **byte == b'\n') {
            *byte = 0;
        }
        if own.contains(&b'\r') {
            for (at, _) in text.match_indices('\r') {
                if let Some([end, 0]) = own.get_mut(at..at + 2) {
                    *end = 0;
                }
            }
        }
        Some(StrId(at))
    }
}

/// Eight bytes with zeros for newlines.
fn without_newlines(bytes: u64) -> u64 {
    const EACH: u64 = u64::from_le_bytes([1; 8]);
    const LOWER: u64 = 0x7f * EACH;
    let differing = bytes ^ (u64::from(b'\n') * EACH);
    // The upper bit of each byte that differs in none of its bits; no byte carries into the next.
    let newlines = !(((differing & LOWER) + LOWER) | differing | LOWER);
    bytes & !((newlines >> 7) * 0xff)
}

/// A name as far as a section can hold it: a NUL ends it.
pub(crate) fn up_to_nul(name: &str) -> &str {
    name.split('\0').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_line_of_a_text_is_a_name(lines in "([\n\r\x0b\x09\u{8a}a]|\r\n){0,40}") {
            let mut strings = Strings::new();
            strings.push(b"before");
            let first = strings.push_lines(&lines).unwrap();
            for line in lines.split('\n') {
                let at = line.as_ptr() as usize - lines.as_ptr() as usize;
                let line = line.strip_suffix('\r').unwrap_or(line);
                prop_assert_eq!(strings.str(StrId(first.0 + at as u32)), line);
            }
        }
    }
}
