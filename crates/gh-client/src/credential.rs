//! Credentials, and the principals that stand for them wherever they could be seen.

use std::fmt;

use cache_core::Scope;
use http::Request;
use http::header::{self, HeaderMap, HeaderValue};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The key under which credentials are digested.
///
/// All members have the same one, so that a credential is the same principal on each; without it a
/// principal cannot be traced back by digesting guesses.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct PrincipalKey([u8; 32]);

impl PrincipalKey {
    /// The key of these bytes, which are secret.
    pub const fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// The principal that sends this credential; [`Scope::PUBLIC`] for who sends none.
    pub(crate) fn principal(&self, credential: Option<&Credential>) -> Scope {
        credential.map_or(Scope::PUBLIC, |credential| match &credential.holder {
            Some(Holder(name)) => self.digest(name.as_bytes()),
            None => self.digest(credential.value.as_bytes()),
        })
    }

    /// The scope of answers that all who have a credential share.
    pub(crate) fn fleet(&self) -> Scope {
        // No credential has a NUL in it.
        self.digest(b"\0fleet")
    }

    fn digest(&self, text: &[u8]) -> Scope {
        let digest = blake3::keyed_hash(&self.0, text);
        let mut scope = [0; 16];
        scope.copy_from_slice(&digest.as_bytes()[..16]);
        Scope::from_digest(scope)
    }
}

impl fmt::Debug for PrincipalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrincipalKey(…)")
    }
}

/// What a request says of who sends it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credential {
    /// The value of `Authorization`, in the one form in which it is sent upstream.
    value: HeaderValue,
    holder: Option<Holder>,
}

/// Who has a credential that is another one every hour, an installation say. The holder is the
/// principal, not the credential of the hour: what GitHub lets it see, and how often it may ask,
/// goes by who it is. A request says so among its extensions, where only this process can put it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder(String);

impl Holder {
    /// An App itself, as it is known by this id.
    pub(crate) fn app(id: &str) -> Self {
        // No credential has a NUL in it.
        Self(format!("\0app\0{id}"))
    }

    /// An installation, of whatever App: all have ids of their own.
    pub(crate) fn installation(id: u64) -> Self {
        Self(format!("\0installation\0{id}"))
    }
}

impl Credential {
    /// The credential that a request carries.
    pub(crate) fn of<B>(request: &Request<B>) -> Option<Self> {
        Some(Self {
            value: normal(request.headers())?,
            holder: request.extensions().get().cloned(),
        })
    }

    /// Puts it on a request of our own.
    pub(crate) fn put_on<B>(&self, request: &mut Request<B>) {
        let headers = request.headers_mut();
        headers.insert(header::AUTHORIZATION, self.value.clone());
        if let Some(holder) = &self.holder {
            request.extensions_mut().insert(holder.clone());
        }
    }

    /// Whether the principal has had other credentials, and will have more.
    pub(crate) const fn is_of_the_hour(&self) -> bool {
        self.holder.is_some()
    }
}

/// The value of `Authorization` in the one form in which it is sent.
///
/// GitHub takes a token [as `Bearer` and as `token`](https://docs.github.com/en/rest/authentication/authenticating-to-the-rest-api),
/// which are the same credential; it becomes `Bearer`. Other schemes stay as they are.
fn normal(headers: &HeaderMap) -> Option<HeaderValue> {
    let value = headers.get(header::AUTHORIZATION)?;
    let token = value.to_str().ok().and_then(|text| {
        let (scheme, token) = text.trim().split_once(' ')?;
        let is_token =
            scheme.eq_ignore_ascii_case("token") || scheme.eq_ignore_ascii_case("bearer");
        is_token.then(|| token.trim())
    });
    let normal = token.and_then(|token| HeaderValue::try_from(format!("Bearer {token}")).ok());
    let mut value = normal.unwrap_or_else(|| value.clone());
    value.set_sensitive(true);
    Some(value)
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(…)")
    }
}

#[cfg(test)]
mod tests;
