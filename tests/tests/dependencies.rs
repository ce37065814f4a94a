//! What ARCHITECTURE.md says of the packages: who depends on whom, and who is free of unsafe.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::process::Command;

use ebpf_tests::{tool, workspace};
use serde_json::Value;

/// Each package that users get, and those of ours that it may use, directly or not.
const MAY_USE: [(&str, &[&str]); 9] = [
    ("ebpf-dsl", &[]),
    ("ebpf-asm", &["ebpf-dsl"]),
    ("ebpf-verifier-sim", &["ebpf-asm", "ebpf-dsl"]),
    ("ebpf-syscalls", &[]),
    ("ebpf-loader", &["ebpf-asm", "ebpf-dsl", "ebpf-syscalls"]),
    // The two below the DSL only with the feature `user`: see another test.
    (
        "ebpf-programs",
        &["ebpf-asm", "ebpf-dsl", "ebpf-loader", "ebpf-syscalls"],
    ),
    ("ebpf-cli", &["ebpf-asm", "ebpf-dsl"]),
    (
        "ebpfasm",
        &[
            "ebpf-cli",
            "ebpf-asm",
            "ebpf-dsl",
            "ebpf-verifier-sim",
            "ebpf-loader",
            "ebpf-syscalls",
        ],
    ),
    (
        "ebpfld",
        &[
            "ebpf-cli",
            "ebpf-asm",
            "ebpf-dsl",
            "ebpf-verifier-sim",
            "ebpf-syscalls",
            "ebpf-loader",
            "ebpf-programs",
        ],
    ),
];

/// Packages of ours that are for developers alone.
const FOR_DEVELOPERS: [&str; 2] = ["ebpf-tests", "ebpf-fuzz"];

/// Beginnings of the names of crates that would do the project's work for it.
const FORBIDDEN: [&str; 6] = ["libbpf", "aya", "libxdp", "xdp-", "redbpf", "bcc"];

fn cargo(arguments: &[&str]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(arguments)
        .arg("--locked")
        .current_dir(workspace());
    tool::output(&mut command).unwrap_or_else(|failed| panic!("{failed:?}"))
}

/// The names of the crates that a package is built from for its users, itself among them.
fn built_from(arguments: &[&str]) -> BTreeSet<String> {
    let form = [
        "--edges",
        "normal,build",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ];
    let tree = cargo(&[&["tree"], &form[..], arguments].concat());
    let names = tree.lines().filter_map(|line| line.split(' ').next());
    names
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// What cargo says of the packages of the workspace.
fn packages() -> Vec<Value> {
    let metadata = cargo(&["metadata", "--no-deps", "--format-version", "1"]);
    let metadata: Value = serde_json::from_str(&metadata).expect("cargo writes JSON");
    metadata["packages"]
        .as_array()
        .expect("a list of packages")
        .clone()
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().unwrap_or_default()
}

#[test]
fn every_package_is_known_here() {
    let all: BTreeSet<String> = packages()
        .iter()
        .map(|package| text(package, "name").to_owned())
        .collect();
    let users = MAY_USE.iter().map(|(name, _)| *name);
    let known = users.chain(FOR_DEVELOPERS).map(str::to_owned).collect();
    assert_eq!(all, known);
}

#[test]
fn packages_depend_only_downwards() {
    for (package, may_use) in MAY_USE {
        let all = ["--all-features", "--target", "all", "-p", package];
        let ours = MAY_USE.iter().map(|(name, _)| *name).chain(FOR_DEVELOPERS);
        let built_from = built_from(&all);
        for other in ours.filter(|name| built_from.contains(*name)) {
            let allowed = other == package || may_use.contains(&other);
            assert!(allowed, "{package} must not depend on {other}");
        }
    }
}

#[test]
fn program_files_bring_no_loader_unless_asked() {
    let built_from = built_from(&["-p", "ebpf-programs"]);
    assert!(built_from.contains("ebpf-dsl"));
    assert!(
        !built_from.contains("ebpf-loader"),
        "only with the feature `user`"
    );
}

/// Its source travels inside `ebpfasm` and is compiled there on its own.
#[test]
fn the_dsl_depends_on_nothing() {
    let all = ["--all-features", "--target", "all", "-p", "ebpf-dsl"];
    assert_eq!(built_from(&all), BTreeSet::from(["ebpf-dsl".to_owned()]));
}

#[test]
fn nothing_of_others_does_our_work() {
    let all = built_from(&["--workspace", "--all-features", "--target", "all"]);
    assert!(
        all.contains("libc"),
        "the tree is not what it should be: {all:?}"
    );
    for name in all {
        let forbidden = FORBIDDEN
            .iter()
            .any(|beginning| name.starts_with(beginning));
        assert!(!forbidden, "{name} is in the tree");
    }
}

#[test]
fn unsafe_is_forbidden_everywhere_but_in_syscalls() {
    for package in packages()
        .iter()
        .filter(|p| text(p, "name") != "ebpf-syscalls")
    {
        let folder = std::path::Path::new(text(package, "manifest_path")).parent();
        let folder = folder.expect("a manifest lies in a folder");
        let shared_lint = std::fs::read_to_string(folder.join("Cargo.toml"))
            .is_ok_and(|manifest| manifest.contains("unsafe_code = \"forbid\""));
        for target in package["targets"].as_array().into_iter().flatten() {
            let path = text(target, "src_path");
            let kinds = target["kind"].as_array().into_iter().flatten();
            let product = kinds.clone().any(|kind| kind == "lib" || kind == "bin");
            // A program file is a module of its package, too, which forbids it in `lib.rs`; on
            // its own `ebpfasm build` compiles it, with the user's own lints.
            let program = text(package, "name") == "ebpf-programs" && !path.ends_with("lib.rs");
            if !product || program {
                continue;
            }
            let source = std::fs::read_to_string(path).expect("cargo names files that are there");
            let forbidden = source.contains("#![forbid(unsafe_code)]");
            assert!(
                forbidden || shared_lint,
                "{path} lacks #![forbid(unsafe_code)]"
            );
        }
    }
}
