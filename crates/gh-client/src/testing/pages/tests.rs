//! Pages, and the links between them.

use bytes::Bytes;
use http::Request;

use super::Page;
use crate::testing::asked::Asked;

fn asked(target: &str) -> Asked {
    let request = Request::get(target).header("host", "api.test");
    Asked::new(request.body(()).unwrap().into_parts().0, Bytes::new())
}

fn link(target: &str, total: usize) -> Option<String> {
    let asked = asked(target);
    Page::of(&asked).link(&asked, "/repositories/7/issues", total)
}

#[test]
fn the_first_page_leads_to_the_next_and_the_last() {
    assert_eq!(
        link("/repos/o/r/issues?per_page=10&state=all", 25).unwrap(),
        "<http://api.test/repositories/7/issues?per_page=10&state=all&page=2>; rel=\"next\", \
         <http://api.test/repositories/7/issues?per_page=10&state=all&page=3>; rel=\"last\""
    );
}

#[test]
fn a_page_in_the_middle_leads_everywhere() {
    assert_eq!(
        link("/repos/o/r/issues?page=2&per_page=10", 25).unwrap(),
        "<http://api.test/repositories/7/issues?per_page=10&page=1>; rel=\"prev\", \
         <http://api.test/repositories/7/issues?per_page=10&page=3>; rel=\"next\", \
         <http://api.test/repositories/7/issues?per_page=10&page=3>; rel=\"last\", \
         <http://api.test/repositories/7/issues?per_page=10&page=1>; rel=\"first\""
    );
}

#[test]
fn the_last_page_leads_back_only() {
    assert_eq!(
        link("/repos/o/r/issues?page=3&per_page=10", 25).unwrap(),
        "<http://api.test/repositories/7/issues?per_page=10&page=2>; rel=\"prev\", \
         <http://api.test/repositories/7/issues?per_page=10&page=1>; rel=\"first\""
    );
}

#[test]
fn a_list_that_fits_on_one_page_has_no_link() {
    assert_eq!(link("/repos/o/r/issues", 30), None);
    assert!(link("/repos/o/r/issues", 31).is_some());
}

#[test]
fn links_keep_the_prefix_of_ghes() {
    let link = link("/api/v3/repos/o/r/issues?per_page=1", 2).unwrap();
    assert!(link.starts_with("<http://api.test/api/v3/repositories/7/issues?"));
}

#[test]
fn sizes_and_numbers_without_sense_are_the_default_ones() {
    for query in ["", "?per_page=0", "?per_page=x", "?page=0", "?page=-1"] {
        assert_eq!(Page::of(&asked(&format!("/l{query}"))).range(50), 0..30);
    }
    assert_eq!(Page::of(&asked("/l?per_page=1000")).range(500), 0..100);
}

#[test]
fn a_page_past_the_end_is_empty() {
    assert!(Page::of(&asked("/l?page=9")).range(50).is_empty());
    let far = format!("/l?page={}", usize::MAX);
    assert!(Page::of(&asked(&far)).range(50).is_empty());
}
