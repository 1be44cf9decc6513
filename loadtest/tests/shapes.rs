//! The shapes of load, against servers whose behaviour is known.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use common::{Reaction, Request, double, double_of, figures, stderr};
use serde_json::{Value, json};

const EMPTY: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const CLOSING: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// A run that must succeed.
fn run(address: SocketAddr, options: &[&str]) -> Value {
    let (output, figures) = figures(address, options);
    assert!(output.status.success(), "{} {figures}", stderr(&output));
    figures
}

fn count(figures: &Value, key: &str) -> u64 {
    figures[key].as_u64().unwrap_or_else(|| panic!("no {key}: {figures}"))
}

/// A percentile of some times, in milliseconds.
fn milliseconds(figures: &Value, times: &str, percentile: &str) -> f64 {
    let time = &figures[times][percentile];
    time.as_f64().unwrap_or_else(|| panic!("no {times} {percentile}: {figures}")) / 1e3
}

/// Answers each request after so long.
fn slow(delay: Duration) -> SocketAddr {
    double(move |_| {
        thread::sleep(delay);
        Reaction::Send(EMPTY)
    })
}

/// Answers at once, but from the request with this number on nobody gets an answer for a second.
fn stalling(at: u64) -> SocketAddr {
    let door = Mutex::new(());
    double(move |number| {
        let inside = door.lock().expect("nobody panicked");
        if number == at {
            thread::sleep(Duration::from_secs(1));
        }
        drop(inside);
        Reaction::Send(EMPTY)
    })
}

#[test]
fn a_fixed_delay_comes_out_as_the_time_of_a_closed_loop() {
    let address = slow(Duration::from_millis(20));
    let figures = run(address, &["--connections", "4", "--duration", "1s"]);
    let p50 = milliseconds(&figures, "service_time_us", "p50");
    assert!((20.0..200.0).contains(&p50), "{figures}");
    // Each connection has time for 50 in the window, and one that began before.
    assert!((4..=4 * 51).contains(&count(&figures, "requests")), "{figures}");
    assert_eq!(figures["response_time_us"], Value::Null);
    assert_eq!(figures["lateness_us"], Value::Null);
    assert_eq!(figures["shape"], "closed");
}

#[test]
fn an_open_loop_shows_a_stall_that_a_closed_loop_hides() {
    // Four of thousands of requests meet the stall in a closed loop …
    let closed = run(stalling(1000), &["--connections", "4", "--duration", "3s"]);
    assert!(milliseconds(&closed, "service_time_us", "max") >= 1000.0, "{closed}");
    let hidden = milliseconds(&closed, "service_time_us", "p99");
    // … and a third of them in an open one, half of these for longer than half a second.
    let open = run(stalling(300), &["--connections", "4", "--rate", "200", "--duration", "3s"]);
    let shown = milliseconds(&open, "response_time_us", "p99");
    assert!(shown > 700.0, "{open}");
    assert!(hidden < shown / 2.0, "{hidden} ms, {shown} ms");
    assert!(count(&open, "queued") > 100, "{open}");
    assert_eq!(open["service_time_us"], Value::Null);
    // The second in which it stalled is one in which less is answered, and later.
    let seconds = open["timeline"].as_array().expect("a timeline");
    assert_eq!(seconds.len(), 3, "{open}");
    let answers: u64 = seconds.iter().map(|second| count(second, "answers")).sum();
    assert_eq!(answers, count(&open, "requests"));
}

#[test]
fn an_open_loop_makes_every_request_that_is_due() {
    for shape in [&["--rate", "100"][..], &["--shape", "open 100/s"]] {
        let options = ["--connections", "3", "--duration", "2s", "--warm-up", "200ms"];
        let figures = run(double(|_| Reaction::Send(EMPTY)), &[shape, &options].concat());
        assert_eq!(count(&figures, "requests_timed"), 200, "{figures}");
        assert_eq!(figures["shape"], "open 100/s");
        assert_eq!(figures["errors"], json!({}));
        assert!(milliseconds(&figures, "lateness_us", "p50") >= 0.0, "{figures}");
    }
    let poisson = ["--shape", "open 100/s poisson", "--duration", "2s", "--warm-up", "200ms"];
    let twice = [(); 2].map(|()| run(double(|_| Reaction::Send(EMPTY)), &poisson));
    let timed = twice.map(|figures| count(&figures, "requests_timed"));
    assert_eq!(timed[0], timed[1], "the same bursts in every run");
}

#[test]
fn what_is_due_while_all_are_busy_waits_and_its_time_runs() {
    // One connection, 100 ms each, due every 50 ms: request k is answered no earlier than at
    // 100 (k + 1) ms, which is 100 + 50 k after it was due. All 20 are answered in the drain.
    let options = ["--connections", "1", "--rate", "20", "--duration", "1s", "--warm-up", "0s"];
    let figures = run(slow(Duration::from_millis(100)), &options);
    assert_eq!(count(&figures, "requests_timed"), 20, "{figures}");
    // What the server made in the second is no more than ten, whatever was due.
    assert!(count(&figures, "requests") <= 10, "{figures}");
    let after = count(&figures, "requests") + count(&figures, "requests_after_window");
    assert_eq!(after, 20, "{figures}");
    assert!(milliseconds(&figures, "response_time_us", "p50") >= 540.0, "{figures}");
    assert!(milliseconds(&figures, "response_time_us", "max") >= 1050.0, "{figures}");
    assert!(count(&figures, "queued") >= 19, "{figures}");
    // That it waited for the server is not the generator's fault.
    assert_eq!(figures["client_bound"], false, "{figures}");
}

#[test]
fn what_is_never_answered_is_an_error_and_not_forgotten() {
    let options = ["--connections", "1", "--rate", "50", "--duration", "1s", "--warm-up", "0s"];
    let more = [&options[..], &["--timeout", "500ms"]].concat();
    let figures = run(slow(Duration::from_millis(100)), &more);
    let unanswered = count(&figures["errors"], "unanswered");
    // At most ten in the window, and five in the drain.
    assert!(unanswered >= 50 - 15, "{figures}");
    let timed_out = figures["errors"]["timed_out"].as_u64().unwrap_or(0);
    assert_eq!(count(&figures, "requests_timed") + unanswered + timed_out, 50, "{figures}");
}

#[test]
fn of_those_held_only_the_active_ask() {
    let asked = Arc::new(Mutex::new(BTreeMap::<usize, u64>::new()));
    let counts = Arc::clone(&asked);
    let address = double_of(move |request| {
        *counts.lock().expect("nobody panicked").entry(request.connection).or_default() += 1;
        Reaction::Send(EMPTY)
    });
    let options = ["--connections", "10", "--active", "2", "--duration", "1s"];
    let figures = run(address, &options);
    assert_eq!((count(&figures, "connected"), count(&figures, "established")), (10, 10));
    assert_eq!(figures["shape"], "held 2 active");
    let asked = asked.lock().expect("nobody panicked");
    // The probe's, eight that are held, and two.
    assert_eq!(asked.len(), 11, "{asked:?}");
    assert_eq!(asked.values().filter(|count| **count > 1).count(), 2, "{asked:?}");
}

#[test]
fn a_held_connection_that_ends_in_good_order_is_replaced_and_no_error() {
    let figures = held_but_for_two(Reaction::SendAndClose);
    assert_eq!(figures["errors"], json!({}), "{figures}");
    assert_eq!(count(&figures, "reconnects"), 2, "{figures}");
}

#[test]
fn a_held_connection_that_is_reset_is_an_error_and_is_replaced() {
    let figures = held_but_for_two(Reaction::SendAndReset);
    assert_eq!(figures["errors"], json!({ "reset": 2 }), "{figures}");
    assert_eq!(count(&figures, "reconnects"), 0, "{figures}");
}

/// Eight connect one after the other, and all but the first hold their connections; the last two are
/// answered in this way, and do not keep theirs.
fn held_but_for_two(reaction: fn(&'static str) -> Reaction) -> Value {
    // The probe is number 0.
    let address = double(move |number| match number {
        7 | 8 => reaction(EMPTY),
        _ => Reaction::Send(EMPTY),
    });
    let options = ["--connections", "8", "--active", "1", "--duration", "1s", "--ramp", "800ms"];
    run(address, &options)
}

#[test]
fn a_connection_that_ends_before_it_is_used_again_is_replaced_and_no_error() {
    // The first two wait for the others to connect, and their connections end meanwhile.
    let address = double(|number| match number {
        1 | 2 => Reaction::SendAndClose(EMPTY),
        _ => Reaction::Send(EMPTY),
    });
    let figures = run(address, &["--connections", "4", "--duration", "1s", "--ramp", "2s"]);
    assert_eq!(figures["errors"], json!({}), "{figures}");
    assert_eq!(count(&figures, "reconnects"), 2, "{figures}");
}

#[test]
fn a_connection_that_ends_when_it_is_used_again_is_no_error_where_asking_twice_does_no_harm() {
    let body = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(&body, "hello").expect("a body");
    let path = body.path().to_str().expect("UTF-8");
    let post: [&str; 2] = ["--body", path];
    for (options, errors, reconnects) in
        [(&[][..], json!({}), 2), (&post, json!({ "reset": 2 }), 0)]
    {
        // The probe's connection is number 0; the next two are reset when they are used again.
        let answered = Mutex::new(BTreeSet::new());
        let address = double_of(move |request| {
            let is_first = answered.lock().expect("nobody panicked").insert(request.connection);
            let ends = matches!(request.connection, 1 | 2) && !is_first;
            if ends { Reaction::Reset } else { Reaction::Send(EMPTY) }
        });
        let usual = ["--connections", "4", "--duration", "1s", "--ramp", "2s"];
        let figures = run(address, &[&usual, options].concat());
        assert_eq!(figures["errors"], errors, "{figures}");
        assert_eq!(count(&figures, "reconnects"), reconnects, "{figures}");
    }
}

#[test]
fn slow_senders_and_slow_readers_take_the_time_of_their_bytes() {
    let address = double(|_| Reaction::Send(EMPTY));
    // "GET /echo HTTP/1.1", "Host: 127.0.0.1:…": over 40 bytes, so two pieces of 25 and more.
    let options = ["--connections", "2", "--shape", "slow-send 100 B/s", "--duration", "2s"];
    let sent = run(address, &options);
    let most = 2 * (2 * 1000 / 250 / 2 + 1);
    assert!((1..=most).contains(&count(&sent, "requests")), "{sent}");
    assert_eq!(sent["errors"], json!({}));

    let body = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(&body, vec![b'x'; 64 * 1024]).expect("a body");
    let path = body.path().to_str().expect("UTF-8");
    let options = ["--connections", "2", "--shape", "slow-read 131072 B/s", "--duration", "2s"];
    let address = double(|_| Reaction::Echo);
    let read = run(address, &[&["--body", path, "--echo"][..], &options].concat());
    // Pieces of 32 KiB; head and body are more than two.
    let most = 2 * (2 * 1000 / 250 / 2 + 1);
    assert!((1..=most).contains(&count(&read, "requests")), "{read}");
    assert!(milliseconds(&read, "service_time_us", "p50") >= 240.0, "{read}");
    assert_eq!(read["errors"], json!({}));
}

#[test]
fn in_churn_every_request_has_a_connection_of_its_own() {
    for answer in [Reaction::Send(EMPTY), Reaction::SendAndClose(CLOSING)] {
        let seen = Arc::new(Mutex::new(Vec::<(usize, IpAddr)>::new()));
        let requests = Arc::clone(&seen);
        let closes = matches!(answer, Reaction::SendAndClose(_));
        let address = double_of(move |Request { connection, from, number, head }| {
            // The probe is not part of it.
            assert!(*number == 0 || head.contains("Connection: close\r\n"), "{head}");
            requests.lock().expect("nobody panicked").push((*connection, from.ip()));
            if closes { Reaction::SendAndClose(CLOSING) } else { Reaction::Send(EMPTY) }
        });
        let figures = run(address, &["--connections", "4", "--shape", "churn", "--duration", "1s"]);
        assert_eq!(figures["errors"], json!({}), "{figures}");
        let seen = seen.lock().expect("nobody panicked");
        let connections: BTreeSet<_> = seen.iter().map(|(connection, _)| connection).collect();
        assert_eq!(connections.len(), seen.len(), "one request each");
        assert!(count(&figures, "requests") <= seen.len() as u64);
        let sources: BTreeSet<_> = seen.iter().map(|(_, from)| from).collect();
        assert!(sources.len() > 1, "from several addresses: {sources:?}");
    }
}

#[test]
fn a_ramp_connects_one_after_the_other() {
    let address = double(|_| Reaction::Send(EMPTY));
    let options = ["--connections", "10", "--ramp", "500ms", "--duration", "1s"];
    let figures = run(address, &options);
    assert_eq!(count(&figures, "connected"), 10);
    // The last begins when nine tenths are over.
    assert!(figures["ramp_seconds"].as_f64() >= Some(0.45), "{figures}");
}

#[test]
fn connections_come_from_the_addresses_that_are_asked_for() {
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    let sources = Arc::clone(&seen);
    let address = double_of(move |request| {
        sources.lock().expect("nobody panicked").insert(request.from.ip().to_string());
        Reaction::Send(EMPTY)
    });
    let options = ["--connections", "4", "--sources", "127.0.0.7,127.0.0.9", "--duration", "1s"];
    run(address, &options);
    let seen: Vec<String> = seen.lock().expect("nobody panicked").iter().cloned().collect();
    assert_eq!(seen, ["127.0.0.7", "127.0.0.9"]);
}

#[test]
fn bystanders_of_a_block_are_timed_apart() {
    const BLOCKED: &str = "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n\"/block/20ms\"";
    let address = double_of(|request| {
        if request.head.starts_with("GET /block/20ms ") {
            thread::sleep(Duration::from_millis(20));
            return Reaction::Send(BLOCKED);
        }
        Reaction::Send(EMPTY)
    });
    let options = ["--scenario", "block", "--connections", "4", "--duration", "1s"];
    let figures = run(address, &options);
    assert!(milliseconds(&figures, "service_time_us", "p50") >= 20.0, "{figures}");
    let bystanders = milliseconds(&figures, "bystanders_us", "p50");
    assert!(bystanders < milliseconds(&figures, "service_time_us", "p50"), "{figures}");
    // The one who blocks rests between two requests, so it is one of many.
    assert!(count(&figures, "requests") > 10, "{figures}");
    assert_eq!(figures["scenario"], "block");
    assert_eq!(figures["bystanders_are"], "service");
    // In an open loop they wait for what is due, and their times run from then.
    let due = run(address, &[&options[..], &["--rate", "100"]].concat());
    assert_eq!(due["bystanders_are"], "response");
    assert!(milliseconds(&due, "service_time_us", "p50") >= 20.0, "the one who blocks: {due}");
}

#[test]
fn a_server_that_closes_its_door_is_counted_as_refusing() {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        // The probe and two users, 20 answers each; then the door is closed, and they are let go.
        let serve = |mut stream: std::net::TcpStream, answers: usize| {
            for _ in 0..answers {
                if stream.read(&mut [0; 1024]).is_ok_and(|count| count > 0) {
                    stream.write_all(EMPTY.as_bytes()).expect("the user reads");
                }
            }
        };
        let mut users = Vec::new();
        for _ in 0..3 {
            let (stream, _) = listener.accept().expect("a user");
            users.push(thread::spawn(move || serve(stream, 20)));
        }
        drop(listener);
        for user in users {
            user.join().expect("it is served");
        }
    });
    let options = ["--connections", "2", "--duration", "1s", "--warm-up", "0s"];
    let (output, figures) = figures(address, &options);
    assert_eq!(output.status.code(), Some(1), "it is gone: {}", stderr(&output));
    assert!(count(&figures["errors"], "refused") >= 2, "{figures}");
    assert_eq!(count(&figures, "lost"), 2);
}

#[test]
fn a_body_that_comes_byte_by_byte_is_right_all_the_same() {
    let address = double_of(|_| {
        thread::sleep(Duration::from_millis(1));
        Reaction::SendSlowly(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        )
    });
    let figures = run(address, &["--connections", "2", "--duration", "1s"]);
    assert_eq!(figures["errors"], json!({}));
    assert!(count(&figures, "requests") > 0);
}
