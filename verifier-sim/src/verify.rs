//! The question and the answer: will this kernel accept this program?
//!
//! ```
//! use ebpf_asm::text::parse;
//! use ebpf_verifier_sim::{Config, Verdict, verify};
//!
//! let object = parse("first.bpf", ".prog xdp\n    r0 = r2\n    exit\n")?;
//! let program = &object.programs[0];
//! let Verdict::Rejected(why) = verify(&object, program, &Config::default()) else {
//!     panic!("R2 holds nothing at the beginning");
//! };
//! assert_eq!(why.message, "R2 !read_ok");
//! assert_eq!(why.code.to_string(), "BPF0301");
//! # Ok::<(), ebpf_asm::text::ParseError>(())
//! ```
//!
//! Read before: `config.rs`. Read next: `path/explore.rs`.

use crate::config::Config;
use crate::diag::Rejection;
use crate::env::Env;
use crate::load::taken::Taken;
use crate::path::explore::{Stats, explore};
use crate::report::watch::{Watch, Watcher};
use crate::types::kernel_types::{KernelTypes, TargetKernel};
use crate::warning::Warning;
use ebpf_asm::object::Object;
use ebpf_asm::program::Program;

/// What a kernel will say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It takes the program, which may be warned of.
    Accepted(Stats, Vec<Warning>),
    /// It refuses the program, or nothing can be promised
    /// ([`NotModelled`](crate::Code::NotModelled)).
    Rejected(Box<Rejection>),
}

impl Verdict {
    /// Whether the program is accepted.
    pub fn is_accepted(&self) -> bool {
        matches!(self, Verdict::Accepted(..))
    }

    /// Why it is not.
    pub fn rejection(&self) -> Option<&Rejection> {
        match self {
            Verdict::Accepted(..) => None,
            Verdict::Rejected(why) => Some(why),
        }
    }

    /// What is to be said of a program that is accepted.
    pub fn warnings(&self) -> &[Warning] {
        match self {
            Verdict::Accepted(_, warnings) => warnings,
            Verdict::Rejected(_) => &[],
        }
    }
}

/// Verifies a program of an object for a kernel and a loader.
///
/// The release that `config` names decides which instructions, helpers and features there are,
/// which numbers learn from each other, and which comparisons teach something. How sharp the
/// bounds of a number are follows Linux 6.18 for all: an older kernel knows less in places, and may
/// refuse what is accepted here.
///
/// What depends on the kernel's own types is not judged; [`verify_with`] takes them.
pub fn verify(object: &Object, program: &Program, config: &Config) -> Verdict {
    verify_with(object, program, config, &KernelTypes::unknown())
}

/// As [`verify`], for a kernel that has these types.
pub fn verify_with(
    object: &Object,
    program: &Program,
    config: &Config,
    kernel: &KernelTypes,
) -> Verdict {
    answer(object, program, config, kernel, Watch::default())
}

/// As [`verify_with`], as far as the first of some instructions that is executed on a path and not
/// refused.
///
/// `ends` are the slots where they begin, ascending.
///
/// # Errors
/// The slot of that instruction, and what it took to come there; what is behind it was not looked at.
pub fn verify_until(
    object: &Object,
    program: &Program,
    config: &Config,
    kernel: &KernelTypes,
    ends: &[usize],
) -> Result<Verdict, (usize, Stats)> {
    let mut reached = None;
    let watch = Watch {
        watcher: None,
        ends,
        reached: Some(&mut reached),
    };
    let verdict = answer(object, program, config, kernel, watch);
    match (reached, verdict) {
        (Some(slot), Verdict::Rejected(why)) => Err((slot, why.stats)),
        (_, verdict) => Ok(verdict),
    }
}

/// As [`verify_with`], and tells a watcher what happens on the way.
pub fn verify_watched(
    object: &Object,
    program: &Program,
    config: &Config,
    kernel: &KernelTypes,
    watcher: &mut Watcher<'_>,
) -> Verdict {
    let watch = Watch {
        watcher: Some(watcher),
        ..Watch::default()
    };
    answer(object, program, config, kernel, watch)
}

fn answer(
    object: &Object,
    program: &Program,
    config: &Config,
    kernel: &KernelTypes,
    watch: Watch<'_, '_>,
) -> Verdict {
    let kernel = TargetKernel {
        types: kernel,
        config,
    };
    let taken = Taken::of(object, program, kernel);
    match Env::new(&taken, kernel).and_then(|env| explore(&env, watch)) {
        Ok((stats, warnings)) => Verdict::Accepted(stats, warnings),
        Err(why) => Verdict::Rejected(taken.explain(why)),
    }
}
