//! Types as JSON, for other programs.
//!
//! The layout is a promise, as that of objects is (`../json.rs`): the words are those of the
//! format, numbers are numbers.

use std::convert::Infallible;
use std::io::{self, Write};

use ebpf_asm::btf::fields::Field;
use ebpf_asm::btf::{Bitfields, Btf, Kind, Member, StrId, Tag, Type, TypeId};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::{Map, Value, json};

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
    let mut map = Map::new();
    let mut say = |key: &str, value: Value| map.insert(key.to_owned(), value);
    say("id", id.0.into());
    say("kind", ty.kind.name().into());
    say("name", name(btf, ty.name));
    let Ok(()) = ty.kind.fields(|key, value| {
        match value {
            Field::Number(number) | Field::Type(TypeId(number)) => say(key, number.into()),
            Field::Signed(number) => say(key, number.into()),
            Field::Word(word) => say(key, word.into()),
            Field::Encoding(encoding) => say(key, encoding.to_string().into()),
            Field::Tag(tag) => say("attribute", (tag == Tag::Attribute).into()),
        };
        Ok::<(), Infallible>(())
    });
    if let Some((key, parts)) = parts(btf, &ty.kind) {
        say(key, parts.into());
    }
    map.into()
}

/// A name; null for none.
fn name(btf: &Btf, id: StrId) -> Value {
    match btf.str(id) {
        "" => Value::Null,
        name => name.into(),
    }
}

/// What a type lists, and what that is called.
fn parts(btf: &Btf, kind: &Kind) -> Option<(&'static str, Vec<Value>)> {
    Some(match kind {
        Kind::Struct {
            members, bitfields, ..
        }
        | Kind::Union {
            members, bitfields, ..
        } => {
            let members = members.iter().map(|m| member(btf, m, *bitfields));
            ("members", members.collect())
        }
        Kind::Enum { .. } | Kind::Enum64 { .. } => {
            let values = kind.enumerators();
            let values = values.map(|(id, val)| json!({ "name": name(btf, id), "val": val }));
            ("values", values.collect())
        }
        Kind::FuncProto { params, .. } => {
            let params = params.iter();
            let params = params.map(|(id, ty)| json!({ "name": name(btf, *id), "type_id": ty.0 }));
            ("params", params.collect())
        }
        Kind::DataSec { vars, .. } => {
            let vars = vars
                .iter()
                .map(|var| json!({ "type_id": var.var.0, "offset": var.offset, "size": var.size }));
            ("vars", vars.collect())
        }
        _ => return None,
    })
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
