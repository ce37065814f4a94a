//! What passes and what does not, in both modes.

use ebpf_loader::{Attach, Xdp, XdpMode};
use ebpf_tests::frames;
use ebpf_tests::oracle::{XDP_PASS, verdict};
use ebpf_tests::rig::Rig;
use ebpf_tests::subjects::{self, Subject};
use ebpf_tests::{Outcome, ensure, ensure_eq};
use libtest_mimic::Trial;

use crate::kernel;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for mode in [XdpMode::Native, XdpMode::Generic] {
        trials.push(kernel(&format!("frames::drop_icmp_{mode}"), move || {
            judged(&subjects::drop_icmp()?, mode)
        }));
        trials.push(kernel(
            &format!("frames::count_protocols_{mode}"),
            move || judged(&subjects::count_protocols()?, mode),
        ));
    }
    trials
}

/// Every frame arrives without the program, and with it those that the oracle lets pass.
fn judged(subject: &Subject, mode: XdpMode) -> Outcome {
    let rig = Rig::new()?;
    let program = subject.load()?;
    let wire = rig.wire()?;
    for frame in frames::all() {
        ensure!(
            wire.passes(&frame.bytes)?,
            "without a program, {} is lost",
            frame.name
        );
    }
    let link = rig.inside(|| {
        let mut xdp = Xdp::open()?;
        let interface = xdp.interface(&rig.interface)?;
        let attach = Attach {
            mode,
            ..Attach::default()
        };
        Ok(xdp.attach(&interface, &program, &attach)?)
    })?;
    ensure_eq!(link.mode(), mode, "the link's mode");
    for frame in frames::all() {
        let passes = wire.passes(&frame.bytes)?;
        ensure_eq!(
            passes,
            verdict(&frame.bytes) == XDP_PASS,
            "{} passes",
            frame.name
        );
    }
    link.detach()?;
    for frame in frames::all() {
        ensure!(
            wire.passes(&frame.bytes)?,
            "after detaching, {} is lost",
            frame.name
        );
    }
    Ok(())
}
