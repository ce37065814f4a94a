//! One line a type, as `bpftool btf dump file FILE format raw` prints them.

use std::io::{self, Write};

use ebpf_asm::btf::{
    Bitfields, Btf, Forward, IntEncoding, Kind, Linkage, Member, Signedness, StrId, Type, TypeId,
};

/// Writes all types, or those that are chosen.
pub(super) fn write(out: &mut dyn Write, btf: &Btf, chosen: Option<&[TypeId]>) -> io::Result<()> {
    match chosen {
        None => btf.types().try_for_each(|(id, ty)| line(out, btf, id, ty)),
        Some(ids) => {
            let mut known = ids.iter().filter_map(|id| Some((*id, btf.get(*id)?)));
            known.try_for_each(|(id, ty)| line(out, btf, id, ty))
        }
    }
}

/// A name in quotes, or that there is none.
fn name(btf: &Btf, id: StrId) -> &str {
    match btf.str(id) {
        "" => "(anon)",
        name => name,
    }
}

fn line(out: &mut dyn Write, btf: &Btf, id: TypeId, ty: &Type) -> io::Result<()> {
    write!(
        out,
        "[{}] {} '{}'",
        id.0,
        ty.kind.name(),
        name(btf, ty.name)
    )?;
    match &ty.kind {
        Kind::Int {
            size,
            encoding,
            offset,
            bits,
        } => writeln!(
            out,
            " size={size} bits_offset={offset} nr_bits={bits} encoding={}",
            encoding_name(*encoding)
        ),
        Kind::Ptr(ty)
        | Kind::Typedef(ty)
        | Kind::Volatile(ty)
        | Kind::Const(ty)
        | Kind::Restrict(ty)
        | Kind::TypeTag { ty, .. } => writeln!(out, " type_id={}", ty.0),
        Kind::Array {
            element,
            index,
            len,
        } => writeln!(
            out,
            " type_id={} index_type_id={} nr_elems={len}",
            element.0, index.0
        ),
        Kind::Struct {
            size,
            members,
            bitfields,
        }
        | Kind::Union {
            size,
            members,
            bitfields,
        } => {
            writeln!(out, " size={size} vlen={}", members.len())?;
            let mut members = members.iter();
            members.try_for_each(|member| member_line(out, btf, member, *bitfields))
        }
        Kind::Enum {
            size,
            signed,
            values,
        } => {
            enum_head(out, *signed, *size, values.len())?;
            values.iter().try_for_each(|(id, value)| match signed {
                Signedness::Signed => writeln!(out, "\t'{}' val={value}", name(btf, *id)),
                Signedness::Unsigned => {
                    writeln!(out, "\t'{}' val={}", name(btf, *id), *value as u32)
                }
            })
        }
        Kind::Enum64 {
            size,
            signed,
            values,
        } => {
            enum_head(out, *signed, *size, values.len())?;
            values.iter().try_for_each(|(id, value)| match signed {
                Signedness::Signed => writeln!(out, "\t'{}' val={value}LL", name(btf, *id)),
                Signedness::Unsigned => {
                    writeln!(out, "\t'{}' val={}ULL", name(btf, *id), *value as u64)
                }
            })
        }
        Kind::Fwd(forward) => writeln!(out, " fwd_kind={}", forward_name(*forward)),
        Kind::Func { proto, linkage } => writeln!(
            out,
            " type_id={} linkage={}",
            proto.0,
            linkage_name(*linkage)
        ),
        Kind::FuncProto { ret, params } => {
            writeln!(out, " ret_type_id={} vlen={}", ret.0, params.len())?;
            params
                .iter()
                .try_for_each(|(id, ty)| writeln!(out, "\t'{}' type_id={}", name(btf, *id), ty.0))
        }
        Kind::Var { ty, linkage } => {
            writeln!(out, " type_id={}, linkage={}", ty.0, linkage_name(*linkage))
        }
        Kind::DataSec { size, vars } => {
            writeln!(out, " size={size} vlen={}", vars.len())?;
            vars.iter().try_for_each(|var| {
                let kind = btf.get(var.var).map_or("?", |ty| ty.kind.name());
                let (id, offset, size) = (var.var.0, var.offset, var.size);
                let name = btf.name(var.var);
                writeln!(
                    out,
                    "\ttype_id={id} offset={offset} size={size} ({kind} '{name}')"
                )
            })
        }
        Kind::Float { size } => writeln!(out, " size={size}"),
        Kind::DeclTag { ty, component, .. } => {
            writeln!(out, " type_id={} component_idx={component}", ty.0)
        }
    }
}

fn member_line(
    out: &mut dyn Write,
    btf: &Btf,
    member: &Member,
    bitfields: Bitfields,
) -> io::Result<()> {
    let (offset, bits) = match bitfields {
        Bitfields::No => (member.offset, 0),
        Bitfields::Yes => (member.offset & 0xff_ffff, member.offset >> 24),
    };
    let (name, ty) = (name(btf, member.name), member.ty.0);
    write!(out, "\t'{name}' type_id={ty} bits_offset={offset}")?;
    match bits {
        0 => writeln!(out),
        bits => writeln!(out, " bitfield_size={bits}"),
    }
}

fn enum_head(out: &mut dyn Write, signed: Signedness, size: u32, count: usize) -> io::Result<()> {
    let encoding = signed_name(signed);
    writeln!(out, " encoding={encoding} size={size} vlen={count}")
}

/// What an integer's encoding is called.
pub(super) fn encoding_name(encoding: IntEncoding) -> &'static str {
    match encoding {
        IntEncoding(0) => "(none)",
        IntEncoding::SIGNED => "SIGNED",
        IntEncoding::CHAR => "CHAR",
        IntEncoding::BOOL => "BOOL",
        _ => "UNKN",
    }
}

/// Whether enumerators are signed.
pub(super) fn signed_name(signed: Signedness) -> &'static str {
    match signed {
        Signedness::Signed => "SIGNED",
        Signedness::Unsigned => "UNSIGNED",
    }
}

/// What a forward declaration declares.
pub(super) fn forward_name(forward: Forward) -> &'static str {
    match forward {
        Forward::Struct => "struct",
        Forward::Union => "union",
    }
}

/// Who sees a function or variable.
pub(super) fn linkage_name(linkage: Linkage) -> &'static str {
    match linkage {
        Linkage::Static => "static",
        Linkage::Global => "global",
        Linkage::Extern => "extern",
    }
}
