//! Doubles of known behaviour, and the program under test.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// Options of a cell that is over soon.
pub(crate) const SHORT: [&str; 4] = ["--duration", "200ms", "--warm-up", "50ms"];

/// What a double does with a request.
pub(crate) enum Reaction {
    /// Sends the request's own body back.
    Echo,
    /// Sends these bytes and goes on.
    Send(&'static str),
    /// Sends these bytes and closes.
    SendAndClose(&'static str),
    /// Resets the connection.
    Reset,
    /// Never answers, and never closes.
    Silence,
}

/// Starts a server with a thread for every connection, which ends with the test. `react` is
/// given the number of the request, from 0, over all connections.
pub(crate) fn double(react: impl Fn(u64) -> Reaction + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let (react, requests) = (Arc::new(react), Arc::new(AtomicU64::new(0)));
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (react, requests) = (Arc::clone(&react), Arc::clone(&requests));
            thread::spawn(move || serve(&stream, &*react, &requests));
        }
    });
    address
}

/// Returns when the peer has closed, or the reaction says so.
fn serve(stream: &TcpStream, react: &dyn Fn(u64) -> Reaction, requests: &AtomicU64) {
    let (mut reader, mut writer) = (BufReader::new(stream), stream);
    while let Some(body) = read_request(&mut reader) {
        let sent = match react(requests.fetch_add(1, Ordering::Relaxed)) {
            Reaction::Echo => {
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                writer.write_all(&[head.as_bytes(), &body].concat())
            }
            Reaction::Send(bytes) => writer.write_all(bytes.as_bytes()),
            Reaction::SendAndClose(bytes) => {
                // The peer may be gone; that it is closed is what counts.
                let _ = writer.write_all(bytes.as_bytes());
                return;
            }
            Reaction::Reset => {
                let now = Some(Duration::ZERO);
                rustix::net::sockopt::set_socket_linger(stream, now).expect("a reset on close");
                return;
            }
            Reaction::Silence => loop {
                thread::park();
            },
        };
        if sent.is_err() {
            return;
        }
    }
}

/// The body of the next request.
fn read_request(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        if let Some(value) = line.strip_prefix("Content-Length: ") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(body)
}

/// Runs `loadtest` with these arguments to its end.
pub(crate) fn loadtest(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_loadtest")).args(arguments).output().expect("it runs")
}

/// Runs a short comparison by this program in this folder.
pub(crate) fn compare(program: &Path, folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.current_dir(folder).arg("compare").args(SHORT).args(arguments);
    command.output().expect("it runs")
}

/// What a comparison left in this folder.
pub(crate) fn results(folder: &Path) -> Value {
    let text = fs::read(folder.join("results.json")).expect("results.json");
    serde_json::from_slice(&text).expect("JSON")
}

/// A folder with a copy of `loadtest`, and programs beside it that stand in for servers.
pub(crate) fn programs(servers: &[(&str, &str)]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("loadtest");
    fs::copy(env!("CARGO_BIN_EXE_loadtest"), &program).expect("a copy");
    for (name, script) in servers {
        let path = folder.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a script");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a mode");
    }
    (folder, program)
}

/// What it wrote to standard error.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The keys of a JSON object.
pub(crate) fn keys(object: &Value) -> Vec<&str> {
    object.as_object().expect("an object").keys().map(String::as_str).collect()
}
