//! The kernel's run of the program: real packets, counted before and after it is attached.

use ebpf_asm::object::Object;
use ebpf_asm::program::Program;
use ebpf_loader::{Attach, Loader, Xdp, XdpLink};

use super::Row;
use super::cable::{Cable, NAME};
use super::traffic::Kind;
use crate::advice::failure;
use ebpf_cli::report::{self, Failure};

/// What becomes of all packets.
pub(super) fn rows(object: &Object, program: &Program) -> Result<Vec<Row>, Failure> {
    let mut cable = Cable::new()?;
    report::print("two network namespaces are joined by a veth pair\n")?;
    let before = count(&cable)?;
    let link = cable.at_far_end(|| attach(object, program))?;
    report::print(format_args!(
        "{} is attached to the far end in {} mode, by {}\n",
        program.name,
        link.mode(),
        if link.link_id().is_some() {
            "link"
        } else {
            "netlink"
        }
    ))?;
    cable.wait()?;
    let after = count(&cable)?;
    link.detach().map_err(failure)?;
    let counts = before.into_iter().zip(after);
    Ok(counts
        .map(|((kind, sent, before), (_, _, after))| Row {
            kind,
            sent,
            before,
            after,
        })
        .collect())
}

/// Loads and attaches the program; it is detached when the guard goes.
fn attach(object: &Object, program: &Program) -> Result<XdpLink, Failure> {
    let mut xdp = Xdp::open().map_err(failure)?;
    let interface = xdp.interface(NAME).map_err(failure)?;
    let loaded = Loader::new(object).load(&program.name).map_err(failure)?;
    xdp.attach(&interface, &loaded, &Attach::default())
        .map_err(failure)
}

/// Each kind, with how many packets of it were sent and how many arrived.
fn count(cable: &Cable) -> Result<Vec<(Kind, usize, usize)>, Failure> {
    let macs = cable.macs();
    let carry = |kind: Kind| {
        let frames = kind.frames(macs);
        let arrived = cable.carry(&frames)?;
        Ok((kind, frames.len(), arrived))
    };
    Kind::ALL.into_iter().map(carry).collect()
}
