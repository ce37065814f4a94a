//! Waiting for the signals that end a command.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use ebpf_cli::exit::Exit;
use ebpf_cli::report::Failure;

/// The signals that ask a command to end; they arrive here from when this is made.
#[derive(Debug)]
pub(crate) struct EndSignals {
    arrived: UnixStream,
}

/// What a wait came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waited {
    /// A signal arrived.
    Signal,
    /// None did in the time.
    TimeOut,
}

impl EndSignals {
    /// Catches the signals from now on.
    pub(crate) fn catch() -> Result<Self, Failure> {
        let caught = || -> io::Result<UnixStream> {
            let (arrived, write) = UnixStream::pair()?;
            for signal in [SIGINT, SIGTERM, SIGHUP] {
                signal_hook::low_level::pipe::register(signal, write.try_clone()?)?;
            }
            Ok(arrived)
        };
        caught()
            .map(|arrived| EndSignals { arrived })
            .map_err(|error| Failure::new(Exit::Internal, format!("cannot catch signals: {error}")))
    }

    /// Waits for a signal.
    pub(crate) fn wait(&mut self, at_most: Duration) -> Result<Waited, Failure> {
        let failed =
            |error| Failure::new(Exit::Internal, format!("cannot wait for signals: {error}"));
        self.arrived
            .set_read_timeout(Some(at_most))
            .map_err(failed)?;
        match self.arrived.read_exact(&mut [0]) {
            Ok(()) => Ok(Waited::Signal),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Ok(Waited::TimeOut),
                // Some other signal; the byte for one of ours is there the next time.
                io::ErrorKind::Interrupted => Ok(Waited::TimeOut),
                _ => Err(failed(error)),
            },
        }
    }
}
