//! What the service decides, done by a future: where another server has a state, this awaits.

use std::{
    convert::Infallible,
    error::Error as _,
    future::poll_fn,
    io::{self, ErrorKind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    thread,
    time::Instant,
};

use http::{HeaderMap, Method, Request, Response, Version, request};
use hyper::{
    body::{Body as _, Bytes, Incoming},
    ext::ReasonPhrase,
};
use service::{Action, DRAIN_AT_MOST, Decision, Pause, Report, Route, Served};
use session::{Identity, LINGER, Receipt};
use tokio::time::{sleep, timeout};

use crate::{
    body::{Answer, Content, Echo, Stream, poll_piece},
    exchange::Exchange,
};

/// Answers a request as the service decides.
pub(crate) fn answer(exchange: &Arc<Exchange>, request: Request<Incoming>) -> Reply {
    let (current, action, head, content) = decide(exchange, request);
    Reply::Now(Some(match action {
        Action::Respond(response) => {
            current.leave(content);
            current.respond(response)
        }
        Action::Echo(echo) if content.is_end_stream() => {
            current.respond(echo.head.map(|()| service::Body::Empty))
        }
        Action::Echo(echo) => return Reply::Later(Box::pin(current.echo(echo, content))),
        Action::Report(report) => return Reply::Later(Box::pin(current.report(report, content))),
        Action::Forward(plan) => {
            return Reply::Later(Box::pin(current.forward(plan, head, content)));
        }
        Action::Stream(mut stream) => {
            current.leave(content);
            let head = std::mem::take(&mut stream.head);
            current.send(head, Content::Stream(Box::new(Stream::new(stream))))
        }
    }))
}

/// What hyper polls for an answer. Most are there at once; what takes time is a future of its own,
/// so that an idle connection holds no room for it.
pub(crate) enum Reply {
    Now(Option<Response<Answer>>),
    Later(Pin<Box<dyn Future<Output = Response<Answer>> + Send>>),
}

impl Future for Reply {
    type Output = Result<Response<Answer>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            // hyper asks no more once it has the answer.
            Self::Now(answer) => {
                answer.take().map_or(Poll::Pending, |answer| Poll::Ready(Ok(answer)))
            }
            Self::Later(answer) => answer.as_mut().poll(cx).map(Ok),
        }
    }
}

/// What is known of the request in hand.
pub(crate) struct Current {
    pub(crate) exchange: Arc<Exchange>,
    route: Route,
    version: Version,
    /// The request's map of fields, empty now.
    fields: HeaderMap,
    /// Whether the head of the answer is all that is wanted.
    pub(crate) is_head: bool,
    began: Instant,
    /// The most content that may arrive, in bytes.
    pub(crate) limit: u64,
    /// Whether the connection ends with this answer.
    pub(crate) close: bool,
}

/// Asks the service. The head's fields are of use only to be forwarded.
fn decide(
    exchange: &Arc<Exchange>,
    request: Request<Incoming>,
) -> (Current, Action, request::Parts, Incoming) {
    let began = Instant::now();
    let (mut head, content) = request.into_parts();
    exchange.begin(!content.is_end_stream());
    exchange.ahead.took(&head);
    let decision = exchange.shared.site.context.service.decide(&head);
    let Decision { route, action, close, content_limit } = decision;
    let mut fields = HeaderMap::new();
    if !matches!(action, Action::Forward(_)) {
        fields = std::mem::take(&mut head.headers);
        fields.clear();
    }
    let current = Current {
        exchange: Arc::clone(exchange),
        route,
        version: head.version,
        fields,
        is_head: head.method == Method::HEAD,
        began,
        limit: content_limit.unwrap_or(u64::MAX),
        close,
    };
    (current, action, head, content)
}

impl Current {
    /// Sends the content back; the head leaves with the first of it, or with its end.
    async fn echo(self, echo: service::Echo, mut content: Incoming) -> Response<Answer> {
        let first = match next_piece(&mut content).await {
            Some(Ok(first)) if first.len() as u64 > self.limit => {
                return self.refuse(service::too_large());
            }
            Some(Err(error)) => return self.refuse(why(&error)),
            piece => piece.and_then(Result::ok),
        };
        if self.is_head {
            self.leave(content);
            return self.send(echo.head, Content::Unsent(echo.length));
        }
        let limit = self.limit;
        self.send(echo.head, Content::Echo(Echo { first, rest: content, counted: 0, limit }))
    }

    /// Reads the content, pauses, and reports.
    async fn report(self, report: Report, mut content: Incoming) -> Response<Answer> {
        let mut counted = 0;
        while let Some(piece) = next_piece(&mut content).await {
            match piece {
                Ok(piece) => counted += piece.len() as u64,
                Err(error) => return self.refuse(why(&error)),
            }
            if counted > self.limit {
                return self.refuse(service::too_large());
            }
        }
        self.exchange.content_ended();
        match report.pause {
            Pause::None => {}
            Pause::Wait(time) => sleep(time).await,
            Pause::Block(time) => thread::sleep(time),
            Pause::Burn(time) => process::burn(time),
        }
        self.exchange.look_around().await;
        let Identity { origin, number, worker: (kind, worker) } = self.exchange.identity;
        let worker = &format!("{kind} {worker}");
        let requests = self.exchange.requests();
        self.respond(
            report.answer(counted, &Served { origin, connection: number, requests, worker }),
        )
    }

    /// Answers that the request can't be read to its end.
    pub(crate) fn refuse(mut self, response: Response<service::Body>) -> Response<Answer> {
        self.close = true;
        self.respond(response)
    }

    pub(crate) fn respond(self, response: Response<service::Body>) -> Response<Answer> {
        let (head, body) = response.into_parts();
        self.send(Response::from_parts(head, ()), Content::Whole(body))
    }

    fn send(mut self, mut head: Response<()>, content: Content) -> Response<Answer> {
        if head.headers().is_empty() {
            // hyper keeps an answer's map for the next request, and so none is ever allocated.
            *head.headers_mut() = std::mem::take(&mut self.fields);
        }
        self.exchange.shared.site.context.service.sign(&mut head);
        self.pass_on(head, content)
    }

    /// Sends an answer that says itself who made it.
    pub(crate) fn pass_on(self, mut head: Response<()>, mut content: Content) -> Response<Answer> {
        if self.is_head {
            content = Content::Unsent(content.length());
        }
        if let Content::Unsent(Some(length)) = content {
            service::announce(&mut head, length);
        }
        // Without a length and without chunks, only the end of the connection can end content.
        let until_close = content.length().is_none() && self.version < Version::HTTP_11;
        if until_close {
            self.exchange.ends_with_connection();
        }
        if head.status().canonical_reason().is_none() {
            // Of one that it does not know hyper writes `<none>`.
            head.extensions_mut().insert(ReasonPhrase::from_static(b""));
        }
        if self.close || until_close || self.exchange.ahead.is_last() {
            service::close(&mut head);
            // Otherwise hyper adds that an HTTP/1.0 connection stays.
            *head.version_mut() = self.version;
        }
        let receipt = Receipt::new(self.route, &head, self.began);
        head.map(|()| Answer::new(content, self.exchange, receipt))
    }

    /// Has what is left of the content read for nothing, so that another request can follow. Where
    /// the connection ends anyway, it does so at once.
    pub(crate) fn leave(&self, content: Incoming) {
        if !self.close {
            leave(&self.exchange, content);
        }
    }
}

/// Has what is left of the content read for nothing; hyper closes if that takes too long.
pub(crate) fn leave(exchange: &Arc<Exchange>, mut content: Incoming) {
    if content.is_end_stream() || exchange.ahead.is_last() {
        return;
    }
    let exchange = Arc::clone(exchange);
    tokio::spawn(async move {
        let mut left = DRAIN_AT_MOST;
        let rest = async {
            while let Some(Ok(piece)) = next_piece(&mut content).await {
                left = left.checked_sub(piece.len() as u64)?;
            }
            Some(())
        };
        // Whatever came of it, the content is dropped, and hyper sees how far it was read.
        let _ = timeout(LINGER, rest).await;
        exchange.content_ended();
    });
}

async fn next_piece(content: &mut Incoming) -> Option<Result<Bytes, hyper::Error>> {
    poll_fn(|cx| poll_piece(content, cx)).await
}

/// The answer to content that hyper could not read.
pub(crate) fn why(error: &hyper::Error) -> Response<service::Body> {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
    match cause {
        Some(cause) if cause.kind() == ErrorKind::TimedOut => service::too_slow(),
        Some(cause) => service::malformed(&cause.to_string()),
        None => service::malformed(&error.to_string()),
    }
}
