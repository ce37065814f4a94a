//! `ebpfasm check --batch`: one program a line, one answer a line.
//!
//! For corpora and fuzzers. The answers come in the order of the rows while rows are still
//! being read, so that a program can ask and wait for the answer. A row that cannot be judged
//! is answered as `unsupported`, with the reason, and nothing in a row ends the run; lines that are
//! no rows at all make it a failure in the end.
//!
//! Read in the order `row.rs`, `no_row.rs`, `unloadable.rs`, `place.rs`, `subject.rs`, `maps.rs`,
//! `wide.rs`, `flags.rs`, `answer.rs`, `kernel.rs`, `no_kernel.rs`, `ordered.rs`.

mod answer;
mod flags;
#[cfg_attr(not(target_os = "linux"), path = "no_kernel.rs")]
mod kernel;
mod maps;
mod no_row;
mod ordered;
mod place;
mod row;
mod subject;
mod unloadable;
mod wide;

use std::collections::BTreeSet;
use std::io::{self, BufReader};
use std::num::NonZero;
use std::panic;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use ebpf_cli::exit::Exit;
use ebpf_cli::input;
use ebpf_cli::report::{self, Failure};
use ebpf_verifier_sim::{Config, KernelTypes};

use self::answer::Line;
use self::row::Row;
use crate::privilege::Privilege;
use crate::verdict::{self, ForWhom};

/// Whether the running kernel is asked too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kernel {
    Asked,
    NotAsked,
}

/// Whether answers hold what the verifier did, in the format of the kernel's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Log {
    States,
    None,
}

/// What answers hold besides our verdict.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) kernel: Kernel,
    pub(crate) log: Log,
}

/// For whom rows are judged that do not say it.
#[derive(Debug, Clone, Copy)]
struct Loader {
    privilege: Privilege,
    config: Config,
}

impl Loader {
    /// Whom a row is judged for.
    fn of(self, row: &Row) -> Loader {
        let privilege = row.privilege.unwrap_or(self.privilege);
        let config = Config {
            capabilities: privilege.capabilities(),
            ..self.config
        };
        Loader { privilege, config }
    }
}

/// Of how many fields it is told that they mean nothing: whose rows have more needs no telling.
const MOST_TOLD: usize = 64;

/// Says once of each field that it means nothing. The row is judged without: rows carry what their
/// makers need as well.
fn note_unknown(fields: &[String], told: &Mutex<BTreeSet<String>>) {
    for field in fields {
        // Who panicked with the lock has told of what is in there.
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() < MOST_TOLD && told.insert(field.clone()) {
            report::note(format_args!(
                "the field '{field}' of rows means nothing here, and is passed over"
            ));
        }
    }
}

/// Answers all rows of a file; `-` is standard input. `jobs` rows are judged at once, by
/// default as many as there are processors. `for_whom` is whom they are judged for, and `types` are
/// those of the kernel.
pub(crate) fn run(
    path: &Path,
    jobs: Option<NonZero<usize>>,
    wanted: Wanted,
    for_whom: ForWhom,
    types: &KernelTypes,
) -> Result<(), Failure> {
    let input = BufReader::new(input::open(path)?);
    let loader = Loader {
        privilege: for_whom.privilege,
        config: verdict::config(for_whom),
    };
    let jobs = jobs
        .or_else(|| thread::available_parallelism().ok())
        .unwrap_or(NonZero::<usize>::MIN);
    // What is caught is answered; its place in our sources helps nobody who reads answers.
    panic::set_hook(Box::new(|_| {}));
    let no_rows = AtomicUsize::new(0);
    let told = Mutex::new(BTreeSet::new());
    let file = input::shown(path);
    ordered::map_lines(input, io::stdout(), jobs, &|number, text| {
        let (file, text) = (file.as_str(), text.trim_end());
        let line = Line { file, number, text };
        let answer = answer::answer(line, wanted, &loader, types);
        match answer.unknown_fields() {
            Some([]) => {}
            Some(fields) => note_unknown(fields, &told),
            None => drop(no_rows.fetch_add(1, Ordering::Relaxed)),
        }
        // Nothing in an answer can fail to be JSON: its maps have text for keys.
        serde_json::to_string(&answer).unwrap_or_default()
    })
    .map_err(|error| match error {
        ordered::Error::Read(error) => input::unreadable(path, &error),
        ordered::Error::Write(error) => Failure::file("write to", "standard output", &error),
    })?;
    match no_rows.into_inner() {
        0 => Ok(()),
        count => Err(Failure::new(
            Exit::BadObject,
            format!("{file}: {count} of the lines are no rows"),
        )
        .help("what is wrong with each stands in its answer")),
    }
}
