//! Names that were probably meant: the nearest of those that there are.

/// The name of `names` that is nearest to `word`, if it is near at all: a third of it may be
/// wrong, and exchanging two neighbours counts as one fault.
pub fn near<'n>(word: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let length = word.chars().count();
    let most = length.div_ceil(3);
    // Each character too many or too few is a fault.
    let is_as_long = |name: &&str| name.chars().count().abs_diff(length) <= most;
    let candidates = names.into_iter().filter(|name| *name != word);
    let candidates = candidates.filter(is_as_long);
    candidates
        .map(|name| (distance(word, name), name))
        .filter(|(faults, name)| *faults <= most && *faults < name.chars().count())
        .min_by_key(|(faults, _)| *faults)
        .map(|(_, name)| name)
}

/// Names longer than this are not compared.
const LONGEST: usize = 64;

/// How many characters have to be put in, left out, replaced or exchanged with their neighbour
/// to make one name of the other.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len() > LONGEST || b.len() > LONGEST {
        return usize::MAX;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], n: usize| row.get(n).copied().unwrap_or(usize::MAX / 2);
            let mut faults = (at(&last, j) + usize::from(x != y))
                .min(at(&last, j + 1) + 1)
                .min(at(&row, j) + 1);
            let exchanged = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if exchanged {
                faults = faults.min(at(&before, j - 1) + 1);
            }
            row.push(faults);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_and_a_far_one_is_not() {
        let names = ["map_lookup_elem", "map_update_elem", "redirect"];
        assert_eq!(near("map_lokup_elem", names), Some("map_lookup_elem"));
        assert_eq!(near("map_upadte_elem", names), Some("map_update_elem"));
        assert_eq!(near("trace_printk", names), None);
        assert_eq!(near("", names), None);
        assert_eq!(near("x", ["y"]), None);
    }
}
