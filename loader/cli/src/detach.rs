//! `ebpfld detach`: whatever runs on an interface, off it.

use ebpf_loader::Xdp;

use crate::args::DetachArgs;
use crate::report::{self, Failure};

/// Runs the command.
pub(crate) fn run(args: &DetachArgs) -> Result<(), Failure> {
    let mut xdp = Xdp::open()?;
    let interface = xdp.interface(&args.interface)?;
    for detached in xdp.detach(&interface)? {
        report::print(format_args!(
            "detached {} from {}, where it ran in {} mode\n",
            report::program(&detached),
            interface.name,
            detached.mode
        ))
        .map_err(|failure| failure.help("the program is detached all the same"))?;
    }
    Ok(())
}
