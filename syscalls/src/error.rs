//! What can go wrong in a system call: always with the call, its object and the errno.

use nix::errno::Errno;

/// The result of every fallible function of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// A system call that failed, or an answer of the kernel that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A system call failed.
    #[error("{call}({object}): {errno}")]
    Call {
        /// The call or bpf(2) command, in the kernel's spelling.
        call: &'static str,
        /// What it was about: a name, a path, an id.
        object: String,
        /// The kernel's reason.
        errno: Errno,
    },

    /// The kernel's verifier or BTF checker refused, and said why.
    #[error("{call}({object}): {errno}\n{log}")]
    Refused {
        /// The bpf(2) command.
        call: &'static str,
        /// The name of the program or BTF.
        object: String,
        /// The errno of the first attempt, before any log was asked for.
        errno: Errno,
        /// The whole log, never empty.
        log: String,
    },

    /// The kernel answered a netlink request with an error.
    #[error("netlink {request}({object}): {errno}{}", extended(.text))]
    Netlink {
        /// The request, in the kernel's spelling.
        request: &'static str,
        /// The interface or address that it was about.
        object: String,
        /// The kernel's reason.
        errno: Errno,
        /// The extended acknowledgement (`NLMSGERR_ATTR_MSG`), where the kernel gave one.
        text: Option<String>,
    },

    /// The kernel's answer does not have the form its documentation promises.
    #[error("unreadable answer from the kernel: {what}")]
    Malformed {
        /// What was being read.
        what: &'static str,
    },

    /// An argument that cannot be handed to the kernel.
    #[error("invalid argument: {what}")]
    Argument {
        /// What is wrong with it.
        what: String,
    },
}

impl Error {
    /// A failed system call. `object` is built only here, on the path that failed.
    pub(crate) fn call(call: &'static str, object: impl Into<String>, errno: Errno) -> Self {
        Error::Call {
            call,
            object: object.into(),
            errno,
        }
    }

    /// An argument that cannot be handed to the kernel.
    pub(crate) fn argument(what: impl Into<String>) -> Self {
        Error::Argument { what: what.into() }
    }

    /// The errno, for every error that the kernel gave.
    ///
    /// `None` for an answer that could not be read and for a bad argument.
    #[must_use]
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Error::Call { errno, .. }
            | Error::Refused { errno, .. }
            | Error::Netlink { errno, .. } => Some(*errno),
            Error::Malformed { .. } | Error::Argument { .. } => None,
        }
    }

    /// Whether the kernel gave this errno.
    #[must_use]
    pub fn is(&self, errno: Errno) -> bool {
        self.errno() == Some(errno)
    }
}

fn extended(text: &Option<String>) -> String {
    text.as_ref().map_or_else(String::new, |t| format!(": {t}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_call_object_and_errno() {
        let error = Error::call("BPF_OBJ_GET", "/sys/fs/bpf/x", Errno::ENOENT);
        assert_eq!(
            error.to_string(),
            "BPF_OBJ_GET(/sys/fs/bpf/x): ENOENT: No such file or directory"
        );
        assert!(error.is(Errno::ENOENT));
    }

    #[test]
    fn extended_text_follows_the_errno() {
        let error = Error::Netlink {
            request: "RTM_SETLINK",
            object: "eth0".into(),
            errno: Errno::EBUSY,
            text: Some("XDP program already attached".into()),
        };
        assert_eq!(
            error.to_string(),
            "netlink RTM_SETLINK(eth0): EBUSY: Device or resource busy: XDP program already attached"
        );
    }
}
