//! Pointer arithmetic.
//!
//! To a pointer a number may be added, and from it one may be subtracted, with 64 bits. A
//! constant goes to the constant offset; an unknown number to the variable one, and what
//! was proven of a packet pointer is proven no longer.
//!
//! Described in the kernel's `Documentation/bpf/verifier.rst`, "Register value tracking".
//!
//! Read before: `alu.rs`. Read next: `memory/mem.rs`.

use crate::codes::Code;
use crate::diag::{Checked, Place, Rejection};
use crate::memory::region::Extent;
use crate::step::alu::describe;
use crate::step::machine::Machine;
use crate::types::special::AccessBy;
use crate::value::reg::{Kind, Link, Null, PacketRange, RegState};
use crate::value::scalar::Scalar;
use crate::value::stack::STACK_SIZE;
use ebpf_asm::insn::{Insn, Reg};
use ebpf_asm::isa::{AluOp, Field, Width};

/// Offsets of pointers stay below this in both directions.
pub(crate) const MAX_VAR_OFF: i64 = 1 << 29;

/// The same in words.
const NEAR: &str = "greater than -2^29 and less than 2^29";

impl Machine<'_, '_> {
    /// Two pointers: only their difference may be taken, by those who may see pointers.
    pub(crate) fn pointer_difference(&mut self, insn: &Insn, op: AluOp) -> Checked {
        if op == AluOp::Sub && self.env.config.may_leak_pointers() {
            return self.write_reg(insn.dst(), RegState::unknown());
        }
        let number = insn.dst().number();
        let message = format!("R{number} pointer {} pointer prohibited", sign(op));
        Err(Rejection::new(Code::PointerArithmetic, message)
            .label("both operands are pointers")
            .help(match op {
                AluOp::Sub => "the distance of two pointers is for those who have CAP_PERFMON",
                _ => "add a number to a pointer, never another pointer",
            }))
    }

    fn pointer_at_32(&mut self, insn: &Insn, op: AluOp) -> Checked {
        if op == AluOp::Sub && self.env.config.may_leak_pointers() {
            return self.write_reg(insn.dst(), RegState::unknown());
        }
        let message = format!(
            "R{} 32-bit pointer arithmetic prohibited",
            insn.dst().number()
        );
        Err(Rejection::new(Code::PointerArithmetic, message)
            .label("would cut the pointer to 32 bits")
            .help("use the 64-bit instruction"))
    }

    /// `pointer op number`; the pointer is in `holder`.
    pub(crate) fn pointer_binary(
        &mut self,
        insn: &Insn,
        op: AluOp,
        width: Width,
        pointer: &RegState,
        operand: &RegState,
        holder: Reg,
    ) -> Checked {
        // Whatever becomes of the pointer (Linux 6.18).
        if holder != insn.dst() {
            self.need(insn.dst());
        } else if insn.row().src == Field::Reg {
            self.need(insn.src());
        }
        let number = &operand.scalar;
        // What is known of the number contradicts itself: this is never run.
        if number.is_outside_its_bounds() {
            return self.write_reg(insn.dst(), RegState::unknown());
        }
        if width == Width::W32 {
            return self.pointer_at_32(insn, op);
        }
        // Where in such memory a pointer is, nobody follows: it stays as it is, and so does a number
        // that it is added to (Linux 6.18).
        if pointer.kind == Kind::UntrustedMem {
            return Ok(());
        }
        check_pointer_kind(pointer, number, op, insn.dst().number())?;
        check_distance(pointer, operand)?;
        self.check_offset(pointer, number, holder)?;
        self.notes.runs_ahead |= insn.row().src == Field::Reg;
        check_operator(insn.dst(), op, pointer, holder)?;
        let mut result = match op {
            AluOp::Sub => self.subtract_from_pointer(pointer, number),
            _ => self.add_to_pointer(pointer, number),
        };
        // A number becomes a pointer, but is not what was acquired (Linux 6.18).
        if holder != insn.dst() {
            result.ref_id = 0;
        }
        result.scalar.sync_by(self.env.config.older());
        check_pointer(&result)?;
        self.check_stays_inside(insn.dst(), &result)?;
        // What was proven ends with an unknown number, and with it what there is to tell of it.
        let proved = match result.range.bytes() {
            0 => Place::NONE,
            _ => pointer.origin.proved,
        };
        self.write_reg(insn.dst(), result)?;
        self.state.reg_mut(insn.dst()).origin.proved = proved;
        Ok(())
    }

    /// That the number, and the pointer it is added to, are not beyond all bounds.
    fn check_offset(&self, pointer: &RegState, number: &Scalar, holder: Reg) -> Checked {
        match is_small(number) {
            true => check_pointer(pointer),
            false => Err(self.large_offset(pointer, number, holder)),
        }
    }

    /// Why a number is not added to a pointer.
    #[cold]
    fn large_offset(&self, pointer: &RegState, number: &Scalar, holder: Reg) -> Box<Rejection> {
        let name = pointer.base_type_name();
        let label = format!("the number is {}", describe(number));
        let refuse = |message: String, label: String| {
            Rejection::new(Code::PointerOffset, message)
                .label(label)
                .because(
                    pointer.origin.made,
                    format!("R{} is made here", holder.number()),
                )
        };
        let least = number.bounds.s64.min;
        if let Some(value) = number.as_constant().map(|value| value as i64)
            && !is_near(value)
        {
            let message = format!("math between {name} pointer and {value} is not allowed");
            let bound = match value < 0 {
                true => "greater than -2^29",
                false => "less than 2^29",
            };
            return refuse(message, format!("{label}: offsets are {bound}"))
                .help(format!("keep offsets {NEAR}"));
        }
        if least == i64::MIN {
            let message = format!(
                "math between {name} pointer and register with unbounded min value is not allowed"
            );
            return refuse(message, label).help(self.index_help(
                "bound the number on both sides before adding it: compare it, or mask it",
            ));
        }
        let message = format!("value {least} makes {name} pointer be out of bounds");
        refuse(message, label).help(self.index_help(match number.bounds.s64.max < MAX_VAR_OFF {
            true => {
                "let the number be unsigned (u32 or u64 in C), or leave where it is less than 0: a \
                 comparison of signed numbers with the greatest index leaves the negative ones"
            }
            false => {
                "bound the number on both sides before adding it: compare it with 0 and with the \
                 greatest index, or mask it"
            }
        }))
    }

    /// Without `CAP_PERFMON` a pointer may not even point outside of the stack or the map's
    /// value, lest the processor follow it before it is checked.
    fn check_stays_inside(&self, reg: Reg, pointer: &RegState) -> Checked {
        if self.env.config.may_leak_pointers() {
            return Ok(());
        }
        let number = reg.number();
        let constant = pointer.constant_var_off();
        let off = i64::from(pointer.off) + constant.unwrap_or(0);
        match pointer.kind {
            Kind::Stack(_) if constant.is_none() => {
                let message = format!(
                    "R{number} variable stack access prohibited for !root, var_off={} off={off}",
                    pointer.scalar.tnum
                );
                Err(Rejection::new(Code::StackBounds, message)
                    .label("without CAP_PERFMON, stack pointers are at a known place")
                    .help("use constant offsets, or a map's value, or load it with CAP_PERFMON"))
            }
            Kind::Stack(_) if !(-STACK_SIZE..0).contains(&off) => {
                let message = format!(
                    "R{number} stack pointer arithmetic goes out of range, prohibited for !root; \
                     off={off}"
                );
                Err(Rejection::new(Code::PointerOffset, message)
                    .label("without CAP_PERFMON, stack pointers stay inside of the frame")
                    .help("keep offsets between -512 and -1, or load it with CAP_PERFMON"))
            }
            Kind::MapValue(map) => {
                let off = i64::from(pointer.off);
                let extent = Extent { reg, off, size: 1 };
                let checked = self.check_map_value_bytes(map, pointer, extent, AccessBy::Call);
                checked.map_err(|refused| {
                    refused.adds(format!(
                        "R{number} pointer arithmetic of map value goes out of range, \
                         prohibited for !root"
                    ))
                })
            }
            _ => Ok(()),
        }
    }

    fn add_to_pointer(&mut self, pointer: &RegState, number: &Scalar) -> RegState {
        let mut result = *pointer;
        if let Some(off) = constant_offset(pointer, number, i32::checked_add) {
            result.off = off;
            return result;
        }
        add_variable(&mut result.scalar, number, AluOp::Add);
        if pointer.is_packet() {
            result.id = self.new_id();
            result.range = PacketRange::Bytes(0);
        }
        result
    }

    fn subtract_from_pointer(&mut self, pointer: &RegState, number: &Scalar) -> RegState {
        let mut result = *pointer;
        if let Some(off) = constant_offset(pointer, number, i32::checked_sub) {
            result.off = off;
            return result;
        }
        add_variable(&mut result.scalar, number, AluOp::Sub);
        if pointer.is_packet() {
            result.id = self.new_id();
            // Subtracting what may be negative is adding.
            if number.bounds.s64.min < 0 {
                result.range = PacketRange::Bytes(0);
            }
        }
        result
    }
}

fn check_pointer_kind(pointer: &RegState, number: &Scalar, op: AluOp, dst: u8) -> Checked {
    let allowed = match pointer.kind {
        Kind::PacketEnd | Kind::Sock(_) => false,
        Kind::FlowKeys => number.as_constant().is_some(),
        Kind::Map(_) => op == AluOp::Add && number.is_zero(),
        _ => true,
    };
    if pointer.null == Null::Never && allowed {
        return Ok(());
    }
    let name = pointer.type_name();
    if pointer.null == Null::Maybe {
        let message =
            format!("R{dst} pointer arithmetic on {name} prohibited, null-check it first");
        return Err(Rejection::new(Code::MaybeNull, message)
            .label("the pointer may be null")
            .because(pointer.origin.made, "null can come from here")
            .help("compare it with 0 first, and do this where it is not"));
    }
    let message = format!("R{dst} pointer arithmetic on {name} prohibited");
    Err(Rejection::new(Code::PointerArithmetic, message)
        .label(format!("this kind of pointer ({name}) stays as it is"))
        .because(pointer.origin.made, "the pointer is made here")
        .help("keep the pointer, and give the offset to the load, the store or the call"))
}

/// That a pointer can be the operand of such an operator there: a number may be added to any, and
/// subtracted from one that is not to the stack.
fn check_operator(dst: Reg, op: AluOp, pointer: &RegState, holder: Reg) -> Checked {
    let (number, holding) = (dst.number(), holder.number());
    let refuse = |message: String| Rejection::new(Code::PointerArithmetic, message);
    match op {
        AluOp::Add => Ok(()),
        AluOp::Sub if holder != dst => {
            let message = format!("R{number} tried to subtract pointer from scalar");
            Err(refuse(message)
                .label(format!("R{holding} is a pointer"))
                .because(pointer.origin.made, "the pointer is made here")
                .help("subtract the number from the pointer, never the pointer from a number"))
        }
        AluOp::Sub if matches!(pointer.kind, Kind::Stack(_)) => {
            let message = format!("R{number} subtraction from stack pointer prohibited");
            Err(refuse(message)
                .label("subtracts from a pointer to the stack")
                .help("add the negative number instead"))
        }
        AluOp::Sub => Ok(()),
        _ => {
            let name = pointer.type_name();
            Err(refuse(operator_message(op, number))
                .label(format!("R{holding} is a pointer ({name})"))
                .because(pointer.origin.made, "the pointer is made here")
                .help(match pointer.kind {
                    Kind::Btf(_) => {
                        "only add numbers to pointers and subtract them. To mask bits of an address, \
                         read it as a number (bpf_probe_read_kernel of the member), mask that, and \
                         read on from there the same way"
                    }
                    _ => "only add numbers to pointers and subtract them: calculate offsets first",
                }))
        }
    }
}

/// That a number is not too far from the one that it is known by: to the kernel (6.18) that
/// distance is an offset. Older kernels keep it when the number is known by no other any more.
fn check_distance(pointer: &RegState, number: &RegState) -> Checked {
    let off = i64::from(number.off);
    // A constant that is too large by itself is refused for that.
    let near = |value| is_near(value as i64);
    if is_near(off) || !number.as_constant().is_none_or(near) {
        return Ok(());
    }
    let message = format!(
        "{} pointer offset {off} is not allowed",
        pointer.base_type_name()
    );
    let (label, help) = match number.link {
        Link::Same => (
            format!("the number was another one {off:+}, which this kernel does not forget"),
            "add the constant to the number in another way, as from a register that is not known",
        ),
        Link::Plus | Link::PlusLow => (
            format!("the number is another one {off:+}, which is known too"),
            "let the other number change first: the kernel then forgets the distance",
        ),
    };
    Err(Rejection::new(Code::PointerOffset, message)
        .label(label)
        .because(number.origin.made, "the distance comes from here")
        .help(help))
}

/// That a pointer's own offsets are not beyond all bounds.
fn check_pointer(pointer: &RegState) -> Checked {
    match is_small(&pointer.scalar) && is_near(pointer.off.into()) {
        true => Ok(()),
        false => Err(out_of_bounds(pointer)),
    }
}

/// Whether a number, or a variable offset, is below all bounds of pointers on both sides.
fn is_small(number: &Scalar) -> bool {
    let constant = number.as_constant().map(|value| value as i64);
    constant.is_none_or(is_near) && is_near(number.bounds.s64.min)
}

/// Whether an offset is below all bounds of pointers on both sides.
pub(crate) fn is_near(off: i64) -> bool {
    off < MAX_VAR_OFF && off > -MAX_VAR_OFF
}

/// Why a pointer's own offsets are beyond all bounds.
#[cold]
fn out_of_bounds(pointer: &RegState) -> Box<Rejection> {
    let name = pointer.base_type_name();
    let least = pointer.scalar.bounds.s64.min;
    let refuse = |message| {
        Rejection::new(Code::PointerOffset, message)
            .label("the pointer would be out of all bounds")
            .because(pointer.origin.made, "the pointer is made here")
            .help(format!(
                "bound the offset on both sides before it is added: keep it {NEAR}"
            ))
    };
    if let Some(value) = pointer.constant_var_off()
        && !is_near(value)
    {
        let message = format!("math between {name} pointer and {value} is not allowed");
        return refuse(message);
    }
    let off = i64::from(pointer.off);
    if !is_near(off) {
        return refuse(format!("{name} pointer offset {off} is not allowed"));
    }
    if least == i64::MIN {
        return refuse(format!(
            "math between {name} pointer and register with unbounded min value is not allowed"
        ));
    }
    refuse(format!(
        "value {least} makes {name} pointer be out of bounds"
    ))
}

/// The pointer's constant offset moved by the number, if that is a constant and fits.
fn constant_offset(
    pointer: &RegState,
    number: &Scalar,
    moved: fn(i32, i32) -> Option<i32>,
) -> Option<i32> {
    let value = i32::try_from(number.as_constant()? as i64).ok()?;
    moved(pointer.off, value)
}

/// Moves a variable offset by a number. Only the 64-bit bounds are followed, as in the kernel.
fn add_variable(variable: &mut Scalar, number: &Scalar, op: AluOp) {
    let (a, b) = (variable.bounds, number.bounds);
    let mut moved = Scalar::UNKNOWN;
    match op {
        AluOp::Sub => {
            moved.bounds.s64 = a.s64.sub(b.s64);
            // The kernel is stricter here than with numbers: below zero nothing is known.
            if a.u64.min >= b.u64.max {
                moved.bounds.u64 = a.u64.sub(b.u64);
            }
            moved.tnum = variable.tnum.sub(number.tnum);
        }
        _ => {
            moved.bounds.s64 = a.s64.add(b.s64);
            if a.u64.max.checked_add(b.u64.max).is_some() {
                moved.bounds.u64 = a.u64.add(b.u64);
            }
            moved.tnum = variable.tnum.add(number.tnum);
        }
    }
    *variable = moved;
}

fn operator_message(op: AluOp, register: u8) -> String {
    match op {
        AluOp::And | AluOp::Or | AluOp::Xor => {
            format!(
                "R{register} bitwise operator {} on pointer prohibited",
                sign(op)
            )
        }
        _ => format!(
            "R{register} pointer arithmetic with {} operator prohibited",
            sign(op)
        ),
    }
}

/// The operator as the kernel's messages spell it: without a sign for division.
fn sign(op: AluOp) -> &'static str {
    match op {
        AluOp::Add => "+=",
        AluOp::Sub => "-=",
        AluOp::Mul => "*=",
        AluOp::Div => "/=",
        AluOp::Sdiv => "/=",
        AluOp::Or => "|=",
        AluOp::And => "&=",
        AluOp::Lsh => "<<=",
        AluOp::Rsh => ">>=",
        AluOp::Mod => "%=",
        AluOp::Smod => "%=",
        AluOp::Xor => "^=",
        AluOp::Arsh => "s>>=",
    }
}
