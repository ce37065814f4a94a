//! How a command ends: the one table of exit codes.

use std::process::{ExitCode, Termination};

use ebpf_loader::ErrorKind;

/// Makes the codes and the text that `--help` shows of one list.
macro_rules! exit_codes {
    ($($name:ident = $number:literal $text:literal,)*) => {
        /// How a command ends. The numbers are a promise to scripts.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub(crate) enum Exit {
            $(#[doc = $text] $name = $number,)*
        }

        impl Exit {
            /// The table, for `--help`.
            pub(crate) const HELP: &str =
                concat!("Exit codes:" $(, "\n  ", $number, "  ", $text)*);
        }
    };
}

exit_codes! {
    Ok = 0 "done",
    Internal = 1 "a fault of this program",
    Usage = 2 "the command line is wrong or ambiguous",
    Rejected = 3 "the verifier rejects the program",
    Permission = 4 "a privilege is missing",
    NotFound = 5 "no such interface, object, program or attachment",
    Conflict = 6 "another program or owner is there",
    Unsupported = 7 "this kernel, driver or machine cannot do it",
    BadObject = 8 "the object file cannot be used",
    Io = 9 "reading or writing failed",
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        ExitCode::from(self as u8)
    }
}

impl From<ErrorKind> for Exit {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Internal => Exit::Internal,
            ErrorKind::VerifierRejected => Exit::Rejected,
            ErrorKind::Permission => Exit::Permission,
            ErrorKind::NotFound => Exit::NotFound,
            ErrorKind::Conflict => Exit::Conflict,
            ErrorKind::Unsupported => Exit::Unsupported,
            ErrorKind::BadObject => Exit::BadObject,
            ErrorKind::Io => Exit::Io,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_has_a_line_a_code() {
        assert_eq!(Exit::HELP.lines().count(), 11);
        assert!(Exit::HELP.contains("\n  3  the verifier rejects"));
    }
}
