//! The flags of map creation (`map_flags`).
//!
//! Source: `include/uapi/linux/bpf.h`, "flags for BPF_MAP_CREATE command".
//!
//! Read before: `map_type.rs`.

/// Makes the constants, and the table of their names in text.
macro_rules! map_flags {
    ($($(#[$doc:meta])* $flag:ident = $bit:literal $name:literal,)*) => {
        $($(#[$doc])* pub const $flag: u32 = 1 << $bit;)*

        /// Each flag with its name in text: without `BPF_F_`, in lower case.
        pub const MAP_FLAGS: &[(&str, u32)] = &[$(($name, $flag)),*];
    };
}

map_flags! {
    /// Room for elements is made when they come.
    BPF_F_NO_PREALLOC = 0 "no_prealloc",
    /// Every CPU has a list of its own of what was used least lately.
    BPF_F_NO_COMMON_LRU = 1 "no_common_lru",
    /// The map is on the memory node that `numa_node` says.
    BPF_F_NUMA_NODE = 2 "numa_node",
    /// User space does not write to the map.
    BPF_F_RDONLY = 3 "rdonly",
    /// User space does not read from the map.
    BPF_F_WRONLY = 4 "wronly",
    /// Stack traces are of build ids and offsets.
    BPF_F_STACK_BUILD_ID = 5 "stack_build_id",
    /// Hashes begin with no random number: the same keys are in the same places.
    BPF_F_ZERO_SEED = 6 "zero_seed",
    /// Programs do not write to the map.
    BPF_F_RDONLY_PROG = 7 "rdonly_prog",
    /// Programs do not read from the map.
    BPF_F_WRONLY_PROG = 8 "wronly_prog",
    /// What a socket keeps, a socket that it accepts gets a copy of.
    BPF_F_CLONE = 9 "clone",
    /// User space can map the values of the array.
    BPF_F_MMAPABLE = 10 "mmapable",
    /// Events stay when the descriptor that put them there is closed.
    BPF_F_PRESERVE_ELEMS = 11 "preserve_elems",
    /// As the map in a map of maps it may have another number of entries.
    BPF_F_INNER_MAP = 12 "inner_map",
    /// The struct of functions comes into force by a link.
    BPF_F_LINK = 13 "link",
    /// A path is looked up from a descriptor.
    BPF_F_PATH_FD = 14 "path_fd",
    /// The type of the values is in the BTF that `value_type_btf_obj_fd` says.
    BPF_F_VTYPE_BTF_OBJ_FD = 15 "vtype_btf_obj_fd",
    /// `map_token_fd` is a token.
    BPF_F_TOKEN_FD = 16 "token_fd",
    /// User space gets SIGSEGV where the arena has no page.
    BPF_F_SEGV_ON_FAULT = 17 "segv_on_fault",
    /// Addresses of the arena are not made those of user space when they are stored.
    BPF_F_NO_USER_CONV = 18 "no_user_conv",
}
