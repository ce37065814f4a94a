//! Digests of several things at once: SHA-256 over texts, each with its length before it.

use std::ffi::OsStr;
use std::path::Path;

use sha2::{Digest as _, Sha256};

/// A digest being made.
pub(super) struct Digest {
    hasher: Sha256,
}

impl Digest {
    /// A digest for one purpose; digests for others never equal it.
    pub(super) fn new(purpose: &str) -> Digest {
        let digest = Digest {
            hasher: Sha256::new(),
        };
        digest.bytes(purpose.as_bytes())
    }

    /// Adds bytes.
    pub(super) fn bytes(mut self, bytes: &[u8]) -> Digest {
        self.hasher.update((bytes.len() as u64).to_le_bytes());
        self.hasher.update(bytes);
        self
    }

    /// Adds a text of the system's.
    pub(super) fn os(self, text: &OsStr) -> Digest {
        self.bytes(text.as_encoded_bytes())
    }

    /// Adds a path as it is written.
    pub(super) fn path(self, path: &Path) -> Digest {
        self.os(path.as_os_str())
    }

    /// Adds an environment variable, whether set or not.
    pub(super) fn variable(self, name: &str) -> Digest {
        match std::env::var_os(name) {
            Some(value) => self.bytes(b"set").os(&value),
            None => self.bytes(b"unset"),
        }
    }

    /// The digest in hexadecimal.
    pub(super) fn finish(self) -> String {
        let bytes = self.hasher.finalize();
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The digest of a file's contents, in hexadecimal.
pub(super) fn of_contents(bytes: &[u8]) -> String {
    Digest::new("contents").bytes(bytes).finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_text_ends_makes_a_difference() {
        let digest = |a: &str, b: &str| {
            let digest = Digest::new("test").bytes(a.as_bytes());
            digest.bytes(b.as_bytes()).finish()
        };
        assert_eq!(digest("ab", "c"), digest("ab", "c"));
        assert_ne!(digest("ab", "c"), digest("a", "bc"));
        assert_ne!(Digest::new("a").finish(), Digest::new("b").finish());
        assert_eq!(of_contents(b"").len(), 64);
    }
}
