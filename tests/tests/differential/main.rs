//! Generated programs: the interpreter against the kernel, the simulator against the kernel,
//! the decoder against the kernel, the tables of contexts, callers and results against the
//! kernel, states against its log, and programs so large that jumps do not reach.
//!
//! The generators begin from a fixed seed, so that a failure is one for everybody, and shrink
//! what fails. `EBPF_DIFFERENTIAL_CASES` sets how many programs each trial makes.
#![forbid(unsafe_code)]

mod encoding;
mod execution;
mod far;
mod rules;
mod runs;
mod states;
mod verdict;

use std::process::ExitCode;

use ebpf_tests::policy::{self, Need};
use ebpf_tests::{Failed, Outcome};
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

/// What programs in C need, whose functions the kernel knows by name.
const RUNS: [Need; 4] = [
    Need::Kernel,
    Need::Vmlinux,
    policy::CLANG[0],
    policy::CLANG[1],
];

/// The variable that sets the number of programs.
const CASES: &str = "EBPF_DIFFERENTIAL_CASES";

fn main() -> ExitCode {
    policy::main(|| {
        vec![
            policy::trial("encoding::field_by_field", &[Need::Kernel], || {
                encoding::field_by_field()
            }),
            policy::trial("encoding::at_random", &[Need::Kernel], || {
                encoding::at_random(cases(1500)?)
            }),
            policy::trial(
                "execution::interpreter_and_kernel_agree",
                &[Need::Kernel],
                || execution::agrees(cases(500)?),
            ),
            policy::trial(
                "far::jumps_lead_where_the_source_says",
                &[Need::Kernel],
                || far::agrees(2),
            ),
            policy::trial("runs::interpreter_and_kernel_agree", &RUNS, runs::agree),
            policy::trial("rules::contexts", &[Need::Kernel], || {
                rules::contexts::agree(cases(6000)?)
            }),
            policy::trial("rules::pointers", &[Need::Kernel], || {
                rules::pointers::agree(cases(3000)?)
            }),
            policy::trial("rules::callers", &[Need::Kernel], || {
                rules::callers::agree(cases(3000)?)
            }),
            policy::trial(
                "rules::attach_types",
                &[Need::Kernel],
                rules::attach_types::agree,
            ),
            policy::trial("rules::arguments", &[Need::Kernel], || {
                rules::arguments::agree(cases(4000)?)
            }),
            policy::trial("rules::results", &[Need::Kernel], || {
                rules::results::agree(cases(2000)?)
            }),
            policy::trial("rules::kinds", &[Need::Kernel, Need::Vmlinux], || {
                rules::kinds::agree(cases(1000)?)
            }),
            policy::trial("rules::creation", &[Need::Kernel], || {
                rules::creation::agree(cases(20_000)?)
            }),
            policy::trial(
                "rules::map_types",
                &[Need::Kernel, Need::Vmlinux],
                rules::map_types::agree,
            ),
            policy::trial("rules::types", &RUNS, || {
                rules::types::agree(cases(20_000)?)
            }),
            policy::trial("rules::loaders", &[Need::Kernel], || {
                rules::loaders::agree(cases(2000)?)
            }),
            policy::trial(
                "states::equal_the_kernels_log",
                &[Need::Kernel],
                states::agree,
            ),
            policy::trial(
                "states::of_generated_programs_equal_the_kernels_log",
                &[Need::Kernel],
                || states::agree_on_generated(cases(300)?),
            ),
            policy::trial(
                "verdict::growing_programs_are_treated_alike",
                &[Need::Kernel, Need::Vmlinux],
                || verdict::growing_programs_are_treated_alike(cases(2048)?),
            ),
            policy::trial("verdict::loops_are_followed_alike", &[Need::Kernel], || {
                verdict::loops_are_followed_alike(cases(150)?)
            }),
            policy::trial("verdict::no_false_accept", &[Need::Kernel], || {
                verdict::no_false_accept(cases(3000)?)
            }),
        ]
    })
}

fn cases(default: u32) -> Outcome<u32> {
    match std::env::var(CASES) {
        Ok(number) => Ok(number.parse()?),
        Err(_) => Ok(default),
    }
}

/// Tests so many generated values, the same ones every time.
fn for_all<S: Strategy>(
    cases: u32,
    strategy: &S,
    test: impl Fn(S::Value) -> Outcome,
    show: impl Fn(&S::Value) -> String,
) -> Outcome {
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let outcome = runner.run(strategy, |value| {
        test(value)
            .map_err(|failed| TestCaseError::fail(failed.message().unwrap_or_default().to_owned()))
    });
    outcome.map_err(|error| match error {
        TestError::Fail(reason, smallest) => Failed::from(format!(
            "{reason}\nthe smallest that fails:\n{}",
            show(&smallest)
        )),
        TestError::Abort(reason) => Failed::from(reason),
    })
}
