//! A mount namespace for the test process, with a bpffs of its own at `/sys/fs/bpf`.
//!
//! What tests mount and pin is seen by nobody else and goes with the process, also when it is
//! killed. A bpffs is a new and empty one for each mount.

use std::path::Path;
use std::sync::OnceLock;

use ebpf_syscalls::bpffs;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};

use crate::Outcome;

static STATE: OnceLock<Result<(), String>> = OnceLock::new();

/// Takes the process into its own mount namespace and mounts a bpffs there.
///
/// To be called before any thread is made. What fails is kept for [`state`].
pub fn enter() {
    STATE.get_or_init(|| {
        private_mounts().map_err(|errno| format!("no mount namespace of its own: {errno}"))?;
        bpffs::mount(Path::new(bpffs::MOUNT_POINT)).map_err(|error| error.to_string())
    });
}

/// Whether the process is in its sandbox, or why not.
pub fn state() -> &'static Result<(), String> {
    STATE.get_or_init(|| Err("the test has not entered its sandbox".to_owned()))
}

/// Gives the calling thread, and what it starts, its own view without a bpffs.
///
/// # Errors
/// Without CAP_SYS_ADMIN.
pub fn leave_bpffs() -> Outcome {
    private_mounts()?;
    while bpffs::is_on_bpffs(Path::new(bpffs::MOUNT_POINT))? {
        umount2(bpffs::MOUNT_POINT, MntFlags::MNT_DETACH)?;
    }
    Ok(())
}

/// A new mount namespace whose mounts are not handed on to others.
fn private_mounts() -> nix::Result<()> {
    const NONE: Option<&str> = None;
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE)
}
