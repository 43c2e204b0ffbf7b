//! The endpoints under `/-/`.

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::{ALLOW, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use gh_client::{InvalidPathPrefix, PathPrefix};

use crate::invalidate::{Invalidated, What};
use crate::metrics;
use crate::node::Node;
use crate::report::{NodeStats, Peer};

/// The longest body of a request, in bytes; what is longer is refused with 413.
const MAX_BODY: usize = 16 * 1024;

/// The endpoints of a node that is ready: its listeners are open before anybody can ask.
pub(crate) fn router(node: Node) -> Router {
    let invalidate = post(invalidate).fallback(async || {
        let remedy =
            "POST what is to be dropped: {\"prefix\": \"/repos/OWNER/REPO\"} or {\"all\": true}\n";
        (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "POST")], remedy)
    });
    Router::new()
        .route("/-/healthz", get(async || "ok"))
        .route("/-/readyz", get(async || "ok"))
        .route("/-/stats", get(stats))
        .route("/-/peers", get(peers))
        .route("/-/metrics", get(prometheus))
        .route("/-/invalidate", invalidate)
        .fallback(async || {
            (
                StatusCode::NOT_FOUND,
                "no such endpoint; there are /-/healthz, /-/readyz, /-/stats, /-/peers, /-/metrics \
                 and /-/invalidate\n",
            )
        })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(node)
}

async fn stats(State(node): State<Node>, RawQuery(query): RawQuery) -> Json<NodeStats> {
    let mut pairs = query.iter().flat_map(|query| query.split('&'));
    Json(if pairs.any(|pair| pair == "fleet=1") {
        node.fleet_stats().await
    } else {
        node.stats().await
    })
}

async fn peers(State(node): State<Node>) -> Json<Vec<Peer>> {
    Json(node.peers())
}

async fn prometheus(State(node): State<Node>) -> impl IntoResponse {
    let text = metrics::text(node.stats().await, node.network_metrics());
    // Formatting into a string does not fail.
    let text = text.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR);
    ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text)
}

/// The body is what its sender says it is, whatever its type: `curl --data` names none that is
/// JSON.
async fn invalidate(
    State(node): State<Node>,
    body: Bytes,
) -> Result<Json<Invalidated>, (StatusCode, String)> {
    let bad = |why: String| (StatusCode::BAD_REQUEST, format!("{why}\n"));
    let client = node.client();
    let invalidated = match serde_json::from_slice(&body) {
        Ok(What::All { all: true }) => client.invalidate_all().await,
        Ok(What::Prefix { prefix }) => {
            let prefix = PathPrefix::parse(&prefix);
            let prefix = prefix.map_err(|error| bad(with_remedy(&error)))?;
            client.invalidate(&prefix).await
        }
        Ok(What::All { all: false }) | Err(_) => {
            let remedy = "give {\"prefix\": \"/repos/OWNER/REPO\"} or {\"all\": true}, as JSON";
            return Err(bad(remedy.to_owned()));
        }
    };
    tracing::info!(invalidated, "told to drop entries");
    Ok(Json(Invalidated { invalidated }))
}

fn with_remedy(error: &InvalidPathPrefix) -> String {
    match error {
        InvalidPathPrefix::Everything => {
            format!("{error}, or give {{\"all\": true}}")
        }
        error => error.to_string(),
    }
}
