//! Medians, and how they are printed.

/// The middle of the measurements; 0 for none.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// A row of a table of Markdown.
pub(crate) fn row(cells: &[String]) {
    println!("| {} |", cells.join(" | "));
}

/// The head of a table: the first column is text, the others are numbers.
pub(crate) fn head(titles: &[&str]) {
    println!("| {} |", titles.join(" | "));
    println!("|---|{}", "---:|".repeat(titles.len() - 1));
}
