//! What a program is attached to in the kernel: the function, tracepoint or operation whose
//! arguments it gets.
//!
//! The loader names it by the number of a type of the kernel (`attach_btf_id`), which the
//! object's section says by name.
//!
//! The names of sections are in the kernel's `Documentation/bpf/libbpf/program_types.rst`, which
//! does not say what may be attached to: that, and messages, as observed on Linux 6.18.
//!
//! Read before: `ctx/arguments.rs`. Read next: `ctx/exceptions.rs`.

use super::arguments::bytes_of;
use super::exceptions::{has_socket_options, is_iterator};
use super::hook::{self, ASKED, Answer, check_hook};
use super::operation::{self, Operation, Returns};
use super::traced::check_function;
use crate::codes::Code;
use crate::config::Config;
use crate::diag::{Checked, Rejection};
use crate::report::kernel_says::without_reason;
use crate::step::machine::not_modelled;
use crate::types::kernel_types::KernelTypes;
use ebpf_asm::btf::{Btf, Kind as Type, StrId, TypeId};
use ebpf_asm::helper::Sleeps;
use ebpf_asm::load_flags::BPF_F_SLEEPABLE;
use ebpf_asm::object::Object;
use ebpf_asm::prog_type::{AttachType, ProgType};
use ebpf_asm::program::Program;
use ebpf_asm::section::{SECTIONS, Section};

/// The prefix of typedefs that stand for tracepoints.
const TRACEPOINT_PREFIX: &str = "btf_trace_";

/// The prefix of functions that stand for iterators.
const ITERATOR_PREFIX: &str = "bpf_iter_";

/// What a program is attached to.
#[derive(Debug)]
pub(crate) struct Target<'a> {
    /// What kind of place it is.
    pub(crate) place: Place,
    /// The name of the function, tracepoint or operation.
    pub(crate) name: &'a str,
    /// The arguments that the program gets.
    pub(crate) params: &'a [(StrId, TypeId)],
    /// The result, if there is one and the program gets that as well.
    pub(crate) returns: Option<TypeId>,
    /// How many bytes the kernel counts for the result, whoever gets it.
    pub(crate) result_bytes: i64,
    /// How the program is attached there.
    pub(crate) attach_type: AttachType,
}

/// A kind of place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A tracepoint.
    Tracepoint,
    /// A function, at its beginning, its end, or in its place.
    Function,
    /// An iterator.
    Iterator,
    /// A hook of the security modules.
    SecurityHook,
    /// A function of one of the kernel's structs.
    Operation(Operation),
}

impl<'a> Target<'a> {
    /// What a program of a type with such targets is attached to; `None` for all others.
    pub(crate) fn find(
        object: &Object,
        program: &Program,
        config: &Config,
        kernel: &'a KernelTypes,
    ) -> Checked<Option<Target<'a>>> {
        let attach_type = program.prog_type.attach_type(program.expected_attach_type);
        let place = match (program.prog_type, attach_type) {
            (ProgType::Tracing, AttachType::TraceRawTp) => Place::Tracepoint,
            (ProgType::Tracing, AttachType::TraceIter) => Place::Iterator,
            (ProgType::Tracing, _) => Place::Function,
            (ProgType::Lsm, _) => Place::SecurityHook,
            (ProgType::StructOps, _) => {
                return operation::find(object, program, kernel).map(Some);
            }
            _ => {
                return match program.attach_btf_id {
                    None => Ok(None),
                    Some(_) => Err(refused(without_reason("EINVAL"))
                        .label("programs of this type are not attached to types")
                        .help("leave attach_btf_id 0")),
                };
            }
        };
        let btf = kernel.needed_for("programs that get arguments of the kernel")?;
        let id = number(program, place, kernel)?;
        let target = match place {
            Place::Tracepoint => tracepoint(btf, id)?,
            _ => function(config, btf, id, place, attach_type)?,
        };
        let sleeps = match program.prog_flags() & BPF_F_SLEEPABLE {
            0 => Sleeps::Never,
            _ => Sleeps::Maybe,
        };
        match place {
            Place::SecurityHook if sleeps == Sleeps::Maybe && !config.since(ASKED) => {
                return Err(not_modelled("where programs may sleep in so old a kernel"));
            }
            Place::SecurityHook => check_hook(id, target.name, sleeps, &object.license)?,
            Place::Function => {
                let injects = injected_errors(config, kernel);
                check_lists(target.name, attach_type, sleeps, config, injects)?;
            }
            _ => {}
        }
        if [Place::SecurityHook, Place::Function].contains(&place) {
            check_address(kernel, target.name)?;
        }
        Ok(Some(target))
    }

    /// Whether a program there may ask for and set options of sockets.
    pub(crate) fn has_socket_options(&self) -> bool {
        has_socket_options(self)
    }

    /// Whether pointers among the arguments are trusted.
    pub(crate) fn is_trusted(&self) -> bool {
        match self.place {
            Place::Function => false,
            Place::SecurityHook => hook::is_trusted(self.name),
            _ => true,
        }
    }

    /// What the security hook answers, if that is what it is.
    pub(crate) fn answer(&self) -> Option<Answer> {
        let is_hook = self.place == Place::SecurityHook;
        is_hook.then(|| hook::answer(self.name, self.returns))
    }

    /// Whether the function has an argument before those that the program gets.
    pub(crate) fn hides_first(&self) -> bool {
        self.place == Place::Tracepoint
    }

    /// The structure that the program sees in the place of one.
    pub(crate) fn promoted(&self, kernel: &KernelTypes, btf: &Btf, id: TypeId) -> TypeId {
        match self.place {
            Place::Operation(_) => operation::promoted(kernel, btf, id).unwrap_or(id),
            _ => id,
        }
    }

    /// Whether a program there has no result.
    pub(crate) fn returns_nothing(&self) -> bool {
        match self.place {
            Place::Operation(of) => of.returns == Returns::Nothing,
            Place::SecurityHook => self.decides() && self.returns.is_none(),
            _ => false,
        }
    }

    /// Whether a program's result there is that of the security hook.
    pub(crate) fn decides(&self) -> bool {
        self.attach_type == AttachType::LsmMac
    }

    /// Whether a program there may call no helper.
    pub(crate) fn is_without_helpers(&self) -> bool {
        matches!(self.place, Place::Operation(of) if of.is_without_helpers())
    }
}

/// What functions of the security modules are called: their results are numbers that programs may
/// replace, and no program sleeps there.
const SECURITY_PREFIX: &str = "security_";

/// Other functions whose results programs may replace.
const MODIFIABLE: [&str; 5] = [
    "bpf_fentry_test1",
    "bpf_modify_return_test",
    "bpf_modify_return_test2",
    "bpf_modify_return_test_tp",
    "update_socket_protocol",
];

/// The one of them where programs may sleep.
const MODIFIABLE_ASLEEP: &str = "bpf_fentry_test1";

/// A function of kernels that can inject errors (`CONFIG_FUNCTION_ERROR_INJECTION`).
const INJECTION: &str = "within_error_injection_list";

/// Whether the kernel injects errors, at functions which its types do not show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InjectedErrors {
    Never,
    Perhaps,
}

fn injected_errors(config: &Config, kernel: &KernelTypes) -> InjectedErrors {
    let of_another = kernel.of_other_release(config.kernel).is_some();
    match of_another || kernel.knows_address(INJECTION) != Some(false) {
        true => InjectedErrors::Perhaps,
        false => InjectedErrors::Never,
    }
}

/// That a program may sleep at the function, if it does, and may change its result. Every function
/// was asked on Linux 6.12, which injected no errors; 6.1, which injected none either, has no such
/// functions but those of security. Where one does, programs may at other functions as well.
fn check_lists(
    function: &str,
    attach_type: AttachType,
    sleeps: Sleeps,
    config: &Config,
    injects: InjectedErrors,
) -> Checked {
    let of_security = function.starts_with(SECURITY_PREFIX);
    let is_asked = config.since(ASKED);
    if sleeps == Sleeps::Maybe && !(is_asked && function == MODIFIABLE_ASLEEP) {
        return Err(match injects {
            InjectedErrors::Perhaps if !of_security => {
                not_modelled("whether programs may sleep there")
            }
            _ => refused(format!("{function} is not sleepable"))
                .label("the kernel calls this function where nothing may sleep")
                .help(without_sleeping(attach_type)),
        });
    }
    let is_modifiable = of_security || is_asked && MODIFIABLE.contains(&function);
    if attach_type != AttachType::ModifyReturn || is_modifiable {
        return Ok(());
    }
    Err(match injects {
        InjectedErrors::Perhaps => not_modelled("whether the function's result may be changed"),
        InjectedErrors::Never => refused(format!("{function}() is not modifiable"))
            .label("programs change the results of functions that are there for it")
            .help("look at the result by fexit, or change that of a function that injects errors"),
    })
}

/// How a program is loaded that does not sleep.
fn without_sleeping(attach_type: AttachType) -> String {
    let of_type = |known: &&Section| {
        known.attach_type == Some(attach_type) && known.prog_flags & BPF_F_SLEEPABLE == 0
    };
    let section = SECTIONS.iter().find(of_type);
    let named = section.map(|known| format!(": as `{0}/`, not `{0}.s/`", known.name));
    let named = named.unwrap_or_default();
    format!("load the program without BPF_F_SLEEPABLE{named}")
}

/// That the kernel knows where the function is, as far as its symbols are known.
fn check_address(kernel: &KernelTypes, function: &str) -> Checked {
    match kernel.knows_address(function) {
        Some(false) => Err(refused(format!(
            "The address of function {function} cannot be found"
        ))
        .label("the kernel's symbols do not have it")
        .help("attach to a function that calls it: the compiler may have made it part of that")),
        _ => Ok(()),
    }
}

/// The number of the target's type.
fn number(program: &Program, place: Place, kernel: &KernelTypes) -> Checked<TypeId> {
    if let Some(id) = program.attach_btf_id {
        return Ok(id);
    }
    let Some(name) = program.attach_target() else {
        return Err(refused("Tracing programs must provide btf_id".to_owned())
            .label("nothing says what the program is attached to")
            .help("name it in the section, as in `tp_btf/sched_switch`"));
    };
    let prefix = match place {
        Place::Tracepoint => TRACEPOINT_PREFIX,
        Place::Iterator => ITERATOR_PREFIX,
        Place::SecurityHook => hook::PREFIX,
        Place::Function | Place::Operation(_) => "",
    };
    let whole = format!("{prefix}{name}");
    let found = match place {
        Place::Tracepoint => kernel.typedef(&whole),
        _ => kernel.function(&whole),
    };
    found.ok_or_else(|| {
        let refused = refused(format!("the kernel has no '{name}' to attach to"))
            .label("the program cannot be loaded");
        let is_one = |kind: &Type, whole: &str| match place {
            Place::Tracepoint => matches!(kind, Type::Typedef(_)),
            Place::Iterator => matches!(kind, Type::Func { .. }) && is_iterator(whole),
            _ => matches!(kind, Type::Func { .. }),
        };
        match kernel.near_name(prefix, name, is_one) {
            Some(meant) => refused.help(format!("did you mean '{meant}'?")),
            None => refused.help(format!(
                "name one that it has: `ebpfasm btf FILE --format raw` lists them, FILE being that \
                 of --btf or /sys/kernel/btf/vmlinux{}",
                match prefix {
                    "" => String::new(),
                    prefix => format!("; there their names begin with {prefix}"),
                }
            )),
        }
    })
}

fn tracepoint(btf: &Btf, id: TypeId) -> Checked<Target<'_>> {
    let Some(Type::Typedef(pointer)) = btf.get(id).map(|ty| &ty.kind) else {
        return Err(refused(format!("attach_btf_id {} is not a typedef", id.0)));
    };
    let name = btf.name(id);
    let Some(short) = name.strip_prefix(TRACEPOINT_PREFIX) else {
        return Err(refused(format!(
            "attach_btf_id {} points to wrong type name {name}",
            id.0
        )));
    };
    let Some(Type::Ptr(proto)) = btf.get(*pointer).map(|ty| &ty.kind) else {
        return Err(not_modelled("a tracepoint of such a type"));
    };
    let Some(Type::FuncProto { params, .. }) = btf.get(*proto).map(|ty| &ty.kind) else {
        return Err(not_modelled("a tracepoint of such a type"));
    };
    Ok(Target {
        place: Place::Tracepoint,
        name: short,
        // The first is the tracepoint's own.
        params: params.get(1..).unwrap_or_default(),
        returns: None,
        result_bytes: 0,
        attach_type: AttachType::TraceRawTp,
    })
}

fn function<'a>(
    config: &Config,
    btf: &'a Btf,
    id: TypeId,
    place: Place,
    attach_type: AttachType,
) -> Checked<Target<'a>> {
    let Some(Type::Func { proto, .. }) = btf.get(id).map(|ty| &ty.kind) else {
        return Err(refused(format!("attach_btf_id {} is not a function", id.0)));
    };
    let name = btf.name(id);
    if place == Place::Iterator && !is_iterator(name) {
        return Err(refused(without_reason("EINVAL"))
            .label(format!("there is no iterator of the function {name}"))
            .help("iterators are of what bpf_iter_... functions of the kernel go through, as iter/task"));
    }
    let Some(Type::FuncProto { params, ret }) = btf.get(*proto).map(|ty| &ty.kind) else {
        return Err(not_modelled("a function of such a type"));
    };
    let is_nothing = btf.get(btf.resolve(*ret)).is_none();
    let returns = match attach_type {
        AttachType::TraceFexit
        | AttachType::ModifyReturn
        | AttachType::LsmMac
        | AttachType::LsmCgroup => Some(*ret).filter(|_| !is_nothing),
        _ => None,
    };
    let target = Target {
        place,
        name,
        params,
        returns,
        result_bytes: result_bytes(btf, *ret),
        attach_type,
    };
    check_function(config, btf, &target, *ret)?;
    Ok(target)
}

/// How many bytes the kernel counts for a function's result: none if it has none.
pub(super) fn result_bytes(btf: &Btf, ret: TypeId) -> i64 {
    match btf.get(btf.resolve(ret)) {
        None => 0,
        Some(_) => bytes_of(btf, ret),
    }
}

pub(super) fn refused(message: String) -> Box<Rejection> {
    Rejection::new(Code::AttachTarget, message)
}

#[cfg(test)]
mod tests {
    use super::InjectedErrors::{Never, Perhaps};
    use super::*;

    /// Whether a function can be changed, and programs can sleep there: `None` if nobody knows.
    fn checked(function: &str, sleeps: Sleeps, injects: InjectedErrors) -> Option<bool> {
        checked_by(&Config::default(), function, sleeps, injects)
    }

    /// The same by a release.
    fn checked_by(
        config: &Config,
        function: &str,
        sleeps: Sleeps,
        injects: InjectedErrors,
    ) -> Option<bool> {
        match check_lists(function, AttachType::ModifyReturn, sleeps, config, injects) {
            Ok(()) => Some(true),
            Err(why) => (why.code != Code::NotModelled).then_some(false),
        }
    }

    #[test]
    fn without_injected_errors_few_functions_can_be_changed() {
        let never = |function| checked(function, Sleeps::Never, Never);
        assert_eq!(never("security_file_open"), Some(true));
        assert_eq!(never("update_socket_protocol"), Some(true));
        assert_eq!(never("vfs_read"), Some(false));
        assert_eq!(checked("vfs_read", Sleeps::Never, Perhaps), None);
    }

    #[test]
    fn older_kernels_list_no_functions() {
        let config = Config {
            kernel: (6, 1),
            ..Config::default()
        };
        let checked = |function, sleeps| checked_by(&config, function, sleeps, Never);
        assert_eq!(checked("security_file_open", Sleeps::Never), Some(true));
        assert_eq!(
            checked("bpf_modify_return_test", Sleeps::Never),
            Some(false)
        );
        assert_eq!(checked("bpf_fentry_test1", Sleeps::Maybe), Some(false));
    }

    #[test]
    fn programs_sleep_where_errors_are_injected_alone() {
        let maybe = |function| checked(function, Sleeps::Maybe, Perhaps);
        assert_eq!(maybe("bpf_fentry_test1"), Some(true));
        assert_eq!(maybe("security_file_open"), Some(false));
        assert_eq!(maybe("__x64_sys_getpgid"), None);
        let without = checked("__x64_sys_getpgid", Sleeps::Maybe, Never);
        assert_eq!(without, Some(false));
    }
}
