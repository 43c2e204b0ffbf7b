//! The network between the hosts: a switch that loses packets, delays the others, and pulls plugs.
//!
//! `tc netem` is not in every kernel; TUN devices are. Each host has one, and what it sends comes
//! out of it here.
#![expect(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in test functions only"
)]

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tun_rs::AsyncDevice;

/// What a packet may be long.
const MTU: usize = 1500;

/// Packets on their way to one host. One more is lost, as in any switch.
const QUEUE: usize = 4096;

/// How bad the network is.
#[derive(Clone, Copy)]
pub(crate) struct Weather {
    /// How long a packet takes from host to host.
    pub(crate) delay: Duration,
    /// The share of packets that never arrive.
    pub(crate) loss: f64,
    /// Which ones, as far as the hosts send the same packets in the same order again.
    pub(crate) seed: u64,
}

/// What can be done to the network while it works, and what it has done.
#[derive(Clone, Default)]
pub(crate) struct Switch(Arc<State>);

#[derive(Default)]
struct State {
    /// By port: whether the plug is pulled.
    pulled: [AtomicBool; Switch::PORTS],
    delivered: AtomicU64,
    lost: AtomicU64,
    to_pulled: AtomicU64,
}

/// A host's device, and what is sent to it.
struct Port {
    number: usize,
    address: Ipv4Addr,
    device: AsyncDevice,
}

/// A packet, and when it arrives.
type Flying = (Instant, Vec<u8>);

impl Switch {
    pub(crate) const PORTS: usize = 5;

    /// Passes on what comes out of the devices, for ever.
    pub(crate) async fn run(self, devices: Vec<(Ipv4Addr, AsyncDevice)>, weather: Weather) {
        let ports = devices.into_iter().enumerate();
        let ports: Vec<_> = ports
            .map(|(number, (address, device))| Port {
                number,
                address,
                device,
            })
            .collect();
        let (lines, ends): (Vec<_>, Vec<_>) = ports.iter().map(|_| mpsc::channel(QUEUE)).unzip();
        let lines: Vec<_> = ports.iter().map(|port| port.address).zip(lines).collect();
        let taking = ports.iter().map(|port| self.take(port, &lines, weather));
        let giving = ports.iter().zip(ends).map(|(port, end)| give(port, end));
        tokio::join!(join_all(taking), join_all(giving));
    }

    /// Pulls the plug of a port: nothing gets in there, and nothing out.
    pub(crate) fn pull(&self, port: usize) {
        self.0.pulled[port].store(true, Ordering::Relaxed);
    }

    pub(crate) fn plug_in(&self, port: usize) {
        self.0.pulled[port].store(false, Ordering::Relaxed);
    }

    /// Packets that were delivered, lost, and held up by a plug that was pulled.
    pub(crate) fn packets(&self) -> (u64, u64, u64) {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let state = &self.0;
        (
            count(&state.delivered),
            count(&state.lost),
            count(&state.to_pulled),
        )
    }

    /// Takes what one host sends.
    async fn take(
        &self,
        port: &Port,
        lines: &[(Ipv4Addr, mpsc::Sender<Flying>)],
        weather: Weather,
    ) {
        let mut luck = StdRng::seed_from_u64(weather.seed ^ port.number as u64);
        let mut packet = vec![0; MTU];
        loop {
            let length = port.device.recv(&mut packet).await.unwrap();
            let packet = &packet[..length];
            let Some(to) = destination(packet) else {
                continue;
            };
            let Some(to) = lines.iter().position(|(address, _)| *address == to) else {
                continue;
            };
            let counter = if self.is_pulled(port.number) || self.is_pulled(to) {
                &self.0.to_pulled
            } else if luck.random_bool(weather.loss) {
                &self.0.lost
            } else {
                let arrival = Instant::now() + weather.delay;
                match lines[to].1.try_send((arrival, packet.to_vec())) {
                    Ok(()) => &self.0.delivered,
                    Err(_) => &self.0.lost,
                }
            };
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn is_pulled(&self, port: usize) -> bool {
        self.0.pulled[port].load(Ordering::Relaxed)
    }
}

/// Gives one host what has flown long enough.
async fn give(port: &Port, mut flying: mpsc::Receiver<Flying>) {
    while let Some((arrival, packet)) = flying.recv().await {
        sleep_until(arrival).await;
        port.device.send(&packet).await.unwrap();
    }
}

/// Where an IPv4 packet is to go; `None` for anything else.
fn destination(packet: &[u8]) -> Option<Ipv4Addr> {
    let is_ipv4 = packet.first()? >> 4 == 4;
    let address: [u8; 4] = packet.get(16..20)?.try_into().ok()?;
    is_ipv4.then(|| address.into())
}
