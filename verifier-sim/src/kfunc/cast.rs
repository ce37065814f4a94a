//! Casts: the context as the kernel has it, and any address as a structure to look at.
//!
//! Observed on Linux 6.18, every program type.
//!
//! Read before: `kfunc/argument.rs`. Read next: `kfunc/dynptr.rs`.

use crate::codes::Code;
use crate::config::Config;
use crate::diag::{Checked, Rejection};
use crate::memory::btf_access::UNTRUSTED_MEMORY;
use crate::step::machine::{Machine, not_modelled};
use crate::value::btf_ptr::{BtfPtr, Marks};
use crate::value::reg::Kind;
use ebpf_asm::btf::{Btf, Kind as Type, TypeId};
use ebpf_asm::prog_type::ProgType;

impl Machine<'_, '_> {
    /// What `bpf_cast_to_kern_ctx` makes of the context.
    pub(super) fn kernels_context(&self, btf: &Btf) -> Checked<Kind> {
        let prog_type = self.env.program.prog_type;
        let Some(name) = kernels_name(prog_type) else {
            return Err(
                Rejection::new(Code::ArgumentType, "kern ctx type id is not a struct").label(
                    format!("the context of {prog_type} programs is no structure of the kernel"),
                ),
            );
        };
        match self.env.kernel.record(name) {
            Some(id) if btf.get(id).is_some() => Ok(Kind::Btf(BtfPtr::kernel(id, Marks::TRUSTED))),
            _ => Err(not_modelled("the context as the kernel has it")),
        }
    }
}

/// The structure that stands behind the contexts of a type.
fn kernels_name(prog_type: ProgType) -> Option<&'static str> {
    Some(match prog_type {
        ProgType::SocketFilter
        | ProgType::SchedCls
        | ProgType::SchedAct
        | ProgType::CgroupSkb
        | ProgType::LwtIn
        | ProgType::LwtOut
        | ProgType::LwtXmit
        | ProgType::LwtSeg6local
        | ProgType::SkSkb => "sk_buff",
        ProgType::Xdp => "xdp_buff",
        ProgType::Kprobe => "pt_regs",
        ProgType::PerfEvent => "bpf_perf_event_data_kern",
        ProgType::CgroupSock => "sock",
        ProgType::SockOps => "bpf_sock_ops_kern",
        ProgType::CgroupDevice => "bpf_cgroup_dev_ctx",
        ProgType::SkMsg => "sk_msg",
        ProgType::CgroupSockAddr => "bpf_sock_addr_kern",
        ProgType::SkReuseport => "sk_reuseport_kern",
        ProgType::FlowDissector => "bpf_flow_dissector",
        ProgType::CgroupSysctl => "bpf_sysctl_kern",
        ProgType::CgroupSockopt => "bpf_sockopt_kern",
        ProgType::SkLookup => "bpf_sk_lookup_kern",
        ProgType::Netfilter => "bpf_nf_ctx",
        _ => return None,
    })
}

/// What `bpf_rdonly_cast` makes of an address: the structure of this number, or any memory.
pub(super) fn cast_to(btf: &Btf, number: Option<u64>, config: &Config) -> Checked<Kind> {
    let number = number.ok_or_else(|| not_modelled("a cast to no type"))?;
    // The kernel keeps 32 bits of it.
    let id = TypeId(number as u32);
    let refuse = |message: String| {
        Err(Rejection::new(Code::ArgumentType, message)
            .label("casts to what is no structure of the kernel")
            .help("hand over bpf_core_type_id_kernel(struct ..), or 0 for plain memory"))
    };
    if id == TypeId::VOID && config.since(UNTRUSTED_MEMORY) {
        return Ok(Kind::UntrustedMem);
    }
    match btf.get(id).map(|ty| &ty.kind) {
        None => refuse(format!(
            "Unknown type ID {} passed to kfunc bpf_rdonly_cast",
            id.0
        )),
        Some(Type::Struct { .. } | Type::Union { .. }) => {
            Ok(Kind::Btf(BtfPtr::kernel(id, Marks::UNTRUSTED)))
        }
        Some(_) => {
            refuse("kfunc bpf_rdonly_cast type ID argument must be of a struct or void".to_owned())
        }
    }
}
