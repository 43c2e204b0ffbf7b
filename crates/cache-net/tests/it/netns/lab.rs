//! Hosts in network namespaces of their own: each has its own addresses, and some sit behind NATs.
#![expect(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in test functions only"
)]

use std::fs::File;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use cache_net::{Config, P2p};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::runtime;
use tokio::sync::oneshot;
use tun_rs::{AsyncDevice, DeviceBuilder, Layer};

use super::switch::{Switch, Weather};

/// A network device in each namespace.
const DEVICE: &str = "net0";

/// The NAT: who is inside gets out, under the address of the router, and nobody gets in, nor is told
/// that it does not.
const NAT: &str = "
table ip nat {
  chain out { type nat hook postrouting priority 100; oifname \"net0\" masquerade; }
}
table ip guard {
  chain in { type filter hook forward priority 0; iifname \"net0\" ct state new drop; }
  chain here { type filter hook input priority 0; iifname \"net0\" ct state new drop; }
}
";

/// Five namespaces on one switch, and behind the last of them some more.
pub(crate) struct Lab {
    pub(crate) switch: Switch,
    /// Those of the hosts; the last ones are each behind a NAT.
    hosts: Vec<Namespace>,
    /// Held until the end, because the namespaces go with them.
    routers: Vec<Namespace>,
    network: Worker,
}

impl Lab {
    /// Where the hosts are on the switch; the last addresses are the routers'.
    pub(crate) const ADDRESSES: [Ipv4Addr; Switch::PORTS] = [
        Ipv4Addr::new(10, 77, 0, 1),
        Ipv4Addr::new(10, 77, 0, 2),
        Ipv4Addr::new(10, 77, 0, 3),
        Ipv4Addr::new(10, 77, 0, 4),
        Ipv4Addr::new(10, 77, 0, 5),
    ];

    /// A network, the last so many hosts of which are each behind a NAT of its own.
    pub(crate) fn build(weather: Weather, hidden: usize) -> io::Result<Self> {
        static BUILT: AtomicUsize = AtomicUsize::new(0);
        let lab = BUILT.fetch_add(1, Ordering::Relaxed);
        let lab = format!("ghmesh-{}-{lab}", std::process::id());
        let mut plugged = Vec::new();
        for number in 0..Switch::PORTS {
            plugged.push(Namespace::new(format!("{lab}-{number}"))?);
        }
        let switch = Switch::default();
        let network = network(&plugged, switch.clone(), weather)?;
        let routers = plugged.split_off(Switch::PORTS - hidden);
        let mut hosts = plugged;
        for router in &routers {
            hosts.push(behind(router, hosts.len())?);
        }
        Ok(Self {
            switch,
            hosts,
            routers,
            network,
        })
    }

    /// Where the host of this number is, if it is behind a NAT.
    pub(crate) fn inside(number: usize) -> Ipv4Addr {
        Ipv4Addr::new(10, 78, u8::try_from(number).unwrap(), 2)
    }

    /// Where the router of a host behind a NAT is, as seen by that host.
    pub(crate) fn gateway(number: usize) -> Ipv4Addr {
        Ipv4Addr::new(10, 78, u8::try_from(number).unwrap(), 1)
    }

    /// Starts a host in the namespace of this number.
    pub(crate) async fn start(&self, number: usize, config: Config) -> Host {
        Host::start(&self.hosts[number], config).await
    }

    /// Starts a host on the first of the routers.
    pub(crate) async fn start_on_router(&self, config: Config) -> Host {
        Host::start(&self.routers[0], config).await
    }

    /// Takes everything down.
    pub(crate) fn end(self) {
        self.network.end();
    }
}

/// A host, and the thread in whose namespace its sockets are.
pub(crate) struct Host {
    pub(crate) transport: Arc<P2p>,
    worker: Worker,
}

impl Host {
    async fn start(place: &Namespace, config: Config) -> Self {
        let (started, starts) = oneshot::channel();
        let worker = Worker::start(place, async move |end| {
            let host = Arc::new(P2p::start(config).await.unwrap());
            let _ = started.send(host);
            let _ = end.await;
        });
        Self {
            transport: starts.await.unwrap(),
            worker: worker.unwrap(),
        }
    }

    pub(crate) fn end(self) {
        self.worker.end();
    }
}

/// A thread with a runtime in a namespace: sockets belong to the namespace of the thread that
/// makes them.
struct Worker {
    end: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Worker {
    fn start<W>(place: &Namespace, work: W) -> io::Result<Self>
    where
        W: AsyncFnOnce(oneshot::Receiver<()>) + Send + 'static,
    {
        let place = place.open()?;
        let (end, ending) = oneshot::channel();
        let thread = thread::spawn(move || {
            enter(&place).unwrap();
            let runtime = runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(work(ending));
        });
        Ok(Self { end, thread })
    }

    fn end(self) {
        let _ = self.end.send(());
        self.thread.join().unwrap();
    }
}

/// The switch, and a device of it in each namespace.
fn network(places: &[Namespace], switch: Switch, weather: Weather) -> io::Result<Worker> {
    let doors = places.iter().map(Namespace::open);
    let doors = doors.collect::<io::Result<Vec<_>>>()?;
    let (ready, is_ready) = std::sync::mpsc::sync_channel(1);
    let worker = Worker::start(&places[0], async move |end| {
        let devices: io::Result<Vec<_>> = doors.iter().map(device).collect();
        let devices = match devices {
            Ok(devices) => {
                ready.send(Ok(())).unwrap();
                Lab::ADDRESSES.into_iter().zip(devices).collect()
            }
            Err(error) => return ready.send(Err(error)).unwrap(),
        };
        tokio::select! {
            () = switch.run(devices, weather) => {}
            _ = end => {}
        }
    })?;
    is_ready.recv().unwrap()?;
    for (place, address) in places.iter().zip(Lab::ADDRESSES) {
        place.ip(&["address", "add", &format!("{address}/24"), "dev", DEVICE])?;
        place.ip(&["link", "set", DEVICE, "up"])?;
    }
    Ok(worker)
}

/// A device whose other end is here.
fn device(place: &File) -> io::Result<AsyncDevice> {
    enter(place)?;
    DeviceBuilder::new()
        .name(DEVICE)
        .layer(Layer::L3)
        .build_async()
}

/// A namespace for the host of this number, which reaches the network through `router` alone.
fn behind(router: &Namespace, number: usize) -> io::Result<Namespace> {
    let inside = Namespace::new(format!("{}-inside", router.name))?;
    let gateway = Lab::gateway(number).to_string();
    let ends = ["link", "add", "inside", "type", "veth", "peer", "name"];
    router.ip(&[&ends[..], &[DEVICE, "netns", &inside.name]].concat())?;
    router.ip(&["address", "add", &format!("{gateway}/24"), "dev", "inside"])?;
    router.ip(&["link", "set", "inside", "up"])?;
    router.ip(&["route", "add", "224.0.0.0/4", "dev", "inside"])?;
    let address = format!("{}/24", Lab::inside(number));
    inside.ip(&["address", "add", &address, "dev", DEVICE])?;
    inside.ip(&["link", "set", DEVICE, "up"])?;
    inside.ip(&["route", "add", "default", "via", &gateway])?;
    router.run("nft", &["-f", "-"], NAT)?;
    router.within(|| std::fs::write("/proc/sys/net/ipv4/ip_forward", "1"))?;
    Ok(inside)
}

/// A network namespace, which goes when this is dropped. Its devices stay as long as there are
/// sockets in it.
struct Namespace {
    name: String,
}

impl Namespace {
    fn new(name: String) -> io::Result<Self> {
        run("ip", &["netns", "add", &name], "")?;
        let made = Self { name };
        made.ip(&["link", "set", "lo", "up"])?;
        Ok(made)
    }

    fn ip(&self, arguments: &[&str]) -> io::Result<()> {
        run("ip", &[&["-n", &self.name], arguments].concat(), "")
    }

    fn run(&self, program: &str, arguments: &[&str], input: &str) -> io::Result<()> {
        let within = ["netns", "exec", &self.name, program];
        run("ip", &[&within[..], arguments].concat(), input)
    }

    fn open(&self) -> io::Result<File> {
        File::open(format!("/run/netns/{}", self.name))
    }

    /// Does something on a thread of its own, which is in the namespace.
    fn within(&self, work: impl FnOnce() -> io::Result<()> + Send) -> io::Result<()> {
        let place = self.open()?;
        thread::scope(|scope| {
            let there = scope.spawn(|| enter(&place).and_then(|()| work()));
            there.join().unwrap()
        })
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if let Err(error) = run("ip", &["netns", "delete", &self.name], "") {
            println!("{} is left behind: {error}", self.name);
        }
    }
}

/// Moves this thread into a namespace.
fn enter(place: &File) -> io::Result<()> {
    Ok(move_into_link_name_space(
        place.as_fd(),
        Some(LinkNameSpaceType::Network),
    )?)
}

fn run(program: &str, arguments: &[&str], input: &str) -> io::Result<()> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| io::Error::new(error.kind(), format!("{program}: {error}")))?;
    child.stdin.take().unwrap().write_all(input.as_bytes())?;
    let output = child.wait_with_output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let command = format!("{program} {}", arguments.join(" "));
    Err(io::Error::other(format!("{command}: {}", said.trim())))
}
