//! What disassemblers print of every row of the table is read back as the same instructions:
//! llvm-objdump 14 and 22, the verifier's log, `bpftool prog dump xlated`.

use std::fmt::Write;
use std::path::Path;

use ebpf_asm::insn::{Fields, Insn, Reg, decode_all};
use ebpf_asm::isa::{
    AluOp, AtomicOp, Callee, Field, ISA, Imm64, Operand, PacketMode, Row, Sem, Size,
};
use ebpf_asm::object::Object;
use ebpf_asm::program::{Program, Reference};
use ebpf_asm::text::{Options, parse, print_object};
use ebpf_tests::policy::{self, CLANG, Need};
use ebpf_tests::{Outcome, ensure, ensure_eq, tool};
use libtest_mimic::Trial;

use crate::save;

/// Samples of each row.
const SAMPLES: u32 = 24;

/// An llvm-objdump, and what it does not print as it is.
struct Llvm {
    tool: &'static str,
    cpu: &'static str,
    /// Rows that it takes for others: their bytes say so, and the line is refused.
    mistakes: fn(Sem) -> bool,
    /// How many rows it has no text for: their bytes are read.
    unknown: usize,
}

const LLVMS: [Llvm; 3] = [
    Llvm {
        tool: "llvm-objdump-22",
        cpu: "v4",
        mistakes: |_| false,
        unknown: 0,
    },
    Llvm {
        tool: "llvm-objdump-22",
        cpu: "v1",
        mistakes: |sem| {
            let from_alu32 = matches!(
                sem,
                Sem::Atomic {
                    op: AtomicOp::FetchAdd,
                    size: Size::W
                }
            );
            let acquires = matches!(sem, Sem::LoadAcquire { size: Size::W });
            from_alu32 || acquires
        },
        unknown: 13,
    },
    Llvm {
        tool: "llvm-objdump-14",
        cpu: "v3",
        mistakes: |sem| {
            let movs = matches!(sem, Sem::Movsx { .. } | Sem::AddrSpaceCast(_));
            let divides = matches!(
                sem,
                Sem::Alu {
                    op: AluOp::Sdiv,
                    ..
                }
            );
            let calls = sem == Sem::Call(Callee::Register);
            let fetches = matches!(
                sem,
                Sem::Atomic {
                    op: AtomicOp::FetchAdd,
                    size: Size::W
                }
            );
            let acquires = matches!(
                sem,
                Sem::LoadAcquire {
                    size: Size::W | Size::DW
                }
            );
            movs || divides || calls || fetches || acquires
        },
        unknown: 39,
    },
];

pub(crate) fn trials() -> Vec<Trial> {
    let llvm = LLVMS.iter().map(|llvm| {
        let name = format!("listings::{}_mcpu_{}_of_every_row", llvm.tool, llvm.cpu);
        policy::trial(name, &[Need::Tool(llvm.tool)], || llvm.every_row())
    });
    let kernel = [Need::Kernel, Need::Tool("bpftool")];
    let bare = policy::trial(
        "listings::llvm_objdump_22_without_bytes",
        &[Need::Tool("llvm-objdump-22")],
        without_bytes,
    );
    let log = policy::trial("listings::the_verifiers_log_of_every_row", &kernel, log);
    let xlated = policy::trial("listings::bpftools_dump_and_its_bytes", &kernel, xlated);
    let taken = policy::trial(
        "listings::the_verifiers_log_of_a_walk",
        &kernel,
        log_of_taken,
    );
    let clangs = policy::trial(
        "listings::clangs_objects_go_through_our_text",
        &CLANG,
        clangs_objects,
    );
    llvm.chain([bare, log, taken, xlated, clangs]).collect()
}

/// What clang makes goes through our text and back; without types and source lines, too.
fn clangs_objects() -> Outcome {
    for name in ["drop_icmp.c", "count_protocols.c"] {
        let mut object = ebpf_tests::subjects::twin(name)?.object;
        let printed = |options| -> Outcome<_> {
            let mut text = String::new();
            print_object(&mut text, &object, options)?;
            let again = parse(name, &text).map_err(|error| format!("{error}\n{text}"))?;
            Ok((again, text))
        };
        let (whole, text) = printed(Options::WHOLE)?;
        ensure_eq!(whole, object, "{text}");
        let (mut code, text) = printed(Options::CODE)?;
        object.btf = None;
        for map in &mut object.maps {
            (map.key_type, map.value_type) = (None, None);
        }
        for program in code.programs.iter_mut().chain(&mut object.programs) {
            program.lines.clear();
            for function in &mut program.functions {
                function.type_id = None;
            }
        }
        ensure_eq!(code, object, "{text}");
    }
    Ok(())
}

/// Samples of what a row's fields may hold: small, large and negative numbers.
fn samples(row: &'static Row) -> Vec<Insn> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ u64::from(row.opcode);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut sample = |n: u32| {
        let (small, large) = (next() % 16, next());
        let number = if n.is_multiple_of(2) { small } else { large };
        let register = |n: u64| Reg::new((n % 11) as u8).unwrap_or(Reg::R0);
        let fields = Fields {
            dst: register(next()),
            src: register(next()),
            offset: number as i16,
            imm: number as i32,
            next_imm: (number >> 32) as i32,
        };
        Insn::new(row, fields)
    };
    (0..SAMPLES).map(&mut sample).collect()
}

/// An object with one program, of the instructions and nothing else.
fn object(insns: Vec<Insn>) -> Outcome<Object> {
    let mut object = parse("rows", ".license GPL\n.prog socket rows\n    exit\n")?;
    object.programs[0].insns = insns;
    Ok(object)
}

/// The lines with an instruction of what llvm-objdump prints, one for each.
fn disassemble(tool: &str, arguments: &[&str], insns: Vec<Insn>) -> Outcome<Vec<String>> {
    let folder = tempfile::tempdir()?;
    let path = save(&object(insns)?, folder.path())?;
    let listing = tool::output(tool::command(tool).arg("-d").args(arguments).arg(path))?;
    let is_numbered = |line: &&str| {
        let number = line.trim_start().split_once(':').map(|(number, _)| number);
        number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    };
    Ok(listing
        .lines()
        .filter(is_numbered)
        .map(str::to_owned)
        .collect())
}

/// The instructions of a listing.
fn reread(lines: &[String]) -> Result<Vec<Insn>, String> {
    let object = parse("listing", &lines.join("\n")).map_err(|error| error.to_string())?;
    Ok(object
        .programs
        .first()
        .map(|p| p.insns.clone())
        .unwrap_or_default())
}

/// A row, and its samples with the lines that a tool prints of them.
type Printed = (&'static Row, Vec<Insn>, Vec<String>);

fn rows(tool: &str, arguments: &[&str]) -> Outcome<Vec<Printed>> {
    let all: Vec<Insn> = ISA.iter().flat_map(samples).collect();
    let count = all.len();
    let lines = disassemble(tool, arguments, all)?;
    ensure_eq!(lines.len(), count, "lines and instructions");
    let each = SAMPLES as usize;
    let rows = ISA.iter().zip(lines.chunks(each));
    Ok(rows
        .map(|(row, lines)| (row, samples(row), lines.to_vec()))
        .collect())
}

impl Llvm {
    fn every_row(&self) -> Outcome {
        let (mut faults, mut unknown) = (String::new(), 0);
        for (row, insns, lines) in rows(self.tool, &[&format!("--mcpu={}", self.cpu)])? {
            let read = reread(&lines);
            let is_unknown = lines.iter().any(|line| line.ends_with("<unknown>"));
            unknown += usize::from(is_unknown);
            let fault = match (&read, (self.mistakes)(row.sem)) {
                (Ok(read), false) if *read == insns => continue,
                (Err(error), true) if error.contains("the bytes are") => continue,
                (Ok(_), true) => "is no mistake of the tool's".to_owned(),
                (Ok(_), _) => "is read as others".to_owned(),
                (Err(error), _) => error.clone(),
            };
            let line = lines.first().map_or("", String::as_str);
            writeln!(faults, "{}: {fault}\n    {line}", row.text)?;
        }
        ensure!(faults.is_empty(), "{}:\n{faults}", self.tool);
        ensure_eq!(
            unknown,
            self.unknown,
            "rows that {} has no text for",
            self.tool
        );
        Ok(())
    }
}

/// Without the bytes all is read that the text says.
fn without_bytes() -> Outcome {
    let arguments = ["--mcpu=v4", "--no-show-raw-insn"];
    let mut faults = String::new();
    for (row, insns, lines) in rows("llvm-objdump-22", &arguments)? {
        let unsaid = match row.sem {
            Sem::Call(Callee::Local | Callee::Kfunc | Callee::NumberedRegister) => true,
            Sem::LoadImm64(Imm64::MapValueFd | Imm64::MapValueIdx | Imm64::Variable) => true,
            Sem::LoadPacket { mode, .. } => mode == PacketMode::Ind,
            _ => false,
        };
        if reread(&lines).as_ref() != Ok(&insns) && !unsaid {
            let line = lines.first().map_or("", String::as_str);
            writeln!(faults, "{}\n    {line}\n    {:?}", row.text, reread(&lines))?;
        }
    }
    ensure!(faults.is_empty(), "{faults}");
    Ok(())
}

/// Whether the verifier gets as far as printing the row in a program of its own, and prints
/// the row itself: of 16-byte instructions it prints addresses and other kernel objects.
fn is_printed_by_the_verifier(sem: Sem) -> bool {
    match sem {
        Sem::LoadImm64(kind) => kind == Imm64::Value,
        Sem::Call(callee) => callee == Callee::Helper,
        Sem::Gotox => false,
        _ => true,
    }
}

/// A program of two samples of each row, which the verifier lists before it refuses it.
fn listed_rows() -> Vec<Insn> {
    let rows = ISA.iter().filter(|row| is_printed_by_the_verifier(row.sem));
    let mut insns = Vec::new();
    for row in rows {
        for (dst, src, number) in [(Reg::R1, Reg::R2, 8), (Reg::R3, Reg::R4, -8)] {
            let jumps = row.offset == Field::Jump || row.imm == Field::Jump;
            let shifts = matches!(
                row.sem,
                Sem::Alu {
                    op: AluOp::Lsh | AluOp::Rsh | AluOp::Arsh,
                    operand: Operand::Imm,
                    ..
                }
            );
            let fields = Fields {
                dst,
                src,
                offset: if jumps { 0 } else { number },
                imm: if jumps {
                    0
                } else if shifts {
                    5
                } else {
                    number.into()
                },
                next_imm: number.into(),
            };
            if row.sem == Sem::Exit {
                // What stands behind must be reached.
                insns.push(jump_over());
            }
            insns.push(Insn::new(row, fields));
        }
    }
    insns.extend(Sem::Exit.row().map(|row| Insn::new(row, Fields::default())));
    insns
}

/// A conditional jump over the next instruction.
fn jump_over() -> Insn {
    let object = parse(
        "t",
        ".prog socket p\n    if r0 == 0 goto +1\n    exit\n    exit\n",
    );
    object
        .map(|object| object.programs[0].insns[0])
        .expect("text of ours")
}

/// What `bpftool -d prog load` prints, whether or not the kernel takes the program.
fn load_log(object: &Object, pin: &Path) -> Outcome<String> {
    let folder = tempfile::tempdir()?;
    let path = save(object, folder.path())?;
    let mut bpftool = tool::command("bpftool");
    let output = bpftool
        .args(["-d", "prog", "load"])
        .arg(path)
        .arg(pin)
        .output()?;
    Ok(tool::both(&output))
}

fn log() -> Outcome {
    let insns = listed_rows();
    let log = load_log(&object(insns.clone())?, Path::new("/sys/fs/bpf/listed"))?;
    let listed = parse("log", &log).map_err(|error| format!("{error}\n{log}"))?;
    let [program] = listed.programs.as_slice() else {
        return Err(format!("not one program:\n{log}").into());
    };
    ensure_eq!(program.name, "rows", "the name that the log says");
    ensure_eq!(program.insns, insns, "the log's instructions, and ours");
    Ok(())
}

/// A program that the verifier takes, with most forms that there are.
const TAKEN: &str = include_str!("taken.bpf");

/// What is behind lines with an instruction that bpftool 7.1 has no text for, or takes for
/// another.
const NEWER: &str = "; newer than bpftool 7.1";

/// The verifier's own listing of the program that it takes.
fn log_of_taken() -> Outcome {
    let taken = parse("taken.bpf", TAKEN)?;
    let log = load_log(&taken, Path::new("/sys/fs/bpf/all_taken"))?;
    let listed = parse("log", &log).map_err(|error| format!("{error}\n{log}"))?;
    ensure!(
        log.contains("from ") && log.contains("processed "),
        "no walk in:\n{log}"
    );
    same_but_for_maps(&listed.programs[0], &taken.programs[0])
}

fn xlated() -> Outcome {
    let older = TAKEN.lines().filter(|line| !line.ends_with(NEWER));
    let older = parse("taken.bpf", &older.collect::<Vec<_>>().join("\n"))?;
    let pin = Path::new("/sys/fs/bpf/taken");
    load_log(&older, pin)?;
    let dump = |more: &[&str]| {
        let mut bpftool = tool::command("bpftool");
        tool::output(
            bpftool
                .args(["prog", "dump", "xlated", "pinned"])
                .arg(pin)
                .args(more),
        )
    };
    let (plain, opcodes) = (dump(&[])?, dump(&["opcodes"])?);
    let bytes = raw_bytes(&opcodes);
    let expected = decode_all(&bytes).map_err(|error| format!("{error}\n{opcodes}"))?;
    for listing in [plain, opcodes] {
        let read = parse("dump", &listing).map_err(|error| format!("{error}\n{listing}"))?;
        ensure_eq!(
            read.programs[0].insns,
            expected,
            "bpftool's text, and its bytes:\n{listing}"
        );
    }
    Ok(())
}

/// The bytes in the lines of a dump that have nothing else.
fn raw_bytes(listing: &str) -> Vec<u8> {
    let byte = |pair: &str| {
        u8::from_str_radix(pair, 16)
            .ok()
            .filter(|_| pair.len() == 2)
    };
    let lines = listing.lines().filter(|line| !line.contains(':'));
    lines
        .filter_map(|line| {
            line.split_whitespace()
                .map(byte)
                .collect::<Option<Vec<u8>>>()
        })
        .flatten()
        .collect()
}

/// The same instructions, where a map's address stands for the map.
fn same_but_for_maps(log: &Program, ours: &Program) -> Outcome {
    ensure_eq!(log.insns.len(), ours.insns.len(), "instructions");
    for ((slot, ours_here), theirs) in ours.slots().zip(&log.insns) {
        let is_map = matches!(
            ours.reference(slot),
            Some(Reference::Map(_) | Reference::MapValue { .. })
        );
        if is_map {
            ensure_eq!(theirs.dst(), ours_here.dst(), "slot {slot}");
        } else {
            ensure_eq!(theirs, ours_here, "slot {slot}");
        }
    }
    Ok(())
}
