//! What the running kernel answers: CO-RE relocations.

use super::{Builder, Lowered};
use crate::btf::Btf;
use crate::btf::core::{self as btf_core, Access, CoreRelocation};
use crate::lower::LowerError;
use crate::lower::cfg::{InstKind, Question};
use ebpf_dsl::recording::{CoreKind, CoreSubject, KernelTypeId, LocId, ValueId};

impl Builder<'_> {
    /// The answer to a question, by its kind, type and path.
    pub(super) fn core(
        &mut self,
        dst: ValueId,
        (kind, ty, path): (CoreKind, KernelTypeId, &[u32]),
        loc: LocId,
    ) -> Result<(), LowerError> {
        let type_id = self.kernel.types.get(ty.0 as usize).copied();
        let relocation = CoreRelocation {
            kind: relocation_kind(kind),
            type_id: type_id.ok_or(LowerError::Malformed)?,
            access: access(kind, path).ok_or(LowerError::Malformed)?,
        };
        let question = Box::new(Question {
            local: local(self.kernel.btf, &relocation)?,
            relocation,
        });
        let answer = self.cfg.reg();
        let ask = InstKind::Core {
            dst: answer,
            question,
        };
        self.push(ask, loc);
        self.set(dst, Lowered::Number(answer));
        Ok(())
    }
}

/// What the object's own types answer: what a kernel without any type has as ours.
fn local(btf: &Btf, relocation: &CoreRelocation) -> Result<u64, LowerError> {
    let resolved = btf_core::relocate(btf, &Btf::new(), relocation);
    let local = resolved.ok().and_then(|resolved| resolved.local);
    local.ok_or(LowerError::Malformed)
}

/// The path, in the form that relocations have: of fields it begins with an index into an
/// array of the type, of types it is that alone.
fn access(kind: CoreKind, path: &[u32]) -> Option<Access> {
    let first = match kind.subject() {
        CoreSubject::Field | CoreSubject::Type => Some(0),
        CoreSubject::Enumerator => None,
    };
    Access::new(first.into_iter().chain(path.iter().copied()).collect())
}

fn relocation_kind(kind: CoreKind) -> btf_core::CoreKind {
    match kind {
        CoreKind::FieldByteOffset => btf_core::CoreKind::FieldByteOffset,
        CoreKind::FieldByteSize => btf_core::CoreKind::FieldByteSize,
        CoreKind::FieldExists => btf_core::CoreKind::FieldExists,
        CoreKind::FieldLshiftU64 => btf_core::CoreKind::FieldLshiftU64,
        CoreKind::FieldRshiftU64 => btf_core::CoreKind::FieldRshiftU64,
        CoreKind::TypeExists => btf_core::CoreKind::TypeExists,
        CoreKind::TypeSize => btf_core::CoreKind::TypeSize,
        CoreKind::EnumvalExists => btf_core::CoreKind::EnumvalExists,
        CoreKind::EnumvalValue => btf_core::CoreKind::EnumvalValue,
    }
}
