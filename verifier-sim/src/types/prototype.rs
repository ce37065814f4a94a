//! What the prototype of a global function says of its arguments, with the tags that libbpf's
//! `bpf_helpers.h` has for parameters (`__arg_ctx`, `__arg_nonnull`, `__arg_arena`...).
//!
//! Described in the kernel's `Documentation/bpf/verifier.rst` and in `bpf_helpers.h`; messages
//! and combinations of tags as observed on Linux 6.18.
//!
//! Read before: `context_param.rs`. Read next: `call/global.rs`.

use crate::call::invoke::ARGUMENTS;
use crate::config::Config;
use crate::types::btf_walk::kind_word;
use crate::types::context_param::{check_tagged, is_context, record_name};
use crate::types::kernel_types::{KernelTypes, TargetKernel};
use crate::types::namesake::{Namesake, namesake};
use crate::value::reg::Null;
use ebpf_asm::btf::{Btf, Kind as Type, TypeId};
use ebpf_asm::isa::KernelVersion;
use ebpf_asm::program::Program;

/// What a global function takes in an argument register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Param {
    /// A number.
    Scalar,
    /// The program's context.
    Ctx,
    /// A dynptr.
    Dynptr,
    /// Memory of so many bytes that may be read and written, and maybe null.
    Mem { size: u32, null: Null },
    /// An address in the arena, which in the function is a number.
    Arena,
    /// A structure of the kernel that is to be trusted, maybe null.
    Trusted { id: TypeId, null: Null },
    /// Whatever the caller passes, in the function an address that may be wrong: of this
    /// structure of the kernel, or of nothing known.
    Untrusted(Option<TypeId>),
    /// Something that is not judged.
    NotModelled(&'static str),
}

/// What the tags of a parameter say; a bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tags(u8);

impl Tags {
    const CTX: Tags = Tags(1);
    const NONNULL: Tags = Tags(2);
    const TRUSTED: Tags = Tags(4);
    const NULLABLE: Tags = Tags(8);
    const UNTRUSTED: Tags = Tags(16);
    const ARENA: Tags = Tags(32);

    fn has(self, other: Tags) -> bool {
        self.0 & other.0 != 0
    }

    /// Those of one parameter, unless one is unknown.
    fn of<'t>(tags: impl Iterator<Item = &'t str>, config: &Config) -> Result<Tags, String> {
        let mut all = Tags(0);
        if !config.since(TAGGED) {
            return Ok(all);
        }
        for tag in tags.filter_map(|tag| tag.strip_prefix("arg:")) {
            let known = TAGS
                .iter()
                .find(|(name, _, since)| *name == tag && config.since(*since));
            let (_, tag, _) = known.ok_or("has unsupported set of tags")?;
            all.0 |= tag.0;
        }
        Ok(all)
    }
}

/// Since when the kernel looks at tags of parameters, and takes dynptrs for what they are; this and
/// the following from the kernel's history.
const TAGGED: KernelVersion = (6, 8);

/// The names of tags, and since when they are known.
const TAGS: [(&str, Tags, KernelVersion); 6] = [
    ("ctx", Tags::CTX, TAGGED),
    ("nonnull", Tags::NONNULL, TAGGED),
    ("trusted", Tags::TRUSTED, (6, 9)),
    ("nullable", Tags::NULLABLE, (6, 9)),
    ("arena", Tags::ARENA, (6, 9)),
    ("untrusted", Tags::UNTRUSTED, (6, 17)),
];

/// Since when a parameter may be a pointer to memory.
const MEMORY: KernelVersion = (5, 12);

/// The parameters of a function, or why the kernel takes no such function.
pub(crate) fn params(
    btf: &Btf,
    kernel: TargetKernel<'_>,
    program: &Program,
    (function, proto): (TypeId, TypeId),
    name: &str,
) -> Result<Vec<Param>, String> {
    let Some(Type::FuncProto { ret, params }) = btf.get(proto).map(|ty| &ty.kind) else {
        return Err(format!("Invalid BTF of func {name}"));
    };
    if params.len() > ARGUMENTS.len() {
        let (count, most) = (params.len(), ARGUMENTS.len());
        return Err(format!(
            "Global function {name}() with {count} > {most} args. Buggy compiler."
        ));
    }
    if !is_number(btf, *ret) {
        return Err(format!(
            "Global function {name}() doesn't return scalar. Only those are supported."
        ));
    }
    let all = tags(btf, function);
    let params = params.iter().enumerate().map(|(index, (_, ty))| {
        let own = all.iter().filter(|(at, _)| *at == index);
        let tags = Tags::of(own.map(|(_, tag)| *tag), kernel.config)
            .map_err(|why| format!("arg#{index} {why}"))?;
        param(btf, kernel, program, *ty, tags).map_err(|why| match why {
            NoParam::Words(words) => format!("arg#{index} {words}"),
            NoParam::Kind(kind) => {
                format!("Arg#{index} type {kind} in {name}() is not supported yet.")
            }
        })
    });
    params.collect()
}

/// Why a parameter cannot be checked.
enum NoParam {
    /// The kernel's words.
    Words(String),
    /// It is neither a number nor a pointer.
    Kind(&'static str),
}

impl NoParam {
    fn words(words: &str) -> NoParam {
        NoParam::Words(words.to_owned())
    }
}

fn param(
    btf: &Btf,
    TargetKernel {
        types: kernel,
        config,
    }: TargetKernel<'_>,
    program: &Program,
    ty: TypeId,
    tags: Tags,
) -> Result<Param, NoParam> {
    let Some(Type::Ptr(to)) = btf.get(btf.resolve(ty)).map(|ty| &ty.kind) else {
        return match is_number(btf, ty) {
            _ if tags.0 != 0 => Err(NoParam::words("has pointer tag, but is not a pointer type")),
            true => Ok(Param::Scalar),
            false => Err(NoParam::Kind(kind_word(btf, btf.resolve(ty)))),
        };
    };
    let is_context = is_context(btf, program.prog_type, config, *to);
    let (named, to) = (*to, btf.resolve(*to));
    let is_dynptr = record_name(btf, to) == Some("bpf_dynptr") && config.since(TAGGED);
    let invalid = || NoParam::words("has invalid combination of tags");
    match tags {
        Tags::CTX => context_param(btf, program, named),
        Tags(0) if is_context => Ok(Param::Ctx),
        Tags(0) if is_dynptr => Ok(Param::Dynptr),
        Tags(0) if !config.since(MEMORY) => Err(NoParam::Kind("PTR")),
        Tags(0) => memory(btf, to, Null::Maybe),
        _ if is_context || is_dynptr => Err(invalid()),
        Tags::NONNULL => memory(btf, to, Null::Never),
        Tags::ARENA => Ok(Param::Arena),
        _ if tags.has(Tags::CTX) => Err(invalid()),
        _ if tags.has(Tags::TRUSTED) && tags.has(Tags::NONNULL) => Err(invalid()),
        _ if tags.has(Tags::TRUSTED) => {
            let null = match tags.has(Tags::NULLABLE) {
                true => Null::Maybe,
                false => Null::Never,
            };
            trusted((btf, kernel), to, null)
        }
        Tags::UNTRUSTED => untrusted((btf, kernel), to),
        _ if tags.has(Tags::UNTRUSTED) => Err(NoParam::words(
            "untrusted cannot be combined with any other tags",
        )),
        _ if tags.has(Tags::ARENA) => Err(NoParam::words(
            "arena cannot be combined with any other tags",
        )),
        _ => Err(invalid()),
    }
}

/// A parameter that is tagged as the context.
fn context_param(btf: &Btf, program: &Program, to: TypeId) -> Result<Param, NoParam> {
    match check_tagged(btf, program, to) {
        Some(checked) => checked.map(|()| Param::Ctx).map_err(NoParam::Words),
        None => Ok(Param::NotModelled("a context of this type")),
    }
}

/// A parameter that is tagged as a structure of the kernel to be trusted. Any type that the kernel
/// has will do (Linux 6.18); no caller has more than null for what is no structure.
fn trusted(types: (&Btf, &KernelTypes), to: TypeId, null: Null) -> Result<Param, NoParam> {
    match of_kernel(types, to)? {
        Some((id, _)) => Ok(Param::Trusted { id, null }),
        None => Ok(Param::NotModelled("trusted parameters of this type")),
    }
}

/// A parameter of which the function trusts nothing.
fn untrusted((btf, kernel): (&Btf, &KernelTypes), to: TypeId) -> Result<Param, NoParam> {
    if to == TypeId::VOID || is_number(btf, to) {
        return Ok(Param::Untrusted(None));
    }
    match of_kernel((btf, kernel), to)? {
        Some((id, Type::Struct { .. } | Type::Union { .. })) => Ok(Param::Untrusted(Some(id))),
        Some(_) => Err(NoParam::Words(format!(
            "has type {} '(anon)', but only struct or primitive types are allowed",
            kind_word(btf, to)
        ))),
        None => Ok(Param::NotModelled("untrusted parameters of this type")),
    }
}

/// The type of the kernel that a parameter is of; `None` if its types are not known, else the
/// kernel's words where there is none.
fn of_kernel<'k>(
    (btf, kernel): (&Btf, &'k KernelTypes),
    to: TypeId,
) -> Result<Option<(TypeId, &'k Type)>, NoParam> {
    let (kind, name) = (kind_word(btf, to), btf.name(to));
    if name.is_empty() || to == TypeId::VOID {
        let words = format!("reference type('{kind} (anon)') candidate matching error: -22");
        return Err(NoParam::Words(words));
    }
    let Some(types) = kernel.btf() else {
        return Ok(None);
    };
    let why = match namesake((btf, to), types) {
        Namesake::One(id) => return Ok(types.get(id).map(|ty| (id, &ty.kind))),
        Namesake::None => "has no matches",
        Namesake::Several => "is ambiguous",
    };
    let words = format!("reference type('{kind} {name}') {why}");
    Err(NoParam::Words(words))
}

/// A parameter that is memory of a type.
fn memory(btf: &Btf, to: TypeId, null: Null) -> Result<Param, NoParam> {
    match btf.size_of(to) {
        Some(size) => Ok(Param::Mem { size, null }),
        None => {
            let (kind, name) = (kind_word(btf, to), btf.name(to));
            Err(NoParam::Words(format!(
                "reference type('{kind} {name}') size cannot be determined: -22"
            )))
        }
    }
}

/// Whether a type is an integer or an enum, which arguments and results may be.
pub(crate) fn is_number(btf: &Btf, ty: TypeId) -> bool {
    matches!(
        btf.get(btf.resolve(ty)).map(|ty| &ty.kind),
        Some(Type::Int { .. } | Type::Enum { .. } | Type::Enum64 { .. })
    )
}

/// The tags on a function's parameters: which parameter, and the tag.
fn tags(btf: &Btf, function: TypeId) -> Vec<(usize, &str)> {
    let tag = |(_, ty): (TypeId, &ebpf_asm::btf::Type)| match ty.kind {
        Type::DeclTag {
            ty: of, component, ..
        } if of == function => Some((usize::try_from(component).ok()?, ty.name)),
        _ => None,
    };
    let tags = btf.types().filter_map(tag);
    tags.map(|(at, name)| (at, btf.str(name))).collect()
}
