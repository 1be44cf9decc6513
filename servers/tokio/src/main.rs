//! The service on tokio: a connection is a future, and a runtime polls whichever can go on.
//!
//! # The model
//! `async` turns a connection's code into a state machine that stops at every `.await`. The
//! runtime keeps it as a task of some kilobytes, and polls it when its socket is ready or its
//! timer has rung. A few worker threads take turns with all tasks, and steal from each other.
//! The HTTP is hyper's, as people deploy it; `--codec http1` puts this workspace's own in its
//! place, so that model and codec can be told apart.
//!
//! # Who waits where
//! Workers wait in `epoll_wait`(2), one of them for all. A task waits in a waker that its socket,
//! its timer and the drain hold, and nowhere else: a pause is a timer, and costs no thread.
//!
//! A request that is forwarded has a second socket, and its task leaves its waker there too. Idle
//! connections upstream belong to the whole process ([`upstream`]), since any worker may poll any
//! task; one task holds a waker at all of them, and drops whichever has ended. A request that must
//! wait for one has its waker called by whoever gives one back.
//!
//! # What it costs
//! A task and a registration with epoll a connection, and a poll from the top for every wake-up.
//! hyper keeps two buffers of 8 KiB for each connection, idle or not; over `--codec http1` an idle
//! one holds none. To forward a request takes no other task, not even over hyper: the task that has a
//! connection upstream drives it ([`peer`]). The pool's lock is what all workers share.
//!
//! # What it leaves to you
//! - Fairness: a task that computes or blocks (`/burn`, `/block`) holds its worker, and what
//!   waits there. Nothing takes the worker away.
//! - Deadlines: hyper knows one, for heads, which would cost a timer a request. The socket under it
//!   ([`deadlines`]) carries all four, over one timer a connection ([`alarm`]).
//! - Stopping: hyper ends idle connections at once, and nobody tells a task anything that it does
//!   not poll for. The drain wakes every task ([`server`]), and each looks around.
//! - Clients that are gone: the runtime tells whoever reads. Behind unread bytes, a reset is told only to
//!   who asks for errors ([`gone`]).
//! - What hyper does not do, as a proxy must: pass informational answers on ([`deadlines`]), have content
//!   wait for the upstream's 100 ([`outgoing`]), read an answer after a failed write ([`wire`]).
//! - Parting: hyper closes where it stops reading, and so resets who still sends. The task lingers
//!   in its place ([`hyper_connection`]).

mod ahead;
mod alarm;
mod body;
mod buffers;
mod connection;
mod deadlines;
mod exchange;
mod forward;
mod gone;
mod handler;
mod hyper_connection;
mod outgoing;
mod peer;
mod server;
mod socket;
mod upstream;
mod wire;

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use process::{Backend, Footprint, Site};

static BACKEND: Backend = Backend {
    name: "tokio",
    about: "async/await on tokio: a task a connection, HTTP by hyper",
    per_connection: Footprint { descriptors: 1, maps: 0, threads: 0 },
};

#[derive(Args)]
struct Extra {
    /// Who speaks HTTP.
    #[arg(long, env = "FIVE_CODEC", value_name = "CODEC", default_value = "hyper")]
    codec: Codec,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Codec {
    /// hyper, as people deploy it.
    Hyper,
    /// This workspace's own, as the other four servers use it.
    Http1,
}

fn main() -> ExitCode {
    let (options, Extra { codec }) = process::parse(&BACKEND);
    process::run(&BACKEND, || server::run(Site::open(&BACKEND, options)?, codec))
}
