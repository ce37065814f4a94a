//! Which functions of the kernel a call can be made of at all: what is asked of each that a
//! program names, also where no path leads. How each is called is known before the program is
//! followed, and by the JIT compiler afterwards.
//!
//! As observed on Linux 6.18, of a call of every function in its types that no path led to.
//!
//! Read before: `kfunc/mod.rs`. Read next: `kfunc/hook.rs`.

use crate::codes::Code;
use crate::config::Config;
use crate::diag::{Checked, Rejection};
use crate::step::machine::not_modelled;
use crate::types::kernel_call::check_prototype;
use crate::types::kernel_types::KernelTypes;
use ebpf_asm::btf::{Btf, Kind as Type, TypeId};

/// The most different functions of the kernel that a program may name.
const MAX_KFUNCS: usize = 256;

/// The functions that a program has named so far.
#[derive(Debug, Default)]
pub(super) struct Named(Vec<TypeId>);

impl Named {
    /// That one more can be called: it has an address, and a prototype that calls can be made of.
    pub(super) fn check(
        &mut self,
        config: &Config,
        kernel: &KernelTypes,
        btf: &Btf,
        id: TypeId,
    ) -> Checked {
        if self.0.contains(&id) {
            return Ok(());
        }
        let refuse = |message: String, label: &str| {
            Err(Rejection::new(Code::UnknownKfunc, message)
                .label(label)
                .help(
                    "call a function that the kernel has for programs (bpf_... with __ksym in C)",
                ))
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
        // One that is there for programs has an address: the kernel's symbols, which are many, need
        // not be read.
        if !kernel.is_kfunc(id) {
            match kernel.knows_address(name) {
                Some(true) => {}
                Some(false) => {
                    let message = format!("cannot find address for kernel function {name}");
                    return refuse(message, "the kernel's symbols do not have it");
                }
                None => {
                    let what = format!("the function {name} without the kernel's symbols");
                    return Err(not_modelled(&what));
                }
            }
        }
        let Some(Type::FuncProto { ret, params }) = btf.get(*proto).map(|ty| &ty.kind) else {
            return Err(not_modelled("a function of such a type"));
        };
        if let Err(words) = check_prototype(config, btf, *ret, params) {
            let message = format!("The function {name} {words}");
            return refuse(message, "nobody can call it from a program");
        }
        self.0.push(id);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::kernel_call::tests::Types;
    use crate::types::kernel_types::Symbols;
    use ebpf_asm::btf::{Linkage, Tag};

    /// Adds a function of this name, without arguments.
    fn function(types: &mut Types, name: &str) -> TypeId {
        let (ret, params) = (types.int, Vec::new());
        let proto = types.btf.add("", Type::FuncProto { ret, params });
        let linkage = Linkage::Static;
        types.btf.add(name, Type::Func { proto, linkage })
    }

    #[test]
    fn no_more_than_256_different_ones_are_named() {
        let mut types = Types::new();
        let names: Vec<String> = (0..257).map(|number| format!("f{number}")).collect();
        let ids: Vec<TypeId> = names
            .iter()
            .map(|name| function(&mut types, name))
            .collect();
        let symbols = move || Some(names.iter().map(|name| name.as_str().into()).collect());
        let kernel = KernelTypes::new(types.btf).with_symbols(symbols);
        let btf = kernel.btf().expect("types");
        let (config, mut named) = (Config::default(), Named::default());
        for id in &ids[..256] {
            assert_eq!(named.check(&config, &kernel, btf, *id), Ok(()));
        }
        assert_eq!(named.check(&config, &kernel, btf, ids[0]), Ok(()));
        let why = named
            .check(&config, &kernel, btf, ids[256])
            .expect_err("one more");
        assert_eq!(why.message, "too many different kernel function calls");
    }

    #[test]
    fn addresses_must_be_known() {
        let mut types = Types::new();
        let id = function(&mut types, "inlined");
        let none = KernelTypes::new(types.btf).with_symbols(|| Some(Symbols::new()));
        let btf = none.btf().expect("types");
        let why = Named::default()
            .check(&Config::default(), &none, btf, id)
            .expect_err("no address");
        let message = "cannot find address for kernel function inlined";
        assert_eq!(why.message, message);
        // Where nobody knows them nothing is promised.
        let unknown = KernelTypes::new(btf.clone());
        let why = Named::default()
            .check(&Config::default(), &unknown, btf, id)
            .expect_err("none");
        assert_eq!(why.code, Code::NotModelled);
    }

    #[test]
    fn symbols_are_not_read_for_functions_that_are_there_for_programs() {
        let mut types = Types::new();
        let id = function(&mut types, "for_programs");
        let (ty, component, tag) = (id, -1, Tag::Btf);
        types
            .btf
            .add("bpf_kfunc", Type::DeclTag { ty, component, tag });
        let kernel = KernelTypes::new(types.btf).with_symbols(|| panic!("read"));
        let btf = kernel.btf().expect("types");
        let checked = Named::default().check(&Config::default(), &kernel, btf, id);
        assert_eq!(checked, Ok(()));
    }
}
