//! What an instruction asked of the kernel's types (CO-RE), where the kernel does not have it.
//!
//! Loaders put a call of a helper that there is not ([`POISON`]) in place of such an instruction:
//! programs may hold it where no path leads. The relocation is kept with it, and says what was
//! asked for.
//!
//! Read before: `callable.rs`.

use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::env::Env;
use ebpf_asm::btf::core::{
    Answer, CoreRelocation, CoreSubject, POISON, Resolved, essential_name, relocate,
};
use ebpf_asm::btf::{Btf, TypeId};

impl Env<'_> {
    /// Refuses the call that stands where the kernel does not have what was asked for.
    pub(crate) fn check_has(&self, slot: usize, id: i32) -> Checked {
        if id != POISON {
            return Ok(());
        }
        let message = format!("invalid func unknown#{POISON}");
        let refused = Rejection::new(Code::UnknownKfunc, message);
        let all = &self.program.core_relocations;
        let here = all.binary_search_by_key(&slot, |(slot, _)| *slot).ok();
        let asked = here.and_then(|here| all.get(here));
        let named = asked
            .zip(self.object.btf.as_ref())
            .and_then(|((_, asked), btf)| self.unanswered(btf, asked));
        Err(match named {
            Some(Unanswered { what, guard }) => refused.label(format!("{what} (CO-RE)")).help(
                format!("guard it with {guard}, and do without where that is 0"),
            ),
            None => refused
                .label("stands in place of what the kernel does not have")
                .help(
                    "ask for it only where the kernel has it, as with bpf_core_field_exists(...)",
                ),
        })
    }

    /// What the kernel does not have. `btf` are the object's types.
    fn unanswered(&self, btf: &Btf, asked: &CoreRelocation) -> Option<Unanswered> {
        let name = essential_name(btf.name(asked.type_id));
        let path = asked.path(btf)?;
        let kernel = self.kernel.btf()?;
        let mut all = (1..=kernel.len() as u32).map(TypeId);
        let found = all.find(|id| essential_name(kernel.name(*id)) == name);
        let (what, guard) = match (found, asked.kind.subject()) {
            (None, _) | (_, CoreSubject::Type) => (
                format!("this kernel has no such type '{name}'"),
                "bpf_core_type_exists(...)",
            ),
            (_, CoreSubject::Enumerator) => (
                format!("this kernel's '{name}' has no enumerator '{path}'"),
                "bpf_core_enum_value_exists(...)",
            ),
            (Some(_), CoreSubject::Field) => (
                no_field(
                    name,
                    path.trim_start_matches('.'),
                    relocate(btf, kernel, asked).ok()?,
                ),
                "bpf_core_field_exists(...)",
            ),
        };
        Some(Unanswered { what, guard })
    }
}

fn no_field(name: &str, path: &str, answer: Resolved) -> String {
    match answer.target {
        Answer::Missing => format!("this kernel's '{name}' has no such field '{path}'"),
        Answer::Value(_) => format!("'{path}' of this kernel's '{name}' has another size"),
    }
}

/// What the kernel does not have, and what asks whether it has.
struct Unanswered {
    what: String,
    guard: &'static str,
}
