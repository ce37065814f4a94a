//! The maps that probes of arguments refer to, and where program types have packets and sockets.

use ebpf_asm::btf::{Bitfields, Btf, IntEncoding, Kind, Member, TypeId};
use ebpf_asm::isa::Size;
use ebpf_asm::map_flags::{BPF_F_NO_PREALLOC, BPF_F_RDONLY_PROG};
use ebpf_asm::map_type::MapType;
use ebpf_asm::object::{Data, DataKind, Map, Object};
use ebpf_asm::prog_type::ProgType;

/// `BPF_F_WRONLY_PROG` and `BPF_F_NO_PREALLOC`.
const BPF_F_WRONLY_PROG: u32 = 1 << 8;
/// Bytes of a value of the maps that have plain ones.
pub(super) const VALUE: u32 = 64;

/// A map of the scene.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// A map of the type, with keys and values as the type has them.
    Of(MapType),
    /// An array of one value that programs may only read.
    ReadOnly,
    /// An array of one value that programs may only write.
    WriteOnly,
    /// A text that nobody can change.
    Text,
}

/// The types of maps that can be made without anything else.
pub(super) const TYPES: [MapType; 30] = [
    MapType::Hash,
    MapType::Array,
    MapType::ProgArray,
    MapType::PerfEventArray,
    MapType::PercpuHash,
    MapType::PercpuArray,
    MapType::StackTrace,
    MapType::CgroupArray,
    MapType::LruHash,
    MapType::LruPercpuHash,
    MapType::LpmTrie,
    MapType::ArrayOfMaps,
    MapType::HashOfMaps,
    MapType::Devmap,
    MapType::Sockmap,
    MapType::Cpumap,
    MapType::Xskmap,
    MapType::Sockhash,
    MapType::CgroupStorage,
    MapType::ReuseportSockarray,
    MapType::PercpuCgroupStorage,
    MapType::Queue,
    MapType::Stack,
    MapType::SkStorage,
    MapType::DevmapHash,
    MapType::Ringbuf,
    MapType::InodeStorage,
    MapType::TaskStorage,
    MapType::UserRingbuf,
    MapType::CgrpStorage,
];

impl Known {
    /// All of them.
    fn all() -> impl Iterator<Item = Known> {
        let plain = TYPES.into_iter().map(Known::Of);
        let filter = [Known::Of(MapType::BloomFilter)];
        plain
            .chain(filter)
            .chain([Known::ReadOnly, Known::WriteOnly, Known::Text])
    }

    /// The index in the object of [`scene`].
    pub(super) fn index(self) -> usize {
        let found = Known::all().position(|known| known == self);
        found.expect("every map is among all")
    }

    fn map(self, btf: &Btf) -> Map {
        let array = |name, flags| Map {
            key_size: 4,
            value_size: VALUE,
            max_entries: 1,
            map_flags: flags,
            ..Map::new(name, MapType::Array)
        };
        match self {
            Known::Of(map_type) => of_type(map_type, btf),
            Known::ReadOnly => array("read_only", BPF_F_RDONLY_PROG),
            Known::WriteOnly => array("write_only", BPF_F_WRONLY_PROG),
            Known::Text => {
                let mut bytes = b"text".to_vec();
                bytes.resize(VALUE as usize, 0);
                Map {
                    data: Some(Data {
                        kind: DataKind::Rodata,
                        bytes,
                        variables: Vec::new(),
                        addresses: Vec::new(),
                    }),
                    ..array("text", BPF_F_RDONLY_PROG)
                }
            }
        }
    }
}

fn of_type(map_type: MapType, btf: &Btf) -> Map {
    let name = map_type.name();
    let of = |key_size, value_size, max_entries| Map {
        key_size,
        value_size,
        max_entries,
        ..Map::new(name, map_type)
    };
    match map_type {
        MapType::Hash
        | MapType::Array
        | MapType::PercpuHash
        | MapType::PercpuArray
        | MapType::LruHash
        | MapType::LruPercpuHash => of(4, VALUE, 2),
        MapType::StackTrace => of(4, VALUE, 2),
        MapType::LpmTrie => Map {
            map_flags: BPF_F_NO_PREALLOC,
            ..of(8, VALUE, 2)
        },
        MapType::ArrayOfMaps | MapType::HashOfMaps => Map {
            inner: Some(Box::new(Map {
                name: "inner".to_owned(),
                ..of_type(MapType::Array, btf)
            })),
            ..of(4, 4, 2)
        },
        MapType::CgroupStorage | MapType::PercpuCgroupStorage => of(8, VALUE, 0),
        MapType::ReuseportSockarray => of(4, 8, 2),
        MapType::Queue | MapType::Stack | MapType::BloomFilter => of(0, VALUE, 2),
        MapType::Ringbuf | MapType::UserRingbuf => of(0, 0, 4096),
        MapType::SkStorage
        | MapType::InodeStorage
        | MapType::TaskStorage
        | MapType::CgrpStorage => Map {
            map_flags: BPF_F_NO_PREALLOC,
            key_type: type_of(btf, "int"),
            value_type: type_of(btf, "plain"),
            ..of(4, VALUE, 0)
        },
        _ => of(4, 4, 2),
    }
}

fn type_of(btf: &Btf, name: &str) -> Option<TypeId> {
    btf.types()
        .map(|(id, _)| id)
        .find(|&id| btf.name(id) == name)
}

/// `int`, and a struct of one number that is as long as a value.
fn types() -> Btf {
    let mut btf = Btf::new();
    let int = btf.add(
        "int",
        Kind::Int {
            size: 4,
            encoding: IntEncoding::default(),
            offset: 0,
            bits: 32,
        },
    );
    let name = btf.intern("number");
    let members = vec![Member {
        name,
        ty: int,
        offset: 0,
    }];
    btf.add(
        "plain",
        Kind::Struct {
            size: VALUE,
            members,
            bitfields: Bitfields::No,
        },
    );
    btf
}

/// An object with all maps and no program.
pub(super) fn scene() -> Object {
    let btf = types();
    Object {
        license: "GPL".to_owned(),
        maps: Known::all().map(|known| known.map(&btf)).collect(),
        btf: Some(btf),
        ..Object::default()
    }
}

/// Where a context has the beginning and the end of the packet, and what comes before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct PacketFields {
    pub(super) data: i16,
    pub(super) end: i16,
    pub(super) meta: Option<i16>,
    pub(super) size: Size,
}

/// Where programs of a type find the packet, if they do.
pub(super) fn packet(prog_type: ProgType) -> Option<PacketFields> {
    let fields = |data, end, meta, size| PacketFields {
        data,
        end,
        meta,
        size,
    };
    Some(match prog_type {
        ProgType::SchedCls | ProgType::SchedAct => fields(76, 80, Some(140), Size::W),
        ProgType::CgroupSkb
        | ProgType::SkSkb
        | ProgType::LwtIn
        | ProgType::LwtOut
        | ProgType::LwtXmit
        | ProgType::LwtSeg6local
        | ProgType::FlowDissector => fields(76, 80, None, Size::W),
        ProgType::Xdp => fields(0, 4, Some(8), Size::W),
        ProgType::SkMsg | ProgType::SkReuseport => fields(0, 8, None, Size::DW),
        ProgType::CgroupSockopt => fields(8, 16, None, Size::DW),
        ProgType::SockOps => fields(192, 200, None, Size::DW),
        _ => return None,
    })
}

/// Where a context has a socket of any kind, or null.
pub(super) fn socket(prog_type: ProgType) -> Option<i16> {
    Some(match prog_type {
        ProgType::SchedCls | ProgType::SchedAct | ProgType::CgroupSkb => 168,
        ProgType::SockOps => 184,
        ProgType::SkMsg => 72,
        ProgType::CgroupSockAddr => 64,
        ProgType::CgroupSockopt => 0,
        ProgType::SkReuseport => 40,
        ProgType::SkLookup => 0,
        _ => return None,
    })
}
