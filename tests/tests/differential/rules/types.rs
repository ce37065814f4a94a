//! Types: which BTF the kernel takes. That of objects, of graphs of types made at random, and of
//! structures with special fields; all with words, names and lengths changed at random.
//!
//! On a few ways the kernel overlooks that a type contains itself. Here none may: how many such it
//! took is printed.

use ebpf_asm::btf::{Bitfields, Btf, Kind, Linkage, Member, StrId, Tag, TypeId, check_layout};
use ebpf_asm::object::Object;
use ebpf_syscalls::Errno;
use ebpf_syscalls::bpf::btf_load;
use ebpf_tests::differential::Chance;
use ebpf_tests::kernel_types::RUNNING;
use ebpf_tests::{Failed, Outcome, ensure, subjects};
use ebpf_verifier_sim::{Config, check_types};

/// Bytes of the header, and where in it the lengths of types and of names are.
const HEADER: usize = 24;
const TYPE_LEN: usize = 12;
const STR_LEN: usize = 20;

/// How many graphs and how many sets of structures there are.
const GRAPHS: usize = 60;

pub(crate) fn agree(cases: u32) -> Outcome {
    let mut chance = Chance::new(6);
    let mut seeds = of_objects()?;
    for _ in 0..GRAPHS {
        seeds.push(graph(&mut chance).to_bytes());
        seeds.push(structures(&mut chance).to_bytes());
    }
    let mut seen = Seen::default();
    for seed in &seeds {
        seen.compare(seed)?;
    }
    for _ in 0..cases {
        let mut bytes = match chance.below(4) {
            0 => structures(&mut chance).to_bytes(),
            _ => seeds[chance.below(seeds.len())].clone(),
        };
        if chance.percent(80) {
            mutate(&mut bytes, &mut chance);
        }
        seen.compare(&bytes)?;
    }
    println!(
        "types: {} taken, {} refused, {} contain themselves and are overlooked",
        seen.taken, seen.refused, seen.overlooked
    );
    let wrong = seen.wrong.len();
    let some: Vec<String> = seen.wrong.into_iter().take(20).collect();
    ensure!(wrong == 0, "{wrong} disagreements\n{}", some.join("\n"));
    let enough = cases / 50;
    ensure!(
        seen.taken > enough && seen.refused > enough,
        "{} are taken and {} refused: too few are compared",
        seen.taken,
        seen.refused
    );
    Ok(())
}

/// What became of the blobs.
#[derive(Default)]
struct Seen {
    taken: u32,
    refused: u32,
    overlooked: u32,
    wrong: Vec<String>,
}

impl Seen {
    fn compare(&mut self, bytes: &[u8]) -> Outcome {
        let kernel = match btf_load(bytes) {
            Ok(_) => Ok(()),
            Err(error) if error.is(Errno::EPERM) || error.is(Errno::ENOMEM) => {
                return Err(Failed::from(error.to_string()));
            }
            Err(error) => Err(error.to_string()),
        };
        let Some(ours) = ours(bytes) else {
            return Ok(());
        };
        match (&kernel, &ours) {
            (Ok(()), Ok(())) => self.taken += 1,
            (Err(_), Err(_)) => self.refused += 1,
            (Ok(()), Err(_)) if Btf::from_bytes(bytes).is_ok_and(|btf| has_circle(&btf)) => {
                self.overlooked += 1;
            }
            _ => self.wrong.push(format!(
                "we say {ours:?}, the kernel {kernel:?}\n{}",
                shown(bytes)
            )),
        }
        Ok(())
    }
}

/// What we say of a blob; `None` if it cannot be read here, and the kernel may take it.
fn ours(bytes: &[u8]) -> Option<Result<(), String>> {
    let btf = match Btf::from_bytes(bytes) {
        Ok(btf) => btf,
        Err(error) => return error.is_the_kernels().then(|| Err(error.to_string())),
    };
    if let Err(error) = check_layout(bytes) {
        return Some(Err(error.to_string()));
    }
    let object = Object {
        btf: Some(btf),
        ..Object::default()
    };
    let checked = check_types(&object, &Config::default(), &RUNNING);
    Some(checked.map_err(|why| why.message.clone()))
}

fn shown(bytes: &[u8]) -> String {
    match Btf::from_bytes(bytes) {
        Ok(btf) => {
            let ids = btf.types().map(|(id, _)| id);
            let lines = ids.filter_map(|id| btf.raw(id).map(|raw| raw.to_string()));
            lines.take(40).collect::<Vec<_>>().join("\n")
        }
        Err(error) => error.to_string(),
    }
}

/// Whether a type contains itself, other than by a pointer.
fn has_circle(btf: &Btf) -> bool {
    let parts = |id: TypeId| -> Vec<TypeId> {
        match btf.get(id).map(|ty| &ty.kind) {
            Some(Kind::Struct { members, .. } | Kind::Union { members, .. }) => {
                members.iter().map(|member| member.ty).collect()
            }
            Some(Kind::Array { element, index, .. }) => vec![*element, *index],
            Some(
                Kind::Typedef(to)
                | Kind::Volatile(to)
                | Kind::Const(to)
                | Kind::Restrict(to)
                | Kind::TypeTag { ty: to, .. },
            ) => vec![*to],
            _ => Vec::new(),
        }
    };
    btf.types().any(|(first, _)| {
        let (mut seen, mut waiting) = (vec![false; btf.len() + 1], parts(first));
        while let Some(id) = waiting.pop() {
            if id == first {
                return true;
            }
            if !std::mem::replace(&mut seen[id.0 as usize], true) {
                waiting.extend(parts(id));
            }
        }
        false
    })
}

/// The types of programs: what the DSL, a compiler and this text say.
fn of_objects() -> Outcome<Vec<Vec<u8>>> {
    let objects = [
        subjects::drop_icmp()?.object,
        subjects::count_protocols()?.object,
        subjects::sched_watch()?.object,
        subjects::twin("count_protocols.c")?.object,
        ebpf_asm::text::parse("all kinds", ALL_KINDS)?,
    ];
    let types = objects.iter().filter_map(|object| object.btf.as_ref());
    Ok(types.map(|btf| btf.settled().to_bytes()).collect())
}

const ALL_KINDS: &str = "\
.btf
[1] INT 'int' size=4 encoding=SIGNED
[2] STRUCT 'node' size=24
        'a' type_id=1 bits_offset=0
        'next' type_id=3 bits_offset=64
        'both' type_id=12 bits_offset=128
[3] PTR '(anon)' type_id=2
[4] CONST '(anon)' type_id=2
[5] TYPEDEF 'node_t' type_id=4
[6] VAR 'first' type_id=5, linkage=static
[7] VAR 'number' type_id=1, linkage=global
[8] DATASEC '.data' size=32
        type_id=6 offset=0 size=24
        type_id=7 offset=24 size=4
[9] ARRAY '(anon)' type_id=2 index_type_id=1 nr_elems=4
[10] VOLATILE '(anon)' type_id=9
[11] RESTRICT '(anon)' type_id=3
[12] UNION 'both' size=8
        'a' type_id=1 bits_offset=0
        'p' type_id=11 bits_offset=0
[13] FUNC_PROTO '(anon)' ret_type_id=1
        'x' type_id=3
        'y' type_id=1
        '(anon)' type_id=0
[14] FUNC 'main' type_id=13 linkage=global
[15] DECL_TAG 'about' type_id=14 component_idx=1
[16] DECL_TAG 'whole' type_id=2 component_idx=-1
[17] CONST '(anon)' type_id=1
[18] TYPE_TAG 'tagged' type_id=17
[19] PTR '(anon)' type_id=18
[20] ENUM 'small' encoding=UNSIGNED size=4
        'A' val=0
        'B' val=1
[21] ENUM64 'large' encoding=UNSIGNED size=8
        'C' val=1099511627776ULL
[22] FWD 'elsewhere' fwd_kind=struct
[23] FLOAT 'double' size=8
[24] INT 'unsigned char' size=1 encoding=(none)
[25] STRUCT 'bits' size=16
        'a' type_id=1 bits_offset=0 bitfield_size=3
        'b' type_id=1 bits_offset=3 bitfield_size=5
        'c' type_id=20 bits_offset=8 bitfield_size=4
        'd' type_id=24 bits_offset=32
        'e' type_id=23 bits_offset=64
[26] STRUCT 'points' size=24
        'f' type_id=23 bits_offset=64
        'g' type_id=22 bits_offset=0
";

/// Types that lead to each other at random.
fn graph(chance: &mut Chance) -> Btf {
    let mut btf = Btf::new();
    let int = number(&mut btf);
    let last = 6 + chance.below(8) as u32;
    for at in 2..last {
        let any = |chance: &mut Chance| match chance.percent(60) {
            true => TypeId(1 + chance.below(last as usize) as u32),
            false => TypeId(at + 1),
        };
        let to = any(chance);
        let name = format!("t{at}");
        match chance.below(10) {
            0 | 1 => btf.add("", Kind::Ptr(to)),
            2 => btf.add(&name, Kind::Typedef(to)),
            3 => btf.add("", Kind::Const(to)),
            4 => btf.add("", Kind::Volatile(to)),
            5 => {
                let (element, index, len) = (to, int, 1);
                btf.add(
                    "",
                    Kind::Array {
                        element,
                        index,
                        len,
                    },
                )
            }
            6 => {
                let (ty, linkage) = (to, Linkage::Static);
                btf.add(&name, Kind::Var { ty, linkage })
            }
            7 => {
                let (ret, params) = (any(chance), vec![(StrId(0), to)]);
                btf.add("", Kind::FuncProto { ret, params })
            }
            _ => {
                let other = any(chance);
                record(&mut btf, &name, 16, &[(to, 0), (other, 8)])
            }
        };
    }
    number(&mut btf);
    btf
}

/// What is special in structures, and its bytes.
const SPECIAL: [(&str, u32); 10] = [
    ("bpf_spin_lock", 4),
    ("bpf_res_spin_lock", 4),
    ("bpf_timer", 16),
    ("bpf_wq", 16),
    ("bpf_task_work", 8),
    ("bpf_list_head", 16),
    ("bpf_rb_root", 16),
    ("bpf_list_node", 24),
    ("bpf_rb_node", 32),
    ("bpf_refcount", 4),
];

/// Structures with special fields, lists and trees of each other, and pointers with tags.
fn structures(chance: &mut Chance) -> Btf {
    let mut btf = Btf::new();
    let int = number(&mut btf);
    let mut parts: Vec<(TypeId, u32)> = SPECIAL
        .iter()
        .map(|(name, size)| (record(&mut btf, name, *size, &[(int, 0)]), *size))
        .collect();
    let roots = [parts[5].0, parts[6].0];
    let tags = ["kptr", "kptr_untrusted", "percpu_kptr", "uptr", "other"];
    for at in 0..3 + chance.below(3) {
        let (mut members, mut offset) = (Vec::new(), 0u32);
        for _ in 0..1 + chance.below(4) {
            let (ty, size) = match chance.below(8) {
                0 => (int, 4),
                1 => (pointer(&mut btf, chance.pick(&tags), chance), 8),
                _ => parts[chance.below(parts.len())],
            };
            let align = if size < 8 { 4 } else { 8 };
            offset = offset.next_multiple_of(align);
            members.push((ty, offset));
            offset += size;
        }
        let name = format!("s{at}");
        let size = offset.next_multiple_of(8);
        let id = record(&mut btf, &name, size, &members);
        for (component, (ty, _)) in (0i32..).zip(&members) {
            if roots.contains(ty) && chance.percent(90) {
                let of = format!("contains:s{}:m{}", chance.below(at + 2), chance.below(2));
                let tag = Tag::Btf;
                btf.add(
                    &of,
                    Kind::DeclTag {
                        ty: id,
                        component,
                        tag,
                    },
                );
            }
        }
        parts.push((id, size));
    }
    btf
}

fn pointer(btf: &mut Btf, tag: &str, chance: &mut Chance) -> TypeId {
    let ty = TypeId(1 + chance.below(btf.len()) as u32);
    let tagged = btf.add(tag, Kind::TypeTag { ty, tag: Tag::Btf });
    btf.add("", Kind::Ptr(tagged))
}

fn number(btf: &mut Btf) -> TypeId {
    let encoding = ebpf_asm::btf::IntEncoding::SIGNED;
    let (size, offset, bits) = (4, 0, 32);
    let int = Kind::Int {
        size,
        encoding,
        offset,
        bits,
    };
    btf.add("int", int)
}

/// A structure with members `m0`, `m1`... of these types at these bytes.
pub(super) fn record(btf: &mut Btf, name: &str, size: u32, members: &[(TypeId, u32)]) -> TypeId {
    let member = |(at, &(ty, offset)): (usize, &(TypeId, u32))| Member {
        name: btf.intern(&format!("m{at}")),
        ty,
        offset: offset * 8,
    };
    let members = members.iter().enumerate().map(member).collect();
    let bitfields = Bitfields::No;
    btf.add(
        name,
        Kind::Struct {
            size,
            members,
            bitfields,
        },
    )
}

/// Changes one to three words, now and then one of the header or a byte of a name.
fn mutate(bytes: &mut [u8], chance: &mut Chance) {
    let types = word(bytes, TYPE_LEN) as usize / 4;
    let names = word(bytes, STR_LEN) as usize;
    for _ in 0..1 + chance.below(3) {
        match chance.below(40) {
            0 => {
                let at = 4 * chance.below(HEADER / 4);
                let new = word(bytes, at).wrapping_add_signed(4 * chance.between(-2, 2));
                put(bytes, at, new);
            }
            1..=3 => {
                let at = HEADER + types * 4 + chance.below(names);
                bytes[at] = chance.pick(&[0, b'a', b'-', b'.', b'1', 0xc3, 0xa9, 0xd7, 0x1f]);
            }
            _ => {
                let at = HEADER + 4 * chance.below(types);
                let new = changed(bytes, at, (types, names), chance);
                put(bytes, at, new);
            }
        }
    }
}

/// What may stand in the place of a word.
fn changed(bytes: &[u8], at: usize, (types, names): (usize, usize), chance: &mut Chance) -> u32 {
    let old = word(bytes, at);
    match chance.below(9) {
        0 => chance.below(5) as u32,
        1 => old.wrapping_add(1),
        2 => old.wrapping_sub(1),
        3 => chance.below(types / 3 + 2) as u32,
        4 => old ^ 1 << chance.below(32),
        5 => word(bytes, HEADER + 4 * chance.below(types)),
        6 => chance.below(names + 1) as u32,
        7 => old & 0x80ff_ffff | (1 + chance.below(19) as u32) << 24,
        _ => chance.pick(&[7, 8, 12, 16, 24, 32, 64, 128]),
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    let word = bytes[at..].first_chunk().copied();
    word.map_or(0, u32::from_le_bytes)
}

fn put(bytes: &mut [u8], at: usize, word: u32) {
    bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
}
