//! A compiler's object with everything in it: read and loaded by ours, written again by ours,
//! at once and by way of text, and loaded by libbpf; and damaged.

use std::fs;
use std::path::{Path, PathBuf};

use ebpf_asm::btf::build::complete;
use ebpf_asm::object::{self, Object};
use ebpf_loader::Loader;
use ebpf_syscalls::bpf::TestRun;
use ebpf_tests::corpus::Build;
use ebpf_tests::policy::{self, CLANG, Need};
use ebpf_tests::{Outcome, clang, commands, ensure, ensure_eq, tool};
use libtest_mimic::Trial;

use crate::save;

/// What `tail` returns if all is as it should be: a bit for each thing.
const ALL_FOUND: u32 = 31;

pub(crate) fn trials() -> Vec<Trial> {
    let kernel = [Need::Kernel, CLANG[0], CLANG[1]];
    let libbpf = [Need::Kernel, Need::Tool("bpftool"), CLANG[0], CLANG[1]];
    let by_way_of_text = [
        "core_tasks",
        "kfuncs",
        "nested_maps",
        "subprograms",
        "tail_calls",
    ]
    .map(|source| {
        policy::trial(
            format!("objects::the_kernel_gets_the_same_types_of_{source}_by_way_of_text"),
            &[Need::Kernel, Need::Tool("bpftool"), Need::Tool("clang-22")],
            move || by_way_of_text(source),
        )
    });
    let others = vec![
        policy::trial(
            "objects::a_whole_one_is_written_as_it_was_read",
            &CLANG,
            written_as_read,
        ),
        policy::trial(
            "objects::old_relocations_of_types_are_read",
            &CLANG,
            old_relocations,
        ),
        policy::trial("objects::a_whole_one_runs", &kernel, runs),
        policy::trial(
            "objects::libbpf_loads_what_we_write_of_it",
            &libbpf,
            libbpf_loads,
        ),
        policy::trial("objects::damage_is_no_panic", &CLANG, damaged),
    ];
    others.into_iter().chain(by_way_of_text).collect()
}

fn compiled(folder: &Path) -> Outcome<(PathBuf, Object)> {
    let path = clang::compile(&clang::source("whole_object.c"), folder)?;
    let object = object::read(&fs::read(&path)?)?;
    Ok((path, object))
}

fn written_as_read() -> Outcome {
    let folder = tempfile::tempdir()?;
    let (_, object) = compiled(folder.path())?;
    let bytes = object::write(&object)?;
    let again = object::read(&bytes)?;
    let described = complete(&object);
    ensure_eq!(again.programs, described.programs, "programs");
    ensure_eq!(again.maps, described.maps, "maps");
    ensure_eq!(again.externs, described.externs, "externs");
    ensure!(object::write(&again)? == bytes, "written twice, it differs");
    Ok(())
}

fn runs() -> Outcome {
    let folder = tempfile::tempdir()?;
    let (_, mut object) = compiled(folder.path())?;
    ensure_eq!(returned(&object, "entry")?, ALL_FOUND, "what was found");
    object.set_variable("limit", &11i32.to_ne_bytes())?;
    ensure_eq!(
        returned(&object, "entry")?,
        ALL_FOUND & !16,
        "with another limit"
    );
    Loader::new(&object).load("trace")?;
    let again = object::read(&object::write(&object)?)?;
    ensure_eq!(
        returned(&again, "entry")?,
        ALL_FOUND & !16,
        "written and read"
    );
    Ok(())
}

fn returned(object: &Object, program: &str) -> Outcome<u32> {
    let mut loader = Loader::new(object);
    let program = loader.load(program)?;
    ensure!(loader.notes().is_empty(), "notes: {:?}", loader.notes());
    let frame = [0; 64];
    let run = TestRun {
        data: &frame,
        ..TestRun::default()
    };
    Ok(program.test_run(&run, &mut [0; 128])?.retval)
}

fn libbpf_loads() -> Outcome {
    let folder = tempfile::tempdir()?;
    let (_, object) = compiled(folder.path())?;
    let path = save(&object, folder.path())?;
    let pins = Path::new("/sys/fs/bpf/whole_object");
    let mut bpftool = tool::command("bpftool");
    tool::output(bpftool.args(["prog", "loadall"]).arg(&path).arg(pins))?;
    let mut bpftool = tool::command("bpftool");
    let skeleton = tool::output(bpftool.args(["gen", "skeleton"]).arg(&path))?;
    for variable in ["int counter;", "int limit;", "int CONFIG_HZ;"] {
        ensure!(skeleton.contains(variable), "no {variable} in:\n{skeleton}");
    }
    Ok(())
}

/// `ebpfasm dis --whole` and `ebpfasm build`: libbpf gives the kernel the same types and lines of
/// what is built as of the compiler's object.
fn by_way_of_text(source: &str) -> Outcome {
    let folder = tempfile::tempdir()?;
    let clang = Build::all()
        .into_iter()
        .find(|build| build.to_string() == "22-O2-g-v3");
    let clang = clang.ok_or("no such way of compiling")?;
    let path = clang.compile(source, folder.path())?;
    let text = tool::output(commands::ebpfasm()?.args(["dis", "--whole"]).arg(&path))?;
    let file = folder.path().join("whole.bpf");
    fs::write(&file, text)?;
    let built = folder.path().join("built.o");
    let mut build = commands::ebpfasm()?;
    build.arg("build").arg(&file);
    tool::output(build.arg("-o").arg(&built))?;
    let theirs = in_the_kernel(&path, &format!("{source}-clang"))?;
    let ours = in_the_kernel(&built, &format!("{source}-text"))?;
    ensure!(theirs.contains("] FUNC '"), "no types in:\n{theirs}");
    ensure!(theirs.contains("\n; "), "no lines in:\n{theirs}");
    ensure_eq!(ours, theirs, "types and lines");
    Ok(())
}

/// The types that the kernel has of an object loaded by libbpf, and the lines of its programs.
/// Sections of variables are left out: compilers leave their sizes to libbpf.
fn in_the_kernel(object: &Path, name: &str) -> Outcome<String> {
    let bpftool = |arguments: &[&str]| tool::output(tool::command("bpftool").args(arguments));
    // A folder of its own in the sandbox's bpffs, which goes with the process.
    let pins = format!("/sys/fs/bpf/{name}");
    bpftool(&["prog", "loadall", &object.to_string_lossy(), &pins])?;
    let programs = fs::read_dir(&pins)?.map(|entry| Ok(entry?.path().display().to_string()));
    let mut programs = programs.collect::<Outcome<Vec<String>>>()?;
    programs.sort();
    let (mut types, mut listing) = (String::new(), String::new());
    for pin in &programs {
        let shown = bpftool(&["-j", "prog", "show", "pinned", pin])?;
        let shown: serde_json::Value = serde_json::from_str(&shown)?;
        types = bpftool(&["btf", "dump", "id", &shown["btf_id"].to_string()])?;
        listing += &bpftool(&["prog", "dump", "xlated", "pinned", pin, "linum"])?;
    }
    let mut is_section = false;
    let types = types.lines().filter(|line| {
        is_section = match line.starts_with('[') {
            true => line.contains("] DATASEC "),
            false => is_section,
        };
        !is_section
    });
    let lines = listing.lines().filter(|line| line.starts_with("; "));
    Ok(types.chain(lines).collect::<Vec<_>>().join("\n"))
}

/// LLVM before 13 had no type of its own for relocations of types: it wrote that of calls, or
/// none.
fn old_relocations() -> Outcome {
    const NODYLD32: u32 = 4;
    let folder = tempfile::tempdir()?;
    let (path, object) = compiled(folder.path())?;
    let bytes = fs::read(path)?;
    for old in [0, 10] {
        let mut bytes = bytes.clone();
        let mut changed = 0;
        for at in relocations(&bytes) {
            let info = &mut bytes[at + 8..at + 12];
            if info == NODYLD32.to_le_bytes() {
                info.copy_from_slice(&u32::to_le_bytes(old));
                changed += 1;
            }
        }
        ensure!(changed > 10, "only {changed} relocations of types");
        ensure_eq!(object::read(&bytes)?, object, "relocations of type {old}");
    }
    Ok(())
}

/// Where the records of the relocation sections of a 64-bit ELF file begin.
fn relocations(bytes: &[u8]) -> Vec<usize> {
    const SHT_REL: u64 = 9;
    let number = |at: usize, size: usize| {
        let digits = bytes[at..at + size].iter().rev();
        digits.fold(0, |number, &byte| number << 8 | u64::from(byte))
    };
    let headers = (0..number(60, 2)).map(|index| (number(40, 8) + index * 64) as usize);
    let tables = headers.filter(|&header| number(header + 4, 4) == SHT_REL);
    tables
        .flat_map(|header| {
            let (start, size) = (number(header + 24, 8), number(header + 32, 8));
            (start..start + size).step_by(16).map(|at| at as usize)
        })
        .collect()
}

/// Bytes all over the file set to something else, each on its own.
fn damaged() -> Outcome {
    let folder = tempfile::tempdir()?;
    let (path, _) = compiled(folder.path())?;
    let bytes = fs::read(path)?;
    for (first, value) in [(0, 0x00), (3, 0x01), (5, 0x7f), (7, 0xff)] {
        for at in (first..bytes.len()).step_by(13) {
            let mut damaged = bytes.clone();
            damaged[at] = value;
            if let Ok(object) = object::read(&damaged)
                && let Ok(written) = object::write(&object)
            {
                let again = object::read(&written);
                again.map_err(|error| format!("byte {at} as {value}: {error}"))?;
            }
        }
    }
    Ok(())
}
