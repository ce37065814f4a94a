//! The maps that a program refers to: what the kernel wants of them before it follows the
//! program, also where no path leads.
//!
//! Described in `include/uapi/linux/bpf.h` at `BPF_PSEUDO_MAP_FD` and `BPF_PSEUDO_MAP_VALUE`;
//! messages as observed on Linux 6.18.
//!
//! Read before: `loadable.rs`, `map_create.rs`. Read next: `env.rs`.

use crate::codes::Code;
use crate::config::Config;
use crate::diag::{Checked, Rejection};
use crate::load::loadable::check_map_loader;
use crate::load::map_create::check_map_create;
use crate::load::since::check_map_type;
use crate::load::taken::MapSpecials;
use crate::memory::arena::{check_arena, check_arena_address};
use crate::step::machine::not_modelled;
use crate::step::pointer_alu::MAX_VAR_OFF;
use crate::types::special::{Special, SpecialKind};
use ebpf_asm::isa::{Imm64, Sem};
use ebpf_asm::load_flags::BPF_F_SLEEPABLE;
use ebpf_asm::map_type::MapType;
use ebpf_asm::object::{Map, MapValue, Object};
use ebpf_asm::prog_type::ProgType;
use ebpf_asm::program::{Program, Reference};

/// How many maps a program can refer to.
const MAX_MAPS: usize = 64;

/// That a program can refer to the maps that it refers to, and in the way it does.
pub(crate) fn check_used_maps(
    object: &Object,
    program: &Program,
    config: &Config,
    specials: &[MapSpecials],
) -> Checked {
    check_descriptors(program)?;
    let mut used: Vec<(usize, &Map)> = Vec::new();
    for &(slot, reference) in &program.references {
        let (index, address) = match reference {
            Reference::Map(map) => (map, None),
            Reference::MapValue { map, offset } => (map, Some(offset)),
            _ => continue,
        };
        let Some(map) = object.maps.get(index) else {
            continue;
        };
        let is_new = used.iter().all(|&(known, _)| known != index);
        let checked = match is_new {
            true => {
                let specials = specials.get(index);
                let specials = specials.and_then(|map| map.value.fields.as_deref());
                check_map(object, map, specials, program, config)
                    .and_then(|()| check_new_map((program, config), map, &used))
            }
            false => Ok(()),
        };
        let checked = checked
            .and_then(|()| address.map_or(Ok(()), |offset| check_value_address(map, offset)));
        if let Err(mut refused) = checked {
            refused.slot = slot;
            return Err(refused);
        }
        if is_new {
            used.push((index, map));
        }
    }
    Ok(())
}

/// That the kernel makes all maps of an object, also those that no program refers to.
///
/// # Errors
/// What it refuses first.
pub fn check_maps(object: &Object, config: &Config) -> Checked {
    let mut maps = object.maps.iter();
    maps.try_for_each(|map| check_created(object, config, map))
}

/// That the kernel makes a map, and those that it holds from the start.
fn check_created(object: &Object, config: &Config, map: &Map) -> Checked {
    let held = map.values.iter().filter_map(|(_, value)| match value {
        MapValue::Map(index) => object.maps.get(*index),
        _ => None,
    });
    for map in std::iter::once(map).chain(held) {
        check_map_type(map, config)?;
        check_map_loader(map, config)?;
        check_map_create(map)?;
    }
    Ok(())
}

/// That there can be such a map, and that programs of the type can have it.
fn check_map(
    object: &Object,
    map: &Map,
    specials: Option<&[Special]>,
    program: &Program,
    config: &Config,
) -> Checked {
    check_created(object, config, map)?;
    let unknown = || not_modelled("what the type of these map values has in it");
    check_specials_for(program.prog_type, specials.ok_or_else(unknown)?)
}

/// That all maps are the object's: a bare number is the descriptor of none.
fn check_descriptors(program: &Program) -> Checked {
    for (slot, insn) in program.slots() {
        let by_descriptor = matches!(insn.sem(), Sem::LoadImm64(Imm64::MapFd | Imm64::MapValueFd));
        if by_descriptor && program.reference(slot).is_none() {
            let message = format!("fd {} is not pointing to valid bpf_map", insn.imm());
            let mut refused = Rejection::new(Code::MapKind, message)
                .label("no map has this descriptor")
                .help("declare a map in the object, and name it where its address is loaded");
            refused.slot = slot;
            return Err(refused);
        }
    }
    Ok(())
}

/// That a program may have a map besides those that it has.
fn check_new_map(
    (program, config): (&Program, &Config),
    map: &Map,
    used: &[(usize, &Map)],
) -> Checked {
    let refuse = |message: &str, label: &str, help: &str| {
        Err(Rejection::new(Code::MapKind, message)
            .label(format!("'{}' {label}", map.name))
            .help(help))
    };
    if used.len() >= MAX_MAPS {
        return refuse(
            "The total number of maps per program has reached the limit of 64",
            "is one map too many",
            "keep what is small in one map, with longer keys",
        );
    }
    if map.map_type == MapType::Arena {
        if used.iter().any(|(_, known)| known.map_type == map.map_type) {
            return refuse(
                "Only one arena per program",
                "is the second arena",
                "keep all of it in one arena",
            );
        }
        return check_arena(config, map);
    }
    if map.map_type == MapType::StructOps {
        return refuse(
            "bpf_struct_ops map cannot be used in prog",
            "holds functions for the kernel, nothing for programs",
            "keep what programs share in a map of another type",
        );
    }
    if is_sleepable(program) && !is_for_sleepers(map.map_type) {
        return refuse(
            "Sleepable programs can only use array, hash, ringbuf and local storage maps",
            "is of a type that programs that may sleep cannot use",
            "keep it in a map of those types, or load the program without BPF_F_SLEEPABLE",
        );
    }
    let storage = |map: &Map| {
        matches!(
            map.map_type,
            MapType::CgroupStorage | MapType::PercpuCgroupStorage
        )
    };
    let another = used
        .iter()
        .any(|(_, known)| storage(map) && known.map_type == map.map_type);
    if another {
        return refuse(
            "only one cgroup storage of each type is allowed",
            "is the second storage of its type",
            "keep all of it in one value",
        );
    }
    Ok(())
}

/// That programs of a type may use maps whose values have such fields.
fn check_specials_for(prog_type: ProgType, specials: &[Special]) -> Checked {
    let has = |kinds: &[SpecialKind]| specials.iter().any(|special| kinds.contains(&special.kind));
    let rooted = |special: &Special| {
        matches!(
            special.kind,
            SpecialKind::ListHead(_) | SpecialKind::RbRoot(_)
        )
    };
    let traces = matches!(
        prog_type,
        ProgType::Kprobe
            | ProgType::Tracepoint
            | ProgType::PerfEvent
            | ProgType::RawTracepoint
            | ProgType::RawTracepointWritable
    );
    let lock = has(&[SpecialKind::SpinLock, SpecialKind::ResSpinLock]);
    let message = match prog_type {
        _ if traces && specials.iter().any(rooted) => {
            "tracing progs cannot use bpf_{list_head,rb_root} yet"
        }
        ProgType::SocketFilter if lock => "socket filter progs cannot use bpf_spin_lock yet",
        _ if traces && lock => "tracing progs cannot use bpf_spin_lock yet",
        _ if traces && has(&[SpecialKind::Timer]) => "tracing progs cannot use bpf_timer yet",
        _ if traces && has(&[SpecialKind::Workqueue]) => "tracing progs cannot use bpf_wq yet",
        _ => return Ok(()),
    };
    Err(Rejection::new(Code::SpecialField, message)
        .label(format!(
            "{prog_type} programs cannot use maps with such values, whatever they do with them"
        ))
        .help(match lock {
            true => {
                "leave the lock out of the value, and change it by atomic operations \
                 (__sync_fetch_and_add in C) or keep a value for each CPU (percpu_array); fentry and \
                 fexit programs may use locks"
            }
            false => {
                "keep what the program needs in a map of its own, without such fields; fentry and \
                 fexit programs may use this map"
            }
        }))
}

/// Whether a program may wait for something.
pub(crate) fn is_sleepable(program: &Program) -> bool {
    program.prog_type == ProgType::Syscall || program.prog_flags() & BPF_F_SLEEPABLE != 0
}

/// Whether programs that may sleep can use maps of a type.
fn is_for_sleepers(map_type: MapType) -> bool {
    matches!(
        map_type,
        MapType::Hash
            | MapType::LruHash
            | MapType::Array
            | MapType::PercpuHash
            | MapType::PercpuArray
            | MapType::LruPercpuHash
            | MapType::ArrayOfMaps
            | MapType::HashOfMaps
            | MapType::Ringbuf
            | MapType::UserRingbuf
            | MapType::InodeStorage
            | MapType::SkStorage
            | MapType::TaskStorage
            | MapType::CgrpStorage
            | MapType::Queue
            | MapType::Stack
            | MapType::Arena
    )
}

/// That the address of a map's value is inside of it.
fn check_value_address(map: &Map, offset: u32) -> Checked {
    if map.map_type == MapType::Arena {
        return check_arena_address(map, offset);
    }
    let message = if map.map_type != MapType::Array {
        "no direct value access support for this map type".to_owned()
    } else if i64::from(offset) >= MAX_VAR_OFF {
        format!("direct value offset of {offset} is not allowed")
    } else if map.max_entries != 1 || offset >= map.value_size {
        let size = map.value_size;
        format!("invalid access to map value pointer, value_size={size} off={offset}")
    } else {
        return Ok(());
    };
    let refused = Rejection::new(Code::MapValueBounds, message);
    let last = map.value_size.checked_sub(1);
    let is_one = map.map_type == MapType::Array && map.max_entries == 1;
    Err(match last.filter(|_| is_one) {
        Some(last) => refused
            .label(format!(
                "takes an address behind the value of '{}'",
                map.name
            ))
            .help(format!("let the offset be {last} at most")),
        None => refused
            .label("takes an address that is not in the value of an array of one value")
            .help(
                "global variables are in such arrays; values of other maps are looked up with \
                 bpf_map_lookup_elem",
            ),
    })
}
