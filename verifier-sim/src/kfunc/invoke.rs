//! The call of a kernel function: what it gives back, ends and leaves in R0.
//!
//! Described in the kernel's `Documentation/bpf/kfuncs.rst`; messages as observed on Linux 6.18.
//!
//! Read before: `kfunc/argument.rs`, `memory/btf_access.rs`. Read next: `path/explore.rs`.

use super::Kfunc;
use super::argument::Found;
use super::cast::cast_to;
use super::iterator::marks_of;
use super::param::Returned;
use super::table::Flags;
use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::step::machine::{Flow, Machine, not_modelled};
use crate::types::btf_walk::kind_word;
use crate::value::btf_ptr::{BtfPtr, Marks};
use crate::value::reg::{Kind, RegState};
use ebpf_asm::btf::{Kind as Type, TypeId};
use ebpf_asm::insn::{Insn, Reg};

/// What compilers call where a program can only come to by undefined behaviour.
const TRAP: &str = "__bpf_trap";

/// Whether a function returns something of a type, although its prototype has none.
fn has_type(kfunc: &Kfunc<'_>) -> bool {
    kfunc.row.has(Flags::CASTS) || kfunc.row.has(Flags::ACQUIRE)
}

impl<'a> Machine<'_, 'a> {
    /// `call kfunc`.
    pub(crate) fn call_kfunc(&mut self, insn: &Insn) -> Checked<Flow> {
        if self.calls_nothing(insn) {
            self.notes.called_nothing.get_or_insert(self.slot);
            return Ok(Flow::To(self.slot + insn.slots()));
        }
        self.check_kfunc_in_lock()?;
        let kfunc = self.env.kfunc(self.slot, insn)?;
        self.check_kfunc_sleeps(&kfunc)?;
        check_no_trap(&kfunc)?;
        let failed = kfunc.row.has(Flags::TAKES_LOCK);
        let failed = failed.then(|| self.lock_failed());
        let found = self.check_kfunc_arguments(&kfunc)?;
        match kfunc.name {
            "bpf_throw" => return self.throw(),
            "bpf_rcu_read_lock" => self.open_rcu(kfunc.name)?,
            "bpf_rcu_read_unlock" => self.close_rcu(kfunc.name)?,
            "bpf_preempt_disable" => self.disable_preemption(),
            "bpf_preempt_enable" => self.enable_preemption(kfunc.name)?,
            _ if kfunc.row.has(Flags::SLEEPABLE) => self.check_kfunc_region(kfunc.name)?,
            _ => {}
        }
        self.check_kfunc_rcu(&kfunc)?;
        let next = self.slot + insn.slots();
        let later = match self.called_later(&kfunc, &found, next)? {
            None => self.tree_callback(&kfunc, &found, next)?,
            later => later,
        };
        self.release(&found.plain);
        self.insert(&kfunc)?;
        self.fill_memory(&found.plain);
        self.clobber_arguments();
        if kfunc.row.has(Flags::MOVES_PACKET) {
            self.end_packet_pointers();
        }
        let ret = self.kfunc_returned(&kfunc, &found)?;
        self.write_reg(Reg::R0, ret)?;
        match &found.iteration {
            Some(iteration) if kfunc.row.has(Flags::ITER_NEXT) => Ok(self.next_of(iteration, next)),
            _ => Ok(match failed {
                Some(jump_state) => Flow::Fork {
                    next,
                    jump: next,
                    jump_state,
                },
                None => later.unwrap_or(Flow::To(next)),
            }),
        }
    }

    /// Whether a call has the number of no function, and no name. The kernel goes on behind it as
    /// if it were not there, and refuses the program in the end (Linux 6.18).
    fn calls_nothing(&self, insn: &Insn) -> bool {
        let named = self.env.program.reference(self.slot).is_some();
        !named && insn.imm() == 0 && insn.offset() == 0
    }

    /// That what may sleep is called where one may.
    fn check_kfunc_sleeps(&self, kfunc: &Kfunc<'_>) -> Checked {
        if !kfunc.row.has(Flags::SLEEPABLE) || self.is_sleepable() {
            return Ok(());
        }
        let message = format!(
            "program must be sleepable to call sleepable kfunc {}",
            kfunc.name
        );
        Err(Rejection::new(Code::KfuncNotAllowed, message)
            .label("it may wait, which this program must not")
            .help("load the program with BPF_F_SLEEPABLE, if its type allows that"))
    }

    /// That what RCU must protect is called where it does.
    fn check_kfunc_rcu(&self, kfunc: &Kfunc<'_>) -> Checked {
        if !kfunc.row.has(Flags::RCU_PROTECTED) || self.in_rcu_section() {
            return Ok(());
        }
        let message = format!(
            "kernel func {} requires RCU critical section protection",
            kfunc.name
        );
        Err(Rejection::new(Code::Section, message)
            .label("is called outside of RCU sections")
            .help("call it between bpf_rcu_read_lock and bpf_rcu_read_unlock"))
    }

    /// What the call leaves in R0.
    fn kfunc_returned(&mut self, kfunc: &Kfunc<'a>, found: &Found<'a>) -> Checked<RegState> {
        let btf = kfunc.btf;
        let ret = btf.resolve(kfunc.ret);
        if ret == TypeId::VOID {
            return Ok(RegState::NOT_INIT);
        }
        let mut result = match btf.get(ret).map(|ty| &ty.kind) {
            Some(Type::Int { .. }) if kfunc.row.has(Flags::TAKES_LOCK) => {
                return Ok(RegState::constant(0));
            }
            Some(Type::Int { .. } | Type::Enum { .. } | Type::Enum64 { .. }) => {
                return Ok(RegState::unknown());
            }
            Some(Type::Ptr(_)) if let Some(slice) = self.slice_of(kfunc, found)? => {
                RegState::pointer(slice)
            }
            // What nobody knows a type of is no address to programs.
            Some(Type::Ptr(to)) if btf.resolve(*to) == TypeId::VOID && !has_type(kfunc) => {
                return Ok(RegState::unknown());
            }
            Some(Type::Ptr(to)) => {
                let to = btf.resolve(*to);
                let object = self.object_returned(kfunc, to, found)?;
                object.map_or_else(|| self.kernels_pointer(kfunc, to, found), Ok)?
            }
            _ => return Err(not_modelled(&format!("what {} returns", kfunc.name))),
        };
        // What is no structure belongs to what was handed over.
        if matches!(result.kind, Kind::Mem(_) | Kind::ReadOnlyMem(_)) {
            result.ref_id = found.reference.unwrap_or(0);
        }
        let may_be_null = kfunc.row.has(Flags::RET_NULL) && !found.owning;
        if may_be_null {
            result = result.maybe_null(self.new_id());
        }
        if kfunc.row.has(Flags::ACQUIRE) {
            let id = self.acquire();
            result.ref_id = id;
            if may_be_null {
                result.id = id;
            }
        }
        if result.id == 0 && self.env.has_lock(result.kind) {
            result.id = self.new_id();
        }
        Ok(result)
    }

    /// A returned pointer to what is the kernel's.
    fn kernels_pointer(
        &self,
        kfunc: &Kfunc<'a>,
        to: TypeId,
        found: &Found<'a>,
    ) -> Checked<RegState> {
        Ok(RegState::pointer(match kfunc.name {
            "bpf_cast_to_kern_ctx" => self.kernels_context(kfunc.btf)?,
            "bpf_rdonly_cast" => cast_to(kfunc.btf, found.constant, self.env.config)?,
            _ => self.pointed_to(kfunc, to, found)?,
        }))
    }

    /// What a returned pointer points to.
    fn pointed_to(&self, kfunc: &Kfunc<'a>, to: TypeId, found: &Found<'a>) -> Checked<Kind> {
        let btf = kfunc.btf;
        let is_struct = matches!(
            btf.get(to).map(|ty| &ty.kind),
            Some(Type::Struct { .. } | Type::Union { .. })
        );
        if is_struct {
            let marks = match kfunc.row {
                row if row.has(Flags::RET_UNTRUSTED) => Marks::UNTRUSTED,
                _ if let Some(iteration) = found.iteration => marks_of(iteration.state.guard),
                row if row.has(Flags::RCU_PROTECTED) => Marks::RCU,
                _ => Marks::NONE,
            };
            return Ok(Kind::Btf(BtfPtr::kernel(to, marks)));
        }
        match (found.returned, btf.size_of(to)) {
            (Some((size, Returned::Written)), _) => Ok(Kind::Mem(size)),
            (Some((size, Returned::Read)), _) => Ok(Kind::ReadOnlyMem(size)),
            (None, Some(size)) if kfunc.row.has(Flags::RET_WRITABLE) => Ok(Kind::Mem(size)),
            (None, Some(size)) => Ok(Kind::ReadOnlyMem(size)),
            (None, None) => {
                let message = format!(
                    "kernel function {} returns pointer type {} {} is not supported",
                    kfunc.name,
                    kind_word(btf, to),
                    btf.name(to)
                );
                Err(Rejection::new(Code::KfuncNotAllowed, message))
            }
        }
    }
}

/// That a program does not come to where it is undefined what it does.
fn check_no_trap(kfunc: &Kfunc<'_>) -> Checked {
    if kfunc.name != TRAP {
        return Ok(());
    }
    let message = "unexpected __bpf_trap() due to uninitialized variable?";
    Err(Rejection::new(Code::KfuncNotAllowed, message)
        .label("the compiler sees undefined behaviour on the way here")
        .help("give every variable a value, and heed the compiler's warnings"))
}
