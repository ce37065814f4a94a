//! Where there is no Linux: nobody to ask.

use std::borrow::Cow;

use ebpf_asm::object::Object;
use ebpf_asm::program::Program;
use ebpf_cli::exit::Exit;

use crate::privilege::Privilege;
use crate::said::Said;

/// That there is no kernel.
pub(crate) fn verdict(_object: &Object, _program: &Program, _loader: Privilege) -> Said {
    Said::Nothing {
        why: "this system has no eBPF".to_owned(),
        exit: Exit::Unsupported,
        help: Vec::new(),
    }
}

/// The object as it is: no kernel has a configuration.
pub(crate) fn configured(object: &Object) -> Cow<'_, Object> {
    Cow::Borrowed(object)
}
