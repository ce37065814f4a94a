//! What the kernel takes of an object's types. A BTF that it refuses, and types that it refuses for
//! a map, loaders leave out: the program is verified without, as they would load it.
//!
//! What it refuses is found in one place ([`Specials::find`]); to leave it out or to refuse it is
//! what is made of that. Nothing is copied where all is taken, as it mostly is.
//!
//! Described in the kernel's `Documentation/bpf/btf.rst`; what is refused was observed on Linux
//! 6.18.
//!
//! Read before: `types/special_search.rs`, `map_types.rs`. Read next: `verify.rs`.

use crate::codes::Code;
use crate::config::Config;
use crate::diag::{Checked, Rejection};
use crate::load::map_types::check_map_types;
use crate::step::machine::not_modelled;
use crate::types::kernel_types::{KernelTypes, TargetKernel};
use crate::types::special::Special;
use crate::types::special_objects::{Objects, special_objects};
use crate::types::special_search::special_fields;
use ebpf_asm::btf::{Btf, Unloadable};
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
    /// Why all types are left out, if they are.
    pub(crate) left_out: Option<String>,
}

/// The special fields of what an object has types of.
#[derive(Debug, Default)]
pub(crate) struct Specials {
    /// Those of each map.
    pub(crate) maps: Vec<MapSpecials>,
    /// Those of the objects that the program can allocate.
    pub(crate) objects: Objects,
}

/// The special fields of the values of a map, and of the maps in it.
#[derive(Debug, Default)]
pub(crate) struct MapSpecials {
    pub(crate) value: ValueSpecials,
    /// Those of the values of the maps in it, if it is a map of maps.
    pub(crate) inner: Option<ValueSpecials>,
}

/// The special fields of the values of one map.
#[derive(Debug)]
pub(crate) struct ValueSpecials {
    /// `None` if it is not known what there is.
    pub(crate) fields: Option<Vec<Special>>,
    /// Why the kernel does not make the map with its types, if it does not.
    pub(crate) refused: Option<&'static str>,
}

impl Default for ValueSpecials {
    /// Values without types have none.
    fn default() -> ValueSpecials {
        ValueSpecials {
            fields: Some(Vec::new()),
            refused: None,
        }
    }
}

impl Specials {
    /// Finds them, and which maps the kernel does not make with their types; or why it takes no
    /// types at all. `taken` says whether it takes the BTF.
    fn find(
        object: &Object,
        taken: impl Fn(&Btf) -> Result<(), Unloadable>,
        kernel: TargetKernel<'_>,
    ) -> Result<Specials, String> {
        let Some(btf) = &object.btf else {
            return Ok(Specials::without_types(object));
        };
        taken(btf).map_err(|why| why.to_string())?;
        let objects = special_objects(btf, kernel).map_err(|why| why.to_string())?;
        let maps = object.maps.iter().map(|map| MapSpecials {
            value: ValueSpecials::find(map, btf, kernel),
            inner: map
                .inner
                .as_deref()
                .map(|inner| ValueSpecials::find(inner, btf, kernel)),
        });
        let maps = maps.collect();
        Ok(Specials { maps, objects })
    }

    fn without_types(object: &Object) -> Specials {
        let maps = object.maps.iter().map(|map| MapSpecials {
            value: ValueSpecials::default(),
            inner: map.inner.as_ref().map(|_| ValueSpecials::default()),
        });
        Specials {
            maps: maps.collect(),
            objects: Objects::default(),
        }
    }
}

impl ValueSpecials {
    fn find(map: &Map, btf: &Btf, kernel: TargetKernel<'_>) -> ValueSpecials {
        let fields = special_fields(map, Some(btf), kernel);
        // Of fields that are not known nothing is refused: no program can use such maps.
        let known = fields.as_deref().unwrap_or_default();
        let refused = check_map_types(map, btf, known).err();
        ValueSpecials { fields, refused }
    }

    /// Leaves the types of a map out that it is not made with: then it has no special fields.
    fn leave_out(&mut self, map: &mut Map) {
        if self.refused.is_some() {
            strip(map);
            self.fields = Some(Vec::new());
        }
    }
}

impl<'a> Taken<'a> {
    pub(crate) fn of(
        object: &'a Object,
        program: &'a Program,
        kernel: TargetKernel<'_>,
    ) -> Taken<'a> {
        let taken = |btf: &Btf| btf.check_taken().map_err(Clone::clone);
        let (specials, left_out) = match Specials::find(object, taken, kernel) {
            Ok(specials) => (specials, None),
            Err(why) => (Specials::without_types(object), Some(why)),
        };
        let mut all = Taken {
            whole: object,
            object: Cow::Borrowed(object),
            program: Cow::Borrowed(program),
            specials,
            left_out,
        };
        if all.left_out.is_some() {
            all.leave_out();
        } else {
            all.leave_out_of_maps();
        }
        all
    }

    /// Leaves all types out: those of functions, and those of maps.
    fn leave_out(&mut self) {
        let object = self.object.to_mut();
        object.btf = None;
        object.maps.iter_mut().for_each(strip_with_inner);
        object.programs.iter_mut().for_each(strip_functions);
        strip_functions(self.program.to_mut());
    }

    /// Leaves the types out that the kernel does not make maps with.
    fn leave_out_of_maps(&mut self) {
        let maps = &mut self.specials.maps;
        let is_refused = |value: &ValueSpecials| value.refused.is_some();
        if !maps.iter().flat_map(MapSpecials::values).any(is_refused) {
            return;
        }
        for (map, specials) in self.object.to_mut().maps.iter_mut().zip(maps) {
            specials.value.leave_out(map);
            if let (Some(map), Some(inner)) = (map.inner.as_deref_mut(), &mut specials.inner) {
                inner.leave_out(map);
            }
        }
    }

    /// Says that all types are left out, where that may be why a program is refused.
    pub(crate) fn explain(&self, why: Box<Rejection>) -> Box<Rejection> {
        match &self.left_out {
            Some(left_out) if why.wants_types => why.help(format!(
                "the kernel takes no types of the object: {left_out}"
            )),
            _ => why,
        }
    }
}

impl MapSpecials {
    fn values(&self) -> impl Iterator<Item = &ValueSpecials> {
        std::iter::once(&self.value).chain(&self.inner)
    }
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

/// That the kernel takes a BTF as it is. What loaders hand over as it is, and most is that, is looked
/// at once for both.
fn check_as_it_is(btf: &Btf) -> Result<(), Unloadable> {
    match btf.settled() {
        Cow::Borrowed(_) => btf.check_taken().map_err(Clone::clone),
        Cow::Owned(_) => btf.check_loadable(),
    }
}

/// That the kernel takes all types of an object as they are. Loaders go on without those that it
/// refuses, and so does [`verify_with`](crate::verify_with); this is for who does not.
///
/// # Errors
/// What the kernel refuses first: the BTF, or a map.
pub fn check_types(object: &Object, config: &Config, kernel: &KernelTypes) -> Checked {
    let refuse = |code, message: String| {
        Err(Rejection::new(code, message).label("the kernel gets no types like these"))
    };
    let kernel = TargetKernel {
        types: kernel,
        config,
    };
    let specials = match Specials::find(object, check_as_it_is, kernel) {
        Ok(specials) => specials,
        Err(what) => return refuse(Code::BadBtf, format!("the BTF is not taken: {what}")),
    };
    let maps = || object.maps.iter().zip(&specials.maps);
    let outer = maps().map(|(map, specials)| (map, &specials.value));
    let inner = maps()
        .filter_map(|(map, specials)| Some((map.inner.as_deref()?, specials.inner.as_ref()?)));
    for (map, value) in outer.chain(inner) {
        if let Some(what) = value.refused {
            let name = &map.name;
            let message = format!("map '{name}' cannot be created with its types: {what}");
            return refuse(Code::MapCreate, message);
        }
    }
    Ok(())
}

/// That the kernel freezes a map of an object (`BPF_MAP_FREEZE`): not one whose values have special
/// fields, of whatever kind (`ENOTSUPP`, observed on Linux 6.18). Older releases may freeze more, and
/// are taken for it.
///
/// # Errors
/// That it does not, or that the fields of its values are not known.
pub fn check_freezable(
    map: &Map,
    object: &Object,
    config: &Config,
    kernel: &KernelTypes,
) -> Checked {
    let kernel = TargetKernel {
        types: kernel,
        config,
    };
    let unknown = || not_modelled("what the type of these map values has in it");
    let fields = special_fields(map, object.btf.as_ref(), kernel).ok_or_else(unknown)?;
    if fields.is_empty() {
        return Ok(());
    }
    let name = &map.name;
    let message = format!("map '{name}' cannot be frozen: its values have special fields");
    Err(Rejection::new(Code::MapCreate, message)
        .label("special fields are written at any time")
        .help("do not freeze the map, or move its special fields to the values of another"))
}
