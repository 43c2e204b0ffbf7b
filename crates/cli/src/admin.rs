//! The endpoints under `/-/`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};

use crate::node::Node;
use crate::report::{NodeStats, Peer};

/// The endpoints of a node that is ready: its listeners are open before anybody can ask.
pub(crate) fn router(node: Node) -> Router {
    Router::new()
        .route("/-/healthz", get(async || "ok"))
        .route("/-/readyz", get(async || "ok"))
        .route("/-/stats", get(stats))
        .route("/-/peers", get(peers))
        .fallback(async || {
            (
                StatusCode::NOT_FOUND,
                "no such endpoint; there are /-/healthz, /-/readyz, /-/stats and /-/peers\n",
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
