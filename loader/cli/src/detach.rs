//! `ebpfld detach`: whatever runs on an interface, off it.

use ebpf_loader::Xdp;

use crate::advice::{self, failure};
use crate::args::DetachArgs;
use ebpf_cli::report::{self, Failure};

/// Runs the command.
pub(crate) fn run(args: &DetachArgs) -> Result<(), Failure> {
    let mut xdp = Xdp::open().map_err(failure)?;
    let interface = xdp.interface(&args.interface).map_err(failure)?;
    for detached in xdp.detach(&interface).map_err(failure)? {
        report::print(format_args!(
            "detached {} from {}, where it ran in {} mode\n",
            advice::program(&detached),
            interface.name,
            detached.mode
        ))
        .map_err(|failure| failure.help("the program is detached all the same"))?;
    }
    Ok(())
}
