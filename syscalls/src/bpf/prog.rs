//! Loading programs: `BPF_PROG_LOAD`.
//!
//! <https://docs.ebpf.io/linux/syscall/BPF_PROG_LOAD/>

use std::ffi::CString;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use bytemuck::Zeroable;
use nix::errno::Errno;

use super::attr::ProgLoadAttr;
use super::command::{Command, address, address_mut, bpf_fd};
use super::log::{Attempt, FIRST, Outcome, TooLong, collect};
use super::name;
use crate::{Error, Result, memlock};

/// Attempts at a load that the kernel answers with EAGAIN (it does when a
/// signal interrupts verification).
const ATTEMPTS: u32 = 5;

/// The verifier's usual log: every instruction of the path that failed.
const BPF_LOG_LEVEL1: u32 = 1;

/// Every instruction of all paths, with the state behind each.
const BPF_LOG_LEVEL2: u32 = 2;

/// The figures at the end of the log: how long it took, how many instructions (Linux 5.2).
const BPF_LOG_STATS: u32 = 4;

/// Bytes that the figures fit in.
const STATS_SIZE: usize = 1024;

/// Bytes of an instruction slot.
const INSN_SIZE: usize = 8;

/// `func_info`: records of equal size, as in `.BTF.ext`.
#[derive(Debug, Clone, Copy, Default)]
pub struct FuncInfoRecords<'a> {
    /// Bytes of one record, at least 8.
    pub rec_size: u32,
    /// All records, one after the other.
    pub bytes: &'a [u8],
}

/// `line_info`: records of equal size, as in `.BTF.ext`.
#[derive(Debug, Clone, Copy, Default)]
pub struct LineInfoRecords<'a> {
    /// Bytes of one record, at least 16.
    pub rec_size: u32,
    /// All records, one after the other.
    pub bytes: &'a [u8],
}

/// What [`prog_load`] hands to the kernel. Numbers are the UAPI's.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProgLoad<'a> {
    /// `enum bpf_prog_type`.
    pub prog_type: u32,
    /// `enum bpf_attach_type`, such as [`super::BPF_XDP`]; 0 for types that need none.
    pub expected_attach_type: u32,
    /// The program's name, cut to 15 characters for the kernel.
    pub name: &'a str,
    /// The instructions in the byte order of this machine, 8 bytes a slot.
    pub insns: &'a [u8],
    /// The license, which decides on helpers that only GPL programs may call.
    pub license: &'a str,
    /// `BPF_F_*` flags: that the program may sleep, or takes packets in several buffers.
    pub prog_flags: u32,
    /// The interface for which an offloaded program is translated; else 0.
    pub prog_ifindex: u32,
    /// The type of the kernel's BTF that the program attaches to; 0 for none.
    pub attach_btf_id: u32,
    /// What instructions name by an index: the BTF of modules whose functions they call, from
    /// index 1 on, since 0 in a call stands for the kernel itself (Linux 5.16).
    pub fd_array: &'a [BorrowedFd<'a>],
    /// The BTF that `func_info` and `line_info` refer to.
    pub btf: Option<BorrowedFd<'a>>,
    /// Types of the functions; empty without BTF.
    pub func_info: FuncInfoRecords<'a>,
    /// Source lines of the instructions; empty without BTF.
    pub line_info: LineInfoRecords<'a>,
}

/// Verifies and loads a program.
///
/// An accepted program costs one system call. Only a refused one is offered
/// again with a log, whose buffer grows until all of it fits.
///
/// # Errors
/// [`Error::Refused`] with the verifier's log; else [`Error::Call`], of which
/// `E2BIG` means no instructions or more than the kernel takes, and `EPERM`
/// a missing capability.
pub fn prog_load(load: &ProgLoad<'_>) -> Result<OwnedFd> {
    let license =
        CString::new(load.license).map_err(|_| Error::argument("the license contains a NUL"))?;
    let attr = attributes(load, &license)?;
    let first = memlock::retry_with_more(|| submit(attr, 0, &mut []).result);
    let errno = match first {
        Ok(fd) => return Ok(fd),
        Err(errno) => errno,
    };
    refused(load, attr, errno)
}

/// What a log of an accepted program tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// The figures of the verification: `verification time N usec`, `processed N insns ...`
    /// (`BPF_LOG_STATS`, Linux 5.2).
    Stats,
    /// The same; and a refused program has what the verifier says at last, without how it came
    /// there, which takes long to write.
    Words,
    /// Every instruction that was looked at and the state behind it, and the figures
    /// (`BPF_LOG_LEVEL2`).
    States,
}

impl LogLevel {
    /// The number for `log_level`.
    fn bits(self) -> u32 {
        match self {
            LogLevel::Stats | LogLevel::Words => BPF_LOG_STATS,
            LogLevel::States => BPF_LOG_LEVEL2 | BPF_LOG_STATS,
        }
    }

    /// Bytes that most such logs fit in.
    fn first_size(self) -> usize {
        match self {
            LogLevel::Stats | LogLevel::Words => STATS_SIZE,
            LogLevel::States => FIRST,
        }
    }
}

/// As [`prog_load`], with the verifier's log. A refused program has the log that was asked for; at
/// [`LogLevel::Stats`] that which [`prog_load`] gives.
///
/// # Errors
/// As for [`prog_load`].
pub fn prog_load_with_log(load: &ProgLoad<'_>, level: LogLevel) -> Result<(OwnedFd, String)> {
    let license =
        CString::new(load.license).map_err(|_| Error::argument("the license contains a NUL"))?;
    let attr = attributes(load, &license)?;
    let mut words = String::new();
    let offered = memlock::retry_with_more(|| {
        match collect(level.first_size(), TooLong::Most, |buffer| {
            submit(attr, level.bits(), buffer)
        }) {
            Outcome::Accepted(fd, log) => Ok((fd, log)),
            Outcome::Refused(errno, log) => {
                words = log;
                Err(errno)
            }
        }
    });
    match offered {
        Ok(accepted) => Ok(accepted),
        Err(errno) if level != LogLevel::Stats && !words.is_empty() => Err(Error::Refused {
            call: Command::ProgLoad.name(),
            object: load.name.to_owned(),
            errno,
            log: words,
        }),
        Err(errno) => refused(load, attr, errno).map(|fd| (fd, String::new())),
    }
}

/// Offers a refused program again, for its log.
fn refused(load: &ProgLoad<'_>, attr: ProgLoadAttr, errno: Errno) -> Result<OwnedFd> {
    match collect(FIRST, TooLong::End, |buffer| {
        submit(attr, BPF_LOG_LEVEL1, buffer)
    }) {
        // The first refusal was a passing state.
        Outcome::Accepted(fd, _) => Ok(fd),
        Outcome::Refused(_, log) if log.is_empty() => {
            Err(Error::call(Command::ProgLoad.name(), load.name, errno))
        }
        Outcome::Refused(_, log) => Err(Error::Refused {
            call: Command::ProgLoad.name(),
            object: load.name.to_owned(),
            errno,
            log,
        }),
    }
}

/// Checks the lengths on which the kernel relies, and fills the structure.
///
/// The addresses in it are those of `load`'s slices and of `license`.
fn attributes(load: &ProgLoad<'_>, license: &CString) -> Result<ProgLoadAttr> {
    if !load.insns.len().is_multiple_of(INSN_SIZE) {
        return Err(Error::argument(
            "instructions are not a multiple of 8 bytes",
        ));
    }
    let insn_cnt = u32::try_from(load.insns.len() / INSN_SIZE)
        .map_err(|_| Error::call(Command::ProgLoad.name(), load.name, Errno::E2BIG))?;
    Ok(ProgLoadAttr {
        prog_type: load.prog_type,
        insn_cnt,
        insns: address(load.insns),
        license: license.as_ptr() as u64,
        prog_flags: load.prog_flags,
        prog_name: name::encode(load.name),
        prog_ifindex: load.prog_ifindex,
        expected_attach_type: load.expected_attach_type,
        attach_btf_id: load.attach_btf_id,
        fd_array: address(load.fd_array),
        prog_btf_fd: load.btf.map_or(0, |fd| fd.as_raw_fd() as u32),
        func_info_rec_size: load.func_info.rec_size,
        func_info: address(load.func_info.bytes),
        func_info_cnt: records("func_info", load.func_info.bytes, load.func_info.rec_size)?,
        line_info_rec_size: load.line_info.rec_size,
        line_info: address(load.line_info.bytes),
        line_info_cnt: records("line_info", load.line_info.bytes, load.line_info.rec_size)?,
        ..ProgLoadAttr::zeroed()
    })
}

/// How many whole records the bytes are.
fn records(what: &str, bytes: &[u8], rec_size: u32) -> Result<u32> {
    if bytes.is_empty() {
        return Ok(0);
    }
    let size = rec_size as usize;
    if size == 0 || !bytes.len().is_multiple_of(size) {
        return Err(Error::argument(format!(
            "{what}: {} bytes are not whole records of {size} bytes",
            bytes.len()
        )));
    }
    u32::try_from(bytes.len() / size).map_err(|_| Error::argument(format!("{what}: too long")))
}

/// One load, with a log of `level` when `buffer` is not empty. `attr` comes from
/// [`attributes`].
fn submit(mut attr: ProgLoadAttr, level: u32, buffer: &mut [u8]) -> Attempt<OwnedFd> {
    if !buffer.is_empty() {
        attr.log_level = level;
        attr.log_size = u32::try_from(buffer.len()).unwrap_or(u32::MAX >> 8);
        attr.log_buf = address_mut(buffer);
    }
    let mut result = Err(Errno::EAGAIN);
    for _ in 0..ATTEMPTS {
        // SAFETY: `attributes` took the addresses and lengths from slices that
        // `prog_load` borrows until it returns, and from the NUL-terminated
        // license that it owns; of `fd_array`, whose elements are numbers of
        // descriptors (`BorrowedFd` is `repr(transparent)`), it only reads, and an
        // index behind the end is at worst a wrong number; the log buffer is borrowed exclusively here and
        // `log_size` is at most its length. The command returns a new descriptor.
        result = unsafe { bpf_fd(Command::ProgLoad, &mut attr) };
        if !matches!(result, Err(Errno::EAGAIN)) {
            break;
        }
    }
    Attempt {
        result,
        true_size: attr.log_true_size as usize,
    }
}
