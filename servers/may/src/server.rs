//! Accept, admission, back-off, drain.

use std::{
    io::{self, ErrorKind},
    net::{SocketAddr, TcpListener, TcpStream},
    os::fd::OwnedFd,
    panic::{self, AssertUnwindSafe},
    sync::Arc,
    thread,
    time::Instant,
};

use anyhow::Context as _;
use may::{coroutine::Builder, go, io::CoIo};
use process::{Outcome, Permit, Pressure, Refusal, Site};
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};

use crate::{
    connection,
    timers::{self, Timers},
    upstream::Upstreams,
};

/// A coroutine's stack, which `may` counts in words. The deepest call leaves traces in the zeroes of
/// a new stack: 5.3 KiB in a release build, for `/metrics`, and 20 KiB in a debug build, for a
/// request that is forwarded. A signal takes up to 4 KiB of whichever stack it finds. So this is the
/// smallest power of two to hold a debug build with room to spare; pages that nothing touches cost
/// nothing.
const STACK: usize = 32 * 1024 / size_of::<usize>();

/// How many stacks of connections that have closed wait for the next.
const SPARE_STACKS: usize = 128;

/// What the acceptor and all connections share.
pub(crate) struct Shared {
    pub(crate) site: Site,
    pub(crate) buffers: session::Pool,
    pub(crate) timers: Timers,
    /// One for each scheduler; none if nothing is to be forwarded.
    pub(crate) upstreams: Vec<Arc<Upstreams>>,
}

/// Serves until the process is told to end, and every request has ended or was cut.
pub(crate) fn run(site: Site) -> anyhow::Result<Outcome> {
    let shutdown = Arc::new(eventfd(0, EventfdFlags::empty()).context("cannot make an eventfd")?);
    configure(site.workers);
    let shared = Arc::new(Shared {
        buffers: session::Pool::new(site.context.limits),
        timers: Timers::start(site.workers).context("cannot start the timers")?,
        upstreams: Upstreams::new(&site).context("cannot watch upstream connections")?,
        site,
    });
    Upstreams::start(&shared).context("cannot watch upstream connections")?;
    let (wake, to_wake) = (Arc::clone(&shutdown), Arc::clone(&shared));
    shared.site.on_shutdown(move || {
        // The counter of an eventfd that nobody has read can take a one.
        let _ = rustix::io::write(&*wake, &1u64.to_ne_bytes());
        to_wake.timers.wake_all();
    })?;
    shared.site.announce()?;
    accept(&shared, &shutdown)?;
    drain(&shared);
    Ok(Outcome { cut: shared.site.requests_in_flight() })
}

/// Must come before the first coroutine: `may` starts its schedulers then.
fn configure(workers: usize) {
    let config = may::config();
    config.set_workers(workers).set_stack_size(STACK).set_pool_capacity(SPARE_STACKS);
    // The kernel knows better which core is free.
    config.set_worker_pin(false);
}

/// Accepts until the process is told to end, and then what the backlog holds.
fn accept(shared: &Arc<Shared>, shutdown: &OwnedFd) -> anyhow::Result<()> {
    let listener = &shared.site.listener;
    let mut pressure = shared.site.pressure();
    loop {
        let draining = shared.site.is_draining();
        if draining && (listener.inherited || Instant::now() >= shared.site.drain_deadline()) {
            return Ok(());
        }
        match listener.socket.accept() {
            Ok((stream, origin)) => admit(shared, &mut pressure, stream, origin),
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

/// Starts a coroutine for a connection, or turns it away.
fn admit(shared: &Arc<Shared>, pressure: &mut Pressure, stream: TcpStream, origin: SocketAddr) {
    let Some(permit) = shared.site.admission.admit() else {
        return shared.site.doorman.refuse(stream);
    };
    // On the scheduler that will read its events, so that it never changes threads.
    let scheduler = timers::scheduler_of(&stream, shared.site.workers);
    let stream = Arc::new(stream);
    let started = spawn(Builder::new().id(scheduler), {
        let (shared, stream) = (Arc::clone(shared), Arc::clone(&stream));
        move || serve(&shared, permit, stream, origin)
    });
    if started.is_ok() {
        pressure.relieve();
    } else {
        let wait = pressure.exhausted(Refusal::Stack);
        // The coroutine that did not start has dropped its permit and its share of the socket.
        if let Some(stream) = Arc::into_inner(stream) {
            shared.site.doorman.refuse(stream);
        }
        thread::sleep(wait);
    }
}

/// Starts a coroutine; the panic of `may` comes back if its stack can't be had. A panic of the
/// coroutine's own ends it and nothing else, and is caught only because `may` logs every one.
fn spawn(builder: Builder, job: impl FnOnce() + Send + 'static) -> thread::Result<()> {
    let job = || drop(panic::catch_unwind(AssertUnwindSafe(job)));
    let started = panic::catch_unwind(AssertUnwindSafe(|| go!(builder, job)));
    started?.map(drop).map_err(|error| Box::new(error) as _)
}

/// One connection on its coroutine. Its error, or its panic, ends it and nothing else.
fn serve(shared: &Shared, permit: Permit, stream: Arc<TcpStream>, origin: SocketAddr) {
    let number = permit.number();
    let served = CoIo::new(stream)
        .map_err(Into::into)
        // The socket goes first: whoever sees the permit's place free can have the descriptor too.
        .and_then(|stream| connection::serve(shared, &stream, origin, number));
    if let Err(error) = served {
        tracing::debug!(number, %error, "connection failed");
    }
    drop(permit);
}

/// Waits until every connection has closed, or the time for that is over.
fn drain(shared: &Shared) {
    let Site { listener, admission, .. } = &shared.site;
    listener.close();
    admission.wait_until_empty(shared.site.drain_deadline());
}

/// Blocks until a client comes or the process is told to end.
fn wait(listener: &TcpListener, shutdown: &OwnedFd) -> io::Result<()> {
    let mut sockets = [PollFd::new(listener, PollFlags::IN), PollFd::new(shutdown, PollFlags::IN)];
    match poll(&mut sockets, None) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use super::*;

    #[test]
    fn a_stack_that_cannot_be_had_is_an_error_and_the_next_is_had() {
        let words = (1 << 46) / size_of::<usize>();
        assert!(spawn(Builder::new().stack_size(words), || {}).is_err());
        let (done, ended) = mpsc::channel();
        spawn(Builder::new(), move || done.send(()).expect("the test waits")).expect("a stack");
        ended.recv_timeout(Duration::from_secs(10)).expect("it runs");
    }
}
