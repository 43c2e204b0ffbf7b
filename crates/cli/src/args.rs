//! The command line as it is given.

use clap::{ArgGroup, Parser, Subcommand};
use gh_client::{InvalidPathPrefix, PathPrefix};

use crate::settings::Settings;

const EXAMPLES: &str = "\
Examples:
  See it work, without network, token or set-up:
      ghmesh demo

  Make the secret that the runners of a fleet share:
      ghmesh secret new

  One node on each runner; the second knows the first:
      CACHE_P2P_SHARED_SECRET=ghmesh_… ghmesh serve
      CACHE_P2P_SHARED_SECRET=ghmesh_… ghmesh serve --bootstrap /dns4/runner-1/tcp/9100

  See what keeps it from its peers, given what serve is given:
      CACHE_P2P_SHARED_SECRET=ghmesh_… ghmesh doctor --bootstrap /dns4/runner-1/tcp/9100

  Send clients to it:
      gh config set http_unix_socket \"$XDG_RUNTIME_DIR/ghmesh.sock\"
      curl -H \"Authorization: Bearer $GH_TOKEN\" http://127.0.0.1:8417/user
";

/// One GitHub API call for a whole fleet of runners.
///
/// ghmesh is a cache in front of GitHub's API that runners share peer to peer: what one has asked
/// for, the others have.
#[derive(Debug, Parser)]
#[command(name = "ghmesh", version, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a node in the foreground: the caching proxy, the socket for gh, and the link to the peers
    Serve(Box<Settings>),
    /// Show the counters of a running node
    Stats(StatsArgs),
    /// Show the peers that a running node is connected to
    Peers(ShowArgs),
    /// Drop what is cached of a path and below it, on this node and on every member
    Invalidate(InvalidateArgs),
    /// Check what keeps a fleet from sharing, with the settings that serve would use
    Doctor(Box<DoctorArgs>),
    /// Show five runners sharing the answers of a stand-in for GitHub
    Demo(DemoArgs),
    /// Make a secret for a fleet to share
    #[command(subcommand)]
    Secret(SecretCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum SecretCommand {
    /// Print a fresh secret of 256 random bits
    New,
}

/// The flags of the commands that ask a running node.
#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    #[arg(
        long,
        value_name = "URL",
        help = "The node to ask [env: GHMESH_NODE] [default: http://127.0.0.1:8417]"
    )]
    pub(crate) node: Option<String>,
    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

/// The flags of `stats`.
#[derive(Debug, clap::Args)]
pub(crate) struct StatsArgs {
    #[command(flatten)]
    pub(crate) show: ShowArgs,
    /// Show all members of the node's fleet, and what they have counted together
    #[arg(long)]
    pub(crate) fleet: bool,
}

/// The flags of `invalidate`.
#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("what").required(true)))]
pub(crate) struct InvalidateArgs {
    #[arg(
        long,
        value_name = "URL",
        help = "The node to tell [env: GHMESH_NODE] [default: http://127.0.0.1:8417]"
    )]
    pub(crate) node: Option<String>,
    /// A path of the API, such as /repos/OWNER/REPO; what lies below it goes, too
    #[arg(
        value_name = "PATH-PREFIX",
        value_parser = path_prefix,
        group = "what"
    )]
    pub(crate) prefix: Option<PathPrefix>,
    /// Drop everything
    #[arg(long, group = "what")]
    pub(crate) all: bool,
}

/// The flags of `doctor`.
#[derive(Debug, clap::Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) settings: Settings,
    /// Print JSON instead of lines
    #[arg(long)]
    pub(crate) json: bool,
}

/// The flags of `demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {
    /// How many runners there are
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(2..=16))]
    pub(crate) runners: u16,
    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

fn path_prefix(text: &str) -> Result<PathPrefix, String> {
    PathPrefix::parse(text).map_err(|error| match error {
        InvalidPathPrefix::Everything => format!("{error}, or give --all instead"),
        error => error.to_string(),
    })
}
