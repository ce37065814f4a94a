//! The thread that runs the program, or was running when the program interrupted it.

use crate::address::{Address, Bytes, Field};
use crate::kernel_ptr::{KernelPtr, KernelStruct};
use crate::recording::{Arg, Helper, Operand as Raw, Type};
use crate::scope::Scope;
use crate::value::{U32, U64, Value};

/// `TASK_COMM_LEN`: the bytes of a thread's name, the zero that ends it included.
const TASK_COMM_LEN: usize = 16;

/// The numbers of a thread and its process, in the first PID namespace.
#[derive(Clone, Copy, Debug)]
pub struct PidTgid<'p>(U64<'p>);

impl<'p> PidTgid<'p> {
    /// The thread's: what user space calls its TID.
    #[track_caller]
    pub fn pid(self) -> U32<'p> {
        self.0.to_u32()
    }

    /// The process's: what user space calls its PID.
    #[track_caller]
    pub fn tgid(self) -> U32<'p> {
        (self.0 >> 32).to_u32()
    }
}

impl<'p, R> Scope<'p, R> {
    /// Numbers of the current thread and its process (`bpf_get_current_pid_tgid`).
    #[track_caller]
    pub fn get_current_pid_tgid(&self) -> PidTgid<'p> {
        let recorder = self.rec.recorder();
        let id = recorder.call(Type::U64, Helper::GetCurrentPidTgid, []);
        PidTgid(Value::new(self.rec, id))
    }

    /// The name of the current thread, zeros behind it (`bpf_get_current_comm`).
    #[track_caller]
    pub fn get_current_comm(&self) -> Bytes<'p, TASK_COMM_LEN> {
        let recorder = self.rec.recorder();
        let scratch = recorder.scratch(TASK_COMM_LEN as u32);
        let args = [Raw::Value(scratch), Raw::Const(TASK_COMM_LEN as u64)];
        recorder.call(Type::U64, Helper::GetCurrentComm, args.map(Arg::Operand));
        <[u8; TASK_COMM_LEN] as Field>::read(Address::new(self.rec, scratch))
    }

    /// The current thread (`bpf_get_current_task`), as the `task_struct` declared, in any
    /// flavour: `f.get_current_task::<task_struct>()`. Another struct does not compile:
    ///
    /// ```compile_fail,E0080
    /// use ebpf_dsl::prelude::*;
    ///
    /// kernel_struct! {
    ///     struct mm_struct { flags: u64 }
    /// }
    ///
    /// let _ = Unit::new("current").raw_tracepoint("current", "sched_switch", |f, _| {
    ///     let mm = f.get_current_task::<mm_struct>();
    ///     f.return_if(mm.flags().eq(0), ());
    /// });
    /// ```
    #[track_caller]
    pub fn get_current_task<T: KernelStruct>(&self) -> KernelPtr<'p, T> {
        const {
            assert!(
                is_task_struct(T::NAME),
                "`get_current_task` gives a `task_struct`: name that, or a flavour of it (`task_struct___old`)"
            );
        }
        let recorder = self.rec.recorder();
        let id = recorder.call(Type::U64, Helper::GetCurrentTask, []);
        KernelPtr::of_number(self.rec, id)
    }
}

/// Whether a name is `task_struct`, flavours aside.
const fn is_task_struct(name: &str) -> bool {
    let (name, wanted) = (name.as_bytes(), b"task_struct");
    let Some((first, flavour)) = name.split_at_checked(wanted.len()) else {
        return false;
    };
    let mut at = 0;
    while at < wanted.len() {
        if first[at] != wanted[at] {
            return false;
        }
        at += 1;
    }
    matches!(flavour, [] | [b'_', b'_', b'_', _, ..])
}

#[cfg(test)]
mod tests {
    use super::is_task_struct;

    #[test]
    fn flavours_are_task_structs_too() {
        assert!(is_task_struct("task_struct") && is_task_struct("task_struct___old"));
        for other in [
            "task",
            "task_structs",
            "task_struct__",
            "task_struct___",
            "mm_struct",
            "",
        ] {
            assert!(!is_task_struct(other), "{other}");
        }
    }
}
