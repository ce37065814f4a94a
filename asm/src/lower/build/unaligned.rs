//! Unaligned accesses of the stack, in aligned pieces.
//!
//! The verifier follows the stack in aligned slots and refuses any other access. Records have
//! no unaligned numbers, but arrays of bytes in them stand anywhere, and are read and written
//! several bytes at once.

use super::Builder;
use crate::isa::{AluOp, Size, Width};
use crate::lower::cfg::{Base, InstKind, Src, VReg};
use ebpf_dsl::recording::LocId;

/// One aligned access of several.
struct Piece {
    size: Size,
    offset: i16,
    /// Its lowest bit in the number that all pieces make.
    shift: u32,
}

/// The pieces of an access; one, if it is aligned.
fn pieces(size: Size, offset: i16) -> Vec<Piece> {
    let bytes = size.bytes();
    let aligned = |piece: &Size| i32::from(offset) % piece.bytes() as i32 == 0;
    let sizes = [size, Size::W, Size::H, Size::B].into_iter();
    let mut sizes = sizes.filter(|piece| piece.bytes() <= bytes);
    let piece = sizes.find(aligned).unwrap_or(Size::B);
    let starts = (0..bytes).step_by(piece.bytes() as usize);
    let at = |start: u32| Piece {
        size: piece,
        offset: offset.saturating_add(start as i16),
        shift: 8 * start,
    };
    starts.map(at).collect()
}

impl Builder<'_> {
    /// Reads memory into a new register.
    pub(super) fn load(&mut self, size: Size, base: Base, offset: i16, loc: LocId) -> VReg {
        if base != Base::Frame {
            return self.load_piece(size, base, offset, loc);
        }
        let mut number: Option<VReg> = None;
        for piece in pieces(size, offset) {
            let mut part = self.load_piece(piece.size, base, piece.offset, loc);
            if let Some(low) = number {
                let shift = Src::Imm(i64::from(piece.shift));
                part = self.alu(AluOp::Lsh, Width::W64, part, shift, loc);
                part = self.alu(AluOp::Or, Width::W64, part, Src::Reg(low), loc);
            }
            number = Some(part);
        }
        // There is one piece at least.
        number.unwrap_or(self.cfg.context)
    }

    fn load_piece(&mut self, size: Size, base: Base, offset: i16, loc: LocId) -> VReg {
        let dst = self.cfg.reg();
        let load = InstKind::Load {
            size,
            dst,
            base,
            offset,
        };
        self.push(load, loc);
        dst
    }

    /// Writes memory.
    pub(super) fn store(&mut self, size: Size, base: Base, offset: i16, src: Src, loc: LocId) {
        if base != Base::Frame {
            return self.store_piece(size, base, offset, src, loc);
        }
        for piece in pieces(size, offset) {
            let part = match src {
                _ if piece.shift == 0 => src,
                Src::Imm(number) => Src::Imm((number as u64 >> piece.shift) as i64),
                Src::Reg(reg) => {
                    let shift = Src::Imm(i64::from(piece.shift));
                    Src::Reg(self.alu(AluOp::Rsh, Width::W64, reg, shift, loc))
                }
            };
            self.store_piece(piece.size, base, piece.offset, part, loc);
        }
    }

    fn store_piece(&mut self, size: Size, base: Base, offset: i16, src: Src, loc: LocId) {
        let store = InstKind::Store {
            size,
            base,
            offset,
            src,
        };
        self.push(store, loc);
    }
}
