//! `ebpfasm dis`: shows an object, or bare instructions, as text.

use std::path::Path;

use ebpf_asm::assembler::Assembler;
use ebpf_asm::insn::{Insn, decode_all, encode_all};
use ebpf_asm::object::{DataKind, Object, Strength};
use ebpf_asm::program::{Program, Reference};
use ebpf_asm::text::{Extent, Options, Remarks, print_object};

use crate::args::DisArgs;
use crate::emit::unprintable;
use crate::{core_relo, json, select, source, text_file};
use ebpf_cli::exit::Exit;
use ebpf_cli::input;
use ebpf_cli::report::{self, Failure};

/// Runs the command.
pub(crate) fn run(args: &DisArgs) -> Result<(), Failure> {
    let mut object = match args.raw {
        true => bare(&args.object)?,
        false => text_file::object(&args.object)?,
    };
    if let Some(name) = &args.prog {
        select::program(&object, name, &args.object)?;
        object = object.part(name).unwrap_or(object);
    }
    if args.json {
        return report::print(json::object(&object)?);
    }
    let remarks = Beside {
        object: &object,
        args,
    };
    let mut text = String::new();
    let options = Options {
        extent: match args.whole {
            true => Extent::Whole,
            false => Extent::Code,
        },
        remarks: &remarks,
    };
    print_object(&mut text, &object, options).map_err(unprintable)?;
    if options.extent == Extent::Code {
        text.extend(left_out(&object));
    }
    report::print(text)
}

/// The comment that says what only `--whole` prints.
fn left_out(object: &Object) -> Option<String> {
    let types = object.btf.as_ref().is_some_and(|types| !types.is_empty());
    let asks = |program: &Program| !program.core_relocations.is_empty();
    let what = match (types, object.programs.iter().any(asks)) {
        (true, true) => "types and CO-RE relocations",
        (true, false) => "types",
        (false, _) => return None,
    };
    Some(format!("; left out: {what}, which --whole prints\n"))
}

/// An object of the instructions that a file holds.
fn bare(path: &Path) -> Result<Object, Failure> {
    let bytes = input::bytes(path)?;
    let insns = decode_all(&bytes).map_err(|error| {
        Failure::new(Exit::BadObject, format!("{}: {error}", input::shown(path)))
            .help("with --raw the file holds instructions alone, 8 bytes a slot, little-endian")
    })?;
    let mut assembler = Assembler::new("raw");
    assembler.at(None);
    for insn in insns {
        assembler.insn(insn);
    }
    // The type that the fewest programs cannot have: nothing is known of it.
    let program = assembler.finish("socket").map_err(unprintable)?;
    Ok(Object {
        programs: vec![program],
        ..Object::default()
    })
}

/// The comments that were asked for, and those that say what no instruction can.
struct Beside<'a> {
    object: &'a Object,
    args: &'a DisArgs,
}

impl Remarks for Beside<'_> {
    fn before(&self, program: &Program, slot: usize) -> Option<String> {
        if !self.args.source || !source::begins(program, slot) {
            return None;
        }
        program.span(slot).map(source::line)
    }

    fn beside(&self, program: &Program, slot: usize, insn: &Insn) -> Option<String> {
        let bytes = self.args.bytes.then(|| format!("{slot}: {}", hex(insn)));
        let remarks = [
            bytes,
            self.meaning(program, slot),
            core_relo::at(self.object, program, slot),
        ];
        let remarks: Vec<String> = remarks.into_iter().flatten().collect();
        (!remarks.is_empty()).then(|| remarks.join("; "))
    }
}

impl Beside<'_> {
    /// What the name in an instruction stands for, if that is not to be seen.
    fn meaning(&self, program: &Program, slot: usize) -> Option<String> {
        match program.reference(slot)? {
            Reference::Map(_) => None,
            Reference::MapValue { map, offset } => {
                let section = self.object.maps.get(map)?;
                let data = section.data.as_ref()?;
                let variable = data.variables.iter().rev().find(|known| {
                    known.offset <= offset && offset < known.offset.saturating_add(known.size)
                })?;
                let kind = match data.kind {
                    DataKind::Kconfig => "kernel option ",
                    _ => "",
                };
                let past = match offset - variable.offset {
                    0 => String::new(),
                    past => format!(" + {past}"),
                };
                Some(format!("{kind}{}{past} in {}", variable.name, section.name))
            }
            Reference::Extern(index) => {
                let strength = match self.object.externs.get(index)?.strength {
                    Strength::Strong => "",
                    Strength::Weak => ", weak",
                };
                Some(format!("of the kernel{strength}"))
            }
        }
    }
}

/// The instruction's bytes, one after the other.
fn hex(insn: &Insn) -> String {
    let bytes = encode_all(&[*insn]);
    let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(" ")
}
