//! One cell, as a process of its own.
//!
//! The comparison starts `loadtest cell …` for each ([`measure`]); that process is the generator
//! ([`run_cell`]). It also looks at the server, because it knows the moments to do so, and prints
//! what it found as one JSON object. A fresh process has no heap, no sockets and no clock skew
//! left over from the cell before.

use std::io::{self, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitCode, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use serde::{Deserialize, Serialize};
use url::Url;

use super::experiment::Times;
use super::sample::Tree;
use super::watch::{Cost, Subject, Watch};
use super::{Cell, Stage};
use crate::limits;
use crate::load::{self, CLIENT_BOUND, GooseOptions, Load, Scenario, Shape, Summary};
use crate::options;
use crate::wire::Origin;

/// How long one request may take.
const TIME_OUT: Duration = Duration::from_secs(10);
/// How long a cell may take beyond what it was asked to …
const GRACE: Duration = Duration::from_mins(2);
/// … and for each connection, on a machine that has little time for it.
const GRACE_OF_A_CONNECTION: Duration = Duration::from_millis(3);
const POLL: Duration = Duration::from_millis(20);

/// `loadtest cell`
#[derive(Debug, Args)]
pub(crate) struct CellOptions {
    /// Where the server listens
    #[arg(long)]
    address: SocketAddr,
    /// The process id of the first of its processes
    #[arg(long, required_unless_present = "metrics")]
    pid: Option<i32>,
    /// Where its figures are, if it runs elsewhere
    #[arg(long)]
    metrics: Option<Url>,
    /// The process id of its upstream
    #[arg(long)]
    upstream_pid: Option<i32>,
    /// What to ask it
    #[arg(long)]
    scenario: Scenario,
    /// When the users ask, and how
    #[arg(long, default_value = "closed")]
    shape: Shape,
    /// How many connections
    #[arg(long, value_parser = options::at_least_one)]
    connections: usize,
    /// How long all connections together may take to be made
    #[arg(long, value_parser = options::duration)]
    connect_timeout: Duration,
    /// How long before the window
    #[arg(long, value_parser = options::duration_or_none)]
    warm_up: Duration,
    /// How long to measure
    #[arg(long, value_parser = options::duration)]
    duration: Duration,
}

/// What a cell found, on the wire and at the server.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// What the users found.
    pub(crate) summary: Summary,
    /// What the server used.
    pub(crate) cost: Cost,
}

impl Outcome {
    /// Whether what shares the generator's core held the cell back.
    pub(crate) fn client_bound(&self) -> bool {
        let upstream = self.cost.upstream_utilisation.unwrap_or(0.0);
        self.summary.client_bound() || self.summary.generator_utilisation + upstream > CLIENT_BOUND
    }
}

/// The generator's side: loads the server and prints the outcome.
pub(crate) fn run_cell(options: &CellOptions) -> anyhow::Result<ExitCode> {
    let upstream = options.upstream_pid.map(Tree::new).transpose()?;
    let subject = match (options.pid, &options.metrics) {
        (Some(pid), _) => Subject::Here(Tree::new(pid)?),
        (None, Some(metrics)) => Subject::Elsewhere(metrics.clone()),
        (None, None) => bail!("a cell needs --pid or --metrics"),
    };
    let mut watch = Watch::new(subject, upstream)?;
    let load = Load {
        script: options.scenario.script(options.address),
        shape: options.shape,
        connections: options.connections,
        connect_time_out: options.connect_timeout,
        time_out: TIME_OUT,
        ramp: Duration::ZERO,
        warm_up: options.warm_up,
        window: options.duration,
        origin: Origin::default(),
        generators: limits::generators(options.connections, limits::raise_open_files())?,
        goose: GooseOptions::default(),
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
    cell: &Cell,
    shape: Shape,
    stage: &Stage,
    times: Times,
    interrupted: &AtomicBool,
) -> anyhow::Result<Outcome> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("cell").args(["--scenario", cell.scenario.name()]);
    command.args(["--shape", &shape.to_string()]);
    command.args(["--address", &stage.address().to_string()]);
    if let Some(server) = stage.server() {
        command.args(["--pid", &server.pid().to_string()]);
    }
    if let Some(metrics) = stage.metrics() {
        command.args(["--metrics", metrics.as_str()]);
    }
    if let Some(upstream) = stage.upstream() {
        command.args(["--upstream-pid", &upstream.pid().to_string()]);
    }
    command.args(["--connections", &cell.connections.to_string()]);
    let Times { connect, warm_up, window } = times;
    for (option, time) in
        [("--connect-timeout", connect), ("--warm-up", warm_up), ("--duration", window)]
    {
        command.args([option, &humantime::format_duration(time).to_string()]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let generator = command.spawn().context("can't start the generator")?;
    let grace = GRACE + GRACE_OF_A_CONNECTION.mul_f64(cell.connections as f64);
    let output = attend(generator, connect + warm_up + window + grace, interrupted)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.trim().trim_start_matches("loadtest: ");
        bail!("the generator gave up: {said}");
    }
    serde_json::from_slice(&output.stdout).context("the generator printed no outcome")
}

/// Waits for it to end, and reads what it prints meanwhile: a long window's figures are more than a
/// pipe holds, and it could not end before somebody has read them.
fn attend(
    mut generator: Child,
    most: Duration,
    interrupted: &AtomicBool,
) -> anyhow::Result<Output> {
    let (stdout, stderr) = (generator.stdout.take().map(read), generator.stderr.take().map(read));
    match wait(&mut generator, most, interrupted) {
        Ok(status) => Ok(Output { status, stdout: all(stdout)?, stderr: all(stderr)? }),
        Err(error) => {
            let _ = generator.kill();
            let _ = generator.wait();
            Err(error)
        }
    }
}

/// Reads all that comes.
fn read(mut pipe: impl Read + Send + 'static) -> JoinHandle<io::Result<Vec<u8>>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes)?;
        Ok(bytes)
    })
}

/// What was read of a pipe, if there is one.
fn all(reader: Option<JoinHandle<io::Result<Vec<u8>>>>) -> io::Result<Vec<u8>> {
    let joined = reader.and_then(|reader| reader.join().ok());
    joined.unwrap_or_else(|| Ok(Vec::new()))
}

fn wait(
    generator: &mut Child,
    most: Duration,
    interrupted: &AtomicBool,
) -> anyhow::Result<ExitStatus> {
    let deadline = Instant::now() + most;
    loop {
        if let Some(status) = generator.try_wait()? {
            return Ok(status);
        }
        if interrupted.load(Ordering::Relaxed) {
            bail!("interrupted");
        }
        if Instant::now() > deadline {
            bail!("the generator did not end in {} s", most.as_secs());
        }
        thread::sleep(POLL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generator_may_print_more_than_a_pipe_holds() {
        let mut command = Command::new("sh");
        command.args(["-c", "head -c 300000 /dev/zero; head -c 200000 /dev/zero >&2; exit 3"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let generator = command.spawn().expect("a shell");
        let most = Duration::from_secs(20);
        let output = attend(generator, most, &AtomicBool::new(false)).expect("it ends");
        assert_eq!(output.status.code(), Some(3));
        assert_eq!((output.stdout.len(), output.stderr.len()), (300_000, 200_000));
    }
}
