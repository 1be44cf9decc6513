//! All that the actors say to each other.
//!
//! ```text
//!  run ──Accept──▶ Listener ──Accepted──▶ Worker ──starts──▶ Connection
//!                                           ◀──────Closed──────┘
//!  signal ─Drain─▶ Listener ───Drain────▶ Worker ───Drain──▶ Connection
//! ```

use std::{
    io,
    net::{SocketAddr, TcpStream},
};

use actix::Message;
use process::Permit;

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
