//! Arguments of kernel functions that are memory: for a value of the parameter's type, which is
//! nothing but numbers, or as much as the next argument says.
//!
//! Described in the kernel's `Documentation/bpf/kfuncs.rst`, "__sz Annotation" and
//! "__opt Annotation"; messages as observed on Linux 6.18.
//!
//! Read before: `kfunc/structure.rs`, `call/argument/memory.rs`. Read next: `kfunc/cast.rs`.

use super::Kfunc;
use super::argument::{Found, Passed, Takes};
use super::param::{Param, SizeParam, is_plain};
use crate::call::invoke::ARGUMENTS;
use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::memory::number_help::number_made;
use crate::step::machine::{Machine, not_modelled};
use crate::types::btf_walk::kind_word;
use ebpf_asm::btf::{Btf, TypeId};

impl<'a> Machine<'_, 'a> {
    /// Whether the argument behind a pointer is the size of its memory: by its name, and if it
    /// is a number.
    pub(super) fn size_behind(&self, kfunc: &Kfunc<'_>, index: usize) -> Option<SizeParam> {
        let sized = kfunc.size_of_memory(index + 1)?;
        let reg = ARGUMENTS.get(index + 1)?;
        let is_number = matches!(kfunc.param(index + 1), Param::Number);
        (is_number && self.state.reg(*reg).is_scalar()).then_some(sized)
    }

    /// That a register points to memory of the parameter's type, or of the size behind it.
    pub(super) fn check_kfunc_memory(
        &mut self,
        kfunc: &Kfunc<'a>,
        passed: Passed,
        to: TypeId,
        sized: Option<SizeParam>,
        found: &mut Found<'a>,
    ) -> Checked<Takes> {
        let Passed { index, reg, value } = passed;
        let btf = kfunc.btf;
        let any = sized.is_some() && to == TypeId::VOID;
        if !any && !is_plain(btf, to) {
            let message = format!(
                "arg#{index} pointer type {} {} must point to {}scalar, or struct with scalar",
                kind_word(btf, to),
                btf.name(to),
                if sized.is_some() { "void, " } else { "" },
            );
            let refused = Rejection::new(Code::ArgumentType, message).label(format!(
                "R{} is {}, and not a pointer to struct {}",
                reg.number(),
                value.in_words(),
                btf.name(to)
            ));
            let refused = number_made(self.env, refused, reg, &value);
            return Err(match refused.help {
                Some(_) => refused,
                None => refused.help(format!(
                    "hand over a struct {} that the kernel gave: from a call that acquires one, \
                     or as an argument of the program",
                    btf.name(to)
                )),
            });
        }
        match sized {
            None => {
                self.check_whole_type(btf, passed, to, found)?;
                Ok(Takes::One)
            }
            Some(sized) => {
                self.check_memory_and_size(kfunc, passed, sized, found)?;
                Ok(Takes::Two)
            }
        }
    }

    /// That a register points to memory for a value of a type, or is null.
    fn check_whole_type(
        &mut self,
        btf: &Btf,
        Passed { index, reg, value }: Passed,
        to: TypeId,
        found: &mut Found<'a>,
    ) -> Checked {
        let Some(size) = btf.size_of(to) else {
            let message = format!(
                "arg#{index} reference type('{} {}') size cannot be determined: -22",
                kind_word(btf, to),
                btf.name(to)
            );
            return Err(Rejection::new(Code::ArgumentType, message));
        };
        match value.as_constant() {
            Some(0) => Ok(()),
            _ => self.check_shared_memory(reg, &value, size, &mut found.plain),
        }
    }

    /// That a register points to as much memory as the next one says.
    fn check_memory_and_size(
        &mut self,
        kfunc: &Kfunc<'a>,
        Passed { index, reg, value }: Passed,
        sized: SizeParam,
        found: &mut Found<'a>,
    ) -> Checked {
        let Some(size_reg) = ARGUMENTS.get(index + 1).copied() else {
            return Err(not_modelled("a size behind the last argument"));
        };
        let left_out = value.as_constant() == Some(0) && kfunc.is_optional(index);
        if !left_out {
            let checked = self.check_sized_memory(reg, size_reg, &mut found.plain);
            checked.map_err(|refused| {
                let behind = index + 1;
                refused.adds(format!(
                    "arg#{index} arg#{behind} memory, len pair leads to invalid memory access"
                ))
            })?;
        }
        if sized == SizeParam::Constant {
            let size = *self.state.reg(size_reg);
            let Some(known) = size.as_constant() else {
                let message = format!("R{} must be a known constant", size_reg.number());
                return Err(Rejection::new(Code::ArgumentSize, message)
                    .label("the size is not known when the program is verified")
                    .because(size.origin.made, "the size comes from here")
                    .help("hand over a constant, as sizeof(buffer), the same on every path"));
            };
            found.constant = Some(known);
            self.need(size_reg);
        }
        Ok(())
    }
}
