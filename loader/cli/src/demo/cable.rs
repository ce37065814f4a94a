//! Two network namespaces that nothing else is in, joined by a veth pair.
//!
//! Only this process holds them: no name, no mount, no file.

use std::os::fd::AsFd;
use std::thread::sleep;
use std::time::{Duration, Instant};

use ebpf_loader::Error;
use ebpf_syscalls::netlink::{Interface, Operstate, Route, Veth};
use ebpf_syscalls::netns::Netns;
use ebpf_syscalls::packet_socket::PacketSocket;

use super::traffic::Macs;
use crate::advice::failure;
use ebpf_cli::exit::Exit;
use ebpf_cli::report::Failure;

/// The name of either end.
pub(super) const NAME: &str = "eth0";

/// How long the ends may take to come up.
const COMES_UP: Duration = Duration::from_secs(5);

/// How often to look.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// How long no packet must have come for the rest to count as lost.
const QUIET: Duration = Duration::from_millis(200);

/// How long the packets of one kind may take in all.
const AT_MOST: Duration = Duration::from_secs(5);

/// Longest frame that is looked at, in bytes; ours are shorter.
const FRAME_LEN: usize = 2048;

/// The pair.
#[derive(Debug)]
pub(super) struct Cable {
    near: End,
    far: End,
}

/// A namespace with an end of the pair.
#[derive(Debug)]
struct End {
    netns: Netns,
    route: Route,
    interface: Interface,
    socket: PacketSocket,
}

impl Cable {
    /// Makes the namespaces and the pair, and waits until it carries packets.
    pub(super) fn new() -> Result<Self, Failure> {
        let make = || Netns::new().map_err(doing("cannot make a network namespace"));
        let (near, far) = (make()?, make()?);
        let veth = Veth {
            name: NAME,
            peer: NAME,
            peer_netns: Some(far.as_fd()),
        };
        within(&near, || {
            Route::open()
                .and_then(|mut route| route.create_veth(&veth))
                .map_err(doing("cannot make a veth pair"))
        })?;
        // An end carries packets only when both are switched on.
        let routes = [switch_on(&near)?, switch_on(&far)?];
        let [near_route, far_route] = routes;
        Ok(Cable {
            near: End::new(near, near_route)?,
            far: End::new(far, far_route)?,
        })
    }

    /// Runs something in the namespace that packets arrive in.
    pub(super) fn at_far_end<R: Send>(
        &self,
        work: impl FnOnce() -> Result<R, Failure> + Send,
    ) -> Result<R, Failure> {
        within(&self.far.netns, work)
    }

    /// Waits until both ends carry packets, which a driver may stop for a moment.
    pub(super) fn wait(&mut self) -> Result<(), Failure> {
        self.near.wait()?;
        self.far.wait()
    }

    /// The Ethernet addresses of the ends.
    pub(super) fn macs(&self) -> Macs {
        Macs {
            from: self.near.interface.mac.unwrap_or(Macs::EXAMPLE.from),
            to: self.far.interface.mac.unwrap_or(Macs::EXAMPLE.to),
        }
    }

    /// Sends frames from the near end, and counts those of them that arrive at the far end.
    ///
    /// Other frames are passed over: the kernel sends some of its own accord, as for IPv6.
    pub(super) fn carry(&self, frames: &[Vec<u8>]) -> Result<usize, Failure> {
        for frame in frames {
            self.near
                .socket
                .send(frame)
                .map_err(doing("cannot send a packet"))?;
        }
        let start = Instant::now();
        let mut missing: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
        let mut buffer = [0; FRAME_LEN];
        while !missing.is_empty() && start.elapsed() < AT_MOST {
            let received = self.far.socket.receive(&mut buffer, QUIET);
            let Some(len) = received.map_err(doing("cannot receive a packet"))? else {
                break;
            };
            let frame = buffer.get(..len).unwrap_or_default();
            missing.retain(|expected| *expected != frame);
        }
        Ok(frames.len() - missing.len())
    }
}

impl End {
    fn new(netns: Netns, mut route: Route) -> Result<Self, Failure> {
        let interface = carrying(&mut route)?;
        let socket = within(&netns, || {
            PacketSocket::open(interface.index).map_err(doing("cannot open a packet socket"))
        })?;
        Ok(End {
            netns,
            route,
            interface,
            socket,
        })
    }

    fn wait(&mut self) -> Result<(), Failure> {
        carrying(&mut self.route).map(drop)
    }
}

/// Switches the end in a namespace on, and gives a socket of that namespace.
fn switch_on(netns: &Netns) -> Result<Route, Failure> {
    let doing = doing("cannot switch an interface on");
    within(netns, || {
        let mut route = Route::open().map_err(&doing)?;
        let interface = route.interface_by_name(NAME).map_err(&doing)?;
        route.set_up(interface.index).map_err(&doing)?;
        Ok(route)
    })
}

/// The end, once it carries packets.
fn carrying(route: &mut Route) -> Result<Interface, Failure> {
    let start = Instant::now();
    while start.elapsed() < COMES_UP {
        let interface = route
            .interface_by_name(NAME)
            .map_err(doing("cannot look at an interface"))?;
        if interface.operstate == Operstate::Up {
            return Ok(interface);
        }
        sleep(LOOK_EVERY);
    }
    Err(Failure::new(
        Exit::Io,
        format!("the veth pair does not come up within {COMES_UP:?}"),
    ))
}

fn within<R: Send>(
    netns: &Netns,
    work: impl FnOnce() -> Result<R, Failure> + Send,
) -> Result<R, Failure> {
    netns
        .run(work)
        .map_err(doing("cannot enter a network namespace"))?
}

/// What was being done when the kernel refused.
fn doing(action: &'static str) -> impl Fn(ebpf_syscalls::Error) -> Failure + Sync {
    move |source| failure(Error::Kernel { action, source })
}
