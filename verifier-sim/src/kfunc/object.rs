//! Kernel functions for objects that the program allocates, one or one for each CPU.
//!
//! Who allocated an object owns it: the pointer is a reference, to be given back, or to be put into
//! a list or tree, whose it is from then on. Objects that count their owners have more than one.
//!
//! Described in the kernel's `Documentation/bpf/graph_ds_impl.rst`; messages as observed on
//! Linux 6.18.
//!
//! Read before: `types/special.rs`, `kfunc/argument.rs`. Read next: `kfunc/graph.rs`.

use super::Kfunc;
use super::argument::{Found, Passed};
use super::graph::node_pointer;
use super::param::is_plain;
use super::table::Flags;
use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::env::Env;
use crate::memory::number_help::number_made;
use crate::memory::region::FixedOffset;
use crate::step::machine::{Machine, not_modelled};
use crate::types::special::SpecialKind;
use crate::value::btf_ptr::{BtfPtr, Marks, Types};
use crate::value::reg::{Kind, RegState};
use ebpf_asm::btf::{Kind as Type, TypeId};
use ebpf_asm::insn::Reg;

/// The most bytes of an object that each CPU has.
const MAX_PER_CPU: u32 = 512;

impl<'a> Machine<'_, 'a> {
    /// That a register points to an object that the function gives back.
    pub(super) fn check_object(
        &self,
        kfunc: &Kfunc<'a>,
        passed: Passed,
        found: &mut Found<'a>,
    ) -> Checked {
        let Passed { index, reg, value } = passed;
        self.check_object_offset(kfunc, reg, &value)?;
        let wanted = match marks_of(&value) {
            Some(Marks::ALLOC) => "bpf_obj_drop_impl",
            Some(marks) if marks == Marks::ALLOC | Marks::PERCPU => "bpf_percpu_obj_drop_impl",
            _ => {
                check_kept(self.env, reg, &value)?;
                let message = format!("arg#{index} expected pointer to allocated object");
                return Err(wrong_type(self.env, reg, &value, message));
            }
        };
        if kfunc.name != wanted {
            return Err(refuse(
                self.env,
                reg,
                &value,
                format!("arg#{index} expected for {wanted}()"),
            ));
        }
        check_referenced(self.env, reg, &value)?;
        found.object = object(&value);
        Ok(())
    }

    /// That a register points to an object that counts its owners.
    pub(super) fn check_refcounted(
        &self,
        kfunc: &Kfunc<'a>,
        passed: Passed,
        found: &mut Found<'a>,
    ) -> Checked {
        let Passed { index, reg, value } = passed;
        self.check_object_offset(kfunc, reg, &value)?;
        let Some(marks) = marks_of(&value).filter(|marks| marks.has(Marks::ALLOC)) else {
            let message = format!("arg#{index} is neither owning or non-owning ref");
            return Err(refuse(self.env, reg, &value, message));
        };
        found.owning = !marks.has(Marks::NON_OWNING);
        if self
            .special_of(value.kind, SpecialKind::Refcount)?
            .is_none()
        {
            let message = format!("arg#{index} doesn't point to a type with bpf_refcount field");
            return Err(refuse(self.env, reg, &value, message).help(
                "give the struct a member of type struct bpf_refcount, which counts its owners",
            ));
        }
        found.object = object(&value);
        Ok(())
    }

    /// That a pointer to an object is passed at a known place, and whole if it is given back.
    pub(super) fn check_object_offset(
        &self,
        kfunc: &Kfunc<'a>,
        reg: Reg,
        value: &RegState,
    ) -> Checked {
        let number = reg.number();
        if kfunc.row.has(Flags::RELEASE) && value.ref_id != 0 && value.off != 0 {
            let message = format!(
                "R{number} must have zero offset when passed to release func or trusted arg to \
                 kfunc"
            );
            return Err(Rejection::new(Code::NotReleasable, message)
                .label("points behind the beginning of what is given back")
                .because(value.origin.made, "the address is made here")
                .help("give back the object, not a part of it: container_of in C"));
        }
        match value.kind {
            Kind::Btf(pointer) if pointer.marks.has(Marks::PERCPU) => {
                self.check_pointer_offset(reg, value, FixedOffset::Refused)
            }
            Kind::Btf(_) => self.check_pointer_offset(reg, value, FixedOffset::Allowed),
            _ => Ok(()),
        }
    }

    /// What a call leaves in R0 that makes an object or finds one; `None` for other functions.
    pub(super) fn object_returned(
        &mut self,
        kfunc: &Kfunc<'a>,
        to: TypeId,
        found: &Found<'a>,
    ) -> Checked<Option<RegState>> {
        let linked = [SpecialKind::ListNode, SpecialKind::RbNode];
        let linked = linked.iter().any(|kind| kind.name() == kfunc.btf.name(to));
        let of = |id| BtfPtr {
            types: Types::Program,
            marks: Marks::ALLOC,
            id,
        };
        Ok(match kfunc.name {
            "bpf_obj_new_impl" => Some(Kind::Btf(of(self.allocated(found)?))),
            "bpf_percpu_obj_new_impl" => {
                let id = self.allocated(found)?;
                self.check_each_cpu(id)?;
                let marks = Marks::ALLOC | Marks::PERCPU;
                Some(Kind::Btf(BtfPtr { marks, ..of(id) }))
            }
            "bpf_refcount_acquire_impl" => {
                let known = found.object;
                let known = known.ok_or_else(|| not_modelled("a count of no object"))?;
                Some(Kind::Btf(of(known.id)))
            }
            _ if linked => {
                let root = found
                    .root
                    .ok_or_else(|| not_modelled("a node of no list"))?;
                return match kfunc.row.has(Flags::ACQUIRE) {
                    true => node_pointer(root, Marks::ALLOC),
                    false => self.lent(root),
                }
                .map(Some);
            }
            _ => None,
        }
        .map(RegState::pointer))
    }

    /// The type that a program allocates an object of.
    fn allocated(&self, found: &Found<'a>) -> Checked<TypeId> {
        let refuse = |message: &str| {
            Rejection::new(Code::ArgumentType, message)
                .label("allocates no object of the program")
                .help("hand over the number of a struct of the program, as bpf_core_type_id_local gives it: bpf_obj_new(struct ...) in C")
        };
        let number = found.constant.unwrap_or(0);
        let number = u32::try_from(number)
            .map_err(|_| refuse("local type ID argument must be in range [0, U32_MAX]"))?;
        let functions = &self.env.program.functions;
        let typed = functions.iter().any(|function| function.type_id.is_some());
        let Some(btf) = self.env.object.btf.as_ref().filter(|_| typed) else {
            return Err(refuse("bpf_obj_new/bpf_percpu_obj_new requires prog BTF")
                .wants_types()
                .help("load the program with the types of its functions: in C, compile with -g"));
        };
        match btf.get(TypeId(number)).map(|ty| &ty.kind) {
            Some(Type::Struct { .. }) => Ok(TypeId(number)),
            _ => Err(refuse(
                "bpf_obj_new/bpf_percpu_obj_new type ID argument must be of a struct",
            )),
        }
    }

    /// That each CPU can have an object of a type: few bytes, and nothing but numbers.
    fn check_each_cpu(&self, id: TypeId) -> Checked {
        let refuse = |message: String| {
            Err(Rejection::new(Code::ArgumentType, message)
                .label("not every CPU can have one")
                .help(format!(
                    "let it be a struct of numbers alone, with {MAX_PER_CPU} bytes at most"
                )))
        };
        let Some(btf) = self.env.object.btf.as_ref() else {
            return Ok(());
        };
        let size = btf.size_of(id).unwrap_or(0);
        if size > MAX_PER_CPU {
            return refuse(format!(
                "bpf_percpu_obj_new type size ({size}) is greater than {MAX_PER_CPU}"
            ));
        }
        if !is_plain(btf, id) {
            return refuse(
                "bpf_percpu_obj_new type ID argument must be of a struct of scalars".to_owned(),
            );
        }
        match self.env.object_specials(id) {
            Some([]) => Ok(()),
            _ => refuse(
                "bpf_percpu_obj_new type ID argument must not contain special fields".to_owned(),
            ),
        }
    }
}

/// The marks of a pointer to a structure that is not null.
pub(super) fn marks_of(value: &RegState) -> Option<Marks> {
    match value.kind {
        Kind::Btf(pointer) if !value.may_be_null() => Some(pointer.marks),
        _ => None,
    }
}

pub(super) fn object(value: &RegState) -> Option<BtfPtr> {
    match value.kind {
        Kind::Btf(pointer) => Some(pointer),
        _ => None,
    }
}

/// That what is given back is kept by something, whatever it is.
fn check_kept(env: &Env<'_>, reg: Reg, value: &RegState) -> Checked {
    let own = matches!(value.kind, Kind::Sock(_) | Kind::Map(_));
    if own || value.ref_id != 0 || value.is_trusted_structure() {
        return Ok(());
    }
    let number = reg.number();
    let message = format!("R{number} must be referenced or trusted");
    let refused = Rejection::new(Code::Untrusted, message)
        .label(format!("R{number} is {}", value.in_words()));
    Err(explain(env, refused, reg, value))
}

pub(super) fn check_referenced(env: &Env<'_>, reg: Reg, value: &RegState) -> Checked {
    match value.ref_id {
        0 => Err(refuse(
            env,
            reg,
            value,
            "allocated object must be referenced".to_owned(),
        )),
        _ => Ok(()),
    }
}

/// What the kernel says to a register of the wrong kind.
pub(super) fn wrong_type(
    env: &Env<'_>,
    reg: Reg,
    value: &RegState,
    message: String,
) -> Box<Rejection> {
    let mut refused = refuse(env, reg, value, message);
    refused.code = Code::ArgumentType;
    refused
}

pub(super) fn refuse(env: &Env<'_>, reg: Reg, value: &RegState, message: String) -> Box<Rejection> {
    let number = reg.number();
    let refused = Rejection::new(Code::SpecialField, message)
        .label(format!("R{number} is {}", value.in_words()));
    explain(env, refused, reg, value)
}

/// Adds where a register comes from that is no object as the function wants it, and what it wants.
fn explain(env: &Env<'_>, refused: Box<Rejection>, reg: Reg, value: &RegState) -> Box<Rejection> {
    if value.may_be_null() {
        return refused
            .because(value.origin.made, "this may give null")
            .help(format!("compare R{} with 0 first", reg.number()));
    }
    let refused = number_made(env, refused, reg, value);
    match refused.help {
        Some(_) => refused,
        None => refused.help(
            "hand over an object that is the program's: what bpf_obj_new or a removal from a list or \
             tree gave, by the member that links it, and not dropped or put anywhere yet",
        ),
    }
}
