//! The service as actors: one for each connection, which share nothing and send messages.
//!
//! # The model
//! A listener accepts and sends each socket to a worker, an actor on an arbiter of its own; the
//! worker starts an actor for it there ([`messages`] has all that is ever sent). An actor does one
//! thing at a time, so its state needs no lock. An arbiter is a thread with an event loop, and runs
//! one actor at a time. A connection upstream is an actor too, the peer: whoever has its address
//! lends it buffers, and has them back with the answer.
//!
//! # Who waits where
//! The arbiter waits in `epoll_wait(2)`, for all of its actors. An actor does not wait: it returns to
//! the arbiter, remembers the step that it is in, and is woken when its socket is ready, its alarm
//! goes off, a message arrives or one is answered. Back-pressure is an actor that does not read while
//! it has something to write. Of a forwarded request, the client's actor waits for the client's socket
//! and for an answer, and the peer for the upstream's socket. For a place upstream, it waits in a queue
//! of its arbiter ([`queue`]). The listener waits for an arbiter if the mailboxes of all are full.
//!
//! # What it costs
//! An actor a connection: its state, a mailbox, an alarm and an entry with the event loop, about
//! 1.5 KiB while it is idle. To be woken is a turn of the event loop, a look into the mailbox, and a
//! step; a request is one read and one write. A forwarded request takes twice that, and a message, an
//! answer and two more turns: three allocations, but no system call and no copy.
//!
//! # What it leaves to you
//! - Fairness: whoever holds the arbiter holds all of its actors, so `/block` on one connection is
//!   felt by the others. Only the reads and writes of a busy one are interrupted, by the runtime.
//! - Bounds: `do_send` fills a mailbox without end, and `FramedWrite` never pauses. So nothing here
//!   uses either, and every message can be refused ([`server`]).
//! - Flow control: a mailbox bounds messages, not bytes, and tells its sender nothing until it is
//!   full. So what may be sent is not counted but owned: the buffers themselves go in the message
//!   ([`link`]).
//! - Retries: an actor that dies takes its messages along, and nothing sends them again. How far a
//!   request had come, and whether it may be sent twice, is for whoever asked to know (`session`).
//! - Addresses: actors end when they like, so a worker holds theirs weakly and is told ([`worker`]);
//!   or when nobody has their address any more, as [`peer`] does, if they look.
//! - Supervision: a panic ends its actor, which the arbiter survives; nothing starts it anew.

mod connection;
mod link;
mod messages;
mod peer;
mod queue;
mod server;
mod socket;
mod upstream;
mod worker;

use std::process::ExitCode;

use actix::System;
use process::{Backend, Footprint, NoExtra, Site};

static BACKEND: Backend = Backend {
    name: "actix",
    about: "Actors on actix: one for each connection, and messages between them",
    per_connection: Footprint { descriptors: 1, maps: 0, threads: 0 },
};

fn main() -> ExitCode {
    let (options, NoExtra {}) = process::parse(&BACKEND);
    process::run(&BACKEND, || server::run(&System::new(), Site::open(&BACKEND, options)?))
}
