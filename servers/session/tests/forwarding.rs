//! A session that forwards, on simulated time, between a client and an upstream that are simulated
//! too.

#![allow(clippy::unwrap_used, reason = "what fails here should fail the test")]

mod talk;

use std::{sync::atomic::Ordering, time::Duration};

use session::{Failure, Interest, Relay, Release, Step};
use talk::{ANSWER, BODY, CONNECT, Talk, WAIT, WRITE};

/// A client's side of the talk, and the upstream's.
struct Proxy {
    talk: Talk,
    /// What has gone upstream since the last look.
    up: Vec<u8>,
}

const READ: Interest = Interest { read: true, write: false };
const NOTHING: Interest = Interest { read: false, write: false };

/// The upstream is to answer.
const ANSWERS: Step = Step::Relay(Relay { downstream: NOTHING, upstream: READ });
/// The client is to go on, and the upstream may answer.
const BOTH: Step = Step::Relay(Relay { downstream: READ, upstream: READ });

impl Proxy {
    /// A request has been sent, and there is a connection for it.
    fn asked(request: &str, reused: bool) -> Self {
        let mut proxy = Self { talk: Talk::new(), up: Vec::new() };
        assert_eq!(proxy.send(request), Step::Connect { reuse: true });
        proxy.talk.session.connecting(proxy.talk.now);
        proxy.talk.session.connected(reused);
        proxy
    }

    /// Takes steps, writing what is to be written, until something else must be waited for.
    fn settle(&mut self) -> Step {
        let Talk { buffers, session, sent, now, .. } = &mut self.talk;
        loop {
            let step = session.step(buffers, *now);
            let wants = match step {
                Step::Relay(wants) => wants,
                Step::Write => {
                    Relay { downstream: Interest { read: false, write: true }, upstream: NOTHING }
                }
                _ => return step,
            };
            if wants.upstream.write {
                let count = buffers.upstream_output.write_to(&mut self.up).unwrap();
                session.upstream_sent(count);
            } else if wants.downstream.write {
                let count = buffers.output.write_to(sent).unwrap();
                session.sent(count);
            } else {
                return step;
            }
        }
    }

    fn send(&mut self, bytes: &str) -> Step {
        assert_eq!(self.talk.buffers.input.extend(bytes.as_bytes()), bytes.len());
        self.talk.session.received(bytes.len());
        self.settle()
    }

    fn answers(&mut self, bytes: &str) -> Step {
        assert_eq!(self.talk.buffers.upstream_input.extend(bytes.as_bytes()), bytes.len());
        self.talk.session.upstream_received(bytes.len());
        self.settle()
    }

    fn hangs_up(&mut self) -> Step {
        self.talk.session.upstream_end_of_input();
        self.settle()
    }

    fn fails(&mut self, failure: Failure) -> Step {
        self.talk.session.upstream_failed(failure);
        self.settle()
    }

    fn sleep(&mut self, time: Duration) -> Step {
        self.talk.now += time;
        self.talk.session.timed_out(&mut self.talk.buffers, self.talk.now);
        self.settle()
    }

    fn went_up(&mut self) -> String {
        String::from_utf8(std::mem::take(&mut self.up)).unwrap()
    }

    /// The status of the answer so far; and whether the connection goes on.
    fn status(&mut self) -> (String, bool) {
        let answer = self.talk.answer();
        (answer[9..12].to_owned(), !answer.contains("Connection: close"))
    }
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
}

fn post(length: usize) -> String {
    format!("POST /proxy/x HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n")
}

fn ok(content: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nDate: now\r\nContent-Length: {}\r\n\r\n{content}", content.len())
}

#[test]
fn a_request_goes_up_and_its_answer_comes_down() {
    let mut proxy = Proxy::asked(&get("/proxy/a?b"), false);
    assert_eq!(proxy.settle(), ANSWERS);
    let request = proxy.went_up();
    assert!(request.starts_with("GET /a?b HTTP/1.1\r\nHost: a\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\n") && request.contains("\r\nVia: 1.1 "), "{request}");
    let done = Step::Release(Release::Keep(Some(Duration::from_secs(7))));
    let answer = "HTTP/1.1 200 OK\r\nServer: theirs\r\nDate: now\r\nKeep-Alive: timeout=7\r\n\
                  Content-Length: 2\r\n\r\nhi";
    assert_eq!(proxy.answers(answer), done);
    assert_eq!(proxy.settle(), Step::Read);
    let answer = proxy.talk.answer();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\nServer: theirs\r\nDate: now\r\n"), "{answer}");
    assert!(answer.ends_with("Content-Length: 2\r\n\r\nhi") && !answer.contains("Keep-Alive"));
    assert_eq!(proxy.talk.in_flight(), 0);
    assert!(proxy.talk.buffers.are_empty());
    // The next one is not the first's concern.
    assert_eq!(proxy.send(&get("/proxy/c")), Step::Connect { reuse: true });
}

#[test]
fn a_missing_date_is_added() {
    let mut proxy = Proxy::asked(&get("/proxy/"), false);
    proxy.settle();
    proxy.answers("HTTP/1.1 204 No Content\r\n\r\n");
    proxy.settle();
    let sent = String::from_utf8(std::mem::take(&mut proxy.talk.sent)).unwrap();
    let head = "HTTP/1.1 204 No Content\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nVia: ";
    assert!(sent.starts_with(head), "{sent}");
}

#[test]
fn both_contents_stream_as_they_come() {
    let mut proxy = Proxy::asked(&post(6), false);
    assert_eq!(proxy.settle(), BOTH);
    assert_eq!(proxy.send("abc"), BOTH);
    assert!(proxy.went_up().ends_with("Content-Length: 6\r\n\r\nabc"));
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(proxy.answers(&format!("{head}3\r\nABC\r\n")), BOTH);
    let answer = proxy.talk.answer();
    assert!(answer.ends_with("Transfer-Encoding: chunked\r\n\r\n3\r\nABC\r\n"), "{answer}");
    assert_eq!(proxy.send("def"), ANSWERS);
    assert_eq!(proxy.went_up(), "def");
    assert_eq!(proxy.answers("0\r\n\r\n"), Step::Release(Release::Keep(None)));
    assert_eq!(proxy.settle(), Step::Read);
    assert_eq!(proxy.talk.answer(), "0\r\n\r\n");
}

#[test]
fn a_slow_reader_slows_the_sender() {
    let mut proxy = Proxy::asked(&get("/proxy/"), false);
    proxy.settle();
    let content = "x".repeat(5000);
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n";
    let Talk { buffers, session, now, .. } = &mut proxy.talk;
    buffers.upstream_input.extend(format!("{head}{content}").as_bytes());
    session.upstream_received(1);
    let full = Relay { downstream: Interest { read: false, write: true }, upstream: NOTHING };
    assert_eq!(session.step(buffers, *now), Step::Relay(full), "no more is read than is written");
    assert_eq!(session.deadline() - *now, WRITE);
    assert_eq!(proxy.settle(), ANSWERS);
    assert_eq!(proxy.talk.patience(), ANSWER);
}

#[test]
fn a_slow_upstream_slows_the_client() {
    let mut proxy = Proxy::asked(&post(10_000), false);
    proxy.settle();
    let Talk { buffers, session, now, .. } = &mut proxy.talk;
    buffers.input.extend("x".repeat(5000).as_bytes());
    session.received(5000);
    let full = Interest { read: true, write: true };
    let step = session.step(buffers, *now);
    assert_eq!(step, Step::Relay(Relay { downstream: NOTHING, upstream: full }));
    assert_eq!(session.deadline() - *now, ANSWER);
    assert_eq!(proxy.settle(), BOTH);
    assert_eq!(proxy.talk.patience(), BODY, "now it is the client that keeps us waiting");
}

#[test]
fn each_stage_has_its_time() {
    let mut proxy = Proxy { talk: Talk::new(), up: Vec::new() };
    proxy.send(&get("/proxy/"));
    assert_eq!(proxy.talk.patience(), WAIT);
    assert_eq!(proxy.sleep(WAIT), Step::Release(Release::Drop));
    assert_eq!(proxy.settle(), Step::Read);
    assert_eq!(proxy.status(), ("503".to_owned(), true));

    proxy.send(&get("/proxy/"));
    proxy.talk.session.connecting(proxy.talk.now);
    assert_eq!(proxy.settle(), Step::Connect { reuse: false });
    assert_eq!(proxy.talk.patience(), CONNECT);
    assert_eq!(proxy.sleep(CONNECT), Step::Release(Release::Drop));
    proxy.settle();
    assert_eq!(proxy.status(), ("504".to_owned(), true));

    proxy.send(&get("/proxy/"));
    proxy.talk.session.connected(true);
    assert_eq!(proxy.settle(), ANSWERS);
    assert_eq!(proxy.talk.patience(), ANSWER);
    assert_eq!(proxy.sleep(ANSWER), Step::Release(Release::Drop), "and no second attempt");
    proxy.settle();
    assert_eq!(proxy.status(), ("504".to_owned(), true));

    proxy.send(&post(5));
    proxy.talk.session.connected(false);
    assert_eq!(proxy.settle(), BOTH);
    assert_eq!(proxy.sleep(BODY), Step::Release(Release::Drop));
    proxy.settle();
    assert_eq!(proxy.status(), ("408".to_owned(), false));
    let failures = proxy.talk.world.failures.lock().unwrap();
    assert_eq!(*failures, [Failure::NoneFree, Failure::ConnectTimeout, Failure::TooSlow]);
}

#[test]
fn a_stale_connection_is_worth_one_more_attempt() {
    let mut proxy = Proxy::asked(&get("/proxy/"), true);
    proxy.settle();
    let first = proxy.went_up();
    assert_eq!(proxy.hangs_up(), Step::Release(Release::Drop));
    assert_eq!(proxy.settle(), Step::Connect { reuse: false });
    proxy.talk.session.connected(false);
    assert_eq!(proxy.settle(), ANSWERS);
    assert_eq!(proxy.went_up(), first);
    assert_eq!(proxy.talk.world.retries.load(Ordering::Relaxed), 1);
    assert_eq!(proxy.fails(Failure::Closed), Step::Release(Release::Drop));
    assert_eq!(proxy.settle(), Step::Read);
    assert_eq!(proxy.status(), ("502".to_owned(), true));
}

#[test]
fn what_might_have_been_done_is_not_done_twice() {
    let content = post(3) + "abc";
    let new = (get("/proxy/"), false, "");
    let sent = (content.replace("POST", "PUT"), true, "");
    let unsafe_method = (content, true, "");
    let began = (get("/proxy/"), true, "HTTP/1.1 1");
    for (request, reused, answer) in [new, sent, unsafe_method, began] {
        let mut proxy = Proxy::asked(&request, reused);
        proxy.settle();
        if !answer.is_empty() {
            proxy.answers(answer);
        }
        assert_eq!(proxy.hangs_up(), Step::Release(Release::Drop), "{request}");
        assert_eq!(proxy.settle(), Step::Read, "{request}");
        assert_eq!(proxy.status(), ("502".to_owned(), true), "{request}");
    }
}

#[test]
fn a_failed_connect_is_tried_once_more() {
    let mut proxy = Proxy { talk: Talk::new(), up: Vec::new() };
    proxy.send(&(post(3) + "abc"));
    assert_eq!(proxy.fails(Failure::Unreachable), Step::Release(Release::Drop));
    assert_eq!(proxy.settle(), Step::Connect { reuse: false });
    assert_eq!(proxy.fails(Failure::Unreachable), Step::Release(Release::Drop));
    assert_eq!(proxy.settle(), Step::Read);
    assert_eq!(proxy.status(), ("502".to_owned(), true));
}

#[test]
fn what_is_no_answer_is_never_passed_on() {
    for answer in ["garbage\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\n\r\n", "HTTP/1.1 200\n"]
    {
        let mut proxy = Proxy::asked(&get("/proxy/"), true);
        proxy.settle();
        assert_eq!(proxy.answers(answer), Step::Release(Release::Drop), "{answer}");
        proxy.settle();
        assert_eq!(proxy.status(), ("502".to_owned(), true), "{answer}");
    }
}

#[test]
fn an_answer_that_breaks_off_never_looks_complete() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
    let mut proxy = Proxy::asked(&get("/proxy/"), false);
    proxy.settle();
    proxy.answers(chunked);
    assert_eq!(proxy.hangs_up(), Step::Release(Release::Drop));
    assert_eq!(proxy.settle(), Step::HalfClose);
    assert!(proxy.talk.answer().ends_with("3\r\nabc\r\n"), "no last chunk");

    let mut proxy = Proxy::asked("GET /proxy/ HTTP/1.0\r\n\r\n", false);
    proxy.settle();
    proxy.answers(chunked);
    assert_eq!(proxy.hangs_up(), Step::Release(Release::Drop));
    assert_eq!(proxy.settle(), Step::Abort, "a FIN would be the answer's end");
}

#[test]
fn an_answer_may_end_with_its_connection() {
    let mut proxy = Proxy::asked(&get("/proxy/"), false);
    proxy.settle();
    assert_eq!(proxy.answers("HTTP/1.0 200 OK\r\n\r\nabc"), ANSWERS);
    assert_eq!(proxy.hangs_up(), Step::Release(Release::Drop));
    assert_eq!(proxy.settle(), Step::Read);
    assert!(proxy.talk.answer().ends_with("3\r\nabc\r\n0\r\n\r\n"));
}

#[test]
fn a_connection_with_bytes_left_over_is_not_kept() {
    let mut proxy = Proxy::asked(&get("/proxy/"), false);
    proxy.settle();
    assert_eq!(proxy.answers(&(ok("hi") + "HTTP/1.1 200")), Step::Release(Release::Drop));
    assert_eq!(proxy.settle(), Step::Read);
    assert!(proxy.talk.buffers.are_empty());
}

#[test]
fn an_early_answer_is_relayed_and_the_rest_of_the_request_read_for_nothing() {
    let mut proxy = Proxy::asked(&post(6), false);
    proxy.settle();
    assert_eq!(proxy.answers(&ok("no")), Step::Release(Release::Drop));
    assert_eq!(proxy.settle(), Step::Read);
    assert_eq!(proxy.status(), ("200".to_owned(), true));
    assert_eq!(proxy.send("abcdef"), Step::Read);
    assert_eq!(proxy.send(&get("/proxy/")), Step::Connect { reuse: true });
}

#[test]
fn an_upstream_that_takes_no_more_may_have_said_why() {
    let mut proxy = Proxy::asked(&post(6), true);
    proxy.settle();
    proxy.talk.session.upstream_stopped_reading();
    assert_eq!(proxy.settle(), ANSWERS, "the client's content is of no use");
    assert_eq!(proxy.answers(&ok("no").replace("200", "413")), Step::Release(Release::Drop));
    assert_eq!(proxy.settle(), Step::Read);
    assert_eq!(proxy.status(), ("413".to_owned(), true));
}

#[test]
fn content_that_is_held_back_waits_for_the_upstreams_100() {
    let head = post(3).replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n");
    let mut proxy = Proxy::asked(&head, false);
    assert_eq!(proxy.settle(), ANSWERS);
    assert!(proxy.went_up().contains("Expect: 100-continue\r\n"));
    assert_eq!(proxy.answers("HTTP/1.1 100 Continue\r\n\r\n"), BOTH);
    assert!(proxy.talk.answer().starts_with("HTTP/1.1 100 Continue\r\n"));
    assert_eq!(proxy.send("abc"), ANSWERS);
    assert_eq!(proxy.went_up(), "abc");

    let mut proxy = Proxy::asked(&head, false);
    proxy.settle();
    assert_eq!(proxy.answers(&ok("no")), Step::Release(Release::Drop));
    assert_eq!(proxy.settle(), Step::HalfClose);
    assert_eq!(proxy.status(), ("200".to_owned(), false));
}

#[test]
fn informational_answers_are_passed_on_but_not_to_1_0() {
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    let mut proxy = Proxy::asked(&get("/proxy/"), false);
    proxy.settle();
    assert_eq!(proxy.answers(hints), ANSWERS);
    assert!(proxy.talk.answer().starts_with("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n"));

    let mut proxy = Proxy::asked("GET /proxy/ HTTP/1.0\r\n\r\n", false);
    proxy.settle();
    assert_eq!(proxy.answers(hints), ANSWERS);
    assert_eq!(proxy.talk.answer(), "");
}

#[test]
fn content_that_is_malformed_ends_both_connections() {
    let head = "POST /proxy/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut proxy = Proxy::asked(head, true);
    proxy.settle();
    assert_eq!(proxy.send("nonsense\r\n"), Step::Release(Release::Drop));
    assert_eq!(proxy.settle(), Step::HalfClose);
    assert_eq!(proxy.status(), ("400".to_owned(), false));
    assert!(!proxy.went_up().contains("0\r\n\r\n"), "no end that the client did not send");
}

#[test]
fn a_client_that_leaves_is_counted() {
    let proxy = Proxy::asked(&get("/proxy/"), false);
    let world = std::sync::Arc::clone(&proxy.talk.world);
    drop(proxy);
    assert_eq!(world.clients_gone.load(Ordering::Relaxed), 1);
    assert_eq!(world.in_flight.load(Ordering::Relaxed), 0);
}

#[test]
fn a_client_that_sends_no_more_still_gets_its_answer_if_it_has_asked() {
    let mut proxy = Proxy::asked(&get("/proxy/"), false);
    proxy.settle();
    proxy.talk.session.end_of_input();
    assert_eq!(proxy.settle(), ANSWERS);
    proxy.answers(&ok("hi"));
    assert_eq!(proxy.settle(), Step::Close);
    assert!(proxy.talk.answer().ends_with("hi"));

    let mut proxy = Proxy::asked(&post(3), false);
    proxy.settle();
    proxy.talk.session.end_of_input();
    assert_eq!(proxy.settle(), Step::Close, "the rest of the request will never come");
}
