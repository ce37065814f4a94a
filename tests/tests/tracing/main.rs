//! Programs on raw tracepoints of the real kernel: what they see is so.
//!
//! `sched_watch.rs` is about the program of that name; `kernel_types.rs` about what the kernel's
//! types answer; `memory.rs` about reading the kernel's memory; `attach.rs` about what cannot
//! be attached.
#![forbid(unsafe_code)]

mod attach;
mod kernel_types;
mod memory;
mod sched_watch;

use std::process::ExitCode;

use ebpf_asm::object::Object;
use ebpf_dsl::{Data, Unit};
use ebpf_loader::{Loader, Map, RawTracepointLink};
use ebpf_tests::policy::{self, Need};
use ebpf_tests::{Outcome, subjects};
use ebpf_verifier_sim::{Config, Decor, Verdict, verify};
use libtest_mimic::Trial;

fn main() -> ExitCode {
    policy::main(|| {
        let modules = [
            sched_watch::trials(),
            kernel_types::trials(),
            memory::trials(),
            attach::trials(),
        ];
        modules.into_iter().flatten().collect()
    })
}

/// A trial on a kernel that tells its types.
fn kernel(name: &str, run: impl FnOnce() -> Outcome + Send + 'static) -> Trial {
    policy::trial(name, &[Need::Kernel, Need::Vmlinux], run)
}

/// Loads a program and attaches it for as long as the link is there.
fn attach(loader: &mut Loader<'_>, program: &str) -> Outcome<RawTracepointLink> {
    Ok(subjects::load(loader, program)?.attach_raw_tracepoint()?)
}

/// A unit's object, which our verifier takes.
fn object(unit: &Unit) -> Outcome<Object> {
    let object = ebpf_asm::compile(unit)?;
    for program in &object.programs {
        let verdict = verify(&object, program, &Config::default());
        if let Verdict::Rejected(why) = verdict {
            return Err(why.render(program, Decor::Plain).into());
        }
    }
    Ok(object)
}

/// A map that the loader has made.
fn map<'l>(loader: &'l mut Loader<'_>, name: &str) -> Outcome<&'l Map> {
    let map = loader.map(name)?;
    map.ok_or_else(|| format!("the object has no map {name}").into())
}

/// A value of a map.
fn value<V: Data>(map: &Map, key: &impl Data) -> Outcome<Option<V>> {
    let bytes = map.lookup(&key.to_bytes())?;
    Ok(bytes.and_then(|bytes| V::from_bytes(&bytes)))
}
