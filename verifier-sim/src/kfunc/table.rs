//! The kernel functions: one table of names, callers, first kernels and flags.
//!
//! Which functions there are and who may call them was observed on Linux 6.18, as were the
//! flags; those of functions for LSM programs, and first releases, are from the kernel's
//! documentation and history.
//!
//! Read before: `kfunc/hook.rs`. Read next: `kfunc/param.rs`.

use super::hook::Callers;
use crate::call::later::CalledBy;
use crate::object::dynptr::Access;
use ebpf_asm::helper::DynptrType;
use ebpf_asm::isa::KernelVersion;

/// What the prototype of a function does not say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    /// The name.
    pub(super) name: &'static str,
    /// Who may call it.
    pub(super) callers: Callers,
    /// The first Linux release that has it.
    pub(super) since: KernelVersion,
    flags: Flags,
    /// What it does that concerns dynptrs or is done later, if it does such a thing.
    pub(super) does: Option<Does>,
}

/// What few functions do, each with something of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Does {
    /// It makes a dynptr that stands for this.
    MakesDynptr(DynptrType),
    /// It makes a dynptr that stands for what another stands for.
    ClonesDynptr,
    /// It hands out a slice of a dynptr, with which this may be done.
    Slices(Access),
    /// It has a function of the program called later, by this.
    CallsLater(CalledBy),
}

/// What the kernel's `KF_*` flags say of a function, and what it does besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flags(u32);

impl Flags {
    /// What it returns must be given back.
    pub(crate) const ACQUIRE: Flags = Flags(1 << 0);
    /// It takes back what its argument points to.
    pub(crate) const RELEASE: Flags = Flags(1 << 1);
    /// It may return null.
    pub(crate) const RET_NULL: Flags = Flags(1 << 2);
    /// Its pointers must be trusted.
    pub(crate) const TRUSTED_ARGS: Flags = Flags(1 << 3);
    /// It may sleep.
    pub(crate) const SLEEPABLE: Flags = Flags(1 << 4);
    /// Its pointers must be trusted, or protected by RCU.
    pub(crate) const RCU: Flags = Flags(1 << 5);
    /// It is called in an RCU section only.
    pub(crate) const RCU_PROTECTED: Flags = Flags(1 << 6);
    /// It begins an iteration.
    pub(crate) const ITER_NEW: Flags = Flags(1 << 7);
    /// It gives the next of an iteration.
    pub(crate) const ITER_NEXT: Flags = Flags(1 << 8);
    /// It ends an iteration.
    pub(crate) const ITER_DESTROY: Flags = Flags(1 << 9);
    /// The kernel puts other instructions in its place, and R1 to R5 may survive.
    pub(crate) const FASTCALL: Flags = Flags(1 << 10);
    /// Moves the packet, so that pointers to it end.
    pub(crate) const MOVES_PACKET: Flags = Flags(1 << 11);
    /// Concerns the network card, so that only programs loaded for one may call it.
    pub(crate) const DEVICE_BOUND: Flags = Flags(1 << 12);
    /// It may be called while a lock is held: what a lock is there for, and counting.
    pub(crate) const IN_LOCK: Flags = Flags(1 << 13);
    /// It puts an object into a list or tree.
    pub(crate) const INSERTS: Flags = Flags(1 << 14);
    /// It has the program compare, in a function that it calls before it returns.
    pub(crate) const CALLS_BACK: Flags = Flags(1 << 15);
    /// It takes a resilient lock, which may fail.
    pub(crate) const TAKES_LOCK: Flags = Flags(1 << 16);
    /// It takes such a lock with interrupts off, or gives one back that was taken so.
    pub(crate) const WITH_IRQ: Flags = Flags(1 << 17);
    /// It gives a pointer a type.
    pub(crate) const CASTS: Flags = Flags(1 << 18);
    /// Nobody knows whether what it returns is such an object at all.
    pub(crate) const RET_UNTRUSTED: Flags = Flags(1 << 19);
    /// It returns a pointer to a number that the program keeps, and may write.
    pub(crate) const RET_WRITABLE: Flags = Flags(1 << 20);
}

impl Row {
    /// Whether it has a flag.
    pub(crate) const fn has(&self, flag: Flags) -> bool {
        self.flags.0 & flag.0 != 0
    }

    /// Whether its pointers must be trusted: what is given back must be as well.
    pub(crate) const fn wants_trusted(&self) -> bool {
        self.has(Flags::TRUSTED_ARGS) || self.has(Flags::RELEASE)
    }

    const fn with(mut self, flag: Flags) -> Row {
        self.flags.0 |= flag.0;
        self
    }

    const fn acquire(self) -> Row {
        self.with(Flags::ACQUIRE)
    }

    const fn release(self) -> Row {
        self.with(Flags::RELEASE)
    }

    const fn ret_null(self) -> Row {
        self.with(Flags::RET_NULL)
    }

    const fn trusted_args(self) -> Row {
        self.with(Flags::TRUSTED_ARGS)
    }

    const fn sleepable(self) -> Row {
        self.with(Flags::SLEEPABLE)
    }

    const fn rcu(self) -> Row {
        self.with(Flags::RCU)
    }

    const fn rcu_protected(self) -> Row {
        self.with(Flags::RCU_PROTECTED)
    }

    const fn iter_new(self) -> Row {
        self.with(Flags::ITER_NEW)
    }

    const fn iter_next(self) -> Row {
        self.with(Flags::ITER_NEXT)
    }

    const fn iter_destroy(self) -> Row {
        self.with(Flags::ITER_DESTROY)
    }

    const fn fastcall(self) -> Row {
        self.with(Flags::FASTCALL)
    }

    const fn moves_packet(self) -> Row {
        self.with(Flags::MOVES_PACKET)
    }

    const fn device_bound(self) -> Row {
        self.with(Flags::DEVICE_BOUND)
    }

    const fn in_lock(self) -> Row {
        self.with(Flags::IN_LOCK)
    }

    const fn inserts(self) -> Row {
        self.with(Flags::INSERTS)
    }

    const fn calls_back(self) -> Row {
        self.with(Flags::CALLS_BACK)
    }

    const fn takes_lock(self) -> Row {
        self.with(Flags::TAKES_LOCK)
    }

    const fn with_irq(self) -> Row {
        self.with(Flags::WITH_IRQ)
    }

    const fn casts(self) -> Row {
        self.with(Flags::CASTS)
    }

    const fn ret_untrusted(self) -> Row {
        self.with(Flags::RET_UNTRUSTED)
    }

    const fn ret_writable(self) -> Row {
        self.with(Flags::RET_WRITABLE)
    }

    const fn does(mut self, does: Does) -> Row {
        self.does = Some(does);
        self
    }
}

const fn kfunc(name: &'static str, callers: Callers, since: KernelVersion) -> Row {
    Row {
        name,
        callers,
        since,
        flags: Flags(0),
        does: None,
    }
}

/// The function of this name.
pub(super) fn by_name(name: &str) -> Option<&'static Row> {
    let at = KFUNCS.binary_search_by(|row| row.name.cmp(name));
    KFUNCS.get(at.ok()?)
}

const GENERIC: Callers = Callers::XDP
    .or(Callers::TC)
    .or(Callers::STRUCT_OPS)
    .or(Callers::TRACING)
    .or(Callers::SYSCALL)
    .or(Callers::CGROUP);
const CPUMASK: Callers = Callers::STRUCT_OPS
    .or(Callers::TRACING)
    .or(Callers::SYSCALL);
const CONNTRACK: Callers = Callers::XDP.or(Callers::TC);
const TRAFFIC: Callers = Callers::TC.or(Callers::TC_ACT);
const CRYPTO: Callers = TRAFFIC.or(Callers::XDP);
const TEST: Callers = Callers::TC.or(Callers::TRACING).or(Callers::SYSCALL);
const PACKETS: Callers = TRAFFIC
    .or(Callers::TRACING)
    .or(Callers::CGROUP)
    .or(Callers::SK_SKB)
    .or(Callers::SOCKET_FILTER)
    .or(Callers::LWT)
    .or(Callers::NETFILTER);

/// All functions, by name.
#[rustfmt::skip]
pub(super) static KFUNCS: &[Row] = &[
    kfunc("__bpf_trap", Callers::ALL, (6, 16)),
    kfunc("bbr_cwnd_event", Callers::STRUCT_OPS, (5, 13)),
    kfunc("bbr_init", Callers::STRUCT_OPS, (5, 13)),
    kfunc("bbr_main", Callers::STRUCT_OPS, (5, 13)),
    kfunc("bbr_min_tso_segs", Callers::STRUCT_OPS, (5, 13)),
    kfunc("bbr_set_state", Callers::STRUCT_OPS, (5, 13)),
    kfunc("bbr_sndbuf_expand", Callers::STRUCT_OPS, (5, 13)),
    kfunc("bbr_ssthresh", Callers::STRUCT_OPS, (5, 13)),
    kfunc("bbr_undo_cwnd", Callers::STRUCT_OPS, (5, 13)),
    kfunc("bpf_arena_alloc_pages", Callers::ALL, (6, 9)).trusted_args().sleepable(),
    kfunc("bpf_arena_free_pages", Callers::ALL, (6, 9)).trusted_args().sleepable(),
    kfunc("bpf_arena_reserve_pages", Callers::ALL, (6, 9)).trusted_args().sleepable(),
    kfunc("bpf_cast_to_kern_ctx", Callers::ALL, (6, 2)).fastcall().casts(),
    kfunc("bpf_cgroup_acquire", GENERIC, (6, 2)).acquire().rcu().ret_null(),
    kfunc("bpf_cgroup_ancestor", GENERIC, (6, 2)).acquire().rcu().ret_null(),
    kfunc("bpf_cgroup_from_id", GENERIC, (6, 4)).acquire().ret_null(),
    kfunc("bpf_cgroup_read_xattr", Callers::ALL, (6, 17)).rcu(),
    kfunc("bpf_cgroup_release", GENERIC, (6, 2)).release(),
    kfunc("bpf_copy_from_user_dynptr", Callers::ALL, (6, 16)).sleepable(),
    kfunc("bpf_copy_from_user_str", Callers::ALL, (6, 12)).sleepable(),
    kfunc("bpf_copy_from_user_str_dynptr", Callers::ALL, (6, 16)).sleepable(),
    kfunc("bpf_copy_from_user_task_dynptr", Callers::ALL, (6, 16)).sleepable().trusted_args(),
    kfunc("bpf_copy_from_user_task_str", Callers::ALL, (6, 15)).sleepable(),
    kfunc("bpf_copy_from_user_task_str_dynptr", Callers::ALL, (6, 16)).sleepable().trusted_args(),
    kfunc("bpf_cpumask_acquire", CPUMASK, (6, 3)).acquire().trusted_args(),
    kfunc("bpf_cpumask_and", CPUMASK, (6, 3)).rcu(),
    kfunc("bpf_cpumask_any_and_distribute", CPUMASK, (6, 3)).rcu(),
    kfunc("bpf_cpumask_any_distribute", CPUMASK, (6, 3)).rcu(),
    kfunc("bpf_cpumask_clear", CPUMASK, (6, 3)).rcu(),
    kfunc("bpf_cpumask_clear_cpu", CPUMASK, (6, 3)).rcu(),
    kfunc("bpf_cpumask_copy", CPUMASK, (6, 3)).rcu(),
    kfunc("bpf_cpumask_create", CPUMASK, (6, 3)).acquire().ret_null(),
    kfunc("bpf_cpumask_empty", CPUMASK, (6, 3)).rcu(),
    kfunc("bpf_cpumask_equal", CPUMASK, (6, 3)).rcu(),
    kfunc("bpf_cpumask_first", CPUMASK, (6, 3)).rcu(),
    kfunc("bpf_cpumask_first_and", CPUMASK, (6, 5)).rcu(),
    kfunc("bpf_cpumask_first_zero", CPUMASK, (6, 3)).rcu(),
    kfunc("bpf_cpumask_full", CPUMASK, (6, 3)).rcu(),
    kfunc("bpf_cpumask_intersects", CPUMASK, (6, 3)).rcu(),
    kfunc("bpf_cpumask_or", CPUMASK, (6, 3)).rcu(),
    kfunc("bpf_cpumask_populate", CPUMASK, (6, 15)).rcu(),
    kfunc("bpf_cpumask_release", CPUMASK, (6, 3)).release(),
    kfunc("bpf_cpumask_set_cpu", CPUMASK, (6, 3)).rcu(),
    kfunc("bpf_cpumask_setall", CPUMASK, (6, 3)).rcu(),
    kfunc("bpf_cpumask_subset", CPUMASK, (6, 3)).rcu(),
    kfunc("bpf_cpumask_test_and_clear_cpu", CPUMASK, (6, 3)).rcu(),
    kfunc("bpf_cpumask_test_and_set_cpu", CPUMASK, (6, 3)).rcu(),
    kfunc("bpf_cpumask_test_cpu", CPUMASK, (6, 3)).rcu(),
    kfunc("bpf_cpumask_weight", CPUMASK, (6, 8)).rcu(),
    kfunc("bpf_cpumask_xor", CPUMASK, (6, 3)).rcu(),
    kfunc("bpf_crypto_ctx_acquire", Callers::SYSCALL, (6, 10)).acquire().rcu().ret_null(),
    kfunc("bpf_crypto_ctx_create", Callers::SYSCALL, (6, 10)).acquire().ret_null().sleepable(),
    kfunc("bpf_crypto_ctx_release", Callers::SYSCALL, (6, 10)).release(),
    kfunc("bpf_crypto_decrypt", CRYPTO, (6, 10)).rcu(),
    kfunc("bpf_crypto_encrypt", CRYPTO, (6, 10)).rcu(),
    kfunc("bpf_ct_change_status", CONNTRACK, (6, 0)).trusted_args(),
    kfunc("bpf_ct_change_timeout", CONNTRACK, (6, 0)).trusted_args(),
    kfunc("bpf_ct_insert_entry", CONNTRACK, (6, 0)).acquire().ret_null().release(),
    kfunc("bpf_ct_release", CONNTRACK, (5, 18)).release(),
    kfunc("bpf_ct_set_nat_info", CONNTRACK, (6, 0)).trusted_args(),
    kfunc("bpf_ct_set_status", CONNTRACK, (6, 0)).trusted_args(),
    kfunc("bpf_ct_set_timeout", CONNTRACK, (6, 0)).trusted_args(),
    kfunc("bpf_dynptr_adjust", Callers::ALL, (6, 5)),
    kfunc("bpf_dynptr_clone", Callers::ALL, (6, 5)).does(Does::ClonesDynptr),
    kfunc("bpf_dynptr_copy", Callers::ALL, (6, 16)),
    kfunc("bpf_dynptr_from_skb", PACKETS, (6, 4)).trusted_args().does(Does::MakesDynptr(DynptrType::Skb)),
    kfunc("bpf_dynptr_from_skb_meta", TRAFFIC, (6, 18)).trusted_args().does(Does::MakesDynptr(DynptrType::SkbMeta)),
    kfunc("bpf_dynptr_from_xdp", Callers::XDP, (6, 4)).does(Does::MakesDynptr(DynptrType::Xdp)),
    kfunc("bpf_dynptr_is_null", Callers::ALL, (6, 5)),
    kfunc("bpf_dynptr_is_rdonly", Callers::ALL, (6, 5)),
    kfunc("bpf_dynptr_memset", Callers::ALL, (6, 17)),
    kfunc("bpf_dynptr_size", Callers::ALL, (6, 5)),
    kfunc("bpf_dynptr_slice", Callers::ALL, (6, 4)).ret_null().does(Does::Slices(Access::Read)),
    kfunc("bpf_dynptr_slice_rdwr", Callers::ALL, (6, 4)).ret_null().does(Does::Slices(Access::Write)),
    kfunc("bpf_fentry_test1", Callers::NONE, (5, 18)),
    kfunc("bpf_get_dentry_xattr", Callers::LSM, (6, 12)).sleepable().trusted_args(),
    kfunc("bpf_get_file_xattr", Callers::LSM, (6, 12)).sleepable().trusted_args(),
    kfunc("bpf_get_kmem_cache", Callers::ALL, (6, 13)).ret_untrusted(),
    kfunc("bpf_get_task_exe_file", Callers::LSM, (6, 12)).acquire().trusted_args().ret_null(),
    kfunc("bpf_iter_bits_destroy", Callers::ALL, (6, 11)).iter_destroy(),
    kfunc("bpf_iter_bits_new", Callers::ALL, (6, 11)).iter_new(),
    kfunc("bpf_iter_bits_next", Callers::ALL, (6, 11)).iter_next().ret_null(),
    kfunc("bpf_iter_css_destroy", Callers::ALL, (6, 7)).iter_destroy(),
    kfunc("bpf_iter_css_new", Callers::ALL, (6, 7)).iter_new().trusted_args().rcu_protected(),
    kfunc("bpf_iter_css_next", Callers::ALL, (6, 7)).iter_next().ret_null(),
    kfunc("bpf_iter_css_task_destroy", Callers::ALL, (6, 7)).iter_destroy(),
    kfunc("bpf_iter_css_task_new", Callers::ALL, (6, 7)).iter_new().trusted_args(),
    kfunc("bpf_iter_css_task_next", Callers::ALL, (6, 7)).iter_next().ret_null(),
    kfunc("bpf_iter_dmabuf_destroy", Callers::ALL, (6, 17)).iter_destroy().sleepable(),
    kfunc("bpf_iter_dmabuf_new", Callers::ALL, (6, 17)).iter_new().sleepable(),
    kfunc("bpf_iter_dmabuf_next", Callers::ALL, (6, 17)).iter_next().ret_null().sleepable(),
    kfunc("bpf_iter_kmem_cache_destroy", Callers::ALL, (6, 13)).iter_destroy().sleepable(),
    kfunc("bpf_iter_kmem_cache_new", Callers::ALL, (6, 13)).iter_new().sleepable(),
    kfunc("bpf_iter_kmem_cache_next", Callers::ALL, (6, 13)).iter_next().ret_null().sleepable(),
    kfunc("bpf_iter_num_destroy", Callers::ALL, (6, 4)).iter_destroy().in_lock(),
    kfunc("bpf_iter_num_new", Callers::ALL, (6, 4)).iter_new().in_lock(),
    kfunc("bpf_iter_num_next", Callers::ALL, (6, 4)).iter_next().ret_null().in_lock(),
    kfunc("bpf_iter_task_destroy", Callers::ALL, (6, 7)).iter_destroy(),
    kfunc("bpf_iter_task_new", Callers::ALL, (6, 7)).iter_new().trusted_args().rcu_protected(),
    kfunc("bpf_iter_task_next", Callers::ALL, (6, 7)).iter_next().ret_null(),
    kfunc("bpf_iter_task_vma_destroy", Callers::ALL, (6, 7)).iter_destroy(),
    kfunc("bpf_iter_task_vma_new", Callers::ALL, (6, 7)).iter_new().rcu(),
    kfunc("bpf_iter_task_vma_next", Callers::ALL, (6, 7)).iter_next().ret_null(),
    kfunc("bpf_key_put", GENERIC, (6, 1)).release(),
    kfunc("bpf_kfunc_call_memb_release", TEST, (5, 18)).release(),
    kfunc("bpf_kfunc_call_test_release", TEST, (5, 18)).release(),
    kfunc("bpf_list_back", GENERIC, (6, 16)).ret_null().in_lock(),
    kfunc("bpf_list_front", GENERIC, (6, 16)).ret_null().in_lock(),
    kfunc("bpf_list_pop_back", GENERIC, (6, 2)).acquire().ret_null().in_lock(),
    kfunc("bpf_list_pop_front", GENERIC, (6, 2)).acquire().ret_null().in_lock(),
    kfunc("bpf_list_push_back_impl", GENERIC, (6, 2)).in_lock().inserts(),
    kfunc("bpf_list_push_front_impl", GENERIC, (6, 2)).in_lock().inserts(),
    kfunc("bpf_local_irq_restore", Callers::ALL, (6, 14)),
    kfunc("bpf_local_irq_save", Callers::ALL, (6, 14)),
    kfunc("bpf_lookup_system_key", GENERIC, (6, 1)).acquire().ret_null(),
    kfunc("bpf_lookup_user_key", GENERIC, (6, 1)).acquire().ret_null().sleepable(),
    kfunc("bpf_map_sum_elem_count", Callers::ALL, (6, 6)).trusted_args(),
    kfunc("bpf_modify_return_test", Callers::NONE, (5, 18)).sleepable(),
    kfunc("bpf_modify_return_test2", Callers::NONE, (5, 18)).sleepable(),
    kfunc("bpf_modify_return_test_tp", Callers::ALL, (6, 10)),
    kfunc("bpf_obj_drop_impl", GENERIC, (6, 2)).release(),
    kfunc("bpf_obj_new_impl", GENERIC, (6, 2)).acquire().ret_null(),
    kfunc("bpf_path_d_path", Callers::LSM, (6, 12)).trusted_args(),
    kfunc("bpf_percpu_obj_drop_impl", GENERIC, (6, 2)).release(),
    kfunc("bpf_percpu_obj_new_impl", GENERIC, (6, 2)).acquire().ret_null(),
    kfunc("bpf_preempt_disable", Callers::ALL, (6, 10)),
    kfunc("bpf_preempt_enable", Callers::ALL, (6, 10)),
    kfunc("bpf_probe_read_kernel_dynptr", Callers::ALL, (6, 16)),
    kfunc("bpf_probe_read_kernel_str_dynptr", Callers::ALL, (6, 16)),
    kfunc("bpf_probe_read_user_dynptr", Callers::ALL, (6, 16)),
    kfunc("bpf_probe_read_user_str_dynptr", Callers::ALL, (6, 16)),
    kfunc("bpf_put_file", Callers::LSM, (6, 12)).release(),
    kfunc("bpf_rbtree_add_impl", GENERIC, (6, 3)).in_lock().inserts().calls_back(),
    kfunc("bpf_rbtree_first", GENERIC, (6, 3)).ret_null().in_lock(),
    kfunc("bpf_rbtree_left", GENERIC, (6, 16)).ret_null().in_lock(),
    kfunc("bpf_rbtree_remove", GENERIC, (6, 3)).acquire().ret_null().in_lock(),
    kfunc("bpf_rbtree_right", GENERIC, (6, 16)).ret_null().in_lock(),
    kfunc("bpf_rbtree_root", GENERIC, (6, 16)).ret_null().in_lock(),
    kfunc("bpf_rcu_read_lock", Callers::ALL, (6, 2)),
    kfunc("bpf_rcu_read_unlock", Callers::ALL, (6, 2)),
    kfunc("bpf_rdonly_cast", Callers::ALL, (6, 2)).fastcall().casts(),
    kfunc("bpf_refcount_acquire_impl", GENERIC, (6, 4)).acquire().ret_null().rcu().in_lock(),
    kfunc("bpf_remove_dentry_xattr", Callers::LSM, (6, 12)).sleepable().trusted_args(),
    kfunc("bpf_res_spin_lock", Callers::ALL, (6, 15)).ret_null().in_lock().takes_lock(),
    kfunc("bpf_res_spin_lock_irqsave", Callers::ALL, (6, 15)).ret_null().in_lock().takes_lock().with_irq(),
    kfunc("bpf_res_spin_unlock", Callers::ALL, (6, 15)).in_lock(),
    kfunc("bpf_res_spin_unlock_irqrestore", Callers::ALL, (6, 15)).in_lock().with_irq(),
    kfunc("bpf_send_signal_task", GENERIC, (6, 13)).trusted_args(),
    kfunc("bpf_session_cookie", Callers::SESSION, (6, 10)).ret_writable(),
    kfunc("bpf_session_is_return", Callers::SESSION, (6, 10)),
    kfunc("bpf_set_dentry_xattr", Callers::LSM, (6, 12)).sleepable().trusted_args(),
    kfunc("bpf_sk_assign_tcp_reqsk", Callers::TC, (6, 9)).trusted_args(),
    kfunc("bpf_skb_ct_alloc", CONNTRACK, (6, 0)).acquire().ret_null(),
    kfunc("bpf_skb_ct_lookup", CONNTRACK, (5, 18)).acquire().ret_null(),
    kfunc("bpf_sock_addr_set_sun_path", Callers::CGROUP, (6, 7)),
    kfunc("bpf_sock_destroy", Callers::ITERATOR, (6, 5)).trusted_args(),
    kfunc("bpf_sock_ops_enable_tx_tstamp", Callers::CGROUP, (6, 15)).trusted_args(),
    kfunc("bpf_strcasecmp", Callers::ALL, (6, 18)),
    kfunc("bpf_strchr", Callers::ALL, (6, 17)),
    kfunc("bpf_strchrnul", Callers::ALL, (6, 17)),
    kfunc("bpf_strcmp", Callers::ALL, (6, 17)),
    kfunc("bpf_strcspn", Callers::ALL, (6, 17)),
    kfunc("bpf_stream_vprintk_impl", Callers::ALL, (6, 17)).trusted_args(),
    kfunc("bpf_strlen", Callers::ALL, (6, 17)),
    kfunc("bpf_strnchr", Callers::ALL, (6, 17)),
    kfunc("bpf_strnlen", Callers::ALL, (6, 17)),
    kfunc("bpf_strnstr", Callers::ALL, (6, 17)),
    kfunc("bpf_strrchr", Callers::ALL, (6, 17)),
    kfunc("bpf_strspn", Callers::ALL, (6, 17)),
    kfunc("bpf_strstr", Callers::ALL, (6, 17)),
    kfunc("bpf_task_acquire", GENERIC, (6, 2)).acquire().rcu().ret_null(),
    kfunc("bpf_task_from_pid", GENERIC, (6, 2)).acquire().ret_null(),
    kfunc("bpf_task_from_vpid", GENERIC, (6, 14)).acquire().ret_null(),
    kfunc("bpf_task_get_cgroup1", GENERIC, (6, 8)).acquire().rcu().ret_null(),
    kfunc("bpf_task_release", GENERIC, (6, 2)).release(),
    kfunc("bpf_task_under_cgroup", GENERIC, (6, 5)).rcu(),
    kfunc("bpf_task_work_schedule_resume_impl", Callers::ALL, (6, 18)).trusted_args().does(Does::CallsLater(CalledBy::Task)),
    kfunc("bpf_task_work_schedule_signal_impl", Callers::ALL, (6, 18)).trusted_args().does(Does::CallsLater(CalledBy::Task)),
    kfunc("bpf_throw", GENERIC, (6, 7)),
    kfunc("bpf_wq_init", Callers::ALL, (6, 10)),
    kfunc("bpf_wq_set_callback_impl", Callers::ALL, (6, 10)).does(Does::CallsLater(CalledBy::Workqueue)),
    kfunc("bpf_wq_start", Callers::ALL, (6, 10)),
    kfunc("bpf_xdp_ct_alloc", CONNTRACK, (6, 0)).acquire().ret_null(),
    kfunc("bpf_xdp_ct_lookup", CONNTRACK, (5, 18)).acquire().ret_null(),
    kfunc("bpf_xdp_get_xfrm_state", Callers::XDP, (6, 8)).acquire().ret_null(),
    kfunc("bpf_xdp_metadata_rx_hash", Callers::ALL, (6, 3)).trusted_args().device_bound(),
    kfunc("bpf_xdp_metadata_rx_timestamp", Callers::ALL, (6, 3)).trusted_args().device_bound(),
    kfunc("bpf_xdp_metadata_rx_vlan_tag", Callers::ALL, (6, 8)).trusted_args().device_bound(),
    kfunc("bpf_xdp_pull_data", Callers::XDP, (6, 18)).moves_packet(),
    kfunc("bpf_xdp_xfrm_state_release", Callers::XDP, (6, 8)).release(),
    kfunc("css_rstat_flush", Callers::TRACING, (6, 1)).sleepable(),
    kfunc("css_rstat_updated", Callers::TRACING, (6, 1)),
    kfunc("cubictcp_acked", Callers::STRUCT_OPS, (5, 13)),
    kfunc("cubictcp_cong_avoid", Callers::STRUCT_OPS, (5, 13)),
    kfunc("cubictcp_cwnd_event", Callers::STRUCT_OPS, (5, 13)),
    kfunc("cubictcp_init", Callers::STRUCT_OPS, (5, 13)),
    kfunc("cubictcp_recalc_ssthresh", Callers::STRUCT_OPS, (5, 13)),
    kfunc("cubictcp_state", Callers::STRUCT_OPS, (5, 13)),
    kfunc("tcp_cong_avoid_ai", Callers::STRUCT_OPS, (5, 13)),
    kfunc("tcp_reno_cong_avoid", Callers::STRUCT_OPS, (5, 13)),
    kfunc("tcp_reno_ssthresh", Callers::STRUCT_OPS, (5, 13)),
    kfunc("tcp_reno_undo_cwnd", Callers::STRUCT_OPS, (5, 13)),
    kfunc("tcp_slow_start", Callers::STRUCT_OPS, (5, 13)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_ascend_so_that_they_are_found() {
        assert!(KFUNCS.is_sorted_by(|a, b| a.name < b.name));
        assert!(by_name("bpf_task_acquire").is_some_and(|row| row.has(Flags::ACQUIRE)));
        assert!(by_name("bpf_task").is_none());
    }
}
