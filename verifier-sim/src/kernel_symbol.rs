//! Addresses of the kernel's variables and functions, which programs take by name (`__ksym`)
//! or by the number of a type.
//!
//! Described in the kernel's `Documentation/bpf/libbpf/libbpf_overview.rst` and in `linux/bpf.h`
//! at `BPF_PSEUDO_BTF_ID`.
//!
//! Read before: `machine.rs`, `kernel_types.rs`. Read next: `btf_walk.rs`.

use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::machine::{Machine, not_modelled};
use crate::reg::{Kind, RegState};
use ebpf_asm::btf::{Kind as Type, TypeId};
use ebpf_asm::insn::Insn;
use ebpf_asm::object::{ExternKind, Strength};

impl Machine<'_, '_> {
    /// The address of an extern of the object, by its index.
    pub(crate) fn extern_address(&mut self, index: usize) -> Checked<RegState> {
        let env = self.env;
        let of = env.object.externs.get(index);
        let of = of.ok_or_else(|| not_modelled("the address of an extern that is not there"))?;
        let kernel = env.kernel;
        kernel.needed_for("addresses of what the kernel defines")?;
        let typed = of.type_id.zip(env.object.btf.as_ref());
        let sized = typed.is_some_and(|(id, btf)| btf.size_of(id).is_some());
        let found = match of.kind {
            ExternKind::Function => kernel.function(&of.name),
            ExternKind::Variable if sized => kernel.variable(&of.name),
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
        let refuse = |message: String| {
            Rejection::new(Code::UnknownKfunc, message)
                .label("takes the address of what is neither a variable nor a function")
        };
        match btf.get(id).map(|ty| &ty.kind) {
            None => {
                let message = format!("ldimm64 insn specifies invalid btf_id {}.", id.0);
                Err(refuse(message))
            }
            Some(Type::Func { .. }) => Ok(RegState::pointer(Kind::ReadOnlyMem(0))),
            // Many kernels do not know the addresses of their own variables
            // (CONFIG_KALLSYMS_ALL), and refuse the program.
            Some(Type::Var { .. }) => Err(not_modelled("addresses of the kernel's variables")),
            Some(_) => {
                let message = format!(
                    "pseudo btf_id {} in ldimm64 isn't KIND_VAR or KIND_FUNC",
                    id.0
                );
                Err(refuse(message))
            }
        }
    }
}
