//! `ebpfld demo`: the main job with nothing prepared, and nothing left behind.
//!
//! As root, real packets go through a network of its own, before and after the program
//! is attached. Without root, the interpreter runs the program on the same packets.
//!
//! | file | concept |
//! |---|---|
//! | `traffic.rs` | the packets |
//! | `cable.rs` | two network namespaces, joined by a veth pair |
//! | `live.rs` | the kernel's run, counted |
//! | `simulated.rs` | the interpreter's run, counted |
//!
//! It needs no cleaning up, whatever ends it: the namespaces and the link are held by
//! this process alone, and go with it.

mod cable;
mod live;
mod simulated;
mod traffic;

use ebpf_asm::object::Object;
use ebpf_asm::program::Program;
use ebpf_programs::drop_icmp;
use ebpf_syscalls::caps::{self, Capability};
use ebpf_verifier_sim::{Config, Decor, Verdict, verify};

use crate::table::{Align, Table};
use ebpf_cli::exit::Exit;
use ebpf_cli::report::{self, Failure};
use traffic::Kind;

/// What the kernel's run needs.
const NEEDS: &[Capability] = &[
    Capability::SysAdmin,
    Capability::NetAdmin,
    Capability::NetRaw,
    Capability::Bpf,
];

/// What became of the packets of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Row {
    kind: Kind,
    sent: usize,
    /// How many arrived before the program was attached.
    before: usize,
    /// How many arrived after it was.
    after: usize,
}

/// Runs the command.
pub(crate) fn run() -> Result<(), Failure> {
    let object = build()?;
    let program = only_program(&object)?;
    check(&object, program)?;
    report::print(format_args!(
        "{} is {} instructions, built and verified in this process\n",
        program.name,
        program.insns.len()
    ))?;
    let expected = simulated::rows(&object, program)?;
    match real(&object, program) {
        Ok(counted) => {
            report::print(format_args!("\n{}", table(&counted)))?;
            compare(&expected, &counted)?;
            report::print("\ndetached; the namespaces are gone, and nothing is left behind\n")
        }
        Err(failure) if failure.exit() == Exit::Permission => {
            report::note(format_args!(
                "no real packets are sent: {}",
                failure.message()
            ));
            report::print(format_args!(
                "the interpreter ran it on the same packets:\n\n{}",
                table(&expected)
            ))
        }
        Err(failure) => Err(failure),
    }
}

/// The kernel's run, where this process may.
fn real(object: &Object, program: &Program) -> Result<Vec<Row>, Failure> {
    let missing = missing();
    if missing.is_empty() {
        return live::rows(object, program);
    }
    let names: Vec<_> = missing.iter().map(Capability::to_string).collect();
    Err(Failure::new(
        Exit::Permission,
        format!("that needs root (sudo), or {}", names.join(", ")),
    ))
}

/// The program of `programs/drop_icmp.rs`, as `ebpfasm build` makes it.
fn build() -> Result<Object, Failure> {
    let object = ebpf_asm::compile(&drop_icmp::unit());
    object.map_err(|error| Failure::new(Exit::Internal, format!("cannot build drop_icmp: {error}")))
}

fn only_program(object: &Object) -> Result<&Program, Failure> {
    object
        .programs
        .first()
        .ok_or_else(|| Failure::new(Exit::Internal, "drop_icmp declares no program"))
}

/// Verifies the program before any kernel sees it.
fn check(object: &Object, program: &Program) -> Result<(), Failure> {
    match verify(object, program, &Config::default()) {
        Verdict::Accepted(..) => Ok(()),
        Verdict::Rejected(why) => Err(Failure::new(
            Exit::Rejected,
            format!("program '{}' is not safe: {}", program.name, why.message),
        )
        .details(why.render(program, Decor::Styled))),
    }
}

/// What this process lacks for the kernel's run.
fn missing() -> Vec<Capability> {
    let lacks = |set: caps::CapabilitySet| {
        let lacking = NEEDS.iter().filter(|&&need| !set.grants(need));
        lacking.copied().collect()
    };
    caps::effective().map_or_else(|_| NEEDS.to_vec(), lacks)
}

fn table(rows: &[Row]) -> Table<6> {
    let mut table = Table::new([
        ("PACKETS", Align::Left),
        ("SENT", Align::Right),
        ("BEFORE: RECEIVED", Align::Right),
        ("DROPPED", Align::Right),
        ("ATTACHED: RECEIVED", Align::Right),
        ("DROPPED", Align::Right),
    ]);
    for row in rows {
        table.row([
            row.kind.name().to_owned(),
            row.sent.to_string(),
            row.before.to_string(),
            row.sent.saturating_sub(row.before).to_string(),
            row.after.to_string(),
            row.sent.saturating_sub(row.after).to_string(),
        ]);
    }
    table
}

/// The kernel must have done what the interpreter said that it would.
fn compare(expected: &[Row], counted: &[Row]) -> Result<(), Failure> {
    if expected == counted {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Internal,
        "other packets arrived than the interpreter's run of the program says",
    )
    .details(format!("{}", table(expected)))
    .help("on a busy machine packets can get lost: run it again, and report it if it stays"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_icmp_is_dropped_and_the_table_says_so() {
        let object = build().unwrap();
        let rows = simulated::rows(&object, only_program(&object).unwrap()).unwrap();
        for row in &rows {
            let passes = if row.kind == Kind::Icmp { 0 } else { row.sent };
            assert_eq!((row.before, row.after), (row.sent, passes), "{row:?}");
        }
        assert_eq!(table(&rows).to_string().lines().count(), 1 + rows.len());
    }

    #[test]
    fn a_lost_packet_is_not_passed_over() {
        let object = build().unwrap();
        let rows = simulated::rows(&object, only_program(&object).unwrap()).unwrap();
        assert!(compare(&rows, &rows).is_ok());
        let mut lost = rows.clone();
        lost[1].after -= 1;
        assert_eq!(compare(&rows, &lost).unwrap_err().exit(), Exit::Internal);
    }
}
