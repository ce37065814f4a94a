//! The unit: everything that one program file declares.

use core::mem::ManuallyDrop;

use crate::action::{Action, XDP_ABORTED};
use crate::check::{self, Place as SourcePlace, RecordError};
use crate::context::XdpContext;
use crate::map::Map;
use crate::record::Data;
use crate::recorder::{Rec, Recorder, State};
use crate::recording::{
    self, DataType, FileId, LocId, MapId, MapType, Program, ProgramKind, Recording, SourceFile,
};
use crate::returns::Xdp;
use crate::ring::Ringbuf;
use crate::scope::Scope;

/// Everything that one program file declares: maps, programs and the license.
///
/// [`unit!`](crate::unit!) makes one that carries the file's own text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unit {
    inner: ManuallyDrop<Inner>,
}

/// What a unit holds.
///
/// It stands in a `ManuallyDrop` and is dropped by [`Unit`]'s own `drop`, so that the code
/// which frees a recording is compiled with this crate and not with every program file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Inner {
    recording: Recording,
    /// Maps of other units that were used, and where. The recording does not show it.
    foreign_maps: Vec<(String, SourcePlace)>,
    /// Folder of the unit's own file as the compiler names it; locations leave it out.
    folder: String,
}

impl Drop for Unit {
    fn drop(&mut self) {
        drop(ManuallyDrop::into_inner(core::mem::take(&mut self.inner)));
    }
}

impl Unit {
    /// A unit without source text. `name` is what the object file is called.
    pub fn new(name: &str) -> Self {
        Unit::from_recording(Recording {
            name: name.to_string(),
            ..Recording::default()
        })
    }

    /// The unit of a source file: what [`unit!`](crate::unit!) expands to.
    ///
    /// `path` is the file as its macro call names it, `compiled` as the compiler does.
    #[doc(hidden)]
    pub fn of_file(path: &str, compiled: &str, text: &str) -> Self {
        let file = path.rsplit('/').next().unwrap_or(path);
        let mut unit = Unit::new(file.strip_suffix(".rs").unwrap_or(file));
        unit.inner.folder = compiled.strip_suffix(path).unwrap_or_default().to_string();
        unit.inner.recording.files.push(SourceFile {
            path: path.to_string(),
            text: Some(text.to_string()),
        });
        unit
    }

    /// The unit of a recording, as read from elsewhere.
    pub fn from_recording(recording: Recording) -> Self {
        let mut unit = Unit::default();
        unit.inner.recording = recording;
        unit
    }

    /// What was recorded.
    pub fn recording(&self) -> &Recording {
        &self.inner.recording
    }

    /// Name of the unit.
    pub fn name(&self) -> &str {
        &self.inner.recording.name
    }

    /// Sets the license that the kernel is told. Some helpers ask for one compatible with `GPL`.
    pub fn license(mut self, license: &str) -> Self {
        self.inner.recording.license = license.to_string();
        self
    }

    /// Declares an array: values by index, all there from the start.
    pub fn array<V: Data>(&mut self, name: &'static str, max_entries: u32) -> Map<u32, V> {
        let key = u32::data_type();
        self.map(name, MapType::Array, key, V::data_type(), max_entries)
    }

    /// Declares an array with values of its own for each CPU.
    pub fn percpu_array<V: Data>(&mut self, name: &'static str, max_entries: u32) -> Map<u32, V> {
        let key = u32::data_type();
        self.map(name, MapType::PercpuArray, key, V::data_type(), max_entries)
    }

    /// Declares a hash map.
    pub fn hash<K: Data, V: Data>(&mut self, name: &'static str, max_entries: u32) -> Map<K, V> {
        let (key, value) = (K::data_type(), V::data_type());
        self.map(name, MapType::Hash, key, value, max_entries)
    }

    /// Declares a hash map with values of its own for each CPU.
    pub fn percpu_hash<K: Data, V: Data>(
        &mut self,
        name: &'static str,
        max_entries: u32,
    ) -> Map<K, V> {
        let (key, value) = (K::data_type(), V::data_type());
        self.map(name, MapType::PercpuHash, key, value, max_entries)
    }

    /// Declares a ring buffer of `bytes` bytes: a power of two and a multiple of the page size.
    pub fn ringbuf<V: Data>(&mut self, name: &'static str, bytes: u32) -> Ringbuf<V> {
        let id = self.declare(recording::Map {
            name: name.to_string(),
            map_type: MapType::Ringbuf,
            key: None,
            value: V::data_type(),
            max_entries: bytes,
        });
        Ringbuf::new(id, name)
    }

    fn map<K, V>(
        &mut self,
        name: &'static str,
        map_type: MapType,
        key: DataType,
        value: DataType,
        max_entries: u32,
    ) -> Map<K, V> {
        let id = self.declare(recording::Map {
            name: name.to_string(),
            map_type,
            key: Some(key),
            value,
            max_entries,
        });
        Map::new(id, name)
    }

    fn declare(&mut self, map: recording::Map) -> MapId {
        self.inner.recording.maps.push(map);
        MapId((self.inner.recording.maps.len() - 1) as u32)
    }

    /// Records an XDP program. `body` gets the program's scope and its context, and returns
    /// the action: a constant, or a recorded one.
    #[track_caller]
    pub fn xdp(
        self,
        name: &str,
        body: impl for<'p> FnOnce(&mut Scope<'p, Xdp>, &mut XdpContext<'p>) -> Action<'p>,
    ) -> Self {
        let mut body = Some(body);
        self.record_xdp(name, &mut |f, ctx| match body.take() {
            Some(body) => body(f, ctx),
            // It is called once.
            None => XDP_ABORTED,
        })
    }

    #[track_caller]
    fn record_xdp(mut self, name: &str, body: &mut XdpBody<'_>) -> Self {
        let recorder = Recorder::default();
        let loc = recorder.begin();
        record(&recorder, body);
        self.add_program(name, ProgramKind::Xdp, loc, recorder);
        self
    }

    pub(crate) fn add_program(
        &mut self,
        name: &str,
        kind: ProgramKind,
        loc: LocId,
        recorder: Recorder,
    ) {
        let body = recorder.close();
        let mut state = recorder.into_state();
        self.own_files(&mut state);
        let inner = &mut *self.inner;
        let place = |loc: LocId| check::describe(&inner.recording.files, &state.locations, loc);
        for (map, map_name, loc) in &state.maps_used {
            let declared = inner.recording.maps.get(map.0 as usize);
            if declared.is_none_or(|map| map.name != *map_name) {
                let (map, at) = (map_name.to_string(), place(*loc));
                inner.foreign_maps.push((map, at));
            }
        }
        inner.recording.programs.push(Program {
            name: name.to_string(),
            kind,
            loc,
            locations: state.locations,
            values: state.values,
            vars: state.vars,
            kernel_types: state.kernel_types.into_iter().map(|(_, ty)| ty).collect(),
            body,
        });
    }

    /// Renumbers the files of a recorder's locations to the unit's.
    fn own_files(&mut self, state: &mut State) {
        let numbers: Vec<FileId> = state.files.iter().map(|file| self.file(file)).collect();
        for loc in &mut state.locations {
            if let Some(number) = numbers.get(loc.file.0 as usize) {
                loc.file = *number;
            }
        }
    }

    fn file(&mut self, compiled: &str) -> FileId {
        let path = compiled
            .strip_prefix(&self.inner.folder)
            .unwrap_or(compiled);
        let files = &mut self.inner.recording.files;
        let index = match files.iter().position(|file| file.path == path) {
            Some(index) => index,
            None => {
                let path = path.to_string();
                files.push(SourceFile { path, text: None });
                files.len() - 1
            }
        };
        FileId(index as u32)
    }

    /// Checks what the types could not: above all that no value recorded inside a branch is
    /// used outside it.
    ///
    /// # Errors
    /// The first mistake, with the lines that made it.
    pub fn check(&self) -> Result<(), RecordError> {
        match self.inner.foreign_maps.first().cloned() {
            Some((map, at)) => Err(RecordError::ForeignMap { map, at }),
            None => check::check(&self.inner.recording),
        }
    }

    pub(crate) fn foreign_maps(&self) -> &[(String, SourcePlace)] {
        &self.inner.foreign_maps
    }

    pub(crate) fn with_foreign_maps(mut self, maps: Vec<(String, SourcePlace)>) -> Self {
        self.inner.foreign_maps = maps;
        self
    }
}

/// An XDP program's closure, as a call that is compiled here.
type XdpBody<'a> = dyn for<'p> FnMut(&mut Scope<'p, Xdp>, &mut XdpContext<'p>) -> Action<'p> + 'a;

/// Runs an XDP program's closure. The lifetime of the borrow is the program's brand.
#[track_caller]
fn record(recorder: &Recorder, body: &mut XdpBody<'_>) {
    let rec = Rec::new(recorder);
    let mut scope = Scope::new(rec);
    let action = body(&mut scope, &mut XdpContext::new(rec));
    scope.return_(action);
}

/// The unit of the file that this stands in, which carries the file's text so that its lines
/// can be quoted wherever the program goes.
///
/// The argument is the file's own name, without its folder: in `drop_icmp.rs` it reads
/// `unit!("drop_icmp.rs").license("GPL")`. Another name does not compile, and the compiler
/// says which one to write; mind it when a file is copied or renamed. The name cannot be left
/// out: the text comes by `include_str!`, which takes a path relative to the file, and
/// `file!()` is relative to where the compiler was started.
///
/// ```compile_fail
/// use ebpf_dsl::prelude::*;
///
/// let unit = unit!("another_file.rs");
/// ```
#[macro_export]
macro_rules! unit {
    ($file:literal) => {{
        const _: () = $crate::private::own_file(file!(), $file);
        $crate::Unit::of_file($file, file!(), include_str!($file))
    }};
    () => {
        ::core::compile_error!(::core::concat!(
            "`unit!` takes the name of this file, without its folder: the file is `",
            ::core::file!(),
            "`"
        ))
    };
}

impl Recorder {
    /// Opens the program's own block and tells where it was declared.
    #[track_caller]
    pub(crate) fn begin(&self) -> LocId {
        self.open();
        self.here()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_is_named_after_its_file() {
        let unit = Unit::of_file("drop_icmp.rs", "/tmp/x/drop_icmp.rs", "text");
        assert_eq!(unit.name(), "drop_icmp");
        assert_eq!(unit.recording().files[0].path, "drop_icmp.rs");
    }
}
