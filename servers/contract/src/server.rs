//! A running server, which ends with the value that stands for it.

use std::fs;
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::evidence::Case;
use crate::log::{self, Log};
use crate::{Backend, Client, Program, eventually, metrics, patiently};

/// A server's process, listening. Dropping it kills it.
#[derive(Debug)]
#[must_use]
pub struct Server {
    backend: Backend,
    child: Child,
    log: Arc<Log>,
    start_line: String,
    address: SocketAddr,
    admin: Option<SocketAddr>,
    case: Option<Arc<Case>>,
}

impl Server {
    /// Starts a server with `options` on a port of the kernel's choice.
    #[track_caller]
    pub fn start(backend: Backend, options: &[&str]) -> Self {
        Program::new(backend).options(options).start()
    }

    /// Waits until `child`, whose standard error is piped, says where it listens.
    #[track_caller]
    pub(crate) fn new(backend: Backend, mut child: Child, case: Option<Arc<Case>>) -> Self {
        let log = Log::follow(child.stderr.take().expect("standard error is piped"));
        let start_line = log.line_with(" address=").unwrap_or_default();
        let Some(address) = log::value(&start_line, "address").and_then(|text| text.parse().ok())
        else {
            let _ = child.kill();
            let _ = child.wait();
            panic!("{backend}: no line with `address=IP:PORT` in its log:\n{}", log.tail());
        };
        let admin = log::value(&start_line, "admin").and_then(|text| text.parse().ok());
        if let Some(case) = &case {
            case.logs_to(Arc::clone(&log));
        }
        Self { backend, child, log, start_line, address, admin, case }
    }

    /// A new connection to it.
    #[track_caller]
    pub fn connect(&self) -> Client {
        match &self.case {
            Some(case) => Client::connect_in(case, self.address),
            None => Client::connect(self.backend, self.address, Some(Arc::clone(&self.log))),
        }
    }

    /// A new connection to its admin port, which [`Program::with_admin`] gave it.
    #[track_caller]
    pub fn connect_admin(&self) -> Client {
        Client::connect(self.backend, self.admin(), Some(Arc::clone(&self.log)))
    }

    /// A counter or gauge without labels, asked for at its admin port.
    #[track_caller]
    pub fn metric(&self, name: &str) -> u64 {
        let answer = self.connect_admin().get("/metrics");
        match metrics::sample(answer.status(200).text(), name, &[]) {
            Some(value) => value,
            None => answer.fail(&format!("there is no {name}")),
        }
    }

    /// Waits until a counter or gauge without labels has this value.
    #[track_caller]
    pub fn reaches(&self, name: &str, value: u64) {
        eventually(&format!("{}: {name} {value}", self.backend), || {
            (self.metric(name) == value).then_some(())
        });
    }

    /// Which backend it is.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where its admin port is, which [`Program::with_admin`] gave it.
    #[track_caller]
    pub fn admin(&self) -> SocketAddr {
        self.admin.expect("the server was given an admin port")
    }

    /// Its log.
    pub fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// The line that it logs at its start.
    pub fn start_line(&self) -> &str {
        &self.start_line
    }

    /// What the line that it logs at its start says of `name`.
    #[track_caller]
    pub fn start_value(&self, name: &str) -> &str {
        match log::value(&self.start_line, name) {
            Some(value) => value,
            None => panic!("{}: no `{name}=` in: {}", self.backend, self.start_line),
        }
    }

    /// Its process.
    pub fn id(&self) -> Pid {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        id.expect("a process has an id")
    }

    /// Sends it a signal.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        if let Err(error) = kill_process(self.id(), signal) {
            panic!("{}: sending {signal:?}: {error}\n{}", self.backend, self.log.tail());
        }
    }

    /// Stops it where it stands, with all of its threads, until it is sent a `SIGCONT`.
    #[track_caller]
    pub fn stop(&self) {
        self.signal(Signal::STOP);
        let threads = format!("/proc/{}/task", self.child.id());
        eventually(&format!("{}: every thread stopped", self.backend), || {
            let threads = fs::read_dir(&threads).expect("a running server has threads");
            let stats =
                threads.flatten().map(|thread| fs::read_to_string(thread.path().join("stat")));
            // Field 3 of proc_pid_stat(5); a thread that has ended since has none.
            let stopped =
                |stat: String| stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('T'));
            stats.flatten().all(stopped).then_some(())
        });
    }

    /// Waits for a line of its log that holds `text`.
    #[track_caller]
    pub fn logs(&self, text: &str) -> String {
        match self.log.line_with(text) {
            Some(line) => line,
            None => {
                panic!("{}: nothing with {text:?} in its log:\n{}", self.backend, self.log.tail())
            }
        }
    }

    /// Waits until it ends by itself, with this exit code.
    #[track_caller]
    pub fn exits(&mut self, code: i32) {
        let actual = self.ends();
        let log = self.log.tail();
        assert!(actual == Some(code), "{}: exit {actual:?}, not {code}\n{log}", self.backend);
    }

    /// Waits until it ends by itself; its exit code, unless a signal ended it.
    #[track_caller]
    pub fn ends(&mut self) -> Option<i32> {
        let child = &mut self.child;
        match patiently(|| child.try_wait().expect("waiting for a child of ours")) {
            Some(status) => status.code(),
            None => panic!("{}: it does not end\n{}", self.backend, self.log.tail()),
        }
    }

    /// Changes how many threads the user may have whom [`Program::threads`] gave it.
    #[track_caller]
    pub fn allow_threads(&self, limit: u32) {
        let user = self.status("Uid");
        // That user may, and root only where it may do everything.
        let mut command = Command::new("setpriv");
        command.args([&format!("--reuid={user}"), &format!("--regid={user}"), "--clear-groups"]);
        command.args(["prlimit", "--pid", &self.child.id().to_string()]);
        let status = command.arg(format!("--nproc={limit}:")).status();
        assert!(status.as_ref().is_ok_and(ExitStatus::success), "{}: {status:?}", self.backend);
    }

    /// A line of `/proc/<id>/status`, such as `VmHWM`, in KiB.
    pub fn status_kib(&self, name: &str) -> u64 {
        self.status(name)
    }

    /// The first number of a line of `/proc/<id>/status`.
    fn status(&self, name: &str) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(path).expect("a running server has a status");
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let value = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        value.unwrap_or_else(|| panic!("no {name} in {status}"))
    }

    /// It must be doing next to nothing: whoever waits does not spin.
    #[track_caller]
    pub fn is_calm(&self) {
        let (before, begin) = (self.cpu_ticks(), Instant::now());
        thread::sleep(Duration::from_secs(1));
        let (used, most) = (self.cpu_ticks() - before, 30 * begin.elapsed().as_secs());
        assert!(used < most, "{}: {used} ticks of CPU time, and nothing to do", self.backend);
    }

    /// The CPU time that it used so far, user and system, in clock ticks.
    pub fn cpu_ticks(&self) -> u64 {
        let path = format!("/proc/{}/stat", self.child.id());
        let stat = fs::read_to_string(path).expect("a running server has a status");
        let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        // Fields 14 and 15 of proc_pid_stat(5); the text begins with field 3.
        after_name.split(' ').skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
