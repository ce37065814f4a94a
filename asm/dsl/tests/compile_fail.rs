//! What must not compile, and what the compiler then says.
//!
//! One file one mistake; the `.stderr` beside it is what a user reads.

#[test]
fn mistakes_do_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/compile-fail/*.rs");
}
