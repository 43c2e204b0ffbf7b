//! One way to GitHub, and what is seen of a client that goes it.

use http::StatusCode;

use crate::clients::{Home, Place};
use crate::github::GitHub;
use crate::scenarios::Scenario;
use crate::tap::{Exchange, Tap};
use crate::transcript::{self, Names};

/// What GitHub is called in transcripts.
const SITE: &str = "https://api.github.com";

/// A way to GitHub.
pub(crate) struct Leg<'a> {
    upstream: &'a Tap,
    /// Before the node, where there is one on the way.
    node: Option<&'a Tap>,
    /// What GitHub calls itself.
    site: String,
    url: String,
    names: Names,
}

/// What a client did and was told.
pub(crate) struct Seen {
    /// What the client showed.
    pub(crate) shown: String,
    /// What it asked, and was answered.
    pub(crate) answers: String,
    pub(crate) succeeded: bool,
    pub(crate) calls: Calls,
}

/// What GitHub was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Calls {
    /// All but the following.
    pub(crate) charged: usize,
    /// Those that were answered with 304.
    pub(crate) free: usize,
}

impl<'a> Leg<'a> {
    /// Straight there.
    pub(crate) fn direct(github: &GitHub, upstream: &'a Tap) -> Self {
        Self::new(github, upstream, None, github.url(upstream))
    }

    /// By way of a node.
    pub(crate) fn through(github: &GitHub, upstream: &'a Tap, node: &'a Tap) -> Self {
        Self::new(github, upstream, Some(node), node.url.clone())
    }

    fn new(github: &GitHub, upstream: &'a Tap, node: Option<&'a Tap>, url: String) -> Self {
        let site = github.site(upstream);
        // The longer ones first. By the socket a client says the host and no TLS.
        let at_github = github.url(upstream);
        let of_api = [&at_github, &url, &site, "http://api.github.com"];
        let of_api = of_api.map(|name| (name.to_owned(), SITE.to_owned()));
        let names = of_api.into_iter().chain(github.names()).collect();
        Self {
            upstream,
            node,
            site,
            url,
            names,
        }
    }

    /// Sends a client this way.
    pub(crate) async fn run(&self, scenario: &Scenario) -> Seen {
        let place = Place {
            url: &self.url,
            socket: &self.node.unwrap_or(self.upstream).socket,
            site: &self.site,
        };
        let home = Home::new();
        let mut outputs = Vec::new();
        for step in scenario.steps {
            let Scenario { client, name, .. } = scenario;
            outputs.push(client.run(step, name, &place, &home).await);
        }
        let arrived = self.upstream.heard();
        let calls = Calls::of(&arrived);
        let exchanges = self.node.map_or(arrived, Tap::heard);
        Seen {
            shown: transcript::of_outputs(&outputs, &self.names),
            answers: transcript::of_exchanges(&exchanges, &self.names),
            succeeded: outputs.iter().all(|output| output.status.success()),
            calls,
        }
    }
}

impl Calls {
    fn of(exchanges: &[Exchange]) -> Self {
        let is_free = |exchange: &&Exchange| exchange.status == StatusCode::NOT_MODIFIED;
        let free = exchanges.iter().filter(is_free).count();
        Self {
            charged: exchanges.len() - free,
            free,
        }
    }
}
