//! Bounds-check merging: a check proves as much as a later one asks for.
//!
//! Take a check of `a` bytes, and behind it another of `b > a` bytes from the same pointer.
//! Asking for `b` bytes at once changes what happens to packets of `a` to `b - 1` bytes only:
//! they now leave where the first check leaves. So the law is that **every way such a packet
//! could have gone ends as the first check's way out ends, with no side effect before**. Then
//! the second check is proven by the first and goes away. No way gets longer.
//!
//! The law is checked by walking the ways of such a packet, with what registers they set.

use std::collections::{BTreeMap, HashMap};

use super::bits::RegSet;
use super::cfg::{Block, BlockId, Cfg, End, InstKind, Src, VReg};
use super::context::moves_packet;
use super::live::Liveness;
use crate::isa::Width;

/// How many blocks are walked for one merge, at most. What is not known to be right by then
/// is left alone.
const MAX_STEPS: u32 = 2000;

/// Merges checks, and removes those that others prove.
pub(super) fn merge(cfg: &mut Cfg) {
    widen(cfg);
    remove_proven(cfg);
}

/// Makes each check ask for as much as the law allows.
fn widen(cfg: &mut Cfg) {
    let liveness = Liveness::of(cfg);
    for id in cfg.order() {
        let wider = widest(cfg, &liveness.live_in, id);
        let block = cfg.blocks.get_mut(id.0);
        if let (Some(wider), Some(End::Bounds { end, .. })) =
            (wider, block.map(|block| &mut block.end))
        {
            *end = wider;
        }
    }
}

/// The largest end that the check of block `id` may ask for, if it is not its own.
fn widest(cfg: &Cfg, live_in: &[RegSet], id: BlockId) -> Option<i32> {
    let End::Bounds {
        ptr,
        end,
        inside,
        outside,
        ..
    } = cfg.block(id)?.end
    else {
        return None;
    };
    let mut ends = later_ends(cfg, ptr, inside);
    ends.retain(|later| *later > end);
    ends.sort_unstable();
    ends.dedup();
    let way_out = WayOut::follow(cfg, outside);
    let allowed = |wider: &i32| {
        let mut walk = Walk {
            cfg,
            live_in,
            way_out: &way_out,
            ptr,
            narrow: end,
            wide: *wider,
            steps: 0,
        };
        walk.ends_the_same(inside, Env::new()) == Same::Yes
    };
    ends.into_iter().rev().find(allowed)
}

/// The ends that checks of `ptr` behind `from` ask for.
fn later_ends(cfg: &Cfg, ptr: VReg, from: BlockId) -> Vec<i32> {
    let mut seen = vec![false; cfg.blocks.len()];
    let mut stack = vec![from];
    let mut ends = Vec::new();
    while let Some(at) = stack.pop() {
        let (Some(seen), Some(block)) = (seen.get_mut(at.0), cfg.block(at)) else {
            continue;
        };
        if std::mem::replace(seen, true) {
            continue;
        }
        match block.end {
            End::Bounds {
                ptr: other, end, ..
            } if other == ptr => ends.push(end),
            _ => {}
        }
        stack.extend(block.end.targets());
    }
    ends
}

/// What a way has set registers to: a constant, or (`None`) something else.
type Env = BTreeMap<VReg, Option<i64>>;

/// Runs a block's instructions on `env`; `None` if one has a side effect.
fn run(block: &Block, mut env: Env) -> Option<Env> {
    for inst in &block.insts {
        if inst.kind.has_effect() {
            return None;
        }
        if let Some(dst) = inst.kind.dst() {
            let value = match inst.kind {
                InstKind::Mov {
                    width: Width::W64,
                    src,
                    ..
                } => constant(&env, src),
                _ => None,
            };
            env.insert(dst, value);
        }
    }
    Some(env)
}

fn constant(env: &Env, src: Src) -> Option<i64> {
    match src {
        Src::Imm(imm) => Some(imm),
        Src::Reg(reg) => env.get(&reg).copied().flatten(),
    }
}

/// Where a check leads when it fails: the blocks on the way, as long as it is one way.
struct WayOut {
    /// The blocks, each with what was set before it.
    blocks: Vec<(BlockId, Env)>,
    /// The constant returned at the end, if it ends so.
    returns: Option<i64>,
}

impl WayOut {
    fn follow(cfg: &Cfg, from: BlockId) -> Self {
        let mut way = WayOut {
            blocks: Vec::new(),
            returns: None,
        };
        let (mut at, mut env) = (from, Env::new());
        while way.blocks.len() < cfg.blocks.len() {
            way.blocks.push((at, env.clone()));
            let Some(block) = cfg.block(at) else {
                break;
            };
            let Some(after) = run(block, env) else {
                break;
            };
            match block.end {
                End::Jump(to) => (at, env) = (to, after),
                End::Return(value) => {
                    way.returns = constant(&after, value);
                    break;
                }
                _ => break,
            }
        }
        way
    }
}

/// Whether all ways end the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Same {
    Yes,
    /// They do not, or it is not known.
    Unknown,
}

impl Same {
    fn and(self, other: impl FnOnce() -> Same) -> Same {
        match self {
            Same::Yes => other(),
            Same::Unknown => Same::Unknown,
        }
    }
}

/// The walk of a packet that has `narrow` bytes behind `ptr`, and not `wide`.
struct Walk<'a> {
    cfg: &'a Cfg,
    live_in: &'a [RegSet],
    way_out: &'a WayOut,
    ptr: VReg,
    narrow: i32,
    wide: i32,
    steps: u32,
}

impl Walk<'_> {
    /// Whether every way from `at` ends as the way out does.
    fn ends_the_same(&mut self, at: BlockId, mut env: Env) -> Same {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return Same::Unknown;
        }
        // What is not read any more only costs time.
        if let Some(live) = self.live_in.get(at.0) {
            env.retain(|reg, _| live.contains(*reg));
        }
        if self.meets_way_out(at, &env) {
            return Same::Yes;
        }
        let Some(block) = self.cfg.block(at) else {
            return Same::Unknown;
        };
        let Some(env) = run(block, env) else {
            return Same::Unknown;
        };
        match block.end {
            End::Return(value) => match (constant(&env, value), self.way_out.returns) {
                (Some(here), Some(there)) if here == there => Same::Yes,
                _ => Same::Unknown,
            },
            End::Jump(to) => self.ends_the_same(to, env),
            End::Branch {
                then, otherwise, ..
            } => self.both(then, otherwise, env),
            End::Bounds {
                ptr,
                end,
                inside,
                outside,
                ..
            } => match ptr == self.ptr {
                true if end >= self.wide => self.ends_the_same(outside, env),
                true if end <= self.narrow => self.ends_the_same(inside, env),
                _ => self.both(inside, outside, env),
            },
            End::Exit => Same::Unknown,
        }
    }

    fn both(&mut self, first: BlockId, second: BlockId, env: Env) -> Same {
        self.ends_the_same(first, env.clone())
            .and(|| self.ends_the_same(second, env))
    }

    /// Whether the way out comes to this block as well, with the same in every register that
    /// is still read.
    fn meets_way_out(&self, at: BlockId, env: &Env) -> bool {
        let met = self.way_out.blocks.iter().find(|(block, _)| *block == at);
        let (Some((_, there)), Some(live)) = (met, self.live_in.get(at.0)) else {
            return false;
        };
        let equal = |reg: &VReg| match (env.get(reg), there.get(reg)) {
            (Some(Some(here)), Some(Some(there))) => here == there,
            _ => false,
        };
        let mut set = env.keys().chain(there.keys());
        set.all(|reg| !live.contains(*reg) || equal(reg))
    }
}

/// How many bytes behind each pointer are known to be in the packet.
type Proven = HashMap<VReg, i32>;

/// Makes jumps of checks whose bytes are proven on every way there.
fn remove_proven(cfg: &mut Cfg) {
    let predecessors = cfg.predecessors();
    let mut leaving: HashMap<(BlockId, BlockId), Proven> = HashMap::new();
    for id in cfg.order() {
        let ways = predecessors.get(id.0).map(Vec::as_slice);
        let mut proven = meet(id, ways.unwrap_or_default(), &leaving);
        let Some(block) = cfg.blocks.get_mut(id.0) else {
            continue;
        };
        let moved = |kind: &InstKind| matches!(kind, InstKind::Call { helper, .. } if moves_packet(*helper));
        if block.insts.iter().any(|inst| moved(&inst.kind)) {
            proven.clear();
        }
        if let End::Bounds {
            ptr, end, inside, ..
        } = block.end
            && proven.get(&ptr).is_some_and(|known| *known >= end)
        {
            block.end = End::Jump(inside);
        }
        for to in block.end.targets() {
            leaving.insert((id, to), proven.clone());
        }
        if let End::Bounds {
            ptr,
            end,
            inside,
            outside,
            ..
        } = block.end
            && inside != outside
        {
            let known = proven.entry(ptr).or_insert(end);
            *known = end.max(*known);
            leaving.insert((id, inside), proven);
        }
    }
}

/// What is proven on every way to a block; a way that was not gone yet proves nothing.
fn meet(to: BlockId, ways: &[BlockId], leaving: &HashMap<(BlockId, BlockId), Proven>) -> Proven {
    let mut ways = ways.iter().map(|from| leaving.get(&(*from, to)));
    let Some(Some(first)) = ways.next() else {
        return Proven::new();
    };
    let mut proven = first.clone();
    for way in ways {
        proven.retain(|ptr, known| match way.and_then(|way| way.get(ptr)) {
            Some(other) => {
                *known = (*known).min(*other);
                true
            }
            None => false,
        });
    }
    proven
}
