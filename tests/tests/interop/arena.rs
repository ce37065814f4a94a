//! Variables in an arena (section `.addr_space.1`), which the system's libbpf does not know yet:
//! the kernel is the witness. libbpf since 1.4 puts them at the beginning of the object's arena, which
//! it maps before it loads a program.

use std::fs;

use ebpf_asm::object::{self, Data, DataKind, Map, Object};
use ebpf_asm::text::{Options, parse, print_object};
use ebpf_loader::Loader;
use ebpf_syscalls::bpf::TestRun;
use ebpf_tests::policy::{self, Need};
use ebpf_tests::{Outcome, clang, ensure, ensure_eq, tool, workspace};
use ebpf_verifier_sim::{Config, verify};
use libtest_mimic::Trial;

const NEEDS: [Need; 3] = [
    Need::Kernel,
    Need::Tool("clang-22"),
    Need::Header("bpf/bpf_helpers.h"),
];

/// Where arenas are in user space: at an address of their own, or at one that the kernel finds.
const ADDRESSES: [u64; 2] = [1 << 44, 0];

/// What the program of `tests/c/arena.c` returns: 7 + 3 + 2, and 5 + 1.
const SUM: u32 = 18;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        policy::trial("arena::read", &NEEDS, || each(Ok)),
        policy::trial("arena::written_again", &NEEDS, || {
            each(|object| Ok(object::read(&object::write(&object)?)?))
        }),
        policy::trial("arena::of_the_text", &NEEDS, || each(of_the_text)),
    ]
}

/// What is made of the object is read, verified, and does as it should.
fn each(made: fn(Object) -> Outcome<Object>) -> Outcome {
    ADDRESSES.iter().try_for_each(|address| {
        let object = made(read(*address)?)?;
        is_read(&object, *address)?;
        let program = object.program("sum").ok_or("no program")?;
        let verdict = verify(&object, program, &Config::default());
        ensure!(verdict.is_accepted(), "the simulator: {verdict:?}");
        runs(&object)
    })
}

fn read(address: u64) -> Outcome<Object> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("arena.o");
    let mut clang = tool::command("clang-22");
    clang.args(["-target", "bpf", "-O2", "-g", "-mcpu=v4"]);
    clang.arg(format!("-DEXTRA={address}ull")).arg("-c");
    clang.arg(workspace().join("tests/c/arena.c"));
    clang.arg("-o").arg(&path);
    tool::output(clang.arg(clang::system_headers()))?;
    Ok(object::read(&fs::read(path)?)?)
}

fn of_the_text(object: Object) -> Outcome<Object> {
    let mut text = String::new();
    print_object(&mut text, &object, Options::WHOLE)?;
    let again = parse("text", &text)?;
    ensure_eq!(again, object, "the object of the text:\n{text}");
    Ok(again)
}

fn variables(map: &Map) -> Outcome<&Data> {
    map.data.as_ref().ok_or_else(|| "no variables".into())
}

fn is_read(object: &Object, address: u64) -> Outcome {
    let arena = object.map("memory").ok_or("no arena")?;
    ensure_eq!(arena.map_extra, address, "where the arena is");
    let data = variables(arena)?;
    ensure_eq!(data.kind, DataKind::Arena, "what the variables are");
    let names: Vec<_> = data.variables.iter().map(|v| (&*v.name, v.size)).collect();
    let wanted = [("seven", 4), ("many", 2400), ("hidden", 4)];
    ensure_eq!(names, wanted, "the variables in the arena");
    let others = object.map(".data").ok_or("no other variables")?;
    ensure_eq!(variables(others)?.variables.len(), 1, "other variables");
    Ok(())
}

fn runs(object: &Object) -> Outcome {
    let program = Loader::new(object).load("sum")?;
    let result = program.test_run(&TestRun::default(), &mut [])?;
    ensure_eq!(result.retval, SUM, "what the program finds");
    // What is set before loading is there.
    let mut object = object.clone();
    object.set_variable("seven", &8u32.to_le_bytes())?;
    let program = Loader::new(&object).load("sum")?;
    let result = program.test_run(&TestRun::default(), &mut [])?;
    ensure_eq!(result.retval, SUM + 1, "what the program finds then");
    Ok(())
}
