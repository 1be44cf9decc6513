//! One cell, as a process of its own.
//!
//! The comparison starts `loadtest cell …` for each ([`measure`]); that process is the generator
//! ([`run_cell`]). It also looks at the server, because it knows the moments to do so, and prints
//! what it found as one JSON object. A fresh process has no heap, no sockets and no clock skew
//! left over from the cell before.

use std::net::SocketAddr;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use serde::{Deserialize, Serialize};

use super::sample::{Probe, Tasks};
use super::{Cell, Stage};
use crate::load::{self, CLIENT_BOUND, Load, Observer, Scenario, Summary};
use crate::options;

/// How long all connections together may take to be made.
const CONNECT_TIME_OUT: Duration = Duration::from_secs(20);
/// How long one request may take.
const TIME_OUT: Duration = Duration::from_secs(10);
/// How long a cell may take beyond what it was asked to.
const GRACE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);

/// `loadtest cell`
#[derive(Debug, Args)]
pub(crate) struct CellOptions {
    /// Where the server listens
    #[arg(long)]
    address: SocketAddr,
    /// Its process id
    #[arg(long)]
    pid: i32,
    /// The process id of its upstream
    #[arg(long)]
    upstream_pid: Option<i32>,
    /// What to ask it
    #[arg(long)]
    scenario: Scenario,
    /// How many connections
    #[arg(long, value_parser = options::at_least_one)]
    connections: usize,
    /// How long before the window
    #[arg(long, value_parser = options::duration_or_none)]
    warm_up: Duration,
    /// How long to measure
    #[arg(long, value_parser = options::duration)]
    duration: Duration,
}

/// What a cell found, on the wire and at the server.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// What the users found.
    pub(crate) summary: Summary,
    /// What the server used.
    pub(crate) cost: Cost,
}

impl Outcome {
    /// The upstream's CPU seconds in each second of the window; they are the generator's core's.
    pub(crate) fn upstream_utilisation(&self) -> Option<f64> {
        Some(self.cost.upstream_cpu_seconds? / self.summary.window_seconds)
    }

    /// Whether what shares the generator's core held the cell back.
    pub(crate) fn client_bound(&self) -> bool {
        let upstream = self.upstream_utilisation().unwrap_or(0.0);
        self.summary.generator_utilisation + upstream > CLIENT_BOUND
    }
}

/// What a server used.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Cost {
    /// CPU time in the window, in seconds.
    pub(crate) cpu_seconds: f64,
    /// The same of its upstream, which is the generator's burden and never the server's.
    pub(crate) upstream_cpu_seconds: Option<f64>,
    /// PSS with no connection yet.
    pub(crate) fresh_pss_kib: u64,
    /// PSS with all connections answered once and held.
    pub(crate) held_pss_kib: u64,
    /// Threads at the end of the window.
    pub(crate) threads: u64,
    /// Context switches from the start to the end of the window.
    pub(crate) context_switches: u64,
}

/// The generator's side: loads the server and prints the outcome.
pub(crate) fn run_cell(options: &CellOptions) -> anyhow::Result<ExitCode> {
    let upstream = options.upstream_pid.map(Probe::new).transpose()?;
    let mut watch = Watch::new(Probe::new(options.pid)?, upstream)?;
    let load = Load {
        exchange: options.scenario.exchange(options.address),
        connections: options.connections,
        connect_time_out: CONNECT_TIME_OUT,
        time_out: TIME_OUT,
        warm_up: options.warm_up,
        window: options.duration,
    };
    // After the look at the fresh server: the first answer may leave something behind in it.
    load::probe(&load)?;
    let summary = load::drive(load, &mut watch)?;
    let outcome = Outcome { summary, cost: watch.cost()? };
    println!("{}", serde_json::to_string(&outcome)?);
    Ok(ExitCode::SUCCESS)
}

/// The comparison's side: starts the generator, waits for it and reads what it printed.
pub(crate) fn measure(
    cell: Cell,
    stage: &Stage,
    warm_up: Duration,
    window: Duration,
    interrupted: &AtomicBool,
) -> anyhow::Result<Outcome> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("cell").args(["--scenario", cell.scenario.name()]);
    command.args(["--address", &stage.server().startup().address.to_string()]);
    command.args(["--pid", &stage.server().pid().to_string()]);
    if let Some(upstream) = stage.upstream() {
        command.args(["--upstream-pid", &upstream.pid().to_string()]);
    }
    command.args(["--connections", &cell.connections.to_string()]);
    command.args(["--warm-up", &humantime::format_duration(warm_up).to_string()]);
    command.args(["--duration", &humantime::format_duration(window).to_string()]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut generator = command.spawn().context("can't start the generator")?;
    let ended = wait(&mut generator, CONNECT_TIME_OUT + warm_up + window + GRACE, interrupted);
    if let Err(error) = ended {
        let _ = generator.kill();
        let _ = generator.wait();
        return Err(error);
    }
    let output = generator.wait_with_output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.trim().trim_start_matches("loadtest: ");
        bail!("the generator gave up: {said}");
    }
    serde_json::from_slice(&output.stdout).context("the generator printed no outcome")
}

/// What it prints fits into the pipe, so it can end before anybody reads.
fn wait(generator: &mut Child, most: Duration, interrupted: &AtomicBool) -> anyhow::Result<()> {
    let deadline = Instant::now() + most;
    while generator.try_wait()?.is_none() {
        if interrupted.load(Ordering::Relaxed) {
            bail!("interrupted");
        }
        if Instant::now() > deadline {
            bail!("the generator did not end in {} s", most.as_secs());
        }
        thread::sleep(POLL);
    }
    Ok(())
}

/// Looks at the server at the moments that matter.
struct Watch {
    probe: Probe,
    upstream: Option<Probe>,
    cost: Cost,
    at_start: Option<Tasks>,
    at_opening: CpuTimes,
    failure: Option<anyhow::Error>,
}

/// CPU time so far.
#[derive(Clone, Copy, Default)]
struct CpuTimes {
    server: Duration,
    upstream: Option<Duration>,
}

impl Watch {
    fn new(probe: Probe, upstream: Option<Probe>) -> anyhow::Result<Self> {
        let cost = Cost { fresh_pss_kib: probe.pss_kib()?, ..Cost::default() };
        let (at_start, at_opening, failure) = (None, CpuTimes::default(), None);
        Ok(Self { probe, upstream, cost, at_start, at_opening, failure })
    }

    fn cpu_times(&self) -> anyhow::Result<CpuTimes> {
        let upstream = self.upstream.as_ref().map(Probe::cpu_time).transpose()?;
        Ok(CpuTimes { server: self.probe.cpu_time()?, upstream })
    }

    /// What was seen, or why the server could not be seen.
    fn cost(self) -> anyhow::Result<Cost> {
        match self.failure {
            None => Ok(self.cost),
            Some(error) => Err(error),
        }
    }

    fn keep<T>(&mut self, seen: anyhow::Result<T>) -> Option<T> {
        seen.map_err(|error| self.failure = Some(error)).ok()
    }
}

impl Observer for Watch {
    fn held(&mut self) {
        let pss_kib = self.probe.pss_kib();
        self.cost.held_pss_kib = self.keep(pss_kib).unwrap_or_default();
        let tasks = self.probe.tasks();
        self.at_start = self.keep(tasks);
    }

    fn window_opens(&mut self) {
        let times = self.cpu_times();
        self.at_opening = self.keep(times).unwrap_or_default();
    }

    fn window_closed(&mut self) {
        // The clock first: reading the threads' files takes time that the server may use.
        let times = self.cpu_times();
        let (opened, closed) = (self.at_opening, self.keep(times).unwrap_or_default());
        let used = |from: Duration, to: Duration| to.saturating_sub(from).as_secs_f64();
        self.cost.cpu_seconds = used(opened.server, closed.server);
        self.cost.upstream_cpu_seconds =
            opened.upstream.zip(closed.upstream).map(|(from, to)| used(from, to));
        let tasks = self.probe.tasks();
        if let (Some(start), Some(end)) = (self.at_start, self.keep(tasks)) {
            self.cost.threads = end.threads;
            self.cost.context_switches = end.switches.saturating_sub(start.switches);
        }
    }
}
