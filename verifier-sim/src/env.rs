//! What stays the same while a program is verified: the program itself, whom it is verified
//! for, and what was found out about it beforehand.
//!
//! Read before: `cfg.rs`, `live.rs`, `ctx.rs`. Read next: `machine.rs`.

use crate::cfg::Cfg;
use crate::codes::Code;
use crate::config::Config;
use crate::ctx::{Context, context};
use crate::diag::{Checked, Rejection};
use crate::global::{Global, globals};
use crate::live::{RegSet, live_registers};
use ebpf_asm::object::{Map, Object};
use ebpf_asm::prog_type::ProgType;
use ebpf_asm::program::Program;

/// The surroundings of a verification.
#[derive(Debug)]
pub(crate) struct Env<'a> {
    /// The object, with the maps.
    pub object: &'a Object,
    /// The program.
    pub program: &'a Program,
    /// For whom.
    pub config: &'a Config,
    /// What the program receives.
    pub context: &'static Context,
    /// Where execution can go.
    pub cfg: Cfg<'a>,
    /// Its global functions.
    pub(crate) globals: Vec<Global>,
    live: Vec<RegSet>,
}

impl<'a> Env<'a> {
    /// Does the checks that need no execution.
    pub(crate) fn new(
        object: &'a Object,
        program: &'a Program,
        config: &'a Config,
    ) -> Checked<Env<'a>> {
        let context = context(program.prog_type, program.expected_attach_type)
            .ok_or_else(|| unknown_type(program.prog_type))?;
        if !config.capabilities.has(required(program.prog_type)) {
            let message = format!("program type {} needs more capabilities", program.prog_type);
            return Err(Rejection::new(Code::Capability, message)
                .label("the kernel answers with EPERM")
                .help("load it as root, or with CAP_BPF and CAP_NET_ADMIN"));
        }
        let globals = globals(program, object.btf.as_ref());
        let cfg = Cfg::new(program, config, globals.iter().map(|g| g.slot).collect())?;
        let live = live_registers(&cfg);
        Ok(Env {
            object,
            program,
            config,
            context,
            cfg,
            globals,
            live,
        })
    }

    /// The map at this index of the object.
    pub(crate) fn map(&self, index: u32) -> Option<&'a Map> {
        self.object.maps.get(usize::try_from(index).ok()?)
    }

    /// The registers that may be read at `slot` or later.
    pub(crate) fn live(&self, slot: usize) -> RegSet {
        self.live.get(slot).copied().unwrap_or_default()
    }
}

/// What one needs to load programs of a type, besides what is checked instruction by
/// instruction: capabilities(7).
fn required(prog_type: ProgType) -> crate::config::Capabilities {
    use crate::config::Capabilities;
    match prog_type {
        ProgType::SocketFilter | ProgType::CgroupSkb => Capabilities::NONE,
        _ => Capabilities::BPF | Capabilities::NET_ADMIN,
    }
}

fn unknown_type(prog_type: ProgType) -> Box<Rejection> {
    let message = format!("programs of type {prog_type} are not modelled");
    Rejection::new(Code::NotModelled, message).label("its context is not known here")
}
