//! One connection's life, without its socket: the codec and the service joined.
//!
//! A [`Session`] holds everything about a connection that has nothing to do with waiting: what
//! has been read, what is owed, which deadline applies, when it is over. A server asks it for
//! the next [`Step`] and takes that step in the idiom of its model, which is all that a server
//! does:
//!
//! | step                | threads        | mio, actix             | may, tokio    |
//! |---------------------|----------------|------------------------|---------------|
//! | [`Step::Read`]      | blocks in read | returns to the loop    | yields        |
//! | [`Step::Write`]     | blocks in poll | returns to the loop    | yields        |
//! | [`Step::Wait`]      | blocks in poll | sets a timer, returns  | yields        |
//! | [`Step::Block`], [`Step::Burn`] | on purpose the same in all: the thread is held  |||
//! | [`Step::HalfClose`], [`Step::Close`], [`Step::Abort`] | a system call         |||
//! | [`Step::Connect`]   | blocks         | returns to the loop    | yields        |
//! | [`Step::Relay`]     | blocks in poll | returns to the loop    | yields        |
//!
//! The state machine, whose transitions are in `request.rs` and `answer.rs`, and for a request that is
//! forwarded in `relay.rs`:
//!
//! ```text
//!               ┌───────────────── the next request ─────────────────────┐
//!               ▼                                                        │
//!         ┌───────────┐ Respond   ┌─────────┐  all sent, all read        │
//!  ──────▶│ Receiving │──────────▶│ Sending │────────────────────────────┤
//!         └───────────┘           └─────────┘                            │
//!           │  │  │ Report   ┌───────────┐ End ┌─────────┐ over    ▲     │
//!           │  │  └─────────▶│ Consuming │────▶│ Pausing │─────────┘     │
//!           │  │             └───────────┘     └─────────┘               │
//!           │  │ Echo        ┌─────────┐ End                             │
//!           │  └────────────▶│ Echoing │─────────────────────────────────┤
//!           │ Stream         └─────────┘                                 │
//!           │                ┌───────────┐ last piece   ┌──────────┐ End │
//!           └───────────────▶│ Streaming │─────────────▶│ Draining │─────┘
//!                            └───────────┘ not all read └──────────┘
//!
//!  Receiving ── Forward ──▶ Forwarding ── the answer is over ──▶ as after Sending
//!                               └──────── there is none ───────▶ Sending, a 502, 503 or 504
//!
//!  from anywhere, when the connection must end:  Lingering ──▶ Closed
//!  or, if that could look like the end of an answer:             Broken
//! ```
//!
//! Time comes in as an argument, and the one clock on the wall through [`Environment`].

#![forbid(unsafe_code)]

mod answer;
mod buffers;
mod deadline;
mod forwarding;
mod receipt;
mod relay;
mod request;
mod session;
mod stamp;
mod watch;

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use http::{Response, StatusCode};
use service::{Body, Route, Service};

pub use buffers::{Buffers, Pool};
pub use deadline::{GRACE, LINGER, Timeouts};
pub use receipt::Receipt;
pub use service::Failure;
pub use session::{Identity, Session};

/// What a server does next for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Read into the input, then say how much; or say that nothing more will come. Until
    /// [`Session::deadline`].
    Read,
    /// Write the output, then say how much. Until [`Session::deadline`].
    Write,
    /// Come back at this time. Nothing that is scarce in the model should be held till then.
    Wait(Instant),
    /// Block the executing thread for this long, on purpose.
    Block(Duration),
    /// Keep the executing thread busy for this much of its CPU time.
    Burn(Duration),
    /// Send FIN, and go on reading.
    HalfClose,
    /// Close the socket and forget the session.
    Close,
    /// As [`Step::Close`], but with a reset, since the client must not take this for an end.
    Abort,
    /// Have a connection upstream: one that is kept, where `reuse` says so and there is one, or a
    /// new one. Say [`Session::connecting`] when there is a place for that, and then
    /// [`Session::connected`]; or [`Session::upstream_failed`]. Until [`Session::deadline`].
    Connect {
        /// Whether one that is kept will do.
        reuse: bool,
    },
    /// Do one of these as soon as its socket is ready, and say so: writes first, then upstream
    /// before downstream. Until [`Session::deadline`], or until the client is gone, whatever is
    /// wanted of it.
    Relay(Relay),
    /// Give the connection upstream back, or whatever there is of one.
    Release(Release),
}

/// What is wanted of a client's socket and of one upstream at the same time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Relay {
    /// Of the client's, with [`Buffers::input`] and [`Buffers::output`].
    pub downstream: Interest,
    /// Of the one upstream, with [`Buffers::upstream_input`] and [`Buffers::upstream_output`].
    pub upstream: Interest,
}

/// What is wanted of a socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    /// To read into an input.
    pub read: bool,
    /// To write an output.
    pub write: bool,
}

/// What becomes of a connection upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// The next request may have it, within the time that the upstream keeps it if it says so.
    Keep(Option<Duration>),
    /// It is closed, as is a connection in the making; and a place in the queue is given up.
    Drop,
}

/// What a session needs to know of the world.
pub trait Environment: Send + Sync {
    /// The time of day.
    fn wall_clock(&self) -> SystemTime;
    /// A request has begun on a connection that had none: its head is complete.
    fn began(&self);
    /// A connection has no request any more: all answers have left, or it was cut.
    fn ended(&self);
    /// A request was answered; `elapsed` runs from its head to the end of its answer.
    fn answered(&self, route: Route, status: StatusCode, elapsed: Duration);
    /// So many bytes came from clients and went to them.
    fn moved(&self, received: u64, sent: u64);
    /// A request is sent upstream once more.
    fn retried(&self);
    /// A request could not be forwarded, or its answer not be had to the end.
    fn upstream_failed(&self, failure: Failure);
    /// The client was gone before it had the answer to a forwarded request.
    fn client_gone(&self);
}

/// The whole answer to a connection that has no session: it is one too many.
#[must_use]
pub fn saturated(context: &Context, now: Instant) -> Vec<u8> {
    last_words(context, service::saturated(), now)
}

/// The whole answer to a head that did not end in time, for a codec that has none.
#[must_use]
pub fn too_slow(context: &Context, now: Instant) -> Vec<u8> {
    let response = service::too_slow();
    context.environment.answered(Route::Other, response.status(), Duration::ZERO);
    last_words(context, response, now)
}

/// What all sessions of a process share.
pub struct Context {
    /// Decides.
    pub service: Service,
    /// How much a client may send.
    pub limits: http1::Limits,
    /// How long it may take.
    pub timeouts: Timeouts,
    /// The world.
    pub environment: Arc<dyn Environment>,
}

/// There is nothing in it to show.
impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").finish_non_exhaustive()
    }
}

/// An answer as it stands on the wire, after which the connection ends.
fn last_words(context: &Context, response: Response<Body>, now: Instant) -> Vec<u8> {
    let (head, body) = response.into_parts();
    let environment = &context.environment;
    let mut stamp = stamp::Stamp::default();
    let stamp = stamp.at(now, context.service.backend(), || environment.wall_clock());
    let mut codec = http1::server::Connection::new(context.limits);
    let mut output = http1::Output::default();
    codec.close_after();
    codec.send_head(&head, Some(body.len()), stamp, &mut output);
    body.for_each(|content| codec.send_content(content, &mut output));
    codec.send_end(&mut output);
    output.to_vec()
}
