//! The state machine of a connection; its diagram is in the crate's documentation.
//!
//! Where this crate says `#[inline(never)]`, it is for the stack's sake: a transition that shares the
//! frame of [`Session::step`] takes room there while others run, and a coroutine that has touched a
//! second page of its stack keeps it.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use http::StatusCode;
use http1::{Reading, server::Connection};
use service::{Body, Echo, Pause, Report, Route, Stream};

use crate::{
    Buffers, Context, GRACE, Release, Step,
    deadline::{Deadline, LINGER},
    forwarding::Forwarding,
};

/// One connection, from its first byte to its last.
///
/// Four kinds of method:
/// - in: [`received`](Self::received), [`end_of_input`](Self::end_of_input),
///   [`sent`](Self::sent), [`timed_out`](Self::timed_out) – after the step that asked for it; and
///   for a forwarded request [`connecting`](Self::connecting), [`connected`](Self::connected) and
///   those that begin with `upstream`.
/// - out: [`step`](Self::step), which says what to do next.
/// - getters: [`deadline`](Self::deadline), [`is_idle`](Self::is_idle).
/// - change: [`drain`](Self::drain).
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "five facts, any of which may hold")]
pub struct Session {
    pub(crate) context: Arc<Context>,
    pub(crate) codec: Connection,
    pub(crate) state: State,
    pub(crate) deadline: Deadline,
    pub(crate) identity: Identity,
    /// Requests so far.
    pub(crate) requests: u64,
    pub(crate) current: Current,
    /// What is to become of a connection upstream.
    pub(crate) release: Option<Release>,
    /// Bytes since they were last reported.
    pub(crate) moved: (u64, u64),
    /// Whether the environment knows of a request here.
    pub(crate) in_flight: bool,
    /// Whether anything arrived since the last step.
    progress: bool,
    /// Whether the client has taken anything since the deadline for that was set.
    taken: bool,
    /// Whether the client has sent its last byte.
    pub(crate) input_ended: bool,
    /// Whether the process is on its way out.
    pub(crate) draining: bool,
    /// Bytes that the socket held when this connection heard of that, less those read since.
    unread: i64,
}

/// Who speaks with whom, as `/anything` shows it.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// The client's address.
    pub origin: SocketAddr,
    /// The connection's number in the process, from 1.
    pub number: u64,
    /// What serves it, such as the 17th `worker` thread or the first `loop`.
    pub worker: (&'static str, u64),
}

/// What the connection is busy with.
#[derive(Debug)]
pub(crate) enum State {
    /// Reading a head, or waiting for one.
    Receiving,
    /// Sending the request's content back. The head is here until the first of it is.
    Echoing { head: Option<Box<Echo>>, counted: u64 },
    /// Reading content that is only counted.
    Consuming { report: Box<Report>, counted: u64 },
    /// Holding the answer back until then.
    Pausing { report: Box<Report>, counted: u64, pause: Pause, until: Instant },
    /// Sending an answer's content.
    Sending(Body),
    /// Sending an answer's content, the next piece then.
    Streaming { stream: Box<Stream>, next: Instant },
    /// Passing on a request and its answer.
    Forwarding(Box<Forwarding>),
    /// The answer is out, and the rest of the request is read for nothing: so much, so long.
    Draining { left: u64, until: Instant },
    /// The answer is out, and the connection ends: let the client read before it is reset
    /// (RFC 9112, section 9.6).
    Lingering { half_closed: bool },
    /// It is over.
    Closed,
    /// It is over, and the client must not take that for the end of its answer.
    Broken,
}

/// What is counted of the request in hand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Current {
    pub(crate) route: Route,
    pub(crate) status: StatusCode,
    pub(crate) began: Instant,
    pub(crate) content_limit: u64,
    /// Whether the client was told that the connection ends with this answer.
    pub(crate) announced_close: bool,
    /// Whether it takes the connection's end for the answer's.
    pub(crate) ends_with_connection: bool,
}

impl Session {
    /// The session of a new connection.
    #[must_use]
    pub fn new(context: Arc<Context>, identity: Identity, now: Instant) -> Self {
        Self {
            codec: Connection::new(context.limits),
            deadline: Deadline::new(now, &context.timeouts),
            context,
            state: State::Receiving,
            identity,
            requests: 0,
            current: Current {
                route: Route::Other,
                status: StatusCode::OK,
                began: now,
                content_limit: u64::MAX,
                announced_close: false,
                ends_with_connection: false,
            },
            release: None,
            moved: (0, 0),
            in_flight: false,
            progress: false,
            taken: false,
            input_ended: false,
            draining: false,
            unread: 0,
        }
    }

    /// Works through what has arrived and says what to do next. Buffers that are empty then
    /// ([`Buffers::are_empty`]) can be lent to another connection while this one waits.
    pub fn step(&mut self, buffers: &mut Buffers, now: Instant) -> Step {
        loop {
            if let Some(release) = self.release.take() {
                return Step::Release(release);
            }
            if matches!(self.state, State::Forwarding(_)) {
                if let Some(step) = self.forward(buffers, now) {
                    return step;
                }
                continue;
            }
            if buffers.output.is_full() {
                return self.write(now);
            }
            if let Some(step) = self.advance(buffers, now) {
                // Whatever the wait is for, the client should have what is ready.
                if !buffers.output.is_empty() {
                    return self.write(now);
                }
                if let Step::Wait(until) = step {
                    self.deadline.fix(until);
                }
                self.settle();
                return step;
            }
        }
    }

    /// Says that so many bytes were read into the input.
    pub fn received(&mut self, count: usize) {
        self.moved.0 += count as u64;
        self.unread = self.unread.saturating_sub_unsigned(count as u64);
        self.progress = count > 0;
        if let State::Forwarding(forwarding) = &mut self.state {
            forwarding.received();
        }
    }

    /// Says that the client has sent its last byte. It may still read (half-close).
    pub fn end_of_input(&mut self) {
        self.input_ended = true;
    }

    /// Says that so many bytes of the output were written.
    pub fn sent(&mut self, count: usize) {
        self.moved.1 += count as u64;
        self.taken |= count > 0;
        if let State::Forwarding(forwarding) = &mut self.state {
            forwarding.sent();
        }
    }

    /// Says what time it is while a step is waited for. Nothing happens before
    /// [`deadline`](Self::deadline); after it, the next step does what the contract asks for.
    pub fn timed_out(&mut self, buffers: &mut Buffers, now: Instant) {
        if now < self.deadline.at {
            return;
        }
        if self.deadline.is_for_writing() {
            self.close(buffers);
            return;
        }
        match &self.state {
            State::Receiving if self.is_idle() => self.close(buffers),
            State::Receiving => {
                self.current.began = now;
                self.refuse(service::too_slow(), buffers, now);
            }
            State::Consuming { .. } | State::Echoing { head: Some(_), .. } => {
                self.refuse(service::too_slow(), buffers, now);
            }
            State::Forwarding(_) => self.forwarding_is_late(buffers, now),
            State::Draining { .. } => self.linger(),
            // The wait was for this moment.
            State::Pausing { .. } | State::Streaming { .. } => {}
            _ => self.close(buffers),
        }
    }

    /// When the wait for a read, a write or a moment is over.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline.at
    }

    /// Whether the connection waits for a request of which nothing has arrived.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Receiving) && self.codec.reading() == Reading::Idle
    }

    /// Says that the process is on its way out: the last request that has been written by now is the
    /// last, and a connection without one has a second to begin one. `unread` is asked for the bytes
    /// that wait in the socket. Whether that was news.
    pub fn drain(&mut self, now: Instant, unread: impl FnOnce() -> u64) -> bool {
        if std::mem::replace(&mut self.draining, true) {
            return false;
        }
        self.unread = i64::try_from(unread()).unwrap_or(i64::MAX);
        if self.is_idle() {
            self.deadline.grant_grace(now);
        } else if let State::Lingering { half_closed: true } = self.state {
            self.deadline.fix(self.deadline.at.min(now + GRACE));
        }
        true
    }

    /// Makes the answer that is about to leave the last, if the process drains and no other request
    /// was behind this one when the connection heard of it. The client would lose that one
    /// (RFC 9112, section 9.6).
    pub(crate) fn close_if_drained(&mut self, buffers: &Buffers) {
        let behind = self.unread.saturating_add_unsigned(buffers.input.bytes().len() as u64);
        // Behind chunks of which the last has not come, nobody knows where the next request begins.
        let content = self.codec.content_left().unwrap_or(0);
        if self.draining && behind <= i64::try_from(content).unwrap_or(i64::MAX) {
            self.codec.close_after();
        }
    }

    /// Makes one transition: a step if something must be waited for, `None` if not.
    fn advance(&mut self, buffers: &mut Buffers, now: Instant) -> Option<Step> {
        match &mut self.state {
            State::Receiving => return self.receive_head(buffers, now),
            State::Echoing { .. } => return self.echo(buffers, now),
            State::Consuming { .. } => return self.consume(buffers, now),
            State::Pausing { .. } => return self.pause(buffers, now),
            State::Sending(_) | State::Streaming { .. } if !self.codec.sends_content() => {
                self.finish(buffers, now);
            }
            State::Sending(body) => match body.next() {
                Some(content) => self.codec.send_content(content, &mut buffers.output),
                None => self.finish(buffers, now),
            },
            State::Streaming { stream, next } if now < *next && stream.left() > 0 => {
                return Some(Step::Wait(*next));
            }
            State::Streaming { stream, next } => match stream.next() {
                Some(content) => {
                    *next = now + stream.interval;
                    self.codec.send_content(content, &mut buffers.output);
                }
                None => self.finish(buffers, now),
            },
            State::Draining { .. } => return self.drain_request(buffers),
            State::Lingering { half_closed } => {
                if !*half_closed && buffers.output.is_empty() {
                    *half_closed = true;
                    self.deadline.fix(now + if self.draining { GRACE } else { LINGER });
                    return Some(Step::HalfClose);
                }
                buffers.input.clear();
                return Some(if self.input_ended { Step::Close } else { Step::Read });
            }
            // Not one step of many, but a life of its own.
            State::Forwarding(_) => {}
            State::Closed => return Some(Step::Close),
            State::Broken => return Some(Step::Abort),
        }
        None
    }

    /// The state, to be replaced at once.
    pub(crate) fn take_state(&mut self) -> State {
        std::mem::replace(&mut self.state, State::Closed)
    }

    /// All answers have left: a request that was in flight is not any more.
    fn settle(&mut self) {
        let idle = matches!(
            self.state,
            State::Receiving | State::Draining { .. } | State::Lingering { .. } | State::Closed
        );
        if idle && std::mem::take(&mut self.in_flight) {
            self.context.environment.ended();
        }
    }

    /// Nothing more can be said: what was not sent is lost, and no client must take that for the end of
    /// its answer.
    pub(crate) fn close(&mut self, buffers: &mut Buffers) {
        let is_whole = matches!(self.state, State::Lingering { .. }) && buffers.output.is_empty();
        let could_look_whole = self.current.ends_with_connection && !is_whole;
        buffers.output.clear();
        self.state = if could_look_whole { State::Broken } else { State::Closed };
    }

    /// More must arrive, unless nothing will.
    pub(crate) fn read(&mut self, now: Instant) -> Option<Step> {
        if self.input_ended {
            self.state = State::Closed;
            return None;
        }
        let progress = std::mem::take(&mut self.progress);
        let reading = self.codec.reading();
        let began = self.deadline.read(reading, progress, now, &self.context.timeouts);
        if began && self.draining && reading == Reading::Idle {
            self.deadline.grant_grace(now);
        }
        Some(Step::Read)
    }

    pub(crate) fn write(&mut self, now: Instant) -> Step {
        let progress = std::mem::take(&mut self.taken);
        self.deadline.write(progress, now, &self.context.timeouts);
        Step::Write
    }
}

impl Drop for Session {
    /// What moved since the last answer counts too.
    fn drop(&mut self) {
        if let State::Forwarding(_) = self.state {
            self.context.environment.client_gone();
        }
        if self.in_flight {
            self.context.environment.ended();
        }
        self.context.environment.moved(self.moved.0, self.moved.1);
    }
}
