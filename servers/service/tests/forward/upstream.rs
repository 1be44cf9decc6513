//! The head that goes upstream.

use http::{Version, header};
use service::{Action, Mode};

use crate::{CLIENT, forwarded, lines, old, plan, request, service, status};

#[test]
fn the_route_is_taken_off_the_target() {
    for (given, target) in [
        ("/proxy", "/"),
        ("/proxy/", "/"),
        ("/proxy?x=/proxy", "/?x=/proxy"),
        ("/proxy/?x", "/?x"),
        ("/proxy/a/b?c=d&e", "/a/b?c=d&e"),
        ("/proxy/a?", "/a?"),
        ("/proxy/proxy/a", "/proxy/a"),
        ("/proxy/a%2Fb%20c?d=%3F", "/a%2Fb%20c?d=%3F"),
        ("/proxy//a//b", "//a//b"),
        ("/proxy/../a", "/../a"),
        ("http://b:81/proxy/a?c", "/a?c"),
        ("http://b/proxy", "/"),
    ] {
        let head = forwarded(Mode::Service, request("GET", given, &[]));
        assert_eq!(head.uri.to_string(), target, "{given}");
        assert_eq!(head.uri.path_and_query().unwrap().as_str(), target, "{given}");
    }
    for other in ["/proxyfoo", "/proxy.", "//proxy/a", "/a/proxy/b", "/Proxy/a", "/%70roxy/a"] {
        assert_eq!(status(Mode::Service, &request("GET", other, &[])), 404, "{other}");
    }
}

#[test]
fn a_plain_proxy_keeps_the_target() {
    for (method, given, target) in [
        ("GET", "/", "/"),
        ("GET", "/proxy/a", "/proxy/a"),
        ("GET", "//a?b", "//a?b"),
        ("GET", "/healthz", "/healthz"),
        ("GET", "http://b", "/"),
        ("GET", "http://b?c", "/?c"),
        ("GET", "https://b//c?d", "//c?d"),
        ("OPTIONS", "*", "*"),
    ] {
        let head = forwarded(Mode::Proxy, request(method, given, &[]));
        assert_eq!(head.uri.path_and_query().unwrap().as_str(), target, "{given}");
        assert_eq!((head.uri.authority(), head.uri.scheme()), (None, None), "{given}");
        assert_eq!(head.method, method);
    }
}

#[test]
fn a_head_goes_upstream_without_what_was_for_us() {
    let head = request(
        "POST",
        "/proxy/a",
        &[
            ("accept", "text/plain"),
            ("accept", "text/html"),
            ("connection", "keep-alive, host, X-Own"),
            ("connection", "via, content-length, x-forwarded-for"),
            ("x-own", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("via", "1.0 front"),
            ("content-length", "5"),
            ("forwarded", "for=bank"),
            ("x-forwarded-for", "198.51.100.7"),
        ],
    );
    let head = forwarded(Mode::Service, old(head));
    assert_eq!(head.version, Version::HTTP_11);
    assert_eq!(
        lines(&head.headers),
        [
            "accept: text/html",
            "accept: text/plain",
            "forwarded: for=192.0.2.1;host=a;proto=http",
            "host: a",
            "via: 1.0 front, 1.0 five-ways",
            "x-forwarded-for: 192.0.2.1",
            "x-forwarded-host: a",
            "x-forwarded-proto: http",
        ]
    );
}

#[test]
fn the_map_of_the_clients_head_is_the_upstreams() {
    let mut head = request("GET", "/proxy/a", &[]);
    head.headers.reserve(100);
    let (capacity, accept) = (head.headers.capacity(), header::HeaderValue::from_static("x"));
    head.headers.insert(header::ACCEPT, accept.clone());
    let head = forwarded(Mode::Service, head);
    assert_eq!(head.headers.capacity(), capacity);
    assert_eq!(head.headers[header::ACCEPT].as_bytes().as_ptr(), accept.as_bytes().as_ptr());
}

#[test]
fn the_host_is_the_clients_own() {
    let hosts = |head| {
        let head = forwarded(Mode::Proxy, head);
        let said = |name| head.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(head.headers.get_all("host").into_iter().count(), 1);
        (said("host").unwrap(), said("x-forwarded-host"))
    };
    let some = |host: &str| (host.to_owned(), Some(host.to_owned()));
    assert_eq!(hosts(request("GET", "/", &[("host", "a:80")])), some("a:80"));
    // The authority of a target counts, not the field.
    assert_eq!(hosts(request("GET", "http://b:81/", &[])), some("b:81"));
    let mut head = old(request("GET", "http://b:81/", &[]));
    head.headers.clear();
    assert_eq!(hosts(head), some("b:81"));
    // Nobody named a host; upstream, one must be named.
    assert_eq!(hosts(request("GET", "/", &[("host", "")])), (String::new(), None));
    let mut head = old(request("GET", "/", &[]));
    head.headers.clear();
    assert_eq!(hosts(head), ("origin:9000".to_owned(), None));
}

#[test]
fn a_client_is_believed_only_if_the_options_say_so() {
    for (trust_forwarded, list) in [(false, "192.0.2.1"), (true, "198.51.100.7, 192.0.2.1")] {
        let head = request("GET", "/", &[("x-forwarded-for", "198.51.100.7")]);
        let service = service(Mode::Proxy, None, trust_forwarded);
        let Action::Forward(forward) = service.decide(&head).action else { panic!("{head:?}") };
        let head = forward.request(head, CLIENT.into());
        assert_eq!(head.headers["x-forwarded-for"], list);
    }
}

#[test]
fn options_go_no_further_than_they_may() {
    let limited = |method, value| request(method, "/proxy/", &[("max-forwards", value)]);
    let left = |head| {
        let head = forwarded(Mode::Service, head);
        head.headers[header::MAX_FORWARDS].to_str().unwrap().to_owned()
    };
    assert_eq!(status(Mode::Service, &limited("OPTIONS", "0")), 204);
    assert_eq!(status(Mode::Proxy, &limited("OPTIONS", "0")), 204);
    for (method, before, after) in [
        ("OPTIONS", "1", "0"),
        ("OPTIONS", "010", "9"),
        ("OPTIONS", "-1", "-1"),
        ("OPTIONS", "x", "x"),
        ("GET", "0", "0"),
        ("GET", "3", "3"),
    ] {
        assert_eq!(left(limited(method, before)), after, "{method} {before}");
    }
}

#[test]
fn an_expectation_is_forwarded_if_it_is_one() {
    let with =
        |fields: &[_]| request("PUT", "/", &[fields, &[("expect", "100-Continue")]].concat());
    let length = ("content-length", "5");
    for (head, expects) in [
        (with(&[length]), true),
        (with(&[length, ("connection", "expect")]), true),
        (with(&[("transfer-encoding", "chunked")]), true),
        (with(&[]), false),
        (with(&[("content-length", "0")]), false),
        (old(with(&[length])), false),
        (request("PUT", "/", &[length]), false),
    ] {
        let what = format!("{head:?}");
        assert_eq!(plan(Mode::Proxy, &head).expects_continue(), expects, "{what}");
        let head = forwarded(Mode::Proxy, head);
        assert_eq!(head.headers.contains_key(header::EXPECT), expects, "{what}");
    }
}

#[test]
fn only_chunked_content_is_announced() {
    for (field, announced) in [
        (("transfer-encoding", "chunked"), &["transfer-encoding: chunked"][..]),
        (("content-length", "5"), &[]),
        (("x-a", "1"), &["x-a: 1"]),
    ] {
        let head = request("GET", "/", &[field]);
        let forward = plan(Mode::Proxy, &head);
        let mut head = forward.request(head, CLIENT.into());
        forward.announce(&mut head);
        for name in
            ["host", "via", "forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"]
        {
            head.headers.remove(name);
        }
        assert_eq!(lines(&head.headers), announced);
    }
}
