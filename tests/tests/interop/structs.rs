//! Structs of functions for the kernel that come into force by a link (section
//! `.struct_ops.link`) or are made only on request (with a `?` before it), which the system's
//! libbpf does not know yet: the kernel is the witness.

use ebpf_asm::map_flags::BPF_F_LINK;
use std::fs;

use ebpf_asm::map_type::MapType;
use ebpf_asm::object::{self, Autocreate, Map, MapValue, Object};
use ebpf_loader::Loader;
use ebpf_tests::policy::{self, Need};
use ebpf_tests::{Outcome, clang, corpus, ensure, ensure_eq, tool};
use libtest_mimic::Trial;

const NEEDS: [Need; 3] = [
    Need::Kernel,
    Need::Tool("clang-22"),
    Need::Header("bpf/bpf_tracing.h"),
];

/// Sections that only newer libraries know.
const SECTIONS: [(&str, Autocreate); 2] = [
    (".struct_ops.link", Autocreate::Yes),
    ("?.struct_ops.link", Autocreate::OnRequest),
];

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        policy::trial("structs::read", &NEEDS, || {
            SECTIONS.iter().try_for_each(|section| {
                let object = read(section.0)?;
                is_read(&object, section)?;
                loads(&object)
            })
        }),
        policy::trial("structs::written_again", &NEEDS, || {
            SECTIONS.iter().try_for_each(|section| {
                let again = object::read(&object::write(&read(section.0)?)?)?;
                is_read(&again, section)?;
                loads(&again)
            })
        }),
        policy::trial("structs::of_the_text", &NEEDS, || {
            SECTIONS
                .iter()
                .try_for_each(|section| of_the_text(section.0))
        }),
    ]
}

/// The text says all of the structs but their types.
fn of_the_text(section: &str) -> Outcome {
    let object = read(section)?;
    let mut text = String::new();
    ebpf_asm::text::print_object(&mut text, &object, ebpf_asm::text::Options::CODE)?;
    let parsed = ebpf_asm::text::parse("text", &text)?;
    let untyped = |map: &Map| Map {
        value_type: None,
        ..map.clone()
    };
    let maps: Vec<Map> = object.maps.iter().map(untyped).collect();
    ensure_eq!(parsed.maps, maps, "the maps of the text:\n{text}");
    let refused = object::write(&parsed)
        .err()
        .ok_or("a struct without a type")?;
    let said = refused.to_string();
    ensure!(said.contains("'slow' has no type"), "{said}");
    Ok(())
}

fn read(section: &str) -> Outcome<Object> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("struct_ops.o");
    let mut clang = tool::command("clang-22");
    clang.args(["-target", "bpf", "-O2", "-g", "-mcpu=v3", "-DMCPU=3"]);
    clang.arg(format!("-DSTRUCTS=\"{section}\"")).arg("-c");
    clang.arg(corpus::source("struct_ops")).arg("-o").arg(&path);
    tool::output(clang.arg(clang::system_headers()))?;
    Ok(object::read(&fs::read(path)?)?)
}

fn is_read(object: &Object, (section, autocreate): &(&str, Autocreate)) -> Outcome {
    for (name, begins) in [("slow", 28), ("slower", 24)] {
        let map = object.map(name).ok_or("a struct is missing")?;
        let shape = (map.map_type, map.value_size, map.map_flags, map.autocreate);
        let wanted = (MapType::StructOps, 48, BPF_F_LINK, *autocreate);
        ensure_eq!(shape, wanted, "struct {name} of {section}");
        let program = |name: &str| MapValue::Program(name.to_owned());
        let members = [
            (0, program("slow_ssthresh")),
            (8, program("slow_cong_avoid")),
            (16, program("slow_undo_cwnd")),
        ];
        ensure_eq!(map.values[..3], members, "the functions of {name}");
        let rest = &map.values[3..];
        let [(byte, MapValue::Bytes(bytes))] = rest else {
            return Err(format!("{rest:?} are not some bytes").into());
        };
        ensure_eq!(*byte, begins, "where the bytes of {name} begin");
        let ends = format!("corpus_{name}");
        ensure!(bytes.ends_with(ends.as_bytes()), "{bytes:?}");
    }
    Ok(())
}

/// The kernel takes the programs as the functions that they are, and makes room for the structs.
fn loads(object: &Object) -> Outcome {
    let mut loader = Loader::new(object);
    for program in &object.programs {
        loader.load(&program.name)?;
    }
    for map in &object.maps {
        let made = loader.map(&map.name)?.ok_or("a struct is missing")?;
        ensure_eq!(made.info()?.map_type, 26, "the type of the map");
    }
    // A function where the kernel wants another.
    let mut wrong = object.clone();
    for map in &mut wrong.maps {
        map.values.retain(|(byte, _)| *byte != 0);
    }
    let refused = Loader::new(&wrong).load("slow_ssthresh").err();
    let said = refused
        .ok_or("a function of nothing was loaded")?
        .to_string();
    ensure!(said.contains("is a function of no struct"), "{said}");
    Ok(())
}
