//! Every option of a server: on the command line, or as an environment variable `FIVE_…`.

use std::{ffi::OsString, net::SocketAddr, time::Duration};

use clap::{
    Args, Command, FromArgMatches, ValueEnum, builder::BoolishValueParser, error::ErrorKind,
};

use crate::{
    backend::{Backend, VERSION},
    health,
    upstream::Url,
    value, variables,
};

/// What stands below the options in `--help`.
const NOTES: &str = "Durations are written 250us, 20ms, 1.5s; sizes 8192, 16KiB, 64MiB. An option wins \
over its variable, and an empty variable counts as not given. RUST_LOG sets what is logged, `info` if it \
is not set. SIGTERM ends the server once its requests have ended; a second one, at once.";

/// What every server can be told.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "What to serve")]
pub struct Options {
    /// Address and port to serve on; port 0 lets the kernel choose. A socket handed over by
    /// `LISTEN_FDS` wins.
    #[arg(long, env = "FIVE_LISTEN", value_name = "ADDR", default_value = "127.0.0.1:8080")]
    #[arg(value_parser = value::address)]
    pub listen: SocketAddr,
    /// What to do with requests.
    #[arg(long, env = "FIVE_MODE", value_name = "M", default_value = "service")]
    pub mode: Mode,
    /// Where `/proxy/…`, or in proxy mode everything, is forwarded: `http://host:port`.
    #[arg(long, env = "FIVE_UPSTREAM", value_name = "URL")]
    pub upstream: Option<Url>,
    /// Pass the client's own `Forwarded` and `X-Forwarded-*` on, instead of replacing them. Only for
    /// clients that are proxies of yours: others could claim to be anyone.
    #[arg(long, env = "FIVE_TRUST_FORWARDED", value_parser = BoolishValueParser::new())]
    pub trust_forwarded: bool,
    /// Serve `/healthz` and `/metrics` here too, in every mode, however busy the main port is.
    #[arg(long, env = "FIVE_ADMIN", value_name = "ADDR", value_parser = value::address)]
    pub admin: Option<SocketAddr>,
    /// Be the client: ask `/healthz` of `--admin`, or else of `--listen`, and exit with 0 or 1.
    #[arg(long, env = "FIVE_HEALTH", value_parser = BoolishValueParser::new())]
    pub health: bool,

    /// Event loops, schedulers, arbiters or runtime threads [default: one per core]. For threads,
    /// the most that the pool may grow to [default: one per connection].
    #[arg(long, env = "FIVE_WORKERS", value_name = "N", value_parser = value::count)]
    #[arg(help_heading = "How much at once")]
    pub workers: Option<usize>,
    /// The most connections at once; whoever comes after is told so by a 503 [default: what the
    /// system's limits allow, at most 100000].
    #[arg(long, env = "FIVE_MAX_CONNECTIONS", value_name = "N", value_parser = value::count)]
    #[arg(help_heading = "How much at once")]
    pub max_connections: Option<usize>,
    /// The most bytes of a request's line and fields.
    #[arg(long, env = "FIVE_MAX_HEAD_BYTES", value_name = "SIZE", default_value = "16KiB")]
    #[arg(value_parser = value::head_bytes, help_heading = "How much at once")]
    pub max_head_bytes: usize,
    /// The most fields of a request.
    #[arg(long, env = "FIVE_MAX_HEADERS", value_name = "N", default_value = "100")]
    #[arg(value_parser = value::headers, help_heading = "How much at once")]
    pub max_headers: usize,
    /// The most bytes of a request's body [default: 64MiB where the body is read before the answer,
    /// no bound where it is streamed].
    #[arg(long, env = "FIVE_MAX_BODY_BYTES", value_name = "SIZE", value_parser = value::bytes)]
    #[arg(help_heading = "How much at once")]
    pub max_body_bytes: Option<u64>,

    /// A head must be complete this long after its first byte.
    #[arg(long, env = "FIVE_HEADER_TIMEOUT", value_name = "TIME", default_value = "10s")]
    #[arg(value_parser = value::timeout, help_heading = "How long to wait")]
    pub header_timeout: Duration,
    /// A connection with no request is closed after this.
    #[arg(long, env = "FIVE_IDLE_TIMEOUT", value_name = "TIME", default_value = "75s")]
    #[arg(value_parser = value::timeout, help_heading = "How long to wait")]
    pub idle_timeout: Duration,
    /// A body must make progress within this.
    #[arg(long, env = "FIVE_BODY_TIMEOUT", value_name = "TIME", default_value = "30s")]
    #[arg(value_parser = value::timeout, help_heading = "How long to wait")]
    pub body_timeout: Duration,
    /// The client must take some of the answer within this.
    #[arg(long, env = "FIVE_WRITE_TIMEOUT", value_name = "TIME", default_value = "30s")]
    #[arg(value_parser = value::timeout, help_heading = "How long to wait")]
    pub write_timeout: Duration,
    /// After SIGTERM or SIGINT, requests that began have this long to end.
    #[arg(long, env = "FIVE_DRAIN_TIMEOUT", value_name = "TIME", default_value = "10s")]
    #[arg(value_parser = value::duration, help_heading = "How long to wait")]
    pub drain_timeout: Duration,

    /// The most upstream connections at once; never more than a quarter of the descriptors.
    #[arg(long, env = "FIVE_UPSTREAM_CONNECTIONS", value_name = "N", default_value = "256")]
    #[arg(value_parser = value::count, help_heading = "Upstream")]
    pub upstream_connections: usize,
    /// How many requests may wait for an upstream connection; the next gets a 503.
    #[arg(long, env = "FIVE_UPSTREAM_QUEUE", value_name = "N", default_value = "1024")]
    #[arg(value_parser = value::count_or_none, help_heading = "Upstream")]
    pub upstream_queue: usize,
    /// How long a request may wait for an upstream connection; then it gets a 503.
    #[arg(long, env = "FIVE_UPSTREAM_WAIT", value_name = "TIME", default_value = "2s")]
    #[arg(value_parser = value::duration, help_heading = "Upstream")]
    pub upstream_wait: Duration,
    /// An idle upstream connection is dropped after this, or sooner: a second before the end that
    /// the upstream's `Keep-Alive` names. Keep it under the upstream's own.
    #[arg(long, env = "FIVE_UPSTREAM_IDLE_TIMEOUT", value_name = "TIME", default_value = "4s")]
    #[arg(value_parser = value::timeout, help_heading = "Upstream")]
    pub upstream_idle_timeout: Duration,
    /// The upstream must accept a connection within this.
    #[arg(long, env = "FIVE_UPSTREAM_CONNECT_TIMEOUT", value_name = "TIME", default_value = "2s")]
    #[arg(value_parser = value::timeout, help_heading = "Upstream")]
    pub upstream_connect_timeout: Duration,
    /// The upstream's answer must begin, and then make progress, within this.
    #[arg(long, env = "FIVE_UPSTREAM_TIMEOUT", value_name = "TIME", default_value = "30s")]
    #[arg(value_parser = value::timeout, help_heading = "Upstream")]
    pub upstream_timeout: Duration,
}

/// What a server does with requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Serve the routes that `GET /` lists.
    Service,
    /// Answer every request with its own body.
    Echo,
    /// Forward every request, as a plain reverse proxy; needs `--upstream`.
    Proxy,
}

/// For a server that has no options of its own.
#[derive(Args, Clone, Copy, Debug)]
pub struct NoExtra {}

impl Options {
    /// The bound on a body that is read whole before the answer.
    #[must_use]
    pub fn consumed_body_bytes(&self) -> u64 {
        self.max_body_bytes.unwrap_or(64 * 1024 * 1024)
    }

    /// The bound on a body that is passed on as it arrives, if one was given.
    #[must_use]
    pub fn streamed_body_bytes(&self) -> Option<u64> {
        self.max_body_bytes
    }
}

/// Reads the command line and the environment, with the options of one server alone in `Extra`.
///
/// `--help`, `--version` and `--health` are answered here and end the process; so does a bad value,
/// by one line on stderr and exit code 2.
#[must_use]
pub fn parse<Extra: Args>(backend: &'static Backend) -> (Options, Extra) {
    match parse_from(backend, std::env::args_os()) {
        Ok((options, _)) if options.health => std::process::exit(health::check(&options)),
        Ok(parsed) => parsed,
        Err(error) if !error.use_stderr() => error.exit(),
        Err(error) => {
            eprintln!("{}: {}", backend.program(), one_line(&error));
            std::process::exit(2)
        }
    }
}

fn parse_from<Extra: Args>(
    backend: &'static Backend,
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<(Options, Extra), clap::Error> {
    let mut command = command::<Extra>(backend);
    let arguments: Vec<_> = arguments.into_iter().collect();
    let matches = command
        .try_get_matches_from_mut(&arguments)
        .map_err(|error| variables::name_source(error, &command, &arguments))?;
    let options = Options::from_arg_matches(&matches)?;
    if options.mode == Mode::Proxy && options.upstream.is_none() {
        let message = "--mode proxy needs --upstream, as in --upstream http://127.0.0.1:9000";
        return Err(command.error(ErrorKind::MissingRequiredArgument, message));
    }
    Ok((options, Extra::from_arg_matches(&matches)?))
}

fn command<Extra: Args>(backend: &'static Backend) -> Command {
    let command = Options::augment_args(Command::new(backend.program()));
    // Set last, for what the two structs' docs say is meant for readers of the code.
    Extra::augment_args(command.next_help_heading("This server alone"))
        .version(VERSION)
        .about(backend.about)
        .long_about(None)
        .after_help(NOTES)
        .mut_args(|argument| variables::ignore_empty(argument.hide_env_values(true)))
}

/// clap's message without its usage, tips kept, as one line.
fn one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let lines = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"))
        .filter(|line| !line.is_empty());
    let line = lines.collect::<Vec<_>>().join(" ");
    line.strip_prefix("error: ").unwrap_or(&line).to_owned()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::backend::Footprint;

    static BACKEND: Backend = Backend {
        name: "test",
        about: "A model for tests",
        per_connection: Footprint { descriptors: 1, maps: 0, threads: 0 },
    };

    pub(crate) fn read(arguments: &str) -> Result<Options, String> {
        let arguments = ["server-test"].into_iter().chain(arguments.split_whitespace());
        parse_from::<NoExtra>(&BACKEND, arguments.map(OsString::from))
            .map(|(options, NoExtra {})| options)
            .map_err(|error| one_line(&error))
    }

    #[test]
    fn definition_is_sound() {
        command::<NoExtra>(&BACKEND).debug_assert();
    }

    #[test]
    fn help_teaches_under_headings_and_speaks_of_the_model() {
        let help = command::<NoExtra>(&BACKEND).render_long_help().to_string();
        let headings = ["What to serve:", "How much at once:", "How long to wait:", "Upstream:"];
        for text in headings.into_iter().chain([BACKEND.about, "RUST_LOG", "[env: FIVE_LISTEN]"]) {
            assert!(help.contains(text), "no {text} in\n{help}");
        }
        assert!(!help.contains("no options of its own"), "{help}");
        let version = command::<NoExtra>(&BACKEND).render_version();
        assert_eq!(version, format!("server-test {VERSION}\n"));
    }

    #[test]
    fn defaults_are_those_of_the_contract() {
        let options = read("").expect("no option is required");
        assert_eq!(options.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(options.mode, Mode::Service);
        assert_eq!(options.max_head_bytes, 16_384);
        assert_eq!(options.header_timeout, Duration::from_secs(10));
        let two_seconds = Duration::from_secs(2);
        assert_eq!(
            (options.upstream_connect_timeout, options.upstream_wait),
            (two_seconds, two_seconds)
        );
        assert_eq!(options.consumed_body_bytes(), 64 << 20);
        assert_eq!(options.streamed_body_bytes(), None);
        assert!(options.admin.is_none() && !options.health && !options.trust_forwarded);
    }

    #[test]
    fn a_body_bound_that_is_given_holds_for_streams_too() {
        let options = read("--max-body-bytes 64MiB").expect("a size");
        assert_eq!(options.streamed_body_bytes(), Some(64 << 20));
    }

    #[test]
    fn each_error_is_one_line_that_names_the_option_and_what_is_right() {
        for (arguments, parts) in [
            ("--mode proxy", ["--mode proxy", "--upstream http://"]),
            ("--mode ftp", ["'--mode <M>'", "service, echo, proxy"]),
            ("--upstream https://x", ["'--upstream <URL>'", "only http://"]),
            ("--idle-timeout 5", ["'--idle-timeout <TIME>'", "as in 250us"]),
            ("--workers 0", ["'--workers <N>'", "from 1"]),
            ("--listen 8080", ["'--listen <ADDR>'", "as in 127.0.0.1:8080"]),
            ("--worker 1", ["'--worker'", "--workers"]),
        ] {
            let error = read(arguments).expect_err(arguments);
            assert!(!error.contains('\n') && !error.starts_with("error"), "{error}");
            for part in parts {
                assert!(error.contains(part), "{arguments}: {error}");
            }
        }
    }

    #[test]
    fn every_option_has_its_environment_variable() {
        for argument in command::<NoExtra>(&BACKEND).get_arguments() {
            let name = argument.get_long().expect("every option is long");
            let expected = format!("FIVE_{}", name.to_uppercase().replace('-', "_"));
            let variable = argument.get_env().map(|name| name.to_string_lossy().into_owned());
            assert_eq!(variable.as_deref(), Some(expected.as_str()));
        }
    }
}
