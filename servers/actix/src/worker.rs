//! The actor that starts the connections of its arbiter, and knows their addresses.

use std::{
    collections::HashMap,
    io,
    pin::Pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{self, Poll},
};

use actix::{Actor, ActorFuture, Addr, Arbiter, AsyncContext, Context, Handler, WeakAddr};
use process::Site;

use crate::{
    connection::Connection,
    messages::{Accepted, Asked, Closed, Drain},
    upstream::Upstreams,
};

/// What the actors of one arbiter share. It never leaves their thread, and needs no lock.
pub(crate) struct Shared {
    pub(crate) site: Arc<Site>,
    pub(crate) buffers: session::Pool,
    /// With `--upstream`.
    pub(crate) upstreams: Option<Upstreams>,
    pub(crate) worker: WeakAddr<Worker>,
    /// The arbiter's number, from 1.
    pub(crate) number: u64,
}

/// Asks a worker to look after its [`Upstreams`], from any thread. However often it is rung, one
/// message is on its way at most; and none is lost, for who rings too late to be seen by one look has
/// another message sent.
#[derive(Clone)]
pub(crate) struct Bell {
    worker: WeakAddr<Worker>,
    is_ringing: Arc<AtomicBool>,
}

/// One per arbiter.
pub(crate) struct Worker {
    shared: Rc<Shared>,
    /// Weak, so that an actor ends when its connection does, by the connection's number.
    connections: HashMap<u64, WeakAddr<Connection>>,
}

impl Bell {
    pub(crate) fn new(worker: WeakAddr<Worker>) -> Self {
        Self { worker, is_ringing: Arc::default() }
    }

    /// Has the worker look soon.
    pub(crate) fn ring(&self) {
        if !self.is_ringing.swap(true, Ordering::AcqRel)
            && let Some(worker) = self.worker.upgrade()
        {
            // In a mailbox that is full, a new address still has one place of its own.
            let _ = worker.try_send(Asked);
        }
    }

    /// To be called before the look.
    pub(crate) fn answer(&self) {
        self.is_ringing.swap(false, Ordering::AcqRel);
    }
}

impl Worker {
    /// Starts an arbiter, and its worker there.
    pub(crate) fn start_on_arbiter(site: &Arc<Site>, number: u64) -> io::Result<Addr<Self>> {
        let site = Arc::clone(site);
        let arbiter = Arbiter::try_new()?;
        Ok(Self::start_in_arbiter(&arbiter.handle(), move |context| {
            let buffers = session::Pool::new(site.context.limits);
            let worker = context.address().downgrade();
            let upstreams = site.upstream.as_ref();
            let upstreams = upstreams.map(|upstream| Upstreams::new(upstream, worker.clone()));
            let shared = Rc::new(Shared { site, buffers, upstreams, worker, number });
            Self { shared, connections: HashMap::new() }
        }))
    }
}

impl Actor for Worker {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Context<Self>) {
        if self.shared.upstreams.is_some() {
            context.spawn(Expiring);
        }
    }
}

impl Handler<Accepted> for Worker {
    type Result = ();

    /// One connection on this arbiter. Its error ends it and nothing else.
    fn handle(&mut self, accepted: Accepted, _: &mut Context<Self>) {
        let number = accepted.permit.number();
        match Connection::open(&self.shared, accepted) {
            Ok(connection) => {
                self.connections.insert(number, connection.start().downgrade());
            }
            Err(error) => tracing::debug!(number, %error, "connection failed"),
        }
    }
}

impl Handler<Closed> for Worker {
    type Result = ();

    fn handle(&mut self, Closed(number): Closed, _: &mut Context<Self>) {
        self.connections.remove(&number);
    }
}

impl Handler<Drain> for Worker {
    type Result = ();

    fn handle(&mut self, _: Drain, _: &mut Context<Self>) {
        for connection in self.connections.values().filter_map(WeakAddr::upgrade) {
            // The only message it ever gets finds room.
            let _ = connection.try_send(Drain);
        }
    }
}

impl Handler<Asked> for Worker {
    type Result = ();

    fn handle(&mut self, _: Asked, _: &mut Context<Self>) {
        if let Some(upstreams) = &self.shared.upstreams {
            upstreams.look();
        }
    }
}

/// What the worker does between messages: it drops connections that were idle for too long.
struct Expiring;

impl ActorFuture<Worker> for Expiring {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        worker: &mut Worker,
        _: &mut Context<Worker>,
        task: &mut task::Context<'_>,
    ) -> Poll<()> {
        if let Some(upstreams) = &worker.shared.upstreams {
            upstreams.poll_expiry(task);
        }
        Poll::Pending
    }
}
