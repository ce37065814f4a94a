//! The forms in which an object is written.

use std::fmt::Write;

use ebpf_asm::insn::encode_all;
use ebpf_asm::object::{self, Object};
use ebpf_asm::text::{Options, print_object};

use crate::args::Form;
use crate::json;
use ebpf_cli::exit::Exit;
use ebpf_cli::report::Failure;

/// The object in a form, as bytes.
pub(crate) fn emit(object: &Object, form: Form) -> Result<Vec<u8>, Failure> {
    match form {
        Form::Elf => elf(object),
        Form::Hex => Ok(hex(object).into_bytes()),
        Form::Asm => Ok(asm(object)?.into_bytes()),
        Form::Json => Ok(json::object(object)?.into_bytes()),
    }
}

/// The object as an ELF file.
fn elf(object: &Object) -> Result<Vec<u8>, Failure> {
    object::write(object).map_err(|error| {
        Failure::new(
            Exit::BadObject,
            format!("the object cannot be written: {error}"),
        )
    })
}

/// The object as text that the parser reads.
pub(crate) fn asm(object: &Object) -> Result<String, Failure> {
    let mut text = String::new();
    print_object(&mut text, object, Options::CODE).map_err(unprintable)?;
    Ok(text)
}

/// What to say when printing fails.
pub(crate) fn unprintable(error: impl std::fmt::Display) -> Failure {
    let message = format!("the object cannot be printed: {error}");
    Failure::new(Exit::Internal, message)
}

/// The bytes of each program's instructions, a slot a line, under a comment with its name.
fn hex(object: &Object) -> String {
    let mut text = String::new();
    for program in &object.programs {
        text.push_str(&format!("; {} {}\n", program.section, program.name));
        for slot in encode_all(&program.insns).chunks(8) {
            let bytes: Vec<String> = slot.iter().map(|byte| format!("{byte:02x}")).collect();
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{}", bytes.join(" "));
        }
    }
    text
}
