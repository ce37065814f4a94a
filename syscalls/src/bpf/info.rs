//! What the kernel says of an open object: `BPF_OBJ_GET_INFO_BY_FD`.
//!
//! <https://docs.ebpf.io/linux/syscall/BPF_OBJ_GET_INFO_BY_FD/>

use std::os::fd::{AsRawFd, BorrowedFd};

use bytemuck::{Pod, Zeroable};

use super::attr::{BtfInfoAttr, InfoAttr, LinkInfoAttr, MapInfoAttr, ProgInfoAttr};
use super::command::{Command, address_mut, bpf};
use super::link::BPF_LINK_TYPE_XDP;
use super::name;
use crate::{Error, Result};

/// Maps of one program that are asked for at once; one more call where it uses more.
const MAP_IDS: usize = 32;

/// Bytes that the names of modules fit in, with their NUL: modules' own limit
/// (`MODULE_NAME_LEN`) on machines of 64 bits.
const MODULE_NAME_LEN: usize = 56;

/// Answers that can change size between two calls are asked for this often.
const ATTEMPTS: u32 = 4;

/// A loaded program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgInfo {
    /// `enum bpf_prog_type`.
    pub prog_type: u32,
    /// The id, unique on the machine while the program lives.
    pub id: u32,
    /// A digest of the instructions; equal for equal programs.
    pub tag: [u8; 8],
    /// The first 15 characters of the name.
    pub name: String,
    /// When it was loaded: nanoseconds since boot, counting suspension.
    pub load_time_ns: u64,
    /// The user who loaded it.
    pub created_by_uid: u32,
    /// The maps that it uses.
    pub map_ids: Vec<u32>,
    /// The interface it is offloaded to, or 0.
    pub ifindex: u32,
    /// Its BTF, or 0.
    pub btf_id: u32,
    /// Bytes of the instructions after verification.
    pub xlated_prog_len: u32,
    /// Bytes of machine code; 0 when it is interpreted.
    pub jited_prog_len: u32,
    /// Instructions that the verifier looked at (Linux 5.16; else 0).
    pub verified_insns: u32,
    /// Time spent in it, in nanoseconds; 0 unless statistics are on.
    pub run_time_ns: u64,
    /// How often it ran; 0 unless statistics are on.
    pub run_cnt: u64,
}

/// A map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapInfo {
    /// `enum bpf_map_type`.
    pub map_type: u32,
    /// The id, unique on the machine while the map lives.
    pub id: u32,
    /// Bytes of a key.
    pub key_size: u32,
    /// Bytes of a value (of one CPU's).
    pub value_size: u32,
    /// Elements the map has room for.
    pub max_entries: u32,
    /// `BPF_F_*` flags.
    pub map_flags: u32,
    /// The first 15 characters of the name.
    pub name: String,
    /// Its BTF, or 0.
    pub btf_id: u32,
    /// BTF type of the key, or 0.
    pub btf_key_type_id: u32,
    /// BTF type of the value, or 0.
    pub btf_value_type_id: u32,
}

/// A link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkInfo {
    /// `enum bpf_link_type`.
    pub link_type: u32,
    /// The id, unique on the machine while the link lives.
    pub id: u32,
    /// The program that it runs.
    pub prog_id: u32,
    /// For an XDP link its interface, 0 once that is gone; `None` for other types.
    pub xdp_ifindex: Option<u32>,
}

/// A loaded BTF object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BtfInfo {
    /// The id, unique on the machine while the BTF lives.
    pub id: u32,
    /// Bytes of it.
    pub btf_size: u32,
    /// Whether it is the kernel's or a module's own (Linux 5.11).
    pub kernel_btf: bool,
    /// `vmlinux`, or the module's name; empty of what was loaded by a program.
    pub name: String,
}

/// `struct bpf_line_info`: the source line of an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct LineInfo {
    /// Index of the instruction slot after verification.
    pub insn_off: u32,
    /// The file's name: an offset into the BTF's strings.
    pub file_name_off: u32,
    /// The line's text: an offset into the BTF's strings.
    pub line_off: u32,
    /// Line number times 1024, plus the column.
    pub line_col: u32,
}

/// `struct bpf_func_info`: the type of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct FuncInfo {
    /// Index of the function's first instruction slot after verification.
    pub insn_off: u32,
    /// The function's type in the program's BTF.
    pub type_id: u32,
}

/// What the kernel says of a program.
///
/// # Errors
/// When `prog` is not a program's descriptor.
pub fn prog_info(prog: BorrowedFd<'_>) -> Result<ProgInfo> {
    let mut ids = vec![0; MAP_IDS];
    let mut info = ProgInfoAttr::zeroed();
    for _ in 0..ATTEMPTS {
        info = ProgInfoAttr {
            nr_map_ids: ids.len() as u32,
            map_ids: address_mut(&mut ids),
            ..ProgInfoAttr::zeroed()
        };
        // SAFETY: `map_ids` holds `nr_map_ids` numbers, exclusively borrowed.
        unsafe { get_info(Kind::Program, prog, &mut info) }?;
        if info.nr_map_ids as usize <= ids.len() {
            break;
        }
        ids.resize(info.nr_map_ids as usize, 0);
    }
    ids.truncate(info.nr_map_ids as usize);
    Ok(ProgInfo {
        prog_type: info.type_,
        id: info.id,
        tag: info.tag,
        name: name::decode(&info.name),
        load_time_ns: info.load_time,
        created_by_uid: info.created_by_uid,
        map_ids: ids,
        ifindex: info.ifindex,
        btf_id: info.btf_id,
        xlated_prog_len: info.xlated_prog_len,
        jited_prog_len: info.jited_prog_len,
        verified_insns: info.verified_insns,
        run_time_ns: info.run_time_ns,
        run_cnt: info.run_cnt,
    })
}

/// A program's instructions after verification, 8 bytes a slot.
///
/// Empty without CAP_SYS_ADMIN, or where `bpf_jit_harden` hides them.
///
/// # Errors
/// When `prog` is not a program's descriptor.
pub fn prog_xlated_insns(prog: BorrowedFd<'_>) -> Result<Vec<u8>> {
    let size = prog_info(prog)?.xlated_prog_len;
    let mut insns = vec![0u8; size as usize];
    let mut info = ProgInfoAttr {
        xlated_prog_len: size,
        xlated_prog_insns: address_mut(&mut insns),
        ..ProgInfoAttr::zeroed()
    };
    // SAFETY: `xlated_prog_insns` has `xlated_prog_len` bytes, exclusively borrowed.
    unsafe { get_info(Kind::Program, prog, &mut info) }?;
    let hidden = info.xlated_prog_insns == 0;
    insns.truncate(if hidden {
        0
    } else {
        info.xlated_prog_len as usize
    });
    Ok(insns)
}

/// The source lines of a program's instructions; empty when it has none.
///
/// # Errors
/// When `prog` is not a program's descriptor.
pub fn prog_line_info(prog: BorrowedFd<'_>) -> Result<Vec<LineInfo>> {
    let mut sizes = ProgInfoAttr::zeroed();
    // SAFETY: no addresses in `sizes`.
    unsafe { get_info(Kind::Program, prog, &mut sizes) }?;
    let mut lines = vec![LineInfo::zeroed(); sizes.nr_line_info as usize];
    let mut info = ProgInfoAttr {
        nr_line_info: sizes.nr_line_info,
        line_info_rec_size: size_of::<LineInfo>() as u32,
        line_info: address_mut(&mut lines),
        ..ProgInfoAttr::zeroed()
    };
    // SAFETY: `line_info` has `nr_line_info` records of `line_info_rec_size`
    // bytes, exclusively borrowed.
    unsafe { get_info(Kind::Program, prog, &mut info) }?;
    lines.truncate(info.nr_line_info as usize);
    Ok(lines)
}

/// The types of a program's functions, its own first; empty when it has none.
///
/// # Errors
/// When `prog` is not a program's descriptor.
pub fn prog_func_info(prog: BorrowedFd<'_>) -> Result<Vec<FuncInfo>> {
    let mut sizes = ProgInfoAttr::zeroed();
    // SAFETY: no addresses in `sizes`.
    unsafe { get_info(Kind::Program, prog, &mut sizes) }?;
    let mut funcs = vec![FuncInfo::zeroed(); sizes.nr_func_info as usize];
    let mut info = ProgInfoAttr {
        nr_func_info: sizes.nr_func_info,
        func_info_rec_size: size_of::<FuncInfo>() as u32,
        func_info: address_mut(&mut funcs),
        ..ProgInfoAttr::zeroed()
    };
    // SAFETY: `func_info` has `nr_func_info` records of `func_info_rec_size`
    // bytes, exclusively borrowed.
    unsafe { get_info(Kind::Program, prog, &mut info) }?;
    funcs.truncate(info.nr_func_info as usize);
    Ok(funcs)
}

/// What the kernel says of a map.
///
/// # Errors
/// When `map` is not a map's descriptor.
pub fn map_info(map: BorrowedFd<'_>) -> Result<MapInfo> {
    let mut info = MapInfoAttr::zeroed();
    // SAFETY: no addresses in `info`.
    unsafe { get_info(Kind::Map, map, &mut info) }?;
    Ok(MapInfo {
        map_type: info.type_,
        id: info.id,
        key_size: info.key_size,
        value_size: info.value_size,
        max_entries: info.max_entries,
        map_flags: info.map_flags,
        name: name::decode(&info.name),
        btf_id: info.btf_id,
        btf_key_type_id: info.btf_key_type_id,
        btf_value_type_id: info.btf_value_type_id,
    })
}

/// What the kernel says of a link.
///
/// # Errors
/// When `link` is not a link's descriptor.
pub fn link_info(link: BorrowedFd<'_>) -> Result<LinkInfo> {
    let mut info = LinkInfoAttr::zeroed();
    // SAFETY: with all fields 0 there are no addresses in `info`.
    unsafe { get_info(Kind::Link, link, &mut info) }?;
    Ok(LinkInfo {
        link_type: info.type_,
        id: info.id,
        prog_id: info.prog_id,
        xdp_ifindex: (info.type_ == BPF_LINK_TYPE_XDP).then_some(info.ifindex),
    })
}

/// What the kernel says of a BTF object.
///
/// # Errors
/// When `btf` is not a BTF object's descriptor.
pub fn btf_info(btf: BorrowedFd<'_>) -> Result<BtfInfo> {
    let mut name = [0u8; MODULE_NAME_LEN];
    let mut info = BtfInfoAttr {
        name: address_mut(&mut name),
        name_len: MODULE_NAME_LEN as u32,
        ..BtfInfoAttr::zeroed()
    };
    // SAFETY: `name` has `name_len` bytes, exclusively borrowed.
    unsafe { get_info(Kind::Btf, btf, &mut info) }?;
    Ok(BtfInfo {
        id: info.id,
        btf_size: info.btf_size,
        kernel_btf: info.kernel_btf != 0,
        name: name::decode(&name),
    })
}

/// The bytes of a BTF object, as of a `.BTF` section.
///
/// # Errors
/// When `btf` is not a BTF object's descriptor.
pub fn btf_bytes(btf: BorrowedFd<'_>) -> Result<Vec<u8>> {
    let mut bytes = vec![0u8; btf_info(btf)?.btf_size as usize];
    let mut info = BtfInfoAttr {
        btf: address_mut(&mut bytes),
        btf_size: bytes.len() as u32,
        ..BtfInfoAttr::zeroed()
    };
    // SAFETY: `btf` has `btf_size` bytes, exclusively borrowed.
    unsafe { get_info(Kind::Btf, btf, &mut info) }?;
    Ok(bytes)
}

/// The kinds of object that have an info structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Program,
    Map,
    Btf,
    Link,
}

/// Checks that the descriptor is of the kind that the structure is for, and asks.
///
/// # Safety
/// `info` must be the structure of `kind`, and every address in it 0 or that of
/// exclusively borrowed memory of the size that the field beside it states.
unsafe fn get_info<I: Pod>(kind: Kind, object: BorrowedFd<'_>, info: &mut I) -> Result<()> {
    kind.check(object)?;
    let mut attr = InfoAttr {
        bpf_fd: object.as_raw_fd() as u32,
        info_len: size_of::<I>() as u32,
        info: std::ptr::from_mut(info) as u64,
    };
    // SAFETY: the kernel reads and writes at most `info_len` bytes of `info`,
    // exclusively borrowed; the caller vouches for the addresses inside it, and
    // the check made sure that the kernel reads them as this structure.
    unsafe { bpf(Command::ObjGetInfoByFd, &mut attr) }
        .map(drop)
        .map_err(|errno| Error::call(Command::ObjGetInfoByFd.name(), kind.name(), errno))
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Program => "program",
            Kind::Map => "map",
            Kind::Btf => "BTF",
            Kind::Link => "link",
        }
    }

    /// What proc(5) shows of such a descriptor. A link that was just created
    /// and one that was opened by id or pin are spelled differently.
    fn inodes(self) -> &'static [&'static str] {
        match self {
            Kind::Program => &["anon_inode:bpf-prog"],
            Kind::Map => &["anon_inode:bpf-map"],
            Kind::Btf => &["anon_inode:btf"],
            Kind::Link => &["anon_inode:bpf_link", "anon_inode:bpf-link"],
        }
    }

    /// The command takes any bpf descriptor and fills in the structure of that
    /// kind, so one of another kind would be read wrongly, and an address that
    /// we meant for one field be taken for another.
    fn check(self, object: BorrowedFd<'_>) -> Result<()> {
        let link = format!("/proc/self/fd/{}", object.as_raw_fd());
        let target = nix::fcntl::readlink(link.as_str())
            .map_err(|errno| Error::call("readlink", link, errno))?;
        if self.inodes().iter().any(|inode| target == **inode) {
            return Ok(());
        }
        Err(Error::argument(format!(
            "{} is not a {}",
            target.to_string_lossy(),
            self.name()
        )))
    }
}
