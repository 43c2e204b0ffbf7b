//! Whether clients and peers can be listened for.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};

use cache_net::{Multiaddr, Protocol};
use tokio::net::UnixStream;

use super::check::Check;
use crate::config;
use crate::hidden;
use crate::listen;
use crate::node_client::NodeClient;
use crate::report::NodeStats;
use crate::settings::Settings;

/// Looks at the port and the socket for clients, and asks the node that has the port already.
pub(crate) async fn clients(settings: &Settings) -> (Vec<Check>, Option<NodeStats>) {
    let (port, running) = http(config::listen(settings)).await;
    (vec![port, socket(settings).await], running)
}

/// Looks at each address that peers are to reach us at.
pub(crate) fn peers<'a>(
    addresses: &'a [Multiaddr],
    running: Option<&'a NodeStats>,
) -> impl Iterator<Item = Check> {
    addresses.iter().map(move |address| p2p(address, running))
}

async fn http(address: SocketAddr) -> (Check, Option<NodeStats>) {
    let error = match bind(address) {
        Ok(()) => return (Check::pass("http-port", free(address)), None),
        Err(error) => error,
    };
    if error.kind() == io::ErrorKind::AddrInUse
        && let Ok(node) = NodeClient::new(&address.to_string())
        && let Ok(stats) = node.get::<NodeStats>("/-/stats").await
    {
        let found = format!("{address}: a node runs there (ghmesh {})", stats.version);
        return (Check::pass("http-port", found), Some(stats));
    }
    let found = format!("--listen {address} (GHMESH_LISTEN): {error}");
    (
        Check::fail("http-port", found, listen::remedy(&error)),
        None,
    )
}

async fn socket(settings: &Settings) -> Check {
    let remedy = "name another place with --listen-unix, or another --data-dir (CACHE_DIR)";
    let socket = match config::unix_socket(settings, &crate::env::Env::Process) {
        Ok(socket) => socket,
        Err(error) => return Check::fail("socket", error, remedy),
    };
    let shown = hidden::path(&socket.path);
    if UnixStream::connect(&socket.path).await.is_ok() {
        return Check::pass("socket", format_args!("{shown}: a node listens there"));
    }
    match listen::open(&socket.path).await {
        Ok(_) => Check::pass("socket", shown),
        Err(error) if socket.required => {
            Check::fail("socket", format_args!("{shown}: {error}"), remedy)
        }
        Err(error) => Check::warn("socket", format_args!("{shown}: {error}"), remedy),
    }
}

fn p2p(address: &Multiaddr, running: Option<&NodeStats>) -> Check {
    let Some(socket) = socket_address(address) else {
        return Check::fail(
            "p2p-port",
            format_args!("{address} is no address to listen on"),
            "give one like /ip4/0.0.0.0/tcp/9100 as --p2p-listen",
        );
    };
    match bind(socket) {
        Ok(()) => Check::pass("p2p-port", free(socket)),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            if running.is_some_and(|node| listens_on(node, socket.port())) {
                let found = format!("{socket}: the running node's");
                return Check::pass("p2p-port", found);
            }
            Check::warn(
                "p2p-port",
                format_args!("{socket} is in use: the next free port would be taken"),
                "stop the other process, or have the peers know another port: --p2p-listen \
                 (CACHE_LISTEN_PORT)",
            )
        }
        Err(error) => Check::fail(
            "p2p-port",
            format_args!("{socket}: {error}"),
            "give an address of this machine and a port above 1023 as --p2p-listen \
             (CACHE_LISTEN_PORT)",
        ),
    }
}

fn free(address: SocketAddr) -> String {
    match address.port() {
        0 => format!("{}, any port that is free", address.ip()),
        _ => format!("{address} is free"),
    }
}

/// Takes the port and gives it back.
fn bind(address: SocketAddr) -> io::Result<()> {
    TcpListener::bind(address).map(drop)
}

fn listens_on(node: &NodeStats, port: u16) -> bool {
    let part = format!("/tcp/{port}/");
    let mut addresses = node.listen_addrs.iter();
    addresses.any(|address| address.contains(&part))
}

fn socket_address(address: &Multiaddr) -> Option<SocketAddr> {
    let mut parts = address.iter();
    let ip: IpAddr = match parts.next()? {
        Protocol::Ip4(ip) => ip.into(),
        Protocol::Ip6(ip) => ip.into(),
        _ => return None,
    };
    match parts.next()? {
        Protocol::Tcp(port) => Some((ip, port).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::check::Status;

    fn address(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_port_for_peers_that_is_taken_gives_way() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let check = p2p(&address(&format!("/ip4/127.0.0.1/tcp/{port}")), None);
        assert_eq!(check.status(), Status::Warn);
        assert!(check.found().contains(&port.to_string()), "{check:?}");
        let any = p2p(&address("/ip4/127.0.0.1/tcp/0"), None);
        assert_eq!(any.status(), Status::Pass);
    }

    #[test]
    fn a_name_is_nothing_to_listen_on() {
        let check = p2p(&address("/dns4/runner-1/tcp/9100"), None);
        assert_eq!(check.status(), Status::Fail);
    }

    #[tokio::test]
    async fn a_port_for_clients_that_another_program_has_fails() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        // It hangs up on whoever asks whether it is a node.
        let address = taken.local_addr().unwrap();
        let hangs_up = std::thread::spawn(move || drop(taken.accept()));
        let (check, running) = http(address).await;
        assert_eq!(check.status(), Status::Fail);
        assert!(running.is_none());
        hangs_up.join().unwrap();
    }
}
