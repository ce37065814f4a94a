//! What gives back what a call acquired, or closes the section that it opened, as messages name
//! it, and the branch of a path from which no way leads to such a call any more.
//!
//! Described in bpf-helpers(7), and in the kernel's `Documentation/bpf/kfuncs.rst`, "KF_ACQUIRE
//! flag" and "KF_RELEASE flag".
//!
//! Read before: `object/lock.rs`, `flow/edges.rs`, `ways.rs`. Read next: `speculation.rs`.

use crate::codes::Code;
use crate::diag::{Cause, Rejection};
use crate::env::Env;
use crate::flow::edges::flood;
use ebpf_asm::isa::Sem;

/// What acquires, and what gives that back. A name that ends with `*` stands for all that begin
/// so.
const PAIRS: &[(&str, &[&str])] = &[
    ("bpf_cgroup_*", &["bpf_cgroup_release"]),
    ("bpf_cpumask_*", &["bpf_cpumask_release"]),
    ("bpf_crypto_ctx_*", &["bpf_crypto_ctx_release"]),
    ("bpf_ct_insert_entry", &["bpf_ct_release"]),
    ("bpf_get_task_exe_file", &["bpf_put_file"]),
    ("bpf_list_pop_*", &["bpf_obj_drop_impl"]),
    ("bpf_local_irq_save", &["bpf_local_irq_restore"]),
    ("bpf_lookup_*", &["bpf_key_put"]),
    // A socket, where it acquires at all.
    ("bpf_map_lookup_elem", &["bpf_sk_release"]),
    ("bpf_obj_new_impl", &["bpf_obj_drop_impl"]),
    ("bpf_percpu_obj_new_impl", &["bpf_percpu_obj_drop_impl"]),
    ("bpf_preempt_disable", &["bpf_preempt_enable"]),
    ("bpf_rbtree_remove", &["bpf_obj_drop_impl"]),
    ("bpf_rcu_read_lock", &["bpf_rcu_read_unlock"]),
    ("bpf_refcount_acquire_impl", &["bpf_obj_drop_impl"]),
    ("bpf_res_spin_lock", &["bpf_res_spin_unlock"]),
    (
        "bpf_res_spin_lock_irqsave",
        &["bpf_res_spin_unlock_irqrestore"],
    ),
    (
        "bpf_ringbuf_reserve",
        &["bpf_ringbuf_submit", "bpf_ringbuf_discard"],
    ),
    (
        "bpf_ringbuf_reserve_dynptr",
        &["bpf_ringbuf_submit_dynptr", "bpf_ringbuf_discard_dynptr"],
    ),
    ("bpf_sk_lookup_*", &["bpf_sk_release"]),
    (
        "bpf_skb_ct_alloc",
        &["bpf_ct_insert_entry", "bpf_ct_release"],
    ),
    ("bpf_skb_ct_lookup", &["bpf_ct_release"]),
    ("bpf_skc_lookup_*", &["bpf_sk_release"]),
    ("bpf_spin_lock", &["bpf_spin_unlock"]),
    ("bpf_task_get_cgroup1", &["bpf_cgroup_release"]),
    ("bpf_task_*", &["bpf_task_release"]),
    (
        "bpf_xdp_ct_alloc",
        &["bpf_ct_insert_entry", "bpf_ct_release"],
    ),
    ("bpf_xdp_ct_lookup", &["bpf_ct_release"]),
    ("bpf_xdp_get_xfrm_state", &["bpf_xdp_xfrm_state_release"]),
];

/// Of what `bpf_kptr_xchg` took out of a map, by the type of the pointer.
const OF_KPTRS: &[&str] = &[
    "bpf_task_release",
    "bpf_cgroup_release",
    "bpf_cpumask_release",
    "bpf_crypto_ctx_release",
    "bpf_obj_drop_impl",
    "bpf_percpu_obj_drop_impl",
];

/// What gives back what the function `acquires`, none if that is not known.
fn givers(acquires: &str) -> Vec<String> {
    let iterator = acquires.strip_prefix("bpf_iter_");
    if let Some(iterator) = iterator.and_then(|rest| rest.strip_suffix("_new")) {
        return vec![format!("bpf_iter_{iterator}_destroy")];
    }
    let names = match acquires {
        "bpf_kptr_xchg" => OF_KPTRS,
        _ => PAIRS
            .iter()
            .find(|(pattern, _)| is_it(pattern, acquires))
            .map_or(&[][..], |(_, givers)| givers),
    };
    names.iter().map(|&name| name.to_owned()).collect()
}

/// Whether a pattern of the table stands for a name.
fn is_it(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == pattern,
    }
}

impl Env<'_> {
    /// The names of what gives back what the call at `slot` acquired, as a help goes on with
    /// them; nothing if they are not known.
    pub(crate) fn given_back_by(&self, slot: usize) -> String {
        let Some(acquires) = self.called_name(slot) else {
            return String::new();
        };
        if acquires == "bpf_kptr_xchg" {
            return " if it is not null, with what releases its type, as bpf_task_release does a \
                    task_struct"
                .to_owned();
        }
        // Programs in C call functions of the kernel that want more arguments by macros.
        let named: Vec<String> = givers(&acquires)
            .iter()
            .map(|name| name.trim_end_matches("_impl").to_owned())
            .collect();
        match named.is_empty() {
            true => String::new(),
            false => format!(", with {}", named.join(" or ")),
        }
    }

    /// Adds the branch to a rejection from which no way leads any more to what would have given
    /// back what its first cause acquired, if there is such a branch on the path.
    pub(crate) fn explain_kept(&self, mut refused: Box<Rejection>) -> Box<Rejection> {
        let is_end = self.cfg.insn(refused.slot).map(|insn| insn.sem()) == Some(Sem::Exit);
        let concerns = match refused.code {
            Code::ReferenceLeak | Code::Lock => is_end,
            // Nor may one sleep in what was to be closed.
            Code::Section => true,
            _ => false,
        };
        let acquired_at = refused.causes.first().map(|cause| cause.slot);
        let (true, Some(acquired_at)) = (concerns, acquired_at) else {
            return refused;
        };
        if let Some(branch) = self.leads_past(&refused, acquired_at) {
            refused.causes.push(branch);
        }
        refused
    }

    /// The last branch of the path behind `acquired_at` that could have led to a giver.
    fn leads_past(&self, refused: &Rejection, acquired_at: usize) -> Option<Cause> {
        let givers = givers(&self.called_name(acquired_at)?);
        let found: Vec<(usize, String)> = (0..self.cfg.slot_count())
            .filter_map(|slot| Some((slot, self.called_name(slot)?)))
            .filter(|(_, name)| givers.contains(name))
            .collect();
        let (_, name) = found.first()?;
        let gives = |slot: usize| found.binary_search_by_key(&slot, |(at, _)| *at).is_ok();
        let gives_in = |callee: usize| {
            let functions = self.cfg.reached_from(vec![callee]);
            let mut ranges = functions.iter().map(|&f| self.cfg.function_range(f));
            ranges.any(|mut range| range.any(gives))
        };
        let slots = self.cfg.slot_count();
        let in_call = |slot| self.cfg.callee(slot).is_some_and(gives_in);
        let (mut to_giver, mut behind) = (vec![false; slots], vec![false; slots]);
        let there = (0..slots).filter(|&slot| gives(slot) || in_call(slot));
        flood(there, &mut to_giver, |slot| self.before.of(&self.cfg, slot));
        let on = |slot| self.cfg.successors(slot).into_iter().flatten();
        flood([acquired_at], &mut behind, on);
        let leads = |slot: usize| to_giver.get(slot).copied().unwrap_or(false);
        let mut back = refused.path.iter().rev();
        let branch = back.find(|step| {
            let [on, jump] = self.cfg.successors(step.slot);
            let mut others = [on, jump].into_iter().flatten().filter(|&to| to != step.to);
            let is_behind = behind.get(step.slot).copied().unwrap_or(false);
            is_behind && !leads(step.to) && others.any(leads)
        })?;
        Some(Cause {
            slot: branch.slot,
            text: format!("the branch taken here leads past {name}"),
        })
    }

    /// The name of the helper or function of the kernel that the instruction at `slot` calls.
    pub(crate) fn called_name(&self, slot: usize) -> Option<String> {
        match self.cfg.helper(slot) {
            Some(helper) => Some(format!("bpf_{}", helper.name)),
            None => self.kfunc_name(slot).map(str::to_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{OF_KPTRS, PAIRS, givers, is_it};
    use crate::kfunc::{Flags, kfuncs, with_flag};
    use ebpf_asm::helper::{Arg, HELPERS, Helper, Ownership};
    use ebpf_asm::prog_type::ProgType;

    /// Functions of the kernel's own tests, which nothing acquires for.
    const OF_TESTS: [&str; 2] = ["bpf_kfunc_call_memb_release", "bpf_kfunc_call_test_release"];

    /// The helpers with an argument of which this is so.
    fn helpers_with(is_such: impl Fn(Arg) -> bool) -> Vec<String> {
        let is_such =
            |helper: &&Helper| helper.proto(ProgType::Xdp).args.iter().any(|&a| is_such(a));
        let found = HELPERS.iter().filter(is_such);
        found.map(|helper| format!("bpf_{}", helper.name)).collect()
    }

    fn acquiring() -> Vec<String> {
        let owns = |helper: &&Helper| helper.proto(ProgType::Xdp).ownership == Ownership::Acquired;
        let helpers = HELPERS.iter().filter(owns);
        let mut names: Vec<String> = helpers.map(|h| format!("bpf_{}", h.name)).collect();
        names.extend(helpers_with(
            |arg| matches!(arg, Arg::UninitDynptr(of) if of.is_owned()),
        ));
        for flag in [Flags::ACQUIRE, Flags::ITER_NEW, Flags::TAKES_LOCK] {
            names.extend(with_flag(flag).map(str::to_owned));
        }
        names
    }

    fn releasing() -> Vec<String> {
        let mut names = helpers_with(|arg| {
            matches!(
                arg,
                Arg::ReleasedSock | Arg::ReleasedDynptr(_) | Arg::RingbufRecord
            )
        });
        for flag in [Flags::RELEASE, Flags::ITER_DESTROY] {
            names.extend(with_flag(flag).map(str::to_owned));
        }
        names
    }

    #[test]
    fn what_is_acquired_is_given_back_by_what_releases() {
        let releasing = releasing();
        let locks: Vec<&str> = with_flag(Flags::TAKES_LOCK).collect();
        for name in acquiring() {
            let givers = givers(&name);
            assert!(!givers.is_empty(), "{name}");
            let takes_lock = locks.contains(&name.as_str());
            for giver in givers.iter().filter(|_| !takes_lock) {
                assert!(
                    releasing.contains(giver),
                    "{name}: {giver} releases nothing"
                );
            }
        }
    }

    #[test]
    fn what_releases_gives_back_what_something_acquires() {
        let given: Vec<String> = acquiring().iter().flat_map(|name| givers(name)).collect();
        for name in releasing() {
            let is_known = given.contains(&name) || OF_TESTS.contains(&name.as_str());
            assert!(is_known, "nothing acquires what {name} gives back");
        }
        for name in OF_KPTRS {
            assert!(given.iter().any(|giver| giver == name), "{name}");
        }
    }

    #[test]
    fn each_pair_is_the_first_for_something() {
        let named = kfuncs().map(str::to_owned);
        let helpers = HELPERS.iter().map(|helper| format!("bpf_{}", helper.name));
        let all: Vec<String> = named.chain(helpers).collect();
        for (index, (pattern, givers)) in PAIRS.iter().enumerate() {
            let first = |name: &String| PAIRS.iter().position(|(known, _)| is_it(known, name));
            assert!(
                all.iter().any(|name| first(name) == Some(index)),
                "{pattern}"
            );
            for giver in *givers {
                assert!(all.iter().any(|name| name == giver), "{giver}");
            }
        }
    }

    #[test]
    fn iterators_are_destroyed_by_their_own() {
        assert_eq!(givers("bpf_iter_num_new"), ["bpf_iter_num_destroy"]);
    }
}
