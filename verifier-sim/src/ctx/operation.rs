//! Operations: programs that are functions in one of the kernel's structs of functions.
//!
//! The loader names the struct by the number of its type, and the function by the index of its
//! member. An object says both by a map that holds the struct, with the program's name in the
//! member. The context is the function's arguments.
//!
//! Described in the kernel's `Documentation/bpf/libbpf/program_types.rst`; structs, members and
//! messages as observed on Linux 6.18.
//!
//! Read before: `ctx/probe.rs`. Read next: `memory/structure_write.rs`.

use super::attach::{Place, Target, refused, result_bytes};
use crate::call::callable::{DECLARE_LICENSE, is_gpl_compatible};
use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::step::machine::not_modelled;
use crate::types::kernel_types::KernelTypes;
use ebpf_asm::btf::core::essential_name;
use ebpf_asm::btf::{Btf, Kind as Type, Member, TypeId};
use ebpf_asm::load_flags::BPF_F_SLEEPABLE;
use ebpf_asm::map_type::MapType;
use ebpf_asm::object::{MapValue, Object};
use ebpf_asm::prog_type::AttachType;
use ebpf_asm::program::Program;

/// Whether programs that are operations of a struct may call helpers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Helpers {
    None,
    Some,
}

/// A struct whose functions can be programs.
struct Operations {
    name: &'static str,
    /// Functions that cannot.
    left_out: &'static [&'static str],
    /// Functions that may sleep; `None` if all may.
    may_sleep: Option<&'static [&'static str]>,
    /// Whether programs may call helpers.
    helpers: Helpers,
    /// What programs get in the place of a structure, and which that is.
    promoted: Option<(&'static str, &'static str)>,
}

const OPERATIONS: &[Operations] = &[
    Operations {
        name: "bpf_dummy_ops",
        left_out: &[],
        may_sleep: Some(&["test_sleepable"]),
        helpers: Helpers::None,
        promoted: None,
    },
    Operations {
        name: "tcp_congestion_ops",
        left_out: &["get_info"],
        may_sleep: None,
        helpers: Helpers::Some,
        promoted: Some(("sock", "tcp_sock")),
    },
];

/// What to do about a member that no program can be for.
const OTHER_MEMBER: &str = "write a program for a member that is a function which the kernel lets \
                            programs be, and leave this one out";

/// What a program is a function of.
pub(super) fn find<'a>(
    object: &Object,
    program: &Program,
    kernel: &'a KernelTypes,
) -> Checked<Target<'a>> {
    check_license(object)?;
    let btf = kernel.needed_for("functions of the kernel's structs")?;
    let (id, index) = match program.attach_btf_id {
        Some(id) => (id, program.expected_attach_type.map_or(0, |at| at.number())),
        None => named(object, program, kernel)?,
    };
    let name = btf.name(id);
    let operations = OPERATIONS.iter().find(|known| known.name == name);
    let Some((operations, members)) = operations.zip(members(btf, id)) else {
        let message = format!("attach_btf_id {} is not a supported struct", id.0);
        return Err(other_member(
            message,
            "the kernel takes no functions for this",
        ));
    };
    let member = usize::try_from(index).ok().and_then(|at| members.get(at));
    let Some(member) = member else {
        let message = format!("attach to invalid member idx {index} of struct {name}");
        return Err(other_member(message, "the struct has no such member"));
    };
    let function = btf.str(member.name);
    let Some((ret, params)) = prototype(btf, member.ty) else {
        let message = format!("attach to invalid member {function}(@idx {index}) of struct {name}");
        return Err(other_member(message, "the member is no function"));
    };
    if !operations.takes(function, program) {
        let message = format!("attach to unsupported member {function} of struct {name}");
        let label = "the kernel takes no program for this member";
        return Err(other_member(message, label));
    }
    let returns = match btf.resolve(ret) {
        TypeId::VOID => Returns::Nothing,
        _ => Returns::Number,
    };
    let helpers = operations.helpers;
    Ok(Target {
        place: Place::Operation(Operation { returns, helpers }),
        name: function,
        params,
        returns: None,
        result_bytes: result_bytes(btf, ret),
        attach_type: AttachType::StructOps,
    })
}

/// Programs that are operations must be GPL.
fn check_license(object: &Object) -> Checked {
    if is_gpl_compatible(&object.license) {
        return Ok(());
    }
    let message = "struct ops programs must have a GPL compatible license";
    Err(Rejection::new(Code::GplOnly, message)
        .label(format!("the license is '{}'", object.license))
        .help(DECLARE_LICENSE))
}

/// A member that the program cannot be for.
fn other_member(message: String, label: &str) -> Box<Rejection> {
    refused(message).label(label).help(OTHER_MEMBER)
}

impl Operations {
    /// Whether a program can be this function of the struct.
    fn takes(&self, function: &str, program: &Program) -> bool {
        let sleeps = program.prog_flags() & BPF_F_SLEEPABLE != 0;
        let may_sleep = self.may_sleep.is_none_or(|those| those.contains(&function));
        !self.left_out.contains(&function) && (!sleeps || may_sleep)
    }
}

/// What is to be known of an operation besides its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Operation {
    pub(crate) returns: Returns,
    helpers: Helpers,
}

impl Operation {
    /// Whether programs may call no helper.
    pub(crate) fn is_without_helpers(self) -> bool {
        self.helpers == Helpers::None
    }
}

/// Whether an operation has a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Returns {
    Nothing,
    Number,
}

/// The struct, and the index of the member, that a map of the object names the program in.
fn named(object: &Object, program: &Program, kernel: &KernelTypes) -> Checked<(TypeId, u32)> {
    let unknown = || not_modelled("a function of a struct that is not known");
    let maps = object.maps.iter();
    let mut places = maps
        .filter(|map| map.map_type == MapType::StructOps)
        .filter_map(|map| {
            let is_it = |(_, value): &&(u32, MapValue)| {
                matches!(value, MapValue::Program(name) if *name == program.name)
            };
            let (byte, _) = map.values.iter().find(is_it)?;
            Some((map.value_type?, *byte))
        });
    let (own, byte) = places.next().ok_or_else(unknown)?;
    let own_types = object.btf.as_ref().ok_or_else(unknown)?;
    let name = essential_name(own_types.name(own));
    let id = kernel.record(name).ok_or_else(unknown)?;
    let at = |member: &&Member| member.offset == byte.saturating_mul(8);
    let member = members(own_types, own).and_then(|members| members.iter().find(at));
    let member = own_types.str(member.ok_or_else(unknown)?.name);
    let btf = kernel.needed_for("functions of the kernel's structs")?;
    let theirs = members(btf, id).ok_or_else(unknown)?;
    let index = theirs
        .iter()
        .position(|known| btf.str(known.name) == member);
    let index = index.and_then(|index| u32::try_from(index).ok());
    Ok((id, index.ok_or_else(unknown)?))
}

fn members(btf: &Btf, id: TypeId) -> Option<&[Member]> {
    match btf.get(id).map(|ty| &ty.kind) {
        Some(Type::Struct { members, .. }) => Some(members),
        _ => None,
    }
}

/// What a pointer to a function returns and takes.
fn prototype(btf: &Btf, pointer: TypeId) -> Option<(TypeId, &[(ebpf_asm::btf::StrId, TypeId)])> {
    let Type::Ptr(proto) = btf.get(btf.resolve(pointer))?.kind else {
        return None;
    };
    match &btf.get(btf.resolve(proto))?.kind {
        Type::FuncProto { ret, params } => Some((*ret, params)),
        _ => None,
    }
}

/// Whether an argument of an operation may be null: the only one that may says so in the name
/// of a parameter of the kernel's own function for it.
pub(super) fn may_be_null(operation: &str, index: usize) -> bool {
    operation == "test_1" && index == 0
}

/// The structure that a program gets as an argument in the place of one.
pub(super) fn promoted(kernel: &KernelTypes, btf: &Btf, id: TypeId) -> Option<TypeId> {
    let name = btf.name(id);
    let rows = OPERATIONS.iter().filter_map(|known| known.promoted);
    let (_, other) = rows.into_iter().find(|(from, _)| *from == name)?;
    kernel.record(other)
}
