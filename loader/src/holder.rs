//! Which processes hold a link: what proc(5) tells of their descriptors.
//!
//! Looking through all processes costs milliseconds, so nothing here is done
//! unasked, and nothing on the way to an attachment that succeeds.

use std::fmt;
use std::fs;
use std::path::Path;

/// What descriptors of the BPF subsystem are called, of whichever kind.
const BPF_FILE: &str = "anon_inode:bpf";

/// A process that holds a link, so that its program stays attached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its id in the namespace of the proc file system.
    pub pid: u32,
    /// The first 15 bytes of its command's name.
    pub command: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, pid {}", self.command, self.pid)
    }
}

/// The processes that have a descriptor of the link, by id.
///
/// None are found in other PID namespaces, without privileges those of other
/// users neither, and a link may be held by its pin alone.
#[must_use]
pub fn holders(link_id: u32) -> Vec<Holder> {
    let Ok(processes) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let mut holders: Vec<_> = processes
        .filter_map(|process| {
            let process = process.ok()?;
            let pid = process.file_name().to_str()?.parse().ok()?;
            holds(&process.path(), link_id).then(|| Holder {
                pid,
                command: command(&process.path()),
            })
        })
        .collect();
    holders.sort_unstable_by_key(|holder| holder.pid);
    holders
}

/// Whether the process of this folder has a descriptor of the link.
fn holds(process: &Path, link_id: u32) -> bool {
    let Ok(descriptors) = fs::read_dir(process.join("fd")) else {
        return false;
    };
    descriptors.flatten().any(|descriptor| {
        let is_bpf = fs::read_link(descriptor.path())
            .is_ok_and(|target| target.to_string_lossy().starts_with(BPF_FILE));
        let info = process.join("fdinfo").join(descriptor.file_name());
        is_bpf && fs::read_to_string(info).is_ok_and(|info| names_link(&info, link_id))
    })
}

/// Whether a descriptor's information has the line `link_id:`, a tab and the id.
fn names_link(info: &str, link_id: u32) -> bool {
    info.lines()
        .filter_map(|line| line.strip_prefix("link_id:"))
        .any(|id| id.trim().parse() == Ok(link_id))
}

fn command(process: &Path) -> String {
    fs::read_to_string(process.join("comm")).map_or_else(
        |_| "a process".to_owned(),
        |name| name.trim_end().to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_line_of_the_link_counts() {
        let info = "pos:\t0\nlink_type:\txdp\nlink_id:\t12\nprog_id:\t7\nifindex:\t2\n";
        assert!(names_link(info, 12));
        assert!(!names_link(info, 7));
        assert!(!names_link(info, 1));
    }
}
