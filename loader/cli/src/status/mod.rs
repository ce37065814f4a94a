//! `ebpfld status`: the XDP programs that run on the interfaces of this network namespace.

mod json;

use std::fs;

use ebpf_loader::{AttachedBy, Attachment, ProgramFacts, Status, Xdp, holders};

use crate::advice::failure;
use crate::age::age;
use crate::args::StatusArgs;
use crate::table::{Align, Table};
use ebpf_cli::report::{self, Failure};

/// Whether the kernel counts runs: 0 or 1.
const STATISTICS: &str = "/proc/sys/kernel/bpf_stats_enabled";

/// For what is not known.
const UNKNOWN: &str = "-";

/// Runs the command.
pub(crate) fn run(args: &StatusArgs) -> Result<(), Failure> {
    let status = Xdp::open().map_err(failure)?.status().map_err(failure)?;
    if args.json {
        return report::print(json::render(&status)?);
    }
    report::print(human(&status))?;
    for remark in remarks(&status) {
        report::note(remark);
    }
    Ok(())
}

/// Whether run statistics are on now.
fn statistics_are_on() -> bool {
    fs::read_to_string(STATISTICS).is_ok_and(|text| text.trim() == "1")
}

/// How often a program ran and for how long, if the kernel counted that.
fn runs(program: &ProgramFacts) -> Option<(u64, u64)> {
    let counted = program.run_cnt > 0 || statistics_are_on();
    counted.then_some((program.run_cnt, program.run_time_ns))
}

/// The tag as everybody writes it: 16 hexadecimal digits.
fn tag(program: &ProgramFacts) -> String {
    program
        .tag
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn human(status: &Status) -> String {
    if attachments(status).next().is_none() {
        return "no interface runs an XDP program\n".to_owned();
    }
    let mut table = Table::new([
        ("INTERFACE", Align::Left),
        ("PROGRAM", Align::Left),
        ("ID", Align::Right),
        ("TAG", Align::Left),
        ("MODE", Align::Left),
        ("ATTACHED BY", Align::Left),
        ("LOADED", Align::Left),
        ("RUNS", Align::Right),
        ("NS/RUN", Align::Right),
        ("MAPS", Align::Left),
        ("PINNED AT", Align::Left),
    ]);
    for (interface, attachment) in attachments(status) {
        table.row(row(interface, attachment));
    }
    table.to_string()
}

/// Every attachment with its interface's name.
fn attachments(status: &Status) -> impl Iterator<Item = (&str, &Attachment)> {
    status.interfaces.iter().flat_map(|on| {
        let name = on.interface.name.as_str();
        on.attachments
            .iter()
            .map(move |attachment| (name, attachment))
    })
}

fn row(interface: &str, attachment: &Attachment) -> [String; 11] {
    let unknown = || UNKNOWN.to_owned();
    let program = attachment.program.as_ref();
    let of = |show: &dyn Fn(&ProgramFacts) -> String| program.map_or_else(unknown, show);
    let runs = program.and_then(runs);
    let per_run = runs.and_then(|(count, ns)| ns.checked_div(count));
    let (by, pin) = attached_by(&attachment.by);
    [
        interface.to_owned(),
        of(&|program| program.name.clone()),
        attachment.prog_id.to_string(),
        of(&tag),
        attachment.mode.to_string(),
        by,
        program
            .and_then(|program| program.loaded)
            .map_or_else(unknown, age),
        runs.map_or_else(unknown, |(count, _)| count.to_string()),
        per_run.map_or_else(unknown, |ns| ns.to_string()),
        of(&maps),
        pin,
    ]
}

fn attached_by(by: &AttachedBy) -> (String, String) {
    match by {
        AttachedBy::OurLink { link_id, pin } => {
            (format!("link {link_id}"), pin.display().to_string())
        }
        AttachedBy::OtherLink { link_id } => (
            format!("link {link_id} ({})", owner(*link_id)),
            UNKNOWN.to_owned(),
        ),
        AttachedBy::Netlink => ("netlink".to_owned(), UNKNOWN.to_owned()),
        AttachedBy::Unknown => (UNKNOWN.to_owned(), UNKNOWN.to_owned()),
    }
}

/// Whose link that is not ours is.
fn owner(link_id: u32) -> String {
    match holders(link_id).as_slice() {
        [] => "another owner".to_owned(),
        [holder] => format!("held by {holder}"),
        [holder, others @ ..] => format!("held by {holder}, and {} more", others.len()),
    }
}

fn maps(program: &ProgramFacts) -> String {
    let maps = program.maps.iter();
    let names: Vec<_> = maps
        .map(|map| format!("{}({})", map.name, map.id))
        .collect();
    match names.as_slice() {
        [] => UNKNOWN.to_owned(),
        names => names.join(","),
    }
}

/// What the table cannot say.
fn remarks(status: &Status) -> Vec<String> {
    let mut remarks = Vec::new();
    if attachments(status).any(|(_, attachment)| attachment.program.is_none()) {
        remarks.push("run it as root to see the names of programs and who attached them".into());
    } else if attachments(status).next().is_some() && !statistics_are_on() {
        remarks.push("to count runs: sysctl -w kernel.bpf_stats_enabled=1".to_owned());
    }
    for pin in &status.stale_pins {
        remarks.push(format!(
            "{} is left of an interface that is gone; the next detach removes it",
            pin.path.display()
        ));
    }
    for pin in &status.moved_pins {
        remarks.push(format!(
            "{} keeps a program on an interface that has moved to another network namespace; \
             `ebpfld detach` takes it off there",
            pin.path.display()
        ));
    }
    remarks
}
