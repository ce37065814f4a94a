//! rtnetlink: network interfaces of the calling thread's namespace.
//!
//! <https://man7.org/linux/man-pages/man7/rtnetlink.7.html>. A [`Route`] is one
//! socket; it stays in the namespace in which it was opened. Errors carry the
//! kernel's extended acknowledgement, where it gives one.
//!
//! Read in this order: `message.rs` (writing), `parse.rs` (reading),
//! `socket.rs` (asking), then one file a topic.

mod address;
mod interface;
mod message;
mod parse;
mod set_link;
mod socket;
mod veth;
mod xdp;

pub use address::DuplicateDetection;
pub use interface::{Interface, MAX_NAME_LEN, Operstate};
pub use socket::Route;
pub use veth::Veth;
pub use xdp::{XdpMode, XdpState};
