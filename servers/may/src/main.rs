//! The service on stackful coroutines: a coroutine owns a connection until it closes.
//!
//! # The model
//! `may` runs one scheduler thread per core, and on each any number of coroutines, which have stacks
//! of their own. They are switched in user space, where they wait and only there. A connection's
//! code is that of a thread: reads, writes and pauses, from top to bottom.
//!
//! # Who waits where
//! The acceptor, a thread, waits in poll(2), for a client or for the end. A scheduler waits in
//! `epoll_wait` and resumes whoever an event is for. A connection yields until its one socket is
//! ready, or its time has come ([`connection`]); a coroutine on each scheduler keeps the time
//! ([`timers`]). What a connection borrowed, it gives back before it yields; its stack it keeps.
//!
//! A request that is forwarded has a second socket, and a coroutine waits for one descriptor. So one
//! more coroutine on each scheduler waits for all upstream sockets, by an epoll descriptor that holds
//! them ([`watch`]), and wakes the connection that has one with news. A scheduler keeps its idle
//! connections to itself ([`upstream`]), and has those wait that can't have one ([`queue`]).
//!
//! # What it costs
//! A stack a connection: two memory maps, and the pages that were ever touched, one at either end.
//! A request takes one read and one write, and a share of an `epoll_wait` that tells of many sockets
//! at once; a switch is a few registers. Forwarding it takes one more of each, and another share of
//! an `epoll_wait`, for the descriptor that stands for others; an upstream connection has no stack.
//!
//! # What it leaves to you
//! - The stack's size, for it can't grow ([`server`]). Running over its end ends the process.
//! - Thread-locals: may's spawn is unsafe, which the macro `go!` hides, because a coroutine may go on
//!   on another thread. Ours never do, since that is unsound in `may` itself ([`timers`]); so what
//!   one scheduler has too much of, no other takes over.
//! - Fairness: a coroutine runs until it waits, so one whose client is fast must step back by itself
//!   ([`connection`]), and may's yield is not enough, for it reads no new events. One that blocks or
//!   computes holds up everybody on its scheduler, as `/block` and `/burn` show.
//! - Time: a wait for events has no end ([`timers`]); may's own read has one, and a timer each time.
//! - Stopping: a coroutine that waits hears nothing, so a drain wakes each ([`timers`]).
//! - Scarcity: `may` panics when it can't map a stack ([`server`] backs off).
//! - Idleness: with its feature `io_timeout`, every scheduler wakes up each 10 ms.

mod connection;
mod queue;
mod server;
mod timers;
mod upstream;
mod watch;

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
