//! Arguments of kernel functions that are structures of the kernel: of the parameter's type, and as
//! trusted as the function wants them.
//!
//! Described in the kernel's `Documentation/bpf/kfuncs.rst`, "KF_TRUSTED_ARGS" and "KF_RCU";
//! messages as observed on Linux 6.18.
//!
//! Read before: `kfunc/argument.rs`, `types/btf_walk.rs`. Read next: `kfunc/memory.rs`.

use super::Kfunc;
use super::argument::Passed;
use super::table::Flags;
use crate::call::argument::owned::AS_ACQUIRED;
use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::memory::region::FixedOffset;
use crate::step::machine::{Machine, not_modelled};
use crate::types::btf_walk::{StructMatch, contains_struct, kind_word};
use crate::value::btf_ptr::{Marks, Types};
use crate::value::reg::{Kind, Null, RegState, SockType};
use ebpf_asm::btf::{Btf, Kind as Type, TypeId};
use ebpf_asm::insn::Reg;

/// What to do about a structure that is not trusted, for functions that want it so.
const TO_TRUST: &str = "acquire it first, as by bpf_task_acquire, and compare that with 0; what is \
                        handed to the program (as arguments of tp_btf and lsm) is trusted as it is";

/// The same for functions that are content with what RCU protects.
const TO_TRUST_RCU: &str = "read the pointer between bpf_rcu_read_lock and bpf_rcu_read_unlock, and \
                            use it there, or acquire it, as by bpf_task_acquire";

impl<'a> Machine<'_, 'a> {
    /// That a pointer to a structure, or to what stands for one, is to the parameter's type.
    pub(super) fn check_structure(&self, kfunc: &Kfunc<'a>, passed: Passed, to: TypeId) -> Checked {
        let Passed { index, reg, value } = passed;
        let number = reg.number();
        let is_struct = matches!(
            kfunc.btf.get(to).map(|ty| &ty.kind),
            Some(Type::Struct { .. } | Type::Union { .. })
        );
        if !is_struct {
            let message = format!(
                "kernel function {} args#{index} pointer type {} {} is not supported",
                kfunc.name,
                kind_word(kfunc.btf, to),
                kfunc.btf.name(to)
            );
            return Err(Rejection::new(Code::ArgumentType, message)
                .label(format!("R{number} points to a structure")));
        }
        self.check_trust(kfunc, passed)?;
        self.check_structure_offset(reg, &value, kfunc)?;
        check_safe(passed)?;
        let Some((btf, id)) = self.structure_of(&value)? else {
            return Err(not_modelled("a structure that is not known"));
        };
        let has = btf.name(id);
        let wanted = kfunc.btf.name(to);
        let releases = kfunc.row.has(Flags::RELEASE) && value.ref_id != 0;
        let exact = kfunc.row.has(Flags::ACQUIRE) || releases || is_alias(has, wanted);
        let matched = StructMatch {
            off: i64::from(value.off),
            exact,
        };
        let same = std::ptr::eq(btf, kfunc.btf);
        if is_projection(wanted, has) || (same && contains_struct(btf, id, to, matched)) {
            return Ok(());
        }
        let message = format!(
            "kernel function {} args#{index} expected pointer to {} {wanted} but R{number} has a \
             pointer to {} {has}",
            kfunc.name,
            kind_word(kfunc.btf, to),
            kind_word(btf, id),
        );
        Err(Rejection::new(Code::ArgumentType, message)
            .label(format!("R{number} points to another structure"))
            .because(value.origin.made, format!("R{number} is made here"))
            .help(format!(
                "hand over a struct {wanted}: a cast does not make one"
            )))
    }

    /// That a pointer to a structure in the place of a map is to what the kernel has of one.
    pub(super) fn check_map_structure(&self, kfunc: &Kfunc<'a>, passed: Passed) -> Checked {
        let map = self.env.kernel.record("bpf_map");
        let map = map.ok_or_else(|| not_modelled("maps of the kernel without their type"))?;
        self.check_structure(kfunc, passed, map)
    }

    /// That a pointer is as trusted as the function wants it.
    fn check_trust(&self, kfunc: &Kfunc<'_>, passed: Passed) -> Checked {
        let (value, number) = (passed.value, passed.reg.number());
        let rcu = kfunc.row.has(Flags::RCU);
        let trusted = match value.kind {
            Kind::Btf(_) => value.is_trusted_structure(),
            // Sockets and maps of the program's own world are.
            _ => true,
        };
        if trusted || !(rcu || kfunc.row.wants_trusted()) {
            return Ok(());
        }
        let protected = matches!(value.kind, Kind::Btf(pointer) if pointer.marks.has(Marks::RCU));
        let message = match (rcu, protected) {
            (true, true) => return Ok(()),
            (true, false) => format!("R{number} must be a rcu pointer"),
            (false, _) => format!("R{number} must be referenced or trusted"),
        };
        let refused = Rejection::new(Code::Untrusted, message)
            .label(format!("R{number} may point to what is gone"))
            .because(value.origin.made, format!("R{number} is made here"));
        Err(refused.help(match rcu {
            true => TO_TRUST_RCU,
            false => TO_TRUST,
        }))
    }

    /// That a structure is passed with a known offset, and what is released with none.
    fn check_structure_offset(&self, reg: Reg, value: &RegState, kfunc: &Kfunc<'_>) -> Checked {
        let number = reg.number();
        if kfunc.row.has(Flags::RELEASE) && value.ref_id != 0 && value.off != 0 {
            let message = format!(
                "R{number} must have zero offset when passed to release func or trusted arg to kfunc"
            );
            return Err(Rejection::new(Code::NotReleasable, message)
                .label("points behind the beginning of what was acquired")
                .because(value.origin.made, "the address is made here")
                .help(AS_ACQUIRED));
        }
        let fixed = match value.kind {
            Kind::Btf(_) => FixedOffset::Allowed,
            _ => FixedOffset::Refused,
        };
        self.check_pointer_offset(reg, value, fixed)
    }

    /// The type that a pointer to a structure points to; `None` if it is not known.
    fn structure_of(&self, value: &RegState) -> Checked<Option<(&'a Btf, TypeId)>> {
        let kernel = self.env.kernel;
        let named = |name: &str| kernel.btf().zip(kernel.record(name));
        Ok(match value.kind {
            Kind::Btf(pointer) if pointer.id == TypeId::VOID => None,
            Kind::Btf(pointer) => match pointer.types {
                Types::Kernel => kernel.btf().map(|btf| (btf, pointer.id)),
                Types::Program => self.env.object.btf.as_ref().map(|btf| (btf, pointer.id)),
            },
            Kind::Sock(SockType::Common) => named("sock_common"),
            Kind::Sock(SockType::Sock) => named("sock"),
            Kind::Sock(SockType::Tcp) => named("tcp_sock"),
            Kind::Map(_) => named("bpf_map"),
            _ => None,
        })
    }
}

/// That a pointer to a structure has no marks but those that make it trusted, or RCU's: also
/// for functions that do not ask for trust.
fn check_safe(passed: Passed) -> Checked {
    let Passed { index, value, .. } = passed;
    let Kind::Btf(pointer) = value.kind else {
        return Ok(());
    };
    let unsafe_marks = pointer.marks.without(Marks::TRUSTWORTHY);
    let safe = value.null == Null::Never && unsafe_marks == Marks::NONE;
    if safe || pointer.marks.has(Marks::RCU) {
        return Ok(());
    }
    let wanted = pointer.marks.without(unsafe_marks).prefix();
    let message = format!(
        "arg#{index} is {} expected {wanted}ptr_ or socket",
        value.type_name()
    );
    Err(Rejection::new(Code::Untrusted, message)
        .label(format!("R{} may point anywhere", passed.reg.number()))
        .because(value.origin.made, "the pointer comes from here")
        .help(TO_TRUST))
}

/// Whether a register of this kind is taken as a structure of the kernel.
pub(super) fn is_structure(kind: Kind) -> bool {
    match kind {
        Kind::Btf(_) | Kind::Map(_) => true,
        Kind::Sock(sock) => sock != SockType::Xdp,
        _ => false,
    }
}

/// Whether a type is what programs see of another: the context's structs.
fn is_projection(wanted: &str, has: &str) -> bool {
    const PAIRS: [(&str, &str); 2] = [("__sk_buff", "sk_buff"), ("xdp_md", "xdp_buff")];
    PAIRS.contains(&(wanted, has))
}

/// Whether two names are of one structure before and after it is set up, which are not the
/// same to functions.
fn is_alias(a: &str, b: &str) -> bool {
    const SETUP: &str = "___init";
    a.strip_suffix(SETUP) == Some(b) || b.strip_suffix(SETUP) == Some(a)
}
