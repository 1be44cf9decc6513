//! What takes a process of its own: a socket handed over, and signals.
//!
//! Each test runs itself again as the child, which [`ROLE`] tells it to be.

use std::{
    env,
    net::{TcpListener, TcpStream, UdpSocket},
    os::fd::OwnedFd,
    process::{Command, Output, Stdio, exit},
    sync::mpsc,
    thread,
    time::Duration,
};

use clap::{Args, FromArgMatches};
use process::{
    Options,
    listener::{self, ListenError},
};
use rustix::fs::{OFlags, fcntl_getfl};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    low_level::raise,
};

const ROLE: &str = "PROCESS_TEST_CHILD";
/// No test waits for this long unless it fails.
const PATIENCE: Duration = Duration::from_mins(1);

#[test]
fn first_signal_drains_and_second_exits_at_once() {
    if role().is_none() {
        let output = child("first_signal_drains_and_second_exits_at_once", "raise", None);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("draining"), "{output:?}");
        return;
    }
    let (drain, drained) = mpsc::channel();
    process::on_shutdown(move || drain.send(()).expect("the test waits")).expect("a thread");
    raise(SIGTERM).expect("a signal to this process");
    drained.recv_timeout(PATIENCE).expect("the first signal asks for a drain");
    println!("draining");
    raise(SIGINT).expect("a signal to this process");
    thread::sleep(PATIENCE);
    exit(3);
}

#[test]
fn socket_handed_over_wins_and_does_not_block() {
    if role().is_none() {
        let socket = TcpListener::bind("127.0.0.1:0").expect("a port from the kernel");
        let address = socket.local_addr().expect("it is bound").to_string();
        let test = "socket_handed_over_wins_and_does_not_block";
        let output = child(test, &address, Some(socket.into()));
        assert!(output.status.success(), "{output:?}");
        return;
    }
    let listener = listener::open(&defaults()).expect("the parent's socket");
    assert!(listener.inherited);
    let address = listener.socket.local_addr().expect("it is bound");
    assert_eq!(Some(address.to_string()), role());
    let flags = fcntl_getfl(&listener.socket).expect("an open socket");
    assert!(flags.contains(OFlags::NONBLOCK), "{flags:?}");
}

#[test]
fn what_does_not_listen_is_refused() {
    let test = "what_does_not_listen_is_refused";
    if role().is_none() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port from the kernel");
        let stream = TcpStream::connect(listener.local_addr().expect("bound")).expect("it listens");
        let datagrams = UdpSocket::bind("127.0.0.1:0").expect("a port from the kernel");
        for socket in [stream.into(), datagrams.into()] {
            let output = child(test, "refuse", Some(socket));
            assert!(output.status.success(), "{output:?}");
        }
        return;
    }
    let error = listener::open(&defaults()).expect_err("it does not listen");
    assert!(matches!(error, ListenError::Inherited(_)), "{error}");
}

fn role() -> Option<String> {
    env::var(ROLE).ok()
}

/// Runs one test of this file in a process of its own, with `socket` as systemd would hand it over:
/// descriptor 3, with `LISTEN_FDS` and `LISTEN_PID`.
fn child(test: &str, role: &str, socket: Option<OwnedFd>) -> Output {
    let script = match socket {
        Some(_) => r#"export LISTEN_FDS=1 LISTEN_PID=$$; exec "$0" "$@" 3<&0"#,
        None => r#"exec "$0" "$@""#,
    };
    Command::new("sh")
        .args(["-c", script])
        .arg(env::current_exe().expect("this test's program"))
        .args(["--exact", test, "--nocapture"])
        .env(ROLE, role)
        .stdin(socket.map_or_else(Stdio::null, Stdio::from))
        .output()
        .expect("a shell")
}

fn defaults() -> Options {
    let matches = Options::augment_args(clap::Command::new("test")).get_matches_from(["test"]);
    Options::from_arg_matches(&matches).expect("no option is required")
}
