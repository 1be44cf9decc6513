//! The actor that starts the connections of its arbiter, and knows their addresses.

use std::{collections::HashMap, io, rc::Rc, sync::Arc};

use actix::{Actor, Addr, Arbiter, AsyncContext, Context, Handler, WeakAddr};
use process::Site;

use crate::{
    connection::Connection,
    messages::{Accepted, Closed, Drain},
};

/// What the actors of one arbiter share. It never leaves their thread, and needs no lock.
pub(crate) struct Shared {
    pub(crate) site: Arc<Site>,
    pub(crate) buffers: session::Pool,
    pub(crate) worker: WeakAddr<Worker>,
    /// The arbiter's number, from 1.
    pub(crate) number: u64,
}

/// One per arbiter.
pub(crate) struct Worker {
    shared: Rc<Shared>,
    /// Weak, so that an actor ends when its connection does, by the connection's number.
    connections: HashMap<u64, WeakAddr<Connection>>,
}

impl Worker {
    /// Starts an arbiter, and its worker there.
    pub(crate) fn start_on_arbiter(site: &Arc<Site>, number: u64) -> io::Result<Addr<Self>> {
        let site = Arc::clone(site);
        let arbiter = Arbiter::try_new()?;
        Ok(Self::start_in_arbiter(&arbiter.handle(), move |context| {
            let buffers = session::Pool::new(site.context.limits);
            let worker = context.address().downgrade();
            let shared = Rc::new(Shared { site, buffers, worker, number });
            Self { shared, connections: HashMap::new() }
        }))
    }
}

impl Actor for Worker {
    type Context = Context<Self>;
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
