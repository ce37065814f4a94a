//! The flags of a program's load (`prog_flags`).
//!
//! Source: `include/uapi/linux/bpf.h`, the flags "for `BPF_PROG_LOAD` command".
//!
//! Read before: `prog_type.rs`.

/// Makes the constants.
macro_rules! load_flags {
    ($($(#[$doc:meta])* $flag:ident = $bit:literal,)*) => {
        $($(#[$doc])* pub const $flag: u32 = 1 << $bit;)*
    };
}

load_flags! {
    /// What is accessed must be aligned, on every machine.
    BPF_F_STRICT_ALIGNMENT = 0,
    /// Nothing need be aligned, on any machine.
    BPF_F_ANY_ALIGNMENT = 1,
    /// The upper halves of registers that are written in part are filled with random bits.
    BPF_F_TEST_RND_HI32 = 2,
    /// A state is kept wherever states can be compared.
    BPF_F_TEST_STATE_FREQ = 3,
    /// The program may call what sleeps.
    BPF_F_SLEEPABLE = 4,
    /// The program takes packets that lie in several buffers.
    BPF_F_XDP_HAS_FRAGS = 5,
    /// The program is bound to a device, and may call what its driver tells.
    BPF_F_XDP_DEV_BOUND_ONLY = 6,
    /// What is known of a number and contradicts itself is an error.
    BPF_F_TEST_REG_INVARIANTS = 7,
    /// `prog_token_fd` is a token.
    BPF_F_TOKEN_FD = 16,
}
