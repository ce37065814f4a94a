//! Addresses of the kernel's variables and functions, which programs take by name (`__ksym`)
//! or by the number of a type.
//!
//! Described in the kernel's `Documentation/bpf/libbpf/libbpf_overview.rst` and in `linux/bpf.h`
//! at `BPF_PSEUDO_BTF_ID`.
//!
//! Read before: `step/machine.rs`, `types/kernel_types.rs`. Read next: `kptr.rs`.

use crate::codes::Code;
use crate::config::Config;
use crate::diag::{Checked, Rejection};
use crate::step::machine::{Machine, not_modelled};
use crate::types::kernel_types::KernelTypes;
use crate::value::reg::{Kind, RegState};
use ebpf_asm::btf::{Btf, Kind as Type, TypeId};
use ebpf_asm::insn::Insn;
use ebpf_asm::isa::{Imm64, KernelVersion, Sem};
use ebpf_asm::object::{Extern, ExternKind, Object, Strength};
use ebpf_asm::program::{Program, Reference};

/// Since when programs take addresses of functions: not of Linux 6.1, and else from the kernel's
/// history.
const FUNCTIONS: KernelVersion = (6, 4);

/// That what a program takes the addresses of is there, also where no path leads: a variable or
/// function whose address the kernel knows. Many do not know those of variables
/// (`CONFIG_KALLSYMS_ALL`). As observed on Linux 6.18.
pub(crate) fn check_addresses(
    object: &Object,
    program: &Program,
    config: &Config,
    kernel: &KernelTypes,
) -> Checked {
    for (slot, insn) in program.slots() {
        let Sem::LoadImm64(kind) = insn.sem() else {
            continue;
        };
        let named = match program.reference(slot) {
            Some(Reference::Extern(index)) => named(object, index, kernel),
            None if kind == Imm64::Variable && insn.next_imm() == 0 => {
                Some(TypeId(insn.imm() as u32))
            }
            _ => None,
        };
        let Some(id) = named else {
            continue;
        };
        // The kernel's types are read only for a program that takes an address.
        let Some(btf) = kernel.btf() else {
            continue;
        };
        check_address(id, btf, config, kernel).map_err(|mut why| {
            why.slot = slot;
            why
        })?;
    }
    Ok(())
}

/// That the type of this number is a function or a variable, with an address.
fn check_address(id: TypeId, btf: &Btf, config: &Config, kernel: &KernelTypes) -> Checked {
    let refuse = |message: String, label: &str| {
        Err(Rejection::new(Code::UnknownKfunc, message)
            .label(label)
            .help("take the address of a variable of the kernel that is declared `extern const ... __ksym`"))
    };
    let neither = "takes the address of what is neither a variable nor a function";
    match btf.get(id).map(|ty| &ty.kind) {
        Some(Type::Func { .. }) if !config.since(FUNCTIONS) => {
            let message = format!("pseudo btf_id {} in ldimm64 isn't KIND_VAR.", id.0);
            refuse(message, "takes the address of a function")
        }
        Some(Type::Func { .. } | Type::Var { .. })
            if kernel.knows_address(btf.name(id)) == Some(false) =>
        {
            let name = btf.name(id);
            let message = format!("ldimm64 failed to find the address for kernel symbol '{name}'.");
            let refused = refuse(message, "this kernel does not know the address");
            let help = "a kernel built with CONFIG_KALLSYMS_ALL knows those of its variables";
            refused.map_err(|why| why.help(help))
        }
        Some(Type::Func { .. } | Type::Var { .. }) => Ok(()),
        None if id != TypeId::VOID => {
            let message = format!("ldimm64 insn specifies invalid btf_id {}.", id.0);
            refuse(message, neither)
        }
        _ => {
            let id = id.0;
            let message = format!("pseudo btf_id {id} in ldimm64 isn't KIND_VAR or KIND_FUNC");
            refuse(message, neither)
        }
    }
}

/// The type in the kernel of an extern with one, if the kernel has it.
fn named(object: &Object, index: usize, kernel: &KernelTypes) -> Option<TypeId> {
    let of = object.externs.get(index)?;
    match of.kind {
        ExternKind::Function => kernel.function(&of.name),
        ExternKind::Variable if is_sized(object, of) => kernel.variable(&of.name),
        ExternKind::Variable => None,
    }
}

/// Whether an extern has a type, and not only an address.
fn is_sized(object: &Object, of: &Extern) -> bool {
    let typed = of.type_id.zip(object.btf.as_ref());
    typed.is_some_and(|(id, btf)| btf.size_of(id).is_some())
}

impl Machine<'_, '_> {
    /// The address of an extern of the object, by its index.
    pub(crate) fn extern_address(&mut self, index: usize) -> Checked<RegState> {
        let env = self.env;
        let of = env.object.externs.get(index);
        let of = of.ok_or_else(|| not_modelled("the address of an extern that is not there"))?;
        let kernel = env.kernel;
        kernel.needed_for("addresses of what the kernel defines")?;
        let found = match of.kind {
            ExternKind::Function => kernel.function(&of.name),
            ExternKind::Variable if is_sized(env.object, of) => kernel.variable(&of.name),
            // An address and nothing else: whatever it is, it is a number.
            ExternKind::Variable => return Ok(RegState::unknown()),
        };
        match (found, of.strength) {
            (Some(id), _) => self.symbol_address(id),
            (None, Strength::Weak) => Ok(RegState::constant(0)),
            (None, Strength::Strong) => Err(Rejection::new(
                Code::UnknownKfunc,
                format!("the kernel has no '{}'", of.name),
            )
            .label("the program cannot be loaded")
            .help("declare it weak, and use it only where its address is not 0")),
        }
    }

    /// `dst = var_addr(id, module)`.
    pub(crate) fn numbered_address(&mut self, insn: &Insn) -> Checked<RegState> {
        self.env
            .kernel
            .needed_for("addresses of what the kernel defines")?;
        if insn.next_imm() != 0 {
            return Err(not_modelled("variables of kernel modules"));
        }
        self.symbol_address(TypeId(insn.imm() as u32))
    }

    /// The address of the function or variable with this number.
    fn symbol_address(&self, id: TypeId) -> Checked<RegState> {
        let btf = self.env.kernel.needed_for("addresses")?;
        match btf.get(id).map(|ty| &ty.kind) {
            Some(Type::Func { .. }) => Ok(RegState::pointer(Kind::ReadOnlyMem(0))),
            _ => Err(not_modelled("addresses of the kernel's variables")),
        }
    }
}
