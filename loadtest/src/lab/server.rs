//! A server under test: started, found, told to end.

use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid,
};
use tempfile::TempDir;

use super::peer::{self, Prepared};
use super::startup::{Log, Startup};

/// How long a server may take to say where it listens, or to answer there.
const START_TIME_OUT: Duration = Duration::from_secs(20);
/// How long it may take to end once told.
const STOP_TIME_OUT: Duration = Duration::from_secs(15);
/// How long the log of one that did not come up may take to end.
const LAST_WORDS_TIME_OUT: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(5);

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
    /// It runs, and nobody answers where it was told to listen.
    #[error("it did not answer at {0} in time; it said: {1}")]
    Deaf(SocketAddr, String),
}

/// Starts a command where the caller wants it to run.
pub(crate) trait Spawn: FnOnce(&mut Command) -> io::Result<Child> {}
impl<F: FnOnce(&mut Command) -> io::Result<Child>> Spawn for F {}

/// A running server. Ended when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    startup: Startup,
    log: Arc<Mutex<Log>>,
    reader: Option<JoinHandle<()>>,
    /// A peer leads a group of its own, and has a folder.
    peer: Option<TempDir>,
}

impl Server {
    /// Starts one of ours on a port from the kernel, and waits until it says that it listens.
    pub(crate) fn start(mut command: Command, spawn: impl Spawn) -> Result<Self, ServerError> {
        command.args(["--listen", "127.0.0.1:0"]);
        // Whatever the caller's own taste in logs, the start-up line must be there.
        command.env("RUST_LOG", "info");
        let mut beginning = Beginning::of(command, false, spawn)?;
        match wait_for(&beginning.found) {
            Ok(startup) => Ok(beginning.server(startup, None)),
            Err(error) => Err(error(beginning.give_up())),
        }
    }

    /// Starts somebody else's on a port that was free, and waits until it answers there.
    pub(crate) fn start_peer(prepared: Prepared, spawn: impl Spawn) -> Result<Self, ServerError> {
        use std::os::unix::process::CommandExt;
        let Prepared { mut command, address, folder } = prepared;
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let line = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
        // It is another each time, and gone when anybody reads this.
        let line = line.replace(&*folder.path().to_string_lossy(), "{dir}");
        // What it starts stays in its group, so that all of it can be told to end.
        command.process_group(0);
        let mut beginning = Beginning::of(command, true, spawn)?;
        let deadline = Instant::now() + START_TIME_OUT;
        while !peer::answers(address) {
            if beginning.has_ended() {
                return Err(ServerError::Ended(beginning.give_up()));
            }
            if Instant::now() > deadline {
                return Err(ServerError::Deaf(address, beginning.give_up()));
            }
            thread::sleep(POLL);
        }
        if beginning.has_ended() {
            // Somebody else answers there.
            return Err(ServerError::Ended(beginning.give_up()));
        }
        let startup =
            Startup { address, admin: None, max_connections: None, bounded_by: None, line };
        Ok(beginning.server(startup, Some(folder)))
    }

    /// What it said when it was ready.
    pub(crate) fn startup(&self) -> &Startup {
        &self.startup
    }

    /// The process id of the first of its processes.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What its log has told so far.
    pub(crate) fn log(&self) -> Log {
        lock(&self.log).clone()
    }

    /// If it has ended by itself: how, and its last words.
    pub(crate) fn obituary(&mut self) -> Option<Obituary> {
        let status = self.child.try_wait().ok()??;
        // With the process gone its log has an end, so the reader comes to it.
        if self.peer.is_none() {
            let _ = self.reader.take().map(JoinHandle::join);
        }
        Some(Obituary { status, last_words: lock(&self.log).last_words() })
    }

    fn stop(&mut self) {
        self.signal(Signal::TERM);
        let deadline = Instant::now() + STOP_TIME_OUT;
        while Instant::now() < deadline {
            match self.child.try_wait() {
                Ok(None) => thread::sleep(POLL),
                Ok(Some(_)) | Err(_) => return,
            }
        }
        self.signal(Signal::KILL);
        let _ = self.child.wait();
    }

    fn signal(&self, signal: Signal) {
        tell(&self.child, self.peer.is_some(), signal);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Once `try_wait` has seen the end, the id may be another process's.
        if matches!(self.child.try_wait(), Ok(None)) {
            self.stop();
        }
        // A peer's children may hold the log open for longer than it lives.
        if self.peer.is_none() {
            let _ = self.reader.take().map(JoinHandle::join);
        }
    }
}

/// How a server ended that should not have.
#[derive(Clone, Debug)]
pub(crate) struct Obituary {
    status: ExitStatus,
    last_words: String,
}

impl Obituary {
    /// Whether it was killed, as it is by the kernel when there is no memory left.
    pub(crate) fn was_killed(&self) -> bool {
        self.status.signal() == Some(Signal::KILL.as_raw())
    }
}

impl std::fmt::Display for Obituary {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { status, last_words } = self;
        write!(formatter, "it ended in the middle ({status}), saying: {last_words}")
    }
}

/// A process that may become a server.
struct Beginning {
    child: Option<Child>,
    log: Arc<Mutex<Log>>,
    reader: Option<JoinHandle<()>>,
    found: Receiver<Startup>,
    leads_group: bool,
}

impl Beginning {
    fn of(mut command: Command, leads_group: bool, spawn: impl Spawn) -> Result<Self, ServerError> {
        let program = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let started = spawn(&mut command);
        let mut child = started.map_err(|source| ServerError::Start { program, source })?;
        let log = Arc::default();
        let (finder, found) = mpsc::channel();
        let reader = child.stderr.take().map(|stderr| {
            let log = Arc::clone(&log);
            thread::spawn(move || read_log(stderr, &log, &finder))
        });
        Ok(Self { child: Some(child), log, reader, found, leads_group })
    }

    /// Looks without taking note of it: its number must be nobody else's as long as its group may have
    /// to be told something.
    fn has_ended(&self) -> bool {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let Some(pid) = self.child.as_ref().and_then(number) else { return true };
        !matches!(waitid(WaitId::Pid(pid), look), Ok(None))
    }

    /// Ends it and what it has started, and returns its last words.
    fn give_up(&mut self) -> String {
        if let Some(mut child) = self.child.take() {
            tell(&child, self.leads_group, Signal::KILL);
            let _ = child.wait();
        }
        // Who has left the group may hold the log open for as long as it likes.
        let deadline = Instant::now() + LAST_WORDS_TIME_OUT;
        let is_open = |reader: &JoinHandle<()>| !reader.is_finished();
        while self.reader.as_ref().is_some_and(is_open) && Instant::now() < deadline {
            thread::sleep(POLL);
        }
        lock(&self.log).last_words()
    }

    fn server(self, startup: Startup, peer: Option<TempDir>) -> Server {
        let Self { child, log, reader, .. } = self;
        let child = child.expect("it is taken only when it is given up");
        Server { child, startup, log, reader, peer }
    }
}

fn number(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

/// Sends a signal to a process, or to the whole group that it leads.
fn tell(child: &Child, leads_group: bool, signal: Signal) {
    let Some(pid) = number(child) else { return };
    let _ = if leads_group { kill_process_group(pid, signal) } else { kill_process(pid, signal) };
}

fn wait_for(startup: &Receiver<Startup>) -> Result<Startup, fn(String) -> ServerError> {
    startup.recv_timeout(START_TIME_OUT).map_err(|error| match error {
        mpsc::RecvTimeoutError::Disconnected => ServerError::Ended as fn(String) -> ServerError,
        mpsc::RecvTimeoutError::Timeout => ServerError::Silent,
    })
}

/// Reads the log to its end: the start-up line goes to `found`, what matters is kept.
fn read_log(stderr: ChildStderr, log: &Mutex<Log>, found: &Sender<Startup>) {
    for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).into_owned();
        if let Some(startup) = Startup::read(&line) {
            // Nobody listens any more once the server has been found.
            let _ = found.send(startup);
        }
        lock(log).push(line);
    }
}

fn lock(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let command = Command::new(folder.path().join("server-mio"));
        let error = Server::start(command, Command::spawn).expect_err("no program");
        assert!(error.to_string().contains("server-mio"), "{error}");
    }

    #[test]
    fn a_peer_that_does_not_come_up_takes_along_what_it_has_started() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 60 & echo no luck, $! >&2; exit 1"]);
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let folder = tempfile::tempdir().expect("a folder");
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            let prepared = Prepared { command, address, folder };
            tell.send(Server::start_peer(prepared, Command::spawn).map(drop))
        });
        let failed =
            told.recv_timeout(START_TIME_OUT).expect("it is given up").expect_err("failed");
        let said = failed.to_string();
        let started = said.rsplit(' ').next().and_then(|number| number.parse().ok());
        let started = started.and_then(Pid::from_raw).unwrap_or_else(|| panic!("{said}"));
        // Whoever adopts it takes note of its end, sooner or later.
        let stat = format!("/proc/{}/stat", started.as_raw_nonzero());
        let is_there = || std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "));
        let deadline = Instant::now() + START_TIME_OUT;
        while is_there() {
            assert!(Instant::now() < deadline, "it lives on: {said}");
            thread::sleep(POLL);
        }
    }
}
