//! What single helpers ask for besides what their prototypes say.
//!
//! Described in bpf-helpers(7); messages as observed on Linux 6.18.
//!
//! Read before: `argument/mod.rs`. Read next: `result.rs`.

use crate::call::argument::Arguments;
use crate::call::format::is_valid;
use crate::codes::Code;
use crate::ctx::Answer;
use crate::diag::{Checked, Rejection};
use crate::object::dynptr::check_dynptr_memory;
use crate::report::kernel_says::without_reason;
use crate::step::machine::Machine;
use ebpf_asm::helper::Helper;
use ebpf_asm::insn::Reg;
use ebpf_asm::prog_type::{AttachType, ProgType};

/// Bytes of a value for a format string.
const VALUE_SIZE: u64 = 8;

impl Machine<'_, '_> {
    /// That a call whose arguments are right is what this helper wants.
    pub(crate) fn check_single_helper(
        &mut self,
        helper: &Helper,
        arguments: &Arguments<'_>,
    ) -> Checked {
        match helper.name {
            "dynptr_from_mem" => check_dynptr_memory(Reg::R1, self.state.reg(Reg::R1)),
            "get_func_ip" => self.check_has_function(helper),
            "get_local_storage" => self.check_no_flags(),
            "set_retval" => self.check_has_result(),
            "spin_lock" => arguments.lock.map_or(Ok(()), |lock| self.take_lock(lock)),
            "spin_unlock" => arguments
                .lock
                .map_or(Ok(()), |lock| self.give_lock_back(lock)),
            "snprintf" => self.check_format(arguments),
            _ => Ok(()),
        }
    }

    /// That the format string in R3 asks for no more than the values that R5 gives the size of.
    fn check_format(&self, arguments: &Arguments<'_>) -> Checked {
        let size = self.state.reg(Reg::R5).scalar.tnum.value();
        if !size.is_multiple_of(VALUE_SIZE) {
            return Err(Rejection::new(Code::ArgumentSize, without_reason("EINVAL"))
                .label(format!(
                    "R5 is the size of the values, {size}: no multiple of {VALUE_SIZE}"
                ))
                .help("let every value have 8 bytes (u64 in C), and the size be that of all"));
        }
        let format = arguments.text.unwrap_or_default();
        if is_valid(format, size / VALUE_SIZE) {
            return Ok(());
        }
        Err(Rejection::new(Code::ConstantText, "Invalid format string")
            .label(format!(
                "'{}' with {} values",
                String::from_utf8_lossy(format).escape_debug(),
                size / VALUE_SIZE
            ))
            .help(
                "ask for as many values as are handed over, by %d %i %u %x %X (with l or ll), %c %s \
                 %p and forms of it as %pI4: see bpf-helpers(7), bpf_snprintf",
            ))
    }

    /// That the program is at a function of the kernel.
    fn check_has_function(&self, helper: &Helper) -> Checked {
        let program = self.env.program;
        let prog_type = program.prog_type;
        let (name, id, number) = (helper.name, helper.id, prog_type.number());
        let message = match prog_type {
            ProgType::Kprobe => return Ok(()),
            ProgType::Tracing => match program.expected_attach_type {
                Some(
                    AttachType::TraceFentry | AttachType::TraceFexit | AttachType::ModifyReturn,
                ) => return Ok(()),
                _ => format!(
                    "func bpf_{name}#{id} supported only for fentry/fexit/fmod_ret programs"
                ),
            },
            _ => format!("func bpf_{name}#{id} not supported for program type {number}"),
        };
        Err(Rejection::new(Code::HelperNotAllowed, message)
            .label(format!("{prog_type} programs are at no function"))
            .help("only kprobe, fentry, fexit and fmod_ret programs may call it"))
    }

    /// That the security hook that a program of a control group is at has a result. Observed on
    /// Linux 6.12, at every hook.
    fn check_has_result(&self) -> Checked {
        let hook = self.env.arguments.as_ref();
        if hook.and_then(|hook| hook.answer) != Some(Answer::Nothing) {
            return Ok(());
        }
        let message = "BPF_LSM_CGROUP that attach to void LSM hooks can't modify return value";
        Err(Rejection::new(Code::HelperNotAllowed, message)
            .label("the hook that the program is at has no result")
            .help("leave the call out: nobody looks at the result"))
    }

    fn check_no_flags(&mut self) -> Checked {
        let flags = *self.state.reg(Reg::R2);
        if flags.as_constant() == Some(0) {
            self.need(Reg::R2);
            return Ok(());
        }
        let message = "get_local_storage() doesn't support non-zero flags";
        Err(Rejection::new(Code::ArgumentSize, message)
            .label("R2 holds flags, and is not known to be 0")
            .because(flags.origin.made, "R2 is made here")
            .help("hand over the constant 0 as flags"))
    }
}
