//! A session on simulated time: bytes in, steps and bytes out, no socket and no sleep.

#![allow(clippy::unwrap_used, reason = "what fails here should fail the test")]

mod talk;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use service::Route;
use session::Step;
use talk::{BODY, HEADER, IDLE, Talk, WRITE};

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
}

#[test]
fn an_echo_leaves_as_it_arrives() {
    let mut talk = Talk::new();
    assert_eq!(talk.settle(), Step::Read);
    let head = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: x/y\r\nContent-Length: 6\r\n\r\n";
    assert_eq!(talk.send(head), Step::Read);
    assert_eq!(talk.answer(), "", "the head leaves with the first content");
    assert_eq!(talk.send("abc"), Step::Read);
    assert_eq!(
        talk.answer(),
        "HTTP/1.1 200 OK\r\nContent-Type: x/y\r\nContent-Length: 6\r\n\r\nabc"
    );
    assert_eq!(talk.in_flight(), 1);
    assert_eq!(talk.send("def"), Step::Read);
    assert_eq!(talk.answer(), "def");
    assert_eq!(talk.in_flight(), 0);
    assert!(talk.buffers.are_empty(), "an idle connection needs no buffers");
}

#[test]
fn chunks_are_echoed_as_chunks() {
    let mut talk = Talk::new();
    talk.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    talk.send("0\r\nTrailer: dropped\r\n\r\n");
    assert_eq!(
        talk.answer(),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    );
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let mut talk = Talk::new();
    let requests = [get("/status/201"), get("/echo"), get("/status/404")].concat();
    assert_eq!(talk.send(requests), Step::Read);
    let answer = talk.answer();
    let statuses: Vec<&str> =
        answer.match_indices("HTTP/1.1 ").map(|(at, _)| &answer[at + 9..at + 12]).collect();
    assert_eq!(statuses, ["201", "200", "404"]);
    let answered = talk.world.answered.lock().unwrap();
    let routes: Vec<Route> = answered.iter().map(|(route, ..)| *route).collect();
    assert_eq!(routes, [Route::Status, Route::Echo, Route::Status]);
}

#[test]
fn a_report_tells_of_the_whole_request_and_who_served_it() {
    let mut talk = Talk::new();
    talk.send(get("/anything"));
    talk.answer();
    talk.send("PUT /anything/b?c=d HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    let answer = talk.answer();
    for part in [
        r#""method": "PUT""#,
        r#""path": "/anything/b""#,
        r#""body_length": 3"#,
        r#""origin": "192.0.2.1""#,
        r#""number": 7"#,
        r#""requests": 2"#,
        r#""worker": "worker 3""#,
    ] {
        assert!(answer.contains(part), "{part} is not in {answer}");
    }
}

#[test]
fn pauses_are_the_servers_to_take() {
    let mut talk = Talk::new();
    let until = talk.now + Duration::from_millis(20);
    assert_eq!(talk.send(get("/delay/20ms")), Step::Wait(until));
    assert_eq!(talk.session.deadline(), until);
    assert_eq!(talk.settle(), Step::Wait(until), "asked too early, it waits on");
    assert_eq!(talk.sleep(Duration::from_millis(20)), Step::Read);
    assert!(talk.answer().starts_with("HTTP/1.1 200 OK\r\n"));
    let elapsed = talk.world.answered.lock().unwrap()[0].2;
    assert_eq!(elapsed, Duration::from_millis(20));

    assert_eq!(talk.send(get("/block/3ms")), Step::Block(Duration::from_millis(3)));
    assert_eq!(talk.settle(), Step::Read);
    assert_eq!(talk.send(get("/burn/3ms")), Step::Burn(Duration::from_millis(3)));
    assert_eq!(talk.settle(), Step::Read);
}

#[test]
fn what_is_ready_is_sent_before_a_pause() {
    let mut talk = Talk::new();
    let requests = [get("/status/201"), get("/block/1s")].concat();
    assert_eq!(talk.send(requests), Step::Block(Duration::from_secs(1)));
    assert!(talk.answer().starts_with("HTTP/1.1 201 Created\r\n"));
}

#[test]
fn a_stream_sends_one_piece_every_interval() {
    let mut talk = Talk::new();
    let second = talk.now + Duration::from_millis(10);
    assert_eq!(talk.send(get("/stream/2?interval=10ms&size=3")), Step::Wait(second));
    assert!(talk.answer().ends_with("\r\n\r\n3\r\nabc\r\n"));
    assert_eq!(talk.sleep(Duration::from_millis(10)), Step::Read);
    assert_eq!(talk.answer(), "3\r\nabc\r\n0\r\n\r\n");
}

#[test]
fn heads_and_bodies_have_their_time_and_idleness_too() {
    let mut talk = Talk::new();
    assert_eq!(talk.settle(), Step::Read);
    assert_eq!(talk.patience(), IDLE);
    talk.send("GET ");
    assert_eq!(talk.patience(), HEADER, "a head is timed from its first byte");
    talk.sleep(HEADER / 2);
    talk.send("/");
    assert_eq!(talk.patience(), HEADER / 2, "and its progress buys no time");
    assert_eq!(talk.sleep(HEADER / 2), Step::HalfClose);
    assert!(talk.answer().starts_with("HTTP/1.1 408 Request Timeout\r\n"));

    let mut talk = Talk::new();
    talk.send("POST /anything HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n");
    assert_eq!(talk.patience(), BODY);
    talk.sleep(BODY / 2);
    talk.send("abc");
    assert_eq!(talk.patience(), BODY, "a body's progress does");
    assert_eq!(talk.sleep(BODY), Step::HalfClose);
    assert!(talk.answer().starts_with("HTTP/1.1 408 Request Timeout\r\n"));

    let mut talk = Talk::new();
    talk.settle();
    assert_eq!(talk.sleep(IDLE), Step::Close);
    assert_eq!(talk.answer(), "", "an idle connection just closes");
}

#[test]
fn a_client_that_takes_nothing_is_cut() {
    let mut talk = Talk::new();
    talk.buffers.input.extend(get("/bytes/100000").as_bytes());
    assert_eq!(talk.session.step(&mut talk.buffers, talk.now), Step::Write);
    assert_eq!(talk.patience(), WRITE);
    talk.now += WRITE;
    talk.session.timed_out(&mut talk.buffers, talk.now);
    assert_eq!(talk.session.step(&mut talk.buffers, talk.now), Step::Close);
    assert_eq!(talk.in_flight(), 0);
}

#[test]
fn content_waits_for_the_output_to_leave() {
    let mut talk = Talk::new();
    talk.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4000\r\n\r\n");
    talk.buffers.input.extend(&[b'x'; 2000]);
    assert_eq!(talk.session.step(&mut talk.buffers, talk.now), Step::Write);
    assert_eq!(talk.session.step(&mut talk.buffers, talk.now), Step::Write, "no reading before");
    assert_eq!(talk.settle(), Step::Read);
}

#[test]
fn errors_end_the_connection_with_their_answer() {
    let mut talk = Talk::new();
    assert_eq!(talk.send("GET / HTTP/1.1\nHost: a\r\n\r\n"), Step::HalfClose);
    let answer = talk.answer();
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
    assert!(answer.contains("Connection: close\r\n"), "{answer}");
    assert_eq!(talk.settle(), Step::Read, "the client may still be sending");
    assert_eq!(talk.send(get("/echo")), Step::Read);
    assert_eq!(talk.answer(), "", "but it is not heard");
    assert_eq!(talk.end(), Step::Close);
}

#[test]
fn an_error_in_an_echo_that_began_is_an_end_without_the_last_chunk() {
    let mut talk = Talk::new();
    talk.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    talk.answer();
    assert_eq!(talk.send("oops\r\n"), Step::HalfClose);
    assert_eq!(talk.answer(), "");
}

#[test]
fn an_early_answer_reads_a_small_rest_and_closes_on_a_large_one() {
    let mut talk = Talk::new();
    talk.send("POST /status/200 HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc");
    assert!(!talk.answer().contains("close"));
    assert_eq!(talk.send(["def", &get("/status/201")].concat()), Step::Read);
    assert!(talk.answer().starts_with("HTTP/1.1 201 Created\r\n"));

    let mut talk = Talk::new();
    let large = "POST /status/200 HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n";
    assert_eq!(talk.send(large), Step::HalfClose);
    assert!(talk.answer().contains("Connection: close\r\n"));
}

#[test]
fn the_content_is_only_asked_for_when_it_is_read() {
    let expect = "HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n";
    let mut talk = Talk::new();
    assert_eq!(talk.send(format!("POST /anything {expect}")), Step::Read);
    assert_eq!(talk.answer(), "HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(talk.send("abc"), Step::Read);
    assert!(talk.answer().starts_with("HTTP/1.1 200 OK\r\n"));

    let mut talk = Talk::new();
    assert_eq!(talk.send(format!("POST /status/404 {expect}")), Step::HalfClose);
    assert!(talk.answer().starts_with("HTTP/1.1 404 Not Found\r\nContent-Type: text/plain"));
}

#[test]
fn content_is_bounded_where_it_is_announced_and_where_it_is_not() {
    let mut talk = Talk::with_limit(Some(4));
    talk.send("POST /anything HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
    assert!(talk.answer().starts_with("HTTP/1.1 413 "));
    for path in ["/anything", "/echo"] {
        let mut talk = Talk::with_limit(Some(4));
        let head = format!("POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        assert_eq!(talk.send(head + "5\r\nabcde\r\n"), Step::HalfClose);
        assert!(talk.answer().starts_with("HTTP/1.1 413 "), "{path}");
    }
}

#[test]
fn a_half_closed_client_gets_its_answer() {
    let mut talk = Talk::new();
    talk.buffers.input.extend(get("/status/201").as_bytes());
    talk.session.received(1);
    assert_eq!(talk.end(), Step::Close);
    assert!(talk.answer().starts_with("HTTP/1.1 201 Created\r\n"));

    let mut talk = Talk::new();
    talk.send("POST /anything HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc");
    assert_eq!(talk.end(), Step::Close);
    assert_eq!(talk.answer(), "", "half a request gets none");
    assert_eq!(talk.in_flight(), 0);
}

#[test]
fn a_drain_answers_what_began_and_gives_the_idle_a_second() {
    let mut talk = Talk::new();
    talk.settle();
    talk.session.drain(talk.now, || 0);
    assert_eq!(talk.patience(), Duration::from_secs(1));
    assert_eq!(talk.send(get("/status/201")), Step::HalfClose);
    assert!(talk.answer().contains("Connection: close\r\n"));

    let mut talk = Talk::new();
    talk.settle();
    talk.session.drain(talk.now, || 0);
    assert_eq!(talk.sleep(Duration::from_secs(1)), Step::Close);
    assert_eq!(talk.answer(), "");
}

#[test]
fn a_client_that_was_not_told_of_the_drain_may_send_one_more_request() {
    let mut talk = Talk::new();
    talk.send(get("/stream/2?interval=10ms&size=3"));
    talk.session.drain(talk.now, || 0);
    assert_eq!(talk.sleep(Duration::from_millis(10)), Step::Read);
    assert!(!talk.answer().contains("Connection: close"));
    assert_eq!(talk.patience(), Duration::from_secs(1));
    assert_eq!(talk.send(get("/status/201")), Step::HalfClose);
    assert!(talk.answer().contains("Connection: close\r\n"));
}

#[test]
fn a_drain_answers_what_is_behind_the_request_in_hand() {
    let mut talk = Talk::new();
    talk.send(get("/delay/10ms") + &get("/status/202"));
    talk.session.drain(talk.now, || get("/status/201").len() as u64);
    assert_eq!(talk.sleep(Duration::from_millis(10)), Step::Read);
    assert!(!talk.answer().contains("Connection: close"));
    // What comes later than that is not waited for.
    assert_eq!(talk.send(get("/status/201") + &get("/status/203")), Step::HalfClose);
    let answer = talk.answer();
    assert!(answer.starts_with("HTTP/1.1 201 ") && answer.contains("Connection: close\r\n"));
    assert_eq!(answer.matches("HTTP/1.1").count(), 1);
}

#[test]
fn a_drain_in_unread_content_tells_the_client() {
    let mut talk = Talk::new();
    talk.settle();
    let content = "x".repeat(100);
    let head = "POST /bytes/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n".to_owned();
    talk.session.drain(talk.now, || (head.len() + content.len()) as u64);
    assert_eq!(talk.send(&head), Step::HalfClose);
    assert!(talk.answer().contains("Connection: close\r\n"));
}

#[test]
fn bytes_are_counted_both_ways() {
    let mut talk = Talk::new();
    let request = get("/status/201");
    talk.send(&request);
    let sent = talk.sent.len();
    let world = Arc::clone(&talk.world);
    drop(talk);
    assert_eq!(world.received.load(Ordering::Relaxed), request.len().cast_signed() as i64);
    assert_eq!(world.sent.load(Ordering::Relaxed), sent.cast_signed() as i64);
}
