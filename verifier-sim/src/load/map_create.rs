//! Which maps the kernel makes at all: what keys, values, entries and flags each type may have.
//! It refuses others with EINVAL or E2BIG, without a word, before it sees a program.
//!
//! Source: the pages of `Documentation/bpf/` on each type of map, and observation on Linux 6.18
//! (the differential test `rules::creation` compares the limits that no huge map is needed for).
//! Memory is no matter of the definition: a map that a machine has no room for is none of these.
//! What came later than the map types themselves stands in `since.rs`.
//!
//! Read before: `since.rs`. Read next: `map_types.rs`.

use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::step::machine::not_modelled;
use ebpf_asm::map_flags::{
    BPF_F_CLONE, BPF_F_INNER_MAP, BPF_F_MMAPABLE, BPF_F_NO_COMMON_LRU, BPF_F_NO_PREALLOC,
    BPF_F_NO_USER_CONV, BPF_F_NUMA_NODE, BPF_F_PRESERVE_ELEMS, BPF_F_RDONLY, BPF_F_RDONLY_PROG,
    BPF_F_SEGV_ON_FAULT, BPF_F_STACK_BUILD_ID, BPF_F_WRONLY, BPF_F_WRONLY_PROG, BPF_F_ZERO_SEED,
};
use ebpf_asm::map_type::MapType;
use ebpf_asm::object::Map;
use std::fmt;

/// What the maps of a type may be like.
#[derive(Debug, Clone, Copy)]
struct Rules {
    /// `key_size`.
    key: Numbers,
    /// `value_size`.
    value: Numbers,
    /// `max_entries`.
    entries: Numbers,
    /// The flags that they may have.
    flags: u32,
    /// The flags that they must have.
    needs: u32,
}

/// The numbers that a field may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Numbers {
    /// This one.
    Only(u32),
    /// One of two.
    Either(u32, u32),
    /// From the first to the last.
    Within(u32, u32),
    /// Multiples up to the last.
    Multiples { of: u32, to: u32 },
    /// Powers of two that are whole pages.
    Pages,
    /// Loaders put what is right for the machine into the place of 0.
    Any,
}

/// Who may not write or read.
const BY_USERS: u32 = BPF_F_RDONLY | BPF_F_WRONLY;
const BY_PROGRAMS: u32 = BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG;
/// What maps of most types may have.
const USUAL: u32 = BPF_F_NUMA_NODE | BY_USERS;
const HASHED: u32 = BY_USERS | BY_PROGRAMS | BPF_F_ZERO_SEED;

/// Flags of which a map has at most one: lists for each CPU are on no memory node.
const EXCLUSIVE: [u32; 3] = [BY_USERS, BY_PROGRAMS, BPF_F_NO_COMMON_LRU | BPF_F_NUMA_NODE];

/// The most bytes that the kernel allocates in one piece (`KMALLOC_MAX_SIZE` on x86-64).
const PIECE: u32 = 4 << 20;
/// What an element of a hash has beside its key and value.
const HASH_ELEMENT: u32 = 48;
/// The most bytes of a value that every CPU has its own of (`PCPU_MIN_UNIT_SIZE`).
const PER_CPU: u32 = 32 << 10;
/// What an element of a trie has beside its value.
const TRIE_ELEMENT: u32 = 280;
/// The most bytes of what sockets, tasks and their likes keep.
const STORED: u32 = 65407;
/// The most CPUs that any x86 kernel is built for (`NR_CPUS`), and how many those are that are
/// built for few.
const CPUS: u32 = 8192;
const FEW_CPUS: u32 = 256;
/// The most pages of an arena: 4 GiB.
const ARENA_PAGES: u32 = 1 << 20;
const PAGE_SIZE: u32 = 4096;
/// The deepest stack trace (`kernel.perf_event_max_stack`, of which this is the default).
const FRAMES: u32 = 127;
/// The most hash functions of a bloom filter.
const BLOOM_HASHES: u64 = 15;

/// Flags of hashes whose elements need not be there from the start.
const SPARSE: u32 = HASHED | BPF_F_NO_PREALLOC;
const LRU: u32 = HASHED | BPF_F_NO_COMMON_LRU;
const ARRAY: u32 = USUAL | BY_PROGRAMS | BPF_F_MMAPABLE | BPF_F_INNER_MAP;
const ARENA: u32 = BPF_F_SEGV_ON_FAULT | BPF_F_NO_USER_CONV;

/// A number of 32 bits: an index, or what stands for something else in the kernel.
const WORD: Numbers = Numbers::Only(4);
const NOTHING: Numbers = Numbers::Only(0);
const ANY_KEY: Numbers = Numbers::Within(1, u32::MAX);
/// The length of a prefix, and up to 256 bytes of an address.
const PREFIX: Numbers = Numbers::Within(5, 260);
const ANY_VALUE: Numbers = Numbers::Within(1, i32::MAX as u32);
const EACH_CPU: Numbers = Numbers::Within(1, PER_CPU);
const IN_A_PIECE: Numbers = Numbers::Within(1, PIECE);
const IN_A_TRIE: Numbers = Numbers::Within(1, PIECE - TRIE_ELEMENT);
const KEPT: Numbers = Numbers::Within(1, STORED);
/// What stands for something that the map leads to: the index of a device, the descriptor of a
/// socket, or the size of a CPU's queue. 8 bytes with the descriptor of a program for devices and
/// CPUs, or as room for the cookie of a socket that user space reads back.
const HANDLE: Numbers = Numbers::Either(4, 8);
/// The number of a control group, and perhaps the attach type.
const CGROUP: Numbers = Numbers::Either(8, 16);
const SOME: Numbers = Numbers::Within(1, u32::MAX);
/// The most entries of hashes: their buckets, a power of two, are counted in 32 bits as bytes are.
const HASH_ENTRIES: Numbers = Numbers::Within(1, 1 << 27);
/// The same where only their number is counted so.
const BUCKETS: Numbers = Numbers::Within(1, 1 << 31);

impl Rules {
    /// Of `key_size`, `value_size`, `max_entries`, and flags that the maps may have.
    const fn of(key: Numbers, value: Numbers, entries: Numbers, flags: u32) -> Rules {
        Rules {
            key,
            value,
            entries,
            flags,
            needs: 0,
        }
    }

    /// The same with a flag that they must have.
    const fn needs(self, needs: u32) -> Rules {
        Rules { needs, ..self }
    }
}

/// What the maps of a type may be like; `None` of structs of functions, which loaders make from
/// the kernel's types.
fn rules(map: &Map) -> Option<Rules> {
    use MapType as M;
    use Numbers::{Any, Pages, Within};
    let of = Rules::of;
    Some(match map.map_type {
        M::Hash => of(ANY_KEY, ANY_VALUE, HASH_ENTRIES, SPARSE | BPF_F_NUMA_NODE),
        M::PercpuHash => of(ANY_KEY, EACH_CPU, HASH_ENTRIES, SPARSE),
        M::LruHash => of(ANY_KEY, ANY_VALUE, HASH_ENTRIES, LRU | BPF_F_NUMA_NODE),
        M::LruPercpuHash => of(ANY_KEY, EACH_CPU, HASH_ENTRIES, LRU),
        M::HashOfMaps => of(ANY_KEY, WORD, HASH_ENTRIES, SPARSE | BPF_F_NUMA_NODE),
        M::Array => of(WORD, ANY_VALUE, SOME, ARRAY),
        M::PercpuArray => of(WORD, EACH_CPU, SOME, BY_USERS | BY_PROGRAMS),
        M::ProgArray | M::CgroupArray | M::ArrayOfMaps => of(WORD, WORD, SOME, USUAL),
        M::PerfEventArray => of(WORD, WORD, Any, USUAL | BPF_F_PRESERVE_ELEMS),
        M::StackTrace => of(WORD, frames(map), BUCKETS, USUAL | BPF_F_STACK_BUILD_ID),
        M::LpmTrie => of(PREFIX, IN_A_TRIE, SOME, USUAL | BY_PROGRAMS).needs(BPF_F_NO_PREALLOC),
        M::Devmap | M::Sockmap => of(WORD, HANDLE, SOME, USUAL),
        M::DevmapHash => of(WORD, HANDLE, BUCKETS, USUAL),
        M::Cpumap => of(WORD, HANDLE, Within(1, CPUS), BPF_F_NUMA_NODE),
        M::Xskmap => of(WORD, WORD, SOME, USUAL),
        M::Sockhash => of(Within(1, 512), HANDLE, HASH_ENTRIES, USUAL),
        M::ReuseportSockarray => of(WORD, HANDLE, SOME, USUAL | BY_PROGRAMS),
        M::CgroupStorage => of(CGROUP, KEPT, NOTHING, USUAL | BY_PROGRAMS),
        M::PercpuCgroupStorage => of(CGROUP, EACH_CPU, NOTHING, USUAL | BY_PROGRAMS),
        M::Queue | M::Stack => of(NOTHING, IN_A_PIECE, SOME, USUAL | BY_PROGRAMS),
        M::BloomFilter => {
            let flags = USUAL | BY_PROGRAMS | BPF_F_ZERO_SEED;
            of(NOTHING, IN_A_PIECE, SOME, flags)
        }
        M::Ringbuf | M::UserRingbuf => of(NOTHING, NOTHING, Pages, BPF_F_NUMA_NODE),
        M::SkStorage | M::InodeStorage | M::TaskStorage | M::CgrpStorage => {
            of(WORD, KEPT, NOTHING, BPF_F_CLONE).needs(BPF_F_NO_PREALLOC)
        }
        M::Arena => of(NOTHING, NOTHING, Within(1, ARENA_PAGES), ARENA).needs(BPF_F_MMAPABLE),
        M::StructOps => return None,
    })
}

/// The sizes of stack traces: of addresses, or of build ids with offsets.
fn frames(map: &Map) -> Numbers {
    let of = match map.map_flags & BPF_F_STACK_BUILD_ID {
        0 => 8,
        _ => 32,
    };
    let to = of * FRAMES;
    Numbers::Multiples { of, to }
}

/// The least `max_entries` and `value_size` that a map like this may have, where definitions often
/// leave them to loaders: 0 where that is right.
pub fn least_sizes(map: &Map) -> (u32, u32) {
    let Some(Rules { entries, value, .. }) = rules(map) else {
        return (0, 0);
    };
    let entries = match entries {
        Numbers::Only(least) | Numbers::Either(least, _) | Numbers::Within(least, _) => least,
        Numbers::Multiples { of, .. } => of,
        Numbers::Pages => PAGE_SIZE,
        Numbers::Any => 0,
    };
    // How deep stacks are is the loader's choice, how large other values are the program's.
    let value = match value {
        Numbers::Multiples { of, .. } => of,
        _ => 0,
    };
    (entries, value)
}

/// That the kernel makes a map like this, and those in it.
pub(crate) fn check_map_create(map: &Map) -> Checked {
    let whose = format!("map '{}'", map.name);
    check_alone(map, &whose)?;
    let of_maps = map.map_type.holds_maps();
    match &map.inner {
        Some(inner) if of_maps => {
            let whose = format!("a map in {whose}");
            check_alone(inner, &whose)?;
            match can_be_held(inner.map_type) {
                true => Ok(()),
                false => refuse(inner, &whose, "maps of maps do not hold such".to_owned()),
            }
        }
        None if of_maps => refuse(
            map,
            &whose,
            "nothing says what the maps in it are like".to_owned(),
        ),
        _ => Ok(()),
    }
}

/// Whether maps of maps hold maps of this type.
fn can_be_held(map_type: MapType) -> bool {
    !matches!(
        map_type,
        MapType::ProgArray
            | MapType::ArrayOfMaps
            | MapType::HashOfMaps
            | MapType::CgroupStorage
            | MapType::PercpuCgroupStorage
            | MapType::StructOps
    )
}

fn refuse(map: &Map, whose: &str, what: String) -> Checked {
    let message = format!("{whose} cannot be created: {what}");
    let map_type = map.map_type;
    Err(Rejection::new(Code::MapCreate, message).label(format!(
        "uses a map of type {map_type} that the kernel does not make"
    )))
}

fn check_alone(map: &Map, whose: &str) -> Checked {
    let Some(rules) = rules(map) else {
        return Ok(());
    };
    let map_type = map.map_type;
    let numbers = [
        ("key_size", map.key_size, rules.key),
        ("value_size", map.value_size, rules.value),
        ("max_entries", map.max_entries, rules.entries),
    ];
    for (field, number, allowed) in numbers {
        if !allowed.has(number) {
            return refuse(
                map,
                whose,
                format!("{field} is {number}, and type {map_type} wants {allowed}"),
            );
        }
    }
    if map_type == MapType::Cpumap && map.max_entries > FEW_CPUS {
        return Err(not_modelled("for how many CPUs the kernel is built"));
    }
    if let Some(what) = wrong_flags(map, &rules).or_else(|| wrong_together(map)) {
        return refuse(map, whose, what);
    }
    Ok(())
}

/// What is wrong with the flags of a map.
fn wrong_flags(map: &Map, rules: &Rules) -> Option<String> {
    let (flags, map_type) = (map.map_flags, map.map_type);
    let missing = rules.needs & !flags;
    if missing != 0 {
        return Some(format!(
            "map_flags lacks {missing:#x}, which type {map_type} wants"
        ));
    }
    let unknown = flags & !(rules.flags | rules.needs);
    if unknown != 0 {
        return Some(format!(
            "map_flags has {unknown:#x}, which type {map_type} does not take"
        ));
    }
    let together = EXCLUSIVE.iter().find(|pair| flags & **pair == **pair);
    together.map(|pair| format!("map_flags has {pair:#x}, of which each excludes the other"))
}

/// What is wrong with fields that go together.
fn wrong_together(map: &Map) -> Option<String> {
    let together = u64::from(map.key_size) + u64::from(map.value_size);
    let extra = map.map_extra;
    match map.map_type {
        MapType::Hash
        | MapType::PercpuHash
        | MapType::LruHash
        | MapType::LruPercpuHash
        | MapType::HashOfMaps
            if together >= u64::from(PIECE - HASH_ELEMENT) =>
        {
            Some(format!(
                "a key and a value have {together} bytes, and {PIECE} have no room for them"
            ))
        }
        MapType::BloomFilter if extra > BLOOM_HASHES => Some(format!(
            "map_extra is {extra}, and at most {BLOOM_HASHES} hash functions are possible"
        )),
        MapType::Arena => wrong_arena(map),
        MapType::SkStorage
        | MapType::InodeStorage
        | MapType::TaskStorage
        | MapType::CgrpStorage
            if map.key_type.is_none() || map.value_type.is_none() =>
        {
            Some("the kernel wants the types of its keys and values".to_owned())
        }
        MapType::BloomFilter => None,
        map_type if extra != 0 => Some(format!(
            "map_extra is {extra:#x}, and type {map_type} has no use for it"
        )),
        _ => None,
    }
}

/// What is wrong with the address of an arena: that of its first byte in user space.
fn wrong_arena(map: &Map) -> Option<String> {
    let begin = map.map_extra;
    let bytes = u64::from(map.max_entries) * u64::from(PAGE_SIZE);
    if !begin.is_multiple_of(u64::from(PAGE_SIZE)) {
        return Some(format!("map_extra is {begin:#x}, where no page begins"));
    }
    let last = begin.checked_add(bytes - 1);
    match last.is_some_and(|last| last >> 32 == begin >> 32) {
        true => None,
        false => Some(format!(
            "from {begin:#x} on, its pages are not in the same 4 GiB"
        )),
    }
}

impl Numbers {
    fn has(self, number: u32) -> bool {
        match self {
            Numbers::Only(one) => number == one,
            Numbers::Either(one, other) => number == one || number == other,
            Numbers::Within(first, last) => (first..=last).contains(&number),
            Numbers::Multiples { of, to } => {
                number > 0 && number <= to && number.is_multiple_of(of)
            }
            Numbers::Pages => number.is_power_of_two() && number >= PAGE_SIZE,
            Numbers::Any => true,
        }
    }
}

impl fmt::Display for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Numbers::Only(one) => write!(f, "{one}"),
            Numbers::Either(one, other) => write!(f, "{one} or {other}"),
            Numbers::Within(first, u32::MAX) => write!(f, "{first} at least"),
            Numbers::Within(first, last) => write!(f, "{first} to {last}"),
            Numbers::Multiples { of, to } => write!(f, "a multiple of {of}, {to} at most"),
            Numbers::Pages => write!(f, "a power of two, {PAGE_SIZE} at least"),
            Numbers::Any => f.write_str("any"),
        }
    }
}
