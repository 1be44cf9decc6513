//! Rows that are not ours: programs that the lab starts, and servers that run elsewhere.

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};
use std::thread;
use std::time::Instant;

use common::{loadtest, results, stderr};
use serde_json::Value;

/// Long enough for an answer on a machine that is busy with other tests.
const TIME: [&str; 4] = ["--duration", "1s", "--warm-up", "50ms"];

fn compare(folder: &Path, arguments: &[&str]) -> Output {
    let out = folder.join("out");
    let out = ["compare", "--out", out.to_str().expect("UTF-8")];
    loadtest(&[&out[..], &TIME, arguments].concat())
}

/// The cells of the comparison that was left in this folder.
fn cells(folder: &Path) -> Vec<Value> {
    results(&folder.join("out"))["cells"].as_array().expect("cells").clone()
}

/// A program that serves in a process of its own, and leaves behind where it did.
fn parent_of_a_server(folder: &Path) -> String {
    let program = folder.join("serve");
    let (loadtest, port) = (env!("CARGO_BIN_EXE_loadtest"), folder.join("port"));
    let script =
        format!("echo $1 >{}\n{loadtest} floor --listen 127.0.0.1:$1\ntrue\n", port.display());
    fs::write(&program, script).expect("a script");
    format!("mine=sh '{}' {{port}}", program.display())
}

#[test]
fn a_peer_is_a_row_and_its_processes_are_sampled_as_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let peer = parent_of_a_server(folder.path());
    let output =
        compare(folder.path(), &["--backends", "floor", "--connections", "2", "--peer", &peer]);
    assert!(output.status.success(), "{}", stderr(&output));

    let cells = cells(folder.path());
    let of = |name: &str| cells.iter().find(|cell| cell["backend"] == name).expect("a cell");
    assert!(of("mine")["requests"].as_u64() > Some(0), "{}", of("mine"));
    assert_eq!(of("mine")["errors"], serde_json::json!({}), "{}", of("mine"));
    // The shell waits; what is used is used by what it started.
    assert!(of("mine")["server_cpu_us_per_request"].as_f64() > Some(0.0), "{}", of("mine"));
    assert_eq!(of("mine")["threads"], 2, "{}", of("mine"));
    assert_eq!(of("floor")["threads"], 1, "{}", of("floor"));
    let port = fs::read_to_string(folder.path().join("port")).expect("it was started");
    let address = format!("127.0.0.1:{}", port.trim());
    TcpStream::connect(address).expect_err("what a peer started ends with the cell");
}

#[test]
fn a_peer_that_ends_at_once_fails_its_cell_with_its_last_words() {
    let folder = tempfile::tempdir().expect("a folder");
    let peer = "mine=sh -c 'echo no luck on {port} today >&2; exit 3'";
    let output =
        compare(folder.path(), &["--backends", "floor", "--connections", "2", "--peer", peer]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let cells = cells(folder.path());
    let failed = cells.iter().find(|cell| cell["backend"] == "mine").expect("a cell");
    let failure = failed["failure"].as_str().unwrap_or_default();
    assert!(failure.contains("no luck on ") && failure.contains(" today"), "{failure}");
}

#[test]
fn an_experiments_peers_have_their_files_filled_in() {
    let folder = tempfile::tempdir().expect("a folder");
    let script =
        format!("exec {} floor --listen 127.0.0.1:{{port}}\n", env!("CARGO_BIN_EXE_loadtest"));
    fs::write(folder.path().join("serve.sh"), script).expect("a template");
    let experiment = folder.path().join("mine.toml");
    let text = "backends = []\nconnections = [2]\nshapes = [\"closed\"]\n\
                [[peers]]\nname = \"mine\"\ncommand = \"sh {dir}/serve.sh\"\n\
                templates = [\"serve.sh\"]\nscenarios = [\"echo\"]\n";
    fs::write(&experiment, text).expect("an experiment");
    let experiment = experiment.to_str().expect("UTF-8");
    let output = compare(folder.path(), &["--experiment", experiment, "--scenarios", "echo,delay"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let cells = cells(folder.path());
    let asked: Vec<_> = cells.iter().map(|cell| (&cell["backend"], &cell["scenario"])).collect();
    assert_eq!(asked, [(&"mine".into(), &"echo".into())], "it is asked what it has answers to");
    assert!(cells[0]["requests"].as_u64() > Some(0), "{}", cells[0]);
}

#[test]
fn nginx_is_ready_made() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = compare(
        folder.path(),
        &[
            "--backends",
            "floor",
            "--connections",
            "2",
            "--peer",
            "nginx",
            "--scenarios",
            "echo,proxy",
        ],
    );
    assert!(output.status.success(), "nginx must be installed: {}", stderr(&output));
    let said = &results(&folder.path().join("out"))["environment"]["servers"]["nginx"];
    assert_eq!(said, "nginx -p {dir} -e stderr -c {dir}/nginx.conf", "no path of this machine");
    let cells = cells(folder.path());
    for scenario in ["echo", "proxy"] {
        let is_it = |cell: &&Value| cell["backend"] == "nginx" && cell["scenario"] == scenario;
        let cell = cells.iter().find(is_it).expect("a cell");
        assert!(cell["requests"].as_u64() > Some(0), "{cell}");
        assert_eq!(cell["errors"], serde_json::json!({}), "{cell}");
        assert!(cell["threads"].as_u64() >= Some(2), "a master and a worker: {cell}");
    }
}

/// A server that answers any request but for its figures with an empty 200, and says that it uses a
/// quarter of a core.
fn far_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let began = Instant::now();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || serve(&stream, began));
        }
    });
    address
}

fn serve(stream: &TcpStream, began: Instant) {
    let (mut reader, mut writer) = (BufReader::new(stream), stream);
    loop {
        let (mut first, mut line) = (String::new(), String::new());
        if reader.read_line(&mut first).unwrap_or(0) == 0 {
            return;
        }
        while line != "\r\n" {
            line.clear();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
        }
        let is_asked_for_figures = first.starts_with("GET /metrics ");
        let answer = if is_asked_for_figures {
            let cpu = 1000.0 + 0.25 * began.elapsed().as_secs_f64();
            format!(
                "HTTP/1.1 200 OK\r\n\r\nprocess_cpu_seconds_total {cpu}\n\
                 process_resident_memory_bytes 4096000\nprocess_threads 7\nprocess_open_fds 12\n"
            )
        } else {
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned()
        };
        if writer.write_all(answer.as_bytes()).is_err() || is_asked_for_figures {
            return;
        }
    }
}

#[test]
fn a_target_is_a_row_and_says_itself_what_it_uses() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = format!("far=http://{}", far_server());
    let output = compare(
        folder.path(),
        &[
            "--backends",
            "floor",
            "--connections",
            "2",
            "--target",
            &target,
            "--scenarios",
            "echo,proxy",
        ],
    );
    assert!(output.status.success(), "{}", stderr(&output));
    let cells = cells(folder.path());
    let far: Vec<&Value> = cells.iter().filter(|cell| cell["backend"] == "far").collect();
    let [cell] = far[..] else { panic!("one cell: it has no upstream of ours: {far:?}") };
    assert!(cell["requests"].as_u64() > Some(0), "{cell}");
    let number = |key: &str| cell[key].as_f64().unwrap_or_else(|| panic!("no {key}: {cell}"));
    // Its clock and ours go at one speed, whatever the machine is busy with meanwhile; but an
    // answer that says what time it is takes some to come.
    let used = number("server_utilisation");
    assert!((0.1..0.6).contains(&used), "{cell}");
    let of_requests = number("server_cpu_us_per_request") * number("requests_per_second") / 1e6;
    assert!((of_requests / used - 1.0).abs() < 1e-6, "{cell}");
    assert_eq!(cell["memory_is"], "rss");
    assert_eq!(cell["held_memory_kib"], 4000);
    assert_eq!((&cell["threads"], &cell["open_files"]), (&7.into(), &12.into()));
    assert_eq!(cell["held_kernel_kib"], Value::Null, "that of this machine is not its");
    assert_eq!(cell["voluntary_switches_per_request"], Value::Null);
}

#[test]
fn targets_of_the_environment_are_the_rows_where_none_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let targets = format!(" mio=http://{} far=http://{}\n", far_server(), far_server());
    let compare = |out: &str, rows: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_loadtest"));
        command.current_dir(folder.path()).env("FIVE_TARGETS", &targets);
        command.args(["compare", "--connections", "2", "--out", out]).args(TIME).args(rows);
        let output = command.output().expect("it runs");
        assert!(output.status.success(), "{}", stderr(&output));
        let results = results(&folder.path().join(out));
        let cells = results["cells"].as_array().expect("cells").iter();
        let mut names: Vec<String> = cells.map(|cell| cell["backend"].to_string()).collect();
        names.sort_unstable();
        (names, stderr(&output))
    };
    let (names, said) = compare("all", &[]);
    assert_eq!(names, ["\"far\"", "\"mio\""]);
    assert!(said.contains("servers elsewhere"), "{said}");
    assert_eq!(compare("one", &["--backends", "floor"]).0, ["\"floor\""]);
}

#[test]
fn targets_of_the_environment_that_make_no_sense_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadtest"));
    command.current_dir(folder.path()).arg("compare").env("FIVE_TARGETS", "mio");
    let output = command.output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert!(said.starts_with("loadtest: FIVE_TARGETS mio: write name=URL"), "{said}");
}

#[test]
fn a_row_that_makes_no_sense_is_refused_before_anything_is_measured() {
    let folder = tempfile::tempdir().expect("a folder");
    for (arguments, wanted) in [
        (["--peer", "mine=serve"], "{port}"),
        (["--peer", "caddy"], "ready-made is only nginx"),
        (["--peer", "mio=serve {port}"], "the name of a backend"),
        (["--target", "far=localhost"], "http://10.0.0.2:8080"),
        (["--null", "nginx"], "expected one of threads, mio"),
        (["--shapes", "open 50%"], "\"closed\" beside it"),
        (["--experiment", "quik"], "one of glance, quick, thorough, c10k"),
    ] {
        let output = compare(folder.path(), &arguments);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains(wanted), "{said}");
        assert!(!folder.path().join("out").exists(), "{arguments:?}");
    }
}
