//! GitHub's entity tags, which can be computed for a credential that has never asked.

use headers::HeaderMapExt;
use http::header::{self, HeaderMap, HeaderValue};
use ring::digest::{Context, SHA256};

/// The opaque part of the `ETag` that GitHub gives to `body`, asked for with these headers.
///
/// GitHub hashes, with SHA-256, the values of the request's `Accept`, `Authorization` and `Cookie`
/// headers, those that were sent, each with a colon after it, and then the body as it is before
/// any compression. That is not documented; it was found out and published by
/// <https://github.com/bored-engineer/github-conditional-http-transport>.
///
/// So it can be told what tag *another* credential would have got for a body at hand, and a
/// conditional request with that tag is answered 304 where, and only where, that credential is
/// shown this very body. Should GitHub change the formula, no tag matches any more: that costs a
/// call, and never makes a wrong answer.
pub(crate) fn formula(request: &HeaderMap, body: &[u8]) -> String {
    let mut hash = Context::new(&SHA256);
    for name in [header::ACCEPT, header::AUTHORIZATION, header::COOKIE] {
        for value in request.get_all(name) {
            hash.update(value.as_bytes());
            hash.update(b":");
        }
    }
    hash.update(body);
    hex::encode(hash.finish())
}

/// The tag that a request with these headers would get for `body`.
pub(crate) fn computed(request: &HeaderMap, body: &[u8]) -> HeaderValue {
    // Hexadecimal digits are what a header takes.
    HeaderValue::try_from(format!("\"{}\"", formula(request, body)))
        .unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

/// Whether a 304 confirms what was asked about: it names no tag, or one that is equal by the weak
/// comparison of [RFC 9110, section 8.8.3.2](https://www.rfc-editor.org/rfc/rfc9110#section-8.8.3.2).
/// Anything else is about another answer
/// ([RFC 9111, section 4.3.4](https://www.rfc-editor.org/rfc/rfc9111#section-4.3.4)).
pub(crate) fn confirms(asked: &HeaderMap, not_modified: &HeaderMap) -> bool {
    let Some(answered) = not_modified.typed_get::<headers::ETag>() else {
        return true;
    };
    let asked = asked.typed_get::<headers::IfNoneMatch>();
    asked.is_none_or(|asked| !asked.precondition_passes(&answered))
}

#[cfg(test)]
mod tests;
