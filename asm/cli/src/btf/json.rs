//! Types as JSON, for other programs.
//!
//! The layout is a promise, as that of objects is (`../json.rs`): the words are those of the
//! format, numbers are numbers.

use std::io::{self, Write};

use ebpf_asm::btf::{Bitfields, Btf, Kind, Member, Signedness, StrId, Tag, Type, TypeId};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::{Value, json};

/// The name of the layout.
const SCHEMA: &str = "ebpfasm.btf.v1";

/// Writes all types, or those that are chosen, as one document.
pub(super) fn write(out: &mut dyn Write, btf: &Btf, chosen: Option<&[TypeId]>) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &Document { btf, chosen })?;
    writeln!(out)
}

struct Document<'a> {
    btf: &'a Btf,
    chosen: Option<&'a [TypeId]>,
}

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("schema", SCHEMA)?;
        map.serialize_entry("types", &Types(self))?;
        map.end()
    }
}

struct Types<'a>(&'a Document<'a>);

impl Serialize for Types<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Document { btf, chosen } = *self.0;
        let mut list = serializer.serialize_seq(None)?;
        match chosen {
            None => {
                for (id, ty) in btf.types() {
                    list.serialize_element(&entry(btf, id, ty))?;
                }
            }
            Some(ids) => {
                for (id, ty) in ids.iter().filter_map(|id| Some((*id, btf.get(*id)?))) {
                    list.serialize_element(&entry(btf, id, ty))?;
                }
            }
        }
        list.end()
    }
}

fn entry(btf: &Btf, id: TypeId, ty: &Type) -> Value {
    let mut value = fields(btf, &ty.kind);
    if let Value::Object(map) = &mut value {
        map.insert("id".into(), id.0.into());
        map.insert("kind".into(), ty.kind.name().into());
        map.insert("name".into(), name(btf, ty.name));
    }
    value
}

/// A name; null for none.
fn name(btf: &Btf, id: StrId) -> Value {
    match btf.str(id) {
        "" => Value::Null,
        name => name.into(),
    }
}

fn fields(btf: &Btf, kind: &Kind) -> Value {
    match kind {
        Kind::Int {
            size,
            encoding,
            offset,
            bits,
        } => json!({
            "size": size,
            "bits_offset": offset,
            "nr_bits": bits,
            "encoding": encoding.to_string(),
        }),
        Kind::Ptr(ty)
        | Kind::Typedef(ty)
        | Kind::Volatile(ty)
        | Kind::Const(ty)
        | Kind::Restrict(ty) => json!({ "type_id": ty.0 }),
        Kind::TypeTag { ty, tag } => json!({ "type_id": ty.0, "attribute": is_attribute(*tag) }),
        Kind::Array {
            element,
            index,
            len,
        } => json!({
            "type_id": element.0,
            "index_type_id": index.0,
            "nr_elems": len,
        }),
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
            let members = members.iter().map(|m| member(btf, m, *bitfields));
            json!({ "size": size, "members": members.collect::<Vec<_>>() })
        }
        Kind::Enum {
            size,
            signed,
            values,
        } => {
            let values = values.iter().map(|(id, value)| match signed {
                Signedness::Signed => (*id, json!(value)),
                Signedness::Unsigned => (*id, json!(*value as u32)),
            });
            enumeration(btf, *size, signed.name(), values)
        }
        Kind::Enum64 {
            size,
            signed,
            values,
        } => {
            let values = values.iter().map(|(id, value)| match signed {
                Signedness::Signed => (*id, json!(value)),
                Signedness::Unsigned => (*id, json!(*value as u64)),
            });
            enumeration(btf, *size, signed.name(), values)
        }
        Kind::Fwd(forward) => json!({ "fwd_kind": forward.name() }),
        Kind::Func { proto, linkage } => {
            json!({ "type_id": proto.0, "linkage": linkage.name() })
        }
        Kind::FuncProto { ret, params } => {
            let params = params.iter();
            let params = params.map(|(id, ty)| json!({ "name": name(btf, *id), "type_id": ty.0 }));
            json!({ "ret_type_id": ret.0, "params": params.collect::<Vec<_>>() })
        }
        Kind::Var { ty, linkage } => {
            json!({ "type_id": ty.0, "linkage": linkage.name() })
        }
        Kind::DataSec { size, vars } => {
            let vars = vars
                .iter()
                .map(|var| json!({ "type_id": var.var.0, "offset": var.offset, "size": var.size }));
            json!({ "size": size, "vars": vars.collect::<Vec<_>>() })
        }
        Kind::Float { size } => json!({ "size": size }),
        Kind::DeclTag { ty, component, tag } => json!({
            "type_id": ty.0,
            "component_idx": component,
            "attribute": is_attribute(*tag),
        }),
    }
}

fn is_attribute(tag: Tag) -> bool {
    tag == Tag::Attribute
}

fn member(btf: &Btf, member: &Member, bitfields: Bitfields) -> Value {
    let (offset, bits) = member.place(bitfields);
    let mut value = json!({
        "name": name(btf, member.name),
        "type_id": member.ty.0,
        "bits_offset": offset,
    });
    if bitfields == Bitfields::Yes {
        value["bitfield_size"] = bits.unwrap_or(0).into();
    }
    value
}

fn enumeration(
    btf: &Btf,
    size: u32,
    encoding: &str,
    values: impl Iterator<Item = (StrId, Value)>,
) -> Value {
    let values = values.map(|(id, value)| json!({ "name": name(btf, id), "val": value }));
    json!({ "size": size, "encoding": encoding, "values": values.collect::<Vec<_>>() })
}
