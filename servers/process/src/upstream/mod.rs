//! What every server needs around its upstream connections, but for the waiting.

pub mod allowance;
mod counters;
mod idle;
mod ledger;
mod socket;
pub mod url;

pub use allowance::{Allowance, Member, Opening, Waiting};
pub use counters::Counters;
pub use idle::Idle;
pub use socket::{begin_connect, finish_connect, gone, stale};
pub use url::Url;
