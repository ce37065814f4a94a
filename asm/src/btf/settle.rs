//! An object's BTF as loaders hand it to the kernel, which takes only types of what is defined.
//!
//! Source: `Documentation/bpf/btf.rst`; what becomes of externs is up to loaders, of which libbpf
//! does the same.
//!
//! Read before: `mod.rs`. Read next: `valid.rs`.

use super::{Btf, Kind, Linkage, TypeId, Unloadable};
use std::borrow::Cow;

impl Btf {
    /// The types with plain pointers in place of what the object takes from the kernel, and with
    /// names of sections that every kernel takes.
    pub fn settled(&self) -> Cow<'_, Btf> {
        let mut btf = Cow::Borrowed(self);
        settle_externs(&mut btf);
        settle_sections(&mut btf);
        btf
    }

    /// That the kernel takes these types as a loader hands them over ([`settled`](Btf::settled)).
    /// It is found out once, and again only when types have changed.
    ///
    /// # Errors
    /// The first type that it refuses.
    pub fn check_taken(&self) -> Result<(), &Unloadable> {
        let taken = || self.settled().check_loadable();
        self.taken.get_or_init(taken).as_ref().copied()
    }
}

/// Makes plain pointers of what the object takes from the kernel: BTF that is loaded may only
/// describe what is defined. Options of the kernel's configuration are, by the loader.
fn settle_externs(btf: &mut Cow<'_, Btf>) {
    let options: Vec<TypeId> = match section(btf, ".kconfig") {
        Some(Kind::DataSec { vars, .. }) => vars.iter().map(|var| var.var).collect(),
        _ => Vec::new(),
    };
    let (mut defined, mut gone) = (Vec::new(), Vec::new());
    for (id, ty) in btf.types() {
        match &ty.kind {
            Kind::Var { linkage, .. } if *linkage == Linkage::Extern && options.contains(&id) => {
                defined.push(id);
            }
            Kind::Var { linkage, .. } | Kind::Func { linkage, .. }
                if *linkage == Linkage::Extern =>
            {
                gone.push(id);
            }
            Kind::DataSec { .. } if btf.name(id) == ".ksyms" => gone.push(id),
            _ => {}
        }
    }
    if defined.is_empty() && gone.is_empty() {
        return;
    }
    let tags = btf.types().filter_map(|(id, ty)| match ty.kind {
        Kind::DeclTag { ty, .. } if gone.binary_search(&ty).is_ok() => Some(id),
        _ => None,
    });
    let tags: Vec<TypeId> = tags.collect();
    let btf = btf.to_mut();
    for id in defined {
        if let Some(Kind::Var { linkage, .. }) = btf.get_mut(id).map(|ty| &mut ty.kind) {
            *linkage = Linkage::Global;
        }
    }
    let nameless = btf.intern("");
    for id in gone.into_iter().chain(tags) {
        if let Some(ty) = btf.get_mut(id) {
            ty.kind = Kind::Ptr(TypeId::VOID);
            ty.name = nameless;
        }
    }
}

/// Takes the `?` out of the names of sections (`?.struct_ops`), which older kernels do not let
/// stand there; the name says nothing to the kernel.
fn settle_sections(btf: &mut Cow<'_, Btf>) {
    let asked = |id: &TypeId| {
        let is_section = matches!(btf.get(*id).map(|ty| &ty.kind), Some(Kind::DataSec { .. }));
        is_section && btf.name(*id).starts_with('?')
    };
    let ids = btf.types().map(|(id, _)| id);
    let ids: Vec<TypeId> = ids.filter(asked).collect();
    for id in ids {
        let name = btf.name(id).replacen('?', "_", 1);
        let btf = btf.to_mut();
        let name = btf.intern(&name);
        if let Some(ty) = btf.get_mut(id) {
            ty.name = name;
        }
    }
}

fn section<'b>(btf: &'b Btf, name: &str) -> Option<&'b Kind> {
    let id = btf.find(name, |kind| matches!(kind, Kind::DataSec { .. }))?;
    btf.get(id).map(|ty| &ty.kind)
}
