//! Who loads a program: root, or somebody who lacks a capability.

use std::thread;

use ebpf_asm::object::Object;
use ebpf_asm::verifier_log::figure;
use ebpf_loader::{Error, Loader, LogLevel};
use ebpf_syscalls::caps::{self, Capability};
use ebpf_verifier_sim::{Capabilities, Stats};

use crate::{Failed, Outcome};

/// The figures of a verifier's work, as the kernel's log ends with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// Instructions followed.
    pub processed: u64,
    /// The most states that one was looked for among in vain.
    pub max_states_per_insn: u64,
    /// States kept.
    pub total_states: u64,
    /// The most states kept at once.
    pub peak_states: u64,
}

impl Figures {
    /// Those at the end of a log, if it has them.
    #[must_use]
    pub fn of_log(log: &str) -> Option<Figures> {
        Some(Figures {
            processed: figure(log, "processed ")?,
            max_states_per_insn: figure(log, "max_states_per_insn ")?,
            total_states: figure(log, "total_states ")?,
            peak_states: figure(log, "peak_states ")?,
        })
    }
}

impl From<&Stats> for Figures {
    fn from(ours: &Stats) -> Figures {
        Figures {
            processed: ours.processed,
            max_states_per_insn: ours.max_states_per_insn,
            total_states: ours.total_states,
            peak_states: ours.peak_states,
        }
    }
}

/// A loader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Who {
    /// One who may do everything.
    #[default]
    Root,
    /// One who may load programs, and not see pointers.
    WithoutPerfmon,
    /// An unprivileged user.
    WithoutBpf,
}

impl Who {
    /// One who lacks the capability of this name.
    ///
    /// # Errors
    /// If none of these lacks it.
    pub fn without(capability: &str) -> Outcome<Who> {
        match capability {
            "CAP_PERFMON" => Ok(Who::WithoutPerfmon),
            "CAP_BPF" => Ok(Who::WithoutBpf),
            other => Err(format!("nobody lacks {other}: CAP_PERFMON or CAP_BPF").into()),
        }
    }

    /// The capabilities, as the simulator knows them.
    #[must_use]
    pub fn capabilities(self) -> Capabilities {
        match self {
            Who::Root => Capabilities::ALL,
            Who::WithoutPerfmon => Capabilities::BPF.with(Capabilities::NET_ADMIN),
            Who::WithoutBpf => Capabilities::NONE,
        }
    }

    /// Whether the kernel can be asked: most are set up (`unprivileged_bpf_disabled`) to let
    /// nobody load a program without CAP_BPF.
    #[must_use]
    pub fn may_ask_kernel(self) -> bool {
        self != Who::WithoutBpf
    }

    /// Loads all programs of an object up to the first that is refused, in a thread that has
    /// given up what this one lacks. Gives the figures of the kernel's work on each.
    ///
    /// # Errors
    /// If the thread fails. A refusal is the inner result.
    pub fn load(self, object: &Object) -> Outcome<Result<Vec<Figures>, Error>> {
        let load = || {
            if self != Who::Root {
                caps::keep_only(&[Capability::Bpf, Capability::NetAdmin])?;
            }
            let mut loader = Loader::new(object);
            let mut all = Vec::new();
            for program in &object.programs {
                match loader.load_with_log(&program.name, LogLevel::Stats) {
                    Ok((_, log)) => all.push(Figures::of_log(&log).ok_or("a log without figures")?),
                    Err(refused) => return Ok(Err(refused)),
                }
            }
            Ok(Ok(all))
        };
        let ended = thread::scope(|scope| scope.spawn(load).join());
        ended.map_err(|_| Failed::from("a thread panicked"))?
    }
}
