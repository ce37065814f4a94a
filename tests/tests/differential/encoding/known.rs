//! The kernel's words for what is no instruction, and where it speaks of something else first.

use ebpf_asm::insn::FieldName;

/// Words of the verifier's log that mean: these bytes are no instruction.
pub(super) const NO_INSTRUCTION: &[&str] = &[
    "unknown opcode",
    "uses reserved fields",
    "uses invalid atomic opcode",
    "invalid atomic operand size",
    "invalid bpf_ld_imm64 insn",
    "unrecognized bpf_ld_imm64 insn",
    "invalid may_goto imm",
    "can only convert between address space 1 and 0",
    "R11 is invalid",
    "R12 is invalid",
    "R13 is invalid",
    "R14 is invalid",
    "R15 is invalid",
];

/// A refusal of the kernel that comes before it looks at the instruction's fields.
pub(super) struct Shadow {
    /// Its words.
    pub(super) words: &'static str,
    /// Why it comes first.
    #[expect(dead_code, reason = "for the reader")]
    why: &'static str,
}

/// A field that the kernel does not look at although it is unused.
pub(super) struct Overlooked {
    /// The operation.
    pub(super) name: &'static str,
    pub(super) field: FieldName,
}

/// RFC 9669 section 3: unused fields shall be cleared to zero. Where the kernel does not
/// insist, we do: no compiler sets them, and what they mean is not said.
pub(super) const OVERLOOKED: &[Overlooked] = &[Overlooked {
    name: "EXIT",
    field: FieldName::Offset,
}];

/// References are looked up in a pass before the fields are looked at; what they refer to has
/// no stable number that a test could use.
pub(super) const SHADOWED: &[Shadow] = &[
    Shadow {
        words: "fd_idx without fd_array is invalid",
        why: "LD_IMM64 with src_reg 5 or 6 refers to the load's fd_array, and this one has none",
    },
    Shadow {
        words: "ldimm64 insn specifies invalid btf_id",
        why: "LD_IMM64 with src_reg 3 refers to a variable of this kernel's BTF",
    },
    Shadow {
        words: "isn't KIND_VAR or KIND_FUNC",
        why: "LD_IMM64 with src_reg 3, likewise",
    },
    Shadow {
        words: "missing btf func_info",
        why: "LD_IMM64 with src_reg 4 wants BTF before its second slot's imm is looked at",
    },
    Shadow {
        words: "is not a function",
        why: "CALL with src_reg 2 refers to a function of this kernel's BTF",
    },
    Shadow {
        words: "failed to find BTF for kernel function",
        why: "CALL with src_reg 2 and an offset refers to a module's BTF in the fd_array",
    },
    Shadow {
        words: "can only be used in a program that has an associated arena",
        why: "addr_space_cast wants an arena before it looks at its registers",
    },
];
