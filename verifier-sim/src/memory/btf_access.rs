//! Loads and stores through pointers to structures.
//!
//! A structure of the kernel is only read: a wrong address reads as zero. What a pointer found
//! in it may be used for depends on how far the pointer to the structure is trusted, and on
//! lists that the kernel keeps in its own types: `struct task_struct__safe_rcu` has the members
//! of `struct task_struct` that RCU protects.
//!
//! Described in the kernel's `Documentation/bpf/kfuncs.rst`, "KF_TRUSTED_ARGS"; messages as
//! observed on Linux 6.18.
//!
//! Read before: `types/btf_walk.rs`. Read next: `structure_write.rs`.

use crate::call::callable::DECLARE_LICENSE;
use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::memory::mem::{Direction, MemAccess};
use crate::memory::region::Extent;
use crate::memory::structure_write::{
    check_operation_writes, has_written_members, written_members,
};
use crate::step::machine::{Machine, not_modelled};
use crate::types::btf_walk::{Field, PointerField, field_at};
use crate::value::btf_ptr::{BtfPtr, Marks, Types};
use crate::value::reg::{Kind, Null, RegState};
use crate::value::scalar::Scalar;
use ebpf_asm::btf::{Btf, Kind as Type, Member, TypeId};
use ebpf_asm::isa::{KernelVersion, Size};
use ebpf_asm::prog_type::ProgType;

/// What to do instead of writing to a structure of the kernel.
const NOT_WRITTEN: &str = "programs only read structures of the kernel: keep what is to be noted \
     in a map, and change the kernel's by its functions and helpers that do so";

/// What is wrong with bytes before a structure, and what to do about it.
const BEFORE: (&str, &str) = (
    "begins before the structure",
    "read members at their own offsets: container_of does not lead to what is around a structure",
);

/// The same of bytes at an index.
const COMPUTED: (&str, &str) = (
    "at a computed place",
    "read arrays in structures of the kernel by bpf_probe_read_kernel, or at constant indexes",
);

/// Memory that a pointer in a structure is no address of: by its mark, the kernel's word for it,
/// what is wrong, and what to do about it.
const ELSEWHERE: [(Marks, &str, (&str, &str)); 2] = [
    (
        Marks::USER,
        "user",
        (
            "the pointer is one of user space, not of the kernel",
            "read what it points to by bpf_probe_read_user, or bpf_copy_from_user if the program \
             may sleep",
        ),
    ),
    (
        Marks::PERCPU,
        "percpu",
        (
            "each CPU has its own copy: the pointer itself is no address",
            "get the address of a copy first, by bpf_this_cpu_ptr or bpf_per_cpu_ptr",
        ),
    ),
];

impl<'a> Machine<'_, 'a> {
    /// Reads what a pointer to a structure points to.
    pub(crate) fn read_structure(
        &mut self,
        pointer: BtfPtr,
        base: &RegState,
        access: MemAccess,
    ) -> Checked<RegState> {
        let btf = self.types_of(pointer)?;
        let off = self.check_structure_access(btf, pointer, base, access)?;
        self.check_owned(pointer, base)?;
        self.read_field(btf, (pointer, off), base, access)
    }

    /// That bytes of a structure may be read by a function: numbers, or a pointer as one.
    pub(crate) fn check_structure_bytes(
        &self,
        pointer: BtfPtr,
        base: &RegState,
        extent: Extent,
    ) -> Checked {
        let btf = self.types_of(pointer)?;
        let access = MemAccess {
            reg: extent.reg,
            off: 0,
            size: Size::B,
            direction: Direction::Read,
        };
        let off = self.check_structure_access(btf, pointer, base, access)?;
        self.check_owned(pointer, base)?;
        let Ok(size) = u32::try_from(extent.size) else {
            return Err(not_modelled("so much memory in a structure"));
        };
        self.field_of_bytes(btf, pointer, (off, size), Direction::Read)
            .map(|_| ())
    }

    /// Reads what is so many bytes into a structure, to which a register points.
    pub(crate) fn read_field(
        &mut self,
        btf: &'a Btf,
        (pointer, off): (BtfPtr, u32),
        base: &RegState,
        access: MemAccess,
    ) -> Checked<RegState> {
        match self.structure_field(btf, pointer, off, access)? {
            // Also what the program itself stored in an object (Linux 6.18).
            Field::PlainPointer if self.env.config.since(UNTRUSTED_MEMORY) => {
                Ok(RegState::pointer(Kind::UntrustedMem))
            }
            // To older kernels plain pointers are numbers, as Linux 6.1 and 6.12 answered.
            Field::Number | Field::PlainPointer => {
                Ok(RegState::scalar(Scalar::of_size(access.size)))
            }
            // What the program itself stored there is a number.
            Field::Pointer(_) if pointer.marks.has(Marks::ALLOC) => {
                Ok(RegState::scalar(Scalar::of_size(access.size)))
            }
            Field::Pointer(member) => {
                let (marks, null) = self.inherited(btf, base, pointer, member);
                let found = RegState::pointer(Kind::Btf(BtfPtr {
                    types: pointer.types,
                    marks,
                    id: member.to,
                }));
                Ok(match null {
                    Null::Never => found,
                    Null::Maybe => found.maybe_null(self.new_id()),
                })
            }
        }
    }

    /// Writes to what a pointer to a structure points to.
    pub(crate) fn write_structure(
        &mut self,
        pointer: BtfPtr,
        base: &RegState,
        access: MemAccess,
    ) -> Checked {
        let btf = self.types_of(pointer)?;
        let off = self.check_structure_access(btf, pointer, base, access)?;
        let allocated = pointer.marks.has(Marks::ALLOC) && !pointer.marks.has(Marks::UNTRUSTED);
        if !allocated {
            if self.env.program.prog_type == ProgType::StructOps {
                return self.write_as_operation(btf, pointer, off, access);
            }
            let name = btf.name(pointer.id);
            let connection = self.env.writes_connections() && CONNECTIONS.contains(&name);
            if connection && is_mark(btf, pointer.id, off, access.size) {
                return Ok(());
            }
            let message = match connection {
                true => format!("no write support to nf_conn at off {off}"),
                false => "only read is supported".to_owned(),
            };
            return Err(Rejection::new(Code::ReadOnly, message)
                .label(format!(
                    "writes to a structure of the kernel, struct {}",
                    btf.name(pointer.id)
                ))
                .because(base.origin.made, "the pointer comes from here")
                .help(NOT_WRITTEN));
        }
        self.check_owned(pointer, base)?;
        self.structure_field(btf, pointer, off, access).map(|_| ())
    }

    /// What an operation may do where it may not write a member.
    fn write_others(&self, name: &str, members: &str) -> String {
        let help = format!(
            "of struct {name} operations write these members, each whole or its first bytes: {members}"
        );
        match self.env.may_call("setsockopt") {
            true => format!("{help}; what socket options are for, bpf_setsockopt sets"),
            false => help,
        }
    }

    /// Writes to a structure of the kernel from a program that is an operation.
    fn write_as_operation(
        &self,
        btf: &Btf,
        pointer: BtfPtr,
        off: u32,
        access: MemAccess,
    ) -> Checked {
        let name = btf.name(pointer.id);
        let refused = |message: String| {
            let label = format!("writes to a structure of the kernel, struct {name}");
            Rejection::new(Code::ReadOnly, message).label(label)
        };
        if pointer.marks.has(Marks::UNTRUSTED) {
            return Err(refused("only read is supported".to_owned()).help(NOT_WRITTEN));
        }
        let plain = pointer.marks.without(Marks::TRUSTED) == Marks::NONE;
        if !plain && has_written_members(name) {
            return Err(not_modelled("writing to such a structure of the kernel"));
        }
        let kernel = self.env.kernel;
        let place = (pointer.id, off, access.size.bytes());
        let checked =
            check_operation_writes(self.env.config, btf, &|name| kernel.record(name), place);
        checked.map_err(|message| match written_members(self.env.config, name) {
            Some(members) => refused(message).help(self.write_others(name, &members)),
            None => refused(message).help(NOT_WRITTEN),
        })
    }

    /// The types that a pointer's number counts in.
    pub(crate) fn types_of(&self, pointer: BtfPtr) -> Checked<&'a Btf> {
        match pointer.types {
            Types::Kernel => self.env.kernel.needed_for("what is in structures"),
            Types::Program => {
                let btf = self.env.object.btf.as_ref();
                btf.ok_or_else(|| not_modelled("objects of no type"))
            }
        }
    }

    /// What every access through such a pointer wants; gives the offset in bytes.
    fn check_structure_access(
        &self,
        btf: &Btf,
        pointer: BtfPtr,
        base: &RegState,
        access: MemAccess,
    ) -> Checked<u32> {
        let (name, number) = (btf.name(pointer.id), access.reg.number());
        if pointer.id == TypeId::VOID {
            return Err(not_modelled("what is in this structure"));
        }
        if !self.env.config.may_leak_pointers() {
            let message =
                format!("'struct {name}' access is allowed only to CAP_PERFMON and CAP_SYS_ADMIN");
            return Err(Rejection::new(Code::Capability, message)
                .label("looks into a structure of the kernel")
                .help("load the program with CAP_PERFMON"));
        }
        let is_asked = self.env.config.since(LICENSE_ASKED);
        if pointer.types == Types::Kernel && is_asked && !self.env.is_gpl_compatible() {
            let message =
                format!("Cannot access kernel 'struct {name}' from non-GPL compatible program");
            return Err(Rejection::new(Code::GplOnly, message)
                .label("looks into a structure of the kernel")
                .help(DECLARE_LICENSE));
        }
        let off = i64::from(base.off) + i64::from(access.off);
        let refuse = |message: String, (label, help): (&str, &str)| {
            Err(Rejection::new(Code::MemoryBounds, message)
                .label(label.to_owned())
                .because(base.origin.made, "the pointer comes from here")
                .help(help))
        };
        let Ok(off) = u32::try_from(off) else {
            let message = format!("R{number} is ptr_{name} invalid negative access: off={off}");
            return refuse(message, BEFORE);
        };
        if base.constant_var_off() != Some(0) {
            let message = format!(
                "R{number} is ptr_{name} invalid variable offset: off={off}, var_off={}",
                base.scalar.tnum
            );
            return refuse(message, COMPUTED);
        }
        for (mark, what, why) in ELSEWHERE {
            if pointer.marks.has(mark) {
                let message = format!("R{number} is ptr_{name} access {what} memory: off={off}");
                return refuse(message, why);
            }
        }
        Ok(off)
    }

    /// That an object that the program allocated still belongs to it.
    fn check_owned(&self, pointer: BtfPtr, base: &RegState) -> Checked {
        let kept = Marks::NON_OWNING | Marks::RCU | Marks::UNTRUSTED;
        if !pointer.marks.has(Marks::ALLOC) || pointer.marks.has_any(kept) || base.ref_id != 0 {
            return Ok(());
        }
        Err(
            Rejection::new(Code::MemoryBounds, "allocated object must have ref_obj_id")
                .label("the object is nobody's")
                .help("use the object before it is given away, or what was found in a list or tree while its lock is held"),
        )
    }

    /// That an access to an object of the program leaves alone what is the kernel's in it.
    fn check_direct(&self, pointer: BtfPtr, off: u32, size: u32) -> Checked {
        if !pointer.marks.has(Marks::ALLOC) {
            return Ok(());
        }
        let end = u64::from(off) + u64::from(size);
        for special in self.specials_behind(Kind::Btf(pointer))? {
            let (begin, bytes) = (u64::from(special.offset), u64::from(special.size));
            if u64::from(off) < begin + bytes && begin < end {
                let name = special.kind.name();
                let message = format!("direct access to {name} is disallowed");
                return Err(Rejection::new(Code::SpecialField, message)
                    .label(format!("reaches the {name} at {begin} of the object"))
                    .help("leave these bytes to the kernel, which sets them: write the other members one by one"));
            }
        }
        Ok(())
    }

    fn structure_field(
        &self,
        btf: &'a Btf,
        pointer: BtfPtr,
        off: u32,
        access: MemAccess,
    ) -> Checked<Field<'a>> {
        self.field_of_bytes(btf, pointer, (off, access.size.bytes()), access.direction)
    }

    /// The same of any number of bytes.
    fn field_of_bytes(
        &self,
        btf: &'a Btf,
        pointer: BtfPtr,
        (off, size): (u32, u32),
        direction: Direction,
    ) -> Checked<Field<'a>> {
        self.check_direct(pointer, off, size)?;
        field_at(btf, pointer.id, off, size).map_err(|message| {
            let verb = match direction {
                Direction::Read => "reads",
                Direction::Write => "writes",
            };
            Rejection::new(Code::MemoryBounds, message).label(format!(
                "{verb} {size} bytes at {off} of struct {}",
                btf.name(pointer.id)
            ))
            .help(
                "read whole members of the structure: in C with the kernel's own types (vmlinux.h) \
                 and the offsets that CO-RE finds",
            )
        })
    }

    /// What a pointer found in a structure may be used for, and whether it may be null.
    fn inherited(
        &self,
        btf: &Btf,
        base: &RegState,
        from: BtfPtr,
        member: PointerField<'_>,
    ) -> (Marks, Null) {
        let found = member.marks;
        let plain = found.without(Marks::TRUSTED | Marks::RCU | Marks::UNTRUSTED);
        if from.marks.has(Marks::UNTRUSTED) {
            return (plain | Marks::UNTRUSTED, Null::Never);
        }
        if !self.env.config.since(TRUST) {
            return (plain, Null::Never);
        }
        if !(base.is_trusted_structure() || from.marks.has(Marks::RCU)) {
            return (found.without(Marks::TRUSTED | Marks::RCU), Null::Never);
        }
        let listed = |list: &str| {
            let name = format!("{}{list}", btf.name(from.id));
            let list = self.env.kernel.record(&name);
            list.is_some_and(|list| is_listed(btf, list, member))
        };
        if listed("__safe_trusted") {
            return (found | Marks::TRUSTED, Null::Never);
        }
        if listed("__safe_trusted_or_null") {
            return (found | Marks::TRUSTED, Null::Maybe);
        }
        if !self.in_rcu_section() {
            return (plain | Marks::UNTRUSTED, Null::Never);
        }
        if listed("__safe_rcu") {
            return (found | Marks::RCU, Null::Never);
        }
        if found.has(Marks::RCU) || listed("__safe_rcu_or_null") {
            return (found | Marks::RCU, Null::Maybe);
        }
        if found.has_any(Marks::PERCPU | Marks::USER) {
            return (found, Null::Never);
        }
        (found.without(Marks::TRUSTED | Marks::RCU), Null::Never)
    }
}

/// Since when it matters how a program came by a pointer: to Linux 6.1 all that it finds in
/// structures are alike.
const TRUST: KernelVersion = (6, 2);

/// Since when programs that look into structures of the kernel must be GPL: Linux 6.1 takes others.
const LICENSE_ASKED: KernelVersion = (6, 2);

/// Since when what a pointer to no structure points to can be read.
pub(crate) const UNTRUSTED_MEMORY: KernelVersion = (6, 17);

/// A tracked connection, as it is and before it is set up.
const CONNECTIONS: [&str; 2] = ["nf_conn", "nf_conn___init"];

/// Whether an access is to the mark of a connection, which is all of it that programs write.
fn is_mark(btf: &Btf, connection: TypeId, off: u32, size: Size) -> bool {
    let Some(Type::Struct { members, .. }) = btf.get(connection).map(|ty| &ty.kind) else {
        return false;
    };
    let is_mark = |member: &&Member| btf.str(member.name) == "mark";
    // Before it is set up, a connection is a structure around the connection.
    match (members.iter().find(is_mark), members.first()) {
        (Some(mark), _) => mark.offset == off * 8 && size.bytes() <= 4,
        (None, Some(inner)) if members.len() == 1 => {
            is_mark_of(btf, btf.resolve(inner.ty), off, size)
        }
        _ => false,
    }
}

/// The same for the connection itself.
fn is_mark_of(btf: &Btf, connection: TypeId, off: u32, size: Size) -> bool {
    CONNECTIONS.first() == Some(&btf.name(connection)) && is_mark(btf, connection, off, size)
}

/// Whether one of the kernel's lists has a member of this name and type.
fn is_listed(btf: &Btf, list: TypeId, member: PointerField<'_>) -> bool {
    let Some(Type::Struct { members, .. } | Type::Union { members, .. }) =
        btf.get(list).map(|ty| &ty.kind)
    else {
        return false;
    };
    members.iter().any(|listed| {
        let is_pointer_to = |ty: TypeId| match btf.get(btf.resolve(ty)).map(|ty| &ty.kind) {
            Some(Type::Ptr(target)) => btf.resolve(*target) == member.to,
            _ => false,
        };
        btf.str(listed.name) == member.name && is_pointer_to(listed.ty)
    })
}
