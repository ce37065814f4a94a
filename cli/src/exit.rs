//! How a command ends: the one table of exit codes.

use std::io;
use std::process::{ExitCode, Termination};

/// Makes the codes and the text that `--help` shows of one list.
macro_rules! exit_codes {
    ($($name:ident = $number:literal $text:literal,)*) => {
        /// How a command ends. The numbers are a promise to scripts.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Exit {
            $(#[doc = $text] $name = $number,)*
        }

        impl Exit {
            /// The table, for `--help`.
            pub const HELP: &str =
                concat!("Exit codes:" $(, "\n  ", $number, "  ", $text)*);
        }
    };
}

exit_codes! {
    Ok = 0 "done",
    Internal = 1 "a fault of this program; of diff: the objects differ",
    Usage = 2 "the command line is wrong or ambiguous",
    Rejected = 3 "the verifier rejects a program",
    Permission = 4 "a privilege is missing",
    NotFound = 5 "no such file, interface, program, attachment or compiler",
    Conflict = 6 "another program or owner is there",
    Unsupported = 7 "this version, kernel, driver or machine cannot do it",
    BadObject = 8 "the program file or object file cannot be used",
    Io = 9 "reading or writing failed",
}

impl Exit {
    /// How a command that compares ends if there is a difference: as diff(1) does. A fault,
    /// whose code this is too, is told on standard error.
    pub const DIFFERENT: Exit = Exit::Internal;

    /// How a command ends that a file's error ends.
    pub fn of(error: &io::Error) -> Exit {
        match error.kind() {
            io::ErrorKind::NotFound => Exit::NotFound,
            io::ErrorKind::PermissionDenied => Exit::Permission,
            _ => Exit::Io,
        }
    }
}

impl From<()> for Exit {
    /// What has nothing to tell was done.
    fn from((): ()) -> Exit {
        Exit::Ok
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        ExitCode::from(self as u8)
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
