//! A program that the kernel rejects: its point first, the line of the program, what to do.
//!
//! Where our own verifier makes the same point, it explains it: which check is missing, and
//! what would help. It runs only here, when the kernel has said no.

use ebpf_asm::object::Object;
use ebpf_asm::program::Program;
use ebpf_asm::verifier_log::VerifierLog;
use ebpf_loader::Rejection;
use ebpf_verifier_sim::{Config, Decor, KernelRefusal, Quoted, Verdict, verify};

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
    let program = object.program(&rejection.program);
    let ours = program.and_then(|program| explanation(object, program, rejection));
    let failure = match (ours, program) {
        (Some(explanation), _) => sentence(rejection).details(explanation),
        (None, Some(program)) => in_kernel_words(rejection, program),
        (None, None) => kernel_words(rejection),
    };
    match log {
        Log::Whole => {
            report::explain(&format!("{}\n", rejection.log.trim_end()));
            failure
        }
        Log::Point => failure.help("the kernel's whole log: the same command with --log"),
    }
}

/// The kernel's point, with what its log has of the program's lines.
pub(crate) fn kernel_words(rejection: &Rejection) -> Failure {
    in_kernel_words(rejection, &VerifierLog::read(&rejection.log))
}

/// The kernel's point, with the lines of the program that it is about.
fn in_kernel_words(rejection: &Rejection, quoted: &dyn Quoted) -> Failure {
    let failure = sentence(rejection);
    let refusal = KernelRefusal::of(&VerifierLog::read(&rejection.log));
    match refusal.and_then(|refusal| without_title(&refusal.render(quoted, Decor::Styled))) {
        Some(text) => failure.details(text),
        None => failure,
    }
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
fn explanation(object: &Object, program: &Program, rejection: &Rejection) -> Option<String> {
    let Verdict::Rejected(why) = verify(object, program, &Config::default()) else {
        return None;
    };
    if !rejection.point.starts_with(&why.message) {
        return None;
    }
    without_title(&why.render(program, Decor::Styled))
}

/// The text below the first line; `None` if there is none.
fn without_title(text: &str) -> Option<String> {
    let (_title, rest) = text.split_once('\n')?;
    (!rest.is_empty()).then(|| rest.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ebpf_asm::assembler::Assembler;
    use ebpf_syscalls::Errno;

    fn rejection(log: &str) -> Rejection {
        Rejection {
            program: "p".into(),
            errno: Errno::EACCES,
            point: "R0 !read_ok".into(),
            slot: Some(0),
            source: None,
            log: log.into(),
        }
    }

    fn shown(failure: &Failure) -> String {
        anstream::adapter::strip_str(&failure.to_string()).to_string()
    }

    #[test]
    fn the_point_comes_before_the_line() {
        let log = "; XDP_PASS @ a.rs:17\n0: (95) exit\nR0 !read_ok";
        let failure = kernel_words(&rejection(log));
        assert_eq!(failure.exit(), Exit::Rejected);
        let text = shown(&failure);
        let expected = "error: the kernel rejects program 'p': R0 !read_ok\n  --> a.rs:17:1\n   |\n\
                        17 | XDP_PASS\n   | ^^^^^^^^\n";
        assert!(text.starts_with(expected), "{text}");
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
        let program = &object.programs[0];
        let refused = rejection("0: (95) exit\nR0 !read_ok");
        let explained = explanation(&object, program, &refused).unwrap();
        assert!(explained.contains("exit"), "{explained}");
        let other = Rejection {
            point: "something else".into(),
            ..refused
        };
        assert_eq!(explanation(&object, program, &other), None);
    }

    #[test]
    fn without_a_reason_the_point_stands_alone() {
        assert_eq!(shown(&kernel_words(&rejection(""))).lines().count(), 1);
    }
}
