//! One thin HTTP/1.1 client connection that checks what it reads.
//!
//! A load generator spends its core on clients, so the client here is as little as can be: the
//! request's bytes are made once ([`Exchange`]), the answer is read into a buffer that all
//! connections of the thread share, `httparse` reads the head, and the body is compared with the
//! expected one as it arrives ([`AnswerReader`]) without being kept. Whatever a connection waits
//! for, it waits for through its [`Patience`], so that no wait outlives the test.
//!
//! It has no code in common with the servers: a bug must not hide at both ends of the wire.

mod answer;
mod connection;
mod exchange;
mod fault;
mod origin;
mod patience;
mod slow;

pub(crate) use answer::{AnswerReader, Reply};
pub(crate) use connection::{Connection, Stop};
pub(crate) use exchange::{Body, Exchange};
pub(crate) use fault::Fault;
pub(crate) use origin::{Origin, ports};
pub(crate) use patience::{Patience, Signal};
pub(crate) use slow::{Pace, SLOW_READER_BUFFER};
