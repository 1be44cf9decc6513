//! What a session does with an answer, and after it.

use std::time::Instant;

use http::Response;
use http1::Reading;
use service::{Body, DRAIN_AT_MOST, Route};

use crate::{Buffers, Context, LINGER, Session, session::State};

impl Session {
    /// Sends a complete answer. What is left of the request is planned for by the service, which
    /// ends the connection where that is much.
    pub(crate) fn respond(
        &mut self,
        response: Response<Body>,
        buffers: &mut Buffers,
        now: Instant,
    ) {
        let (head, body) = response.into_parts();
        self.send_head(Response::from_parts(head, ()), Some(body.len()), buffers, now);
        self.state = State::Sending(body);
    }

    /// Answers that the request cannot be read to its end, and ends the connection.
    #[inline(never)]
    pub(crate) fn refuse(&mut self, answer: Response<Body>, buffers: &mut Buffers, now: Instant) {
        self.codec.close_after();
        self.respond(answer, buffers, now);
    }

    /// As [`refuse`](Self::refuse) if no head is out; after one, only an end without the last
    /// chunk tells the truth.
    #[inline(never)]
    pub(crate) fn give_up(
        &mut self,
        can_answer: bool,
        answer: Response<Body>,
        buffers: &mut Buffers,
        now: Instant,
    ) {
        if can_answer {
            self.refuse(answer, buffers, now);
        } else {
            self.break_off(buffers);
        }
    }

    /// Ends an answer of which the head is out and the rest will not come: without its last chunk or,
    /// where the connection's end would be its own, by a reset.
    pub(crate) fn break_off(&mut self, buffers: &mut Buffers) {
        if self.current.ends_with_connection {
            self.close(buffers);
        } else {
            self.linger();
        }
    }

    pub(crate) fn send_head(
        &mut self,
        head: Response<()>,
        length: Option<u64>,
        buffers: &mut Buffers,
        now: Instant,
    ) {
        let (head, ()) = head.into_parts();
        self.close_if_drained(buffers);
        self.current.status = head.status;
        let Context { service, environment, .. } = &*self.context;
        let stamp = buffers.stamp.at(now, service.backend(), || environment.wall_clock());
        self.codec.send_head(&head, length, stamp, &mut buffers.output);
        self.note_end();
    }

    /// What the head that was just written says of the connection's end.
    pub(crate) fn note_end(&mut self) {
        self.current.announced_close = !self.codec.persists();
        self.current.ends_with_connection = self.codec.ends_with_connection();
    }

    /// The answer is complete: count it and turn to what comes next.
    pub(crate) fn finish(&mut self, buffers: &mut Buffers, now: Instant) {
        self.codec.send_end(&mut buffers.output);
        let environment = &self.context.environment;
        environment.answered(
            self.current.route,
            self.current.status,
            now.saturating_duration_since(self.current.began),
        );
        let (received, sent) = std::mem::take(&mut self.moved);
        environment.moved(received, sent);
        match self.codec.reading() {
            // A client that was not told goes on; the next answer will tell it.
            _ if self.current.announced_close || !(self.codec.persists() || self.draining) => {
                self.linger();
            }
            // An empty body ends with its head.
            Reading::Content if self.codec.content_left() != Some(0) => {
                self.state = State::Draining { left: DRAIN_AT_MOST, until: now + LINGER };
            }
            Reading::Content => self.state = State::Draining { left: 0, until: now },
            _ => self.next_request(),
        }
    }

    pub(crate) fn next_request(&mut self) {
        self.codec.next_request();
        // What can't be read as a request has no route.
        self.current.route = Route::Other;
        self.state = State::Receiving;
    }

    pub(crate) fn linger(&mut self) {
        self.state = State::Lingering { half_closed: false };
    }
}
