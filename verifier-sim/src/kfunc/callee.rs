//! Which functions of the kernel a call can be made of at all: what is asked of each that a
//! program names, also where no path leads. How each is called is known before the program is
//! followed, and by the JIT compiler afterwards.
//!
//! As observed on Linux 6.18, of a call of every function in its types that no path led to.
//!
//! Read before: `kfunc/mod.rs`. Read next: `kfunc/hook.rs`.

use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::kernel_types::KernelTypes;
use crate::machine::not_modelled;
use ebpf_asm::btf::{Btf, Kind as Type, TypeId};

/// The most different functions of the kernel that a program may name.
const MAX_KFUNCS: usize = 256;

/// The most arguments of one.
const MAX_ARGUMENTS: usize = 12;

/// The biggest structure that is passed by value, in bytes: two registers.
const MAX_BY_VALUE: u32 = 16;

/// The functions that a program has named so far.
#[derive(Debug, Default)]
pub(super) struct Named(Vec<TypeId>);

impl Named {
    /// That one more can be called: it has an address, and a prototype that calls can be made of.
    pub(super) fn check(&mut self, kernel: &KernelTypes, btf: &Btf, id: TypeId) -> Checked {
        if self.0.contains(&id) {
            return Ok(());
        }
        let refuse = |message: String, label: &str| {
            Err(Rejection::new(Code::UnknownKfunc, message).label(label))
        };
        if self.0.len() == MAX_KFUNCS {
            let message = "too many different kernel function calls".to_owned();
            return refuse(message, "the 257th function of the kernel");
        }
        let Some(Type::Func { proto, .. }) = btf.get(id).map(|ty| &ty.kind) else {
            let message = format!("kernel btf_id {} is not a function", id.0);
            let label = "the kernel's types have no function of this number";
            return refuse(message, label);
        };
        let name = btf.name(id);
        match kernel.knows_address(name) {
            Some(true) => {}
            Some(false) => {
                let message = format!("cannot find address for kernel function {name}");
                return refuse(message, "the kernel's symbols do not have it");
            }
            None if kernel.is_kfunc(id) => {}
            None => {
                let what = format!("the function {name} without the kernel's symbols");
                return Err(not_modelled(&what));
            }
        }
        if let Err(words) = check_prototype(btf, *proto) {
            let message = format!("The function {name} {words}");
            return refuse(message, "nobody can call it from a program");
        }
        self.0.push(id);
        Ok(())
    }
}

/// That calls of a prototype can be made, or what the kernel says of the function.
fn check_prototype(btf: &Btf, proto: TypeId) -> Result<(), String> {
    let Some(Type::FuncProto { ret, params }) = btf.get(proto).map(|ty| &ty.kind) else {
        return Err("has no prototype".to_owned());
    };
    if params.len() > MAX_ARGUMENTS {
        return Err(format!("has {} arguments. Too many.", params.len()));
    }
    match Passed::of(btf, *ret) {
        Passed::InRegister | Passed::Nothing => {}
        Passed::Whole { kind, .. } | Passed::Not(kind) => {
            return Err(format!("return type {kind} is unsupported."));
        }
    }
    for (index, (_, ty)) in params.iter().enumerate() {
        match Passed::of(btf, *ty) {
            Passed::Nothing if index + 1 == params.len() => {
                return Err("with variable args is unsupported.".to_owned());
            }
            Passed::Nothing | Passed::Whole { size: 0, .. } => {
                return Err("has malformed void argument.".to_owned());
            }
            Passed::Whole { kind, size } if size > MAX_BY_VALUE => {
                return Err(format!("arg{index} type {kind} is unsupported."));
            }
            Passed::InRegister | Passed::Whole { .. } => {}
            Passed::Not(kind) => return Err(format!("arg{index} type {kind} is unsupported.")),
        }
    }
    Ok(())
}

/// How a value of a type is passed.
enum Passed {
    /// There is none.
    Nothing,
    InRegister,
    /// As it is, of so many bytes; what the kernel calls such a type.
    Whole {
        kind: &'static str,
        size: u32,
    },
    /// Not at all; what the kernel calls such a type.
    Not(&'static str),
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
            Some(Type::Struct { size, .. }) => Passed::Whole {
                kind: "STRUCT",
                size: *size,
            },
            Some(Type::Union { size, .. }) => Passed::Whole {
                kind: "UNION",
                size: *size,
            },
            Some(Type::Float { .. }) => Passed::Not("FLOAT"),
            _ => Passed::Not("UNKNOWN"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel_types::Symbols;
    use ebpf_asm::btf::{Bitfields, IntEncoding, Linkage, StrId};

    struct Types {
        btf: Btf,
        int: TypeId,
    }

    impl Types {
        fn new() -> Types {
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

        fn prototype(&mut self, ret: TypeId, params: &[TypeId]) -> TypeId {
            let params = params.iter().map(|ty| (StrId::default(), *ty)).collect();
            self.btf.add("", Type::FuncProto { ret, params })
        }

        fn function(&mut self, name: &str) -> TypeId {
            let proto = self.prototype(self.int, &[]);
            let linkage = Linkage::Static;
            self.btf.add(name, Type::Func { proto, linkage })
        }
    }

    #[test]
    fn prototypes_are_such_as_can_be_called() {
        let mut types = Types::new();
        let int = types.int;
        let [empty, small, big] = [0, 16, 17].map(|size| types.record(size));
        let [either, both] = [8, 24].map(|size| types.either(size));
        let float = types.btf.add("float", Type::Float { size: 4 });
        let mut said = |ret, params: &[TypeId]| {
            let proto = types.prototype(ret, params);
            check_prototype(&types.btf, proto).err().unwrap_or_default()
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
    fn no_more_than_256_different_ones_are_named() {
        let mut types = Types::new();
        let names: Vec<String> = (0..257).map(|number| format!("f{number}")).collect();
        let ids: Vec<TypeId> = names.iter().map(|name| types.function(name)).collect();
        let symbols = move || Some(names.iter().map(|name| name.as_str().into()).collect());
        let kernel = KernelTypes::new(types.btf).with_symbols(symbols);
        let btf = kernel.btf().expect("types");
        let mut named = Named::default();
        for id in &ids[..256] {
            assert_eq!(named.check(&kernel, btf, *id), Ok(()));
        }
        assert_eq!(named.check(&kernel, btf, ids[0]), Ok(()));
        let why = named.check(&kernel, btf, ids[256]).expect_err("one more");
        assert_eq!(why.message, "too many different kernel function calls");
    }

    #[test]
    fn addresses_must_be_known() {
        let mut types = Types::new();
        let id = types.function("inlined");
        let none = KernelTypes::new(types.btf).with_symbols(|| Some(Symbols::new()));
        let btf = none.btf().expect("types");
        let why = Named::default()
            .check(&none, btf, id)
            .expect_err("no address");
        let message = "cannot find address for kernel function inlined";
        assert_eq!(why.message, message);
        // Where nobody knows them nothing is promised.
        let unknown = KernelTypes::new(btf.clone());
        let why = Named::default().check(&unknown, btf, id).expect_err("none");
        assert_eq!(why.code, Code::NotModelled);
    }
}
