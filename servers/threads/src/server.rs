//! Accept, admission, back-off, drain.

use std::{
    io::{self, ErrorKind},
    net::{SocketAddr, TcpListener, TcpStream},
    os::fd::OwnedFd,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use process::{Outcome, Permit, Pressure, Refusal, Site};
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};

use crate::{connection, interrupt::Interrupts, pool::Pool, upstream::Upstreams};

/// What the acceptor and all workers share.
pub(crate) struct Shared {
    pub(crate) site: Site,
    pub(crate) buffers: session::Pool,
    pub(crate) interrupts: Interrupts,
    pub(crate) upstreams: Option<Arc<Upstreams>>,
}

/// Serves until the process is told to end, and every request has ended or was cut.
pub(crate) fn run(mut site: Site) -> anyhow::Result<Outcome> {
    let shutdown = Arc::new(eventfd(0, EventfdFlags::empty()).context("cannot make an eventfd")?);
    let wake = Arc::clone(&shutdown);
    site.on_shutdown(move || {
        // The counter of an eventfd that nobody has read can take a one.
        let _ = rustix::io::write(&*wake, &1u64.to_ne_bytes());
    })?;
    site.workers = site.options.workers.unwrap_or(site.admission.max());
    let mut pool = Pool::new(site.workers);
    let upstreams = site.upstream.as_ref().map(Upstreams::new).transpose();
    let shared = Arc::new(Shared {
        upstreams: upstreams.context("cannot start a thread")?,
        buffers: session::Pool::new(site.context.limits),
        interrupts: Interrupts::new().context("cannot handle SIGUSR1")?,
        site,
    });
    shared.site.announce()?;
    accept(&shared, &mut pool, &shutdown)?;
    drain(&shared);
    Ok(Outcome { cut: shared.site.requests_in_flight() })
}

/// Accepts until the process is told to end, and then what the backlog holds.
fn accept(shared: &Arc<Shared>, pool: &mut Pool, shutdown: &OwnedFd) -> anyhow::Result<()> {
    let listener = &shared.site.listener;
    let mut pressure = shared.site.pressure();
    loop {
        let draining = shared.site.is_draining();
        if draining && (listener.inherited || Instant::now() >= shared.site.drain_deadline()) {
            return Ok(());
        }
        match listener.socket.accept() {
            Ok((stream, origin)) => admit(shared, pool, &mut pressure, stream, origin),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if draining {
                    return Ok(());
                }
                wait(&listener.socket, shutdown).context("cannot poll the listener")?;
            }
            Err(error) => thread::sleep(pressure.accept_failed(error)?),
        }
    }
}

/// Finds a worker for a connection, or turns it away.
fn admit(
    shared: &Arc<Shared>,
    pool: &mut Pool,
    pressure: &mut Pressure,
    stream: TcpStream,
    origin: SocketAddr,
) {
    let Some(permit) = shared.site.admission.admit() else {
        return shared.site.doorman.refuse(stream);
    };
    if pool.grow(shared.site.admission.open()) {
        pressure.relieve();
        let shared = Arc::clone(shared);
        pool.execute(move || serve(&shared, permit, stream, origin));
    } else {
        drop(permit);
        let wait = pressure.exhausted(Refusal::Thread);
        shared.site.doorman.refuse(stream);
        thread::sleep(wait);
    }
}

/// One connection on its worker. Its error, or its panic, ends it and nothing else.
fn serve(shared: &Shared, permit: Permit, stream: TcpStream, origin: SocketAddr) {
    let number = permit.number();
    let _interruptible = shared.interrupts.register(number);
    if let Err(error) = connection::serve(shared, &stream, origin, number) {
        tracing::debug!(number, %error, "connection failed");
    }
    // The socket first: whoever sees the permit's place free can have the descriptor too.
    drop(stream);
    drop(permit);
}

/// Waits until every connection has closed, or the time for that is over.
fn drain(shared: &Shared) {
    let Site { listener, admission, .. } = &shared.site;
    let deadline = shared.site.drain_deadline();
    listener.close();
    while admission.open() > 0 && Instant::now() < deadline {
        shared.interrupts.interrupt_all();
        admission.wait_until_empty(deadline.min(Instant::now() + Duration::from_millis(20)));
    }
}

/// Blocks until a client comes or the process is told to end.
fn wait(listener: &TcpListener, shutdown: &OwnedFd) -> io::Result<()> {
    let mut sockets = [PollFd::new(listener, PollFlags::IN), PollFd::new(shutdown, PollFlags::IN)];
    match poll(&mut sockets, None) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
