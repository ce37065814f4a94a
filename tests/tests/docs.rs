//! The documents say what is so: paths exist, links lead somewhere, commands are commands.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ebpf_cli::object_file::ObjectFile;
use ebpf_tests::{commands, program_files, tool, workspace};

/// The documents for people who look at the repository.
const DOCUMENTS: [&str; 5] = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "BENCHMARKS.md",
];

fn document(name: &str) -> String {
    let path = workspace().join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What stands between single backquotes, outside blocks of code.
fn code_spans(text: &str) -> Vec<String> {
    let mut outside = true;
    let lines = text.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        outside ^= fence;
        outside && !fence && !line.starts_with("    ")
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    text.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// The blocks of code: fenced, or indented by four.
fn code_lines(text: &str) -> Vec<String> {
    let mut inside = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
        } else if inside || line.starts_with("    ") {
            lines.push(line.trim().trim_start_matches("$ ").to_owned());
        }
    }
    lines
}

/// Whether text between backquotes is a path of this repository: it has a folder or an ending
/// that files here have, and no sign that paths here do not have.
fn is_path(span: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    let ending = [
        ".rs", ".md", ".toml", ".lock", ".bpf", ".c", ".txt", ".stderr", ".sh",
    ];
    // Folders of other places: absolute ones, and those that a build makes.
    let elsewhere = ["/", "target/", ".."];
    // An ending alone, as in "the `.stderr` beside it".
    let bare_ending = ending.contains(&span);
    span.chars().all(plain)
        && !bare_ending
        && (span.ends_with('/') || ending.iter().any(|e| span.ends_with(e)))
        && !elsewhere
            .iter()
            .any(|beginning| span.starts_with(beginning))
}

/// The folders in which a document's short names are looked for: those that it has headings
/// for, as in "### `asm/src`", and the repository itself.
fn folders(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let named = headings
        .flat_map(code_spans)
        .filter(|span| !span.contains(' '));
    named.chain([String::new()]).collect()
}

fn files_below(folder: &Path, found: &mut Vec<String>) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let (path, name) = (entry.path(), entry.file_name());
        let skipped = name == "target" || name == ".git";
        if !skipped && path.is_dir() {
            files_below(&path, found);
        } else if !skipped {
            found.push(path.to_string_lossy().into_owned());
        }
    }
}

#[test]
fn paths_that_are_named_exist() {
    let mut files = Vec::new();
    files_below(&workspace(), &mut files);
    for name in DOCUMENTS {
        let text = document(name);
        let folders = folders(&text);
        for span in code_spans(&text).into_iter().filter(|span| is_path(span)) {
            let below = |folder: &String| workspace().join(folder).join(&span).exists();
            // A file's bare name, as in running text, may lie anywhere.
            let bare =
                !span.contains('/') && files.iter().any(|file| file.ends_with(&format!("/{span}")));
            let exists = folders.iter().any(below) || bare;
            assert!(exists, "{name} names `{span}`, which does not exist");
        }
    }
}

/// The header of a module, without the marks of the comment.
fn header(code: &str) -> String {
    let lines = code.lines().map_while(|line| line.strip_prefix("//!"));
    let lines = lines.map(|line| line.strip_prefix(' ').unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n")
}

/// The folders in which a header's names of files are looked for: the file's own, and its
/// package's with its `src`.
fn folders_of(file: &Path) -> Vec<PathBuf> {
    let own = file.parent().unwrap_or(file);
    let package = own.ancestors().find(|at| at.join("Cargo.toml").exists());
    let package = package.unwrap_or(own);
    vec![
        own.to_path_buf(),
        package.join("src"),
        package.to_path_buf(),
    ]
}

#[test]
fn files_that_headers_name_exist() {
    let mut files = Vec::new();
    files_below(&workspace(), &mut files);
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    let (mut checked, mut missing) = (0, Vec::new());
    for file in files.iter().filter(|file| file.ends_with(".rs")) {
        let code = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{file}: {error}"));
        let folders = folders_of(Path::new(file));
        let spans = code_spans(&header(&code)).into_iter();
        for span in spans.filter(|span| span.ends_with(".rs") && span.chars().all(plain)) {
            checked += 1;
            if !folders.iter().any(|folder| folder.join(&span).is_file()) {
                missing.push(format!("{file} names `{span}`, which does not exist"));
            }
        }
        let order = header(&code);
        let order = order
            .split_once("Read before")
            .map_or("", |(_, order)| order);
        for span in code_spans(order)
            .into_iter()
            .filter(|span| span.ends_with(".rs"))
        {
            if named_file(&folders, &span).is_some_and(|path| path == Path::new(file)) {
                missing.push(format!("{file} is to be read before or after itself"));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    assert!(checked > 300, "headers name {checked} files");
}

/// What the header of a `mod.rs` says its folder's order with.
const READING_ORDER: &str = "Read in the order";

/// Each `mod.rs` that says in which order its folder is read, and its header.
fn with_reading_orders(files: &[String]) -> impl Iterator<Item = (&String, String)> {
    let folders = files.iter().filter(|file| file.ends_with("/mod.rs"));
    folders.filter_map(|file| {
        let code = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{file}: {error}"));
        let header = header(&code);
        header.contains(READING_ORDER).then_some((file, header))
    })
}

/// In a folder whose `mod.rs` says in which order it is read, every file has its place.
#[test]
fn reading_orders_leave_out_no_file() {
    let mut files = Vec::new();
    files_below(&workspace(), &mut files);
    let (mut checked, mut missing) = (0, Vec::new());
    for (file, order) in with_reading_orders(&files) {
        checked += 1;
        let (folder, named) = (file.trim_end_matches("mod.rs"), code_spans(&order));
        let beside = files.iter().filter_map(|other| other.strip_prefix(folder));
        let modules = beside.filter(|name| match name.split_once('/') {
            None => name.ends_with(".rs") && !["mod.rs", "tests.rs"].contains(name),
            Some((folder, file)) => file == "mod.rs" && folder != "tests",
        });
        let left_out = modules.filter(|name| !named.iter().any(|span| span == name));
        missing.extend(left_out.map(|name| format!("{file} leaves out `{name}`")));
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    assert!(checked > 8, "{checked} folders say how they are read");
}

/// The file that a header names, which is looked for in these folders.
fn named_file(folders: &[PathBuf], span: &str) -> Option<PathBuf> {
    let named = folders.iter().map(|folder| folder.join(span));
    named.into_iter().find(|path| path.is_file())
}

/// What is to be read before and after a file contradicts no `mod.rs` that says in which order a
/// folder is read: of its files, only those before this one are read before, and only the one
/// behind it next. Files of other folders may be named as well.
#[test]
fn reading_orders_agree() {
    let mut files = Vec::new();
    files_below(&workspace(), &mut files);
    let (mut checked, mut wrong) = (0, Vec::new());
    for (file, text) in with_reading_orders(&files) {
        let (_, order) = text.split_once(READING_ORDER).unwrap_or_default();
        let folder = folders_of(Path::new(file));
        let order = code_spans(order).into_iter();
        let order: Vec<_> = order.filter_map(|of| named_file(&folder, &of)).collect();
        for (place, path) in order.iter().enumerate() {
            let found = against_order(&order, place);
            checked += 1;
            wrong.extend(found.iter().map(|of| format!("{}: {of}", path.display())));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checked > 100, "{checked} files have a place in an order");
}

/// What the header of the file at a place of an order says against it.
fn against_order(order: &[PathBuf], place: usize) -> Vec<String> {
    let path = &order[place];
    let code = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{error}"));
    let text = header(&code);
    let text = text.split(READING_ORDER).next().unwrap_or_default();
    let (before, next) = text.split_once("Read next").unwrap_or((text, ""));
    let before = before.split_once("Read before").map_or("", |(_, of)| of);
    let folders = folders_of(path);
    let places = |text: &str| -> Vec<(String, usize)> {
        let named = code_spans(text).into_iter();
        let place = |span: &str| {
            let path = named_file(&folders, span)?;
            order.iter().position(|other| *other == path)
        };
        named
            .filter_map(|span| place(&span).map(|place| (span, place)))
            .collect()
    };
    let before = places(before).into_iter();
    let before = before.filter(|(_, other)| *other >= place);
    let before = before.map(|(span, _)| format!("`{span}` is not read before"));
    let next = places(next).into_iter();
    let next = next.filter(|(_, other)| *other != place + 1);
    let next = next.map(|(span, _)| format!("`{span}` is not read next"));
    before.chain(next).collect()
}

#[test]
fn links_lead_somewhere() {
    for name in DOCUMENTS {
        let text = document(name);
        let targets = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.contains("://") && !target.starts_with('#')) {
            let path = target.split('#').next().unwrap_or(target);
            assert!(workspace().join(path).exists(), "{name} links to {target}");
        }
    }
}

#[test]
fn the_readme_has_its_lines() {
    let lines = code_lines(&document("README.md"));
    for expected in [
        "cargo run --release --bin ebpfld -- demo",
        "cargo test --workspace",
        "ebpfasm build programs/drop_icmp.rs && ebpfld attach eth0",
    ] {
        let found = lines
            .iter()
            .any(|line| line.trim_start_matches("sudo ").starts_with(expected));
        assert!(
            found,
            "README.md has no line '{expected}':\n{}",
            lines.join("\n")
        );
    }
}

/// The program that the README shows is the file's, line by line.
#[test]
fn the_program_of_the_readme_is_the_files() {
    let file = document("programs/drop_icmp.rs");
    let readme = document("README.md");
    let block = readme
        .split("```rust")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let block = block.expect("README.md shows a program");
    assert!(
        file.contains(block.trim()),
        "programs/drop_icmp.rs differs from README.md's"
    );
}

/// What the README shows of the main job is what a build says, and the digest is the object's.
#[test]
fn the_main_job_of_the_readme_is_what_a_build_says() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("drop_icmp.o");
    let mut build = commands::ebpfasm().expect("ebpfasm builds");
    build
        .args(["build", "programs/drop_icmp.rs", "-o"])
        .arg(&path)
        .current_dir(workspace())
        .env("XDG_CACHE_HOME", folder.path().join("cache"));
    let said = tool::output(&mut build).expect("it builds");
    let (_, said) = said.split_once(": ").expect("a line of a build");
    let digest = ObjectFile::read(&path).expect("an object").short_digest();
    let readme = document("README.md");
    for line in [
        format!("target/bpf/drop_icmp.o: {said}"),
        format!("built just now, sha256 {digest}\n"),
    ] {
        assert!(readme.contains(&line), "README.md has no line '{line}'");
    }
}

/// What CI runs is what people are told to run.
#[test]
fn ci_runs_the_readmes_tests() {
    let script = document(".ci/run");
    assert!(script.contains("cargo test --workspace"));
    assert!(script.contains("EBPF_REQUIRE_KERNEL=1"));
}

/// Every call of our commands in the documents is one that the command understands: its help
/// knows the subcommand and the options.
#[test]
fn commands_in_the_documents_are_understood() {
    let built = commands::built().unwrap_or_else(|failed| panic!("{failed:?}"));
    let mut checked = 0;
    for name in DOCUMENTS {
        for line in code_lines(&document(name)) {
            for call in line
                .split("&&")
                .map(|call| call.split('#').next().unwrap_or(call).trim())
            {
                let mut words = call.trim_start_matches("sudo ").split_whitespace();
                let program = match words.next() {
                    Some("ebpfasm") => &built.ebpfasm,
                    Some("ebpfld") => &built.ebpfld,
                    _ => continue,
                };
                understood(program, &words.collect::<Vec<_>>(), name);
                checked += 1;
            }
        }
    }
    assert!(checked >= 2, "the documents show {checked} calls");
}

fn understood(program: &Path, words: &[&str], document: &str) {
    let Some(subcommand) = words.first().filter(|word| !word.starts_with('-')) else {
        return;
    };
    let mut command = std::process::Command::new(program);
    let help = tool::output(command.args([subcommand, "--help"]));
    let help = help.unwrap_or_else(|failed| panic!("{document}: {words:?}: {failed:?}"));
    for option in words.iter().filter(|word| word.starts_with("--")) {
        let option = option.split('=').next().unwrap_or(option);
        assert!(
            help.contains(option),
            "{document}: {subcommand} has no {option}:\n{help}"
        );
    }
}

#[test]
fn every_program_file_is_listed() {
    let readme = document("README.md") + &document("ARCHITECTURE.md");
    let library = document("programs/lib.rs");
    let manifest = document("programs/Cargo.toml");
    let files = program_files().expect("programs/ is there");
    assert!(files.len() >= 2, "{files:?}");
    for stem in files {
        let name = format!("{stem}.rs");
        assert!(
            library.contains(&format!("pub mod {stem};")),
            "programs/lib.rs lacks {stem}"
        );
        assert!(
            manifest.contains(&format!("path = \"{name}\"")),
            "Cargo.toml lacks {name}"
        );
        assert!(readme.contains(&name), "no document names {name}");
    }
}
