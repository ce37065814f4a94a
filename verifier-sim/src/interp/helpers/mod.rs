//! The helper functions that programs call, by what they work on.
//!
//! Ids, names and program types come from the one table, `ebpf_asm::helper`; here is what
//! the helpers do. Source: bpf-helpers(7), and behaviour seen on Linux 6.18.
//!
//! Read before: `../execution.rs`. Read next: `map.rs`, `packet.rs`, `kernel.rs`.

mod csum;
mod dynptr;
pub(super) mod kernel;
mod kptr;
mod lock;
mod map;
mod numbers;
mod object;
mod packet;
mod print;
mod probe;
mod redirect;
mod ringbuf;
mod rounds;
mod section;
mod socket;
mod tail_call;
mod timer;

use super::address;
use super::execution::{Execution, Next};
use super::fault::FaultKind;
use ebpf_asm::helper;
use ebpf_asm::insn::Reg;

pub(super) use dynptr::View;
pub(super) use timer::Timer;

/// What a helper returns: R0, or nothing that may be read.
type Returned = Result<Option<u64>, FaultKind>;

/// Where control goes after a helper that decides that itself.
type Moved = Result<Next, FaultKind>;

/// A helper's doing.
enum Model {
    /// It returns to the program.
    Returns(fn(&mut Call<'_, '_>) -> Returned),
    /// It may call functions of the program, or go on in another.
    Moves(fn(&mut Call<'_, '_>) -> Moved),
}

/// A helper being called.
pub(super) struct Call<'c, 'm> {
    name: &'static str,
    execution: &'c mut Execution<'m>,
}

/// Calls the helper with this id.
pub(super) fn call(execution: &mut Execution<'_>, id: i32) -> Moved {
    let helper = helper::by_id(id).ok_or(FaultKind::UnknownHelper(id))?;
    let model = moving(helper.name)
        .map(Model::Moves)
        .or_else(|| model(helper.name).map(Model::Returns))
        .ok_or_else(|| FaultKind::NotModelled(format!("the helper {}", helper.name)))?;
    let prog_type = execution.prog_type();
    if !helper.callers.prog_types.has(prog_type) {
        return Err(FaultKind::HelperNotAllowed {
            helper: helper.name,
            prog_type,
        });
    }
    let mut call = Call {
        name: helper.name,
        execution,
    };
    match model {
        Model::Moves(model) => model(&mut call),
        Model::Returns(model) => {
            let r0 = model(&mut call)?;
            execution.registers.helper_returned(r0);
            Ok(Next::Falls)
        }
    }
}

/// The helpers that decide where control goes.
fn moving(name: &str) -> Option<fn(&mut Call<'_, '_>) -> Moved> {
    Some(match name {
        "for_each_map_elem" => rounds::elements,
        "loop" => rounds::rounds,
        "tail_call" => tail_call::tail_call,
        _ => return None,
    })
}

/// The helpers that return.
fn model(name: &str) -> Option<fn(&mut Call<'_, '_>) -> Returned> {
    Some(match name {
        "map_lookup_elem" => map::lookup_elem,
        "map_update_elem" => map::update_elem,
        "map_delete_elem" => map::delete_elem,
        "map_lookup_percpu_elem" => map::lookup_percpu_elem,
        "ktime_get_ns" | "ktime_get_boot_ns" | "ktime_get_coarse_ns" | "ktime_get_tai_ns" => clock,
        "get_prandom_u32" => random,
        "get_smp_processor_id" => processor,
        "get_numa_node_id" => numa_node,
        "kptr_xchg" => kptr::exchange,
        "spin_lock" => lock::lock,
        "spin_unlock" => lock::unlock,
        "sk_lookup_tcp" | "sk_lookup_udp" | "skc_lookup_tcp" => socket::lookup,
        "sk_release" => socket::release,
        "probe_read" | "probe_read_user" => probe::read,
        "probe_read_kernel" => probe::read_kernel,
        "timer_init" => timer::init,
        "timer_set_callback" => timer::set_callback,
        "timer_start" => timer::start,
        "timer_cancel" => timer::cancel,
        "trace_printk" => print::trace_printk,
        "csum_diff" => csum::csum_diff,
        "xdp_adjust_head" => packet::xdp_adjust_head,
        "xdp_adjust_tail" => packet::xdp_adjust_tail,
        "xdp_adjust_meta" => packet::xdp_adjust_meta,
        "xdp_get_buff_len" => packet::xdp_get_buff_len,
        "xdp_load_bytes" => packet::xdp_load_bytes,
        "xdp_store_bytes" => packet::xdp_store_bytes,
        "skb_load_bytes" => packet::skb_load_bytes,
        "skb_store_bytes" => packet::skb_store_bytes,
        "redirect" => redirect::redirect,
        "redirect_map" => redirect::redirect_map,
        "dynptr_from_mem" => dynptr::from_mem,
        "dynptr_read" => dynptr::read,
        "dynptr_write" => dynptr::write,
        "dynptr_data" => dynptr::data,
        "ringbuf_reserve_dynptr" => dynptr::reserve,
        "ringbuf_submit_dynptr" => dynptr::submit,
        "ringbuf_discard_dynptr" => dynptr::discard,
        "ringbuf_output" => ringbuf::output,
        "ringbuf_reserve" => ringbuf::reserve,
        "ringbuf_submit" => ringbuf::submit,
        "ringbuf_discard" => ringbuf::discard,
        "ringbuf_query" => ringbuf::query,
        _ => return None,
    })
}

fn clock(call: &mut Call<'_, '_>) -> Returned {
    Ok(Some(call.execution.host.clock_ns))
}

fn random(call: &mut Call<'_, '_>) -> Returned {
    Ok(Some(u64::from(call.execution.host.random.next())))
}

fn processor(call: &mut Call<'_, '_>) -> Returned {
    Ok(Some(call.execution.host.cpu as u64))
}

/// There is one node.
fn numa_node(_: &mut Call<'_, '_>) -> Returned {
    Ok(Some(0))
}

impl Call<'_, '_> {
    /// Behind the call, with R0.
    fn falls(&mut self, r0: u64) -> Moved {
        self.execution.registers.helper_returned(Some(r0));
        Ok(Next::Falls)
    }

    /// Behind the call, with nothing that may be read.
    fn falls_without(&mut self) -> Moved {
        self.execution.registers.helper_returned(None);
        Ok(Next::Falls)
    }

    /// The argument in a register.
    fn arg(&self, reg: Reg) -> Result<u64, FaultKind> {
        self.execution.registers.read(reg)
    }

    /// The context in R1, which must be there.
    fn ctx(&self) -> Result<(), FaultKind> {
        let value = self.arg(Reg::R1)?;
        match value == address::ctx() {
            true => Ok(()),
            false => Err(self.wrong(Reg::R1, "the context", value)),
        }
    }

    /// The index of the map in a register.
    fn map(&self, reg: Reg) -> Result<usize, FaultKind> {
        let value = self.arg(reg)?;
        let map = self.execution.memory.map_at(value);
        map.ok_or_else(|| self.wrong(reg, "a map", value))
    }

    /// A copy of the `size` bytes that a register points at.
    fn bytes(&self, reg: Reg, size: u64) -> Result<Vec<u8>, FaultKind> {
        let address = self.arg(reg)?;
        Ok(self.execution.memory.read(address, size)?.to_vec())
    }

    /// The fault of a wrong argument.
    fn wrong(&self, reg: Reg, expected: &'static str, value: u64) -> FaultKind {
        FaultKind::Argument {
            helper: self.name,
            reg,
            expected,
            value,
        }
    }
}
