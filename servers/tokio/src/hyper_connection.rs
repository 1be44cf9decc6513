//! One connection over hyper: hyper reads requests and writes answers, and calls [`answer`] between.

use std::{
    convert::Infallible,
    error::Error as _,
    future::poll_fn,
    io::{self, ErrorKind},
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    thread,
    time::Instant,
};

use http::{HeaderMap, Method, Request, Response, Version};
use hyper::{
    body::{Body as _, Bytes, Incoming},
    server::conn::http1::Builder,
    service::service_fn,
};
use process::Site;
use service::{Action, DRAIN_AT_MOST, Decision, Pause, Report, Route, Served};
use session::{Identity, LINGER, Receipt};
use thiserror::Error;
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::{
    body::{Answer, Content, Echo, Stream, poll_piece},
    deadlines::Deadlines,
    exchange::Exchange,
    server::Shared,
};

/// How many fields hyper takes if it is not told.
const HYPERS_MAX_HEADERS: usize = 100;

/// Why a connection ended before its time.
#[derive(Debug, Error)]
pub(crate) enum Failed {
    #[error(transparent)]
    Hyper(#[from] hyper::Error),
    #[error(transparent)]
    Socket(#[from] io::Error),
}

/// hyper's settings, which are few: the deadlines are the socket's.
pub(crate) fn builder(site: &Site) -> Builder {
    let mut builder = Builder::new();
    builder.half_close(true).header_read_timeout(None).max_header_size(site.options.max_head_bytes);
    // hyper prepares every head for its own bound faster than for one that it is told.
    if site.options.max_headers != HYPERS_MAX_HEADERS {
        builder.max_headers(site.options.max_headers);
    }
    builder
}

/// Serves a connection until it closes.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    stream: TcpStream,
    origin: SocketAddr,
    number: u64,
) -> Result<(), Failed> {
    process::listener::prepare(&stream)?;
    let identity = Identity { origin, number, worker: ("task", number) };
    let exchange = Arc::new(Exchange::new(shared, identity));
    let mut connection = {
        let exchange = Arc::clone(&exchange);
        let socket = Deadlines::new(stream, Arc::clone(&exchange));
        let builder = exchange.shared.hyper.clone();
        builder.serve_connection(socket, service_fn(move |request| answer(&exchange, request)))
    };
    let served = (&mut connection).await;
    exchange.end();
    // What hyper holds is given up first: its buffer, and an answer that broke off. The parting is
    // boxed, for a task holds room for all that it will ever wait for.
    Box::pin(connection.into_parts().io.part()).await?;
    Ok(served?)
}

/// What is known of the request in hand.
struct Current {
    exchange: Arc<Exchange>,
    route: Route,
    version: Version,
    /// The request's map of fields, empty now.
    fields: HeaderMap,
    /// Whether the head of the answer is all that is wanted.
    is_head: bool,
    began: Instant,
    /// The most content that may arrive, in bytes.
    limit: u64,
    /// Whether the connection ends with this answer.
    close: bool,
}

/// What hyper polls for an answer. Most are there at once; what takes time is a future of its own,
/// so that an idle connection holds no room for it.
enum Reply {
    Now(Option<Response<Answer>>),
    Later(Pin<Box<dyn Future<Output = Response<Answer>> + Send>>),
}

impl Future for Reply {
    type Output = Result<Response<Answer>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Self::Now(answer) => {
                answer.take().map_or(Poll::Pending, |answer| Poll::Ready(Ok(answer)))
            }
            Self::Later(answer) => answer.as_mut().poll(cx).map(Ok),
        }
    }
}

/// Does what the service decides.
fn answer(exchange: &Arc<Exchange>, request: Request<Incoming>) -> Reply {
    let (current, action, content) = decide(exchange, request);
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
        Action::Stream(mut stream) => {
            current.leave(content);
            let head = std::mem::take(&mut stream.head);
            current.send(head, Content::Stream(Box::new(Stream::new(stream))))
        }
    }))
}

/// Asks the service.
fn decide(exchange: &Arc<Exchange>, request: Request<Incoming>) -> (Current, Action, Incoming) {
    let began = Instant::now();
    let (mut head, content) = request.into_parts();
    exchange.begin(!content.is_end_stream());
    let decision = exchange.shared.site.context.service.decide(&head);
    let Decision { route, action, close, content_limit } = decision;
    head.headers.clear();
    let current = Current {
        exchange: Arc::clone(exchange),
        route,
        version: head.version,
        fields: head.headers,
        is_head: head.method == Method::HEAD,
        began,
        limit: content_limit.unwrap_or(u64::MAX),
        close,
    };
    (current, action, content)
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
        let Identity { origin, number, worker: (kind, worker) } = self.exchange.identity;
        let worker = &format!("{kind} {worker}");
        let requests = self.exchange.requests();
        self.respond(
            report.answer(counted, &Served { origin, connection: number, requests, worker }),
        )
    }

    /// Answers that the request can't be read to its end.
    fn refuse(mut self, response: Response<service::Body>) -> Response<Answer> {
        self.close = true;
        self.respond(response)
    }

    fn respond(self, response: Response<service::Body>) -> Response<Answer> {
        let (head, body) = response.into_parts();
        self.send(Response::from_parts(head, ()), Content::Whole(body))
    }

    fn send(self, mut head: Response<()>, mut content: Content) -> Response<Answer> {
        let site = &self.exchange.shared.site;
        if head.headers().is_empty() {
            // hyper keeps an answer's map for the next request, and so none is ever allocated.
            *head.headers_mut() = self.fields;
        }
        site.context.service.sign(&mut head);
        if self.is_head {
            content = Content::Unsent(content.length());
        }
        if let Content::Unsent(Some(length)) = content {
            service::announce(&mut head, length);
        }
        // Without a length and without chunks, only the end of the connection can end content.
        let until_close = content.length().is_none() && self.version < Version::HTTP_11;
        if self.close || until_close || site.is_draining() {
            service::close(&mut head);
            // Otherwise hyper adds that an HTTP/1.0 connection stays.
            *head.version_mut() = self.version;
        }
        let receipt = Receipt::new(self.route, &head, self.began);
        head.map(|()| Answer::new(content, self.exchange, receipt))
    }

    /// Has what is left of the content read for nothing, so that another request can follow;
    /// hyper closes if that takes too long. Where the connection ends anyway, it does so at once.
    fn leave(&self, mut content: Incoming) {
        if content.is_end_stream() || self.close || self.exchange.shared.site.is_draining() {
            return;
        }
        let exchange = Arc::clone(&self.exchange);
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
}

async fn next_piece(content: &mut Incoming) -> Option<Result<Bytes, hyper::Error>> {
    poll_fn(|cx| poll_piece(content, cx)).await
}

/// The answer to content that hyper could not read.
fn why(error: &hyper::Error) -> Response<service::Body> {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
    match cause {
        Some(cause) if cause.kind() == ErrorKind::TimedOut => service::too_slow(),
        Some(cause) => service::malformed(&cause.to_string()),
        None => service::malformed(&error.to_string()),
    }
}
