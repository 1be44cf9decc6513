//! The contract of the reverse proxy in tests, one module for each topic, for every backend. The
//! test plays both the client and the origin.

#![allow(missing_docs, reason = "a test's name is what it says")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod answers;
mod bounds;
mod chains;
mod failures;
mod flow;
mod forwarding;
mod gone;
mod hop_by_hop;
mod identity;
mod interim;
mod load;
mod midway;
mod peers;
mod requests;
mod retry;
mod reuse;
mod stalls;

pub(crate) use contract::on_every_backend;
