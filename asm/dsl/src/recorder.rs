//! The recorder: one program while its closure runs.
//!
//! Everything here is free of generics, so that the typed surface forwards to code that is
//! compiled once, with this crate, and not again with every program file.

use core::any;
use core::marker::PhantomData;
use core::panic::Location;
use std::cell::RefCell;

use crate::recording::{
    Arg, BinaryOp, Block, CompareOp, CoreKind, FileId, Helper, KernelType, KernelTypeId, Loc,
    LocId, MapId, Op, OpKind, Operand, Type, ValueId, VarId,
};

/// One program being recorded.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    state: RefCell<State>,
}

/// What a finished recorder leaves.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) files: Vec<&'static str>,
    pub(crate) locations: Vec<Loc>,
    pub(crate) values: Vec<Type>,
    pub(crate) vars: Vec<Type>,
    /// Types of the kernel, with the Rust types that declare them.
    pub(crate) kernel_types: Vec<(any::TypeId, KernelType)>,
    /// Places in types of the kernel; [`PlaceId`] indexes them.
    places: Vec<KernelPlace>,
    /// Maps by number and name, to tell whether they are this unit's.
    pub(crate) maps_used: Vec<(MapId, &'static str, LocId)>,
    /// Blocks being recorded, innermost last. Never empty while a closure runs.
    open: Vec<Block>,
    /// Calls of the inlined functions being recorded, innermost last.
    calls: Vec<LocId>,
}

/// A type of the kernel, or a member of it: of an enum an enumerator.
#[derive(Clone, Debug, PartialEq, Eq)]
struct KernelPlace {
    ty: KernelTypeId,
    path: Vec<u32>,
}

/// Number of a place in a type of the kernel while its program is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PlaceId(usize);

/// A recorder, branded by its program's lifetime.
///
/// The lifetime is invariant: a value of one program is no value of another.
#[derive(Clone, Copy, Debug)]
pub struct Rec<'p> {
    recorder: &'p Recorder,
    brand: PhantomData<fn(&'p ()) -> &'p ()>,
}

impl<'p> Rec<'p> {
    pub(crate) fn new(recorder: &'p Recorder) -> Self {
        Rec {
            recorder,
            brand: PhantomData,
        }
    }

    pub(crate) fn recorder(self) -> &'p Recorder {
        self.recorder
    }
}

impl State {
    fn file(&mut self, path: &'static str) -> FileId {
        let index = match self.files.iter().position(|known| *known == path) {
            Some(index) => index,
            None => {
                self.files.push(path);
                self.files.len() - 1
            }
        };
        FileId(number(index))
    }

    fn loc(&mut self, at: &'static Location<'static>) -> LocId {
        let loc = Loc {
            file: self.file(at.file()),
            line: at.line(),
            column: at.column(),
            inlined_at: self.calls.last().copied(),
        };
        // Operations of one expression follow each other: the last location often repeats.
        if self.locations.last() != Some(&loc) {
            self.locations.push(loc);
        }
        LocId(number(self.locations.len() - 1))
    }

    fn push(&mut self, kind: OpKind, at: &'static Location<'static>) {
        let loc = self.loc(at);
        if let Some(block) = self.open.last_mut() {
            block.push(Op { kind, loc });
        }
    }

    fn place(&mut self, place: KernelPlace) -> PlaceId {
        let known = self.places.iter().position(|known| *known == place);
        PlaceId(known.unwrap_or_else(|| {
            self.places.push(place);
            self.places.len() - 1
        }))
    }

    fn value(&mut self, ty: Type) -> ValueId {
        self.values.push(ty);
        ValueId(number(self.values.len() - 1))
    }
}

/// A table's index as a number. Four billion operations do not fit in memory.
fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// Where an operation of a `then` must be amended when its `else_` comes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IfAt(usize);

impl Recorder {
    pub(crate) fn into_state(self) -> State {
        self.state.into_inner()
    }

    /// Records an operation that defines no value.
    #[track_caller]
    pub(crate) fn effect(&self, kind: OpKind) {
        self.state.borrow_mut().push(kind, Location::caller());
    }

    /// Records an operation that defines a value, which is told the value's number.
    #[track_caller]
    pub(crate) fn define(&self, ty: Type, kind: impl FnOnce(ValueId) -> OpKind) -> ValueId {
        let at = Location::caller();
        let mut state = self.state.borrow_mut();
        let dst = state.value(ty);
        state.push(kind(dst), at);
        dst
    }

    #[track_caller]
    pub(crate) fn binary(&self, ty: Type, op: BinaryOp, lhs: Operand, rhs: Operand) -> ValueId {
        self.define(ty, |dst| OpKind::Binary { dst, op, lhs, rhs })
    }

    #[track_caller]
    pub(crate) fn compare(&self, ty: Type, op: CompareOp, lhs: Operand, rhs: Operand) -> ValueId {
        self.define(Type::Bool, |dst| OpKind::Compare {
            dst,
            op,
            ty,
            lhs,
            rhs,
        })
    }

    #[track_caller]
    pub(crate) fn not(&self, value: ValueId) -> ValueId {
        self.define(Type::Bool, |dst| OpKind::Not { dst, value })
    }

    #[track_caller]
    pub(crate) fn cast(&self, ty: Type, value: ValueId) -> ValueId {
        self.define(ty, |dst| OpKind::Cast { dst, value })
    }

    #[track_caller]
    pub(crate) fn swap(&self, ty: Type, value: ValueId) -> ValueId {
        self.define(ty, |dst| OpKind::Swap { dst, value })
    }

    #[track_caller]
    pub(crate) fn load(&self, ty: Type, ptr: ValueId, offset: u32) -> ValueId {
        self.define(ty, |dst| OpKind::Load { dst, ptr, offset })
    }

    #[track_caller]
    pub(crate) fn store(&self, ty: Type, ptr: ValueId, offset: u32, value: Operand) {
        self.effect(OpKind::Store {
            ptr,
            offset,
            ty,
            value,
        });
    }

    #[track_caller]
    pub(crate) fn in_packet(&self, ptr: ValueId, end: u32) -> ValueId {
        self.define(Type::Bool, |dst| OpKind::InPacket { dst, ptr, end })
    }

    /// The same pointer, as it is known behind its check: so that a handle which leaves the
    /// branch of its check is found out like any other value.
    #[track_caller]
    pub(crate) fn checked(&self, ptr: ValueId) -> ValueId {
        self.cast(Type::Ptr, ptr)
    }

    #[track_caller]
    pub(crate) fn uses_map(&self, map: MapId, name: &'static str) {
        let mut state = self.state.borrow_mut();
        let loc = state.loc(Location::caller());
        state.maps_used.push((map, name, loc));
    }

    /// The type of the kernel that the Rust type `declared` declares.
    pub(crate) fn kernel_type(&self, declared: any::TypeId, ty: fn() -> KernelType) -> PlaceId {
        let mut state = self.state.borrow_mut();
        let known = state
            .kernel_types
            .iter()
            .position(|(id, _)| *id == declared);
        let index = known.unwrap_or_else(|| {
            state.kernel_types.push((declared, ty()));
            state.kernel_types.len() - 1
        });
        let (ty, path) = (KernelTypeId(number(index)), Vec::new());
        state.place(KernelPlace { ty, path })
    }

    /// The member, or enumerator, of this index.
    pub(crate) fn within(&self, place: PlaceId, index: u32) -> PlaceId {
        let mut state = self.state.borrow_mut();
        match state.places.get(place.0).cloned() {
            Some(mut inner) => {
                inner.path.push(index);
                state.place(inner)
            }
            // Numbers of places come from this recorder.
            None => place,
        }
    }

    /// Whether a place is a whole type.
    pub(crate) fn is_whole(&self, place: PlaceId) -> bool {
        let state = self.state.borrow();
        state
            .places
            .get(place.0)
            .is_some_and(|place| place.path.is_empty())
    }

    /// Asks the running kernel about a place.
    #[track_caller]
    pub(crate) fn core(&self, kind: CoreKind, place: PlaceId) -> ValueId {
        let known = self.state.borrow().places.get(place.0).cloned();
        let KernelPlace { ty, path } = known.unwrap_or(KernelPlace {
            ty: KernelTypeId(0),
            path: Vec::new(),
        });
        self.define(Type::U64, |dst| OpKind::Core {
            dst,
            kind,
            ty,
            path,
        })
    }

    /// Memory on the stack, until the next call of this.
    #[track_caller]
    pub(crate) fn scratch(&self, size: u32) -> ValueId {
        self.define(Type::Ptr, |dst| OpKind::Scratch { dst, size })
    }

    #[track_caller]
    pub(crate) fn not_null(&self, ptr: ValueId) -> ValueId {
        self.define(Type::Bool, |dst| OpKind::NotNull { dst, ptr })
    }

    #[track_caller]
    pub(crate) fn new_var(&self, ty: Type, initial: Operand) -> VarId {
        let var = {
            let mut state = self.state.borrow_mut();
            state.vars.push(ty);
            VarId(number(state.vars.len() - 1))
        };
        self.effect(OpKind::SetVar {
            var,
            value: initial,
        });
        var
    }

    #[track_caller]
    pub(crate) fn call<const N: usize>(&self, ty: Type, helper: Helper, args: [Arg; N]) -> ValueId {
        let args = args.to_vec();
        self.define(ty, |dst| OpKind::Call { dst, helper, args })
    }

    #[track_caller]
    pub(crate) fn return_(&self, value: Option<Operand>) {
        self.effect(OpKind::Return { value });
    }

    /// Returns `value` where `cond` does not hold.
    #[track_caller]
    pub(crate) fn or_return(&self, cond: ValueId, value: Option<Operand>) {
        let at = Location::caller();
        let mut state = self.state.borrow_mut();
        let loc = state.loc(at);
        let kind = OpKind::Return { value };
        let then = Vec::new();
        let otherwise = vec![Op { kind, loc }];
        state.push(
            OpKind::If {
                cond,
                then,
                otherwise,
            },
            at,
        );
    }

    /// Returns `value` where `cond` holds.
    #[track_caller]
    pub(crate) fn return_if(&self, cond: ValueId, value: Option<Operand>) {
        let at = Location::caller();
        let mut state = self.state.borrow_mut();
        let loc = state.loc(at);
        let kind = OpKind::Return { value };
        let then = vec![Op { kind, loc }];
        let otherwise = Vec::new();
        state.push(
            OpKind::If {
                cond,
                then,
                otherwise,
            },
            at,
        );
    }

    pub(crate) fn open(&self) {
        self.state.borrow_mut().open.push(Vec::new());
    }

    pub(crate) fn close(&self) -> Block {
        self.state.borrow_mut().open.pop().unwrap_or_default()
    }

    /// Closes the block just recorded, as what runs when `cond` holds.
    #[track_caller]
    pub(crate) fn close_then(&self, cond: ValueId) -> IfAt {
        let at = Location::caller();
        let mut state = self.state.borrow_mut();
        let then = state.open.pop().unwrap_or_default();
        let otherwise = Vec::new();
        state.push(
            OpKind::If {
                cond,
                then,
                otherwise,
            },
            at,
        );
        let len = state.open.last().map_or(0, Vec::len);
        IfAt(len.saturating_sub(1))
    }

    /// Closes the block just recorded, as what runs when the condition at `at` does not hold.
    pub(crate) fn close_else(&self, at: IfAt) {
        let mut state = self.state.borrow_mut();
        let block = state.open.pop().unwrap_or_default();
        let op = state.open.last_mut().and_then(|open| open.get_mut(at.0));
        if let Some(Op {
            kind: OpKind::If { otherwise, .. },
            ..
        }) = op
        {
            *otherwise = block;
        }
    }

    /// Opens the body of an inlined function that is called here.
    #[track_caller]
    pub(crate) fn open_inlined(&self) {
        let mut state = self.state.borrow_mut();
        let call = state.loc(Location::caller());
        state.calls.push(call);
        state.open.push(Vec::new());
    }

    /// Closes the body of an inlined function that returns a `ty`.
    #[track_caller]
    pub(crate) fn close_inlined(&self, ty: Type) -> ValueId {
        let body = self.close_call();
        self.define(ty, |dst| OpKind::Inlined {
            dst: Some(dst),
            body,
        })
    }

    /// Closes the body of an inlined function that returns nothing.
    #[track_caller]
    pub(crate) fn close_inlined_procedure(&self) {
        let body = self.close_call();
        self.effect(OpKind::Inlined { dst: None, body });
    }

    fn close_call(&self) -> Block {
        let mut state = self.state.borrow_mut();
        state.calls.pop();
        state.open.pop().unwrap_or_default()
    }

    /// Location of the caller, as a number.
    #[track_caller]
    pub(crate) fn here(&self) -> LocId {
        self.state.borrow_mut().loc(Location::caller())
    }
}
