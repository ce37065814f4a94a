//! Declarations: a type around a name, and the bodies of structs, unions and enums.

use std::fmt::Write as _;

use super::super::{Forward, IntEncoding, Kind, Signedness, StrId, Tag, TypeId};
use super::layout::{Form, Item, MAX_NESTING};
use super::names::identifier;
use super::{CError, Printer};

/// How many qualifiers, pointers, arrays and functions may lie around each other.
const MAX_DECLARATOR: usize = 64;

/// The greatest padding that is printed as unnamed bit fields; more is an array.
const MAX_PADDING_BITS: u64 = 1024;

impl Printer<'_> {
    /// `name` declared with a type: `int (*name)[3]`. With no name, the type itself.
    pub(super) fn declaration(
        &mut self,
        id: TypeId,
        name: &str,
        depth: u32,
    ) -> Result<String, CError> {
        let mut inner = name.to_owned();
        let mut around = Around::default();
        let mut at = id;
        for _ in 0..MAX_DECLARATOR {
            match self.kind(at) {
                Some(Kind::Const(ty)) => at = around.qualify("const", *ty),
                Some(Kind::Volatile(ty)) => at = around.qualify("volatile", *ty),
                Some(Kind::Restrict(ty)) => at = around.qualify("restrict", *ty),
                Some(Kind::TypeTag { ty, tag }) => {
                    around.tags.push(self.attribute(at, *tag, "btf_type_tag"));
                    at = *ty;
                }
                Some(Kind::Ptr(ty)) => {
                    inner = around.pointer(&inner);
                    at = *ty;
                }
                Some(Kind::Array { element, len, .. }) => {
                    inner = format!("{}[{len}]", in_parentheses(inner));
                    at = *element;
                }
                Some(Kind::FuncProto { ret, params }) => {
                    let params = self.params(at, params, depth)?;
                    inner = format!("{}({params})", in_parentheses(inner));
                    around = Around::default();
                    at = *ret;
                }
                _ => {
                    let base = self.base(at, depth)?;
                    return Ok(around.base(&base, &inner));
                }
            }
        }
        Err(self.nested(id))
    }

    /// The type that a declaration begins with.
    fn base(&mut self, id: TypeId, depth: u32) -> Result<String, CError> {
        let is_named = !self.btf.name(id).is_empty();
        match self.kind(id) {
            None => Ok("void".into()),
            Some(Kind::Int { size, encoding, .. }) => {
                Ok(integer(self.btf.name(id), *size, *encoding))
            }
            Some(Kind::Float { size }) => Ok(match size {
                2 => "_Float16",
                4 => "float",
                8 => "double",
                _ => "long double",
            }
            .into()),
            Some(Kind::Struct { .. } | Kind::Union { .. }) if !is_named => self.record(id, depth),
            Some(Kind::Enum { size, values, .. }) if !is_named && values.is_empty() => {
                Ok(integer("", *size, IntEncoding::SIGNED))
            }
            Some(Kind::Enum64 { size, values, .. }) if !is_named && values.is_empty() => {
                Ok(integer("", *size, IntEncoding::SIGNED))
            }
            Some(Kind::Enum { .. } | Kind::Enum64 { .. }) if !is_named => {
                self.enumeration(id, depth)
            }
            Some(
                Kind::Struct { .. }
                | Kind::Union { .. }
                | Kind::Enum { .. }
                | Kind::Enum64 { .. }
                | Kind::Fwd(_),
            ) => Ok(self.tag(id)),
            Some(Kind::Typedef(_)) => Ok(self.names.get(id).to_owned()),
            Some(kind) => Err(CError::NoValue {
                id: id.0,
                name: kind.name(),
            }),
        }
    }

    /// `struct name`, `enum name`...
    pub(super) fn tag(&self, id: TypeId) -> String {
        let word = match self.kind(id) {
            Some(Kind::Struct { .. } | Kind::Fwd(Forward::Struct)) => "struct",
            Some(Kind::Union { .. } | Kind::Fwd(Forward::Union)) => "union",
            _ => "enum",
        };
        match self.names.get(id) {
            "" => word.to_owned(),
            name => format!("{word} {name}"),
        }
    }

    /// The parameters of a function type.
    fn params(
        &mut self,
        proto: TypeId,
        params: &[(StrId, TypeId)],
        depth: u32,
    ) -> Result<String, CError> {
        if depth >= MAX_NESTING {
            return Err(self.nested(proto));
        }
        self.spend(params.len())?;
        let mut texts = Vec::with_capacity(params.len().max(1));
        for (index, (name, ty)) in params.iter().enumerate() {
            let is_last = index + 1 == params.len();
            // A last parameter of no type stands for any more.
            if *ty == TypeId::VOID {
                texts.push(if is_last { "..." } else { "void *" }.to_owned());
                continue;
            }
            let mut name = identifier(self.btf.str(*name)).into_owned();
            name.push_str(&self.decl_tags(proto, index as i32));
            texts.push(self.declaration(*ty, &name, depth + 1)?);
        }
        Ok(match texts.as_slice() {
            [] => "void".to_owned(),
            texts => texts.join(", "),
        })
    }

    /// The declaration of a function or variable, with its line's end.
    pub(super) fn symbol(&mut self, id: TypeId, ty: TypeId, name: &str) -> Result<String, CError> {
        let declared = self.declaration(ty, name, 0)?;
        let tags = self.decl_tags(id, -1);
        let ksym = match self.kind(id) {
            Some(Kind::Func { .. }) => " __attribute__((weak, section(\".ksyms\")))",
            _ => "",
        };
        Ok(format!("extern {declared}{tags}{ksym};\n\n"))
    }

    /// The tags of a declaration, each with a space before it.
    pub(super) fn decl_tags(&self, id: TypeId, component: i32) -> String {
        let tags = self.tags.get(&(id, component)).into_iter().flatten();
        tags.map(|(tag, form)| format!(" {}", self.attribute(*tag, *form, "btf_decl_tag")))
            .collect()
    }

    /// The attribute that a tag stands for.
    fn attribute(&self, tag: TypeId, form: Tag, name: &str) -> String {
        let text = self.btf.name(tag);
        match form {
            Tag::Btf => format!("__attribute__(({name}(\"{}\")))", text.escape_default()),
            Tag::Attribute if is_attribute(text) => format!("__attribute__(({text}))"),
            Tag::Attribute => String::new(),
        }
    }

    /// `struct name { ... }`, as the layout wants it.
    pub(super) fn record(&mut self, id: TypeId, depth: u32) -> Result<String, CError> {
        if depth >= MAX_NESTING {
            return Err(self.nested(id));
        }
        let (Some(Kind::Struct { members, size, .. }) | Some(Kind::Union { members, size, .. })) =
            self.kind(id)
        else {
            return Err(self.nested(id));
        };
        let is_union = matches!(self.kind(id), Some(Kind::Union { .. }));
        self.spend(members.len() + 1)?;
        let layout = self.layouts.of(self.btf, id, 0);
        let items = self.layouts.items(self.btf, id, layout.form, 0);
        let indent = "\t".repeat(depth as usize + 1);
        let mut text = format!("{} {{\n", self.tag(id));
        let Some((items, _)) = items.filter(|_| layout.form != Form::Opaque) else {
            let _ = writeln!(
                text,
                "{indent}/* its members lie where C cannot have them */"
            );
            let _ = writeln!(text, "{indent}char __btf_opaque[{size}];");
            self.close(&mut text, id, depth, "");
            return Ok(text);
        };
        for item in items {
            match item {
                Item::Padding { bits, .. } if is_union => {
                    let _ = writeln!(text, "{indent}char __btf_padding[{}];", bits / 8);
                }
                Item::Padding { at, bits } => padding(&mut text, &indent, at, bits),
                Item::Member(index, bits) => {
                    let Some(member) = members.get(index) else {
                        continue;
                    };
                    let name = self.btf.str(member.name);
                    let mut declarator = self.member_name(name, index, member.ty);
                    if let Some(bits) = bits {
                        let _ = write!(declarator, ": {bits}");
                    }
                    declarator.push_str(&self.decl_tags(id, index as i32));
                    let member = self.declaration(member.ty, &declarator, depth + 1)?;
                    let _ = writeln!(text, "{indent}{member};");
                }
            }
        }
        let packed = match layout.form {
            Form::Packed => " __attribute__((packed))",
            _ => "",
        };
        self.close(&mut text, id, depth, packed);
        Ok(text)
    }

    /// The name of a member; only structs and unions without names can do without.
    fn member_name(&self, name: &str, index: usize, ty: TypeId) -> String {
        match name {
            "" if self.is_anonymous_record(ty) => String::new(),
            "" => format!("__unnamed{index}"),
            name => identifier(name).into_owned(),
        }
    }

    /// Whether a type is a struct or union without a name, whatever qualifies it.
    fn is_anonymous_record(&self, ty: TypeId) -> bool {
        let mut at = ty;
        for _ in 0..MAX_DECLARATOR {
            at = match self.kind(at) {
                Some(Kind::Const(ty) | Kind::Volatile(ty) | Kind::TypeTag { ty, .. }) => *ty,
                Some(Kind::Struct { .. } | Kind::Union { .. }) => {
                    return self.btf.name(at).is_empty();
                }
                _ => return false,
            };
        }
        false
    }

    fn close(&self, text: &mut String, id: TypeId, depth: u32, attributes: &str) {
        let tags = self.decl_tags(id, -1);
        let indent = "\t".repeat(depth as usize);
        let _ = write!(text, "{indent}}}{attributes}{tags}");
    }

    /// `enum name { ... }`.
    pub(super) fn enumeration(&mut self, id: TypeId, depth: u32) -> Result<String, CError> {
        let (size, values): (u32, Vec<(StrId, String)>) = match self.kind(id) {
            Some(Kind::Enum {
                size,
                signed,
                values,
            }) => {
                let value = |value: i32| match signed {
                    Signedness::Signed => value.to_string(),
                    Signedness::Unsigned => (value as u32).to_string(),
                };
                (
                    *size,
                    values.iter().map(|(name, v)| (*name, value(*v))).collect(),
                )
            }
            Some(Kind::Enum64 {
                size,
                signed,
                values,
            }) => {
                let value = |v: i64| wide(v, *signed);
                (
                    *size,
                    values.iter().map(|(name, v)| (*name, value(*v))).collect(),
                )
            }
            _ => return Err(self.nested(id)),
        };
        self.spend(values.len() + 1)?;
        self.anonymous.insert(id);
        let mut text = self.tag(id);
        if values.is_empty() {
            return Ok(text);
        }
        let indent = "\t".repeat(depth as usize);
        text.push_str(" {\n");
        for (name, value) in values {
            let name = self.enumerator(name);
            let _ = writeln!(text, "{indent}\t{name} = {value},");
        }
        let mode = match size {
            1 => " __attribute__((mode(QI)))",
            2 => " __attribute__((mode(HI)))",
            8 => " __attribute__((mode(DI)))",
            _ => "",
        };
        self.close(&mut text, id, depth, mode);
        Ok(text)
    }

    /// The name of an enumerator, which no other has.
    fn enumerator(&mut self, name: StrId) -> String {
        let name = self.btf.str(name);
        let name = match super::is_keyword_since_c23(name) {
            true => name.into(),
            false => identifier(name),
        };
        self.names.ordinary.take(&name)
    }
}

/// What waits to be put around a declarator: what was met since the last pointer.
#[derive(Default)]
struct Around {
    qualifiers: Vec<&'static str>,
    tags: Vec<String>,
}

impl Around {
    fn qualify(&mut self, qualifier: &'static str, ty: TypeId) -> TypeId {
        if !self.qualifiers.contains(&qualifier) {
            self.qualifiers.push(qualifier);
        }
        ty
    }

    /// A pointer, qualified by what was met.
    fn pointer(&mut self, inner: &str) -> String {
        let around = std::mem::take(self);
        let tags = around.tags.iter().map(String::as_str);
        let mut words: Vec<&str> = tags.chain(around.qualifiers.iter().copied()).collect();
        words.extend((!inner.is_empty()).then_some(inner));
        format!("*{}", words.join(" "))
    }

    /// The whole declaration.
    fn base(&self, base: &str, inner: &str) -> String {
        let mut words: Vec<&str> = self.qualifiers.clone();
        words.push(base);
        words.extend(self.tags.iter().map(String::as_str));
        words.extend((!inner.is_empty()).then_some(inner));
        words.join(" ")
    }
}

/// A declarator that an array or a function may follow.
fn in_parentheses(inner: String) -> String {
    match inner.starts_with('*') {
        true => format!("({inner})"),
        false => inner,
    }
}

/// Bits of nothing: they must neither cross a unit of 64 bits nor have a name.
fn padding(text: &mut String, indent: &str, at: u64, bits: u64) {
    let (mut at, end) = (at, at + bits);
    while at < end {
        let unit = (64 - at % 64).min(end - at);
        if at % 8 == 0 && end - at > MAX_PADDING_BITS {
            let _ = writeln!(
                text,
                "{indent}char __btf_padding{}[{}];",
                at / 8,
                (end - at) / 8
            );
            at += (end - at) / 8 * 8;
            continue;
        }
        let _ = writeln!(text, "{indent}long: {unit};");
        at += unit;
    }
}

/// The C type for an integer: its own name if that is C and means its size.
fn integer(name: &str, size: u32, encoding: IntEncoding) -> String {
    let words = || name.split(' ');
    let is_c = words().all(|word| C_INTEGERS.contains(&word));
    let has = |word| words().any(|known| known == word);
    let meant = match () {
        () if !is_c => 0,
        () if has("char") || has("_Bool") => 1,
        () if has("short") => 2,
        () if has("__int128") => 16,
        () if has("long") => 8,
        () => 4,
    };
    if meant == size {
        return name.to_owned();
    }
    let unsigned = match encoding.0 & IntEncoding::SIGNED.0 {
        0 => "unsigned ",
        _ => "",
    };
    let plain = match size {
        1 if encoding.0 & IntEncoding::BOOL.0 != 0 => return "_Bool".to_owned(),
        1 => "char",
        2 => "short",
        8 => "long",
        16 => "__int128",
        _ => "int",
    };
    format!("{unsigned}{plain}")
}

/// The words that names of C's integers are made of.
const C_INTEGERS: [&str; 8] = [
    "char", "short", "int", "long", "signed", "unsigned", "_Bool", "__int128",
];

/// An enumerator of 64 bits.
fn wide(value: i64, signed: Signedness) -> String {
    match signed {
        Signedness::Unsigned => format!("{}ULL", value as u64),
        // There is no literal for it: the minus sign is an operator.
        Signedness::Signed if value == i64::MIN => format!("({}LL - 1)", value + 1),
        Signedness::Signed => format!("{value}LL"),
    }
}

/// Whether the text of an attribute is one, and nothing that ends it.
fn is_attribute(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_(), ".contains(c);
    let mut depth = 0i64;
    let balanced = text.chars().all(|c| {
        depth += i64::from(c == '(') - i64::from(c == ')');
        depth >= 0
    });
    !text.is_empty() && text.chars().all(is_part) && balanced && depth == 0
}
