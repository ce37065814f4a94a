//! Helper functions, as programs call them.

use super::super::{Errno, Machine, Packet, Redirect, UpdateMode};
use super::{map, object, packet, run, run_with};
use ebpf_asm::assembler::Assembler;
use ebpf_asm::insn::Reg::*;
use ebpf_asm::isa::Size::*;
use ebpf_asm::map_type::MapType;
use ebpf_asm::program::Reference;

/// Counts, in map 0 by the packet's first byte.
fn count(a: &mut Assembler) {
    let out = a.label();
    a.ldx(W, R6, R1, 0).ldx(B, R2, R6, 0).st(W, R10, -4, R2);
    a.ld_reference(R1, Reference::Map(0));
    a.mov(R2, R10).add(R2, -4).call(1).jeq(R0, 0, out);
    a.ldx(DW, R1, R0, 0).add(R1, 1).st(DW, R0, 0, R1);
    a.bind(out).mov(R0, 2).exit();
}

#[test]
fn a_program_counts_on_its_own_cpu() {
    let maps = vec![map(MapType::PercpuArray, 4, 8, 256)];
    let mut machine = Machine::with_cpus(&object("xdp", maps, count), 3).unwrap();
    for (cpu, packets) in [(0, 1), (2, 5)] {
        machine.set_cpu(cpu);
        for _ in 0..packets {
            machine.run("p", Packet::new(&[9; 20])).unwrap();
        }
    }
    let view = machine.map("m").unwrap();
    let key = 9u32.to_ne_bytes();
    assert_eq!(view.lookup(&key), Some(&5u64.to_ne_bytes()[..]));
    assert_eq!(view.on_cpu(1).lookup(&key), Some(&[0; 8][..]));
    assert_eq!(view.lookup_all(&key).len(), 3);
    assert_eq!(view.sums(&key), Some(vec![6]));
    assert_eq!(view.sums(&256u32.to_ne_bytes()), None);
}

/// The result of `map_update_elem` with these flags on an empty map, then a full one.
fn update_twice(map_type: MapType, flags: i32) -> (i32, i32) {
    let result = run_with(vec![map(map_type, 4, 8, 1)], |a| {
        a.ldx(W, R8, R1, 0).st(W, R10, -4, 0).st(DW, R10, -16, 1);
        for place in [0, 4] {
            a.ld_reference(R1, Reference::Map(0))
                .mov(R2, R10)
                .add(R2, -4);
            a.mov(R3, R10).add(R3, -16).mov(R4, flags).call(2);
            a.st(W, R8, place, R0);
        }
        a.mov(R0, 0).exit();
    });
    let packet = result.unwrap().packet;
    let at = |n: usize| i32::from_le_bytes(packet[n..n + 4].try_into().unwrap());
    (at(0), at(4))
}

#[test]
fn updates_return_the_kernels_errors() {
    let no = |errno: Errno| -errno.number();
    assert_eq!(update_twice(MapType::Hash, 0), (0, 0));
    assert_eq!(update_twice(MapType::Hash, 1), (0, no(Errno::Exists)));
    let missing = no(Errno::NoEntry);
    assert_eq!(update_twice(MapType::Hash, 2), (missing, missing));
    let invalid = no(Errno::Invalid);
    assert_eq!(update_twice(MapType::Hash, 3), (invalid, invalid));
    let exists = no(Errno::Exists);
    assert_eq!(update_twice(MapType::Array, 1), (exists, exists));
    assert_eq!(update_twice(MapType::Array, 2), (0, 0));
}

#[test]
fn deleting_from_an_array_is_invalid() {
    let run = run_with(vec![map(MapType::Array, 4, 8, 1)], |a| {
        a.st(W, R10, -4, 0).ld_reference(R1, Reference::Map(0));
        a.mov(R2, R10).add(R2, -4).call(3).exit();
    });
    assert_eq!(run.unwrap().ret as i32, -Errno::Invalid.number());
}

#[test]
fn tests_and_programs_share_the_maps() {
    let maps = vec![map(MapType::Hash, 4, 8, 4)];
    let mut machine = Machine::new(&object("xdp", maps, count)).unwrap();
    let key = 9u32.to_ne_bytes();
    let set = machine
        .map_mut("m")
        .unwrap()
        .update(&key, &41u64.to_ne_bytes(), UpdateMode::NoExist);
    assert_eq!(set, Ok(()));
    machine.run("p", Packet::new(&[9; 20])).unwrap();
    let view = machine.map("m").unwrap();
    assert_eq!(view.lookup(&key), Some(&42u64.to_ne_bytes()[..]));
    assert_eq!(view.keys(), [key]);
    let mut view = machine.map_mut("m").unwrap();
    assert_eq!(
        view.update(&[0], &[0], UpdateMode::Any),
        Err(Errno::Invalid)
    );
    assert_eq!(view.delete(&key), Ok(()));
    assert_eq!(view.delete(&key), Err(Errno::NoEntry));
}

#[test]
fn the_clock_the_seed_and_the_cpu_are_the_tests() {
    let object = object("xdp", Vec::new(), |a| {
        a.call(5).mov(R6, R0).call(8).lsh(R0, 16).add(R6, R0);
        a.mov(R0, R6).exit();
    });
    let mut machine = Machine::new(&object).unwrap();
    machine.set_clock_ns(1234);
    machine.set_cpu(1);
    assert_eq!(machine.run("p", packet()).unwrap().ret, 1234 + (1 << 16));
    let random = super::object("xdp", Vec::new(), |a| {
        a.call(7).exit();
    });
    let mut machine = Machine::new(&random).unwrap();
    let draw = |machine: &mut Machine| machine.run("p", packet()).unwrap().ret;
    machine.set_seed(1);
    let first = (draw(&mut machine), draw(&mut machine));
    machine.set_seed(1);
    assert_eq!((draw(&mut machine), draw(&mut machine)), first);
    assert_ne!(first.0, first.1);
}

#[test]
fn the_head_moves_and_the_packet_with_it() {
    let run = run(|a| {
        let out = a.label();
        a.mov(R6, R1).mov(R2, -4).call(44).jne(R0, 0, out);
        a.ldx(W, R1, R6, 0).st(W, R1, 0, -1);
        a.bind(out).exit();
    });
    let run = run.unwrap();
    assert_eq!((run.ret, run.packet.len()), (0, 68));
    assert_eq!(run.packet[..6], [0xff, 0xff, 0xff, 0xff, 0, 1]);
}

#[test]
fn ring_buffer_records_reach_the_reader() {
    let maps = vec![map(MapType::Ringbuf, 0, 0, 4096)];
    let object = object("xdp", maps, |a| {
        let out = a.label();
        a.ld_reference(R1, Reference::Map(0))
            .mov(R2, 4)
            .mov(R3, 0)
            .call(131);
        a.jeq(R0, 0, out)
            .st(W, R0, 0, 7)
            .mov(R1, R0)
            .mov(R2, 0)
            .call(132);
        a.st(DW, R10, -8, 9).ld_reference(R1, Reference::Map(0));
        a.mov(R2, R10).add(R2, -8).mov(R3, 8).mov(R4, 0).call(130);
        a.bind(out).mov(R0, 0).exit();
    });
    let mut machine = Machine::new(&object).unwrap();
    machine.run("p", packet()).unwrap();
    let records = machine.map_mut("m").unwrap().records();
    assert_eq!(
        records,
        [7u32.to_ne_bytes().to_vec(), 9u64.to_ne_bytes().to_vec()]
    );
    assert!(machine.map_mut("m").unwrap().records().is_empty());
}

/// Writes a string and its zero to the stack, from fp-64 on, and points R1 at it.
fn put_string(a: &mut Assembler, text: &str) {
    let bytes: Vec<u8> = text.bytes().chain([0; 8]).collect();
    for (index, chunk) in bytes.as_chunks::<8>().0.iter().enumerate() {
        a.ld_imm64(R1, u64::from_le_bytes(*chunk));
        a.st(DW, R10, -64 + 8 * index as i16, R1);
    }
    a.mov(R1, R10).add(R1, -64).mov(R2, text.len() as i32 + 1);
}

#[test]
fn printed_lines_are_collected() {
    let print = |text: &str| {
        run(|a| {
            put_string(a, text);
            a.mov(R3, -1).mov(R4, 255).mov(R5, 7).call(6).exit();
        })
        .unwrap()
    };
    let run = print("%d %x|%03u%%");
    assert_eq!(run.trace, ["-1 ff|007%"]);
    assert_eq!(run.ret, 10);
    assert_eq!(print("%u").trace, ["4294967295"]);
    assert_eq!(print("%llx").trace, ["ffffffffffffffff"]);
    for wrong in ["%q", "%d%d%d%d", "%"] {
        let run = print(wrong);
        assert_eq!(run.ret as i32, -Errno::Invalid.number(), "{wrong}");
        assert!(run.trace.is_empty());
    }
}

#[test]
fn a_checksum_can_be_updated_by_the_difference() {
    let run = run(|a| {
        a.st(W, R10, -4, 0x0102).st(W, R10, -8, 0x0304);
        a.mov(R1, R10)
            .add(R1, -4)
            .mov(R2, 4)
            .mov(R3, R10)
            .add(R3, -8);
        a.mov(R4, 4).mov(R5, 0).call(28).exit();
    });
    assert_eq!(run.unwrap().ret, 0x0304 - 0x0102);
}

#[test]
fn redirects_say_where_to() {
    let run = run(|a| {
        a.mov(R1, 3).mov(R2, 0).call(23).exit();
    });
    let run = run.unwrap();
    let to = Redirect::Interface {
        ifindex: 3,
        flags: 0,
    };
    assert_eq!((run.ret, run.redirect), (4, Some(to)));

    let maps = vec![map(MapType::Devmap, 4, 4, 4)];
    let object = object("xdp", maps, |a| {
        a.ld_reference(R1, Reference::Map(0))
            .mov(R2, 2)
            .mov(R3, 1)
            .call(51)
            .exit();
    });
    let mut machine = Machine::new(&object).unwrap();
    let run = machine.run("p", packet()).unwrap();
    assert_eq!(
        (run.ret, run.redirect),
        (1, None),
        "no entry: the flags' action"
    );
    let key = 2u32.to_ne_bytes();
    let mut targets = machine.map_mut("m").unwrap();
    targets
        .update(&key, &[5, 0, 0, 0], UpdateMode::Any)
        .unwrap();
    let run = machine.run("p", packet()).unwrap();
    let to = Redirect::Target {
        map: "m".into(),
        key: 2,
        value: vec![5, 0, 0, 0],
    };
    assert_eq!((run.ret, run.redirect), (4, Some(to)));
}

#[test]
fn bytes_are_copied_from_and_to_packets() {
    for (section, load) in [("xdp", 189), ("tc", 26), ("socket", 26)] {
        let load_at = |offset| {
            let object = object(section, Vec::new(), |a| {
                a.st(W, R10, -4, -1)
                    .mov(R2, offset)
                    .mov(R3, R10)
                    .add(R3, -4);
                a.mov(R4, 4).call(load).ldx(W, R0, R10, -4).exit();
            });
            Machine::new(&object)
                .unwrap()
                .run("p", packet())
                .unwrap()
                .ret
        };
        assert_eq!(load_at(4), 0x0706_0504, "{section}");
        let kept = if section == "xdp" { u32::MAX } else { 0 };
        assert_eq!(load_at(61), kept, "{section}");
    }
    for (section, store) in [("xdp", 190), ("tc", 9)] {
        let object = object(section, Vec::new(), |a| {
            a.st(W, R10, -4, -1).mov(R2, 60).mov(R3, R10).add(R3, -4);
            a.mov(R4, 4).mov(R5, 0).call(store).exit();
        });
        let run = Machine::new(&object).unwrap().run("p", packet()).unwrap();
        assert_eq!(
            (run.ret, &run.packet[60..]),
            (0, &[0xff; 4][..]),
            "{section}"
        );
    }
}
