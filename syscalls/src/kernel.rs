//! The running kernel's version, for the few decisions that cannot be asked of it.

use std::fmt;

/// A kernel version. Distributions backport, so ask the kernel where that is possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// As in 6 of 6.1.9.
    pub major: u32,
    /// As in 1 of 6.1.9.
    pub minor: u32,
    /// As in 9 of 6.1.9.
    pub patch: u32,
}

impl Version {
    /// A version from its three numbers.
    #[must_use]
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Version {
            major,
            minor,
            patch,
        }
    }

    /// Reads the first three numbers of a release such as `5.15.0-91-generic`;
    /// numbers that are missing are 0.
    #[must_use]
    pub fn parse(release: &str) -> Self {
        let mut numbers = release
            .split(|c: char| !c.is_ascii_digit())
            .map(|part| part.parse().unwrap_or(0));
        let mut next = || numbers.next().unwrap_or(0);
        Version::new(next(), next(), next())
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// The running kernel's version, from uname(2); 0.0.0 if that fails.
///
/// <https://man7.org/linux/man-pages/man2/uname.2.html>
#[must_use]
pub fn version() -> Version {
    nix::sys::utsname::uname().map_or(Version::new(0, 0, 0), |name| {
        Version::parse(&name.release().to_string_lossy())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_read() {
        for (release, version) in [
            ("5.15.0-91-generic", Version::new(5, 15, 0)),
            ("6.18.44-fc-v669", Version::new(6, 18, 44)),
            ("6.6-rc1", Version::new(6, 6, 0)),
            ("", Version::new(0, 0, 0)),
        ] {
            assert_eq!(Version::parse(release), version, "{release}");
        }
    }

    #[test]
    fn versions_are_ordered_by_number() {
        assert!(Version::new(5, 9, 0) < Version::new(5, 11, 0));
    }
}
