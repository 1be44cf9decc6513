//! The place where a server stands: all that it needs before its model begins.

use std::{
    net::SocketAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

use anyhow::Context as _;
use http::StatusCode;
use service::{Failure, Route, Service};
use session::{Context, Environment, Timeouts};

#[cfg(debug_assertions)]
use crate::fault;
use crate::{
    Admission, Backend, Bounds, Doorman, Listener, Metrics, Mode, Options, Pressure, Upstream,
    admin, limits, listener, log, signals,
};

/// How long the packets that were sent before the signal have to arrive: the ends of handshakes, and
/// requests that a busy kernel holds back.
const ARRIVAL: Duration = Duration::from_millis(50);

const NO_THREAD: &str = "cannot start a thread";

/// A server's surroundings, opened and ready.
pub struct Site {
    /// What was asked for on the command line.
    pub options: Options,
    /// Where clients come in.
    pub listener: Arc<Listener>,
    /// Event loops, schedulers, arbiters or runtime threads; or the most threads of a pool.
    pub workers: usize,
    /// Who may come in.
    pub admission: Arc<Admission>,
    /// Turns away whoever may not.
    pub doorman: Arc<Doorman>,
    /// What every session shares.
    pub context: Arc<Context>,
    /// Where requests are forwarded to, with `--upstream`.
    pub upstream: Option<Arc<Upstream>>,
    backend: &'static Backend,
    admin: Option<SocketAddr>,
    bounds: Bounds,
    world: Arc<World>,
}

impl Site {
    /// Raises the limits, opens the listener and the admin port, and sets up all that is shared.
    ///
    /// # Errors
    /// What cannot be had, in one line that says what would do.
    pub fn open(backend: &'static Backend, options: Options) -> anyhow::Result<Self> {
        let bounds = limits::bounds(&options, backend)?;
        let workers = limits::workers(&options);
        let listener = Arc::new(listener::open(&options)?);
        let world = Arc::new(World {
            metrics: Arc::new(Metrics::new(backend, Route::NAMES, Failure::NAMES)),
            draining: AtomicBool::new(false),
            drain_deadline: OnceLock::new(),
        });
        let upstream = upstream(&options, &bounds, &world)?.map(Arc::new);
        let itself = listener.socket.local_addr().context("the listening socket has no address")?;
        if upstream.as_ref().is_some_and(|upstream| upstream.destination.leads_to(itself)) {
            anyhow::bail!("--upstream leads to {itself}, which is this server; expected another");
        }
        let context = Arc::new(context(backend, &options, mode(options.mode), &world)?);
        let admin =
            options.admin.map(|at| open_admin(at, backend, &options, &world)).transpose()?;
        let doorman = Doorman::start(Arc::clone(&context), bounds.reserve / 2);
        Ok(Self {
            listener,
            workers,
            admission: Admission::new(bounds.max_connections, Arc::clone(&world.metrics)),
            doorman: Arc::new(doorman.context(NO_THREAD)?),
            context,
            upstream,
            backend,
            admin,
            bounds,
            options,
            world,
        })
    }

    /// Writes the one line that says: here we are.
    ///
    /// # Errors
    /// If the listener has no address.
    pub fn announce(&self) -> anyhow::Result<()> {
        #[cfg(debug_assertions)]
        fault::warn();
        let address = self.address()?;
        log::announce(self.backend, address, self.admin, self.workers, &self.bounds);
        Ok(())
    }

    /// Where clients come in.
    ///
    /// # Errors
    /// If the listener has no address.
    pub fn address(&self) -> anyhow::Result<SocketAddr> {
        self.listener.socket.local_addr().context("the listening socket has no address")
    }

    /// Backs off when something runs out. One per acceptor.
    #[must_use]
    pub fn pressure(&self) -> Pressure {
        Pressure::new(Arc::clone(&self.world.metrics))
    }

    /// At the first SIGTERM or SIGINT, marks the process as draining and calls `wake`.
    ///
    /// # Errors
    /// If signals cannot be watched.
    pub fn on_shutdown(&self, wake: impl FnOnce() + Send + 'static) -> anyhow::Result<()> {
        let (world, listener) = (Arc::clone(&self.world), Arc::clone(&self.listener));
        let patience = self.options.drain_timeout;
        signals::on_shutdown(move || {
            let _ = world.drain_deadline.set(Instant::now() + patience);
            listener.stop_inviting();
            thread::sleep(ARRIVAL);
            world.draining.store(true, Ordering::Release);
            wake();
        })
        .context("cannot watch for signals")
    }

    /// Whether the process is on its way out.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.world.draining.load(Ordering::Acquire)
    }

    /// When requests that have not ended are cut: `--drain-timeout` after the signal. Now, if
    /// there was none.
    #[must_use]
    pub fn drain_deadline(&self) -> Instant {
        self.world.drain_deadline.get().copied().unwrap_or_else(Instant::now)
    }

    /// How many requests have begun and not ended.
    #[must_use]
    pub fn requests_in_flight(&self) -> usize {
        self.world.metrics.requests_in_flight()
    }

    /// What a server counts.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.world.metrics
    }
}

/// What sessions and the service see of the process.
struct World {
    metrics: Arc<Metrics>,
    draining: AtomicBool,
    drain_deadline: OnceLock<Instant>,
}

impl service::Process for World {
    fn draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    fn metrics(&self) -> String {
        self.metrics.render()
    }
}

impl Environment for World {
    fn wall_clock(&self) -> SystemTime {
        SystemTime::now()
    }

    fn began(&self) {
        self.metrics.request_began();
    }

    fn ended(&self) {
        self.metrics.request_ended();
    }

    fn answered(&self, route: Route, status: StatusCode, elapsed: Duration) {
        #[cfg(debug_assertions)]
        fault::strike(status);
        self.metrics.request(route.index(), status.as_u16(), elapsed);
    }

    fn moved(&self, received: u64, sent: u64) {
        self.metrics.received(received);
        self.metrics.sent(sent);
    }

    fn retried(&self) {
        self.metrics.upstream.retried();
    }

    fn upstream_failed(&self, failure: Failure) {
        self.metrics.upstream.failed(failure.name());
    }

    fn client_gone(&self) {
        self.metrics.upstream.client_gone();
    }
}

fn upstream(options: &Options, bounds: &Bounds, world: &World) -> anyhow::Result<Option<Upstream>> {
    let Some(url) = &options.upstream else { return Ok(None) };
    Upstream::open(url, options, bounds.upstream_connections, &world.metrics).map(Some)
}

fn mode(mode: Mode) -> service::Mode {
    match mode {
        Mode::Service => service::Mode::Service,
        Mode::Echo => service::Mode::Echo,
        Mode::Proxy => service::Mode::Proxy,
    }
}

fn context(
    backend: &Backend,
    options: &Options,
    mode: service::Mode,
    world: &Arc<World>,
) -> anyhow::Result<Context> {
    let process = Arc::clone(world) as Arc<dyn service::Process>;
    let upstream = options.upstream.as_ref().map(|upstream| service::Upstream {
        authority: upstream.authority().clone(),
        trust_forwarded: options.trust_forwarded,
    });
    let (max_consumed, max_streamed) =
        (options.consumed_body_bytes(), options.streamed_body_bytes());
    Ok(Context {
        service: Service::new(backend.name, mode, upstream, max_consumed, max_streamed, process),
        limits: http1::Limits {
            max_head_bytes: options.max_head_bytes.try_into().context("--max-head-bytes")?,
            max_headers: options.max_headers.try_into().context("--max-headers")?,
        },
        timeouts: Timeouts {
            header: options.header_timeout,
            idle: options.idle_timeout,
            body: options.body_timeout,
            write: options.write_timeout,
            upstream_wait: options.upstream_wait,
            upstream_connect: options.upstream_connect_timeout,
            upstream: options.upstream_timeout,
        },
        environment: Arc::clone(world) as Arc<dyn Environment>,
    })
}

/// Opens the admin port; where it is, if the kernel chose it.
fn open_admin(
    address: SocketAddr,
    backend: &Backend,
    options: &Options,
    world: &Arc<World>,
) -> anyhow::Result<SocketAddr> {
    let listener = listener::bind(address)?;
    let address = listener.local_addr().context("the admin socket has no address")?;
    admin::start(listener, context_for_admin(backend, options, world)?).context(NO_THREAD)?;
    Ok(address)
}

/// Health and metrics only, and no patience: the port is small.
fn context_for_admin(
    backend: &Backend,
    options: &Options,
    world: &Arc<World>,
) -> anyhow::Result<Arc<Context>> {
    let mut context = context(backend, options, service::Mode::Admin, world)?;
    let patience = Duration::from_secs(5);
    context.timeouts = Timeouts {
        header: patience,
        idle: patience,
        body: patience,
        write: patience,
        ..context.timeouts
    };
    context.environment = Arc::new(admin::Aside(context.environment));
    Ok(Arc::new(context))
}
