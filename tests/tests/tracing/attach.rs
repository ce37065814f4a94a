//! What cannot be attached to a raw tracepoint, and what is said of it.

use ebpf_dsl::prelude::*;
use ebpf_loader::{Error, ErrorKind, Loader};
use ebpf_tests::{Outcome, ensure_eq, subjects};
use libtest_mimic::Trial;

use crate::{kernel, object};

pub(crate) fn trials() -> Vec<Trial> {
    let missing = || {
        let unit = Unit::new("t").raw_tracepoint("watch", "no_such_tracepoint", |_, _| {});
        let message = "the kernel has no tracepoint 'no_such_tracepoint', which the object needs";
        refused(&unit, "watch", ErrorKind::Unsupported, message)
    };
    let argument = || {
        let unit = Unit::new("t").raw_tracepoint("watch", "sched_switch", |f, ctx| {
            f.return_if(ctx.arg::<u64>(11).eq(1), ());
        });
        let message =
            "program 'watch' reads an argument that tracepoint 'sched_switch' does not have";
        refused(&unit, "watch", ErrorKind::BadObject, message)
    };
    let kind = || {
        let unit = Unit::new("t").xdp("pass", |_, _| XDP_PASS);
        let message = "program 'pass' is of type xdp, and not for a raw tracepoint";
        refused(&unit, "pass", ErrorKind::BadObject, message)
    };
    vec![
        kernel("attach::no_such_tracepoint", missing),
        kernel("attach::an_argument_too_many", argument),
        kernel("attach::a_program_of_another_type", kind),
    ]
}

fn refused(unit: &Unit, program: &str, kind: ErrorKind, message: &str) -> Outcome {
    let object = object(unit)?;
    let program = subjects::load(&mut Loader::new(&object), program)?;
    let said = |error: Error| (error.kind(), error.to_string());
    let refused = program.attach_raw_tracepoint().map(drop).map_err(said);
    ensure_eq!(refused, Err((kind, message.to_owned())), "attaching");
    Ok(())
}
