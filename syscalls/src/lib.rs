//! bpf(2), netlink, namespaces and their kin: all the `unsafe` code of the workspace.
//!
//! One function a kernel operation, named as the kernel names it, taking and
//! returning owned or borrowed file descriptors. Nothing here decides anything:
//! policy (modes, pins, who may replace whom) is the loader's.
//!
//! | module | the kernel interface |
//! |---|---|
//! | [`bpf`] | bpf(2): maps, programs, links, pins, ids and info |
//! | [`netlink`] | rtnetlink: interfaces, their XDP state, addresses |
//! | [`netns`] | network namespaces, by file descriptor |
//! | [`packet_socket`] | AF_PACKET: raw frames out and in |
//! | [`bpffs`] | is a path on bpffs, and mounting one |
//! | [`ethtool`] | which driver an interface has |
//! | [`heap`] | memory in huge pages, for the allocator of a command |
//! | [`caps`], [`kernel`], [`cpu`], [`clock`], [`lock`] | what this process may do, on what machine |
//!
//! A safe function of this crate is sound whatever it is given; where the
//! kernel trusts a length, the length is checked here first.

pub mod bpf;
pub mod bpffs;
pub mod caps;
pub mod clock;
pub mod cpu;
mod error;
pub mod ethtool;
pub mod heap;
pub mod kernel;
pub mod lock;
mod memlock;
pub mod netlink;
pub mod netns;
pub mod packet_socket;
pub mod page;

pub use error::{Error, Result};
pub use nix::errno::Errno;
