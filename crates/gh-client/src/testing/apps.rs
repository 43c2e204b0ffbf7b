//! GitHub Apps that the stand-in knows, and the tokens of their installations.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use ring::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use rustls::pki_types::PrivatePkcs1KeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Deserialize;
use serde_json::{Value, json};

use super::resource::Refusal;
use super::seed;
use super::tokens::Token;

/// A GitHub App that the stand-in knows.
///
/// It proves who it is with its key, as on GitHub, and its installations get tokens that are good for
/// an hour: `ghs_ID_1`, `ghs_ID_2` and so on, where `ID` is the installation's. What they may see
/// they may as `installation ID`, which is what [`add_private`](super::StandIn::add_private) calls
/// them all, and they have one rate limit together.
///
/// ```no_run
/// # async fn example(client: gh_client::Client) -> Result<(), Box<dyn std::error::Error>> {
/// use gh_client::AppKey;
/// use gh_client::testing::{App, StandIn};
///
/// let github = StandIn::start().await?;
/// github.add_app(App::new("Iv1.app").installation(7));
/// let app = client.app(AppKey::new("Iv1.app", App::KEY)?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct App {
    id: String,
    installations: BTreeSet<u64>,
}

impl App {
    /// The private key of all Apps of a stand-in. Everybody has it: it is good for nothing else.
    pub const KEY: &str = include_str!("apps/key.pem");

    /// An App with this client id, which is installed nowhere.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            installations: BTreeSet::new(),
        }
    }

    /// Installs it somewhere, under this id.
    #[must_use]
    pub fn installation(mut self, id: u64) -> Self {
        self.installations.insert(id);
        self
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("id", &self.id)
            .field("installations", &self.installations)
            .finish_non_exhaustive()
    }
}

/// For how long an installation's token is good, in seconds.
const GOOD_FOR: u64 = 3600;

/// How far ahead the end of what an App has signed may lie.
const LONGEST: u64 = 600;

/// All Apps that are known, by their id.
#[derive(Debug, Default)]
pub(super) struct Apps {
    known: BTreeMap<String, App>,
    /// How many tokens each installation has had.
    given: BTreeMap<u64, u64>,
}

/// What an App signs.
#[derive(Deserialize)]
struct Claims {
    iat: u64,
    exp: u64,
    iss: String,
}

impl Apps {
    pub(super) fn add(&mut self, app: App) {
        self.known.insert(app.id.clone(), app);
    }

    /// The id of the App that has signed this, or what GitHub says to it.
    pub(super) fn identify(&self, signed: &str, now: u64) -> Result<&str, Refusal> {
        let claims = read(signed).ok_or_else(undecodable)?;
        let refused = |message: &str| Refusal::new(StatusCode::UNAUTHORIZED, message);
        if claims.iat > now {
            return Err(refused(
                "'Issued at' claim ('iat') must be an Integer representing the time that the \
                 assertion was issued",
            ));
        }
        if claims.exp <= now {
            return Err(refused(
                "'Expiration time' claim ('exp') must be a numeric value representing the future \
                 time at which the assertion expires",
            ));
        }
        if claims.exp > now + LONGEST {
            return Err(refused(
                "'Expiration time' claim ('exp') is too far in the future",
            ));
        }
        let app = self.known.get(&claims.iss);
        let app =
            app.ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "Integration not found"))?;
        Ok(&app.id)
    }

    /// `POST /app/installations/{id}/access_tokens`: the token, and how it is told.
    pub(super) fn give(
        &mut self,
        app: &str,
        installation: &str,
        now: u64,
    ) -> Result<(Token, Value), Refusal> {
        let installed = self.known.get(app).map(|app| &app.installations);
        let id = installation.parse().ok();
        let id = id.filter(|id| installed.is_some_and(|installed| installed.contains(id)));
        let id = id.ok_or_else(Refusal::not_found)?;
        let given = self.given.entry(id).or_default();
        *given += 1;
        let token = Token::of_installation(id, *given, now + GOOD_FOR);
        let told = json!({
            "token": token.text,
            "expires_at": seed::timestamp(now + GOOD_FOR),
            "permissions": { "metadata": "read", "contents": "read", "actions": "read" },
            "repository_selection": "all",
        });
        Ok((token, told))
    }

    /// `GET /app`.
    pub(super) fn show(app: &str, owner: &Value) -> Value {
        json!({
            "owner": owner,
            "id": seed::id(app),
            "client_id": app,
            "slug": "octo-app",
            "node_id": seed::node_id("Integration", seed::id(app)),
            "name": "Octo App",
            "description": "",
            "external_url": "https://example.com",
            "html_url": "https://github.com/apps/octo-app",
            "created_at": seed::timestamp(seed::created_at(app)),
            "updated_at": seed::timestamp(seed::updated_at(app)),
            "permissions": { "metadata": "read", "contents": "read", "actions": "read" },
            "events": [],
        })
    }
}

/// What GitHub says to who sends no such thing, or with another's signature.
pub(super) fn undecodable() -> Refusal {
    let message = "A JSON web token could not be decoded";
    Refusal::new(StatusCode::UNAUTHORIZED, message)
}

/// Whether a credential is of the form of what Apps sign.
pub(super) fn is_signed(credential: &str) -> bool {
    credential.matches('.').count() == 2
}

fn read(signed: &str) -> Option<Claims> {
    let (said, signature) = signed.rsplit_once('.')?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    let key = PrivatePkcs1KeyDer::from_pem_slice(App::KEY.as_bytes()).ok()?;
    let key = RsaKeyPair::from_der(key.secret_pkcs1_der()).ok()?;
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key().as_ref())
        .verify(said.as_bytes(), &signature)
        .ok()?;
    let (header, claims) = said.split_once('.')?;
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
    let claims = URL_SAFE_NO_PAD.decode(claims).ok()?;
    let is_rs256 = header["alg"] == "RS256";
    is_rs256.then(|| serde_json::from_slice(&claims).ok())?
}
