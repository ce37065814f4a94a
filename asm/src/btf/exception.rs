//! Exception callbacks: the functions that a program's `bpf_throw` calls.
//!
//! A program names its own with a declaration tag of its function, which libbpf's
//! `bpf_helpers.h` writes as `__exception_cb(NAME)`.
//!
//! Read before: `mod.rs`. Read next: `c/`.

use super::{Btf, Kind, Tag, TypeId};

/// What the tag begins with; the function's name follows.
const TAG: &str = "exception_callback:";

impl Btf {
    /// Each function that names an exception callback, with the name.
    pub fn exception_callbacks(&self) -> impl Iterator<Item = (TypeId, &str)> {
        self.types().filter_map(|(_, ty)| match ty.kind {
            Kind::DeclTag {
                ty: function,
                component: -1,
                tag: Tag::Btf,
            } => Some((function, self.str(ty.name).strip_prefix(TAG)?)),
            _ => None,
        })
    }
}
