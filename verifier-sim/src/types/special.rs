//! Special fields: parts of a map's value, or of an object that the program allocates, that
//! belong to the kernel.
//!
//! A lock, a timer or a pointer to an object of the kernel among the members is not accessed
//! like the other bytes: only helpers and kernel functions that know it may touch it.
//!
//! Described in the kernel's `Documentation/bpf/kptr.rst` and `graph_ds_impl.rst`, and in
//! bpf-helpers(7); messages as observed on Linux 6.18.
//!
//! Read before: `kernel_types.rs`. Read next: `special_table.rs`.

use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::memory::region::Extent;
use crate::step::machine::{Machine, not_modelled};
use crate::value::btf_ptr::BtfPtr;
use crate::value::reg::{Kind, RegState};
use ebpf_asm::btf::TypeId;

/// A special field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Special {
    /// What it is.
    pub(crate) kind: SpecialKind,
    /// Where it begins in the value, in bytes.
    pub(crate) offset: u32,
    /// Bytes.
    pub(crate) size: u32,
}

/// What a special field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SpecialKind {
    /// `struct bpf_spin_lock`.
    SpinLock,
    /// `struct bpf_res_spin_lock`.
    ResSpinLock,
    /// `struct bpf_timer`.
    Timer,
    /// `struct bpf_wq`.
    Workqueue,
    /// `struct bpf_task_work`.
    TaskWork,
    /// `struct bpf_list_head`.
    ListHead(Root),
    /// `struct bpf_list_node`.
    ListNode,
    /// `struct bpf_rb_root`.
    RbRoot(Root),
    /// `struct bpf_rb_node`.
    RbNode,
    /// `struct bpf_refcount`.
    Refcount,
    /// A pointer to an object of the kernel or of the program.
    Kptr(Kptr),
}

/// A pointer in a map's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kptr {
    /// Whose what it points to is.
    pub(crate) owner: KptrOwner,
    /// The structure that it points to.
    pub(crate) target: BtfPtr,
}

/// Whose the object is that a pointer in a map's value points to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KptrOwner {
    /// Nobody knows: the pointer may be stale (`__kptr_untrusted`).
    Nobody,
    /// The map (`__kptr`).
    Map,
    /// The map, and each CPU has one (`__percpu_kptr`).
    MapPerCpu,
    /// A task of user space (`__uptr`).
    User,
}

/// Where a list or tree is, whose objects are all of one type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Root {
    /// The structure of the objects, by the program's types.
    pub(crate) object: TypeId,
    /// Where in it what links them is, in bytes.
    pub(crate) node: u32,
}

/// The name of the structure that a list is, of whatever objects.
pub(crate) const LIST_HEAD: &str = "bpf_list_head";

/// The name of the structure that a tree is, likewise.
pub(crate) const RB_ROOT: &str = "bpf_rb_root";

impl SpecialKind {
    /// The name of the structure, as messages have it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            SpecialKind::SpinLock => "bpf_spin_lock",
            SpecialKind::ResSpinLock => "bpf_res_spin_lock",
            SpecialKind::Timer => "bpf_timer",
            SpecialKind::Workqueue => "bpf_wq",
            SpecialKind::TaskWork => "bpf_task_work",
            SpecialKind::ListHead(_) => LIST_HEAD,
            SpecialKind::ListNode => "bpf_list_node",
            SpecialKind::RbRoot(_) => RB_ROOT,
            SpecialKind::RbNode => "bpf_rb_node",
            SpecialKind::Refcount => "bpf_refcount",
            SpecialKind::Kptr(kptr) => match kptr.owner {
                KptrOwner::Nobody | KptrOwner::Map => "kptr",
                KptrOwner::MapPerCpu => "percpu_kptr",
                KptrOwner::User => "uptr",
            },
        }
    }
}

/// Who accesses a map's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AccessBy {
    /// A load or store.
    Insn,
    /// A helper or kernel function.
    Call,
}

/// What to do instead of touching the kernel's bytes of a value.
const AROUND: &str = "access the members around it one by one, not the whole value (no memset or \
                      assignment of the struct): these bytes belong to the kernel, and only its own \
                      calls touch them";

/// The same for what is handed to a call.
const AROUND_IN_CALLS: &str = "hand over a variable on the stack, or the part of the value before or \
                               behind: these bytes belong to the kernel, and only its own calls \
                               touch them";

impl Machine<'_, '_> {
    /// The special fields of a map's values.
    pub(crate) fn specials(&self, map: u32) -> Checked<&[Special]> {
        let known = self.env.specials(map);
        known.ok_or_else(|| not_modelled("what the type of these map values has in it"))
    }

    /// The special fields of what a pointer points to.
    pub(crate) fn specials_behind(&self, kind: Kind) -> Checked<&[Special]> {
        let known = self.env.specials_behind(kind);
        known.ok_or_else(|| not_modelled("what the type of this memory has in it"))
    }

    /// The special field of a kind in what a pointer points to, if it has one; the last of several.
    pub(crate) fn special_of(&self, of: Kind, kind: SpecialKind) -> Checked<Option<Special>> {
        let found = self
            .specials_behind(of)?
            .iter()
            .rfind(|special| special.kind == kind);
        Ok(found.copied())
    }

    /// That an access to a map's value leaves its special fields alone.
    pub(crate) fn check_specials(
        &self,
        map: u32,
        base: &RegState,
        extent: Extent,
        by: AccessBy,
    ) -> Checked {
        let first = extent.off.saturating_add(base.scalar.bounds.s64.min);
        let most = i64::try_from(base.scalar.bounds.u64.max).unwrap_or(i64::MAX);
        let end = extent.off.saturating_add(most).saturating_add(extent.size);
        for special in self.specials(map)? {
            let begin = i64::from(special.offset);
            if first < begin + i64::from(special.size) && begin < end {
                self.check_special_field(special, base, extent, by)?;
            }
        }
        Ok(())
    }

    /// That an access to a special field is one that it allows: none but to whole pointers.
    fn check_special_field(
        &self,
        special: &Special,
        base: &RegState,
        extent: Extent,
        by: AccessBy,
    ) -> Checked {
        let (offset, number) = (special.offset, extent.reg.number());
        let refuse = |message: String, label: &str| {
            Err(Rejection::new(Code::SpecialField, message)
                .label(format!("R{number} {label}"))
                .because(base.origin.made, format!("R{number} is made here"))
                .help(match by {
                    AccessBy::Insn => AROUND,
                    AccessBy::Call => AROUND_IN_CALLS,
                }))
        };
        let name = special.kind.name();
        if !matches!(special.kind, SpecialKind::Kptr(_)) {
            let message = format!("{name} cannot be accessed directly by load/store");
            let label = format!("reaches the bytes of the {name} at {offset}");
            return refuse(message, &label);
        }
        if by == AccessBy::Call {
            let message = format!("{name} cannot be accessed indirectly by helper");
            return refuse(message, "reaches a pointer that is the kernel's");
        }
        let Some(var_off) = base.constant_var_off() else {
            let message = format!("{name} access cannot have variable offset");
            return refuse(message, "may point to a pointer that is the kernel's");
        };
        let off = extent.off.saturating_add(var_off);
        if off != i64::from(offset) {
            let message = format!("{name} access misaligned expected={offset} off={off}");
            return refuse(message, "points into a pointer that is the kernel's");
        }
        if extent.size != 8 {
            let message = format!("{name} access size must be BPF_DW");
            return refuse(message, "points to a pointer, which is accessed whole")
                .map_err(|refused| refused.help("load and store the pointer with 8 bytes"));
        }
        Ok(())
    }
}
