//! The answer to a row.
//!
//! Read before: `subject.rs`. Read next: `kernel.rs`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use ebpf_asm::isa::{Callee, Sem};
use ebpf_asm::object::Object;
use ebpf_asm::program::Program;
use ebpf_verifier_sim::{
    Code, Config, KernelLog, KernelTypes, Rejection, Stats, Verdict, Warning, check_freezable,
    check_maps, check_types, verify_until, verify_watched,
};
use serde::Serialize;
use serde_json::value::RawValue;

use super::flags;
use super::row::{MapRow, Row};
use super::subject::{self, StandIn, Unusable, Wrong};
use super::{Kernel, Loader, Log, Wanted, kernel, no_row, unloadable};
use crate::timed::timed;

/// One line of the output. The layout is a promise; fields may be added.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    /// As the row has it; of rows without one it is null.
    id: Option<Box<RawValue>>,
    #[serde(flatten)]
    ours: Said,
    /// The row's fields that mean nothing here; `None` if the line is no row at all.
    #[serde(skip)]
    unknown_fields: Option<Vec<String>>,
    /// The running kernel's answer, if it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    kernel: Option<Said>,
}

/// What a verifier says of a program.
#[derive(Debug, Serialize)]
pub(super) struct Said {
    pub(super) verdict: Word,
    /// The code of a refusal; of the kernel's, if its words are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<String>,
    /// The first words of a refusal, or why nothing can be said.
    pub(super) msg: String,
    /// Instructions followed, over all paths; 0 if unknown.
    pub(super) processed: u64,
    /// How long it took, in microseconds; 0 if unknown.
    pub(super) usec: u64,
    /// What was followed and known, if that was asked for and there is such.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) log: Option<String>,
    /// What is to be said of an accepted program.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) warnings: Vec<Warned>,
}

/// A warning.
#[derive(Debug, Serialize)]
pub(super) struct Warned {
    code: String,
    msg: String,
    slot: usize,
}

impl From<&Warning> for Warned {
    fn from(warning: &Warning) -> Warned {
        Warned {
            code: warning.code.to_string(),
            msg: warning.message.clone(),
            slot: warning.slot,
        }
    }
}

/// A verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Word {
    Accept,
    Reject,
    Unsupported,
}

impl Said {
    fn plain(verdict: Word, msg: String) -> Said {
        Said {
            verdict,
            code: None,
            msg,
            processed: 0,
            usec: 0,
            warnings: Vec::new(),
            log: None,
        }
    }

    pub(super) fn unsupported(reason: impl Into<String>) -> Said {
        Said::plain(Word::Unsupported, reason.into())
    }

    pub(super) fn accept() -> Said {
        Said::plain(Word::Accept, String::new())
    }

    pub(super) fn reject(msg: impl Into<String>) -> Said {
        Said::plain(Word::Reject, msg.into())
    }

    fn code(mut self, code: Code) -> Said {
        self.code = Some(code.to_string());
        self
    }

    fn took(mut self, time: Duration) -> Said {
        self.usec = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self
    }
}

impl Answer {
    /// The fields of the row which mean nothing here; `None` if the line that it answers is no
    /// row.
    pub(super) fn unknown_fields(&self) -> Option<&[String]> {
        self.unknown_fields.as_deref()
    }
}

/// A line of the input.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    /// The file, as messages name it.
    pub(super) file: &'a str,
    /// The number of the line in it, from 1.
    pub(super) number: usize,
    /// Without its end, so that no error is behind it.
    pub(super) text: &'a str,
}

/// Answers a line. Whatever it holds, there is an answer.
pub(super) fn answer(
    line: Line<'_>,
    wanted: Wanted,
    loader: &Loader,
    types: &KernelTypes,
) -> Answer {
    match serde_json::from_str::<Row>(line.text) {
        Ok(row) => of_row(&row, wanted, loader, types),
        Err(error) => Answer {
            id: no_row::id_of(line.text),
            ours: Said::unsupported(format!("no row: {}", line.says(&error))),
            unknown_fields: None,
            kernel: None,
        },
    }
}

impl Line<'_> {
    /// What is wrong with it, with the place in the file.
    fn says(self, error: &serde_json::Error) -> String {
        let why = no_row::why(self.text, error);
        format!("{why}, at {}:{}:{}", self.file, self.number, error.column())
    }
}

fn of_row(row: &Row, wanted: Wanted, loader: &Loader, types: &KernelTypes) -> Answer {
    if let Some(why) = unloadable::why(row) {
        return Answer {
            id: row.id.clone(),
            ours: Said::unsupported(why.as_str()),
            unknown_fields: Some(row.unknown_fields()),
            kernel: matches!(wanted.kernel, Kernel::Asked).then(|| Said::unsupported(why)),
        };
    }
    let Loader { privilege, config } = loader.of(row);
    // A fault of ours in one program must not end the run.
    let ours = catch_unwind(AssertUnwindSafe(|| {
        simulate(row, wanted.log, &config, types)
    }))
    .unwrap_or_else(|_| Ok(Said::unsupported("the verifier met a fault of its own")))
    .unwrap_or_else(|unusable| match unusable {
        Unusable::Refused { code, message } => Said::reject(message).code(code),
        Unusable::Unsupported(reason) => Said::unsupported(reason),
    });
    let kernel = match wanted.kernel {
        Kernel::Asked => Some(kernel::load(row, wanted.log, privilege)),
        Kernel::NotAsked => None,
    };
    Answer {
        id: row.id.clone(),
        ours,
        unknown_fields: Some(row.unknown_fields()),
        kernel,
    }
}

/// What the kernel is asked before the program: whether it has such programs, and takes the types
/// and makes and freezes the maps.
fn check_before(
    row: &Row,
    object: &Object,
    program: &Program,
    config: &Config,
    types: &KernelTypes,
) -> Result<(), Unusable> {
    if types.has_programs(program.prog_type) == Some(false) {
        let message = format!("the kernel has no programs of type {}", program.prog_type);
        return Err(Unusable::Refused {
            code: Code::AttachType,
            message,
        });
    }
    check_types(object, config, types)
        .and_then(|()| check_maps(object, config))
        .and_then(|()| check_frozen(&row.maps, object, config, types))
        .map_err(|why| match why.code {
            Code::NotModelled => Unusable::unsupported(&why.message),
            code => Unusable::Refused {
                code,
                message: why.message.clone(),
            },
        })
}

/// That the kernel freezes the maps, and those in maps, that are to be frozen.
fn check_frozen(
    rows: &[MapRow],
    object: &Object,
    config: &Config,
    types: &KernelTypes,
) -> Result<(), Box<Rejection>> {
    for (row, map) in rows.iter().zip(&object.maps) {
        let outer = (row.frozen, Some(map));
        let inner = row.inner.as_ref().map(|inner| inner.frozen);
        let inner = (inner.unwrap_or(false), map.inner.as_deref());
        for (is_frozen, map) in [inner, outer] {
            if let (true, Some(map)) = (is_frozen, map) {
                check_freezable(map, object, config, types)?;
            }
        }
    }
    Ok(())
}

fn simulate(row: &Row, log: Log, loader: &Config, types: &KernelTypes) -> Result<Said, Unusable> {
    let subject::Subject { object, wrong } = subject::subject(row, loader.kernel)?;
    let program = object
        .programs
        .first()
        .ok_or_else(|| Unusable::unsupported("no program"))?;
    let config = flags::config(row.prog_flags, program, loader)?;
    check_before(row, &object, program, &config, types)?;
    let followed = follow(&object, program, &wrong, log, (&config, types));
    Ok(said(program, &wrong, followed))
}

/// What became of a row.
struct Followed<'w> {
    end: End<'w>,
    log: Option<String>,
    took: Duration,
}

/// Where following a program ended.
enum End<'w> {
    /// With a verdict.
    Verdict(Verdict),
    /// At what is no instruction, if it is known which, and what it took to come there.
    At(Option<&'w Wrong>, Stats),
}

/// Verifies the program of a row, some of whose instructions stand for what is none: as far as the
/// first that the kernel refuses.
fn follow<'w>(
    object: &Object,
    program: &Program,
    wrong: &'w [Wrong],
    log: Log,
    (config, types): (&Config, &KernelTypes),
) -> Followed<'w> {
    let ends = ends(wrong);
    // Whoever watches makes it slower: how long it takes is asked for without.
    let (verdict, took) = timed(types, || {
        verify_until(object, program, config, types, &ends)
    });
    let at = |(slot, stats)| End::At(refused_at(wrong, slot), stats);
    let end = verdict.map_or_else(at, End::Verdict);
    let log = match (&end, log) {
        (End::Verdict(verdict), Log::States) => {
            let mut written = KernelLog::new(object, program, types);
            verify_watched(object, program, config, types, &mut |event| {
                written.add(event);
            });
            written.end(verdict);
            Some(written.take())
        }
        _ => None,
    };
    Followed { end, log, took }
}

/// The instructions behind which nothing need be followed: the first of all, if something is refused
/// wherever it stands.
fn ends(wrong: &[Wrong]) -> Vec<usize> {
    match anywhere(wrong) {
        Some(_) => vec![0],
        None => wrong.iter().map(|one| one.slot).collect(),
    }
}

/// The first that is refused wherever it stands.
fn anywhere(wrong: &[Wrong]) -> Option<&Wrong> {
    wrong.iter().find(|one| one.stand_in == StandIn::Anywhere)
}

/// What a row is refused for that was followed until the instruction at `slot`.
fn refused_at(wrong: &[Wrong], slot: usize) -> Option<&Wrong> {
    anywhere(wrong).or_else(|| wrong.iter().find(|one| one.slot == slot))
}

/// The answer. The log of what stands for something else is none of the row.
fn said(program: &Program, wrong: &[Wrong], followed: Followed<'_>) -> Said {
    let Followed { end, log, took } = followed;
    let (refused, processed) = match &end {
        End::At(refused, stats) => (*refused, stats.processed),
        End::Verdict(verdict) => (refused_for(program, wrong, verdict), processed(verdict)),
    };
    let said = match (refused, end) {
        (Some(wrong), _) => {
            let said = Said {
                // What is refused wherever it stands is so before anything is followed.
                processed: match wrong.stand_in {
                    StandIn::Anywhere => 0,
                    StandIn::Refused | StandIn::Nearly => processed,
                },
                ..Said::reject(&wrong.message)
            };
            return said.code(Code::Encoding).took(took);
        }
        (None, End::At(..)) => Said::unsupported("it is not known what is refused"),
        (None, End::Verdict(Verdict::Accepted(_, warnings))) => Said {
            processed,
            warnings: warnings.iter().map(Warned::from).collect(),
            ..Said::accept()
        },
        (None, End::Verdict(Verdict::Rejected(why))) if why.code == Code::NotModelled => {
            Said::unsupported(why.message.as_str()).code(why.code)
        }
        (None, End::Verdict(Verdict::Rejected(why))) => Said {
            processed,
            ..Said::reject(why.words()).code(why.code)
        },
    };
    Said {
        log,
        ..said.took(took)
    }
}

/// How many instructions were followed until the verdict.
fn processed(verdict: &Verdict) -> u64 {
    match verdict {
        Verdict::Accepted(stats, _) => stats.processed,
        Verdict::Rejected(why) => why.stats.processed,
    }
}

/// What is no instruction and is what the row is refused for, if it is, by the verdict on what stands
/// for it.
fn refused_for<'w>(program: &Program, wrong: &'w [Wrong], verdict: &Verdict) -> Option<&'w Wrong> {
    let why = verdict.rejection();
    if why.is_some_and(|why| BEFORE_WORDS.contains(&why.code)) {
        return None;
    }
    // Calls of functions are looked at before their fields are.
    let is_call = |slot| {
        let mut slots = program.slots();
        let here = slots.find(|(at, _)| *at == slot);
        here.is_some_and(|(_, insn)| matches!(insn.sem(), Sem::Call(Callee::Local | Callee::Kfunc)))
    };
    let is_refused = |one: &&Wrong| {
        let is_late = match one.stand_in {
            StandIn::Refused => true,
            StandIn::Nearly => !is_call(one.slot),
            StandIn::Anywhere => false,
        };
        let is_here = |why: &Rejection| why.slot == one.slot && !BEFORE_PATHS.contains(&why.code);
        is_late && why.is_some_and(is_here)
    };
    anywhere(wrong).or_else(|| wrong.iter().find(is_refused))
}

/// The codes of what the kernel finds before it looks what instructions mean.
const BEFORE_WORDS: [Code; 6] = [
    Code::JumpOutOfRange,
    Code::FallsOff,
    Code::Length,
    Code::BadBtf,
    Code::AttachType,
    Code::LoadFlags,
];

/// The codes of what it finds at an instruction that no path leads to, or of what is not for the
/// program or the function whatever its fields are.
const BEFORE_PATHS: [Code; 4] = [
    Code::FallsOff,
    Code::Unreachable,
    Code::TailCall,
    Code::PacketLoad,
];
