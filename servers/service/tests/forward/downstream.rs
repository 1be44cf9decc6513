//! The head that comes back.

use http::{Response, Version, response};
use service::{Mode, announced, announces_content, asks_for_content, is_framed_once, may_persist};

use crate::{lines, old, plan, request};

#[test]
fn an_answer_comes_back_without_what_was_for_us() {
    let forward = plan(Mode::Proxy, &request("GET", "/", &[]));
    let fields = [
        ("connection", "close, X-Own"),
        ("x-own", "1"),
        ("keep-alive", "timeout=5"),
        ("content-length", "5"),
        ("trailer", "x"),
        ("upgrade", "h2c"),
        ("proxy-authenticate", "Basic"),
        ("date", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("server", "origin"),
        ("set-cookie", "a"),
        ("set-cookie", "b"),
        ("via", "1.1 origin"),
    ];
    let head = response(Version::HTTP_10, 404, &fields);
    assert_eq!(announced(&head.headers), Some(5));
    let head = forward.answer(head);
    assert_eq!((head.version, head.status.as_u16()), (Version::HTTP_11, 404));
    assert_eq!(
        lines(&head.headers),
        [
            "date: Thu, 01 Jan 1970 00:00:00 GMT",
            "server: origin",
            "set-cookie: a",
            "set-cookie: b",
            "via: 1.1 origin, 1.0 five-ways",
        ]
    );
    let early = forward.answer(response(Version::HTTP_11, 103, &[("link", "</a>")]));
    assert_eq!(lines(&early.headers), ["link: </a>", "via: 1.1 five-ways"]);
}

#[test]
fn informational_answers_are_for_those_who_know_them() {
    let new = plan(Mode::Proxy, &request("GET", "/", &[]));
    let old = plan(Mode::Proxy, &old(request("GET", "/", &[])));
    for (status, passes) in [(100, true), (101, false), (102, true), (103, true), (199, true)] {
        let status = status.try_into().unwrap();
        assert_eq!(new.passes_on(status), passes, "{status}");
        assert!(!old.passes_on(status), "{status} to 1.0");
        assert_eq!(asks_for_content(status), status == 100, "{status}");
    }
    assert!(!new.passes_on(http::StatusCode::OK));
}

#[test]
fn content_is_framed_in_one_way() {
    let (length, coding) = ("content-length", "transfer-encoding");
    for (fields, expected) in [
        (&[][..], true),
        (&[(length, "5")], true),
        (&[(length, "9223372036854775807")], true),
        (&[(coding, "Chunked")], true),
        (&[(coding, ", chunked")], true),
        (&[(coding, ""), (coding, "chunked")], true),
        (&[(length, "9223372036854775808")], false),
        (&[(length, "")], false),
        (&[(coding, "chunked,")], false),
        (&[(coding, "chunked"), (coding, "")], false),
        (&[(coding, "")], false),
        (&[(coding, ",")], false),
        (&[(length, "5"), (length, "5")], false),
        (&[(length, "5, 5")], false),
        (&[(length, "+5")], false),
        (&[(length, "5"), (coding, "chunked")], false),
        (&[(coding, "gzip")], false),
        (&[(coding, "gzip, chunked")], false),
        (&[(coding, "chunked, chunked")], false),
        (&[(coding, "chunked"), (coding, "chunked")], false),
    ] {
        let head = response(Version::HTTP_11, 200, fields);
        assert_eq!(is_framed_once(&head.headers), expected, "{fields:?}");
    }
}

#[test]
fn a_connection_is_given_up_where_what_follows_is_in_doubt() {
    let (length, coding, connection) = ("content-length", "transfer-encoding", "connection");
    for (version, status, fields, expected) in [
        (Version::HTTP_11, 200, &[][..], true),
        (Version::HTTP_11, 200, &[(length, "5")], true),
        (Version::HTTP_11, 200, &[(connection, "keep-alive, x")], true),
        (Version::HTTP_11, 204, &[], true),
        (Version::HTTP_11, 204, &[(length, "00")], true),
        (Version::HTTP_11, 304, &[(length, "5")], true),
        (Version::HTTP_11, 204, &[(length, "5")], false),
        (Version::HTTP_11, 204, &[(length, "")], false),
        (Version::HTTP_11, 204, &[(coding, "chunked")], false),
        (Version::HTTP_11, 200, &[(connection, "x"), (connection, "Close")], false),
        (Version::HTTP_11, 200, &[(connection, "close, \u{e9}")], false),
        (Version::HTTP_10, 200, &[(connection, "keep-alive")], false),
    ] {
        let head = response(version, status, fields);
        assert_eq!(may_persist(&head), expected, "{version:?} {status} {fields:?}");
        let announced =
            fields.iter().any(|(name, value)| *name == coding || ["5", ""].contains(value));
        assert_eq!(announces_content(&head.headers), announced, "{fields:?}");
    }
}

fn response(version: Version, status: u16, fields: &[(&str, &str)]) -> response::Parts {
    let mut response = Response::builder().version(version).status(status);
    for (name, value) in fields {
        response = response.header(*name, *value);
    }
    response.body(()).unwrap().into_parts().0
}
