//! The verifier's log: how big a buffer it needs, and asking again until all of it fits.

use nix::errno::Errno;

/// First size of a log buffer, in bytes: enough for most refusals of small programs.
pub(super) const FIRST: usize = 64 * 1024;

/// Largest log buffer, in bytes. Kernels before 5.2 refuse more (`UINT_MAX >> 8`),
/// and a refusal's last lines, which matter, are kept by newer ones anyway.
const LARGEST: usize = u32::MAX as usize >> 8;

/// One attempt with a log buffer, as the kernel answered it.
pub(super) struct Attempt<T> {
    /// What the command returned.
    pub(super) result: Result<T, Errno>,
    /// `log_true_size`: bytes that the log needs, or 0 on kernels before 6.4.
    pub(super) true_size: usize,
}

/// What repeated attempts came to.
pub(super) enum Outcome<T> {
    /// The kernel accepted, and this is its log.
    Accepted(T, String),
    /// It refused, and this is its log (which may be empty).
    Refused(Errno, String),
}

/// What is wanted of a log that no buffer has room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TooLong {
    /// As much of it as the largest buffer has room for.
    Most,
    /// Its end, where the reason of a refusal stands. To ask again would take as long as before,
    /// and give no other reason.
    End,
}

/// Calls `attempt` with buffers of `first` bytes and more until the log fits or cannot grow.
///
/// `ENOSPC` means that the log was cut. Since 6.4 the kernel says how much it
/// needs, and the buffer has the end of it; before, the buffer is doubled.
pub(super) fn collect<T>(
    first: usize,
    too_long: TooLong,
    mut attempt: impl FnMut(&mut [u8]) -> Attempt<T>,
) -> Outcome<T> {
    let mut buffer = vec![0; first];
    loop {
        let Attempt { result, true_size } = attempt(&mut buffer);
        match result {
            Ok(value) => return Outcome::Accepted(value, text(&buffer)),
            Err(errno @ Errno::ENOSPC) if too_long == TooLong::End && true_size > LARGEST => {
                return Outcome::Refused(errno, whole_lines(text(&buffer)));
            }
            Err(Errno::ENOSPC) if buffer.len() < LARGEST => {
                buffer = vec![0; next_size(buffer.len(), true_size)];
            }
            Err(errno) => return Outcome::Refused(errno, text(&buffer)),
        }
    }
}

/// The log in a buffer, up to its NUL.
fn text(buffer: &[u8]) -> String {
    super::name::decode(buffer).trim_end().to_owned()
}

/// The end of a log without the line that it begins in.
fn whole_lines(end: String) -> String {
    match end.split_once('\n') {
        Some((_, lines)) => lines.to_owned(),
        None => end,
    }
}

fn next_size(size: usize, true_size: usize) -> usize {
    let wanted = if true_size > size {
        true_size
    } else {
        size * 2
    };
    wanted.min(LARGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"0: (95) exit\nR0 !read_ok\n";

    fn kernel(need: usize, says_size: bool) -> impl FnMut(&mut [u8]) -> Attempt<()> {
        move |buffer| {
            let fits = buffer.len() >= need;
            buffer[..TEXT.len()].copy_from_slice(TEXT);
            Attempt {
                result: Err(if fits { Errno::EACCES } else { Errno::ENOSPC }),
                true_size: if says_size { need } else { 0 },
            }
        }
    }

    #[test]
    fn grows_to_the_true_size_in_one_step() {
        let mut calls = 0;
        let mut answer = kernel(1_000_000, true);
        let outcome = collect(FIRST, TooLong::Most, |buffer| {
            calls += 1;
            answer(buffer)
        });
        assert!(matches!(outcome, Outcome::Refused(_, log) if log.ends_with("R0 !read_ok")));
        assert_eq!(calls, 2);
    }

    #[test]
    fn doubles_where_the_kernel_does_not_say() {
        let mut sizes = Vec::new();
        let mut answer = kernel(200_000, false);
        collect(FIRST, TooLong::Most, |buffer| {
            sizes.push(buffer.len());
            answer(buffer)
        });
        assert_eq!(sizes, [65536, 131_072, 262_144]);
    }

    #[test]
    fn stops_at_the_largest_buffer() {
        let mut last = 0;
        let mut answer = kernel(usize::MAX, true);
        collect(FIRST, TooLong::Most, |buffer| {
            last = buffer.len();
            answer(buffer)
        });
        assert_eq!(last, LARGEST);
    }

    #[test]
    fn the_end_of_a_log_without_bound_is_asked_for_once() {
        let mut calls = 0;
        let mut answer = kernel(LARGEST + 1, true);
        let outcome = collect(FIRST, TooLong::End, |buffer| {
            calls += 1;
            answer(buffer)
        });
        assert!(matches!(outcome, Outcome::Refused(_, log) if log == "R0 !read_ok"));
        assert_eq!(calls, 1);
    }

    #[test]
    fn a_log_that_a_buffer_has_room_for_is_whole() {
        let outcome = collect(FIRST, TooLong::End, kernel(LARGEST, true));
        assert!(matches!(outcome, Outcome::Refused(_, log) if log.starts_with("0: (95)")));
    }
}
