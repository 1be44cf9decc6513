//! What a server that runs elsewhere says of itself: its `/metrics`, in Prometheus's text format.
//!
//! | figure | metric |
//! |---|---|
//! | CPU | `process_cpu_seconds_total` |
//! | memory, resident | `process_resident_memory_bytes` |
//! | descriptors | `process_open_fds` |
//! | threads | `process_threads` |
//!
//! These are the names that Prometheus's client libraries share. What a server does not say is a
//! figure that its row does not have.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use url::Url;

use crate::fetch::{Answer, fetch};

/// How long figures may take to come, from a server under load.
const TIME_OUT: Duration = Duration::from_secs(5);

/// What it said, and when.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scrape {
    pub(crate) at: Instant,
    pub(crate) cpu_seconds: Option<f64>,
    pub(crate) memory_kib: Option<u64>,
    pub(crate) open_files: Option<u64>,
    pub(crate) threads: Option<u64>,
}

impl Scrape {
    /// Asks, and waits for the answer.
    pub(crate) fn take(url: &Url) -> anyhow::Result<Self> {
        let text = text(url).with_context(|| format!("can't read the figures at {url}"))?;
        Ok(Self::read(&text, Instant::now()))
    }

    fn read(text: &str, at: Instant) -> Self {
        let value = |name| value(text, name);
        // Counts of bytes, files and threads are whole numbers far below 2^53.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let count = |name, unit: f64| Some((value(name)? / unit) as u64);
        Self {
            at,
            cpu_seconds: value("process_cpu_seconds_total"),
            memory_kib: count("process_resident_memory_bytes", 1024.0),
            open_files: count("process_open_fds", 1.0),
            threads: count("process_threads", 1.0),
        }
    }

    /// CPU seconds in each second between an earlier answer and this one.
    pub(crate) fn utilisation_since(&self, earlier: &Self) -> Option<f64> {
        let passed = self.at.saturating_duration_since(earlier.at).as_secs_f64();
        (passed > 0.0).then_some((self.cpu_seconds? - earlier.cpu_seconds?) / passed)
    }
}

/// The value of a metric that has no labels.
fn value(text: &str, name: &str) -> Option<f64> {
    let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok();
    text.lines().find_map(value)
}

fn text(url: &Url) -> anyhow::Result<String> {
    let Answer { status, text } = fetch("GET", url, "", Some(TIME_OUT))?;
    ensure!(status == 200, "its status is {status}");
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    const FIGURES: &str = "# HELP process_cpu_seconds_total Time.\n\
         # TYPE process_cpu_seconds_total counter\n\
         process_cpu_seconds_total_more 9\n\
         process_cpu_seconds_total 1.25\n\
         process_resident_memory_bytes 2.048e+06\n\
         process_open_fds 12\n";

    #[test]
    fn figures_are_found_by_name_and_the_others_missing() {
        let scrape = Scrape::read(FIGURES, Instant::now());
        assert_eq!(scrape.cpu_seconds, Some(1.25));
        assert_eq!(scrape.memory_kib, Some(2_000));
        assert_eq!((scrape.open_files, scrape.threads), (Some(12), None));
    }

    #[test]
    fn utilisation_is_cpu_time_by_time() {
        let earlier = Scrape::read("process_cpu_seconds_total 1\n", Instant::now());
        let later = Scrape {
            at: earlier.at + Duration::from_secs(2),
            ..Scrape::read("process_cpu_seconds_total 2\n", earlier.at)
        };
        assert_eq!(later.utilisation_since(&earlier), Some(0.5));
        assert_eq!(earlier.utilisation_since(&earlier), None, "no time has passed");
    }

    #[test]
    fn a_server_is_asked_over_http() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let server = thread::spawn(move || {
            for status in ["200 OK", "404 Not Found"] {
                let (mut stream, _) = listener.accept().expect("a client");
                let mut lines = BufReader::new(&stream).lines();
                let first = lines.next().expect("a line").expect("text");
                assert_eq!(first, "GET /figures?of=all HTTP/1.0");
                assert!(lines.map_while(Result::ok).any(|line| line.is_empty()));
                let answer = format!("HTTP/1.1 {status}\r\n\r\n{FIGURES}");
                stream.write_all(answer.as_bytes()).expect("sent");
            }
        });
        let url = Url::parse(&format!("http://{address}/figures?of=all")).expect("a URL");
        assert_eq!(Scrape::take(&url).expect("figures").open_files, Some(12));
        let error = format!("{:#}", Scrape::take(&url).expect_err("404"));
        assert!(error.contains("404") && error.contains(url.as_str()), "{error}");
        server.join().expect("it ends");
        Scrape::take(&url).expect_err("nobody is there any more");
    }
}
