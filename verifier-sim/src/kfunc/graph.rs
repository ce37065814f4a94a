//! Kernel functions for lists and trees of objects that the program allocates.
//!
//! A list or tree owns what is put into it, which is then only lent to the program: while the
//! lock beside the list or tree is held, its objects can be had and looked through, and pointers to
//! them end with the lock. A function of the program says how a tree is ordered.
//!
//! Described in the kernel's `Documentation/bpf/graph_ds_impl.rst`; messages as observed on
//! Linux 6.18.
//!
//! Read before: `kfunc/object.rs`, `object/lock.rs`. Read next: `kfunc/res_lock.rs`.

use super::argument::{Found, Passed};
use super::object::{check_referenced, marks_of, object, refuse, wrong_type};
use super::table::Flags;
use super::{Kfunc, has_flag};
use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::env::Env;
use crate::memory::region::FixedOffset;
use crate::object::lock::LockOwner;
use crate::step::machine::{Flow, Machine, not_modelled};
use crate::types::special::{LIST_HEAD, RB_ROOT, Root, Special, SpecialKind};
use crate::value::btf_ptr::{BtfPtr, Marks, Types};
use crate::value::reg::{Kind, RegState};
use ebpf_asm::insn::Reg;

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
    /// That a register points to a list or tree, whose lock is held.
    pub(super) fn check_root(
        &self,
        kfunc: &Kfunc<'a>,
        passed: Passed,
        graph: Graph,
        found: &mut Found<'a>,
    ) -> Checked {
        let Passed { index, reg, value } = passed;
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
        passed: Passed,
        graph: Graph,
        found: &mut Found<'a>,
    ) -> Checked {
        let Passed { index, reg, value } = passed;
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

    /// A pointer to what links an object into a list or tree that only lends it.
    pub(super) fn lent(&self, root: Root) -> Checked<RegState> {
        let owned = node_pointer(root, Marks::ALLOC)?;
        node_pointer(root, Marks::ALLOC | self.lent_marks(owned.kind)?)
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
pub(super) fn node_pointer(root: Root, marks: Marks) -> Checked<RegState> {
    let mut node = RegState::pointer(Kind::Btf(BtfPtr {
        types: Types::Program,
        marks,
        id: root.object,
    }));
    node.off = i32::try_from(root.node).map_err(|_| not_modelled("so large an object"))?;
    Ok(node)
}

/// That an object that is put into a list or tree is one that the program owns.
fn check_inserted(env: &Env<'_>, index: usize, reg: Reg, value: &RegState) -> Checked {
    if marks_of(value) != Some(Marks::ALLOC) {
        let message = format!("arg#{index} expected pointer to allocated object");
        return Err(wrong_type(env, reg, value, message));
    }
    check_referenced(env, reg, value)
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
