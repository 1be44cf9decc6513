//! All that the actors say to each other.
//!
//! ```text
//!  run ──Accept──▶ Listener ──Accepted──▶ Worker ──starts──▶ Connection ──starts──▶ Peer
//!                                           ◀──────Closed──────┘
//!  signal ─Drain─▶ Listener ───Drain────▶ Worker ───Drain──▶ Connection
//!                another arbiter ──Asked──▶ Worker ◀──Asked── Peer, at its end
//! ```
//!
//! A forwarded request is exchanged between two actors, the client's connection and the upstream's
//! peer. Bytes are never sent as such: a message lends the buffers that they are in, and its answer
//! brings them back.
//!
//! ```text
//!  Connection                                                  Peer
//!      ├──Exchange { write, read, buffers }─────────────────────▶│  writes, and when the upstream
//!      │◀─────────────────Exchanged { sent, outcome, buffers }───┤  has answered, reads
//! ```
//!
//! That is all where the request's last bytes go at once. Where more of it is to follow, what comes
//! back must not wait for what goes, so there is a message for each direction:
//!
//! ```text
//!      ├──Exchange { write, buffers }───────────────────────────▶│
//!      ├──Exchange { read }─────────────────────────────────────▶│  borrows buffers when there is
//!      │◀─────────────────Exchanged { sent, buffers }────────────┤  something to read
//!      ├──Exchange { write, buffers }───────────────────────────▶│
//!      │◀─────────────────Exchanged { outcome, buffers }─────────┤  …
//! ```
//!
//! This is the flow control. What is lent can't be lent again, so each direction has one message on
//! its way at most, a mailbox for two is never full, and who is slow is not sent more. A connection
//! whose peer dies has no answer to wait for any more, and is told so; a peer whose connection dies is
//! an actor that nobody has the address of, and ends.

use std::{
    io,
    net::{SocketAddr, TcpStream},
};

use actix::Message;
use process::Permit;
use session::{Buffers, Interest};
use tokio::sync::oneshot;

/// Accept until told to drain, and then what the backlog holds. The answer comes then, or when the
/// listening socket is broken.
#[derive(Message)]
#[rtype(result = "io::Result<()>")]
pub(crate) struct Accept;

/// Here is a connection: start an actor for it.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Accepted {
    pub(crate) stream: TcpStream,
    pub(crate) origin: SocketAddr,
    pub(crate) permit: Permit,
}

/// The connection of this number has ended: forget its address.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Closed(pub(crate) u64);

/// The process is on its way out: finish what has begun, and pass it on.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Drain;

/// Connections upstream, or places for them, have changed hands: look whose turn it is.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Asked;

/// Write what is in the buffers, or read into them; or if both, write first. The answer is sent when
/// bytes have moved; but all that there was to write is no news as long as there is nothing to read.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Exchange {
    pub(crate) wants: Interest,
    /// None if there is nothing in them yet.
    pub(crate) buffers: Option<Box<Buffers>>,
    /// So many bytes of the output have been written.
    pub(crate) sent: usize,
    /// The way back, which wakes whoever waits there.
    pub(crate) answer: oneshot::Sender<Exchanged>,
}

/// The answer to an [`Exchange`].
pub(crate) struct Exchanged {
    /// What was asked for.
    pub(crate) wants: Interest,
    pub(crate) buffers: Option<Box<Buffers>>,
    /// So many bytes of the output were written.
    pub(crate) sent: usize,
    pub(crate) outcome: Outcome,
}

/// How an exchange ended.
#[derive(Clone, Copy)]
pub(crate) enum Outcome {
    /// With bytes written.
    Written,
    /// With so many bytes read.
    Received(usize),
    /// With the upstream's last byte, which was before.
    Ended,
    /// With an upstream that takes no more.
    StoppedReading,
    /// With an error.
    Failed,
}
