//! The helper functions: one table of ids, names, first kernels, callers and prototypes.
//!
//! Ids end with 211: the kernel adds functions as kfuncs since.
//!
//! Read before: `isa.rs`, `prog_type.rs`. The printer, the parser, the DSL's lowering, the
//! verifier and the interpreter read this table.

mod callers;
mod earlier;
mod proto;
mod table;

pub use callers::{Callers, Privilege, ProgTypes, Sleeps};
pub use proto::{Arg, CallbackOf, DynptrType, Effect, MapUse, Ownership, PacketArgs, Proto, Ret};
pub use table::HELPERS;

use crate::isa::KernelVersion;
use crate::prog_type::ProgType;
use std::collections::HashMap;
use std::sync::LazyLock;

/// A helper function of the kernel.
#[derive(Debug, Clone, Copy)]
pub struct Helper {
    /// The id, as in the `imm` of a call.
    pub id: i32,
    /// The name without its `bpf_`.
    pub name: &'static str,
    /// The first Linux release that has it.
    pub since: KernelVersion,
    /// Who may call it.
    pub callers: Callers,
    /// What it takes and returns.
    proto: Proto,
    /// What it takes instead from programs of some types.
    elsewhere: &'static [(ProgTypes, &'static [Arg])],
    /// The program types whose calls of it leave R1 to R5 alone but for its arguments: the kernel
    /// puts instructions in their place (`bpf_fastcall`).
    pub fastcall: ProgTypes,
}

/// The helper with this id.
pub fn by_id(id: i32) -> Option<&'static Helper> {
    let index = usize::try_from(id).ok()?.checked_sub(1)?;
    HELPERS.get(index)
}

/// The helper of this name, which may begin with `bpf_`.
pub fn by_name(name: &str) -> Option<&'static Helper> {
    let name = name.strip_prefix("bpf_").unwrap_or(name);
    BY_NAME.get(name).copied()
}

static BY_NAME: LazyLock<HashMap<&'static str, &'static Helper>> =
    LazyLock::new(|| HELPERS.iter().map(|helper| (helper.name, helper)).collect());

const fn helper(id: i32, name: &'static str, since: KernelVersion) -> Helper {
    Helper {
        id,
        name,
        since,
        callers: Callers::EVERYBODY,
        proto: Proto::NUMBER,
        elsewhere: &[],
        fastcall: callers::NONE,
    }
}

impl Helper {
    /// What it takes from programs of a type, and returns to them.
    pub fn proto(&self, prog_type: ProgType) -> Proto {
        let mut elsewhere = self.elsewhere.iter();
        match elsewhere.find(|(prog_types, _)| prog_types.has(prog_type)) {
            Some((_, args)) => Proto { args, ..self.proto },
            None => self.proto,
        }
    }

    /// How many arguments it takes at most, whoever calls.
    pub fn most_args(&self) -> usize {
        let elsewhere = self.elsewhere.iter().map(|(_, args)| args.len());
        self.proto.args.len().max(elsewhere.max().unwrap_or(0))
    }

    /// What a call does besides returning, whoever calls.
    pub fn effect(&self) -> Effect {
        self.proto.effect
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_indexes_and_names_are_unique() {
        for (index, helper) in HELPERS.iter().enumerate() {
            assert_eq!(helper.id as usize, index + 1, "{}", helper.name);
            assert_eq!(by_name(helper.name).map(|h| h.id), Some(helper.id));
            assert_eq!(by_id(helper.id).map(|h| h.name), Some(helper.name));
        }
        assert!(by_id(0).is_none() && by_id(212).is_none() && by_id(-1).is_none());
    }

    #[test]
    fn only_programs_at_functions_hand_what_is_no_socket() {
        let socket = |ty| by_name("sk_storage_get").map(|helper| helper.proto(ty).args[1]);
        let nullable = Arg::StructOrNull("sock_common");
        assert_eq!(socket(ProgType::Tracing), Some(nullable));
        assert_eq!(socket(ProgType::Lsm), Some(Arg::BtfSock));
    }

    #[test]
    fn what_takes_a_function_calls_it() {
        for helper in HELPERS {
            let takes = helper.proto.args.contains(&Arg::Callback);
            let calls = matches!(helper.effect(), Effect::CallsBack(_) | Effect::CallsLater);
            assert_eq!(takes, calls, "{}", helper.name);
        }
    }
}
