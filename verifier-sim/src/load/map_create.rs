//! Which maps the kernel makes at all: what keys, values, entries and flags each type may have.
//! It refuses others with EINVAL or E2BIG, without a word, before it sees a program.
//!
//! Source: the pages of `Documentation/bpf/` on each type of map, and observation on Linux 6.18
//! (the differential test `rules::creation` compares the limits that no huge map is needed for).
//! Memory is no matter of the definition: a map that a machine has no room for is none of these.
//! What came later than the map types themselves stands in `since.rs`.
//!
//! Read before: `since.rs`. Read next: `used_maps.rs`.

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

const ANY_KEY: Numbers = Numbers::Within(1, u32::MAX);
const ANY_VALUE: Numbers = Numbers::Within(1, i32::MAX as u32);
const SOME: Numbers = Numbers::Within(1, u32::MAX);
/// The most entries of hashes: their buckets, a power of two, are counted in 32 bits as bytes are.
const HASH_ENTRIES: Numbers = Numbers::Within(1, 1 << 27);
/// The same where only their number is counted so.
const BUCKETS: Numbers = Numbers::Within(1, 1 << 31);

/// What the maps of a type may be like; `None` of structs of functions, which loaders make from
/// the kernel's types.
fn rules(map: &Map) -> Option<Rules> {
    use Numbers::{Any, Either, Multiples, Only, Pages, Within};
    let row = |key, value, entries, flags| Rules {
        key,
        value,
        entries,
        flags,
        needs: 0,
    };
    let index = |value, flags| row(Only(4), value, SOME, flags);
    let stored = |value| {
        let flags = USUAL | BY_PROGRAMS;
        row(Either(8, 16), value, Only(0), flags)
    };
    let listed = |flags| row(Only(0), Within(1, PIECE), SOME, flags);
    let frame = match map.map_flags & BPF_F_STACK_BUILD_ID {
        0 => 8,
        _ => 32,
    };
    Some(match map.map_type {
        MapType::Hash => {
            let flags = HASHED | BPF_F_NUMA_NODE | BPF_F_NO_PREALLOC;
            row(ANY_KEY, ANY_VALUE, HASH_ENTRIES, flags)
        }
        MapType::PercpuHash => row(
            ANY_KEY,
            Within(1, PER_CPU),
            HASH_ENTRIES,
            HASHED | BPF_F_NO_PREALLOC,
        ),
        MapType::LruHash => {
            let flags = HASHED | BPF_F_NUMA_NODE | BPF_F_NO_COMMON_LRU;
            row(ANY_KEY, ANY_VALUE, HASH_ENTRIES, flags)
        }
        MapType::LruPercpuHash => {
            let flags = HASHED | BPF_F_NO_COMMON_LRU;
            row(ANY_KEY, Within(1, PER_CPU), HASH_ENTRIES, flags)
        }
        MapType::HashOfMaps => {
            let flags = HASHED | BPF_F_NUMA_NODE | BPF_F_NO_PREALLOC;
            row(ANY_KEY, Only(4), HASH_ENTRIES, flags)
        }
        MapType::Array => {
            let flags = USUAL | BY_PROGRAMS | BPF_F_MMAPABLE | BPF_F_INNER_MAP;
            index(ANY_VALUE, flags)
        }
        MapType::PercpuArray => index(Within(1, PER_CPU), BY_USERS | BY_PROGRAMS),
        MapType::ProgArray | MapType::CgroupArray | MapType::ArrayOfMaps => index(Only(4), USUAL),
        MapType::PerfEventArray => {
            let flags = USUAL | BPF_F_PRESERVE_ELEMS;
            row(Only(4), Only(4), Any, flags)
        }
        MapType::StackTrace => {
            let to = frame * FRAMES;
            let flags = USUAL | BPF_F_STACK_BUILD_ID;
            row(Only(4), Multiples { of: frame, to }, BUCKETS, flags)
        }
        MapType::LpmTrie => Rules {
            needs: BPF_F_NO_PREALLOC,
            ..row(
                Within(5, 260),
                Within(1, PIECE - TRIE_ELEMENT),
                SOME,
                USUAL | BY_PROGRAMS,
            )
        },
        MapType::Devmap | MapType::Sockmap => index(Either(4, 8), USUAL),
        MapType::DevmapHash => row(Only(4), Either(4, 8), BUCKETS, USUAL),
        MapType::Cpumap => row(Only(4), Either(4, 8), Within(1, CPUS), BPF_F_NUMA_NODE),
        MapType::Xskmap => index(Only(4), USUAL),
        MapType::Sockhash => row(Within(1, 512), Either(4, 8), HASH_ENTRIES, USUAL),
        MapType::ReuseportSockarray => index(Either(4, 8), USUAL | BY_PROGRAMS),
        MapType::CgroupStorage => stored(Within(1, STORED)),
        MapType::PercpuCgroupStorage => stored(Within(1, PER_CPU)),
        MapType::Queue | MapType::Stack => listed(USUAL | BY_PROGRAMS),
        MapType::BloomFilter => listed(USUAL | BY_PROGRAMS | BPF_F_ZERO_SEED),
        MapType::Ringbuf | MapType::UserRingbuf => row(Only(0), Only(0), Pages, BPF_F_NUMA_NODE),
        MapType::SkStorage
        | MapType::InodeStorage
        | MapType::TaskStorage
        | MapType::CgrpStorage => Rules {
            needs: BPF_F_NO_PREALLOC,
            ..row(Only(4), Within(1, STORED), Only(0), BPF_F_CLONE)
        },
        MapType::Arena => Rules {
            needs: BPF_F_MMAPABLE,
            ..row(
                Only(0),
                Only(0),
                Within(1, ARENA_PAGES),
                BPF_F_SEGV_ON_FAULT | BPF_F_NO_USER_CONV,
            )
        },
        MapType::StructOps => return None,
    })
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
