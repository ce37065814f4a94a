//! The crate's reference tables: all that they say to write is in the program behind each, which
//! is compiled as a documentation test.

use std::collections::BTreeSet;

const DOCS: &str = include_str!("../src/lib.rs");

/// The code in the second column of a section's table.
fn table(section: &str) -> BTreeSet<String> {
    let rows = section.lines().filter(|line| line.starts_with("//! |"));
    // Before the first bar is the comment's own mark.
    let cells = rows.filter_map(|row| row.split(" | ").nth(2));
    let code = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    code.map(|code| code.replace("\\|", "|")).collect()
}

#[test]
fn what_the_tables_say_to_write_compiles() {
    let sections: Vec<&str> = DOCS.split("//! # ").collect();
    let sections = sections
        .iter()
        .filter(|section| section.starts_with("What to write"));
    let mut rows = Vec::new();
    for section in sections {
        let program = section.split("//! ```").nth(1).unwrap();
        let table = table(section);
        for code in &table {
            assert!(program.contains(code), "`{code}` is not in the program");
        }
        rows.push(table.len());
    }
    assert_eq!(rows.len(), 2, "tables");
    assert!(rows.iter().all(|rows| *rows > 15), "{rows:?}");
}
