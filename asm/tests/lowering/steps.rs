//! What generated programs consist of.

/// How many variables and counters programs have.
pub(crate) const VARS: usize = 3;
pub(crate) const COUNTERS: u32 = 4;

/// One step of a generated program. Values are 64 bits wide and named by the order in which
/// they were made, counted modulo how many there are.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Constant(u64),
    Arith(Width, Arith, usize, Rhs),
    Cast(Width, usize),
    Read(u16, ReadField),
    Write(u16, ReadField, usize),
    Length,
    SetVar(usize, usize),
    GetVar(usize),
    If(Test, Vec<Step>, Vec<Step>),
    Inlined(Test, usize, Vec<Step>),
    ReturnIf(Test, u32),
    Count(u32, usize, CountHow),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Width {
    W8,
    W16,
    W32,
    W64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Arith {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    And,
    Or,
    Xor,
    Shl,
    Shr,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Rhs {
    Value(usize),
    Constant(u64),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum ReadField {
    Byte,
    NetHalf,
    Word,
    Double,
    NetWord,
    Half,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Compare {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    HasAny,
    Slt,
    Sge,
}

/// A comparison, perhaps joined with another.
#[derive(Clone, Debug)]
pub(crate) struct Test {
    pub(crate) width: Width,
    pub(crate) compare: Compare,
    pub(crate) lhs: usize,
    pub(crate) rhs: Rhs,
    pub(crate) more: Option<(Join, Box<Test>)>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Join {
    And,
    Or,
    AndNot,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum CountHow {
    Plain,
    Atomic,
}
