//! GitHub Apps: how one proves who it is.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cache_core::MeshTime;
use octocrab::Octocrab;
use octocrab::models::InstallationId;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;

use crate::client::Client;
use crate::credential::Holder;
use crate::error::InvalidAppKey;
use crate::face::Caller;
use crate::installation::Installation;
use crate::token::Token;

/// A [GitHub App](https://docs.github.com/en/apps)'s id and its private key.
///
/// ```no_run
/// # async fn example(client: gh_client::Client) -> Result<(), Box<dyn std::error::Error>> {
/// use gh_client::AppKey;
///
/// let key = AppKey::new("Iv23liQTl1oxGAW3ZKGM", &std::fs::read_to_string("app.pem")?)?;
/// let installation = client.app(key).installation(4711);
/// let repos = installation.github().list_repos("rust-lang", 250).await?;
/// # Ok(())
/// # }
/// ```
///
/// The signatures are made by ring, which is the one cryptographic library here: octocrab would make
/// them with its feature `jwt`, and that brings a second one.
#[derive(Clone)]
pub struct AppKey {
    id: String,
    key: Arc<RsaKeyPair>,
}

/// A client of GitHub's API that is a GitHub App.
#[derive(Clone, Debug)]
pub struct App {
    client: Client,
    key: AppKey,
}

/// How far our clock may be off, in either direction.
pub(crate) const TOLERANCE: Duration = Duration::from_secs(60);

/// GitHub takes no token of an App's that is good for longer than
/// [ten minutes](https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app),
/// by its own clock.
const LONGEST: Duration = Duration::from_secs(600);

impl AppKey {
    /// The App that has this client id (or, as of old, this number), with the private key that
    /// GitHub has made for it: RSA, as a PEM file.
    pub fn new(id: impl fmt::Display, pem: &str) -> Result<Self, InvalidAppKey> {
        let der = PrivateKeyDer::from_pem_slice(pem.as_bytes());
        let key = match der.map_err(|_| InvalidAppKey::NoKey)? {
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            _ => return Err(InvalidAppKey::NotRsa),
        };
        Ok(Self {
            id: id.to_string(),
            key: Arc::new(key.map_err(|_| InvalidAppKey::NotRsa)?),
        })
    }

    /// Who the App is to the cache, whatever it has signed last.
    pub(crate) fn holder(&self) -> Holder {
        Holder::app(&self.id)
    }

    /// A [JSON web token](https://www.rfc-editor.org/rfc/rfc7519) that says that it is the App who
    /// asks, now.
    pub(crate) fn sign(&self, now: MeshTime) -> Result<Token, InvalidAppKey> {
        let now = now.as_millis() / 1000;
        let claims = serde_json::json!({
            "iat": now.saturating_sub(TOLERANCE.as_secs()),
            "exp": now.saturating_add((LONGEST - TOLERANCE).as_secs()),
            "iss": self.id,
        });
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","typ":"JWT"}"#);
        let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
        let signed = format!("{header}.{claims}");
        let mut signature = vec![0; self.key.public().modulus_len()];
        let random = SystemRandom::new();
        self.key
            .sign(
                &RSA_PKCS1_SHA256,
                &random,
                signed.as_bytes(),
                &mut signature,
            )
            .map_err(|_| InvalidAppKey::NotRsa)?;
        let signature = URL_SAFE_NO_PAD.encode(signature);
        Token::new(&format!("{signed}.{signature}")).map_err(|_| InvalidAppKey::NotRsa)
    }
}

impl fmt::Debug for AppKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl App {
    pub(crate) const fn new(client: Client, key: AppKey) -> Self {
        Self { client, key }
    }

    /// An [`Octocrab`] that asks as the App itself: for its
    /// [installations](https://docs.github.com/en/rest/apps/apps#list-installations-for-the-authenticated-app),
    /// say. Its answers are cached as those of one principal, though each request is signed anew.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime, where octocrab starts its worker.
    pub fn octocrab(&self) -> Octocrab {
        self.client.octocrab_of(Caller::App(self.key.clone()))
    }

    /// One of its installations. Keep it: it and its clones share a token, and each new one asks for
    /// one of its own.
    pub fn installation(&self, id: impl Into<InstallationId>) -> Installation {
        Installation::new(self.client.clone(), self.key.clone(), id.into())
    }
}

#[cfg(test)]
mod tests;
