//! What clients ask for, and how it is understood.

use super::*;

fn wishes(pairs: &[(&'static str, &'static str)]) -> Wishes {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, value.parse().unwrap());
    }
    Wishes::of(&headers)
}

fn freshness(control: &'static str) -> Freshness {
    wishes(&[("cache-control", control)]).freshness
}

#[test]
fn no_cache_asks_for_revalidation_in_every_form() {
    for control in [
        "no-cache",
        "No-Cache, max-age=60",
        "max-age=0",
        "foo, no-cache",
    ] {
        assert_eq!(freshness(control), Freshness::REVALIDATE, "{control}");
    }
    assert_eq!(
        wishes(&[("pragma", "no-cache")]).freshness,
        Freshness::REVALIDATE
    );
    let both = [("pragma", "no-cache"), ("cache-control", "max-age=5")];
    assert_eq!(
        wishes(&both).freshness,
        Freshness::at_most(Duration::from_secs(5))
    );
}

#[test]
fn max_age_and_gh_cache_ttl_say_how_old_an_answer_may_be() {
    let of = |seconds| Freshness::at_most(Duration::from_secs(seconds));
    assert_eq!(freshness("max-age=5"), of(5));
    assert_eq!(freshness("max-age=\"5\""), of(5));
    assert_eq!(freshness("nonsense"), Freshness::AS_STORED);
    assert_eq!(freshness("max-age=many"), Freshness::AS_STORED);
    let both = [("x-gh-cache-ttl", "1h0m0s"), ("cache-control", "max-age=5")];
    assert_eq!(wishes(&both).freshness, of(3600));
}

#[test]
fn max_stale_is_content_with_what_is_stale() {
    let tolerant = |by| Freshness::AS_STORED.or_stale_while_revalidating(by);
    assert_eq!(freshness("max-stale=9"), tolerant(Duration::from_secs(9)));
    assert_eq!(freshness("max-stale"), tolerant(Duration::MAX));
    let overflow = "max-stale=99999999999999999999";
    assert_eq!(freshness(overflow), tolerant(Duration::MAX));
}

#[test]
fn the_others_are_told_apart() {
    let control = "no-store, only-if-cached, stale-if-error=60";
    let wishes = wishes(&[("cache-control", control)]);
    assert!(wishes.no_store && wishes.only_if_cached);
    assert_eq!(wishes.stale_if_error, Some(Duration::from_secs(60)));
    assert_eq!(Wishes::of(&HeaderMap::new()), Wishes::default());
}

#[test]
fn a_duration_is_read_as_go_writes_it() {
    for (text, millis) in [
        ("1h0m0s", 3_600_000),
        ("1m30s", 90_000),
        ("1.5h", 5_400_000),
        ("250ms", 250),
        ("0s", 0),
        ("0", 0),
        ("24h0m0s", 86_400_000),
    ] {
        assert_eq!(
            go_duration(text),
            Some(Duration::from_millis(millis)),
            "{text}"
        );
    }
    for text in ["", "5", "h", "1 h", "-1h", "1d", "1h2"] {
        assert_eq!(go_duration(text), None, "{text:?}");
    }
    assert_eq!(go_duration(&"9".repeat(400)), None);
}
