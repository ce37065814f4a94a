//! The types of functions, `func_info`: all functions have one, or none has.
//!
//! Described in the kernel's `Documentation/bpf/btf.rst`, "BPF_PROG_LOAD"; messages as observed
//! on Linux 6.18.
//!
//! Read before: `loadable.rs`. Read next: `exception.rs`.

use crate::call::tail_call::is_tail_call;
use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::flow::cfg::Cfg;
use crate::types::prototype::is_number;
use ebpf_asm::btf::{Btf, Kind};
use ebpf_asm::isa::Sem;
use ebpf_asm::program::{Function, Program};

/// That the functions with types are those that there are, and return numbers where the
/// program may be left from within them.
pub(crate) fn check_functions(program: &Program, btf: Option<&Btf>, cfg: &Cfg<'_>) -> Checked {
    let typed = program.functions.iter().filter(|f| f.type_id.is_some());
    let typed: Vec<&Function> = typed.collect();
    let Some(first) = typed.first() else {
        return Ok(());
    };
    let refuse = |message: String| {
        Err(Rejection::new(Code::BadBtf, message)
            .label("func_info has the first instruction and the type of every function")
            .help("give all functions types (in C: compile with -g), or none"))
    };
    if first.slot != 0 {
        let off = first.slot;
        return refuse(format!(
            "nonzero insn_off {off} for the first func info record"
        ));
    }
    if typed.len() != cfg.functions().len() {
        return refuse("number of funcs in func_info doesn't match number of subprogs".to_owned());
    }
    let mut pairs = typed.iter().zip(cfg.functions());
    if pairs.any(|(typed, &slot)| typed.slot != slot) {
        return refuse(
            "func_info BTF section doesn't match subprog layout in BPF program".to_owned(),
        );
    }
    let Some(btf) = btf else { return Ok(()) };
    let others = typed.iter().filter(|f| f.slot > 0);
    for function in others.filter(|function| !returns_number(btf, function)) {
        let leaves = cfg
            .function_range(function.slot)
            .find_map(|slot| Some((slot, leaves(cfg, slot)?)));
        if let Some((slot, what)) = leaves {
            let message = format!("{what} is only allowed in functions that return 'int'.");
            let mut refused = Rejection::new(Code::TailCall, message)
                .label(format!("'{}' does not", function.name))
                .help(
                    "let the function return int: it ends with 0 when the program is left from \
                     within",
                );
            refused.slot = slot;
            return Err(refused);
        }
    }
    Ok(())
}

/// Bytes of a register.
const REGISTER: u32 = 8;

fn returns_number(btf: &Btf, function: &Function) -> bool {
    let kind = |id| btf.get(id).map(|ty| &ty.kind);
    let Some(Kind::Func { proto, .. }) = function.type_id.and_then(kind) else {
        return false;
    };
    let Some(Kind::FuncProto { ret, .. }) = kind(*proto) else {
        return false;
    };
    is_number(btf, *ret) && btf.size_of(*ret).is_some_and(|size| size <= REGISTER)
}

/// How the instruction at `slot` may leave the program from within a function.
fn leaves(cfg: &Cfg<'_>, slot: usize) -> Option<&'static str> {
    let insn = cfg.insn(slot)?;
    if is_tail_call(insn) {
        Some("tail_call")
    } else if matches!(insn.sem(), Sem::LoadPacket { .. }) {
        Some("LD_ABS")
    } else {
        None
    }
}
