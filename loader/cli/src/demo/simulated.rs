//! The interpreter's run of the program, counted like the kernel's.

use ebpf_asm::object::Object;
use ebpf_asm::program::Program;
use ebpf_verifier_sim::interp::{Machine, Packet};

use super::Row;
use super::traffic::{Kind, Macs};
use ebpf_cli::exit::Exit;
use ebpf_cli::report::Failure;

/// `XDP_PASS` of the UAPI's `enum xdp_action`: the packet goes on to the network stack.
const XDP_PASS: u32 = 2;

/// What becomes of all packets.
pub(super) fn rows(object: &Object, program: &Program) -> Result<Vec<Row>, Failure> {
    let mut machine = Machine::new(object).map_err(|error| failed(&error))?;
    let kinds = Kind::ALL.into_iter();
    kinds.map(|kind| row(&mut machine, program, kind)).collect()
}

fn row(machine: &mut Machine, program: &Program, kind: Kind) -> Result<Row, Failure> {
    let frames = kind.frames(Macs::EXAMPLE);
    let mut passed = 0;
    for frame in &frames {
        let run = machine
            .run(&program.name, Packet::new(frame))
            .map_err(|error| failed(&error))?;
        passed += usize::from(run.ret == XDP_PASS);
    }
    Ok(Row {
        kind,
        sent: frames.len(),
        before: frames.len(),
        after: passed,
    })
}

fn failed(error: &dyn std::error::Error) -> Failure {
    Failure::new(
        Exit::Internal,
        format!("cannot interpret the program: {error}"),
    )
}
