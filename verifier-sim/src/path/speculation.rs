//! What the processor does ahead of its tests: it may run on behind a jump as if the test had said
//! otherwise, or with an offset that was never tested, and leave traces of what it read there
//! (Spectre).
//!
//! For those who lack `CAP_PERFMON` the kernel follows such paths too: behind jumps whose test can
//! say one thing only, and behind offsets of pointers that are computed. Most of what is wrong on
//! them refuses no program, since a barrier is put there; some does. Observed on Linux 6.18: a
//! loop whose counter may be any number there is endless, and one instruction that computes
//! addresses in two manners is refused. These paths are not followed here.
//!
//! Read before: `notes.rs`. Read next: `explore.rs`.

use crate::diag::Checked;
use crate::env::Env;
use crate::path::notes::Notes;
use crate::step::machine::not_modelled;

/// That a program which is safe as it is written has no paths besides, if the loader is one for
/// whom the kernel follows them.
pub(crate) fn check_speculation(env: &Env<'_>, notes: &Notes) -> Checked {
    match notes.runs_ahead && !env.config.may_leak_pointers() {
        true => Err(not_modelled(
            "what the processor may run ahead of, without CAP_PERFMON",
        )),
        false => Ok(()),
    }
}
