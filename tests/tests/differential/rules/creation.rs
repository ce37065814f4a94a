//! Creation: which maps the kernel makes, by their sizes, entries and flags. Every type with a grid
//! of numbers around the limits that no map of many megabytes is needed for, with numbers of
//! entries that no map can have, and as a map in a map of maps.
//!
//! The kernel says no word of why, so that only the verdicts are compared. What there is no
//! memory for is no matter of the definition: how many such were asked is printed.

use ebpf_asm::map_flags::{BPF_F_MMAPABLE, BPF_F_NO_PREALLOC};
use std::collections::BTreeMap;
use std::os::fd::AsFd;

use ebpf_asm::assembler::Assembler;
use ebpf_asm::btf::{Btf, IntEncoding, Kind, TypeId};
use ebpf_asm::insn::Reg;
use ebpf_asm::map_type::MapType;
use ebpf_asm::object::{Map, Object};
use ebpf_asm::prog_type::ProgType;
use ebpf_asm::program::Reference;
use ebpf_syscalls::bpf::{self, MapBtf, MapCreate, btf_load, map_create};
use ebpf_syscalls::{Errno, Error};
use ebpf_tests::differential::Chance;
use ebpf_tests::{Failed, Outcome, ensure};
use ebpf_verifier_sim::{Code, Config, verify};

const KEYS: &[u32] = &[
    0, 1, 3, 4, 5, 8, 9, 16, 17, 260, 261, 512, 513, 4_194_251, 4_194_252,
];
const VALUES: &[u32] = &[
    0,
    1,
    3,
    4,
    5,
    8,
    12,
    16,
    32,
    48,
    64,
    1016,
    1024,
    4064,
    4096,
    32_768,
    32_769,
    65_407,
    65_408,
    4_194_024,
    4_194_025,
    4_194_247,
    4_194_248,
    4_194_304,
    4_194_305,
    0x8000_0000,
];
const ENTRIES: &[u32] = &[0, 1, 2, 3, 100, 4096, 6144, 8192, 8193];
/// One more entry than maps of some types can have: that is refused before any is made.
const TOO_MANY: &[(MapType, u32)] = &[
    (MapType::Hash, (1 << 27) + 1),
    (MapType::PercpuHash, (1 << 27) + 1),
    (MapType::LruHash, (1 << 27) + 1),
    (MapType::LruPercpuHash, (1 << 27) + 1),
    (MapType::HashOfMaps, (1 << 27) + 1),
    (MapType::Sockhash, (1 << 27) + 1),
    (MapType::StackTrace, (1 << 31) + 1),
    (MapType::DevmapHash, (1 << 31) + 1),
];
const EXTRAS: &[u64] = &[0, 1, 15, 16, 4096, 0xffff_f000, 1 << 44];
/// The most bytes of a map that is tried.
const MOST: u64 = 16 << 20;

pub(crate) fn agree(cases: u32) -> Outcome {
    let (mut seen, mut wrong) = (BTreeMap::<MapType, Seen>::new(), Vec::new());
    let mut probes = probes();
    Chance::new(1).shuffle(&mut probes);
    probes.truncate(cases as usize);
    probes.extend(types().map(usual));
    let too_many = TOO_MANY.iter().map(|&(map_type, max_entries)| Map {
        max_entries,
        ..usual(map_type)
    });
    probes.extend(too_many);
    for map in &probes {
        let seen = seen.entry(map.map_type).or_default();
        let Some(kernel) = is_made(map)? else {
            seen.no_memory += 1;
            continue;
        };
        match kernel {
            true => seen.made += 1,
            false => seen.refused += 1,
        }
        let ours = ours(map)?;
        if ours.is_none() != kernel {
            let ours = ours.unwrap_or_else(|| "created".to_owned());
            wrong.push(format!(
                "{}: we say {ours}, the kernel makes it: {kernel}",
                shown(map)
            ));
        }
    }
    let total = |of: fn(&Seen) -> usize| seen.values().map(of).sum::<usize>();
    let (made, refused) = (total(|seen| seen.made), total(|seen| seen.refused));
    let no_memory = total(|seen| seen.no_memory);
    println!("creation: {made} made, {refused} refused, no memory for {no_memory}");
    let some = wrong
        .iter()
        .take(40)
        .cloned()
        .collect::<Vec<_>>()
        .join("\n");
    ensure!(wrong.is_empty(), "{} disagreements\n{some}", wrong.len());
    for (map_type, seen) in &seen {
        let (made, refused) = (seen.made, seen.refused);
        ensure!(
            made > 0 && refused > 0,
            "of type {map_type} {made} were made and {refused} refused: too few are compared"
        );
    }
    ensure!(
        seen.len() + 1 == MapType::ALL.len(),
        "only {} types are compared",
        seen.len()
    );
    Ok(())
}

/// What became of the maps of a type.
#[derive(Default)]
struct Seen {
    made: usize,
    refused: usize,
    no_memory: usize,
}

/// The types of maps but structs of functions, which loaders make from the kernel's types.
pub(super) fn types() -> impl Iterator<Item = MapType> {
    let all = MapType::ALL.iter().copied();
    all.filter(|map_type| *map_type != MapType::StructOps)
}

/// Every type of map with all the numbers, those in maps of maps last.
fn probes() -> Vec<Map> {
    let mut probes = Vec::new();
    for map_type in types() {
        let usual = usual(map_type);
        for &key_size in KEYS {
            for &value_size in VALUES {
                for &max_entries in ENTRIES {
                    probes.push(Map {
                        key_size,
                        value_size,
                        max_entries,
                        ..usual.clone()
                    });
                }
            }
        }
        for bit in 0..u32::BITS {
            let other = (bit..u32::BITS).map(|other| 1 << bit | 1 << other);
            probes.extend(
                other
                    .clone()
                    .map(|flags| with_flags(&usual, usual.map_flags ^ flags)),
            );
            probes.extend(other.map(|flags| with_flags(&usual, flags)));
        }
        probes.extend(EXTRAS.iter().map(|&map_extra| Map {
            map_extra,
            ..usual.clone()
        }));
    }
    for outer in [MapType::ArrayOfMaps, MapType::HashOfMaps] {
        probes.extend(types().map(|inner| Map {
            inner: Some(Box::new(usual(inner))),
            ..usual(outer)
        }));
    }
    let fits = |map: &Map| {
        let one = u64::from(map.key_size) + u64::from(map.value_size);
        let refused = one > MOST || map.value_size > i32::MAX as u32;
        refused || one * u64::from(map.max_entries) < MOST
    };
    // Loaders fill in how many CPUs there are; how many there can be the kernel's build says.
    let known = |map: &Map| match map.map_type {
        MapType::PerfEventArray => map.max_entries != 0,
        MapType::Cpumap => map.max_entries <= 100 || map.max_entries > 8192,
        _ => true,
    };
    probes.retain(|map| fits(map) && known(map));
    probes
}

fn with_flags(map: &Map, map_flags: u32) -> Map {
    Map {
        map_flags,
        ..map.clone()
    }
}

/// A map of the type that the kernel makes.
pub(super) fn usual(map_type: MapType) -> Map {
    let (key_size, value_size, max_entries, map_flags) = match map_type {
        MapType::CgroupStorage | MapType::PercpuCgroupStorage => (8, 4, 0, 0),
        MapType::Queue | MapType::Stack | MapType::BloomFilter => (0, 4, 1, 0),
        MapType::Ringbuf | MapType::UserRingbuf => (0, 0, 4096, 0),
        MapType::Arena => (0, 0, 1, BPF_F_MMAPABLE),
        MapType::LpmTrie => (8, 4, 1, BPF_F_NO_PREALLOC),
        MapType::StackTrace => (4, 64, 1, 0),
        MapType::SkStorage
        | MapType::InodeStorage
        | MapType::TaskStorage
        | MapType::CgrpStorage => (4, 4, 0, BPF_F_NO_PREALLOC),
        _ => (4, 4, 1, 0),
    };
    let inner = map_type
        .holds_maps()
        .then(|| Box::new(usual(MapType::Array)));
    Map {
        key_size,
        value_size,
        max_entries,
        map_flags,
        inner,
        key_type: is_storage(map_type).then_some(KEY),
        value_type: is_storage(map_type).then_some(VALUE),
        ..Map::new("probe", map_type)
    }
}

pub(super) fn is_storage(map_type: MapType) -> bool {
    matches!(
        map_type,
        MapType::SkStorage | MapType::InodeStorage | MapType::TaskStorage | MapType::CgrpStorage
    )
}

/// The numbers of the types of keys and values in `value_types`.
const KEY: TypeId = TypeId(1);
const VALUE: TypeId = TypeId(3);

/// The types of a map's key, a number, and value, so many bytes.
fn value_types(value_size: u32) -> Btf {
    let mut btf = Btf::new();
    let int = |size: u32| Kind::Int {
        size,
        encoding: IntEncoding::SIGNED,
        offset: 0,
        bits: (size * 8) as u8,
    };
    let index = btf.add("int", int(4));
    let element = btf.add("char", int(1));
    btf.add(
        "",
        Kind::Array {
            element,
            index,
            len: value_size,
        },
    );
    btf
}

/// Whether the kernel makes the map; `None` if it has no memory for it.
fn is_made(map: &Map) -> Outcome<Option<bool>> {
    match make(map) {
        Ok(_) => Ok(Some(true)),
        Err(error) if error.is(Errno::ENOMEM) => Ok(None),
        Err(error) if error.is(Errno::EPERM) => Err(Failed::from(error.to_string())),
        Err(_) => Ok(Some(false)),
    }
}

/// Makes the map, for as long as the result is held.
pub(super) fn make(map: &Map) -> Result<bpf::Map, Error> {
    let inner = map.inner.as_deref().map(make).transpose()?;
    let types = match map.value_type {
        Some(_) => Some(btf_load(&value_types(map.value_size).to_bytes())?),
        None => None,
    };
    map_create(&MapCreate {
        inner_map: inner.as_ref().map(AsFd::as_fd),
        btf: types.as_ref().map(|types| MapBtf {
            fd: types.as_fd(),
            key_type_id: KEY.0,
            value_type_id: VALUE.0,
        }),
        ..super::maps::untyped(map)
    })
}

/// Why we say that it is not made.
fn ours(map: &Map) -> Outcome<Option<String>> {
    let mut a = Assembler::new("probe");
    a.ld_reference(Reg::R1, Reference::Map(0))
        .mov(Reg::R0, 0)
        .exit();
    let mut program = a
        .finish("socket")
        .map_err(|error| Failed::from(error.to_string()))?;
    program.prog_type = ProgType::SocketFilter;
    let object = Object {
        maps: vec![map.clone()],
        btf: map.value_type.map(|_| value_types(map.value_size)),
        ..super::object(program, "GPL")
    };
    let program = object.programs.first().ok_or("no program")?;
    let verdict = verify(&object, program, &Config::default());
    let why = verdict
        .rejection()
        .filter(|why| why.code == Code::MapCreate);
    Ok(why.map(|why| why.message.clone()))
}

fn shown(map: &Map) -> String {
    let mut text = String::new();
    let object = Object {
        maps: vec![map.clone()],
        ..Object::default()
    };
    let options = ebpf_asm::text::Options::CODE;
    // A String takes all text.
    let _ = ebpf_asm::text::print_object(&mut text, &object, options);
    text.trim_end().replace('\n', ", ")
}
