//! What a row does, in pseudo-code and in words.

use ebpf_asm::isa::{
    AluOp, AtomicOp, Callee, Cast, Cond, Imm64, Operand, PacketMode, Row, Sem, Size, Swap, Width,
};

/// What the row does as one line of C, over the fields and the registers that they name.
pub(super) fn pseudo(row: &Row) -> String {
    match row.sem {
        Sem::Alu { op, width, operand } => alu(op, width, operand),
        Sem::Neg { width: Width::W64 } => "dst = -dst".into(),
        Sem::Neg { width: Width::W32 } => "dst = (u32)-dst".into(),
        Sem::Mov { width, operand } => format!("dst = {}", value(width, operand)),
        Sem::Movsx { width, from } => {
            let signed = format!("(s{})(s{})src", width.bits(), from.bytes() * 8);
            match width {
                Width::W64 => format!("dst = {signed}"),
                Width::W32 => format!("dst = (u32){signed}"),
            }
        }
        Sem::ByteSwap { swap, size } => byte_swap(swap, size),
        Sem::Jump {
            cond,
            width,
            operand,
        } => format!("if ({}) pc += offset", condition(cond, width, operand)),
        Sem::Ja => "pc += offset".into(),
        Sem::Gotol => "pc += imm".into(),
        Sem::Gotox => "pc = dst".into(),
        Sem::Call(Callee::Helper) => "r0 = helper[imm](r1, r2, r3, r4, r5)".into(),
        Sem::Call(Callee::Local) => "r0 = (pc + imm)(r1, r2, r3, r4, r5)".into(),
        Sem::Call(Callee::Kfunc) => "r0 = btf[offset][imm](r1, r2, r3, r4, r5)".into(),
        Sem::Call(Callee::Register) => "r0 = (dst)(r1, r2, r3, r4, r5)".into(),
        Sem::Call(Callee::NumberedRegister) => "r0 = (reg[imm])(r1, r2, r3, r4, r5)".into(),
        Sem::Exit => "return r0".into(),
        Sem::Load { size } => format!("dst = {}", memory("src", 'u', size)),
        Sem::LoadSx { size } => format!("dst = (s64){}", memory("src", 's', size)),
        Sem::Store { size, operand } => {
            format!("{} = {}", memory("dst", 'u', size), register(operand))
        }
        Sem::Atomic { op, size } => atomic(op, size),
        Sem::LoadImm64(kind) => format!("dst = {}", imm64(kind)),
        Sem::LoadPacket { mode, size } => {
            let at = match mode {
                PacketMode::Abs => "imm",
                PacketMode::Ind => "src + imm",
            };
            let bits = size.bytes() * 8;
            format!("r0 = ntoh{bits}(*(u{bits} *)(packet + {at}))")
        }
        Sem::LoadAcquire { size } => {
            format!("dst = load_acquire({})", memory("src", 'u', size))
        }
        Sem::StoreRelease { size } => {
            format!("store_release({}, src)", memory("dst", 'u', size))
        }
        Sem::AddrSpaceCast(Cast::ToKernel) => "dst = addr_space_cast(src, 0, 1)".into(),
        Sem::AddrSpaceCast(Cast::ToArena) => "dst = addr_space_cast(src, 1, 0)".into(),
        Sem::MayGoto => "if (budget == 0) pc += offset; else budget -= 1".into(),
    }
}

fn register(operand: Operand) -> &'static str {
    match operand {
        Operand::Imm => "imm",
        Operand::Reg => "src",
    }
}

/// The second operand as it takes part.
fn value(width: Width, operand: Operand) -> &'static str {
    match (width, operand) {
        (Width::W64, Operand::Imm) => "(s64)imm",
        (Width::W64, Operand::Reg) => "src",
        (Width::W32, Operand::Imm) => "(u32)imm",
        (Width::W32, Operand::Reg) => "(u32)src",
    }
}

fn alu(op: AluOp, width: Width, operand: Operand) -> String {
    let right = value(width, operand);
    let left = match width {
        Width::W64 => "dst",
        Width::W32 => "(u32)dst",
    };
    let signed = |what: &str| format!("(s{}){what}", width.bits());
    let mask = width.bits() - 1;
    let plain = |sign: &str| format!("{left} {sign} {right}");
    let shift = |left: &str, sign: &str| format!("{left} {sign} ({} & {mask})", register(operand));
    let (sdst, sright) = (signed("dst"), signed(register(operand)));
    let result = match op {
        AluOp::Add => plain("+"),
        AluOp::Sub => plain("-"),
        AluOp::Mul => plain("*"),
        AluOp::Or => plain("|"),
        AluOp::And => plain("&"),
        AluOp::Xor => plain("^"),
        AluOp::Div => format!("{right} == 0 ? 0 : {}", plain("/")),
        AluOp::Mod => format!("{right} == 0 ? {left} : {}", plain("%")),
        AluOp::Sdiv => format!("{right} == 0 ? 0 : {sdst} / {sright}"),
        AluOp::Smod => format!("{right} == 0 ? {left} : {sdst} % {sright}"),
        AluOp::Lsh => shift(left, "<<"),
        AluOp::Rsh => shift(left, ">>"),
        AluOp::Arsh => shift(&sdst, ">>"),
    };
    match width {
        Width::W64 => format!("dst = {result}"),
        Width::W32 => format!("dst = (u32)({result})"),
    }
}

fn byte_swap(swap: Swap, size: Size) -> String {
    let bits = size.bytes() * 8;
    match swap {
        Swap::Le => format!("dst = htole{bits}(dst)"),
        Swap::Be => format!("dst = htobe{bits}(dst)"),
        Swap::Bswap => format!("dst = bswap{bits}(dst)"),
    }
}

fn condition(cond: Cond, width: Width, operand: Operand) -> String {
    let (sign, is_signed) = match cond {
        Cond::Jeq => ("==", false),
        Cond::Jne => ("!=", false),
        Cond::Jset => ("&", false),
        Cond::Jgt => (">", false),
        Cond::Jge => (">=", false),
        Cond::Jlt => ("<", false),
        Cond::Jle => ("<=", false),
        Cond::Jsgt => (">", true),
        Cond::Jsge => (">=", true),
        Cond::Jslt => ("<", true),
        Cond::Jsle => ("<=", true),
    };
    let kind = match is_signed {
        true => 's',
        false => 'u',
    };
    let bits = width.bits();
    format!(
        "({kind}{bits})dst {sign} ({kind}{bits}){}",
        register(operand)
    )
}

fn memory(base: &str, kind: char, size: Size) -> String {
    let bits = size.bytes() * 8;
    format!("*({kind}{bits} *)({base} + offset)")
}

fn atomic(op: AtomicOp, size: Size) -> String {
    let at = memory("dst", 'u', size);
    let old = |change: String| format!("old = {at}; {change}; src = old");
    match op {
        AtomicOp::Add => format!("{at} += src"),
        AtomicOp::Or => format!("{at} |= src"),
        AtomicOp::And => format!("{at} &= src"),
        AtomicOp::Xor => format!("{at} ^= src"),
        AtomicOp::FetchAdd => old(format!("{at} += src")),
        AtomicOp::FetchOr => old(format!("{at} |= src")),
        AtomicOp::FetchAnd => old(format!("{at} &= src")),
        AtomicOp::FetchXor => old(format!("{at} ^= src")),
        AtomicOp::Xchg => old(format!("{at} = src")),
        AtomicOp::Cmpxchg => format!("old = {at}; if (old == r0) {at} = src; r0 = old"),
    }
}

fn imm64(kind: Imm64) -> &'static str {
    match kind {
        Imm64::Value => "(u64)next_imm << 32 | (u32)imm",
        Imm64::MapFd => "map_by_fd(imm)",
        Imm64::MapValueFd => "map_val(map_by_fd(imm)) + next_imm",
        Imm64::Variable => "var_addr(imm, next_imm)",
        Imm64::Code => "code_addr(imm)",
        Imm64::MapIdx => "map_by_idx(imm)",
        Imm64::MapValueIdx => "map_val(map_by_idx(imm)) + next_imm",
    }
}

/// What cannot be read off the pseudo-code.
pub(super) fn words(sem: Sem) -> String {
    let text = match sem {
        Sem::Alu { op, width, .. } => return arithmetic(op, width),
        Sem::Neg { .. } => "negates, wrapping around",
        Sem::Mov {
            width: Width::W32, ..
        } => "copies 32 bits, the upper half of dst becomes zero",
        Sem::Mov { .. } => "copies 64 bits; a number is extended with its sign",
        Sem::Movsx { .. } => "copies the low bits and extends their sign",
        Sem::ByteSwap { swap, .. } => match swap {
            Swap::Le => "host to little-endian order (or back); higher bits become zero",
            Swap::Be => "host to big-endian order (or back); higher bits become zero",
            Swap::Bswap => "reverses the bytes whatever the host's order; higher bits become zero",
        },
        Sem::Jump { width, .. } => match width {
            Width::W64 => "jumps from the next instruction on; a number is extended with its sign",
            Width::W32 => "jumps from the next instruction on; the upper halves do not count",
        },
        Sem::Ja => "jumps so many slots from the next instruction on",
        Sem::Gotol => "the same with the reach of 32 bits",
        Sem::Gotox => "jumps to an address that was loaded from a jump table",
        Sem::Call(Callee::Helper) => "calls a helper by its id; r1 to r5 are lost",
        Sem::Call(Callee::Local) => "calls a function of the program; r1 to r5 are lost",
        Sem::Call(Callee::Kfunc) => {
            "calls a kernel function by its BTF id, offset naming the BTF (0: vmlinux)"
        }
        Sem::Call(Callee::Register) => "calls the function at an address; verifiers refuse it",
        Sem::Call(Callee::NumberedRegister) => {
            "the same as LLVM wrote it up to version 18; verifiers refuse it"
        }
        Sem::Exit => "ends the function; of the program, the kernel sees r0",
        Sem::Load { .. } => "reads memory; higher bits become zero",
        Sem::LoadSx { .. } => "reads memory and extends the sign",
        Sem::Store { .. } => "writes memory",
        Sem::Atomic { .. } => "one access that no other CPU can come between",
        Sem::LoadImm64(kind) => match kind {
            Imm64::Value => "a number of 64 bits; takes two slots",
            Imm64::MapFd => "the map of a file descriptor",
            Imm64::MapValueFd => "a byte of the first value of the map of a file descriptor",
            Imm64::Variable => "a kernel variable by its BTF id, next_imm naming a module's BTF",
            Imm64::Code => "a function of the program, counted from the next slot",
            Imm64::MapIdx => "the map at an index of fd_array",
            Imm64::MapValueIdx => "a byte of the first value of the map at an index of fd_array",
        },
        Sem::LoadPacket { .. } => {
            "reads the packet of the socket buffer in r6; a program that reads outside it ends \
             with 0; r1 to r5 are lost"
        }
        Sem::LoadAcquire { .. } => "no later access of memory comes before it",
        Sem::StoreRelease { .. } => "no earlier access of memory comes behind it",
        Sem::AddrSpaceCast(Cast::ToKernel) => "a user's arena pointer to one that can be followed",
        Sem::AddrSpaceCast(Cast::ToArena) => "a kernel's arena pointer to one that users know",
        Sem::MayGoto => "leaves a loop when the verifier's budget of iterations is used up",
    };
    text.to_owned()
}

fn arithmetic(op: AluOp, width: Width) -> String {
    let what = match op {
        AluOp::Add | AluOp::Sub | AluOp::Mul => "wraps around",
        AluOp::Div => "unsigned; division by zero gives 0",
        AluOp::Mod => "unsigned; modulo zero leaves dst",
        AluOp::Sdiv => "signed, rounds towards zero; division by zero gives 0",
        AluOp::Smod => "signed, with the sign of dst; modulo zero leaves dst",
        AluOp::Or | AluOp::And | AluOp::Xor => "bit by bit",
        AluOp::Lsh | AluOp::Rsh => "fills with zeros",
        AluOp::Arsh => "fills with copies of the sign",
    };
    match width {
        Width::W64 => what.to_owned(),
        Width::W32 => format!("{what}; the upper half of dst becomes zero"),
    }
}
