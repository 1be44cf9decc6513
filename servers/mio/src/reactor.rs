//! An event loop: it waits for readiness, for deadlines and for newcomers, and gives those whom
//! they concern a turn.

use std::{
    convert::Infallible,
    io::{self, ErrorKind},
    panic::{self, AssertUnwindSafe},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use mio::{Events, Poll, Token, event::Event};
use process::Site;
use session::{Identity, Pool, Session};

use crate::{
    connection::{Connection, Turn},
    inbox::{Inbox, Newcomer},
    slots::{Side, Slots},
    socket::Socket,
    timers::{Armed, Timers},
    upstream::Upstreams,
    users::User,
};

/// How many events one look at the kernel may bring.
const EVENTS: usize = 1024;

/// The event that says: look around.
const WAKE: Token = Token(usize::MAX);

/// Starts a loop on a thread of its own; how to reach it.
pub(crate) fn start(site: &Arc<Site>, number: u64) -> io::Result<Arc<Inbox>> {
    let poll = Poll::new()?;
    let registry = poll.registry().try_clone()?;
    let inbox = Inbox::new(&registry, WAKE)?;
    let (site, mail) = (Arc::clone(site), Arc::clone(&inbox));
    thread::Builder::new().name(format!("loop {number}")).spawn(move || {
        let upstreams = site.upstream.as_ref().map(|upstream| {
            let inbox = Arc::clone(&mail);
            // The counter of an eventfd can always take a one.
            let member = upstream.allowance.join(move || drop(inbox.wake()));
            Upstreams::new(Arc::clone(upstream), registry, member)
        });
        let reactor = Reactor {
            number,
            poll,
            inbox: mail,
            connections: Slots::new(Side::Downstream),
            timers: Timers::default(),
            unfinished: Vec::new(),
            shared: Shared { buffers: Pool::new(site.context.limits), upstreams },
            draining: false,
            site,
        };
        let Err(error) = reactor.run();
        tracing::error!(number, %error, "cannot poll");
        // Without its loop, a connection would hang for ever.
        std::process::abort()
    })?;
    Ok(inbox)
}

/// What the connections of a loop share.
pub(crate) struct Shared {
    pub(crate) buffers: Pool,
    /// With `--upstream`.
    pub(crate) upstreams: Option<Upstreams>,
}

struct Reactor {
    site: Arc<Site>,
    number: u64,
    poll: Poll,
    inbox: Arc<Inbox>,
    connections: Slots<Slot>,
    timers: Timers,
    /// Whose turn ended before they had to wait.
    unfinished: Vec<Token>,
    shared: Shared,
    /// Whether the connections have been told that the process is on its way out.
    draining: bool,
}

/// A connection, and what its loop knows about it.
struct Slot {
    connection: Connection,
    armed: Armed,
    unfinished: bool,
}

impl Reactor {
    fn run(mut self) -> io::Result<Infallible> {
        let mut events = Events::with_capacity(EVENTS);
        loop {
            // Nobody is too late whose bytes came before the last look.
            let looked = Instant::now();
            match self.poll.poll(&mut events, self.patience()) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            self.drain();
            for event in &events {
                self.note(event);
            }
            for event in &events {
                self.dispatch(event);
            }
            self.go_on();
            self.expire(looked);
            self.hand_over();
        }
    }

    /// How long the kernel may have nothing to tell.
    fn patience(&self) -> Option<Duration> {
        if !self.unfinished.is_empty() {
            return Some(Duration::ZERO);
        }
        let expiry = self.shared.upstreams.as_ref().and_then(Upstreams::next_expiry);
        let next = self.timers.next().into_iter().chain(expiry).min();
        next.map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// Remembers what an event says of the upstream, so that no handler acts on what was true before
    /// the look at the kernel.
    fn note(&mut self, event: &Event) {
        let Some(upstreams) = &mut self.shared.upstreams else { return };
        match upstreams.user(event.token()) {
            Some(User::Nobody) => upstreams.on_idle(event),
            Some(User::Client(client)) => {
                if let Some(slot) = self.connections.get_mut(client) {
                    slot.connection.on_upstream(event);
                }
            }
            None => {}
        }
    }

    /// Gives a turn to whom an event concerns.
    fn dispatch(&mut self, event: &Event) {
        let token = event.token();
        let upstreams = self.shared.upstreams.as_ref();
        match Side::of(token) {
            _ if token == WAKE => self.look_around(),
            Side::Downstream => {
                self.turn(token, |connection, shared| connection.on_ready(event, shared));
            }
            Side::Upstream => {
                if let Some(User::Client(client)) = upstreams.and_then(|all| all.user(token)) {
                    self.turn(client, Connection::advance);
                }
            }
        }
    }

    /// Takes in newcomers, and looks at what there is upstream for this loop's requests and what
    /// others ask of it.
    fn look_around(&mut self) {
        for newcomer in self.inbox.take() {
            self.welcome(newcomer);
        }
        if let Some(upstreams) = &mut self.shared.upstreams {
            upstreams.give_way();
        }
        let first = |shared: &Shared| shared.upstreams.as_ref().and_then(Upstreams::first_waiter);
        while let Some(client) = first(&self.shared) {
            self.turn(client, Connection::advance);
            if first(&self.shared) == Some(client) {
                // Places are granted in this order.
                break;
            }
        }
    }

    /// Brings connections upstream to those who have waited for them.
    fn hand_over(&mut self) {
        let next = |shared: &mut Shared| shared.upstreams.as_mut().and_then(Upstreams::next_handed);
        while let Some(handed) = next(&mut self.shared) {
            self.turn(handed.client, |connection, shared| connection.on_handed(handed, shared));
        }
    }

    /// Passes on that the process ends, before any answer that could tell the client.
    fn drain(&mut self) {
        if !self.draining && self.site.is_draining() {
            self.draining = true;
            let now = Instant::now();
            for (token, slot) in self.connections.iter_mut() {
                slot.connection.on_drain(now);
                self.timers.arm(token, &mut slot.armed, slot.connection.deadline());
            }
        }
    }

    /// Finds a place for a connection, or turns it away. What has arrived for it already, the
    /// kernel tells next.
    fn welcome(&mut self, Newcomer { stream, origin, permit }: Newcomer) {
        let (now, number) = (Instant::now(), permit.number());
        let (token, mut socket) = (self.connections.next_token(), Socket::new(stream));
        let prepared = process::listener::prepare(&socket);
        if let Err(error) = prepared.and_then(|()| socket.register(self.poll.registry(), token)) {
            tracing::debug!(number, %error, "cannot serve a connection");
            drop(permit);
            return self.site.doorman.refuse(socket.into_stream());
        }
        let identity = Identity { origin, number, worker: ("loop", self.number) };
        let session = Session::new(Arc::clone(&self.site.context), identity, now);
        let mut connection = Connection::new(token, socket, session, permit);
        if self.draining {
            connection.on_drain(now);
        }
        let mut armed = Armed::default();
        self.timers.arm(token, &mut armed, connection.deadline());
        self.connections.insert(Slot { connection, armed, unfinished: false });
    }

    /// Gives another turn to those who could not finish in one.
    fn go_on(&mut self) {
        for token in std::mem::take(&mut self.unfinished) {
            if let Some(slot) = self.connections.get_mut(token) {
                slot.unfinished = false;
                self.turn(token, Connection::advance);
            }
        }
    }

    /// Gives a turn to those whose timer had come up by `now`.
    fn expire(&mut self, now: Instant) {
        while let Some(token) = self.timers.pop(now) {
            if let Some(slot) = self.connections.get_mut(token) {
                slot.armed = Armed::default();
                self.turn(token, |connection, shared| connection.on_deadline(now, shared));
            }
        }
        if let Some(upstreams) = &mut self.shared.upstreams {
            upstreams.expire(now);
        }
    }

    /// Calls a connection's handler. Its error or panic ends that connection and nothing else.
    fn turn(
        &mut self,
        token: Token,
        handler: impl FnOnce(&mut Connection, &mut Shared) -> io::Result<Turn>,
    ) {
        let Some(slot) = self.connections.get_mut(token) else { return };
        let connection = &mut slot.connection;
        let turn = AssertUnwindSafe(|| handler(connection, &mut self.shared));
        match panic::catch_unwind(turn) {
            Ok(Ok(Turn::Waiting)) => {
                return self.timers.arm(token, &mut slot.armed, slot.connection.deadline());
            }
            Ok(Ok(Turn::Unfinished)) => {
                if !std::mem::replace(&mut slot.unfinished, true) {
                    self.unfinished.push(token);
                }
                return;
            }
            Ok(Err(error)) => {
                tracing::debug!(number = slot.connection.number(), %error, "connection failed");
            }
            Ok(Ok(Turn::Over)) => {}
            // It has been logged already.
            Err(_) => slot.connection.panicked(),
        }
        self.timers.disarm(token, &mut slot.armed);
        if let Some(upstreams) = &mut self.shared.upstreams {
            upstreams.forget(token);
        }
        self.connections.remove(token);
    }
}
