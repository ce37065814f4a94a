//! What is told: states and steps on the way, a rejection as text, and what the kernel answered in
//! the same form.
//!
//! Read in the order `snapshot.rs`, `watch.rs`, `log.rs`, `render.rs`, `kernel_words.rs`,
//! `kernel_says.rs`.

pub(crate) mod kernel_says;
pub(crate) mod kernel_words;
pub(crate) mod log;
pub(crate) mod render;
pub(crate) mod snapshot;
pub(crate) mod watch;
