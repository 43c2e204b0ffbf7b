//! Bootstrap peers that are given by name: all addresses that a name stands for.
//!
//! libp2p resolves a name as part of a dial, and is content with one address that answers. A name
//! of several hosts, as a headless service of Kubernetes has, is to yield all of them.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;

/// Of one name's addresses, further ones are left out.
const MOST_ADDRESSES: usize = 64;

/// Lookups for one name: `/dnsaddr` may stand for further names.
const MOST_LOOKUPS: usize = 16;

/// How long an answer of a name server is kept, and how long one that there is nothing.
const LONGEST_KEPT: Duration = Duration::from_secs(30);
const LONGEST_MISSED: Duration = Duration::from_secs(5);

/// What the TXT records of `/dnsaddr/NAME` hang on, and how each begins.
/// <https://github.com/multiformats/multiaddr/blob/master/protocols/DNSADDR.md>
const DNSADDR_HOST: &str = "_dnsaddr.";
const DNSADDR_RECORD: &str = "dnsaddr=";

/// Why a name yields nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NameError {
    #[error("its host name cannot be resolved: {0}")]
    Lookup(NetError),
    #[error("its host name cannot be resolved: there is no such name")]
    NoSuchName,
    #[error("its host name cannot be resolved: there is no address of that kind under it")]
    Nothing,
    #[error("its host name cannot be resolved: no name server is configured")]
    NoServer,
    #[error("its host name cannot be resolved: the name servers do not answer")]
    Timeout,
}

impl From<NetError> for NameError {
    fn from(error: NetError) -> Self {
        // hickory tells how it has asked, down to the bits of the query.
        if error.is_nx_domain() {
            Self::NoSuchName
        } else if error.is_no_records_found() {
            Self::Nothing
        } else {
            Self::Lookup(error)
        }
    }
}

/// Asks name servers.
#[derive(Clone)]
pub(crate) struct Names {
    /// `None` where the system's configuration cannot be read.
    resolver: Option<TokioResolver>,
}

impl Names {
    /// Asks these servers, or those that the system is configured with where there are none.
    pub(crate) fn new(servers: &[SocketAddr]) -> Self {
        let builder = if servers.is_empty() {
            TokioResolver::builder_tokio()
        } else {
            let servers = servers.iter().map(name_server).collect();
            let config = ResolverConfig::from_parts(None, Vec::new(), servers);
            let provider = TokioRuntimeProvider::default();
            Ok(TokioResolver::builder_with_config(config, provider))
        };
        let resolver = builder.and_then(|mut builder| {
            let options = builder.options_mut();
            // A host that has only just been given its name is not to wait for a day, which is
            // what a server may say, until it is asked for again.
            options.positive_max_ttl = Some(LONGEST_KEPT);
            options.negative_max_ttl = Some(LONGEST_MISSED);
            builder.build()
        });
        let resolver = resolver.inspect_err(|error| {
            tracing::warn!(
                "cannot read how to resolve host names (/etc/resolv.conf): {error}; \
                 bootstrap peers that are given by name will not be found"
            );
        });
        Self {
            resolver: resolver.ok(),
        }
    }

    /// All addresses that this one, which begins with a name, stands for.
    pub(crate) async fn resolve(&self, address: &Multiaddr) -> Result<Vec<Multiaddr>, NameError> {
        let resolver = self.resolver.as_ref().ok_or(NameError::NoServer)?;
        let mut unresolved = vec![address.clone()];
        let mut resolved = Vec::new();
        let mut failure = NameError::Nothing;
        for _ in 0..MOST_LOOKUPS {
            let Some(next) = unresolved.pop() else { break };
            match step(resolver, &next).await {
                Ok(addresses) => {
                    let (names, concrete): (Vec<_>, Vec<_>) =
                        addresses.into_iter().partition(is_name);
                    unresolved.extend(names);
                    resolved.extend(concrete);
                }
                Err(error) => failure = error.into(),
            }
        }
        resolved.sort_unstable();
        resolved.dedup();
        resolved.truncate(MOST_ADDRESSES);
        if resolved.is_empty() {
            return Err(failure);
        }
        Ok(resolved)
    }
}

/// Whether an address begins with a name.
pub(crate) fn is_name(address: &Multiaddr) -> bool {
    matches!(
        address.iter().next(),
        Some(Protocol::Dns(_) | Protocol::Dns4(_) | Protocol::Dns6(_) | Protocol::Dnsaddr(_))
    )
}

fn name_server(address: &SocketAddr) -> NameServerConfig {
    let on_port = |mut connection: ConnectionConfig| {
        connection.port = address.port();
        connection
    };
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
    NameServerConfig::new(address.ip(), true, connections.map(on_port).into())
}

/// What an address stands for, one lookup further.
async fn step(resolver: &TokioResolver, address: &Multiaddr) -> Result<Vec<Multiaddr>, NetError> {
    let mut parts = address.iter();
    let first = parts.next();
    let rest: Multiaddr = parts.collect();
    let (name, wanted): (_, fn(&std::net::IpAddr) -> bool) = match first {
        Some(Protocol::Dns(name)) => (name, |_| true),
        Some(Protocol::Dns4(name)) => (name, std::net::IpAddr::is_ipv4),
        Some(Protocol::Dns6(name)) => (name, std::net::IpAddr::is_ipv6),
        Some(Protocol::Dnsaddr(name)) => return records(resolver, &name, &rest).await,
        _ => return Ok(vec![address.clone()]),
    };
    let found = resolver.lookup_ip(&*name).await?;
    let addresses = found.iter().filter(wanted).map(|ip| {
        let host = std::iter::once(Protocol::from(ip));
        host.chain(rest.iter()).collect()
    });
    Ok(addresses.collect())
}

/// The addresses that are listed under a `/dnsaddr`, of those that end as it does.
async fn records(
    resolver: &TokioResolver,
    name: &str,
    ending: &Multiaddr,
) -> Result<Vec<Multiaddr>, NetError> {
    let found = resolver.txt_lookup(format!("{DNSADDR_HOST}{name}")).await?;
    let texts = found.answers().iter().filter_map(|record| {
        let RData::TXT(text) = &record.data else {
            return None;
        };
        std::str::from_utf8(text.txt_data.first()?).ok()
    });
    let addresses = texts.filter_map(|text| text.strip_prefix(DNSADDR_RECORD)?.parse().ok());
    Ok(addresses
        .filter(|address: &Multiaddr| address.ends_with(ending))
        .collect())
}
