//! Calls of helpers, of the program's own functions, and the end of both.
//!
//! What a helper takes, returns and does is in the helper table (`ebpf_asm::helper`); here is
//! what each word of that table means.
//!
//! Helpers are described in bpf-helpers(7); what is asked of calls of the program's functions, and
//! messages, as observed on Linux 6.18.
//!
//! Read before: `memory/mem.rs`. Read next: `argument/mod.rs`.

use crate::call::argument::Arguments;
use crate::call::compat::check_map;
use crate::codes::Code;
use crate::diag::{Checked, Place, Rejection};
use crate::flow::depth::{MAX_CALL_FRAMES, to_shorten};
use crate::object::lock::NO_CALLS;
use crate::path::history::GoesOn;
use crate::step::machine::{Flow, Machine};
use crate::value::held::Held;
use crate::value::reg::{Kind, RegState};
use crate::value::state::{Entered, Frame, Reference};
use ebpf_asm::helper::{Effect, Helper};
use ebpf_asm::insn::{Insn, Reg};

/// R1 to R5.
pub(crate) const ARGUMENTS: [Reg; 5] = [Reg::R1, Reg::R2, Reg::R3, Reg::R4, Reg::R5];

impl Machine<'_, '_> {
    /// `call helper`.
    pub(crate) fn call_helper(&mut self, insn: &Insn) -> Checked<Flow> {
        self.check_helper_in_lock(insn.imm())?;
        self.env.check_has(self.slot, insn.imm())?;
        let (helper, proto) = self.env.callable(insn.imm())?;
        self.check_may_sleep(helper)?;
        self.check_helper_sleeps(helper)?;
        let mut arguments = Arguments::default();
        for (&reg, &arg) in ARGUMENTS.iter().zip(proto.args) {
            self.check_argument(reg, arg, proto.packet, &mut arguments)?;
        }
        if let Some(map) = arguments.map {
            let program = self.env.program;
            let attach_type = program.prog_type.attach_type(program.expected_attach_type);
            check_map(helper, &proto, map, program.prog_type, attach_type)?;
        }
        let mut inside = None;
        match proto.effect {
            Effect::LeavesProgram => {
                self.check_leaves_alone()?;
                self.check_leaves()?;
                self.need_index(arguments.map);
            }
            Effect::CallsBack(callback) => inside = self.callback(callback, &arguments)?,
            Effect::None | Effect::MovesPacket | Effect::CallsLater => {}
        }
        self.check_single_helper(helper, &arguments)?;
        let ret = self.result(&proto, &arguments)?;
        self.release(&arguments);
        self.fill_memory(&arguments);
        self.clobber_arguments();
        if proto.effect == Effect::MovesPacket || writes_packet(helper, &arguments) {
            self.end_packet_pointers();
        }
        self.write_reg(Reg::R0, ret)?;
        let next = self.slot + insn.slots();
        match (proto.effect, inside) {
            (Effect::LeavesProgram, _) => self.tail_called(next),
            (Effect::CallsLater, _) => self.set_timer(next, &arguments),
            (_, Some(inside)) => {
                let function = inside.frame().function;
                Ok(Flow::CallBack {
                    next,
                    function,
                    inside,
                })
            }
            (_, None) => Ok(Flow::To(next)),
        }
    }

    /// Gives back what the helper takes back.
    pub(crate) fn release(&mut self, arguments: &Arguments<'_>) {
        if let Some(dynptr) = &arguments.released_dynptr {
            self.release_dynptr(dynptr);
        }
        if let Some(id) = arguments.released.filter(|&id| id > 0) {
            if arguments.kptr.is_some() {
                self.lend_per_cpu(id);
            }
            self.release_reference(id);
        }
    }

    /// Ends a reference, and all pointers to what it stood for.
    pub(crate) fn release_reference(&mut self, id: u32) {
        self.state.end_reference(id);
        let gone = self.gone();
        self.state
            .change_regs(|reg| reg.ref_id == id, |reg| *reg = gone.left_of(reg));
    }

    /// Forgets what is in memory that the helper writes.
    pub(crate) fn fill_memory(&mut self, arguments: &Arguments<'_>) {
        for filled in arguments.filled.iter().flatten() {
            self.clobber_stack(filled);
        }
    }

    /// R1 to R5 are lost in every call.
    pub(crate) fn clobber_arguments(&mut self) {
        let nothing = Held::from(RegState::NOT_INIT.made(self.here()));
        let frame = self.state.frame_mut();
        for reg in ARGUMENTS {
            frame.regs[reg.index()] = nothing.clone();
        }
    }

    /// The packet may have moved: pointers into it are numbers now.
    pub(crate) fn end_packet_pointers(&mut self) {
        let gone = self.gone();
        self.state
            .change_regs(RegState::ends_with_packet, |reg| *reg = gone.left_of(reg));
    }

    /// `call` of the program's own function.
    pub(crate) fn call_local(&mut self, insn: &Insn) -> Checked<Flow> {
        let target = self.target(insn)?;
        let env = self.env;
        if let Some(global) = env.global(target) {
            return self.call_global(insn, global);
        }
        self.check_function_in_lock(NO_CALLS)?;
        self.check_depth()?;
        if !self.env.config.may_use_bpf() {
            return Err(Rejection::new(
                Code::Capability,
                "loading/calling other bpf or kernel functions are allowed for CAP_BPF and CAP_SYS_ADMIN",
            )
            .label("calls a function")
            .help("load the program with CAP_BPF, or write the function into the program (inline)"));
        }
        let mut callee = Frame::new(self.state.depth() + 1, target, self.slot + insn.slots());
        for reg in ARGUMENTS {
            if let Some(entry) = callee.regs.get_mut(reg.index()) {
                *entry = self.state.frame().regs[reg.index()].clone();
            }
        }
        self.clobber_arguments();
        self.state
            .set_reg(Reg::R0, RegState::NOT_INIT.made(self.here()));
        self.state.push(callee);
        Ok(Flow::To(target))
    }

    /// That one more function can be entered.
    pub(crate) fn check_depth(&self) -> Checked {
        let depth = self.state.active();
        if depth < MAX_CALL_FRAMES {
            return Ok(());
        }
        let message = format!("the call stack of {} frames is too deep", depth + 1);
        Err(Rejection::new(Code::CallDepth, message)
            .label(format!("{MAX_CALL_FRAMES} functions are active already"))
            .help(to_shorten()))
    }

    /// `exit`: of a function or of the program.
    pub(crate) fn exit(&mut self) -> Checked<Flow> {
        let result = *self.state.reg(Reg::R0);
        let active = self.state.active();
        if active > 1 && matches!(result.kind, Kind::Stack(_)) {
            return Err(
                Rejection::new(Code::Leak, "cannot return stack pointer to the caller")
                    .label("returns a pointer to a stack that ends here")
                    .because(result.origin.made, "the pointer is made here")
                    .help("let the caller hand over the address of a variable of its own to be filled"),
            );
        }
        if let Entered::Callback(allowed) = self.state.frame().entered.clone() {
            self.check_callback_result(&result, &allowed)?;
            self.notes.goes_on = GoesOn::AtCall;
            let called_from = self.state.frame().return_to;
            self.state.pop();
            return Ok(Flow::Back(called_from));
        }
        if active > 1 {
            self.check_function_in_lock("bpf_spin_unlock is missing")?;
        }
        let Some(frame) = self.state.pop() else {
            return self.exit_program();
        };
        self.state.set_reg(Reg::R0, result);
        Ok(Flow::To(frame.return_to))
    }

    /// That nothing is to be given back where the program ends by what the kernel calls `leaves`.
    pub(crate) fn check_nothing_held(&self, leaves: &str, label: &str) -> Checked {
        self.check_given_back(leaves, label, "give it back on this path too")
    }

    /// The same where the program may end, such as at a tail call; `help` begins what is advised.
    pub(crate) fn check_given_back(&self, leaves: &str, label: &str, help: &str) -> Checked {
        let references = &self.state.owed().references;
        let Some(first) = references.first() else {
            return Ok(());
        };
        let unreleased = |held: &Reference| {
            let Reference {
                id, acquired_at, ..
            } = held;
            format!("Unreleased reference id={id} alloc_insn={acquired_at}")
        };
        let refused = Rejection::new(Code::ReferenceLeak, unreleased(first));
        let others = references.iter().skip(1);
        let refused = others.fold(refused, |refused, held| refused.adds(unreleased(held)));
        let given_back_by = self.env.given_back_by(first.acquired_at);
        Err(refused
            .adds(format!("{leaves} would lead to reference leak"))
            .label(label.to_owned())
            .because(Place::at(first.acquired_at), "acquired here")
            .help(format!("{help}{given_back_by}")))
    }

    /// Whether a global function is verified on its own: what ends there is not the program.
    pub(crate) fn is_in_global_function(&self) -> bool {
        let callback = self.env.exception_callback;
        let first = self.state.frame_of(0);
        first.is_some_and(|first| first.function > 0 && Some(first.function) != callback)
    }

    fn exit_program(&mut self) -> Checked<Flow> {
        let leaves = "BPF_EXIT instruction in main prog";
        self.check_nothing_held(leaves, "ends the program with something not given back")?;
        self.check_closed(leaves)?;
        if let Entered::Later { results, .. } = self.state.frame().entered.clone() {
            return self.exit_later(&results);
        }
        let is_function = self.is_in_global_function();
        let nothing = self.env.arguments.as_ref();
        if !is_function && nothing.is_some_and(|operation| operation.returns_nothing) {
            return Ok(Flow::End);
        }
        let result = *self.read_reg(Reg::R0).map_err(|mut refused| {
            refused.code = Code::NoReturnValue;
            refused.label = "ends with nothing in R0".to_owned();
            refused.help = Some("set R0, the program's result, on every path".to_owned());
            refused
        })?;
        if result.is_pointer() && !self.env.config.may_leak_pointers() {
            return Err(
                Rejection::new(Code::ReturnLeak, "R0 leaks addr as return value")
                    .label(format!("R0 is a pointer ({})", result.type_name()))
                    .because(result.origin.made, "the pointer is made here")
                    .help("return a number; with CAP_PERFMON pointers may be returned too"),
            );
        }
        match is_function {
            true if !result.is_scalar() => return Err(no_number(&result)),
            true => {}
            false => self.check_result(Reg::R0, &result)?,
        }
        Ok(Flow::End)
    }
}

/// Whether the helper writes to a packet by a dynptr.
fn writes_packet(helper: &Helper, arguments: &Arguments<'_>) -> bool {
    let dynptr = arguments.dynptr.map(|dynptr| dynptr.kind);
    helper.name == "dynptr_write" && matches!(dynptr, Some(Kind::Dynptr(of)) if of.moves_packet())
}

/// A global function returns numbers only.
fn no_number(result: &RegState) -> Box<Rejection> {
    let name = result.type_name();
    let message = format!("At subprogram exit the register R0 is not a scalar value ({name})");
    Rejection::new(Code::ReturnLeak, message)
        .label("a global function returns what is no number")
        .because(result.origin.made, "it is made here")
        .help("return a number, or make the function static")
}
