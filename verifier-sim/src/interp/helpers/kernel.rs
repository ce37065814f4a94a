//! Functions of the kernel, which programs call by name or by the number of their BTF type.
//!
//! Source: the kernel's `Documentation/bpf/kfuncs.rst`, and the comments there and in
//! bpf-helpers(7) on what they are like.
//!
//! Read before: `mod.rs`. Read next: `section.rs`, `numbers.rs`, `dynptr.rs`, `object.rs`.

use super::{Call, Moved, Returned, dynptr, numbers, object, section};
use crate::interp::execution::{Execution, Next};
use crate::interp::fault::FaultKind;
use crate::interp::host::Catches;
use ebpf_asm::insn::Reg;
use ebpf_asm::program::Reference;

/// A function's name, and what it does.
type Model = (&'static str, fn(&mut Call<'_, '_>) -> Moved);

/// The functions that are modelled.
const MODELS: &[Model] = &[
    ("bpf_rcu_read_lock", |call| returns(call, section::nothing)),
    ("bpf_rcu_read_unlock", |call| {
        returns(call, section::nothing)
    }),
    ("bpf_preempt_disable", |call| {
        returns(call, section::nothing)
    }),
    ("bpf_preempt_enable", |call| returns(call, section::nothing)),
    ("bpf_local_irq_save", |call| {
        returns(call, section::irq_save)
    }),
    ("bpf_local_irq_restore", |call| {
        returns(call, section::irq_restore)
    }),
    ("bpf_iter_num_new", |call| returns(call, numbers::new)),
    ("bpf_iter_num_next", |call| returns(call, numbers::next)),
    ("bpf_iter_num_destroy", |call| {
        returns(call, numbers::destroy)
    }),
    ("bpf_dynptr_from_skb", |call| {
        returns(call, dynptr::from_packet)
    }),
    ("bpf_dynptr_from_xdp", |call| {
        returns(call, dynptr::from_packet)
    }),
    ("bpf_dynptr_slice", |call| returns(call, dynptr::slice)),
    ("bpf_dynptr_slice_rdwr", |call| {
        returns(call, dynptr::slice_rdwr)
    }),
    ("bpf_dynptr_size", |call| returns(call, dynptr::size)),
    ("bpf_dynptr_is_null", |call| returns(call, dynptr::is_null)),
    ("bpf_dynptr_is_rdonly", |call| {
        returns(call, dynptr::is_rdonly)
    }),
    ("bpf_obj_new_impl", |call| returns(call, object::new)),
    ("bpf_obj_drop_impl", |call| returns(call, object::drop)),
    ("bpf_throw", throw),
];

/// Calls a function of the kernel: the one that the object names, or that has this BTF id.
pub(in crate::interp) fn call(execution: &mut Execution<'_>, id: i32) -> Moved {
    let host = &execution.host;
    let name = match execution.reference() {
        Some(Reference::Extern(index)) => host.externs.get(index).map(String::as_str),
        _ => (host.kernel_functions)(id),
    };
    let unknown = || format!("the kernel function with BTF id {id}");
    let model = MODELS.iter().find(|(known, _)| name == Some(*known));
    let (name, model) = model.ok_or_else(|| {
        FaultKind::NotModelled(
            name.map_or_else(unknown, |name| format!("the kernel function {name}")),
        )
    })?;
    model(&mut Call { name, execution })
}

/// Behind the call, with what the function returns.
fn returns(call: &mut Call<'_, '_>, model: fn(&mut Call<'_, '_>) -> Returned) -> Moved {
    let r0 = model(call)?;
    call.execution.registers.helper_returned(r0);
    Ok(Next::Falls)
}

/// `void bpf_throw(u64 cookie)`: ends the program with the cookie, which is what programs
/// without an exception callback return then.
fn throw(call: &mut Call<'_, '_>) -> Moved {
    if call.execution.host.catches == Catches::Exceptions {
        return Err(FaultKind::NotModelled("an exception callback".to_owned()));
    }
    Ok(Next::Ends(call.arg(Reg::R1)?))
}
