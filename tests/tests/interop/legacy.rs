//! Objects from before BTF: libbpf refuses them since its version 1, and so do `ip` and `tc`,
//! which are built with it. What we read is held against what `tests/c/corpus/iproute.c` says, and
//! does in the kernel what its programs were written for.

use ebpf_asm::map_type::MapType;
use ebpf_asm::object::{self, Map, MapValue, Object, Pinning};
use ebpf_asm::prog_type::ProgType;
use ebpf_loader::Loader;
use ebpf_syscalls::bpf::TestRun;
use ebpf_tests::corpus::{Build, Debug};
use ebpf_tests::policy::{self, Need};
use ebpf_tests::{Outcome, ensure, ensure_eq, tool};
use libtest_mimic::Trial;

const TC_ACT_STOLEN: u32 = 4;

const NEEDS: [Need; 3] = [
    Need::Kernel,
    Need::Tool("clang-14"),
    Need::Header("bpf/bpf_helpers.h"),
];

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        policy::trial("legacy::iproute_is_read", &NEEDS, || is_read(&read()?)),
        policy::trial("legacy::iproute_written_is_read", &NEEDS, || {
            is_read(&object::read(&object::write(&read()?)?)?)
        }),
        policy::trial("legacy::iproute_runs", &NEEDS, || runs(&read()?)),
        policy::trial(
            "legacy::tc_refuses_iproute",
            &[NEEDS[0], NEEDS[1], NEEDS[2], Need::Tool("tc")],
            tc_refuses,
        ),
    ]
}

/// The object, with types, which such objects may have beside their maps.
fn build(folder: &std::path::Path) -> Outcome<std::path::PathBuf> {
    let builds = Build::all();
    let fits = |build: &&Build| {
        build.clang.version == 14 && build.optimisation == 2 && build.debug == Debug::On
    };
    let build = builds.iter().find(fits).ok_or("no such build")?;
    build.compile("iproute", folder)
}

fn read() -> Outcome<Object> {
    let folder = tempfile::tempdir()?;
    Ok(object::read(&std::fs::read(build(folder.path())?)?)?)
}

fn map<'o>(object: &'o Object, name: &str) -> Outcome<&'o Map> {
    let map = object.map(name);
    map.ok_or_else(|| format!("no map '{name}'").into())
}

fn is_read(object: &Object) -> Outcome {
    let programs: Vec<_> = object
        .programs
        .iter()
        .map(|p| (p.name.as_str(), p.section.as_str(), p.prog_type))
        .collect();
    let should = [
        ("first", "7/0", ProgType::SchedCls),
        ("last", "7/2", ProgType::SchedCls),
        ("enter", "classifier", ProgType::SchedCls),
    ];
    for program in should {
        ensure!(programs.contains(&program), "no {program:?}: {programs:?}");
    }
    let tails = map(object, "tails")?;
    ensure_eq!(tails.map_type, MapType::ProgArray, "the type of tails");
    let program = |name: &str| MapValue::Program(name.to_owned());
    let held = vec![(0, program("first")), (2, program("last"))];
    ensure_eq!(tails.values, held, "what tails holds");
    let inner = object.maps.iter().position(|map| map.name == "inner");
    let inner = inner.ok_or("no map 'inner'")?;
    let outer = map(object, "outer")?;
    ensure_eq!(
        outer.values,
        [(1, MapValue::Map(inner))],
        "what outer holds"
    );
    let model = outer.inner.as_deref().ok_or("outer has no model")?;
    ensure_eq!(model.value_size, 4, "the values of the model");
    for (name, pinning) in [("counts", Pinning::ByName), ("inner", Pinning::None)] {
        ensure_eq!(map(object, name)?.pinning, pinning, "pinning of {name}");
    }
    Ok(())
}

/// The entry tail calls the first program, and that the last.
fn runs(object: &Object) -> Outcome {
    let mut object = object.clone();
    for map in &mut object.maps {
        map.pinning = Pinning::None;
    }
    let mut loader = Loader::new(&object);
    let program = loader.load("enter")?;
    let run = TestRun {
        data: &[0; 64],
        ..TestRun::default()
    };
    let result = program.test_run(&run, &mut [0; 256])?;
    ensure_eq!(result.retval, TC_ACT_STOLEN, "what the programs decide");
    let counts = loader.map("counts")?.ok_or("no map 'counts'")?;
    let counts = counts.lookup_per_cpu(&[0; 4])?.ok_or("no element")?;
    let count: u64 = counts.iter().map(|value| u64::from(value[0])).sum();
    ensure_eq!(count, 3, "how many programs ran");
    let inner = loader.map("inner")?.ok_or("no map 'inner'")?;
    let value = inner.lookup(&[0; 4])?.ok_or("no element")?;
    ensure_eq!(value, [1, 0, 0, 0], "what the inner map counts");
    Ok(())
}

/// Were tc to take it, it would be the better witness.
fn tc_refuses() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = build(folder.path())?;
    let rig = ebpf_tests::rig::Rig::new()?;
    let said = rig.inside(|| {
        let tc = |line: &str| tool::command("tc").args(line.split(' ')).output();
        tc("qdisc add dev eth0 clsact")?;
        let path = path.display();
        let line = format!("filter add dev eth0 ingress bpf da obj {path} sec classifier");
        Ok(tool::both(&tc(&line)?))
    })?;
    ensure!(
        said.contains("legacy map definitions in 'maps' section are not supported"),
        "tc takes such objects here, and could be asked what it makes of them: {said}"
    );
    Ok(())
}
