//! The interfaces: driver, MTU, and what runs there.

use ebpf_loader::{InterfaceStatus, Xdp};
use ebpf_syscalls::ethtool;

use super::{Check, State};
use crate::advice::failure;
use ebpf_cli::report::Failure;

/// One check an interface.
pub(super) fn checks() -> Result<Vec<Check>, Failure> {
    let status = Xdp::open().map_err(failure)?.status().map_err(failure)?;
    Ok(status.interfaces.iter().map(check).collect())
}

fn check(on: &InterfaceStatus) -> Check {
    let interface = &on.interface;
    let driver = ethtool::driver(&interface.name);
    let driver = driver.as_deref().unwrap_or("no driver that says its name");
    let up = if interface.is_up() { "up" } else { "down" };
    let mut finding = format!("{driver}, {up}, MTU {}", interface.mtu);
    for attachment in &on.attachments {
        finding += &format!(", runs {attachment}");
    }
    Check::new(&interface.name, State::Good, finding)
}
