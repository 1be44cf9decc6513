//! The way upstream: connections that a scheduler keeps to itself, and how a request comes by one.
//!
//! On each scheduler a coroutine, the keeper, waits for all upstream sockets at once
//! ([`watch`](crate::watch)). It wakes whoever uses one that has news, closes idle connections when
//! their time is over or the upstream has closed them, and hands out the places that the process
//! grants. Another scheduler's thread can ring for it and do no more, so no lock here is ever waited
//! for.
//!
//! An idle connection is not asked once more before it is used again, by recv(2): epoll(7) tells of
//! what happened in the order in which it did, so that the keeper has closed whatever was closed
//! before the request came. For what is closed after that, there is the second attempt.

use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use may::{coroutine::Builder, go, io::WaitIo};
use process::{
    Site,
    upstream::{self, Idle, Member, Opening},
};
use session::Failure;

use crate::{
    queue::{Given, Queue, Turn},
    server::Shared,
    watch::{READABLE, WRITABLE, Watched, Watcher},
};

/// The keeper's number among its scheduler's timers; connections count from 1.
const KEEPER: u64 = 0;

/// When the keeper looks around if there is no reason to do so sooner.
const SOME_TIME: Duration = Duration::from_hours(1);

/// The owner of the idle connections: one for each scheduler.
pub(crate) struct Upstreams {
    upstream: Arc<upstream::Upstream>,
    member: Member,
    watcher: Arc<Watcher>,
    kept: Mutex<Kept>,
    queue: Arc<Queue>,
}

/// What a request has of an upstream.
pub(crate) enum Upstream {
    /// A place in the queue.
    Waiting(Turn),
    /// A connection in the making.
    Connecting(Box<Connection>),
    /// A connection.
    Connected(Box<Connection>),
}

/// How far a request has come with that.
pub(crate) enum Progress {
    /// No further: it must wait.
    None,
    /// To a place for a connection, which is being made.
    Connecting,
    /// To a connection.
    Connected { reused: bool },
    /// To an end.
    Failed(Failure),
}

/// One connection upstream. The socket is closed before its place is free.
pub(crate) struct Connection {
    pub(crate) socket: Watched,
    address: SocketAddr,
    _opening: Opening,
}

struct Kept {
    idle: Idle<Box<Connection>>,
    /// When the keeper looks around next.
    look: Instant,
}

impl Upstreams {
    /// One for each scheduler, with none open yet; none at all if nothing is to be forwarded.
    pub(crate) fn new(site: &Site) -> io::Result<Vec<Arc<Self>>> {
        let Some(upstream) = &site.upstream else { return Ok(Vec::new()) };
        let of = |scheduler| {
            let watcher = Watcher::new(scheduler, site.workers)?;
            let bell = Arc::clone(&watcher);
            Ok(Arc::new(Self {
                upstream: Arc::clone(upstream),
                member: upstream.allowance.join(move || bell.ring()),
                watcher,
                kept: Mutex::new(Kept { idle: upstream.idle(), look: Instant::now() }),
                queue: Arc::default(),
            }))
        };
        (0..site.workers).map(of).collect()
    }

    /// Starts the keepers.
    pub(crate) fn start(shared: &Arc<Shared>) -> io::Result<()> {
        for scheduler in 0..shared.upstreams.len() {
            let shared = Arc::clone(shared);
            go!(Builder::new().id(scheduler), move || shared.upstreams[scheduler].keep(&shared))?;
        }
        Ok(())
    }

    /// Brings a request as far as it comes without waiting. It is woken where it waits for `events`.
    pub(crate) fn connect(
        &self,
        upstream: &mut Option<Upstream>,
        reuse: bool,
        events: &impl WaitIo,
        now: Instant,
    ) -> Progress {
        let given = match upstream {
            None => self.acquire(reuse, now),
            Some(Upstream::Waiting(turn)) => match turn.given() {
                None => return Progress::None,
                given => given,
            },
            Some(Upstream::Connecting(connection)) if connection.socket.is_ready(WRITABLE) => {
                return self.finish(upstream, now);
            }
            Some(Upstream::Connecting(_) | Upstream::Connected(_)) => return Progress::None,
        };
        match given {
            Some(Given::Connection(connection)) => {
                connection.socket.concerns(Some(events.waker()));
                self.upstream.counters().reused();
                *upstream = Some(Upstream::Connected(connection));
                Progress::Connected { reused: true }
            }
            Some(Given::Place(opening)) => self.begin(upstream, opening, events, now),
            None => match self.member.try_wait() {
                Some(waiting) => {
                    let turn = self.queue.join(waiting, reuse, events.waker());
                    *upstream = Some(Upstream::Waiting(turn));
                    Progress::None
                }
                None => Progress::Failed(Failure::Saturated),
            },
        }
    }

    /// Gives a connection to the next who waits, or keeps it; or closes it, if its place is wanted.
    pub(crate) fn give_back(
        &self,
        connection: Box<Connection>,
        keep_alive: Option<Duration>,
        now: Instant,
    ) {
        connection.socket.concerns(None);
        if connection.is_closed() || self.member.is_asked() {
            return;
        }
        if !self.queue.is_empty() {
            return self.queue.hand_over(connection);
        }
        let mut kept = self.kept();
        kept.idle.put(connection, keep_alive, now);
        kept.idle.give_way(&self.member);
        if kept.idle.next_expiry().is_some_and(|expiry| expiry < kept.look) {
            self.watcher.events().waker().wakeup();
        }
    }

    /// A connect has taken too long: the next should go elsewhere, if there is an elsewhere.
    pub(crate) fn give_up(&self, connection: &Connection, now: Instant) {
        self.fail(connection.address, &ErrorKind::TimedOut.into(), now);
    }

    /// The keeper's life.
    fn keep(&self, shared: &Shared) {
        let events = self.watcher.events();
        let mut timer = shared.timers.register(Instant::now(), KEEPER, events);
        loop {
            let unheard = self.watcher.wait();
            let now = Instant::now();
            self.queue.hand_out_places();
            let mut kept = self.kept();
            if unheard {
                kept.idle.retain(|connection| !connection.is_closed());
            }
            kept.idle.expire(now);
            kept.idle.give_way(&self.member);
            let look = if kept.look <= now { now + SOME_TIME } else { kept.look };
            kept.look = kept.idle.next_expiry().map_or(look, |expiry| expiry.min(look));
            timer.set(kept.look, now);
        }
    }

    /// A kept connection if `reuse`, else a place; `None` if there is neither.
    fn acquire(&self, reuse: bool, now: Instant) -> Option<Given> {
        let mut kept = self.kept();
        while reuse && let Some(connection) = kept.idle.take(now) {
            if !connection.is_closed() {
                return Some(Given::Connection(connection));
            }
        }
        let mut place = self.member.try_open();
        // Who can't use a connection that is kept can use its place.
        while place.is_none() && kept.idle.drop_oldest() {
            place = self.member.try_open();
        }
        place.map(Given::Place)
    }

    /// Begins to connect.
    fn begin(
        &self,
        upstream: &mut Option<Upstream>,
        opening: Opening,
        events: &impl WaitIo,
        now: Instant,
    ) -> Progress {
        let address = self.upstream.destination.address();
        let socket = upstream::begin_connect(address)
            .and_then(|stream| self.watcher.watch(stream, events.waker()));
        match socket {
            Ok(socket) => {
                let connection = Connection { socket, address, _opening: opening };
                *upstream = Some(Upstream::Connecting(Box::new(connection)));
                Progress::Connecting
            }
            Err(error) => {
                *upstream = None;
                self.fail(address, &error, now)
            }
        }
    }

    /// The connect has ended, one way or the other.
    fn finish(&self, upstream: &mut Option<Upstream>, now: Instant) -> Progress {
        let Some(Upstream::Connecting(connection)) = upstream.take() else { return Progress::None };
        match upstream::finish_connect(connection.socket.stream()) {
            Ok(()) => {
                self.upstream.counters().connected();
                *upstream = Some(Upstream::Connected(connection));
                Progress::Connected { reused: false }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                *upstream = Some(Upstream::Connecting(connection));
                Progress::None
            }
            Err(error) => self.fail(connection.address, &error, now),
        }
    }

    fn fail(&self, address: SocketAddr, error: &io::Error, now: Instant) -> Progress {
        tracing::debug!(%address, %error, "cannot connect upstream");
        self.upstream.destination.failed(address, now);
        Progress::Failed(Failure::Unreachable)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    /// Whether a connection without a request is of no more use. Asks the kernel only if there was
    /// an event, which may have been for bytes that were read since.
    fn is_closed(&self) -> bool {
        self.socket.is_ready(READABLE) && upstream::stale(self.socket.stream())
    }
}
