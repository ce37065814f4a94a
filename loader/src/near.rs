//! Names that are near a mistyped one.

/// At most this many are suggested.
const SUGGESTIONS: usize = 3;

/// The names that differ from `wanted` by little, nearest first.
///
/// "Little" is a third of its letters, at least one.
pub(crate) fn near<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let limit = (wanted.chars().count() / 3).max(1);
    let mut found: Vec<_> = names
        .map(|name| (distance(wanted, name), name))
        .filter(|(distance, _)| *distance <= limit)
        .collect();
    found.sort_unstable();
    found
        .into_iter()
        .take(SUGGESTIONS)
        .map(|(_, name)| name.to_owned())
        .collect()
}

/// The optimal string alignment distance: letters to insert, delete or change,
/// and neighbours to swap.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    // rows[i][j] is the distance of the first i letters of `a` to the first j of `b`.
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    let at = |rows: &[Vec<usize>], i: usize, j: usize| {
        rows.get(i)
            .and_then(|row| row.get(j))
            .copied()
            .unwrap_or(usize::MAX)
    };
    for (i, from) in a.iter().enumerate() {
        rows.push(vec![i + 1]);
        for (j, to) in b.iter().enumerate() {
            let change = at(&rows, i, j) + usize::from(from != to);
            let insert_or_delete = at(&rows, i, j + 1).min(at(&rows, i + 1, j)) + 1;
            let mut least = change.min(insert_or_delete);
            let previous = |letters: &[char], k: usize| letters.get(k.checked_sub(1)?).copied();
            if previous(&a, i) == Some(*to) && previous(&b, j) == Some(*from) {
                least = least.min(at(&rows, i - 1, j - 1) + 1);
            }
            if let Some(row) = rows.last_mut() {
                row.push(least);
            }
        }
    }
    at(&rows, a.len(), b.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_or_a_swap_counts_one() {
        for (a, b, d) in [
            ("", "", 0),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
            ("eth0", "eht0", 1),
            ("lo", "ol", 1),
            ("abcd", "badc", 2),
            ("eth0", "eth0", 0),
        ] {
            assert_eq!(distance(a, b), d, "{a} {b}");
            assert_eq!(distance(b, a), d, "{b} {a}");
        }
    }

    #[test]
    fn only_near_names_come_nearest_first() {
        let names = ["lo", "enp1s0", "eth0", "eth10", "wlan0"];
        assert_eq!(near("eth1", names.into_iter()), ["eth0", "eth10"]);
        assert!(near("docker0", names.into_iter()).is_empty());
    }
}
