//! Loads, stores and atomic operations in every kind of memory.

use super::super::Machine;
use super::{map, object, packet, run, run_with};
use ebpf_asm::insn::{Fields, Insn, Reg::*};
use ebpf_asm::isa::Size::*;
use ebpf_asm::isa::{AtomicOp, PacketMode, Sem};
use ebpf_asm::map_type::MapType;
use ebpf_asm::program::Reference;

#[test]
fn loads_extend_as_their_names_say() {
    for (size, signed, expected) in [
        (B, false, 0xfe),
        (H, false, 0xfefe),
        (W, false, 0xfefe_fefe),
        (B, true, -2i64 as u64),
        (H, true, 0xffff_ffff_ffff_fefe),
        (W, true, 0xffff_ffff_fefe_fefe),
    ] {
        let run = run(|a| {
            a.ldx(W, R6, R1, 0).ld_imm64(R2, 0xfefe_fefe_fefe_fefe);
            a.st(DW, R10, -8, R2);
            match signed {
                false => a.ldx(size, R3, R10, -8),
                true => a.ldxsx(size, R3, R10, -8),
            };
            a.st(DW, R6, 0, R3).mov(R0, 0).exit();
        });
        let bytes: [u8; 8] = run.unwrap().packet[..8].try_into().unwrap();
        assert_eq!(u64::from_le_bytes(bytes), expected, "{size:?} {signed}");
    }
}

/// RFC 9669 section 5.3, for both sizes.
#[test]
fn atomics_change_memory_and_fetch_what_was_there() {
    use AtomicOp::*;
    let (old, src) = (0xf0f0_u64, 0x0ff0_u64);
    for (op, new, fetched) in [
        (Add, old + src, None),
        (Or, old | src, None),
        (And, old & src, None),
        (Xor, old ^ src, None),
        (FetchAdd, old + src, Some(R2)),
        (FetchOr, old | src, Some(R2)),
        (FetchAnd, old & src, Some(R2)),
        (FetchXor, old ^ src, Some(R2)),
        (Xchg, src, Some(R2)),
        (Cmpxchg, src, Some(R0)),
    ] {
        for size in [W, DW] {
            let run = run(|a| {
                a.ldx(W, R6, R1, 0).mov(R2, src as i32).mov(R0, old as i32);
                a.st(DW, R10, -8, old as i32);
                a.atomic(op, size, R10, -8, R2);
                a.ldx(DW, R3, R10, -8).st(DW, R6, 0, R3);
                a.st(DW, R6, 8, fetched.unwrap_or(R2)).mov(R0, 0).exit();
            });
            let packet = run.unwrap().packet;
            let at = |n: usize| u64::from_le_bytes(packet[n..n + 8].try_into().unwrap());
            let left = if fetched.is_some() { old } else { src };
            assert_eq!((at(0), at(8)), (new, left), "{op:?} {size:?}");
        }
    }
}

#[test]
fn cmpxchg_leaves_memory_that_differs() {
    let run = run(|a| {
        a.st(DW, R10, -8, 5).mov(R0, 6).mov(R2, 7);
        a.atomic(AtomicOp::Cmpxchg, DW, R10, -8, R2);
        a.ldx(DW, R1, R10, -8).lsh(R1, 8).or(R0, R1).exit();
    });
    assert_eq!(run.unwrap().ret, 0x505);
}

#[test]
fn acquire_and_release_load_and_store() {
    let insn = |sem: Sem, fields| Insn::new(sem.row().unwrap(), fields);
    let run = run(|a| {
        let fields = Fields {
            dst: R10,
            src: R1,
            offset: -8,
            ..Fields::default()
        };
        a.mov(R1, 77)
            .insn(insn(Sem::StoreRelease { size: DW }, fields));
        let fields = Fields {
            dst: R0,
            src: R10,
            offset: -8,
            ..Fields::default()
        };
        a.insn(insn(Sem::LoadAcquire { size: DW }, fields)).exit();
    });
    assert_eq!(run.unwrap().ret, 77);
}

#[test]
fn the_packet_is_read_and_written() {
    let run = run(|a| {
        a.ldx(W, R6, R1, 0)
            .ldx(B, R0, R6, 63)
            .st(H, R6, 0, -1)
            .exit();
    });
    let run = run.unwrap();
    assert_eq!((run.ret, &run.packet[..3]), (63, &[0xff, 0xff, 2][..]));
}

#[test]
fn metadata_lies_before_the_packet() {
    let object = object("xdp", Vec::new(), |a| {
        a.ldx(W, R6, R1, 8).ldx(W, R0, R6, 0).st(W, R6, 0, 9).exit();
    });
    let packet = packet().metadata(&[1, 0, 0, 0]);
    let run = Machine::new(&object).unwrap().run("p", packet).unwrap();
    assert_eq!((run.ret, &run.metadata[..]), (1, &[9, 0, 0, 0][..]));
    assert_eq!(run.packet.len(), 64);
}

#[test]
fn a_maps_first_value_can_be_addressed_directly() {
    let direct = Reference::MapValue { map: 0, offset: 4 };
    let maps = vec![map(MapType::Array, 4, 8, 1)];
    let object = object("xdp", maps, |a| {
        a.ld_reference(R1, direct).ldx(W, R0, R1, 0).add(R0, 1);
        a.st(W, R1, 0, R0).exit();
    });
    let mut machine = Machine::new(&object).unwrap();
    for round in 1..4 {
        assert_eq!(machine.run("p", packet()).unwrap().ret, round);
    }
    let value = machine.map("m").unwrap().lookup(&[0; 4]);
    assert_eq!(value, Some(&[0, 0, 0, 0, 3, 0, 0, 0][..]));
}

#[test]
fn packet_loads_are_in_network_order_and_end_short_packets() {
    let run_on = |offset, size, mode: PacketMode| {
        let object = object("socket", Vec::new(), |a| {
            a.mov(R6, R1).mov(R7, 2);
            match mode {
                PacketMode::Abs => a.ld_abs(size, offset),
                PacketMode::Ind => a.ld_ind(size, R7, offset),
            };
            a.add(R0, 1).exit();
        });
        Machine::new(&object)
            .unwrap()
            .run("p", packet())
            .unwrap()
            .ret
    };
    assert_eq!(run_on(12, H, PacketMode::Abs), 0x0c0d + 1);
    assert_eq!(run_on(12, H, PacketMode::Ind), 0x0e0f + 1);
    assert_eq!(run_on(60, W, PacketMode::Abs), 0x3c3d_3e3f + 1);
    assert_eq!(run_on(61, W, PacketMode::Abs), 0);
    assert_eq!(run_on(62, B, PacketMode::Ind), 0);
}

#[test]
fn values_beside_each_other_in_a_map_do_not_touch() {
    let maps = vec![map(MapType::Array, 4, 8, 4)];
    let result = run_with(maps, |a| {
        let out = a.label();
        a.st(W, R10, -4, 1).ld_reference(R1, Reference::Map(0));
        a.mov(R2, R10).add(R2, -4).call(1).jeq(R0, 0, out);
        a.ldx(DW, R0, R0, 8).bind(out).exit();
    });
    assert!(result.is_err());
}
