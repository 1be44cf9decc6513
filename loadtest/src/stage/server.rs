//! A backend's process: found ready, listened to, ended.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStderr};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::launcher::Launch;
use crate::lab::{Log, Startup};
use crate::wire::{Body, Connection, Exchange, Origin, Patience, Reply, Stop};

/// How long a backend may take to say whether it is well; it is asked again until its time is over.
const HEALTH_TIME_OUT: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(10);
/// How long the end of a log may take to be read once its writer has ended: others may hold it open.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A backend that does not serve.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    #[error("there is no {}; build it: cargo build -p {package}", program.display())]
    NoProgram { program: PathBuf, package: String },
    #[error("can't start it: {0}")]
    Spawn(io::Error),
    #[error("it ended before it was ready ({0}), saying: {1}")]
    Ended(ExitStatus, String),
    #[error("it was not ready within {}; it said: {said}", humantime::format_duration(*.limit))]
    TooLate { limit: Duration, said: String },
    #[error("it neither took the stage's socket nor opened an admin port; it said: {0}")]
    Elsewhere(String),
}

/// A running backend. Killed when dropped, unless it has ended.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) launch: Launch,
    /// Where it tells of itself; known once it is ready.
    pub(super) admin: Option<SocketAddr>,
    pub(super) pid: u32,
    child: Child,
    log: Arc<Mutex<Log>>,
    reader: Option<JoinHandle<()>>,
    found: oneshot::Receiver<Startup>,
}

impl Server {
    /// Starts the process, whose standard error is a pipe.
    pub(super) fn spawn(command: Command, launch: Launch) -> io::Result<Self> {
        let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn()?;
        let pid = child.id().unwrap_or_default();
        let log = Arc::default();
        let (finder, found) = oneshot::channel();
        let stderr = child.stderr.take();
        let (name, kept) = (launch.backend.name(), Arc::clone(&log));
        let read = |stderr| async move { read_log(stderr, name, &kept, finder).await };
        let reader = stderr.map(|stderr| tokio::spawn(read(stderr)));
        Ok(Self { launch, admin: None, pid, child, log, reader, found })
    }

    /// Waits until it listens on the stage's socket and says that it is well.
    ///
    /// # Errors
    /// If it ends before that, or listens elsewhere.
    pub(super) async fn ready(&mut self, socket: SocketAddr) -> Result<(), StartError> {
        let startup = tokio::select! {
            Ok(startup) = &mut self.found => startup,
            status = self.child.wait() => return Err(self.ended_early(status).await),
        };
        let (true, Some(admin)) = (startup.address == socket, startup.admin) else {
            return Err(StartError::Elsewhere(startup.line));
        };
        self.admin = Some(admin);
        loop {
            tokio::select! {
                is_well = is_well(admin) => if is_well { return Ok(()) },
                status = self.child.wait() => return Err(self.ended_early(status).await),
            }
            sleep(POLL).await;
        }
    }

    /// Waits for its end.
    pub(super) async fn ended(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Tells it to finish what has begun, and to end.
    pub(super) fn terminate(&self) {
        if let Some(pid) = self.running() {
            // It may have ended in the meantime.
            let _ = kill_process(pid, Signal::TERM);
        }
    }

    /// Ends it here and now, with all that it started.
    pub(super) async fn kill(&mut self) {
        self.kill_group();
        let _ = self.child.wait().await;
    }

    /// The last lines of its log; of one that has ended, to the end.
    pub(super) async fn all_last_words(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            let _ = timeout(LAST_WORDS, reader).await;
        }
        self.last_words()
    }

    /// The last lines of its log.
    pub(super) fn last_words(&self) -> String {
        lock(&self.log).last_words()
    }

    async fn ended_early(&mut self, status: io::Result<ExitStatus>) -> StartError {
        match status {
            Ok(status) => StartError::Ended(status, self.all_last_words().await),
            Err(error) => StartError::Spawn(error),
        }
    }

    fn kill_group(&self) {
        if let Some(pid) = self.running() {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }

    /// Its process, unless that has been seen to end: then the number may be another's.
    fn running(&self) -> Option<Pid> {
        Pid::from_raw(i32::try_from(self.child.id()?).ok()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill_group();
    }
}

async fn is_well(admin: SocketAddr) -> bool {
    let host = admin.to_string();
    let question = Exchange::new(admin, &host, "GET", "/healthz", b"", Body::Any);
    let mut patience = Patience::new(HEALTH_TIME_OUT, Arc::default());
    let asked = async {
        let origin = Origin::default();
        let mut connection = Connection::open(admin, &origin, 0, &mut patience).await?;
        connection.exchange(&question, &mut patience).await
    };
    let answer: Result<Reply, Stop> = asked.await;
    answer.is_ok_and(|reply| reply.fault.is_none())
}

/// Passes the log on to its end, with the backend's name before each line: the start-up line goes to
/// `found`, too.
async fn read_log(
    stderr: ChildStderr,
    name: &str,
    log: &Mutex<Log>,
    found: oneshot::Sender<Startup>,
) {
    let mut found = Some(found);
    let mut lines = BufReader::new(stderr).split(b'\n');
    while let Ok(Some(line)) = lines.next_segment().await {
        let line = String::from_utf8_lossy(&line).into_owned();
        if let Some(startup) = Startup::read(&line)
            && let Some(found) = found.take()
        {
            // Nobody waits for one that has been given up.
            let _ = found.send(startup);
        }
        // Whoever reads the stage's log may be gone.
        let _ = writeln!(io::stderr(), "{name:<7} | {line}");
        lock(log).push(line);
    }
}

fn lock(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}
