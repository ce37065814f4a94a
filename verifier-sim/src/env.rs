//! What stays the same while a program is verified: the program itself, whom it is verified
//! for, and what was found out about it beforehand.
//!
//! Read before: `flow/cfg.rs`, `flow/live.rs`, `ctx/mod.rs`. Read next: `step/machine.rs`.

use crate::call::global::{Global, globals};
use crate::codes::Code;
use crate::config::Config;
use crate::ctx::{ArgumentContext, Context, Target, context};
use crate::diag::{Checked, Rejection};
use crate::flow::cfg::Cfg;
use crate::flow::components::Components;
use crate::flow::edges::Predecessors;
use crate::flow::fastcall::Fastcalls;
use crate::flow::live::live_registers;
use crate::flow::registers::RegSet;
use crate::flow::rounds::Rounds;
use crate::flow::stops::Stops;
use crate::kfunc::{argument_count, calls_later, check_calls};
use crate::load::exception::exception_callback;
use crate::load::func_info::check_functions;
use crate::load::loadable::check_loadable;
use crate::load::taken::{Specials, Taken, ValueSpecials};
use crate::load::used_maps::{check_used_maps, is_sleepable};
use crate::memory::kernel_symbol::check_addresses;
use crate::types::btf_walk::shown;
use crate::types::kernel_types::{KernelTypes, TargetKernel};
use crate::types::special::{Special, SpecialKind};
use crate::value::btf_ptr::{BtfPtr, Marks, Types};
use crate::value::reg::{Kind as RegKind, Null, RegState, SockType};
use crate::value::residue::Residue;
use crate::value::state::State;
use ebpf_asm::btf::core::CoreKind;
use ebpf_asm::btf::{Btf, TypeId};
use ebpf_asm::insn::{Insn, Reg};
use ebpf_asm::isa::{Callee, Sem};
use ebpf_asm::map_type::MapType;
use ebpf_asm::near::near;
use ebpf_asm::object::{Map, Object};
use ebpf_asm::prog_type::ProgType;
use ebpf_asm::program::Program;
use ebpf_asm::section::SECTIONS;
use std::collections::BTreeSet;

/// A map, by where it is in [`Object::maps`].
enum WhichMap {
    /// This one.
    Own(usize),
    /// One of those that this one holds.
    In(usize),
}

/// The surroundings of a verification.
#[derive(Debug)]
pub(crate) struct Env<'a> {
    /// The object, with the maps.
    pub object: &'a Object,
    /// The program.
    pub program: &'a Program,
    /// For whom.
    pub config: &'a Config,
    /// The types of the kernel.
    pub kernel: &'a KernelTypes,
    /// What the program receives.
    pub context: &'static Context,
    /// The arguments that it receives, if it is attached to what has some.
    pub(crate) arguments: Option<ArgumentContext>,
    /// Where execution can go.
    pub cfg: Cfg<'a>,
    /// Its global functions.
    pub(crate) globals: Vec<Global>,
    /// The first slot of the function that is called when the program throws, if there is one.
    pub(crate) exception_callback: Option<usize>,
    /// What execution comes back to any number of times.
    pub(crate) rounds: Rounds,
    /// The slots that execution comes back to: the heads of loops.
    pub(crate) loop_heads: BTreeSet<usize>,
    /// Its loops.
    pub(crate) components: Components,
    /// Where states are compared.
    pub(crate) stops: Stops,
    /// From where execution comes to each slot.
    pub(crate) before: Predecessors,
    /// The spills around calls that may be taken out.
    pub(crate) fastcalls: Fastcalls,
    live: Vec<RegSet>,
    /// The special fields of what the object has types of.
    specials: &'a Specials,
}

impl<'a> Env<'a> {
    /// Does the checks that need no execution.
    pub(crate) fn new(taken: &'a Taken<'_>, target: TargetKernel<'a>) -> Checked<Env<'a>> {
        let TargetKernel {
            types: kernel,
            config,
        } = target;
        let Taken {
            whole,
            object,
            program,
            specials,
            ..
        } = taken;
        let (object, program): (&Object, &Program) = (object, program);
        check_loadable(program, config)?;
        let attach_type = program.prog_type.attach_type(program.expected_attach_type);
        let context =
            context(program.prog_type, attach_type).ok_or_else(|| unknown_type(program))?;
        let attached = Target::find(whole, program, config, kernel)?;
        // The types are read only for a program that has a target.
        let arguments = attached
            .as_ref()
            .and_then(|attached| Some((attached, kernel.btf()?)));
        let arguments = arguments.map(|(to, btf)| ArgumentContext::new(config, kernel, btf, to));
        check_calls(whole, program, config, kernel)?;
        check_addresses(whole, program, config, kernel)?;
        let globals = globals(object, program, target);
        let exception_callback = exception_callback(program, object.btf.as_ref(), config)?;
        let global_slots = globals.iter().map(|g| g.slot).collect();
        let cfg = Cfg::new(program, config, global_slots, exception_callback)?;
        check_functions(program, object.btf.as_ref(), &cfg)?;
        check_used_maps(object, program, config, &specials.maps)?;
        let loop_heads = cfg.walk(config)?;
        let rounds = Rounds::new(object, program, &cfg, kernel);
        let stops = Stops::new(&cfg, &rounds, |slot, insn| {
            calls_later(object, program, kernel, (slot, insn))
        });
        let before = Predecessors::new(&cfg);
        let components = Components::new(&cfg, &before, &loop_heads);
        let mut env = Env {
            object,
            program,
            config,
            kernel,
            context,
            arguments,
            cfg,
            globals,
            exception_callback,
            rounds,
            loop_heads,
            components,
            stops,
            before,
            fastcalls: Fastcalls::default(),
            live: Vec::new(),
            specials,
        };
        env.live = live_registers(&env.cfg, &env.before, |slot, insn| {
            env.argument_count(slot, insn)
        });
        env.fastcalls = Fastcalls::find(&env);
        Ok(env)
    }

    /// The map at this index of the object; behind all of them, what the maps in each are like.
    pub(crate) fn map(&self, index: u32) -> Option<&'a Map> {
        let maps = &self.object.maps;
        match self.which_map(index)? {
            WhichMap::Own(index) => maps.get(index),
            WhichMap::In(outer) => maps.get(outer)?.inner.as_deref(),
        }
    }

    /// The name of the map at this index, if it has one: what the maps in a map are like has none.
    pub(crate) fn map_name(&self, index: u32) -> Option<&'a str> {
        match self.which_map(index)? {
            WhichMap::Own(index) => Some(&self.object.maps.get(index)?.name),
            WhichMap::In(_) => None,
        }
    }

    fn which_map(&self, index: u32) -> Option<WhichMap> {
        let index = usize::try_from(index).ok()?;
        Some(match index.checked_sub(self.object.maps.len()) {
            None => WhichMap::Own(index),
            Some(outer) => WhichMap::In(outer),
        })
    }

    /// The index of what the maps in the map at an index are like, if it is a map of maps.
    pub(crate) fn inner_map(&self, index: u32) -> Option<u32> {
        // Others may be declared with such a map as well: it means nothing there.
        if !self.map(index)?.map_type.holds_maps() {
            return None;
        }
        let inner = u32::try_from(self.object.maps.len())
            .ok()?
            .checked_add(index)?;
        self.map(inner).map(|_| inner)
    }

    /// The special fields of a map's values; `None` if it is not known what there is.
    pub(crate) fn specials(&self, map: u32) -> Option<&[Special]> {
        self.values(map)?.fields.as_deref()
    }

    fn values(&self, map: u32) -> Option<&ValueSpecials> {
        let maps = &self.specials.maps;
        match self.which_map(map)? {
            WhichMap::Own(index) => Some(&maps.get(index)?.value),
            WhichMap::In(outer) => maps.get(outer)?.inner.as_ref(),
        }
    }

    /// Says that the types of a map are left out, where that may be why an instruction is refused
    /// that uses these registers.
    pub(crate) fn explain(
        &self,
        why: Box<Rejection>,
        used: impl IntoIterator<Item = RegState>,
    ) -> Box<Rejection> {
        if !why.wants_types {
            return why;
        }
        let left_out = used.into_iter().find_map(|reg| {
            let map = reg.kind.map()?;
            let refused = self.values(map)?.refused?;
            let name = &self.map(map)?.name;
            Some(format!("map '{name}' is made without types: {refused}"))
        });
        why.help_if(left_out.as_deref())
    }

    /// The special fields of an object of the program; of other structures none. `None` if it is
    /// not known what there is.
    pub(crate) fn object_specials(&self, object: TypeId) -> Option<&[Special]> {
        match self.specials.objects.get(&object) {
            None => Some(&[]),
            Some(known) => known.as_deref(),
        }
    }

    /// The special fields of what a pointer points to. `None` if it is not known what there is.
    pub(crate) fn specials_behind(&self, kind: RegKind) -> Option<&[Special]> {
        match kind {
            RegKind::MapValue(map) => self.specials(map),
            RegKind::Btf(pointer) if pointer.types == Types::Program => {
                self.object_specials(pointer.id)
            }
            _ => Some(&[]),
        }
    }

    /// Whether what a pointer points to has locks, so that each is known from the others.
    pub(crate) fn has_lock(&self, kind: RegKind) -> bool {
        let lock = |special: &Special| {
            let kinds = [SpecialKind::SpinLock, SpecialKind::ResSpinLock];
            kinds.contains(&special.kind)
        };
        self.specials_behind(kind)
            .is_none_or(|specials| specials.iter().any(lock))
    }

    /// Whether the values of a map have what calls functions later, with the map.
    fn calls_later(&self, map: u32) -> bool {
        let calls = |special: &Special| {
            matches!(
                special.kind,
                SpecialKind::Timer | SpecialKind::Workqueue | SpecialKind::TaskWork
            )
        };
        self.specials(map)
            .is_none_or(|specials| specials.iter().any(calls))
    }

    /// Whether the program may wait for something.
    pub(crate) fn is_sleepable(&self) -> bool {
        is_sleepable(self.program)
    }

    /// Whether programs of the type may write to tracked connections.
    pub(crate) fn writes_connections(&self) -> bool {
        matches!(
            self.program.prog_type,
            ProgType::Xdp | ProgType::SchedCls | ProgType::SchedAct
        )
    }

    /// The name of what a pointer to a structure points to.
    pub(crate) fn structure_name(&self, pointer: BtfPtr) -> &str {
        let btf = match pointer.types {
            Types::Kernel => self.kernel.btf(),
            Types::Program => self.object.btf.as_ref(),
        };
        btf.map_or("", |btf| shown(btf, pointer.id))
    }

    /// A pointer to a structure of the kernel of this name. Of which type it is stays open where the kernel's types are not at hand.
    pub(crate) fn structure(&self, name: &str, marks: Marks) -> RegKind {
        let id = self.kernel.record(name).unwrap_or(TypeId::VOID);
        RegKind::Btf(BtfPtr::kernel(id, marks))
    }

    /// Whether a pointer to a type of the kernel is a pointer to the program's context.
    pub(crate) fn is_context(&self, btf: &Btf, ty: TypeId) -> bool {
        self.program.prog_type.context_struct() == Some(btf.name(ty))
    }

    /// Whether the instruction at `slot` asks if the kernel has something (CO-RE): the number in
    /// it is 1 until that is answered, and may become 0.
    pub(crate) fn asks_existence(&self, slot: usize) -> bool {
        let asked = &self.program.core_relocations;
        let here = asked.binary_search_by_key(&slot, |(slot, _)| *slot);
        let relocation = here.ok().and_then(|here| asked.get(here));
        relocation.is_some_and(|(_, relocation)| {
            matches!(
                relocation.kind,
                CoreKind::FieldExists
                    | CoreKind::TypeExists
                    | CoreKind::TypeMatches
                    | CoreKind::EnumvalExists
            )
        })
    }

    /// Makes a pointer one that is not null. Values with locks keep their id, by which their
    /// locks are told from each other. Sockets keep which map they are out of.
    pub(crate) fn set_not_null(&self, reg: &mut RegState) {
        let kind = self.not_null(reg.kind);
        if matches!(kind, RegKind::Sock(_)) {
            reg.residue = Residue::of(reg);
        }
        reg.null = Null::Never;
        reg.kind = kind;
        if matches!(reg.kind, RegKind::Map(map) if self.calls_later(map)) {
            reg.map_uid = reg.id;
        }
        if !self.has_lock(reg.kind) {
            reg.id = 0;
        }
    }

    /// What a pointer is that was found not to be null: values of maps of maps are maps then,
    /// and those of maps of sockets are sockets.
    fn not_null(&self, kind: RegKind) -> RegKind {
        let RegKind::MapValue(index) = kind else {
            return kind;
        };
        if let Some(inner) = self.inner_map(index) {
            return RegKind::Map(inner);
        }
        match self.map(index).map(|map| map.map_type) {
            Some(MapType::Xskmap) => RegKind::Sock(SockType::Xdp),
            Some(MapType::Sockmap | MapType::Sockhash) => RegKind::Sock(SockType::Sock),
            _ => kind,
        }
    }

    /// How many arguments the call at `slot` takes; `None` if that is not known, as of what the
    /// program may not call, on whatever path it is (Linux 6.18).
    fn argument_count(&self, slot: usize, insn: &Insn) -> Option<usize> {
        match insn.sem() {
            Sem::Call(Callee::Helper) => self
                .helper(insn.imm())
                .map(|(helper, _)| helper.most_args()),
            Sem::Call(Callee::Kfunc) => {
                argument_count(self.object, self.program, self.kernel, (slot, insn))
            }
            _ => None,
        }
    }

    /// The registers that may be read of the function at `depth`, if the innermost function of
    /// `state` goes on at `slot` and the others where their callees return to.
    pub(crate) fn live_in(&self, state: &State, depth: usize, slot: usize) -> RegSet {
        match state.frame_of(depth + 1) {
            // The callee will overwrite R0, whatever the caller does with it.
            Some(callee) => self.live(callee.return_to).without(RegSet::of(Reg::R0)),
            None => self.live(slot),
        }
    }

    /// The registers that may be read at `slot` or later.
    pub(crate) fn live(&self, slot: usize) -> RegSet {
        self.live.get(slot).copied().unwrap_or_default()
    }
}

fn unknown_type(program: &Program) -> Box<Rejection> {
    let (prog_type, section) = (program.prog_type, &program.section);
    if prog_type == ProgType::Unspec {
        let message = format!("'{section}' names no program type");
        let meant = near(section, SECTIONS.iter().map(|known| known.name));
        return Rejection::new(Code::NotModelled, message)
            .label(format!("the program is in section '{section}'"))
            .help(match meant {
                Some(meant) => format!("did you mean SEC(\"{meant}\"), or .prog {meant}?"),
                None => "name one, as in SEC(\"xdp\") or .prog xdp".to_owned(),
            });
    }
    let message = format!("programs of type {prog_type} are not modelled");
    let refused = Rejection::new(Code::NotModelled, message);
    match prog_type {
        ProgType::LircMode2 => refused
            .label("only kernels that were built with CONFIG_BPF_LIRC_MODE2 have such programs"),
        _ => refused.label("its context is not known here"),
    }
}
