//! Which types of keys and values the kernel takes for a map: by their sizes, by what indexes of
//! its type are, and by the special fields of its values. With others it makes no map of the
//! definition, but one without types; loaders ask for that then. Storage of sockets, tasks and
//! their likes is not made without.
//!
//! Source: `Documentation/bpf/`, and observation on Linux 6.18 (`EINVAL`, `EACCES`, `EOPNOTSUPP`,
//! without a word).
//!
//! Read before: `map_create.rs`, `types/special.rs`. Read next: `taken.rs`.

use crate::types::special::{KptrOwner, Special, SpecialKind};
use ebpf_asm::btf::{Btf, Kind as Type, Member, TypeId};
use ebpf_asm::map_flags::{BPF_F_RDONLY_PROG, BPF_F_WRONLY_PROG};
use ebpf_asm::map_type::MapType;
use ebpf_asm::object::Map;

/// What the keys of maps of a type are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keys {
    /// Anything of their size.
    Any,
    /// Integers of 32 bits.
    Integers,
    /// The same; or nothing, where one value is a section of variables.
    Indexes,
    /// Structs.
    Structs,
    /// The number of a cgroup's inode, alone or with a type of attachment.
    Cgroups,
    /// Nothing.
    Nothing,
    /// Neither keys nor values have types.
    Untyped,
}

fn keys(map_type: MapType) -> Keys {
    match map_type {
        MapType::Hash
        | MapType::PercpuHash
        | MapType::LruHash
        | MapType::LruPercpuHash
        | MapType::ProgArray
        | MapType::ReuseportSockarray => Keys::Any,
        MapType::Array => Keys::Indexes,
        MapType::PercpuArray
        | MapType::SkStorage
        | MapType::InodeStorage
        | MapType::TaskStorage
        | MapType::CgrpStorage => Keys::Integers,
        MapType::LpmTrie => Keys::Structs,
        MapType::CgroupStorage | MapType::PercpuCgroupStorage => Keys::Cgroups,
        MapType::BloomFilter => Keys::Nothing,
        MapType::PerfEventArray
        | MapType::StackTrace
        | MapType::CgroupArray
        | MapType::ArrayOfMaps
        | MapType::HashOfMaps
        | MapType::Devmap
        | MapType::DevmapHash
        | MapType::Sockmap
        | MapType::Sockhash
        | MapType::Cpumap
        | MapType::Xskmap
        | MapType::Queue
        | MapType::Stack
        | MapType::Ringbuf
        | MapType::UserRingbuf
        | MapType::StructOps
        | MapType::Arena => Keys::Untyped,
    }
}

/// What is stored with sockets and their likes.
const STORAGE: &[MapType] = &[
    MapType::SkStorage,
    MapType::InodeStorage,
    MapType::TaskStorage,
    MapType::CgrpStorage,
];

/// Whether the values of maps of a type can have such a field.
fn holds(map_type: MapType, kind: SpecialKind) -> bool {
    let is_storage = STORAGE.contains(&map_type);
    match kind {
        SpecialKind::SpinLock | SpecialKind::ResSpinLock => {
            is_storage
                || matches!(
                    map_type,
                    MapType::Hash | MapType::Array | MapType::CgroupStorage
                )
        }
        SpecialKind::Timer | SpecialKind::Workqueue | SpecialKind::TaskWork => {
            matches!(map_type, MapType::Hash | MapType::LruHash | MapType::Array)
        }
        SpecialKind::ListHead(_) | SpecialKind::RbRoot(_) => {
            matches!(map_type, MapType::Hash | MapType::Array)
        }
        SpecialKind::Kptr(kptr) if kptr.owner == KptrOwner::User => {
            map_type == MapType::TaskStorage
        }
        SpecialKind::Kptr(_)
        | SpecialKind::Refcount
        | SpecialKind::ListNode
        | SpecialKind::RbNode => {
            is_storage
                || matches!(
                    map_type,
                    MapType::Hash
                        | MapType::PercpuHash
                        | MapType::LruHash
                        | MapType::LruPercpuHash
                        | MapType::Array
                        | MapType::PercpuArray
                )
        }
    }
}

/// That the kernel makes a map with the types of its keys and values, if it has some; else why
/// not. `specials` are the special fields of the values.
pub(crate) fn check_map_types(
    map: &Map,
    btf: &Btf,
    specials: &[Special],
) -> Result<(), &'static str> {
    // Structs of functions are of types of the kernel.
    let Some(value) = map
        .value_type
        .filter(|_| map.map_type != MapType::StructOps)
    else {
        return Ok(());
    };
    check_key(map, btf, value)?;
    if btf.size_of(value) != Some(map.value_size) {
        return Err("its values have another size than their type");
    }
    if specials.is_empty() {
        return Ok(());
    }
    if map.map_flags & (BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG) != 0 {
        return Err(
            "its values have special fields, and programs may only read or only write them",
        );
    }
    let held = |special: &Special| holds(map.map_type, special.kind);
    match specials.iter().all(held) {
        true => Ok(()),
        false => Err("its values have special fields that maps of its type have not"),
    }
}

fn check_key(map: &Map, btf: &Btf, value: TypeId) -> Result<(), &'static str> {
    let keys = keys(map.map_type);
    let Some(key) = map.key_type else {
        let section = matches!(kind(btf, value), Some(Type::DataSec { .. }));
        let keyless =
            keys == Keys::Nothing || keys == Keys::Indexes && section && map.max_entries == 1;
        return match keyless {
            true => Ok(()),
            false => Err("its keys have no type"),
        };
    };
    if btf.size_of(key) != Some(map.key_size) {
        return Err("its keys have another size than their type");
    }
    let taken = match keys {
        Keys::Any => true,
        Keys::Integers | Keys::Indexes => is_integer(btf, key, 32),
        Keys::Structs => matches!(behind(btf, key), Some(Type::Struct { .. })),
        Keys::Cgroups => is_cgroup(btf, key, map.key_size),
        Keys::Nothing | Keys::Untyped => false,
    };
    match taken {
        true => Ok(()),
        false => Err("its keys are of a type that those of its type of map are not of"),
    }
}

fn kind(btf: &Btf, id: TypeId) -> Option<&Type> {
    btf.get(id).map(|ty| &ty.kind)
}

fn behind(btf: &Btf, id: TypeId) -> Option<&Type> {
    kind(btf, btf.resolve(id))
}

fn is_integer(btf: &Btf, id: TypeId, wanted: u8) -> bool {
    matches!(
        behind(btf, id),
        Some(Type::Int { bits, offset: 0, .. }) if *bits == wanted
    )
}

/// Whether keys are numbers of inodes, or `struct bpf_cgroup_storage_key`, by whatever names.
fn is_cgroup(btf: &Btf, key: TypeId, key_size: u32) -> bool {
    if key_size == 8 {
        return is_integer(btf, key, 64);
    }
    let Some(Type::Struct { members, .. }) = behind(btf, key) else {
        return false;
    };
    let is = |member: &Member, at: u32, bits: u8| {
        member.offset == at && is_integer(btf, member.ty, bits)
    };
    matches!(members.as_slice(), [inode, attach] if is(inode, 0, 64) && is(attach, 64, 32))
}
