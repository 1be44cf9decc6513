//! `--mode` and `--admin`.

use contract::{Backend, Program, Server, on_every_backend};

on_every_backend!(
    echo_mode_echoes_everything,
    proxy_mode_forwards_everything,
    the_admin_port_answers_in_every_mode,
);

fn echo_mode_echoes_everything(backend: Backend) {
    let server = Server::start(backend, &["--mode", "echo"]);
    let mut client = server.connect();
    for target in ["/", "/echo", "/nowhere", "/status/404", "/healthz", "/delay/60s?x", "/proxy/a"]
    {
        client.post(target, "hello").status(200).by_length().body("hello");
        client.get(target).status(200).by_length().body("");
    }
    client.send("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send("5\r\nhello\r\n0\r\n\r\n").answer().status(200).chunked().body("hello");
}

/// Nothing listens there, as both ways into forwarding must say; `tests/proxy` has the rest.
fn proxy_mode_forwards_everything(backend: Backend) {
    let upstream = ["--upstream", "http://127.0.0.1:9"];
    let server = Server::start(backend, &[&["--mode", "proxy"][..], &upstream].concat());
    server.connect().get("/bytes/5").status(502);
    let server = Server::start(backend, &upstream);
    server.connect().get("/proxy/bytes/5").status(502);
}

fn the_admin_port_answers_in_every_mode(backend: Backend) {
    let modes: [&[&str]; 3] = [
        &["--mode", "service"],
        &["--mode", "echo"],
        &["--mode", "proxy", "--upstream", "http://127.0.0.1:9"],
    ];
    for mode in modes {
        let server = Program::new(backend).options(mode).with_admin().start();
        let mut admin = server.connect_admin();
        assert_eq!(admin.get("/healthz").status(200).text().trim_end(), "ok");
        assert!(admin.get("/metrics").status(200).text().contains("five_ways_build_info"));
        // The service itself is elsewhere.
        admin.get("/echo").status(404);
    }
}
