//! Loads from the packet by instructions of their own (`BPF_ABS`, `BPF_IND`), which the kernel
//! makes calls of: they need the context in R6, leave the program if the packet is too short, and
//! end what is in R1 to R5.
//!
//! Described in RFC 9669, section 5.5 ("Legacy BPF Packet Access Instructions"), and in the
//! kernel's `Documentation/bpf/linux-notes.rst`; messages as observed on Linux 6.18.
//!
//! Read before: `mem.rs`. Read next: `region.rs`.

use crate::call::tail_call::leaves_callback;
use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::step::machine::{Flow, Machine};
use crate::value::reg::{Kind, RegState};
use crate::value::state::Entered;
use ebpf_asm::insn::{Insn, Reg};
use ebpf_asm::isa::{PacketMode, Sem};
use ebpf_asm::prog_type::ProgType;

impl Machine<'_, '_> {
    /// `r0 = *(size *)skb[..]`.
    pub(crate) fn load_packet(&mut self, insn: &Insn) -> Checked<Flow> {
        let next = self.slot + insn.slots();
        let Sem::LoadPacket { mode, .. } = insn.sem() else {
            return Ok(Flow::To(next));
        };
        let has_skb = matches!(
            self.env.program.prog_type,
            ProgType::SocketFilter | ProgType::SchedCls | ProgType::SchedAct
        );
        if !has_skb {
            return Err(Rejection::new(
                Code::PacketLoad,
                "BPF_LD_[ABS|IND] instructions not allowed for this program type",
            )
            .label(format!(
                "{} programs have no sk_buff",
                self.env.program.prog_type
            ))
            .help(
                "read data and data_end from the context, compare, and load from the packet itself",
            ));
        }
        let label = "would leave the program if the packet is too short";
        self.check_given_back("BPF_LD_[ABS|IND]", label, "give it back before")?;
        self.check_closed("BPF_LD_[ABS|IND]")?;
        if matches!(self.state.frame().entered, Entered::Callback(_)) {
            return Err(leaves_callback("may leave the program"));
        }
        let skb = *self.read_reg(Reg::R6)?;
        if skb.kind != Kind::Ctx {
            return Err(Rejection::new(
                Code::PacketLoad,
                "at the time of BPF_LD_ABS|IND R6 != pointer to skb",
            )
            .label("R6 is not the context")
            .help("copy R1 to R6 at the beginning"));
        }
        self.check_whole_ctx(Reg::R6, &skb)?;
        if mode == PacketMode::Ind {
            let index = *self.read_reg(insn.src())?;
            self.check_leak(insn.src(), &index, "leaks addr into packet access")?;
        }
        self.clobber_arguments();
        self.write_reg(Reg::R0, RegState::unknown())?;
        self.packet_loaded(next)
    }
}
