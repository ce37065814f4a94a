//! The attribute structures of bpf(2): the members of `union bpf_attr` that we use.
//!
//! Field names are those of `include/uapi/linux/bpf.h`. Each structure ends at
//! the last field that is used: the kernel takes a shorter one as if the rest
//! were zero, and refuses a longer one only where the part it does not know
//! is not zero. Hence new fields are safe on old kernels as long as they stay 0.

use bytemuck::{Pod, Zeroable};

use super::name::BPF_OBJ_NAME_LEN;

/// `BPF_MAP_CREATE`.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct MapCreateAttr {
    pub(super) map_type: u32,
    pub(super) key_size: u32,
    pub(super) value_size: u32,
    pub(super) max_entries: u32,
    pub(super) map_flags: u32,
    pub(super) inner_map_fd: u32,
    pub(super) numa_node: u32,
    pub(super) map_name: [u8; BPF_OBJ_NAME_LEN],
    pub(super) map_ifindex: u32,
    pub(super) btf_fd: u32,
    pub(super) btf_key_type_id: u32,
    pub(super) btf_value_type_id: u32,
    pub(super) btf_vmlinux_value_type_id: u32,
    pub(super) map_extra: u64,
}

/// `BPF_MAP_*_ELEM` and `BPF_MAP_GET_NEXT_KEY`, where `value` is `next_key`.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct MapElemAttr {
    pub(super) map_fd: u32,
    pub(super) pad: u32,
    pub(super) key: u64,
    pub(super) value: u64,
    pub(super) flags: u64,
}

/// `BPF_MAP_FREEZE`.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct MapFdAttr {
    pub(super) map_fd: u32,
}

/// `BPF_PROG_LOAD`.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct ProgLoadAttr {
    pub(super) prog_type: u32,
    pub(super) insn_cnt: u32,
    pub(super) insns: u64,
    pub(super) license: u64,
    pub(super) log_level: u32,
    pub(super) log_size: u32,
    pub(super) log_buf: u64,
    pub(super) kern_version: u32,
    pub(super) prog_flags: u32,
    pub(super) prog_name: [u8; BPF_OBJ_NAME_LEN],
    pub(super) prog_ifindex: u32,
    pub(super) expected_attach_type: u32,
    pub(super) prog_btf_fd: u32,
    pub(super) func_info_rec_size: u32,
    pub(super) func_info: u64,
    pub(super) func_info_cnt: u32,
    pub(super) line_info_rec_size: u32,
    pub(super) line_info: u64,
    pub(super) line_info_cnt: u32,
    pub(super) attach_btf_id: u32,
    pub(super) attach_prog_fd: u32,
    pub(super) core_relo_cnt: u32,
    pub(super) fd_array: u64,
    pub(super) core_relos: u64,
    pub(super) core_relo_rec_size: u32,
    /// Output since Linux 6.4: the size that the whole log needs, in bytes.
    pub(super) log_true_size: u32,
}

/// `BPF_OBJ_PIN` and `BPF_OBJ_GET`.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct ObjAttr {
    pub(super) pathname: u64,
    pub(super) bpf_fd: u32,
    pub(super) file_flags: u32,
}

/// `BPF_PROG_TEST_RUN`.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct TestRunAttr {
    pub(super) prog_fd: u32,
    pub(super) retval: u32,
    pub(super) data_size_in: u32,
    pub(super) data_size_out: u32,
    pub(super) data_in: u64,
    pub(super) data_out: u64,
    pub(super) repeat: u32,
    pub(super) duration: u32,
    pub(super) ctx_size_in: u32,
    pub(super) ctx_size_out: u32,
    pub(super) ctx_in: u64,
    pub(super) ctx_out: u64,
    pub(super) flags: u32,
    pub(super) cpu: u32,
}

/// `BPF_*_GET_NEXT_ID` and `BPF_*_GET_FD_BY_ID`.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct IdAttr {
    /// `start_id` or `prog_id`, `map_id`, `btf_id`, `link_id`.
    pub(super) id: u32,
    pub(super) next_id: u32,
    pub(super) open_flags: u32,
}

/// `BPF_OBJ_GET_INFO_BY_FD`.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct InfoAttr {
    pub(super) bpf_fd: u32,
    pub(super) info_len: u32,
    pub(super) info: u64,
}

/// `BPF_BTF_LOAD`.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct BtfLoadAttr {
    pub(super) btf: u64,
    pub(super) btf_log_buf: u64,
    pub(super) btf_size: u32,
    pub(super) btf_log_size: u32,
    pub(super) btf_log_level: u32,
    /// Output since Linux 6.4: the size that the whole log needs, in bytes.
    pub(super) btf_log_true_size: u32,
}

/// `BPF_LINK_CREATE`, without the part that depends on the attach type.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct LinkCreateAttr {
    pub(super) prog_fd: u32,
    /// `target_fd` or `target_ifindex`.
    pub(super) target: u32,
    pub(super) attach_type: u32,
    pub(super) flags: u32,
}

/// `BPF_LINK_UPDATE`.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct LinkUpdateAttr {
    pub(super) link_fd: u32,
    pub(super) new_prog_fd: u32,
    pub(super) flags: u32,
    pub(super) old_prog_fd: u32,
}

/// `BPF_LINK_DETACH`.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct LinkFdAttr {
    pub(super) link_fd: u32,
}

/// `BPF_RAW_TRACEPOINT_OPEN`.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct RawTracepointAttr {
    pub(super) name: u64,
    pub(super) prog_fd: u32,
    pub(super) pad: u32,
}

/// `struct bpf_prog_info`.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct ProgInfoAttr {
    pub(super) type_: u32,
    pub(super) id: u32,
    pub(super) tag: [u8; 8],
    pub(super) jited_prog_len: u32,
    pub(super) xlated_prog_len: u32,
    pub(super) jited_prog_insns: u64,
    pub(super) xlated_prog_insns: u64,
    pub(super) load_time: u64,
    pub(super) created_by_uid: u32,
    pub(super) nr_map_ids: u32,
    pub(super) map_ids: u64,
    pub(super) name: [u8; BPF_OBJ_NAME_LEN],
    pub(super) ifindex: u32,
    /// Bit 0 is `gpl_compatible`.
    pub(super) gpl_compatible: u32,
    pub(super) netns_dev: u64,
    pub(super) netns_ino: u64,
    pub(super) nr_jited_ksyms: u32,
    pub(super) nr_jited_func_lens: u32,
    pub(super) jited_ksyms: u64,
    pub(super) jited_func_lens: u64,
    pub(super) btf_id: u32,
    pub(super) func_info_rec_size: u32,
    pub(super) func_info: u64,
    pub(super) nr_func_info: u32,
    pub(super) nr_line_info: u32,
    pub(super) line_info: u64,
    pub(super) jited_line_info: u64,
    pub(super) nr_jited_line_info: u32,
    pub(super) line_info_rec_size: u32,
    pub(super) jited_line_info_rec_size: u32,
    pub(super) nr_prog_tags: u32,
    pub(super) prog_tags: u64,
    pub(super) run_time_ns: u64,
    pub(super) run_cnt: u64,
    pub(super) recursion_misses: u64,
    pub(super) verified_insns: u32,
    pub(super) attach_btf_obj_id: u32,
    pub(super) attach_btf_id: u32,
    pub(super) pad: u32,
}

/// `struct bpf_map_info`.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct MapInfoAttr {
    pub(super) type_: u32,
    pub(super) id: u32,
    pub(super) key_size: u32,
    pub(super) value_size: u32,
    pub(super) max_entries: u32,
    pub(super) map_flags: u32,
    pub(super) name: [u8; BPF_OBJ_NAME_LEN],
    pub(super) ifindex: u32,
    pub(super) btf_vmlinux_value_type_id: u32,
    pub(super) netns_dev: u64,
    pub(super) netns_ino: u64,
    pub(super) btf_id: u32,
    pub(super) btf_key_type_id: u32,
    pub(super) btf_value_type_id: u32,
    pub(super) pad: u32,
    pub(super) map_extra: u64,
}

/// `struct bpf_btf_info`.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct BtfInfoAttr {
    pub(super) btf: u64,
    pub(super) btf_size: u32,
    pub(super) id: u32,
    pub(super) name: u64,
    pub(super) name_len: u32,
    pub(super) kernel_btf: u32,
}

/// `struct bpf_link_info`, with the union as far as an XDP link needs it.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct LinkInfoAttr {
    pub(super) type_: u32,
    pub(super) id: u32,
    pub(super) prog_id: u32,
    pub(super) pad: u32,
    /// `xdp.ifindex`; other link types keep other things here.
    pub(super) ifindex: u32,
    pub(super) rest: [u32; 7],
}

#[cfg(test)]
mod tests {
    //! The numbers are what a C compiler says of `linux/bpf.h` (x86-64, Linux 6.1).
    use super::*;
    use std::mem::offset_of;

    macro_rules! layout {
        ($type:ty { $($field:ident = $offset:literal),+ } size $size:literal) => {
            $( assert_eq!(offset_of!($type, $field), $offset, stringify!($type.$field)); )+
            assert_eq!(size_of::<$type>(), $size, stringify!($type));
        };
    }

    #[test]
    fn map_attributes_are_laid_out_as_in_the_uapi() {
        layout!(MapCreateAttr {
            numa_node = 24, map_name = 28, map_ifindex = 44, btf_fd = 48,
            btf_vmlinux_value_type_id = 60, map_extra = 64
        } size 72);
        layout!(MapElemAttr { map_fd = 0, key = 8, value = 16, flags = 24 } size 32);
        layout!(MapFdAttr { map_fd = 0 } size 4);
    }

    #[test]
    fn program_attributes_are_laid_out_as_in_the_uapi() {
        layout!(ProgLoadAttr {
            insns = 8, license = 16, log_level = 24, log_size = 28, log_buf = 32,
            prog_flags = 44, prog_name = 48, prog_ifindex = 64, expected_attach_type = 68,
            prog_btf_fd = 72, func_info_rec_size = 76, func_info = 80, func_info_cnt = 88,
            line_info_rec_size = 92, line_info = 96, line_info_cnt = 104, attach_btf_id = 108,
            attach_prog_fd = 112, fd_array = 120, core_relo_rec_size = 136, log_true_size = 140
        } size 144);
        layout!(TestRunAttr {
            prog_fd = 0, retval = 4, data_size_in = 8, data_size_out = 12, data_in = 16,
            data_out = 24, repeat = 32, duration = 36, ctx_size_in = 40, ctx_out = 56, flags = 64
        } size 72);
        layout!(BtfLoadAttr {
            btf = 0, btf_log_buf = 8, btf_size = 16, btf_log_size = 20, btf_log_level = 24,
            btf_log_true_size = 28
        } size 32);
    }

    #[test]
    fn object_and_link_attributes_are_laid_out_as_in_the_uapi() {
        layout!(ObjAttr { pathname = 0, bpf_fd = 8, file_flags = 12 } size 16);
        layout!(IdAttr { id = 0, next_id = 4, open_flags = 8 } size 12);
        layout!(InfoAttr { bpf_fd = 0, info_len = 4, info = 8 } size 16);
        layout!(LinkCreateAttr { prog_fd = 0, target = 4, attach_type = 8, flags = 12 } size 16);
        layout!(LinkUpdateAttr {
            link_fd = 0, new_prog_fd = 4, flags = 8, old_prog_fd = 12
        } size 16);
        layout!(LinkFdAttr { link_fd = 0 } size 4);
        layout!(RawTracepointAttr { name = 0, prog_fd = 8 } size 16);
    }

    #[test]
    fn info_structures_are_laid_out_as_in_the_uapi() {
        layout!(ProgInfoAttr {
            load_time = 40, created_by_uid = 48, nr_map_ids = 52, map_ids = 56, name = 64,
            ifindex = 80, netns_dev = 88, nr_jited_ksyms = 104, jited_ksyms = 112, btf_id = 128,
            func_info = 136, nr_func_info = 144, nr_line_info = 148, line_info = 152,
            line_info_rec_size = 172, prog_tags = 184, run_time_ns = 192, run_cnt = 200,
            verified_insns = 216, attach_btf_id = 224
        } size 232);
        layout!(MapInfoAttr {
            name = 24, ifindex = 40, netns_dev = 48, btf_id = 64, map_extra = 80
        } size 88);
        layout!(BtfInfoAttr {
            btf = 0, btf_size = 8, id = 12, name = 16, name_len = 24, kernel_btf = 28
        } size 32);
        layout!(LinkInfoAttr { type_ = 0, id = 4, prog_id = 8, ifindex = 16 } size 48);
    }
}
