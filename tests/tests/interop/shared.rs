//! Maps that loaders share by their names (`LIBBPF_PIN_BY_NAME`): pinned in bpffs, which is the
//! test's own, by us and by libbpf.

use std::path::Path;
use std::thread;

use ebpf_asm::object::{self, Object};
use ebpf_loader::{Error, Loader};
use ebpf_syscalls::bpf::TestRun;
use ebpf_syscalls::bpffs::MOUNT_POINT;
use ebpf_tests::corpus::{Build, Debug};
use ebpf_tests::policy::{self, Need};
use ebpf_tests::{Outcome, ensure, ensure_eq, tool};
use libtest_mimic::Trial;
use serde_json::Value;

const NEEDS: [Need; 4] = [
    Need::Kernel,
    Need::Tool("clang-14"),
    Need::Header("bpf/bpf_helpers.h"),
    Need::Tool("bpftool"),
];

/// The map of `tests/c/corpus/pinned.c`, which counts the bytes of frames.
const NAME: &str = "shared_total";

/// The bytes of a frame.
const FRAME: u64 = 64;

pub(crate) fn trials() -> Vec<Trial> {
    vec![policy::trial("shared::by_name", &NEEDS, by_name)]
}

fn by_name() -> Outcome {
    let folder = tempfile::tempdir()?;
    let builds = Build::all();
    let fits = |build: &&Build| {
        build.clang.version == 14 && build.optimisation == 2 && build.debug == Debug::On
    };
    let build = builds.iter().find(fits).ok_or("no such build")?;
    let path = build.compile("pinned", folder.path())?;
    let object = object::read(&std::fs::read(&path)?)?;
    let pin = Path::new(MOUNT_POINT).join(NAME);
    let id = first_and_second(&object)?;
    ensure!(pin.exists(), "{} is not there", pin.display());
    ensure_eq!(libbpf_uses(&path)?, id, "the map that libbpf takes");
    another_definition(&object)?;
    std::fs::remove_file(&pin)?;
    at_once(&object)?;
    Ok(std::fs::remove_file(&pin)?)
}

/// Runs the program once, and says which map it counted in, and how much is in it.
fn count(object: &Object) -> Outcome<(u32, u64)> {
    let mut loader = Loader::new(object);
    let program = loader.load("total")?;
    let run = TestRun {
        data: &[0; FRAME as usize],
        ..TestRun::default()
    };
    program.test_run(&run, &mut [0; 256])?;
    let map = loader.map(NAME)?.ok_or("no such map")?;
    let total = map.lookup(&[0; 4])?.ok_or("no element")?;
    let total = total.first_chunk().ok_or("a short value")?;
    Ok((map.info()?.id, u64::from_le_bytes(*total)))
}

/// The second loader finds what the first has left, which is gone.
fn first_and_second(object: &Object) -> Outcome<u32> {
    let (id, total) = count(object)?;
    ensure_eq!(total, FRAME, "bytes after one frame");
    ensure_eq!(count(object)?, (id, 2 * FRAME), "the map after two frames");
    Ok(id)
}

/// Which map libbpf, in bpftool, gives the program.
fn libbpf_uses(path: &Path) -> Outcome<u32> {
    let theirs = Path::new(MOUNT_POINT).join("theirs");
    let bpftool = |arguments: &[&Path]| tool::output(tool::command("bpftool").args(arguments));
    bpftool(&["prog".as_ref(), "load".as_ref(), path, &theirs])?;
    let shown = bpftool(&[
        "-j".as_ref(),
        "prog".as_ref(),
        "show".as_ref(),
        "pinned".as_ref(),
        &theirs,
    ])?;
    std::fs::remove_file(&theirs)?;
    let shown: Value = serde_json::from_str(&shown)?;
    let ids = shown["map_ids"].as_array().ok_or("no maps")?;
    let ids = ids.iter().filter_map(Value::as_u64);
    for id in ids.filter_map(|id| u32::try_from(id).ok()) {
        if ebpf_loader::Map::open(id)?.name() == NAME {
            return Ok(id);
        }
    }
    Err(format!("{shown} has no map '{NAME}'").into())
}

/// A map of another shape is not taken for the object's.
fn another_definition(object: &Object) -> Outcome {
    let mut other = object.clone();
    for map in other.maps.iter_mut().filter(|map| map.name == NAME) {
        map.max_entries = 2;
    }
    match Loader::new(&other).load("total") {
        Err(Error::MapPinTaken { map, .. }) if map == NAME => Ok(()),
        other => Err(format!("the pin is taken by another map: {other:?}").into()),
    }
}

/// Of many that come at once, all have the same map.
fn at_once(object: &Object) -> Outcome {
    let ids: Outcome<Vec<u32>> = thread::scope(|scope| {
        let start = |_| {
            scope.spawn(|| {
                let mut loader = Loader::new(object);
                let map = loader.map(NAME)?.ok_or("no such map")?;
                Outcome::Ok(map.info()?.id)
            })
        };
        let threads: Vec<_> = (0..8).map(start).collect();
        let joined = threads.into_iter().map(|thread| match thread.join() {
            Ok(id) => id,
            Err(_) => Err("a thread panicked".into()),
        });
        joined.collect()
    });
    let mut ids = ids?;
    ids.dedup();
    ensure_eq!(ids.len(), 1, "maps of one name: {ids:?}");
    Ok(())
}
