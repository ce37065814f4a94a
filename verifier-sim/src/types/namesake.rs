//! Namesakes: which type of the kernel stands for one of the program, by kind and name.
//!
//! What follows three underscores in a name does not count: it tells views of one type apart. Of
//! several namesakes none is taken.
//!
//! Observed on Linux 6.18 for the parameters of global functions. The kernel remembers what it
//! found for a name, for a while and whatever the kind was: a structure that is only declared (FWD)
//! has no namesake, and yet gets that of a structure which somebody asked for before; and a
//! structure gets none after such a declaration was asked for. Here nothing was asked for before.
//!
//! Read before: `kernel_types.rs`. Read next: `btf_walk.rs`.

use ebpf_asm::btf::core::essential_name;
use ebpf_asm::btf::{Btf, TypeId};
use std::mem::discriminant;

/// The kernel's types of a kind and name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Namesake {
    /// There is none.
    None,
    /// This one.
    One(TypeId),
    /// There are several.
    Several,
}

/// What the `kernel` has of the kind and name of a type of the program.
pub(crate) fn namesake((btf, id): (&Btf, TypeId), kernel: &Btf) -> Namesake {
    let Some(wanted) = btf.get(id).map(|ty| discriminant(&ty.kind)) else {
        return Namesake::None;
    };
    let name = essential_name(btf.name(id));
    let mut found = kernel.types().filter(|(id, ty)| {
        discriminant(&ty.kind) == wanted && essential_name(kernel.name(*id)) == name
    });
    match (found.next(), found.next()) {
        (None, _) => Namesake::None,
        (Some((id, _)), None) => Namesake::One(id),
        (Some(_), Some(_)) => Namesake::Several,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ebpf_asm::btf::{Bitfields, Forward, Kind};

    fn structure(btf: &mut Btf, name: &str) -> TypeId {
        let (size, members, bitfields) = (8, Vec::new(), Bitfields::No);
        let kind = Kind::Struct {
            size,
            members,
            bitfields,
        };
        btf.add(name, kind)
    }

    #[test]
    fn kind_and_name_must_be_one_types_alone() {
        let mut kernel = Btf::new();
        let task = structure(&mut kernel, "task_struct");
        structure(&mut kernel, "console");
        structure(&mut kernel, "console");
        let mut own = Btf::new();
        let mut found = |name| {
            let id = structure(&mut own, name);
            namesake((&own, id), &kernel)
        };
        assert_eq!(found("task_struct"), Namesake::One(task));
        assert_eq!(found("task_struct___of_old"), Namesake::One(task));
        assert_eq!(found("console"), Namesake::Several);
        assert_eq!(found("nobody"), Namesake::None);
        let declared = own.add("task_struct", Kind::Fwd(Forward::Struct));
        assert_eq!(namesake((&own, declared), &kernel), Namesake::None);
    }
}
