//! The command line, and what it accepts.

use std::fmt::Display;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};
use url::Url;

use crate::lab::{Backend, CellOptions};
use crate::load::Scenario;

/// Loads an HTTP server, or compares what the five servers cost.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXAMPLES)]
struct Options {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  loadtest run --connections 64 --duration 10s http://127.0.0.1:8080/echo
  loadtest compare --connections 1,64,1024 --duration 3s --rounds 6
  loadtest compare --backends mio,tokio --scenarios echo,delay --out results/mine
  loadtest floor --listen 127.0.0.1:8080

Durations are written 500ms, 10s, 1m. Everything a comparison leaves is in one folder;
results/latest leads to the last one.

Exit codes: 0 done; 1 a server did not answer as it should (`run --help`, `compare --help`);
2 an option can't be used, and nothing was measured; 130 a comparison was interrupted.";

const RUN_CODES: &str = "\
One request is made before the load. If its answer is wrong the run ends there, saying what came in
place of what was expected. Users whose requests fail later wait between 1 ms and 1 s before the
next, the longer the more often in a row.

Exit codes: 0 the server answered to the end, with or without errors in between: the table counts
them; 1 the first answer was wrong, no right one came in the window, or the server was gone at the
end; 2 an option can't be used, and nothing was measured.";

const COMPARE_CODES: &str = "\
Exit codes: 0 every cell was measured; 1 some were not, and the table says why; 2 an option can't be
used, and nothing was measured; 130 interrupted, with a report of what was measured until then.";

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Load one URL and print requests a second, service times and errors
    #[command(after_help = RUN_CODES)]
    Run(RunOptions),
    /// Compare backends: CPU and memory, throughput and service time, cell by cell
    #[command(after_help = COMPARE_CODES)]
    Compare(CompareOptions),
    /// Make report.html again from a results.json
    Report(ReportOptions),
    /// Answer every request with a canned answer: what the generator is calibrated against
    Floor(FloorOptions),
    /// One cell of a comparison, in a process of its own
    #[command(hide = true)]
    Cell(CellOptions),
}

/// `loadtest run`
#[derive(Debug, Args)]
pub(crate) struct RunOptions {
    /// What to ask for, such as `http://127.0.0.1:8080/echo`
    #[arg(value_parser = http_url)]
    pub(crate) url: Url,
    /// How many connections, each asking again as soon as it is answered
    #[arg(short, long, default_value = "64", value_parser = at_least_one)]
    pub(crate) connections: usize,
    /// How long to measure
    #[arg(short, long, default_value = "10s", value_parser = duration)]
    pub(crate) duration: Duration,
    /// How long to run before that without measuring
    #[arg(long, default_value = "500ms", value_parser = duration_or_none)]
    pub(crate) warm_up: Duration,
    /// How long all connections together may take to be made
    #[arg(long, default_value = "10s", value_parser = duration)]
    pub(crate) connect_timeout: Duration,
    /// How long one request may take
    #[arg(long, default_value = "10s", value_parser = duration)]
    pub(crate) timeout: Duration,
    /// POST the content of this file instead of a plain GET
    #[arg(long, value_name = "FILE")]
    pub(crate) body: Option<PathBuf>,
    /// The answer must be the bytes that were sent
    #[arg(long)]
    pub(crate) echo: bool,
    /// Leave the figures here as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

/// `loadtest compare`
#[derive(Debug, Args)]
pub(crate) struct CompareOptions {
    /// Which backends [also: floor]
    #[arg(long, value_delimiter = ',', default_value = "threads,mio,may,actix,tokio,tokio/http1")]
    pub(crate) backends: Vec<Backend>,
    /// Which requests [also: echo-16k, delay, anything, proxy, proxy-slow]
    #[arg(long, value_delimiter = ',', default_value = "echo")]
    pub(crate) scenarios: Vec<Scenario>,
    /// How many connections
    #[arg(long, value_delimiter = ',', default_value = "1,64,1024,10000",
          value_parser = at_least_one)]
    pub(crate) connections: Vec<usize>,
    /// How long to measure each cell
    #[arg(long, default_value = "3s", value_parser = duration)]
    pub(crate) duration: Duration,
    /// How long to run each cell before that without measuring
    #[arg(long, default_value = "500ms", value_parser = duration_or_none)]
    pub(crate) warm_up: Duration,
    /// How often to measure each cell; six rounds or more are ranked
    #[arg(long, default_value = "1", value_parser = at_least_one)]
    pub(crate) rounds: usize,
    /// The order of the cells; another one every time if not given
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Where to leave results.json and report.html [default: results/ and the time in UTC]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Replace what another comparison left in the folder that --out names
    #[arg(long, requires = "out")]
    pub(crate) force: bool,
}

/// `loadtest report`
#[derive(Debug, Args)]
pub(crate) struct ReportOptions {
    /// The results.json of a comparison
    pub(crate) file: PathBuf,
}

/// `loadtest floor`
#[derive(Debug, Args)]
pub(crate) struct FloorOptions {
    /// Where to listen; port 0 lets the kernel choose
    #[arg(long, default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
    /// How long a body the answer has
    #[arg(long, default_value = "0")]
    pub(crate) bytes: usize,
    /// How long every answer takes, to the millisecond
    #[arg(long, default_value = "0s", value_parser = duration_or_none)]
    pub(crate) delay: Duration,
}

/// An option that was understood, but whose value turned out to be of no use.
#[derive(Debug, thiserror::Error)]
#[error("{option} {value}: {reason}")]
pub(crate) struct Unusable {
    option: &'static str,
    value: String,
    reason: String,
}

impl Unusable {
    /// The option names a file or a folder, and the reason says why not that one.
    pub(crate) fn path(option: &'static str, path: &Path, reason: impl Display) -> Self {
        Self { option, value: path.display().to_string(), reason: reason.to_string() }
    }
}

/// The command, or the exit code of a line that was not understood.
pub(crate) fn parse() -> Result<Command, ExitCode> {
    Options::try_parse().map(|options| options.command).map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => error.exit(),
        _ => {
            eprintln!("{}", one_line(&error.to_string()));
            ExitCode::from(2)
        }
    })
}

/// What clap says, without the usage, in one line.
fn one_line(message: &str) -> String {
    let said = message.split("\n\nUsage:").next().unwrap_or(message);
    let said = said.split("\n\nFor more information").next().unwrap_or(said);
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn http_url(text: &str) -> Result<Url, String> {
    let example = "such as http://127.0.0.1:8080/echo";
    let url = Url::parse(text).map_err(|error| format!("{error}; write a whole URL, {example}"))?;
    match url.scheme() {
        "http" => Ok(url),
        other => Err(format!("{other}: is not spoken here; write an http: URL, {example}")),
    }
}

/// A duration of some length.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    match duration_or_none(text)? {
        Duration::ZERO => Err("it must be longer than nothing, such as 500ms or 10s".to_owned()),
        duration => Ok(duration),
    }
}

/// A duration; zero will do.
pub(crate) fn duration_or_none(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|error| format!("{error}; write a number and a unit, such as 500ms or 10s"))
}

/// A whole number from 1 on.
pub(crate) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err("write a whole number, 1 or more".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Options::command().debug_assert();
    }

    #[test]
    fn a_complaint_is_one_line() {
        let complaint = |arguments: &[&str]| {
            let error = Options::try_parse_from(arguments).expect_err("a complaint");
            one_line(&error.to_string())
        };
        assert_eq!(
            complaint(&["loadtest", "run", "--duration", "ten", "http://h/"]),
            "error: invalid value 'ten' for '--duration <DURATION>': expected number at 0; \
             write a number and a unit, such as 500ms or 10s"
        );
        assert_eq!(
            complaint(&["loadtest", "compare", "--rounds", "0"]),
            "error: invalid value '0' for '--rounds <ROUNDS>': write a whole number, 1 or more"
        );
        assert_eq!(
            complaint(&["loadtest", "run", "https://h/"]),
            "error: invalid value 'https://h/' for '<URL>': https: is not spoken here; \
             write an http: URL, such as http://127.0.0.1:8080/echo"
        );
    }
}
