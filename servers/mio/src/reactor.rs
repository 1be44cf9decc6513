//! An event loop: it waits for readiness, for deadlines and for newcomers, and gives those whom
//! they concern a turn.

use std::{
    convert::Infallible,
    io::{self, ErrorKind},
    net::SocketAddr,
    panic::{self, AssertUnwindSafe},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token, Waker, net::TcpStream};
use process::{Permit, Site};
use session::{Identity, Pool, Session};

use crate::{
    connection::{Connection, Turn},
    slots::Slots,
    timers::{Armed, Timers},
};

/// How many events one look at the kernel may bring.
const EVENTS: usize = 1024;

/// The event that says: look around.
const WAKE: Token = Token(usize::MAX);

/// Starts a loop on a thread of its own.
pub(crate) fn start(site: &Arc<Site>, number: u64) -> io::Result<Handle> {
    let poll = Poll::new()?;
    let inbox =
        Arc::new(Inbox { waker: Waker::new(poll.registry(), WAKE)?, newcomers: Mutex::default() });
    let reactor = Reactor {
        number,
        poll,
        inbox: Arc::clone(&inbox),
        connections: Slots::new(),
        timers: Timers::default(),
        unfinished: Vec::new(),
        buffers: Pool::new(site.context.limits),
        draining: false,
        site: Arc::clone(site),
    };
    thread::Builder::new().name(format!("loop {number}")).spawn(move || {
        let Err(error) = reactor.run();
        tracing::error!(number, %error, "cannot poll");
        // Without its loop, a connection would hang for ever.
        std::process::abort()
    })?;
    Ok(Handle(inbox))
}

/// How the acceptor reaches a loop.
pub(crate) struct Handle(Arc<Inbox>);

struct Inbox {
    waker: Waker,
    /// As many as have a permit at most.
    newcomers: Mutex<Vec<Newcomer>>,
}

/// A connection that its loop does not know yet.
pub(crate) struct Newcomer {
    pub(crate) stream: TcpStream,
    pub(crate) origin: SocketAddr,
    pub(crate) permit: Permit,
}

impl Handle {
    /// Makes a connection this loop's own.
    pub(crate) fn hand_over(&self, newcomer: Newcomer) -> io::Result<()> {
        let mut newcomers = self.0.lock();
        newcomers.push(newcomer);
        // Whoever put the first one there has woken the loop.
        if newcomers.len() > 1 { Ok(()) } else { self.wake() }
    }

    /// Has the loop look around.
    pub(crate) fn wake(&self) -> io::Result<()> {
        self.0.waker.wake()
    }
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, Vec<Newcomer>> {
        self.newcomers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Vec<Newcomer> {
        std::mem::take(&mut *self.lock())
    }
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
    buffers: Pool,
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
            match self.poll.poll(&mut events, self.patience()) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            self.drain();
            for event in &events {
                match event.token() {
                    WAKE => self.look_around(),
                    token => self.turn(token, |connection, pool| connection.on_ready(event, pool)),
                }
            }
            self.go_on();
            self.expire();
        }
    }

    /// How long the kernel may have nothing to tell.
    fn patience(&self) -> Option<Duration> {
        if !self.unfinished.is_empty() {
            return Some(Duration::ZERO);
        }
        self.timers.next().map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// Takes in newcomers.
    fn look_around(&mut self) {
        for newcomer in self.inbox.take() {
            self.welcome(newcomer);
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
    fn welcome(&mut self, Newcomer { mut stream, origin, permit }: Newcomer) {
        let (now, number) = (Instant::now(), permit.number());
        let token = self.connections.next_token();
        let (registry, interest) = (self.poll.registry(), Interest::READABLE | Interest::WRITABLE);
        let prepared = process::listener::prepare(&stream);
        if let Err(error) = prepared.and_then(|()| registry.register(&mut stream, token, interest))
        {
            tracing::debug!(number, %error, "cannot serve a connection");
            drop(permit);
            return self.site.doorman.refuse(stream);
        }
        let identity = Identity { origin, number, worker: ("loop", self.number) };
        let session = Session::new(Arc::clone(&self.site.context), identity, now);
        let mut connection = Connection::new(stream, session, permit);
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

    /// Gives a turn to those whose timer has come up.
    fn expire(&mut self) {
        let now = Instant::now();
        while let Some(token) = self.timers.pop(now) {
            if let Some(slot) = self.connections.get_mut(token) {
                slot.armed = Armed::default();
                self.turn(token, |connection, pool| connection.on_deadline(now, pool));
            }
        }
    }

    /// Calls a connection's handler. Its error or panic ends that connection and nothing else.
    fn turn(
        &mut self,
        token: Token,
        handler: impl FnOnce(&mut Connection, &Pool) -> io::Result<Turn>,
    ) {
        let Some(slot) = self.connections.get_mut(token) else { return };
        let connection = &mut slot.connection;
        let turn = AssertUnwindSafe(|| handler(connection, &self.buffers));
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
            // A panic has been logged already.
            Ok(Ok(Turn::Over)) | Err(_) => {}
        }
        self.timers.disarm(token, &mut slot.armed);
        self.connections.remove(token);
    }
}
