//! The way upstream: connections that a loop keeps to itself, and how a request comes by one, a
//! piece at a time.
//!
//! A connection is registered from its first moment to its last, and its token leads to whoever
//! uses it. One that nobody uses has nothing to say but that it is of no more use, so that whatever
//! arrives on it is its end. What a look at the kernel brings about upstream connections is noted
//! before any handler runs: one that had been closed when a request came is not there any more for
//! that request to take. So none is asked once more, by recv(2), which would be a seventh system call
//! for each request. What closes between that look and the request's departure is missed, as is what
//! has closed without our having heard of it: for those there is the second attempt, as far as the
//! request's method allows one.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use mio::{Registry, Token, event::Event, net::TcpStream};
use process::upstream::{self, Idle, Member, Opening, Waiting};
use session::Failure;

use crate::{
    socket::Socket,
    users::{Entry, User, Users},
};

/// The owner of the idle connections: one for each loop.
pub(crate) struct Upstreams {
    upstream: Arc<upstream::Upstream>,
    registry: Registry,
    member: Member,
    idle: Idle<Box<Connection>>,
    users: Users,
    /// Who waits for a place, the longest-waiting first.
    waiters: VecDeque<Waiter>,
    /// Connections for those who have waited, to be fetched by the loop.
    handed: VecDeque<Handed>,
}

/// What a request has of an upstream.
pub(crate) enum Upstream {
    /// A number in the queue for a place.
    Waiting(Box<Waiting>),
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
    pub(crate) socket: Socket,
    address: SocketAddr,
    entry: Entry,
    _opening: Opening,
}

/// A connection that was given back, for a client whose request has waited.
pub(crate) struct Handed {
    pub(crate) client: Token,
    pub(crate) connection: Box<Connection>,
    /// How long the upstream keeps it if it is idle, if it said so.
    pub(crate) keep_alive: Option<Duration>,
}

struct Waiter {
    client: Token,
    /// Whether a connection that is kept would do.
    reuse: bool,
}

impl Upstreams {
    /// None open yet.
    pub(crate) fn new(
        upstream: Arc<upstream::Upstream>,
        registry: Registry,
        member: Member,
    ) -> Self {
        Self {
            idle: upstream.idle(),
            upstream,
            registry,
            member,
            users: Users::new(),
            waiters: VecDeque::new(),
            handed: VecDeque::new(),
        }
    }

    /// Brings `client`'s request as far as it comes without waiting.
    pub(crate) fn connect(
        &mut self,
        upstream: &mut Option<Upstream>,
        reuse: bool,
        client: Token,
        now: Instant,
    ) -> Progress {
        match upstream {
            None => self.acquire(upstream, reuse, client, now),
            Some(Upstream::Waiting(waiting)) => match waiting.place() {
                Some(opening) => {
                    self.forget(client);
                    self.begin(upstream, opening, client, now)
                }
                None => Progress::None,
            },
            Some(Upstream::Connecting(connection)) if connection.socket.can_write() => {
                self.finish(upstream, now)
            }
            Some(Upstream::Connecting(_) | Upstream::Connected(_)) => Progress::None,
        }
    }

    /// Gives a connection to the next who waits, or keeps it; or closes it, if its place is wanted.
    pub(crate) fn give_back(
        &mut self,
        mut connection: Box<Connection>,
        keep_alive: Option<Duration>,
        now: Instant,
    ) {
        if !connection.socket.is_silent() || self.member.is_asked() {
            return;
        }
        match self.waiters.pop_front_if(|first| first.reuse) {
            Some(Waiter { client, .. }) => {
                connection.entry.set(User::Client(client));
                self.handed.push_back(Handed { client, connection, keep_alive });
            }
            None if self.waiters.is_empty() => {
                connection.entry.set(User::Nobody);
                self.idle.put(connection, keep_alive, now);
                self.idle.give_way(&self.member);
            }
            // The first needs a new connection: it gets this one's place.
            None => {}
        }
    }

    /// A connect has taken too long: the next should go elsewhere, if there is an elsewhere.
    pub(crate) fn give_up(&self, connection: &Connection, now: Instant) {
        self.fail(connection.address, &ErrorKind::TimedOut.into(), now);
    }

    /// The next connection for somebody who has waited.
    pub(crate) fn next_handed(&mut self) -> Option<Handed> {
        self.handed.pop_front()
    }

    /// Somebody has taken it.
    pub(crate) fn reused(&self) {
        self.upstream.counters().reused();
    }

    /// The client whose request has waited longest for a place: it gets the first.
    pub(crate) fn first_waiter(&self) -> Option<Token> {
        self.waiters.front().map(|waiter| waiter.client)
    }

    /// A client's request waits no more.
    pub(crate) fn forget(&mut self, client: Token) {
        self.waiters.retain(|waiter| waiter.client != client);
    }

    /// Whom an event on this connection concerns, if it is still there.
    pub(crate) fn user(&self, token: Token) -> Option<User> {
        self.users.of(token)
    }

    /// The kernel tells of a change on a connection that nobody uses.
    pub(crate) fn on_idle(&mut self, event: &Event) {
        // That there is room to write is no news.
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            self.idle.retain(|connection| connection.entry.token() != event.token());
        }
    }

    /// Other loops may have asked for connections that this one does not need.
    pub(crate) fn give_way(&mut self) {
        self.idle.give_way(&self.member);
    }

    /// When an idle connection must go.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        self.idle.next_expiry()
    }

    /// Lets idle connections go whose time is over.
    pub(crate) fn expire(&mut self, now: Instant) {
        self.idle.expire(now);
    }

    /// A kept connection if `reuse`, else a place, else a number in the queue.
    fn acquire(
        &mut self,
        upstream: &mut Option<Upstream>,
        reuse: bool,
        client: Token,
        now: Instant,
    ) -> Progress {
        if reuse && let Some(connection) = self.idle.take(now) {
            connection.entry.set(User::Client(client));
            self.upstream.counters().reused();
            *upstream = Some(Upstream::Connected(connection));
            return Progress::Connected { reused: true };
        }
        let mut place = self.member.try_open();
        // Who can't use a connection that is kept can use its place.
        while place.is_none() && self.idle.drop_oldest() {
            place = self.member.try_open();
        }
        if let Some(opening) = place {
            return self.begin(upstream, opening, client, now);
        }
        let Some(waiting) = self.member.try_wait() else {
            return Progress::Failed(Failure::Saturated);
        };
        self.waiters.push_back(Waiter { client, reuse });
        *upstream = Some(Upstream::Waiting(Box::new(waiting)));
        Progress::None
    }

    /// Begins to connect.
    fn begin(
        &mut self,
        upstream: &mut Option<Upstream>,
        opening: Opening,
        client: Token,
        now: Instant,
    ) -> Progress {
        let address = self.upstream.destination.address();
        match self.dial(address, opening, client) {
            Ok(connection) => {
                *upstream = Some(Upstream::Connecting(Box::new(connection)));
                Progress::Connecting
            }
            Err(error) => self.fail(address, &error, now),
        }
    }

    fn dial(&self, address: SocketAddr, opening: Opening, client: Token) -> io::Result<Connection> {
        let stream = TcpStream::from_std(upstream::begin_connect(address)?);
        let entry = self.users.enter(User::Client(client));
        let mut socket = Socket::new(stream);
        socket.register(&self.registry, entry.token())?;
        Ok(Connection { socket, address, entry, _opening: opening })
    }

    /// The connect has ended, one way or the other.
    fn finish(&mut self, upstream: &mut Option<Upstream>, now: Instant) -> Progress {
        let Some(Upstream::Connecting(connection)) = upstream.take() else { return Progress::None };
        match upstream::finish_connect(&connection.socket) {
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
}

#[cfg(test)]
mod tests;
