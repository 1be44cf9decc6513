//! From samples to statements: percentiles of a window, medians and ranges of rounds.

mod latency;
mod rounds;

pub(crate) use latency::{Latency, Percentiles};
pub(crate) use rounds::{Spread, ratio};
