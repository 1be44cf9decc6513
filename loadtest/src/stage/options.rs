//! `loadtest stage` and `loadtest swap`: their options.

use std::ffi::OsString;
use std::fmt::{self, Display};
use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::options::{Unusable, duration};

/// Where `loadtest swap` finds a stage.
const CONTROL: &str = "127.0.0.1:9900";

const STAGE_NOTES: &str = "\
The stage owns the address and hands its socket to a backend (descriptor 3, LISTEN_FDS), which it
looks for beside this program. `loadtest swap NAME` starts another on the same socket, waits until
that one is ready, and then has the one before finish its requests and end: no client is refused,
and no request is lost. If the new one does not start, the one before goes on.

Ctrl-C, or SIGTERM, ends stage and backend in the same way: whoever has connected is served. A
second one ends both at once.

The control address speaks HTTP, for whoever has no `loadtest` at hand:
  curl http://127.0.0.1:9900/                                   says who serves
  curl -X POST http://127.0.0.1:9900/swap/may                   swaps
  curl -X POST -d '[\"--codec\", \"http1\"]' http://127.0.0.1:9900/swap/tokio

Examples:
  loadtest stage
  loadtest stage mio --listen 0.0.0.0:8080 -- --workers 2 --upstream http://127.0.0.1:9000

Exit codes: 0 ended in order; 1 a backend did not start, ended by itself, or cut requests at the end;
2 an option can't be used.";

const SWAP_NOTES: &str = "\
Returns when the backend before has finished its requests and has ended.

Examples:
  loadtest swap                          who serves?
  loadtest swap may
  loadtest swap tokio -- --codec http1   the same model over the codec of the other four

Exit codes: 0 swapped; 1 not swapped, and who served goes on, or requests of the one before were cut;
2 an option can't be used; 3 no stage answers.";

/// A server program of this workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Backend {
    /// OS threads
    Threads,
    /// Readiness callbacks
    Mio,
    /// Stackful coroutines
    May,
    /// Actors
    Actix,
    /// async/await, HTTP by hyper
    Tokio,
}

impl Backend {
    /// The name on the command line, in paths and in logs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Threads => "threads",
            Self::Mio => "mio",
            Self::May => "may",
            Self::Actix => "actix",
            Self::Tokio => "tokio",
        }
    }

    /// The program's name.
    pub(super) fn program(self) -> String {
        format!("server-{}", self.name())
    }

    /// All names in a row, for whoever has mistaken one.
    pub(super) fn names() -> String {
        Self::value_variants().iter().map(|backend| backend.name()).collect::<Vec<_>>().join(", ")
    }
}

impl Display for Backend {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// `loadtest stage`
#[derive(Debug, Args)]
#[command(after_help = STAGE_NOTES)]
pub(crate) struct StageOptions {
    /// Which backend serves first
    #[arg(default_value_t = Backend::Tokio)]
    pub(super) backend: Backend,
    /// Where clients come in; port 0 lets the kernel choose
    #[arg(long, env = "FIVE_LISTEN", value_name = "ADDR", default_value = "127.0.0.1:8080")]
    #[arg(hide_env_values = true)]
    pub(super) listen: SocketAddr,
    /// Where `loadtest swap` comes in: whoever can reach it can swap
    #[arg(long, env = "FIVE_CONTROL", value_name = "ADDR", default_value = CONTROL)]
    #[arg(hide_env_values = true)]
    pub(super) control: SocketAddr,
    /// How long a backend may take until it is ready
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = duration)]
    pub(super) start_timeout: Duration,
    /// How long the requests of a backend that is to end may take
    #[arg(long, env = "FIVE_DRAIN_TIMEOUT", value_name = "TIME", default_value = "10s")]
    #[arg(value_parser = duration, hide_env_values = true)]
    pub(super) drain_timeout: Duration,
    /// Options for every backend, such as `-- --workers 2`
    #[arg(last = true, value_name = "SERVER OPTION")]
    pub(super) server_options: Vec<String>,
}

/// `loadtest swap`
#[derive(Debug, Args)]
#[command(after_help = SWAP_NOTES)]
pub(crate) struct SwapOptions {
    /// Which backend is to serve; without one, says which does
    pub(super) backend: Option<Backend>,
    /// The control address of the stage
    #[arg(long, env = "FIVE_CONTROL", value_name = "HOST:PORT", default_value = CONTROL)]
    #[arg(value_parser = control, hide_env_values = true)]
    pub(super) control: Url,
    /// Options for this backend, beside those that the stage has for every one
    #[arg(last = true, value_name = "SERVER OPTION", requires = "backend")]
    pub(super) server_options: Vec<String>,
}

/// `loadtest hand-over`
#[derive(Debug, Args)]
pub(crate) struct HandOverOptions {
    /// The stage's process
    #[arg(long)]
    pub(super) parent: i32,
    /// The server's program and its arguments
    #[arg(last = true, required = true)]
    pub(super) command: Vec<OsString>,
}

/// A stage's control address, as a URL.
fn control(text: &str) -> Result<Url, String> {
    let port = text.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    let url = port.and_then(|_| Url::parse(&format!("http://{text}/")).ok());
    let is_plain = |url: &Url| url.path() == "/" && url.username().is_empty();
    url.filter(is_plain).ok_or_else(|| format!("write a host and a port, such as {CONTROL}"))
}

/// Whether a stage leaves these options to whoever gives them.
///
/// # Errors
/// If one of them is the stage's own affair; which, and how it is had.
pub(super) fn check(server_options: &[String]) -> Result<(), Unusable> {
    for option in server_options {
        let name = option.split('=').next().unwrap_or_default();
        let reason = match name {
            "--listen" => "the stage hands over its own socket: `loadtest stage --listen`",
            "--admin" => "each backend has one of the kernel's choice: `loadtest swap` tells it",
            "--drain-timeout" => "the stage has to know it: `loadtest stage --drain-timeout`",
            _ => continue,
        };
        return Err(Unusable::server_option(name, reason));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_command_line() {
        for backend in Backend::value_variants() {
            assert_eq!(Backend::from_str(backend.name(), false), Ok(*backend));
            let json = serde_json::to_string(backend).expect("JSON");
            assert_eq!(json, format!("\"{backend}\""));
        }
        assert_eq!(Backend::names(), "threads, mio, may, actix, tokio");
    }

    #[test]
    fn a_control_address_is_a_host_and_a_port() {
        for (text, url) in [
            ("127.0.0.1:9900", "http://127.0.0.1:9900/"),
            ("server:9900", "http://server:9900/"),
            ("[::1]:9900", "http://[::1]:9900/"),
            ("server:80", "http://server/"),
        ] {
            assert_eq!(control(text).expect("an address").as_str(), url);
        }
        for text in
            ["9900", "server", "http://server:9900", "server:9900/swap", "a@b:1", "[::1]", ""]
        {
            assert!(control(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_the_stages_own_is_refused_by_name() {
        let strings =
            |options: &[&str]| options.iter().map(ToString::to_string).collect::<Vec<_>>();
        check(&strings(&["--workers", "2", "--codec=http1"])).expect("for the servers");
        for option in ["--listen", "--admin=127.0.0.1:1", "--drain-timeout"] {
            let refused = check(&strings(&["--workers", "2", option])).expect_err(option);
            let name = option.split('=').next().expect("a name");
            assert!(refused.to_string().starts_with(&format!("server option {name}: ")));
        }
    }
}
