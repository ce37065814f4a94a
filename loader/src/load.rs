//! An object's BTF, maps and programs, into the kernel.
//!
//! Nothing is loaded before a program needs it: a program costs its own load,
//! the maps that it refers to, and the BTF once.

use std::fmt;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use ebpf_asm::btf::ext::{FuncInfo, LineInfo, Records};
use ebpf_asm::insn::encode_all;
use ebpf_asm::object::{self, Object};
use ebpf_asm::program::{self, Reference};
use ebpf_syscalls::bpf::{
    self, BPF_F_XDP_HAS_FRAGS, FuncInfoRecords, LineInfoRecords, MapBtf, MapCreate, ProgLoad,
};
use ebpf_syscalls::caps::Capability;
use ebpf_syscalls::netlink::{Interface, XdpMode};
use ebpf_syscalls::{Errno, Error as SyscallError};

use crate::diagnose;
use crate::error::{Error, Result, missing};
use crate::map::Map;
use crate::near::near;
use crate::program::Program;
use crate::verifier_log::{self, Rejection};

/// What creating maps and loading networking programs needs.
const NEEDS: &[Capability] = &[Capability::Bpf, Capability::NetAdmin];

/// Loads what is in an object, part by part, and keeps its maps.
#[derive(Debug)]
pub struct Loader<'o> {
    object: &'o Object,
    /// The interface in whose network card the program shall run.
    offload: Option<Interface>,
    types: Types,
    /// The maps created so far, by their index in the object.
    maps: Vec<Option<Map>>,
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
    /// The kernel takes the map only without the types of its keys and values.
    WithoutMapTypes {
        /// The map.
        map: String,
    },
}

/// The object's BTF and how far it has come.
#[derive(Debug)]
enum Types {
    /// Not needed yet.
    Untouched,
    /// There is none, or the kernel does not take it.
    Absent,
    /// In the kernel, with each program's records in the order of the object.
    Loaded { fd: OwnedFd, records: Vec<Records> },
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
            maps: object.maps.iter().map(|_| None).collect(),
            notes: Vec::new(),
        }
    }

    /// Loads for the network card of an interface, for [`crate::XdpMode::Offload`].
    #[must_use]
    pub fn offload(mut self, interface: &Interface) -> Self {
        self.offload = Some(interface.clone());
        self
    }

    /// Loads the program with this name, and the maps that it refers to.
    ///
    /// # Errors
    /// [`Error::ProgramMissing`], [`Error::Rejected`] by the verifier,
    /// [`Error::Permission`], [`Error::MapRefused`], [`Error::ProgramSize`].
    pub fn load(&mut self, name: &str) -> Result<Program> {
        let programs = &self.object.programs;
        let Some(index) = programs.iter().position(|program| program.name == name) else {
            return Err(self.missing(name));
        };
        let Some(program) = programs.get(index) else {
            return Err(self.missing(name));
        };
        self.load_types();
        let insns = self.instructions(program)?;
        let fd = self.submit(program, index, &insns)?;
        Ok(Program::new(program, fd))
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

    /// Loads the BTF, once. A kernel that refuses it costs comfort, not function.
    fn load_types(&mut self) {
        if !matches!(self.types, Types::Untouched) {
            return;
        }
        self.types = Types::Absent;
        let Some(btf) = &self.object.btf else { return };
        // The records' names are added to the BTF, so they come before its bytes.
        let mut btf = btf.clone();
        let programs = self.object.programs.iter();
        let records = programs
            .map(|program| Records::of(program, &mut btf))
            .collect();
        match bpf::btf_load(&btf.to_bytes()) {
            Ok(fd) => self.types = Types::Loaded { fd, records },
            // The next call fails as well then, and names what is missing.
            Err(error) if error.is(Errno::EPERM) => {}
            Err(error) => self.notes.push(Note::WithoutBtf {
                reason: btf_reason(&error),
            }),
        }
    }

    /// The instructions with the descriptors of the maps that they refer to.
    fn instructions(&mut self, program: &program::Program) -> Result<Vec<u8>> {
        let mut insns = program.insns.clone();
        let slots: Vec<usize> = program.slots().map(|(slot, _)| slot).collect();
        for (slot, reference) in &program.references {
            let (map, offset) = match *reference {
                Reference::Map(map) => (map, 0),
                Reference::MapValue { map, offset } => (map, offset),
                Reference::Extern(_) => {
                    return Err(Error::BadObject {
                        what: format!(
                            "program '{}' refers to what the kernel defines at slot {slot}, which \
                             is not loaded yet",
                            program.name
                        ),
                    });
                }
            };
            let fd = self.create_map(map)?.as_fd().as_raw_fd();
            let insn = slots
                .binary_search(slot)
                .ok()
                .and_then(|at| insns.get_mut(at));
            let Some(insn) = insn else {
                return Err(Error::BadObject {
                    what: format!(
                        "program '{}' refers to a map at slot {slot}, where no instruction begins",
                        program.name
                    ),
                });
            };
            *insn = insn.with_imm(fd, offset as i32);
        }
        Ok(encode_all(&insns))
    }

    /// The map at this index of the object, created on first use.
    fn create_map(&mut self, index: usize) -> Result<&Map> {
        let no_such = || Error::BadObject {
            what: format!("the object has no map number {index}, which a program refers to"),
        };
        let definition = self.object.maps.get(index).ok_or_else(no_such)?;
        let slot = self.maps.get_mut(index).ok_or_else(no_such)?;
        if slot.is_none() {
            let (map, note) = create(definition, ifindex(&self.offload), &self.types)?;
            self.notes.extend(note);
            *slot = Some(Map::new(definition.name.clone(), map));
        }
        slot.as_ref().ok_or_else(no_such)
    }

    /// Loads, with source lines if the kernel takes them.
    fn submit(
        &mut self,
        program: &program::Program,
        index: usize,
        insns: &[u8],
    ) -> Result<OwnedFd> {
        let plain = ProgLoad {
            prog_type: program.prog_type.number(),
            expected_attach_type: program.expected_attach_type.map_or(0, |t| t.number()),
            name: &program.name,
            insns,
            license: &self.object.license,
            prog_flags: prog_flags(program),
            prog_ifindex: ifindex(&self.offload),
            ..ProgLoad::default()
        };
        let Types::Loaded { fd, records } = &self.types else {
            return bpf::prog_load(&plain).map_err(|error| self.refused(program, error));
        };
        let records = records.get(index).map(RecordBytes::new);
        let Some(records) = records.filter(|records| !records.funcs.is_empty()) else {
            return bpf::prog_load(&plain).map_err(|error| self.refused(program, error));
        };
        let with_lines = ProgLoad {
            btf: Some(fd.as_fd()),
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
        let error = match bpf::prog_load(&with_lines) {
            Ok(fd) => return Ok(fd),
            Err(error) => error,
        };
        if !blames_records(&error) {
            return Err(self.refused(program, error));
        }
        // Without its records the program may do. If not, the first answer
        // counts, which tells source lines.
        let fd = bpf::prog_load(&plain).map_err(|_| self.refused(program, error))?;
        self.notes.push(Note::WithoutLines {
            program: program.name.clone(),
        });
        Ok(fd)
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

/// Creates a map, with the types of its keys and values if the kernel takes them.
fn create(
    definition: &object::Map,
    map_ifindex: u32,
    types: &Types,
) -> Result<(bpf::Map, Option<Note>)> {
    let plain = MapCreate {
        map_type: definition.map_type.number(),
        key_size: definition.key_size,
        value_size: definition.value_size,
        max_entries: definition.max_entries,
        map_flags: definition.map_flags,
        name: &definition.name,
        map_extra: definition.map_extra,
        map_ifindex,
        ..MapCreate::default()
    };
    let mut note = None;
    if let (Types::Loaded { fd, .. }, Some(value_type)) = (types, definition.value_type) {
        let typed = MapCreate {
            btf: Some(MapBtf {
                fd: fd.as_fd(),
                key_type_id: definition.key_type.map_or(0, |id| id.0),
                value_type_id: value_type.0,
            }),
            ..plain
        };
        if let Ok(map) = bpf::map_create(&typed) {
            return Ok((map, None));
        }
        note = Some(Note::WithoutMapTypes {
            map: definition.name.clone(),
        });
    }
    match bpf::map_create(&plain) {
        Ok(map) => Ok((map, note)),
        Err(source) if source.is(Errno::EPERM) => Err(Error::Permission {
            action: "create a map",
            missing: missing(NEEDS),
            source,
        }),
        Err(source) => Err(Error::MapRefused {
            map: definition.name.clone(),
            source,
        }),
    }
}

/// `xdp.frags` programs take packets that lie in several buffers.
fn prog_flags(program: &program::Program) -> u32 {
    if program.section.starts_with("xdp.frags") {
        BPF_F_XDP_HAS_FRAGS
    } else {
        0
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

/// The kernel's own words on the BTF, or its errno.
fn btf_reason(error: &SyscallError) -> String {
    match error {
        SyscallError::Refused { log, .. } => {
            log.lines().last().unwrap_or_default().trim().to_owned()
        }
        error => error.to_string(),
    }
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
            Note::WithoutMapTypes { map } => {
                write!(
                    f,
                    "map '{map}' is created without the types of its keys and values, which the kernel refuses"
                )
            }
        }
    }
}
