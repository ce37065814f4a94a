//! Reach: jumps over what the kernel replaces. When a program is verified the kernel puts several
//! instructions in the place of some, and a jump of 16 bits that no longer reaches its target
//! makes it refuse the program.
//!
//! First of all `bpf_loop` is written out, when nothing has been taken out yet: not what no path
//! leads to, and not the spills around calls. All else is replaced afterwards.
//!
//! How many are put in its place was observed on Linux 6.18 (the length of `xlated_prog_insns`)
//! for loops and divisions by a register. Of others, such as calls and accesses to the context,
//! only how many there are at most is known: where it depends on these nothing is promised.
//!
//! Read before: `cfg.rs`, `chains.rs`. Read next: `path/explore.rs`.

use crate::codes::Code;
use crate::config::{Config, UpperHalves};
use crate::diag::{Checked, Place, Rejection};
use crate::flow::cfg::Cfg;
use crate::flow::fastcall::Kept;
use crate::memory::mem::AddressKind;
use crate::path::notes::LoopCall;
use crate::step::machine::not_modelled;
use ebpf_asm::insn::Insn;
use ebpf_asm::isa::{AluOp, AtomicOp, Callee, Operand, Sem, Size, Width};
use std::ops::Range;

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

/// By how much `bpf_loop` grows where it is written out.
const LOOP: usize = 18;

/// More than any instruction was seen to grow by.
const MOST: usize = 24;

/// What puts a random number into the upper half of a register.
const RANDOM_HALF: usize = 3;

/// What calls but `bpf_loop`, accesses to the context, `may_goto` and loads of the packet grow
/// by at most: they were seen to by 10.
const SOME: usize = 12;

/// How far a jump leads that no growth can take out of its reach.
const NEAR: usize = i16::MAX as usize / (1 + MOST);

/// A program that was followed, as far as it matters how far its jumps reach.
pub(crate) struct Followed<'f, 'a, S> {
    pub(crate) cfg: &'f Cfg<'a>,
    pub(crate) config: &'f Config,
    /// What the loads and stores have for an address.
    pub(crate) addresses: &'f [AddressKind],
    /// The calls of `bpf_loop`.
    pub(crate) loops: &'f [LoopCall],
    /// The spills around calls that are taken out.
    pub(crate) fastcalls: &'f Kept<'f>,
    /// Whether a path leads to a slot. What none leads to is taken out.
    pub(crate) seen: S,
}

impl<S: Fn(usize) -> bool> Followed<'_, '_, S> {
    /// That all jumps still reach their targets when the kernel has replaced what it does.
    pub(crate) fn check_reach(&self) -> Checked {
        let most = i16::MAX as usize;
        if self.cfg.slot_count() <= most && self.most_slots() <= most {
            return Ok(());
        }
        let far = jumps(self.cfg).filter(|&(from, to)| from.abs_diff(to) > NEAR);
        let far: Vec<(usize, usize)> = far.collect();
        if far.is_empty() {
            return Ok(());
        }
        self.check_loops(&far)?;
        let before = self.before_each();
        let at = |slot: usize| before.get(slot).copied().unwrap_or_default();
        let (mut fails, mut in_doubt) = (None, None);
        let seen = &self.seen;
        for &(from, to) in far.iter().filter(|&&(from, to)| seen(from) && seen(to)) {
            let (over, reach) = over(from, to);
            let (begin, end) = (at(over.start), at(over.end));
            let room = reach.saturating_sub(end.slots - begin.slots);
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

    /// How long the program is at most when all is replaced and nothing is taken out. Mostly no jump
    /// can lead over so much.
    fn most_slots(&self) -> usize {
        let slots = 0..self.cfg.slot_count();
        SOME + slots.map(|slot| 1 + self.growth(slot).most).sum::<usize>()
    }

    /// That all jumps, also those to which no path leads, reach over the loops that are written out.
    fn check_loops(&self, far: &[(usize, usize)]) -> Checked {
        let mut written: Vec<usize> = self.written_out().collect();
        written.sort_unstable();
        for &slot in &written {
            let fails = |&&(from, to): &&(usize, usize)| {
                let (over, reach) = over(from, to);
                let before = written
                    .iter()
                    .filter(|&&at| at <= slot && over.contains(&at));
                over.contains(&slot) && over.len() + LOOP * before.count() > reach
            };
            if let Some(&(from, _)) = far.iter().find(fails) {
                return Err(too_far(slot, from));
            }
        }
        Ok(())
    }

    /// Where loops are written out in the place of calls.
    fn written_out(&self) -> impl Iterator<Item = usize> {
        let written = self.loops.iter().filter(|call| call.written_out.is_some());
        written.map(|call| call.slot)
    }

    /// What is before each slot, and before the end.
    fn before_each(&self) -> Vec<Before> {
        let mut sum = Before::default();
        let slots = 0..=self.cfg.slot_count();
        slots
            .map(|slot| {
                let before = sum;
                if (self.seen)(slot) && !self.fastcalls.take_out(slot) {
                    let growth = self.growth(slot);
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

    fn growth(&self, slot: usize) -> Growth {
        let Some(insn) = self.cfg.insn(slot) else {
            return Growth::default();
        };
        if self.written_out().any(|written| written == slot) {
            return Growth::exactly(LOOP);
        }
        let mut growth = growth(insn, self.addresses.get(slot).copied());
        if self.config.upper_halves == UpperHalves::Random && writes_half(insn) {
            growth.most += RANDOM_HALF;
        }
        growth
    }
}

/// What a jump leads over, and how far it reaches in this direction.
fn over(from: usize, to: usize) -> (Range<usize>, usize) {
    let (over, reach) = match to > from {
        true => (from + 1..to, i16::MAX.unsigned_abs()),
        false => (to..from + 1, i16::MIN.unsigned_abs()),
    };
    (over, reach.into())
}

/// The jumps of 16 bits, from where to where.
fn jumps(cfg: &Cfg<'_>) -> impl Iterator<Item = (usize, usize)> {
    (0..cfg.slot_count()).filter_map(|slot| {
        let insn = cfg.insn(slot)?;
        let jumps = matches!(insn.sem(), Sem::Jump { .. } | Sem::Ja | Sem::MayGoto);
        Some((slot, cfg.target(slot, insn).filter(|_| jumps)?))
    })
}

fn growth(insn: &Insn, address: Option<AddressKind>) -> Growth {
    match insn.sem() {
        Sem::Alu {
            op,
            width,
            operand: Operand::Reg,
        } => division(op, width),
        Sem::Call(Callee::Local) => Growth::default(),
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

/// Whether an instruction writes a register, and no more than its lower half: those that the kernel
/// was seen to grow with `BPF_F_TEST_RND_HI32`, and more.
fn writes_half(insn: &Insn) -> bool {
    match insn.sem() {
        Sem::Alu { width, .. } | Sem::Neg { width } | Sem::Mov { width, .. } => width == Width::W32,
        Sem::Load { size } | Sem::LoadAcquire { size } => size != Size::DW,
        Sem::Movsx { .. } | Sem::ByteSwap { .. } | Sem::LoadSx { .. } => true,
        Sem::Atomic { .. } | Sem::LoadPacket { .. } => true,
        _ => false,
    }
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
    use crate::config::{Config, UpperHalves};
    use crate::{Code, verify};
    use ebpf_asm::text::parse;

    /// The code and place of the refusal of a program.
    fn refused(text: &str) -> Option<(Code, usize)> {
        let object = parse("far", text).unwrap();
        let verdict = verify(&object, &object.programs[0], &Config::default());
        let why = verdict.rejection()?;
        Some((why.code, why.slot))
    }

    /// The code and place of the refusal of a program with such instructions under a jump over
    /// `slots`, which leads forwards.
    fn refusal(insns: &str, slots: usize) -> Option<(Code, usize)> {
        let filled = slots - insns.lines().count();
        let text = format!(
            ".prog xdp\n r0 = 1\n r3 = *(u8 *)(r10 - 1)\n if r3 == 0 goto out\n{insns}\n{}\n out:\n \
             r0 = 2\n exit\n",
            " r2 = 0\n".repeat(filled)
        );
        refused(&text)
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

    /// The same of calls of `bpf_loop`, of which the first is in slot 7, and behind them so many
    /// slots that no path leads to.
    fn refusal_of_loops(loops: usize, dead: usize, slots: usize) -> Option<(Code, usize)> {
        let call = " r1 = 4\n r2 = code_addr(round)\n r3 = 0\n r4 = 0\n call bpf_loop\n";
        let filled = slots - 6 * loops - 2 - dead;
        let text = format!(
            ".license GPL\n.prog xdp program type_id=4\n r0 = 1\n r3 = *(u8 *)(r10 - 1)\n \
             if r3 == 0 goto out\n{}\n r9 = 0\n if r9 == 0 goto behind\n{} behind:\n{} out:\n \
             r0 = 2\n exit\n.func round type_id=6\n r0 = 0\n exit\n.btf\n\
             [1] INT 'int' size=4 encoding=SIGNED\n\
             [2] PTR '(anon)' type_id=0\n\
             [3] FUNC_PROTO '(anon)' ret_type_id=1\n\
             [4] FUNC 'program' type_id=3 linkage=global\n\
             [5] FUNC_PROTO '(anon)' ret_type_id=1\n        'round' type_id=1\n        \
             'context' type_id=2\n\
             [6] FUNC 'round' type_id=5 linkage=static\n",
            call.repeat(loops),
            " r2 = 0\n".repeat(dead),
            " r2 = 0\n".repeat(filled)
        );
        refused(&text)
    }

    #[test]
    fn loops_are_written_out_before_anything_is_taken_out() {
        // As observed on Linux 6.18.
        let refused = |slot| Some((Code::JumpOutOfRange, slot));
        for dead in [0, 100, 32000] {
            assert_eq!(refusal_of_loops(1, dead, 32749), None, "{dead}");
            assert_eq!(refusal_of_loops(1, dead, 32750), refused(8), "{dead}");
            assert_eq!(refusal_of_loops(2, dead, 32731), None, "{dead}");
            assert_eq!(refusal_of_loops(2, dead, 32732), refused(14), "{dead}");
        }
    }

    #[test]
    fn random_upper_halves_take_room() {
        let text = format!(
            ".prog xdp\n r3 = *(u8 *)(r10 - 1)\n if r3 == 0 goto out\n{} out:\n r0 = 2\n exit\n",
            " w2 = 0\n".repeat(8195)
        );
        let object = parse("far", &text).unwrap();
        let verdict = |upper_halves| {
            let config = Config {
                upper_halves,
                ..Config::default()
            };
            verify(&object, &object.programs[0], &config).is_accepted()
        };
        assert!(verdict(UpperHalves::Any));
        assert!(!verdict(UpperHalves::Random));
    }

    #[test]
    fn what_may_grow_is_in_doubt_far_away_only() {
        let call = "call bpf_ktime_get_ns";
        assert_eq!(refusal(call, 32000), None);
        assert_eq!(refusal(call, 32767), Some((Code::NotModelled, 2)));
    }
}
