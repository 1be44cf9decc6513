//! The lab: what is compared, in which order, and what it is found to cost.
//!
//! A *cell* is one contender, one scenario, one number of connections and one manner of asking. An
//! [`experiment`] says which there are, the [`plan`] in which order they are measured round by
//! round, and [`compare()`] measures them: each with a fresh server on a [`stage`] of its own and a
//! fresh generator ([`cell`]) that [watches](watch) it. A cell that fails is recorded with the
//! server's last words, and the others go on.

mod cell;
mod compare;
mod contender;
mod cores;
mod environment;
mod experiment;
mod exporter;
mod folder;
mod journal;
mod limit;
mod options;
mod peer;
mod plan;
mod progress;
mod sample;
mod server;
mod stage;
mod startup;
mod target;
mod watch;

use std::process::ExitCode;

pub(crate) use cell::{CellOptions, Outcome, run_cell};
pub(crate) use contender::Backend;
pub(crate) use environment::Environment;
pub(crate) use experiment::Experiment;
pub(crate) use options::{C10kOptions, CompareOptions};
pub(crate) use plan::{Cell, Meaningless, Plan};
pub(crate) use sample::KernelMemory;
pub(crate) use startup::{Log, Startup};

use self::cores::Cores;
use self::server::Server;
use self::stage::Stage;

/// `loadtest compare`
pub(crate) fn compare(options: &CompareOptions, open_files: u64) -> anyhow::Result<ExitCode> {
    compare::compare(&options.place, || options.experiment(), open_files)
}

/// `loadtest c10k`
pub(crate) fn c10k(options: &C10kOptions, open_files: u64) -> anyhow::Result<ExitCode> {
    compare::compare(&options.place, || options.experiment(), open_files)
}
