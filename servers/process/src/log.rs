//! Logs: one line per event, on stderr.

use std::{
    env,
    io::{self, IsTerminal},
    net::SocketAddr,
    panic,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use thiserror::Error;
use tracing_subscriber::{EnvFilter, filter::ParseError};

use crate::{
    backend::{Backend, VERSION},
    limits::Bounds,
};

/// Why nothing can be logged.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LogError {
    /// `RUST_LOG` isn't a filter.
    #[error(
        "RUST_LOG={0:?} is no filter; expected a level, as in info, or targets, as in process=debug"
    )]
    Filter(String),
    /// Something else in this process logs already.
    #[error("logs have been set up twice")]
    Twice,
}

/// Sends events to stderr: those that `RUST_LOG` lets through, or `info` and above.
pub fn init() -> Result<(), LogError> {
    let filter = env::var_os("RUST_LOG").unwrap_or_default();
    let filter = filter.into_string().map_err(|text| text.to_string_lossy().into_owned());
    let filter = filter.and_then(|text| filter_of(&text).map_err(|_| text));
    let plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    tracing_subscriber::fmt()
        .with_env_filter(filter.map_err(LogError::Filter)?)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal() && !plain)
        // Where nobody reads the log any more, saying so would be a panic.
        .log_internal_errors(false)
        .try_init()
        .map_err(|_| LogError::Twice)?;
    panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// What `text` lets through. A crate that reports every socket at `info` is heard only if it is
/// named.
fn filter_of(text: &str) -> Result<EnvFilter, ParseError> {
    let text = if text.is_empty() { "info" } else { text };
    EnvFilter::builder().parse(format!("may=warn,{text}"))
}

/// A panic is an event like any other, and no flood of them fills the log. It ends one connection,
/// or nothing at all where a crate panics because a thread can't be had.
fn log_panic(panic: &panic::PanicHookInfo<'_>) {
    static PANICS: OncePerSecond = OncePerSecond::new();
    if let Some(suppressed) = PANICS.pass() {
        let message = panic.payload_as_str().unwrap_or("no message");
        let thread = std::thread::current();
        let location = panic.location().map(tracing::field::display);
        tracing::error!(thread = thread.name(), location, suppressed, "panicked: {message}");
    }
}

/// The one line at start: who serves, where, with how many workers, and what bounds it. Programs
/// that start a server read `address=` from it, and `admin=` where it has such a port, so it is
/// logged once both sockets listen.
pub fn announce(
    backend: &Backend,
    address: SocketAddr,
    admin: Option<SocketAddr>,
    workers: usize,
    bounds: &Bounds,
) {
    tracing::info!(
        backend = %backend.name,
        version = %VERSION,
        %address,
        admin = admin.map(tracing::field::display),
        workers,
        max_connections = bounds.max_connections,
        bounded_by = bounds.bounded_by,
        "listening"
    );
}

/// Lets a repeated warning through once a second, and counts the rest.
#[derive(Debug, Default)]
pub struct OncePerSecond {
    /// From when on the next may pass, in milliseconds of this process's life.
    open_from: AtomicU64,
    suppressed: AtomicU64,
}

impl OncePerSecond {
    /// One that lets the first through.
    #[must_use]
    pub const fn new() -> Self {
        Self { open_from: AtomicU64::new(0), suppressed: AtomicU64::new(0) }
    }

    /// `Some` if the warning may pass now, with the number of those that could not since the last.
    pub fn pass(&self) -> Option<u64> {
        static START: OnceLock<Instant> = OnceLock::new();
        self.pass_at(START.get_or_init(Instant::now).elapsed())
    }

    fn pass_at(&self, now: Duration) -> Option<u64> {
        let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let open_from = self.open_from.load(Relaxed);
        // Of several threads at once, the one that moves the time on may speak.
        let passes = now >= open_from
            && self.open_from.compare_exchange(open_from, now + 1000, Relaxed, Relaxed).is_ok();
        if passes {
            return Some(self.suppressed.swap(0, Relaxed));
        }
        self.suppressed.fetch_add(1, Relaxed);
        None
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::Level;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[test]
    fn one_a_second_passes_and_the_rest_are_counted() {
        let warnings = OncePerSecond::new();
        let at = |millis| warnings.pass_at(Duration::from_millis(millis));
        assert_eq!(at(0), Some(0));
        assert_eq!(at(1), None);
        assert_eq!(at(999), None);
        assert_eq!(at(1000), Some(2));
        assert_eq!(at(5000), Some(0));
        assert_eq!(at(5999), None);
        assert_eq!(at(6000), Some(1));
    }

    #[test]
    fn a_crate_that_reports_every_socket_is_heard_only_if_named() {
        let shown = |text| {
            let subscriber = tracing_subscriber::registry().with(filter_of(text).unwrap());
            tracing::subscriber::with_default(subscriber, || {
                (
                    tracing::enabled!(target: "process", Level::INFO),
                    tracing::enabled!(target: "may::io", Level::INFO),
                )
            })
        };
        assert_eq!(shown(""), (true, false));
        assert_eq!(shown("info"), (true, false));
        assert_eq!(shown("warn"), (false, false));
        assert_eq!(shown("may=info"), (false, true));
    }

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_line_at_start_can_be_read_by_programs() {
        let page = Page::default();
        let writer = page.clone();
        let subscriber =
            tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
        let backend = Backend {
            name: "test",
            about: "",
            per_connection: crate::Footprint { descriptors: 1, maps: 0, threads: 0 },
        };
        let bounds = Bounds {
            max_connections: 9,
            bounded_by: "RLIMIT_NOFILE 16".to_owned(),
            upstream_connections: 0,
            reserve: 64,
        };
        let address = "127.0.0.1:41234".parse().unwrap();
        tracing::subscriber::with_default(subscriber, || {
            announce(&backend, address, None, 2, &bounds);
            announce(&backend, address, Some("127.0.0.1:9".parse().unwrap()), 2, &bounds);
        });
        let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        for (line, admin) in lines.iter().zip(["", " admin=127.0.0.1:9"]) {
            let expected = format!(
                "listening backend=test version={VERSION} address=127.0.0.1:41234{admin} workers=2 \
                 max_connections=9 bounded_by=\"RLIMIT_NOFILE 16\""
            );
            assert!(line.ends_with(&expected), "{line}");
        }
    }
}
