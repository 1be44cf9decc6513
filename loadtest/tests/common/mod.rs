//! Doubles of known behaviour, and the program under test.

#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod browser;
pub(crate) mod made;
pub(crate) mod stage;

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

/// Options of a cell that is over soon, and yet long enough for an answer on a machine that is busy with
/// other tests.
pub(crate) const SHORT: [&str; 4] = ["--duration", "1s", "--warm-up", "50ms"];

/// What a double does with a request.
pub(crate) enum Reaction {
    /// Sends the request's own body back.
    Echo,
    /// Sends these bytes and goes on.
    Send(&'static str),
    /// Sends these bytes and closes.
    SendAndClose(&'static str),
    /// Sends these bytes and resets the connection.
    SendAndReset(&'static str),
    /// Sends these bytes one by one.
    SendSlowly(&'static str),
    /// Resets the connection.
    Reset,
    /// Never answers, and never closes.
    Silence,
}

/// What a double may react to.
pub(crate) struct Request {
    /// From 0, over all connections.
    pub(crate) number: u64,
    /// Which connection, from 0.
    pub(crate) connection: usize,
    /// Where that comes from.
    pub(crate) from: SocketAddr,
    /// Request line and fields.
    pub(crate) head: String,
}

/// Starts a server with a thread for every connection, which ends with the test. `react` is
/// given the number of the request, from 0, over all connections.
pub(crate) fn double(react: impl Fn(u64) -> Reaction + Send + Sync + 'static) -> SocketAddr {
    double_of(move |request| react(request.number))
}

/// The same, with all that there is to know of a request. `react` runs in the connection's thread
/// and may take its time.
pub(crate) fn double_of(
    react: impl Fn(&Request) -> Reaction + Send + Sync + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let (react, requests) = (Arc::new(react), Arc::new(AtomicU64::new(0)));
    thread::spawn(move || {
        for (connection, stream) in listener.incoming().map_while(Result::ok).enumerate() {
            let (react, requests) = (Arc::clone(&react), Arc::clone(&requests));
            thread::spawn(move || serve(&stream, connection, &*react, &requests));
        }
    });
    address
}

/// Returns when the peer has closed, or the reaction says so.
fn serve(
    stream: &TcpStream,
    connection: usize,
    react: &dyn Fn(&Request) -> Reaction,
    requests: &AtomicU64,
) {
    let Ok(from) = stream.peer_addr() else { return };
    let (mut reader, mut writer) = (BufReader::new(stream), stream);
    while let Some((head, body)) = read_request(&mut reader) {
        let number = requests.fetch_add(1, Ordering::Relaxed);
        let sent = match react(&Request { number, connection, from, head }) {
            Reaction::Echo => {
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                writer.write_all(&[head.as_bytes(), &body].concat())
            }
            Reaction::Send(bytes) => writer.write_all(bytes.as_bytes()),
            Reaction::SendSlowly(bytes) => bytes.bytes().try_for_each(|byte| {
                thread::yield_now();
                writer.write_all(&[byte])
            }),
            Reaction::SendAndClose(bytes) => {
                // The peer may be gone; that it is closed is what counts.
                let _ = writer.write_all(bytes.as_bytes());
                return;
            }
            Reaction::SendAndReset(bytes) => {
                let _ = writer.write_all(bytes.as_bytes());
                return reset_on_close(stream);
            }
            Reaction::Reset => return reset_on_close(stream),
            Reaction::Silence => loop {
                thread::park();
            },
        };
        if sent.is_err() {
            return;
        }
    }
}

fn reset_on_close(stream: &TcpStream) {
    let now = Some(Duration::ZERO);
    rustix::net::sockopt::set_socket_linger(stream, now).expect("a reset on close");
}

/// Head and body of the next request.
fn read_request(reader: &mut impl BufRead) -> Option<(String, Vec<u8>)> {
    let (mut head, mut length) = (String::new(), 0);
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
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((head, body))
}

/// Runs `loadtest` with these arguments to its end, in a folder that is gone then: goose leaves its
/// reports where it is.
pub(crate) fn loadtest(arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadtest"));
    command.current_dir(folder.path()).args(arguments).output().expect("it runs")
}

/// Runs `loadtest run` against this server with these options; the exit and the figures.
pub(crate) fn figures(address: SocketAddr, options: &[&str]) -> (Output, Value) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("run.json");
    // A scenario has paths of its own.
    let target = if options.contains(&"--scenario") { "/" } else { "/echo" };
    let (url, path) = (format!("http://{address}{target}"), file.to_str().expect("UTF-8"));
    let output = loadtest(&[&["run", &url, "--json", path], options].concat());
    let text = fs::read(&file).unwrap_or_else(|_| panic!("no figures: {}", stderr(&output)));
    (output, serde_json::from_slice(&text).expect("JSON"))
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
    copy(Path::new(env!("CARGO_BIN_EXE_loadtest")), &program);
    for (name, script) in servers {
        let path = folder.path().join(name);
        let text = tempfile::NamedTempFile::new().expect("a file");
        fs::write(&text, format!("#!/bin/sh\n{script}\n")).expect("a script");
        copy(text.path(), &path);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a mode");
    }
    (folder, program)
}

/// Copies a program, in a process of its own: had this one the copy open for writing, whatever
/// another test starts at that moment would have it too, and nobody could execute it meanwhile.
fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").args([from, to]).status().expect("cp runs");
    assert!(copied.success(), "{}", to.display());
}

/// What it wrote to standard error.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The keys of a JSON object.
pub(crate) fn keys(object: &Value) -> Vec<&str> {
    object.as_object().expect("an object").keys().map(String::as_str).collect()
}
