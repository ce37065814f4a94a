//! What to say where bytes of a stack are not there or were never written: how many there are, how
//! many are wanted, by what, and how to have them.
//!
//! How large a variable is, nobody knows but the compiler: what is known is where the frame ends,
//! and what of it was written.
//!
//! Read before: `stack_access.rs`. Read next: `structure.rs`.

use crate::codes::Code;
use crate::diag::Rejection;
use crate::step::machine::Machine;
use crate::value::bytes::Byte;
use crate::value::reg::Kind;
use crate::value::stack::STACK_SIZE;
use ebpf_asm::btf::{Bitfields, Btf, Kind as Type, TypeId};
use ebpf_asm::helper::Arg;
use ebpf_asm::insn::Reg;
use ebpf_asm::object::Map;

/// Bytes of a frame, of which some are missing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// The register that points to them, if the kernel names it: but for loads from known places.
    pub(super) named: Option<Reg>,
    /// The frame.
    pub(super) depth: u8,
    /// Where they begin.
    pub(super) off: i64,
    /// How many they are.
    pub(super) size: i64,
}

/// Keys or values of a map, which a call takes from the stack.
struct Element<'a> {
    map: &'a Map,
    what: &'static str,
    size: u32,
    ty: Option<TypeId>,
}

impl Element<'_> {
    /// `the values of map 'm' have 24 bytes`.
    fn in_words(&self) -> String {
        let name = &self.map.name;
        format!("the {} of map '{name}' have {} bytes", self.what, self.size)
    }
}

/// Where more bytes stand than the stack has.
const LARGER: &str = "what is larger stands in a map's value, as of an array for each CPU";

impl Machine<'_, '_> {
    /// What a call takes through this register, if that is a key or a value of a map.
    fn element(&self, reg: Reg) -> Option<Element<'_>> {
        let helper = self.env.cfg.helper(self.slot)?;
        let args = helper.proto(self.env.program.prog_type).args;
        let arg = args.get(usize::from(reg.number()).checked_sub(1)?)?;
        let Kind::Map(index) = self.state.reg(Reg::R1).kind else {
            return None;
        };
        let map = self.env.map(index)?;
        match arg {
            Arg::MapKey => Some(Element {
                map,
                what: "keys",
                size: map.key_size,
                ty: map.key_type,
            }),
            Arg::MapValue | Arg::MapValueOrNull | Arg::UninitMapValue => Some(Element {
                map,
                what: "values",
                size: map.value_size,
                ty: map.value_type,
            }),
            _ => None,
        }
    }

    /// What is wrong with a call that uses more bytes than there are up to the end of the frame at
    /// `depth`, and what to do about it.
    pub(super) fn buffer_too_small(
        &self,
        reg: Reg,
        depth: u8,
        off: i64,
        size: i64,
    ) -> (String, String) {
        let room = -off;
        let is_own = depth == self.state.depth();
        let label = match is_own {
            true => format!(
                "{size} bytes from R10 - {room} on, where the frame ends after {room}: the variable \
                 is too small"
            ),
            false => format!(
                "bytes {off}..{} of the caller's frame, which ends at 0: the variable is too small",
                off + size
            ),
        };
        let help = match self.element(reg) {
            Some(element) if size > STACK_SIZE => {
                format!(
                    "{}, and the stack {STACK_SIZE}: {LARGER}",
                    element.in_words()
                )
            }
            Some(element) => format!(
                "{}: hand over a variable that has as many, of the type that the map is declared \
                 with",
                element.in_words()
            ),
            None if size > STACK_SIZE => format!(
                "let the size be {room} at most: the stack has {STACK_SIZE} bytes; {LARGER}"
            ),
            None => {
                let place = match is_own {
                    true => format!(" (at R10 - {size} or before)"),
                    false => String::new(),
                };
                format!("let the variable be {size} bytes large{place}, or the size {room} at most")
            }
        };
        (label, help)
    }

    /// Why bytes that are read are not all there: the one at `byte` of the frame is not, which is so
    /// far `within` the bytes.
    #[cold]
    pub(super) fn uninitialised(&self, wanted: Wanted, byte: i64, within: i64) -> Box<Rejection> {
        let Wanted {
            named,
            depth,
            off,
            size,
        } = wanted;
        let register = named.map_or(String::new(), |reg| format!("R{} ", reg.number()));
        let message = format!("invalid read from stack {register}off {off}+{within} size {size}");
        let frame = self.state.frame_of(usize::from(depth));
        let found = frame.map_or(Byte::Invalid, |frame| frame.stack.byte(byte));
        let by_call = named.filter(|_| self.is_call());
        let (label, help) = match (object_of(found), by_call) {
            (Some(object), Some(_)) if within > 0 => (
                format!(
                    "of {size} bytes byte {within} belongs to {object}: the variable is too small"
                ),
                format!("let the variable be {size} bytes large, or the size {within} at most"),
            ),
            (Some(object), _) => (
                format!("byte {byte} of the frame belongs to {object}"),
                format!("leave the bytes of {object} to the calls for them: read other variables"),
            ),
            (None, Some(_)) if found == Byte::Spill => (
                format!(
                    "byte {byte} of the frame is one of a pointer, which the loader may not see"
                ),
                "hand over no pointers, or load the program with CAP_PERFMON".to_owned(),
            ),
            (None, Some(reg)) => self.never_written(reg, size, within),
            (None, None) => (
                format!("byte {byte} of the frame was never written"),
                "write all bytes first".to_owned(),
            ),
        };
        Rejection::new(Code::StackUninit, message)
            .label(label)
            .help(help)
    }

    /// What is wrong with a call that reads bytes of which one was never written, and what to do
    /// about it.
    fn never_written(&self, reg: Reg, size: i64, within: i64) -> (String, String) {
        let element = self.element(reg);
        let types = self.env.object.btf.as_ref();
        let padding = element.as_ref().and_then(|element| {
            let within = u32::try_from(within).ok()?;
            padding_at(types?, element.ty?, within)
        });
        let padding = padding.map_or_else(String::new, |padding| format!(": it is {padding}"));
        let label = match within {
            0 => format!("of {size} bytes the first was never written{padding}"),
            _ => format!("of {size} bytes byte {within} was never written{padding}"),
        };
        let all = "in C set all members and what is between them: __builtin_memset(&x, 0, sizeof(x)) \
                   before the members are set";
        let help = match (element, within) {
            (Some(element), _) => format!(
                "{}, and all are read: let the variable have as many; {all}",
                element.in_words()
            ),
            (None, 4..) if within % 4 == 0 => format!(
                "write all {size} bytes first ({all}); or let the size be {within}, if the variable \
                 has no more"
            ),
            (None, _) => format!("write all {size} bytes first: {all}"),
        };
        (label, help)
    }
}

/// The object of the kernel that a byte belongs to, in words.
fn object_of(byte: Byte) -> Option<&'static str> {
    match byte {
        Byte::Dynptr => Some("a dynptr"),
        Byte::Iterator => Some("an iterator"),
        Byte::IrqFlag => Some("the flags of bpf_local_irq_save"),
        Byte::Invalid | Byte::Misc | Byte::Zero | Byte::Spill => None,
    }
}

/// What a byte of a type is padding between, in words; `None` if it is part of a member.
fn padding_at(btf: &Btf, ty: TypeId, byte: u32) -> Option<String> {
    let Type::Struct {
        members, bitfields, ..
    } = &btf.get(btf.resolve(ty))?.kind
    else {
        return None;
    };
    // Bit fields share bytes.
    if *bitfields == Bitfields::Yes {
        return None;
    }
    let last = members.iter().rfind(|member| member.offset / 8 <= byte)?;
    let begin = last.offset / 8;
    if byte < begin.saturating_add(btf.size_of(last.ty)?) {
        return padding_at(btf, last.ty, byte - begin);
    }
    let next = members.iter().find(|member| member.offset / 8 > byte);
    let last = btf.str(last.name);
    Some(match next {
        Some(next) => format!("padding between '{last}' and '{}'", btf.str(next.name)),
        None => format!("padding behind '{last}'"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ebpf_asm::btf::{IntEncoding, Member};

    /// A type of so many bytes.
    fn int(btf: &mut Btf, size: u32) -> TypeId {
        let kind = Type::Int {
            size,
            encoding: IntEncoding::SIGNED,
            offset: 0,
            bits: size as u8 * 8,
        };
        btf.add("int", kind)
    }

    /// A struct of members, each with its first byte.
    fn record(btf: &mut Btf, size: u32, members: &[(&str, u32, TypeId)]) -> TypeId {
        let members = members.iter().map(|&(name, byte, ty)| Member {
            name: btf.intern(name),
            ty,
            offset: byte * 8,
        });
        let members = members.collect();
        let bitfields = Bitfields::No;
        btf.add(
            "record",
            Type::Struct {
                size,
                members,
                bitfields,
            },
        )
    }

    #[test]
    fn padding_stands_between_members_and_behind_the_last() {
        let mut btf = Btf::new();
        let (word, byte) = (int(&mut btf, 4), int(&mut btf, 1));
        let inner = record(&mut btf, 8, &[("kind", 0, byte), ("pid", 4, word)]);
        let outer = record(&mut btf, 12, &[("first", 0, inner), ("last", 8, byte)]);
        let at = |byte| padding_at(&btf, outer, byte);
        assert_eq!([at(0), at(4), at(8)], [None, None, None]);
        assert_eq!(at(1).as_deref(), Some("padding between 'kind' and 'pid'"));
        assert_eq!(at(9).as_deref(), Some("padding behind 'last'"));
        assert_eq!(padding_at(&btf, word, 1), None);
    }
}
