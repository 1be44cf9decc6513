//! The black-box tests that every backend must pass, unchanged.
//!
//! A test starts a server as a program on a port of the kernel's choice, speaks to it over TCP
//! through a client that reads HTTP strictly and by itself, and stops it again. Nothing of this
//! workspace is linked: a bug in `http1` must not hide at both ends.
//!
//! A test is one function that takes a [`Backend`]; [`on_every_backend!`] makes a `#[test]` of it
//! for each:
//!
//! ```
//! # use contract::{Backend, Server, on_every_backend};
//! on_every_backend!(the_root_answers);
//!
//! fn the_root_answers(backend: Backend) {
//!     let server = Server::start(backend, &[]);
//!     server.connect().get("/").status(200);
//! }
//! ```
//!
//! so that a report reads `the_root_answers::mio … ok`. A failure names the backend and shows the
//! bytes that went both ways and the end of the server's log.
//!
//! What the RFCs say of requests is written down as data: [`vector`] says in which form, and
//! [`vectors`] are the tables. [`delivery`] sends a vector so that the server must read it in
//! pieces, and [`observation`] says what came of it. The same is there for [`answers`] of an upstream,
//! whose tables are in `tests/answers/tables`.

#![forbid(unsafe_code)]
#![allow(
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    reason = "every function here fails the test by a panic, and a check is called for nothing else"
)]

pub mod answer;
pub mod answers;
pub mod attack;
pub mod backend;
pub mod client;
pub mod connection;
pub mod delivery;
pub mod evidence;
pub mod exceptions;
pub mod ledger;
pub mod load;
pub mod log;
pub mod metrics;
pub mod observation;
pub mod origin;
pub mod peer;
pub mod program;
pub mod request;
pub mod server;
mod sockdiag;
pub mod strict;
pub mod vector;
pub mod vectors;
pub mod wire;

pub use answer::Answer;
pub use attack::{Attack, Slow};
pub use backend::Backend;
pub use client::Client;
pub use connection::Connection;
pub use exceptions::Exception;
pub use load::Load;
pub use metrics::sample;
pub use origin::{Origin, Upstream};
pub use peer::{Peer, skipped};
pub use program::{Outcome, Program};
pub use request::Request;
pub use server::Server;

use std::time::{Duration, Instant};

/// How long anything that must happen may take before a test gives up: long enough for a loaded
/// machine, short enough to find out.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Makes one `#[test]` for each backend out of each function named.
///
/// The functions take a [`Backend`]. Each becomes a module of the same name, with a test named
/// after each backend.
#[macro_export]
macro_rules! on_every_backend {
    ($($test:ident),+ $(,)?) => {$(
        mod $test {
            use $crate::Backend;

            #[test]
            fn threads() {
                super::$test(Backend::Threads);
            }

            #[test]
            fn mio() {
                super::$test(Backend::Mio);
            }

            #[test]
            fn may() {
                super::$test(Backend::May);
            }

            #[test]
            fn actix() {
                super::$test(Backend::Actix);
            }

            #[test]
            fn tokio() {
                super::$test(Backend::Tokio);
            }

            #[test]
            fn tokio_http1() {
                super::$test(Backend::TokioHttp1);
            }
        }
    )+};
}

/// Asks until the answer is `Some`, for as long as [`PATIENCE`] lasts.
///
/// For what a server does on its own, such as noticing that a connection has closed.
#[track_caller]
pub fn eventually<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    match patiently(ask) {
        Some(answer) => answer,
        None => panic!("{what}: not within {PATIENCE:?}"),
    }
}

/// The same, where `None` at the end is an answer too.
pub(crate) fn patiently<T>(mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = ask();
        if answer.is_some() || Instant::now() >= deadline {
            return answer;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
