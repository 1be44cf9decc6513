//! A test by several processes, and how a test is ended early.

mod common;

use std::fs;
use std::io::Read;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use common::{Reaction, double, figures, stderr};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::NamedTempFile;

const EMPTY: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const BUSY: &str = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";
/// For what must happen, on a machine that may have much else to do.
const PATIENCE: Duration = Duration::from_mins(1);

#[test]
fn several_processes_are_one_load() {
    // Number 0 is the probe's.
    let address =
        double(|number| Reaction::Send(if (30..37).contains(&number) { BUSY } else { EMPTY }));
    let (output, figures) =
        figures(address, &["--connections", "7", "--generators", "3", "--duration", "1s"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!((&figures["connected"], &figures["established"]), (&json!(7), &json!(7)));
    assert_eq!(figures["errors"], json!({ "status_503": 7 }), "{figures}");
    let requests = figures["requests"].as_u64().expect("requests");
    let seconds = figures["timeline"].as_array().expect("a timeline");
    let answers: u64 = seconds.iter().filter_map(|second| second["answers"].as_u64()).sum();
    assert!(requests > 0 && answers == requests, "{figures}");
}

#[test]
fn several_processes_share_the_schedule_of_one() {
    let address = double(|_| Reaction::Send(EMPTY));
    let options = ["--rate", "100", "--generators", "3", "--connections", "7", "--duration", "1s"];
    let (output, figures) = figures(address, &options);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(figures["requests_timed"], 100, "{figures}");
}

#[test]
fn where_one_process_has_too_few_descriptors_there_are_several() {
    let address = double(|_| Reaction::Send(EMPTY));
    let figures = NamedTempFile::new().expect("a file");
    // 64 are kept for other things, so a process has 46 connections.
    let script = format!(
        "ulimit -n 110 && exec {} run --connections 120 --duration 500ms --json {} http://{address}/",
        env!("CARGO_BIN_EXE_loadtest"),
        figures.path().display()
    );
    let output = Command::new("sh").args(["-c", &script]).output().expect("a shell");
    assert!(output.status.success(), "{}", stderr(&output));
    let figures: Value =
        serde_json::from_slice(&fs::read(figures.path()).expect("figures")).expect("JSON");
    assert_eq!(figures["connected"], 120, "{figures}");
    assert_eq!(figures["errors"], json!({}), "{figures}");
}

#[test]
fn a_process_that_dies_fails_the_run_and_leaves_no_other_behind() {
    let (mut running, busy) = run_for_an_hour(&["--generators", "2", "--connections", "4"]);
    busy.recv_timeout(PATIENCE).expect("they ask");
    let generators = running.children();
    assert_eq!(generators.len(), 2, "{generators:?}");
    kill(generators[0], Signal::KILL);
    let (code, said) = running.end();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("a generator ended") && said.lines().count() == 1, "{said}");
    assert!(!is_there(generators[1]), "the other one has gone with it");
}

#[test]
fn an_interrupt_ends_a_run_with_what_was_measured() {
    for (signal, more) in [
        (Signal::INT, &["--connections", "4"][..]),
        (Signal::TERM, &["--connections", "4"]),
        (Signal::INT, &["--connections", "4", "--generators", "2"]),
        (Signal::INT, &["--connections", "4", "--rate", "1000"]),
    ] {
        let (mut running, busy) = run_for_an_hour(more);
        busy.recv_timeout(PATIENCE).expect("they ask");
        kill(running.pid(), signal);
        let (code, said) = running.end();
        assert_eq!(code, Some(130), "{more:?}: {said}");
        let figures = running.figures();
        assert_eq!(figures["interrupted"], true, "{figures}");
        assert!(figures["requests"].as_u64() > Some(0), "{figures}");
        let window = figures["window_seconds"].as_f64().expect("a window");
        assert!(0.0 < window && window < 3600.0, "{figures}");
    }
}

#[test]
fn an_interrupt_ends_a_run_that_has_not_begun() {
    // The probe is answered, and the second user; the first never connects.
    let address = double(|number| match number {
        1 => Reaction::Silence,
        _ => Reaction::Send(EMPTY),
    });
    let mut running = Running::start(address, &["--connections", "2", "--connect-timeout", "1h"]);
    let deadline = Instant::now() + PATIENCE;
    // It is interrupted when both have connected, as the kernel sees it.
    while established(address) < 2 {
        assert!(Instant::now() < deadline, "they connect");
        std::thread::yield_now();
    }
    kill(running.pid(), Signal::INT);
    let (code, said) = running.end();
    assert_eq!(code, Some(130), "{said}");
    assert_eq!(running.figures()["requests"], 0);
}

/// A `loadtest run` that is under way.
struct Running {
    child: Child,
    figures: NamedTempFile,
}

/// One that would take an hour; something can be received once it has measured.
fn run_for_an_hour(options: &[&str]) -> (Running, Receiver<()>) {
    let (many, busy) = mpsc::channel();
    let address = double(move |number| {
        if number == 500 {
            // A test that has failed does not listen.
            let _ = many.send(());
        }
        Reaction::Send(EMPTY)
    });
    (Running::start(address, options), busy)
}

impl Running {
    fn start(address: SocketAddr, options: &[&str]) -> Self {
        let figures = NamedTempFile::new().expect("a file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_loadtest"));
        command.args(["run", &format!("http://{address}/"), "--duration", "1h"]);
        command.args(["--warm-up", "0s"]).args(options).arg("--json").arg(figures.path());
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        Self { child: command.spawn().expect("it runs"), figures }
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a process id")
    }

    fn children(&self) -> Vec<i32> {
        let pid = self.pid();
        let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let pids = text.expect("a running process");
        pids.split_whitespace().map(|pid| pid.parse().expect("a process id")).collect()
    }

    /// Its exit code, and its complaints but for warnings.
    fn end(&mut self) -> (Option<i32>, String) {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                break status;
            }
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        };
        let mut said = String::new();
        let stderr = self.child.stderr.as_mut().expect("a pipe");
        stderr.read_to_string(&mut said).expect("UTF-8");
        let complaints = said.lines().filter(|line| line.starts_with("loadtest: "));
        (status.code(), complaints.collect::<Vec<_>>().join("\n"))
    }

    fn figures(&self) -> Value {
        let text = fs::read(self.figures.path()).expect("figures");
        serde_json::from_slice(&text).expect("JSON")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn kill(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).expect("a process id"), signal).expect("it is there");
}

/// Whether there is such a process that has not ended.
fn is_there(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

/// How many connections to this address are established.
fn established(address: SocketAddr) -> usize {
    let table = procfs::net::tcp().expect("/proc/net/tcp");
    let to = table.iter().filter(|entry| entry.remote_address == address);
    to.filter(|entry| entry.state == procfs::net::TcpState::Established).count()
}
