//! The running kernel's own types, read once for all tests of a process.

use std::collections::HashMap;
use std::fs;
use std::sync::LazyLock;

use ebpf_asm::btf::{Btf, Kind};
use ebpf_asm::object::Object;
use ebpf_verifier_sim::{KernelTypes, Symbols, symbols_of};

use crate::Outcome;

/// The types of the kernel that the tests run on; none where it shows none.
pub static RUNNING: LazyLock<KernelTypes> = LazyLock::new(|| {
    KernelTypes::on_demand(|| Btf::from_bytes(&fs::read("/sys/kernel/btf/vmlinux").ok()?).ok())
        .with_symbols(symbols)
});

fn symbols() -> Option<Symbols> {
    let text = fs::read_to_string("/proc/kallsyms").ok()?;
    Some(symbols_of(&text))
}

/// The object as the running kernel gets it: what its instructions ask of the kernel's types is
/// answered, and its options are those of the kernel's configuration.
///
/// # Errors
/// If there is no answer.
pub fn relocated(mut object: Object) -> Outcome<Object> {
    if let Some(btf) = asks(&object).then(|| RUNNING.btf()).flatten() {
        object.relocate_core(btf)?;
    }
    Ok(ebpf_loader::with_options(&object)?.into_owned())
}

/// The number by which the running kernel knows a function of its own.
#[must_use]
pub fn function(name: &str) -> Option<i32> {
    FUNCTIONS.get(name).copied()
}

static FUNCTIONS: LazyLock<HashMap<String, i32>> = LazyLock::new(|| {
    let Some(btf) = RUNNING.btf() else {
        return HashMap::new();
    };
    let functions = btf
        .types()
        .filter(|(_, known)| matches!(known.kind, Kind::Func { .. }));
    functions
        .map(|(id, known)| (btf.str(known.name).to_owned(), id.0 as i32))
        .collect()
});

/// The name of the running kernel's function with this number.
#[must_use]
pub fn function_name(number: i32) -> Option<&'static str> {
    static NAMES: LazyLock<HashMap<i32, &'static str>> = LazyLock::new(|| {
        let names = FUNCTIONS.iter();
        names
            .map(|(name, number)| (*number, name.as_str()))
            .collect()
    });
    NAMES.get(&number).copied()
}

fn asks(object: &Object) -> bool {
    let mut programs = object.programs.iter();
    programs.any(|program| !program.core_relocations.is_empty())
}
