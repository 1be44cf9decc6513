//! What `compare` and `c10k` accept: an experiment, and what is stronger than it.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::contender::{Backend, Peer};
use super::experiment::{Experiment, Wishes};
use super::plan::Manner;
use super::target::Target;
use crate::load::Scenario;
use crate::options::{Unusable, at_least_one, duration, duration_or_none};

/// What is compared where no row is named: as `--target` has it, with spaces between.
const TARGETS: &str = "FIVE_TARGETS";

/// `loadtest compare`
#[derive(Debug, Args)]
pub(crate) struct CompareOptions {
    /// What to compare: a file, or one of glance, quick, thorough, c10k [default: glance]
    #[arg(long, value_name = "FILE|NAME", conflicts_with_all = ["quick", "thorough"])]
    experiment: Option<String>,
    /// The least that can be ranked, under four minutes: the experiment quick
    #[arg(long, conflicts_with = "thorough")]
    quick: bool,
    /// What a sceptic would ask for, in a good hour: the experiment thorough
    #[arg(long)]
    thorough: bool,
    #[command(flatten)]
    overrides: Overrides,
    #[command(flatten)]
    pub(super) place: Place,
}

/// `loadtest c10k`
#[derive(Debug, Args)]
pub(crate) struct C10kOptions {
    /// The ladder: a file, or one that comes with the program
    #[arg(long, value_name = "FILE|NAME", default_value = "c10k")]
    experiment: String,
    #[command(flatten)]
    overrides: Overrides,
    #[command(flatten)]
    pub(super) place: Place,
}

/// Options that are stronger than the experiment's file.
#[derive(Debug, Args)]
#[allow(clippy::doc_markdown, reason = "shown by --help as they stand")]
#[command(next_help_heading = "Stronger than the experiment")]
struct Overrides {
    /// Which backends: threads, mio, may, actix, tokio, tokio/http1, floor
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    backends: Option<Vec<Backend>>,
    /// Another program as one more row: nginx, or 'name=command' with {port} in it
    ///
    /// The command is started for each cell, without a shell. {port} is where it is to listen,
    /// {upstream} what it is to forward to, {dir} a folder of its own; {connections}, {cores} and
    /// {open_files} are what they say. It must stay in the foreground. All its processes are
    /// sampled as one. May be given several times.
    #[arg(long = "peer", value_name = "NAME[=COMMAND]")]
    peers: Vec<Peer>,
    /// A server that runs elsewhere as one more row: name=URL, or name=URL,URL of its figures
    ///
    /// What it costs is read from its /metrics: process_cpu_seconds_total,
    /// process_resident_memory_bytes, process_threads, process_open_fds. May be given several times.
    /// Where no row is named, by this or another option, those in the variable FIVE_TARGETS are
    /// compared, with spaces between them, in place of the experiment's backends.
    #[arg(long = "target", value_name = "NAME=URL")]
    targets: Vec<Target>,
    /// What is asked: echo, echo-16k, delay, anything, burn, block, stream, proxy, proxy-slow, mixed
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    scenarios: Option<Vec<Scenario>>,
    /// How many connections, such as 1,64,1024
    #[arg(long, value_delimiter = ',', value_name = "NUMBERS", value_parser = at_least_one)]
    connections: Option<Vec<usize>>,
    /// In which manner: closed; open 5000/s; open 50%, which is half of what the slowest makes in
    /// closed; held 100 active; slow-send 100 B/s; slow-read 4096 B/s; churn
    #[arg(long, value_delimiter = ',', value_name = "SHAPES")]
    shapes: Option<Vec<Manner>>,
    /// How often to measure each cell; six rounds or more are ranked
    #[arg(long, value_parser = at_least_one)]
    rounds: Option<usize>,
    /// How long to measure each cell, such as 3s
    #[arg(long, value_parser = duration)]
    duration: Option<Duration>,
    /// How long to run each cell before that without measuring
    #[arg(long, value_parser = duration_or_none)]
    warm_up: Option<Duration>,
    /// How long all connections of a cell may take to be made; then those start that were
    #[arg(long, value_parser = duration)]
    connect_timeout: Option<Duration>,
    /// The order of the cells; another one every time if not given
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// The null test: measure this row, or the first, under a second name too
    #[arg(long, value_name = "ROW", num_args = 0..=1, default_missing_value = "")]
    null: Option<String>,
    /// The calibration: measure the floor too, an answer that costs nothing
    #[arg(long)]
    calibrate: bool,
}

/// Where a comparison leaves its files.
#[derive(Debug, Args)]
#[command(next_help_heading = "Files")]
pub(super) struct Place {
    /// Where to leave results.json and report.html [default: results/ and the time in UTC]
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Replace what another comparison left in the folder that --out names
    #[arg(long, requires = "out")]
    pub(super) force: bool,
    /// Go on with the comparison that was interrupted in this folder; takes no other option
    #[arg(long, value_name = "DIR", exclusive = true)]
    pub(super) resume: Option<PathBuf>,
}

impl CompareOptions {
    /// What is asked for, all in all.
    pub(super) fn experiment(&self) -> anyhow::Result<Experiment> {
        let name = match (&self.experiment, self.quick, self.thorough) {
            (Some(name), ..) => name,
            (None, true, _) => "quick",
            (None, false, true) => "thorough",
            (None, false, false) => "glance",
        };
        Experiment::resolve(name, self.overrides.wishes()?)
    }
}

impl C10kOptions {
    /// What is asked for, all in all.
    pub(super) fn experiment(&self) -> anyhow::Result<Experiment> {
        Experiment::resolve(&self.experiment, self.overrides.wishes()?)
    }
}

impl Overrides {
    fn wishes(&self) -> Result<Wishes, Unusable> {
        let wishes = self.said();
        let named = self.backends.is_some() || !self.peers.is_empty() || !self.targets.is_empty();
        let targets = std::env::var(TARGETS).unwrap_or_default();
        // An empty variable counts as not given.
        if named || targets.trim().is_empty() {
            return Ok(wishes);
        }
        let rows = targets.split_whitespace().map(str::parse).collect::<Result<_, String>>();
        let rows = rows.map_err(|reason| Unusable::value(TARGETS, &targets, reason))?;
        Ok(Wishes { backends: Some(Vec::new()), targets: Some(rows), ..wishes })
    }

    fn said(&self) -> Wishes {
        let time = |duration: Duration| humantime::format_duration(duration).to_string();
        Wishes {
            about: None,
            backends: self
                .backends
                .as_ref()
                .map(|all| all.iter().map(|backend| backend.name().to_owned()).collect()),
            peers: Some(self.peers.clone()),
            targets: Some(self.targets.clone()),
            scenarios: self
                .scenarios
                .as_ref()
                .map(|all| all.iter().map(|scenario| scenario.name().to_owned()).collect()),
            connections: self.connections.clone(),
            connections_of: None,
            shapes: self.shapes.as_ref().map(|all| all.iter().map(Manner::to_string).collect()),
            rounds: self.rounds,
            seed: self.seed,
            warm_up: self.warm_up.map(time),
            duration: self.duration.map(time),
            connect_timeout: self.connect_timeout.map(time),
            null: self.null.clone(),
            calibrate: self.calibrate.then_some(true),
            ladder: None,
        }
    }
}
