//! `/anything`: the request, told back as JSON.

use contract::{Backend, Server, on_every_backend};
use serde_json::{Value, json};

on_every_backend!(
    the_request_is_told_back,
    fields_are_lower_case_sorted_and_in_order,
    the_body_is_counted_however_it_is_framed,
    connections_are_numbered_and_their_requests_counted,
    the_authority_of_an_absolute_target_is_the_host,
    any_method_and_any_path_below_will_do,
);

fn the_request_is_told_back(backend: Backend) {
    let server = Server::start(backend, &[]);
    let request = "PUT /anything/a/b%20c?x=1&y=two%21&x=3&z HTTP/1.1\r\n\
        Host: contract\r\nContent-Length: 5\r\n\r\nhello";
    let told = server.connect().send(request).answer().status(200).json();
    assert_eq!(told["method"], "PUT");
    assert_eq!(told["path"], "/anything/a/b%20c");
    assert_eq!(told["args"], json!({ "x": ["1", "3"], "y": ["two!"], "z": [""] }));
    assert_eq!(told["headers"], json!({ "content-length": ["5"], "host": ["contract"] }));
    assert_eq!(told["body_length"], 5);
    assert_eq!(told["origin"], "127.0.0.1");
    let connection = &told["connection"];
    assert_eq!(connection["backend"], backend.name());
    assert!(!connection["worker"].as_str().unwrap().is_empty(), "{connection}");
}

fn fields_are_lower_case_sorted_and_in_order(backend: Backend) {
    let server = Server::start(backend, &[]);
    let request = "GET /anything HTTP/1.1\r\nX-Two: b\r\nHOST: a\r\nx-one:1\r\n\
        X-TWO: \t a, c \t\r\nAccept: */*\r\nX-Two:\r\n\r\n";
    let answer = server.connect().send(request).answer();
    let told = answer.status(200).json();
    assert_eq!(
        told["headers"],
        json!({ "accept": ["*/*"], "host": ["a"], "x-one": ["1"], "x-two": ["b", "a, c", ""] })
    );
    // A JSON object has no order once parsed; the text has.
    let places: Vec<_> = ["\"accept\"", "\"host\"", "\"x-one\"", "\"x-two\""]
        .iter()
        .map(|name| answer.text().find(name).unwrap())
        .collect();
    assert!(places.is_sorted(), "{}", answer.text());
}

fn the_body_is_counted_however_it_is_framed(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    assert_eq!(client.post("/anything", vec![b'a'; 300_000]).json()["body_length"], 300_000);
    let chunked = "POST /anything HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
        5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nTrailer: t\r\n\r\n";
    let told = client.send(chunked).answer().json();
    assert_eq!(told["body_length"], 11);
    assert_eq!(told["headers"]["trailer"], Value::Null, "a trailer is never merged into the head");
    assert_eq!(client.get("/anything").json()["body_length"], 0);
}

fn connections_are_numbered_and_their_requests_counted(backend: Backend) {
    let server = Server::start(backend, &[]);
    let (mut first, mut second) = (server.connect(), server.connect());
    let mut seen = Vec::new();
    for client in [&mut first, &mut second] {
        let numbers: Vec<_> = (1..=3)
            .map(|requests| {
                let told = client.get("/anything").json();
                assert_eq!(told["connection"]["requests"], requests);
                told["connection"]["number"].as_u64().unwrap()
            })
            .collect();
        assert!(numbers.iter().all(|number| *number == numbers[0]), "{numbers:?}");
        seen.push(numbers[0]);
    }
    assert_ne!(seen[0], seen[1], "two connections have two numbers");
}

fn the_authority_of_an_absolute_target_is_the_host(backend: Backend) {
    let server = Server::start(backend, &[]);
    let request = "GET http://other.example:81/anything/a?b=c HTTP/1.1\r\nHost: contract\r\n\r\n";
    let told = server.connect().send(request).answer().status(200).json();
    assert_eq!(told["headers"]["host"], json!(["other.example:81"]));
    assert_eq!(told["path"], "/anything/a");
    assert_eq!(told["args"], json!({ "b": ["c"] }));
}

fn any_method_and_any_path_below_will_do(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW", "M-SEARCH"] {
        for path in ["/anything", "/anything/", "/anything/deep/er"] {
            let request = format!("{method} {path} HTTP/1.1\r\nHost: a\r\n\r\n");
            let told = client.send(request).answer().status(200).json();
            assert_eq!((&told["method"], &told["path"]), (&json!(method), &json!(path)));
        }
    }
}
