//! Calls between programs and functions of the kernel: of which prototypes they can be made, by a
//! program or of one.
//!
//! As observed on Linux 6.18, of a call of every function in its types, and on 6.12, of a program at
//! every function.
//!
//! Read before: `kernel_types.rs`. Read next: `ctx/traced.rs`, `kfunc/callee.rs`.

use crate::config::Config;
use crate::types::btf_walk::kind_word;
use ebpf_asm::btf::{Btf, Kind as Type, StrId, TypeId};
use ebpf_asm::isa::KernelVersion;

/// The most arguments of a function.
const MAX_ARGUMENTS: usize = 12;

/// The biggest structure that is passed by value, in bytes: two registers.
const MAX_BY_VALUE: u32 = 16;

/// The first release that passes unions as it passes structures.
const UNIONS: KernelVersion = (6, 18);

/// That calls can be made of a prototype of this result and these parameters, or what the kernel
/// says of the function.
pub(crate) fn check_prototype(
    config: &Config,
    btf: &Btf,
    ret: TypeId,
    params: &[(StrId, TypeId)],
) -> Result<(), String> {
    if params.len() > MAX_ARGUMENTS {
        return Err(format!("has {} arguments. Too many.", params.len()));
    }
    let kind = |ty| kind_word(btf, btf.resolve(ty));
    match Passed::of(btf, ret) {
        Passed::InRegister | Passed::Nothing => {}
        Passed::Structure(_) | Passed::Union(_) | Passed::Not => {
            return Err(format!("return type {} is unsupported.", kind(ret)));
        }
    }
    for (index, (_, ty)) in params.iter().enumerate() {
        let supported = match Passed::of(btf, *ty) {
            Passed::Nothing if index + 1 == params.len() => {
                return Err("with variable args is unsupported.".to_owned());
            }
            Passed::Nothing | Passed::Structure(0) | Passed::Union(0) => {
                return Err("has malformed void argument.".to_owned());
            }
            Passed::InRegister => true,
            Passed::Structure(size) => size <= MAX_BY_VALUE,
            Passed::Union(size) => size <= MAX_BY_VALUE && config.since(UNIONS),
            Passed::Not => false,
        };
        if !supported {
            return Err(format!("arg{index} type {} is unsupported.", kind(*ty)));
        }
    }
    Ok(())
}

/// How a value of a type is passed.
enum Passed {
    /// There is none.
    Nothing,
    InRegister,
    /// As it is, of so many bytes.
    Structure(u32),
    /// The same.
    Union(u32),
    /// Not at all.
    Not,
}

impl Passed {
    fn of(btf: &Btf, ty: TypeId) -> Passed {
        let ty = btf.resolve(ty);
        if ty == TypeId::VOID {
            return Passed::Nothing;
        }
        match btf.get(ty).map(|ty| &ty.kind) {
            Some(Type::Ptr(_) | Type::Int { .. } | Type::Enum { .. } | Type::Enum64 { .. }) => {
                Passed::InRegister
            }
            Some(Type::Struct { size, .. }) => Passed::Structure(*size),
            Some(Type::Union { size, .. }) => Passed::Union(*size),
            _ => Passed::Not,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use ebpf_asm::btf::{Bitfields, IntEncoding};

    /// Types to make prototypes of.
    pub(crate) struct Types {
        pub(crate) btf: Btf,
        pub(crate) int: TypeId,
    }

    impl Types {
        pub(crate) fn new() -> Types {
            let mut btf = Btf::new();
            let int = btf.add(
                "int",
                Type::Int {
                    size: 4,
                    encoding: IntEncoding::default(),
                    offset: 0,
                    bits: 32,
                },
            );
            Types { btf, int }
        }

        fn record(&mut self, size: u32) -> TypeId {
            let (members, bitfields) = (Vec::new(), Bitfields::No);
            let ty = Type::Struct {
                size,
                members,
                bitfields,
            };
            self.btf.add("record", ty)
        }

        fn either(&mut self, size: u32) -> TypeId {
            let (members, bitfields) = (Vec::new(), Bitfields::No);
            let ty = Type::Union {
                size,
                members,
                bitfields,
            };
            self.btf.add("either", ty)
        }
    }

    #[test]
    fn prototypes_are_such_as_can_be_called() {
        let mut types = Types::new();
        let int = types.int;
        let [empty, small, big] = [0, 16, 17].map(|size| types.record(size));
        let [either, both] = [8, 24].map(|size| types.either(size));
        let float = types.btf.add("float", Type::Float { size: 4 });
        let config = Config::default();
        let said = |ret, params: &[TypeId]| {
            let params: Vec<_> = params.iter().map(|ty| (StrId::default(), *ty)).collect();
            let said = check_prototype(&config, &types.btf, ret, &params);
            said.err().unwrap_or_default()
        };
        assert_eq!(said(int, &[int; 12]), "");
        assert_eq!(said(TypeId::VOID, &[small, either]), "");
        assert_eq!(said(int, &[int; 13]), "has 13 arguments. Too many.");
        assert_eq!(said(small, &[]), "return type STRUCT is unsupported.");
        assert_eq!(said(either, &[]), "return type UNION is unsupported.");
        assert_eq!(said(int, &[big]), "arg0 type STRUCT is unsupported.");
        assert_eq!(said(int, &[int, both]), "arg1 type UNION is unsupported.");
        assert_eq!(said(int, &[float]), "arg0 type FLOAT is unsupported.");
        assert_eq!(said(int, &[empty]), "has malformed void argument.");
        let varied = "with variable args is unsupported.";
        assert_eq!(said(int, &[int, TypeId::VOID]), varied);
    }

    #[test]
    fn unions_were_not_always_passed() {
        let mut types = Types::new();
        let either = types.either(8);
        let older = Config {
            kernel: (6, 12),
            ..Config::default()
        };
        let params = [(StrId::default(), either)];
        let said = check_prototype(&older, &types.btf, types.int, &params);
        assert_eq!(said, Err("arg0 type UNION is unsupported.".to_owned()));
    }
}
