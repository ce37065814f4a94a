//! The check of one program's operations: scopes and types.
//!
//! Read before: `check.rs`.

use crate::check::{MAX_DEPTH, Place, RecordError, describe};
use crate::raw_tracepoint::MAX_ARGS;
use crate::recording::{
    Arg, BinaryOp, Block, CompareOp, ContextField, CoreKind, CoreSubject, KernelTypeId, LocId, Op,
    OpKind, Operand, Program, ProgramKind, Recording, Type, ValueId, VarId,
};

/// What is known about a value or a variable at a point of the walk.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Seen {
    NotYet,
    InScope(LocId),
    Left(LocId),
}

/// A value or a variable that ends with the block it was recorded in.
enum Defined {
    Value(ValueId),
    Var(VarId),
}

pub(crate) struct Checker<'a> {
    recording: &'a Recording,
    program: &'a Program,
    values: Vec<Seen>,
    vars: Vec<Seen>,
    /// What each open block has defined, innermost last.
    open: Vec<Vec<Defined>>,
    /// What the inlined function being walked returns; the program returns a `u32`.
    returns: Option<Type>,
}

type Checked = Result<(), RecordError>;

impl<'a> Checker<'a> {
    pub(crate) fn new(recording: &'a Recording, program: &'a Program) -> Self {
        Checker {
            recording,
            program,
            values: vec![Seen::NotYet; program.values.len()],
            vars: vec![Seen::NotYet; program.vars.len()],
            open: Vec::new(),
            returns: Some(Type::U32),
        }
    }

    pub(crate) fn check(mut self) -> Checked {
        for (index, loc) in self.program.locations.iter().enumerate() {
            let file = loc.file.0 as usize;
            self.must(file < self.recording.files.len(), "a location has no file")?;
            let later = loc.inlined_at.is_some_and(|at| at.0 as usize >= index);
            self.must(!later, "a location is inlined at a later one")?;
        }
        self.loc(self.program.loc)?;
        self.block(&self.program.body)?;
        self.must(
            returns_at_end(&self.program.body),
            "the program does not end with a return",
        )
    }

    fn must(&self, holds: bool, reason: &'static str) -> Checked {
        if holds {
            return Ok(());
        }
        Err(RecordError::Malformed {
            program: self.program.name.clone(),
            reason,
        })
    }

    fn place(&self, loc: LocId) -> Place {
        describe(&self.recording.files, &self.program.locations, loc)
    }

    fn loc(&self, loc: LocId) -> Checked {
        let known = (loc.0 as usize) < self.program.locations.len();
        self.must(known, "an operation has no location")
    }

    fn block(&mut self, block: &Block) -> Checked {
        if self.open.len() > MAX_DEPTH {
            let at = self.place(block.first().map_or(self.program.loc, |op| op.loc));
            return Err(RecordError::TooDeep { at });
        }
        self.open.push(Vec::new());
        for op in block {
            self.loc(op.loc)?;
            self.op(op)?;
        }
        for defined in self.open.pop().unwrap_or_default() {
            let seen = match defined {
                Defined::Value(ValueId(id)) => self.values.get_mut(id as usize),
                Defined::Var(VarId(id)) => self.vars.get_mut(id as usize),
            };
            if let Some(seen) = seen
                && let Seen::InScope(loc) = *seen
            {
                *seen = Seen::Left(loc);
            }
        }
        Ok(())
    }

    fn define(&mut self, dst: ValueId, loc: LocId) -> Checked {
        let new = self.values.get(dst.0 as usize) == Some(&Seen::NotYet);
        self.must(new, "a value is defined twice, or is not in the table")?;
        if let Some(seen) = self.values.get_mut(dst.0 as usize) {
            *seen = Seen::InScope(loc);
        }
        if let Some(open) = self.open.last_mut() {
            open.push(Defined::Value(dst));
        }
        Ok(())
    }

    /// The type of a value that is in scope.
    fn value(&self, id: ValueId, used: LocId) -> Result<Type, RecordError> {
        let seen = self.values.get(id.0 as usize).copied();
        self.in_scope(seen, used)?;
        Ok(self.type_of(id))
    }

    fn in_scope(&self, seen: Option<Seen>, used: LocId) -> Checked {
        match seen {
            Some(Seen::InScope(_)) => Ok(()),
            Some(Seen::Left(recorded)) => Err(RecordError::OutOfScope {
                recorded: self.place(recorded),
                used: self.place(used),
            }),
            Some(Seen::NotYet) | None => self.must(false, "a value is used before it is defined"),
        }
    }

    /// The type of a value, which the table has: `define` or `value` asked.
    fn type_of(&self, id: ValueId) -> Type {
        let ty = self.program.values.get(id.0 as usize);
        ty.copied().unwrap_or(Type::Bool)
    }

    fn pointer(&self, id: ValueId, loc: LocId) -> Checked {
        let ty = self.value(id, loc)?;
        self.must(ty == Type::Ptr, "a pointer was expected")
    }

    fn condition(&self, id: ValueId, loc: LocId) -> Checked {
        let ty = self.value(id, loc)?;
        self.must(ty == Type::Bool, "a condition was expected")
    }

    /// Checks that an operand is a `ty`.
    fn operand(&self, operand: Operand, ty: Type, loc: LocId) -> Checked {
        match operand {
            Operand::Value(id) => {
                let found = self.value(id, loc)?;
                self.must(found == ty, "an operand has another type")
            }
            Operand::Const(number) => {
                self.must(ty.is_number(), "a constant is no condition and no pointer")?;
                let fits = ty.size() == 8 || number >> (ty.size() * 8) == 0;
                self.must(fits, "a constant is wider than its type")
            }
        }
    }

    fn op(&mut self, op: &Op) -> Checked {
        let loc = op.loc;
        match &op.kind {
            OpKind::SetVar { var, value } => return self.set_var(*var, *value, loc),
            OpKind::If {
                cond,
                then,
                otherwise,
            } => {
                self.condition(*cond, loc)?;
                self.block(then)?;
                self.block(otherwise)?;
            }
            OpKind::Inlined { dst, body } => self.inlined(*dst, body)?,
            OpKind::Return { value } => self.return_(*value, loc)?,
            OpKind::Call { args, .. } => self.args(args, loc)?,
            OpKind::Binary { .. } | OpKind::Compare { .. } => self.arithmetic(&op.kind, loc)?,
            OpKind::Not { .. } | OpKind::Swap { .. } | OpKind::Cast { .. } => {
                self.conversion(&op.kind, loc)?;
            }
            _ => self.memory(&op.kind, loc)?,
        }
        match op.kind.dst() {
            Some(dst) => self.define(dst, loc),
            None => Ok(()),
        }
    }

    /// The first setting of a variable gives it the scope it is in.
    fn set_var(&mut self, var: VarId, value: Operand, loc: LocId) -> Checked {
        let ty = self.program.vars.get(var.0 as usize).copied();
        self.must(ty.is_some_and(Type::is_number), "a variable has no type")?;
        self.operand(value, ty.unwrap_or(Type::U64), loc)?;
        let Some(seen) = self.vars.get_mut(var.0 as usize) else {
            return Ok(());
        };
        if *seen != Seen::NotYet {
            let seen = *seen;
            return self.in_scope(Some(seen), loc);
        }
        *seen = Seen::InScope(loc);
        if let Some(open) = self.open.last_mut() {
            open.push(Defined::Var(var));
        }
        Ok(())
    }

    fn inlined(&mut self, dst: Option<ValueId>, body: &Block) -> Checked {
        let outer = self.returns;
        self.returns = dst.map(|dst| self.type_of(dst));
        let number = self.returns.is_none_or(Type::is_number);
        self.must(number, "an inlined function returns a number or nothing")?;
        self.block(body)?;
        self.returns = outer;
        let end = returns_at_end(body);
        self.must(end, "an inlined function does not end with a return")
    }

    fn return_(&self, value: Option<Operand>, loc: LocId) -> Checked {
        match (value, self.returns) {
            (Some(value), Some(ty)) => self.operand(value, ty, loc),
            (None, None) => Ok(()),
            _ => self.must(false, "a return does not fit its function"),
        }
    }

    fn args(&self, args: &[Arg], loc: LocId) -> Checked {
        self.must(args.len() <= 5, "a helper takes at most five arguments")?;
        for arg in args {
            match *arg {
                Arg::Context | Arg::Operand(Operand::Const(_)) => {}
                Arg::Map(map) => {
                    let known = (map.0 as usize) < self.recording.maps.len();
                    self.must(known, "a map is not in the table")?;
                }
                Arg::Operand(Operand::Value(id)) => {
                    let ty = self.value(id, loc)?;
                    self.must(ty != Type::Bool, "a condition is no argument")?;
                }
                Arg::InMemory { ty, value } => self.operand(value, ty, loc)?,
            }
        }
        Ok(())
    }

    fn arithmetic(&self, kind: &OpKind, loc: LocId) -> Checked {
        match *kind {
            OpKind::Binary { dst, op, lhs, rhs } => {
                let ty = self.type_of(dst);
                let fits = match ty {
                    Type::Bool => matches!(op, BinaryOp::And | BinaryOp::Or),
                    Type::Be16 | Type::Be32 => {
                        matches!(op, BinaryOp::And | BinaryOp::Or | BinaryOp::Xor)
                    }
                    Type::Ptr => false,
                    _ => true,
                };
                self.must(fits, "an operation does not exist for its type")?;
                self.operand(lhs, ty, loc)?;
                self.operand(rhs, ty, loc)
            }
            OpKind::Compare {
                dst,
                op,
                ty,
                lhs,
                rhs,
            } => {
                let equality = matches!(op, CompareOp::Eq | CompareOp::Ne | CompareOp::Set);
                let fits = equality || !matches!(ty, Type::Be16 | Type::Be32);
                self.must(fits, "a comparison does not exist for its type")?;
                self.operand(lhs, ty, loc)?;
                self.operand(rhs, ty, loc)?;
                self.must(self.type_of(dst) == Type::Bool, "a comparison is no number")
            }
            _ => Ok(()),
        }
    }

    fn conversion(&self, kind: &OpKind, loc: LocId) -> Checked {
        match *kind {
            OpKind::Not { dst, value } => {
                self.condition(value, loc)?;
                let fits = self.type_of(dst) == Type::Bool;
                self.must(fits, "a negation is no number")
            }
            OpKind::Swap { dst, value } => {
                let pair = (self.value(value, loc)?, self.type_of(dst));
                let fits = matches!(
                    pair,
                    (Type::Be16, Type::U16)
                        | (Type::U16, Type::Be16)
                        | (Type::Be32, Type::U32)
                        | (Type::U32, Type::Be32)
                );
                self.must(fits, "a swap is between host and network order")
            }
            OpKind::Cast { dst, value } => {
                let (from, to) = (self.value(value, loc)?, self.type_of(dst));
                let network = |ty| matches!(ty, Type::Be16 | Type::Be32);
                let number = |ty: Type| ty.is_number() && !network(ty);
                let fits = match from {
                    Type::Ptr => to == Type::Ptr,
                    Type::Bool => number(to),
                    _ => number(from) && number(to),
                };
                self.must(fits, "a cast is between numbers in host order")
            }
            _ => Ok(()),
        }
    }

    fn memory(&self, kind: &OpKind, loc: LocId) -> Checked {
        let dst_is = |dst, ty| self.must(self.type_of(dst) == ty, "a result has another type");
        match *kind {
            OpKind::Load { dst, ptr, offset } => {
                self.pointer(ptr, loc)?;
                self.offset(offset, loc)?;
                let number = self.type_of(dst).is_number();
                self.must(number, "only numbers are loaded")
            }
            OpKind::Store {
                ptr,
                offset,
                ty,
                value,
            } => {
                self.pointer(ptr, loc)?;
                self.offset(offset, loc)?;
                self.must(ty.is_number(), "only numbers are stored")?;
                self.operand(value, ty, loc)
            }
            OpKind::AtomicAdd {
                ptr,
                offset,
                ty,
                value,
            } => {
                self.pointer(ptr, loc)?;
                self.offset(offset, loc)?;
                let fits = matches!(ty, Type::U32 | Type::U64);
                self.must(fits, "only 32 and 64 bits are added to atomically")?;
                self.operand(value, ty, loc)
            }
            OpKind::Context { dst, field } => dst_is(dst, self.context(field, loc)?),
            OpKind::Advance {
                dst,
                ptr,
                offset,
                amount,
            } => {
                self.pointer(ptr, loc)?;
                self.offset(offset, loc)?;
                dst_is(dst, Type::Ptr)?;
                let amount = self.value(amount, loc)?;
                self.must(amount == Type::U16, "a cursor advances by 16 bits")
            }
            OpKind::InPacket { dst, ptr, end } => {
                self.pointer(ptr, loc)?;
                self.offset(end, loc)?;
                dst_is(dst, Type::Bool)
            }
            OpKind::NotNull { dst, ptr } => {
                self.pointer(ptr, loc)?;
                dst_is(dst, Type::Bool)
            }
            OpKind::Local { dst, size } => {
                self.fits(
                    size <= 512,
                    loc,
                    "a local does not fit the stack, which has 512 bytes",
                )?;
                dst_is(dst, Type::Ptr)
            }
            OpKind::Scratch { dst, size } => {
                let what = "what is read does not fit the stack, which has 512 bytes";
                self.fits(size <= 512, loc, what)?;
                dst_is(dst, Type::Ptr)
            }
            OpKind::Core {
                dst,
                kind,
                ty,
                ref path,
            } => {
                self.core(kind, ty, path)?;
                dst_is(dst, Type::U64)
            }
            OpKind::GetVar { dst, var } => {
                self.in_scope(self.vars.get(var.0 as usize).copied(), loc)?;
                let ty = self.program.vars.get(var.0 as usize).copied();
                dst_is(dst, ty.unwrap_or(Type::Bool))
            }
            _ => Ok(()),
        }
    }

    /// The type of a field of the context, which the program has.
    fn context(&self, field: ContextField, loc: LocId) -> Result<Type, RecordError> {
        let (ty, fits) = match (field, &self.program.kind) {
            (ContextField::Data, kind) => (Type::Ptr, *kind == ProgramKind::Xdp),
            (ContextField::Args(number), ProgramKind::RawTracepoint { .. }) => {
                let what = "a tracepoint has at most 12 arguments, numbers 0 to 11";
                self.fits(number < MAX_ARGS, loc, what)?;
                (Type::U64, true)
            }
            (ContextField::Args(_), _) => (Type::U64, false),
            (
                ContextField::Length | ContextField::IngressIfindex | ContextField::RxQueueIndex,
                kind,
            ) => (Type::U32, *kind == ProgramKind::Xdp),
        };
        self.must(fits, "the program's context has no such field")?;
        Ok(ty)
    }

    /// Whether there is what is asked about.
    fn core(&self, kind: CoreKind, ty: KernelTypeId, path: &[u32]) -> Checked {
        let ty = self.program.kernel_types.get(ty.0 as usize);
        let there = ty.is_some_and(|ty| match (kind.subject(), path) {
            (CoreSubject::Type, path) => path.is_empty(),
            (CoreSubject::Field, path) => ty.field(path).is_some(),
            (CoreSubject::Enumerator, [index]) => ty.enumerator(*index).is_some(),
            (CoreSubject::Enumerator, _) => false,
        });
        self.must(there, "something is asked about no type of the kernel")
    }

    /// Instructions have 16 bits for an offset, with a sign.
    fn offset(&self, offset: u32, loc: LocId) -> Checked {
        let what = "the place is more than 32767 bytes behind its pointer, and instructions \
                    reach no further";
        self.fits(offset <= 0x7fff, loc, what)
    }

    /// Asks for what a program file may have too much of.
    fn fits(&self, holds: bool, loc: LocId, what: &'static str) -> Checked {
        if holds {
            return Ok(());
        }
        let at = self.place(loc);
        Err(RecordError::TooLarge { at, what })
    }
}

fn returns_at_end(block: &Block) -> bool {
    let last = block.last().map(|op| &op.kind);
    matches!(last, Some(OpKind::Return { .. }))
}
