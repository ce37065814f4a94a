//! A program that the kernel rejects: its point first, the line of the program, what to do.

use ebpf_asm::object::Object;
use ebpf_loader::Rejection;

use crate::exit::Exit;
use crate::report::Failure;

/// How much of the kernel's log is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Log {
    /// The point that it makes.
    Point,
    /// All of it, before the point.
    Whole,
}

/// The failure for a program of `object` that the kernel rejects.
pub(crate) fn rejected(_object: &Object, rejection: &Rejection, log: Log) -> Failure {
    let failure = kernel_words(rejection);
    match log {
        Log::Whole => {
            // Standard error is the log's place too; with it gone nobody reads either.
            crate::report::log(&rejection.log);
            failure
        }
        Log::Point => failure.help("the kernel's whole log: the same command with --log"),
    }
}

/// The kernel's point, with the line of the program that it is about.
pub(crate) fn kernel_words(rejection: &Rejection) -> Failure {
    let message = format!(
        "the kernel rejects program '{}': {}",
        rejection.program, rejection.point
    );
    let failure = Failure::new(Exit::Rejected, message);
    let Some(source) = &rejection.source else {
        return failure;
    };
    let (place, number) = match &source.place {
        Some((file, line)) => (format!("  --> {file}:{line}\n"), line.to_string()),
        None => (String::new(), String::new()),
    };
    let margin = " ".repeat(number.len());
    failure.details(format!(
        "{place}{margin} |\n{number} | {}\n{margin} |",
        source.text.trim_end()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ebpf_loader::SourceLine;
    use ebpf_syscalls::Errno;

    fn rejection(source: Option<SourceLine>) -> Rejection {
        Rejection {
            program: "p".into(),
            errno: Errno::EACCES,
            point: "R0 !read_ok".into(),
            slot: Some(0),
            source,
            log: "0: (95) exit\nR0 !read_ok".into(),
        }
    }

    #[test]
    fn the_point_comes_before_the_line() {
        let source = SourceLine {
            place: Some(("a.rs".into(), 17)),
            text: "    XDP_PASS  ".into(),
        };
        let failure = kernel_words(&rejection(Some(source)));
        assert_eq!(failure.exit(), Exit::Rejected);
        let text = anstream::adapter::strip_str(&failure.to_string()).to_string();
        assert_eq!(
            text,
            "error: the kernel rejects program 'p': R0 !read_ok\n  --> a.rs:17\n   |\n\
             17 |     XDP_PASS\n   |\n"
        );
    }

    #[test]
    fn without_a_line_the_point_stands_alone() {
        let text = kernel_words(&rejection(None)).to_string();
        assert_eq!(text.lines().count(), 1);
    }
}
