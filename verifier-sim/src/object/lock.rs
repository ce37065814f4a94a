//! Locks in map values: which one is held, and what may not be done while it is.
//!
//! A program holds one lock at most. While it does it calls only its own static functions and
//! what gives the lock back; it must do that before it ends, on every path.
//!
//! Described in bpf-helpers(7), `bpf_spin_lock`; messages as observed on Linux 6.18.
//!
//! Read before: `types/special.rs`. Read next: `call/argument/mod.rs`.

use crate::call::argument::Arguments;
use crate::codes::Code;
use crate::diag::{Checked, Place, Rejection};
use crate::kfunc::may_hold_lock;
use crate::step::machine::{Machine, not_modelled};
use crate::types::special::SpecialKind;
use crate::value::btf_ptr::{Marks, Types};
use crate::value::reg::{Kind, RegState};
use ebpf_asm::helper::by_id;
use ebpf_asm::insn::Reg;
use ebpf_asm::isa::KernelVersion;

/// A lock that is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lock {
    /// What kind of lock it is, and how it was taken.
    pub(crate) kind: LockKind,
    /// In what it is.
    pub(crate) owner: LockOwner,
    /// Which of these, as in [`RegState::id`]; 0 for the value of an array of one.
    pub(crate) id: u32,
    /// The slot of the call that took it.
    pub(crate) taken_at: usize,
    /// The last id that was given out before.
    pub(crate) taken_behind: u32,
}

/// Kinds of locks. Of spin locks one is held at a time; of resilient ones several, which are given
/// back in the opposite order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LockKind {
    /// `struct bpf_spin_lock`.
    Spin,
    /// `struct bpf_res_spin_lock`, whose taking can fail.
    Resilient,
    /// The same, taken with interrupts off.
    ResilientIrq,
}

impl LockKind {
    /// The field that such a lock is.
    fn field(self) -> SpecialKind {
        match self {
            LockKind::Spin => SpecialKind::SpinLock,
            LockKind::Resilient | LockKind::ResilientIrq => SpecialKind::ResSpinLock,
        }
    }

    /// How the kernel's messages call its functions.
    fn word(self) -> &'static str {
        match self {
            LockKind::Spin => "bpf_spin",
            LockKind::Resilient | LockKind::ResilientIrq => "bpf_res_spin",
        }
    }
}

/// What a lock is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LockOwner {
    /// A value of a map, by the map's index in the object.
    Map(u32),
    /// An object that the program allocated.
    Object,
}

impl LockOwner {
    /// What the lock is in that is found behind a pointer, if there can be one.
    pub(crate) fn of(kind: Kind) -> Option<LockOwner> {
        match kind {
            Kind::MapValue(map) => Some(LockOwner::Map(map)),
            Kind::Btf(pointer) if pointer.types == Types::Program => Some(LockOwner::Object),
            _ => None,
        }
    }
}

impl Lock {
    /// Whether it is the lock of the same value. The same value looked up twice counts as two.
    fn is_same(self, other: Lock) -> bool {
        self.place() == other.place()
    }

    /// In what it is.
    pub(crate) fn place(self) -> (LockOwner, u32) {
        (self.owner, self.id)
    }
}

/// The helper that gives a lock back, by name.
const UNLOCK: &str = "spin_unlock";

/// What the kernel says to other helpers, and to most of its functions.
pub(crate) const NO_CALLS: &str = "function calls are not allowed while holding a lock";

/// Since when functions may be called while a lock is held, and take and give it; from the
/// kernel's history. The refusals of older ones were observed on Linux 6.1.
const FUNCTIONS: KernelVersion = (6, 9);

/// Since when locks are known that are not in values which were looked up, likewise.
const OF_NO_LOOKUP: KernelVersion = (6, 2);

impl Machine<'_, '_> {
    /// That a register points to the lock of a map's value; notes which.
    pub(crate) fn check_lock(
        &self,
        reg: Reg,
        value: &RegState,
        found: &mut Arguments<'_>,
    ) -> Checked {
        if self.in_tree_callback() {
            let message = "can't spin_{lock,unlock} in rbtree cb";
            return Err(Rejection::new(Code::Lock, message)
                .label("the lock of the tree is held for as long as this function runs")
                .help("only compare the two objects here"));
        }
        if value.id == 0 && !self.env.config.since(OF_NO_LOOKUP) {
            let message = "bpf_spin_unlock without taking a lock";
            return Err(Rejection::new(Code::Lock, message)
                .label("older kernels know the locks of values that were looked up only")
                .because(value.origin.made, "this value was not")
                .help("let the lock be in a map's value, and look that up"));
        }
        found.lock = Some(self.lock_at(reg, value, LockKind::Spin)?);
        Ok(())
    }

    /// That older kernels take a call of a function, or its end: while no lock is held.
    pub(crate) fn check_function_in_lock(&self, message: &str) -> Checked {
        match self.env.config.since(FUNCTIONS) {
            true => Ok(()),
            false => self.check_no_lock(message),
        }
    }

    /// The lock that a register points to.
    pub(crate) fn lock_at(&self, reg: Reg, value: &RegState, kind: LockKind) -> Checked<Lock> {
        self.check_special_place(reg, value, kind.field())?;
        let owner = LockOwner::of(value.kind);
        let owner = owner.ok_or_else(|| not_modelled("a lock in such memory"))?;
        Ok(Lock {
            kind,
            owner,
            id: value.id,
            taken_at: self.slot,
            taken_behind: *self.last_id,
        })
    }

    /// That a register points to the field of a kind in a map's value, or in an object of the
    /// program.
    pub(crate) fn check_special_place(
        &self,
        reg: Reg,
        value: &RegState,
        kind: SpecialKind,
    ) -> Checked {
        let (number, name) = (reg.number(), kind.name());
        let refuse = |message: String| {
            Err(Rejection::new(Code::SpecialField, message)
                .label(format!("R{number} points to no {name}"))
                .because(value.origin.made, format!("R{number} is made here"))
                .help(format!(
                    "hand over the address of the field of type struct {name} in the value (in C \
                     &value->field), in a map that is declared with the types of its keys and values"
                )))
        };
        let Some(var_off) = value.constant_var_off() else {
            return refuse(format!(
                "R{number} doesn't have constant offset. {name} has to be at the constant offset"
            ));
        };
        let called = match value.kind {
            Kind::MapValue(map) => format!("map '{}'", self.kernel_name(map)),
            _ => "local 'kptr'".to_owned(),
        };
        if !self.is_typed(value.kind) {
            let message = format!("{called} has to have BTF in order to use {name}");
            return refuse(message).map_err(Rejection::wants_types);
        }
        let Some(special) = self.special_of(value.kind, kind)? else {
            return refuse(format!("{called} has no valid {name}"));
        };
        let off = i64::from(value.off) + var_off;
        if off != i64::from(special.offset) {
            return refuse(format!(
                "off {off} doesn't point to 'struct {name}' that is at {}",
                special.offset
            ));
        }
        Ok(())
    }

    /// Whether the type of what a pointer points to is known to the kernel.
    pub(crate) fn is_typed(&self, kind: Kind) -> bool {
        match kind {
            Kind::MapValue(map) => self
                .env
                .map(map)
                .is_some_and(|map| map.value_type.is_some()),
            _ => true,
        }
    }

    /// Takes a lock. No other is held where a helper can be called; resilient locks must not be
    /// held already.
    pub(crate) fn take_lock(&mut self, lock: Lock) -> Checked {
        let known = |held: &&Lock| held.kind != LockKind::Spin && held.is_same(lock);
        let held = self.state.owed().locks.iter().find(known);
        if let Some(held) = held.filter(|_| lock.kind != LockKind::Spin) {
            let message = "Acquiring the same lock again, AA deadlock detected";
            return Err(Rejection::new(Code::Lock, message)
                .label("is held already")
                .because(Place::at(held.taken_at), "the lock is taken here")
                .help("give it back before it is taken again"));
        }
        self.state.owed_mut().locks.push(lock);
        Ok(())
    }

    /// Gives a lock back, the last that was taken.
    pub(crate) fn give_lock_back(&mut self, lock: Lock) -> Checked {
        let word = lock.kind.word();
        let Some(last) = self.state.owed().locks.last().copied() else {
            let message = format!("{word}_unlock without taking a lock");
            return Err(Rejection::new(Code::Lock, message)
                .label("no lock is held here")
                .help(match lock.kind {
                    LockKind::Spin => {
                        "call it only on paths that have taken the lock (bpf_spin_lock), once"
                    }
                    LockKind::Resilient | LockKind::ResilientIrq => {
                        "taking such a lock can fail: call this only where bpf_res_spin_lock gave 0 \
                         (in C: if (bpf_res_spin_lock(&lock)) return 0)"
                    }
                }));
        };
        let known = |held: &Lock| held.kind == lock.kind && held.is_same(lock);
        let Some(at) = self.state.owed().locks.iter().position(known) else {
            let message = format!("{word}_unlock of different lock");
            return Err(Rejection::new(Code::Lock, message)
                .label("gives back another lock than the one that is held")
                .because(Place::at(last.taken_at), "the other is taken here")
                .help(
                    "give back by the pointer by which the lock was taken: a value that is looked up \
                     twice counts as two",
                ));
        };
        if !last.is_same(lock) {
            let message = format!("{word}_unlock cannot be out of order");
            return Err(Rejection::new(Code::Lock, message)
                .label("is not the lock that was taken last")
                .because(Place::at(last.taken_at), "that is taken here")
                .help("give locks back in the opposite order"));
        }
        self.state.owed_mut().locks.remove(at);
        self.end_borrowed();
        Ok(())
    }

    /// The lock was given back: what a list or tree lent out may be gone.
    fn end_borrowed(&mut self) {
        let gone = self.gone();
        let lent = |reg: &RegState| matches!(reg.kind, Kind::Btf(pointer) if pointer.marks.has(Marks::NON_OWNING));
        self.state.change_regs(lent, |reg| *reg = gone.left_of(reg));
    }

    /// That a helper may be called while a lock is held, if one is.
    pub(crate) fn check_helper_in_lock(&self, id: i32) -> Checked {
        match by_id(id) {
            Some(helper) if helper.name == UNLOCK => Ok(()),
            _ => self.check_no_lock(NO_CALLS),
        }
    }

    /// The same for a function of the kernel.
    pub(crate) fn check_kfunc_in_lock(&self) -> Checked {
        match self.env.kfunc_name(self.slot).is_some_and(may_hold_lock) {
            true => Ok(()),
            false => self.check_no_lock(NO_CALLS),
        }
    }

    /// That no lock is held, in the kernel's words.
    pub(crate) fn check_no_lock(&self, message: &str) -> Checked {
        let Some(held) = self.state.owed().locks.last() else {
            return Ok(());
        };
        Err(Rejection::new(Code::Lock, message)
            .label("a lock is held here")
            .because(Place::at(held.taken_at), "the lock is taken here")
            .help(format!(
                "{}{}",
                match message {
                    NO_CALLS =>
                        "make the call before the lock is taken, or give the lock back first",
                    _ => "give it back before",
                },
                self.env.given_back_by(held.taken_at)
            )))
    }
}
