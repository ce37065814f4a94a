//! The crate's reference table: all that it says to write is in the program behind it, which
//! is compiled as a documentation test.

use std::collections::BTreeSet;

const DOCS: &str = include_str!("../src/lib.rs");

/// The code in the table's second column.
fn table() -> BTreeSet<String> {
    let rows = DOCS.lines().filter(|line| line.starts_with("//! |"));
    // Before the first bar is the comment's own mark.
    let cells = rows.filter_map(|row| row.split(" | ").nth(2));
    let code = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    code.map(|code| code.replace("\\|", "|")).collect()
}

#[test]
fn what_the_table_says_to_write_compiles() {
    let (_, behind) = DOCS.split_once("# What to write").unwrap();
    let program = behind.split("//! ```").nth(1).unwrap();
    let table = table();
    assert!(table.len() > 20, "{table:?}");
    for code in table {
        assert!(program.contains(&code), "`{code}` is not in the program");
    }
}
