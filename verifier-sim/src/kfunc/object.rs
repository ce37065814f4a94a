//! Kernel functions for objects that the program allocates, and for lists and trees of them.
//!
//! Who allocated an object owns it: the pointer is a reference, to be given back or put into a
//! list or tree, whose it is from then on. While the lock of the list or tree is held, pointers
//! to its objects can be had and looked through; they end with the lock.
//!
//! Described in the kernel's `Documentation/bpf/graph_ds_impl.rst`; messages as observed on
//! Linux 6.18.
//!
//! Read before: `types/special.rs`, `object/lock.rs`, `kfunc/argument.rs`. Read next:
//! `kfunc/invoke.rs`.

use super::argument::Found;
use super::param::is_plain;
use super::table::Flags;
use super::{Kfunc, has_flag};
use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::env::Env;
use crate::memory::number_help::number_made;
use crate::memory::region::FixedOffset;
use crate::object::lock::LockOwner;
use crate::step::machine::{Flow, Machine, not_modelled};
use crate::types::special::{LIST_HEAD, RB_ROOT, Root, Special, SpecialKind};
use crate::value::btf_ptr::{BtfPtr, Marks, Types};
use crate::value::reg::{Kind, RegState};
use ebpf_asm::btf::{Kind as Type, TypeId};
use ebpf_asm::insn::Reg;

/// The most bytes of an object that each CPU has.
const MAX_PER_CPU: u32 = 512;

/// A list or a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Graph {
    List,
    Tree,
}

impl Graph {
    fn root_name(self) -> &'static str {
        match self {
            Graph::List => LIST_HEAD,
            Graph::Tree => RB_ROOT,
        }
    }

    fn node_name(self) -> &'static str {
        match self {
            Graph::List => SpecialKind::ListNode.name(),
            Graph::Tree => SpecialKind::RbNode.name(),
        }
    }

    /// The list or tree of the kind that a field is.
    fn root(self, special: &Special) -> Option<Root> {
        match (self, special.kind) {
            (Graph::List, SpecialKind::ListHead(root))
            | (Graph::Tree, SpecialKind::RbRoot(root)) => Some(root),
            _ => None,
        }
    }
}

impl<'a> Machine<'_, 'a> {
    /// That a register points to an object that the function gives back.
    pub(super) fn check_object(
        &self,
        kfunc: &Kfunc<'a>,
        index: usize,
        reg: Reg,
        found: &mut Found<'a>,
    ) -> Checked {
        let value = *self.state.reg(reg);
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
        index: usize,
        reg: Reg,
        found: &mut Found<'a>,
    ) -> Checked {
        let value = *self.state.reg(reg);
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

    /// That a register points to a list or tree, whose lock is held.
    pub(super) fn check_root(
        &self,
        kfunc: &Kfunc<'a>,
        index: usize,
        reg: Reg,
        graph: Graph,
        found: &mut Found<'a>,
    ) -> Checked {
        let value = *self.state.reg(reg);
        self.check_object_offset(kfunc, reg, &value)?;
        let in_map = matches!(value.kind, Kind::MapValue(_)) && !value.may_be_null();
        if !in_map && marks_of(&value) != Some(Marks::ALLOC) {
            let message = format!("arg#{index} expected pointer to map value or allocated object");
            return Err(wrong_type(self.env, reg, &value, message));
        }
        if !in_map {
            check_referenced(self.env, reg, &value)?;
        }
        let name = graph.root_name();
        let off = constant_offset(self.env, reg, &value, name)?;
        let here = |special: &&Special| i64::from(special.offset) == off;
        let specials = self.specials_behind(value.kind)?;
        let root = specials
            .iter()
            .find(here)
            .and_then(|special| graph.root(special));
        let Some(root) = root else {
            let message = format!("{name} not found at offset={off}");
            return Err(refuse(self.env, reg, &value, message).help(format!(
                "hand over the address of the member of type struct {name}, which is declared with \
                 __contains"
            )));
        };
        self.check_lock_of(reg, &value, name)?;
        found.root = Some(root);
        Ok(())
    }

    /// That the lock beside a list or tree is held.
    fn check_lock_of(&self, reg: Reg, value: &RegState, name: &str) -> Checked {
        let held = LockOwner::of(value.kind).map(|owner| (owner, value.id));
        let mut locks = self.state.owed().locks.iter();
        if locks.any(|lock| Some(lock.place()) == held) {
            return Ok(());
        }
        let message = match self.state.owed().locks.last() {
            Some(_) => "held lock and object are not in the same allocation".to_owned(),
            None => {
                let lock = self.special_of(value.kind, SpecialKind::SpinLock)?;
                let at = lock.map_or(-22, |lock| i64::from(lock.offset));
                format!("bpf_spin_lock at off={at} must be held for {name}")
            }
        };
        Err(Rejection::new(Code::Lock, message)
            .label("the lock that guards it is not held here")
            .because(value.origin.made, format!("R{} is made here", reg.number()))
            .help("take the lock of the same value before, with bpf_spin_lock"))
    }

    /// That a register points to what links an object into the list or tree.
    pub(super) fn check_node(
        &self,
        kfunc: &Kfunc<'a>,
        index: usize,
        reg: Reg,
        graph: Graph,
        found: &mut Found<'a>,
    ) -> Checked {
        let value = *self.state.reg(reg);
        self.check_object_offset(kfunc, reg, &value)?;
        match kfunc.row.has(Flags::INSERTS) {
            true => check_inserted(self.env, index, reg, &value)?,
            false => self.check_found(kfunc, reg, &value)?,
        }
        let name = graph.node_name();
        let off = constant_offset(self.env, reg, &value, name)?;
        let specials = self.specials_behind(value.kind)?;
        let here =
            |special: &Special| i64::from(special.offset) == off && special.kind.name() == name;
        if !specials.iter().any(here) {
            let message = format!("{name} not found at offset={off}");
            return Err(refuse(self.env, reg, &value, message));
        }
        let root = found
            .root
            .ok_or_else(|| not_modelled("a node of no list"))?;
        let Some(node) = object(&value) else {
            return Err(not_modelled("a node of no object"));
        };
        self.check_linking(reg, &value, graph, (node, off), root)?;
        found.object = Some(node);
        Ok(())
    }

    /// That a function takes a node that is in a tree: one that was looked up, or is kept.
    fn check_found(&self, kfunc: &Kfunc<'a>, reg: Reg, value: &RegState) -> Checked {
        // Linux 6.18 takes one that may be null.
        if matches!(value.kind, Kind::Btf(_)) && value.may_be_null() {
            self.check_pointer_offset(reg, value, FixedOffset::Refused)?;
        }
        let marks = object(value).map(|pointer| pointer.marks);
        let borrowed =
            marks.is_some_and(|marks| marks.has(Marks::ALLOC) && marks.has(Marks::NON_OWNING));
        if !borrowed && value.ref_id == 0 {
            let message = format!(
                "{} can only take non-owning or refcounted bpf_rb_node pointer",
                kfunc.name
            );
            return Err(refuse(self.env, reg, value, message));
        }
        if self.in_tree_callback() {
            let message = format!("{} not allowed in rbtree cb", kfunc.name);
            return Err(
                refuse(self.env, reg, value, message).help("only compare the two objects here")
            );
        }
        Ok(())
    }

    /// That a list or tree links objects of this type, by the field at this offset.
    fn check_linking(
        &self,
        reg: Reg,
        value: &RegState,
        graph: Graph,
        (node, off): (BtfPtr, i64),
        root: Root,
    ) -> Checked {
        let name = graph.node_name();
        if node.id != root.object {
            let message = format!(
                "operation on {} expects arg#1 {name} at offset={} in struct {}, but arg is at \
                 offset={off} in struct {}",
                graph.root_name(),
                root.node,
                self.env.structure_name(BtfPtr {
                    id: root.object,
                    ..node
                }),
                self.env.structure_name(node)
            );
            return Err(refuse(self.env, reg, value, message));
        }
        if off != i64::from(root.node) {
            let message = format!(
                "arg#1 offset={off}, but expected {name} at offset={} in struct {}",
                root.node,
                self.env.structure_name(node)
            );
            return Err(refuse(self.env, reg, value, message));
        }
        Ok(())
    }

    /// That a pointer to an object is passed at a known place, and whole if it is given back.
    fn check_object_offset(&self, kfunc: &Kfunc<'a>, reg: Reg, value: &RegState) -> Checked {
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

    /// A pointer to what links an object into a list or tree that only lends it.
    fn lent(&self, root: Root) -> Checked<RegState> {
        let owned = node_pointer(root, Marks::ALLOC)?;
        node_pointer(root, Marks::ALLOC | self.lent_marks(owned.kind)?)
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

    /// Whether this is the function of the program that compares objects of a tree.
    pub(crate) fn in_tree_callback(&self) -> bool {
        self.state.frame().is_called_back() && {
            let call = self.state.frame().return_to;
            let name = self.env.kfunc_name(call);
            name.is_some_and(|name| has_flag(name, Flags::CALLS_BACK))
        }
    }

    /// The call of the program's function that compares, for an object that is put into a tree.
    pub(super) fn tree_callback(
        &mut self,
        kfunc: &Kfunc<'a>,
        found: &Found<'a>,
        next: usize,
    ) -> Checked<Option<Flow>> {
        if !kfunc.row.has(Flags::CALLS_BACK) {
            return Ok(None);
        }
        let (Some(function), Some(root)) = (found.plain.callback, found.root) else {
            return Err(not_modelled("a tree without order"));
        };
        let node = self.lent(root)?;
        let nothing = RegState::NOT_INIT;
        let handed = [node, node, nothing, nothing, nothing];
        let inside = self.called_back(function, handed)?;
        Ok(Some(Flow::CallBack {
            next,
            function,
            inside,
        }))
    }

    /// Makes what was put into a list or tree one that is only lent to the program.
    pub(super) fn insert(&mut self, kfunc: &Kfunc<'a>) -> Checked {
        if !kfunc.row.has(Flags::INSERTS) {
            return Ok(());
        }
        let node = *self.state.reg(Reg::R2);
        let lent = self.lent_marks(node.kind)?;
        let owned = |reg: &RegState| reg.ref_id == node.ref_id;
        self.state.change_regs(owned, |reg| {
            reg.ref_id = 0;
            if let Kind::Btf(pointer) = &mut reg.kind {
                pointer.marks = pointer.marks | lent;
            }
        });
        self.release_reference(node.ref_id);
        Ok(())
    }

    /// The marks of what is only lent: RCU keeps what counts its owners.
    fn lent_marks(&self, kind: Kind) -> Checked<Marks> {
        Ok(match self.special_of(kind, SpecialKind::Refcount)? {
            Some(_) => Marks::NON_OWNING | Marks::RCU,
            None => Marks::NON_OWNING,
        })
    }
}

/// A pointer to what links an object into a list or tree.
fn node_pointer(root: Root, marks: Marks) -> Checked<RegState> {
    let mut node = RegState::pointer(Kind::Btf(BtfPtr {
        types: Types::Program,
        marks,
        id: root.object,
    }));
    node.off = i32::try_from(root.node).map_err(|_| not_modelled("so large an object"))?;
    Ok(node)
}

/// The marks of a pointer to a structure that is not null.
fn marks_of(value: &RegState) -> Option<Marks> {
    match value.kind {
        Kind::Btf(pointer) if !value.may_be_null() => Some(pointer.marks),
        _ => None,
    }
}

fn object(value: &RegState) -> Option<BtfPtr> {
    match value.kind {
        Kind::Btf(pointer) => Some(pointer),
        _ => None,
    }
}

/// That an object that is put into a list or tree is one that the program owns.
fn check_inserted(env: &Env<'_>, index: usize, reg: Reg, value: &RegState) -> Checked {
    if marks_of(value) != Some(Marks::ALLOC) {
        let message = format!("arg#{index} expected pointer to allocated object");
        return Err(wrong_type(env, reg, value, message));
    }
    check_referenced(env, reg, value)
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

fn check_referenced(env: &Env<'_>, reg: Reg, value: &RegState) -> Checked {
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

fn constant_offset(env: &Env<'_>, reg: Reg, value: &RegState, name: &str) -> Checked<i64> {
    let number = reg.number();
    let Some(var_off) = value.constant_var_off() else {
        return Err(refuse(
            env,
            reg,
            value,
            format!(
                "R{number} doesn't have constant offset. {name} has to be at the constant offset"
            ),
        ));
    };
    Ok(i64::from(value.off) + var_off)
}

/// What the kernel says to a register of the wrong kind.
fn wrong_type(env: &Env<'_>, reg: Reg, value: &RegState, message: String) -> Box<Rejection> {
    let mut refused = refuse(env, reg, value, message);
    refused.code = Code::ArgumentType;
    refused
}

fn refuse(env: &Env<'_>, reg: Reg, value: &RegState, message: String) -> Box<Rejection> {
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
