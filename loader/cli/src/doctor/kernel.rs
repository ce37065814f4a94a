//! What the kernel can do.

use std::fs;
use std::path::Path;

use ebpf_syscalls::Errno;
use ebpf_syscalls::bpf;
use ebpf_syscalls::kernel::{Version, version};

use super::{Check, State};
use ebpf_cli::exit::Exit;

/// The first kernel with native XDP, by netlink.
const XDP: Version = Version::new(4, 8, 0);
/// The first kernel with XDP links.
const XDP_LINKS: Version = Version::new(5, 9, 0);

/// 0 off, 1 on, 2 on and verbose: <https://docs.kernel.org/admin-guide/sysctl/net.html>.
const JIT: &str = "/proc/sys/net/core/bpf_jit_enable";
/// 0 for all users, 1 and 2 for root only:
/// <https://docs.kernel.org/admin-guide/sysctl/kernel.html>.
const UNPRIVILEGED: &str = "/proc/sys/kernel/unprivileged_bpf_disabled";
/// The kernel's own types.
const KERNEL_BTF: &str = "/sys/kernel/btf/vmlinux";

/// All of it.
pub(super) fn checks() -> Vec<Check> {
    vec![
        kernel(),
        bpf_call(),
        links(),
        jit(),
        kernel_btf(),
        unprivileged(),
    ]
}

fn kernel() -> Check {
    let version = version();
    if version < XDP {
        return Check::new(
            "kernel",
            State::Missing(Exit::Unsupported),
            format!("{version}, which has no XDP"),
        )
        .help(format!("Linux {XDP} or newer is needed"));
    }
    Check::new("kernel", State::Good, version.to_string())
}

/// Listing programs changes nothing, and its errno tells a kernel without bpf(2)
/// from a user who may not.
fn bpf_call() -> Check {
    let answer = bpf::prog_ids().next();
    match answer {
        Some(Err(error)) if error.is(Errno::ENOSYS) => Check::new(
            "bpf(2)",
            State::Missing(Exit::Unsupported),
            "not in this kernel",
        )
        .help("a kernel with CONFIG_BPF_SYSCALL is needed"),
        Some(Err(error)) if error.is(Errno::EPERM) => {
            Check::new("bpf(2)", State::Good, "there, and not for this user")
        }
        Some(Err(error)) => Check::new("bpf(2)", State::Note, error.to_string()),
        Some(Ok(_)) | None => Check::new("bpf(2)", State::Good, "there"),
    }
}

fn links() -> Check {
    // Without privileges the kernel does not tell, and its version must do.
    if bpf::link_create_is_known() || version() >= XDP_LINKS {
        return Check::new(
            "bpf_link",
            State::Good,
            "links hold attachments, and are pinned",
        );
    }
    Check::new(
        "bpf_link",
        State::Note,
        "not in this kernel: programs are attached by netlink",
    )
    .help(format!("XDP links came with Linux {XDP_LINKS}"))
}

fn jit() -> Check {
    match sysctl(JIT).as_deref() {
        Some("0") => Check::new(
            "JIT",
            State::Note,
            "off: programs are interpreted, and slow",
        )
        .help("sysctl -w net.core.bpf_jit_enable=1"),
        Some(_) => Check::new("JIT", State::Good, "on"),
        // It is hidden from other network namespaces than the first, and from users.
        None => Check::new(
            "JIT",
            State::Note,
            format!("unknown: {JIT} is not readable here"),
        ),
    }
}

fn kernel_btf() -> Check {
    if Path::new(KERNEL_BTF).exists() {
        return Check::new("kernel's BTF", State::Good, KERNEL_BTF);
    }
    Check::new(
        "kernel's BTF",
        State::Note,
        "not there: programs that read the kernel's structures do not load",
    )
    .help("a kernel with CONFIG_DEBUG_INFO_BTF has it; XDP programs need none")
}

fn unprivileged() -> Check {
    let subject = "unprivileged bpf(2)";
    match sysctl(UNPRIVILEGED).as_deref() {
        Some("0") => Check::new(subject, State::Note, "open to all users")
            .help("sysctl -w kernel.unprivileged_bpf_disabled=2 closes it until it is reopened"),
        Some(value) => Check::new(subject, State::Good, format!("closed ({value})")),
        None => Check::new(subject, State::Note, format!("unknown: no {UNPRIVILEGED}")),
    }
}

/// The value of a file under `/proc/sys`.
fn sysctl(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned())
}
