//! The scenarios that forward, with a pipe that stands in for the servers.

mod common;

use std::fs;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;

use common::{Reaction, compare, double, programs, results, stderr};
use serde_json::Value;

/// A program that keeps its arguments in a file beside it, and says that it listens there.
fn stand_in(address: SocketAddr) -> String {
    format!(
        "echo \"$@\" > \"$(dirname \"$0\")/arguments\"\n\
         echo 'INFO listening address={address}' >&2\n\
         exec sleep 60"
    )
}

/// Passes the bytes of every connection on to the upstream that a stand-in in the folder `from`
/// was told of: what all servers do between heads, and enough for an upstream that reads none.
fn pipe(listener: TcpListener, from: PathBuf) {
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let upstream = TcpStream::connect(told_upstream(&from)).expect("an upstream");
            for (mut source, mut sink) in [
                (client.try_clone().expect("a clone"), upstream.try_clone().expect("a clone")),
                (upstream, client),
            ] {
                thread::spawn(move || {
                    // Either side may end it.
                    let _ = io::copy(&mut source, &mut sink);
                    let _ = sink.shutdown(Shutdown::Write);
                });
            }
        }
    });
}

fn arguments(folder: &Path) -> Vec<String> {
    let text = fs::read_to_string(folder.join("arguments")).expect("a server was started");
    text.split_whitespace().map(str::to_owned).collect()
}

fn told_upstream(folder: &Path) -> SocketAddr {
    let arguments = arguments(folder);
    let url = arguments.iter().skip_while(|argument| *argument != "--upstream").nth(1);
    let address = url.and_then(|url| url.strip_prefix("http://")).expect("an http: URL");
    address.parse().expect("an address")
}

/// The only cell of a comparison that goes through the pipe, and the upstream it had.
fn cell(scenario: &str) -> (Value, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let (folder, program) = programs(&[("server-mio", &stand_in(address))]);
    pipe(listener, folder.path().to_owned());
    let what = ["--backends", "mio", "--connections", "3", "--scenarios", scenario];
    let options = [&what[..], &["--out", "out"]].concat();
    let output = compare(&program, folder.path(), &options);
    assert!(output.status.success(), "{}", stderr(&output));
    let results = results(&folder.path().join("out"));
    (results["cells"][0].clone(), told_upstream(folder.path()))
}

#[test]
fn what_the_upstream_answers_comes_back_and_its_cpu_is_not_the_servers() {
    let (cell, upstream) = cell("proxy");
    assert!(cell["requests"].as_u64() > Some(0), "{cell}");
    assert_eq!(cell["errors"], serde_json::json!({}), "{cell}");
    assert!(cell["upstream_utilisation"].as_f64() > Some(0.0), "{cell}");
    // The stand-in sleeps: whatever is counted against it was spent by others.
    assert_eq!(cell["server_utilisation"].as_f64(), Some(0.0), "{cell}");
    TcpStream::connect(upstream).expect_err("the upstream has ended with the cell");
}

#[test]
fn a_slow_upstream_takes_its_20_ms() {
    let (cell, _) = cell("proxy-slow");
    assert_eq!(cell["errors"], serde_json::json!({}), "{cell}");
    assert!(cell["service_time_us"]["p50"].as_f64() >= Some(20e3), "{cell}");
}

#[test]
fn a_server_is_told_of_its_upstream_and_has_room_for_all_requests() {
    let address = double(|_| Reaction::Send(BAD_GATEWAY));
    let (folder, program) = programs(&[("server-tokio", &stand_in(address))]);
    let what = ["--backends", "tokio/http1", "--connections", "3", "--scenarios", "proxy"];
    compare(&program, folder.path(), &what);
    let upstream = format!("http://{}", told_upstream(folder.path()));
    let forwarding =
        ["--upstream", &upstream, "--upstream-connections", "3", "--upstream-queue", "3"];
    let before_and_after = [&["--codec", "http1"][..], &forwarding, &["--listen", "127.0.0.1:0"]];
    assert_eq!(arguments(folder.path()), before_and_after.concat());
}

#[test]
fn a_server_that_does_not_forward_fails_its_cell_and_says_what_it_answered() {
    let address = double(|_| Reaction::Send(BAD_GATEWAY));
    let (folder, program) = programs(&[("server-mio", &stand_in(address))]);
    let what = ["--backends", "mio", "--connections", "3", "--scenarios", "proxy"];
    let output = compare(&program, folder.path(), &[&what[..], &["--out", "out"]].concat());
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let results = results(&folder.path().join("out"));
    let failure = results["cells"][0]["failure"].as_str().unwrap_or_default();
    assert!(failure.contains("expected 200 and the right 1024 bytes, got 502"), "{failure}");
}

const BAD_GATEWAY: &str = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n";
