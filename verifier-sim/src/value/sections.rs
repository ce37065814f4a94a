//! Sections of code in which something holds: RCU keeps structures, or the program is not
//! interrupted by others. They are opened and closed by kernel functions, one must not sleep in
//! them, and each must be closed before the program ends.
//!
//! Described in the kernel's `Documentation/bpf/kfuncs.rst`; messages as observed on Linux
//! 6.18.
//!
//! Read before: `stack.rs`. Read next: `state.rs`.

use crate::call::global::Global;
use crate::codes::Code;
use crate::diag::{Checked, Place, Rejection};
use crate::object::iterator::lose_rcu;
use crate::step::machine::Machine;
use crate::value::btf_ptr::Marks;
use crate::value::reg::{Kind, Null, RegState};
use crate::value::state::State;
use ebpf_asm::helper::{Helper, Sleeps};
use ebpf_asm::isa::KernelVersion;
use ebpf_asm::load_flags::BPF_F_SLEEPABLE;
use ebpf_asm::prog_type::ProgType;
use ebpf_asm::program::Program;
use ebpf_asm::section::{SECTIONS, Section, section};

/// The helper that reads what user space has there at the moment, and does not wait.
const READS_USER: &str = "probe_read_user";

/// The sections that are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sections {
    /// An RCU section.
    pub(crate) rcu: bool,
    /// How often others were kept from running.
    pub(crate) preempt: u32,
}

/// Where the sections that are open were opened, as messages say it: no verdict depends on that.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opened {
    rcu: Place,
    /// Where others were first kept from running.
    preempt: Place,
}

impl Opened {
    /// Nowhere.
    pub(crate) const NOWHERE: Opened = Opened {
        rcu: Place::NONE,
        preempt: Place::NONE,
    };
}

/// A section that is open.
#[derive(Debug, Clone, Copy)]
struct Open {
    /// The kernel's word for it at the end of a program, where it says `... region` behind it.
    locked: &'static str,
    /// The kernel's words for it where one may not sleep.
    region: &'static str,
    /// Where it was opened.
    at: Place,
    /// What closes it.
    closes: &'static str,
}

/// Since when global functions are called while preemption is disabled: observed on Linux 6.12 and
/// 6.18.
const GLOBAL_WITHOUT_PREEMPTION: KernelVersion = (6, 18);

impl State {
    fn open_rcu_section(&self) -> Option<Open> {
        self.sections.rcu.then_some(Open {
            locked: "bpf_rcu_read_lock-ed",
            region: "rcu_read_lock region",
            at: self.opened.rcu,
            closes: "bpf_rcu_read_unlock",
        })
    }

    fn open_preempt_section(&self) -> Option<Open> {
        (self.sections.preempt > 0).then_some(Open {
            locked: "bpf_preempt_disable-ed",
            region: "non-preemptible region",
            at: self.opened.preempt,
            closes: "bpf_preempt_enable",
        })
    }

    fn open_irq_section(&self) -> Option<Open> {
        self.owed().irq_flags.first().map(|flag| Open {
            locked: "bpf_local_irq_save-ed",
            region: "IRQ-disabled region",
            at: Place::at(flag.acquired_at),
            closes: "bpf_local_irq_restore",
        })
    }

    /// Which section the kernel names at the end of a program.
    fn open_section(&self) -> Option<Open> {
        let section = self.open_irq_section().or_else(|| self.open_rcu_section());
        section.or_else(|| self.open_preempt_section())
    }

    /// Which it names where one may not sleep.
    fn sleepless_section(&self) -> Option<Open> {
        let section = self.open_rcu_section();
        let section = section.or_else(|| self.open_preempt_section());
        section.or_else(|| self.open_irq_section())
    }
}

impl Open {
    /// Says in a rejection where the section was opened, and that it is to be closed.
    fn explain(self, refused: Box<Rejection>, close: &str) -> Box<Rejection> {
        refused
            .because(self.at, "the section is opened here")
            .help(format!("{close}, with {}", self.closes))
    }
}

impl Machine<'_, '_> {
    /// Opens an RCU section. They are not nested.
    pub(crate) fn open_rcu(&mut self, function: &str) -> Checked {
        if self.state.sections.rcu {
            let message = format!("nested rcu read lock (kernel function {function})");
            return Err(Rejection::new(Code::Section, message)
                .label("an RCU section is open already")
                .because(self.state.opened.rcu, "the section is opened here")
                .help("close it before, with bpf_rcu_read_unlock, or leave this call out"));
        }
        self.state.sections.rcu = true;
        self.state.opened.rcu = self.here();
        Ok(())
    }

    /// Closes the RCU section: what it kept may be gone.
    pub(crate) fn close_rcu(&mut self, function: &str) -> Checked {
        if !self.state.sections.rcu {
            let message = format!("unmatched rcu read unlock (kernel function {function})");
            return Err(Rejection::new(Code::Section, message)
                .label("there is no RCU section to close")
                .help("call bpf_rcu_read_lock before, on every path that leads here"));
        }
        self.state.sections.rcu = false;
        lose_rcu(self.state);
        let protected = |reg: &RegState| matches!(reg.kind, Kind::Btf(pointer) if pointer.marks.has(Marks::RCU));
        self.state.change_regs(protected, |reg| {
            if let Kind::Btf(pointer) = &mut reg.kind {
                pointer.marks = pointer.marks.without(Marks::RCU) | Marks::UNTRUSTED;
                reg.null = Null::Never;
            }
        });
        Ok(())
    }

    /// Keeps others from running, once more.
    pub(crate) fn disable_preemption(&mut self) {
        if self.state.sections.preempt == 0 {
            self.state.opened.preempt = self.here();
        }
        self.state.sections.preempt = self.state.sections.preempt.saturating_add(1);
    }

    /// Lets others run again.
    pub(crate) fn enable_preemption(&mut self, function: &str) -> Checked {
        let Some(rest) = self.state.sections.preempt.checked_sub(1) else {
            let message =
                format!("unmatched attempt to enable preemption (kernel function {function})");
            return Err(Rejection::new(Code::Section, message)
                .label("preemption is enabled already")
                .help("call bpf_preempt_disable before, on every path that leads here"));
        };
        self.state.sections.preempt = rest;
        Ok(())
    }

    /// That no section is open where the program ends, or goes on elsewhere.
    pub(crate) fn check_closed(&self, what: &str) -> Checked {
        let held = format!("{what} cannot be used inside bpf_spin_lock-ed region");
        self.check_no_lock(&held)?;
        let Some(open) = self.state.open_section() else {
            return Ok(());
        };
        let message = format!("{what} cannot be used inside {} region", open.locked);
        let refused = Rejection::new(Code::Section, message).label("a section is still open");
        Err(open.explain(refused, "close it on this path too"))
    }

    /// That a helper that may sleep is not called where no program of the kind may.
    pub(crate) fn check_may_sleep(&self, helper: &Helper) -> Checked {
        if helper.callers.sleeps != Sleeps::Maybe || self.is_sleepable() {
            return Ok(());
        }
        Err(Rejection::new(
            Code::HelperNotAllowed,
            "helper call might sleep in a non-sleepable prog",
        )
        .label(format!("bpf_{} may wait for memory", helper.name))
        .help(self.instead_of_sleeping(helper)))
    }

    /// What a program does that may not sleep: it calls another helper, or is one that may.
    fn instead_of_sleeping(&self, helper: &Helper) -> String {
        let program = self.env.program;
        let reads_user = helper.name == "copy_from_user" && self.env.may_call(READS_USER);
        let is_sleepable = program.prog_flags() & BPF_F_SLEEPABLE != 0;
        let other = match (is_sleepable, sleepable_twin(program)) {
            (true, _) => {
                "call it in the program itself: this function is called where nothing may \
                          wait"
                    .to_owned()
            }
            (false, Some(twin)) => format!(
                "load the program as one that may sleep (BPF_F_SLEEPABLE, in C the section {}/){}",
                twin.name,
                match program.prog_type {
                    ProgType::Tracing | ProgType::Lsm => ", where the kernel allows it",
                    _ => "",
                }
            ),
            (false, None) => who_sleeps(program.prog_type),
        };
        match reads_user {
            true => format!("use bpf_{READS_USER}, which does not wait; otherwise {other}"),
            false => other,
        }
    }

    /// Whether one may sleep here, but for the sections.
    pub(crate) fn is_sleepable(&self) -> bool {
        self.state.in_sleepable
    }

    /// That a helper that may sleep is not called where one may not.
    pub(crate) fn check_helper_sleeps(&self, helper: &Helper) -> Checked {
        let Some(open) = self.state.sleepless_section() else {
            return Ok(());
        };
        if helper.callers.sleeps != Sleeps::Maybe {
            return Ok(());
        }
        let message = format!(
            "sleepable helper bpf_{}#{} in {}",
            helper.name, helper.id, open.region
        );
        Err(may_sleep(message, open))
    }

    /// The same for a kernel function.
    pub(crate) fn check_kfunc_region(&self, function: &str) -> Checked {
        match self.state.sleepless_section() {
            None => Ok(()),
            Some(open) => {
                let region = open.region;
                let message = format!("kernel func {function} is sleepable within {region}");
                Err(may_sleep(message, open))
            }
        }
    }

    /// That a global function that may sleep is called where one may.
    pub(crate) fn check_global_sleeps(&self, global: &Global) -> Checked {
        if self.state.sections.preempt > 0 && !self.env.config.since(GLOBAL_WITHOUT_PREEMPTION) {
            let message = "global function calls are not allowed with preemption disabled,";
            return Err(Rejection::new(Code::Section, message)
                .label(format!("'{}' is global", global.name))
                .help("make the function static"));
        }
        let section = self.state.sleepless_section();
        let may_sleep = section.is_none() && self.is_sleepable();
        if may_sleep || !self.env.may_sleep_in(global.slot) {
            return Ok(());
        }
        let message = "global functions that may sleep are not allowed in non-sleepable context,";
        let refused = Rejection::new(Code::Section, message)
            .adds("i.e., in a RCU/IRQ/preempt-disabled section, or in")
            .adds("a non-sleepable BPF program context")
            .label(format!("'{}' may wait for something", global.name));
        Err(match section.filter(|_| self.is_sleepable()) {
            Some(open) => open.explain(refused, "close the section before"),
            None => refused.help("call it outside of sections, and from a program that may sleep"),
        })
    }

    /// Whether what RCU protects stays: in a section, while a lock is held, and always where the
    /// program must not sleep.
    pub(crate) fn in_rcu_section(&self) -> bool {
        self.state.sections.rcu || !self.state.owed().locks.is_empty() || !self.is_sleepable()
    }
}

/// The sections whose programs may sleep.
fn sleepers() -> impl Iterator<Item = &'static Section> {
    let all = SECTIONS.iter();
    all.filter(|known| known.prog_flags & BPF_F_SLEEPABLE != 0)
}

/// The section of programs like this one that may sleep.
fn sleepable_twin(program: &Program) -> Option<&'static Section> {
    let own = section(&program.section)?;
    sleepers().find(|known| known.name.strip_suffix(".s") == Some(own.name))
}

/// Which programs of a type may sleep.
fn who_sleeps(prog_type: ProgType) -> String {
    let of_type = sleepers().filter(|known| known.prog_type == prog_type);
    let names: Vec<&str> = of_type.map(|known| known.name).collect();
    match names.is_empty() {
        true => format!("let a program of another type do it: no {prog_type} program may sleep"),
        false => format!(
            "let a program of another section do it: of {prog_type} programs only those of {} may \
             sleep",
            names.join(", ")
        ),
    }
}

fn may_sleep(message: String, open: Open) -> Box<Rejection> {
    let refused =
        Rejection::new(Code::Section, message).label("may wait, which is not possible here");
    open.explain(refused, "close the section before")
}
