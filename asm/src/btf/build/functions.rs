//! A type for each function of a program.

use super::{int, known_or_new};
use crate::btf::{Btf, Forward, Kind, Linkage, TypeId};
use crate::program::Program;

/// Gives a type to each function that has none: the program itself takes its context, others
/// take nothing that is known. The types say of all functions who may call them.
pub(super) fn add(btf: &mut Btf, program: &mut Program) {
    let context = program.prog_type.context_struct();
    for (index, function) in program.functions.iter_mut().enumerate() {
        if let Some(id) = function.type_id {
            settle_linkage(btf, id, function.linkage);
            continue;
        }
        let ret = int(btf);
        let params = match index {
            0 => vec![(btf.intern("ctx"), context_pointer(btf, context))],
            _ => Vec::new(),
        };
        let proto = known_or_new(btf, "", Kind::FuncProto { ret, params });
        let linkage = function.linkage;
        let kind = Kind::Func { proto, linkage };
        function.type_id = Some(known_or_new(btf, &function.name, kind));
    }
}

/// A pointer to the struct that a program's context is; without one, to `void`.
fn context_pointer(btf: &mut Btf, name: Option<&str>) -> TypeId {
    let is_struct = |kind: &Kind| matches!(kind, Kind::Fwd(_) | Kind::Struct { .. });
    let pointee = match name {
        None => TypeId::VOID,
        Some(name) => btf
            .find(name, is_struct)
            .unwrap_or_else(|| btf.add(name, Kind::Fwd(Forward::Struct))),
    };
    known_or_new(btf, "", Kind::Ptr(pointee))
}

fn settle_linkage(btf: &mut Btf, id: TypeId, wanted: Linkage) {
    if let Some(Kind::Func { linkage, .. }) = btf.get_mut(id).map(|ty| &mut ty.kind) {
        *linkage = wanted;
    }
}
