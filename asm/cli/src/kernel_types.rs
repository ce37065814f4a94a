//! The kernel's own types: the running kernel's, read when the first program asks for them, or those
//! in a file.

use std::borrow::Cow;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use ebpf_asm::btf::Btf;
use ebpf_asm::isa::KernelVersion;
use ebpf_asm::object::Object;
use ebpf_cli::exit::Exit;
use ebpf_cli::report::Failure;
use ebpf_verifier_sim::{KernelTypes, Symbols, symbols_of};

use crate::btf;

/// Where the kernel shows its types.
const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// Where the kernel shows its release.
const RELEASE: &str = "/proc/sys/kernel/osrelease";

/// Where the kernel shows its symbols.
const KALLSYMS: &str = "/proc/kallsyms";

/// The types of the kernel that this runs on; none where it shows none. They are read once, for
/// all objects.
pub(crate) fn running() -> &'static KernelTypes {
    static RUNNING: LazyLock<KernelTypes> = LazyLock::new(|| {
        let types = KernelTypes::on_demand(|| Btf::from_bytes(&fs::read(VMLINUX).ok()?).ok());
        let types = types.with_symbols(symbols);
        match release() {
            Some(release) => types.of_release(release),
            None => types,
        }
    });
    &RUNNING
}

/// The types of a kernel of that release which a file describes. Which addresses it knows and how it
/// was built is not known.
pub(crate) fn of_file(path: &Path, release: KernelVersion) -> Result<KernelTypes, Failure> {
    btf::read(path, None).map(|btf| KernelTypes::new(btf).of_release(release))
}

/// The release of the kernel that this runs on.
fn release() -> Option<KernelVersion> {
    let text = fs::read_to_string(RELEASE).ok()?;
    let mut numbers = text.trim().splitn(3, ['.', '-']);
    let mut number = || numbers.next()?.parse().ok();
    Some((number()?, number()?))
}

/// The names of the symbols of the kernel that this runs on.
fn symbols() -> Option<Symbols> {
    let text = fs::read(KALLSYMS).ok()?;
    Some(symbols_of(&String::from_utf8_lossy(&text)))
}

/// The object as it is loaded into a kernel of these types: what its instructions ask of them
/// is answered, if there are any.
pub(crate) fn relocated<'o>(
    object: &'o Object,
    types: &KernelTypes,
) -> Result<Cow<'o, Object>, Failure> {
    let mut programs = object.programs.iter();
    if programs.all(|program| program.core_relocations.is_empty()) {
        return Ok(Cow::Borrowed(object));
    }
    let Some(btf) = types.btf() else {
        return Ok(Cow::Borrowed(object));
    };
    let mut relocated = object.clone();
    match relocated.relocate_core(btf) {
        Ok(_) => Ok(Cow::Owned(relocated)),
        Err(error) => Err(Failure::new(Exit::BadObject, error.to_string()).help(
            "the answers come from the kernel's types: those of --btf, or of the running kernel",
        )),
    }
}
