//! `loadtest stage` and `loadtest swap`: what can be asked, what is refused, and what goes wrong.

mod common;

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use common::stage::{Stage, ask, eventually, fails, is_gone, value};
use common::{loadtest, programs, stderr};
use rustix::process::Pid;
use tempfile::TempDir;

const GET: &str = "GET /bytes/5 HTTP/1.0\r\n\r\n";

/// A folder with `loadtest`, a real `server-tokio`, and these scripts beside them.
fn with_scripts(servers: &[(&str, &str)]) -> (TempDir, PathBuf) {
    let (folder, program) = programs(servers);
    let real = Path::new(env!("CARGO_BIN_EXE_loadtest")).with_file_name("server-tokio");
    symlink(real, folder.path().join("server-tokio")).expect("a link");
    (folder, program)
}

#[test]
fn options_are_the_servers_and_some_are_one_servers_alone() {
    let mut stage = Stage::start(&["may", "--", "--workers", "1", "--max-connections", "77"]);
    assert_eq!(value(&stage.said, "max_connections"), "77");
    let output = stage.swap(&["tokio", "--", "--codec", "http1"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let line = stage.says("backend=tokio");
    assert_eq!((value(&line, "max_connections"), value(&line, "workers")), ("77", "1"));
    let status = stage.status();
    assert_eq!(status["options"], serde_json::json!(["--codec", "http1"]));
    let said = String::from_utf8_lossy(&stage.swap(&[]).stdout).into_owned();
    let address = stage.address.to_string();
    assert!(said.starts_with("tokio --codec http1 serves ") && said.contains(&address), "{said}");
    // What one was given, the next is not.
    stage.swap_to("mio");
    assert_eq!(stage.status()["options"], serde_json::json!([]));
}

#[test]
fn an_open_descriptor_is_not_taken_for_the_socket() {
    let mut command = Command::new("sh");
    let program = env!("CARGO_BIN_EXE_loadtest");
    command.args(["-c", "exec \"$0\" stage mio 3</dev/null 4</dev/null", program]);
    let stage = Stage::start_as(command);
    assert_eq!(ask(stage.address, GET).0, 200);
    stage.swap_to("threads");
}

#[test]
fn a_backend_that_is_none_is_named_beside_the_five() {
    let five = ["threads", "mio", "may", "actix", "tokio"];
    for command in ["stage", "swap"] {
        let refused = loadtest(&[command, "nginx"]);
        let said = stderr(&refused);
        assert_eq!((refused.status.code(), said.lines().count()), (Some(2), 1), "{said}");
        assert!(five.iter().all(|name| said.contains(name)) && said.contains("nginx"), "{said}");
    }
    let stage = Stage::start(&["mio"]);
    let (status, said) = ask(stage.control, "POST /swap/nginx HTTP/1.0\r\n\r\n");
    assert_eq!(status, 404, "{said}");
    assert!(five.iter().all(|name| said.contains(name)) && said.contains("nginx"), "{said}");
    assert_eq!(stage.serves(), "mio");
}

#[test]
fn what_is_not_for_the_servers_is_refused() {
    for command in ["stage", "swap"] {
        let refused = loadtest(&[command, "mio", "--", "--admin", "127.0.0.1:0"]);
        assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
        assert!(stderr(&refused).contains("--admin: each backend has one"), "{}", stderr(&refused));
    }
    let stage = Stage::start(&["mio"]);
    for (content, words) in [("[\"--listen\"]", "--listen"), ("--workers 2", "JSON array")] {
        let length = content.len();
        let head = format!("POST /swap/may HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{content}");
        let (status, said) = ask(stage.control, &head);
        assert!(status == 400 && said.contains(words), "{status} {said}");
    }
    let page = "POST /swap/may HTTP/1.0\r\nOrigin: http://a.example\r\n\r\n";
    assert_eq!(ask(stage.control, page).0, 403);
    assert_eq!(ask(stage.control, "GET /swap HTTP/1.0\r\n\r\n").0, 404);
    assert_eq!(stage.status()["swaps"], 0);
}

#[test]
fn an_address_in_use_is_named() {
    let stage = Stage::start(&["mio"]);
    let program = Path::new(env!("CARGO_BIN_EXE_loadtest"));
    for (option, address) in [("--listen", stage.address), ("--control", stage.control)] {
        let (code, said) = fails(program, &["mio", option, &address.to_string()]);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(option) && said.contains(&address.to_string()), "{said}");
    }
}

#[test]
fn without_a_stage_a_swap_says_how_to_have_one() {
    let refused = loadtest(&["swap", "mio", "--control", "127.0.0.1:1"]);
    assert_eq!(refused.status.code(), Some(3));
    let said = stderr(&refused);
    assert!(said.contains("127.0.0.1:1") && said.contains("loadtest stage"), "{said}");
}

#[test]
fn a_backend_that_does_not_start_leaves_the_one_before_where_it_is() {
    let (_folder, program) = with_scripts(&[
        ("server-mio", "echo 'error: no luck today' >&2; exit 3"),
        ("server-may", "echo 'INFO listening address=127.0.0.1:9 admin=127.0.0.1:9' >&2; sleep 60"),
    ]);
    let stage = Stage::start_in(&program, &["tokio"]);
    let server = stage.server();
    for (backend, words) in [
        ("mio", ["exit status: 3", "no luck today"]),
        ("may", ["neither took the stage's socket", "127.0.0.1:9"]),
        ("actix", ["there is no", "server-actix; build it: cargo build"]),
    ] {
        let refused = stage.swap(&[backend]);
        let said = stderr(&refused);
        assert_eq!((refused.status.code(), said.lines().count()), (Some(1), 1), "{said}");
        assert!(said.contains(&format!("{backend} did not start, and tokio goes on")), "{said}");
        assert!(words.iter().all(|word| said.contains(word)), "{said}");
        assert_eq!((stage.serves().as_str(), stage.server()), ("tokio", server));
    }
    let (code, said) = fails(&program, &["mio"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("mio did not start: ") && said.contains("no luck today"), "{said}");
}

#[test]
fn a_backend_that_is_not_ready_in_time_is_ended() {
    let (folder, program) = with_scripts(&[(
        "server-mio",
        "echo $$ > \"$(dirname \"$0\")/pid\"; echo 'still thinking' >&2; sleep 60",
    )]);
    let stage = Stage::start_in(&program, &["tokio", "--start-timeout", "6s"]);
    let refused = thread::scope(|scope| {
        let swap = scope.spawn(|| stage.swap(&["mio"]));
        eventually("a swap under way", || (stage.status()["swapping_to"] == "mio").then_some(()));
        // One at a time.
        let (status, said) = ask(stage.control, "POST /swap/tokio HTTP/1.0\r\n\r\n");
        assert!(status == 409 && said.contains("a swap to mio is under way"), "{status} {said}");
        assert_eq!(stage.serves(), "tokio");
        swap.join().expect("it ends")
    });
    let said = stderr(&refused);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("not ready within 6s") && said.contains("still thinking"), "{said}");
    let pid = std::fs::read_to_string(folder.path().join("pid")).expect("it was started");
    let pid = pid.trim().parse().ok().and_then(Pid::from_raw);
    is_gone(pid.expect("a process"));
    assert_eq!(stage.serves(), "tokio");
}

#[test]
fn the_control_address_says_who_serves_while_others_do() {
    let stage = Stage::start(&["actix"]);
    let status = stage.status();
    assert_eq!(common::keys(&status).len(), 7, "{status}");
    assert_eq!((&status["backend"], &status["swapping_to"]), (&"actix".into(), &().into()));
    let admin = status["admin"].as_str().expect("an address").parse().expect("an address");
    assert_eq!(ask(admin, "GET /healthz HTTP/1.0\r\n\r\n").0, 200);
}
