//! An object's BTF, maps and programs, into the kernel.
//!
//! Nothing is loaded before a program needs it: a program costs its own load,
//! the maps that it refers to, and the BTF once.

use std::fmt;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use ebpf_asm::btf::ext::{FuncInfo, LineInfo, Records};
use ebpf_asm::insn::{Insn, encode_all};
use ebpf_asm::isa::{Callee, Imm64, Sem};
use ebpf_asm::map_type::MapType;
use ebpf_asm::object::{self, MapValue, Needed, Object, Pinning};
use ebpf_asm::prog_type::ProgType;
use ebpf_asm::program::{self, Reference};
use ebpf_syscalls::bpf::{self, FuncInfoRecords, LineInfoRecords, LogLevel, ProgLoad};
use ebpf_syscalls::netlink::{Interface, XdpMode};
use ebpf_syscalls::{Errno, Error as SyscallError, bpffs};

use crate::create::{self, NEEDS, Surroundings};
use crate::diagnose;
use crate::error::{Error, Result, missing};
use crate::kept::{KeptMap, wants_holder};
use crate::kernel::Kernel;
use crate::map::Map;
use crate::near::near;
use crate::options;
use crate::program::Program;
use crate::types::Types;
use crate::verifier_log::{self, Rejection};

/// Loads what is in an object, part by part, and keeps its maps.
#[derive(Debug)]
pub struct Loader<'o> {
    object: &'o Object,
    /// The interface in whose network card the program shall run.
    offload: Option<Interface>,
    types: Types,
    kernel: Kernel,
    /// The maps created so far, by their index in the object.
    maps: Vec<Option<Map>>,
    /// The maps of programs that have what they hold from the start, by index.
    filled: Vec<usize>,
    /// The folder of the maps that are shared by name.
    shared: PathBuf,
    notes: Vec<Note>,
}

/// Something that went on without an error and that a user wants to know.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// The kernel has no BTF or refuses this one: tools will not show source lines.
    WithoutBtf {
        /// The kernel's reason.
        reason: String,
    },
    /// The kernel takes the program only without `func_info` and `line_info`.
    WithoutLines {
        /// The program.
        program: String,
    },
    /// A section of global variables should hold addresses, and holds what stands in the file:
    /// no map can have them.
    WithoutAddresses {
        /// The section.
        map: String,
        /// How many.
        count: usize,
    },
    /// The kernel takes the map only without the types of its keys and values.
    WithoutMapTypes {
        /// The map.
        map: String,
    },
}

/// `func_info` and `line_info` as the kernel takes them.
struct RecordBytes {
    funcs: Vec<u8>,
    lines: Vec<u8>,
}

impl<'o> Loader<'o> {
    /// A loader for the object; nothing is loaded yet.
    #[must_use]
    pub fn new(object: &'o Object) -> Self {
        Loader {
            object,
            offload: None,
            types: Types::Untouched,
            kernel: Kernel::default(),
            maps: object.maps.iter().map(|_| None).collect(),
            filled: Vec::new(),
            shared: Path::new(bpffs::MOUNT_POINT).to_owned(),
            notes: Vec::new(),
        }
    }

    /// Loads for the network card of an interface, for [`crate::XdpMode::Offload`].
    #[must_use]
    pub fn offload(mut self, interface: &Interface) -> Self {
        self.offload = Some(interface.clone());
        self
    }

    /// Pins maps that are shared by name in this folder of a bpffs, and looks for them there,
    /// instead of `/sys/fs/bpf`.
    #[must_use]
    pub fn share_maps_in(mut self, folder: &Path) -> Self {
        self.shared = folder.to_owned();
        self
    }

    /// Loads the program with this name, the maps that it refers to, and the programs that
    /// these hold from the start.
    ///
    /// The program holds those of its maps that the kernel empties when nobody does, such as
    /// maps of programs; keep it, or the guard of its attachment, as long as it shall run.
    ///
    /// # Errors
    /// [`Error::ProgramMissing`], [`Error::Rejected`] by the verifier,
    /// [`Error::Permission`], [`Error::MapRefused`], [`Error::ProgramSize`].
    pub fn load(&mut self, name: &str) -> Result<Program> {
        self.load_logged(name, None).map(|(program, _)| program)
    }

    /// As [`Loader::load`], with the verifier's log.
    ///
    /// # Errors
    /// As for [`Loader::load`].
    pub fn load_with_log(&mut self, name: &str, level: LogLevel) -> Result<(Program, String)> {
        self.load_logged(name, Some(level))
    }

    fn load_logged(&mut self, name: &str, log: Option<LogLevel>) -> Result<(Program, String)> {
        let programs = &self.object.programs;
        let Some(index) = programs.iter().position(|program| program.name == name) else {
            return Err(self.missing(name));
        };
        let Some(program) = programs.get(index) else {
            return Err(self.missing(name));
        };
        if program.prog_type == ProgType::Unspec {
            return Err(Error::BadObject {
                what: format!(
                    "program '{name}' is in section '{}', which names no program type",
                    program.section
                ),
            });
        }
        self.load_types();
        let insns = self.instructions(program)?;
        let (fd, log) = self.submit(program, index, &insns, log)?;
        self.fill_maps_of_programs()?;
        let kept = self.kept(index)?;
        Ok((Program::new(program, fd, kept.into()), log))
    }

    /// Those of the maps of a program, and of the programs that it may tail call, that want
    /// somebody to hold them.
    fn kept(&self, program: usize) -> Result<Vec<KeptMap>> {
        let needed = Needed::by(self.object, program);
        let mut kept = Vec::new();
        for index in needed.maps {
            let definition = self.object.maps.get(index);
            let map = self.maps.get(index).and_then(Option::as_ref);
            if let (Some(definition), Some(map)) = (definition, map)
                && wants_holder(self.object.btf.as_ref(), definition)
            {
                kept.push(KeptMap::of(map)?);
            }
        }
        Ok(kept)
    }

    /// The map with this name, created if no program needed it yet.
    ///
    /// # Errors
    /// `None` when the object has no such map; [`Error::MapRefused`],
    /// [`Error::Permission`].
    pub fn map(&mut self, name: &str) -> Result<Option<&Map>> {
        let position = self.object.maps.iter().position(|map| map.name == name);
        match position {
            Some(index) => {
                self.load_types();
                self.create_map(index).map(Some)
            }
            None => Ok(None),
        }
    }

    /// The maps created so far, to keep them when the loader goes.
    #[must_use]
    pub fn into_maps(self) -> Vec<Map> {
        self.maps.into_iter().flatten().collect()
    }

    /// What went on otherwise than one would expect.
    #[must_use]
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    fn missing(&self, name: &str) -> Error {
        let names = || self.object.programs.iter().map(|p| p.name.as_str());
        let mut have = near(name, names());
        have.extend(
            names()
                .map(str::to_owned)
                .filter(|n| !have.contains(n))
                .collect::<Vec<_>>(),
        );
        Error::ProgramMissing {
            name: name.to_owned(),
            have,
        }
    }

    fn load_types(&mut self) {
        let note = self.types.load(self.object);
        self.notes.extend(note);
    }

    /// The instructions with the descriptors of the maps that they refer to.
    fn instructions(&mut self, program: &program::Program) -> Result<Vec<u8>> {
        let program = self.kernel.relocate(self.object, program)?;
        let slots: Vec<usize> = program.slots().map(|(slot, _)| slot).collect();
        let mut insns = program.insns.clone();
        let by_index = insns.iter().any(names_by_index);
        for (slot, reference) in &program.references {
            let at = slots.binary_search(slot).ok();
            let no_insn = || Error::BadObject {
                what: format!(
                    "program '{}' refers to something at slot {slot}, where no instruction begins",
                    program.name
                ),
            };
            let insn = at.and_then(|at| insns.get_mut(at)).ok_or_else(no_insn)?;
            let (map, offset) = match *reference {
                Reference::Map(map) => (map, 0),
                Reference::MapValue { map, offset } => (map, offset),
                Reference::Extern(index) => {
                    let of = self
                        .object
                        .externs
                        .get(index)
                        .ok_or_else(|| Error::BadObject {
                            what: format!("the object has no extern number {index}"),
                        })?;
                    *insn = self.kernel.bind(self.object, of, insn)?;
                    continue;
                }
            };
            let fd = self.create_map(map)?.as_fd().as_raw_fd();
            *insn = insn.with_imm(fd, offset as i32);
        }
        if by_index && !self.kernel.fd_array().is_empty() {
            return Err(Error::BadObject {
                what: format!(
                    "program '{}' names a map or module by its place in the array of a load that \
                     is not ours",
                    program.name
                ),
            });
        }
        Ok(encode_all(&insns))
    }

    /// The map at this index of the object, created on first use, with the maps that it
    /// holds.
    fn create_map(&mut self, index: usize) -> Result<&Map> {
        let object = self.object;
        let no_such = || Error::BadObject {
            what: format!("the object has no map number {index}, which something refers to"),
        };
        let definition = object.maps.get(index).ok_or_else(no_such)?;
        if self.maps.get(index).is_some_and(Option::is_none) {
            let map = match definition.pinning {
                Pinning::None => self.new_map(definition)?,
                Pinning::ByName => self.shared_map(definition)?,
            };
            if let Some(slot) = self.maps.get_mut(index) {
                *slot = Some(map);
            }
            for (key, value) in &definition.values {
                let MapValue::Map(inner) = *value else {
                    continue;
                };
                if object
                    .maps
                    .get(inner)
                    .is_some_and(|map| map.inner.is_some())
                {
                    return Err(Error::BadObject {
                        what: format!("map '{}' holds a map of maps", definition.name),
                    });
                }
                self.create_map(inner)?;
                let made = |index: usize| self.maps.get(index).and_then(Option::as_ref);
                if let (Some(outer), Some(inner)) = (made(index), made(inner)) {
                    create::put(definition, outer, *key, inner.as_fd())?;
                }
            }
        }
        self.maps
            .get(index)
            .and_then(Option::as_ref)
            .ok_or_else(no_such)
    }

    fn new_map(&mut self, definition: &object::Map) -> Result<Map> {
        if definition.map_type == MapType::StructOps {
            let value = self.kernel.struct_value(self.object, definition)?;
            let map = create::create_struct(definition, value, &self.types)?;
            return Ok(Map::new(definition.name.clone(), map));
        }
        let addresses = definition.data.as_ref().map(|data| data.addresses.len());
        if let Some(count) = addresses.filter(|count| *count > 0) {
            self.notes.push(Note::WithoutAddresses {
                map: definition.name.clone(),
                count,
            });
        }
        let surroundings = Surroundings {
            ifindex: ifindex(&self.offload),
            types: &self.types,
        };
        let (map, note) = if options::asks(definition) {
            let constants = options::constants(&mut self.kernel, self.object, definition)?;
            create::create(&constants, surroundings)?
        } else {
            create::create(definition, surroundings)?
        };
        self.notes.extend(note);
        Ok(Map::new(definition.name.clone(), map))
    }

    /// The map that is pinned under the definition's name; pinned there if it is not yet.
    fn shared_map(&mut self, definition: &object::Map) -> Result<Map> {
        let path = self.shared.join(&definition.name);
        if let Some(map) = create::pinned(definition, &path)? {
            return Ok(Map::new(definition.name.clone(), map));
        }
        let map = self.new_map(definition)?;
        match bpf::obj_pin(map.as_fd(), &path) {
            Ok(()) => Ok(map),
            // Another loader was quicker.
            Err(error) if error.is(Errno::EEXIST) => {
                let theirs = create::pinned(definition, &path)?;
                let theirs = theirs.ok_or_else(|| create::refused(definition, error))?;
                Ok(Map::new(definition.name.clone(), theirs))
            }
            Err(error) => Err(create::refused(definition, error)),
        }
    }

    /// Loads the programs that the maps created so far hold from the start.
    fn fill_maps_of_programs(&mut self) -> Result<()> {
        let object = self.object;
        let maps = object.maps.iter().enumerate();
        // Structs of functions get theirs when they are put into force.
        for (index, definition) in maps.filter(|(_, map)| map.map_type != MapType::StructOps) {
            let created = self.maps.get(index).is_some_and(Option::is_some);
            if !created || self.filled.contains(&index) {
                continue;
            }
            // First, for a program that the map holds may refer to the map.
            self.filled.push(index);
            for (key, value) in &definition.values {
                let MapValue::Program(name) = value else {
                    continue;
                };
                let held = self.load(name)?;
                if let Some(map) = self.maps.get(index).and_then(Option::as_ref) {
                    create::put(definition, map, *key, held.as_fd())?;
                }
            }
        }
        Ok(())
    }

    /// Loads, with source lines if the kernel takes them.
    fn submit(
        &mut self,
        program: &program::Program,
        index: usize,
        insns: &[u8],
        log: Option<LogLevel>,
    ) -> Result<(OwnedFd, String)> {
        let offer = |load: &ProgLoad<'_>| match log {
            Some(level) => bpf::prog_load_with_log(load, level),
            None => bpf::prog_load(load).map(|fd| (fd, String::new())),
        };
        let member = self.kernel.struct_member(self.object, program)?;
        let attach_type = program.expected_attach_type.map_or(0, |t| t.number());
        let attach_btf_id = match member {
            Some(member) => member.struct_id,
            None => self.kernel.attach_type_id(program)?,
        };
        let fd_array = self.kernel.fd_array();
        let plain = ProgLoad {
            prog_type: program.prog_type.number(),
            expected_attach_type: member.map_or(attach_type, |member| member.index),
            name: &program.name,
            insns,
            license: &self.object.license,
            prog_flags: program.prog_flags(),
            prog_ifindex: ifindex(&self.offload),
            attach_btf_id,
            fd_array: &fd_array,
            ..ProgLoad::default()
        };
        let types = self.types.records(index);
        let types = types.map(|(fd, records)| (fd, RecordBytes::new(records)));
        let Some((fd, records)) = types.filter(|(_, records)| !records.funcs.is_empty()) else {
            return offer(&plain).map_err(|error| self.refused(program, error));
        };
        let with_lines = ProgLoad {
            btf: Some(fd),
            func_info: FuncInfoRecords {
                rec_size: FuncInfo::SIZE,
                bytes: &records.funcs,
            },
            line_info: LineInfoRecords {
                rec_size: LineInfo::SIZE,
                bytes: &records.lines,
            },
            ..plain
        };
        let error = match offer(&with_lines) {
            Ok(loaded) => return Ok(loaded),
            Err(error) => error,
        };
        if !blames_records(&error) {
            return Err(self.refused(program, error));
        }
        // Without its records the program may do. If not, the first answer
        // counts, which tells source lines.
        let loaded = offer(&plain).map_err(|_| self.refused(program, error))?;
        self.notes.push(Note::WithoutLines {
            program: program.name.clone(),
        });
        Ok(loaded)
    }

    fn refused(&self, program: &program::Program, error: SyscallError) -> Error {
        let unsupported = error.is(Errno::EINVAL) || error.is(Errno::EOPNOTSUPP);
        match (&self.offload, error) {
            (_, SyscallError::Refused { errno, log, .. }) => {
                Error::Rejected(Box::new(Rejection::new(program, errno, log)))
            }
            (Some(interface), _) if unsupported => {
                diagnose::mode_unsupported(interface, XdpMode::Offload)
            }
            (_, error) => not_loaded(program, error),
        }
    }
}

impl RecordBytes {
    fn new(records: &Records) -> Self {
        let funcs = records.funcs.iter().flat_map(|record| record.to_words());
        let lines = records.lines.iter().flat_map(|record| record.to_words());
        RecordBytes {
            funcs: funcs.flat_map(u32::to_ne_bytes).collect(),
            lines: lines.flat_map(u32::to_ne_bytes).collect(),
        }
    }
}

/// Whether an instruction names a map or a module by its index in the load's `fd_array`.
fn names_by_index(insn: &Insn) -> bool {
    match insn.sem() {
        Sem::Call(Callee::Kfunc) => insn.offset() != 0,
        Sem::LoadImm64(Imm64::MapIdx | Imm64::MapValueIdx) => true,
        _ => false,
    }
}

/// Whether the kernel refused a program for its BTF, `func_info` or `line_info`,
/// which it checks before it verifies: in so many words, or, as kernels before
/// 5.0 that do not know of them, without any. To verify a program that is
/// rejected for what it does once more would take as long as the first time.
fn blames_records(error: &SyscallError) -> bool {
    match error {
        SyscallError::Refused { log, .. } => verifier_log::blames_records(log),
        error => error.is(Errno::EINVAL) || error.is(Errno::E2BIG) || error.is(Errno::EOPNOTSUPP),
    }
}

/// Why a program was not even looked at by the verifier.
fn not_loaded(program: &program::Program, error: SyscallError) -> Error {
    match error.errno() {
        Some(Errno::EPERM) => Error::Permission {
            action: "load a program",
            missing: missing(NEEDS),
            source: error,
        },
        Some(Errno::E2BIG) => Error::ProgramSize {
            program: program.name.clone(),
            insns: program.slot_count(),
        },
        _ => Error::Kernel {
            action: "cannot load the program",
            source: error,
        },
    }
}

/// The number of the interface that a program or map is bound to; 0 for none.
fn ifindex(offload: &Option<Interface>) -> u32 {
    offload.as_ref().map_or(0, |interface| interface.index)
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::WithoutBtf { reason } => {
                write!(f, "loaded without type information: {reason}")
            }
            Note::WithoutLines { program } => {
                write!(
                    f,
                    "program '{program}' is loaded without its source lines, which the kernel refuses"
                )
            }
            Note::WithoutAddresses { map, count } => {
                write!(
                    f,
                    "section '{map}' should hold {count} addresses, which no map can have: the \
                     program finds other numbers there"
                )
            }
            Note::WithoutMapTypes { map } => {
                write!(
                    f,
                    "map '{map}' is created without the types of its keys and values, which the kernel refuses"
                )
            }
        }
    }
}
