//! The command line, and what it accepts.

use std::fmt::Display;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use url::Url;

use crate::lab::{C10kOptions, CellOptions, CompareOptions};
use crate::run::RunOptions;
use crate::serve::ServeOptions;
use crate::stage::{HandOverOptions, StageOptions, SwapOptions};

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
  loadtest compare --quick
  loadtest compare --backends mio,tokio --scenarios echo,delay --rounds 6 --out results/mine
  loadtest compare --peer nginx --peer 'mine=my-server --port {port}' --connections 1000
  loadtest c10k --backends threads,mio
  loadtest report results/latest
  loadtest diff results/before results/after
  loadtest floor --listen 127.0.0.1:8080
  loadtest stage tokio
  loadtest swap may

Durations are written 500ms, 10s, 1m. Everything a comparison leaves is in one folder;
results/latest leads to the last one.

Exit codes: 0 done; 1 a server did not answer as it should (`run --help`, `compare --help`);
2 an option can't be used, and nothing was measured; 130 a measurement was interrupted.";

const COMPARE_CODES: &str = "\
An experiment says what is compared: loadtest/experiments has those that come with the program, with
comments on every key. Options are stronger than its file.

Ctrl-C leaves what was measured until then; --resume DIR goes on with it.

Exit codes: 0 every cell was measured; 1 some were not, and the table says why; 2 an option can't be
used, and nothing was measured; 130 interrupted, with a report of what was measured until then.";

const C10K_CODES: &str = "\
The ladder ends with one line for each backend: how far it came, and what stopped it. A backend that
can't hold all connections of a rung is asked for no more.

Exit codes: 0 the ladder was climbed; 1 somebody could not be measured at all; 2 an option can't be
used, and nothing was measured; 130 interrupted, with a report of what was measured until then.";

const REPORT_EXAMPLE: &str = "\
Nothing is measured: everything is made again from what is in the file, and left beside it.

Example: loadtest report results/latest";

const DIFF_EXAMPLE: &str = "\
Cells are paired by backend, scenario, connections and shape. B/A is the median of the ratios of
every round of B to every round of A, with an interval of at least 95%; where that holds 1 the runs
are tied. That takes four rounds of each. What differs around the two is named first.

Example: loadtest diff results/before results/after

Exit codes: 0 compared, whatever came of it; 2 a file can't be used.";

const SERVE_EXAMPLE: &str = "\
It becomes the server: the same process, with no shell between. The program stands beside this one.

Examples:
  loadtest serve mio --listen 127.0.0.1:8080
  BACKEND=may loadtest serve

Exit codes: 2 there is no such backend; otherwise the server's own.";

const COMPLETIONS_EXAMPLE: &str = "\
Example, for bash: source <(loadtest completions bash)";

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Load one URL and print requests a second, service times and errors
    Run(RunOptions),
    /// Compare backends: CPU and memory, throughput and service time, cell by cell
    #[command(after_help = COMPARE_CODES)]
    Compare(CompareOptions),
    /// Climb to 10,000 connections and on: what one more costs, how far each comes, what stops it
    #[command(after_help = C10K_CODES)]
    C10k(C10kOptions),
    /// Make the report, its charts, results.csv and the histogram logs again from a results.json
    #[command(after_help = REPORT_EXAMPLE)]
    Report(ReportOptions),
    /// Compare two runs, figure by figure, and say what differs around them
    #[command(after_help = DIFF_EXAMPLE)]
    Diff(DiffOptions),
    /// Answer every request with a canned answer: what the generator is calibrated against
    Floor(FloorOptions),
    /// Become one of the five servers, chosen by name or by the variable BACKEND
    #[command(after_help = SERVE_EXAMPLE)]
    Serve(ServeOptions),
    /// Serve one address by one backend after the other, without losing a request between them
    Stage(StageOptions),
    /// Have another backend serve a stage's address
    Swap(SwapOptions),
    /// Print what makes a shell complete loadtest's options
    #[command(after_help = COMPLETIONS_EXAMPLE)]
    Completions(CompletionsOptions),
    /// One cell of a comparison, in a process of its own
    #[command(hide = true)]
    Cell(CellOptions),
    /// One of several processes that make a load
    #[command(hide = true)]
    Generator,
    /// Becomes a server, with the stage's socket
    #[command(hide = true)]
    HandOver(HandOverOptions),
}

/// `loadtest report`
#[derive(Debug, Args)]
pub(crate) struct ReportOptions {
    /// The results.json of a comparison, or the folder that it is in
    pub(crate) file: PathBuf,
}

/// `loadtest diff`
#[derive(Debug, Args)]
pub(crate) struct DiffOptions {
    /// The results.json of the earlier run, or the folder that it is in
    pub(crate) before: PathBuf,
    /// That of the later run
    pub(crate) after: PathBuf,
}

/// `loadtest completions`
#[derive(Debug, Args)]
pub(crate) struct CompletionsOptions {
    /// Which shell
    shell: Shell,
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
    /// One of the options for the servers, which is somebody else's to give.
    pub(crate) fn server_option(value: &str, reason: &str) -> Self {
        Self { option: "server option", value: value.to_owned(), reason: reason.to_owned() }
    }

    /// The option names a file or a folder, and the reason says why not that one.
    pub(crate) fn path(option: &'static str, path: &Path, reason: impl Display) -> Self {
        Self { option, value: path.display().to_string(), reason: reason.to_string() }
    }

    /// The option, or the variable, has this value.
    pub(crate) fn value(option: &'static str, value: &str, reason: impl Display) -> Self {
        Self { option, value: value.to_owned(), reason: reason.to_string() }
    }

    /// The option says one thing, and this says another.
    pub(crate) fn beside(option: &'static str, other: &str, reason: &str) -> Self {
        Self { option, value: format!("and {other}"), reason: reason.to_owned() }
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

/// `loadtest completions`: for the shell to read.
pub(crate) fn completions(options: &CompletionsOptions) -> io::Result<()> {
    let mut command = Options::command();
    let (name, mut text) = (command.get_name().to_owned(), Vec::new());
    clap_complete::generate(options.shell, &mut command, name, &mut text);
    io::stdout().write_all(&text)
}

/// What clap says, without the usage, in one line.
fn one_line(message: &str) -> String {
    let said = message.split("\n\nUsage:").next().unwrap_or(message);
    let said = said.split("\n\nFor more information").next().unwrap_or(said);
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// An `http:` URL.
pub(crate) fn http_url(text: &str) -> Result<Url, String> {
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
