//! Accesses to the context: to fields of a struct of the UAPI, or to arguments of a function.
//!
//! Which there are is said by the tables of `ctx/mod.rs`; here is what a load gives, and what is
//! said to those who access something else: the kernel says only where and how much.
//!
//! Sources are those of the tables; messages as observed on Linux 6.18.
//!
//! Read before: `region.rs`, `ctx/mod.rs`. Read next: `packet_access.rs`.

use crate::codes::Code;
use crate::ctx::{ArgumentContext, Context, Field, Loader, Read, Unread, Value, context};
use crate::diag::{Checked, Rejection};
use crate::load::loadable::{attach_types, few_names};
use crate::memory::mem::{Direction, MemAccess, Stored};
use crate::memory::region::{FixedOffset, changed_pointer};
use crate::memory::within::bytes as in_bytes;
use crate::step::machine::Machine;
use crate::value::btf_ptr::Marks;
use crate::value::reg::{Null, RegState};
use crate::value::scalar::Scalar;
use ebpf_asm::insn::Reg;
use ebpf_asm::isa::Size;
use ebpf_asm::prog_type::{AttachType, ProgType};

/// Fields that say where packets begin and end.
const PACKET_FIELDS: [&str; 2] = ["data", "data_end"];

/// The helper for programs that get the packet in no other way. What is in front of the packet
/// (`data_meta`) it does not copy.
const COPIES_PACKETS: &str = "skb_load_bytes";

impl<'a> Machine<'_, 'a> {
    /// That a pointer to the context is the one that the program received.
    pub(crate) fn check_whole_ctx(&self, reg: Reg, base: &RegState) -> Checked {
        let Some(message) = changed_pointer(reg, base, FixedOffset::Refused) else {
            return Ok(());
        };
        Err(Rejection::new(Code::Context, message)
            .label(format!(
                "R{} is not what the program received, but was changed",
                reg.number()
            ))
            .help("keep the context as it is, and give the offset to the load or store"))
    }

    pub(crate) fn read_ctx(&mut self, base: &RegState, access: MemAccess) -> Checked<RegState> {
        self.check_whole_ctx(access.reg, base)?;
        let offset = i64::from(access.off);
        if let Some(arguments) = &self.env.arguments {
            return self.read_argument(arguments, access);
        }
        let Some(field) = self.env.context.read(offset, access.size) else {
            return Err(self.refuse_ctx(access));
        };
        self.check_field(field, access)?;
        Ok(match field.value {
            Value::Number => RegState::scalar(Scalar::of_size(access.size)),
            Value::Pointer(kind) => RegState::pointer(kind),
            Value::PointerOrNull(kind) => RegState::pointer(kind).maybe_null(self.new_id()),
            Value::Structure(name) => RegState::pointer(self.env.structure(name, Marks::TRUSTED)),
        })
    }

    /// Reads an argument of the function that the program is attached to.
    fn read_argument(
        &mut self,
        arguments: &ArgumentContext,
        access: MemAccess,
    ) -> Checked<RegState> {
        let read = arguments.read(i64::from(access.off), access.size);
        let read = read.map_err(|(why, words)| {
            let mut lines = words.into_iter();
            let refused = Rejection::new(Code::Context, lines.next().unwrap_or_default());
            let (label, help) = in_words(why);
            lines.fold(refused, Rejection::adds).label(label).help(help)
        })?;
        Ok(match read {
            Read::Number => RegState::scalar(Scalar::of_size(access.size)),
            Read::Among(least, most) => {
                RegState::scalar(Scalar::signed_range(least, most).truncate(access.size))
            }
            Read::Pointer(kind, Null::Never) => RegState::pointer(kind),
            Read::Pointer(kind, Null::Maybe) => RegState::pointer(kind).maybe_null(self.new_id()),
        })
    }

    pub(crate) fn write_ctx(
        &mut self,
        base: &RegState,
        access: MemAccess,
        stored: Stored<'_>,
    ) -> Checked {
        self.check_stored(stored, "leaks addr into ctx")?;
        self.check_whole_ctx(access.reg, base)?;
        match self.env.context.write(i64::from(access.off), access.size) {
            Some(field) => self.check_field(field, access),
            None => Err(self.refuse_ctx(access)),
        }
    }

    /// That the kernel is new enough for the field, and the loader allowed to use it so.
    fn check_field(&self, field: &Field, access: MemAccess) -> Checked {
        let config = self.env.config;
        if !config.since(field.since) {
            let (major, minor) = field.since;
            let mut refused = self.refuse_ctx(access);
            refused.code = Code::KernelTooOld;
            return Err(refused.label(format!("{} came with Linux {major}.{minor}", field.name)));
        }
        let open = match (field.loader, access.direction) {
            (Loader::Any, _) | (Loader::BpfToWrite, Direction::Read) => true,
            (Loader::Bpf | Loader::BpfToWrite, _) => config.may_use_bpf(),
        };
        if open {
            return Ok(());
        }
        Err(self
            .refuse_ctx(access)
            .label(format!("{} needs CAP_BPF", field.name)))
    }

    pub(crate) fn refuse_ctx(&self, access: MemAccess) -> Box<Rejection> {
        let (context, offset) = (self.env.context, i64::from(access.off));
        let bytes = access.size.bytes();
        let message = format!("invalid bpf_context access off={offset} size={bytes}");
        let refused = Rejection::new(Code::Context, message);
        let prog_type = self.env.program.prog_type;
        let Some(field) = context.at(offset) else {
            return refused
                .label(format!(
                    "{prog_type} programs have no field of {} at {offset}",
                    context.name
                ))
                .help(format!(
                    "access the fields of {}, each at its offset",
                    context.name
                ));
        };
        let name = field.name;
        let sizes = Size::ALL
            .into_iter()
            .filter(|&size| match access.direction {
                Direction::Read => context.read(i64::from(field.offset), size).is_some(),
                Direction::Write => context.write(i64::from(field.offset), size).is_some(),
            });
        let sizes: Vec<u32> = sizes.map(Size::bytes).collect();
        let refused = refused.label(format!(
            "{} {} of {}, field {name}",
            access.direction.verb(),
            in_bytes(bytes.into()),
            context.name
        ));
        match sizes.is_empty() {
            true => refused.help(self.who_may(context, field, access.direction)),
            false => refused.help(how_accessed(field, &sizes, (offset, bytes))),
        }
    }

    /// What may be done instead of an access to a field that the program type may not have.
    fn who_may(&self, own: &Context, field: &Field, direction: Direction) -> String {
        let prog_type = self.env.program.prog_type;
        let name = field.name;
        let may = |theirs: &Context| match direction {
            Direction::Read => theirs.is_read(field),
            Direction::Write => theirs.is_written(field),
        };
        let has_it = |theirs: &'static Context| theirs.name == own.name && may(theirs);
        let possible = attach_types(prog_type).unwrap_or(AttachType::ALL);
        let places: Vec<AttachType> = possible
            .iter()
            .copied()
            .filter(|&place| context(prog_type, place).is_some_and(has_it))
            .collect();
        if !places.is_empty() {
            let own = prog_type.attach_type(self.env.program.expected_attach_type);
            let names = few_names(&places, own);
            return format!("programs of these attach types may: {names}");
        }
        if direction == Direction::Write {
            let open = own.fields.iter().filter(|field| own.is_written(field));
            let names: Vec<&str> = open.map(|field| field.name).collect();
            return match names.is_empty() {
                true => format!("{prog_type} programs only read {}", own.name),
                false => format!("{prog_type} programs may write: {}", names.join(", ")),
            };
        }
        let others: Vec<&str> = ProgType::ALL
            .iter()
            .filter(|&&other| context(other, other.attach_type(None)).is_some_and(has_it))
            .map(|other| other.name())
            .collect();
        let may = match others.is_empty() {
            true => format!("{prog_type} programs may not read {name}"),
            false => format!(
                "programs of these types may read {name}: {}",
                others.join(", ")
            ),
        };
        match PACKET_FIELDS.contains(&name) && self.env.may_call(COPIES_PACKETS) {
            true => format!("copy bytes of the packet by bpf_{COPIES_PACKETS}; {may}"),
            false => may,
        }
    }
}

/// How a field may be accessed, where an access of so many `bytes` at `offset` may not be so.
fn how_accessed(field: &Field, sizes: &[u32], (offset, bytes): (i64, u32)) -> String {
    let name = field.name;
    let sizes: Vec<String> = sizes.iter().map(u32::to_string).collect();
    let sizes = match sizes.as_slice() {
        [all @ .., last] if !all.is_empty() => format!("{} or {last} bytes", all.join(", ")),
        [one] if one == "1" => "1 byte".to_owned(),
        one => format!("{} bytes", one.concat()),
    };
    let at = format!("{name} is accessed with {sizes} at offset {}", field.offset);
    match offset % i64::from(bytes) {
        0 => at,
        _ => format!("{at}, and accesses begin at a multiple of their size"),
    }
}

/// Why an argument cannot be read, and what to do instead.
fn in_words(why: Unread) -> (&'static str, &'static str) {
    match why {
        Unread::Missing => (
            "no argument is there",
            "the arguments of the function are numbers of 8 bytes each, from offset 0 on: take no \
             more than it has (BPF_PROG in C unpacks them)",
        ),
        Unread::Part => ("reads a part of an argument", "load all 8 bytes"),
        Unread::Opaque => (
            "what stands there cannot be read",
            "leave this argument alone: programs get numbers, and pointers to structures",
        ),
        Unread::ReturnedPointer => (
            "the function returns a pointer",
            "attach fmod_ret to a function that returns a number",
        ),
    }
}
