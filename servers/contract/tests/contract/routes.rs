//! The routes that answer at once, and what is no route.

use std::io::Read;

use contract::{Answer, Backend, Client, Server, eventually, on_every_backend};

on_every_backend!(
    the_root_says_what_this_is,
    any_status_can_be_had,
    a_status_without_a_name_has_no_phrase,
    a_status_that_is_none_is_refused,
    bytes_come_by_length,
    bytes_without_a_number_are_refused,
    healthz_is_ok,
    an_unknown_route_is_not_found,
    a_wrong_method_is_told_the_right_ones,
    trace_is_refused,
    connect_is_refused_for_good,
    options_asterisk_is_answered,
    head_is_get_without_the_body,
    the_proxy_without_an_upstream_names_the_option,
    the_date_advances,
);

fn the_root_says_what_this_is(backend: Backend) {
    let answer = Server::start(backend, &[]).connect().get("/");
    answer.status(200).by_length();
    assert!(answer.value("content-type").starts_with("text/plain"), "{:?}", answer.head);
    let routes = [
        "/echo",
        "/anything",
        "/status/",
        "/bytes/",
        "/stream/",
        "/delay/",
        "/block/",
        "/burn/",
        "/proxy/",
        "/healthz",
        "/metrics",
    ];
    for part in routes.iter().chain([&backend.name()]) {
        assert!(answer.text().contains(part), "no {part} in {}", answer.text());
    }
}

fn any_status_can_be_had(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    for status in 200..=599 {
        let answer = client.get(&format!("/status/{status}"));
        answer.status(status).stays_open();
        match status {
            204 | 205 | 304 => answer.body(""),
            _ if answer.body.is_empty() => answer.fail("a short text was due"),
            _ => answer.by_length(),
        };
    }
    for method in ["POST", "DELETE", "OPTIONS"] {
        let request = format!("{method} /status/418 HTTP/1.1\r\nHost: a\r\n\r\n");
        client.send(request).answer().status(418);
    }
}

/// RFC 9112, section 4: the phrase may be left out, the space before it may not.
fn a_status_without_a_name_has_no_phrase(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    client.send("GET /status/599 HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut line = [0; b"HTTP/1.1 599 \r\n".len()];
    client.read_exact(&mut line).unwrap();
    assert_eq!(line.escape_ascii().to_string(), "HTTP/1.1 599 \\r\\n", "{backend}");
}

fn a_status_that_is_none_is_refused(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    for status in ["100", "101", "199", "99", "600", "1000", "65736", "0", "-200", "2e2", "abc"] {
        client.get(&format!("/status/{status}")).status(400);
    }
}

fn bytes_come_by_length(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    for length in [0, 1, 1024, 65_537, 3_000_000] {
        let answer = client.get(&format!("/bytes/{length}"));
        answer.status(200).field("content-length", &length.to_string());
        assert_eq!(answer.body.len(), length);
    }
}

fn bytes_without_a_number_are_refused(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    for length in ["abc", "-1", "1.5", "99999999999999999999999"] {
        client.get(&format!("/bytes/{length}")).status(400);
    }
}

fn healthz_is_ok(backend: Backend) {
    let answer = Server::start(backend, &[]).connect().get("/healthz");
    answer.status(200);
    assert_eq!(answer.text().trim_end(), "ok");
}

fn an_unknown_route_is_not_found(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    for target in ["/nowhere", "/Echo", "/echoes", "/anythingelse", "/bytes", "/health", "//"] {
        client.get(target).status(404).by_length().stays_open();
    }
    client.post("/nowhere", "small").status(404);
    client.get("/healthz").status(200);
}

fn a_wrong_method_is_told_the_right_ones(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    for target in ["/", "/bytes/5", "/stream/5", "/healthz", "/metrics"] {
        for method in ["POST", "PUT", "DELETE", "BREW"] {
            let request = format!("{method} {target} HTTP/1.1\r\nHost: a\r\n\r\n");
            let answer = client.send(request).answer();
            answer.status(405);
            let allowed = allowed(&answer);
            assert!(allowed.contains(&"GET") && allowed.contains(&"HEAD"), "{allowed:?}");
            assert!(!allowed.contains(&method), "{allowed:?}");
        }
    }
}

fn trace_is_refused(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    for target in ["/", "/echo", "/anything", "/status/200"] {
        let request = format!("TRACE {target} HTTP/1.1\r\nHost: a\r\nSecret: b\r\n\r\n");
        let answer = client.send(request).answer();
        answer.status(405);
        assert!(!allowed(&answer).contains(&"TRACE"), "{:?}", answer.head);
        assert!(!answer.text().contains("Secret"), "{}", answer.text());
    }
}

fn connect_is_refused_for_good(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    client.send("CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n");
    client.last_answer().status(501);
}

fn options_asterisk_is_answered(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    let answer = client.send("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").answer();
    assert!([200, 204].contains(&answer.head.status), "{:?}", answer.head);
    client.get("/healthz").status(200);
}

fn head_is_get_without_the_body(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    let targets = [
        "/",
        "/bytes/1000",
        "/bytes/0",
        "/healthz",
        "/status/404",
        "/nowhere",
        "/echo",
        "/status/304",
    ];
    for target in targets {
        let get = client.get(target);
        let head = head(&mut client, target);
        head.status(get.head.status);
        assert_eq!(names_and_lengths(&head), names_and_lengths(&get), "HEAD and GET {target}");
    }
    // These differ from one moment to the next, so that only the form can be compared.
    for target in ["/anything/a", "/metrics", "/delay/1ms", "/stream/3?interval=1ms"] {
        head(&mut client, target).status(200).stays_open();
    }
    client.get("/healthz").status(200);
}

fn the_proxy_without_an_upstream_names_the_option(backend: Backend) {
    let server = Server::start(backend, &[]);
    let answer = server.connect().get("/proxy/anything");
    answer.status(502);
    assert!(answer.text().contains("--upstream"), "{}", answer.text());
}

fn the_date_advances(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    let first = client.get("/healthz").value("date").to_owned();
    eventually("another second", || (client.get("/healthz").value("date") != first).then_some(()));
}

fn head(client: &mut Client, target: &str) -> Answer {
    client.send(format!("HEAD {target} HTTP/1.1\r\nHost: contract\r\n\r\n")).answer_to("HEAD")
}

fn allowed(answer: &Answer) -> Vec<&str> {
    answer.value("allow").split(',').map(str::trim).collect()
}

/// All field names, and the one value that `HEAD` must not get wrong.
fn names_and_lengths(answer: &Answer) -> (Vec<&str>, Vec<&str>) {
    let mut names: Vec<_> = answer.head.fields.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    (names, answer.head.values("content-length"))
}
