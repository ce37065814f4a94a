//! Why the kernel refused an attachment.
//!
//! A link's refusal is a bare errno: the driver's words go only to those who
//! ask by netlink. So the cause is told from the errno and the interface. What
//! drivers answer is taken from observation (veth, loopback; Linux 6.18) and
//! the texts that they give by netlink.

use ebpf_syscalls::caps::Capability;
use ebpf_syscalls::netlink::{Interface, XdpMode};
use ebpf_syscalls::{Errno, Error as SyscallError, ethtool};

use crate::error::{Error, missing};

/// An MTU that native XDP takes everywhere, in bytes.
const ORDINARY_MTU: u32 = 1500;

/// An MTU that veth takes with 4 KiB pages, in bytes: 3506 on x86-64, less a
/// margin for kernels with other configurations.
const VETH_MTU: u32 = 3500;

/// The error for an attachment that the kernel refused, apart from conflicts.
pub(crate) fn refused(interface: &Interface, mode: XdpMode, source: SyscallError) -> Error {
    match source.errno() {
        Some(Errno::EPERM | Errno::EACCES) => Error::Permission {
            action: "attach a program",
            missing: missing(&[Capability::NetAdmin, Capability::Bpf]),
            source,
        },
        Some(Errno::ENODEV | Errno::ENXIO | Errno::ENOLINK) => Error::InterfaceMissing {
            name: interface.name.clone(),
            near: Vec::new(),
        },
        Some(Errno::EOPNOTSUPP) => mode_unsupported(interface, mode),
        Some(_) => by_the_driver(
            interface,
            ethtool::driver(&interface.name).ok(),
            mode,
            source,
        ),
        None => Error::Kernel {
            action: "cannot attach the program",
            source,
        },
    }
}

/// The driver has no such mode.
pub(crate) fn mode_unsupported(interface: &Interface, mode: XdpMode) -> Error {
    Error::ModeUnsupported {
        interface: interface.name.clone(),
        driver: ethtool::driver(&interface.name).ok(),
        mode,
    }
}

/// The driver looked at its configuration and refused.
fn by_the_driver(
    interface: &Interface,
    driver: Option<String>,
    mode: XdpMode,
    source: SyscallError,
) -> Error {
    let name = interface.name.clone();
    match (mode, driver.as_deref(), source.errno()) {
        (XdpMode::Native, Some("veth"), Some(Errno::ERANGE)) => Error::MtuTooLarge {
            interface: name,
            driver: "veth".to_owned(),
            peer: true,
            mtu: None,
            works: VETH_MTU,
        },
        (XdpMode::Native, Some(driver), Some(Errno::EINVAL | Errno::ERANGE | Errno::EMSGSIZE))
            if interface.mtu > ORDINARY_MTU =>
        {
            Error::MtuTooLarge {
                interface: name,
                driver: driver.to_owned(),
                peer: false,
                mtu: Some(interface.mtu),
                works: ORDINARY_MTU,
            }
        }
        (XdpMode::Offload, _, Some(Errno::EINVAL)) => Error::ModeUnsupported {
            interface: name,
            driver,
            mode,
        },
        _ => Error::DriverRefused {
            interface: name,
            driver,
            mode,
            source,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ebpf_syscalls::netlink::{Operstate, XdpState};

    fn verdict(driver: &str, mtu: u32, mode: XdpMode, errno: Errno) -> String {
        let interface = Interface {
            index: 2,
            name: "eth0".to_owned(),
            mtu,
            flags: 1,
            operstate: Operstate::Up,
            mac: None,
            kind: None,
            xdp: XdpState::default(),
        };
        let source = SyscallError::Call {
            call: "BPF_LINK_CREATE",
            object: "ifindex 2".to_owned(),
            errno,
        };
        by_the_driver(&interface, Some(driver.to_owned()), mode, source).to_string()
    }

    #[test]
    fn a_large_mtu_is_named_with_one_that_works() {
        assert_eq!(
            verdict("virtio_net", 9000, XdpMode::Native, Errno::EINVAL),
            "the MTU of eth0 is too large for XDP in native mode with the driver virtio_net: \
             it is 9000, and 1500 works"
        );
        assert_eq!(
            verdict("veth", 1500, XdpMode::Native, Errno::ERANGE),
            "the MTU of eth0's peer is too large for XDP in native mode with the driver veth: \
             3500 works"
        );
    }

    #[test]
    fn an_ordinary_mtu_is_not_blamed() {
        assert_eq!(
            verdict("virtio_net", 1500, XdpMode::Native, Errno::ENOMEM),
            "the driver of eth0 (virtio_net) refuses XDP in native mode: \
             BPF_LINK_CREATE(ifindex 2): ENOMEM: Out of memory"
        );
        assert_eq!(
            verdict("veth", 9000, XdpMode::Offload, Errno::EINVAL),
            "the driver of eth0 (veth) does not support XDP in offload mode"
        );
    }
}
