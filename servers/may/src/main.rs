//! The service on stackful coroutines: a coroutine owns a connection until it closes.
//!
//! # The model
//! `may` runs one scheduler thread per core, and on them any number of coroutines, each with a
//! stack of its own. They are switched in user space, where they wait and only there. A connection's
//! code is that of a thread: reads, writes and sleeps, from top to bottom.
//!
//! # Who waits where
//! A scheduler waits in `epoll_wait` and resumes whoever an event is for. The acceptor, a coroutine
//! like the others, yields until there is a client; a connection until its one socket is ready
//! ([`connection`]). Its deadline is kept by one thread for all, which resumes it just the same
//! ([`timers`]). What it borrowed, it gives back before it yields; its stack it keeps.
//!
//! # What it costs
//! A stack a connection: two memory maps, and the pages that were ever touched, one at either end.
//! A request takes one read and one write, and a share of an `epoll_wait` that tells of many sockets
//! at once; a switch is a few registers.
//!
//! # What it leaves to you
//! - The stack's size, for it can't grow ([`server`]). Running over its end ends the process.
//! - Thread-locals: a coroutine may wake up on another thread, so nothing may be held of the first.
//!   Both are why `may` calls its spawn unsafe, which the macro `go!` hides.
//! - Fairness: a coroutine runs until it waits, so one whose client is fast must step back by itself
//!   ([`connection`]), and may's yield is not enough, for it reads no new events. One that blocks or
//!   computes holds up everybody on its scheduler, as `/block` and `/burn` show.
//! - Time: a wait for events has no end ([`timers`]); may's own read has one, and a timer each time.
//!   A sleeper wakes up on may's timer thread ([`timers::sleep`]).
//! - Stopping: nothing tells a coroutine that waits, so the drain wakes each ([`timers`]).
//! - Scarcity: `may` panics when it can't map a stack ([`server`] backs off).
//! - Idleness: with the feature `io_timeout`, every scheduler wakes up each 10 ms.

mod connection;
mod server;
mod timers;

use std::process::ExitCode;

use process::{Backend, Footprint, NoExtra, Site};

static BACKEND: Backend = Backend {
    name: "may",
    about: "Stackful coroutines: a coroutine owns a connection until it closes",
    per_connection: Footprint { descriptors: 1, maps: 2, threads: 0 },
};

fn main() -> ExitCode {
    let (options, NoExtra {}) = process::parse(&BACKEND);
    process::run(&BACKEND, || server::run(Site::open(&BACKEND, options)?))
}
