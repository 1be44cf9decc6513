//! The service on readiness callbacks: an event loop per core, none of which ever blocks.
//!
//! # The model
//! The kernel says which sockets are ready, and a loop on `mio` calls each connection's handler. A
//! handler does what can be done without waiting, notes what it waits for next, and returns. All
//! that a function keeps on its stack, a connection keeps in a struct.
//!
//! # Who waits where
//! A thread waits in `epoll_wait` and nowhere else: the acceptor for clients, each loop for
//! everybody it serves, until the first of their deadlines. A connection waits as an entry in its
//! loop's slab: for readiness, as follows from what its session asked for, and for its deadline, as
//! an entry among the timers. While it forwards a request it waits for two sockets: each has a token
//! of its own, and both lead to the same handler. For a place upstream it waits as an entry in its
//! loop's queue, until another of the loop's connections gives one back, or another thread wakes the
//! loop.
//!
//! # What it costs
//! Half a kilobyte a connection, and no stack. A request takes one read and one write, and a share
//! of an `epoll_wait` that tells of many sockets at once: the busier, the smaller. A forwarded request
//! takes twice that, since an idle connection upstream is watched and needs no other look before it
//! is used again. A new connection costs its loop a wake-up. A pause ends up to a millisecond late,
//! epoll's unit.
//!
//! # What it leaves to you
//! - The order of things: no function tells what happens to a connection from top to bottom, so
//!   its progress is data, a state machine (`session`).
//! - Memory of readiness: mio tells of a change once ([`socket`] remembers what is known).
//! - Ownership: each loop keeps its idle connections upstream to itself ([`upstream`]), so that one
//!   loop may have to ask another for a place; and each changes hands, so that an event must be led
//!   to whoever has it now ([`users`]).
//! - Fairness: a handler that does not return holds up everybody on its loop, so a turn is bounded
//!   ([`reactor`]); nothing but discipline bounds a call that blocks, as `/block` shows.
//! - Time: `mio` has no timers ([`timers`]).

mod connection;
mod inbox;
mod reactor;
mod server;
mod slots;
mod socket;
mod timers;
mod upstream;
mod users;

use std::process::ExitCode;

use process::{Backend, Footprint, NoExtra, Site};

static BACKEND: Backend = Backend {
    name: "mio",
    about: "Readiness callbacks on mio: an event loop per core",
    per_connection: Footprint { descriptors: 1, maps: 0, threads: 0 },
};

fn main() -> ExitCode {
    let (options, NoExtra {}) = process::parse(&BACKEND);
    process::run(&BACKEND, || server::run(Site::open(&BACKEND, options)?))
}
