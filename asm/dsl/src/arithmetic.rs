//! What can be done with values: operators, comparisons and conditions.
//!
//! Only what means the same in both byte orders exists for network-order values: equality
//! and the bitwise operators. Order is in `compare.rs`.

use core::ops;

use crate::order::{Be16, Be32};
use crate::recording::{BinaryOp, CompareOp, Operand as Raw, Type};
use crate::value::{Cond, Operand, Scalar, Value};

impl<'p, T> Value<'p, T> {
    /// Every operator ends here, so that program files hold no copy of it.
    #[track_caller]
    fn binary(self, ty: Type, op: BinaryOp, rhs: Raw) -> Self {
        let id = self.rec.recorder().binary(ty, op, self.raw(), rhs);
        Value::new(self.rec, id)
    }

    #[track_caller]
    pub(crate) fn compare(self, ty: Type, op: CompareOp, rhs: Raw) -> Cond<'p> {
        let id = self.rec.recorder().compare(ty, op, self.raw(), rhs);
        Value::new(self.rec, id)
    }
}

macro_rules! operators {
    ($ty:ty: $($trait:ident $method:ident $op:ident,)*) => {$(
        impl<'p, R: Operand<'p, $ty>> ops::$trait<R> for Value<'p, $ty> {
            type Output = Value<'p, $ty>;

            #[track_caller]
            fn $method(self, rhs: R) -> Self::Output {
                let rhs = rhs.operand(self.rec);
                self.binary(<$ty as Scalar>::TYPE, BinaryOp::$op, rhs)
            }
        }
    )*};
}

macro_rules! methods {
    ($ty:ty: $($method:ident $op:ident $doc:literal,)*) => {
        impl<'p> Value<'p, $ty> {$(
            #[doc = $doc]
            #[track_caller]
            pub fn $method(self, rhs: impl Operand<'p, $ty>) -> Value<'p, $ty> {
                let rhs = rhs.operand(self.rec);
                self.binary(<$ty as Scalar>::TYPE, BinaryOp::$op, rhs)
            }
        )*}
    };
}

macro_rules! comparisons {
    ($ty:ty: $($method:ident $op:ident $doc:literal,)*) => {
        impl<'p> Value<'p, $ty> {$(
            #[doc = $doc]
            #[track_caller]
            pub fn $method(self, rhs: impl Operand<'p, $ty>) -> Cond<'p> {
                let rhs = rhs.operand(self.rec);
                self.compare(<$ty as Scalar>::TYPE, CompareOp::$op, rhs)
            }
        )*}
    };
}

macro_rules! any_order {
    ($($ty:ty)*) => {$(
        operators!($ty: BitAnd bitand And, BitOr bitor Or, BitXor bitxor Xor,);
        comparisons!($ty:
            eq Eq "Whether both are equal.",
            ne Ne "Whether they differ.",
            has_any Set "Whether any of these bits is set.",
        );
    )*};
}

macro_rules! host_order {
    ($($ty:ty)*) => {$(
        any_order!($ty);
        operators!($ty:
            Add add Add, Sub sub Sub, Mul mul Mul, Div div Div, Rem rem Mod,
            Shl shl Lsh, Shr shr Rsh,
        );
    )*};
}

macro_rules! signed {
    ($($ty:ty)*) => {$(
        methods!($ty:
            arsh Arsh "Shifts right and fills with the sign.",
            sdiv Sdiv "Divides signed numbers; division by zero gives zero.",
            smod Smod "Remainder of signed numbers; modulo zero gives `self`.",
        );
        comparisons!($ty:
            slt Slt "Whether `self < rhs`, both signed.",
            sle Sle "Whether `self <= rhs`, both signed.",
            sgt Sgt "Whether `self > rhs`, both signed.",
            sge Sge "Whether `self >= rhs`, both signed.",
        );
    )*};
}

any_order!(Be16 Be32);
host_order!(u8 u16 u32 u64);
signed!(u32 u64);

impl<'p> ops::BitAnd for Cond<'p> {
    type Output = Cond<'p>;

    #[track_caller]
    fn bitand(self, rhs: Self) -> Self {
        self.binary(Type::Bool, BinaryOp::And, rhs.raw())
    }
}

impl<'p> ops::BitOr for Cond<'p> {
    type Output = Cond<'p>;

    #[track_caller]
    fn bitor(self, rhs: Self) -> Self {
        self.binary(Type::Bool, BinaryOp::Or, rhs.raw())
    }
}

impl<'p> ops::Not for Cond<'p> {
    type Output = Cond<'p>;

    #[track_caller]
    fn not(self) -> Self {
        Value::new(self.rec, self.rec.recorder().not(self.id))
    }
}
