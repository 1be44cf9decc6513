//! A running `loadtest stage`, with the real servers.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use procfs::process::Process;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// For what must happen, on a machine that may have much else to do.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(5);

/// Waits until something is so.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match look() {
            Some(found) => return found,
            None => assert!(Instant::now() < deadline, "in vain: {what}"),
        }
        thread::sleep(POLL);
    }
}

/// A stage and where it is. Killed when dropped, if it has not ended.
pub(crate) struct Stage {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) control: SocketAddr,
    log: Mutex<Receiver<String>>,
    /// What it has said so far.
    pub(crate) said: String,
}

impl Stage {
    /// Starts one, and waits until its first backend serves.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_in(Path::new(env!("CARGO_BIN_EXE_loadtest")), arguments)
    }

    /// The same of a copy of the program, with other servers beside it.
    pub(crate) fn start_in(program: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.arg("stage").args(arguments);
        Self::start_as(command)
    }

    /// By this command, whose last arguments may be `--` and options for the servers.
    pub(crate) fn start_as(command: Command) -> Self {
        let (child, log) = spawn(command);
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let said = String::new();
        let log = Mutex::new(log);
        let mut stage = Self { child, address: nowhere, control: nowhere, log, said };
        let line = stage.says("on stage");
        stage.address = value(&line, "address").parse().expect("an address");
        stage.control = value(&line, "control").parse().expect("an address");
        stage
    }

    /// Waits for a line of its log, or its backends'.
    #[track_caller]
    pub(crate) fn says(&mut self, part: &str) -> String {
        loop {
            let log = self.log.get_mut().expect("nobody panicked");
            let Ok(line) = log.recv_timeout(PATIENCE) else {
                panic!("it does not say {part:?}, but:\n{}", self.said)
            };
            self.said.push_str(&line);
            if line.contains(part) {
                return line;
            }
        }
    }

    /// `loadtest swap` with these arguments.
    pub(crate) fn swap(&self, arguments: &[&str]) -> Output {
        let control = self.control.to_string();
        let mut command = Command::new(env!("CARGO_BIN_EXE_loadtest"));
        command.args(["swap", "--control", &control]).args(arguments).output().expect("it runs")
    }

    /// The same, which must succeed; and new connections are the new backend's.
    #[track_caller]
    pub(crate) fn swap_to(&self, backend: &str) {
        let output = self.swap(&[backend]);
        assert!(output.status.success(), "{}", super::stderr(&output));
        assert_eq!(self.serves(), backend);
    }

    /// Which backend serves a new connection.
    pub(crate) fn serves(&self) -> String {
        let (_, text) = ask(self.address, "GET /anything HTTP/1.0\r\n\r\n");
        let text: Value = serde_json::from_str(&text).expect("JSON");
        text["backend"].as_str().or(text["connection"]["backend"].as_str()).expect("a name").into()
    }

    /// What it says at its control address.
    pub(crate) fn status(&self) -> Value {
        let (status, text) = ask(self.control, "GET / HTTP/1.0\r\n\r\n");
        assert_eq!(status, 200, "{text}");
        serde_json::from_str(&text).expect("JSON")
    }

    /// The process of the backend that serves.
    pub(crate) fn server(&self) -> Pid {
        let pid = self.status()["pid"].as_i64().expect("a number");
        Pid::from_raw(i32::try_from(pid).expect("a number")).expect("a process")
    }

    /// Waits until the backend that serves has so many connections, give or take two or three: what is
    /// counted is sockets, of which it has some for itself.
    #[track_caller]
    pub(crate) fn is_connected(&self, count: usize) {
        let folder = format!("/proc/{}/fd", self.server().as_raw_pid());
        eventually(&format!("{count} connections"), || {
            let links = fs::read_dir(&folder).expect("it runs").map_while(Result::ok);
            let links = links.filter_map(|entry| fs::read_link(entry.path()).ok());
            let sockets = links.filter(|link| link.to_string_lossy().starts_with("socket:"));
            // One listens, and one more at the admin port.
            (sockets.count() >= count + 2).then_some(())
        });
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it runs");
    }

    /// How many threads it has.
    pub(crate) fn threads(&self) -> i64 {
        let stat = Process::new(self.pid().as_raw_pid()).and_then(|process| process.stat());
        stat.expect("it runs").num_threads
    }

    fn pid(&self) -> Pid {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        pid.expect("a process has a number")
    }

    /// Waits for its end; its exit code and all that it said.
    #[track_caller]
    pub(crate) fn ends(mut self) -> (Option<i32>, String) {
        let status = ended(&mut self.child);
        let mut said = std::mem::take(&mut self.said);
        said.extend(self.log.get_mut().expect("nobody panicked").iter());
        (status.code(), said)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Its backends end with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A stage that must not come to serve; its exit code and what it said.
pub(crate) fn fails(program: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(program);
    command.arg("stage").args(arguments);
    let (mut child, log) = spawn(command);
    let status = ended(&mut child);
    (status.code(), log.iter().collect())
}

fn spawn(mut command: Command) -> (Child, Receiver<String>) {
    // Before what is for the servers, which may be the last.
    command.env("FIVE_LISTEN", "127.0.0.1:0").env("FIVE_CONTROL", "127.0.0.1:0");
    command.env_remove("RUST_LOG").stdin(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
    let (teller, log) = mpsc::channel();
    thread::spawn(move || {
        let mut line = String::new();
        while stderr.read_line(&mut line).is_ok_and(|count| count > 0) {
            if teller.send(std::mem::take(&mut line)).is_err() {
                return;
            }
        }
    });
    (child, log)
}

/// Waits for the end of a process.
#[track_caller]
pub(crate) fn ended(child: &mut Child) -> ExitStatus {
    eventually("the end of a process", || child.try_wait().expect("a child of ours"))
}

/// Whether there is such a process, and more of it than its number.
pub(crate) fn is_there(pid: Pid) -> bool {
    let stat = Process::new(pid.as_raw_pid()).and_then(|process| process.stat());
    stat.is_ok_and(|stat| stat.state != 'Z')
}

/// Waits for the end of a process that is no child of ours.
#[track_caller]
pub(crate) fn is_gone(pid: Pid) {
    eventually("the end of a server", || (!is_there(pid)).then_some(()));
}

/// Asks, and returns the status and the content of the answer, which ends with the connection.
#[track_caller]
pub(crate) fn ask(address: SocketAddr, request: &str) -> (u16, String) {
    answer(&mut connect(address, request))
}

/// A connection on which this was asked.
#[track_caller]
pub(crate) fn connect(address: SocketAddr, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    stream.write_all(request.as_bytes()).expect("it is connected");
    stream
}

/// The answer on a connection, to the connection's end.
#[track_caller]
pub(crate) fn answer(stream: &mut TcpStream) -> (u16, String) {
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    let (head, content) = text.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    (status.expect("a status"), content.to_owned())
}

/// The value of `name=value` in a line of a log.
pub(crate) fn value<'l>(line: &'l str, name: &str) -> &'l str {
    let words = line.split_whitespace().filter_map(|word| word.split_once('='));
    let found = words.filter(|(key, _)| *key == name).map(|(_, value)| value).next();
    found.unwrap_or_else(|| panic!("no {name} in {line}"))
}
