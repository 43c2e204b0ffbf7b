//! Taking a port, or the next one that is free.

use std::io;
use std::net::{IpAddr, SocketAddr};

use libp2p::Multiaddr;
use libp2p::core::transport::TransportError;
use libp2p::multiaddr::Protocol;
use socket2::{Domain, Socket, Type};

use crate::error::StartError;

/// How many ports after a busy one are tried.
const FURTHER_PORTS: u16 = 32;

/// Has `listen` listen on `address`, or on the next free port after it.
pub(crate) fn on_free_port<T>(
    address: &Multiaddr,
    mut listen: impl FnMut(Multiaddr) -> io::Result<T>,
) -> Result<T, StartError> {
    let wanted =
        socket_address(address).ok_or_else(|| StartError::ListenAddress(address.clone()))?;
    let failed = |source| StartError::Listen {
        address: address.clone(),
        source,
    };
    if wanted.port() == 0 {
        return listen(address.clone()).map_err(failed);
    }

    for port in wanted.port()..=wanted.port().saturating_add(FURTHER_PORTS) {
        let candidate = SocketAddr::new(wanted.ip(), port);
        match exclusively(candidate, || listen(multiaddr(candidate))) {
            Ok(listening) => {
                if port != wanted.port() {
                    tracing::warn!(
                        "port {} is in use, listening on port {port} instead",
                        wanted.port()
                    );
                }
                return Ok(listening);
            }
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Err(StartError::PortsInUse {
        address: address.clone(),
        tried: FURTHER_PORTS,
    })
}

/// Why libp2p does not listen.
pub(crate) fn io_error(error: TransportError<io::Error>) -> io::Error {
    match error {
        TransportError::MultiaddrNotSupported(_) => io::ErrorKind::Unsupported.into(),
        TransportError::Other(error) => error,
    }
}

/// Runs `listen` if nobody listens on `address` yet, and nobody is about to.
///
/// libp2p sets `SO_REUSEPORT` on its sockets, with which two processes can listen on one port and
/// the system deals connections out between them. So we ask for the port without it first. Between
/// that and libp2p's own call another process could do the same; the UDP port of the same number,
/// held meanwhile, is the lock between us.
fn exclusively<T>(address: SocketAddr, listen: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let _lock = bound(address, Type::DGRAM)?;
    let probe = bound(address, Type::STREAM)?;
    drop(probe);
    listen()
}

fn bound(address: SocketAddr, kind: Type) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, None)?;
    if address.is_ipv6() {
        // As libp2p does: /ip6/:: and /ip4/0.0.0.0 are two listeners.
        socket.set_only_v6(true)?;
    }
    #[cfg(unix)]
    if kind == Type::STREAM {
        // Connections of a listener that is gone do not keep its port busy.
        socket.set_reuse_address(true)?;
    }
    socket.bind(&address.into())?;
    Ok(socket)
}

fn socket_address(address: &Multiaddr) -> Option<SocketAddr> {
    let mut parts = address.iter();
    let ip: IpAddr = match parts.next()? {
        Protocol::Ip4(ip) => ip.into(),
        Protocol::Ip6(ip) => ip.into(),
        _ => return None,
    };
    match (parts.next()?, parts.next()) {
        (Protocol::Tcp(port), None) => Some(SocketAddr::new(ip, port)),
        _ => None,
    }
}

fn multiaddr(address: SocketAddr) -> Multiaddr {
    Multiaddr::from(address.ip()).with(Protocol::Tcp(address.port()))
}
