//! The error numbers that map operations and helpers return.
//!
//! Source: `include/uapi/asm-generic/errno-base.h` and `errno.h`.

use std::fmt;

/// Why an operation failed, as the kernel numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum Errno {
    /// `ENOENT`: no such key.
    NoEntry = 2,
    /// `E2BIG`: the map is full, or the index lies behind its end.
    TooBig = 7,
    /// `EAGAIN`: no room now.
    Again = 11,
    /// `EACCES`: a size or alignment that is not allowed.
    Access = 13,
    /// `EFAULT`: the bytes asked for do not exist.
    Fault = 14,
    /// `EBUSY`: it is there already.
    Busy = 16,
    /// `EEXIST`: the key exists already.
    Exists = 17,
    /// `EINVAL`: an argument that the operation does not allow.
    Invalid = 22,
    /// `ERANGE`: an address that is none of the kernel's.
    Range = 34,
}

impl Errno {
    /// The number, positive.
    pub const fn number(self) -> i32 {
        self as i32
    }

    /// What a helper leaves in R0: the number negated.
    pub const fn r0(self) -> u64 {
        -(self as i64) as u64
    }

    /// The symbol, e.g. `ENOENT`.
    pub const fn name(self) -> &'static str {
        match self {
            Errno::NoEntry => "ENOENT",
            Errno::TooBig => "E2BIG",
            Errno::Again => "EAGAIN",
            Errno::Access => "EACCES",
            Errno::Fault => "EFAULT",
            Errno::Busy => "EBUSY",
            Errno::Exists => "EEXIST",
            Errno::Invalid => "EINVAL",
            Errno::Range => "ERANGE",
        }
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::error::Error for Errno {}
