//! Accept, admission, back-off, drain.

use std::{
    convert::Infallible,
    fmt::Display,
    future::poll_fn,
    io::{self, ErrorKind},
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Instant,
};

use anyhow::Context as _;
use process::{Outcome, Permit, Pressure, Site};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::{self, Runtime},
    select,
    sync::{Notify, mpsc},
    time::{sleep, timeout_at},
};

use crate::{
    Codec, connection, hyper_connection,
    peer::Peer,
    upstream::{Connection, Upstreams},
};

/// What the acceptor and all tasks share.
pub(crate) struct Shared {
    pub(crate) site: Site,
    pub(crate) buffers: session::Pool,
    /// With `--upstream`, for `--codec http1`.
    pub(crate) upstreams: Option<Upstreams<Connection>>,
    /// With `--upstream`, for hyper.
    pub(crate) peers: Option<Upstreams<Box<Peer>>>,
    pub(crate) hyper: hyper_connection::Builders,
    codec: Codec,
    /// Wakes every task once: the process is on its way out.
    drain: Arc<Notify>,
}

/// Held by every connection's task, so that the last to end is noticed.
type Alive = mpsc::Sender<Infallible>;

/// Serves until the process is told to end, and every request has ended or was cut.
pub(crate) fn run(site: Site, codec: Codec) -> anyhow::Result<Outcome> {
    let drain = Arc::new(Notify::new());
    let wake = Arc::clone(&drain);
    site.on_shutdown(move || wake.notify_waiters())?;
    let runtime = runtime(site.workers).context("cannot start the runtime")?;
    let upstream_of = |of| site.upstream.as_ref().filter(|_| codec == of);
    let shared = Arc::new(Shared {
        upstreams: upstream_of(Codec::Http1).map(Upstreams::new),
        peers: upstream_of(Codec::Hyper).map(Upstreams::new),
        buffers: session::Pool::new(site.context.limits),
        hyper: hyper_connection::Builders::new(&site),
        codec,
        drain,
        site,
    });
    let outcome = runtime.block_on(async {
        let (alive, closed) = mpsc::channel(1);
        spawn_sweeper(&shared);
        shared.site.announce()?;
        accept(&shared, &alive).await?;
        drop(alive);
        self::drain(&shared, closed).await;
        Ok(Outcome { cut: shared.site.requests_in_flight() })
    });
    // A worker that blocks on purpose is not waited for.
    runtime.shutdown_background();
    outcome
}

/// Spawns the task that lets idle connections upstream go.
fn spawn_sweeper(shared: &Arc<Shared>) {
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        match (&shared.upstreams, &shared.peers) {
            (Some(upstreams), _) => drop(upstreams.sweep().await),
            (_, Some(peers)) => drop(peers.sweep().await),
            (None, None) => {}
        }
    });
}

/// Accepts until the process is told to end, and then what the backlog holds.
async fn accept(shared: &Arc<Shared>, alive: &Alive) -> anyhow::Result<()> {
    let socket = &shared.site.listener.socket;
    let listener = socket.try_clone().and_then(TcpListener::from_std);
    let listener = listener.context("cannot poll the listener")?;
    let mut pressure = shared.site.pressure();
    let mut shutdown = pin!(shared.drain.notified());
    while !shared.site.is_draining() {
        let accepted = select! {
            accepted = listener.accept() => accepted,
            () = &mut shutdown => break,
        };
        match accepted {
            Ok((stream, origin)) => admit(shared, alive, &mut pressure, stream, origin),
            Err(error) => sleep(pressure.accept_failed(error)?).await,
        }
    }
    // The socket itself is asked, for the runtime may not have heard of all yet.
    while !shared.site.listener.inherited && Instant::now() < shared.site.drain_deadline() {
        match socket.accept().and_then(|(stream, origin)| Ok((adopt(stream)?, origin))) {
            Ok((stream, origin)) => admit(shared, alive, &mut pressure, stream, origin),
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => sleep(pressure.accept_failed(error)?).await,
        }
    }
    shared.site.listener.close();
    Ok(())
}

/// Spawns a task for a connection, or turns it away.
fn admit(
    shared: &Arc<Shared>,
    alive: &Alive,
    pressure: &mut Pressure,
    stream: TcpStream,
    origin: SocketAddr,
) {
    let Some(permit) = shared.site.admission.admit() else {
        // Otherwise it is closed already.
        if let Ok(stream) = stream.into_std() {
            shared.site.doorman.refuse(stream);
        }
        return;
    };
    pressure.relieve();
    let (shared, alive) = (Arc::clone(shared), alive.clone());
    match shared.codec {
        Codec::Hyper => {
            tokio::spawn(serve(shared, alive, permit, stream, origin, hyper_connection::serve))
        }
        Codec::Http1 => {
            tokio::spawn(serve(shared, alive, permit, stream, origin, connection::serve))
        }
    };
}

/// One connection in its task. Its error, or its panic, ends it and nothing else.
async fn serve<E: Display>(
    shared: Arc<Shared>,
    _alive: Alive,
    permit: Permit,
    stream: TcpStream,
    origin: SocketAddr,
    connection: impl AsyncFnOnce(Arc<Shared>, TcpStream, SocketAddr, u64) -> Result<(), E>,
) {
    let number = permit.number();
    let drain = Arc::clone(&shared.drain);
    let mut drain = pin!(drain.notified());
    // Polled once, it keeps this task's waker: the drain wakes the task wherever it waits then,
    // and no request pays for it.
    poll_fn(|cx| Poll::Ready(drain.as_mut().poll(cx).is_ready())).await;
    if let Err(error) = connection(shared, stream, origin, number).await {
        tracing::debug!(number, %error, "connection failed");
    }
    // The socket is closed: whoever sees the permit's place free can have the descriptor too.
    drop(permit);
}

/// Waits until every connection has closed, or the time for that is over.
async fn drain(shared: &Shared, mut closed: mpsc::Receiver<Infallible>) {
    // What it says in the end doesn't matter: whoever is left is counted.
    let _ = timeout_at(shared.site.drain_deadline().into(), closed.recv()).await;
}

/// A runtime as `#[tokio::main]` makes it, with as many workers as were asked for. One of a single
/// thread would not be worth a case of its own for one worker: it spends 2% fewer instructions.
fn runtime(workers: usize) -> io::Result<Runtime> {
    runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build()
}

/// Makes an accepted socket the runtime's.
fn adopt(stream: std::net::TcpStream) -> io::Result<TcpStream> {
    stream.set_nonblocking(true)?;
    TcpStream::from_std(stream)
}
