//! BTF of others: the kernel's and clang's. What we read is written as it was, what we show as
//! C compiles and has the same layout, and what we show as it is, bpftool shows too.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use ebpf_asm::btf::ext::Ext;
use ebpf_asm::btf::{Bitfields, Btf, Kind, Member, StrId, TypeId, c, file};
use ebpf_asm::text::parse;
use ebpf_tests::policy::{self, Need};
use ebpf_tests::{Outcome, commands, ensure, ensure_eq, tool};
use libtest_mimic::Trial;

/// The kernel's own types.
const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// The compilers that must take our C.
const CLANGS: [&str; 2] = ["clang-14", "clang-22"];

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        policy::trial(
            "btf::vmlinux_is_written_as_it_was",
            &[Need::Vmlinux],
            || {
                let bytes = fs::read(VMLINUX)?;
                ensure!(Btf::from_bytes(&bytes)?.to_bytes() == bytes, "it differs");
                Ok(())
            },
        ),
        policy::trial(
            "btf::bpftool_shows_vmlinux_as_we_do",
            &[Need::Vmlinux, Need::Tool("bpftool")],
            || same_as_bpftool(Path::new(VMLINUX)),
        ),
        policy::trial(
            "btf::clang-22_lays_out_vmlinux_as_it_is",
            &[Need::Vmlinux, Need::Tool("clang-22")],
            || lays_out(&Btf::from_bytes(&fs::read(VMLINUX)?)?, "clang-22"),
        ),
    ];
    for clang in CLANGS {
        trials.push(policy::trial(
            format!("btf::{clang}_takes_our_vmlinux_h"),
            &[Need::Vmlinux, Need::Tool(clang)],
            move || takes_vmlinux_h(clang),
        ));
        trials.push(policy::trial(
            format!("btf::{clang}_has_types_and_records_written_as_they_were"),
            &[Need::Tool(clang), Need::Tool("llvm-objcopy")],
            move || sections_of(clang),
        ));
        trials.push(policy::trial(
            format!("btf::{clang}_lays_out_every_kind_of_type"),
            &[Need::Tool(clang)],
            move || {
                let folder = tempfile::tempdir()?;
                let object = compile(clang, &source(), folder.path())?;
                lays_out(&file::read(&fs::read(object)?, None)?, clang)
            },
        ));
        trials.push(policy::trial(
            format!("btf::bpftool_shows_types_of_{clang}_as_we_do"),
            &[Need::Tool(clang), Need::Tool("bpftool")],
            move || {
                let folder = tempfile::tempdir()?;
                same_as_bpftool(&compile(clang, &source(), folder.path())?)
            },
        ));
    }
    trials
}

/// C with every kind of type.
fn source() -> PathBuf {
    ebpf_tests::clang::source("types.c")
}

fn compile(clang: &str, source: &Path, folder: &Path) -> Outcome<PathBuf> {
    let object = folder.join(source.file_name().unwrap_or_default());
    let object = object.with_extension(format!("{clang}.o"));
    let mut command = tool::command(clang);
    command.args(["-O2", "-g", "-target", "bpf", "-Werror", "-c"]);
    tool::output(command.arg(source).arg("-o").arg(&object))?;
    Ok(object)
}

fn same_as_bpftool(path: &Path) -> Outcome {
    let ours = tool::output(
        commands::ebpfasm()?
            .arg("btf")
            .arg(path)
            .args(["--format", "raw"]),
    )?;
    let mut bpftool = tool::command("bpftool");
    let theirs = tool::output(
        bpftool
            .args(["btf", "dump", "file"])
            .arg(path)
            .args(["format", "raw"]),
    )?;
    // bpftool does not tell a tag that is a whole attribute from one that is a text.
    same_lines("we show", &ours.replace(" kind_flag=1", ""), &theirs)?;
    // What bpftool shows is text of ours.
    let object = parse("bpftool", &format!(".btf\n{theirs}")).map_err(|e| e.to_string())?;
    let btf = object.btf.ok_or("no types are read")?;
    let mut again = String::new();
    for (id, _) in btf.types() {
        if let Some(ty) = btf.raw(id) {
            writeln!(again, "{ty}")?;
        }
    }
    same_lines("we read", &again, &theirs)
}

fn same_lines(what: &str, ours: &str, theirs: &str) -> Outcome {
    let mut lines = ours.lines().zip(theirs.lines());
    if let Some((ours, theirs)) = lines.find(|(ours, theirs)| ours != theirs) {
        return Err(format!("{what}\n{ours}\nand bpftool shows\n{theirs}").into());
    }
    ensure_eq!(ours.len(), theirs.len(), "the lengths");
    Ok(())
}

/// The sections `.BTF` and `.BTF.ext` that clang makes, read and written.
fn sections_of(clang: &str) -> Outcome {
    let folder = tempfile::tempdir()?;
    let object = compile(clang, &source(), folder.path())?;
    let [types, records] = [".BTF", ".BTF.ext"].map(|name| folder.path().join(&name[1..]));
    let mut objcopy = tool::command("llvm-objcopy");
    objcopy
        .arg(format!("--dump-section=.BTF={}", types.display()))
        .arg(format!("--dump-section=.BTF.ext={}", records.display()));
    tool::output(objcopy.arg(&object))?;
    let (types, records) = (fs::read(types)?, fs::read(records)?);
    ensure!(Btf::from_bytes(&types)?.to_bytes() == types, ".BTF differs");
    let ext = Ext::from_bytes(&records)?;
    ensure!(ext.to_bytes() == records, ".BTF.ext differs");
    ensure!(!ext.core_relos.is_empty(), "no CO-RE relocations in it");
    Ok(())
}

/// What `ebpfasm btf` prints of the kernel compiles, as the C of before and after C23.
fn takes_vmlinux_h(clang: &str) -> Outcome {
    let header = tool::output(commands::ebpfasm()?.args(["btf", VMLINUX]))?;
    let folder = tempfile::tempdir()?;
    let source = folder.path().join("vmlinux.c");
    fs::write(&source, header)?;
    for standard in ["gnu11", "gnu2x"] {
        let mut command = tool::command(clang);
        command.args(["-target", "bpf", "-Wall", "-Werror", "-fsyntax-only"]);
        tool::output(command.arg(format!("-std={standard}")).arg(&source))?;
    }
    Ok(())
}

/// The header that we make of types compiles, and every struct, union and enum with a name
/// has in it the size, the members and the values that it had.
fn lays_out(btf: &Btf, clang: &str) -> Outcome {
    let header = c::header(btf)?;
    let folder = tempfile::tempdir()?;
    let source = folder.path().join("types.c");
    let names = printed_names(btf);
    ensure!(!names.is_empty(), "no types at all");
    for names in names.chunks(VARIABLES) {
        let mut text = header.clone();
        for (name, id) in names {
            let _ = writeln!(text, "{name} __variable{};", id.0);
        }
        fs::write(&source, text)?;
        let object = compile(clang, &source, folder.path())?;
        same_layouts(btf, &file::read(&fs::read(object)?, None)?, names)?;
    }
    Ok(())
}

/// How many types are compiled at once: clang's time for BTF grows with the square of it.
const VARIABLES: usize = 1000;

fn same_layouts(btf: &Btf, compiled: &Btf, names: &[(String, TypeId)]) -> Outcome {
    let again: HashMap<String, TypeId> = compiled
        .types()
        .filter_map(|(id, ty)| {
            let text = format!("{} {}", keyword(&ty.kind)?, compiled.str(ty.name));
            Some((text, id))
        })
        .collect();
    let pair = Pair {
        left: btf,
        right: compiled,
    };
    for (name, id) in names {
        let Some(printed) = again.get(name) else {
            return Err(format!("{name} (type {}) is not in what clang made", id.0).into());
        };
        pair.same(*id, *printed)
            .map_err(|why| format!("{name} (type {}): {why}", id.0))?;
    }
    Ok(())
}

fn keyword(kind: &Kind) -> Option<&'static str> {
    match kind {
        Kind::Struct { .. } => Some("struct"),
        Kind::Union { .. } => Some("union"),
        Kind::Enum { .. } | Kind::Enum64 { .. } => Some("enum"),
        _ => None,
    }
}

/// What structs, unions and enums are called in C: the second of a name has `___2` behind it.
fn printed_names(btf: &Btf) -> Vec<(String, TypeId)> {
    let mut times: HashMap<&str, u32> = HashMap::new();
    let mut names = Vec::new();
    for (id, ty) in btf.types() {
        let name = btf.str(ty.name);
        let Some(keyword) = keyword(&ty.kind).filter(|_| !name.is_empty()) else {
            continue;
        };
        // An enum without enumerators is declared and not defined.
        if matches!(&ty.kind, Kind::Enum { values, .. } if values.is_empty()) {
            continue;
        }
        let times = times.entry(name).or_default();
        *times += 1;
        names.push(match *times {
            1 => (format!("{keyword} {name}"), id),
            times => (format!("{keyword} {name}___{times}"), id),
        });
    }
    names
}

/// The types that we read, and those that clang made of our text.
struct Pair<'a> {
    left: &'a Btf,
    right: &'a Btf,
}

impl Pair<'_> {
    fn same(&self, left: TypeId, right: TypeId) -> Result<(), String> {
        let (Some(left), Some(right)) = (self.left.get(left), self.right.get(right)) else {
            return Err("it is gone".into());
        };
        match (&left.kind, &right.kind) {
            (
                Kind::Struct {
                    size,
                    members,
                    bitfields,
                },
                Kind::Struct {
                    size: again,
                    members: printed,
                    bitfields: flag,
                },
            )
            | (
                Kind::Union {
                    size,
                    members,
                    bitfields,
                },
                Kind::Union {
                    size: again,
                    members: printed,
                    bitfields: flag,
                },
            ) => {
                equal("its size", size, again)?;
                let is_real = |m: &&Member| !self.right.str(m.name).starts_with("__btf_padding");
                let printed: Vec<&Member> = printed.iter().filter(is_real).collect();
                equal("the number of members", &members.len(), &printed.len())?;
                for (left, right) in members.iter().zip(printed) {
                    self.same_member((left, *bitfields), (right, *flag))?;
                }
                Ok(())
            }
            (left, right) => {
                let (size, values) = enumeration(left).ok_or("it is another kind")?;
                let (again, printed) = enumeration(right).ok_or("it is another kind")?;
                equal("its size", &size, &again)?;
                equal("its values", &values, &printed)
            }
        }
    }

    fn same_member(
        &self,
        (left, flag): (&Member, Bitfields),
        (right, right_flag): (&Member, Bitfields),
    ) -> Result<(), String> {
        let name = self.left.str(left.name);
        let what = |what| format!("{what} of member '{name}'");
        equal(&what("the name"), &name, &self.right.str(right.name))?;
        let place = |member: &Member, flag| match flag {
            Bitfields::No => (member.offset, 0),
            Bitfields::Yes => (member.offset & 0xff_ffff, member.offset >> 24),
        };
        let (at, again) = (place(left, flag), place(right, right_flag));
        equal(&what("the place"), &at, &again)?;
        let sizes = (self.left.size_of(left.ty), self.right.size_of(right.ty));
        equal(&what("the size"), &sizes.0, &sizes.1)?;
        // What has no name is defined here, and compared here.
        let (left, right) = (self.left.resolve(left.ty), self.right.resolve(right.ty));
        match self.left.get(left) {
            Some(ty) if ty.name == StrId(0) && keyword(&ty.kind).is_some() => self
                .same(left, right)
                .map_err(|why| format!("in '{name}', {why}")),
            _ => Ok(()),
        }
    }
}

fn equal<T: PartialEq + std::fmt::Debug>(what: &str, left: &T, right: &T) -> Result<(), String> {
    match left == right {
        true => Ok(()),
        false => Err(format!(
            "{what} is {left:?}, and in what clang made {right:?}"
        )),
    }
}

/// The size of an enum, and its values as bits of that size.
fn enumeration(kind: &Kind) -> Option<(u32, Vec<u64>)> {
    let (size, values): (u32, Vec<u64>) = match kind {
        Kind::Enum { size, values, .. } => (
            *size,
            values.iter().map(|(_, value)| *value as u64).collect(),
        ),
        Kind::Enum64 { size, values, .. } => (
            *size,
            values.iter().map(|(_, value)| *value as u64).collect(),
        ),
        _ => return None,
    };
    let mask = u64::MAX >> (64 - size.clamp(1, 8) * 8);
    Some((size, values.into_iter().map(|value| value & mask).collect()))
}
