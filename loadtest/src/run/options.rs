//! `loadtest run`: its options.

use std::net::{IpAddr, UdpSocket};
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args};
use url::Url;

use crate::load::{Arrivals, BESIDE_NOBODY, GooseOptions, MOST_A_SECOND, Scenario, Shape};
use crate::options::{at_least_one, duration, duration_or_none, http_url};

const CONNECTIONS: usize = 64;
const DURATION: Duration = Duration::from_secs(10);

const EXAMPLES: &str = "\
Examples:
  loadtest run http://127.0.0.1:8080/echo
  loadtest run --scenario echo-16k --connections 1000 http://127.0.0.1:8080
  loadtest run --rate 5000 http://127.0.0.1:8080/echo       open loop: response times
  loadtest run --connections 10000 --active 100 --ramp 10s http://127.0.0.1:8080/echo
  loadtest run --shape churn http://127.0.0.1:8080/echo
  loadtest run --goose '--report-file report.html' http://127.0.0.1:8080/echo

Shapes:
  closed               each connection asks again as soon as it is answered
  open 5000/s          5000 requests are due every second, evenly, whatever the server does; each is
                       timed from when it was due (the same as --rate 5000)
  open 5000/s poisson  the same at random moments, as from independent clients; always the same ones
  held 100 active      100 connections ask, the others are open and idle (--active 100)
  slow-send 100 B/s    each connection sends its requests bit by bit
  slow-read 4096 B/s   each connection reads its answers bit by bit
  churn                a connection for each request

Scenarios, instead of a path and a body of your own:
  echo, echo-16k, delay, anything, burn, block, stream, proxy, proxy-slow, mixed
  METHODOLOGY.md says what each asks. Behind a server that is to answer proxy there has to be
  `loadtest floor --bytes 1024`, and for proxy-slow the same with `--delay 20ms`.

One request of each kind is made before the load. If its answer is wrong the run ends there, saying
what came in place of what was expected. Users whose requests fail later wait between 1 ms and 1 s
before the next, the longer the more often in a row. A connection that the server closes while nothing
is asked on it is replaced before the next request: that is a reconnect, and no error. When the time
is over nobody asks any more, and what is under way is waited for, no longer than --timeout. Ctrl-C
ends a run with what was measured.

Exit codes: 0 the server answered to the end, with or without errors in between: the table counts
them; 1 the first answer was wrong, no right one came in the window, the server was gone or silent at
the end, or a threshold of goose's was not kept; 2 an option can't be used, and nothing was measured;
130 it was interrupted, and what was measured until then is shown.";

/// `loadtest run`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, group = ArgGroup::new("load shape").multiple(false))]
pub(crate) struct RunOptions {
    /// What to ask for, such as `http://127.0.0.1:8080/echo`; with --scenario, which server
    #[arg(value_parser = http_url)]
    pub(crate) url: Url,
    /// Ask what this scenario asks, and check its answers: echo, echo-16k, delay, …
    #[arg(long, value_name = "NAME", conflicts_with_all = ["body", "echo"])]
    pub(crate) scenario: Option<Scenario>,
    /// How many connections [default: 64]
    #[arg(short, long, value_parser = at_least_one)]
    connections: Option<usize>,
    /// When the connections ask, and how: see below [default: closed]
    #[arg(long, value_name = "SHAPE", group = "load shape")]
    shape: Option<Shape>,
    /// Open loop: so many requests a second of all connections together, each timed from when it
    /// was due
    #[arg(long, value_name = "PER SECOND", group = "load shape", value_parser = rate)]
    rate: Option<usize>,
    /// Only so many connections ask; the others are answered once, and held
    #[arg(long, value_name = "CONNECTIONS", group = "load shape", value_parser = at_least_one)]
    active: Option<usize>,
    /// How long to measure [default: 10s]
    #[arg(short, long, value_parser = duration)]
    duration: Option<Duration>,
    /// How long to run before that without measuring
    #[arg(long, default_value = "500ms", value_parser = duration_or_none)]
    pub(crate) warm_up: Duration,
    /// Over how long to begin connecting, one after the other
    #[arg(long, default_value = "0s", value_parser = duration_or_none)]
    pub(crate) ramp: Duration,
    /// How long after the ramp all connections together may take to be made
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
    /// How many processes make the load [default: as many as descriptors ask for]
    #[arg(long, value_name = "PROCESSES", value_parser = at_least_one)]
    pub(crate) generators: Option<usize>,
    /// Connect from these addresses of this machine, in turn [default: as many of 127.0.0.1 and up
    /// as ports ask for, if the server is on this machine; else what the kernel chooses]
    #[arg(long, value_name = "ADDRESSES", value_delimiter = ',', value_parser = own_address)]
    pub(crate) sources: Vec<IpAddr>,
    /// Options of goose's own, such as '--run-time 30s' or '--test-plan "100,10s;100,1m;0,5s"' or
    /// '--report-file report.html': ramps, plans, thresholds, reports, logs, dashboard
    #[arg(
        long,
        value_name = "OPTIONS",
        allow_hyphen_values = true,
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) goose: GooseOptions,
    /// Leave the figures here as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

/// A whole number from 1 on that somebody could keep.
fn rate(text: &str) -> Result<usize, String> {
    let rate = at_least_one(text)?;
    if rate as u64 > MOST_A_SECOND {
        return Err(format!("no more than {MOST_A_SECOND} requests may be due in a second"));
    }
    Ok(rate)
}

/// An address that connections can come from: the kernel binds to no other.
fn own_address(text: &str) -> Result<IpAddr, String> {
    let address: IpAddr = text.parse().map_err(|_| "expected an address such as 127.0.0.2")?;
    match UdpSocket::bind((address, 0)) {
        Ok(_) => Ok(address),
        Err(_) => Err("this machine has no such address".to_owned()),
    }
}

impl RunOptions {
    /// What is asked, and where.
    pub(crate) fn asked(&self) -> String {
        match self.scenario {
            Some(scenario) => format!("{} of {}", scenario.name(), self.url),
            None => self.url.to_string(),
        }
    }

    /// The same, with what the server must have for it.
    pub(crate) fn expected(&self) -> String {
        let asked = self.asked();
        match self.scenario.and_then(Scenario::upstream) {
            Some(_) => format!("{asked}, which needs a server with --upstream (see --help)"),
            None => asked,
        }
    }

    /// How many connections.
    pub(crate) fn connections(&self) -> usize {
        self.goose.most_users().or(self.connections).unwrap_or(CONNECTIONS)
    }

    /// How long to measure.
    pub(crate) fn duration(&self) -> Duration {
        self.duration.unwrap_or(DURATION)
    }

    /// When the connections ask.
    pub(crate) fn shape(&self) -> Shape {
        let open = |rate| Shape::Open { rate, arrivals: Arrivals::Even };
        let rate = self.rate.map(|rate| open(rate as u64));
        let held = self.active.map(|active| Shape::Held { active });
        self.shape.or(rate).or(held).unwrap_or_default()
    }

    /// Two options that contradict one another, and why they do.
    pub(crate) fn contradiction(
        &self,
        generators: usize,
    ) -> Option<(&'static str, String, &'static str)> {
        let (goose, shape) = (&self.goose, self.shape());
        if self.scenario.is_some() && self.url.path() != "/" {
            let path = self.url.path().to_owned();
            return Some(("--scenario", path, "a scenario has paths of its own"));
        }
        if let Some(scenario) = self.scenario
            && self.connections() < scenario.least_connections()
        {
            let other = format!("{} connection", self.connections());
            return Some(("--scenario", other, BESIDE_NOBODY));
        }
        if let Shape::Held { active } = shape
            && active > self.connections()
        {
            let other = format!("{} connections", self.connections());
            return Some(("--active", other, "no more can be active than there are"));
        }
        let contradictions = [
            (
                generators > 1 && !goose.is_empty(),
                format!("{generators} generators"),
                "what goose makes of a test it makes of one process",
            ),
            (
                goose.plans() && self.connections.is_some(),
                "--connections".to_owned(),
                "the test plan says how many users there are",
            ),
            (
                goose.ends() && self.duration.is_some(),
                "--duration".to_owned(),
                "goose says how long to run",
            ),
            (
                goose.leads() && !matches!(shape, Shape::Closed | Shape::Churn),
                shape.to_string(),
                "where goose says when users come and go they ask in a closed loop",
            ),
        ];
        let found = contradictions.into_iter().find(|(contradict, ..)| *contradict);
        found.map(|(_, other, reason)| ("--goose", other, reason))
    }
}
