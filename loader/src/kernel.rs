//! What the running kernel defines: its types and its symbols. Each is read when the first
//! program asks.

use std::fs;
use std::path::Path;

use ebpf_asm::btf::core::POISON;
use ebpf_asm::btf::{Btf, Kind, TypeId};
use ebpf_asm::insn::{Fields, Insn};
use ebpf_asm::isa::{Callee, Imm64, Sem};
use ebpf_asm::object::{Extern, ExternKind, Map, Object, Strength};
use ebpf_asm::prog_type::{AttachType, ProgType};
use ebpf_asm::program::Program;

use crate::error::{Error, Result};
use crate::structs::{self, KernelMember, KernelValue};

/// The kernel's own types.
const VMLINUX: &str = "/sys/kernel/btf/vmlinux";
/// The addresses of the kernel's symbols.
const KALLSYMS: &str = "/proc/kallsyms";

/// What was read of the running kernel so far.
#[derive(Debug, Default)]
pub(crate) struct Kernel {
    types: Option<Btf>,
    symbols: Option<String>,
}

impl Kernel {
    fn types(&mut self) -> Result<&Btf> {
        if self.types.is_none() {
            let bytes = read(Path::new(VMLINUX))?;
            let types = Btf::from_bytes(&bytes).map_err(|error| Error::BadObject {
                what: format!("{VMLINUX} {error}"),
            })?;
            self.types = Some(types);
        }
        // Just read.
        Ok(self.types.get_or_insert_default())
    }

    /// The instruction that refers to an extern, with what the kernel has for it.
    pub(crate) fn bind(&mut self, object: &Object, of: &Extern, insn: &Insn) -> Result<Insn> {
        let name = &of.name;
        let is_function = of.kind == ExternKind::Function;
        let found = match is_function || has_type(object, of.type_id) {
            true => {
                let types = self.types()?;
                let wanted = |kind: &Kind| match kind {
                    Kind::Func { .. } => is_function,
                    Kind::Var { .. } => !is_function,
                    _ => false,
                };
                types.find(name, wanted).map(|id| Found::Type(id.0 as i32))
            }
            false => self.address(name)?.map(Found::Address),
        };
        let found = match (found, of.strength) {
            (Some(found), _) => found,
            (None, Strength::Weak) => Found::Nothing,
            (None, Strength::Strong) => {
                return Err(Error::ExternMissing {
                    name: name.clone(),
                    what: if is_function { "function" } else { "variable" },
                });
            }
        };
        let (sem, imm, next_imm) = match (insn.sem(), found) {
            (Sem::Call(_), Found::Type(id)) => (Sem::Call(Callee::Kfunc), id, 0),
            // No program may reach a call of what the kernel lacks.
            (Sem::Call(_), _) => (Sem::Call(Callee::Helper), POISON, 0),
            (_, Found::Type(id)) => (Sem::LoadImm64(Imm64::Variable), id, 0),
            (_, Found::Address(at)) => (Sem::LoadImm64(Imm64::Value), at as i32, (at >> 32) as i32),
            (_, Found::Nothing) => (Sem::LoadImm64(Imm64::Value), 0, 0),
        };
        let fields = Fields {
            dst: insn.dst(),
            imm,
            next_imm,
            ..Fields::default()
        };
        Ok(sem.row().map_or(*insn, |row| Insn::new(row, fields)))
    }

    /// The program with the kernel's answers to what its instructions ask of its types.
    pub(crate) fn relocate(&mut self, object: &Object, program: &Program) -> Result<Program> {
        if program.core_relocations.is_empty() {
            return Ok(program.clone());
        }
        let mut alone = Object {
            programs: vec![program.clone()],
            btf: object.btf.clone(),
            ..Object::default()
        };
        alone
            .relocate_core(self.types()?)
            .map_err(|error| Error::BadObject {
                what: error.to_string(),
            })?;
        let answered = alone.programs.pop();
        Ok(answered.unwrap_or_else(|| program.clone()))
    }

    /// The type of what the program is attached to in the kernel, as its section names it
    /// (`tp_btf/sched_switch`); 0 for programs that are attached otherwise.
    pub(crate) fn attach_type_id(&mut self, program: &Program) -> Result<u32> {
        let function: fn(&Kind) -> bool = |kind| matches!(kind, Kind::Func { .. });
        let typedef: fn(&Kind) -> bool = |kind| matches!(kind, Kind::Typedef(_));
        // The kernel's names for what programs name more shortly.
        let (prefix, wanted, what) = match (program.prog_type, program.expected_attach_type) {
            (ProgType::Tracing, Some(AttachType::TraceRawTp)) => {
                ("btf_trace_", typedef, "tracepoint")
            }
            (ProgType::Tracing, Some(AttachType::TraceIter)) => ("bpf_iter_", function, "iterator"),
            (ProgType::Tracing, _) => ("", function, "function"),
            (ProgType::Lsm, _) => ("bpf_lsm_", function, "LSM hook"),
            (ProgType::Ext, _) => {
                let target = program.attach_target().unwrap_or("(none named)");
                return Err(Error::BadObject {
                    what: format!(
                        "program '{}' replaces function '{target}' of a program that is loaded, \
                         which this loader cannot be given",
                        program.name
                    ),
                });
            }
            _ => return Ok(0),
        };
        let Some(target) = program.attach_target() else {
            return Ok(0);
        };
        let found = self.types()?.find(&format!("{prefix}{target}"), wanted);
        match found {
            Some(id) => Ok(id.0),
            None => Err(Error::ExternMissing {
                name: target.to_owned(),
                what,
            }),
        }
    }

    /// What a struct of functions is in the kernel.
    pub(crate) fn struct_value(&mut self, object: &Object, map: &Map) -> Result<KernelValue> {
        structs::value(object, map, self.types()?)
    }

    /// What the kernel wants to know of a program that is a function of a struct.
    pub(crate) fn struct_member(
        &mut self,
        object: &Object,
        program: &Program,
    ) -> Result<Option<KernelMember>> {
        match program.prog_type {
            ProgType::StructOps => structs::member(object, program, self.types()?).map(Some),
            _ => Ok(None),
        }
    }

    /// Whether the kernel's types have an enumerator of this name.
    pub(crate) fn has_enumerator(&mut self, name: &str) -> Result<bool> {
        let types = self.types()?;
        let found = types.types().any(|(_, ty)| match &ty.kind {
            Kind::Enum { values, .. } => values.iter().any(|(of, _)| types.str(*of) == name),
            _ => false,
        });
        Ok(found)
    }

    /// The address of a symbol; 0 where the kernel hides them.
    pub(crate) fn address(&mut self, name: &str) -> Result<Option<u64>> {
        if self.symbols.is_none() {
            let bytes = read(Path::new(KALLSYMS))?;
            self.symbols = Some(String::from_utf8_lossy(&bytes).into_owned());
        }
        let lines = self.symbols.iter().flat_map(|text| text.lines());
        let mut fields = lines.map(|line| line.split_whitespace());
        Ok(fields.find_map(|mut fields| {
            let address = fields.next()?;
            let _kind = fields.next()?;
            (fields.next()? == name).then(|| u64::from_str_radix(address, 16).ok())?
        }))
    }
}

/// What the kernel has under a name.
enum Found {
    /// A type, by its number.
    Type(i32),
    /// Something at an address.
    Address(u64),
    Nothing,
}

/// Whether a variable has a type, and not only an address.
fn has_type(object: &Object, id: Option<TypeId>) -> bool {
    let btf = object.btf.as_ref();
    btf.zip(id)
        .is_some_and(|(btf, id)| btf.size_of(id).is_some())
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|source| Error::File {
        action: "cannot read",
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_replaces_a_loaded_function_is_refused_by_name() {
        let text = ".prog freplace/serve faster\nr0 = 0\nexit\n";
        let object = ebpf_asm::text::parse("text", text).unwrap();
        let refused = Kernel::default().attach_type_id(&object.programs[0]);
        assert_eq!(
            refused.unwrap_err().to_string(),
            "program 'faster' replaces function 'serve' of a program that is loaded, which this \
             loader cannot be given"
        );
    }
}
