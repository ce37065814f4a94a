//! Types of maps: with which types of keys and values the kernel makes a map. Every type of map,
//! with every special field, under the flags that matter to them; and with keys of every kind.

use ebpf_asm::btf::{Btf, Forward, IntEncoding, Kind, Linkage, SecVar, Tag, TypeId};
use ebpf_asm::map_flags::{BPF_F_RDONLY_PROG, BPF_F_WRONLY_PROG};
use ebpf_asm::map_type::MapType;
use ebpf_asm::object::{Map, Object};
use ebpf_syscalls::bpf::{MapBtf, MapCreate, btf_load, map_create};
use ebpf_syscalls::{Errno, Error};
use ebpf_tests::kernel_types::RUNNING;
use ebpf_tests::{Failed, Outcome, ensure};
use ebpf_verifier_sim::{Config, check_types};
use std::os::fd::{AsFd, OwnedFd};

use super::creation::{is_storage, types, usual};
use super::maps::untyped;
use super::types::record;

pub(crate) fn agree() -> Outcome {
    let mut btf = Btf::new();
    let keys = keys(&mut btf);
    let values = values(&mut btf);
    let fd = btf_load(&btf.to_bytes())?;
    let object = Object {
        btf: Some(btf),
        ..Object::default()
    };
    let (mut made, mut refused, mut wrong) = (0, 0, Vec::new());
    for map_type in types() {
        for map in probes(map_type, &keys, &values) {
            let object = Object {
                maps: vec![map.clone()],
                ..object.clone()
            };
            let Some(kernel) = takes(&map, &fd)? else {
                continue;
            };
            let ours = check_types(&object, &Config::default(), &RUNNING);
            match kernel {
                true => made += 1,
                false => refused += 1,
            }
            if ours.is_ok() != kernel {
                let said = ours.map_err(|why| why.message.clone());
                wrong.push(format!("{map:?}: we say {said:?}, the kernel {kernel}"));
            }
        }
    }
    println!("types of maps: {made} taken, {refused} refused");
    let count = wrong.len();
    wrong.truncate(20);
    ensure!(count == 0, "{count} disagreements\n{}", wrong.join("\n"));
    ensure!(
        made > 200 && refused > 500,
        "{made} taken and {refused} refused: too few are compared"
    );
    Ok(())
}

/// A type, and how many bytes its values have.
type Sized = (TypeId, u32);

fn probes(map_type: MapType, keys: &[Sized], values: &[Sized]) -> Vec<Map> {
    let usual = usual(map_type);
    let index = keys.first().map(|(index, _)| *index);
    let mut probes = Vec::new();
    // Keys that fit most maps of the type.
    let of_size = |size: u32| keys.iter().filter(move |(_, bytes)| *bytes == size);
    let fitting: Vec<Option<TypeId>> = match map_type {
        MapType::BloomFilter => vec![None],
        _ => of_size(usual.key_size).map(|(key, _)| Some(*key)).collect(),
    };
    for &(value, value_size) in values {
        for flags in [0, BPF_F_RDONLY_PROG, BPF_F_WRONLY_PROG] {
            for &key_type in &fitting {
                probes.push(Map {
                    value_size,
                    key_type,
                    value_type: Some(value),
                    map_flags: usual.map_flags | flags,
                    ..usual.clone()
                });
            }
        }
    }
    let plain = values.first().map(|(value, _)| *value);
    for key_type in keys.iter().map(|(key, _)| Some(*key)).chain([None]) {
        for (key_size, value_type) in [(usual.key_size, plain), (16, plain), (8, plain)] {
            probes.push(Map {
                key_size,
                key_type,
                value_type,
                ..usual.clone()
            });
        }
    }
    probes.extend(values.iter().flat_map(|&(value, value_size)| {
        [index, None].map(|key_type| Map {
            value_size,
            key_type,
            value_type: Some(value),
            max_entries: usual.max_entries * 2,
            ..usual.clone()
        })
    }));
    probes
}

/// Whether the kernel makes the map with its types; `None` if it makes none like it at all.
fn takes(map: &Map, btf: &OwnedFd) -> Outcome<Option<bool>> {
    let inner = match map.inner.as_deref() {
        Some(inner) => Some(map_create(&untyped(inner))?),
        None => None,
    };
    let plain = MapCreate {
        inner_map: inner.as_ref().map(AsFd::as_fd),
        ..untyped(map)
    };
    let typed = MapCreate {
        btf: Some(MapBtf {
            fd: btf.as_fd(),
            key_type_id: map.key_type.map_or(0, |id| id.0),
            value_type_id: map.value_type.map_or(0, |id| id.0),
        }),
        ..plain
    };
    // Storage is not made without types; its definitions here are such as it can have.
    let storage = is_storage(map.map_type) && map.map_flags == usual(map.map_type).map_flags;
    let can_be = storage && map.key_size == 4 || is_made(&plain)?;
    match can_be {
        true => is_made(&typed).map(Some),
        false => Ok(None),
    }
}

fn is_made(map: &MapCreate<'_>) -> Outcome<bool> {
    match map_create(map) {
        Ok(_) => Ok(true),
        Err(error) if lacks(&error) => Err(Failed::from(error.to_string())),
        Err(_) => Ok(false),
    }
}

fn lacks(error: &Error) -> bool {
    error.is(Errno::EPERM) || error.is(Errno::ENOMEM)
}

fn int(btf: &mut Btf, name: &str, size: u32, bits: u8) -> TypeId {
    let encoding = IntEncoding::default();
    let offset = 0;
    btf.add(
        name,
        Kind::Int {
            size,
            encoding,
            offset,
            bits,
        },
    )
}

/// Types of keys; the first is that of an index.
fn keys(btf: &mut Btf) -> Vec<Sized> {
    let index = int(btf, "u32", 4, 32);
    let long = int(btf, "u64", 8, 64);
    let partly = int(btf, "u31", 4, 31);
    let byte = int(btf, "u8", 1, 8);
    let small = record(btf, "small", 4, &[(index, 0)]);
    let pair = record(btf, "pair", 8, &[(index, 0), (index, 4)]);
    let cgroup = record(btf, "cgroup", 16, &[(long, 0), (index, 8)]);
    let backward = record(btf, "backward", 16, &[(index, 0), (long, 8)]);
    let named = btf.add("named", Kind::Typedef(index));
    let constant = btf.add("", Kind::Const(pair));
    let float = btf.add("float", Kind::Float { size: 4 });
    let pointer = btf.add("", Kind::Ptr(TypeId::VOID));
    let (element, len) = (byte, 8);
    let bytes = btf.add(
        "",
        Kind::Array {
            element,
            index,
            len,
        },
    );
    let partly_long = int(btf, "u63", 8, 63);
    vec![
        (index, 4),
        (long, 8),
        (partly, 4),
        (byte, 1),
        (small, 4),
        (pair, 8),
        (cgroup, 16),
        (backward, 16),
        (named, 4),
        (constant, 8),
        (float, 4),
        (pointer, 8),
        (bytes, 8),
        (partly_long, 8),
    ]
}

/// Types of values; the first is that of 4 bytes.
fn values(btf: &mut Btf) -> Vec<Sized> {
    let index = TypeId(1);
    let long = TypeId(2);
    let mut special = |name: &str, size| (record(btf, name, size, &[(index, 0)]), size);
    let spin = special("bpf_spin_lock", 4);
    let kinds = [
        spin,
        special("bpf_res_spin_lock", 4),
        special("bpf_timer", 16),
        special("bpf_wq", 16),
        special("bpf_task_work", 8),
        special("bpf_refcount", 4),
    ];
    let list = special("bpf_list_head", 16);
    let node = special("bpf_list_node", 24);
    let mut values = vec![(index, 4), (long, 8)];
    for (at, (kind, size)) in kinds.into_iter().enumerate() {
        let bytes = size.next_multiple_of(8);
        let name = format!("with{at}");
        values.push((record(btf, &name, bytes, &[(kind, 0)]), bytes));
    }
    let item = record(btf, "item", 24, &[(node.0, 0)]);
    let owner = record(btf, "owner", 24, &[(list.0, 0), (spin.0, 16)]);
    let (component, tag) = (0, Tag::Btf);
    let ty = owner;
    btf.add("contains:item:m0", Kind::DeclTag { ty, component, tag });
    values.push((owner, 24));
    for tag in ["kptr", "kptr_untrusted", "percpu_kptr", "uptr", "other"] {
        let ty = item;
        let tagged = btf.add(tag, Kind::TypeTag { ty, tag: Tag::Btf });
        let pointer = btf.add("", Kind::Ptr(tagged));
        let name = format!("with_{tag}");
        values.push((record(btf, &name, 8, &[(pointer, 0)]), 8));
    }
    let twice = record(btf, "twice", 32, &[(kinds[2].0, 0), (kinds[2].0, 16)]);
    let (ty, linkage) = (long, Linkage::Global);
    let var = btf.add("variable", Kind::Var { ty, linkage });
    let (offset, size) = (0, 8);
    let vars = vec![SecVar { var, offset, size }];
    let section = btf.add(".data", Kind::DataSec { size, vars });
    let elsewhere = btf.add("elsewhere", Kind::Fwd(Forward::Struct));
    values.extend([
        (twice, 32),
        (section, 8),
        (var, 8),
        (elsewhere, 8),
        (long, 16),
    ]);
    values
}
