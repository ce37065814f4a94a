//! Which program of an object is meant.

use ebpf_asm::prog_type::ProgType;
use ebpf_asm::program::Program;

use ebpf_cli::exit::Exit;
use ebpf_cli::object_file::ObjectFile;
use ebpf_cli::report::Failure;

/// The program with this name; without a name, the only XDP program.
///
/// A name that the object does not have is the loader's to refuse.
pub(crate) fn program_name<'a>(
    file: &'a ObjectFile,
    named: Option<&'a str>,
) -> Result<&'a str, Failure> {
    if let Some(named) = named {
        return check_type(file, named).map(|()| named);
    }
    let xdp = |program: &&Program| program.prog_type == ProgType::Xdp;
    let programs: Vec<_> = file.object.programs.iter().filter(xdp).collect();
    let path = file.path.display();
    match programs.as_slice() {
        [one] => Ok(&one.name),
        [] => Err(
            Failure::new(Exit::BadObject, format!("{path} has no XDP program"))
                .details(list(&file.object.programs))
                .help("an XDP program is a function in a section named 'xdp'"),
        ),
        [first, ..] => Err(
            Failure::new(Exit::Usage, format!("{path} has several XDP programs"))
                .details(list(programs.iter().copied()))
                .help(format!("name one, as with --prog {}", first.name)),
        ),
    }
}

/// That a program can run on an interface, if the object has it.
fn check_type(file: &ObjectFile, named: &str) -> Result<(), Failure> {
    match file.object.program(named) {
        Some(program) if program.prog_type != ProgType::Xdp => {
            let prog_type = program.prog_type;
            let message = format!(
                "program '{named}' is of type {prog_type}, and interfaces run XDP programs"
            );
            Err(Failure::new(Exit::BadObject, message)
                .help("an XDP program is a function in a section named 'xdp'"))
        }
        _ => Ok(()),
    }
}

/// The programs, one a line.
fn list<'a>(programs: impl IntoIterator<Item = &'a Program>) -> String {
    let lines = programs
        .into_iter()
        .map(|program| format!("  {} ({})\n", program.name, program.prog_type));
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ebpf_asm::assembler::Assembler;
    use ebpf_asm::insn::Reg;
    use ebpf_asm::object::{Object, write};

    fn file(programs: &[(&str, &str)]) -> ObjectFile {
        let programs = programs.iter().map(|(name, section)| {
            let mut a = Assembler::new(*name);
            a.mov(Reg::R0, 2).exit();
            a.finish(section).unwrap()
        });
        let object = Object {
            license: "GPL".into(),
            programs: programs.collect(),
            ..Object::default()
        };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.o");
        std::fs::write(&path, write(&object).unwrap()).unwrap();
        ObjectFile::read(&path).unwrap()
    }

    #[test]
    fn the_only_xdp_program_needs_no_name() {
        let file = file(&[("other", "tc"), ("this", "xdp")]);
        assert_eq!(program_name(&file, None).unwrap(), "this");
        assert_eq!(program_name(&file, Some("this")).unwrap(), "this");
        assert_eq!(program_name(&file, Some("missing")).unwrap(), "missing");
        let other = program_name(&file, Some("other")).unwrap_err();
        assert_eq!(other.exit(), Exit::BadObject);
        assert_eq!(
            other.message(),
            "program 'other' is of type sched_cls, and interfaces run XDP programs"
        );
    }

    #[test]
    fn several_are_listed_and_none_is_a_bad_object() {
        let file_of_two = file(&[("a", "xdp"), ("b", "xdp")]);
        let several = program_name(&file_of_two, None).unwrap_err();
        assert_eq!(several.exit(), Exit::Usage);
        assert!(several.to_string().contains("  a (xdp)\n  b (xdp)\n"));
        let none = file(&[("a", "tc")]);
        assert_eq!(
            program_name(&none, None).unwrap_err().exit(),
            Exit::BadObject
        );
    }
}
