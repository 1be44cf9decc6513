//! Accept, admission, back-off, drain.

use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
    sync::Arc,
    thread,
};

use anyhow::Context as _;
use mio::{
    Events, Interest, Poll, Token, Waker,
    net::{TcpListener, TcpStream},
};
use process::{Outcome, Pressure, Site};

use crate::reactor::{self, Handle, Newcomer};

/// What the acceptor waits for.
const CLIENT: Token = Token(0);
const SHUTDOWN: Token = Token(1);

/// Serves until the process is told to end, and every request has ended or was cut.
pub(crate) fn run(site: Site) -> anyhow::Result<Outcome> {
    let mut poll = Poll::new().context("cannot make an epoll")?;
    let shutdown = Waker::new(poll.registry(), SHUTDOWN).context("cannot make an eventfd")?;
    let site = Arc::new(site);
    let loops: Arc<[Handle]> = (1..=site.workers)
        .map(|number| reactor::start(&site, number as u64))
        .collect::<io::Result<_>>()
        .context("cannot start an event loop")?;
    let wake = Arc::clone(&loops);
    site.on_shutdown(move || {
        // The counter of an eventfd can always take a one.
        let _ = shutdown.wake();
        wake.iter().for_each(|handle| drop(handle.wake()));
    })?;
    site.announce()?;
    accept(&site, &loops, &mut poll)?;
    site.admission.wait_until_empty(site.drain_deadline());
    Ok(Outcome { cut: site.requests_in_flight() })
}

/// Accepts until the process is told to end, and then what the backlog holds.
fn accept(site: &Site, loops: &[Handle], poll: &mut Poll) -> anyhow::Result<()> {
    let socket = site.listener.socket.try_clone().context("cannot share the listener")?;
    let mut listener = TcpListener::from_std(socket);
    poll.registry()
        .register(&mut listener, CLIENT, Interest::READABLE)
        .context("cannot poll the listener")?;
    let mut pressure = site.pressure();
    loop {
        let draining = site.is_draining();
        if draining && site.listener.inherited {
            return Ok(());
        }
        match listener.accept() {
            Ok((stream, origin)) => {
                admit(site, loops, &mut pressure, stream, origin)?;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if draining {
                    site.listener.close();
                    return Ok(());
                }
                wait(poll).context("cannot poll the listener")?;
            }
            // Nobody but new clients waits for this thread.
            Err(error) => thread::sleep(pressure.accept_failed(error)?),
        }
    }
}

/// Hands a connection to its loop, one after the other, or turns it away.
fn admit(
    site: &Site,
    loops: &[Handle],
    pressure: &mut Pressure,
    stream: TcpStream,
    origin: SocketAddr,
) -> anyhow::Result<()> {
    let Some(permit) = site.admission.admit() else {
        site.doorman.refuse(stream);
        return Ok(());
    };
    pressure.relieve();
    if let Err(error) = process::listener::prepare(&stream) {
        tracing::debug!(number = permit.number(), %error, "connection failed");
        return Ok(());
    }
    let turn = permit.number() % loops.len() as u64;
    let handle = &loops[usize::try_from(turn).unwrap_or_default()];
    handle.hand_over(Newcomer { stream, origin, permit }).context("cannot wake an event loop")
}

/// Blocks until a client comes or the process is told to end.
fn wait(poll: &mut Poll) -> io::Result<()> {
    match poll.poll(&mut Events::with_capacity(2), None) {
        Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
        done => done,
    }
}
