//! Who loads a program: root, or somebody who lacks a capability.

use std::thread;

use ebpf_asm::object::Object;
use ebpf_loader::{Error, Loader};
use ebpf_syscalls::caps::{self, Capability};
use ebpf_verifier_sim::Capabilities;

use crate::{Failed, Outcome};

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
    /// given up what this one lacks. Gives how many instructions the kernel followed of each.
    ///
    /// # Errors
    /// If the thread fails. A refusal is the inner result.
    pub fn load(self, object: &Object) -> Outcome<Result<Vec<u64>, Error>> {
        let load = || {
            if self != Who::Root {
                caps::keep_only(&[Capability::Bpf, Capability::NetAdmin])?;
            }
            let mut loader = Loader::new(object);
            let mut followed = Vec::new();
            for program in &object.programs {
                match loader.load(&program.name) {
                    Ok(loaded) => followed.push(loaded.info()?.verified_insns.into()),
                    Err(refused) => return Ok(Err(refused)),
                }
            }
            Ok(Ok(followed))
        };
        let ended = thread::scope(|scope| scope.spawn(load).join());
        ended.map_err(|_| Failed::from("a thread panicked"))?
    }
}
