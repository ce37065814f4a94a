//! Lines in, lines out: judged by several threads at once, answered in order.
//!
//! Whoever is done takes the next line. No thread runs further ahead of the oldest line that
//! is not yet answered than [`AHEAD`] lines, so that memory stays bounded. A thread more begins
//! only when all others have a line: who asks, waits for the answer and asks again is answered
//! by the same two threads, whose memory is at hand.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read, Write};
use std::num::NonZero;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Scope};

/// How many lines may be read before the oldest of them is answered.
const AHEAD: usize = 4096;

/// The longest line, in bytes. A million instructions are 16 million of them.
const LONGEST: u64 = 256 << 20;

/// What ends the run.
#[derive(Debug)]
pub(super) enum Error {
    Read(io::Error),
    Write(io::Error),
}

struct Input<R> {
    lines: R,
    /// The number of the next line that is not blank.
    next: usize,
    /// How many lines are read to their end, blank ones among them.
    ended: usize,
}

struct Output<W> {
    to: W,
    /// The number of the next line to be answered.
    next: usize,
    /// Answers that wait for earlier ones.
    waiting: BTreeMap<usize, String>,
    /// What went wrong.
    failed: Option<Error>,
}

/// A line, or the end.
enum Line {
    Of {
        /// Its number among those that are answered.
        number: usize,
        /// Its number in the file, from 1.
        at: usize,
        text: String,
    },
    End,
}

struct Shared<R, W> {
    input: Mutex<Input<R>>,
    output: Mutex<Output<W>>,
    moved: Condvar,
    crew: Mutex<Crew>,
}

/// The threads.
struct Crew {
    /// How many may still begin.
    more: usize,
    /// How many have no line.
    free: usize,
}

/// Writes `answer` of every line that is not blank, by its number in the file and its text. That
/// nobody reads the answers any more ends the run without an error.
pub(super) fn map_lines<R: BufRead + Send, W: Write + Send>(
    lines: R,
    to: W,
    jobs: NonZero<usize>,
    answer: &(impl Fn(usize, &str) -> String + Sync),
) -> Result<(), Error> {
    let shared = Shared {
        input: Mutex::new(Input {
            lines,
            next: 0,
            ended: 0,
        }),
        output: Mutex::new(Output {
            to,
            next: 0,
            waiting: BTreeMap::new(),
            failed: None,
        }),
        moved: Condvar::new(),
        crew: Mutex::new(Crew {
            more: jobs.get() - 1,
            free: 1,
        }),
    };
    thread::scope(|scope| {
        scope.spawn(|| shared.work(scope, answer));
    });
    let output = shared
        .output
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    match output.failed {
        Some(Error::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Some(error) => Err(error),
        None => Ok(()),
    }
}

impl<R: BufRead + Send, W: Write + Send> Shared<R, W> {
    fn work<'s>(
        &'s self,
        scope: &'s Scope<'s, '_>,
        answer: &'s (impl Fn(usize, &str) -> String + Sync),
    ) {
        while let Line::Of { number, at, text } = self.read() {
            if self.needs_another() {
                scope.spawn(|| self.work(scope, answer));
            }
            let text = answer(at, &text);
            // Before anybody can have the answer, and ask on.
            self.crew().free += 1;
            self.write(number, text);
        }
    }

    /// Notes that a thread has a line; says whether another is to begin, since none is left to
    /// take the next.
    fn needs_another(&self) -> bool {
        let mut crew = self.crew();
        crew.free = crew.free.saturating_sub(1);
        if crew.free > 0 || crew.more == 0 {
            return false;
        }
        crew.more -= 1;
        crew.free += 1;
        true
    }

    fn crew(&self) -> MutexGuard<'_, Crew> {
        self.crew.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn output(&self) -> MutexGuard<'_, Output<W>> {
        self.output.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next line that is not blank.
    fn read(&self) -> Line {
        let mut input = self.input.lock().unwrap_or_else(PoisonError::into_inner);
        let mut output = self.output();
        while input.next >= output.next + AHEAD && output.failed.is_none() {
            output = self
                .moved
                .wait(output)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if output.failed.is_some() {
            return Line::End;
        }
        drop(output);
        loop {
            let mut line = Vec::new();
            let read = (&mut input.lines)
                .take(LONGEST)
                .read_until(b'\n', &mut line);
            match read {
                Ok(0) => return Line::End,
                Ok(_) => {}
                Err(error) => {
                    self.output().failed = Some(Error::Read(error));
                    return Line::End;
                }
            }
            let at = input.ended + 1;
            input.ended += usize::from(line.ends_with(b"\n"));
            if !line.trim_ascii().is_empty() {
                let (number, text) = (input.next, String::from_utf8_lossy(&line).into_owned());
                input.next += 1;
                return Line::Of { number, at, text };
            }
        }
    }

    /// Writes what is in order now, and keeps the rest.
    fn write(&self, number: usize, answer: String) {
        let mut output = self.output();
        output.waiting.insert(number, answer);
        let mut text = String::new();
        while let Some(next) = output.first_ready() {
            text += &next;
            text.push('\n');
        }
        if !text.is_empty() && output.failed.is_none() {
            let written = output
                .to
                .write_all(text.as_bytes())
                .and_then(|()| output.to.flush());
            output.failed = written.err().map(Error::Write);
        }
        self.moved.notify_all();
    }
}

impl<W> Output<W> {
    fn first_ready(&mut self) -> Option<String> {
        let answer = self.waiting.remove(&self.next)?;
        self.next += 1;
        Some(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::time::Duration;

    #[test]
    fn answers_come_in_order_whoever_is_slow() {
        let lines: String = (0..2 * AHEAD).map(|n| format!("{n}\n\n")).collect();
        let mut to = Vec::new();
        let slow = |_, line: &str| {
            if line.trim() == "7" {
                thread::sleep(Duration::from_millis(50));
            }
            line.trim().to_owned()
        };
        let jobs = NonZero::new(3).unwrap();
        map_lines(lines.as_bytes(), &mut to, jobs, &slow).unwrap();
        let expected: String = (0..2 * AHEAD).map(|n| format!("{n}\n")).collect();
        assert_eq!(String::from_utf8(to).unwrap(), expected);
    }

    #[test]
    fn who_waits_for_each_answer_is_answered_by_two_threads() {
        /// Lines that are there when those before are answered.
        struct Asking(Receiver<()>, usize);
        impl Read for Asking {
            fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
                let asked = self.1 > 0 && self.0.recv().is_ok();
                self.1 -= usize::from(asked);
                match to.first_chunk_mut() {
                    Some(to) if asked => *to = *b"x\n",
                    _ => return Ok(0),
                }
                Ok(2)
            }
        }
        struct Told(Sender<()>);
        impl Write for Told {
            fn write(&mut self, text: &[u8]) -> io::Result<usize> {
                // Nobody waits any more for the last.
                let _ = self.0.send(());
                Ok(text.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (tell, answered) = channel();
        tell.send(()).unwrap();
        let threads = Mutex::new(BTreeSet::new());
        let answer = |_, _: &str| {
            let id = format!("{:?}", thread::current().id());
            threads.lock().unwrap().insert(id);
            String::new()
        };
        let asking = io::BufReader::new(Asking(answered, 50));
        let jobs = NonZero::new(8).unwrap();
        map_lines(asking, Told(tell), jobs, &answer).unwrap();
        assert!((1..=2).contains(&threads.lock().unwrap().len()));
    }

    #[test]
    fn a_reader_that_goes_away_ends_the_run() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let lines = "x\n".repeat(3 * AHEAD);
        let jobs = NonZero::new(2).unwrap();
        assert!(map_lines(lines.as_bytes(), Gone, jobs, &|_, _| String::new()).is_ok());
    }
}
