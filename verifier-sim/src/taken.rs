//! What the kernel takes of an object's types. A BTF that it refuses, and types that it refuses for
//! a map, loaders leave out: the program is verified without, as they would load it.
//!
//! Nothing is copied where all is taken, as it mostly is.
//!
//! Read before: `special_search.rs`, `map_types.rs`. Read next: `verify.rs`.

use crate::codes::Code;
use crate::config::Config;
use crate::diag::{Checked, Rejection};
use crate::kernel_types::KernelTypes;
use crate::map_types::check_map_types;
use crate::special::Special;
use crate::special_search::{Objects, special_fields, special_objects};
use ebpf_asm::btf::Btf;
use ebpf_asm::object::{Map, Object};
use ebpf_asm::program::Program;
use std::borrow::Cow;

/// An object and one of its programs, as the kernel gets to see them.
pub(crate) struct Taken<'a> {
    /// The object with all types, as loaders know it: by these they find what it names of the
    /// kernel.
    pub(crate) whole: &'a Object,
    pub(crate) object: Cow<'a, Object>,
    pub(crate) program: Cow<'a, Program>,
    pub(crate) specials: Specials,
    /// What is left out and why, if anything is.
    pub(crate) left_out: Option<String>,
}

/// The special fields of what an object has types of.
#[derive(Debug, Default)]
pub(crate) struct Specials {
    /// Those of the values of each map, then of the maps in each; `None` if it is not known what
    /// there is.
    pub(crate) maps: Vec<Option<Vec<Special>>>,
    /// Those of the objects that the program can allocate.
    pub(crate) objects: Objects,
}

impl<'a> Taken<'a> {
    pub(crate) fn of(
        object: &'a Object,
        program: &'a Program,
        of: (&KernelTypes, &Config),
    ) -> Taken<'a> {
        let whole = Taken {
            whole: object,
            object: Cow::Borrowed(object),
            program: Cow::Borrowed(program),
            specials: Specials::default(),
            left_out: None,
        };
        let Some(btf) = &object.btf else {
            let maps = special_values(object, of);
            return Taken {
                specials: Specials {
                    maps,
                    ..Specials::default()
                },
                ..whole
            };
        };
        let taken = btf.check_taken().map_err(ToString::to_string);
        let objects = taken.and_then(|()| special_objects(btf, of).map_err(|why| why.to_string()));
        let objects = match objects {
            Ok(objects) => objects,
            Err(why) => return whole.without_types(&why, of),
        };
        let maps = special_values(object, of);
        let specials = Specials { maps, objects };
        Taken { specials, ..whole }.without_map_types(of)
    }

    /// Without any types: none of functions, and none of maps.
    fn without_types(mut self, why: &str, of: (&KernelTypes, &Config)) -> Taken<'a> {
        self.left_out = Some(format!("the kernel takes no types of the object: {why}"));
        let object = self.object.to_mut();
        object.btf = None;
        object.maps.iter_mut().for_each(strip_with_inner);
        object.programs.iter_mut().for_each(strip_functions);
        strip_functions(self.program.to_mut());
        self.specials.maps = special_values(&self.object, of);
        self
    }

    /// Without the types of maps that the kernel does not make with them.
    fn without_map_types(mut self, of: (&KernelTypes, &Config)) -> Taken<'a> {
        let Some(btf) = &self.object.btf else {
            return self;
        };
        let outer = self.object.maps.iter().map(Some);
        let inner = self.object.maps.iter().map(|map| map.inner.as_deref());
        let refused = outer.chain(inner).zip(&self.specials.maps);
        let refused = refused.map(|(map, specials)| {
            let map = map?;
            let why = check_known(map, btf, specials.as_deref()).err()?;
            Some(format!("map '{}' is made without types: {why}", map.name))
        });
        let mut why: Vec<Option<String>> = refused.collect();
        let refused: Vec<bool> = why.iter().map(Option::is_some).collect();
        let first = why.iter_mut().find_map(Option::take);
        if first.is_none() {
            return self;
        }
        self.left_out = first;
        let (outer, inner) = refused
            .split_at_checked(self.object.maps.len())
            .unwrap_or_default();
        for ((map, outer), inner) in self.object.to_mut().maps.iter_mut().zip(outer).zip(inner) {
            if *outer {
                strip(map);
            }
            if let Some(map) = map.inner.as_deref_mut().filter(|_| *inner) {
                strip(map);
            }
        }
        self.specials.maps = special_values(&self.object, of);
        self
    }
}

/// Says what is left out, where that may be why a program is refused.
pub(crate) fn explain(why: Box<Rejection>, left_out: Option<&str>) -> Box<Rejection> {
    let may_be = matches!(why.code, Code::SpecialField | Code::ArgumentType);
    match left_out.filter(|_| may_be && why.help.is_none()) {
        Some(left_out) => why.help(left_out),
        None => why,
    }
}

/// Of fields that are not known nothing is refused: no program can use such maps.
fn check_known(map: &Map, btf: &Btf, specials: Option<&[Special]>) -> Result<(), &'static str> {
    check_map_types(map, btf, specials.unwrap_or_default())
}

fn strip(map: &mut Map) {
    (map.key_type, map.value_type) = (None, None);
}

fn strip_with_inner(map: &mut Map) {
    strip(map);
    if let Some(inner) = map.inner.as_deref_mut() {
        strip_with_inner(inner);
    }
}

fn strip_functions(program: &mut Program) {
    for function in &mut program.functions {
        function.type_id = None;
    }
}

/// The special fields of all maps of an object, then of the maps in each.
fn special_values(object: &Object, of: (&KernelTypes, &Config)) -> Vec<Option<Vec<Special>>> {
    let btf = object.btf.as_ref();
    let fields = |map: &Map| special_fields(map, btf, of);
    let outer = object.maps.iter().map(fields);
    let inner = object.maps.iter().map(|map| match &map.inner {
        Some(inner) => fields(inner),
        None => Some(Vec::new()),
    });
    outer.chain(inner).collect()
}

/// That the kernel takes all types of an object as they are. Loaders go on without those that it
/// refuses, and so does [`verify_with`](crate::verify_with); this is for who does not.
///
/// # Errors
/// What the kernel refuses first: the BTF, or a map.
pub fn check_types(object: &Object, config: &Config, kernel: &KernelTypes) -> Checked {
    let Some(btf) = &object.btf else {
        return Ok(());
    };
    let refuse = |code, message: String| {
        Err(Rejection::new(code, message).label("the kernel gets no types like these"))
    };
    let bad = |what: &dyn std::fmt::Display| {
        refuse(Code::BadBtf, format!("the BTF is not taken: {what}"))
    };
    if let Err(flaw) = btf.check_loadable() {
        return bad(&flaw);
    }
    if let Err(flaw) = special_objects(btf, (kernel, config)) {
        return bad(&flaw);
    }
    let inner = object.maps.iter().filter_map(|map| map.inner.as_deref());
    for map in object.maps.iter().chain(inner) {
        let specials = special_fields(map, Some(btf), (kernel, config));
        if let Err(what) = check_known(map, btf, specials.as_deref()) {
            let name = &map.name;
            let message = format!("map '{name}' cannot be created with its types: {what}");
            return refuse(Code::MapCreate, message);
        }
    }
    Ok(())
}
