//! The types of generated programs: of what their functions take, and of special fields in
//! the values of their maps. Where none of it is needed, most programs go without.
//!
//! Read before: `state.rs`. Read next: `sections.rs`.

use std::sync::LazyLock;

use ebpf_asm::btf::{Btf, Kind, Linkage, TypeId};
use ebpf_asm::program::Program;
use ebpf_asm::text::parse;

/// What a function is, by which its type is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Role {
    /// The program itself.
    Program,
    /// Called by the program, and followed at each call.
    Static,
    /// Called by a helper.
    Callback,
    /// Called by a timer, which wants nothing but 0 of it.
    Timer,
    /// Called by a work queue, as by a timer.
    Later,
    /// Called with a record of a user ring buffer.
    Record,
    /// Says which of two nodes is less.
    Less,
    /// Takes a number, and is verified on its own.
    GlobalNumber,
    /// Takes a pointer to a `struct point`, or null.
    GlobalPoint,
    /// The same without null.
    GlobalPointThere,
    /// Takes the context.
    GlobalContext,
}

impl Role {
    /// Whether the kernel verifies the function on its own.
    pub(super) fn is_global(self) -> bool {
        self.name().starts_with("global")
    }

    /// The name of its FUNC in [`TYPES`].
    pub(super) fn name(self) -> &'static str {
        match self {
            Role::Program => "program",
            Role::Static => "local",
            Role::Callback => "callback",
            Role::Timer => "timer",
            Role::Later => "later",
            Role::Record => "record",
            Role::Less => "less",
            Role::GlobalNumber => "global_number",
            Role::GlobalPoint => "global_point",
            Role::GlobalPointThere => "global_point_there",
            Role::GlobalContext => "global_context",
        }
    }
}

/// Bytes of a `struct point`.
pub(super) const POINT: i32 = 16;

const TYPES: &str = "
.btf
[1] INT 'int' size=4 encoding=SIGNED
[2] INT 'unsigned int' size=4
[3] INT 'unsigned long long' size=8
[4] ARRAY '(anon)' type_id=3 index_type_id=2 nr_elems=2
[5] STRUCT 'bpf_spin_lock' size=4
        'val' type_id=2 bits_offset=0
[6] STRUCT 'bpf_timer' size=16
        '__opaque' type_id=4 bits_offset=0
[7] STRUCT 'item' size=16
        'number' type_id=3 bits_offset=0
        'other' type_id=3 bits_offset=64
[8] TYPE_TAG 'kptr' type_id=7
[9] PTR '(anon)' type_id=8
[10] STRUCT 'locked' size=16
        'packets' type_id=2 bits_offset=0
        'lock' type_id=5 bits_offset=32
        'bytes' type_id=3 bits_offset=64
[11] STRUCT 'timed' size=32
        'packets' type_id=3 bits_offset=0
        'timer' type_id=6 bits_offset=64
        'bytes' type_id=3 bits_offset=192
[12] STRUCT 'keeping' size=16
        'number' type_id=3 bits_offset=0
        'item' type_id=9 bits_offset=64
[13] STRUCT 'point' size=16
        'x' type_id=3 bits_offset=0
        'y' type_id=3 bits_offset=64
[14] PTR '(anon)' type_id=13
[15] PTR '(anon)' type_id=0
[16] FUNC_PROTO '(anon)' ret_type_id=1
        'ctx' type_id=15
[17] FUNC 'program' type_id=16 linkage=global
[18] FUNC_PROTO '(anon)' ret_type_id=1
[19] FUNC 'local' type_id=18 linkage=static
[20] FUNC 'callback' type_id=18 linkage=static
[21] FUNC 'timer' type_id=18 linkage=static
[22] FUNC_PROTO '(anon)' ret_type_id=1
        'number' type_id=1
[23] FUNC 'global_number' type_id=22 linkage=global
[24] FUNC_PROTO '(anon)' ret_type_id=1
        'point' type_id=14
[25] FUNC 'global_point' type_id=24 linkage=global
[26] FUNC 'global_point_there' type_id=24 linkage=global
[27] DECL_TAG 'arg:nonnull' type_id=26 component_idx=0
[28] FUNC 'global_context' type_id=16 linkage=global
[29] DECL_TAG 'arg:ctx' type_id=28 component_idx=0
[30] ARRAY '(anon)' type_id=3 index_type_id=2 nr_elems=3
[31] ARRAY '(anon)' type_id=3 index_type_id=2 nr_elems=4
[32] STRUCT 'bpf_list_head' size=16
        '__opaque' type_id=4 bits_offset=0
[33] STRUCT 'bpf_list_node' size=24
        '__opaque' type_id=30 bits_offset=0
[34] STRUCT 'bpf_rb_root' size=16
        '__opaque' type_id=4 bits_offset=0
[35] STRUCT 'bpf_rb_node' size=32
        '__opaque' type_id=31 bits_offset=0
[36] STRUCT 'bpf_refcount' size=4
        '__opaque' type_id=2 bits_offset=0
[37] STRUCT 'listed' size=32
        'number' type_id=3 bits_offset=0
        'node' type_id=33 bits_offset=64
[38] STRUCT 'sorted' size=40
        'number' type_id=3 bits_offset=0
        'node' type_id=35 bits_offset=64
[39] STRUCT 'shared' size=40
        'number' type_id=3 bits_offset=0
        'node' type_id=33 bits_offset=64
        'owners' type_id=36 bits_offset=256
[40] STRUCT 'collected' size=56
        'lock' type_id=5 bits_offset=0
        'listed' type_id=32 bits_offset=64
        'shared' type_id=32 bits_offset=192
        'sorted' type_id=34 bits_offset=320
[41] DECL_TAG 'contains:listed:node' type_id=40 component_idx=1
[42] DECL_TAG 'contains:shared:node' type_id=40 component_idx=2
[43] DECL_TAG 'contains:sorted:node' type_id=40 component_idx=3
[44] STRUCT 'bpf_res_spin_lock' size=4
        'val' type_id=2 bits_offset=0
[45] STRUCT 'guarded' size=16
        'lock' type_id=44 bits_offset=0
        'number' type_id=3 bits_offset=64
[46] STRUCT 'bpf_wq' size=16
        '__opaque' type_id=4 bits_offset=0
[47] STRUCT 'worked' size=32
        'runs' type_id=3 bits_offset=0
        'work' type_id=46 bits_offset=64
        'bytes' type_id=3 bits_offset=192
[48] FUNC 'later' type_id=18 linkage=static
[49] FUNC 'record' type_id=18 linkage=static
[50] FUNC 'less' type_id=18 linkage=static
[51] TYPE_TAG 'percpu_kptr' type_id=7
[52] PTR '(anon)' type_id=51
[53] STRUCT 'spread' size=16
        'number' type_id=3 bits_offset=0
        'item' type_id=52 bits_offset=64
";

static BTF: LazyLock<Option<Btf>> = LazyLock::new(|| parse("types", TYPES).ok()?.btf);

/// The types.
pub(super) fn btf() -> Option<Btf> {
    BTF.clone()
}

/// The structure of this name.
pub(super) fn structure(name: &str) -> Option<TypeId> {
    let btf = BTF.as_ref()?;
    btf.find(name, |kind| matches!(kind, Kind::Struct { .. }))
}

/// The type of the function of this name.
pub(super) fn function(name: &str) -> Option<TypeId> {
    let btf = BTF.as_ref()?;
    btf.find(name, |kind| matches!(kind, Kind::Func { .. }))
}

/// Gives the functions of a program, in the order of `roles`, their types.
pub(super) fn give(program: &mut Program, roles: &[Role]) {
    for (function, role) in program.functions.iter_mut().zip(roles) {
        function.type_id = self::function(role.name());
        function.linkage = match role.is_global() || *role == Role::Program {
            true => Linkage::Global,
            false => Linkage::Static,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_types() {
        assert!(btf().is_some());
        assert!(structure("timed").is_some());
    }
}
