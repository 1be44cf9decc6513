//! One connection upstream as an actor: it does what its mailbox says, and answers.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    task::{self, Poll},
};

use actix::{Actor, ActorContext, ActorFuture, AsyncContext, Context, Handler};
use process::upstream::{self, Opening};
use tokio::sync::oneshot;

use crate::{
    link::Link,
    messages::{Exchange, Exchanged, Outcome},
    socket::Socket,
    worker::Shared,
};

/// Messages that a mailbox holds: one for each direction.
const DIRECTIONS: usize = 2;

/// The actor of a connection upstream. It lives for as long as somebody holds its address: a request,
/// or the idle ones. It is they who give it up, and nobody else.
pub(crate) struct Peer {
    shared: Rc<Shared>,
    socket: Rc<Socket>,
    /// Told how the connect ended.
    connecting: Option<oneshot::Sender<io::Result<()>>>,
    /// Has something to be written, and wants perhaps to read then.
    writing: Option<Exchange>,
    reading: Option<Exchange>,
    /// Dropped after the socket.
    _opening: Opening,
}

/// A peer that was just started.
pub(crate) struct Started {
    pub(crate) link: Link,
    /// How the connect ends.
    pub(crate) connected: oneshot::Receiver<io::Result<()>>,
}

impl Peer {
    /// Starts an actor that connects to `destination`.
    pub(crate) fn connect(
        shared: &Rc<Shared>,
        destination: SocketAddr,
        opening: Opening,
    ) -> io::Result<Started> {
        let socket = Socket::watch(upstream::begin_connect(destination)?)?;
        let (connecting, connected) = oneshot::channel();
        let peer = Self {
            shared: Rc::clone(shared),
            socket: Rc::clone(&socket),
            connecting: Some(connecting),
            writing: None,
            reading: None,
            _opening: opening,
        };
        Ok(Started { link: Link::new(peer.start(), socket), connected })
    }

    /// Does what can be done now. What can't will wake the actor.
    fn run(&mut self, task: &mut task::Context<'_>) {
        if self.connecting.is_some() {
            let Poll::Ready(connected) = self.socket.poll_connected(task) else { return };
            // Whoever does not wait any more drops the address next.
            let _ = self.connecting.take().map(|connecting| connecting.send(connected));
        }
        self.write(task);
        self.read(task);
        if self.reading.is_none() && self.socket.poll_news(task).is_ready() {
            // Early bytes, if it is in use. Else it is of no more use.
            if let Some(upstreams) = &self.shared.upstreams {
                upstreams.forget(&self.socket);
            }
        }
    }

    /// Writes once. What is written to its end turns to reading, if it wants to.
    fn write(&mut self, task: &mut task::Context<'_>) {
        let Some(Exchange { buffers: Some(buffers), sent, wants, .. }) = &mut self.writing else {
            return;
        };
        let output = &mut buffers.upstream_output;
        let written = self.socket.poll_write(task, output.len(), |to| output.write_to(to));
        match written {
            Poll::Pending => {}
            Poll::Ready(Err(_)) => answer(self.writing.take(), Outcome::StoppedReading),
            Poll::Ready(Ok(count)) => {
                *sent += count;
                if wants.read && output.is_empty() {
                    self.reading = self.writing.take();
                } else {
                    answer(self.writing.take(), Outcome::Written);
                }
            }
        }
    }

    /// Reads once, also for whoever can't write: the upstream may have answered early.
    fn read(&mut self, task: &mut task::Context<'_>) {
        let Self { shared, socket, reading, writing, .. } = self;
        let slot = if reading.is_some() { reading } else { writing };
        let Some(Exchange { wants, buffers, .. }) = slot else { return };
        if !wants.read {
            return;
        }
        let pool = &shared.buffers;
        let read = socket.poll_read(task, || {
            buffers.get_or_insert_with(|| pool.borrow()).upstream_input.space()
        });
        let Poll::Ready(read) = read else {
            if let Some(idle) = buffers.take_if(|buffers| buffers.are_empty()) {
                pool.give_back(idle);
            }
            return;
        };
        let outcome = match (read, buffers) {
            (Ok(0), _) => Outcome::Ended,
            (Ok(count), Some(buffers)) => {
                buffers.upstream_input.filled(count);
                Outcome::Received(count)
            }
            _ => Outcome::Failed,
        };
        answer(slot.take(), outcome);
    }
}

/// Gives back what was lent. Who does not wait for that any more drops the address next.
fn answer(exchange: Option<Exchange>, outcome: Outcome) {
    if let Some(Exchange { wants, buffers, sent, answer }) = exchange {
        let _ = answer.send(Exchanged { wants, buffers, sent, outcome });
    }
}

impl Actor for Peer {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Context<Self>) {
        context.set_mailbox_capacity(DIRECTIONS);
        context.spawn(Serving);
    }

    /// Called after a panic, too.
    fn stopped(&mut self, _: &mut Context<Self>) {
        for lent in [&mut self.writing, &mut self.reading] {
            if let Some(buffers) = lent.take().and_then(|exchange| exchange.buffers) {
                self.shared.buffers.give_back(buffers);
            }
        }
        if let Some(upstreams) = &self.shared.upstreams {
            upstreams.closing();
        }
    }
}

impl Handler<Exchange> for Peer {
    type Result = ();

    /// Serves it next: the actor goes on after a message.
    fn handle(&mut self, exchange: Exchange, _: &mut Context<Self>) {
        let direction = if exchange.wants.write { &mut self.writing } else { &mut self.reading };
        *direction = Some(exchange);
    }
}

/// What the actor does between messages, and after each: it serves, until nobody has its address.
struct Serving;

impl ActorFuture<Peer> for Serving {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        peer: &mut Peer,
        context: &mut Context<Peer>,
        task: &mut task::Context<'_>,
    ) -> Poll<()> {
        if !context.connected() {
            context.stop();
            return Poll::Ready(());
        }
        peer.run(task);
        Poll::Pending
    }
}
