//! How a stage ends, and how its backends do.

mod common;

use std::net::TcpStream;
use std::thread;

use common::stage::{Stage, answer, connect, eventually, is_gone, is_there};
use common::stderr;
use rustix::process::{Signal, kill_process};

const BACKENDS: [&str; 5] = ["threads", "mio", "may", "actix", "tokio"];

const GET: &str = "GET /bytes/5 HTTP/1.0\r\n\r\n";
const SLOW: &str = "GET /delay/1s HTTP/1.0\r\n\r\n";
const SLOWER: &str = "GET /delay/5s HTTP/1.0\r\n\r\n";
const ENDLESS: &str = "GET /delay/60s HTTP/1.0\r\n\r\n";

#[test]
fn a_request_that_outlives_the_drain_is_cut_and_told() {
    let stage = Stage::start(&["mio", "--drain-timeout", "500ms"]);
    let _slow = connect(stage.address, ENDLESS);
    // Accepted before whoever comes now.
    assert_eq!(stage.serves(), "mio");
    let swapped = stage.swap(&["may"]);
    assert_eq!(swapped.status.code(), Some(1));
    let said = stderr(&swapped);
    assert!(said.contains("mio did not end in order") && said.contains("were cut"), "{said}");
    assert_eq!(stage.serves(), "may");
}

#[test]
fn the_end_of_a_stage_serves_whoever_has_connected() {
    for backend in BACKENDS {
        let mut stage = Stage::start(&[backend]);
        let (server, address) = (stage.server(), stage.address);
        let mut begun = connect(address, SLOW);
        assert_eq!(stage.serves(), backend);
        kill_process(server, Signal::STOP).expect("it runs");
        let mut waiting: Vec<_> = (0..50).map(|_| connect(address, GET)).collect();
        stage.signal(Signal::TERM);
        stage.says("ending");
        kill_process(server, Signal::CONT).expect("it runs");
        for stream in waiting.iter_mut().chain([&mut begun]) {
            assert_eq!(answer(stream).0, 200, "{backend}");
        }
        let (code, said) = stage.ends();
        assert_eq!(code, Some(0), "{said}");
        assert!(!is_there(server), "{backend}");
        TcpStream::connect(address).expect_err("nobody listens any more");
    }
}

#[test]
fn a_second_signal_ends_a_stage_and_its_backend_at_once() {
    let mut stage = Stage::start(&["mio", "--drain-timeout", "10m"]);
    let server = stage.server();
    let _slow = connect(stage.address, ENDLESS);
    assert_eq!(stage.serves(), "mio");
    stage.signal(Signal::INT);
    stage.says("shutting down");
    stage.signal(Signal::INT);
    let (code, said) = stage.ends();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("a second signal"), "{said}");
    is_gone(server);
}

#[test]
fn a_signal_in_a_swap_ends_all_backends() {
    let mut stage = Stage::start(&["mio"]);
    let (before, mut slow) = (stage.server(), connect(stage.address, SLOWER));
    assert_eq!(stage.serves(), "mio");
    let (next, refused) = thread::scope(|scope| {
        let swap = scope.spawn(|| stage.swap(&["may"]));
        let next = eventually("another server", || {
            Some(stage.server()).filter(|server| *server != before)
        });
        stage.signal(Signal::TERM);
        assert_eq!(answer(&mut slow).0, 200);
        (next, swap.join().expect("it ends"))
    });
    assert_eq!(refused.status.code(), Some(1), "{}", stderr(&refused));
    stage.says("ending");
    let (code, said) = stage.ends();
    assert_eq!(code, Some(0), "{said}");
    assert!(!is_there(before) && !is_there(next), "{said}");
}

#[test]
fn a_backend_that_ends_by_itself_is_told_and_ends_the_stage() {
    let stage = Stage::start(&["may"]);
    kill_process(stage.server(), Signal::KILL).expect("it runs");
    let (code, said) = stage.ends();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("may ended by itself (signal: 9 (SIGKILL)), saying: "), "{said}");
}

#[test]
fn the_backends_of_a_stage_that_is_killed_drain() {
    for backend in BACKENDS {
        let stage = Stage::start(&[backend]);
        let server = stage.server();
        let mut slow = connect(stage.address, SLOW);
        assert_eq!(stage.serves(), backend);
        // Each that ends would tell the backends, and told twice they do not drain.
        assert_eq!(stage.threads(), 1);
        stage.signal(Signal::KILL);
        drop(stage);
        assert_eq!(answer(&mut slow).0, 200, "{backend}");
        is_gone(server);
    }
}
