//! Processors that do not fall asleep while something is measured.
//!
//! A virtual processor with nothing to do is given to others, and what it runs first when it is
//! back is slow, whoever runs it: its caches, and the host's tables of pages, are gone. Where two
//! are asked in turn, that falls on the one behind the pause. So each processor has something to do
//! here, of the lowest priority, which makes way for everything else.

use std::process::{Child, Command, Stdio};
use std::thread;

use ebpf_tests::Outcome;

/// Goes round until whoever started it is gone.
const ROUND: &str = "while kill -0 $PPID 2>/dev/null; do :; done";

/// Keeps the processors awake for as long as it is there.
pub(crate) struct Awake(Vec<Child>);

impl Awake {
    /// Something to do for each processor.
    pub(crate) fn start() -> Outcome<Awake> {
        let processors = thread::available_parallelism()?.get();
        let mut awake = Awake(Vec::with_capacity(processors));
        for _ in 0..processors {
            let child = Command::new("nice")
                .args(["-n", "19", "sh", "-c", ROUND])
                .stdin(Stdio::null())
                .spawn()?;
            awake.0.push(child);
        }
        Ok(awake)
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // One that has ended already is no trouble.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
