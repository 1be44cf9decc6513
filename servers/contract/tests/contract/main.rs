//! The service contract in tests, one module for each topic, for every backend.

#![allow(missing_docs, reason = "a test's name is what it says")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod admission;
mod alike;
mod anything;
mod curl;
mod drain;
mod early;
mod echo;
mod exhaustion;
mod expect;
mod limits;
mod load;
mod memory;
mod metrics;
mod modes;
mod panics;
mod peers;
mod persistence;
mod pressure;
mod routes;
mod sizes;
mod stalls;
mod startup;
mod timeouts;
mod waits;
