//! Credentials, and the principals that stand for them wherever they could be seen.

use std::fmt;

use cache_core::Scope;
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
        credential.map_or(Scope::PUBLIC, |credential| {
            self.digest(credential.0.as_bytes())
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

/// The value of an `Authorization` header, in the one form in which it is sent upstream.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credential(HeaderValue);

impl Credential {
    /// The credential that a request carries.
    ///
    /// GitHub takes a token [as `Bearer` and as `token`](https://docs.github.com/en/rest/authentication/authenticating-to-the-rest-api),
    /// which are the same credential; it becomes `Bearer`. Other schemes stay as they are.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
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
        Some(Self(value))
    }

    /// The header's value.
    pub(crate) fn as_header(&self) -> &HeaderValue {
        &self.0
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(…)")
    }
}

#[cfg(test)]
mod tests;
