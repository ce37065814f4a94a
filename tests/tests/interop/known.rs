//! Where it is known that something does not work, and why; what begins to work is a failure
//! as well, until its line here goes.

use ebpf_tests::corpus::{Build, Debug};

/// What is done with an object, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// clang compiles the source.
    Compile,
    /// We read what libbpf opens, and find the same in it.
    Read,
    /// The text of all of it is the same object.
    Text,
    /// libbpf opens what we read.
    Open,
    /// libbpf makes the same of what we write again, from the text.
    Rewrite,
    /// The kernel says and does the same when we load it.
    Load,
}

/// A failure that is known.
pub(crate) struct Known {
    /// The sources; none stands for each.
    sources: &'static [&'static str],
    /// Which builds.
    builds: fn(&Build) -> bool,
    step: Step,
    /// Why it must be so.
    why: &'static str,
}

const KNOWN: &[Known] = &[
    Known {
        sources: &["core_bitfields", "core_kinds", "core_tasks", "kfuncs"],
        builds: |build| build.debug == Debug::Off,
        step: Step::Compile,
        why: "clang compiles its builtins for CO-RE only with -g",
    },
    Known {
        sources: &["iproute", "legacy"],
        builds: |_| true,
        step: Step::Open,
        why: "libbpf 1 dropped sections 'maps'",
    },
    Known {
        sources: &["kconfig", "ksyms"],
        builds: |build| build.debug == Debug::Off,
        step: Step::Open,
        why: UNTYPED,
    },
    Known {
        sources: &["kfuncs"],
        builds: old_unoptimised,
        step: Step::Open,
        why: UNTYPED,
    },
    Known {
        sources: &["strings"],
        builds: |build| build.clang.version == 14 && optimised(build) && build.debug == Debug::On,
        step: Step::Rewrite,
        why: "clang 14 describes merged constants wrongly, and we describe them rightly",
    },
];

const UNTYPED: &str = "libbpf wants a type for every extern, and clang has given none";

fn old_unoptimised(build: &Build) -> bool {
    build.clang.version == 14 && !optimised(build)
}

fn optimised(build: &Build) -> bool {
    build.optimisation > 0
}

/// Why a step must fail; `None` if it must not.
pub(crate) fn reason(source: &str, build: &Build, step: Step) -> Option<&'static str> {
    let matches = |known: &&Known| {
        (known.sources.is_empty() || known.sources.contains(&source))
            && known.step == step
            && (known.builds)(build)
    };
    KNOWN.iter().find(matches).map(|known| known.why)
}
