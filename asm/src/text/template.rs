//! A row's spelling taken apart: what stands there, and what a field fills in.

/// One piece of a spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Text that stands as it is.
    Text(&'static str),
    /// A field.
    Hole(Hole),
}

/// What a placeholder stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hole {
    /// `dst_reg`, 64 bits.
    Dst,
    /// `dst_reg`, low 32 bits.
    Dst32,
    /// `src_reg`, 64 bits.
    Src,
    /// `src_reg`, low 32 bits.
    Src32,
    /// `imm`.
    Imm,
    /// The 32 bits of `imm`, however signed.
    ImmBits,
    /// `next_imm`.
    NextImm,
    /// The 64-bit immediate.
    Imm64,
    /// `offset` as a plain number.
    OffsetNumber,
    /// `offset` behind a register: sign, space, number.
    Offset,
    /// `imm` behind a register: sign, space, number.
    PlusImm,
    /// The register that `imm` numbers.
    RegImm,
    /// A distance in `offset`.
    Jump,
    /// A distance in `imm`.
    JumpImm,
    /// A helper.
    Helper,
    /// A helper's name and its id, as the kernel prints them.
    HelperId,
    /// One of the program's own functions.
    Function,
    /// Something of the object by its name.
    Symbol,
    /// A name or number that says nothing more.
    Remark,
}

const HOLES: [(&str, Hole); 19] = [
    ("d", Hole::Dst),
    ("wd", Hole::Dst32),
    ("s", Hole::Src),
    ("ws", Hole::Src32),
    ("i", Hole::Imm),
    ("x", Hole::ImmBits),
    ("ni", Hole::NextImm),
    ("i64", Hole::Imm64),
    ("n", Hole::OffsetNumber),
    ("o", Hole::Offset),
    ("pi", Hole::PlusImm),
    ("ri", Hole::RegImm),
    ("j", Hole::Jump),
    ("ji", Hole::JumpImm),
    ("h", Hole::Helper),
    ("h#", Hole::HelperId),
    ("f", Hole::Function),
    ("symbol", Hole::Symbol),
    ("remark", Hole::Remark),
];

/// The pieces of a spelling, in order.
pub(crate) fn pieces(mut text: &'static str) -> impl Iterator<Item = Piece> {
    std::iter::from_fn(move || {
        if text.is_empty() {
            return None;
        }
        let hole = text.strip_prefix('{').and_then(|rest| rest.split_once('}'));
        if let Some((name, rest)) = hole {
            text = rest;
            let (_, hole) = HOLES.iter().find(|(known, _)| *known == name)?;
            return Some(Piece::Hole(*hole));
        }
        let end = text.find('{').unwrap_or(text.len());
        let (plain, rest) = text.split_at(end);
        text = rest;
        Some(Piece::Text(plain))
    })
}

#[cfg(test)]
mod tests {
    use super::super::synonyms::SYNONYMS;
    use super::*;
    use crate::isa::ISA;

    #[test]
    fn every_placeholder_of_every_spelling_is_known() {
        let own = ISA.iter().map(|row| row.text);
        for text in own.chain(SYNONYMS.iter().map(|synonym| synonym.text)) {
            let holes = pieces(text).filter(|piece| matches!(piece, Piece::Hole(_)));
            assert_eq!(holes.count(), text.matches('{').count(), "{text}");
        }
    }
}
