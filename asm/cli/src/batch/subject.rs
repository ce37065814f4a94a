//! From a row to an object with one program, as the verifier takes it.
//!
//! Read before: `place.rs`. Read next: `maps.rs`.

use std::fmt;

use ebpf_asm::btf::{Btf, Kind, Linkage, TypeId, check_layout};
use ebpf_asm::insn::{DecodeError, Fields, Insn, Slot};
use ebpf_asm::isa::{self, Callee, Cond, Field, KernelVersion, Operand, Sem, Width, rows_of};
use ebpf_asm::lines::Lines;
use ebpf_asm::load_flags::{BPF_F_SLEEPABLE, BPF_F_XDP_HAS_FRAGS};
use ebpf_asm::object::Object;
use ebpf_asm::prog_type::ProgType;
use ebpf_asm::program::{Function, Program, Reference};
use ebpf_asm::section::{SECTIONS, Section};
use ebpf_verifier_sim::Code;

use super::place::place;
use super::row::{Row, SLOT, slot_at};
use super::{flags, maps, unloadable, wide};

/// Why a row goes no further than this.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unusable {
    /// The kernel refuses it before it follows any instruction.
    Refused { code: Code, message: String },
    /// It cannot be judged here.
    Unsupported(String),
}

impl Unusable {
    pub(super) fn unsupported(what: impl fmt::Display) -> Unusable {
        Unusable::Unsupported(what.to_string())
    }

    /// Bytes that are no instruction.
    pub(super) fn encoding(message: impl Into<String>) -> Unusable {
        Unusable::Refused {
            code: Code::Encoding,
            message: message.into(),
        }
    }
}

/// A row as the verifier takes it.
pub(super) struct Subject {
    /// The object, with one program.
    pub(super) object: Object,
    /// The slots where the row has something that is no instruction. The kernel never looks at
    /// what no path leads to; so others stand there.
    pub(super) wrong: Vec<Wrong>,
}

/// A slot with something that is no instruction, where it matters only if it is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    /// The slot.
    pub(super) slot: usize,
    /// What the kernel says when it comes there.
    pub(super) message: String,
    /// What stands there.
    pub(super) stand_in: StandIn,
}

/// What stands in the place of something that is no instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StandIn {
    /// What is refused where it is reached.
    Refused,
    /// What it would be without what is wrong: where it leads to, and stands, and what it reads is
    /// looked at before. Who follows the paths sees whether it is reached.
    Nearly,
    /// What is refused wherever it stands, once all jumps are looked at.
    Anywhere,
}

/// What the row describes, to this release.
pub(super) fn subject(row: &Row, kernel: KernelVersion) -> Result<Subject, Unusable> {
    let btf = match &row.btf {
        Some(bytes) => Some(types(&bytes.0)?),
        None => None,
    };
    let maps = maps::maps(row, btf.as_ref())?;
    let mut wrong = Vec::new();
    let object = Object {
        license: row.license.clone(),
        programs: vec![program(row, btf.as_ref(), kernel, &mut wrong)?],
        maps,
        btf,
        ..Object::default()
    };
    Ok(Subject { object, wrong })
}

/// The types, as they can be read. Whether the kernel takes them is asked later.
fn types(bytes: &[u8]) -> Result<Btf, Unusable> {
    let btf = Btf::from_bytes(bytes).and_then(|btf| check_layout(bytes).map(|()| btf));
    btf.map_err(|error| {
        let message = format!("the BTF {error}");
        match error.is_the_kernels() {
            true => Unusable::Refused {
                code: Code::BadBtf,
                message,
            },
            false => Unusable::Unsupported(message),
        }
    })
}

fn program(
    row: &Row,
    btf: Option<&Btf>,
    kernel: KernelVersion,
    wrong: &mut Vec<Wrong>,
) -> Result<Program, Unusable> {
    let (prog_type, expected_attach_type) = place(row)?;
    let listed = unloadable::listed(row).map_err(Unusable::Unsupported)?;
    let bytes = &row.insns.0;
    if bytes.len() > SLOT << 20 {
        return Err(Unusable::Refused {
            code: Code::Length,
            message: format!("program has {} instructions", bytes.len() / SLOT),
        });
    }
    let (insns, references) = decode(bytes, &listed, kernel, wrong)?;
    Ok(Program {
        name: "row".to_owned(),
        section: section(prog_type, row.prog_flags)?.to_owned(),
        prog_type,
        expected_attach_type,
        attach_btf_id: (row.attach_btf_id != 0).then_some(TypeId(row.attach_btf_id)),
        insns,
        references,
        functions: functions(row, btf)?,
        lines: Lines::new(),
        core_relocations: Vec::new(),
    })
}

/// The section that stands for the type; programs that may sleep, or are for packets in several
/// buffers, have their own.
fn section(prog_type: ProgType, prog_flags: u32) -> Result<&'static str, Unusable> {
    let says = match prog_type {
        ProgType::Xdp => BPF_F_XDP_HAS_FRAGS,
        _ => BPF_F_SLEEPABLE,
    };
    let wanted = prog_flags & says;
    let of_flags = |known: &&Section| known.prog_type == prog_type && known.prog_flags == wanted;
    match (SECTIONS.iter().find(of_flags), wanted & BPF_F_SLEEPABLE) {
        (Some(known), _) => Ok(known.name),
        (None, 0) => Ok(prog_type.name()),
        // That they may not is said of their flags.
        (None, _) if !flags::may_sleep(prog_type) => Ok(prog_type.name()),
        (None, _) => Err(Unusable::unsupported(format!(
            "programs of type {prog_type} that may sleep"
        ))),
    }
}

/// Instructions, and what those that refer to something refer to, by slot.
type Decoded = (Vec<Insn>, Vec<(usize, Reference)>);

/// The instructions, of which these refer to maps; as the object model has them, with no
/// numbers. Where no instruction is, `wrong` says so.
fn decode(
    bytes: &[u8],
    listed: &[(usize, usize)],
    kernel: KernelVersion,
    wrong: &mut Vec<Wrong>,
) -> Result<Decoded, Unusable> {
    let mut insns = Vec::with_capacity(bytes.len() / SLOT);
    let mut references = Vec::with_capacity(listed.len());
    let mut slot = 0;
    while let Some(first) = slot_at(bytes, slot) {
        let found = match wide::is_wide(first) {
            true => {
                let at = listed.binary_search_by_key(&slot, |(slot, _)| *slot);
                let map = at.ok().and_then(|at| listed.get(at)).map(|(_, map)| *map);
                wide::look(first, slot_at(bytes, slot + 1), map)
            }
            false => look(first, kernel),
        };
        let found = match found {
            Err(Unusable::Refused {
                code: Code::Encoding,
                message,
            }) => refused_anywhere(first, message),
            found => found,
        }?;
        references.extend(found.reference.map(|reference| (slot, reference)));
        wrong.extend(found.wrong.map(|(message, stand_in)| Wrong {
            slot,
            message,
            stand_in,
        }));
        slot += found.insn.slots();
        insns.push(found.insn);
    }
    Ok((insns, references))
}

/// An instruction of the row, or what stands in its place.
pub(super) struct Found {
    pub(super) insn: Insn,
    pub(super) reference: Option<Reference>,
    /// What the kernel says to it where it is reached, if it is none.
    pub(super) wrong: Option<(String, StandIn)>,
}

/// What stands for something that the kernel refuses before it follows any path, and when it has
/// looked where jumps lead: of what could be a jump by the low bits of its opcode, this too.
fn refused_anywhere(slot: Slot, message: String) -> Result<Found, Unusable> {
    let is_jump = matches!(slot.opcode & 0x07, 0x05 | 0x06);
    let (sem, offset) = match is_jump && !matches!(slot.opcode & 0xf0, 0x80 | 0x90) {
        true => (JUMP, slot.offset),
        false => (Sem::Call(Callee::Helper), 0),
    };
    let fields = Fields {
        offset,
        ..Fields::default()
    };
    let row = sem.row().ok_or_else(|| Unusable::encoding(&*message))?;
    Ok(Found {
        insn: Insn::new(row, fields),
        reference: None,
        wrong: Some((message, StandIn::Anywhere)),
    })
}

/// The call of a helper.
const HELPER: Sem = Sem::Call(Callee::Helper);

/// `if r0 == 0 goto`.
const JUMP: Sem = Sem::Jump {
    cond: Cond::Jeq,
    width: Width::W64,
    operand: Operand::Imm,
};

/// An instruction of one slot.
fn look(mut slot: Slot, kernel: KernelVersion) -> Result<Found, Unusable> {
    if means(slot.opcode, |sem| sem == Sem::Exit) {
        // The kernel does not look at it.
        slot.offset = 0;
    }
    let (insn, wrong) = match Insn::decode(slot, None) {
        Ok(insn) => (insn, None),
        Err(error) => {
            let (message, stand_in) = undecodable(slot, kernel, &error);
            let Some((insn, stand_in)) = stand_in else {
                return Err(Unusable::encoding(message));
            };
            (insn, Some((message, stand_in)))
        }
    };
    Ok(Found {
        insn,
        reference: None,
        wrong,
    })
}

/// Whether an instruction of this opcode means something.
fn means(opcode: u8, what: impl Fn(Sem) -> bool) -> bool {
    rows_of(opcode).any(|row| what(row.sem))
}

/// Whether the slot is of this row among those of its opcode, by `src_reg`.
pub(super) fn is_selected(row: &isa::Row, slot: Slot) -> bool {
    match row.src {
        Field::Is(number) => number == i32::from(slot.src),
        Field::Zero => slot.src == 0,
        _ => false,
    }
}

/// What the kernel says to bytes that are no instruction (Linux 6.18), and what can stand in
/// their place if it says so only where they are reached.
fn undecodable(
    slot: Slot,
    kernel: KernelVersion,
    error: &DecodeError,
) -> (String, Option<(Insn, StandIn)>) {
    let admitted = |row: &&isa::Row| row.since.is_some_and(|since| since <= kernel);
    let Some(row) = rows_of(slot.opcode).find(admitted) else {
        return match is_odd_load(slot) {
            true => (format!("{LOAD} uses reserved fields"), None),
            false => (format!("unknown opcode {:02x}", slot.opcode), None),
        };
    };
    let is_load = matches!(row.sem, Sem::Load { .. } | Sem::LoadSx { .. });
    let is_jump = matches!(row.sem, Sem::Jump { .. });
    match error {
        // It looks at the number of a load before it follows any path.
        _ if is_load && slot.imm != 0 => (format!("{LOAD} uses reserved fields"), None),
        // It looks at the first register of a jump, and then at what is none of both.
        DecodeError::Field { .. } if is_jump && slot.dst > MAX_REGISTER => {
            (format!("R{} is invalid", slot.dst), stand_in(row, slot))
        }
        DecodeError::Register { number, .. } => {
            let source = row.src == Field::Reg && slot.src > MAX_REGISTER && !is_jump;
            let number = if source { slot.src } else { *number };
            (format!("R{number} is invalid"), stand_in(row, slot))
        }
        DecodeError::Field { .. } => (wrong_field(row, slot), stand_in(row, slot)),
        _ => (format!("unknown opcode {:02x}", slot.opcode), None),
    }
}

/// What the kernel says to fields that mean nothing.
fn wrong_field(row: &isa::Row, slot: Slot) -> String {
    match row.sem {
        Sem::MayGoto => format!("invalid may_goto imm {}", slot.imm),
        Sem::Atomic { .. } | Sem::LoadAcquire { .. } | Sem::StoreRelease { .. } => {
            let is_operation = |row: &isa::Row| {
                matches!(row.sem, Sem::Atomic { .. }) && row.imm == Field::Is(slot.imm)
            };
            match isa::ISA.iter().any(is_operation) {
                true => "invalid atomic operand size".to_owned(),
                false => format!("BPF_ATOMIC uses invalid atomic opcode {:02x}", slot.imm),
            }
        }
        sem => format!("{} uses reserved fields", class(sem)),
    }
}

/// The highest register.
const MAX_REGISTER: u8 = 10;

/// What the kernel calls loads.
const LOAD: &str = "BPF_LDX";

/// Whether a slot is a load to the kernel, and has a mode or a number that loads do not have.
fn is_odd_load(slot: Slot) -> bool {
    let has_mode = matches!(slot.opcode & 0xe0, 0x60 | 0x80);
    slot.opcode & 0x07 == 0x01 && !(has_mode && slot.imm == 0)
}

/// What can stand in the place of an instruction that is wrong only where it is reached: what it
/// nearly is, at which the kernel looks before; a call of no helper; or for `EXIT`, behind which
/// nothing follows, a jump to itself.
fn stand_in(row: &'static isa::Row, slot: Slot) -> Option<(Insn, StandIn)> {
    let nearly = Fields {
        offset: slot.offset,
        imm: slot.imm,
        ..Fields::default()
    };
    let of_function = |row: &&isa::Row| {
        matches!(row.sem, Sem::Call(Callee::Local | Callee::Kfunc)) && is_selected(row, slot)
    };
    if let Some(call) = rows_of(slot.opcode).find(of_function) {
        return Some((Insn::new(call, nearly), StandIn::Nearly));
    }
    let (sem, offset) = match row.sem {
        Sem::Ja | Sem::Gotol | Sem::Jump { .. } => {
            return Some((Insn::new(row, nearly), StandIn::Nearly));
        }
        // A tail call, or a load of the packet: not every function may have one.
        Sem::Call(Callee::Helper) | Sem::LoadPacket { .. }
            if row.sem != HELPER || slot.src == 0 =>
        {
            let fields = Fields {
                offset: 0,
                ..nearly
            };
            return Some((Insn::new(row, fields), StandIn::Nearly));
        }
        // Also with a source register, which makes it nothing.
        Sem::MayGoto => {
            let jump = Fields { imm: 0, ..nearly };
            return Some((Insn::new(row, jump), StandIn::Nearly));
        }
        Sem::Exit => (Sem::Ja, -1),
        Sem::Gotox => return None,
        _ => match emptied(slot) {
            Some(insn) => return Some((insn, StandIn::Nearly)),
            None => (Sem::Call(Callee::Helper), 0),
        },
    };
    let fields = Fields {
        offset,
        ..Fields::default()
    };
    let row = sem.row()?;
    Some((Insn::new(row, fields), StandIn::Refused))
}

/// The instruction that a slot is but for one field that has to be empty, or for the bits that bytes
/// are swapped of. It reads and writes the same registers, which the kernel looks at wherever it stands.
fn emptied(slot: Slot) -> Option<Insn> {
    let without = [
        Slot { offset: 0, ..slot },
        Slot { imm: 0, ..slot },
        Slot { src: 0, ..slot },
        Slot { imm: 16, ..slot },
    ];
    let mut insns = without.into_iter().map(|slot| Insn::decode(slot, None));
    insns.find_map(Result::ok)
}

/// The instructions of a meaning as the kernel calls them when their fields are wrong.
pub(super) fn class(sem: Sem) -> &'static str {
    match sem {
        Sem::LoadImm64(_) => "BPF_LD_IMM64",
        Sem::LoadPacket { .. } => "BPF_LD_[ABS|IND]",
        Sem::Load { .. } | Sem::LoadSx { .. } => "BPF_LDX",
        Sem::Store {
            operand: Operand::Imm,
            ..
        } => "BPF_ST",
        Sem::Store { .. } => "BPF_STX",
        Sem::Atomic { .. } | Sem::LoadAcquire { .. } | Sem::StoreRelease { .. } => "BPF_ATOMIC",
        Sem::Neg { .. } => "BPF_NEG",
        Sem::Mov { .. } | Sem::Movsx { .. } | Sem::AddrSpaceCast(_) => "BPF_MOV",
        Sem::ByteSwap { .. } => "BPF_END",
        Sem::Alu { .. } => "BPF_ALU",
        Sem::Ja | Sem::Gotol | Sem::Gotox => "BPF_JA",
        Sem::Call(_) => "BPF_CALL",
        Sem::Exit => "BPF_EXIT",
        Sem::Jump { .. } | Sem::MayGoto => "BPF_JMP/JMP32",
    }
}

/// The functions; the first is the program itself.
fn functions(row: &Row, btf: Option<&Btf>) -> Result<Vec<Function>, Unusable> {
    let mut functions = Vec::new();
    for &(slot, type_id) in &row.func_info {
        let type_id = TypeId(type_id);
        let Some((btf, Kind::Func { linkage, .. })) =
            btf.and_then(|btf| Some((btf, &btf.get(type_id)?.kind)))
        else {
            return Err(Unusable::Refused {
                code: Code::BadBtf,
                message: format!("invalid type id {} in func info", type_id.0),
            });
        };
        functions.push(Function {
            slot: slot as usize,
            name: btf.name(type_id).to_owned(),
            linkage: *linkage,
            type_id: Some(type_id),
        });
    }
    if functions.is_empty() {
        functions.push(Function {
            slot: 0,
            name: "row".to_owned(),
            linkage: Linkage::Global,
            type_id: None,
        });
    }
    if !functions.is_sorted_by_key(|function| function.slot) {
        return Err(Unusable::Refused {
            code: Code::BadBtf,
            message: "same or smaller insn offset than previous func info record".to_owned(),
        });
    }
    Ok(functions)
}
