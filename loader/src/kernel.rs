//! What the running kernel defines: its types and those of its modules, and its symbols. Each is
//! read when the first program asks.
//!
//! Read next: `modules.rs`.

use std::fs;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::Arc;

use ebpf_asm::btf::core::POISON;
use ebpf_asm::btf::{Btf, Kind, TypeId};
use ebpf_asm::insn::{Fields, Insn};
use ebpf_asm::isa::{Callee, Imm64, Sem};
use ebpf_asm::object::{Extern, ExternKind, Map, Object, Strength};
use ebpf_asm::prog_type::{AttachType, ProgType};
use ebpf_asm::program::Program;

use crate::error::{Error, Result};
use crate::modules::{Modules, Place};
use crate::structs::{self, KernelMember, KernelValue};

/// The kernel's own types.
const VMLINUX: &str = "/sys/kernel/btf/vmlinux";
/// The addresses of the kernel's symbols.
const KALLSYMS: &str = "/proc/kallsyms";

/// What was read of the running kernel so far.
#[derive(Debug, Default)]
pub(crate) struct Kernel {
    types: Option<Arc<Btf>>,
    modules: Option<Modules>,
    symbols: Option<String>,
}

impl Kernel {
    fn types(&mut self) -> Result<&Arc<Btf>> {
        if self.types.is_none() {
            let bytes = read(Path::new(VMLINUX))?;
            let types = Btf::from_bytes(&bytes).map_err(|error| Error::BadObject {
                what: format!("{VMLINUX} {error}"),
            })?;
            self.types = Some(Arc::new(types));
        }
        // Just read.
        Ok(self.types.get_or_insert_default())
    }

    /// The instruction that refers to an extern, with what the kernel has for it.
    pub(crate) fn bind(&mut self, object: &Object, of: &Extern, insn: &Insn) -> Result<Insn> {
        let name = &of.name;
        let is_function = of.kind == ExternKind::Function;
        let found = match is_function || has_type(object, of.type_id) {
            true => self.typed(of),
            false => self
                .address(name)
                .map(|at| at.map_or(Found::Nothing, Found::Address)),
        };
        let found = match (found, of.strength) {
            (Ok(Found::Nothing), Strength::Strong) => {
                return Err(Error::ExternMissing {
                    name: name.clone(),
                    what: if is_function { "function" } else { "variable" },
                });
            }
            // Who may not look into modules gets on without what may be missing.
            (Err(Error::Permission { .. }), Strength::Weak) => Found::Nothing,
            (found, _) => found?,
        };
        let (sem, fields) = match (insn.sem(), found) {
            (Sem::Call(_), Found::Type(id)) => (Sem::Call(Callee::Kfunc), [id, 0]),
            (Sem::Call(_), Found::InModule(place)) => {
                (Sem::Call(Callee::Kfunc), [place.id.0 as i32, 0])
            }
            // No program may reach a call of what the kernel lacks.
            (Sem::Call(_), _) => (Sem::Call(Callee::Helper), [POISON, 0]),
            (_, Found::Type(id)) => (Sem::LoadImm64(Imm64::Variable), [id, 0]),
            (_, Found::InModule(place)) => (
                Sem::LoadImm64(Imm64::Variable),
                [place.id.0 as i32, place.fd],
            ),
            (_, Found::Address(at)) => {
                (Sem::LoadImm64(Imm64::Value), [at as i32, (at >> 32) as i32])
            }
            (_, Found::Nothing) => (Sem::LoadImm64(Imm64::Value), [0, 0]),
        };
        let [imm, next_imm] = fields;
        let offset = match (sem, found) {
            (Sem::Call(_), Found::InModule(place)) => place.index,
            _ => 0,
        };
        let fields = Fields {
            dst: insn.dst(),
            offset,
            imm,
            next_imm,
            ..Fields::default()
        };
        Ok(sem.row().map_or(*insn, |row| Insn::new(row, fields)))
    }

    /// The type of a function, or of a variable, in the kernel or else in one of its modules.
    fn typed(&mut self, of: &Extern) -> Result<Found> {
        let is_function = of.kind == ExternKind::Function;
        let wanted = |kind: &Kind| match kind {
            Kind::Func { .. } => is_function,
            Kind::Var { .. } => !is_function,
            _ => false,
        };
        if let Some(id) = self.types()?.find(&of.name, wanted) {
            return Ok(Found::Type(id.0 as i32));
        }
        let place = self.modules()?.find(&of.name, wanted);
        Ok(place.map_or(Found::Nothing, Found::InModule))
    }

    fn modules(&mut self) -> Result<&Modules> {
        if self.modules.is_none() {
            self.modules = Some(Modules::running(self.types()?)?);
        }
        // Just read.
        Ok(self.modules.get_or_insert_default())
    }

    /// What instructions name by an index, for the load of a program: the modules that were
    /// looked into.
    pub(crate) fn fd_array(&self) -> Vec<BorrowedFd<'_>> {
        let modules = self.modules.as_ref();
        modules.map(Modules::fd_array).unwrap_or_default()
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
#[derive(Clone, Copy)]
enum Found {
    /// A type, by its number.
    Type(i32),
    /// A type of a module's.
    InModule(Place),
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
    use ebpf_asm::btf::{IntEncoding, Linkage};
    use ebpf_asm::program::Reference;
    use std::fs::File;
    use std::os::fd::{AsRawFd, OwnedFd};

    /// A kernel that has one function, and two modules with a function and a variable.
    fn with_modules() -> Kernel {
        let mut types = Btf::new();
        let number = types.add(
            "int",
            Kind::Int {
                size: 4,
                bits: 32,
                offset: 0,
                encoding: IntEncoding::SIGNED,
            },
        );
        let proto = types.add(
            "",
            Kind::FuncProto {
                ret: number,
                params: Vec::new(),
            },
        );
        let func = Kind::Func {
            proto,
            linkage: Linkage::Static,
        };
        types.add("bpf_of_kernel", func.clone());
        let types = Arc::new(types);
        let mut modules = Modules::default();
        for (name, kind) in [
            ("bpf_of_first", func.clone()),
            (
                "of_second",
                Kind::Var {
                    ty: number,
                    linkage: Linkage::Global,
                },
            ),
        ] {
            let mut own = Btf::split(types.clone());
            // Also what the kernel has: that counts.
            own.add("bpf_of_kernel", func.clone());
            own.add(name, kind);
            let fd = OwnedFd::from(File::open("/dev/null").unwrap());
            modules.add(fd, &own.to_bytes(), &types).unwrap();
        }
        Kernel {
            types: Some(types),
            modules: Some(modules),
            symbols: Some(String::new()),
        }
    }

    /// The instructions that refer to externs, as they are loaded.
    fn bound(kernel: &mut Kernel, text: &str) -> Vec<Insn> {
        let object = ebpf_asm::text::parse("text", text).unwrap();
        let program = &object.programs[0];
        let insns = program
            .slots()
            .filter_map(|(slot, insn)| match program.reference(slot) {
                Some(Reference::Extern(index)) => Some((&object.externs[index], *insn)),
                _ => None,
            });
        let bound = insns.map(|(of, insn)| kernel.bind(&object, of, &insn).unwrap());
        bound.collect()
    }

    #[test]
    fn functions_and_variables_of_modules_are_found_behind_the_kernels() {
        let mut kernel = with_modules();
        let text = ".extern func bpf_of_kernel\n.extern func bpf_of_first\n\
                    .extern func bpf_of_nobody weak\n.extern var of_second type_id=2\n\
                    .prog xdp p\ncall bpf_of_kernel\ncall bpf_of_first\n\
                    if r0 == 0 goto +1\ncall bpf_of_nobody\nr1 = of_second ll\nexit\n\
                    .btf\n[1] INT 'int' size=4 encoding=SIGNED\n\
                    [2] VAR 'of_second' type_id=1 linkage=extern\n";
        let bound = bound(&mut kernel, text);
        let shown: Vec<String> = bound.iter().map(Insn::to_string).collect();
        let fds: Vec<i32> = kernel.fd_array().iter().map(AsRawFd::as_raw_fd).collect();
        assert_eq!(fds.len(), 3);
        assert_eq!(fds[0], fds[1]);
        let second = fds[2];
        let wanted = [
            "call kfunc(3, 0)".to_owned(),
            "call kfunc(5, 1)".to_owned(),
            format!("call {POISON}"),
            format!("r1 = var_addr(5, {second})"),
        ];
        assert_eq!(shown, wanted);
    }

    #[test]
    fn the_running_kernels_modules_are_read_or_may_not_be() {
        match Kernel::default().modules() {
            Ok(modules) => assert_eq!(modules.find("no_such_function", |_| true), None),
            Err(Error::Permission { .. } | Error::File { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }

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
