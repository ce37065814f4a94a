//! Packet headers by their UAPI names, each with the constants that belong to it.

mod arp;
mod ethernet;
mod icmp;
mod ip;
mod ipv6;
mod tcp;
mod udp;
mod vlan;

pub use arp::*;
pub use ethernet::*;
pub use icmp::*;
pub use ip::*;
pub use ipv6::*;
pub use tcp::*;
pub use udp::*;
pub use vlan::*;
