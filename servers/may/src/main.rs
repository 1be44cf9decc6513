//! The service on stackful coroutines: a coroutine owns a connection until it closes.
//!
//! # The model
//! `may` runs one scheduler thread per core, and on each any number of coroutines, which have
//! stacks of their own and are switched in user space, where they wait and only there. A
//! connection's code is that of a thread: reads, writes and sleeps, from top to bottom.
//!
//! # Who waits where
//! The acceptor, a coroutine like the others, yields on the listener. A connection yields on its
//! one socket ([`connection`]), and the scheduler resumes it when epoll_wait(2) says so. Its
//! deadline is kept by one thread for all ([`timers`]), which wakes it the same way. Before it
//! yields, it gives its buffers back; the stack it keeps.
//!
//! # What it costs
//! A stack a connection: two memory maps, and the pages that were ever touched. A switch is a few
//! registers, so a request costs a read, a write and a share of an epoll_wait(2).
//!
//! # What it leaves to you
//! - The size of the stack ([`server`]): fixed when the coroutine starts, in words. Running over it
//!   ends the process.
//! - Thread-locals: a coroutine may wake on another thread, so none is held across a yield. That is
//!   why `may` calls its spawn unsafe; the macro `go!` does not.
//! - Fairness: a coroutine runs until it waits. One that blocks or computes (`/block`, `/burn`)
//!   holds up every connection of its scheduler, and nothing takes them over.
//! - Deadlines: a wait for a socket has none, and may's own read time-outs cost a timer each.
//! - Sleep: a sleeper wakes on may's timer thread and must leave it ([`timers::sleep`]).
//! - Scarcity: `may` panics when it can't map a stack; [`server`] catches that and backs off.
//! - Idleness: with its feature `io_timeout`, each scheduler wakes every 10 ms.

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
