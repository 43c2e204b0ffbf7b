//! What the values of settings look like, and what is said of those that do not.

use std::net::SocketAddr;
use std::ops::RangeInclusive;

use bytesize::ByteSize;

/// A hundred years. It keeps sums of durations within what a clock can tell.
pub(super) const MAX_SECONDS: u64 = 100 * 365 * 24 * 3600;

/// From what one answer may take to what no machine has.
const SIZES: RangeInclusive<u64> = (1 << 20)..=(1 << 40);

pub(super) fn multiaddr(text: &str) -> Result<cache_net::Multiaddr, &'static str> {
    let address = text.trim().parse::<cache_net::Multiaddr>().ok();
    let address = address.filter(|address| !address.is_empty());
    address.ok_or(
        "it is no multiaddr; write it like /ip4/192.0.2.1/tcp/9100 or /dns4/runner-1/tcp/9100",
    )
}

pub(super) fn socket_address(text: &str) -> Result<SocketAddr, String> {
    let numeric = text.replace("localhost:", "127.0.0.1:");
    numeric
        .parse()
        .map_err(|_| "write an IP address and a port, like 127.0.0.1:8417".to_owned())
}

pub(super) fn seconds(text: &str) -> Result<u64, String> {
    let seconds = text.parse().ok().filter(|seconds| *seconds <= MAX_SECONDS);
    seconds.ok_or_else(|| "write whole seconds, like 300".to_owned())
}

pub(super) fn on_or_off(text: &str) -> Result<bool, &'static str> {
    match text {
        "on" | "true" => Ok(true),
        "off" | "false" => Ok(false),
        _ => Err("write on or off"),
    }
}

pub(super) fn sharing(text: &str) -> Result<gh_client::Sharing, String> {
    text.parse()
        .map_err(|error: gh_client::InvalidSharing| error.to_string())
}

pub(super) fn size(text: &str) -> Result<ByteSize, String> {
    let size: Option<ByteSize> = text.parse().ok();
    let size = size.filter(|size| SIZES.contains(&size.as_u64()));
    size.ok_or_else(|| "write a size from 1MiB to 1TiB, like 256MiB".to_owned())
}
