//! From samples to statements: percentiles of a window, medians and ranges of rounds.

mod latency;
mod rounds;
mod unpaired;

pub(crate) use latency::{Latency, Percentiles};
pub(crate) use rounds::{Ratio, Spread, ratio, slope};
pub(crate) use unpaired::{Change, change};
