//! Accept, admission, back-off, drain.

use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
    sync::Arc,
    thread,
    time::Instant,
};

use anyhow::Context as _;
use mio::{
    Events, Interest, Poll, Token, Waker,
    net::{TcpListener, TcpStream},
};
use process::{Outcome, Pressure, Site};

use crate::{
    inbox::{Inbox, Newcomer},
    reactor,
};

/// What the acceptor waits for.
const CLIENT: Token = Token(0);
const SHUTDOWN: Token = Token(1);

/// What the acceptor shares with whoever tells it to end.
struct Shared {
    site: Arc<Site>,
    loops: Vec<Arc<Inbox>>,
    shutdown: Waker,
}

/// Serves until the process is told to end, and every request has ended or was cut.
pub(crate) fn run(site: Site) -> anyhow::Result<Outcome> {
    let mut poll = Poll::new().context("cannot make an epoll")?;
    let shutdown = Waker::new(poll.registry(), SHUTDOWN).context("cannot make an eventfd")?;
    let site = Arc::new(site);
    let loops = (1..=site.workers).map(|number| reactor::start(&site, number as u64));
    let loops = loops.collect::<io::Result<_>>().context("cannot start an event loop")?;
    let shared = Arc::new(Shared { site, loops, shutdown });
    let end = Arc::clone(&shared);
    shared.site.on_shutdown(move || end.wake_all())?;
    shared.site.announce()?;
    accept(&shared, &mut poll)?;
    drain(&shared);
    Ok(Outcome { cut: shared.site.requests_in_flight() })
}

/// Accepts until the process is told to end, and then what the backlog holds.
fn accept(shared: &Shared, poll: &mut Poll) -> anyhow::Result<()> {
    let listener = &shared.site.listener;
    let mut socket = TcpListener::from_std(listener.socket.try_clone()?);
    poll.registry().register(&mut socket, CLIENT, Interest::READABLE)?;
    let mut pressure = shared.site.pressure();
    loop {
        let draining = shared.site.is_draining();
        if draining && (listener.inherited || Instant::now() >= shared.site.drain_deadline()) {
            return Ok(());
        }
        match socket.accept() {
            Ok((stream, origin)) => admit(shared, &mut pressure, stream, origin)?,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if draining {
                    return Ok(());
                }
                wait(poll).context("cannot poll the listener")?;
            }
            // New clients are all that this thread serves.
            Err(error) => thread::sleep(pressure.accept_failed(error)?),
        }
    }
}

/// Finds a loop for a connection, each in turn, or turns it away.
fn admit(
    shared: &Shared,
    pressure: &mut Pressure,
    stream: TcpStream,
    origin: SocketAddr,
) -> anyhow::Result<()> {
    let Some(permit) = shared.site.admission.admit() else {
        shared.site.doorman.refuse(stream);
        return Ok(());
    };
    pressure.relieve();
    let turn = permit.number() % shared.loops.len() as u64;
    let inbox = &shared.loops[usize::try_from(turn)?];
    inbox.hand_over(Newcomer { stream, origin, permit }).context("cannot wake an event loop")
}

/// Waits until every connection has closed, or the time for that is over.
fn drain(shared: &Shared) {
    let Site { listener, admission, .. } = &*shared.site;
    listener.close();
    admission.wait_until_empty(shared.site.drain_deadline());
}

/// Blocks until a client comes or the process is told to end.
fn wait(poll: &mut Poll) -> io::Result<()> {
    match poll.poll(&mut Events::with_capacity(2), None) {
        Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
        done => done,
    }
}

impl Shared {
    /// Has everybody look around.
    fn wake_all(&self) {
        // The counter of an eventfd can always take a one.
        let _ = self.shutdown.wake();
        for inbox in &self.loops {
            let _ = inbox.wake();
        }
    }
}
