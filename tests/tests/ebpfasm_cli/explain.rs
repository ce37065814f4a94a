//! `explain`.

use super::Place;

#[test]
fn a_code_has_a_page_by_number_in_any_form() {
    let place = Place::new();
    let page = place.run(&["explain", "BPF0403"]).code(0).stdout;
    let heading = "BPF0403: The helper wants a GPL-compatible license.\n";
    assert!(page.starts_with(heading), "{page}");
    assert!(!page.contains("```"), "{page}");
    for short in ["403", "0403", "bpf0403"] {
        assert_eq!(place.run(&["explain", short]).code(0).stdout, page);
    }
}

#[test]
fn words_find_pages() {
    let place = Place::new();
    let all = place.run(&["explain"]).code(0).stdout;
    assert!(all.lines().count() > 50, "{all}");
    let found = place.run(&["explain", "packet"]).code(0).stdout;
    let line = "BPF0203  An access to the packet is not proven to be inside of it.\n";
    assert!(found.contains(line), "{found}");
    assert!(found.lines().count() < all.lines().count(), "{found}");
}

#[test]
fn what_is_on_no_page_is_not_found() {
    let ended = Place::new().run(&["explain", "BPF9999"]).code(5);
    assert!(
        ended.stderr.contains("'bpf9999' is no code"),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.stdout, "");
}
