//! Creates maps, loads programs, attaches and pins links.
//!
//! | file | concept |
//! |---|---|
//! | `load.rs` | an object's BTF, maps and programs, into the kernel |
//! | `types.rs` | the object's BTF, in the form that the kernel takes |
//! | `create.rs` | the kernel's maps, with what they hold from the start |
//! | `kernel.rs` | what the kernel defines: types and symbols |
//! | `modules.rs` | what the kernel's modules define |
//! | `options.rs` | what the kernel was configured with |
//! | `kept.rs` | maps that want to be held |
//! | `structs.rs` | structs of functions for the kernel |
//! | `map.rs` | reading and writing a map's elements |
//! | `program.rs` | a program that the kernel has accepted |
//! | `raw_tracepoint.rs` | attaching to a tracepoint |
//! | `verifier_log.rs` | a program that the kernel's verifier refused, and what it said |
//! | `xdp.rs` | attaching to an interface, replacing what is there |
//! | `detach.rs` | taking off what runs there |
//! | `link.rs` | the guard that an attachment is |
//! | `attachment.rs` | what runs on an interface, and who put it there |
//! | `holder.rs` | which processes hold a link |
//! | `diagnose.rs` | why the kernel refused an attachment |
//! | `denied.rs` | who may forbid what no capability is missing for |
//! | `pins.rs` | where links are pinned, and the lock on that place |
//! | `status.rs` | all interfaces and what runs on them |
//! | `error.rs` | everything that can go wrong |
//!
//! Everything acts on the network namespace of the calling thread.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use ebpf_loader::{Attach, Loader, Xdp};
//!
//! let object = ebpf_asm::object::read(&std::fs::read("target/bpf/drop_icmp.o")?)?;
//! let program = Loader::new(&object).load("xdp_drop_icmp")?;
//! let mut xdp = Xdp::open()?;
//! let eth0 = xdp.interface("eth0")?;
//! // Detaches when `link` goes out of scope; see `Lifetime` for links that outlive the process.
//! let link = xdp.attach(&eth0, &program, &Attach::default())?;
//! # drop(link);
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod attachment;
mod create;
mod denied;
mod detach;
mod diagnose;
mod error;
mod holder;
mod kept;
mod kernel;
mod link;
mod load;
mod map;
mod modules;
mod near;
mod options;
mod pins;
mod program;
mod raw_tracepoint;
mod status;
mod structs;
mod types;
mod verifier_log;
mod xdp;

pub use attachment::{AttachedBy, Attachment, MapFacts, ProgramFacts};
pub use denied::{DeniedBy, denied_by};
pub use error::{Error, ErrorKind, Result};
pub use holder::{Holder, holders};
pub use link::XdpLink;
pub use load::{Loader, Note};
pub use map::{Map, PerCpuValues};
pub use options::with_options;
pub use pins::Pins;
pub use program::Program;
pub use raw_tracepoint::RawTracepointLink;
pub use status::{InterfaceStatus, MovedPin, StalePin, Status};
pub use verifier_log::{Rejection, SourceLine};
pub use xdp::{Attach, Existing, Lifetime, Via, Xdp};

pub use ebpf_syscalls::bpf::{LogLevel, UpdateMode};
pub use ebpf_syscalls::netlink::{Interface, XdpMode};
