//! Pointers to objects of the kernel in map values: loading them, storing null, and exchanging.
//!
//! Described in the kernel's `Documentation/bpf/kptr.rst`; messages as observed on Linux 6.18.
//!
//! Read before: `types/special.rs`, `value/btf_ptr.rs`. Read next: `object/lock.rs`.

use crate::call::argument::Arguments;
use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::memory::mem::Stored;
use crate::memory::region::{Extent, FixedOffset};
use crate::step::machine::{Machine, not_modelled};
use crate::types::btf_walk::{StructMatch, contains_struct};
use crate::types::special::{Kptr, KptrOwner, Special, SpecialKind};
use crate::types::special_table::{KeptBy, kept_by};
use crate::value::btf_ptr::{BtfPtr, Marks, Types};
use crate::value::reg::{Kind, Null, RegState};
use ebpf_asm::btf::TypeId;
use ebpf_asm::insn::Reg;
use ebpf_asm::isa::Sem;

/// That a pointer which the map shall own is none that the kernel (6.18) takes for a fault of its
/// own: of the objects that programs allocate it knows those that are not null, and owned.
pub(crate) fn check_expected(reg: Reg, value: &RegState) -> Checked {
    let Kind::Btf(pointer) = value.kind else {
        return Ok(());
    };
    let owned = [Marks::ALLOC, Marks::ALLOC | Marks::PERCPU];
    if pointer.types == Types::Kernel || owned.contains(&pointer.marks) && value.null == Null::Never
    {
        return Ok(());
    }
    let number = reg.number();
    let message = "verifier bug: invalid PTR_TO_BTF_ID register for type match";
    let refused = Rejection::new(Code::SpecialField, message);
    Err(match value.null {
        Null::Maybe => refused
            .label(format!("R{number} may be null here"))
            .because(value.origin.made, "this may give null")
            .help(format!("compare R{number} with 0 first")),
        Null::Never => refused
            .label(format!(
                "R{number} is an object that the program does not own"
            ))
            .because(value.origin.made, format!("R{number} is made here"))
            .help("hand over what the program owns: what bpf_obj_new or a removal gave it"),
    })
}

impl Machine<'_, '_> {
    /// The pointer in a map's value that an access is to, if it is to one.
    pub(crate) fn kptr_at(&self, base: &RegState, extent: Extent) -> Checked<Option<Kptr>> {
        let Some(off) = base
            .constant_var_off()
            .and_then(|var_off| extent.off.checked_add(var_off))
        else {
            return Ok(None);
        };
        let mut specials = self.specials_behind(base.kind)?.iter();
        Ok(specials.find_map(|special| match special.kind {
            SpecialKind::Kptr(kptr) if i64::from(special.offset) == off => Some(kptr),
            _ => None,
        }))
    }

    /// What loading such a pointer gives: it may be null, and be stale.
    pub(crate) fn load_kptr(&mut self, kptr: Kptr) -> Checked<RegState> {
        self.check_plain_access()?;
        if kptr.owner == KptrOwner::User {
            let size = self.types_of(kptr.target)?.size_of(kptr.target.id);
            let size = size.ok_or_else(|| not_modelled("memory of no size"))?;
            let id = self.new_id();
            return Ok(RegState::pointer(Kind::Mem(size)).maybe_null(id));
        }
        let name = self.env.structure_name(kptr.target);
        let own = kptr.target.types == Types::Program;
        let kept = match kptr.owner {
            KptrOwner::Nobody | KptrOwner::User => false,
            KptrOwner::Map => own || kept_by(name) == Some(KeptBy::Rcu),
            KptrOwner::MapPerCpu => true,
        };
        let marks = match (kept && self.in_rcu_section(), kptr.owner) {
            (false, _) => Marks::UNTRUSTED,
            (true, KptrOwner::MapPerCpu) => Marks::RCU | Marks::PERCPU,
            (true, _) if own => Marks::RCU | Marks::ALLOC,
            (true, _) => Marks::RCU,
        };
        let lent = match kept && self.in_rcu_section() && self.is_linked(kptr.target)? {
            true => Marks::NON_OWNING,
            false => Marks::NONE,
        };
        let id = self.new_id();
        let pointer = BtfPtr {
            marks: marks | lent,
            ..kptr.target
        };
        Ok(RegState::pointer(Kind::Btf(pointer)).maybe_null(id))
    }

    /// Whether objects of a type can be in lists or trees.
    fn is_linked(&self, object: BtfPtr) -> Checked<bool> {
        let specials = self.specials_behind(Kind::Btf(object))?;
        let links =
            |special: &Special| matches!(special.kind, SpecialKind::ListNode | SpecialKind::RbNode);
        Ok(specials.iter().any(links))
    }

    /// That a store to such a pointer is of null, or where nobody owns it, of one like it.
    pub(crate) fn store_kptr(&mut self, kptr: Kptr, off: i64, stored: Stored<'_>) -> Checked {
        self.check_plain_access()?;
        if kptr.owner != KptrOwner::Nobody {
            let message = match kptr.owner {
                KptrOwner::User => "store to uptr disallowed",
                _ => "store to referenced kptr disallowed",
            };
            return Err(Rejection::new(Code::SpecialField, message)
                .label("the map owns what the pointer points to")
                .help("exchange it with bpf_kptr_xchg"));
        }
        match stored {
            Stored::Imm(0) => Ok(()),
            Stored::Imm(_) => {
                let message = format!("BPF_ST imm must be 0 when storing to kptr at off={off}");
                Err(Rejection::new(Code::SpecialField, message)
                    .label("stores a number")
                    .help(
                        "store NULL or a pointer to the structure; numbers are kept in other \
                         fields",
                    ))
            }
            Stored::Reg(reg, value) if value.as_constant() == Some(0) => {
                self.need(reg);
                Ok(())
            }
            Stored::Reg(reg, value) => self.check_kptr_value(reg, value, kptr),
            Stored::Unknown => Err(not_modelled("a pointer that nobody knows")),
        }
    }

    /// That such a pointer is accessed by a load or store, without order and not atomically.
    fn check_plain_access(&self) -> Checked {
        let insn = self.env.cfg.insn(self.slot);
        if insn.is_some_and(|insn| matches!(insn.sem(), Sem::Load { .. } | Sem::Store { .. })) {
            return Ok(());
        }
        let message = "kptr in map can only be accessed using BPF_MEM instruction mode";
        Err(Rejection::new(Code::SpecialField, message)
            .label("is no plain load or store")
            .help("load and store the pointer with 8 bytes, or exchange it with bpf_kptr_xchg"))
    }

    /// That a register is such as the pointer may become.
    fn check_kptr_value(&self, reg: Reg, value: &RegState, kptr: Kptr) -> Checked {
        let Kind::Btf(pointer) = value.kind else {
            return Err(self.bad_kptr_value(reg, value, kptr));
        };
        let allowed = match (pointer.types, kptr.owner) {
            (Types::Kernel, KptrOwner::Nobody) => Marks::TRUSTED | Marks::RCU | Marks::UNTRUSTED,
            (Types::Kernel, _) => Marks::TRUSTED | Marks::RCU,
            (Types::Program, KptrOwner::MapPerCpu) => Marks::ALLOC | Marks::PERCPU,
            (Types::Program, _) => Marks::ALLOC,
        };
        if pointer.marks.without(allowed) != Marks::NONE {
            return Err(self.bad_kptr_value(reg, value, kptr));
        }
        if pointer.id == TypeId::VOID {
            return Err(not_modelled("such a structure in a map's value"));
        }
        self.check_pointer_offset(reg, value, FixedOffset::Allowed)?;
        let by = StructMatch {
            off: i64::from(value.off),
            exact: kptr.owner != KptrOwner::Nobody,
        };
        let same = pointer.types == kptr.target.types;
        let btf = self.types_of(pointer)?;
        match same && contains_struct(btf, pointer.id, kptr.target.id, by) {
            true => Ok(()),
            false => Err(self.bad_kptr_value(reg, value, kptr)),
        }
    }

    fn bad_kptr_value(&self, reg: Reg, value: &RegState, kptr: Kptr) -> Box<Rejection> {
        let (number, name) = (reg.number(), value.type_name());
        let of = match value.kind {
            Kind::Btf(pointer) => self.env.structure_name(pointer),
            _ => "",
        };
        let target = self.env.structure_name(kptr.target);
        let or_untrusted = match kptr.owner {
            KptrOwner::Nobody => format!(" or untrusted_ptr_{target}"),
            _ => String::new(),
        };
        let message = format!(
            "invalid kptr access, R{number} type={name}{of} expected=ptr_{target}{or_untrusted}"
        );
        Rejection::new(Code::SpecialField, message)
            .label(format!("the pointer in the map is to struct {target}"))
            .because(value.origin.made, format!("R{number} is made here"))
            .help(format!(
                "store a pointer to struct {target} as the kernel gave it"
            ))
    }

    /// `bpf_kptr_xchg`: that R1 points to a pointer that the map owns; notes which.
    pub(crate) fn check_kptr_place(
        &self,
        reg: Reg,
        value: &RegState,
        found: &mut Arguments<'_>,
    ) -> Checked {
        let number = reg.number();
        let refuse = |message: String| {
            Rejection::new(Code::SpecialField, message)
                .label(format!("R{number} points to no pointer that the map owns"))
                .because(value.origin.made, format!("R{number} is made here"))
                .help(
                    "hand over the address of a field of the value that is declared `struct ... \
                     __kptr *`, in a map with BTF",
                )
        };
        if let Kind::MapValue(map) = value.kind
            && !self.is_typed(value.kind)
        {
            let message = "has to have BTF in order to use bpf_kptr_xchg";
            let message = format!("map '{}' {message}", self.kernel_name(map));
            return Err(refuse(message).wants_types());
        }
        let Some(var_off) = value.constant_var_off() else {
            return Err(refuse(format!(
                "R{number} doesn't have constant offset. kptr has to be at the constant offset"
            )));
        };
        let is_kptr = |special: &Special| matches!(special.kind, SpecialKind::Kptr(kptr) if kptr.owner != KptrOwner::User);
        if !self.specials_behind(value.kind)?.iter().any(is_kptr) {
            return Err(refuse(format!("R{number} has no valid kptr")));
        }
        let off = i64::from(value.off) + var_off;
        let extent = Extent {
            reg,
            off: i64::from(value.off),
            size: 8,
        };
        match self.kptr_at(value, extent)? {
            None => Err(refuse(format!("off={off} doesn't point to kptr"))),
            Some(kptr) if matches!(kptr.owner, KptrOwner::Map | KptrOwner::MapPerCpu) => {
                found.kptr = Some(kptr);
                Ok(())
            }
            Some(_) => Err(refuse(format!("off={off} kptr isn't referenced kptr"))),
        }
    }

    /// The pointer that the map shall own from now on.
    pub(crate) fn check_new_kptr(
        &self,
        reg: Reg,
        value: &RegState,
        found: &Arguments<'_>,
    ) -> Checked {
        let kptr = found
            .kptr
            .ok_or_else(|| not_modelled("a pointer for no place"))?;
        if value.as_constant() == Some(0) {
            return Ok(());
        }
        if value.null == Null::Maybe {
            let number = reg.number();
            let message = format!("Possibly NULL pointer passed to helper arg{number}");
            return Err(Rejection::new(Code::MaybeNull, message)
                .label(format!("R{number} may be null here"))
                .because(value.origin.made, "this may give null")
                .help(format!("compare R{number} with 0 first")));
        }
        self.check_kptr_value(reg, value, kptr)
    }

    /// What the map owned until now: it is the program's, or null.
    pub(crate) fn old_kptr(&mut self, arguments: &Arguments<'_>) -> Checked<RegState> {
        let kptr = arguments
            .kptr
            .ok_or_else(|| not_modelled("a pointer from no place"))?;
        let marks = match (kptr.target.types, kptr.owner) {
            (Types::Kernel, _) => Marks::NONE,
            (Types::Program, KptrOwner::MapPerCpu) => Marks::ALLOC | Marks::PERCPU,
            (Types::Program, _) => Marks::ALLOC,
        };
        let old = BtfPtr {
            marks,
            ..kptr.target
        };
        let id = self.new_id();
        Ok(RegState::pointer(Kind::Btf(old)).maybe_null(id))
    }

    /// What each CPU has and the map owns from now on, RCU keeps for the program.
    pub(crate) fn lend_per_cpu(&mut self, id: u32) {
        if !self.in_rcu_section() {
            return;
        }
        let each = Marks::ALLOC | Marks::PERCPU;
        let owned = |reg: &RegState| reg.ref_id == id;
        self.state.change_regs(owned, |reg| {
            if let Kind::Btf(pointer) = &mut reg.kind
                && pointer.marks.has(each)
            {
                pointer.marks = pointer.marks.without(Marks::ALLOC) | Marks::RCU;
                reg.ref_id = 0;
            }
        });
    }
}
