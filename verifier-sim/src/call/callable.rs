//! Which helpers a program may call: by its type, its attach type, its license, the loader's
//! capabilities and the kernel's release.
//!
//! The helper table has a row of callers for each helper; here is what the kernel says to
//! those that are not among them.
//!
//! Described in bpf-helpers(7) and capabilities(7); messages as observed on Linux 6.18.
//!
//! Read before: `env.rs`. Read next: `invoke.rs`.

use crate::codes::Code;
use crate::config::Config;
use crate::ctx::ArgumentContext;
use crate::diag::{Checked, Rejection};
use crate::env::Env;
use crate::load::instead::{Newer, instead};
use crate::step::machine::not_modelled;
use ebpf_asm::helper::{Helper, Privilege, Proto, by_id, by_name};
use ebpf_asm::prog_type::{AttachType, ProgType};

/// Licenses that are compatible with the GPL: the names for `MODULE_LICENSE` in
/// `Documentation/process/license-rules.rst`. SPDX names are not among them.
const GPL_COMPATIBLE: [&str; 6] = [
    "GPL",
    "GPL v2",
    "GPL and additional rights",
    "Dual BSD/GPL",
    "Dual MIT/GPL",
    "Dual MPL/GPL",
];

/// Programs that are at functions or tracepoints of the kernel, or could be: helpers do not work
/// at all of them.
const PROBES: [ProgType; 3] = [ProgType::Syscall, ProgType::Tracing, ProgType::Lsm];

/// Helpers that tracing programs may call only in iterators of some kinds of sockets (every
/// iterator was asked), those at security hooks only at some of a control group, and structs of
/// functions not where they end. Observed on Linux 6.18; hooks, on 6.12.
const SOCKET_OPTIONS: [&str; 2] = ["setsockopt", "getsockopt"];

/// The helper that depends on how the kernel is configured: programs of type kprobe may call it.
const OVERRIDE_RETURN: &str = "override_return";
const OVERRIDERS: &str = "only kernels that were built with CONFIG_BPF_KPROBE_OVERRIDE";

/// What to do about a license.
pub(crate) const DECLARE_LICENSE: &str = "declare a license compatible with the GPL, if that is the license: in C char LICENSE[] \
     SEC(\"license\") = \"GPL\"; in Rust .license(\"GPL\")";

impl Env<'_> {
    /// The helper of this id, if the program may call it.
    pub(crate) fn callable(&self, id: i32) -> Checked<(&'static Helper, Proto)> {
        let Some(helper) = by_id(id) else {
            return Err(unknown(id, self.config));
        };
        self.check_release(helper)?;
        self.check_caller(helper)?;
        self.check_license(helper)?;
        self.check_barred(helper)?;
        Ok((helper, helper.proto(self.program.prog_type)))
    }

    /// The helper of this id, if programs of the type have it at all, with what it takes and
    /// returns: whether this one may call it is not asked.
    pub(crate) fn helper(&self, id: i32) -> Option<(&'static Helper, Proto)> {
        let helper = by_id(id)?;
        self.check_release(helper).ok()?;
        self.check_caller(helper).ok()?;
        Some((helper, helper.proto(self.program.prog_type)))
    }

    /// Whether the program may call the helper of this name.
    pub(crate) fn may_call(&self, name: &str) -> bool {
        by_name(name).is_some_and(|helper| self.callable(helper.id).is_ok())
    }

    fn check_release(&self, helper: &Helper) -> Checked {
        if self.config.since(helper.since) {
            return Ok(());
        }
        let ((major, minor), id) = (helper.since, helper.id);
        Err(
            Rejection::new(Code::KernelTooOld, format!("invalid func unknown#{id}"))
                .label(format!(
                    "bpf_{} came with Linux {major}.{minor}",
                    helper.name
                ))
                .help_if(instead(Newer::Helper(helper.name), self.config.kernel)),
        )
    }

    fn check_caller(&self, helper: &Helper) -> Checked {
        let (callers, prog_type) = (helper.callers, self.program.prog_type);
        let attach_type = prog_type.attach_type(self.program.expected_attach_type);
        let refuse = || Rejection::new(Code::HelperNotAllowed, cannot_use(helper, self.config));
        if !callers.include(prog_type, attach_type) {
            let refused = refuse().label(format!("the program is of type {prog_type}"));
            if callers.prog_types.has(prog_type) {
                return Err(refused.help("with another attach type it could"));
            }
            if helper.name == OVERRIDE_RETURN {
                return Err(self.cannot_override(refused));
            }
            let types: Vec<&str> = callers.prog_types.iter().map(|ty| ty.name()).collect();
            return Err(match types.is_empty() {
                true => refused
                    .help("no program may where the kernel is locked down (kernel_lockdown(7))"),
                false => refused.help(format!(
                    "programs of these types may call it: {}",
                    types.join(", ")
                )),
            });
        }
        let comes_later = helper.comes_after(self.config.kernel, prog_type, attach_type);
        if let Some((major, minor)) = comes_later {
            let older = instead(Newer::Helper(helper.name), self.config.kernel);
            return Err(refuse()
                .label(format!(
                    "programs of type {prog_type} may call bpf_{} since Linux {major}.{minor}",
                    helper.name
                ))
                .help_if(older));
        }
        if self.is_left_out(helper) {
            return Err(refuse()
                .label("not for this operation")
                .help("call it in another operation of the struct"));
        }
        let config = self.config;
        let capability = if callers.perfmon.has(prog_type) && !config.may_leak_pointers() {
            "CAP_PERFMON"
        } else if callers.privilege == Privilege::Bpf && !config.may_use_bpf() {
            "CAP_BPF"
        } else {
            return Ok(());
        };
        Err(refuse()
            .label(format!("the loader lacks {capability}"))
            .help(format!("load the program with {capability}")))
    }

    /// The refusal of [`OVERRIDE_RETURN`], as far as one can know. Of the kernel that the types are
    /// of, it was observed; of others nobody knows how they were configured.
    fn cannot_override(&self, refused: Box<Rejection>) -> Box<Rejection> {
        let other = self.kernel.of_other_release(self.config.kernel).is_some();
        match self.program.prog_type {
            ProgType::Kprobe if other => {
                not_modelled(&format!("bpf_{OVERRIDE_RETURN}, which {OVERRIDERS} have"))
            }
            ProgType::Kprobe => refused.help(format!("{OVERRIDERS} have it")),
            _ => refused.help("programs of type kprobe may call it"),
        }
    }

    /// Whether the operation that the program is leaves the helper out, which others of its
    /// struct have. Observed on Linux 6.18.
    fn is_left_out(&self, helper: &Helper) -> bool {
        let Some(operation) = &self.arguments else {
            return false;
        };
        let releases =
            self.program.prog_type == ProgType::StructOps && operation.name() == "release";
        let of_sockets = SOCKET_OPTIONS.contains(&helper.name);
        operation.without_helpers || (releases && of_sockets)
    }

    fn check_license(&self, helper: &Helper) -> Checked {
        let license = self.object.license.as_str();
        let wanted = helper.callers.gpl.has(self.program.prog_type) && !self.is_for_many(helper);
        if !wanted || self.is_gpl_compatible() {
            return Ok(());
        }
        Err(Rejection::new(
            Code::GplOnly,
            "cannot call GPL-restricted function from non-GPL compatible program",
        )
        .label(format!(
            "bpf_{} wants a license compatible with the GPL, not '{license}'",
            helper.name
        ))
        .help(DECLARE_LICENSE))
    }

    /// Whether the helper is the one that programs at many places have in another form, which
    /// asks for no license. Observed on Linux 6.18.
    fn is_for_many(&self, helper: &Helper) -> bool {
        let many = [
            AttachType::TraceKprobeMulti,
            AttachType::TraceKprobeSession,
            AttachType::TraceUprobeMulti,
            AttachType::TraceUprobeSession,
        ];
        let attach_type = self.program.expected_attach_type;
        helper.name == "get_func_ip"
            && self.program.prog_type == ProgType::Kprobe
            && attach_type.is_some_and(|attach_type| many.contains(&attach_type))
    }

    /// Whether the object's license is compatible with the GPL.
    pub(crate) fn is_gpl_compatible(&self) -> bool {
        is_gpl_compatible(&self.object.license)
    }

    fn check_barred(&self, helper: &Helper) -> Checked {
        let prog_type = self.program.prog_type;
        let place = self.arguments.as_ref();
        if PROBES.contains(&prog_type)
            && let Some(help) = ArgumentContext::bars(place, helper.name)
        {
            let place = place.map_or(prog_type.name(), ArgumentContext::name);
            let words = "helper call is not allowed in probe";
            return Err(Rejection::new(Code::HelperNotAllowed, words)
                .label(format!("this helper does not work at '{place}'"))
                .help(help));
        }
        if SOCKET_OPTIONS.contains(&helper.name) && !self.has_socket_options() {
            let words = cannot_use(helper, self.config);
            return Err(Rejection::new(Code::HelperNotAllowed, words)
                .label("the program is not where the kernel has a socket with options at hand")
                .help(
                    "set options of sockets from sock_ops, cgroup_sockopt or cgroup_sock_addr \
                     programs",
                ));
        }
        Ok(())
    }

    /// Whether the program is where options of sockets may be asked for and set, as far as that
    /// depends on what it is attached to.
    fn has_socket_options(&self) -> bool {
        let attach_type = self.program.expected_attach_type;
        let there = self
            .arguments
            .as_ref()
            .is_some_and(|at| at.has_socket_options);
        match self.program.prog_type {
            ProgType::Tracing => there,
            ProgType::Lsm => there && attach_type == Some(AttachType::LsmCgroup),
            _ => true,
        }
    }
}

/// Whether a license is compatible with the GPL.
pub(crate) fn is_gpl_compatible(license: &str) -> bool {
    GPL_COMPATIBLE.contains(&license)
}

fn unknown(id: i32, config: &Config) -> Box<Rejection> {
    // The UAPI has the id 0 for none.
    let message = match id {
        0 if config.since((6, 11)) => "program of this type cannot use helper bpf_unspec#0".into(),
        0 => "unknown func bpf_unspec#0".into(),
        _ => format!("invalid func unknown#{id}"),
    };
    Rejection::new(Code::UnknownHelper, message)
        .label("no helper has this number")
        .help(
            "bpf-helpers(7) lists the helpers. In C, a function that is declared `static ... = \
             (void *)N` is helper N: take the declarations of bpf_helper_defs.h",
        )
}

fn cannot_use(helper: &Helper, config: &Config) -> String {
    let (name, id) = (helper.name, helper.id);
    match config.since((6, 11)) {
        true => format!("program of this type cannot use helper bpf_{name}#{id}"),
        false => format!("unknown func bpf_{name}#{id}"),
    }
}
