//! Two network namespaces joined by a veth pair: frames go in at one end and come out, or do
//! not, at the other.
//!
//! Everything goes with the namespaces, and those with the process. The cable is quiet: no
//! addresses, no IPv6, so that only what a test sends is on it.

use std::fs;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ebpf_syscalls::netlink::{Route, Veth};
use ebpf_syscalls::netns::Netns;
use ebpf_syscalls::packet_socket::PacketSocket;

use crate::{Outcome, frames, tool};

/// How long a frame that must arrive may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a frame may arrive later than one that was sent after it, by another queue.
const GRACE: Duration = Duration::from_millis(20);

/// The name of the end that sends.
const SENDER: &str = "sender";

/// The two namespaces.
#[derive(Debug)]
pub struct Rig {
    /// Where the interface under test is.
    pub inside: Netns,
    /// Where the other end is.
    pub outside: Netns,
    /// The name of the interface under test.
    pub interface: String,
    markers: AtomicU64,
}

/// The two ends' sockets.
#[derive(Debug)]
pub struct Wire<'r> {
    sender: PacketSocket,
    receiver: PacketSocket,
    markers: &'r AtomicU64,
}

impl Rig {
    /// A rig whose interface under test is `eth0`.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn new() -> Outcome<Rig> {
        Rig::named("eth0")
    }

    /// A rig whose interface under test has this name.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn named(interface: &str) -> Outcome<Rig> {
        let rig = Rig {
            inside: Netns::new()?,
            outside: Netns::new()?,
            interface: interface.to_owned(),
            markers: AtomicU64::new(0),
        };
        rig.outside.run(quiet)?;
        rig.inside(|| {
            quiet();
            Route::open()?.create_veth(&Veth {
                name: interface,
                peer: SENDER,
                peer_netns: Some(rig.outside.as_fd()),
            })?;
            up(interface)
        })?;
        rig.outside(|| up(SENDER))?;
        Ok(rig)
    }

    /// Does something in the namespace of the interface under test.
    ///
    /// # Errors
    /// Those of `work`.
    pub fn inside<R: Send>(&self, work: impl FnOnce() -> Outcome<R> + Send) -> Outcome<R> {
        self.inside.run(work)?
    }

    /// Does something in the namespace of the end that sends.
    ///
    /// # Errors
    /// Those of `work`.
    pub fn outside<R: Send>(&self, work: impl FnOnce() -> Outcome<R> + Send) -> Outcome<R> {
        self.outside.run(work)?
    }

    /// Does something to the interface under test, given its number.
    ///
    /// # Errors
    /// Those of `work`.
    pub fn change<R: Send>(
        &self,
        work: impl FnOnce(&mut Route, u32) -> Outcome<R> + Send,
    ) -> Outcome<R> {
        self.inside(|| {
            let mut route = Route::open()?;
            let index = route.interface_by_name(&self.interface)?.index;
            work(&mut route, index)
        })
    }

    /// Sets the MTU of the end that sends, in bytes.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn set_sender_mtu(&self, mtu: u32) -> Outcome {
        self.outside(|| {
            let mut route = Route::open()?;
            let index = route.interface_by_name(SENDER)?.index;
            Ok(route.set_mtu(index, mtu)?)
        })
    }

    /// Moves the interface to the namespace of the end that sends. Needs `ip`.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn move_outside(&self) -> Outcome {
        let namespace = self.outside.as_fd().as_raw_fd();
        let namespace = format!("/proc/{}/fd/{namespace}", std::process::id());
        self.inside(|| {
            let mut ip = tool::command("ip");
            tool::output(ip.args(["link", "set", &self.interface, "netns", &namespace]))
        })?;
        Ok(())
    }

    /// Takes the interface away, and its other end with it.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn unplug(&self) -> Outcome {
        self.change(|route, index| Ok(route.delete_interface(index)?))
    }

    /// Sockets at both ends.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn wire(&self) -> Outcome<Wire<'_>> {
        Ok(Wire {
            sender: self.outside(|| socket(SENDER))?,
            receiver: self.inside(|| socket(&self.interface))?,
            markers: &self.markers,
        })
    }

    /// How many markers were sent: frames of [`frames::marker`], which all programs pass.
    #[must_use]
    pub fn markers(&self) -> u64 {
        self.markers.load(Ordering::Relaxed)
    }
}

impl Wire<'_> {
    /// Sends a frame, and says whether it comes out at the other end.
    ///
    /// A marker is sent after it, so that a frame that is dropped is not waited for in vain.
    ///
    /// # Errors
    /// If not even the marker arrives.
    pub fn passes(&self, frame: &[u8]) -> Outcome<bool> {
        let marker = frames::marker(self.markers.fetch_add(1, Ordering::Relaxed));
        self.sender.send(frame)?;
        self.sender.send(&marker)?;
        let (mut passed, mut end, mut marked) = (false, Instant::now() + PATIENCE, false);
        let untagged = untagged(frame);
        let mut buffer = [0; 2048];
        while !(passed && marked) {
            let left = end.saturating_duration_since(Instant::now());
            let Some(len) = self.receiver.receive(&mut buffer, left)? else {
                break;
            };
            let received = &buffer[..len.min(buffer.len())];
            passed |= received == frame || received == untagged;
            if received == marker {
                marked = true;
                end = Instant::now() + GRACE;
            }
        }
        crate::ensure!(marked, "the marker after the frame did not arrive");
        Ok(passed)
    }
}

/// A frame as a packet socket shows it: the kernel takes a VLAN tag (IEEE 802.1Q) out of the
/// bytes when it receives one.
fn untagged(frame: &[u8]) -> Vec<u8> {
    match frame.split_at_checked(16) {
        Some((head, rest)) if head[12..14] == [0x81, 0x00] => [&head[..12], rest].concat(),
        _ => frame.to_vec(),
    }
}

fn socket(interface: &str) -> Outcome<PacketSocket> {
    let index = Route::open()?.interface_by_name(interface)?.index;
    Ok(PacketSocket::open(index)?)
}

fn up(interface: &str) -> Outcome {
    let mut route = Route::open()?;
    let index = route.interface_by_name(interface)?.index;
    Ok(route.set_up(index)?)
}

/// Keeps interfaces that are made from now on from speaking IPv6 of themselves. A kernel
/// without IPv6 is quiet already.
fn quiet() {
    let _ = fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
}
