//! The way upstream: connections that an arbiter keeps to itself, and a request's turn to have one.
//!
//! A connection upstream is an actor, a [`Peer`], and to own it is to have its address. What is in
//! here is no actor but state that the arbiter's actors share, so that a request gets a connection
//! that is kept without a message.

use std::{
    cell::RefCell,
    io,
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{self, Poll, ready},
    time::{Duration, Instant},
};

use actix::WeakAddr;
use process::upstream::{self, Idle, Member, Opening};
use session::Failure;
use tokio::{
    sync::oneshot::{self, error::RecvError},
    time::{Sleep, sleep_until},
};

use crate::{
    link::Link,
    peer::{Peer, Started},
    queue::{Given, Queue, Waiter},
    socket::Socket,
    worker::{Bell, Shared, Worker},
};

/// An alarm for nothing goes off as seldom as this.
const SELDOM: Duration = Duration::from_hours(24);

/// The owner of the idle connections: one for each arbiter.
pub(crate) struct Upstreams {
    upstream: Arc<upstream::Upstream>,
    member: Member,
    bell: Bell,
    idle: RefCell<Idle<Box<Link>>>,
    queue: Queue,
    /// Goes off when an idle connection must go or, since others come and go, before.
    alarm: RefCell<Pin<Box<Sleep>>>,
}

/// What a request has of an upstream.
pub(crate) enum Upstream {
    /// A place in the queue.
    Waiting(Rc<Waiter>),
    /// A connection in the making.
    Connecting(Box<Connecting>),
    /// A connection.
    Connected(Box<Link>),
}

/// A connection in the making.
pub(crate) struct Connecting {
    link: Box<Link>,
    address: SocketAddr,
    connected: oneshot::Receiver<io::Result<()>>,
}

/// How far a request has come.
pub(crate) enum Progress {
    /// To a place for a connection, which is being made.
    Connecting,
    /// To a connection.
    Connected { reused: bool },
    /// To an end.
    Failed(Failure),
}

impl Upstreams {
    /// None open yet. To be made on the worker's arbiter.
    pub(crate) fn new(upstream: &Arc<upstream::Upstream>, worker: WeakAddr<Worker>) -> Self {
        let bell = Bell::new(worker);
        let rung = bell.clone();
        Self {
            member: upstream.allowance.join(move || rung.ring()),
            bell,
            idle: RefCell::new(upstream.idle()),
            queue: Queue::default(),
            alarm: RefCell::new(Box::pin(sleep_until((Instant::now() + SELDOM).into()))),
            upstream: Arc::clone(upstream),
        }
    }

    /// Brings a request, which has `upstream`, as far as it comes without waiting.
    pub(crate) fn connect(
        &self,
        shared: &Rc<Shared>,
        upstream: &mut Option<Upstream>,
        reuse: bool,
        task: &mut task::Context<'_>,
    ) -> Poll<Progress> {
        let had = match upstream {
            None => self.acquire(reuse),
            Some(Upstream::Waiting(waiter)) => Some(ready!(waiter.poll(task))),
            Some(Upstream::Connecting(connecting)) => {
                let connected = ready!(Pin::new(&mut connecting.connected).poll(task));
                return Poll::Ready(self.finish(upstream, connected));
            }
            Some(Upstream::Connected(_)) => return Poll::Pending,
        };
        Poll::Ready(match had {
            Some(Given::Connection(link)) => {
                self.upstream.counters().reused();
                *upstream = Some(Upstream::Connected(link));
                Progress::Connected { reused: true }
            }
            Some(Given::Place(opening)) => self.begin(shared, upstream, opening),
            None => match self.join(reuse) {
                Some(waiter) => {
                    *upstream = Some(Upstream::Waiting(waiter));
                    return self.connect(shared, upstream, reuse, task);
                }
                None => Progress::Failed(Failure::Saturated),
            },
        })
    }

    /// Gives a connection to the next who waits, or keeps it; or drops it, if its place is wanted.
    pub(crate) fn give_back(&self, link: Box<Link>, keep_alive: Option<Duration>) {
        if !link.is_silent() || self.member.is_asked() {
            return;
        }
        match self.queue.first() {
            Some(waiter) if waiter.reuse => self.queue.serve(&waiter, Given::Connection(link)),
            // It can use the place.
            Some(_) => {}
            None => {
                self.idle.borrow_mut().put(link, keep_alive, Instant::now());
                self.set_alarm();
                self.give_way();
            }
        }
    }

    /// A connect has taken too long: the next should go elsewhere, if there is an elsewhere.
    pub(crate) fn give_up(&self, connecting: &Connecting) {
        self.fail(connecting.address, &io::ErrorKind::TimedOut.into());
    }

    /// The upstream has closed a connection, or sent what nobody asked for: it is not idle any more.
    pub(crate) fn forget(&self, socket: &Rc<Socket>) {
        self.idle.borrow_mut().retain(|link| !link.is_to(socket));
    }

    /// A connection is closed when this actor's turn is over: then is the time to look again.
    pub(crate) fn closing(&self) {
        if self.member.is_asked() {
            self.bell.ring();
        }
    }

    /// Passes on the places that were granted to those who wait, and gives up connections that others
    /// have asked for.
    pub(crate) fn look(&self) {
        self.bell.answer();
        while let Some(waiter) = self.queue.first()
            && let Some(place) = waiter.place()
        {
            self.queue.serve(&waiter, Given::Place(place));
        }
        self.give_way();
    }

    /// Drops idle connections when their time is over. Wakes the worker for the next.
    pub(crate) fn poll_expiry(&self, task: &mut task::Context<'_>) {
        while self.alarm.borrow_mut().as_mut().poll(task).is_ready() {
            let now = Instant::now();
            self.idle.borrow_mut().expire(now);
            self.alarm.borrow_mut().as_mut().reset((now + SELDOM).into());
            self.set_alarm();
        }
    }

    /// A connection that is kept, if `reuse`, or a place for a new one.
    fn acquire(&self, reuse: bool) -> Option<Given> {
        let now = Instant::now();
        while reuse && let Some(link) = self.idle.borrow_mut().take(now) {
            if link.is_silent() {
                return Some(Given::Connection(link));
            }
        }
        self.member.try_open().map(Given::Place)
    }

    /// A place in the queue, if there is room.
    fn join(&self, reuse: bool) -> Option<Rc<Waiter>> {
        let waiter = self.queue.join(self.member.try_wait()?, reuse);
        if !reuse {
            // The place of one that is kept is as good as any.
            self.idle.borrow_mut().drop_oldest();
        }
        Some(waiter)
    }

    /// Begins to connect.
    fn begin(
        &self,
        shared: &Rc<Shared>,
        upstream: &mut Option<Upstream>,
        opening: Opening,
    ) -> Progress {
        let address = self.upstream.destination.address();
        match Peer::connect(shared, address, opening) {
            Ok(Started { link, connected }) => {
                let connecting = Connecting { link: Box::new(link), address, connected };
                *upstream = Some(Upstream::Connecting(Box::new(connecting)));
                Progress::Connecting
            }
            Err(error) => self.fail(address, &error),
        }
    }

    /// The connect has ended, one way or the other; or the peer has.
    fn finish(
        &self,
        upstream: &mut Option<Upstream>,
        connected: Result<io::Result<()>, RecvError>,
    ) -> Progress {
        let Some(Upstream::Connecting(connecting)) = upstream.take() else {
            return Progress::Failed(Failure::Unreachable);
        };
        if let Err(error) = connected.unwrap_or_else(|died| Err(io::Error::other(died))) {
            return self.fail(connecting.address, &error);
        }
        self.upstream.counters().connected();
        *upstream = Some(Upstream::Connected(connecting.link));
        Progress::Connected { reused: false }
    }

    fn fail(&self, address: SocketAddr, error: &io::Error) -> Progress {
        tracing::debug!(%address, %error, "cannot connect upstream");
        self.upstream.destination.failed(address, Instant::now());
        Progress::Failed(Failure::Unreachable)
    }

    /// Gives up the oldest idle connection if another arbiter asks for one. Its place is free
    /// when its actor has ended, and not before; see [`closing`](Self::closing).
    fn give_way(&self) {
        if self.member.is_asked() {
            self.idle.borrow_mut().drop_oldest();
        }
    }

    fn set_alarm(&self) {
        let mut alarm = self.alarm.borrow_mut();
        if let Some(next) = self.idle.borrow().next_expiry()
            && next < alarm.deadline().into_std()
        {
            alarm.as_mut().reset(next.into());
        }
    }
}
