//! `ghmesh invalidate`, and what is asked of `POST /-/invalidate`.

use serde::{Deserialize, Serialize};

use crate::args::InvalidateArgs;
use crate::env::Env;
use crate::node_client::NodeClient;
use crate::out;

/// What is to be made void.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(crate) enum What {
    /// A path and what lies below it.
    Prefix { prefix: String },
    /// Everything, where `all` is true.
    All { all: bool },
}

/// What has become of it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Invalidated {
    /// Entries in the memory of the node that was told. Those of the other members are not counted.
    pub(crate) invalidated: u64,
}

/// Has a node drop entries, here and on every member.
pub(crate) async fn run(args: &InvalidateArgs) -> anyhow::Result<()> {
    let node = NodeClient::resolve(args.node.as_deref(), &Env::Process)?;
    let what = match &args.prefix {
        Some(prefix) => What::Prefix {
            prefix: prefix.to_string(),
        },
        None => What::All { all: args.all },
    };
    let Invalidated { invalidated } = node.post("/-/invalidate", &what).await?;
    out::line(format_args!(
        "{invalidated} dropped on this node; its peers drop what they have of it."
    ))
}
