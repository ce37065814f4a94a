//! The sections of structs of functions for the kernel, and what each says of its structs.
//!
//! Source: the kernel's `Documentation/bpf/libbpf/program_types.rst`; the sections with a `?`,
//! whose structs are made only on request, as libbpf has them since 1.4.

use super::{Autocreate, Map};
use crate::map_flags::BPF_F_LINK;
use crate::map_type::MapType;

/// A section of structs of functions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StructSection {
    /// Its name.
    pub(crate) name: &'static str,
    /// What of `map_flags` it says: [`BPF_F_LINK`] or nothing.
    pub(crate) link: u32,
    /// Whether loaders create its structs unasked.
    pub(crate) autocreate: Autocreate,
}

/// The sections; each struct belongs to one.
pub(crate) const STRUCT_SECTIONS: [StructSection; 4] = [
    row(".struct_ops", 0, Autocreate::Yes),
    row(".struct_ops.link", BPF_F_LINK, Autocreate::Yes),
    row("?.struct_ops", 0, Autocreate::OnRequest),
    row("?.struct_ops.link", BPF_F_LINK, Autocreate::OnRequest),
];

const fn row(name: &'static str, link: u32, autocreate: Autocreate) -> StructSection {
    StructSection {
        name,
        link,
        autocreate,
    }
}

impl StructSection {
    /// Whether a map is a struct of this section.
    pub(crate) fn has(&self, map: &Map) -> bool {
        map.map_type == MapType::StructOps
            && map.map_flags & BPF_F_LINK == self.link
            && map.autocreate == self.autocreate
    }
}
