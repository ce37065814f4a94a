//! What the verifiers say: programs of a fixed seed, in the simulator and in the kernel.
//!
//! The simulator may refuse in doubt; accepting what the kernel refuses is a fault. The long
//! run is a binary of its own: see CONTRIBUTING.md.

use ebpf_tests::differential::campaign::{Campaign, Kind, Report};
use ebpf_tests::differential::generate::Construct;
use ebpf_tests::differential::generate::growing::NAMES;
use ebpf_tests::{Outcome, commands, ensure};

/// The seed of the run that everybody makes.
const SEED: u64 = 1;

/// One program of so many has each construct at least.
const RAREST: u64 = 100;

/// The simulator may refuse one program in vain of so many that it judges.
const IN_VAIN: u64 = 500;

/// The simulator may follow more than the kernel of one program in so many.
const MORE: usize = 200;

/// What both refuse may be refused in other words once in so many times.
const IN_OTHER_WORDS: u64 = 500;

/// Loops that lie in one another: both follow the same rounds.
pub(crate) fn loops_are_followed_alike(cases: u32) -> Outcome {
    let campaign = Campaign {
        kind: Kind::Loops,
        seed: SEED,
        count: cases.into(),
        shown: 3,
        ..Campaign::default()
    };
    let ebpfasm = &commands::built()?.ebpfasm;
    let report = campaign.run(ebpfasm)?;
    let (whole, followed) = (report.matrix.whole, &report.followed);
    println!("{}\n{followed}", report.matrix);
    ensure!(
        whole.both_accept * 4 > whole.total() * 3,
        "too few are accepted:\n{whole}"
    );
    treated_alike(&campaign, &report)
}

/// That both give the same verdicts, and follow as many instructions.
fn treated_alike(campaign: &Campaign, report: &Report) -> Outcome {
    let (whole, followed) = (report.matrix.whole, &report.followed);
    ensure!(
        whole.both_accept + whole.both_refuse == whole.total(),
        "the verdicts differ:\n{whole}\n{}",
        report.kinds(campaign, &commands::built()?.ebpfasm)?
    );
    ensure!(
        followed.fewer.is_empty() && followed.more.len() * MORE <= campaign.count as usize,
        "not followed alike:\n{followed}"
    );
    Ok(())
}

/// Programs that grow from accepted ones: both say the same of each, in the same words, and follow
/// as many instructions.
pub(crate) fn growing_programs_are_treated_alike(cases: u32) -> Outcome {
    let campaign = Campaign {
        kind: Kind::Growing,
        seed: SEED,
        count: cases.into(),
        shown: 3,
        ..Campaign::default()
    };
    let ebpfasm = &commands::built()?.ebpfasm;
    let report = campaign.run(ebpfasm)?;
    let (matrix, followed, worded) = (&report.matrix, &report.followed, &report.worded);
    println!("{matrix}\n{followed}\n{worded}");
    for name in NAMES {
        let count = matrix.by_construct.get(name).map_or(0, |cell| cell.total());
        ensure!(
            count * RAREST >= u64::from(cases),
            "only {count} programs of {cases} have {name}"
        );
    }
    let whole = matrix.whole;
    ensure!(
        whole.both_accept * 3 > whole.total(),
        "too few grow on:\n{whole}"
    );
    ensure!(
        report.unsound() == 0,
        "accepted falsely:\n{whole}\n{}",
        report.kinds(&campaign, ebpfasm)?
    );
    treated_alike(&campaign, &report)?;
    ensure!(
        worded.other.len() as u64 * IN_OTHER_WORDS <= whole.both_refuse,
        "refused in other words:\n{worded}"
    );
    Ok(())
}

pub(crate) fn no_false_accept(cases: u32) -> Outcome {
    let campaign = Campaign {
        seed: SEED,
        count: cases.into(),
        shown: 3,
        ..Campaign::default()
    };
    let ebpfasm = &commands::built()?.ebpfasm;
    let report = campaign.run(ebpfasm)?;
    let matrix = &report.matrix;
    println!("{matrix}");
    for &(construct, _) in Construct::TABLE {
        let cell = matrix.by_construct.get(construct.text());
        let count = cell.map_or(0, |cell| cell.total());
        ensure!(
            count * RAREST >= u64::from(cases),
            "only {count} programs of {cases} have {}",
            construct.text()
        );
    }
    let whole = matrix.whole;
    let (ended, modelled) = (report.ran.modelled_ended, report.ran.modelled);
    ensure!(
        ended * 10 > modelled * 9 && modelled * 2 > whole.both_accept,
        "the interpreter ran only {ended} of {modelled} programs to the end that it models"
    );
    let judged = whole.total() - whole.unsupported;
    // Otherwise the generator proves nothing.
    ensure!(
        whole.both_accept * 5 > judged * 2 && whole.both_refuse * 3 > judged,
        "too one-sided:\n{whole}"
    );
    if report.unsound() > 0 || whole.false_rejects * IN_VAIN > judged {
        let kinds = report.kinds(&campaign, ebpfasm)?;
        return Err(format!("the verdicts differ:\n{matrix}\n{kinds}").into());
    }
    Ok(())
}
