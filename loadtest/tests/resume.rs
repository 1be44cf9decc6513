//! A comparison that is interrupted leaves what it has, and goes on from there; a ladder ends where
//! a server does.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::{Reaction, compare, double, programs, results, stderr};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// How long a machine that is busy with other tests may take for a few cells.
const PATIENCE: Duration = Duration::from_mins(2);
const CELLS: usize = 8;

fn begin(out: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadtest"));
    command.args(["compare", "--backends", "floor", "--connections", "1,2", "--rounds", "4"]);
    command.args(["--duration", "300ms", "--warm-up", "50ms"]).arg("--out").arg(out);
    // No repository: somebody may commit to that of this file meanwhile.
    command.current_dir(std::env::temp_dir());
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts")
}

fn go_on(out: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadtest"));
    command.args(["compare", "--resume"]).arg(out).current_dir(std::env::temp_dir());
    command.output().expect("it runs")
}

/// Waits until so many lines are on disk.
fn wait_for_lines(path: &Path, wanted: usize) {
    let began = Instant::now();
    let lines = || fs::read_to_string(path).map_or(0, |text| text.matches('\n').count());
    while lines() < wanted {
        assert!(began.elapsed() < PATIENCE, "{wanted} lines in {}", path.display());
        thread::sleep(Duration::from_millis(5));
    }
}

fn keys_of_cells(results: &Value) -> Vec<(u64, u64)> {
    let cells = results["cells"].as_array().expect("cells").iter();
    let number = |value: &Value| value.as_u64().expect("a number");
    cells.map(|cell| (number(&cell["round"]), number(&cell["connections"]))).collect()
}

#[test]
fn an_interrupted_comparison_leaves_what_is_done_and_goes_on_with_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (out, journal) = (folder.path().join("out"), folder.path().join("out/cells.jsonl"));
    let mut running = begin(&out);
    // A line for what was asked for, and one for each cell.
    wait_for_lines(&journal, 3);
    let pid = i32::try_from(running.id()).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(pid, Signal::INT).expect("it runs");
    assert_eq!(running.wait().expect("it ends").code(), Some(130));

    let first = results(&out);
    let done = keys_of_cells(&first);
    assert!((2..CELLS).contains(&done.len()), "{done:?}");
    assert_eq!(first["complete"], false);
    assert!(out.join("report.html").is_file());
    assert!(journal.is_file());

    let again = go_on(&out);
    assert!(again.status.success(), "{}", stderr(&again));
    let second = results(&out);
    assert_eq!(second["complete"], true);
    assert_eq!(second["experiment"], first["experiment"], "with the seed of the first");
    let cells = |results: &Value| results["cells"].as_array().expect("cells").clone();
    assert_eq!(cells(&second)[..done.len()], cells(&first)[..], "what was done stays");
    let mut all = keys_of_cells(&second);
    all.sort_unstable();
    let wanted: Vec<(u64, u64)> = (1..=4).flat_map(|round| [(round, 1), (round, 2)]).collect();
    assert_eq!(all, wanted, "every cell of every round, once");
    assert!(!journal.exists(), "nothing is left to go on with");

    let third = go_on(&out);
    let said = stderr(&third);
    assert_eq!(third.status.code(), Some(2), "{said}");
    assert!(said.contains("is complete"), "{said}");
}

#[test]
fn a_comparison_is_gone_on_with_only_where_it_was_begun() {
    let folder = tempfile::tempdir().expect("a folder");
    let (out, journal) = (folder.path().join("out"), folder.path().join("out/cells.jsonl"));
    let mut running = begin(&out);
    wait_for_lines(&journal, 2);
    running.kill().expect("it runs");
    running.wait().expect("it ends");
    let text = fs::read_to_string(&journal).expect("a journal");
    let kernel = "\"kernel\":\"";
    assert!(text.contains(kernel), "{text}");
    fs::write(&journal, text.replace(kernel, "\"kernel\":\"not-")).expect("a journal");

    let again = go_on(&out);
    let said = stderr(&again);
    assert_eq!(again.status.code(), Some(2), "{said}");
    assert!(said.contains("--resume") && said.contains("kernel not-"), "{said}");
}

/// A server that stands on a double, and says that it serves eight at most.
fn small_server() -> String {
    let seats = double(|_| Reaction::Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    format!(
        "echo 'INFO listening address={seats} max_connections=8 \
         bounded_by=\"RLIMIT_NOFILE 72\"' >&2; exec sleep 60"
    )
}

#[test]
fn a_limit_is_called_by_the_name_that_the_server_gives_it() {
    let (folder, program) = programs(&[("server-mio", &small_server())]);
    let cells = ["--backends", "mio", "--connections", "2,9", "--out", "out"];
    let output = compare(&program, folder.path(), &cells);
    assert!(output.status.success(), "{}", stderr(&output));
    let results = results(&folder.path().join("out"));
    let limit = |connections: u64| {
        let cells = results["cells"].as_array().expect("cells").iter();
        let mut of = cells.filter(|cell| cell["connections"] == connections);
        of.next().expect("a cell")["limit"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(limit(9), "server: 8 connections by RLIMIT_NOFILE 72");
    assert!(!limit(2).contains("connections by"), "{}", limit(2));
}

#[test]
fn a_ladder_ends_where_the_server_does() {
    const DEAR: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
    const RIGHT: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    // The probe and two connections are answered, then no more: a server with two seats.
    let address = double(|number| Reaction::Send(if number < 3 { RIGHT } else { DEAR }));
    let script = format!("echo 'INFO listening address={address}' >&2; exec sleep 60");
    let (folder, program) = programs(&[("server-mio", &script)]);
    let mut command = Command::new(&program);
    command.current_dir(folder.path()).arg("c10k");
    command.args(["--backends", "mio", "--connections", "4,8", "--shapes", "closed"]);
    command.args(["--duration", "200ms", "--connect-timeout", "1s", "--out", "out"]);
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{}", stderr(&output));

    let results = results(&folder.path().join("out"));
    let cells = results["cells"].as_array().expect("cells").iter();
    let rungs: Vec<_> = cells.filter(|cell| cell["backend"] == "mio").collect();
    let [rung] = rungs[..] else { panic!("it stops at the first: {rungs:?}") };
    assert_eq!((&rung["connections"], &rung["connected"]), (&4.into(), &2.into()));
    assert_eq!(results["complete"], true);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("2 of 4 connections answered"), "{said}");
}

#[test]
fn a_ladder_that_somebody_never_gets_on_has_failed() {
    let (folder, program) = programs(&[]);
    let mut command = Command::new(&program);
    command.current_dir(folder.path()).arg("c10k");
    command.args(["--backends", "mio", "--connections", "1,2", "--shapes", "closed"]);
    command.args(["--duration", "200ms", "--out", "out"]);
    let output = command.output().expect("it runs");
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("\nmio: 0 connections; of 1 it was stopped by: can't start "), "{said}");
}
