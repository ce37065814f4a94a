//! `check --kernel-too`: a program is loaded into the running kernel for its verdict. Nothing of
//! it stays: the program goes when the command ends.

use ebpf_asm::object::Object;
use ebpf_asm::program::Program;
use ebpf_asm::verifier_log::{VerifierLog, figure};
use ebpf_loader::{Error, Loader, LogLevel};
use ebpf_verifier_sim::KernelRefusal;

use crate::said::Said;

/// What the running kernel says of a program.
pub(crate) fn verdict(object: &Object, program: &Program) -> Said {
    match Loader::new(object).load_with_log(&program.name, LogLevel::Stats) {
        Ok((_, log)) => Said::Accepts {
            processed: figure(&log, "processed "),
            usec: figure(&log, "verification time "),
        },
        Err(Error::Rejected(why)) => {
            let refusal = KernelRefusal::of(&VerifierLog::read(&why.log));
            let refusal = refusal.unwrap_or_else(KernelRefusal::without_reason);
            Said::Rejects(Box::new(refusal))
        }
        Err(error) => Said::Nothing(error.to_string()),
    }
}
