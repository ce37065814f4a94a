//! bpf(2), one function a command.
//!
//! <https://man7.org/linux/man-pages/man2/bpf.2.html> and, for what that page
//! lacks, `include/uapi/linux/bpf.h` and <https://docs.kernel.org/bpf/>.
//! Program, map and attach types are plain UAPI numbers here: the tables that
//! name them belong to `ebpf-asm`, on which this crate may not depend.
//!
//! Read before: nothing. Read next: `attr.rs` (what the kernel is handed),
//! then one file a kind of object.

mod arena;
mod attr;
mod btf;
mod command;
mod id;
mod info;
mod link;
mod log;
mod map;
mod name;
mod pin;
mod prog;
mod raw_tracepoint;
mod test_run;

pub use arena::arena_write;
pub use btf::btf_load;
pub use command::Command;
pub use id::{
    Ids, btf_get_fd_by_id, btf_ids, link_get_fd_by_id, link_ids, map_get_fd_by_id, map_ids,
    prog_get_fd_by_id, prog_ids,
};
pub use info::{
    BtfInfo, FuncInfo, LineInfo, LinkInfo, MapInfo, ProgInfo, btf_bytes, btf_info, link_info,
    map_info, prog_func_info, prog_info, prog_line_info, prog_xlated_insns,
};
pub use link::{
    BPF_LINK_TYPE_XDP, BPF_XDP, LinkTarget, link_create, link_create_is_known, link_detach,
    link_update,
};
pub use map::{Map, MapBtf, MapCreate, MapKeys, UpdateMode, map_create};
pub use name::BPF_OBJ_NAME_LEN;
pub use pin::{obj_get, obj_pin};
pub use prog::{
    FuncInfoRecords, LineInfoRecords, LogLevel, ProgLoad, prog_load, prog_load_with_log,
};
pub use raw_tracepoint::raw_tracepoint_open;
pub use test_run::{TestRun, TestRunResult, prog_test_run};
