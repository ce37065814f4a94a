//! Whether [`unit!`](crate::unit!) was given its own file's name, and what it says if not.
//!
//! All of it runs in the compiler, which formats no text in constants: the message is put
//! together byte by byte.

/// Stops the compiler where `file` is not the name of the file that it calls `path`.
///
/// # Panics
/// In a constant, so that the message is a compiler error at the line of the macro call.
#[track_caller]
pub const fn own_file(path: &str, file: &str) {
    assert!(ends_with(path, file), "{}", WrongFile::new(path).text());
}

/// Whether `path` is `file`, or ends with `/` and `file`.
const fn ends_with(path: &str, file: &str) -> bool {
    let (path, file) = (path.as_bytes(), file.as_bytes());
    if file.is_empty() || path.len() < file.len() {
        return false;
    }
    let start = path.len() - file.len();
    let mut at = 0;
    while at < file.len() {
        if path[start + at] != file[at] {
            return false;
        }
        at += 1;
    }
    start == 0 || is_separator(path[start - 1])
}

const fn is_separator(byte: u8) -> bool {
    byte == b'/' || byte == b'\\'
}

/// Room for the message: a file name has at most 255 bytes.
const ROOM: usize = 384;

/// The message where another file is named.
struct WrongFile {
    bytes: [u8; ROOM],
    len: usize,
}

impl WrongFile {
    /// The message for the file that the compiler calls `path`.
    const fn new(path: &str) -> Self {
        let path = path.as_bytes();
        let mut start = path.len();
        while start > 0 && !is_separator(path[start - 1]) {
            start -= 1;
        }
        WrongFile {
            bytes: [0; ROOM],
            len: 0,
        }
        .push(b"`unit!` takes the name of the file that it stands in: write `unit!(\"")
        .push(path.split_at(start).1)
        .push(b"\")`")
    }

    const fn push(mut self, bytes: &[u8]) -> Self {
        let mut at = 0;
        while at < bytes.len() && self.len < ROOM {
            self.bytes[self.len] = bytes[at];
            self.len += 1;
            at += 1;
        }
        self
    }

    /// The message.
    const fn text(&self) -> &str {
        match core::str::from_utf8(self.bytes.split_at(self.len).0) {
            Ok(text) => text,
            // Only where a name longer than any file's was cut within a letter.
            Err(_) => "`unit!` takes the name of the file that it stands in",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_recognised_by_its_whole_name() {
        assert!(ends_with("programs/drop_icmp.rs", "drop_icmp.rs"));
        assert!(ends_with("drop_icmp.rs", "drop_icmp.rs"));
        assert!(!ends_with("programs/xdrop_icmp.rs", "drop_icmp.rs"));
        assert!(!ends_with("drop_icmp.rs", "programs/drop_icmp.rs"));
        assert!(!ends_with("drop_icmp.rs", ""));
    }

    #[test]
    fn the_message_names_the_file_without_its_folder() {
        for path in ["drop_copy.rs", "programs/drop_copy.rs", r"a\b\drop_copy.rs"] {
            let message = WrongFile::new(path);
            let wanted = "write `unit!(\"drop_copy.rs\")`";
            assert!(message.text().ends_with(wanted), "{}", message.text());
        }
    }

    #[test]
    fn a_name_of_any_length_has_a_message() {
        for len in 0..2 * ROOM {
            assert!(!WrongFile::new(&"ö".repeat(len)).text().is_empty());
        }
    }
}
