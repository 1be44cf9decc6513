//! A forwarded request over hyper, and its answer: this side of the connection upstream.

use std::{
    error::Error,
    future::poll_fn,
    io,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, request, response};
use http_body::Body as _;
use hyper::{body::Incoming, ext::on_informational};
use service::{Attempt, DRAIN_AT_MOST, Failure, Forward};
use thiserror::Error;

use crate::{
    body::{Answer, Content, poll_piece},
    exchange::Exchange,
    handler::{Current, leave},
    outgoing::{Outgoing, Unread},
    peer::{Patience, Peer, Stopped},
    upstream::Upstream,
};

/// An upstream's content on its way to the client.
pub(crate) struct Forwarded {
    passage: Passage,
    /// Until the content has ended.
    peer: Option<Box<Peer>>,
    content: Incoming,
    keep_alive: Option<Duration>,
    /// Why it is about to break off.
    broken: Option<Broken>,
}

/// Why it breaks off.
#[derive(Debug, Error)]
pub(crate) enum Broken {
    #[error("the upstream's answer did not end well: {0}")]
    Answer(#[from] hyper::Error),
    #[error("the upstream takes too long")]
    Late,
    #[error("the content that was to be forwarded did not end well")]
    Request,
}

/// What is taken along from a request's head to its answer's end.
struct Passage {
    exchange: Arc<Exchange>,
    patience: Option<Patience>,
    /// Whether it has come to an end of which the client hears.
    settled: bool,
}

/// A request that has not been answered.
struct Unanswered {
    /// Until it is sent for the last time.
    head: Option<request::Parts>,
    /// Until it is on its way.
    content: Option<Incoming>,
    retried: bool,
}

/// Why there is no answer.
enum Ended {
    /// The upstream is to blame.
    Upstream(Failure, Attempt),
    /// The client is, and is told so.
    Client(Response<service::Body>),
}

impl Current {
    /// Sends the request upstream, and the answer back, each as it arrives.
    pub(crate) async fn forward(
        mut self,
        plan: Forward,
        head: request::Parts,
        content: Incoming,
    ) -> Response<Answer> {
        let mut passage = Passage::new(&self.exchange);
        let mut head = plan.request(head, self.exchange.identity.origin);
        plan.announce(&mut head);
        let content = Some(content).filter(|content| !content.is_end_stream());
        let mut request = Unanswered { head: Some(head), content, retried: false };
        let failure = loop {
            let outcome = self.attempt(&plan, &mut request, &mut passage).await;
            self.exchange.look_around().await;
            match outcome {
                Ok((peer, answer)) => return self.pass_answer_on(&plan, peer, answer, passage),
                Err(Ended::Client(answer)) => return self.refuse(answer),
                Err(Ended::Upstream(failure, attempt))
                    if matches!(failure, Failure::Unreachable | Failure::Closed)
                        && plan.may_retry(attempt) =>
                {
                    self.exchange.environment().retried();
                    request.retried = true;
                }
                Err(Ended::Upstream(failure, _)) => break failure,
            }
        };
        passage.settled = true;
        self.exchange.environment().upstream_failed(failure);
        if let Some(content) = request.content {
            // The client may ask again, if what it still sends of this request is little.
            self.close |= plan.expects_continue() || content.size_hint().lower() > DRAIN_AT_MOST;
            self.leave(content);
        }
        self.respond(failure.answer())
    }

    /// Sends the request once, and waits for the head of the answer.
    async fn attempt(
        &self,
        plan: &Forward,
        request: &mut Unanswered,
        passage: &mut Passage,
    ) -> Result<(Box<Peer>, Response<Incoming>), Ended> {
        let mut attempt = Attempt {
            connected: false,
            reused: false,
            answer_began: false,
            content_sent: false,
            retried: request.retried,
        };
        let connected = passage.connect(!request.retried).await;
        let (mut peer, reused) = connected.map_err(|failure| Ended::Upstream(failure, attempt))?;
        attempt = Attempt { connected: true, reused, ..attempt };
        let Some(head) = request.head.take() else {
            return Err(Ended::Upstream(Failure::Closed, attempt));
        };
        if plan.may_retry(attempt) {
            request.head = Some(head.clone());
        }
        let content = self.prepare(plan, request.content.take(), &peer);
        let answer = passage.send(&mut peer, Request::from_parts(head, content), plan).await;
        let wire = Arc::clone(peer.wire());
        let failure = match answer {
            // Nobody has asked for another protocol; hyper takes any number, and any framing.
            Ok(Ok(answer)) if is_sound(&answer) => return Ok((peer, answer)),
            Ok(Ok(_)) | Err(Stopped::Interims) => Failure::Invalid,
            Ok(Err(error)) => failure(&error, wire.began()),
            Err(Stopped::Late) => Failure::TooSlow,
            Err(Stopped::Content(unread)) => {
                passage.settled = !unread.is_farewell();
                return Err(Ended::Client(unread.why()));
            }
        };
        // With the connection goes hyper's hold on the content.
        drop(peer);
        attempt.answer_began = wire.began();
        attempt.content_sent = wire.content_is_sent();
        if let Some(Unread::Rest(content)) = wire.unread() {
            request.content = Some(content);
        }
        Err(Ended::Upstream(failure, attempt))
    }

    /// Prepares a request's content for its way upstream.
    fn prepare(&self, plan: &Forward, content: Option<Incoming>, peer: &Peer) -> Outgoing {
        peer.wire().begin(plan.expects_continue(), content.is_none());
        Outgoing::new(content, plan.content(), self.limit, &self.exchange, peer.wire())
    }

    /// Sends the answer's head; the content follows.
    fn pass_answer_on(
        mut self,
        plan: &Forward,
        peer: Box<Peer>,
        answer: Response<Incoming>,
        passage: Passage,
    ) -> Response<Answer> {
        let (head, content) = answer.into_parts();
        peer.wire().look_at(&head);
        let keep_alive = service::keep_alive(&head.headers);
        let announced = service::announced(&head.headers);
        let head = plan.answer(head);
        let mut answer = Response::new(());
        *answer.status_mut() = head.status;
        *answer.headers_mut() = head.headers;
        // The client does not know whether it should still send its content.
        self.close |= peer.wire().holds_content();
        let mut forwarded =
            Forwarded { passage, peer: Some(peer), content, keep_alive, broken: None };
        if !self.is_head && !forwarded.is_end_stream() {
            return self.pass_on(answer, Content::Forwarded(Box::new(forwarded)));
        }
        forwarded.finish();
        let content =
            if self.is_head { Content::Unsent(announced) } else { Content::Unsent(Some(0)) };
        self.pass_on(answer, content)
    }
}

impl Forwarded {
    /// The length in bytes of what is left, if it is known.
    pub(crate) fn length(&self) -> Option<u64> {
        self.content.size_hint().exact()
    }

    /// Whether nothing is left.
    pub(crate) fn is_end_stream(&self) -> bool {
        self.content.is_end_stream()
    }

    /// The next piece of content. The connection is given back with the last.
    pub(crate) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Broken>>> {
        let (Some(peer), Some(patience)) = (&mut self.peer, &mut self.passage.patience) else {
            return Poll::Ready(self.broken.take().map(Err));
        };
        let content = &mut self.content;
        let timeout = self.passage.exchange.shared.site.options.upstream_timeout;
        // Perhaps there is a piece that came with the last.
        let next = match poll_piece(content, &mut peer.context()) {
            Poll::Ready(next) => Ok(next),
            Poll::Pending => {
                ready!(peer.poll(cx, patience, timeout, |own| poll_piece(content, own)))
            }
        };
        let (failure, broken) = match next {
            Ok(Some(Ok(piece))) => {
                if self.content.is_end_stream() {
                    self.finish();
                }
                return Poll::Ready(Some(Ok(piece)));
            }
            Ok(None) => {
                self.finish();
                return Poll::Ready(None);
            }
            Ok(Some(Err(error))) => (Some(failure(&error, true)), Broken::Answer(error)),
            Err(Stopped::Late | Stopped::Interims) => (Some(Failure::TooSlow), Broken::Late),
            Err(Stopped::Content(unread)) => {
                self.passage.settled = !unread.is_farewell();
                (None, Broken::Request)
            }
        };
        if let Some(failure) = failure {
            self.passage.exchange.environment().upstream_failed(failure);
            self.passage.settled = true;
        }
        self.passage.exchange.broke_off();
        self.peer = None;
        self.broken = Some(broken);
        // With an error hyper lets go of what it has not sent yet; while it waits, it sends that.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Nothing more is to come.
    fn finish(&mut self) {
        let Some(peer) = self.peer.take() else { return };
        let exchange = &self.passage.exchange;
        self.passage.settled = true;
        if let (true, Some(peers)) = (peer.is_reusable(), &exchange.shared.peers) {
            peer.wire().forget_task();
            peers.give_back(peer, self.keep_alive);
            return;
        }
        let wire = Arc::clone(peer.wire());
        drop(peer);
        if let Some(Unread::Rest(content)) = wire.unread()
            && !wire.holds_content()
        {
            leave(exchange, content);
        }
    }
}

impl Passage {
    fn new(exchange: &Arc<Exchange>) -> Self {
        let patience = Some(exchange.borrow_patience());
        Self { exchange: Arc::clone(exchange), patience, settled: false }
    }

    /// A connection, and whether it was kept; for as long as that may take.
    async fn connect(&mut self, reuse: bool) -> Result<(Box<Peer>, bool), Failure> {
        let shared = &self.exchange.shared;
        let (Some(peers), Some(patience)) = (&shared.peers, &mut self.patience) else {
            return Err(Failure::Unreachable);
        };
        let options = &shared.site.options;
        let had = patience.bound(options.upstream_wait, peers.acquire(reuse)).await;
        let opening = match had.ok_or(Failure::NoneFree)?? {
            Upstream::Connected(peer) => return Ok((peer, true)),
            Upstream::Placed(opening) => opening,
        };
        let address = peers.address();
        let made = Box::pin(peers.connect(address, opening));
        let Some(made) = patience.bound(options.upstream_connect_timeout, made).await else {
            peers.give_up(address);
            return Err(Failure::ConnectTimeout);
        };
        let made = Peer::new(made?, &shared.hyper.upstream);
        made.await.map(|peer| (peer, false)).map_err(|_| Failure::Unreachable)
    }

    /// Sends a request, and waits for the head of its answer.
    async fn send(
        &mut self,
        peer: &mut Peer,
        mut request: Request<Outgoing>,
        plan: &Forward,
    ) -> Result<hyper::Result<Response<Incoming>>, Stopped> {
        let wire = Arc::clone(peer.wire());
        on_informational(&mut request, move |answer| {
            let mut head = Response::new(());
            *head.status_mut() = answer.status();
            *head.version_mut() = answer.version();
            head.headers_mut().clone_from(answer.headers());
            wire.inform(head.into_parts().0);
        });
        let patience = self.patience.get_or_insert_with(Patience::new);
        patience.begin();
        let timeout = self.exchange.shared.site.options.upstream_timeout;
        let mut answer = pin!(peer.send(request));
        poll_fn(|cx| {
            let polled = peer.poll(cx, patience, timeout, |own| answer.as_mut().poll(own));
            let (heads, unbearable) = peer.wire().interims();
            for head in heads {
                inform(&self.exchange, plan, head);
            }
            if unbearable { Poll::Ready(Err(Stopped::Interims)) } else { polled }
        })
        .await
    }
}

/// A client that does not hear of an end is gone.
impl Drop for Passage {
    fn drop(&mut self) {
        if !self.settled {
            self.exchange.environment().client_gone();
        }
        if let Some(patience) = self.patience.take() {
            self.exchange.give_back(patience);
        }
    }
}

fn is_sound(answer: &Response<Incoming>) -> bool {
    // What is beyond these classes is no status code (RFC 9110, 15).
    let is_final = matches!(answer.status().as_u16(), 200..600);
    is_final && service::is_framed_once(answer.headers())
}

/// Passes an informational head on. Where the client was to wait for a 100, hyper sends that.
fn inform(exchange: &Exchange, plan: &Forward, head: response::Parts) {
    let is_hypers = plan.expects_continue() && service::asks_for_content(head.status);
    if plan.passes_on(head.status) && !is_hypers {
        exchange.inform(&plan.answer(head));
    }
}

/// What hyper's error says of an upstream that has answered something, or nothing.
fn failure(error: &hyper::Error, began: bool) -> Failure {
    let is_reset = error.source().is_some_and(<dyn Error>::is::<io::Error>);
    if began && !is_reset { Failure::Invalid } else { Failure::Closed }
}
