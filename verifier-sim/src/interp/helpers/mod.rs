//! The helper functions that programs call, by what they work on.
//!
//! Ids, names and program types come from the one table, `ebpf_asm::helper`; here is what
//! the helpers do. Source: bpf-helpers(7), and behaviour seen on Linux 6.18.
//!
//! Read before: `../execution.rs`. Read next: `map.rs`, `packet.rs`.

mod csum;
mod map;
mod packet;
mod print;
mod redirect;
mod ringbuf;

use super::address;
use super::execution::Execution;
use super::fault::FaultKind;
use ebpf_asm::helper;
use ebpf_asm::insn::Reg;

/// What a helper returns: R0, or nothing that may be read.
type Returned = Result<Option<u64>, FaultKind>;

/// A helper's doing.
type Model = fn(&mut Call<'_, '_>) -> Returned;

/// A helper being called.
pub(super) struct Call<'c, 'm> {
    name: &'static str,
    execution: &'c mut Execution<'m>,
}

/// Calls the helper with this id.
pub(super) fn call(execution: &mut Execution<'_>, id: i32) -> Returned {
    let helper = helper::by_id(id).ok_or(FaultKind::UnknownHelper(id))?;
    let model = model(helper.name)
        .ok_or_else(|| FaultKind::NotModelled(format!("the helper {}", helper.name)))?;
    let prog_type = execution.prog_type();
    if !helper.callers.prog_types.has(prog_type) {
        return Err(FaultKind::HelperNotAllowed {
            helper: helper.name,
            prog_type,
        });
    }
    model(&mut Call {
        name: helper.name,
        execution,
    })
}

/// The helpers that are modelled.
fn model(name: &str) -> Option<Model> {
    Some(match name {
        "map_lookup_elem" => map::lookup_elem,
        "map_update_elem" => map::update_elem,
        "map_delete_elem" => map::delete_elem,
        "map_lookup_percpu_elem" => map::lookup_percpu_elem,
        "ktime_get_ns" | "ktime_get_boot_ns" | "ktime_get_coarse_ns" | "ktime_get_tai_ns" => clock,
        "get_prandom_u32" => random,
        "get_smp_processor_id" => processor,
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

impl Call<'_, '_> {
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
