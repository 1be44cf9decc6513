//! A server under test: started, found, told to end.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long a server may take to say where it listens.
const START_TIME_OUT: Duration = Duration::from_secs(20);
/// How long it may take to end once told.
const STOP_TIME_OUT: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(5);
/// How many lines of its log are kept.
const LAST_WORDS: usize = 5;

/// A server that did not come up, or did not stay up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServerError {
    /// There is no such program, or it can't be executed.
    #[error("can't start {program}: {source}")]
    Start { program: String, source: io::Error },
    /// It ended before it listened.
    #[error("it ended before it listened, saying: {0}")]
    Ended(String),
    /// It neither listened nor ended.
    #[error("it did not say where it listens in time; it said: {0}")]
    Silent(String),
}

/// A running server. Ended when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    startup: Startup,
    log: Log,
    reader: Option<JoinHandle<()>>,
}

/// What a server says when it is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Startup {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// How many connections it will serve at once.
    pub(crate) max_connections: Option<usize>,
    /// The limit that this number comes from.
    pub(crate) bounded_by: Option<String>,
    /// The whole line, for the record.
    pub(crate) line: String,
}

/// The last lines of a server's log.
type Log = Arc<Mutex<VecDeque<String>>>;

impl Server {
    /// Starts the program on a port from the kernel, and waits until it listens. Where it runs is
    /// for `spawn` to say.
    pub(crate) fn start(
        program: &Path,
        arguments: &[String],
        spawn: impl FnOnce(&mut Command) -> io::Result<Child>,
    ) -> Result<Self, ServerError> {
        let failed = |source| ServerError::Start { program: program.display().to_string(), source };
        let mut command = Command::new(program);
        command.args(arguments).args(["--listen", "127.0.0.1:0"]);
        // Whatever the caller's own taste in logs, the start-up line must be there.
        command.env("RUST_LOG", "info");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = spawn(&mut command).map_err(failed)?;

        let log = Log::default();
        let (found, startup) = mpsc::channel();
        let reader = child.stderr.take().map(|stderr| {
            let log = Arc::clone(&log);
            thread::spawn(move || read_log(stderr, &log, &found))
        });
        match wait_for(&startup) {
            Ok(startup) => Ok(Self { child, startup, log, reader }),
            Err(error) => {
                // It has ended, or it never will.
                let _ = child.kill();
                let _ = child.wait();
                let _ = reader.map(JoinHandle::join);
                Err(error(last_words(&log)))
            }
        }
    }

    /// What it said when it was ready.
    pub(crate) fn startup(&self) -> &Startup {
        &self.startup
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// If it has ended by itself: how, and its last words.
    pub(crate) fn obituary(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok()??;
        // With the process gone its log has an end, so the reader comes to it.
        let _ = self.reader.take().map(JoinHandle::join);
        Some(format!("it ended in the middle ({status}), saying: {}", last_words(&self.log)))
    }

    fn stop(&mut self) {
        let asked = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        if let Some(pid) = asked {
            let _ = kill_process(pid, Signal::TERM);
        }
        let deadline = Instant::now() + STOP_TIME_OUT;
        while Instant::now() < deadline {
            match self.child.try_wait() {
                Ok(None) => thread::sleep(POLL),
                Ok(Some(_)) | Err(_) => return,
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Once `try_wait` has seen the end, the id may be another process's.
        if matches!(self.child.try_wait(), Ok(None)) {
            self.stop();
        }
        let _ = self.reader.take().map(JoinHandle::join);
    }
}

fn wait_for(startup: &Receiver<Startup>) -> Result<Startup, fn(String) -> ServerError> {
    startup.recv_timeout(START_TIME_OUT).map_err(|error| match error {
        mpsc::RecvTimeoutError::Disconnected => ServerError::Ended as fn(String) -> ServerError,
        mpsc::RecvTimeoutError::Timeout => ServerError::Silent,
    })
}

/// Reads the log to its end: the start-up line goes to `found`, the last lines are kept.
fn read_log(stderr: ChildStderr, log: &Log, found: &Sender<Startup>) {
    for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).into_owned();
        if let Some(startup) = Startup::read(&line) {
            // Nobody listens any more once the server has been found.
            let _ = found.send(startup);
        }
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.len() == LAST_WORDS {
            log.pop_front();
        }
        log.push_back(line);
    }
}

fn last_words(log: &Log) -> String {
    let log = log.lock().unwrap_or_else(PoisonError::into_inner);
    if log.is_empty() {
        return "nothing".to_owned();
    }
    log.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" / ")
}

impl Startup {
    /// The start-up line says `address=`; any other line is none.
    fn read(line: &str) -> Option<Self> {
        Some(Self {
            address: field(line, "address")?.parse().ok()?,
            max_connections: field(line, "max_connections").and_then(|text| text.parse().ok()),
            bounded_by: field(line, "bounded_by").map(str::to_owned),
            line: line.trim().to_owned(),
        })
    }
}

/// The value of `name=value` or `name="a value"` in a line of the log.
fn field<'l>(line: &'l str, name: &str) -> Option<&'l str> {
    let (_, value) = line.split_once(&format!(" {name}="))?;
    match value.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => value.split_whitespace().next(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_up_line_is_understood() {
        let line = "2026-01-01T00:00:00Z  INFO listening backend=threads version=0.1.0 \
                    address=127.0.0.1:43121 workers=2 max_connections=19936 \
                    bounded_by=\"RLIMIT_NOFILE of 20000\"";
        let startup = Startup::read(line).expect("a start-up line");
        assert_eq!(startup.address, SocketAddr::from(([127, 0, 0, 1], 43_121)));
        assert_eq!(startup.max_connections, Some(19_936));
        assert_eq!(startup.bounded_by.as_deref(), Some("RLIMIT_NOFILE of 20000"));
        assert_eq!(Startup::read("WARN max_connections=5 is low"), None);
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let program = folder.path().join("server-mio");
        let error = Server::start(&program, &[], Command::spawn).expect_err("no program");
        assert!(error.to_string().contains("server-mio"), "{error}");
    }
}
