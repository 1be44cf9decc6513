//! The service on OS threads: a worker owns a connection until it closes.
//!
//! # The model
//! An acceptor hands each connection to a `threadpool`; a worker serves it with blocking reads and
//! writes, from top to bottom, as one would explain it to a friend. The kernel decides who runs.
//!
//! # Who waits where
//! The acceptor waits in poll(2), for a client or for the end. A worker waits inside read(2) on its one
//! socket, with the deadline set on the socket (`SO_RCVTIMEO`). It writes at once, for there is nearly
//! always room; where there is none it waits in poll(2), and so it does for a pause, to hear of a client
//! that leaves. A connection for which no worker is free waits in the pool's queue.
//!
//! A request that is forwarded keeps its worker, which then has two sockets: it waits in poll(2) for
//! either, and needs no second thread. So it does while it waits for a connection upstream: until
//! another worker gives one up, or its client leaves. All workers share the idle ones, under one lock
//! ([`upstream`]).
//!
//! # What it costs
//! A kernel thread a connection: its stack's touched pages, its kernel stack, four memory maps, and
//! a context switch a request, or two for one that pauses or is forwarded. Nothing is paid for being
//! told what is ready: a read that blocks *is* the notification.
//!
//! # What it leaves to you
//! - Stopping: a thread inside read(2) hears nothing, so a drain interrupts it by a signal
//!   ([`interrupt`]).
//! - Bounds: `threadpool` queues without end, so the door ([`server`]) admits no more than
//!   `--max-connections`. With fewer `--workers` than that, slow clients starve the rest: the
//!   classic pool, to be had with `--workers 64`.
//! - Scarcity: `threadpool` panics when a thread can't be had ([`pool`] catches that), and the
//!   standard library aborts when memory maps run out, so the limits stay below
//!   `vm.max_map_count`.

mod connection;
mod interrupt;
mod pool;
mod server;
mod socket;
mod upstream;

use std::process::ExitCode;

use process::{Backend, Footprint, NoExtra, Site};

static BACKEND: Backend = Backend {
    name: "threads",
    about: "OS threads: a worker owns a connection until it closes",
    per_connection: Footprint { descriptors: 1, maps: 4, threads: 1 },
};

fn main() -> ExitCode {
    let (options, NoExtra {}) = process::parse(&BACKEND);
    process::run(&BACKEND, || server::run(Site::open(&BACKEND, options)?))
}
