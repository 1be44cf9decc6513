//! What is forwarded at all, how its content is delimited, and when it is sent again.

use std::sync::Arc;

use http::header;
use service::{Action, Attempt, Content, Mode, Service};

use crate::{Idle, forwarded, plan, request, service, status};

#[test]
fn what_is_no_proxys_business_is_refused() {
    for mode in [Mode::Service, Mode::Proxy] {
        assert_eq!(status(mode, &request("CONNECT", "a:80", &[])), 501);
        assert_eq!(status(mode, &request("TRACE", "/proxy/", &[("max-forwards", "0")])), 405);
    }
    let nowhere = Service::new("test", Mode::Service, None, 0, None, Arc::new(Idle));
    let Action::Respond(answer) = nowhere.decide(&request("GET", "/proxy/", &[])).action else {
        panic!("forwarded nowhere");
    };
    assert_eq!(answer.status(), 502);
    let text = answer.into_body().next().unwrap();
    assert!(str::from_utf8(&text).unwrap().contains("--upstream"));
}

#[test]
fn content_is_framed_as_it_was_announced() {
    for (fields, content) in [
        (&[][..], Content::None),
        (&[("content-length", "0")], Content::Length(0)),
        (&[("content-length", "5")], Content::Length(5)),
        (&[("content-length", "5"), ("connection", "content-length")], Content::Length(5)),
        (&[("transfer-encoding", "chunked")], Content::Chunked),
        (
            &[("transfer-encoding", "chunked"), ("connection", "transfer-encoding")],
            Content::Chunked,
        ),
    ] {
        for method in ["GET", "POST"] {
            let head = request(method, "/proxy/", fields);
            assert_eq!(plan(Mode::Service, &head).content(), content, "{fields:?}");
            let head = forwarded(Mode::Service, head);
            assert!(!head.headers.contains_key(header::CONTENT_LENGTH));
            assert!(!head.headers.contains_key(header::TRANSFER_ENCODING));
        }
    }
}

#[test]
fn content_is_bounded_only_if_streams_are() {
    let long = request("POST", "/proxy/", &[("content-length", "6")]);
    let decision = service(Mode::Service, None, false).decide(&long);
    assert_eq!(decision.content_limit, None);
    assert!(matches!(decision.action, Action::Forward(_)));
    let decision = service(Mode::Service, Some(6), false).decide(&long);
    assert_eq!(decision.content_limit, Some(6));
    assert!(matches!(decision.action, Action::Forward(_)));
    let decision = service(Mode::Service, Some(5), false).decide(&long);
    assert!(decision.close);
    assert!(matches!(decision.action, Action::Respond(answer) if answer.status() == 413));
}

/// Attempts without a connection, the first of their request, whatever else is said of them.
const UNCONNECTED: [u8; 8] =
    [0b00000, 0b00010, 0b00100, 0b00110, 0b01000, 0b01010, 0b01100, 0b01110];

/// A first attempt on a connection that had been used, and nothing more.
const STALE: u8 = 0b11000;

/// Every attempt there can be, and those that can't.
#[test]
fn a_request_is_sent_again_only_where_that_changes_nothing() {
    let idempotent = ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"];
    for method in idempotent.into_iter().chain(["POST", "PATCH", "MYSTERY"]) {
        let forward = plan(Mode::Proxy, &request(method, "/", &[]));
        for bits in 0..32u8 {
            let [connected, reused, answer_began, content_sent, retried] =
                [16, 8, 4, 2, 1].map(|bit| bits & bit != 0);
            let attempt = Attempt { connected, reused, answer_began, content_sent, retried };
            let expected =
                UNCONNECTED.contains(&bits) || bits == STALE && idempotent.contains(&method);
            assert_eq!(forward.may_retry(attempt), expected, "{method} {attempt:?}");
        }
    }
}
