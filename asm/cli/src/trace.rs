//! `check --trace` and `--log-level`: what the verifier does, instruction by instruction.
//!
//! The log is the kernel's format; the trace says the same for people, with the registers and
//! slots that changed or with all of them, or as JSON, one event a line:
//!
//! ```text
//! {"program":"xdp_drop","event":"step","slot":3,"insn":"r3 += 14","frame":0,
//!  "regs":{"r3":"pkt(off=14,r=0)"},"stack":{},"refs":[]}
//! ```
//!
//! Of `changes` a register or slot that holds nothing any more is `null`.

use std::io::{self, Write};

use ebpf_asm::insn::Insn;
use ebpf_asm::object::Object;
use ebpf_asm::program::Program;
use ebpf_verifier_sim::{
    Config, EnteredBy, Event, FrameSnapshot, KernelLog, KernelTypes, Snapshot, Verdict,
    kernel_call, verify_watched,
};
use serde_json::{Map, Value, json};

use crate::args::Shown;

/// How what happens is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// In the format of the kernel's log.
    KernelLog,
    /// For people.
    Text(Shown),
    /// As JSON, one event a line.
    Json(Shown),
}

/// Verifies a program and shows on the way what happens.
///
/// # Errors
/// Those of `out`.
pub(crate) fn verify(
    object: &Object,
    program: &Program,
    config: &Config,
    types: &KernelTypes,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<Verdict> {
    let mut log = KernelLog::new(object, program, types);
    let spelled = |slot: usize, insn: &Insn| {
        let call = kernel_call(object, program, types, (slot, insn));
        call.unwrap_or_else(|| insn.to_string())
    };
    let mut written = Ok(());
    let verdict = verify_watched(object, program, config, types, &mut |event| {
        let text = match style {
            Style::KernelLog => {
                log.add(event);
                log.take()
            }
            Style::Text(shown) => text(event, &spelled, shown),
            Style::Json(shown) => json(&program.name, event, &spelled, shown)
                .map(|event| format!("{event}\n"))
                .unwrap_or_default(),
        };
        if written.is_ok() {
            written = out.write_all(text.as_bytes());
        }
    });
    written?;
    if style == Style::KernelLog {
        log.end(&verdict);
        out.write_all(log.take().as_bytes())?;
    }
    Ok(verdict)
}

/// How an instruction at a slot is spelled: functions of the kernel by their names.
type Spelled<'s> = dyn Fn(usize, &Insn) -> String + 's;

/// An event for people.
fn text(event: &Event<'_>, spelled: &Spelled<'_>, shown: Shown) -> String {
    match event {
        // Its step tells of it, or the refusal.
        Event::Reached { .. } => String::new(),
        Event::Begin { slot, state } => format!("begins at {slot}\n{}", all(state)),
        Event::Branch { from, slot, state } => {
            format!("\nbranch from {from} to {slot}\n{}", all(state))
        }
        Event::Covered { slot } => {
            format!("{slot:5}  (an earlier path through here covers the rest)\n")
        }
        Event::Step {
            slot,
            insn,
            before,
            goes_on,
            ..
        } => {
            let states = goes_on.map(|(_, after)| match shown {
                Shown::Whole => all(after),
                Shown::Changes => changed(before, after),
            });
            let insn = spelled(*slot, insn);
            format!("{slot:5}  {insn}\n{}", states.unwrap_or_default())
        }
    }
}

/// What changed between two states, in the function that is active then.
struct Changes<'s> {
    depth: usize,
    /// What registers hold now, by number, if they hold anything.
    regs: Vec<(usize, Option<&'s String>)>,
    /// The same of slots of the stack, by offset from R10.
    stack: Vec<(i64, Option<&'s String>)>,
}

impl<'s> Changes<'s> {
    fn between(before: &'s Snapshot, after: &'s Snapshot) -> Changes<'s> {
        let depth = after.frames.len().saturating_sub(1);
        let old = before.frames.get(depth).unwrap_or(&NOTHING);
        let new = after.frames.get(depth).unwrap_or(&NOTHING);
        Changes {
            depth,
            regs: difference(&old.regs, &new.regs),
            stack: difference(&old.stack, &new.stack),
        }
    }
}

/// The frame of a function that is not active.
static NOTHING: FrameSnapshot = FrameSnapshot {
    regs: Vec::new(),
    stack: Vec::new(),
    entered: EnteredBy::Program,
};

/// What differs of two lists: what is there now at each place, if anything is.
fn difference<'s, K: PartialEq + Copy>(
    old: &'s [(K, String)],
    new: &'s [(K, String)],
) -> Vec<(K, Option<&'s String>)> {
    let changed = new.iter().filter(|entry| !old.contains(entry));
    let changed = changed.map(|(at, holds)| (*at, Some(holds)));
    let is_gone = |at: &K| !new.iter().any(|(other, _)| other == at);
    let gone = old
        .iter()
        .filter(|(at, _)| is_gone(at))
        .map(|(at, _)| (*at, None));
    changed.chain(gone).collect()
}

/// All that is known, a line a register, slot and reference.
fn all(state: &Snapshot) -> String {
    let mut text = String::new();
    for (depth, frame) in state.frames.iter().enumerate() {
        for (number, holds) in &frame.regs {
            text += &line(depth, format_args!("r{number} = {holds}"));
        }
        for (off, holds) in &frame.stack {
            text += &line(depth, format_args!("fp{off} = {holds}"));
        }
    }
    for id in &state.references {
        text += &line(0, format_args!("reference {id} must be given back"));
    }
    text
}

/// What changed, a line a register, slot and reference.
fn changed(before: &Snapshot, after: &Snapshot) -> String {
    let Changes { depth, regs, stack } = Changes::between(before, after);
    let now = |holds: Option<&'_ String>| holds.map_or("nothing", String::as_str).to_owned();
    let mut text = String::new();
    for (number, holds) in regs {
        text += &line(depth, format_args!("r{number} = {}", now(holds)));
    }
    for (off, holds) in stack {
        text += &line(depth, format_args!("fp{off} = {}", now(holds)));
    }
    let (old, new) = (&before.references, &after.references);
    for id in new.iter().filter(|id| !old.contains(id)) {
        text += &line(depth, format_args!("reference {id} must be given back"));
    }
    for id in old.iter().filter(|id| !new.contains(id)) {
        text += &line(depth, format_args!("reference {id} is given back"));
    }
    text
}

/// A line below an instruction; what is in another function than the program names it.
fn line(depth: usize, says: std::fmt::Arguments<'_>) -> String {
    match depth {
        0 => format!("           {says}\n"),
        _ => format!("           frame {depth}: {says}\n"),
    }
}

/// An event as JSON.
fn json(program: &str, event: &Event<'_>, spelled: &Spelled<'_>, shown: Shown) -> Option<Value> {
    let whole = |state: &Snapshot| -> Value { state.frames.iter().map(frame).collect() };
    Some(match event {
        Event::Reached { .. } => return None,
        Event::Begin { slot, state } => json!({
            "program": program, "event": "begin", "slot": slot,
            "frames": whole(state), "refs": state.references,
        }),
        Event::Branch { from, slot, state } => json!({
            "program": program, "event": "branch", "from": from, "slot": slot,
            "frames": whole(state), "refs": state.references,
        }),
        Event::Covered { slot } => json!({"program": program, "event": "covered", "slot": slot}),
        Event::Step {
            slot,
            insn,
            before,
            goes_on,
            ..
        } => {
            let mut step = json!({
                "program": program, "event": "step", "slot": slot, "insn": spelled(*slot, insn),
            });
            if let (Some((_, after)), Some(step)) = (goes_on, step.as_object_mut()) {
                match shown {
                    Shown::Whole => {
                        step.insert("frames".to_owned(), whole(after));
                    }
                    Shown::Changes => step.extend(json_changes(before, after)),
                }
                step.insert("refs".to_owned(), json!(after.references));
            }
            step
        }
    })
}

fn json_changes(before: &Snapshot, after: &Snapshot) -> Map<String, Value> {
    let Changes { depth, regs, stack } = Changes::between(before, after);
    let regs = regs
        .into_iter()
        .map(|(at, holds)| (format!("r{at}"), json!(holds)));
    let stack = stack
        .into_iter()
        .map(|(at, holds)| (at.to_string(), json!(holds)));
    Map::from_iter([
        ("frame".to_owned(), json!(depth)),
        ("regs".to_owned(), Value::Object(regs.collect())),
        ("stack".to_owned(), Value::Object(stack.collect())),
    ])
}

fn frame(frame: &FrameSnapshot) -> Value {
    let regs = frame
        .regs
        .iter()
        .map(|(at, holds)| (format!("r{at}"), json!(holds)));
    let stack = frame
        .stack
        .iter()
        .map(|(at, holds)| (at.to_string(), json!(holds)));
    json!({"regs": regs.collect::<Map<_, _>>(), "stack": stack.collect::<Map<_, _>>()})
}
