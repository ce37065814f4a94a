//! Options of the kernel's configuration (`__kconfig` in C): constants with the values that the
//! running kernel has.
//!
//! Described in libbpf's documentation (`bpf_helpers.h` at `__kconfig`). What begins with
//! `LINUX_` is no option but what libbpf finds out about the kernel, under the same names.

use std::borrow::Cow;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use ebpf_asm::btf::{IntEncoding, Kind};
use ebpf_asm::object::{Data, DataKind, Map, Object, Strength, Variable};

use crate::error::{Error, Result};
use crate::kernel::{Kernel, read};

/// The object as it is loaded into the running kernel, as far as its options go: they are
/// constants, with the values that this kernel has.
///
/// # Errors
/// [`Error::ExternMissing`] if the kernel lacks one that is not weak; [`Error::BadObject`] if a
/// variable cannot hold the value.
pub fn with_options(object: &Object) -> Result<Cow<'_, Object>> {
    let mut configured = Cow::Borrowed(object);
    for (index, map) in object.maps.iter().enumerate().filter(|(_, map)| asks(map)) {
        let constants = constants(&mut Kernel::default(), object, map)?;
        if let Some(map) = configured.to_mut().maps.get_mut(index) {
            *map = constants;
        }
    }
    Ok(configured)
}

/// Whether a map holds options.
pub(crate) fn asks(map: &Map) -> bool {
    let data = map.data.as_ref();
    data.is_some_and(|data| data.kind == DataKind::Kconfig)
}

/// The map that holds options, as constants.
pub(crate) fn constants(kernel: &mut Kernel, object: &Object, map: &Map) -> Result<Map> {
    let mut configured = map.clone();
    let Some(data) = &mut configured.data else {
        return Ok(configured);
    };
    let mut configuration = None;
    for variable in data.variables.clone() {
        fill(kernel, object, data, &variable, &mut configuration)?;
    }
    data.kind = DataKind::Rodata;
    Ok(configured)
}

/// Gives one option its value.
fn fill(
    kernel: &mut Kernel,
    object: &Object,
    data: &mut Data,
    variable: &Variable,
    configuration: &mut Option<String>,
) -> Result<()> {
    let name = &variable.name;
    let value = match found_out(kernel, name)? {
        Some(value) => Some(value),
        None => {
            let text = match configuration.take() {
                Some(text) => text,
                None => self::configuration()?,
            };
            option(configuration.insert(text), name).map(str::to_owned)
        }
    };
    let Some(value) = value else {
        return match variable.strength {
            Strength::Weak => Ok(()),
            Strength::Strong => Err(Error::ExternMissing {
                name: name.clone(),
                what: "option",
            }),
        };
    };
    let bytes = encode(object, variable, &value).ok_or_else(|| Error::BadObject {
        what: format!("the kernel has {name}={value}, which a variable of its type cannot hold"),
    })?;
    data.set(name, &bytes).map_err(|error| Error::BadObject {
        what: error.to_string(),
    })
}

/// What is no option, but asked for in the same way.
fn found_out(kernel: &mut Kernel, name: &str) -> Result<Option<String>> {
    let has = |has: bool| Some(if has { "y" } else { "n" }.to_owned());
    Ok(match name {
        "LINUX_KERNEL_VERSION" => Some(version_code().to_string()),
        "LINUX_HAS_BPF_COOKIE" => has(kernel.has_enumerator("BPF_FUNC_get_attach_cookie")?),
        "LINUX_HAS_SYSCALL_WRAPPER" => match wrapper_of_bpf() {
            Some(wrapper) => has(kernel.address(wrapper)?.is_some()),
            None => has(false),
        },
        _ => None,
    })
}

/// The function that system calls of bpf(2) come to, on architectures that wrap them.
fn wrapper_of_bpf() -> Option<&'static str> {
    match std::env::consts::ARCH {
        "x86_64" => Some("__x64_sys_bpf"),
        "aarch64" => Some("__arm64_sys_bpf"),
        "s390x" => Some("__s390x_sys_bpf"),
        "riscv64" => Some("__riscv_sys_bpf"),
        _ => None,
    }
}

/// The value of an option; one that is not set has none.
fn option<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
}

/// A value as a variable's bytes: `y`, `m` and `n` as its type has them, a number, a string.
fn encode(object: &Object, variable: &Variable, value: &str) -> Option<Vec<u8>> {
    let size = variable.size as usize;
    let btf = object.btf.as_ref()?;
    let Kind::Var { ty, .. } = btf.get(variable.type_id?)?.kind else {
        return None;
    };
    let kind = &btf.get(btf.resolve(ty))?.kind;
    if let Some(text) = value.strip_prefix('"') {
        let text = text.strip_suffix('"').unwrap_or(text);
        let is_text = matches!(kind, Kind::Array { .. });
        // What does not fit is cut, and ends with a zero all the same.
        let mut bytes: Vec<u8> = text.bytes().take(size.saturating_sub(1)).collect();
        bytes.resize(size, 0);
        return is_text.then_some(bytes);
    }
    let is_char =
        matches!(kind, Kind::Int { size: 1, encoding, .. } if *encoding != IntEncoding::BOOL);
    let is_number = matches!(
        kind,
        Kind::Int { .. } | Kind::Enum { .. } | Kind::Enum64 { .. }
    );
    let number = match (value, is_char) {
        _ if !is_number => return None,
        ("y" | "m" | "n", true) => i128::from(*value.as_bytes().first()?),
        ("n", false) => 0,
        ("y", false) => 1,
        // TRI_MODULE of enum libbpf_tristate; a bool cannot say it.
        ("m", false) if matches!(kind, Kind::Enum { .. }) => 2,
        ("m", false) => return None,
        (hex, _) if hex.starts_with("0x") => i128::from_str_radix(hex.get(2..)?, 16).ok()?,
        (number, _) => number.parse().ok()?,
    };
    let bits = u32::try_from(size.checked_mul(8)?)
        .ok()
        .filter(|bits| (1..=64).contains(bits))?;
    let fits = number >= -(1i128 << (bits - 1)) && number < 1i128 << bits;
    fits.then(|| number.to_le_bytes().get(..size).map(<[u8]>::to_vec))?
}

/// `LINUX_VERSION_CODE` of the running kernel.
fn version_code() -> u32 {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    let mut next = || {
        numbers
            .next()
            .and_then(|n| n.parse::<u32>().ok())
            .unwrap_or(0)
    };
    let (major, minor, patch) = (next(), next(), next());
    major << 16 | minor << 8 | patch.min(255)
}

/// The text of the kernel's configuration.
fn configuration() -> Result<String> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let plain = PathBuf::from(format!("/boot/config-{}", release.trim()));
    if let Ok(text) = fs::read_to_string(plain) {
        return Ok(text);
    }
    let path = Path::new("/proc/config.gz");
    let bytes = read(path)?;
    let mut text = String::new();
    let mut unpacked = flate2::read::GzDecoder::new(bytes.as_slice());
    unpacked
        .read_to_string(&mut text)
        .map_err(|source| Error::File {
            action: "cannot unpack",
            path: path.to_owned(),
            source,
        })?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ebpf_asm::btf::{Bitfields, Btf, Linkage};

    /// What is in the value of an option of this type.
    fn encoded(kind: Kind, size: u32, value: &str) -> Option<Vec<u8>> {
        let mut btf = Btf::new();
        let ty = btf.add("t", kind);
        let linkage = Linkage::Extern;
        let type_id = Some(btf.add("CONFIG_X", Kind::Var { ty, linkage }));
        let variable = Variable {
            name: "CONFIG_X".to_owned(),
            offset: 0,
            size,
            strength: Strength::Strong,
            type_id,
        };
        let object = Object {
            btf: Some(btf),
            ..Object::default()
        };
        encode(&object, &variable, value)
    }

    fn int(size: u32) -> Kind {
        Kind::Int {
            size,
            encoding: IntEncoding::SIGNED,
            offset: 0,
            bits: (size * 8) as u8,
        }
    }

    #[test]
    fn options_are_numbers_that_fit() {
        assert_eq!(encoded(int(4), 4, "100"), Some(vec![100, 0, 0, 0]));
        assert_eq!(encoded(int(2), 2, "-1"), Some(vec![255, 255]));
        assert_eq!(encoded(int(2), 2, "65536"), None);
        let record = Kind::Struct {
            size: 4,
            members: Vec::new(),
            bitfields: Bitfields::No,
        };
        assert_eq!(encoded(record, 4, "1"), None);
        // An object may say anything of a variable's size.
        assert_eq!(encoded(int(4), 0, "1"), None);
        assert_eq!(encoded(int(4), u32::MAX, "1"), None);
    }
}
