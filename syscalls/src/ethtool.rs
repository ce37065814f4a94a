//! Which driver an interface has, so that messages can name it.
//!
//! <https://docs.kernel.org/networking/ethtool-netlink.html> is newer; this one
//! call works everywhere since 2.4: SIOCETHTOOL with ETHTOOL_GDRVINFO.

use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use crate::{Error, Result};

const SIOCETHTOOL: libc::Ioctl = 0x8946 as libc::Ioctl;
const ETHTOOL_GDRVINFO: u32 = 3;

/// `struct ethtool_drvinfo`.
#[repr(C)]
struct DrvInfo {
    cmd: u32,
    driver: [u8; 32],
    /// version, fw_version, bus_info, erom_version, reserved2 and five counts.
    rest: [u8; 160],
}

/// `struct ifreq` with the member of its union that SIOCETHTOOL uses.
#[repr(C)]
struct IfReq {
    ifr_name: [u8; libc::IFNAMSIZ],
    ifr_data: *mut DrvInfo,
    /// The union is larger than a pointer.
    pad: [u8; 16],
}

nix::ioctl_readwrite_bad!(
    /// Fills in the `DrvInfo` that `ifr_data` points to.
    siocethtool,
    SIOCETHTOOL,
    IfReq
);

/// The name of an interface's driver, such as `veth`, `virtio_net` or `ixgbe`.
///
/// # Errors
/// `ENODEV` when no such interface is in this network namespace, `EOPNOTSUPP`
/// when its driver does not say.
pub fn driver(interface: &str) -> Result<String> {
    let failed = |call, errno| Error::call(call, interface, errno);
    let mut name = [0; libc::IFNAMSIZ];
    let room = name.len() - 1;
    let Some(prefix) = name.get_mut(..interface.len()).filter(|p| p.len() <= room) else {
        return Err(failed("SIOCETHTOOL", Errno::ENODEV));
    };
    prefix.copy_from_slice(interface.as_bytes());

    let any = socket(
        AddressFamily::Inet,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        None,
    )
    .map_err(|errno| failed("socket", errno))?;
    let mut info = DrvInfo {
        cmd: ETHTOOL_GDRVINFO,
        driver: [0; 32],
        rest: [0; 160],
    };
    let mut request = IfReq {
        ifr_name: name,
        ifr_data: &raw mut info,
        pad: [0; 16],
    };
    // SAFETY: `request` is an `ifreq` with a NUL-terminated name, and
    // `ifr_data` points to a whole `ethtool_drvinfo` that lives until the call
    // returns; the command in it makes the kernel write no more than that.
    unsafe { siocethtool(any.as_raw_fd(), &raw mut request) }
        .map_err(|errno| failed("SIOCETHTOOL", errno))?;
    let end = info.driver.iter().position(|&b| b == 0).unwrap_or(32);
    Ok(String::from_utf8_lossy(info.driver.get(..end).unwrap_or_default()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_have_the_sizes_of_the_uapi() {
        assert_eq!(size_of::<DrvInfo>(), 196);
        assert_eq!(size_of::<IfReq>(), 40);
    }

    #[test]
    fn no_interface_is_enodev() {
        for name in ["nosuch0", "a name longer than any interface has"] {
            assert!(driver(name).is_err_and(|e| e.is(Errno::ENODEV)), "{name}");
        }
    }
}
