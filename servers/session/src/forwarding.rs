//! A request on its way upstream, and its answer's way back.

use std::{
    ops::ControlFlow::{self, Break, Continue},
    time::{Duration, Instant},
};

use http::{HeaderMap, request, response};
use http1::{
    Framing, Limits, Reading,
    client::{Connection, Event},
    server,
};
use service::{Attempt, Content, Failure, Forward};

use crate::{Buffers, Interest, Relay, Release, Timeouts, watch::Watch};

/// One forwarded request: what goes each way, how far it has come, and who keeps whom waiting.
#[derive(Debug)]
pub(crate) struct Forwarding {
    plan: Forward,
    /// Kept for a second attempt.
    head: request::Parts,
    codec: Connection,
    stage: Stage,
    /// What went wrong upstream, until it is acted upon.
    trouble: Option<Failure>,
    /// Content that has been passed on, in bytes.
    counted: u64,
    /// How long the upstream keeps an idle connection, if it said so.
    keep_alive: Option<Duration>,
    progress: Facts,
    /// The client's content, which is to come.
    content: Watch,
    /// The upstream, which is to take the request or to answer.
    upstream: Watch,
    /// The client, which is to take the answer.
    client: Watch,
}

/// How a connection upstream is had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// One is kept, or a place is free, or will be.
    Waiting { reuse: bool, until: Instant },
    /// There is a place; the connection is being made.
    Connecting { until: Instant },
    /// It is there.
    Talking,
}

/// What has happened so far.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "seven facts, any of which may hold")]
struct Facts {
    /// The connection had carried another request before.
    reused: bool,
    /// This is the second attempt.
    retried: bool,
    /// The request's head has been written.
    head_sent: bool,
    /// Content is gone that can't be had again.
    content_sent: bool,
    /// The request has been read to its end.
    request_read: bool,
    /// A byte of the answer has arrived.
    answer_began: bool,
    /// The final answer's head has been passed on.
    answered: bool,
    /// The upstream has sent its last byte.
    ended: bool,
    /// The upstream takes no more of the request.
    deaf: bool,
}

/// What a forwarded request needs next.
#[derive(Debug)]
pub(crate) enum Next {
    /// A connection upstream.
    Connect { reuse: bool, until: Instant },
    /// Something of the sockets.
    Relay(Relay),
    /// To pass on an informational head.
    Inform(response::Parts),
    /// To pass on the final head, of an answer with so much content if that is known.
    Answer(response::Parts, Option<u64>),
    /// Nothing: the answer is complete.
    Finish(Release),
    /// To end: the client's content is malformed.
    Malformed(http1::Error),
    /// To end: the client's content is too long.
    TooLarge,
    /// To end, or to try again.
    Fail(Failure),
}

/// Who let the deadline pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Late {
    /// The upstream, or a place there.
    Upstream(Failure),
    /// The client, with its content.
    Content,
    /// The client, with taking the answer.
    Client,
}

impl Forwarding {
    pub(crate) fn new(plan: Forward, head: request::Parts, limits: Limits, until: Instant) -> Self {
        Self {
            plan,
            head,
            codec: Connection::new(limits),
            stage: Stage::Waiting { reuse: true, until },
            trouble: None,
            counted: 0,
            keep_alive: None,
            progress: Facts::default(),
            content: Watch::new(until),
            upstream: Watch::new(until),
            client: Watch::new(until),
        }
    }

    /// Turns to a second attempt, for which no connection that was kept will do.
    pub(crate) fn retry(&mut self, limits: Limits, until: Instant) {
        self.codec = Connection::new(limits);
        self.stage = Stage::Waiting { reuse: false, until };
        self.progress =
            Facts { retried: true, request_read: self.progress.request_read, ..Facts::default() };
    }

    /// Whether the request may be sent again after `failure`.
    pub(crate) fn may_retry(&self, failure: Failure) -> bool {
        let Facts { reused, retried, content_sent, answer_began, .. } = self.progress;
        let connected = self.stage == Stage::Talking;
        // Who was too slow once is not asked again.
        matches!(failure, Failure::Unreachable | Failure::Closed)
            && self.plan.may_retry(Attempt {
                connected,
                reused,
                answer_began,
                content_sent,
                retried,
            })
    }

    pub(crate) fn connecting(&mut self, until: Instant) {
        self.stage = Stage::Connecting { until };
    }

    pub(crate) fn connected(&mut self, reused: bool) {
        self.stage = Stage::Talking;
        self.progress.reused = reused;
    }

    /// The connection is of no more use. What came before that can still be read.
    pub(crate) fn failed(&mut self, failure: Failure) {
        self.trouble = Some(failure);
        self.progress.deaf = true;
    }

    /// The client has sent some of its content.
    pub(crate) fn received(&mut self) {
        self.content.progressed = true;
    }

    /// The client has taken some of the answer.
    pub(crate) fn sent(&mut self) {
        self.client.progressed = true;
    }

    /// The upstream has sent something.
    pub(crate) fn upstream_received(&mut self) {
        self.upstream.progressed = true;
        self.progress.answer_began = true;
    }

    /// The upstream has taken something.
    pub(crate) fn upstream_sent(&mut self) {
        self.upstream.progressed = true;
    }

    pub(crate) fn upstream_ended(&mut self) {
        self.progress.ended = true;
    }

    /// The upstream takes no more. It may have said why.
    pub(crate) fn upstream_stopped_reading(&mut self) {
        self.progress.deaf = true;
    }

    /// Whether the final answer's head has been passed on.
    pub(crate) fn answered(&self) -> bool {
        self.progress.answered
    }

    /// What the answer's head becomes on its way to the client.
    pub(crate) fn rewrite(&self, head: response::Parts) -> response::Parts {
        self.plan.answer(head)
    }

    /// The memory of the request's head, once it is not needed any more.
    pub(crate) fn take_fields(&mut self) -> HeaderMap {
        std::mem::take(&mut self.head.headers)
    }

    /// Passes on what can be passed on, both ways, and says what is needed then. `limit` is that
    /// of the content, in bytes.
    pub(crate) fn advance(
        &mut self,
        downstream: &mut server::Connection,
        buffers: &mut Buffers,
        limit: u64,
    ) -> Next {
        if self.stage != Stage::Talking {
            return self.connect();
        }
        if !std::mem::replace(&mut self.progress.head_sent, true) {
            let framing = match self.plan.content() {
                Content::None => None,
                Content::Length(length) => Some(Framing::Length(length)),
                Content::Chunked => Some(Framing::Chunked),
            };
            self.codec.send_head(&self.head, framing, &mut buffers.upstream_output);
            if self.progress.request_read {
                // By the first attempt, which had no content to send.
                self.codec.send_end(&mut buffers.upstream_output);
            }
        }
        let wants_content = match self.pass_request_on(downstream, buffers, limit) {
            Continue(wants) => wants,
            Break(next) => return next,
        };
        let wants_answer = match self.pass_answer_on(downstream, buffers) {
            Continue(wants) => wants,
            Break(next) => return next,
        };
        Next::Relay(Relay {
            downstream: Interest { read: wants_content, write: !buffers.output.is_empty() },
            upstream: Interest { read: wants_answer, write: !buffers.upstream_output.is_empty() },
        })
    }

    fn connect(&mut self) -> Next {
        match (self.trouble.take(), self.stage) {
            (Some(failure), _) => Next::Fail(failure),
            (None, Stage::Waiting { reuse, until }) => Next::Connect { reuse, until },
            (None, Stage::Connecting { until }) => Next::Connect { reuse: false, until },
            (None, Stage::Talking) => Next::Relay(Relay::default()),
        }
    }

    /// Passes the request's content on. Whether more of it must be read, unless something else comes
    /// next.
    fn pass_request_on(
        &mut self,
        downstream: &mut server::Connection,
        buffers: &mut Buffers,
        limit: u64,
    ) -> ControlFlow<Next, bool> {
        let Facts { deaf, request_read, .. } = self.progress;
        if deaf {
            buffers.upstream_output.clear();
        }
        // Without a 100 from upstream, the client has not sent any.
        if deaf || request_read || downstream.expects_continue() {
            return Continue(false);
        }
        while !buffers.upstream_output.is_full() {
            match downstream.receive(&mut buffers.input, &mut buffers.fields) {
                Ok(Some(server::Event::Content(content))) => {
                    self.progress.content_sent = true;
                    self.counted += content.len() as u64;
                    if self.counted > limit {
                        return Break(Next::TooLarge);
                    }
                    self.codec.send_content(content, &mut buffers.upstream_output);
                }
                Ok(Some(_)) => {
                    self.codec.send_end(&mut buffers.upstream_output);
                    self.progress.request_read = true;
                    return Continue(false);
                }
                Ok(None) => return Continue(true),
                Err(error) => return Break(Next::Malformed(error)),
            }
        }
        Continue(false)
    }

    /// Passes the answer on. Whether more of it must be read, unless something else comes next.
    fn pass_answer_on(
        &mut self,
        downstream: &mut server::Connection,
        buffers: &mut Buffers,
    ) -> ControlFlow<Next, bool> {
        while !buffers.output.is_full() {
            let Buffers { upstream_input, upstream_fields, .. } = &mut *buffers;
            match self.codec.receive(upstream_input, upstream_fields) {
                Ok(Some(Event::Content(content))) => {
                    downstream.send_content(content, &mut buffers.output);
                }
                Ok(Some(Event::Informational(head))) if self.plan.passes_on(head.status) => {
                    return Break(Next::Inform(head));
                }
                Ok(Some(Event::Informational(_))) => {}
                Ok(Some(Event::Head(head))) => {
                    self.progress.answered = true;
                    self.keep_alive = service::keep_alive(&head.headers);
                    return Break(Next::Answer(head, self.codec.announced_length()));
                }
                Ok(Some(Event::End)) => return Break(Next::Finish(self.release(buffers))),
                Ok(None) => match self.trouble.take() {
                    Some(failure) => return Break(Next::Fail(failure)),
                    None if !self.progress.ended => return Continue(true),
                    None => self.end_answer()?,
                },
                Err(_) => return Break(Next::Fail(Failure::Invalid)),
            }
        }
        Continue(false)
    }

    /// Nothing more will come: that may be the end of an answer.
    fn end_answer(&mut self) -> ControlFlow<Next> {
        let failure = match self.codec.reading() {
            Reading::Idle => Failure::Closed,
            _ => Failure::Invalid,
        };
        match self.codec.end_of_input() {
            Ok(()) => Continue(()),
            Err(_) => Break(Next::Fail(failure)),
        }
    }

    /// What becomes of the connection once the answer is complete.
    fn release(&self, buffers: &Buffers) -> Release {
        let quiet = buffers.upstream_output.is_empty() && buffers.upstream_input.is_empty();
        if self.codec.persists() && quiet && !self.progress.deaf && !self.progress.ended {
            Release::Keep(self.keep_alive)
        } else {
            Release::Drop
        }
    }

    /// Starts and stops the clocks of those who are waited for; when the first of them is late.
    pub(crate) fn watch(&mut self, relay: Relay, now: Instant, timeouts: &Timeouts) -> Instant {
        let Relay { downstream, upstream } = relay;
        // Until it has the whole request, an upstream need not answer.
        let answers = upstream.read && !downstream.read && !upstream.write;
        self.content.set(downstream.read, now, timeouts.body);
        self.upstream.set(upstream.write || answers, now, timeouts.upstream);
        self.client.set(downstream.write, now, timeouts.write);
        let watches = [&self.content, &self.upstream, &self.client];
        let ends = watches.into_iter().filter(|watch| watch.is_on).map(|watch| watch.until);
        ends.min().unwrap_or(now + timeouts.upstream)
    }

    /// Who is late at `now`.
    pub(crate) fn late(&self, now: Instant) -> Late {
        match self.stage {
            Stage::Waiting { .. } => Late::Upstream(Failure::NoneFree),
            Stage::Connecting { .. } => Late::Upstream(Failure::ConnectTimeout),
            Stage::Talking if self.client.is_late(now) => Late::Client,
            Stage::Talking if self.content.is_late(now) => Late::Content,
            Stage::Talking => Late::Upstream(Failure::TooSlow),
        }
    }
}
