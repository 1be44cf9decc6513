//! What a server is told to do.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{Response, Version, header, request::Parts};
use serde::Serialize;

use crate::{Body, DRAIN_AT_MOST, Forward, Route, field, respond};

/// What to do with a request, and what to count it as.
#[derive(Debug)]
pub struct Decision {
    /// The route that the request took, for the metrics.
    pub route: Route,
    /// What to do.
    pub action: Action,
    /// Whether the connection must end with this answer.
    pub close: bool,
    /// The most content that may arrive while the action is carried out, in bytes; more is
    /// answered with [`crate::refuse`] and 413.
    pub content_limit: Option<u64>,
}

/// What to do with a request.
#[derive(Debug)]
pub enum Action {
    /// Send a complete answer.
    Respond(Response<Body>),
    /// Send the request's content back as it arrives.
    Echo(Echo),
    /// Read the whole content, pause, then send [`Report::answer`].
    Report(Report),
    /// Send the pieces of an answer, one every interval.
    Stream(Stream),
    /// Send the request upstream, and the upstream's answer back, each as it arrives.
    Forward(Forward),
}

/// An answer that is the request's content.
#[derive(Debug)]
pub struct Echo {
    /// The answer's head, which leaves with the first content or with the end of it.
    pub head: Response<()>,
    /// The content's length in bytes, if the request announced it.
    pub length: Option<u64>,
}

/// How long to hold an answer back, and at whose cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// Not at all.
    None,
    /// Wait, without holding what is scarce in the model.
    Wait(Duration),
    /// Block the executing thread on purpose.
    Block(Duration),
    /// Keep the executing thread busy for this much of its CPU time.
    Burn(Duration),
}

/// An answer that describes the request, once that has been read.
#[derive(Debug)]
pub struct Report {
    /// What to do between the end of the content and the answer.
    pub pause: Pause,
    request: Described,
}

/// What a server knows of the connection that carried a request.
#[derive(Clone, Copy, Debug)]
pub struct Served<'a> {
    /// The client's address.
    pub origin: SocketAddr,
    /// The connection's number in this process, from 1.
    pub connection: u64,
    /// The requests on it so far, this one included.
    pub requests: u64,
    /// The thread, worker, coroutine or actor that served it.
    pub worker: &'a str,
}

/// An answer in pieces.
#[derive(Debug)]
pub struct Stream {
    /// The answer's head, which leaves at once.
    pub head: Response<()>,
    /// What lies between two pieces.
    pub interval: Duration,
    left: u64,
    piece: Bytes,
}

impl Decision {
    /// Answer at once; the connection may go on.
    pub(crate) fn now(route: Route, response: Response<Body>) -> Self {
        Self::of(route, Action::Respond(response))
    }

    /// Answer at once; nothing more can be read from this connection.
    pub(crate) fn last(route: Route, response: Response<Body>) -> Self {
        Self { close: true, ..Self::now(route, response) }
    }

    pub(crate) fn of(route: Route, action: Action) -> Self {
        Self { route, action, close: false, content_limit: None }
    }
}

impl Echo {
    /// The echo of a request: the same content, of the same type.
    pub(crate) fn of(head: &Parts) -> Self {
        let mut response = Response::new(());
        if let Some(media_type) = head.headers.get(header::CONTENT_TYPE) {
            response.headers_mut().insert(header::CONTENT_TYPE, media_type.clone());
        }
        Self { head: response, length: content_length(head) }
    }
}

impl Report {
    pub(crate) fn of(head: &Parts, backend: &'static str, pause: Pause) -> Self {
        Self { pause, request: Described::of(head, backend) }
    }

    /// The answer to a request whose content was `content_length` bytes long.
    #[must_use]
    pub fn answer(&self, content_length: u64, served: &Served<'_>) -> Response<Body> {
        respond::json(&Answer {
            request: &self.request,
            body_length: content_length,
            origin: served.origin.ip().to_string(),
            connection: Connection {
                backend: self.request.backend,
                number: served.connection,
                requests: served.requests,
                worker: served.worker,
            },
        })
    }
}

impl Stream {
    pub(crate) fn new(count: u64, interval: Duration, size: usize) -> Self {
        Self { head: respond::stream(), interval, left: count, piece: Body::pattern(size) }
    }

    /// How many pieces are still to be sent.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.left
    }
}

impl Iterator for Stream {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        self.left = self.left.checked_sub(1)?;
        Some(self.piece.clone())
    }
}

/// The length of a request's content in bytes; `None` if only its end will tell.
pub(crate) fn content_length(head: &Parts) -> Option<u64> {
    if head.headers.contains_key(header::TRANSFER_ENCODING) {
        return None;
    }
    Some(field::content_length(&head.headers).unwrap_or(0))
}

/// Whether the client holds its content back until it gets a 100 (RFC 9110, section 10.1.1).
pub(crate) fn expects_continue(head: &Parts) -> bool {
    head.version >= Version::HTTP_11
        && content_length(head) != Some(0)
        && field::list(&head.headers, &header::EXPECT)
            .any(|expectation| expectation.eq_ignore_ascii_case(b"100-continue"))
}

/// Whether an answer that does not wait for the content can't let the connection go on: so much
/// would have to be read first, or nobody knows whether it will come (RFC 9110, section 10.1.1).
pub(crate) fn leaves_much_unread(head: &Parts) -> bool {
    content_length(head).is_some_and(|length| length > DRAIN_AT_MOST) || expects_continue(head)
}

/// A request as its report shows it.
#[derive(Debug, Serialize)]
struct Described {
    method: String,
    path: String,
    args: BTreeMap<String, Vec<String>>,
    headers: BTreeMap<String, Vec<String>>,
    #[serde(skip)]
    backend: &'static str,
}

#[derive(Serialize)]
struct Answer<'a> {
    #[serde(flatten)]
    request: &'a Described,
    body_length: u64,
    origin: String,
    connection: Connection<'a>,
}

#[derive(Serialize)]
struct Connection<'a> {
    backend: &'a str,
    number: u64,
    requests: u64,
    worker: &'a str,
}

impl Described {
    fn of(head: &Parts, backend: &'static str) -> Self {
        let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in &head.headers {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            headers.entry(name.as_str().to_owned()).or_default().push(value);
        }
        if let Some(authority) = head.uri.authority() {
            // Whatever `Host` says (RFC 9112, section 3.2.2).
            headers.insert(header::HOST.as_str().to_owned(), vec![authority.to_string()]);
        }
        let mut args: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(head.uri.query().unwrap_or("").as_bytes()) {
            args.entry(name.into_owned()).or_default().push(value.into_owned());
        }
        Self {
            method: head.method.to_string(),
            path: head.uri.path().to_owned(),
            args,
            headers,
            backend,
        }
    }
}
