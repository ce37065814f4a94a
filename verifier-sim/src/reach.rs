//! Reach: jumps over what the kernel replaces. When a program is verified the kernel puts several
//! instructions in the place of some, and a jump of 16 bits that no longer reaches its target
//! makes it refuse the program.
//!
//! How many are put in its place was observed on Linux 6.18 (the length of `xlated_prog_insns`)
//! for divisions by a register. Of others, such as calls and accesses to the context, only how
//! many there are at most is known: where it depends on these nothing is promised.
//!
//! Read before: `cfg.rs`, `depth.rs`. Read next: `explore.rs`.

use crate::cfg::Cfg;
use crate::codes::Code;
use crate::diag::{Checked, Place, Rejection};
use crate::fastcall::Kept;
use crate::machine::not_modelled;
use crate::mem::AddressKind;
use ebpf_asm::helper::by_id;
use ebpf_asm::insn::Insn;
use ebpf_asm::isa::{AluOp, AtomicOp, Callee, Operand, Sem, Width};

/// By how many slots an instruction grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Growth {
    least: usize,
    most: usize,
}

impl Growth {
    const fn exactly(slots: usize) -> Growth {
        let (least, most) = (slots, slots);
        Growth { least, most }
    }

    const fn up_to(most: usize) -> Growth {
        Growth { least: 0, most }
    }
}

/// What is before a slot.
#[derive(Debug, Clone, Copy, Default)]
struct Before {
    /// How many slots are not taken out.
    slots: usize,
    /// By how many they grow.
    growth: Growth,
}

/// More than any instruction was seen to grow by: the loop that `bpf_loop` becomes, by 18.
const MOST: usize = 24;

/// What calls but `bpf_loop`, accesses to the context, `may_goto` and loads of the packet grow
/// by at most: they were seen to by 10.
const SOME: usize = 12;

/// How far a jump leads that no growth can take out of its reach.
const NEAR: usize = i16::MAX as usize / (1 + MOST);

/// That all jumps still reach their targets when the kernel has replaced what it does. No path
/// leads to what was not `seen`: that is taken out before, as are spills around calls.
pub(crate) fn check_reach(
    cfg: &Cfg<'_>,
    addresses: &[AddressKind],
    seen: impl Fn(usize) -> bool,
    fastcalls: &Kept<'_>,
) -> Checked {
    let far = || jumps(cfg).filter(|&(from, to)| from.abs_diff(to) > NEAR);
    if far().next().is_none() {
        return Ok(());
    }
    let stays = |slot| seen(slot) && !fastcalls.take_out(slot);
    let before = before_each(cfg, addresses, stays);
    let at = |slot: usize| before.get(slot).copied().unwrap_or_default();
    let (mut fails, mut in_doubt) = (None, None);
    for (from, to) in far().filter(|&(from, to)| seen(from) && seen(to)) {
        let (over, reach) = match to > from {
            true => (from + 1..to, i16::MAX.unsigned_abs()),
            false => (to..from + 1, i16::MIN.unsigned_abs()),
        };
        let (begin, end) = (at(over.start), at(over.end));
        let room = usize::from(reach).saturating_sub(end.slots - begin.slots);
        let takes = |slot: usize| at(slot + 1).growth.least - begin.growth.least;
        if let Some(slot) = over.clone().find(|&slot| takes(slot) > room)
            && fails.is_none_or(|(first, _)| slot < first)
        {
            fails = Some((slot, from));
        }
        if end.growth.most - begin.growth.most > room {
            in_doubt.get_or_insert(from);
        }
    }
    if let Some((slot, jump)) = fails {
        return Err(too_far(slot, jump));
    }
    let Some(slot) = in_doubt else {
        return Ok(());
    };
    let mut refused = not_modelled("a jump so far over instructions that the kernel replaces");
    refused.slot = slot;
    Err(refused)
}

/// The jumps of 16 bits, from where to where.
fn jumps(cfg: &Cfg<'_>) -> impl Iterator<Item = (usize, usize)> {
    (0..cfg.slot_count()).filter_map(|slot| {
        let insn = cfg.insn(slot)?;
        let jumps = matches!(insn.sem(), Sem::Jump { .. } | Sem::Ja | Sem::MayGoto);
        Some((slot, cfg.target(slot, insn).filter(|_| jumps)?))
    })
}

/// What is before each slot, and before the end.
fn before_each(
    cfg: &Cfg<'_>,
    addresses: &[AddressKind],
    stays: impl Fn(usize) -> bool,
) -> Vec<Before> {
    let mut sum = Before::default();
    let slots = 0..=cfg.slot_count();
    slots
        .map(|slot| {
            let before = sum;
            if stays(slot) {
                let address = addresses.get(slot).copied();
                let insn = cfg.insn(slot);
                let growth = insn.map_or_else(Growth::default, |insn| growth(insn, address));
                // What some programs begin with that write to packets.
                let entry = if slot == 0 { SOME } else { 0 };
                sum.slots += 1;
                sum.growth.least += growth.least;
                sum.growth.most += growth.most + entry;
            }
            before
        })
        .collect()
}

fn growth(insn: &Insn, address: Option<AddressKind>) -> Growth {
    match insn.sem() {
        Sem::Alu {
            op,
            width,
            operand: Operand::Reg,
        } => division(op, width),
        Sem::Call(Callee::Local) => Growth::default(),
        Sem::Call(Callee::Helper) if is_loop(insn) => Growth::up_to(MOST),
        Sem::Call(_) | Sem::MayGoto | Sem::LoadPacket { .. } => Growth::up_to(SOME),
        // The upper half of R0 is made zero behind it.
        Sem::Atomic {
            op: AtomicOp::Cmpxchg,
            ..
        } => Growth::up_to(1),
        _ if matches!(address, Some(AddressKind::Ctx | AddressKind::Sock(_))) => {
            Growth::up_to(SOME)
        }
        _ => Growth::default(),
    }
}

/// What is put around divisions, so that those by 0 and those that overflow give what they shall.
fn division(op: AluOp, width: Width) -> Growth {
    Growth::exactly(match (op, width) {
        (AluOp::Div, _) | (AluOp::Mod, Width::W32) => 3,
        (AluOp::Mod, Width::W64) => 1,
        (AluOp::Sdiv, _) => 7,
        (AluOp::Smod, Width::W64) => 6,
        (AluOp::Smod, Width::W32) => 8,
        _ => 0,
    })
}

fn is_loop(call: &Insn) -> bool {
    by_id(call.imm()).is_some_and(|helper| helper.name == "loop")
}

fn too_far(slot: usize, jump: usize) -> Box<Rejection> {
    let message = format!("insn {slot} cannot be patched due to 16-bit range");
    let mut refused = Rejection::new(Code::JumpOutOfRange, message)
        .label("the kernel puts several instructions in the place of this one")
        .because(Place::at(jump), "then this jump over it leads too far")
        .help("use gotol, or take what lies between into a function of its own");
    refused.slot = slot;
    refused
}

#[cfg(test)]
mod tests {
    use crate::config::Config;
    use crate::{Code, verify};
    use ebpf_asm::text::parse;

    /// The code and place of the refusal of a program with such instructions under a jump over
    /// `slots`, which leads forwards.
    fn refusal(insns: &str, slots: usize) -> Option<(Code, usize)> {
        let filled = slots - insns.lines().count();
        let text = format!(
            ".prog xdp\n r0 = 1\n r3 = *(u8 *)(r10 - 1)\n if r3 == 0 goto out\n{insns}\n{}\n out:\n \
             r0 = 2\n exit\n",
            " r2 = 0\n".repeat(filled)
        );
        let object = parse("far", &text).unwrap();
        let verdict = verify(&object, &object.programs[0], &Config::default());
        let why = verdict.rejection()?;
        Some((why.code, why.slot))
    }

    #[test]
    fn divisions_take_targets_out_of_reach() {
        // As observed on Linux 6.18.
        let growths = [
            ("r0 /= r3", 3),
            ("w0 /= w3", 3),
            ("r0 %= r3", 1),
            ("w0 %= w3", 3),
        ];
        for (division, growth) in growths {
            assert_eq!(refusal(division, 32767 - growth), None, "{division}");
            let refused = Some((Code::JumpOutOfRange, 3));
            assert_eq!(refusal(division, 32768 - growth), refused, "{division}");
        }
        let two = "r0 /= r3\nr0 /= r3";
        assert_eq!(refusal(two, 32767 - 6), None);
        assert_eq!(refusal(two, 32767 - 5), Some((Code::JumpOutOfRange, 4)));
    }

    #[test]
    fn what_may_grow_is_in_doubt_far_away_only() {
        let call = "call bpf_ktime_get_ns";
        assert_eq!(refusal(call, 32000), None);
        assert_eq!(refusal(call, 32767), Some((Code::NotModelled, 2)));
    }
}
