//! The parameters of a kernel function: what each word of its prototype demands.
//!
//! The kernel reads it from the type, and from how the parameter's name ends: `buf` and
//! `buf__sz` are memory and its size, `type_id__k` is a number known beforehand.
//!
//! Described in the kernel's `Documentation/bpf/kfuncs.rst`, "Annotating kfunc parameters".
//!
//! Read before: `kfunc/table.rs`. Read next: `kfunc/argument.rs`.

use super::Kfunc;
use ebpf_asm::btf::{Btf, Kind as Type, TypeId};

/// What a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Param {
    /// Nothing that the program passes.
    Ignored,
    /// A number.
    Number,
    /// A number that is known when the program is verified.
    Constant,
    /// How many bytes the returned memory has, and whether it may be written.
    ReturnedSize(Returned),
    /// A pointer to this type, after typedefs and qualifiers.
    Pointer(TypeId),
    /// Something else.
    Unknown,
}

/// How returned memory of a size that is an argument may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Returned {
    Read,
    Written,
}

/// What is special about what a pointer points to, whatever the register holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Special {
    /// An object that the program allocated (`__alloc`).
    Allocated,
    /// The same, with a count of its owners (`__refcounted_kptr`).
    Refcounted,
    /// A dynptr.
    Dynptr,
    /// An iterator.
    Iterator,
    /// The head of a list.
    ListHead,
    /// The part of an object that links it into a list.
    ListNode,
    /// The root of a tree.
    RbRoot,
    /// The part of an object that links it into a tree.
    RbNode,
    /// A text in a read-only map (`__str`).
    ConstText,
    /// A map (`__map`).
    Map,
    /// A work queue in a map's value.
    WorkQueue,
    /// Work for a task in a map's value.
    TaskWork,
    /// Where the state of interrupts is kept (`__irq_flag`).
    IrqFlag,
    /// A resilient spin lock.
    ResSpinLock,
    /// One of the program's functions.
    Callback,
}

impl Kfunc<'_> {
    /// The name of a parameter.
    pub(super) fn param_name(&self, index: usize) -> &str {
        let param = self.params.get(index);
        param.map_or("", |(name, _)| self.btf.str(*name))
    }

    /// What a parameter takes.
    pub(super) fn param(&self, index: usize) -> Param {
        let Some((_, ty)) = self.params.get(index) else {
            return Param::Unknown;
        };
        let name = self.param_name(index);
        if name.ends_with("__ign") || name.ends_with("__prog") {
            return Param::Ignored;
        }
        let ty = self.btf.resolve(*ty);
        match self.btf.get(ty).map(|ty| &ty.kind) {
            Some(Type::Int { .. } | Type::Enum { .. } | Type::Enum64 { .. }) => match name {
                _ if name.ends_with("__k") => Param::Constant,
                "rdonly_buf_size" => Param::ReturnedSize(Returned::Read),
                "rdwr_buf_size" => Param::ReturnedSize(Returned::Written),
                _ => Param::Number,
            },
            Some(Type::Ptr(to)) => Param::Pointer(self.btf.resolve(*to)),
            _ => Param::Unknown,
        }
    }

    /// Whether a parameter may be null.
    pub(super) fn may_be_null(&self, index: usize) -> bool {
        self.param_name(index).ends_with("__nullable")
    }

    /// Whether memory may be null, if its size is not looked at (`__opt`).
    pub(super) fn is_optional(&self, index: usize) -> bool {
        self.param_name(index).ends_with("__opt")
    }

    /// Whether a parameter is the size of the memory before it.
    pub(super) fn size_of_memory(&self, index: usize) -> Option<SizeParam> {
        let name = self.param_name(index);
        if name.ends_with("__szk") {
            Some(SizeParam::Constant)
        } else if name.ends_with("__sz") {
            Some(SizeParam::Bounded)
        } else {
            None
        }
    }

    /// What is special about a pointer parameter to `to`.
    pub(super) fn special(&self, index: usize, to: TypeId) -> Option<Special> {
        let name = self.param_name(index);
        let suffixed = [
            ("__alloc", Special::Allocated),
            ("__refcounted_kptr", Special::Refcounted),
            ("__str", Special::ConstText),
            ("__map", Special::Map),
            ("__irq_flag", Special::IrqFlag),
            ("__iter", Special::Iterator),
        ];
        let of_name = suffixed.iter().find(|(suffix, _)| name.ends_with(suffix));
        if let Some((_, special)) = of_name {
            return Some(*special);
        }
        let ty = self.btf.get(to)?;
        match ty.kind {
            Type::FuncProto { .. } => return Some(Special::Callback),
            Type::Struct { .. } => {}
            _ => return None,
        }
        Some(match self.btf.name(to) {
            "bpf_dynptr" | "bpf_dynptr_kern" => Special::Dynptr,
            "bpf_list_head" => Special::ListHead,
            "bpf_list_node" => Special::ListNode,
            "bpf_rb_root" => Special::RbRoot,
            "bpf_rb_node" => Special::RbNode,
            "bpf_wq" => Special::WorkQueue,
            "bpf_task_work" => Special::TaskWork,
            "bpf_res_spin_lock" => Special::ResSpinLock,
            iterator if index == 0 && self.iterates() && iterator.starts_with("bpf_iter_") => {
                Special::Iterator
            }
            _ => return None,
        })
    }

    /// Whether the function belongs to an iteration, whose state is its first argument.
    fn iterates(&self) -> bool {
        use super::table::Flags;
        let flags = [Flags::ITER_NEW, Flags::ITER_NEXT, Flags::ITER_DESTROY];
        flags.into_iter().any(|flag| self.row.has(flag))
    }
}

/// How a size must be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SizeParam {
    /// It has a greatest value.
    Bounded,
    /// It is a constant.
    Constant,
}

/// Whether a type is a number, or a record of nothing but numbers: memory that a program may
/// hand over as it is.
pub(super) fn is_plain(btf: &Btf, ty: TypeId) -> bool {
    is_number(btf, ty) || is_plain_record(btf, ty, 0)
}

fn is_number(btf: &Btf, ty: TypeId) -> bool {
    matches!(
        btf.get(ty).map(|ty| &ty.kind),
        Some(Type::Int { .. } | Type::Enum { .. } | Type::Enum64 { .. })
    )
}

fn is_plain_record(btf: &Btf, ty: TypeId, depth: usize) -> bool {
    let Some(Type::Struct { members, .. } | Type::Union { members, .. }) =
        btf.get(ty).map(|ty| &ty.kind)
    else {
        return false;
    };
    members.iter().all(|member| {
        let ty = btf.resolve(member.ty);
        match btf.get(ty).map(|ty| &ty.kind) {
            Some(Type::Struct { .. } | Type::Union { .. }) => {
                depth < MAX_NESTED && is_plain_record(btf, ty, depth + 1)
            }
            Some(Type::Array { element, len, .. }) => {
                *len > 0 && is_number(btf, btf.resolve(*element))
            }
            _ => is_number(btf, ty),
        }
    })
}

/// How often records of numbers may be nested in each other.
const MAX_NESTED: usize = 3;
