//! The cache: private, safe to share between builds, and safe to lose.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use super::{Place, entries, program, verdict_file};

fn files(folder: PathBuf) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => found.extend(files(path)),
            false => found.push(path),
        }
    }
    found
}

#[test]
fn the_cache_is_the_users_alone_and_keeps_no_leftovers() {
    let place = Place::new();
    place.write("x.rs", &verdict_file("x.rs", "XDP_PASS"));
    place.run(&["build", "x.rs"]).code(0);
    let cache = place.caches().join("ebpfasm");
    assert_eq!(
        fs::metadata(&cache).expect("the cache").mode() & 0o777,
        0o700
    );
    assert!(
        entries(&cache.join("tmp")).is_empty(),
        "{:?}",
        entries(&cache.join("tmp"))
    );
    let before = files(cache.join("programs")).len();
    place.write("x.rs", &verdict_file("x.rs", "XDP_DROP"));
    place.run(&["build", "x.rs"]).code(0);
    assert_eq!(
        files(cache.join("programs")).len(),
        before,
        "the old one is gone"
    );
}

#[test]
fn a_cache_that_others_can_write_to_is_refused() {
    let place = Place::new();
    place.write("x.rs", &verdict_file("x.rs", "XDP_PASS"));
    let cache = place.caches().join("ebpfasm");
    fs::create_dir_all(&cache).expect("a folder");
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o777)).expect("permissions");
    place
        .run(&["build", "x.rs"])
        .code(4)
        .says("can be written to by other users")
        .says("help: ");
    assert!(!place.work().join("target").exists());
}

#[test]
fn a_cache_that_is_deleted_or_damaged_is_made_again() {
    let place = Place::new();
    place.write("x.rs", &verdict_file("x.rs", "XDP_PASS"));
    place.run(&["build", "x.rs"]).code(0);
    let object = place.read("target/bpf/x.o");
    let cache = place.caches().join("ebpfasm");
    for file in files(cache.join("programs"))
        .into_iter()
        .chain(files(cache.join("toolchain")))
    {
        if file.extension().is_some_and(|e| e == "json")
            || file.starts_with(cache.join("toolchain"))
        {
            fs::write(&file, "{ damaged").expect("a file");
        }
    }
    place.run(&["build", "x.rs"]).code(0);
    for part in ["programs", "toolchain", "dsl"] {
        fs::remove_dir_all(cache.join(part)).expect("a folder");
        place.run(&["build", "x.rs"]).code(0);
        assert_eq!(place.read("target/bpf/x.o"), object, "without {part}");
    }
}

fn start(place: &Place, file: &str) -> Child {
    place
        .command(&["build", file])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("ebpfasm starts")
}

#[test]
fn builds_at_once_with_an_empty_cache_all_succeed() {
    let place = Place::new();
    place.write("drop_icmp.rs", &program("drop_icmp.rs"));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| place.run(&["build", "drop_icmp.rs"]).code(0));
        }
    });
    assert_eq!(entries(&place.work()), ["drop_icmp.rs", "target"]);
    let object = place.read("target/bpf/drop_icmp.o");
    place.run(&["build", "drop_icmp.rs"]).code(0);
    assert_eq!(place.read("target/bpf/drop_icmp.o"), object);
    assert!(entries(&place.caches().join("ebpfasm/tmp")).is_empty());
}

#[test]
fn a_build_killed_at_any_moment_leaves_the_old_object_or_the_new() {
    let place = Place::new();
    let actions = ["XDP_PASS", "XDP_DROP"];
    let mut whole = Vec::new();
    for action in actions {
        place.write("x.rs", &verdict_file("x.rs", action));
        place.run(&["build", "x.rs"]).code(0);
        whole.push(place.read("target/bpf/x.o"));
    }
    for round in 0..12_u64 {
        place.write("x.rs", &verdict_file("x.rs", actions[round as usize % 2]));
        let mut child = start(&place, "x.rs");
        thread::sleep(Duration::from_millis(round * 15));
        // It may have ended already.
        let _ = child.kill();
        child.wait().expect("it ends");
        let object = place.read("target/bpf/x.o");
        assert!(whole.contains(&object), "after {} ms", round * 15);
    }
    for (action, object) in actions.iter().zip(&whole) {
        place.write("x.rs", &verdict_file("x.rs", action));
        place.run(&["build", "x.rs"]).code(0);
        assert_eq!(
            &place.read("target/bpf/x.o"),
            object,
            "builds go on as before"
        );
    }
}
