//! What a message says to the next hop alone, and what nobody but the recipient may drop of it:
//! [RFC 9110, section 7.6.1](https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1).

use http::Request;
use http::header::{self, HeaderMap, HeaderName};

use crate::body::Body;

/// Drops them whether `Connection` names them or not.
const HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// What is for the recipient, whatever `Connection` says. Whoever could have a credential dropped on
/// the way would be taken by us for its holder, and by GitHub for a stranger.
const END_TO_END: [HeaderName; 6] = [
    header::AUTHORIZATION,
    header::COOKIE,
    header::SET_COOKIE,
    header::HOST,
    header::CONTENT_LENGTH,
    header::CACHE_CONTROL,
];

/// A request as it comes in at the door, before anybody judges it: what is judged from here on is
/// what is sent.
pub(crate) fn admitted(mut request: Request<Body>) -> Request<Body> {
    let headers = request.headers_mut();
    drop_hop_by_hop(headers);
    // Which of several counts is anybody's guess; GitHub must not guess another one than we do.
    let mut credentials = headers.get_all(header::AUTHORIZATION).iter();
    if let (Some(first), Some(_)) = (credentials.next().cloned(), credentials.next()) {
        headers.insert(header::AUTHORIZATION, first);
    }
    request
}

/// Drops what is meant for the next hop.
pub(crate) fn drop_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .filter(|name| !END_TO_END.contains(name))
        .collect();
    for name in HOP_BY_HOP.into_iter().chain(named) {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests;
