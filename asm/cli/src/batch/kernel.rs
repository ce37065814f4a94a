//! A row, loaded into the running kernel for its verdict; nothing of it stays.
//!
//! The bytes go to the kernel as they stand in the row, without our decoder between them.
//!
//! Read before: `row.rs`. Read next: `no_kernel.rs`.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use ebpf_asm::btf::Btf;
use ebpf_asm::verifier_log::{VerifierLog, figure};
use ebpf_syscalls::bpf::{
    self, FuncInfoRecords, LogLevel, Map, MapBtf, MapCreate, ProgLoad, UpdateMode,
    prog_load_with_log,
};
use ebpf_syscalls::{Errno, Error};
use ebpf_verifier_sim::{KernelRefusal, without_reason};

use super::Log;
use super::answer::Said;
use super::maps::{key_type, map_name};
use super::row::{MapRow, Row, SLOT};
use crate::limited;
use crate::privilege::Privilege;
use crate::running::errno_name;

/// Where in a slot its registers and its number are.
const REGISTERS: usize = 1;
const IMM: usize = 4;

/// `BPF_PSEUDO_MAP_FD`.
const MAP_FD: u8 = 1;

/// `BPF_MAP_TYPE_ARRAY_OF_MAPS` and `BPF_MAP_TYPE_HASH_OF_MAPS`.
const OF_MAPS: [u32; 2] = [12, 13];

/// The lines of a log with one line of words: that, and the three of `BPF_LOG_STATS`.
const ONE_AND_STATISTICS: usize = 4;

/// Out of memory or of descriptors is no verdict.
const NO_VERDICTS: [Errno; 2] = [Errno::ENOMEM, Errno::EMFILE];

/// Why the kernel gives no verdict.
enum Nothing {
    /// The loader may not do it.
    Denied(String),
    Other(String),
}

impl Nothing {
    fn why(self) -> String {
        match self {
            Nothing::Denied(why) | Nothing::Other(why) => why,
        }
    }
}

/// What the kernel says of the row to such a loader.
pub(super) fn load(row: &Row, log: Log, loader: Privilege) -> Said {
    let is_denied = |nothing: &Nothing| matches!(nothing, Nothing::Denied(_));
    let refusal = |nothing: Nothing| Said::reject(nothing.why());
    match limited::verdict(loader, || try_load(row, log), is_denied, refusal) {
        Ok(Ok(said)) => said,
        Ok(Err(nothing)) => Said::unsupported(nothing.why()),
        Err(reason) => Said::unsupported(reason),
    }
}

fn try_load(row: &Row, log: Log) -> Result<Said, Nothing> {
    let btf = match &row.btf {
        Some(bytes) => match bpf::btf_load(&bytes.0) {
            Ok(btf) => Some(btf),
            Err(error) => return not_taken("the BTF", &error),
        },
        None => None,
    };
    let mut insns = row.insns.0.clone();
    let mut maps = Vec::with_capacity(row.maps.len());
    for (index, one) in row.maps.iter().enumerate() {
        let map = match create(&map_name(index), one, row, btf.as_ref()) {
            Ok(map) => map,
            Err(error) => return not_taken("a map", &error),
        };
        for &slot in &one.insns {
            patch(&mut insns, slot as usize, map.as_fd().as_raw_fd())
                .ok_or_else(|| Nothing::Other(format!("no instruction at slot {slot}")))?;
        }
        maps.push(map);
    }
    let words = row.func_info.iter().flat_map(|&(slot, id)| [slot, id]);
    let func_info: Vec<u8> = words.flat_map(u32::to_ne_bytes).collect();
    let load = ProgLoad {
        prog_type: row.prog_type,
        expected_attach_type: row.expected_attach_type,
        attach_btf_id: row.attach_btf_id,
        prog_flags: row.prog_flags,
        name: "row",
        insns: &insns,
        license: &row.license,
        btf: btf.as_ref().map(AsFd::as_fd),
        func_info: FuncInfoRecords {
            rec_size: if func_info.is_empty() { 0 } else { 8 },
            bytes: &func_info,
        },
        ..ProgLoad::default()
    };
    let loaded = match prog_load_with_log(&load, LogLevel::Words) {
        // Which of several lines count is only to be seen in the whole log.
        Err(Error::Refused { log, .. }) if log.lines().count() > ONE_AND_STATISTICS => {
            prog_load_with_log(&load, LogLevel::Stats)
        }
        loaded => loaded,
    };
    let said = verdict(loaded)?;
    Ok(match log {
        Log::None => said,
        Log::States => Said {
            log: states(&load),
            ..said
        },
    })
}

/// The log of every instruction that the kernel looks at. It takes long to write, so that the
/// verdict and its time are asked for without.
fn states(load: &ProgLoad<'_>) -> Option<String> {
    match prog_load_with_log(load, LogLevel::States) {
        Ok((_, log)) | Err(Error::Refused { log, .. }) => Some(log),
        Err(_) => None,
    }
}

fn verdict(loaded: Result<(OwnedFd, String), Error>) -> Result<Said, Nothing> {
    Ok(match loaded {
        Ok((_, stats)) => Said {
            processed: figure(&stats, "processed ").unwrap_or(0),
            usec: figure(&stats, "verification time ").unwrap_or(0),
            ..Said::accept()
        },
        Err(Error::Refused { errno, log, .. }) => Said {
            processed: figure(&log, "processed ").unwrap_or(0),
            usec: figure(&log, "verification time ").unwrap_or(0),
            ..refused(errno, &log)
        },
        Err(error) => return no_log(&error, error.to_string()),
    })
}

/// What an error means that comes without a log.
fn no_log(error: &Error, said: String) -> Result<Said, Nothing> {
    if error.is(Errno::EPERM) {
        return Err(Nothing::Denied(said));
    }
    match NO_VERDICTS.iter().any(|no| error.is(*no)) {
        true => Err(Nothing::Other(said)),
        false => Ok(Said::reject(said)),
    }
}

/// The refusal that a log tells of.
fn refused(errno: Errno, log: &str) -> Said {
    let log = VerifierLog::read(log);
    let code = KernelRefusal::of(&log).and_then(|refusal| refusal.code);
    Said {
        code: code.map(|code| code.to_string()),
        ..Said::reject(
            log.point()
                .unwrap_or_else(|| without_reason(&errno_name(errno))),
        )
    }
}

/// Puts a map's descriptor into the instruction that refers to it.
fn patch(insns: &mut [u8], slot: usize, fd: i32) -> Option<()> {
    let begin = slot.checked_mul(SLOT)?;
    let insn = insns.get_mut(begin..begin.checked_add(SLOT)?)?;
    let registers = insn.get_mut(REGISTERS)?;
    if *registers >> 4 == 0 {
        *registers |= MAP_FD << 4;
    }
    insn.get_mut(IMM..)?.copy_from_slice(&fd.to_le_bytes());
    Some(())
}

fn create(name: &str, map: &MapRow, row: &Row, btf: Option<&OwnedFd>) -> Result<Map, Error> {
    let inner = match (&map.inner, OF_MAPS.contains(&map.map_type)) {
        (Some(inner), true) => Some(create(name, inner, row, btf)?),
        (None, true) => Some(bpf::map_create(&MapCreate {
            map_type: 2,
            key_size: 4,
            value_size: 4,
            max_entries: 1,
            ..MapCreate::default()
        })?),
        (_, false) => None,
    };
    let key_type_id = || {
        let btf = Btf::from_bytes(&row.btf.as_ref()?.0).ok()?;
        Some(key_type(&btf, map.key_size)?.0)
    };
    let typed = map.btf_value_type_id != 0;
    // A descriptor of 0 is what bpf(2) gets from those who have no types.
    let nothing = io::stdin();
    let types = btf.map_or(nothing.as_fd(), AsFd::as_fd);
    let created = bpf::map_create(&MapCreate {
        map_type: map.map_type,
        key_size: map.key_size,
        value_size: map.value_size,
        max_entries: map.max_entries,
        map_flags: map.map_flags,
        map_extra: map.map_extra,
        inner_map: inner.as_ref().map(AsFd::as_fd),
        name,
        btf: typed.then(|| MapBtf {
            fd: types,
            key_type_id: key_type_id().unwrap_or(0),
            value_type_id: map.btf_value_type_id,
        }),
        ..MapCreate::default()
    })?;
    fill(&created, map)?;
    if map.frozen {
        created.freeze()?;
    }
    Ok(created)
}

/// Puts the contents into an array, from index 0 on.
fn fill(created: &Map, map: &MapRow) -> Result<(), Error> {
    let Some(contents) = &map.contents else {
        return Ok(());
    };
    let size = created.value_size();
    if size == 0 || created.key_size() != 4 {
        return Ok(());
    }
    for (index, value) in (0u32..map.max_entries).zip(contents.0.chunks(size)) {
        let mut buffer = value.to_vec();
        buffer.resize(created.buffer_size(), 0);
        created.update_elem(&index.to_ne_bytes(), &buffer, UpdateMode::Any)?;
    }
    Ok(())
}

/// What the kernel says to what comes before the program, if that is a verdict.
fn not_taken(what: &str, error: &Error) -> Result<Said, Nothing> {
    let why = match error {
        Error::Refused { log, .. } => log.trim().lines().last().unwrap_or_default().to_owned(),
        error => error.to_string(),
    };
    no_log(error, format!("the kernel does not take {what}: {why}"))
}
