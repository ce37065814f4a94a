//! `ebpfld detach`: whatever runs on an interface, off it.

use ebpf_loader::{AttachedBy, Xdp};

use crate::advice::{self, failure};
use crate::args::DetachArgs;
use ebpf_cli::report::{self, Failure};

/// Runs the command.
pub(crate) fn run(args: &DetachArgs) -> Result<(), Failure> {
    let mut xdp = Xdp::open().map_err(failure)?;
    let interface = xdp.interface(&args.interface).map_err(failure)?;
    for detached in xdp.detach(&interface).map_err(failure)? {
        let by = match detached.by {
            AttachedBy::Netlink => "; it was attached by netlink, not by a link of ebpfld's",
            _ => "",
        };
        report::print(format_args!(
            "detached {} from {}, where it ran in {} mode{by}\n",
            advice::program(&detached),
            interface.name,
            detached.mode
        ))
        .map_err(|failure| failure.help("the program is detached all the same"))?;
    }
    Ok(())
}
