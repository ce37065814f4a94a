//! How long ago something was, in words.

use std::time::{Duration, SystemTime};

/// How long ago, in the unit that fits; what is yet to come is just now.
pub(crate) fn age(since: SystemTime) -> String {
    let seconds = SystemTime::now()
        .duration_since(since)
        .unwrap_or(Duration::ZERO)
        .as_secs();
    match seconds {
        0 => "just now".to_owned(),
        1..60 => format!("{seconds} s ago"),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..172_800 => format!("{} h ago", seconds / 3600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_told_in_the_unit_that_fits() {
        let ago = |s| age(SystemTime::now() - Duration::from_secs(s));
        assert_eq!(ago(0), "just now");
        assert_eq!(ago(125), "2 min ago");
        assert_eq!(ago(7300), "2 h ago");
        assert_eq!(ago(300_000), "3 days ago");
        let future = SystemTime::now() + Duration::from_secs(60);
        assert_eq!(age(future), "just now");
    }
}
