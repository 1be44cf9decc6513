//! The decisions of the service, as data: what to answer, what to read first, how long to wait.
//!
//! [`Service::decide`] turns the head of a request into an [`Action`]; each server carries it
//! out in the idiom of its concurrency model. Nothing here opens a socket, sleeps or reads a
//! clock, and nothing knows bytes on a wire: heads are those of the `http` crate, so the same
//! decisions serve the workspace's own codec and `hyper`.
//!
//! | action            | what the server does |
//! |-------------------|----------------------|
//! | [`Action::Respond`] | sends a complete answer |
//! | [`Action::Echo`]    | sends the request's content back as it arrives |
//! | [`Action::Report`]  | reads the whole content, [pauses](Pause), then sends a report of it |
//! | [`Action::Stream`]  | sends a piece, waits, sends the next |
//! | [`Action::Forward`] | sends the request [upstream](Forward), and back what comes from there |

#![forbid(unsafe_code)]

mod action;
mod body;
mod check;
mod check_answer;
mod duration;
mod failure;
mod field;
mod forward;
mod forwarded;
mod hop_by_hop;
mod length;
mod respond;
mod route;
mod routes;

use std::sync::Arc;

pub use action::{Action, Decision, Echo, Pause, Report, Served, Stream};
pub use body::Body;
pub use check_answer::{announces_content, is_framed_once, may_persist};
pub use failure::Failure;
pub use forward::{Attempt, Content, Forward, Upstream, announced, asks_for_content};
pub use hop_by_hop::keep_alive;
pub use length::usual_length;
pub use respond::{announce, close, malformed, refuse, saturated, too_large, too_slow};
pub use route::Route;

use http::{HeaderValue, Method, Response, header, request::Parts};

/// How much of a request may be read for nothing once its answer is out, in bytes.
pub const DRAIN_AT_MOST: u64 = 256 * 1024;

/// Which of its faces the service shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// The routes.
    #[default]
    Service,
    /// Every request is answered as `/echo` is.
    Echo,
    /// Every request is forwarded upstream.
    Proxy,
    /// Health and metrics only, for a port that stays free when the main one is busy.
    Admin,
}

/// What the service asks of the process around it.
pub trait Process: Send + Sync {
    /// Whether the process is on its way out, so that nobody should send it new work.
    fn draining(&self) -> bool;
    /// The metrics, as Prometheus text.
    fn metrics(&self) -> String;
}

/// Decides. One for the whole process, shared by all its connections.
pub struct Service {
    backend: &'static str,
    signature: HeaderValue,
    mode: Mode,
    upstream: Option<Upstream>,
    /// The most bytes of content that is read before the answer.
    max_consumed: u64,
    /// The most bytes of content that is passed on as it arrives, if that is bounded.
    max_streamed: Option<u64>,
    process: Arc<dyn Process>,
}

impl Service {
    /// A service that answers as `backend` and forwards to `upstream`. `max_consumed` bounds content
    /// that is read before the answer, `max_streamed` content that is passed on as it arrives, both
    /// in bytes.
    #[must_use]
    pub fn new(
        backend: &'static str,
        mode: Mode,
        upstream: Option<Upstream>,
        max_consumed: u64,
        max_streamed: Option<u64>,
        process: Arc<dyn Process>,
    ) -> Self {
        let signature = HeaderValue::try_from(format!("five-ways/{backend}"));
        let signature = signature.unwrap_or(HeaderValue::from_static("five-ways"));
        Self { backend, signature, mode, upstream, max_consumed, max_streamed, process }
    }

    /// The name of the backend, such as `mio`.
    #[must_use]
    pub fn backend(&self) -> &'static str {
        self.backend
    }

    /// Says in an answer who sends it, for a codec that does not.
    pub fn sign<B>(&self, response: &mut Response<B>) {
        response.headers_mut().insert(header::SERVER, self.signature.clone());
    }

    /// Decides what to do with a request.
    #[must_use]
    pub fn decide(&self, head: &Parts) -> Decision {
        if let Some(refusal) = check::refusal(head) {
            return Decision::last(Route::Other, refusal);
        }
        let decision = match self.mode {
            _ if head.method == Method::TRACE => {
                Decision::now(Route::Other, respond::method_not_allowed(routes::ANY))
            }
            Mode::Service => self.route(head),
            Mode::Admin => self.admin(head),
            Mode::Echo => routes::echo(head),
            Mode::Proxy => self.forward(head, ""),
        };
        self.bound(head, decision)
    }

    /// Refuses content that is known to be too large before any of it is read.
    fn bound(&self, head: &Parts, mut decision: Decision) -> Decision {
        decision.content_limit = match decision.action {
            Action::Echo(_) | Action::Forward(_) => self.max_streamed,
            Action::Report(_) => Some(self.max_consumed),
            Action::Respond(_) | Action::Stream(_) => {
                decision.close |= action::leaves_much_unread(head);
                None
            }
        };
        let Some(limit) = decision.content_limit else { return decision };
        match action::content_length(head) {
            Some(length) if length > limit => {
                Decision::last(decision.route, respond::content_too_large(limit))
            }
            _ => decision,
        }
    }
}
