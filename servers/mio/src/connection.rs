//! One connection, a piece at a time: each call does what the session says for as long as nothing
//! has to be waited for, and returns.

use std::{io, thread, time::Instant};

use mio::{Token, event::Event};
use process::{Permit, listener::unread};
use session::{Buffers, Failure, Relay, Release, Session, Step};

use crate::{
    reactor::Shared,
    socket::Socket,
    upstream::{Handed, Progress, Upstream},
};

/// How many steps a connection may take before the others on its loop have their turn.
const STEPS_A_TURN: usize = 16;

/// How a connection's turn ended.
pub(crate) enum Turn {
    /// It waits: for readiness, or for its deadline.
    Waiting,
    /// It could go on, but others come first.
    Unfinished,
    /// It is over.
    Over,
}

/// What a connection keeps between two turns; the socket is closed before the permit is free.
pub(crate) struct Connection {
    socket: Socket,
    session: Session,
    /// What the session has asked for.
    next: Step,
    /// Borrowed while something is in flight.
    buffers: Option<Box<Buffers>>,
    upstream: Option<Upstream>,
    /// By which the loop knows it.
    token: Token,
    permit: Permit,
}

impl Connection {
    /// A connection that is registered, and has not been heard of.
    pub(crate) fn new(token: Token, socket: Socket, session: Session, permit: Permit) -> Self {
        Self { socket, session, next: Step::Read, buffers: None, upstream: None, token, permit }
    }

    /// The kernel says that the client's socket has changed.
    pub(crate) fn on_ready(&mut self, event: &Event, shared: &mut Shared) -> io::Result<Turn> {
        if event.is_error() {
            // The client is gone, whatever the session waits for.
            return Err(self.socket.error());
        }
        self.socket.note(event);
        self.advance(shared)
    }

    /// The kernel says that the upstream's socket has changed; a turn comes later.
    pub(crate) fn on_upstream(&mut self, event: &Event) {
        if let Some(Upstream::Connecting(upstream) | Upstream::Connected(upstream)) =
            &mut self.upstream
        {
            upstream.socket.note(event);
        }
    }

    /// Another request has given back what this one waits for.
    pub(crate) fn on_handed(&mut self, handed: Handed, shared: &mut Shared) -> io::Result<Turn> {
        let Handed { connection, keep_alive, .. } = handed;
        let Some(upstreams) = &mut shared.upstreams else { return self.advance(shared) };
        if let Some(Upstream::Waiting(_)) = self.upstream {
            upstreams.reused();
            self.upstream = Some(Upstream::Connected(connection));
            self.session.connected(true);
            self.proceed(shared);
        } else {
            // It has had a place in the meantime, or has given up.
            upstreams.give_back(connection, keep_alive, Instant::now());
        }
        self.advance(shared)
    }

    /// The timer says that the deadline may have passed.
    pub(crate) fn on_deadline(&mut self, now: Instant, shared: &mut Shared) -> io::Result<Turn> {
        if now >= self.deadline() {
            let buffers = self.buffers.get_or_insert_with(|| shared.buffers.borrow());
            self.session.timed_out(buffers, now);
            self.proceed(shared);
        }
        self.advance(shared)
    }

    /// The process is on its way out.
    pub(crate) fn on_drain(&mut self, now: Instant) {
        self.session.drain(now, || unread(&self.socket));
    }

    /// Does what the session says until something has to be waited for. What that is follows from
    /// the step alone.
    pub(crate) fn advance(&mut self, shared: &mut Shared) -> io::Result<Turn> {
        for _ in 0..STEPS_A_TURN {
            let done = match self.next {
                Step::Read => self.read(shared)?,
                Step::Write => self.write()?,
                Step::Wait(_) => false,
                Step::Block(time) => {
                    thread::sleep(time);
                    true
                }
                Step::Burn(time) => {
                    process::burn(time);
                    true
                }
                Step::HalfClose => {
                    self.socket.half_close()?;
                    true
                }
                Step::Close => return Ok(Turn::Over),
                Step::Abort => {
                    process::listener::abort(&self.socket)?;
                    return Ok(Turn::Over);
                }
                Step::Connect { reuse } => self.connect(reuse, shared),
                Step::Relay(wants) => self.relay(wants, shared)?,
                Step::Release(release) => self.release(release, shared),
            };
            if !done {
                return Ok(self.wait(shared));
            }
            self.proceed(shared);
        }
        Ok(Turn::Unfinished)
    }

    /// When to call [`on_deadline`](Self::on_deadline).
    pub(crate) fn deadline(&self) -> Instant {
        self.session.deadline()
    }

    /// The connection's number in the process.
    pub(crate) fn number(&self) -> u64 {
        self.permit.number()
    }

    /// A panic has ended it, and the client must not take that for the end of an answer.
    pub(crate) fn panicked(&mut self) {
        let _ = process::listener::abort(&self.socket);
        self.permit.panicked();
    }

    /// Reads once, if that brings anything.
    fn read(&mut self, shared: &Shared) -> io::Result<bool> {
        if !self.socket.can_read() {
            return Ok(false);
        }
        let buffers = self.buffers.get_or_insert_with(|| shared.buffers.borrow());
        match self.socket.read(&mut buffers.input)? {
            None => return Ok(false),
            Some(0) => self.session.end_of_input(),
            Some(count) => self.session.received(count),
        }
        Ok(true)
    }

    /// Writes once, if there is room.
    fn write(&mut self) -> io::Result<bool> {
        let Some(buffers) = &mut self.buffers else { return Ok(false) };
        let Some(count) = self.socket.write(&mut buffers.output)? else { return Ok(false) };
        self.session.sent(count);
        Ok(true)
    }

    /// Goes on to a connection upstream, if there is a way.
    fn connect(&mut self, reuse: bool, shared: &mut Shared) -> bool {
        let Some(upstreams) = &mut shared.upstreams else { return false };
        let now = Instant::now();
        match upstreams.connect(&mut self.upstream, reuse, self.token, now) {
            Progress::None => return false,
            Progress::Connecting => self.session.connecting(now),
            Progress::Connected { reused } => self.session.connected(reused),
            Progress::Failed(failure) => self.session.upstream_failed(failure),
        }
        true
    }

    /// Does one of the things that are wanted of two sockets, if either is ready for any.
    fn relay(&mut self, wants: Relay, shared: &Shared) -> io::Result<bool> {
        let Relay { downstream, upstream } = wants;
        Ok(upstream.write && self.write_upstream()
            || downstream.write && self.write()?
            || upstream.read && self.read_upstream(shared)
            || downstream.read && self.read(shared)?)
    }

    /// Parts with the upstream, or with what there is of it.
    fn release(&mut self, release: Release, shared: &mut Shared) -> bool {
        let Some(upstreams) = &mut shared.upstreams else { return true };
        match (self.upstream.take(), release) {
            (Some(Upstream::Connected(connection)), Release::Keep(keep_alive)) => {
                upstreams.give_back(connection, keep_alive, Instant::now());
            }
            (Some(Upstream::Connecting(connection)), _) => {
                upstreams.give_up(&connection, Instant::now());
            }
            (Some(Upstream::Waiting(_)), _) => upstreams.forget(self.token),
            _ => {}
        }
        true
    }

    fn read_upstream(&mut self, shared: &Shared) -> bool {
        let Some(Upstream::Connected(upstream)) = &mut self.upstream else { return false };
        if !upstream.socket.can_read() {
            return false;
        }
        let buffers = self.buffers.get_or_insert_with(|| shared.buffers.borrow());
        match upstream.socket.read(&mut buffers.upstream_input) {
            Ok(None) => return false,
            Ok(Some(0)) => self.session.upstream_end_of_input(),
            Ok(Some(count)) => self.session.upstream_received(count),
            Err(_) => self.session.upstream_failed(Failure::Closed),
        }
        true
    }

    fn write_upstream(&mut self) -> bool {
        let Some(Upstream::Connected(upstream)) = &mut self.upstream else { return false };
        let Some(buffers) = &mut self.buffers else { return false };
        match upstream.socket.write(&mut buffers.upstream_output) {
            Ok(None) => return false,
            Ok(Some(count)) => self.session.upstream_sent(count),
            Err(_) => self.session.upstream_stopped_reading(),
        }
        true
    }

    /// Asks the session what comes next.
    fn proceed(&mut self, shared: &Shared) {
        let buffers = self.buffers.get_or_insert_with(|| shared.buffers.borrow());
        self.next = self.session.step(buffers, Instant::now());
    }

    /// Gives back what is not needed while nothing happens.
    fn wait(&mut self, shared: &Shared) -> Turn {
        if let Some(idle) = self.buffers.take_if(|buffers| buffers.are_empty()) {
            shared.buffers.give_back(idle);
        }
        Turn::Waiting
    }
}
