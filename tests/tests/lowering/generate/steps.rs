//! The steps of a program: what is chosen, arithmetic, and control flow.

use super::{Block, DEPTH, Focus, Generator, NUMBERS, OpKind, Operand, Returns, Type, ValueId};
use ebpf_dsl::recording::{BinaryOp, CompareOp};

impl Generator<'_> {
    pub(super) fn steps(&mut self) {
        let mut most = 3 + self.random.below(25);
        while self.left > 0 && most > 0 {
            self.left -= 1;
            most -= 1;
            match self.focus {
                Focus::Everything => self.step(),
                Focus::Checks => self.step_of_checks(),
            }
        }
    }

    pub(super) fn step(&mut self) {
        let inner = self.open.len() < DEPTH;
        match self.random.below(34) {
            0..=5 => self.binary(),
            6 => drop(self.compare()),
            7 => self.logic(),
            8 => self.convert(),
            9 => self.context(),
            10..=13 => self.header(),
            14..=17 => self.load(),
            18..=19 => self.store(),
            20 => self.var(),
            21 => self.set_var(),
            22..=23 if inner => self.if_(),
            24 if inner => self.inlined(),
            25 => self.return_if(),
            26..=27 => self.lookup(),
            28 => self.update(),
            29 => self.advance(),
            30 => self.local(),
            31 if self.random.once_in(3) => self.adjust(),
            32 if inner => self.reserve(),
            33 => self.atomic_add(),
            _ => {}
        }
    }

    pub(super) fn step_of_checks(&mut self) {
        let inner = self.open.len() < DEPTH;
        match self.random.below(24) {
            0..=10 => self.header(),
            11 => self.load(),
            12 => self.store(),
            13 => self.var(),
            14..=15 => self.set_var(),
            16..=17 if inner => self.if_(),
            18 if inner => self.inlined(),
            19..=20 => self.return_if(),
            21 => self.advance(),
            22 => match self.random.below(4) {
                0 => self.adjust(),
                1 => self.lookup(),
                2 => self.update(),
                _ => self.atomic_add(),
            },
            _ => {}
        }
    }

    pub(super) fn binary(&mut self) {
        use BinaryOp::{Add, And, Arsh, Div, Lsh, Mod, Mul, Or, Rsh, Sdiv, Smod, Sub, Xor};
        let ty = self.type_();
        let op = match ty {
            Type::Be16 | Type::Be32 => self.random.pick(&[And, Or, Xor]),
            Type::U8 | Type::U16 => self
                .random
                .pick(&[Add, Sub, Mul, Div, Mod, And, Or, Xor, Lsh, Rsh]),
            _ => self.random.pick(&[
                Add, Sub, Mul, Div, Mod, And, Or, Xor, Lsh, Rsh, Arsh, Sdiv, Smod,
            ]),
        };
        let lhs = Operand::Value(self.some_value(ty));
        let rhs = self.operand(ty);
        if let Some(op) = op {
            self.number(ty, |dst| OpKind::Binary { dst, op, lhs, rhs });
        }
    }

    pub(super) fn compare(&mut self) -> ValueId {
        use CompareOp::{Eq, Ge, Gt, Le, Lt, Ne, Set, Sge, Sgt, Sle, Slt};
        let ty = self.type_();
        let op = match ty {
            Type::Be16 | Type::Be32 => self.random.pick(&[Eq, Ne, Set]),
            Type::U8 | Type::U16 => self.random.pick(&[Eq, Ne, Set, Lt, Le, Gt, Ge]),
            _ => self
                .random
                .pick(&[Eq, Ne, Set, Lt, Le, Gt, Ge, Slt, Sle, Sgt, Sge]),
        };
        let op = op.unwrap_or(Eq);
        let lhs = Operand::Value(self.some_value(ty));
        let rhs = self.operand(ty);
        self.condition(|dst| OpKind::Compare {
            dst,
            op,
            ty,
            lhs,
            rhs,
        })
    }

    pub(super) fn logic(&mut self) {
        let (a, b) = (self.some_condition(), self.some_condition());
        let (lhs, rhs) = (Operand::Value(a), Operand::Value(b));
        let op = match self.random.below(3) {
            0 => BinaryOp::And,
            1 => BinaryOp::Or,
            _ => {
                self.condition(|dst| OpKind::Not { dst, value: a });
                return;
            }
        };
        self.condition(|dst| OpKind::Binary { dst, op, lhs, rhs });
    }

    pub(super) fn convert(&mut self) {
        if self.random.once_in(5) {
            let value = self.some_condition();
            self.number(Type::U32, |dst| OpKind::Cast { dst, value });
            return;
        }
        let from = self.type_();
        let value = self.some_value(from);
        let swapped = match from {
            Type::Be16 => Some(Type::U16),
            Type::Be32 => Some(Type::U32),
            Type::U16 if self.random.once_in(3) => Some(Type::Be16),
            Type::U32 if self.random.once_in(3) => Some(Type::Be32),
            _ => None,
        };
        match swapped {
            Some(to) => self.number(to, |dst| OpKind::Swap { dst, value }),
            None => {
                let to = NUMBERS[self.random.below(4)];
                self.number(to, |dst| OpKind::Cast { dst, value })
            }
        };
    }

    pub(super) fn push_if(&mut self, cond: ValueId, then: Block, otherwise: Block) {
        self.push(OpKind::If {
            cond,
            then,
            otherwise,
        });
    }

    pub(super) fn otherwise(&mut self) -> Block {
        match self.random.once_in(2) {
            true => Vec::new(),
            false => self.block(Self::branch),
        }
    }

    pub(super) fn branch(&mut self) {
        self.steps();
        if self.random.once_in(4) && self.returns != Returns::Never {
            self.return_();
        }
    }

    pub(super) fn var(&mut self) {
        let ty = self.type_();
        let value = self.operand(ty);
        self.new_var(ty, value);
    }

    pub(super) fn set_var(&mut self) {
        let of = self.pools.vars.clone();
        let Some((var, ty)) = self.random.pick(&of) else {
            return self.var();
        };
        if self.random.once_in(2) {
            self.number(ty, |dst| OpKind::GetVar { dst, var });
        } else {
            let value = self.operand(ty);
            self.push(OpKind::SetVar { var, value });
        }
    }

    pub(super) fn if_(&mut self) {
        let cond = self.some_condition();
        let then = self.block(Self::branch);
        let otherwise = self.otherwise();
        self.push_if(cond, then, otherwise);
    }

    pub(super) fn inlined(&mut self) {
        let result = match self.random.below(5) {
            0 => None,
            width => Some(NUMBERS[width - 1]),
        };
        let returns = result.map_or(Returns::Nothing, Returns::Number);
        let outer = std::mem::replace(&mut self.returns, returns);
        let body = self.block(|g| {
            g.steps();
            g.return_();
        });
        self.returns = outer;
        match result {
            Some(ty) => drop(self.number(ty, |dst| OpKind::Inlined {
                dst: Some(dst),
                body,
            })),
            None => self.push(OpKind::Inlined { dst: None, body }),
        }
    }

    pub(super) fn return_(&mut self) {
        let value = match self.returns {
            Returns::Number(ty) => Some(self.result(ty)),
            Returns::Nothing | Returns::Never => None,
        };
        self.push(OpKind::Return { value });
    }

    /// Few results, so that bounds checks often leave with the same.
    pub(super) fn result(&mut self, ty: Type) -> Operand {
        match self.random.below(4) {
            0 => self.operand(ty),
            1 => Operand::Const(1),
            _ => Operand::Const(2),
        }
    }

    pub(super) fn return_if(&mut self) {
        if self.returns != Returns::Never {
            let cond = self.some_condition();
            let then = self.block(Self::return_);
            self.push_if(cond, then, Vec::new());
        }
    }
}
