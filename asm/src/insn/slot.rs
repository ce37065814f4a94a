//! A slot: eight bytes taken apart into their fields, RFC 9669 section 3.

/// One slot of 8 bytes, its fields taken apart and not yet understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Slot {
    /// Byte 0.
    pub opcode: u8,
    /// The low 4 bits of byte 1.
    pub dst: u8,
    /// The high 4 bits of byte 1.
    pub src: u8,
    /// Bytes 2 and 3.
    pub offset: i16,
    /// Bytes 4 to 7.
    pub imm: i32,
}

impl Slot {
    /// The slot of these bytes, little-endian.
    pub fn from_bytes(bytes: [u8; 8]) -> Slot {
        let [opcode, regs, o0, o1, i0, i1, i2, i3] = bytes;
        Slot {
            opcode,
            dst: regs & 0x0f,
            src: regs >> 4,
            offset: i16::from_le_bytes([o0, o1]),
            imm: i32::from_le_bytes([i0, i1, i2, i3]),
        }
    }

    /// The slot's bytes, little-endian. The upper 4 bits of `dst` and `src` are dropped.
    pub fn to_bytes(self) -> [u8; 8] {
        let [o0, o1] = self.offset.to_le_bytes();
        let [i0, i1, i2, i3] = self.imm.to_le_bytes();
        let regs = self.dst & 0x0f | self.src << 4;
        [self.opcode, regs, o0, o1, i0, i1, i2, i3]
    }
}
