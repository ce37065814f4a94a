//! What a compiled program file depends on, as rustc's dep-info tells: files and environment
//! variables.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::digest;
use super::stamp::Stamp;

/// Files with the digests of their contents, and variables with their values.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Dependencies {
    files: Vec<(PathBuf, String)>,
    variables: Vec<(String, Option<String>)>,
}

impl Dependencies {
    /// Whether all is as it was.
    pub(super) fn still_hold(&self, folder: &Path) -> bool {
        let same_file = |(path, digest): &(PathBuf, String)| {
            fs::read(folder.join(path)).is_ok_and(|now| digest::of_contents(&now) == *digest)
        };
        let same_variable =
            |(name, value): &(String, Option<String>)| env::var(name).ok() == *value;
        self.files.iter().all(same_file) && self.variables.iter().all(same_variable)
    }
}

/// Files as they were before a compiler read them.
///
/// A file that is saved while the compiler runs must not be taken for the one that it has
/// read: what is compiled then is used once and not kept.
#[derive(Debug)]
pub(super) struct Before {
    started: SystemTime,
    known: Vec<(Stamp, PathBuf, String)>,
}

impl Before {
    /// Looks at the files that are known beforehand.
    pub(super) fn look(folder: &Path, file: &Path, last: Option<&Dependencies>) -> Before {
        let others = last
            .iter()
            .flat_map(|last| &last.files)
            .map(|(path, _)| path);
        let paths = [file].into_iter().chain(others.map(PathBuf::as_path));
        let known = paths.filter_map(|path| {
            let stamp = Stamp::of(&folder.join(path))?;
            let contents = fs::read(folder.join(path)).ok()?;
            Some((stamp, path.to_owned(), digest::of_contents(&contents)))
        });
        let known = known.collect();
        Before {
            started: SystemTime::now(),
            known,
        }
    }

    /// The dependencies that a dep-info file lists; `None` if one of them may have changed
    /// since.
    pub(super) fn dependencies(&self, folder: &Path, dep_info: &str) -> Option<Dependencies> {
        let (paths, variables) = parse(dep_info);
        let files = paths.into_iter().map(|path| {
            let digest = self.unchanged(folder, &path)?;
            Some((path, digest))
        });
        Some(Dependencies {
            files: files.collect::<Option<_>>()?,
            variables,
        })
    }

    /// The digest of a file that is what it was before.
    fn unchanged(&self, folder: &Path, path: &Path) -> Option<String> {
        let now = digest::of_contents(&fs::read(folder.join(path)).ok()?);
        let stamp = Stamp::of(&folder.join(path))?;
        let known = self.known.iter().find(|(_, known, _)| known == path);
        let same = match known {
            Some((before, _, digest)) => *before == stamp && *digest == now,
            None => stamp.is_older_than(self.started),
        };
        same.then_some(now)
    }
}

/// The files and variables of a dep-info file.
///
/// Each file has a line of its own that ends with a colon, in which spaces have a backslash
/// before them. Variables are in comments.
fn parse(dep_info: &str) -> (Vec<PathBuf>, Vec<(String, Option<String>)>) {
    let mut files = Vec::new();
    let mut variables = Vec::new();
    for line in dep_info.lines() {
        if let Some(variable) = line.strip_prefix("# env-dep:") {
            variables.push(match variable.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(unescaped(value))),
                None => (variable.to_owned(), None),
            });
        } else if let Some(path) = line.strip_suffix(':')
            && !line.starts_with('#')
        {
            files.push(PathBuf::from(path.replace("\\ ", " ")));
        }
    }
    (files, variables)
}

/// A variable's value without the escapes of dep-info: `\n`, `\r` and `\\`.
fn unescaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        text.push(match c {
            '\\' => match chars.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                Some(other) => other,
                None => '\\',
            },
            _ => c,
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEP_INFO: &str = "/c/p: a.rs my\\ file.rs\n\n/c/p.d: a.rs my\\ file.rs\n\na.rs:\n\
        my\\ file.rs:\n\n# env-dep:SET=x\\ny\n# env-dep:UNSET\n";

    #[test]
    fn dep_info_lists_files_and_variables() {
        let (files, variables) = parse(DEP_INFO);
        assert_eq!(files, ["a.rs", "my file.rs"].map(PathBuf::from));
        let expected = [
            ("SET".to_owned(), Some("x\ny".to_owned())),
            ("UNSET".to_owned(), None),
        ];
        assert_eq!(variables, expected);
    }

    #[test]
    fn dependencies_hold_until_a_file_changes() {
        let dir = tempfile::tempdir().unwrap();
        let write = |text| fs::write(dir.path().join("a.rs"), text).unwrap();
        write("one");
        let before = Before::look(dir.path(), Path::new("a.rs"), None);
        let deps = before.dependencies(dir.path(), "a.rs:\n").unwrap();
        assert!(deps.still_hold(dir.path()));
        write("two");
        assert!(!deps.still_hold(dir.path()));
        write("one");
        assert!(deps.still_hold(dir.path()));
        fs::remove_file(dir.path().join("a.rs")).unwrap();
        assert!(!deps.still_hold(dir.path()));
    }

    #[test]
    fn a_file_saved_while_the_compiler_ran_is_not_taken_for_what_it_read() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.rs"), "one").unwrap();
        let before = Before::look(dir.path(), Path::new("a.rs"), None);
        fs::write(dir.path().join("a.rs"), "two").unwrap();
        assert_eq!(before.dependencies(dir.path(), "a.rs:\n"), None);
        // One that was not known before, and is new.
        fs::write(dir.path().join("b.rs"), "b").unwrap();
        assert_eq!(before.dependencies(dir.path(), "b.rs:\n"), None);
    }

    #[test]
    fn a_variable_that_changes_is_noticed() {
        let with = |value: Option<&str>| Dependencies {
            files: Vec::new(),
            variables: vec![("EBPFASM_TEST_UNSET".into(), value.map(str::to_owned))],
        };
        assert!(with(None).still_hold(Path::new("/")));
        assert!(!with(Some("x")).still_hold(Path::new("/")));
    }
}
