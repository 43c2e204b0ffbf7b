//! What clients and servers say about caching, in `Cache-Control` and beside it.

use std::num::IntErrorKind;
use std::time::Duration;

use cache_core::Freshness;
use http::header::{self, HeaderMap, HeaderName};

/// What `gh api --cache` sends: for how long an answer may be used, as a
/// [Go duration](https://pkg.go.dev/time#ParseDuration).
const GH_CACHE_TTL: HeaderName = HeaderName::from_static("x-gh-cache-ttl");

/// What a client wishes for, by the request directives of
/// [RFC 9111, section 5.2.1](https://www.rfc-editor.org/rfc/rfc9111#section-5.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wishes {
    /// How fresh the answer has to be: `no-cache`, `max-age`, `max-stale`, `X-Gh-Cache-Ttl`.
    pub(crate) freshness: Freshness,
    /// How old the answer may be at most: `no-cache`, `max-age`, `X-Gh-Cache-Ttl`.
    pub(crate) max_age: Option<Duration>,
    /// `min-fresh`: for how much longer it has to be fresh.
    pub(crate) min_fresh: Option<Duration>,
    /// `no-store`: neither what is stored nor storing it.
    pub(crate) no_store: bool,
    /// `only-if-cached`: what is stored, or nothing.
    pub(crate) only_if_cached: bool,
    /// `stale-if-error`: how stale an answer may be where GitHub has none
    /// ([RFC 5861, section 4](https://www.rfc-editor.org/rfc/rfc5861#section-4)); where it is not
    /// said, as stale as the cache keeps them.
    pub(crate) stale_if_error: Option<Duration>,
}

impl Wishes {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let control = Directives::of(headers);
        // RFC 9111, section 5.4: it counts where there is no `Cache-Control`.
        let no_cache = control.has("no-cache")
            || (!headers.contains_key(header::CACHE_CONTROL) && pragma_no_cache(headers));
        let max_age = match no_cache {
            true => Some(Duration::ZERO),
            false => gh_cache_ttl(headers).or_else(|| control.seconds("max-age")),
        };
        let freshness = max_age.map_or(Freshness::AS_STORED, Freshness::at_most);
        let freshness = match control.seconds("max-stale") {
            Some(tolerance) => freshness.or_stale_while_revalidating(tolerance),
            // Without a number, of whatever age.
            None if control.has("max-stale") => {
                freshness.or_stale_while_revalidating(Duration::MAX)
            }
            None => freshness,
        };
        Self {
            freshness,
            max_age,
            min_fresh: control.seconds("min-fresh"),
            no_store: control.has("no-store"),
            only_if_cached: control.has("only-if-cached"),
            stale_if_error: control.seconds("stale-if-error"),
        }
    }
}

/// The directives of a `Cache-Control`, in their order.
pub(crate) struct Directives<'a>(Vec<(&'a str, Option<&'a str>)>);

impl<'a> Directives<'a> {
    pub(crate) fn of(headers: &'a HeaderMap) -> Self {
        let values = headers.get_all(header::CACHE_CONTROL).into_iter();
        let directives = values
            .filter_map(|value| value.to_str().ok())
            // No directive that means anything here has a comma in its argument.
            .flat_map(|value| value.split(','))
            .map(|directive| match directive.split_once('=') {
                Some((name, argument)) => (name.trim(), Some(argument.trim().trim_matches('"'))),
                None => (directive.trim(), None),
            });
        Self(directives.collect())
    }

    /// Whether there is this directive, with an argument or without.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.argument(name).is_some()
    }

    /// The number of seconds that this directive has as its argument. What is too large for a number
    /// is a very long time
    /// ([RFC 9111, section 1.2.2](https://www.rfc-editor.org/rfc/rfc9111#section-1.2.2)).
    pub(crate) fn seconds(&self, name: &str) -> Option<Duration> {
        let seconds: Result<u64, _> = self.argument(name)??.parse();
        match seconds {
            Ok(seconds) => Some(Duration::from_secs(seconds)),
            Err(error) if *error.kind() == IntErrorKind::PosOverflow => Some(Duration::MAX),
            Err(_) => None,
        }
    }

    fn argument(&self, name: &str) -> Option<Option<&'a str>> {
        let directive = self
            .0
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        directive.map(|(_, argument)| *argument)
    }
}

/// For how long a server asks to be left alone
/// ([RFC 9110, section 10.2.3](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3)), where it
/// says so in seconds, as GitHub does.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    Some(Duration::from_secs(seconds.parse().ok()?))
}

fn pragma_no_cache(headers: &HeaderMap) -> bool {
    let pragma = headers.get(header::PRAGMA);
    pragma.is_some_and(|pragma| pragma.as_bytes().eq_ignore_ascii_case(b"no-cache"))
}

fn gh_cache_ttl(headers: &HeaderMap) -> Option<Duration> {
    go_duration(headers.get(GH_CACHE_TTL)?.to_str().ok()?)
}

/// A duration as Go writes it: `1h30m0s`, `1.5h`, `250ms`.
fn go_duration(text: &str) -> Option<Duration> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, unit_and_rest) = rest.split_at(digits);
        let after_unit = unit_and_rest.find(|c: char| c.is_ascii_digit() || c == '.');
        let (unit, after) = unit_and_rest.split_at(after_unit.unwrap_or(unit_and_rest.len()));
        let number: f64 = number.parse().ok()?;
        seconds += number
            * match unit {
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                "us" | "µs" => 1e-6,
                "ns" => 1e-9,
                _ => return None,
            };
        rest = after;
    }
    (!text.is_empty()).then(|| Duration::try_from_secs_f64(seconds).ok())?
}

#[cfg(test)]
mod tests;
