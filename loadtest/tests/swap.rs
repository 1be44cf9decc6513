//! Swaps under load: whoever asks is answered, whichever backend goes and whichever comes.

mod common;

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;

use common::stage::{Stage, ended};
use common::stderr;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::NamedTempFile;

const BACKENDS: [&str; 5] = ["threads", "mio", "may", "actix", "tokio"];

#[test]
fn all_pairs_swap_under_64_connections() {
    walk(64);
}

#[test]
fn all_pairs_swap_under_1000_connections() {
    walk(1_000);
}

/// Swaps each backend for each other while so many connections ask all the time.
fn walk(connections: usize) {
    let tour = tour();
    let stage = Stage::start(&[tour[0]]);
    let count = connections.to_string();
    let load = Load::start(&stage, &["--connections", &count, "--duration", "1h"]);
    for backend in &tour[1..] {
        stage.is_connected(connections);
        stage.swap_to(backend);
    }
    stage.is_connected(connections);
    let figures = load.interrupt();
    assert_eq!(figures["errors"], json!({}), "{figures}");
    assert_eq!(figures["lost"], 0, "{figures}");
    assert!(figures["requests"].as_u64() > Some(connections as u64), "{figures}");
    assert_eq!(stage.status()["swaps"], tour.len() - 1);
}

#[test]
fn a_backend_with_options_of_its_own_swaps_like_others() {
    let stage = Stage::start(&["tokio"]);
    let load = Load::start(&stage, &["--connections", "64", "--duration", "1h"]);
    for backend in BACKENDS {
        stage.is_connected(64);
        let output = stage.swap(&["tokio", "--", "--codec", "http1"]);
        assert!(output.status.success(), "{}", stderr(&output));
        assert_eq!(stage.status()["options"], json!(["--codec", "http1"]));
        stage.is_connected(64);
        stage.swap_to(backend);
    }
    let figures = load.interrupt();
    assert_eq!(figures["errors"], json!({}), "{figures}");
}

/// A way that leads from each backend to each other once.
fn tour() -> Vec<&'static str> {
    let count = BACKENDS.len();
    let mut left = [[true; BACKENDS.len()]; BACKENDS.len()];
    let mut tour = vec![0];
    // Steps of the same length lead round, and each round begins where the one before ended.
    for step in 1..count {
        for _ in 0..count {
            let here = tour[tour.len() - 1];
            let next = (here + step) % count;
            assert!(std::mem::take(&mut left[here][next]), "once only");
            tour.push(next);
        }
    }
    assert_eq!(tour.len(), count * (count - 1) + 1);
    tour.into_iter().map(|index| BACKENDS[index]).collect()
}

#[test]
fn a_swap_in_the_first_second_of_a_load_loses_nothing() {
    let stage = Stage::start(&["mio"]);
    // From the first connection to the last answer.
    let options = ["--connections", "1000", "--duration", "1s", "--warm-up", "0s"];
    let mut load = Load::start(&stage, &options);
    for backend in BACKENDS.iter().cycle() {
        if load.has_ended() {
            break;
        }
        stage.swap_to(backend);
    }
    let figures = load.figures();
    assert_eq!(figures["errors"], json!({}), "{figures}");
    assert_eq!(figures["connected"], 1_000, "{figures}");
}

#[test]
fn who_waits_for_the_start_while_a_swap_comes_connects_anew() {
    thread::scope(|scope| {
        BACKENDS.map(|backend| scope.spawn(|| swap_in_the_ramp(backend))).map(drop)
    });
}

/// Swaps before a load has started, when those who connected first have been idle for longer than the
/// second of grace; until that was in time.
fn swap_in_the_ramp(backend: &str) {
    let stage = Stage::start(&[backend]);
    for next in BACKENDS.iter().cycle().take(10) {
        let options = ["--connections", "50", "--ramp", "5s", "--duration", "500ms"];
        let load = Load::start(&stage, &options);
        stage.is_connected(10);
        stage.swap_to(next);
        let figures = load.figures();
        assert_eq!(figures["errors"], json!({}), "{backend}: {figures}");
        if figures["reconnects"].as_u64() > Some(0) {
            return;
        }
    }
    panic!("{backend}: nobody was idle when it ended");
}

#[test]
fn connections_that_are_held_come_back_and_no_request_fails() {
    let stage = Stage::start(&["threads"]);
    let options = ["--connections", "50", "--active", "5", "--duration", "1h"];
    let load = Load::start(&stage, &options);
    stage.is_connected(50);
    stage.swap_to("may");
    stage.is_connected(50);
    let figures = load.interrupt();
    assert_eq!(figures["errors"], json!({}), "{figures}");
    assert!(figures["reconnects"].as_u64() >= Some(45), "{figures}");
}

#[test]
fn a_body_on_its_way_arrives_where_it_began_to() {
    let stage = Stage::start(&["actix"]);
    let body = NamedTempFile::new().expect("a file");
    fs::write(&body, vec![b'x'; 100 * 1024]).expect("a body");
    let path = body.path().to_str().expect("UTF-8");
    let options = ["--connections", "64", "--duration", "1h", "--body", path, "--echo"];
    let load = Load::start(&stage, &options);
    for backend in BACKENDS {
        stage.is_connected(64);
        stage.swap_to(backend);
    }
    let figures = load.interrupt();
    assert_eq!(figures["errors"], json!({}), "{figures}");
}

/// A running `loadtest run`.
struct Load {
    child: Child,
    figures: NamedTempFile,
}

impl Load {
    fn start(stage: &Stage, options: &[&str]) -> Self {
        let figures = NamedTempFile::new().expect("a file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_loadtest"));
        command.args(["run", &format!("http://{}/echo", stage.address)]).args(options);
        command.arg("--json").arg(figures.path()).stdout(Stdio::null()).stderr(Stdio::null());
        Self { child: command.spawn().expect("it starts"), figures }
    }

    fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child of ours").is_some()
    }

    /// Ends it early; what it found until then.
    fn interrupt(self) -> Value {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a process"), Signal::INT).expect("it runs");
        self.figures()
    }

    /// What it found, when it has ended.
    fn figures(mut self) -> Value {
        ended(&mut self.child);
        let text = fs::read(&self.figures).expect("figures");
        serde_json::from_slice(&text).expect("JSON")
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
