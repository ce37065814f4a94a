//! The running kernel, for `check`: what it was configured with, and with `--kernel-too` what it
//! says. A program is loaded for its verdict; nothing of it stays when the command ends.

use std::borrow::Cow;

use ebpf_asm::map_type::MapType;
use ebpf_asm::object::{Map, Object, Pinning};
use ebpf_asm::program::Program;
use ebpf_asm::verifier_log::{VerifierLog, figure};
use ebpf_cli::exit::Exit;
use ebpf_cli::report;
use ebpf_loader::{DeniedBy, Error, Loader, LogLevel, denied_by, with_options};
use ebpf_syscalls::Errno;
use ebpf_verifier_sim::KernelRefusal;

use crate::limited;
use crate::privilege::Privilege;
use crate::said::Said;

/// What the running kernel says of a program, by itself, to such a loader.
pub(crate) fn verdict(object: &Object, program: &Program, loader: Privilege) -> Said {
    let ask = || match ask(object, program) {
        nothing @ Said::Nothing { .. } => Err(nothing),
        said => Ok(said),
    };
    let is_denied = |nothing: &Said| {
        matches!(
            nothing,
            Said::Nothing {
                exit: Exit::Permission,
                ..
            }
        )
    };
    let refusal = |_| Said::Rejects(Box::new(KernelRefusal::without_reason("EPERM")));
    match limited::verdict(loader, ask, is_denied, refusal) {
        Ok(Ok(said) | Err(said)) => said,
        Err(why) => nobody(why),
    }
}

/// That nobody can ask.
fn nobody(why: String) -> Said {
    Said::Nothing {
        why,
        exit: Exit::Unsupported,
        help: Vec::new(),
    }
}

/// The name of an errno. Of those that no user space has a name for, `bpf(2)` gives `ENOTSUPP` (524)
/// only.
pub(crate) fn errno_name(errno: Errno) -> String {
    match errno {
        Errno::UnknownErrno => "ENOTSUPP".to_owned(),
        named => format!("{named:?}"),
    }
}

fn ask(object: &Object, program: &Program) -> Said {
    let alone = alone(object);
    let mut loader = Loader::new(&alone);
    let loaded = loader.load_with_log(&program.name, LogLevel::Stats);
    // It may have judged less than the object says.
    loader.notes().iter().for_each(report::note);
    match loaded {
        Ok((_, log)) => Said::Accepts {
            processed: figure(&log, "processed "),
            usec: figure(&log, "verification time "),
        },
        Err(Error::Rejected(why)) => {
            let refusal = KernelRefusal::of(&VerifierLog::read(&why.log));
            let bare = || KernelRefusal::without_reason(&errno_name(why.errno));
            let refusal = refusal.unwrap_or_else(bare);
            Said::Rejects(Box::new(refusal))
        }
        Err(error) => not_judged(&error, program),
    }
}

/// Why the kernel did not come to judging.
fn not_judged(error: &Error, program: &Program) -> Said {
    let (exit, help) = match error {
        Error::Permission { missing, .. } => (
            Exit::Permission,
            match missing.is_empty() {
                true => texts(&denied_by(Some(program))),
                false => vec!["run it as root, to ask the kernel".to_owned()],
            },
        ),
        _ => (Exit::Unsupported, Vec::new()),
    };
    let why = match error {
        Error::Permission { missing, .. } if missing.is_empty() => {
            format!("{error}, although no capability is missing")
        }
        error => error.to_string(),
    };
    Said::Nothing { why, exit, help }
}

fn texts(reasons: &[DeniedBy]) -> Vec<String> {
    reasons.iter().map(DeniedBy::to_string).collect()
}

/// The object with nothing that others have a say in. Maps that are shared by name would stay
/// pinned, and others than the object's might be there: they are made anew, and go. Programs that
/// are called in place of this one would be loaded first, and one of them that is rejected would
/// be taken for this one: their maps are left empty, which no verdict depends on.
fn alone(object: &Object) -> Cow<'_, Object> {
    let tails = |map: &Map| map.map_type == MapType::ProgArray && !map.values.is_empty();
    let shared = |map: &Map| map.pinning != Pinning::None || tails(map);
    let mut object = Cow::Borrowed(object);
    if object.maps.iter().any(shared) {
        for map in &mut object.to_mut().maps {
            map.pinning = Pinning::None;
            if tails(map) {
                map.values.clear();
            }
        }
    }
    object
}

/// The object with what the running kernel was configured with. An object that asks for what
/// this kernel lacks stays as it is: then nothing is known of these constants.
pub(crate) fn configured(object: &Object) -> Cow<'_, Object> {
    with_options(object).unwrap_or(Cow::Borrowed(object))
}
