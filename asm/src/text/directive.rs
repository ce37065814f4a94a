//! Directives: all that an object is besides instructions.

use super::listing;
use super::parse::{Current, FunctionHeader, Parser, Places};
use super::spelling::Wrong;
use super::token::{Placed, Token};
use super::words::{Word, Words};
use crate::btf::Linkage;
use crate::btf::TypeId;
use crate::btf::ext::LineInfo;
use crate::map_flags::MAP_FLAGS;
use crate::map_type::MapType;
use crate::near::near;
use crate::object::{Autocreate, Extern, ExternKind, Map, MapValue, Pinning, Strength};
use crate::prog_type::{AttachType, ProgType};
use crate::program::Program;
use crate::section::{SECTIONS, section};
use crate::span::Span;

/// What reads a directive's words.
type Read<'a> = fn(&mut Parser<'a>, &mut Words<'a>) -> Result<(), Wrong>;

/// What a `.prog` line says.
pub(super) struct Header {
    pub(super) name: String,
    section: String,
    /// The section by whose rules the program is put together.
    pub(super) assembled_as: String,
    prog_type: Option<ProgType>,
    attach_type: Option<Option<AttachType>>,
    attach_btf_id: Option<TypeId>,
    type_id: Option<TypeId>,
}

impl Header {
    /// Of a program in a listing, which may name a section.
    pub(super) fn listed(section_name: Option<&str>, name: &str) -> Header {
        let known = section_name.filter(|name| section(name).is_some());
        Header {
            name: name.to_owned(),
            section: section_name.unwrap_or(UNNAMED).to_owned(),
            assembled_as: known.unwrap_or(UNNAMED).to_owned(),
            prog_type: None,
            attach_type: None,
            attach_btf_id: None,
            type_id: None,
        }
    }

    /// Puts into the program what its section does not say.
    pub(super) fn complete(self, program: &mut Program, functions: &[FunctionHeader]) {
        program.section = self.section;
        if let Some(prog_type) = self.prog_type {
            program.prog_type = prog_type;
        }
        if let Some(attach_type) = self.attach_type {
            program.expected_attach_type = attach_type;
        }
        program.attach_btf_id = self.attach_btf_id;
        if let Some(first) = program.functions.first_mut() {
            first.type_id = self.type_id;
        }
        let others = program.functions.iter_mut().skip(1);
        for (function, header) in others.zip(functions) {
            function.linkage = header.linkage;
            function.type_id = header.type_id;
        }
    }
}

/// The section of programs that name none.
const UNNAMED: &str = "socket";

/// Where a `.line` says that instructions come from.
enum Given {
    Text,
    Unknown,
    Place(LineInfo),
}

/// A value of a map, whose name may stand further down than the value.
pub(super) struct LateValue {
    map: usize,
    index: u32,
    name: String,
    line: u32,
    wrong: Wrong,
}

/// Whether a line is a directive: a dot and a name.
pub(super) fn is_directive(line: &str) -> bool {
    let mut bytes = line.bytes().skip_while(|byte| matches!(byte, b' ' | b'\t'));
    bytes.next() == Some(b'.') && bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic())
}

impl<'a> Parser<'a> {
    /// The directives by name, and what reads each.
    const DIRECTIVES: [(&'static str, Read<'a>); 15] = [
        (".license", Parser::license),
        (".version", Parser::version),
        (".map", Parser::map),
        (".inner", Parser::inner),
        (".value", Parser::value),
        (".bytes", Parser::bytes),
        (".data", Parser::data),
        (".var", Parser::variable),
        (".address", Parser::address),
        (".extern", Parser::external),
        (".prog", Parser::program),
        (".func", Parser::function),
        (".core_relo", Parser::core_relocation),
        (".line", Parser::source_line),
        (".btf", Parser::types),
    ];

    pub(super) fn directive(&mut self, line: &'a str) -> Result<(), Wrong> {
        let mut words = Words::new(line)?;
        let Some(name) = words.next() else {
            return Ok(());
        };
        let known = Self::DIRECTIVES
            .iter()
            .find(|(known, _)| *known == name.text);
        let Some((_, read)) = known else {
            let names = Self::DIRECTIVES.map(|(name, _)| name);
            let [others @ .., last] = &names;
            let all = format!("{} and {last}", others.join(", "));
            let message = format!("'{}' is no directive: there are {all}", name.text);
            let meant = near(name.text, names);
            return Err(name
                .wrong(message)
                .help(meant.map(|meant| format!("did you mean '{meant}'?"))));
        };
        read(self, &mut words)?;
        words.end()
    }

    /// `.license NAME`.
    fn license(&mut self, words: &mut Words<'a>) -> Result<(), Wrong> {
        self.object.license = match words.next() {
            Some(first) => first.rest(words)?,
            None => String::new(),
        };
        Ok(())
    }

    /// `.version 5.10.0`, or the number that it is.
    fn version(&mut self, words: &mut Words<'a>) -> Result<(), Wrong> {
        let word = words.wants("a kernel's version, like 5.10.0")?;
        let mut parts = word.text.split('.').map(str::parse::<u8>);
        let dotted = (parts.next(), parts.next(), parts.next(), parts.next());
        self.object.version = Some(match dotted {
            (Some(Ok(major)), Some(Ok(minor)), Some(Ok(patch)), None) => {
                u32::from(major) << 16 | u32::from(minor) << 8 | u32::from(patch)
            }
            _ => word.number("a kernel's version, like 5.10.0")?,
        });
        Ok(())
    }

    /// `.map NAME TYPE key_size=4 ...`.
    fn map(&mut self, words: &mut Words<'a>) -> Result<(), Wrong> {
        let name = words.wants("a name for the map")?;
        let text = name.string()?;
        if self.object.map(&text).is_some() || self.external_named(&text).is_some() {
            let message = format!("a map or extern '{text}' is there already");
            return Err(name.wrong(message));
        }
        let map = self.definition(&text, words)?;
        self.object.maps.push(map);
        Ok(())
    }

    /// `.inner TYPE key_size=4 ...`: what the maps in the map above are like.
    fn inner(&mut self, words: &mut Words<'a>) -> Result<(), Wrong> {
        let inner = self.definition("", words)?;
        let outer = self.object.maps.last_mut();
        match outer.filter(|map| map.inner.is_none()) {
            Some(map) => {
                map.inner = Some(Box::new(inner));
                Ok(())
            }
            None => Err(words.wrong("no map above that wants '.inner'")),
        }
    }

    /// `.value INDEX NAME`: a program or map that the map above begins with.
    fn value(&mut self, words: &mut Words<'a>) -> Result<(), Wrong> {
        let index = words.wants("an index")?.number("an index")?;
        let name = words.wants("the name of a program or map")?;
        let Some(map) = self.object.maps.len().checked_sub(1) else {
            return Err(words.wrong("no map above that the value could stand in"));
        };
        let text = name.string()?;
        let message = format!("no program or map is named '{text}'");
        self.late.push(LateValue {
            map,
            index,
            name: text,
            line: self.number,
            wrong: name.wrong(message),
        });
        Ok(())
    }

    /// `.bytes OFFSET "BYTES"`: what of the struct that the map above is does not begin as zeros.
    fn bytes(&mut self, words: &mut Words<'a>) -> Result<(), Wrong> {
        let begin = words.wants("an offset in bytes")?;
        let begin = begin.number("an offset in bytes")?;
        let bytes = words.wants("bytes in quotes")?.bytes()?;
        let map = self.object.maps.last_mut();
        let is_struct = |map: &&mut Map| map.map_type == MapType::StructOps;
        let Some(map) = map.filter(is_struct) else {
            return Err(words.wrong("'.bytes' wants a map of type struct_ops above"));
        };
        let at = map.values.partition_point(|(byte, _)| *byte <= begin);
        map.values.insert(at, (begin, MapValue::Bytes(bytes)));
        Ok(())
    }

    /// Puts the values into their maps, now that all names are known.
    pub(super) fn finish_values(&mut self) -> Result<(), Wrong> {
        for late in std::mem::take(&mut self.late) {
            let maps = &self.object.maps;
            let map = maps.iter().position(|map| map.name == late.name);
            let value = match (map, self.object.program(&late.name)) {
                (_, Some(program)) if self.holds_programs(late.map) => {
                    MapValue::Program(program.name.clone())
                }
                (Some(map), _) => MapValue::Map(map),
                (None, Some(program)) => MapValue::Program(program.name.clone()),
                (None, None) => {
                    let maps = maps.iter().map(|map| map.name.as_str());
                    let programs = self.object.programs.iter().map(|p| p.name.as_str());
                    let meant = near(&late.name, maps.chain(programs));
                    self.number = late.line;
                    return Err(late
                        .wrong
                        .help(meant.map(|meant| format!("did you mean '{meant}'?"))));
                }
            };
            if let Some(map) = self.object.maps.get_mut(late.map) {
                let at = map
                    .values
                    .partition_point(|(index, _)| *index <= late.index);
                map.values.insert(at, (late.index, value));
            }
        }
        Ok(())
    }

    fn holds_programs(&self, map: usize) -> bool {
        let map = self.object.maps.get(map);
        let of_programs = [MapType::ProgArray, MapType::StructOps];
        map.is_some_and(|map| of_programs.contains(&map.map_type))
    }

    /// `.extern func NAME [weak]`, `.extern var NAME [weak]`.
    fn external(&mut self, words: &mut Words<'a>) -> Result<(), Wrong> {
        let kind = words.wants("'func' or 'var'")?;
        let kind = match kind.text {
            "func" => ExternKind::Function,
            "var" => ExternKind::Variable,
            _ => return Err(kind.wrong("expected 'func' or 'var'")),
        };
        let name = words.wants("a name of the kernel's")?;
        let (mut strength, mut type_id) = (Strength::Strong, None);
        for word in words.by_ref() {
            match word.split_at_equals() {
                Some((field, id)) if field.text == "type_id" => type_id = Some(self.type_id(&id)?),
                _ if word.text == "weak" => strength = Strength::Weak,
                _ => return Err(word.wrong("expected 'weak', type_id= or the end of the line")),
            }
        }
        let text = name.string()?;
        if self.external_named(&text).is_some() || self.object.map(&text).is_some() {
            return Err(name.wrong(format!("an extern or map '{text}' is there already")));
        }
        self.object.externs.push(Extern {
            name: text,
            kind,
            strength,
            type_id,
        });
        Ok(())
    }

    /// `.prog SECTION [NAME] [type=TYPE] [attach_type=TYPE]`; a program type stands for its
    /// section.
    fn program(&mut self, words: &mut Words<'a>) -> Result<(), Wrong> {
        self.finish_program()?;
        let place = words.wants("an ELF section or a program type")?;
        let named = words.next_plain();
        let name = named.map_or(Ok("prog".to_owned()), |word| word.string())?;
        let section_name = place.string()?;
        let mut header = Header {
            name: name.clone(),
            section: section_name.clone(),
            assembled_as: section_name.clone(),
            prog_type: None,
            attach_type: None,
            attach_btf_id: None,
            type_id: None,
        };
        for word in words.by_ref() {
            let Some((field, value)) = word.split_at_equals() else {
                return Err(word.wrong(PROGRAM_FIELDS));
            };
            match field.text {
                "type" => header.prog_type = Some(prog_type(&word, value.text)?),
                "attach_type" if value.text == "none" => header.attach_type = Some(None),
                "attach_type" => {
                    header.attach_type = Some(Some(attach_type(&word, value.text)?));
                }
                "attach_btf_id" => {
                    let number = value.number("a number of a type of the kernel's")?;
                    header.attach_btf_id = Some(TypeId(number));
                }
                "type_id" => header.type_id = Some(self.type_id(&value)?),
                _ => return Err(word.wrong(PROGRAM_FIELDS)),
            }
        }
        if section(&section_name).is_none() {
            header.assembled_as = match (header.prog_type, by_type(&section_name)) {
                (Some(_), _) => UNNAMED.to_owned(),
                (None, Some(section)) => {
                    header.section = section.to_owned();
                    section.to_owned()
                }
                (None, None) => return Err(no_section(&place)),
            };
            if header.prog_type.is_some() {
                header.attach_type.get_or_insert(None);
            }
        }
        self.refuse_second(&name).map_err(|wrong| Wrong {
            begin: named.map_or(0, |word| word.begin),
            end: named.map_or(0, |word| word.end),
            ..wrong
        })?;
        self.current = Some(Current::new(header));
        self.listing = listing::begins(self.rest);
        Ok(())
    }

    pub(super) fn refuse_second(&self, name: &str) -> Result<(), Wrong> {
        match self.object.program(name) {
            Some(_) => Err(Wrong::line(format!("a program '{name}' is there already"))),
            None => Ok(()),
        }
    }

    /// `.func NAME [global]`.
    fn function(&mut self, words: &mut Words<'a>) -> Result<(), Wrong> {
        let name = words.wants("a name for the function")?;
        let text = name.string()?;
        let mut header = FunctionHeader::default();
        for word in words.by_ref() {
            match word.split_at_equals() {
                Some((field, id)) if field.text == "type_id" => {
                    header.type_id = Some(self.type_id(&id)?);
                }
                _ if word.text == "global" => header.linkage = Linkage::Global,
                _ => return Err(word.wrong("expected 'global', type_id= or the end of the line")),
            }
        }
        let placed = Placed {
            token: Token::Word(None),
            begin: name.begin,
            end: name.end,
        };
        self.begin_function(placed, text.into(), header)
    }

    /// `.line "FILE" LINE COLUMN "TEXT"`: where the instructions below come from; `.line none` if
    /// that is not known, `.line` alone if it is this text again.
    fn source_line(&mut self, words: &mut Words<'a>) -> Result<(), Wrong> {
        let given = match words.next() {
            None => Given::Text,
            Some(word) if word.text == "none" => Given::Unknown,
            Some(file) => {
                let file = file.string()?;
                let line = words.wants("a line's number")?.number("a line's number")?;
                let column = words.wants("a column's number")?;
                let column = column.number("a column's number")?;
                let text = words.wants("the line's text")?.string()?;
                Given::Place(self.origins.given(Span {
                    file: &file,
                    line,
                    column,
                    text: &text,
                }))
            }
        };
        let Some(current) = &mut self.current else {
            return Err(words.wrong("'.line' outside any program"));
        };
        current.places = match given {
            Given::Text => Places::Text,
            Given::Unknown => {
                current.assembler.at(None);
                Places::Given
            }
            Given::Place(record) => {
                current.assembler.at_record(record);
                Places::Given
            }
        };
        Ok(())
    }
}

impl<'a> Parser<'a> {
    /// The type and the parameters of a map.
    fn definition(&mut self, name: &str, words: &mut Words<'a>) -> Result<Map, Wrong> {
        let word = words.wants("a map type")?;
        let by_number = || word.number("").ok().and_then(MapType::from_number);
        let map_type = MapType::from_name(word.text).or_else(by_number);
        let Some(map_type) = map_type else {
            let meant = near(word.text, MapType::ALL.iter().map(|known| known.name()));
            let message = format!("'{}' is no map type", word.text);
            return Err(word
                .wrong(message)
                .help(meant.map(|meant| format!("did you mean '{meant}'?"))));
        };
        let mut map = Map::new(name, map_type);
        for word in words {
            self.parameter(&mut map, &word)?;
        }
        Ok(map)
    }

    /// One `key_size=4` of a map.
    pub(super) fn parameter(&mut self, map: &mut Map, word: &Word<'_>) -> Result<(), Wrong> {
        let Some((field, value)) = word.split_at_equals() else {
            return Err(word.wrong(format!(
                "expected {}, = and a number",
                PARAMETERS.join(", ")
            )));
        };
        let number = || value.number("a number of 32 bits");
        match field.text {
            "key_size" => map.key_size = number()?,
            "value_size" => map.value_size = number()?,
            "max_entries" => map.max_entries = number()?,
            "map_flags" => map.map_flags = flags(&value)?,
            "map_extra" => map.map_extra = value.number64("a number of 64 bits")?,
            "numa_node" => map.numa_node = number()?,
            "key_type_id" => map.key_type = Some(self.type_id(&value)?),
            "value_type_id" => map.value_type = Some(self.type_id(&value)?),
            "pinning" => {
                map.pinning = match value.text {
                    "by_name" => Pinning::ByName,
                    "none" => Pinning::None,
                    _ => return Err(value.wrong("expected 'by_name' or 'none'")),
                }
            }
            "autocreate" => map.autocreate = autocreate(map, &value)?,
            _ => {
                let meant = near(field.text, PARAMETERS);
                let message = format!(
                    "'{}' is no parameter of a map: expected {}",
                    field.text,
                    PARAMETERS.join(", ")
                );
                return Err(field
                    .wrong(message)
                    .help(meant.map(|meant| format!("did you mean '{meant}'?"))));
            }
        }
        Ok(())
    }
}

const PARAMETERS: [&str; 10] = [
    "key_size",
    "value_size",
    "max_entries",
    "map_flags",
    "map_extra",
    "numa_node",
    "pinning",
    "autocreate",
    "key_type_id",
    "value_type_id",
];

/// `autocreate=on_request` of a struct of functions.
fn autocreate(map: &Map, value: &Word<'_>) -> Result<Autocreate, Wrong> {
    match value.text {
        "yes" => Ok(Autocreate::Yes),
        "on_request" if map.map_type == MapType::StructOps => Ok(Autocreate::OnRequest),
        "on_request" => Err(value.wrong("only maps of type struct_ops are created on request")),
        _ => Err(value.wrong("expected 'yes' or 'on_request'")),
    }
}

/// What a program's line may say behind the name.
const PROGRAM_FIELDS: &str = "expected type=TYPE, attach_type=TYPE, attach_btf_id= or type_id=";

/// `no_prealloc|mmapable`, or a number.
fn flags(value: &Word<'_>) -> Result<u32, Wrong> {
    if value.text.starts_with(|first: char| first.is_ascii_digit()) {
        return value.number("a number of 32 bits");
    }
    value.text.split('|').try_fold(0, |all, name| {
        let lower = name.trim_start_matches("BPF_F_").to_ascii_lowercase();
        match MAP_FLAGS.iter().find(|(known, _)| *known == lower) {
            Some((_, flag)) => Ok(all | flag),
            None => {
                let meant = near(&lower, MAP_FLAGS.iter().map(|(known, _)| *known));
                Err(value
                    .wrong(format!("'{name}' is no flag of maps"))
                    .help(meant.map(|meant| format!("did you mean '{meant}'?"))))
            }
        }
    })
}

fn prog_type(word: &Word<'_>, name: &str) -> Result<ProgType, Wrong> {
    ProgType::from_name(name).ok_or_else(|| {
        let meant = near(name, ProgType::ALL.iter().map(|known| known.name()));
        word.wrong(format!("'{name}' is no program type"))
            .help(meant.map(|meant| format!("did you mean '{meant}'?")))
    })
}

fn attach_type(word: &Word<'_>, name: &str) -> Result<AttachType, Wrong> {
    AttachType::from_name(name).ok_or_else(|| {
        let meant = near(name, AttachType::ALL.iter().map(|known| known.name()));
        word.wrong(format!("'{name}' is no attach type"))
            .help(meant.map(|meant| format!("did you mean '{meant}'?")))
    })
}

/// The first section of the program type of this name.
fn by_type(name: &str) -> Option<&'static str> {
    let prog_type = ProgType::from_name(name)?;
    let known = SECTIONS.iter().find(|known| known.prog_type == prog_type);
    known.map(|known| known.name)
}

fn no_section(place: &Word<'_>) -> Wrong {
    let types = ProgType::ALL.iter().map(|known| known.name());
    let sections = SECTIONS.iter().map(|known| known.name);
    let meant = near(place.text, sections.chain(types));
    place
        .wrong(format!("'{}' names no program type", place.text))
        .help(meant.map(|meant| format!("did you mean '{meant}'?")))
}
