//! What an object takes from the kernel: section `.ksyms`, which ELF does not have.

use super::{KSYMS_SECTION, int, known_or_new, set_section};
use crate::btf::{Btf, Kind, Linkage, SecVar, TypeId};
use crate::object::{Extern, ExternKind};

/// Describes the externs: of a function without a type only that it returns a number is said,
/// of a variable that it is somewhere.
pub(super) fn add(btf: &mut Btf, externs: &mut [Extern]) {
    if externs.is_empty() {
        return;
    }
    let mut vars = Vec::with_capacity(externs.len());
    for of_kernel in externs {
        let id = of_kernel.type_id.unwrap_or_else(|| {
            let linkage = Linkage::Extern;
            let kind = match of_kernel.kind {
                ExternKind::Function => Kind::Func {
                    proto: number(btf),
                    linkage,
                },
                ExternKind::Variable => Kind::Var {
                    ty: known_or_new(btf, "", Kind::Const(TypeId::VOID)),
                    linkage,
                },
            };
            btf.add(&of_kernel.name, kind)
        });
        of_kernel.type_id = Some(id);
        let size = btf.size_of(id).unwrap_or(0);
        vars.push(SecVar {
            var: id,
            offset: 0,
            size,
        });
    }
    set_section(btf, KSYMS_SECTION, 0, vars);
}

/// A function that returns a number.
fn number(btf: &mut Btf) -> TypeId {
    let kind = Kind::FuncProto {
        ret: int(btf),
        params: Vec::new(),
    };
    known_or_new(btf, "", kind)
}
