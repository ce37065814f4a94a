//! A program that the kernel rejects: its point first, the line of the program, what to do.
//!
//! Where our own verifier makes the same point, it explains it: which check is missing, and
//! what would help. It runs only here, when the kernel has said no.

use ebpf_asm::object::Object;
use ebpf_loader::Rejection;
use ebpf_verifier_sim::{Config, Decor, Verdict, verify};

use ebpf_cli::exit::Exit;
use ebpf_cli::report::{self, Failure};

/// How much of the kernel's log is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Log {
    /// The point that it makes.
    Point,
    /// All of it, before the point.
    Whole,
}

/// The failure for a program of `object` that the kernel rejects.
pub(crate) fn rejected(object: &Object, rejection: &Rejection, log: Log) -> Failure {
    let failure = match explanation(object, rejection) {
        Some(explanation) => sentence(rejection).details(explanation),
        None => kernel_words(rejection),
    };
    match log {
        Log::Whole => {
            report::explain(&format!("{}\n", rejection.log.trim_end()));
            failure
        }
        Log::Point => failure.help("the kernel's whole log: the same command with --log"),
    }
}

/// The kernel's point, with the line of the program that it is about.
pub(crate) fn kernel_words(rejection: &Rejection) -> Failure {
    let failure = sentence(rejection);
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

fn sentence(rejection: &Rejection) -> Failure {
    Failure::new(
        Exit::Rejected,
        format!(
            "the kernel rejects program '{}': {}",
            rejection.program, rejection.point
        ),
    )
}

/// What our verifier says, if it makes the kernel's point; without its title, which is that point.
fn explanation(object: &Object, rejection: &Rejection) -> Option<String> {
    let program = object.program(&rejection.program)?;
    let Verdict::Rejected(why) = verify(object, program, &Config::default()) else {
        return None;
    };
    if !rejection.point.starts_with(&why.message) {
        return None;
    }
    let text = why.render(program, Decor::Styled);
    let (_title, rest) = text.split_once('\n')?;
    Some(rest.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ebpf_asm::assembler::Assembler;
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
    fn our_verifier_explains_only_the_same_point() {
        let mut a = Assembler::new("p");
        a.exit();
        let object = Object {
            license: "GPL".into(),
            programs: vec![a.finish("xdp").unwrap()],
            ..Object::default()
        };
        let explained = explanation(&object, &rejection(None)).unwrap();
        assert!(explained.contains("exit"), "{explained}");
        let other = Rejection {
            point: "something else".into(),
            ..rejection(None)
        };
        assert_eq!(explanation(&object, &other), None);
    }

    #[test]
    fn without_a_line_the_point_stands_alone() {
        let text = kernel_words(&rejection(None)).to_string();
        assert_eq!(text.lines().count(), 1);
    }
}
