//! GitHub Apps, and what they sign.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cache_core::testing::ManualClock;
use cache_core::{Clock as _, MeshTime};
use gh_client::testing::{App, StandIn};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivatePkcs1KeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};

use super::{Answer, get_with, request, send};

const TOKENS: &str = "/app/installations/7/access_tokens";

async fn started() -> (StandIn, ManualClock) {
    let clock = ManualClock::default();
    let builder = StandIn::builder().clock(Arc::new(clock.clone()));
    let github = builder.start().await.unwrap();
    github.add_app(App::new("Iv1.app").installation(7));
    (github, clock)
}

/// What an App signs, as the value of `Authorization`.
fn signed(claims: &Value) -> String {
    let key = PrivatePkcs1KeyDer::from_pem_slice(App::KEY.as_bytes()).unwrap();
    let key = RsaKeyPair::from_der(key.secret_pkcs1_der()).unwrap();
    let encoded = |text: String| URL_SAFE_NO_PAD.encode(text);
    let header = encoded(json!({ "alg": "RS256" }).to_string());
    let said = format!("{header}.{}", encoded(claims.to_string()));
    let mut signature = vec![0; key.public().modulus_len()];
    let random = SystemRandom::new();
    key.sign(&RSA_PKCS1_SHA256, &random, said.as_bytes(), &mut signature)
        .unwrap();
    format!("Bearer {said}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// An App's claims, good from so many seconds after now and for so long.
fn claims(now: MeshTime, from: i64, seconds: i64) -> Value {
    let now = i64::try_from(now.as_millis() / 1000).unwrap();
    json!({ "iss": "Iv1.app", "iat": now + from, "exp": now + from + seconds })
}

async fn ask_for_a_token(github: &StandIn, authorization: &str) -> Answer {
    let headers = [("authorization", authorization)];
    send(request(github, "POST", TOKENS, &headers, ""))
        .await
        .unwrap()
}

#[tokio::test]
async fn an_app_gets_tokens_for_its_installations_which_are_good_for_an_hour() {
    let (github, clock) = started().await;
    let app = signed(&claims(clock.now(), -60, 600));
    let answer = ask_for_a_token(&github, &app).await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.json()["token"], "ghs_7_1");
    let token = ("authorization", "Bearer ghs_7_1");
    for (seconds, status) in [(3599, 200), (1, 401)] {
        clock.advance(std::time::Duration::from_secs(seconds));
        let answer = get_with(&github, "/repos/octo-org/octo-repo-000", &[token]).await;
        assert_eq!(answer.status, status);
    }
}

#[tokio::test]
async fn what_an_app_signs_is_refused_in_githubs_words() {
    let (github, clock) = started().await;
    let now = clock.now();
    let mut of_nobody = claims(now, -60, 600);
    of_nobody["iss"] = "Iv1.nobody".into();
    let good = signed(&claims(now, -60, 600));
    let forged = good.replace("Bearer ey", "Bearer eY");
    for (authorization, status, words) in [
        (signed(&claims(now, 60, 300)), 401, "'Issued at' claim"),
        (signed(&claims(now, -600, 600)), 401, "the future time"),
        (signed(&claims(now, -1, 700)), 401, "too far in the future"),
        (signed(&of_nobody), 404, "Integration not found"),
        (forged, 401, "A JSON web token could not be decoded"),
        // A user is no App.
        ("Bearer ghp_octocat".to_owned(), 401, "A JSON web token"),
    ] {
        let answer = ask_for_a_token(&github, &authorization).await;
        let message = answer.json()["message"].to_string();
        assert_eq!(answer.status, status, "{message}");
        assert!(message.contains(words), "{message}");
    }
    let app = get_with(&github, "/app", &[("authorization", &good)]).await;
    assert_eq!(app.json()["client_id"], "Iv1.app");
}
