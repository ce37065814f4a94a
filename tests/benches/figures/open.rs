//! Reading an object of a megabyte that clang made: ours against libbpf's
//! `bpf_object__open_file`, each in a process of its own that has done it before.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use ebpf_asm::object;
use ebpf_tests::{Outcome, clang, tool};

use crate::stats::{head, median, row};

/// How many programs make the object a megabyte.
const PROGRAMS: usize = 240;

/// How often each is measured in turn, and how many times each time.
const ROUNDS: usize = 9;
const TIMES: usize = 11;

pub(crate) fn print() -> Outcome {
    let folder = tempfile::tempdir()?;
    let witness = clang::link_libbpf(&clang::source("libbpf_open.c"), folder.path())?;
    let with_dwarf = compiled(folder.path())?;
    let stripped = folder.path().join("stripped.o");
    let mut strip = tool::command("llvm-strip");
    tool::output(strip.arg("-g").arg(&with_dwarf).arg("-o").arg(&stripped))?;
    head(&["object", "bytes", "libbpf, ms", "ours, ms", "ratio"]);
    let objects = [
        ("BTF alone (`llvm-strip -g`)", stripped),
        ("BTF and DWARF, as clang writes it", with_dwarf),
    ];
    for (what, path) in objects {
        let (mut theirs, mut ours) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            theirs.extend(libbpf(&witness, &path)?);
            ours.extend(by_us(&path)?);
        }
        let (theirs, ours) = (median(theirs), median(ours));
        row(&[
            what.to_owned(),
            fs::metadata(&path)?.len().to_string(),
            format!("{theirs:.2}"),
            format!("{ours:.2}"),
            format!("{:.2}", ours / theirs),
        ]);
    }
    println!("\nThe ratio is ours to libbpf's.");
    Ok(())
}

/// Milliseconds of each time that libbpf opens the object.
fn libbpf(witness: &Path, object: &Path) -> Outcome<Vec<f64>> {
    let printed = tool::output(Command::new(witness).arg(object).arg(TIMES.to_string()))?;
    let nanoseconds = printed.lines().flat_map(str::parse::<f64>);
    Ok(nanoseconds.map(|time| time / 1e6).collect())
}

/// Milliseconds of each time that we read the file and the object in it.
fn by_us(path: &Path) -> Outcome<Vec<f64>> {
    let mut times = Vec::new();
    for _ in 0..TIMES {
        let start = Instant::now();
        let object = object::read(&fs::read(path)?)?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
        drop(object);
    }
    Ok(times)
}

/// What clang makes of a file of many programs, maps, functions, global variables and types.
fn compiled(folder: &Path) -> Outcome<PathBuf> {
    let source = folder.join("large.c");
    fs::write(&source, large_source())?;
    clang::compile(&source, folder)
}

fn large_source() -> String {
    let mut c = String::from(HEAD);
    for number in 0..PROGRAMS {
        let section = if number % 3 == 0 { "tc" } else { "xdp" };
        let context = if number % 3 == 0 {
            "__sk_buff"
        } else {
            "xdp_md"
        };
        // Writing to a string cannot fail.
        if number % 16 == 0 {
            let _ = write!(c, "{}", MAP.replace("@", &number.to_string()));
        }
        let body = PROGRAM
            .replace("@MAP", &(number / 16 * 16).to_string())
            .replace("@SECTION", section)
            .replace("@CONTEXT", context)
            .replace("@", &number.to_string());
        c += &body;
    }
    c
}

const HEAD: &str = r#"
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
const volatile unsigned int limit = 100;
unsigned long long total;
static __attribute__((noinline)) unsigned int mix(unsigned int a, unsigned int b)
{
    total += a;
    return (a ^ b << 5) * 2654435761u;
}
char _license[] SEC("license") = "GPL";
"#;

const MAP: &str = r#"
struct value_@ {
    unsigned long long packets_@, bytes_@;
    struct { unsigned int first, last; } seen_@;
};
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1024 + @);
    __type(key, unsigned int);
    __type(value, struct value_@);
} map_@ SEC(".maps");
"#;

const PROGRAM: &str = r#"
struct header_@ {
    unsigned char kind_@, flags_@;
    unsigned short length_@;
    unsigned int from_@, to_@;
};
SEC("@SECTION")
int program_@(struct @CONTEXT *ctx)
{
    struct header_@ *header = (void *)(long)ctx->data;
    unsigned int key = @, sum = 0;
    struct value_@MAP *value;

    if ((void *)(header + 4) > (void *)(long)ctx->data_end)
        return 0;
    for (int i = 0; i < 4; i++) {
        if (header[i].kind_@ == (@ & 127))
            sum += header[i].from_@;
        else if (header[i].flags_@ & 4)
            sum ^= header[i].to_@ >> 3;
        if (header[i].length_@ > limit)
            break;
        key = key * 31 + header[i].length_@;
    }
    value = bpf_map_lookup_elem(&map_@MAP, &key);
    if (value) {
        value->packets_@MAP += 1;
        value->bytes_@MAP += sum;
        value->seen_@MAP.last = key;
    }
    return mix(sum, key) & 1;
}
"#;
