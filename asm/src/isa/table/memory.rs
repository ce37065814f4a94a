//! Loads and stores: RFC 9669 section 5 but for 5.3.

use super::*;

/// A plain load, section 5.1.
const fn load(size: Size, text: &'static str) -> Row {
    row(LDX | MEM | size_bits(size), "LDX", text, Sem::Load { size })
        .dst()
        .src(Field::Reg)
        .offset(Any)
        .rfc("5.1", base_of(size))
}

/// A sign-extending load, section 5.2.
const fn load_sx(size: Size, text: &'static str) -> Row {
    row(
        LDX | MEMSX | size_bits(size),
        "LDXSX",
        text,
        Sem::LoadSx { size },
    )
    .dst()
    .src(Field::Reg)
    .offset(Any)
    .rfc("5.2", Group::Base64)
    .cpu(Cpu::V4, (6, 6))
}

/// A store of a number (ST) or of a register (STX), section 5.1.
const fn store(size: Size, operand: Operand, text: &'static str) -> Row {
    let (class, name) = match operand {
        Operand::Imm => (ST, "ST"),
        Operand::Reg => (STX, "STX"),
    };
    let sem = Sem::Store { size, operand };
    row(class | MEM | size_bits(size), name, text, sem)
        .dst()
        .operand(operand)
        .offset(Any)
        .rfc("5.1", base_of(size))
}

pub(super) const MEMORY_ROWS: [Row; 15] = [
    load(Size::B, "{d} = *(u8 *)({s} {o})"),
    load(Size::H, "{d} = *(u16 *)({s} {o})"),
    load(Size::W, "{d} = *(u32 *)({s} {o})"),
    load(Size::DW, "{d} = *(u64 *)({s} {o})"),
    load_sx(Size::B, "{d} = *(s8 *)({s} {o})"),
    load_sx(Size::H, "{d} = *(s16 *)({s} {o})"),
    load_sx(Size::W, "{d} = *(s32 *)({s} {o})"),
    store(Size::B, Operand::Imm, "*(u8 *)({d} {o}) = {i}"),
    store(Size::H, Operand::Imm, "*(u16 *)({d} {o}) = {i}"),
    store(Size::W, Operand::Imm, "*(u32 *)({d} {o}) = {i}"),
    store(Size::DW, Operand::Imm, "*(u64 *)({d} {o}) = {i}"),
    store(Size::B, Operand::Reg, "*(u8 *)({d} {o}) = {s}"),
    store(Size::H, Operand::Reg, "*(u16 *)({d} {o}) = {s}"),
    store(Size::W, Operand::Reg, "*(u32 *)({d} {o}) = {s}"),
    store(Size::DW, Operand::Reg, "*(u64 *)({d} {o}) = {s}"),
];

/// A form of the 16-byte instruction, section 5.4; `src_reg` selects it.
const fn load_imm64(src: i32, kind: Imm64, text: &'static str, since: KernelVersion) -> Row {
    let base = row(
        LD | IMM | size_bits(Size::DW),
        "LD_IMM64",
        text,
        Sem::LoadImm64(kind),
    )
    .dst()
    .rfc("5.4", Group::Base64)
    .cpu(Cpu::V1, since);
    let base = match src {
        0 => base,
        _ => base.src(Is(src)),
    };
    match kind {
        Imm64::Value | Imm64::MapValueFd | Imm64::MapValueIdx | Imm64::Variable => {
            base.imm(Any).next_imm(Any)
        }
        Imm64::MapFd | Imm64::MapIdx => base.imm(Any).next_imm(Zero),
        Imm64::Code => base.imm(Jump).next_imm(Zero),
    }
}

pub(super) const WIDE_ROWS: [Row; 7] = [
    load_imm64(0, Imm64::Value, "{d} = {i64} ll", FIRST),
    load_imm64(1, Imm64::MapFd, "{d} = map_by_fd({i})", FIRST),
    load_imm64(
        2,
        Imm64::MapValueFd,
        "{d} = map_val(map_by_fd({i})) + {ni}",
        (5, 2),
    ),
    load_imm64(3, Imm64::Variable, "{d} = var_addr({i}, {ni})", (5, 10)),
    load_imm64(4, Imm64::Code, "{d} = code_addr({ji})", (5, 13)),
    load_imm64(5, Imm64::MapIdx, "{d} = map_by_idx({i})", (5, 14)),
    load_imm64(
        6,
        Imm64::MapValueIdx,
        "{d} = map_val(map_by_idx({i})) + {ni}",
        (5, 14),
    ),
];

/// A legacy load from the packet, section 5.5.
const fn load_packet(mode: PacketMode, size: Size, text: &'static str) -> Row {
    let (bits, name) = match mode {
        PacketMode::Abs => (ABS, "LD_ABS"),
        PacketMode::Ind => (IND, "LD_IND"),
    };
    let base = row(
        LD | bits | size_bits(size),
        name,
        text,
        Sem::LoadPacket { mode, size },
    )
    .imm(Any)
    .rfc("5.5", Group::Packet);
    match mode {
        PacketMode::Abs => base,
        PacketMode::Ind => base.src(Field::Reg),
    }
}

pub(super) const PACKET_ROWS: [Row; 6] = [
    load_packet(PacketMode::Abs, Size::B, "r0 = *(u8 *)skb[{i}]"),
    load_packet(PacketMode::Abs, Size::H, "r0 = *(u16 *)skb[{i}]"),
    load_packet(PacketMode::Abs, Size::W, "r0 = *(u32 *)skb[{i}]"),
    load_packet(PacketMode::Ind, Size::B, "r0 = *(u8 *)skb[{s} {pi}]"),
    load_packet(PacketMode::Ind, Size::H, "r0 = *(u16 *)skb[{s} {pi}]"),
    load_packet(PacketMode::Ind, Size::W, "r0 = *(u32 *)skb[{s} {pi}]"),
];
