//! What counts as the same path, and which covers which.

use proptest::prelude::*;

use super::*;

#[test]
fn slashes_without_a_segment_do_not_count() {
    for path in ["repos/o", "/repos/o", "//repos//o/", "/repos/o///"] {
        assert_eq!(Path::new(path), Path::new("/repos/o"), "{path}");
    }
    assert_eq!(Path::new(""), Path::root());
    assert_eq!(Path::new("///"), Path::root());
    assert_eq!(Path::root().to_string(), "/");
}

#[test]
fn a_path_covers_itself_and_what_lies_below() {
    let covers = |above: &str, below: &str| Path::new(above).covers(&Path::new(below));
    assert!(covers("/a/b", "/a/b"));
    assert!(covers("/a/b", "/a/b/c/d"));
    assert!(covers("/", "/a"));
    assert!(!covers("/a/b", "/a"));
    assert!(!covers("/a/b", "/a/bc"));
    assert!(!covers("/a", "/"));
}

#[test]
fn one_that_is_too_long_becomes_an_ancestor() {
    let long = format!("/a/{}", "x".repeat(Path::MAX_LEN));
    assert_eq!(Path::new(&long), Path::new("/a"));
    let fits = format!("/{}", "x".repeat(Path::MAX_LEN - 1));
    assert_eq!(Path::new(&fits).to_string(), fits);
}

proptest! {
    #[test]
    fn a_path_is_covered_by_its_ancestors_and_by_nothing_else(
        a in proptest::collection::vec("[ab]{1,2}", 0..4),
        b in proptest::collection::vec("[ab]{1,2}", 0..4),
    ) {
        let (a, b) = (Path::new(&a.join("/")), Path::new(&b.join("/")));
        prop_assert_eq!(a.covers(&b), b.ancestors().any(|ancestor| ancestor == a.as_key()));
    }

    #[test]
    fn it_survives_the_wire(path in "[/a-z]{0,40}") {
        let path = Path::new(&path);
        let bytes = postcard::to_allocvec(&path).unwrap();
        prop_assert_eq!(postcard::from_bytes::<Path>(&bytes).unwrap(), path);
    }
}
