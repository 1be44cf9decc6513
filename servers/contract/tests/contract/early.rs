//! Answers that are ready before the body was read.

use contract::{Backend, Server, on_every_backend};

on_every_backend!(
    a_small_unwanted_body_leaves_the_connection_usable,
    a_small_unwanted_body_may_come_after_its_answer,
    a_large_unwanted_body_costs_nobody_the_answer,
    an_endless_unwanted_body_ends_with_the_connection,
);

const UNWANTED: [(&str, u16); 3] = [("/nowhere", 404), ("/status/403", 403), ("/bytes/1", 405)];

fn a_small_unwanted_body_leaves_the_connection_usable(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    for (target, status) in UNWANTED {
        for length in [1, 1000, 65_536, 200_000] {
            client.post(target, vec![b'x'; length]).status(status).stays_open();
        }
        client.send(format!(
            "POST {target} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        ));
        client.send("5\r\nhello\r\n0\r\n\r\n").answer().status(status).stays_open();
    }
    client.get("/healthz").status(200);
}

fn a_small_unwanted_body_may_come_after_its_answer(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    for (target, status) in UNWANTED {
        client.send(format!("POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n"));
        client.send([b'x'; 50]).answer().status(status).stays_open();
        client.send([b'x'; 50]);
        client.get("/bytes/3").status(200).field("content-length", "3");
    }
}

fn a_large_unwanted_body_costs_nobody_the_answer(backend: Backend) {
    let server = Server::start(backend, &[]);
    for (target, status) in UNWANTED {
        let mut client = server.connect();
        client
            .send(format!("POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: 50000000\r\n\r\n"));
        for _ in 0..16 {
            client.send(vec![b'x'; 65_536]);
        }
        client.last_answer().status(status);
    }
}

fn an_endless_unwanted_body_ends_with_the_connection(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    client.send("POST /nowhere HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    let chunk = [b"10000\r\n".as_slice(), "x".repeat(65_536).as_bytes(), b"\r\n"].concat();
    // Five times of what is drained at most.
    for _ in 0..20 {
        client.send(&chunk);
    }
    client.answer().status(404);
    client.closes();
}
