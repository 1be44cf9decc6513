//! Accept, admission, back-off, drain.

use std::{
    io::{self, ErrorKind},
    net::{SocketAddr, TcpStream},
    os::fd::{AsRawFd, RawFd},
    pin::Pin,
    sync::Arc,
    task::{self, Poll, ready},
    time::Instant,
};

use actix::{Actor, ActorFuture, Addr, Context, Handler, ResponseActFuture, SystemRunner};
use anyhow::Context as _;
use process::{Outcome, Pressure, Site};
use tokio::{
    io::{Interest, unix::AsyncFd},
    time::{sleep, timeout_at},
};

use crate::{
    messages::{Accept, Accepted, Drain},
    worker::Worker,
};

/// Serves until the process is told to end, and every request has ended or was cut.
pub(crate) fn run(system: &SystemRunner, site: Site) -> anyhow::Result<Outcome> {
    let site = Arc::new(site);
    system.block_on(accept(&site))?;
    drain(&site);
    Ok(Outcome { cut: site.requests_in_flight() })
}

/// Starts the actors, and has them accept until the process is told to end.
async fn accept(site: &Arc<Site>) -> anyhow::Result<()> {
    let workers = (1..=site.workers as u64)
        .map(|number| Worker::start_on_arbiter(site, number))
        .collect::<io::Result<_>>()
        .context("cannot start an arbiter")?;
    let listener = Listener::open(site, workers).context("cannot watch the listener")?.start();
    let address = listener.clone();
    site.on_shutdown(move || {
        // It is refused only if the listener has ended already.
        let _ = address.try_send(Drain);
    })?;
    site.announce()?;
    Ok(listener.send(Accept).await.context("the listener's actor has died")??)
}

/// Waits until every connection has closed, or the time for that is over. This thread's arbiter has
/// nothing else to do any more.
fn drain(site: &Site) {
    site.listener.close();
    site.admission.wait_until_empty(site.drain_deadline());
}

/// The actor that accepts.
struct Listener {
    /// The site's socket's. It goes before the socket does.
    readiness: AsyncFd<RawFd>,
    site: Arc<Site>,
    /// The next in turn comes first.
    workers: Vec<Addr<Worker>>,
    pressure: Pressure,
    /// How long to wait before the next `accept`.
    pause: Option<Pin<Box<dyn Future<Output = ()>>>>,
    /// A connection that waits for room in a mailbox.
    handing: Option<Pin<Box<dyn Future<Output = ()>>>>,
    /// Whether the process is on its way out, and the workers were told.
    draining: bool,
}

impl Listener {
    fn open(site: &Arc<Site>, workers: Vec<Addr<Worker>>) -> io::Result<Self> {
        let socket = site.listener.socket.as_raw_fd();
        // SAFETY: the site's socket stays open while the site lives, which this is dropped before.
        let readiness = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE)? };
        let (site, pressure) = (Arc::clone(site), site.pressure());
        Ok(Self { readiness, site, workers, pressure, pause: None, handing: None, draining: false })
    }

    /// Accepts until the process is told to end, and then what the backlog holds.
    fn run(&mut self, task: &mut task::Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if let Some(handing) = &mut self.handing {
                ready!(handing.as_mut().poll(task));
                self.handing = None;
            }
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(task));
                self.pause = None;
            }
            if self.draining && self.gives_up() {
                return Poll::Ready(Ok(()));
            }
            let accepted = if self.draining {
                self.site.listener.socket.accept()
            } else {
                ready!(self.accept(task))
            };
            match accepted {
                Ok((stream, origin)) => self.admit(stream, origin),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Poll::Ready(Ok(())),
                Err(error) => {
                    let wait = self.pressure.accept_failed(error)?;
                    self.pause = (!wait.is_zero()).then(|| Box::pin(sleep(wait)) as _);
                }
            }
        }
    }

    /// Whether what the backlog holds is left to others, or to nobody.
    fn gives_up(&self) -> bool {
        self.site.listener.inherited || Instant::now() >= self.site.drain_deadline()
    }

    /// The next client, when there is one.
    fn accept(&self, task: &mut task::Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        loop {
            let mut readiness = ready!(self.readiness.poll_read_ready(task))?;
            if let Ok(accepted) = readiness.try_io(|_| self.site.listener.socket.accept()) {
                return Poll::Ready(accepted);
            }
        }
    }

    /// Finds a worker for a connection, or turns it away.
    fn admit(&mut self, stream: TcpStream, origin: SocketAddr) {
        let Some(permit) = self.site.admission.admit() else {
            return self.site.doorman.refuse(stream);
        };
        self.pressure.relieve();
        self.hand_over(Accepted { stream, origin, permit });
    }

    /// Sends a connection to the next worker whose mailbox has room. If none has, accepts no more
    /// until one has.
    fn hand_over(&mut self, mut accepted: Accepted) {
        for _ in 0..self.workers.len() {
            self.workers.rotate_left(1);
            match self.workers[0].try_send(accepted) {
                Ok(()) => return,
                Err(error) => accepted = error.into_inner(),
            }
        }
        let answer = self.workers[0].send(accepted);
        self.handing = Some(Box::pin(async {
            // Without an answer the worker is gone, and the connection with it.
            let _ = answer.await;
        }));
        if self.draining {
            self.hurry();
        }
    }

    /// Waits for room no longer than the process drains.
    fn hurry(&mut self) {
        let deadline = self.site.drain_deadline().into();
        self.handing = self.handing.take().map(|handing| {
            Box::pin(async move {
                let _ = timeout_at(deadline, handing).await;
            }) as _
        });
    }
}

impl Actor for Listener {
    type Context = Context<Self>;
}

impl Handler<Accept> for Listener {
    type Result = ResponseActFuture<Self, io::Result<()>>;

    fn handle(&mut self, _: Accept, _: &mut Context<Self>) -> Self::Result {
        Box::pin(Accepting)
    }
}

impl Handler<Drain> for Listener {
    type Result = ();

    /// Those that are accepted from now on see for themselves.
    fn handle(&mut self, _: Drain, _: &mut Context<Self>) {
        self.draining = true;
        self.pause = None;
        self.hurry();
        for worker in &self.workers {
            // In a mailbox that is full, a new address still has one place of its own.
            let _ = worker.clone().try_send(Drain);
        }
    }
}

/// What the listener does between messages, and after each: it accepts.
struct Accepting;

impl ActorFuture<Listener> for Accepting {
    type Output = io::Result<()>;

    fn poll(
        self: Pin<&mut Self>,
        listener: &mut Listener,
        _: &mut Context<Listener>,
        task: &mut task::Context<'_>,
    ) -> Poll<io::Result<()>> {
        listener.run(task)
    }
}
