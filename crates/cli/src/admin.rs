//! The endpoints under `/-/`.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};

use crate::metrics;
use crate::node::Node;
use crate::report::{NodeStats, Peer};

/// The endpoints of a node that is ready: its listeners are open before anybody can ask.
pub(crate) fn router(node: Node) -> Router {
    Router::new()
        .route("/-/healthz", get(async || "ok"))
        .route("/-/readyz", get(async || "ok"))
        .route("/-/stats", get(stats))
        .route("/-/peers", get(peers))
        .route("/-/metrics", get(prometheus))
        .fallback(async || {
            (
                StatusCode::NOT_FOUND,
                "no such endpoint; there are /-/healthz, /-/readyz, /-/stats, /-/peers and \
                 /-/metrics\n",
            )
        })
        .with_state(node)
}

async fn stats(State(node): State<Node>) -> Json<NodeStats> {
    Json(node.stats().await)
}

async fn peers(State(node): State<Node>) -> Json<Vec<Peer>> {
    Json(node.peers())
}

async fn prometheus(State(node): State<Node>) -> impl IntoResponse {
    let text = metrics::text(node.stats().await, node.network_metrics());
    // Formatting into a string does not fail.
    let text = text.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR);
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text)
}
