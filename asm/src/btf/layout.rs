//! How the kernel wants the bytes of BTF laid out: the header, then types, then names, and nothing
//! between, behind or beside them. Who reads an object is not so strict.
//!
//! Observed on Linux 6.18.
//!
//! Read before: `read.rs`. Read next: `valid.rs`.

use super::BtfError;
use super::read::header;
use super::write::HEADER_LEN;

/// That the kernel takes bytes that are laid out like these, if it takes the types.
///
/// # Errors
/// What is not where the kernel wants it.
pub fn check_layout(bytes: &[u8]) -> Result<(), BtfError> {
    let (header_len, mut words) = header(bytes)?;
    let [type_off, type_len, str_off, str_len] =
        [words.next()?, words.next()?, words.next()?, words.next()?];
    let beside = bytes.get(HEADER_LEN as usize..header_len as usize);
    if let Some(&value) = beside.unwrap_or_default().iter().find(|byte| **byte != 0) {
        return refuse("a byte that is not known", value.into(), "0");
    }
    if type_off != 0 {
        return refuse("type_off", type_off, "0");
    }
    if str_off != type_len {
        return refuse("str_off", str_off, "the end of the types");
    }
    let behind = bytes.len() as u64 - u64::from(header_len).min(bytes.len() as u64);
    if u64::from(str_off) + u64::from(str_len) != behind || str_len == 0 {
        return refuse("str_len", str_len, "all bytes behind the types");
    }
    Ok(())
}

fn refuse(what: &'static str, value: u32, wanted: &'static str) -> Result<(), BtfError> {
    Err(BtfError::Header {
        what,
        value,
        wanted,
    })
}
